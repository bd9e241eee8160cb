"""The constraint files say what pyproject.toml admits: exact versions, and the oldest ones."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
INSTALLED = ("transformers", "sentencepiece", "tiktoken", "gguf", "server", "dev")  # the extras of `make setup`


def pins(name: str) -> dict[str, Version]:
    lines = [line for line in (ROOT / name).read_text().splitlines() if not line.startswith("#")]
    found = dict(re.fullmatch(r"([\w.-]+)==([\w.]+)", line).groups() for line in lines)  # type: ignore[union-attr]
    return {canonicalize_name(package): Version(version) for package, version in found.items()}


def requirements(*extras: str) -> dict[str, Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    texts = project["dependencies"] + [text for extra in extras for text in project["optional-dependencies"][extra]]
    return {canonicalize_name(each.name): each for each in map(Requirement, texts)}


def test_every_dependency_is_pinned_to_a_version_that_is_admitted() -> None:
    exact = pins("constraints.txt")
    wrong = {n: str(r) for n, r in requirements(*INSTALLED).items() if n not in exact or exact[n] not in r.specifier}
    assert set(wrong) <= {"structgen-engine"}, wrong  # an extra that has another in it


def test_the_oldest_versions_are_the_lower_bounds() -> None:
    oldest, named = pins("constraints-oldest.txt"), requirements(*INSTALLED)
    assert set(oldest) <= set(named)
    for name, version in oldest.items():
        (bound,) = [Version(part.version) for part in named[name].specifier if part.operator == ">="]
        assert bound == version, name
