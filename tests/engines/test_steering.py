"""How a row ends when its budget runs short: what the model chose stays, what it had not chosen is named."""

from __future__ import annotations

import json
import random
from functools import cache
from typing import Any

import pytest

from structgen.api.compile import compile
from structgen.engines.steering import boundaries, check_budget, chosen_places, complete, leaves_room
from structgen.errors import BudgetTooSmall
from structgen.matcher import Constraint
from structgen.python_types.exact import ExactValidator
from structgen.vocabulary import Vocabulary

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer"},
        "born": {"type": "string", "format": "date"},
        "kind": {"enum": ["red", "green"]},
        "mail": {"type": "string", "format": "email"},
        "ok": {"type": "boolean"},
    },
    "required": ["name", "age"],
    "additionalProperties": False,
}


@cache
def vocabulary() -> Vocabulary:
    words = [b'{"', b'": ', b'", "', b'"}', b"true", b"name", b"age", b"born", b"34", b'4,"', b"green", b"]}"]
    return Vocabulary.from_bytes([bytes([byte]) for byte in range(256)] + words + [b""], eos=[256 + len(words)])


@cache
def compiled(schema: str) -> Constraint:
    return compile(schema=json.loads(schema), vocabulary=vocabulary())


def ended(schema: Any, text: str, budget: int, tokens: list[int] | None = None) -> tuple[Any, tuple[str, ...]]:
    """What is made of a row that has written `text`, byte by byte, and has no room for more."""
    constraint = compiled(json.dumps(schema))
    tokens = list(text.encode()) if tokens is None else tokens
    matcher = constraint.matcher()
    assert matcher.accept_all(tokens) == len(tokens)
    before = matcher.state
    found = complete(matcher, tokens, budget, is_json=True)
    assert matcher.state == before and len(matcher) == len(tokens), "the matcher stays as it is"
    data = vocabulary().decode(found.tokens)
    assert len(found.tokens) < budget
    assert constraint.accepts(data)
    return json.loads(data), found.completed_at


@pytest.mark.parametrize(
    ("text", "value", "places"),
    [
        ('{"name": "Maria San', {"name": "Maria San", "age": 0}, ("/name", "/age")),
        ('{"name": "Maria", "age": 34', {"name": "Maria", "age": 0}, ("/age",)),
        ('{"name": "Maria", "age": 34,', {"name": "Maria", "age": 34}, ("",)),
        ('{"name": "Maria", "age": 34, "born": "2026-01-0', {"name": "Maria", "age": 34}, ("",)),
        (
            '{"name": "Maria", "age": 34, "born": "2026-01-03"',
            {"name": "Maria", "age": 34, "born": "2026-01-03"},
            ("",),
        ),
        ('{"name": "Maria", "age": 34, "kind": "gre', {"name": "Maria", "age": 34}, ("",)),
        ('{"name": "Maria", "age": 34, "mail": "ada@example.co', {"name": "Maria", "age": 34}, ("",)),
        ('{"name": "Maria", "age": 34, "ok": tr', {"name": "Maria", "age": 34}, ("",)),
        ('{"name": "a\\\\', {"name": "a\\", "age": 0}, ("/name", "/age")),
        ('{"name": "a\\', {"name": "a", "age": 0}, ("/name", "/age")),
        ('{"na', {"name": "", "age": 0}, ("/name", "/age")),
    ],
)
def test_a_text_is_completed_from_the_last_place_where_everything_is_whole(
    text: str, value: Any, places: tuple[str, ...]
) -> None:
    assert ended(PERSON, text, 200) == (value, places)


def test_a_character_of_several_bytes_is_never_cut() -> None:
    text = '{"name": "日'.encode()[:-1]
    constraint = compiled(json.dumps(PERSON))
    matcher = constraint.matcher()
    assert matcher.accept_all(text) == len(text)
    found = complete(matcher, list(text), 100, is_json=True)
    assert json.loads(vocabulary().decode(found.tokens)) == {"name": "", "age": 0}


def test_an_earlier_place_is_taken_where_the_last_does_not_fit() -> None:
    text = '{"name": "a long name that goes on and on'
    full, places = ended(PERSON, text, 200)
    assert full["name"] == text[10:] and places == ("/name", "/age")
    short, places = ended(PERSON, text, 30)
    assert 0 < len(short["name"]) < 25 and text[10:].startswith(short["name"]) and places == ("/name", "/age")
    least = compiled(json.dumps(PERSON)).matcher().tokens_to_accept() + 1
    assert ended(PERSON, text, least) == ({"name": "", "age": 0}, ("/name", "/age"))


