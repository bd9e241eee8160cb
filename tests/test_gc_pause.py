"""The garbage collector waits while something compiles, and comes back as it was."""

from __future__ import annotations

import contextlib
import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

import structgen as sg
from structgen.compiler import compile_grammar
from structgen.gc_pause import MANY, Pause, collector_paused
from structgen.grammars.json_schema import compile_schema
from structgen.vocabulary import Vocabulary


def test_it_waits_until_the_outermost_leaves() -> None:
    assert gc.isenabled()
    with collector_paused():
        with collector_paused():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_comes_back_after_an_error() -> None:
    with pytest.raises(ValueError, match="no"), collector_paused():
        raise ValueError("no")
    assert gc.isenabled()


def test_who_switched_it_off_finds_it_off() -> None:
    gc.disable()
    try:
        with collector_paused():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_nothing_is_left_for_a_collection_at_once() -> None:
    with collector_paused():
        kept = [[] for _ in range(5_000)]
    assert gc.get_count()[0] < 200 and len(kept) == 5_000


class Ring:
    """Refers to itself."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def collections() -> Iterator[list[int]]:
    """The generations that were collected so far."""
    found: list[int] = []

    def note(phase: str, about: dict[str, int]) -> None:
        if phase == "stop":
            found.append(about["generation"])

    gc.collect()
    gc.callbacks.append(note)
    yield found
    gc.callbacks.remove(note)


def test_many_become_old_without_being_looked_at(collections: list[int]) -> None:
    with collector_paused():
        kept = [[] for _ in range(2 * MANY)]
        gone = weakref.ref(Ring())
    assert not collections and gc.get_count()[0] < 200 and len(kept) == 2 * MANY
    assert gc.get_freeze_count() == 0 and gone() is not None
    gc.collect()
    assert gone() is None  # garbage is found by the next full collection


def test_after_so_many_all_there_is_is_looked_at(collections: list[int]) -> None:
    pause, kept = Pause(unseen=5 * MANY), []
    for _ in range(3):
        with pause:
            kept.append([[] for _ in range(2 * MANY)])
            gone = weakref.ref(Ring())
    assert collections == [2] and gone() is None
    with pause:
        kept.append([[] for _ in range(2 * MANY)])
    assert collections == [2]


def test_what_somebody_froze_stays_frozen(collections: list[int]) -> None:
    pause = Pause()
    gc.freeze()
    try:
        frozen = gc.get_freeze_count()
        with pause:
            kept = [[] for _ in range(2 * MANY)]
        assert collections == [0] and frozen <= gc.get_freeze_count() < frozen + MANY and len(kept) == 2 * MANY
    finally:
        gc.unfreeze()


SCHEMAS = [
    {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"allOf": [{"type": "string"}]}}},
    {"oneOf": [{"minimum": 3}, {"type": "array", "items": {"pattern": "^a{1,9}$"}, "uniqueItems": True}]},
    {"not": {"enum": ["a", 1]}, "if": {"required": ["a"]}, "then": {"properties": {"a": {"multipleOf": 0.01}}}},
    {"allOf": [{"$ref": "#"}]},  # refused
    {"type": "string", "pattern": "("},
    {"type": "string", "pattern": "^(?!ab)(?=.*c)[a-c]{1,9}(?<!cb)$"},
]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_compile_leaves_no_garbage_that_only_a_collection_finds(schema: Any) -> None:
    vocabulary = Vocabulary.from_bytes([b"<end>", *(bytes([byte]) for byte in range(32, 127))], eos=[0])

    def compiled() -> None:
        with contextlib.suppress(sg.StructgenError):
            compile_grammar(compile_schema(schema).grammar, vocabulary)

    compiled()  # modules are loaded
    gc.collect()
    gc.disable()
    try:
        with collector_paused():  # nothing is collected behind it either, as it was off before
            compiled()
        assert gc.collect() == 0
    finally:
        gc.enable()
