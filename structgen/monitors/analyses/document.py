"""A question -> the text of a document to ask about; names that were found -> an answer; files -> a fingerprint."""

from __future__ import annotations

import hashlib
import keyword
import re
from pathlib import Path

from structgen.monitors.question import Answer, Question, Silent

__all__ = ["answer_of", "fingerprint_of", "text_of"]

_NAMED = re.compile(r"(\s*)([\w$]+)")


def text_of(question: Question) -> tuple[str, str]:
    """The text up to the place, and all of the document: with the closing brackets that are due, and the rest of the
    file behind them."""
    before = question.before.decode("utf-8", "replace")
    due, after = question.closers.decode(), question.after.decode("utf-8", "replace")
    rest = due + ("\n" if due and re.match(r"\w", after) else "") + after  # `f()def g` would be read as anything
    return before, before + (";" if _is_taken_for_it(rest) else "") + rest


def _is_taken_for_it(rest: str) -> bool:
    """Whether servers may take what stands behind the cursor for the member: a name. Of one behind blanks that is the
    case with Python's: ty and basedpyright answer for what stands before the access then."""
    found = _NAMED.match(rest)
    return found is not None and (not found[1] or not keyword.iskeyword(found[2]))


def answer_of(names: set[bytes], hidden: frozenset[bytes]) -> Answer:
    """The names and those that are not listed, or why they say nothing."""
    if not names:
        return Silent("nothing is known here")
    if all(name.startswith(b"__") for name in names):
        return Silent("nothing but dunder names")
    return frozenset(names | hidden)


def fingerprint_of(analysis: str, root: Path, files: str) -> str:
    """Of an analysis and its version, and the files of a project, by a pattern, as they are."""
    digest = hashlib.sha256(analysis.encode())
    for file in sorted(root.rglob(files)):
        digest.update(f"{file.relative_to(root)} {file.stat().st_mtime_ns} {file.stat().st_size}".encode())
    return digest.hexdigest()
