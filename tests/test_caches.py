"""What a process remembers can be asked for and cleared, and clearing changes no result."""

from __future__ import annotations

import gc

import structgen as sg
import structgen.api.compile  # registers its memo
from structgen.memory import Bounded, Heap, Held, register
from structgen.vocabulary import Vocabulary

VOCABULARY = Vocabulary.from_bytes([b"<end>", *(bytes([byte]) for byte in range(32, 127))], eos=[0])
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"multipleOf": 0.01}}}


def held(name: str) -> Held:
    (found,) = [cache.held for cache in sg.caches() if cache.name == name]
    return found


def test_caches_say_who_holds_how_much() -> None:
    sg.clear_caches()
    gc.collect()
    rows = held("automata.budget.mask_rows").nbytes
    assert held("api.compile.constraints").entries == 0
    constraint = sg.compile(schema=SCHEMA, vocabulary=VOCABULARY)
    mask = constraint.matcher().mask()
    assert held("api.compile.constraints").entries == 1
    assert held("automata.budget.mask_rows").nbytes == (rows or 0) + mask.nbytes
    assert held("automata.budget.states").entries >= 1
    assert held("grammars.json_schema.lowering._common").entries >= 1
    names = [cache.name for cache in sg.caches()]
    assert len(names) == len(set(names)) > 50
    sizes = [cache.held.nbytes or 0 for cache in sg.caches()]
    assert sizes == sorted(sizes, reverse=True)


def test_clearing_forgets_and_changes_nothing() -> None:
    constraint = sg.compile(schema=SCHEMA, vocabulary=VOCABULARY)
    matcher = constraint.matcher()
    assert matcher.accept(1 + ord("{") - 32)
    mask = matcher.mask().copy()
    sg.clear_caches()
    assert held("automata.budget.mask_rows").nbytes == 0
    assert (matcher.mask() == mask).all()
    assert sg.compile(schema=SCHEMA, vocabulary=VOCABULARY) is not constraint


def test_every_memo_with_bytes_keeps_its_bound() -> None:
    for cache in sg.caches():
        if cache.held.most is not None:
            assert cache.held.entries <= cache.held.most, cache.name


def test_a_bounded_memo_forgets_all_where_one_would_be_too_much() -> None:
    memo: Bounded[int, str] = Bounded(3, most_bytes=10)
    for key in range(3):
        memo.remember(key, "x", 2)
    assert memo.held() == Held(3, 6, 3, 10)
    memo.remember(1, "y")  # known: no room needed
    assert len(memo) == 3
    memo.remember(3, "z", 1)
    assert (dict(memo), memo.nbytes) == ({3: "z"}, 1)
    memo.remember(4, "w", 10)
    assert (dict(memo), memo.nbytes) == ({4: "w"}, 10)


def test_what_registers_is_listed() -> None:
    memo: Bounded[str, int] = Bounded(8)
    register("tests.memo", memo.held, memo.clear)
    memo.remember("a", 1)
    assert held("tests.memo") == Held(1, None, 8, None)
    sg.clear_caches()
    assert not memo


class Process:
    """A process of which `free` bytes are freed and kept."""

    def __init__(self) -> None:
        self.used, self.free, self.trims = 1000, 0, 0

    def resident(self) -> int:
        return self.used + self.free

    def trim(self) -> None:
        self.trims, self.free = self.trims + 1, 0


def test_what_was_freed_goes_back_once_the_process_has_grown() -> None:
    process = Process()
    heap = Heap(process.resident, process.trim, step=100, every=1)
    for _ in range(5):
        heap.look()
    process.free = 99
    heap.look()
    assert process.trims == 0
    process.free = 100
    heap.look()
    assert (process.trims, process.free) == (1, 0)
    process.used = 500  # it shrank by itself: growth counts from there
    heap.look()
    process.free = 100
    heap.look()
    assert (process.trims, process.free) == (2, 0)


def test_the_larger_a_process_the_fewer_bytes_of_it_matter() -> None:
    process = Process()
    heap = Heap(process.resident, process.trim, step=100, every=1)
    heap.look()
    process.used = 64_000
    heap.look()
    assert process.trims == 1
    process.free = 999
    heap.look()
    assert process.trims == 1
    process.free = 1000
    heap.look()
    assert (process.trims, process.free) == (2, 0)
    process.trims = 0
    while process.used < 128_000:
        process.used += 100
        heap.look()
    assert 40 <= process.trims <= 50


def test_every_so_often_a_look_is_taken_and_none_where_nothing_can_be_given_back() -> None:
    looks: list[int] = []
    heap = Heap(lambda: len(looks) or looks.append(1) or 1, lambda: None, every=8)
    for _ in range(7):
        heap.look()
    assert not looks
    heap.look()
    assert looks
    looks.clear()
    heap.look(now=True)
    assert looks == [1]
    Heap(lambda: looks.append(2) or 1, None, every=1).look()
    assert looks == [1]
