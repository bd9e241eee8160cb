"""A sequence in somebody else's scheduler: rows, stops of requests, drafts and the way back, budgets, and errors."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from structgen.bits import ids_of, words_for
from structgen.integrations.follower import Follower
from structgen.matcher import Constraint
from structgen.python_types.exact import ExactValidator
from structgen.vocabulary import Vocabulary

Constrain = Callable[..., Constraint]
PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "tags": {"type": "array", "items": {"type": "string", "minLength": 2}, "minItems": 1},
        "born": {"type": "string", "format": "date"},
        "more": {"type": "object", "properties": {"a": {"enum": ["one", "two"]}, "b": {"type": "number"}},
                 "required": ["a", "b"]},
    },
    "required": ["name", "tags", "born"],
}  # fmt: skip


def row_of(follower: Follower) -> np.ndarray[Any, Any]:
    """A row as the engine sees it: longer than the vocabulary needs, and dirty before."""
    row = np.full(words_for(follower.matcher.constraint.vocabulary.size) + 2, 0xFFFFFFFF, np.uint32)
    follower.fill(row)
    return row


def allowed(follower: Follower) -> list[int]:
    return ids_of(row_of(follower)).tolist()


def test_rows_are_the_matchers_and_every_set_bit_is_taken(constrain: Constrain) -> None:
    rng = random.Random(1)
    for _ in range(5):
        follower, matcher = Follower(constrain(schema=PERSON).matcher()), constrain(schema=PERSON).matcher()
        while not follower.is_finished and len(follower) < 60:
            found = allowed(follower)
            assert found == ids_of(matcher.mask()).tolist()
            token = rng.choice(found)
            assert follower.take(token) and matcher.accept(token)
        outside = next(token for token in range(follower.matcher.constraint.vocabulary.size) if token not in found)
        if not follower.is_finished:
            outside = next(t for t in range(follower.matcher.constraint.vocabulary.size) if t not in allowed(follower))
            assert not follower.take(outside)
        assert len(follower) == len(matcher)


def test_drafts_are_counted_up_to_the_first_forbidden_one_and_change_nothing(constrain: Constrain) -> None:
    constraint = constrain(regex="ab+c")
    follower = Follower(constraint.matcher())
    spelled = constraint.spelled(b"abbbc")
    before = allowed(follower)
    assert follower.allowed(spelled) == len(spelled)
    wrong = constraint.spelled(b"x")[0]
    assert follower.allowed([*spelled[:2], wrong, *spelled[2:]]) == 2
    assert allowed(follower) == before and len(follower) == 0
    assert not follower.take_all([*spelled[:2], wrong])
    assert len(follower) == 0


def test_tokens_behind_the_end_are_taken_and_rolled_back(constrain: Constrain, vocabulary: Vocabulary) -> None:
    constraint = constrain(regex="ab")
    follower = Follower(constraint.matcher())
    stop = vocabulary.stop_ids[0]
    spelled = constraint.spelled(b"ab")
    assert follower.take_all([*spelled, stop, 7, 7]) and follower.is_finished
    assert allowed(follower) == list(vocabulary.stop_ids)
    follower.back(2)
    assert follower.is_finished
    follower.back(1)
    assert not follower.is_finished and allowed(follower) == list(vocabulary.stop_ids)
    follower.back(len(spelled))
    assert allowed(follower) == ids_of(constraint.matcher().mask()).tolist()
    with pytest.raises(ValueError, match="roll back"):
        follower.back(1)


def test_a_requests_stop_comes_where_the_text_is_complete_and_nowhere_else(constrain: Constrain) -> None:
    constraint = constrain(regex="[0-9]{2,4}")
    letter = constraint.spelled(b"x")[0]
    follower = Follower(constraint.matcher(), [letter])
    for digit in constraint.spelled(b"1"), constraint.spelled(b"2"):
        assert letter not in allowed(follower) and not follower.take(letter)
        assert follower.take_all(digit)
    assert letter in allowed(follower)
    assert follower.allowed([letter, letter]) == 1
    assert follower.take(letter) and follower.is_finished and follower.take(letter)
    follower.back(2)
    assert not follower.is_finished and follower.take_all(constraint.spelled(b"3"))


def test_a_stop_that_is_text_ends_only_where_it_completes_it(constrain: Constrain) -> None:
    constraint = constrain(regex="(a;)?b;")
    (mark,) = constraint.spelled(b";")
    follower = Follower(constraint.matcher(), [mark])
    assert follower.take_all(constraint.spelled(b"b")) and mark in allowed(follower)
    assert follower.take(mark) and follower.is_finished
    follower.back(1)
    assert not follower.is_finished
    follower.back(len(follower))
    assert follower.take_all(constraint.spelled(b"a"))
    row = allowed(
        follower
    )  # the text cannot go on without the stop, and may not end with it: the request is impossible
    assert isinstance(follower.error, Exception) and mark in row and not follower.take(mark)


def test_an_error_ends_the_sequence_alone(constrain: Constrain, vocabulary: Vocabulary, monkeypatch: Any) -> None:
    follower = Follower(constrain(regex="a+").matcher())

    def broken(*_: Any) -> Any:
        raise MemoryError("no more")

    monkeypatch.setattr(type(follower.matcher), "mask", broken)
    assert allowed(follower) == list(vocabulary.stop_ids)
    assert isinstance(follower.error, MemoryError)
    assert not follower.take(vocabulary.stop_ids[0]) and follower.allowed([1]) == 0
    other = Follower(constrain(regex="b").matcher())
    monkeypatch.setattr(type(follower.matcher), "accept", broken)
    assert not other.take(3) and isinstance(other.error, MemoryError)


def walked(follower: Follower, limit: int, rng: random.Random) -> list[int]:
    """Tokens drawn from the rows until a stop, or as many as there may be."""
    tokens: list[int] = []
    while not follower.is_finished and len(tokens) < limit:
        tokens.append(rng.choice(allowed(follower)))
        assert follower.take(tokens[-1])
    return tokens


@pytest.mark.parametrize("ahead", [0, 5])
def test_a_budget_ends_with_a_complete_text(ahead: int, constrain: Constrain, vocabulary: Vocabulary) -> None:
    rng, constraint, validator = random.Random(ahead), constrain(schema=PERSON), ExactValidator(PERSON)
    needed = constraint.matcher().tokens_to_accept() + 1
    for limit in [*range(needed, needed + 12), 60, 90, 140]:
        follower = Follower(constraint.matcher())
        follower.steer(limit + ahead, lambda tokens=follower: ahead + len(tokens))
        tokens = walked(follower, limit, rng)
        assert follower.is_finished, limit
        assert validator.fault(vocabulary.decode(tokens).decode()) is None


ITEM = {"type": "object", "properties": {name: {"type": "string"} for name in ("one", "two", "three")},
        "required": ["one", "two", "three"], "additionalProperties": False}  # fmt: skip


@pytest.mark.parametrize("schema", [{"type": "array", "items": ITEM}, {"anyOf": [{"type": "string"}, ITEM]}, {}])
def test_nothing_long_is_begun_near_the_end(schema: Any, constrain: Constrain, vocabulary: Vocabulary) -> None:
    """A walk that begins whatever it may: brackets, strings, the next element."""
    constraint, rng = constrain(schema=schema), random.Random(7)
    needed = constraint.matcher().tokens_to_accept() + 1
    for limit in range(needed, needed + 26):
        follower = Follower(constraint.matcher())
        follower.steer(limit)
        while not follower.is_finished and len(follower) < limit:
            found = allowed(follower)
            eager = [token for token in found if set(vocabulary.token_bytes(token)) & set(b'"[{')]
            assert follower.take(rng.choice(eager if eager and rng.random() < 0.8 else found))
        assert follower.is_finished, limit


def test_a_budget_that_is_too_small_is_not_steered(constrain: Constrain) -> None:
    constraint = constrain(schema=PERSON)
    free, short = Follower(constraint.matcher()), Follower(constraint.matcher())
    short.steer(3)
    assert allowed(free) == allowed(short)


def test_a_budget_counts_drafts_and_gives_them_back(constrain: Constrain) -> None:
    constraint = constrain(schema={"type": "array", "items": {"enum": [1, 2, 3]}})
    follower = Follower(constraint.matcher())
    follower.steer(12)
    steps = [allowed(follower)]
    for token in (one := constraint.spelled(b"[1,1,1,1,1,1")):
        assert follower.take(token)
        steps.append(allowed(follower))
    for place in range(len(one), 0, -1):
        assert allowed(follower) == steps[place]
        follower.back(1)
    assert allowed(follower) == steps[0]


def test_a_fork_goes_its_own_way(constrain: Constrain) -> None:
    constraint = constrain(regex="ab|ac")
    one = Follower(constraint.matcher())
    one.take_all(constraint.spelled(b"a"))
    two = one.fork()
    assert one.take_all(constraint.spelled(b"b")) and two.take_all(constraint.spelled(b"c"))
    assert len(two) == len(one) and not two.is_finished
