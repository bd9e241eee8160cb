"""What `compile` remembers, in memory and in files."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import structgen as sg
from structgen.api import compile as module
from structgen.api.compile import Compiled, Remembered
from structgen.errors import LimitExceeded

VOCABULARY = sg.Vocabulary.from_bytes([b"", *(bytes([b]) for b in range(256))], eos=[0])
LARGE = {"type": "object", "properties": {f"key{n}": {"type": "string", "format": "date-time"} for n in range(200)}}


def made(pattern: str) -> Compiled:
    return sg.compile(regex=pattern, vocabulary=VOCABULARY), pattern


def test_the_least_recently_used_goes_first() -> None:
    cache = Remembered(most=2)
    for key in ("a", "b", "a", "c"):
        cache.get(key, lambda key=key: made(key))
    assert cache.get("a", lambda: made("other"))[1] == "a" and cache.get("b", lambda: made("again"))[1] == "again"
    assert len(cache) == 2


def test_bytes_are_bounded_too() -> None:
    size = made("x")[0].automaton.nbytes
    cache = Remembered(most_bytes=3 * size)
    for key in "abcdef":
        cache.get(key, lambda key=key: made(key))
    assert len(cache) == 3
    alone = Remembered(most_bytes=1)
    assert alone.get("a", lambda: made("a")) is alone.get("a", lambda: made("b"))


def test_one_thread_makes_what_many_want() -> None:
    cache, calls = Remembered(), []
    barrier = threading.Barrier(8)

    def make() -> Compiled:
        calls.append(1)
        time.sleep(0.05)
        return made("a")

    def ask(_: int) -> Compiled:
        barrier.wait()
        return cache.get("key", make)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, range(8)))
    assert len(calls) == 1 and all(one is found[0] for one in found)


def test_an_error_is_not_remembered() -> None:
    cache = Remembered()

    def fail() -> Compiled:
        raise LimitExceeded("too large", limit="x", allowed=1)

    for _ in range(2):
        with pytest.raises(LimitExceeded):
            cache.get("key", fail)
    assert cache.get("key", lambda: made("a"))[1] == "a" and not cache._making


def test_equal_content_is_one_constraint_and_style_and_vocabulary_count() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    other = sg.Vocabulary.from_bytes([b"", b"1", b"{", b"}"], eos=[0])
    first = sg.compile(schema=schema, vocabulary=VOCABULARY)
    assert sg.compile(schema=dict(schema), vocabulary=VOCABULARY) is first
    assert sg.compile(schema=schema, vocabulary=VOCABULARY, style=sg.JsonStyle.any()) is not first
    assert sg.compile(schema=schema, vocabulary=other) is not first


def test_a_folder_serves_later_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "_SLOW", 0.0)

    def compiled() -> sg.Constraint:
        monkeypatch.setattr(module, "_remembered", Remembered())  # as another process would begin
        return sg.compile(schema=LARGE, vocabulary=VOCABULARY, folder=tmp_path)

    first = compiled()
    (path,) = tmp_path.iterdir()
    monkeypatch.setattr("structgen.api.sources.compile_schema", None)  # nothing may be compiled again
    assert compiled().fingerprint == first.fingerprint
    monkeypatch.undo()
    monkeypatch.setattr(module, "_SLOW", 0.0)
    path.write_bytes(path.read_bytes()[:-9])
    with caplog.at_level(logging.WARNING, logger="structgen"):
        assert compiled().fingerprint == first.fingerprint
    assert "damaged" in caplog.text and sg.load_constraint(path, VOCABULARY).fingerprint == first.fingerprint


def test_quick_ones_and_folders_that_cannot_be_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SLOW", 1000.0)
    sg.compile(schema={"type": "null"}, vocabulary=VOCABULARY, folder=tmp_path)
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(module, "_SLOW", 0.0)
    (tmp_path / "file").touch()
    with caplog.at_level(logging.WARNING, logger="structgen"):
        assert sg.compile(schema=LARGE, vocabulary=VOCABULARY, folder=tmp_path / "file").accepts("{}")
