"""Arrays of distinct elements: masks against the list of all texts, equality as JSON sees it, no dead ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import permutations, product
from random import Random
from typing import Any

import pytest

from structgen.bits import ids_of
from structgen.compiler import compile_grammar
from structgen.errors import LimitExceeded, Unsatisfiable, UnsupportedSchema
from structgen.grammars.combine.automaton import of_grammar
from structgen.grammars.combine.join import in_turn
from structgen.grammars.json_schema import JsonStyle, compile_schema
from structgen.kernels.layout import DEAD, START
from structgen.kinds import automaton_of
from structgen.matcher import Constraint
from structgen.unique.automaton import DistinctConfigurations
from structgen.vocabulary import Vocabulary

COMPACT = JsonStyle(whitespace="compact")
PIECES = ['["', '",', '","', '"]', '],', '],[', '[[', ']]', '["a"', 'a",', '"a"', '"ab', '1,', '1]', '10', ',1', 'true',
          'e,', 'rue,f', '{"x":', '{"x":1}', '},', '},{', '}]', 'null', '[]', ',[', '[1,1', '[1,', '"x":']  # fmt: skip
TOKENS = sorted({*map(chr, range(0x20, 0x7F)), *PIECES})
VOCABULARY = Vocabulary.from_bytes([b"", *(token.encode() for token in TOKENS)], eos=[0])


def constraint(schema: Any, style: JsonStyle = COMPACT) -> Constraint:
    return compile_grammar(compile_schema(schema, style=style).grammar, VOCABULARY)


def arrays(values: list[Any], least: int, most: int) -> list[Any]:
    return [list(chosen) for size in range(least, most + 1) for chosen in permutations(values, size)]


def unique(**more: Any) -> dict[str, Any]:
    return {"type": "array", "uniqueItems": True, **more}


def integer(values: list[int]) -> dict[str, Any]:
    return {"type": "integer", "enum": values}  # without the type, 1.0 is a spelling too


WORDS, PAIRS = ["a", "ab", "abc", "b"], [["a", "b"], ["a", "bc"], ["b", "a"]]
FINITE: dict[str, tuple[Any, list[Any]]] = {
    "all of an enum": (unique(items={"enum": WORDS}, minItems=4), arrays(WORDS, 4, 4)),
    "some of an enum": (unique(items={"enum": WORDS}, maxItems=3), arrays(WORDS, 0, 3)),
    "numbers": (unique(items=integer([1, 10, 11, 100]), minItems=2), arrays([1, 10, 11, 100], 2, 4)),
    "range": (unique(items={"type": "integer", "minimum": 9, "maximum": 11}), arrays([9, 10, 11], 0, 3)),
    "decimals": (unique(items={"enum": [0.5, "x", -1.25]}), arrays([0.5, "x", -1.25], 0, 3)),
    "booleans": (unique(items={"type": ["boolean", "null"]}), arrays([True, False, None], 0, 3)),
    "the last decides": (
        unique(prefixItems=[integer([1, 2]), integer([1, 2, 3]), integer([1])], minItems=3, maxItems=3),
        [[2, 3, 1]],
    ),
    "arrays inside": (
        unique(items=unique(items=integer([1, 2]), minItems=1), minItems=3, maxItems=3),
        arrays([[1], [2], [1, 2], [2, 1]], 3, 3),
    ),
    "objects": (
        unique(
            items={"properties": {"x": integer([1, 2])}, "required": ["x"], "additionalProperties": False,
                   "type": "object"}, minItems=1
        ),
        arrays([{"x": 1}, {"x": 2}], 1, 2),
    ),
    "in an object": (
        {"type": "object", "properties": {"a": unique(items=integer([1, 2])), "b": integer([1])},
         "required": ["a", "b"], "additionalProperties": False},
        [{"a": chosen, "b": 1} for chosen in arrays([1, 2], 0, 2)],
    ),
    "one of two arrays": (
        {"anyOf": [unique(items=integer([1, 2])), {"type": "array", "items": {"const": "a"}, "maxItems": 2}]},
        [*arrays([1, 2], 0, 2), ["a"], ["a", "a"]],
    ),
    "distinct or short": (
        {"type": "array", "items": integer([1, 10]), "anyOf": [{"uniqueItems": True, "minItems": 2}, {"maxItems": 1}]},
        [[], [1], [10], *arrays([1, 10], 2, 2)],
    ),
    "one of them distinct": (
        {"type": "array", "minItems": 2, "maxItems": 2, "contains": unique(minItems=2),
         "items": {"type": "array", "items": integer([1, 2]), "minItems": 2, "maxItems": 2}},
        [[list(a), list(b)] for a in product([1, 2], repeat=2) for b in product([1, 2], repeat=2)
         if len(set(a)) == 2 or len(set(b)) == 2],
    ),
    "a prefix": (
        unique(prefixItems=[{"enum": WORDS}, {"enum": ["a", "abd"]}], items=False),
        [[], *([a] for a in WORDS), *([a, b] for a in WORDS for b in ("a", "abd") if a != b)],
    ),
    "members that cannot be": (
        {"type": ["array", "null"], "uniqueItems": True, "minItems": 2,
         "items": {"type": "object", "patternProperties": {"a": False}, "additionalProperties": {"not": {}}}},
        [None],
    ),
    "keys": (
        {"type": "object", "propertyNames": {"enum": WORDS[:3]}, "additionalProperties": {"const": "b"},
         "minProperties": 2, "maxProperties": 2},
        [dict.fromkeys(chosen, "b") for chosen in permutations(WORDS[:3], 2)],
    ),
    "lists of booleans": (
        unique(items={"type": "array", "items": {"type": "boolean"}, "maxItems": 1}, minItems=2, maxItems=3),
        arrays([[], [True], [False]], 2, 3),
    ),
    "optional members": (
        unique(items={"type": "object", "properties": {"x": integer([1]), "y": integer([1, 2])},
                      "additionalProperties": False, "minProperties": 1}, minItems=2, maxItems=3),
        arrays([{"x": 1}, {"y": 1}, {"y": 2}, {"x": 1, "y": 1}, {"x": 1, "y": 2}], 2, 3),
    ),
    "lists of distinct ones": (
        unique(items=unique(items=integer([1, 2]), minItems=2), minItems=1, maxItems=2),
        arrays([[1, 2], [2, 1]], 1, 2),
    ),
    "places of few values": (
        unique(prefixItems=[integer([1, 2]), integer([1, 2, 10]), {"type": "integer", "minimum": 1, "maximum": 3}],
               items=False, minItems=2),
        [[*first, *rest] for first in ([1, 2], [1, 10], [2, 1], [2, 10]) for rest in ([], [1], [2], [3])
         if not set(rest) & set(first)],
    ),
    "pairs": (unique(items={"enum": PAIRS}, minItems=2), arrays(PAIRS, 2, 3)),
}  # fmt: skip


@pytest.mark.parametrize("name", FINITE)
def test_masks_are_what_all_texts_say(name: str) -> None:
    """Every token after every prefix that random walks meet: allowed exactly if some text goes on like that."""
    schema, values = FINITE[name]
    texts = {json.dumps(value, separators=(",", ":")) for value in values}
    compiled, rng = constraint(schema), Random(name)
    checked: set[str] = set()
    for _ in range(60):
        matcher, prefix = compiled.matcher(), ""
        while prefix not in checked:
            checked.add(prefix)
            mask = matcher.mask()
            allowed = set(ids_of(mask).tolist())
            ways = {text[len(prefix) :] for text in texts if text.startswith(prefix)}
            expected = {1 + i for i, token in enumerate(TOKENS) if any(way.startswith(token) for way in ways)}
            assert allowed == expected | ({0} if "" in ways else set()), prefix
            assert [bool(matcher.fork().accept(t)) for t in sorted(allowed)] == [True] * len(allowed)
            if allowed <= {0}:
                break
            token = rng.choice(sorted(allowed - {0}))
            assert matcher.accept(token)
            prefix += TOKENS[token - 1]
            assert matcher.bytes_to_accept() == len(matcher.constraint.automaton.shortest(matcher.state))


KEYS: dict[str, tuple[Any, str, bool]] = {
    "counted": ({"minProperties": 2}, '{"a":1,"a":1', False),
    "not counted": ({"minProperties": 1}, '{"a":1,"a":1}', True),
    "counted, different": ({"minProperties": 2}, '{"a":1,"ab":1}', True),
    "spelled differently": ({"minProperties": 2}, r'{"a":1,"\u0061"', False),
    "a condition on one": ({"not": {"additionalProperties": {"const": 1}}}, '{"a":2,"a":1', False),
    "inside": ({"items": {"minProperties": 2}}, '[{"a":[{"a":1,"a":1}],"a"', False),
    "few": ({"minProperties": 2, "propertyNames": {"enum": ["a", "ab"]}}, '{"ab":0,"a":0}', True),
    "none left": ({"minProperties": 2, "propertyNames": {"enum": ["a", "ab"]}}, '{"ab":0,"a":0,', False),
}


@pytest.mark.parametrize("name", KEYS)
def test_keys_that_count_are_not_repeated(name: str) -> None:
    schema, text, possible = KEYS[name]
    automaton = automaton_of(compile_schema(schema, style=JsonStyle.any()).grammar)
    state = automaton.advance(START, text.encode())
    assert (state != DEAD) == possible
    assert not possible or automaton.is_accepting(state)


@pytest.mark.parametrize("order", ["declared", "any"])
@pytest.mark.parametrize(
    ("schema", "text", "possible"),
    [
        ({}, '{"a":1,"a"', False),
        ({}, '[{"a":1},{"a":{"a":1,"b":{}}}]', True),
        ({"items": {"type": "object"}}, '[{"b":{"a":1,"a"', False),
        ({"properties": {"a": {}}, "type": "object"}, '{"a":1,"b":2,"b"', False),
        ({"properties": {"a": {}}, "type": "object"}, '{"a":1,"b":2,"c":3}', True),
        ({"properties": {"a": {}}, "type": "object"}, '{"a":1,"a"', False),
        ({"patternProperties": {"^x": {"type": "null"}}, "type": "object"}, '{"x1":null,"x1"', False),
        ({"propertyNames": {"enum": ["a", "ab"]}, "type": "object"}, '{"ab":1,"a":2,', False),
        ({"propertyNames": {"enum": ["a", "ab"]}, "type": "object"}, '{"ab":1,"a":2}', True),
        ({"propertyNames": {"enum": ["a", "ab"]}, "type": "object"}, '{"a":1,"a"', False),
    ],
)
def test_no_key_is_repeated_where_the_style_asks(schema: Any, text: str, possible: bool, order: Any) -> None:
    style = JsonStyle("any", order, "any", "any", distinct_keys=True)
    automaton = automaton_of(compile_schema(schema, style=style).grammar)
    state = automaton.advance(START, text.encode())
    assert (state != DEAD) == possible
    assert not possible or automaton.is_accepting(state)


@pytest.mark.parametrize(
    ("first", "second", "equal"),
    [
        ("1", "1.0", True),
        ("100", "1e2", True),
        ("1", "true", False),
        ("0", "false", False),
        ('"a"', r'"\u0061"', True),
        ('{"a":1,"b":2}', '{ "b": 2, "a": 1.0 }', True),
        ('{"a":1}', '{"a":1,"b":2}', False),
        ("[1,2]", "[2,1]", False),
        ("[1, 2]", "[1,2e0]", True),
        ("null", '"null"', False),
    ],
)
def test_elements_are_compared_as_json(first: str, second: str, equal: bool) -> None:
    automaton = automaton_of(compile_schema({"uniqueItems": True}, style=JsonStyle.any()).grammar)
    for text in (f"[{first},{second}]", f"[{second} , 7, {first} ]"):
        state = automaton.advance(START, text.encode())
        assert (state == DEAD) == equal
        assert equal or automaton.is_accepting(state)


@pytest.mark.parametrize("style", [COMPACT, JsonStyle(), JsonStyle.any()])
def test_open_elements_any_split_into_tokens(style: JsonStyle) -> None:
    """After ["ab", the same string cannot be closed, however it is cut into tokens, and everything else can."""
    compiled = constraint(unique(items={"type": "string"}, minItems=3), style)
    for parts in product(*([[text], list(text)] for text in ('["', "ab", '","', "a", "b"))):
        matcher = compiled.matcher()
        for token in (piece for part in parts for piece in part):
            assert matcher.accept(1 + TOKENS.index(token)) if token in TOKENS else matcher.accept_bytes(token.encode())
        allowed = set(ids_of(matcher.mask()).tolist())
        refused = {t for i, t in enumerate(TOKENS) if i + 1 not in allowed}
        assert {'"', '",', '","', '"]', '"a"'} <= refused and "c" not in refused
        matcher.accept_bytes(b'c","abd')
        matcher.rollback()
        assert not matcher.accept_bytes(b'"') and matcher.accept_bytes(b'c"')


def test_numbers_go_on() -> None:
    matcher = constraint(unique(items={"type": "integer"}, minItems=2)).matcher()
    assert matcher.accept_bytes(b"[1,1") and not matcher.fork().accept_bytes(b"]") and matcher.accept_bytes(b"0]")
    assert matcher.is_accepting()


def test_not_values_enough() -> None:
    with pytest.raises(Unsatisfiable):
        constraint(unique(items={"enum": [1, 2.0, 2]}, minItems=3))
    with pytest.raises(Unsatisfiable):
        constraint(unique(prefixItems=[{"const": 1}, {"const": 1.0}], minItems=2))
    optional = {"type": "object", "properties": {"a": unique(items={"type": "boolean"}, minItems=3), "b": {}}}
    assert not constraint(optional).matcher().accept_bytes(b'{"a":[')


def test_inside_a_combination_it_is_refused() -> None:
    grammar = compile_schema(unique(items={"type": "string"})).grammar
    for combine in (lambda: in_turn([grammar]), lambda: of_grammar(grammar, 1000)):
        with pytest.raises(UnsupportedSchema, match="inside a combination"):
            combine()


@pytest.mark.parametrize(
    ("first", "second", "equal"),
    [
        ("0e99999999999999999999", "0", True),
        ("1e99999999999999999999", "10E+99999999999999999998", True),
        ("1e99999999999999999999", "1e99999999999999999998", False),
        ("-1e-99999999999999999999", "1e-99999999999999999999", False),
        ("0.10e-99999999999999999999", "1e-100000000000000000000", True),
        ("9" * 5000, "9" * 5000 + ".0", True),
        ("9" * 5000, "9" * 4999 + "8", False),
    ],
)
def test_numbers_of_any_size_are_compared(first: str, second: str, equal: bool) -> None:
    automaton = automaton_of(compile_schema({"uniqueItems": True}, style=JsonStyle.any()).grammar)
    assert (automaton.advance(START, f"[{first},{second}]".encode()) == DEAD) == equal


@pytest.mark.parametrize("least", [2, 3, 12])
def test_the_shortest_way_may_have_to_be_left(least: int) -> None:
    for schema, begun in (
        ({"type": "object", "minProperties": least}, b"{"),
        ({"uniqueItems": True, "minItems": least, "type": "array", "items": {"type": "number"}}, b"[7,7"),
        ({"uniqueItems": True, "minItems": least, "type": "array"}, b"[{},{"),
    ):
        automaton = automaton_of(compile_schema(schema, style=JsonStyle.any()).grammar)
        state = automaton.advance(START, begun)
        text = begun + automaton.shortest(state)
        assert len(json.loads(text)) >= least
        assert automaton.is_accepting(automaton.advance(START, text))


def test_masks_keep_no_state_for_tokens_they_try() -> None:
    found = constraint(unique(items={"type": "string"}))
    matcher = found.matcher()
    for text in ('["', "a", '","', "a"):
        matcher.mask()
        matcher.accept(TOKENS.index(text) + 1)
    before = len(found.automaton.pairs)  # type: ignore[attr-defined]
    matcher.mask()
    assert len(found.automaton.pairs) == before  # type: ignore[attr-defined]


# ------------------------------------------------------------------------------------------ the twin: every token tried

MORE = ["\\", "n", "u", "u00", "61", '\\"', "\\n", "b\\", 'n"', '"b', '"ab"', 'b"', 'ab",', 'c"]', '", "',
        '"], ["', '"},', '": "', "x", 'x"]', "é",
        '{"', '"y":', ', "', "],", " ", "0", '":1', "1}"]  # fmt: skip
PARTS = [b"\xc3", b"\xa9", b'\xa9"', b"a\xc3", b'\xa9",']
EVERY = [b"", *(token.encode() for token in sorted({*TOKENS, *MORE})), *PARTS]
FINE = Vocabulary.from_bytes(EVERY, eos=[0])
STRING = {"type": "string"}
OPEN_ENDED: dict[str, Any] = {
    "strings": unique(items=STRING),
    "patterns": unique(items={"type": "string", "pattern": "^[ab]*$"}),
    "nested": unique(items=unique(items=STRING)),
    "three deep": unique(items=unique(items=unique(items=STRING))),
    "nested, counted": unique(items=unique(items=STRING, minItems=2), minItems=2),
    "lists in it": unique(items={"type": "array", "items": STRING}),
    "pairs": unique(items={"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2}),
    "objects": unique(items={"type": "object", "properties": {"x": STRING, "y": {"type": "array", "items": STRING}}}),
    "objects in lists": unique(items={"type": "array", "items": {"type": "object", "properties": {"x": {}, "y": {}}}}),
    "anything": unique(),
    "ranges": unique(items={"type": "integer", "minimum": 0, "maximum": 120}),
    "numbers": unique(items={"type": "number"}),
    "maps": unique(items={"type": "object", "additionalProperties": {"enum": [1, 10]}}),
    "names that run out": unique(
        items={"type": "object", "propertyNames": {"enum": ["x", "y"]}, "additionalProperties": {"enum": [1, 10]}}
    ),
    "flags": unique(items={"type": "object", "properties": {name: {"type": "boolean"} for name in "xyuv"},
                           "additionalProperties": False}),
    "the only value may be taken": unique(prefixItems=[{}, {"enum": [""]}], items=STRING),
    "the last of two may be taken": unique(prefixItems=[STRING, {"enum": ["a", "ab"]}, {"enum": ["a", "ab"]}]),
    "a list may be taken": unique(prefixItems=[{"type": "array", "items": STRING}, {"enum": [["a"]]}]),
    "a name that has to come": {
        "type": "object", "not": {"propertyNames": {"not": {"enum": ["ab", "x"]}}}, "minProperties": 3,
    },
    "names that are spelled alike from some place on": {
        "type": "object", "propertyNames": {"enum": ["xa", "ya", "xb", "yb"]}, "minProperties": 4,
    },
    "names of few letters": {"type": "object", "propertyNames": {"pattern": "^[abx]{1,2}$"}, "minProperties": 11},
    "strings beside names that run out": {
        "type": "object", "patternProperties": {"^[xyu]$": {"type": "array", "items": STRING}},
        "additionalProperties": False, "minProperties": 3,
    },
}  # fmt: skip


def tried(compiled: Constraint, state: int) -> set[int]:
    """The tokens after which some way leads on, each by itself."""
    automaton = compiled.automaton
    found = {token for token, text in enumerate(EVERY) if text and automaton.continues(state, text)}  # type: ignore[attr-defined]
    return found | ({0} if automaton.is_accepting(state) else set())


@pytest.mark.parametrize("style", [COMPACT, JsonStyle(), JsonStyle.any()], ids=["compact", "flexible", "any"])
@pytest.mark.parametrize("name", OPEN_ENDED)
def test_masks_are_what_trying_every_token_says(name: str, style: JsonStyle) -> None:
    compiled = compile_grammar(compile_schema(OPEN_ENDED[name], style=style).grammar, FINE)
    rng = Random(name)
    likely = [token for token, text in enumerate(EVERY) if text and set(text) <= set(b'[]{}",: abxy1')]
    for _ in range(6):
        matcher = compiled.matcher()
        for _ in range(14):
            allowed = set(ids_of(matcher.mask()).tolist())
            assert allowed == tried(compiled, matcher.state)
            ways = sorted(allowed.intersection(likely)) or sorted(allowed - {0})
            if rng.random() < 0.15:
                ways = sorted(allowed - {0})
            if not ways:
                break
            assert matcher.accept(rng.choice(ways))


def completions(automaton: Any, config: int, text: bytes, depth: int) -> Iterator[bytes]:
    """The texts of the grammar that go on after a text by at most `depth` bytes and a bracket."""
    after = automaton.plain.advance(config, b"]")
    if after != DEAD and automaton.plain.is_accepting(after):
        yield text + b"]"
    if depth:
        for byte in b"0123456789.eE+-":
            further = automaton.plain.advance(config, bytes((byte,)))
            if further != DEAD:
                yield from completions(automaton, further, text + bytes((byte,)), depth - 1)


@pytest.mark.parametrize("style", [JsonStyle("compact", numbers="any"), JsonStyle.any()], ids=["compact", "any"])
def test_numbers_spelled_otherwise_are_found_or_given_up_rightly(style: JsonStyle) -> None:
    """A place that is dead has no completion of few bytes that is new; one that lives has one that is found."""
    schema = unique(items={"type": "integer", "minimum": 0, "maximum": 80})
    automaton = automaton_of(compile_schema(schema, style=style).grammar)
    assert isinstance(automaton, DistinctConfigurations)
    found = {False: 0, True: 0}
    for written in ([0, 1, 10], [2, *range(20, 30)], [1, 2, *range(10, 20)], [0, 20]):
        before = b"[" + b",".join(b"%d" % number for number in written) + b","
        for begun in (
            b"0",
            b"-",
            b"-0",
            b"1",
            b"2",
            b"10",
            b"1.",
            b"1.0",
            b"1e",
            b"2.0e",
            b"1.0e0",
            b"2e",
            b"0.",
            b"0.0",
        ):
            config = automaton.plain.advance(START, before + begun)
            if config == DEAD:
                continue
            lives = automaton.advance(START, before + begun) != DEAD
            new = (text for text in completions(automaton, config, begun, 5) if float(text[:-1]) not in written)
            assert lives == (next(new, None) is not None), (before, begun)
            found[lives] += 1
    assert min(found.values()) > 5


def test_a_member_may_be_written_again() -> None:
    """The last member of a name counts: what differs so far may still become what was written."""
    automaton = automaton_of(compile_schema(OPEN_ENDED["maps"], style=COMPACT).grammar)
    for text, lives in (
        (b'[{"x":1},{"x":10,"x":1', True),
        (b'[{"x":1},{"x":10,"x":1}', False),
        (b'[{"x":1},{"x":1,"x":10}]', True),
        (b'[{"x":1},{"x":1,"y":1}]', True),
        (b'[{"y":1,"x":10},{"x":1,"y":1,"x":10}', False),
    ):
        assert (automaton.advance(START, text) != DEAD) == lives, text


def test_what_was_written_is_not_read_again() -> None:
    """Texts that mean the same lead to the same state, however long an element is."""
    automaton = automaton_of(compile_schema(OPEN_ENDED["anything"], style=JsonStyle.any()).grammar)
    ways = (
        b'[{"x":"a","y":[]}, {"x":"b",',
        b'[ {"y":[], "x":"\\u0061"},{"x":"b","x":"b",',
        b'[{"y":[ ],"x":"a"},{ "x":"b" ,',
    )
    assert len({automaton.advance(START, way) for way in ways}) == 1


def test_an_element_that_nests_too_deeply_is_refused() -> None:
    automaton = automaton_of(compile_schema(unique(), style=JsonStyle.any()).grammar)
    with pytest.raises(LimitExceeded, match="nests too deeply"):
        automaton.advance(START, b"[" * 2000)


def test_nested_arrays_try_few_tokens() -> None:
    """That values of inner arrays cannot run out is proved, so only tokens that may repeat an element are tried."""
    compiled = compile_grammar(compile_schema(OPEN_ENDED["nested"], style=JsonStyle()).grammar, FINE)
    counts = []
    automaton = compiled.automaton
    plain = automaton.continues  # type: ignore[attr-defined]

    def counting(state: int, data: bytes) -> bool:
        counts[-1] += 1
        return bool(plain(state, data))

    automaton.continues = counting  # type: ignore[attr-defined]
    matcher = compiled.matcher()
    for text in (b'[["', b"c", b'", "b"], ["', b'x", "'):
        assert matcher.accept_bytes(text)
        counts.append(0)
        matcher.mask()
    assert max(counts) < len(EVERY) / 2


def test_a_string_beside_names_that_run_out_is_tried_by_kinds_of_tokens() -> None:
    """What is in it is compared with nothing, so of the tokens that stay in it one is tried."""
    compiled = compile_grammar(compile_schema(OPEN_ENDED["strings beside names that run out"]).grammar, FINE)
    tries = []
    plain = compiled.automaton.continues  # type: ignore[attr-defined]
    compiled.automaton.continues = lambda state, data: tries.append(data) or plain(state, data)  # type: ignore[attr-defined]
    matcher = compiled.matcher()
    assert matcher.accept_bytes(b'{"x":["ab')
    matcher.mask()
    assert sum(b'"' not in text for text in tries) < 12 and 2 < len(tries) < len(EVERY) / 2


def test_a_number_is_found_that_was_not_written() -> None:
    """Where the shortest completion repeats one and any blanks may follow, a search ran out."""
    schema = unique(items={"type": "integer", "minimum": 0, "maximum": 500}, minItems=3)
    automaton = automaton_of(compile_schema(schema, style=JsonStyle.any()).grammar)
    text = b"[0," + b" " * 60
    state = automaton.advance(START, text)
    assert state != DEAD
    assert len(set(json.loads(text + automaton.shortest(state)))) >= 3
