"""Who may import whom: ARCHITECTURE.md's table, read from its own text, over the imports of every module."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("structgen", "grammars", "automata", "kernels")
# of structgen, see the ranks
KERNELS_MAY_IMPORT = {"numpy", "numba", "llvmlite", "structgen", *sys.stdlib_module_names}


def ranks() -> dict[str, int]:
    """Part -> rank."""
    rows = re.findall(r"^\| (\d+) \| ([^\n]+?) \|", (ROOT / "ARCHITECTURE.md").read_text(), re.M)
    return {part: int(rank) for rank, parts in rows for part in re.findall(r"`(\w+)`", parts)}


def modules() -> dict[str, Path]:
    """Dotted name -> file, for every module of the distribution."""
    found = {}
    for folder in FOLDERS:
        for file in (ROOT / folder).rglob("*.py"):
            inside = file.relative_to(ROOT / folder).with_suffix("").parts
            if folder == "structgen" and inside[0] in FOLDERS:
                continue  # the links, where the walk follows them
            dotted = (("structgen",) if folder == "structgen" else ("structgen", folder)) + inside
            found[".".join(part for part in dotted if part != "__init__")] = file
    return found


def imports(file: Path) -> list[tuple[int, str]]:
    found = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: relative import"
            found += [(node.lineno, f"{node.module}.{alias.name}") for alias in node.names]
    return found


def part_of(dotted: str) -> str:
    pieces = dotted.split(".")
    return pieces[1] if len(pieces) > 1 else "__init__"


def test_every_module_has_a_rank_and_imports_only_lower_ones() -> None:
    table, wrong = ranks(), []
    for name, file in modules().items():
        part = part_of(name)
        if part == "__init__":
            continue  # the surface: lazy, checked by test_surface.py
        if part not in table:
            wrong.append(f"{name}: {part!r} has no rank in ARCHITECTURE.md")
            continue
        for line, target in imports(file):
            if target != "structgen" and not target.startswith("structgen."):
                continue
            where, other = f"{file.relative_to(ROOT)}:{line}", part_of(target)
            if other not in table:
                wrong.append(f"{where}: {target} has no rank in ARCHITECTURE.md")
            elif other != part and table[other] >= table[part]:
                wrong.append(f"{where}: {part} (rank {table[part]}) imports {other} ({table[other]})")
            elif part == "automata" and other == "grammars" and not target.startswith("structgen.grammars.ir"):
                wrong.append(f"{where}: automata may import of grammars only the IR")
    assert not wrong, "\n".join(wrong)


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """The strongly connected sets of more than one node (Tarjan 1972)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        order[node] = low[node] = len(order)
        stack.append(node)
        for other in sorted(graph[node]):
            if other not in order:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], order[other])
        if low[node] == order[node]:
            part = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(part) > 1:
                found.append(sorted(part))

    for node in graph:
        if node not in order:
            visit(node)
    return found


def import_graph() -> dict[str, set[str]]:
    """Module -> the modules it imports: at its top, inside functions and for typing."""
    known = modules()

    def module_of(dotted: str) -> str | None:  # `structgen.a.b.Name` is in the module structgen.a.b
        return next((name for name in (dotted, dotted.rpartition(".")[0]) if name in known), None)

    return {
        name: {found for _, target in imports(file) if (found := module_of(target)) and found != name}
        for name, file in known.items()
        if name != "structgen"  # the surface names every home
    }


def test_no_import_circles() -> None:
    """Imports for typing and inside functions count: a type belongs where its importers can see it."""
    graph = import_graph()
    for targets in graph.values():
        targets.discard("structgen")
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]
    found = circles(graph)
    assert not found, "\n".join(", ".join(circle) for circle in found)


def test_kernels_import_numpy_and_numba_only() -> None:
    wrong = [
        f"{file.relative_to(ROOT)}:{line}: {target}"
        for name, file in modules().items()
        if part_of(name) == "kernels"
        for line, target in imports(file)
        if target.split(".")[0] not in KERNELS_MAY_IMPORT or part_of(target) == "errors"
    ]
    assert not wrong, "\n".join(wrong)


def test_every_module_is_in_the_map() -> None:
    """ARCHITECTURE.md names each module in the section of its folder."""
    text = (ROOT / "ARCHITECTURE.md").read_text()
    sections = dict(re.findall(r"^### `(\w+)/`[^\n]*\n(.*?)(?=^##)", text, re.M | re.S))
    missing = []
    for name, file in modules().items():
        if file.stem in ("__init__", "__main__"):
            continue
        folder, *inner = file.relative_to(ROOT).parts
        named = set(re.findall(r"`(\w+)(?:\.py)?`", sections[folder]))
        if file.stem not in named or any(f"`{part}/`" not in sections[folder] for part in inner[:-1]):
            missing.append(name)
    assert not missing
