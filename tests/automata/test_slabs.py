"""Slabs of transitions: what is in them stays when they grow, whoever is looking."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from structgen.automata import configurations
from structgen.automata.configurations import Configurations
from structgen.automata.network import build_network
from structgen.automata.slabs import Slab
from structgen.grammars.ir import ByteSet, Grammar, Repeat, Rule
from structgen.kernels.layout import START


def test_growing_keeps_the_rows() -> None:
    slab = Slab(40, 256, np.int32)
    slab.rows()[:] = 7
    grown = slab.doubled()
    assert grown.size == 80 and grown.rows().shape == (80, 256)
    assert (grown.rows()[:40] == 7).all() and (grown.rows()[40:] == 0).all()
    grown.rows()[79, 255] = 1
    held = grown.rows()  # whoever looks keeps the old pages
    copy = grown.doubled()
    held[0, 0] = 8
    assert copy is not grown and copy.size == 160 and copy.rows()[0, 0] == 7 and copy.rows()[79, 255] == 1


def test_threads_that_look_while_it_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configurations, "transitions", lambda: Slab(40, 256, np.int32))
    monkeypatch.setattr(configurations, "LARGE", 1 << 14)
    grammar = Grammar((Rule("many", Repeat(ByteSet.of(b"ab"), 0, 50_000)),))
    automaton = Configurations(build_network(grammar))
    first, failures, done = automaton.advance(START, b"ab" * 8), [], threading.Event()
    known = automaton.kernel(first)

    def look() -> None:
        while not done.is_set():
            if automaton.advance(START, b"ab" * 8) != first or automaton.kernel(first) != known:
                failures.append(len(automaton))

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    state = automaton.advance(START, b"a" * 20_000)
    done.set()
    for thread in threads:
        thread.join()
    assert not failures and automaton._slabs["trans"].size > 20_000 and "items" in automaton._slabs
    fresh = Configurations(build_network(grammar))
    assert automaton.distance(state) == 0 and automaton.live_bytes(state) == list(b"ab")
    assert fresh.advance(START, b"a" * 20_000) == state
