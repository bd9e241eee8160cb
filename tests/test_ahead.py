"""Masks made ahead: the rows are those of `mask`, time is kept, and what is prepared is not made again."""

from __future__ import annotations

import itertools
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import structgen as sg
from structgen.ahead import Ahead, prepare
from structgen.compiler import compile_grammar
from structgen.grammars.json_schema import compile_schema
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


def fresh() -> sg.Constraint:
    """One that nobody used: `sg.compile` would give the same one again."""
    return compile_grammar(compile_schema(SCHEMA).grammar, VOCABULARY)


@pytest.fixture
def constraint() -> sg.Constraint:
    return fresh()


def test_rows_are_those_that_masks_are(constraint: sg.Constraint) -> None:
    other = fresh()
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
    looks = itertools.count()
    stopped = prepare(endless, 60.0, START, lambda: next(looks) > 2)
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


def walked(constraint: sg.Constraint, text: str, ahead: Ahead | None = None) -> list[bytes]:
    """The masks of a walk, at each of which the thread is given the time that a model would take."""
    matcher, masks = constraint.matcher(ahead=ahead), []
    for token in tokens_of(constraint, text):
        time.sleep(0.002)
        masks.append(matcher.mask().tobytes())
        assert matcher.accept(token)
    return masks


@pytest.mark.parametrize("seconds", [0.0, 0.001])
def test_a_thread_makes_the_rows_of_the_places_it_hears_of(constraint: sg.Constraint, seconds: float) -> None:
    other = fresh()
    compute, made = type(constraint.masks)._compute, set[int]()  # type: ignore[attr-defined]

    def noted(self: object, state: int) -> object:
        made.add(threading.get_ident())
        return compute(self, state)

    with Ahead(seconds) as ahead, pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(constraint.masks), "_compute", noted)
        met = walked(constraint, TEXTS[0], ahead)
        assert ahead.rows >= len(met)
        made.discard(threading.get_ident())  # a busy machine may have been late
        assert made
    assert met == walked(other, TEXTS[0])
    assert not ahead.is_alive


def test_threads_and_their_helper_agree() -> None:
    """Matchers of several threads, a thread that runs ahead of all of them, and states that are let go meanwhile."""
    shared, alone = (fresh() for _ in range(2))
    expected = [walked(alone, text) for text in TEXTS]
    with Ahead(0.001) as ahead:
        for _ in range(5):
            with ThreadPoolExecutor(3) as pool:
                assert list(pool.map(lambda text: walked(shared, text, ahead), TEXTS)) == expected
            ahead.at(shared, shared.read(START, b'{"'))
            shared.release()  # what the thread has still to look at may be gone


def test_a_place_that_is_gone_or_too_large_stops_nothing(constraint: sg.Constraint) -> None:
    with Ahead() as ahead:
        ahead.at(constraint, 1 << 40)
        ahead.at(constraint, START)
        deadline = time.monotonic() + 20
        while not ahead.rows and time.monotonic() < deadline:
            time.sleep(0.001)
        assert ahead.rows == 1
    with pytest.raises(sg.OptionError, match="-1"):
        Ahead(-1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_child_starts_its_own(constraint: sg.Constraint) -> None:
    with Ahead() as ahead:
        matcher = constraint.matcher(ahead=ahead).fork()
        child = os.fork()
        if child == 0:
            good = matcher.accept(tokens_of(constraint, TEXTS[0])[0])
            ahead.close()
            os._exit(0 if good and ahead.rows else 1)
        assert os.waitpid(child, 0)[1] == 0
