"""Slabs of transitions: what is in them stays when they grow, whoever is looking."""

from __future__ import annotations

import mmap
import threading

import numpy as np
import pytest

import structgen as sg
from structgen.automata import configurations
from structgen.automata.configurations import MOST_WRITTEN, Configurations
from structgen.automata.masks import MaskTable
from structgen.automata.network import build_network
from structgen.automata.slabs import FORGETS, ROOM, Slab
from structgen.grammars.ir import ByteSet, Grammar, Repeat, Rule
from structgen.kernels.layout import START
from structgen.vocabulary import Vocabulary


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


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of transitions behind the first 40 configurations are forgotten all the time."""
    if not FORGETS:
        pytest.skip("rows are kept where the system does not take pages back")
    monkeypatch.setattr(configurations, "transitions", lambda: Slab(40, 256, np.int32))
    monkeypatch.setattr(configurations, "ROOM", 40)
    monkeypatch.setattr(configurations, "MOST_WRITTEN", 8)


WORDS = [bytes([byte]) for byte in b'"[]{}:,abcx01 '] + [b'":', b"ab", b"abc", b"[[", b"]]", b'["', b'"]', b", "]
TEXTS = [b'"' + b"abcx" * 40 + b'"', b"[" * 60 + b'"a"' + b"]" * 60, b"[" + b", ".join([b'"ab"'] * 30) + b"]"]
NESTED = {"$ref": "#/$defs/v", "$defs": {"v": {"anyOf": [{"type": "string", "maxLength": 300}, {"type": "array"}]}}}


@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize("text", TEXTS)
def test_what_is_forgotten_is_worked_out_again(text: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    forgotten: list[int] = []
    forget = Slab.forget
    monkeypatch.setattr(Slab, "forget", lambda slab, first: (forgotten.append(first), forget(slab, first)))
    vocabulary = Vocabulary.from_bytes([b"<end>", *WORDS], eos=[0])
    constraint = sg.compile(schema=NESTED, vocabulary=vocabulary)
    automaton = constraint.automaton
    assert isinstance(automaton, Configurations)
    states = [automaton.advance(START, text[:end]) for end in range(len(text) + 1)]
    assert forgotten and len(automaton) > 80
    assert (automaton._slabs["trans"].rows()[44:] == 0).all(axis=1).sum() > 10
    assert states == [automaton.advance(START, text[:end]) for end in range(len(text) + 1)]
    checked = MaskTable(automaton, constraint.trie, (), check=True)
    for state in states:
        checked.row(state)
        assert automaton.advance(state, b"\x01") == 0
        assert automaton.is_accepting(automaton.advance(state, automaton.shortest(state)))


@pytest.mark.usefixtures("forgetful")
def test_all_transitions_are_whole_though_rows_are_forgotten() -> None:
    grammar = Grammar((Rule("many", Repeat(ByteSet.of(b"ab"), 0, 500)),))
    automaton = Configurations(build_network(grammar))
    automaton.advance(START, b"a" * 400)
    trans, accepting = automaton.all_transitions(1000)
    assert ((trans[START:-1, ord("a")] > START) & (trans[START:-1, ord("b")] > START)).all() and accepting[START:].all()


@pytest.mark.skipif(not FORGETS, reason="rows are kept where the system does not take pages back")
def test_many_configurations_take_a_tenth_of_their_rows() -> None:
    automaton = Configurations(build_network(Grammar((Rule("many", Repeat(ByteSet.of(b"ab"), 0, 300_000)),))))
    sizes = []
    for _ in range(2):
        automaton.advance(START, b"ab" * 60_000)
        sizes.append(automaton.nbytes)
        shown = automaton._slabs["trans"].rows()[ROOM :: mmap.PAGESIZE // 1024]
        assert (shown != 0).any(axis=1).sum() <= 2 * MOST_WRITTEN
    assert len(automaton) > 120_000 and sizes[0] == sizes[1] < 70 << 20