def test_the_places_are_pointers_into_what_is_returned() -> None:
    properties = {"a/b": {"type": "integer"}, "~": {"type": "array"}}
    schema = {"type": "array", "items": {"type": "object", "properties": properties, "required": ["a/b", "~"]}}
    value, places = ended(schema, '[{"a/b": 1, "~": []}, {"a/b": 2', 100)
    assert value == [{"a/b": 1, "~": []}, {"a/b": 0, "~": []}]
    assert places == ("/1/a~1b", "/1/~0")
    value, places = ended(schema, '[{"a/b": 1, "~": [[1, 2], 3', 100)
    assert value == [{"a/b": 1, "~": [[1, 2]]}] and places == ("/0/~0",)
    assert chosen_places(b'{"a": [1, {"b": 2}]}', 11) == ("/a/1/b",)


def test_a_place_inside_a_token_is_found() -> None:
    tokens = [*b'{"name": "x", "age": 3', vocabulary().size - 4]
    assert vocabulary().token_bytes(tokens[-1]) == b'4,"'
    assert ended(PERSON, "", 200, tokens) == ({"name": "x", "age": 34}, ("",))


def test_boundaries_stand_behind_values_and_brackets_and_inside_strings() -> None:
    text = b'{"k": [12, "ab", true, nul'
    found = sorted(place for place, _ in boundaries(text))
    marks = [0, 1, 7, 9, 12, 13, 15, 21]
    assert found == marks, [text[:place] for place in found]
    assert [place for place, inside in boundaries(text) if inside] == [13, 12]


def test_texts_that_are_not_json_are_completed_from_where_they_are() -> None:
    constraint = compile(regex=r"[a-z]{3,9}-[0-9]{2}", vocabulary=vocabulary())
    matcher, tokens = constraint.matcher(), list(b"abcdef")
    matcher.accept_all(tokens)
    found = complete(matcher, tokens, 9, is_json=False)
    assert vocabulary().decode(found.tokens) == b"abcde-00" and found.completed_at == ("",)


DISTINCT = {"type": "array", "uniqueItems": True, "items": {"enum": [1, 2, 3, "a", "b"]}, "minItems": 2}
TREE = {"type": "object", "properties": {"kids": {"type": "array", "items": {"$ref": "#"}}, "n": {"type": "number"}}}


@pytest.mark.parametrize(
    "schema", [PERSON, {"type": "array", "items": PERSON}, {}, {"type": ["string", "array"]}, DISTINCT, TREE]
)
def test_whatever_was_written_what_is_returned_is_valid_and_keeps_its_beginning(schema: Any) -> None:
    constraint, rng = compiled(json.dumps(schema)), random.Random(5)
    least = constraint.matcher().tokens_to_accept() + 1
    judge, many = ExactValidator(schema), 0
    for round in range(150):
        matcher, tokens, budget = constraint.matcher(), list[int](), least + rng.randrange(40)
        distances: dict[int, int] = {}
        while leaves_room(matcher, budget - len(tokens), distances) and not matcher.is_finished():
            allowed = [token for token in range(vocabulary().size) if matcher.allows([token])[0]]
            likely = [token for token in allowed if token < 128] or allowed
            tokens.append(rng.choice(likely))
            assert matcher.accept(tokens[-1])
        if matcher.is_finished():
            continue
        found, many = complete(matcher, tokens, budget, is_json=True), many + 1
        text = vocabulary().decode(found.tokens)
        assert judge.fault(text.decode()) is None and len(found.tokens) < budget, round
        for seen in (len(vocabulary().decode(tokens[:-1])), rng.randrange(len(tokens))):
            shown = complete(matcher, tokens, budget, is_json=True, seen=seen)
            longer = vocabulary().decode(shown.tokens)
            assert longer.startswith(vocabulary().decode(tokens)[:seen]), "what was read by somebody stays"
            assert judge.fault(longer.decode()) is None and len(shown.tokens) < budget, round
        for place in found.completed_at:
            value = json.loads(text)
            for step in place.split("/")[1:]:
                key = step.replace("~1", "/").replace("~0", "~")
                value = value[int(key)] if isinstance(value, list) else value[key]
    assert many > 8


def test_a_budget_below_the_smallest_output_is_refused() -> None:
    matcher = compiled(json.dumps(PERSON)).matcher()
    needed = matcher.tokens_to_accept() + 1
    check_budget(matcher, needed)
    with pytest.raises(BudgetTooSmall) as caught:
        check_budget(matcher, needed - 1)
    assert caught.value.needed == needed
