"""A file and a place in it -> what a model writes there, under monitors.

The model reads the file up to the cursor, and goes on for some lines; what stands behind the cursor is for the monitors
alone, which narrow names to those that exist (docs/monitors.md).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from structgen.api.call import Call
from structgen.api.compile import compile_source
from structgen.api.models import engine_of
from structgen.api.options import Settings
from structgen.api.running import results_of
from structgen.api.sources import source_of
from structgen.errors import OptionError
from structgen.matcher import Constraint

if TYPE_CHECKING:
    from structgen.monitors.monitor import Report

__all__ = ["Completed", "complete", "completed"]

LANGUAGES = {".py": "python", ".pyi": "python", ".ts": "typescript", ".mts": "typescript", ".cts": "typescript"}
LANGUAGES |= {".java": "java", ".cpp": "cpp", ".cc": "cpp", ".cxx": "cpp", ".hpp": "cpp", ".hh": "cpp", ".h": "cpp"}
MOST_TOKENS = 200


@dataclass(frozen=True, slots=True)
class Completed:
    """`text` goes in at the cursor; `reports`: what each monitor did, by its name."""

    text: str
    reports: Mapping[str, Report] = field(default_factory=dict)


def complete(model: Any, file: str | os.PathLike[str], *, at: tuple[int, int], **options: Any) -> str:
    """What the model writes at a place of a file.

    at           line and column of the cursor, from 1; the column counts characters
    root         folder of the project (default: the file's)
    monitors     "auto": members, and of Python arguments, by the first language server of the language that is
                 installed; a server's name, or "jedi" (members alone); an analysis (monitors.Analysis); None: none
    lines        lines to write at most (default 1)
    constraint   what the text must be besides (default: anything of so many lines)
    tokenizer, max_tokens, temperature, seed: as for `generate`

    Raises OptionError, ServerError where a server is asked for and none is there.
    """
    return completed(model, file, at=at, **options).text


def completed(
    model: Any,
    file: str | os.PathLike[str],
    *,
    at: tuple[int, int],
    root: str | os.PathLike[str] | None = None,
    monitors: Any = "auto",
    lines: int = 1,
    constraint: Constraint | None = None,
    tokenizer: Any = None,
    max_tokens: int = MOST_TOKENS,
    temperature: float = 0.0,
    seed: int | None = None,
) -> Completed:
    """`complete`, with the reports of the monitors."""
    path = Path(file)
    before, after = _around(path, at)
    engine = engine_of(model, tokenizer)
    if constraint is None:
        constraint = compile_source(source_of(regex=_lines(lines)), engine.vocabulary)[0]
    folder = Path(root) if root is not None else path.resolve().parent
    with _Analyses() as analyses:
        monitored = _monitored(constraint, analyses, monitors, path, folder, before, after)
        drawing = {"temperature": temperature, "seed": seed, "max_tokens": max_tokens, "on_truncate": "return"}
        settings = Settings.read({"constraint": monitored, "chat": False, **drawing})
        result = results_of(Call.of(engine, before, settings), weigh=False)  # only drawn names are asked about
    return Completed(str(result.value if result.value is not None else result.text), result.monitors)


class _Analyses:
    """The servers that were started here, which end with the block."""

    def __init__(self) -> None:
        self._started: list[Any] = []

    def __enter__(self) -> _Analyses:
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._started:
            each.close()

    def of(self, given: Any, language: str, root: Path) -> Any:
        """The analysis that was given, or a server that is started."""
        if not isinstance(given, str):
            return given
        from structgen.monitors.analyses.in_process import Jedi
        from structgen.monitors.analyses.session import server

        found = Jedi(root) if given == "jedi" else server(language if given == "auto" else given, root)
        self._started.append(found)
        return found


def _monitored(
    constraint: Any, analyses: _Analyses, given: Any, path: Path, root: Path, before: str, after: str
) -> Any:
    if given is None:
        return constraint
    from structgen.monitors.arguments import Arguments
    from structgen.monitors.members import Members

    language = LANGUAGES.get(path.suffix)
    if language is None:
        known = ", ".join(LANGUAGES)
        raise OptionError(f"no monitor knows files like {path.name}; there are {known}", option="monitors")
    chosen: Sequence[Any] = given if isinstance(given, (list, tuple)) else [given]
    for each in chosen:
        analysis = analyses.of(each, language, root)
        where = os.path.relpath(path.resolve(), root.resolve())
        constraint = constraint & Members(analysis, where, before=before, after=after, language=language)
        if language == "python" and hasattr(analysis, "signatures"):
            constraint = constraint & Arguments(analysis, where, before=before, after=after)
    return constraint


def _around(path: Path, at: tuple[int, int]) -> tuple[str, str]:
    """The text of a file before and behind a place. Raises OptionError if there is no such place."""
    line, column = at
    text = path.read_text(encoding="utf-8")
    rows = text.splitlines(keepends=True) or [""]
    if text.endswith(("\n", "\r")):
        rows.append("")
    if not 1 <= line <= len(rows) or not 1 <= column <= len(rows[line - 1].rstrip("\r\n")) + 1:
        raise OptionError(f"{path.name} has no line {line} with a column {column}", option="at")
    offset = sum(map(len, rows[: line - 1])) + column - 1
    return text[:offset], text[offset:]


def _lines(lines: int) -> str:
    """The texts of so many lines, of which the last may have an end."""
    if lines < 1:
        raise OptionError(f"lines must be at least 1, not {lines}", option="lines")
    return rf"(?:[^\n]*\n){{0,{lines - 1}}}[^\n]*\n?"
