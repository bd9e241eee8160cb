"""The sites of benchmarks/monitors/projects: small programs of our own, each with one place where a member is due.

projects/LANGUAGE/head.txt    what every site begins with
projects/LANGUAGE/sites.txt   the sites; a name in ‹› stands where one is due, `№` for a number
projects/LANGUAGE/truth.json  of each site the names that may stand there (truth.py)
projects/LANGUAGE/*           the files that they import
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["LANGUAGES", "PROJECTS", "WORK", "Site", "sites_of", "sources", "truth_of"]

PROJECTS = Path(__file__).with_name("projects")
WORK = {"python": "work.py", "typescript": "work.ts", "cpp": "work.cpp", "java": "Work.java"}
LANGUAGES = tuple(WORK)


@dataclass(frozen=True, slots=True)
class Site:
    """A place where a member is due: `name` stands there, `begins` and `ends` around it."""

    language: str
    number: int
    begins: str
    name: str
    ends: str

    def written(self, name: str, number: int = 0) -> str:
        """The site with a name in place, numbered."""
        return f"{self.begins}{name}{self.ends}".replace("№", str(number))

    @property
    def head(self) -> str:
        """What stands before it in its file."""
        return (PROJECTS / self.language / "head.txt").read_text()

    @property
    def before(self) -> str:
        """Its file up to the name."""
        return self.head + self.begins.replace("№", "")

    @property
    def after(self) -> str:
        """Its file behind the name."""
        return self.ends.replace("№", "") + "\n"


def sites_of(language: str) -> list[Site]:
    """The sites of a language."""
    text = (PROJECTS / language / "sites.txt").read_text()
    found = []
    for number, each in enumerate(re.split(r"\n---\n", text.strip("\n"))):
        begins, name, ends = re.split("[‹›]", each)
        found.append(Site(language, number, begins, name, ends))
    return found


def sources(language: str) -> list[Path]:
    """The files that the sites import."""
    suffixes = (".txt", ".json", ".pyc")
    return [path for path in sorted((PROJECTS / language).glob("*.*")) if path.suffix not in suffixes]


def truth_of(language: str) -> dict[str, Any]:
    """What truth.py found out: {"tools": {...}, "sites": [{"legal": [...], "illegal": [...]}]}."""
    found: dict[str, Any] = json.loads((PROJECTS / language / "truth.json").read_text())
    return found
