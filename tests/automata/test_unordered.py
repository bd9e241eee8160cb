"""Members in any order: narrow (bits of a register) and broad (interned sets) agree with brute force."""

from __future__ import annotations

import itertools
import random

import pytest

from structgen.automata import program
from structgen.automata.configurations import Configurations
from structgen.automata.network import build_network
from structgen.errors import LimitExceeded
from structgen.grammars.ir import Expr, Grammar, Literal, Rule, Unordered


def automaton(members: list[tuple[bytes, bool]], extra: bytes | None = None) -> Configurations:
    bodies: tuple[tuple[Expr, bool], ...] = tuple((Literal(text), needed) for text, needed in members)
    body = Unordered(bodies, Literal(b","), None if extra is None else Literal(extra))
    networks = build_network(Grammar((Rule("all", body),)))
    networks.validate()
    return Configurations(networks)


def accepts(configurations: Configurations, text: bytes) -> bool:
    return configurations.is_accepting(configurations.advance(2, text))


@pytest.mark.parametrize("narrow", [62, 1], ids=["register", "interned sets"])
@pytest.mark.parametrize("extra", [None, b"x"])
def test_every_sequence_of_four(narrow: int, extra: bytes | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "NARROW", narrow)
    members = [(b"a", True), (b"b", False), (b"c", True)]
    configurations = automaton(members, extra)
    for length in range(6):
        for parts in itertools.product([b"a", b"b", b"c", b"x"], repeat=length):
            known = [p for p in parts if p != b"x"]
            right = (
                len(known) == len(set(known))
                and {b"a", b"c"} <= set(known)
                and (extra is not None or b"x" not in parts)
            )
            assert accepts(configurations, b",".join(parts)) == right, parts


def test_hundreds_of_members() -> None:
    names = [f"m{i:03}".encode() for i in range(300)]
    configurations = automaton([(name, i % 3 == 0) for i, name in enumerate(names)])
    needed = names[::3]
    rng = random.Random(0)
    for _ in range(10):
        chosen = needed + rng.sample([n for n in names if n not in needed], 50)
        rng.shuffle(chosen)
        text = b",".join(chosen)
        assert accepts(configurations, text)
        assert not accepts(configurations, text + b"," + chosen[7])
        state = configurations.advance(2, b",".join(chosen[:40]))
        left = [n for n in needed if n not in chosen[:40]]
        assert configurations.distance(state) == 5 * len(left)
        assert accepts(configurations, b",".join(chosen[:40]) + configurations.shortest(state))
    assert not accepts(configurations, b",".join(needed[1:]))
    everything = configurations.advance(2, b",".join(names))
    assert configurations.live_bytes(everything) == []


def test_a_limit() -> None:
    with pytest.raises(LimitExceeded):
        automaton([(b"%d;" % i, False) for i in range(5000)])
