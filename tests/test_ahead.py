"""Masks made ahead: the rows are those of `mask`, time is kept, and what is prepared is not made again."""

from __future__ import annotations

import time

import numpy as np
import pytest

import structgen as sg
from structgen.ahead import prepare
from structgen.kernels.layout import START
from structgen.vocabulary import Vocabulary

PIECES = [b'{"', b'": ', b'", "', b"name", b"na", b"me", b"age", b"12", b"true", b"null", b'"}', b"}", b"ab", b" "]
VOCABULARY = Vocabulary.from_bytes([b"", *(bytes([byte]) for byte in range(256)), *PIECES], eos=[0])
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 4}, "age": {"enum": [12, True, None]}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
TEXTS = ['{"name": "ab", "age": 12}', '{"name": "", "age": null}', '{"name": "na", "age": true}']


def tokens_of(constraint: sg.Constraint, text: str) -> list[int]:
    return constraint.spelled(text.encode(), begins=True)


@pytest.fixture
def constraint() -> sg.Constraint:
    return sg.compile(schema=SCHEMA, vocabulary=VOCABULARY)


def test_rows_are_those_that_masks_are(constraint: sg.Constraint) -> None:
    other = sg.compile(schema=SCHEMA, vocabulary=VOCABULARY)
    done = constraint.prepare(5.0)
    assert done.whole
    assert done.states > 20
    for text in TEXTS:
        one, two = constraint.matcher(), other.matcher()
        for token in tokens_of(constraint, text):
            assert np.array_equal(one.mask(), two.mask())
            assert one.accept(token)
            assert two.accept(token)


def test_what_is_prepared_is_not_made_again(constraint: sg.Constraint, monkeypatch: pytest.MonkeyPatch) -> None:
    constraint.prepare(5.0)
    made: list[int] = []
    compute = type(constraint.masks)._compute  # type: ignore[attr-defined]
    monkeypatch.setattr(
        type(constraint.masks), "_compute", lambda self, state: made.append(state) or compute(self, state)
    )
    met = 0
    for text in TEXTS:
        matcher = constraint.matcher()
        for token in tokens_of(constraint, text):
            matcher.mask()
            met += 1
            assert matcher.accept(token)
    assert len(made) <= met // 10


def test_time_is_kept_and_a_stop_is_heard(constraint: sg.Constraint) -> None:
    assert constraint.prepare(0.0).states == 0
    endless = sg.compile(
        schema={"type": "array", "items": {"type": "array", "items": {"type": "string"}}}, vocabulary=VOCABULARY
    )
    started = time.perf_counter()
    assert not endless.prepare(0.05).whole
    assert time.perf_counter() - started < 2
    seen: list[int] = []
    stopped = prepare(endless, 60.0, START, lambda: len(seen) > 2 or seen.append(1) is not None)
    assert stopped.states == 3
    assert not stopped.whole


def test_a_state_behind_a_text(constraint: sg.Constraint) -> None:
    matcher = constraint.matcher()
    for token in tokens_of(constraint, '{"name": "ab", '):
        assert matcher.accept(token)
    assert 0 < constraint.prepare(5.0, matcher.state).states < constraint.prepare(5.0).states


def test_nothing_is_asked_ahead() -> None:
    from structgen.monitors import Members
    from structgen.monitors.analyses.table import Table

    watched = sg.compile(regex=r"(?s).*", vocabulary=VOCABULARY) & Members(Table({"p": ["a"]}), "w.py")
    assert watched.prepare(1.0) == (0, 0.0, False)
