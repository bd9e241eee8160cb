"""Long runs: memory stays flat, and masks are the same under a budget of a few rows as with all the memory there is."""

from __future__ import annotations

import gc
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import structgen as sg
from structgen.automata.budget import RowBudget
from structgen.automata.configurations import Configurations
from structgen.automata.masks import MaskTable
from structgen.automata.network import build_network
from structgen.bits import ids_of
from structgen.compiler import compile_grammar, trie_of
from structgen.kernels.layout import DEAD, START

pytestmark = pytest.mark.slow

WORDS = [b'{"', b'":', b'",', b'","', b'"}', b"[[", b"]]", b"}}", b"null", b"true", b"12", b"abc", b" ", b"\xc3\xa9"]
STATM = Path("/proc/self/statm")
VOCABULARY = sg.Vocabulary.from_bytes([b"", *(bytes([b]) for b in range(256)), *WORDS], eos=[0])


def random_schema(rng: random.Random, depth: int = 0) -> dict[str, Any]:
    kind = rng.choice(["string", "integer", "enum", "array", "object"] if depth < 3 else ["string", "integer"])
    if kind == "string":
        return {"type": "string", "maxLength": rng.randrange(1, 200)}
    if kind == "integer":
        return {"type": "integer", "minimum": rng.randrange(100), "maximum": rng.randrange(100, 10_000)}
    if kind == "enum":
        return {"enum": [f"value {rng.randrange(1000)}" for _ in range(rng.randrange(1, 20))]}
    if kind == "array":
        return {"type": "array", "items": random_schema(rng, depth + 1), "maxItems": rng.randrange(1, 30)}
    keys = [f"key{rng.randrange(50)}" for _ in range(rng.randrange(1, 8))]
    return {"type": "object", "properties": {key: random_schema(rng, depth + 1) for key in keys}}


def walk(constraint: sg.Constraint, rng: random.Random, steps: int) -> None:
    matcher = constraint.matcher()
    for _ in range(steps):
        allowed = ids_of(matcher.mask())
        if not len(allowed):
            return
        assert matcher.accept(int(rng.choice(allowed)))


@pytest.mark.skipif(not STATM.exists(), reason="resident memory is read from /proc")
def test_schema_after_schema_leaves_nothing_behind() -> None:
    rng, sizes = random.Random(0), []
    for number in range(1200):
        walk(sg.compile(schema=random_schema(rng), vocabulary=VOCABULARY), rng, 60)
        if number % 300 == 299:
            gc.collect()
            sizes.append(int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20)
    assert sizes[-1] - sizes[1] < 24, sizes  # MB; what is remembered is bounded and was full after the first 600


@pytest.mark.parametrize("seed", range(20))
def test_a_budget_of_sixteen_rows_changes_no_mask(seed: int) -> None:
    rng = random.Random(seed)
    constraint = sg.compile(schema=random_schema(rng), vocabulary=VOCABULARY)
    small = Configurations(build_network(constraint.grammar))
    tight = MaskTable(
        small, trie_of(VOCABULARY), VOCABULARY.stop_ids, budget=RowBudget(16 * 4 * trie_of(VOCABULARY).words)
    )
    for _ in range(30):
        matcher, state = constraint.matcher(), START
        for _ in range(80):
            mask = matcher.mask()
            assert np.array_equal(mask, tight.row(state))
            allowed = ids_of(mask)
            token = int(rng.choice(allowed)) if len(allowed) else 0
            if token == 0 or not matcher.accept(token):
                break
            state = small.advance(state, VOCABULARY.token_bytes(token))
            assert state != DEAD


def test_deep_nests_and_long_strings_under_one_constraint() -> None:
    """Masks in the depths are those of a constraint that has seen nothing else."""
    schema = {
        "$ref": "#/$defs/v",
        "$defs": {"v": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"$ref": "#/$defs/v"}}]}},
    }
    old = sg.compile(schema=schema, vocabulary=VOCABULARY)
    for size in (10, 100, 1000, 3000):
        for text in (b"[" * size, b"[" * size + b'"x"' + b"]" * (size - 1), b'"' + b"abc " * size):
            pair = [c.matcher() for c in (old, compile_grammar(old.grammar, VOCABULARY))]
            assert all(m.accept_bytes(text) for m in pair)
            assert np.array_equal(pair[0].mask(), pair[1].mask())
