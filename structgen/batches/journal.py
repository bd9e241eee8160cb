"""The file of answers: what is in it already, and one more line at a time.

    OUT       one JSON object per line, the answers alone
    OUT.run   what they are answers of: model, seed, defaults; locked while somebody writes

An answer is one write of a whole line, so a process that is killed leaves at most one unfinished line, which the next
run cuts off. What a killed process wrote the system still has; against a failure of the power the file is synchronised
every few seconds and at the end, so that loses seconds, which the next run answers again.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from structgen.errors import OptionError

__all__ = ["Journal", "open_journal"]

_SYNCHRONISE = 5.0  # seconds
_BLOCK = 1 << 16


class Journal:
    """Answers that are written. Attributes: `answered` (id -> key of the question), `errors`, `cut` (bytes of an
    unfinished line that was cut off)."""

    def __init__(self, path: Path, *, again: bool = False) -> None:
        self.path = path
        self.answered: dict[str, str] = {}
        self.errors = 0
        self.cut = _cut_unfinished(path)
        self._read()
        if again and self.errors:
            self._drop_errors()
        self._file = open(path, "ab", buffering=0)  # noqa: SIM115 - closed by `close`
        self._synchronised = time.monotonic()

    def write(self, answer: Mapping[str, Any]) -> None:
        """Append an answer. Raises OSError where the disk takes no more."""
        line = memoryview(json.dumps(answer, allow_nan=False).encode() + b"\n")
        while line:
            line = line[self._file.write(line) or 0 :]
        self._count(answer)
        if time.monotonic() - self._synchronised > _SYNCHRONISE:
            self._synchronise()

    def close(self) -> None:
        """Everything is on the disk."""
        self._synchronise()
        self._file.close()

    def _synchronise(self) -> None:
        os.fsync(self._file.fileno())
        self._synchronised = time.monotonic()

    def _count(self, answer: Mapping[str, Any]) -> None:
        self.answered[answer["custom_id"]] = answer["request"]
        self.errors += "error" in answer

    def _read(self) -> None:
        with open(self.path, "rb") as file:
            for number, line in enumerate(file, 1):
                answer = _answer_of(line)
                if answer is None:
                    raise OptionError(f"{self.path}, line {number} is no answer of this command", option="OUT")
                if answer["custom_id"] in self.answered:
                    raise OptionError(
                        f"{self.path}, line {number}: {answer['custom_id']!r} is answered twice", option="OUT"
                    )
                self._count(answer)

    def _drop_errors(self) -> None:
        """Take out answers that are errors: a new file in the place of the old one."""
        new = self.path.with_name(self.path.name + ".new")
        with open(self.path, "rb") as old, open(new, "wb") as file:
            file.writelines(line for line in old if "error" not in (_answer_of(line) or {}))
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, self.path)
        self.answered, self.errors = {}, 0
        self._read()


@contextlib.contextmanager
def open_journal(path: Path, identity: Mapping[str, Any], *, again: bool = False) -> Iterator[Journal]:
    """The journal at a path, for a run of this identity. With `again`, answers that are errors are taken out.

    Raises OptionError where answers of another run are there, something that is no answer, or another process writes.
    """
    with open(path.with_name(path.name + ".run"), "a+b", buffering=0) as run:
        _lock(run, path)
        run.seek(0)
        _check_run(run, path, identity)
        journal = Journal(path, again=again)
        try:
            yield journal
        finally:
            journal.close()


def _lock(file: IO[bytes], path: Path) -> None:
    """One writer at a time, where the platform has flock."""
    with contextlib.suppress(ImportError):
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OptionError(f"another process is writing {path}", option="OUT") from None


def _check_run(file: IO[bytes], path: Path, identity: Mapping[str, Any]) -> None:
    """Compare with the run that began the file; the first run says what it is before it writes an answer."""
    is_new = not path.exists() or not path.stat().st_size
    try:
        known = json.loads(file.read())
    except ValueError:
        known = None
    if known is None and not is_new:
        raise OptionError(f"{path} is there, and {path.name}.run does not say of which run", option="OUT")
    if known is None or is_new:
        file.truncate(0)
        file.write(json.dumps(identity, indent=1).encode() + b"\n")
        os.fsync(file.fileno())
        path.touch()
    elif known != identity:
        names = [name for name in identity if known.get(name) != identity[name]]
        told = ", ".join(f"{name} was {known.get(name)!r}, is {identity[name]!r}" for name in names)
        raise OptionError(f"{path} holds answers of another run: {told}", option="OUT")


def _cut_unfinished(path: Path) -> int:
    """Cut off what stands behind the last line's end; how many bytes."""
    with open(path, "r+b") as file:
        size = end = file.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - _BLOCK)
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                end = start + found + 1
                break
            end = start
        if end < size:
            file.truncate(end)
            os.fsync(file.fileno())
        return size - end


def _answer_of(line: bytes) -> dict[str, Any] | None:
    """The answer in a line, if it is one."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    is_answer = (
        isinstance(found, dict) and isinstance(found.get("custom_id"), str) and isinstance(found.get("request"), str)
    )
    return found if is_answer else None
