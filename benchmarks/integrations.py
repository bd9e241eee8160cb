"""Writes the table of docs/engines.md from the tests: what structgen does inside other engines, and what it does not.

    python -m benchmarks integrations

A test says what it shows by a marker: `shows(engine, *what)`, or `lacks(engine, what, why)` where it shows that
something is refused or not there. A cell that no test speaks of stays empty.
"""

from __future__ import annotations

import ast
from typing import NamedTuple

from benchmarks.data import ROOT
from benchmarks.tables import table

__all__ = ["page"]

PAGE = ROOT / "docs" / "engines.md"
BEGIN, END = "<!-- generated: integrations -->\n", "<!-- end -->\n"
FOLDERS = ("tests/integrations", "tests/engines")
ENGINES = {
    "vllm": "vLLM",
    "sglang": "SGLang",
    "generate": "transformers `generate`",
    "custom": "`custom_generate`",
    "batching": "continuous batching",
    "llama_cpp": "llama.cpp",
}
WHAT = (
    "schemas, patterns, grammars, choices",
    "structural tags, tools",
    "a constraint for each request",
    "complete within max_tokens",
    "drafts",
    "beams",
    "stop tokens of a request",
    "thinking before the constraint",
    "refused before it runs",
    "an error ends its request alone",
    "lowered in another process",
    "half precision",
    "encoder-decoder models",
    "whitespace patterns",
    "graphs and asynchronous steps",
)


class Mark(NamedTuple):
    """What a test says: `why` is None where it shows that something works."""

    engine: str
    what: str
    why: str | None
    test: str


def marks() -> list[Mark]:
    """The marks of all tests. Raises ValueError for an engine or a thing that is not listed here."""
    found = []
    for folder in FOLDERS:
        for file in sorted((ROOT / folder).glob("test_*.py")):
            for node in ast.parse(file.read_text()).body:
                if not isinstance(node, ast.FunctionDef):
                    continue
                for call in node.decorator_list:
                    if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
                        found += _marks(call, f"{file.relative_to(ROOT)}::{node.name}")
    return found


def _marks(call: ast.Call, test: str) -> list[Mark]:
    assert isinstance(call.func, ast.Attribute)
    if call.func.attr not in ("shows", "lacks"):
        return []
    engine, *rest = (ast.literal_eval(argument) for argument in call.args)
    things, why = ([rest[0]], rest[1]) if call.func.attr == "lacks" else (rest, None)
    if engine not in ENGINES or not set(things) <= set(WHAT):
        raise ValueError(f"{test}: {engine!r} or one of {things} is not in the table")
    return [Mark(engine, what, why, test) for what in things]


def rows() -> tuple[list[list[str]], list[list[str]]]:
    """Rows of the table, and of the list of what is not done."""
    found = marks()
    cells: dict[tuple[str, str], str] = {}
    for mark in found:
        cells[mark.what, mark.engine] = "no" if mark.why else cells.get((mark.what, mark.engine), "yes")
    table_rows = [[what, *(cells.get((what, engine), "") for engine in ENGINES)] for what in WHAT]
    order = sorted((WHAT.index(mark.what), list(ENGINES).index(mark.engine), mark.why) for mark in found if mark.why)
    missing = [[list(ENGINES.values())[engine], WHAT[what], str(why)] for what, engine, why in order]
    return table_rows, missing


def page(text: str) -> str:
    """The page with its generated part anew."""
    done, missing = rows()
    made = table(["", *ENGINES.values()], done)
    made += "\n\nWhat is not done:\n\n" + table(["engine", "what", "why"], missing)
    head, _, rest = text.partition(BEGIN)
    return head + BEGIN + "\n" + made.rstrip("\n") + "\n\n" + END + rest.partition(END)[2]


def main() -> None:
    """Rewrite docs/engines.md."""
    PAGE.write_text(page(PAGE.read_text()))
    print("written to docs/engines.md")


if __name__ == "__main__":
    main()
