"""An independent recogniser for grammar IR over bytes: sets of end positions, nothing shared with the automata."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.regex import patterns_in
from structgen.grammars.ir import Alt, ByteSet, Expr, Graph, Literal, Repeat, Seq

DATA = Path(__file__).resolve().parents[2] / "../shared/data"


@pytest.fixture(scope="session")
def accepts() -> Callable[[Expr, bytes], bool]:
    """Whether an expression derives exactly these bytes."""
    return lambda expr, data: len(data) in ends(expr, data, frozenset((0,)))


def _lines(name: str) -> Iterator[Any]:
    if not (DATA / name).exists():
        pytest.skip(f"{name} is not beside the repository")
    with gzip.open(DATA / name, "rt") as lines:
        yield from map(json.loads, lines)


@pytest.fixture(scope="session")
def patterns() -> list[str]:
    """Every distinct `pattern` and key of `patternProperties` of MaskBench."""
    return patterns_in(line["schema"] for line in _lines("maskbench-dev.jsonl.gz"))


@pytest.fixture(scope="session")
def format_cases() -> list[tuple[str, str, bool]]:
    """(format, text, valid) from the official suite's groups that are about one format."""
    return sorted({
        (line["schema"]["format"], test["data"], test["valid"])
        for line in _lines("json-schema-suite-dev.jsonl.gz")
        if "optional/format/" in line["id"] and isinstance(line["schema"], dict) and "format" in line["schema"]
        for test in line["tests"]
        if isinstance(test["data"], str)
    })  # fmt: skip


def ends(expr: Expr, data: bytes, starts: frozenset[int]) -> frozenset[int]:
    """Where a match of `expr` can end that begins at one of `starts`."""
    match expr:
        case Literal(value):
            return frozenset(at + len(value) for at in starts if data.startswith(value, at))
        case ByteSet(mask):
            return frozenset(at + 1 for at in starts if at < len(data) and mask >> data[at] & 1)
        case Seq(parts):
            for part in parts:
                starts = ends(part, data, starts)
            return starts
        case Alt(options):
            return frozenset().union(*(ends(option, data, starts) for option in options))
        case Repeat(body, minimum, maximum):
            for _ in range(min(minimum, len(data) + 1)):
                starts = ends(body, data, starts)
            found, count = starts, minimum
            while starts and (maximum is None or count < maximum):
                starts = ends(body, data, starts) - found
                found, count = found | starts, count + 1
            return found
        case Graph():
            return _graph(expr, data, starts)
        case _:
            raise AssertionError(expr)


def _graph(graph: Graph, data: bytes, starts: frozenset[int]) -> frozenset[int]:
    reached = {(graph.start, at) for at in starts}
    stack = list(reached)
    while stack:
        state, at = stack.pop()
        for source, label, target in graph.edges:
            if source == state:
                for end in ends(label, data, frozenset((at,))):
                    if (target, end) not in reached:
                        reached.add((target, end))
                        stack.append((target, end))
    return frozenset(at for state, at in reached if state in graph.accepts)
