"""The documents stay true where a machine can tell: files they name exist, choices say whether they still hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CHOICES = sorted((ROOT / "docs" / "adr").glob("*.md"))
DOCUMENTS = [*sorted((ROOT / "docs").glob("*.md")), *CHOICES, *sorted(ROOT.glob("[A-Z]*.md"))]
NAMED = re.compile(r"`([\w./-]*\w\.(?:py|md|txt|toml|jsonl))`|\]\((?!\w+:)([^)#\s]+)[^)]*\)")
ABSENT = {"kernels/__init__.py", "grammars/x.py"}  # named because they are not there, or as an example
TOLERATED = ABSENT
LONG = 500  # words of a choice from which it says in short what it says


def files() -> set[str]:
    """Paths of all files below the root, without caches."""
    inside = ("structgen", "grammars", "automata", "kernels", "tests", "benchmarks", "docs")
    found = [file for folder in inside for file in (ROOT / folder).rglob("*") if file.is_file()]
    return {str(file.relative_to(ROOT)) for file in [*found, *ROOT.glob("*.*")]}


def test_every_file_that_a_document_names_exists() -> None:
    """By its path from the root, the package or the document; a bare name is that of some file."""
    known = files()
    names = {Path(path).name for path in known}
    missing = []
    for document in DOCUMENTS:
        for code, link in NAMED.findall(document.read_text()):
            name = code or link
            if name in TOLERATED or (code and "/" not in code and code in names):
                continue
            bases = (document.parent,) if link else (ROOT, ROOT / "structgen", document.parent)
            if not any((base / name).exists() for base in bases):
                missing.append(f"{document.relative_to(ROOT)}: {name}")
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize("choice", CHOICES, ids=lambda file: file.stem)
def test_a_choice_says_whether_it_holds(choice: Path) -> None:
    title, status, *rest = [part for part in choice.read_text().split("\n\n") if part]
    assert re.fullmatch(rf"# {choice.stem[:4]} \S.*", title)
    held = re.fullmatch(r"Status: (accepted 20\d\d-\d\d-\d\d|superseded by (\d{4})\b.*)", status)
    assert held, status
    for number in re.findall(r"\b\d{4}\b(?!-)", status.removeprefix("Status: accepted")):
        assert list(choice.parent.glob(f"{number}-*.md")), number
    summary = rest[0] if rest[0].startswith("In short: ") else ""
    words = sum(len(part.split()) for part in rest) - len(summary.split())
    assert bool(summary) == (words > LONG), f"{words} words"
    assert len(summary.splitlines()) <= 3


def test_the_numbers_of_choices_have_no_gaps() -> None:
    assert [int(choice.stem[:4]) for choice in CHOICES] == list(range(1, len(CHOICES) + 1))
