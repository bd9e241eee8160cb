"""Random texts of any language, by a walk over its configurations."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from structgen.api.language import Language
from structgen.automata.configurations import Configurations
from structgen.automata.network import build_network
from structgen.kernels.layout import START

Sampler = Callable[[Language, Random, int], str]


def sample(language: Language, rng: Random, length: int) -> str:
    """About `length` random bytes, mostly printable, then the shortest completion."""
    automaton = Configurations(build_network(language.grammar))
    state, out = START, bytearray()
    while len(out) < length and not (automaton.is_accepting(state) and rng.random() < 1 / length):
        live = automaton.live_bytes(state)
        if not live:
            break
        common = [byte for byte in live if 0x20 < byte < 0x7F]
        out.append(rng.choice(common if common and rng.random() < 0.9 else live))
        state = automaton.advance(state, bytes(out[-1:]))
    return (bytes(out) + automaton.shortest(state)).decode()


@pytest.fixture(scope="session")
def sampler() -> Sampler:
    return sample
