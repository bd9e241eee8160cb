"""Tables of canvases on disk: what is read is what was made; what is damaged is made again."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import structgen as sg
from structgen import disk_cache
from structgen.disk_cache import load_arrays, save_arrays
from structgen.errors import InvariantError
from structgen.infilling import tables
from structgen.infilling.canvas import Canvas

VOCABULARY = sg.Vocabulary.from_bytes([b"", b"(", b")", b"a", b"(a", b"))"], eos=0)
SOURCES = ('root ::= "(" root ")" | "a"', 'root ::= "(" ("a" | "aa")* ")"')


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(disk_cache, "cache_root", lambda: tmp_path)
    monkeypatch.setattr(tables, "_WORTH_KEEPING", 0)
    tables._tables.clear()
    yield tmp_path / "canvases"
    tables._tables.clear()


def never(*_: object) -> Any:
    raise AssertionError("made again")


@pytest.mark.parametrize("source", SOURCES)
def test_tables_are_made_once(source: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    constraint = sg.compile(vocabulary=VOCABULARY, gbnf=source)
    made = Canvas(constraint, 5)
    assert len(list(folder.iterdir())) == 1
    tables._tables.clear()
    monkeypatch.setattr(tables, "token_effects", never)
    monkeypatch.setattr(tables, "token_classes", never)
    found = Canvas(constraint, 5)
    assert (found.exact, found.depth) == (made.exact, made.depth) == (True, None)
    assert np.array_equal(found.masks(), made.masks())
    for name, array in vars(made._layers.classes).items():
        assert np.array_equal(getattr(found._layers.classes, name), array), name
        assert getattr(found._layers.classes, name).dtype == array.dtype


@pytest.mark.parametrize("source", SOURCES)
def test_a_damaged_file_is_made_again(source: str, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    constraint = sg.compile(vocabulary=VOCABULARY, gbnf=source)
    masks = Canvas(constraint, 5).masks()
    (path,) = folder.iterdir()
    path.write_bytes(path.read_bytes()[:-200])
    tables._tables.clear()
    with caplog.at_level(logging.WARNING, "structgen"):
        assert np.array_equal(Canvas(constraint, 5).masks(), masks)
    assert "dropped the damaged file" in caplog.text


@pytest.mark.parametrize("source", SOURCES)
def test_arrays_that_lead_elsewhere_are_no_tables(source: str, folder: Path) -> None:
    constraint = sg.compile(vocabulary=VOCABULARY, gbnf=source)
    classes = Canvas(constraint, 5)._layers.classes
    stored = classes.stored()
    for name, array in stored.items():
        if array.ndim and array.dtype != np.uint8 and array.size:
            damaged = array.copy()
            damaged.flat[-1] = 1 << 20
            with pytest.raises((InvariantError, ValueError)):
                type(classes).restored({**stored, name: damaged})
    with pytest.raises((KeyError, TypeError)):
        type(classes).restored({name: array for name, array in stored.items() if name != "first"})


def test_what_was_not_read_for_longest_is_removed(folder: Path) -> None:
    array = np.zeros(1000, np.uint8)
    for number in range(4):
        save_arrays("canvases", str(number), 1, {"a": array}, most_bytes=4000)
    assert len(list(folder.iterdir())) == 2
    assert load_arrays("canvases", "3", 1, lambda stored: stored["a"].size) == 1000
    assert load_arrays("canvases", "3", 2, never) is None
