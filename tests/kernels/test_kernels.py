"""What is said of kernels is true: codes, names of columns, the page of twins; and twins of small kernels."""

from __future__ import annotations

import ast
import random
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from benchmarks import kernels as table
from structgen.automata.trie import build_trie
from structgen.kernels import codes
from structgen.kernels._jit import DISABLED, UNITS
from structgen.kernels.handles import addresses
from structgen.kernels.layout import Radix
from structgen.kernels.survey import fewest_tokens

ROOT = Path(__file__).resolve().parents[2]


def test_codes_are_negative_and_differ() -> None:
    values = {name: value for name, value in vars(codes).items() if name.isupper()}
    assert len(values) == 9
    assert len(set(values.values())) == len(values)
    assert max(values.values()) < 0
    assert all(f"{name:<11} {value} " in codes.__doc__ for name, value in values.items())


def test_a_name_means_the_same_in_every_kernel_file() -> None:
    found: dict[str, set[str]] = defaultdict(set)
    for path in (ROOT / "kernels").glob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name | ast.Tuple):
                names = [part.id for part in ast.walk(node.targets[0]) if isinstance(part, ast.Name)]
                for place, name in enumerate(names):
                    value = ast.unparse(node.value)
                    if name.isupper() and f".{name}" not in value:  # taken over from another module
                        found[name].add(f"{path.stem} {place} {value}")
    assert len(found) > 150
    assert {name: places for name, places in found.items() if len(places) > 1} == {}


@pytest.mark.skipif(DISABLED, reason="there are no types without the compiler")
def test_the_page_of_kernels_is_current_and_names_files_that_exist() -> None:
    assert (ROOT / "docs" / "kernels.md").read_text() == table.page(), "run python -m benchmarks kernels"
    names = [name.removeprefix("structgen.kernels.") for unit in UNITS for name in unit.entries]
    for twin, test in map(table.twin_of, names):
        assert (ROOT / test).exists()
        assert "/" not in twin or (ROOT / twin).exists()
    assert {name.split(".")[0] for name in table.TWINS} <= {name.split(".")[0] for name in names}


@pytest.mark.skipif(DISABLED, reason="there are no types without the compiler")
def test_arrays_that_are_only_read_are_not_marked_as_written() -> None:
    assert table.writes("trie", "build_trie") == {"byte", "depth", "skip", "token_start", "path"}
    assert table.writes("rows", "apply_rows") == {"logits"}
    assert table.writes("entries", "split") == {"part", "groups"}


def test_a_handle_holds_what_numpy_says_of_its_arrays() -> None:
    radix = Radix(
        nodes=np.zeros((5, 4), np.int32),
        branches=np.zeros((2, 6), np.uint64),
        kids=np.zeros(7, np.int32),
        token_start=np.zeros(6, np.int32),
        token=np.zeros(3, np.int32),
    )
    expected = [(a.ctypes.data, a.shape[0], a.strides[0] // a.itemsize) for a in radix]
    assert addresses(radix).tolist() == [list(row) for row in expected]


@pytest.mark.parametrize("seed", range(20))
def test_fewest_tokens_is_the_shortest_path(seed: int) -> None:
    chance = random.Random(seed)
    tokens = [bytes(chance.choices(b"ab", k=chance.randint(1, 3))) for _ in range(chance.randint(1, 6))]
    data = bytes(chance.choices(b"ab", k=chance.randint(1, 9)))
    offsets = np.cumsum([0, *map(len, tokens)]).astype(np.int64)
    best, choice = np.zeros(len(data) + 1, np.int64), np.zeros(len(data), np.int32)
    possible = fewest_tokens(build_trie(b"".join(tokens), offsets).arrays, np.frombuffer(data, np.uint8), best, choice)
    fewest = [0]  # of the last bytes, one more each time
    for at in range(len(data) - 1, -1, -1):
        after = [fewest[len(data) - at - len(t)] + 1 for t in tokens if data.startswith(t, at)]
        fewest.append(min(after, default=1 << 40))
    assert bool(possible) == (fewest[-1] < 1 << 40)
    if possible:
        assert best[0] == fewest[-1]
        at = 0
        while at < len(data):
            assert data.startswith(tokens[choice[at]], at)
            at += len(tokens[choice[at]])
