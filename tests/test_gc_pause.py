"""The garbage collector waits while something compiles, and comes back as it was."""

from __future__ import annotations

import gc

import pytest

from structgen.gc_pause import collector_paused


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
