"""An engine's process: it is asked, it fails, it dies, and the other sequences go on."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("transformers")

from benchmarks.jsonschemabench.worker import EngineFailed, EngineProcess
from structgen import nano

FOLDER = str(nano.path())
SCHEMA = {"type": "object", "properties": {"a": {"enum": ["x", "y"]}}, "required": ["a"], "additionalProperties": False}


@pytest.fixture
def engine() -> Iterator[EngineProcess]:
    process = EngineProcess("structgen:compact", FOLDER, -(-nano.vocabulary().size // 32), seconds=20)
    yield process
    process.close()


def allowed(engine: EngineProcess, place: int) -> set[bytes]:
    engine.mask(place)
    bits = np.unpackbits(engine.words.view(np.uint8), bitorder="little")
    return {nano.vocabulary().token_bytes(int(token)) for token in np.flatnonzero(bits)}


def test_a_process_is_killed_and_its_other_sequences_go_on(engine: EngineProcess) -> None:
    vocabulary = nano.vocabulary()
    assert engine.compile(0, SCHEMA)[0] is None
    assert engine.compile(1, {"enum": [True]})[0] is None
    refused, milliseconds = engine.compile(2, {"type": "string", "pattern": "("})
    assert refused is not None
    assert "Error" in refused
    assert milliseconds > 0
    brace = next(t for t in range(vocabulary.size) if vocabulary.token_bytes(t) == b"{")
    assert engine.commit(0, brace)[0]
    before = allowed(engine, 0)
    assert b'"' in before
    assert b"{" not in before
    os.kill(engine._process.pid or 0, signal.SIGKILL)
    with pytest.raises(EngineFailed, match="ended with -9"):
        engine.mask(1)
    assert allowed(engine, 0) == before
    with pytest.raises(EngineFailed, match="KeyError"):
        engine.mask(1)


def test_what_the_budget_ends_is_completed(engine: EngineProcess) -> None:
    engine.compile(0, SCHEMA)
    vocabulary = nano.vocabulary()
    brace = next(t for t in range(vocabulary.size) if vocabulary.token_bytes(t) == b"{")
    shortest = engine.completed(0, [brace], 2)
    assert shortest is None  # no output fits
    whole = engine.completed(0, [brace], 9)
    assert whole == [brace]  # there is room: nothing is completed
    for budget in range(2, 9):
        found = engine.completed(0, [brace], budget)
        if found is not None and found != [brace]:
            assert vocabulary.decode(found) in (b'{"a":"x"}', b'{"a":"y"}')
            return
    raise AssertionError("never completed")
