"""Who may import whom: ARCHITECTURE.md's table, read from its own text, over the imports of every module."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("structgen", "grammars", "automata", "kernels")
KERNELS_MAY_IMPORT = {"numpy", "numba", "structgen", *sys.stdlib_module_names}  # of structgen, see the ranks


def ranks() -> dict[str, tuple[int, str]]:
    """Part -> (rank, group); parts of one group may import each other, groups of one rank may not."""
    table: dict[str, tuple[int, str]] = {}
    for rank, groups in re.findall(r"^\| (\d) \| ([^\n]+?) \|", (ROOT / "ARCHITECTURE.md").read_text(), re.M):
        for group in groups.split(";"):
            for part in re.findall(r"`(\w+)`", group):
                table[part] = (int(rank), group.strip())
    return table


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
        rank, group = table[part]
        for line, target in imports(file):
            if not target.startswith("structgen."):
                continue
            other = part_of(target)
            if other == part or other not in table:
                continue
            other_rank, other_group = table[other]
            if not (other_rank < rank or other_group == group):
                wrong.append(f"{file.relative_to(ROOT)}:{line}: {part} (rank {rank}) imports {other} ({other_rank})")
            if part == "automata" and other == "grammars" and not target.startswith("structgen.grammars.ir"):
                wrong.append(f"{file.relative_to(ROOT)}:{line}: automata may import of grammars only the IR")
    assert not wrong, "\n".join(wrong)


def test_kernels_import_numpy_and_numba_only() -> None:
    wrong = [
        f"{file.relative_to(ROOT)}:{line}: {target}"
        for name, file in modules().items()
        if part_of(name) == "kernels"
        for line, target in imports(file)
        if target.split(".")[0] not in KERNELS_MAY_IMPORT or part_of(target) == "errors"
    ]
    assert not wrong, "\n".join(wrong)
