"""The laws of structgen.testing hold for every kind of grammar, and each catches what it is there for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from structgen.compiler import compile_grammar
from structgen.errors import StaleState, TokenRejected
from structgen.grammars.ir import Grammar, GrammarBuilder, Literal, Repeat, alt, seq
from structgen.grammars.json_schema import JsonStyle, compile_schema
from structgen.grammars.lark import LarkGrammar, compile_lark
from structgen.kernels.layout import DEAD, FINISHED, START
from structgen.kinds import AnyGrammar
from structgen.matcher import Constraint
from structgen.testing import LawBroken, check_automaton_laws, check_mask_laws, check_matcher_laws
from structgen.vocabulary import Vocabulary

TOKENS = [
    b"<end>",
    *(bytes([byte]) for byte in range(32, 127)),
    b'{"',
    b'":',
    b'", "',
    b"ab",
    b'"}',
    b"]]",
    b"[[",
    b"1,",
]
VOCABULARY = Vocabulary.from_bytes(TOKENS, eos=[0])
UNIQUE = {"type": "array", "uniqueItems": True, "maxItems": 4, "items": {"enum": [1, 2, 12, "a", "ab", [1]]}}
LARK = 'start: (word | number)+\nword: /[a-c]+/\nnumber: /[0-9]+/ "!"\n%ignore " "'


def recursive() -> Grammar:
    builder = GrammarBuilder()
    nested = builder.declare("nested")
    builder.define(nested, seq(Literal(b"["), Repeat(alt(nested, Literal(b"ab")), 0, 3), Literal(b"]")))
    return builder.build(nested)


GRAMMARS: dict[str, tuple[Callable[[], AnyGrammar], list[bytes]]] = {
    "recursive": (recursive, [b"[[ab]ab]", b"[", b"[[[]]ab", b"x"]),
    "any JSON": (lambda: compile_schema({}, style=JsonStyle.any()).grammar, [b'{"a": [1, "b"], "c": null}', b"[-1e3 "]),
    "distinct elements": (lambda: compile_schema(UNIQUE, style=JsonStyle.any()).grammar, [b'[1, 2, "a"]', b"[1,1]"]),
    "a lexer": (lambda: compile_lark(LarkGrammar(LARK))[0], [b"ab 12! c", b"1! "]),
}


def constraint(name: str) -> Constraint:
    return compile_grammar(GRAMMARS[name][0](), VOCABULARY)


@pytest.mark.parametrize("name", GRAMMARS)
def test_every_kind_of_grammar_keeps_the_laws(name: str) -> None:
    one = constraint(name)
    check_automaton_laws(one.automaton, GRAMMARS[name][1])
    check_matcher_laws(one)
    one = constraint(name)
    states = [
        START,
        FINISHED,
        *(one.automaton.advance(START, text[:n]) for text in GRAMMARS[name][1] for n in range(4)),
    ]
    check_mask_laws(one.automaton, one.masks, VOCABULARY, [state for state in states if state != DEAD])


class Changed:
    """An automaton, or masks, with one method changed."""

    def __init__(self, inner: Any, **methods: Callable[..., Any]) -> None:
        self._inner, self._methods = inner, methods

    def __getattr__(self, name: str) -> Any:
        return self._methods.get(name) or getattr(self._inner, name)

    def __len__(self) -> int:
        return len(self._inner)


AUTOMATON_MUTANTS: dict[str, Callable[[Any], dict[str, Callable[..., Any]]]] = {
    "live_bytes are those": lambda a: {"live_bytes": lambda s: a.live_bytes(s)[1:]},
    "distance is the length": lambda a: {"distance": lambda s: a.distance(s) + (s > START)},
    "shortest is a completion": lambda a: {"shortest": lambda s: a.shortest(s)[::-1]},
    "no bytes change nothing": lambda a: {"advance": lambda s, d: a.advance(s, d) if d or s == START else DEAD},
    "nothing follows": lambda a: {"advance": lambda s, d: a.advance(START if s == FINISHED else s, d or b"")},
    "advance\\(s, a \\+ b\\)": lambda a: {"advance": lambda s, d: a.advance(s, d) if len(d) != 4 else DEAD},
}


@pytest.mark.parametrize("law", AUTOMATON_MUTANTS)
def test_a_broken_automaton_is_caught(law: str) -> None:
    automaton = compile_grammar(compile_schema({"enum": ["abc", [1], "a"]}).grammar, VOCABULARY).automaton
    texts = [b'"abc"', b"[1]"]
    check_automaton_laws(automaton, texts)
    if law == "nothing follows":
        texts = []
        automaton = compile_grammar(compile_schema({"const": 1}).grammar, VOCABULARY).automaton
        broken = Changed(automaton, advance=lambda s, d: automaton.advance(START, b"1") if s == FINISHED else DEAD)
    else:
        broken = Changed(automaton, **AUTOMATON_MUTANTS[law](automaton))
    with pytest.raises(LawBroken, match=law):
        check_automaton_laws(broken, texts)  # type: ignore[arg-type]


def test_a_wrong_bit_is_caught() -> None:
    one = constraint("any JSON")
    row = one.masks.row(START).copy()
    row[0] ^= np.uint32(1 << 17)
    row.flags.writeable = False
    with pytest.raises(LawBroken, match="if and only if"):
        check_mask_laws(one.automaton, Changed(one.masks, row=lambda state: row), VOCABULARY, [START])  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["recursive", "any JSON", "distinct elements"])
def test_matchers_and_leases_go_on_after_compacting(name: str) -> None:
    one, twin = constraint(name), constraint(name)
    tokens = {"recursive": b"[[ab]", "any JSON": b'[1, "ab", {', "distinct elements": b"[1, 2,"}[name]
    matcher, reference = one.matcher(), twin.matcher()
    ids = [TOKENS.index(bytes([byte])) for byte in tokens]
    assert matcher.accept_all(ids) == reference.accept_all(ids) == len(ids)
    check_matcher_laws(one)  # many states that nobody holds
    before, size = matcher.state, len(one.automaton)
    with one.pin([before]):
        assert one.compact()
        assert len(one.automaton) < size
        assert matcher.state != before, "a new number, by which it is known from now on"
        assert one.is_accepting(before) == matcher.is_accepting()
        assert one.steps(before, [0, 1]) == one.steps(matcher.state, [0, 1])
        assert one.forced(before) == matcher.forced_bytes()
        for token in range(len(TOKENS)):
            assert (one.step(before, token) == DEAD) == (twin.step(reference.state, token) == DEAD)
        assert (one.row(before) == reference.mask()).all()
    assert one.compact()
    with pytest.raises(StaleState, match="pin"):
        one.row(before)
    assert (matcher.mask() == reference.mask()).all()


def test_numbers_that_never_were_states_are_refused() -> None:
    one = constraint("recursive")
    for state in (-1, len(one.automaton), 1 << 40):
        with pytest.raises(StaleState):
            one.row(state)
        with pytest.raises(StaleState):
            one.pin([state])
    assert one.row(FINISHED).any() == False  # noqa: E712 - numpy's own bool


def test_nothing_is_let_go_while_somebody_holds_a_lease() -> None:
    one = constraint("any JSON")
    state = one.step(START, TOKENS.index(b"["))
    lease = one.pin([state])
    assert not one.release()
    assert one.step(state, TOKENS.index(b"]")) != DEAD
    lease.release()
    assert one.release()
    with pytest.raises(StaleState):
        one.step(state, 1)


def test_ten_thousand_held_states_are_a_set_of_ints() -> None:
    one = constraint("any JSON")
    lease, state = one.pin([]), START
    for _ in range(10_000):
        state = one.step(state, TOKENS.index(b"["))
        lease.add([state])
    assert len(lease.states) == 10_000
    assert one.compact()
    assert one.distance(state) == 10_000
    assert not hasattr(lease, "__dict__")


def test_accept_or_raise_names_the_token_and_what_was_expected() -> None:
    matcher = constraint("recursive").matcher()
    matcher.accept_or_raise(TOKENS.index(b"["))
    with pytest.raises(TokenRejected, match="'\\['") as caught:
        matcher.accept_or_raise(TOKENS.index(b"x"))
    assert (caught.value.text, len(matcher)) == (b"x", 1)
    with pytest.raises(TokenRejected):
        matcher.accept_or_raise(len(TOKENS))


def test_a_detached_matcher_has_no_history_and_the_same_place() -> None:
    matcher = constraint("recursive").matcher()
    matcher.accept_all([TOKENS.index(b"["), TOKENS.index(b"[")])
    alone = matcher.detached()
    assert (len(alone), alone.state) == (0, matcher.state)
    assert alone.accept(TOKENS.index(b"]"))
    assert alone.state != matcher.state


class Spelled:
    """Spells a text by the longest tokens that fit, from the left."""

    def tokens_of(self, text: str) -> list[int]:
        found, data = [], text.encode()
        while data:
            best = max((t for t in range(1, len(TOKENS)) if data.startswith(TOKENS[t])), key=lambda t: len(TOKENS[t]))
            found.append(best)
            data = data[len(TOKENS[best]) :]
        return found


def test_forced_tokens_are_those_of_the_forced_bytes() -> None:
    schema = {
        "type": "object",
        "properties": {"ab": {"const": "abab"}},
        "required": ["ab"],
        "additionalProperties": False,
    }
    matcher = compile_grammar(
        compile_schema(schema, style=JsonStyle(whitespace="compact")).grammar, VOCABULARY
    ).matcher()
    drafted = matcher.forced_tokens(Spelled())
    spelled = b"".join(TOKENS[token] for token in drafted)
    assert matcher.forced_bytes().startswith(spelled)
    assert matcher.valid_prefix(drafted) == len(drafted) > 4


def test_rows_of_many_states_at_once() -> None:
    one = constraint("any JSON")
    states = one.steps(START, [TOKENS.index(b"["), TOKENS.index(b'"'), TOKENS.index(b"a")])
    out = np.full((3, len(one.row(START)) + 2), 7, np.int32)
    one.fill_rows(states, out)
    for row, state in zip(out, states, strict=True):
        assert (row[:-2].view(np.uint32) == one.row(state)).all()
        assert not row[-2:].any()
