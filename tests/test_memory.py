"""Forgetting states: matchers go on as before, and grammars nobody follows give their memory back."""

from __future__ import annotations

import random

import pytest

from structgen.automata.budget import MemoBudget
from structgen.bits import ids_of
from structgen.compiler import compile_grammar
from structgen.grammars.json_schema import JsonStyle, compile_schema
from structgen.matcher import Constraint
from structgen.vocabulary import Vocabulary

TOKENS = [b"<end>", *(bytes([byte]) for byte in range(256)), b'{"', b'":', b'", "', b"abc", b'"}', b"]]", b"[["]
VOCABULARY = Vocabulary.from_bytes(TOKENS, eos=[0])
NAMES = {f"p{number}": {} for number in range(70)}  # more than a register has bits: their sets are interned
SCHEMAS = [{}, {"type": "array", "items": {"type": "string", "maxLength": 9}, "maxItems": 5}, {"properties": NAMES}]


def constraint(number: int) -> Constraint:
    return compile_grammar(compile_schema(SCHEMAS[number], style=JsonStyle.any()).grammar, VOCABULARY)


def walked(constraint: Constraint, rng: random.Random, steps: int):  # type: ignore[no-untyped-def]
    matcher = constraint.matcher()
    for _ in range(steps):
        row = matcher.mask()
        allowed = [t for t in ids_of(row).tolist() if t]
        if not allowed:
            break
        assert matcher.accept(rng.choice(allowed))
    return matcher


def test_matchers_go_on_after_compacting() -> None:
    for number in range(len(SCHEMAS)):
        rng = random.Random(number)
        one = constraint(number)
        matchers = [walked(one, rng, 40) for _ in range(4)]
        walked(one, rng, 200)  # nobody keeps it
        before, size = [matcher.mask().copy() for matcher in matchers], len(one.automaton)
        assert one.compact()
        assert len(one.automaton) < size
        for matcher, row in zip(matchers, before, strict=True):
            assert (matcher.mask() == row).all()
            twin = constraint(number).matcher()
            steps = len(matcher)
            matcher.rollback(steps)
            rng = random.Random(7)
            for _ in range(30):  # from the start, beside a matcher of a constraint of its own
                assert (matcher.mask() == twin.mask()).all()
                row = twin.mask()
                allowed = [t for t in ids_of(row).tolist() if t]
                if not allowed:
                    break
                token = rng.choice(allowed)
                assert matcher.accept(token)
                assert twin.accept(token)
                assert matcher.bytes_to_accept() == twin.bytes_to_accept()


def test_rolling_back_after_compacting_meets_the_same_masks() -> None:
    one = constraint(0)
    matcher = one.matcher()
    rows = []
    for token in (b"[", b'"', b"a", b"b", b'"', b",", b"{"):
        rows.append(matcher.mask().copy())
        assert matcher.accept(TOKENS.index(token))
    one.compact()
    for row in reversed(rows):
        matcher.rollback(1)
        assert (matcher.mask() == row).all()


def test_only_grammars_that_nobody_follows_are_emptied() -> None:
    budget = MemoBudget(1)
    budget.EVERY = 1  # type: ignore[misc]
    idle, followed, newest = constraint(0), constraint(1), constraint(0)
    walked(idle, random.Random(0), 50)
    kept = walked(followed, random.Random(1), 20)
    sizes = len(idle.automaton), len(followed.automaton)
    for one in (idle, followed, newest):
        budget.used(one)
    assert len(idle.automaton) < sizes[0]
    assert len(followed.automaton) == sizes[1]
    assert kept.mask().any()


def test_what_let_go_already_is_left_alone_until_it_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    released: list[Constraint] = []
    compact = Constraint.compact
    monkeypatch.setattr(Constraint, "compact", lambda one: released.append(one) or compact(one))
    budget = MemoBudget(1)
    budget.EVERY = 1  # type: ignore[misc]
    idle, newest = constraint(0), constraint(1)
    walked(idle, random.Random(0), 50)
    budget.used(idle)
    for _ in range(3):
        budget.used(newest)
        assert released == [idle]
    walked(idle, random.Random(0), 50)
    budget.used(newest)
    assert released == [idle, idle]


def test_no_more_is_let_go_than_leaves_room() -> None:
    many = [constraint(0) for _ in range(8)]
    for one in many:
        walked(one, random.Random(0), 50)
    sizes = [one.memo_bytes for one in many]
    budget = MemoBudget(sum(sizes) - 1)
    for one in many[:-1]:
        budget.used(one)
    budget.EVERY = 1  # type: ignore[misc]
    budget.used(many[-1])
    shrunk = [one.memo_bytes < size for one, size in zip(many, sizes, strict=True)]
    assert shrunk == sorted(shrunk, reverse=True)  # the least recently used
    total = sum(one.memo_bytes for one in many)
    assert total <= budget.SLACK * budget.limit < total + max(sizes)
