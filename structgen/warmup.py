"""Compile the kernels once per machine and version, in processes beside this one.

The first run on a machine compiles for some tens of seconds and says how far it is; processes that start meanwhile wait
and say for whom. Afterwards machine code is loaded from disk, a unit when one of its kernels is first called. Kernels
of grammars with a lexer are compiled when the first such grammar comes.

Cost: docs/benchmarks.md, "First use". Compiling elsewhere keeps its memory (some 500 MB) out of this process, uses
several cores, and lets Ctrl-C end it at any time.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from structgen.kernels._disk import kernel_cache_dir, kernel_stamp, warn_once
from structgen.kernels._jit import CANVAS, LEXED, MASKS, NETWORKS, TOKENS, UNITS, Unit
from structgen.kernels._worker import PROGRAM

__all__ = [
    "ensure_canvas_compiled",
    "ensure_compiled",
    "ensure_lexed_compiled",
    "kernel_files",
    "remove_unused",
    "turn",
]

_DAY = 86_400.0  # seconds
_UNUSED_DAYS = 30
_PAUSE = 0.1  # seconds between two looks at what is being waited for
_EVERY = 10.0  # seconds between two lines where no terminal can show one that moves


def ensure_compiled() -> None:
    """Make sure the kernels are on disk, so that no mask waits for one. Compiling takes a while and says so on stderr.

    Where no cache folder can be written, every process compiles them anew.
    """
    _ensure((MASKS, NETWORKS, TOKENS), "kernels")


def ensure_lexed_compiled() -> None:
    """The same for the kernels of grammars with a lexer."""
    _ensure((LEXED,), "kernels for grammars with a lexer")


def ensure_canvas_compiled() -> None:
    """The same for the kernels of canvases."""
    _ensure((CANVAS,), "kernels for canvases")


def kernel_files() -> list[Path]:
    """The files of machine code that are kept for these sources and versions."""
    return [unit.path for unit in UNITS if unit.path.exists()]


def _ensure(units: Sequence[Unit], what: str) -> None:
    if all(unit.is_ready for unit in units):
        return
    try:
        if not _in_use(units):
            with turn(kernel_cache_dir() / "compile.lock", what):
                missing = [unit for unit in units if not unit.path.exists()]
                if missing:
                    _compile(missing, what)
                remove_unused(kernel_cache_dir().parent)
    except OSError as error:
        warn_once("kernels are compiled anew by every process", str(error))


def _in_use(units: Sequence[Unit]) -> bool:
    """Whether the kernels are there; leaves today's date on their folder."""
    if not all(unit.path.exists() for unit in units):
        return False
    folder = kernel_cache_dir()
    if time.time() - folder.stat().st_mtime > _DAY:
        with contextlib.suppress(PermissionError):  # a cache made by another user can be read all the same
            os.utime(folder)
    return True


def remove_unused(folder: Path) -> None:
    """Remove machine code of other sources and versions that nobody used for a month.

    Processes that have it loaded keep it: they merely could not load more.
    """
    for old in folder.iterdir():
        if old.is_dir() and time.time() - old.stat().st_mtime > _UNUSED_DAYS * _DAY:
            shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def turn(lock: Path, what: str) -> Iterator[None]:
    """Hold a lock between processes, whose file names the holder; where the platform has no flock, work is merely done
    twice. Who waits says for whom."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with open(lock, "a+") as file:
        with contextlib.suppress(ImportError):
            import fcntl

            line = None
            while not _taken(file, fcntl.LOCK_EX | fcntl.LOCK_NB):
                file.seek(0)
                holder = file.read().strip() or "another one"
                line = line or Line(f"waiting for process {holder}, which compiles {what}")
                line.show()
                time.sleep(_PAUSE)
            if line:
                line.end("done waiting")
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
        yield


def _taken(file: IO[str], how: int) -> bool:
    import fcntl

    try:
        fcntl.flock(file, how)
    except BlockingIOError:
        return False
    return True


class Line:
    """What is going on, on stderr: one line that rewrites itself on a terminal, elsewhere one now and then."""

    def __init__(self, text: str, steps: int = 0) -> None:
        self._text, self._steps = text, steps
        self._started = self._shown = time.monotonic()
        self._out = sys.stderr if sys.stderr is not None else open(os.devnull, "w")  # noqa: SIM115 - none in a window
        self._moves = self._out.isatty()
        if not self._moves:
            self._write(f"structgen: {text} ...\n")

    def show(self, done: int = 0) -> None:
        """How far it is."""
        passed = time.monotonic() - self._started
        state = f"{done} of {self._steps}, {passed:.0f} s" if self._steps else f"{passed:.0f} s"
        if self._moves:
            self._write(f"\r\x1b[Kstructgen: {self._text}: {state}")
        elif time.monotonic() - self._shown >= _EVERY:
            self._shown = time.monotonic()
            self._write(f"structgen: {state}\n")

    def end(self, how: str) -> None:
        """The last line."""
        passed = time.monotonic() - self._started
        self.clear()
        self._write(f"structgen: {how} ({passed:.1f} s)\n")

    def clear(self) -> None:
        """Leave a terminal as it was."""
        if self._moves:
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


def _compile(units: Sequence[Unit], what: str) -> None:
    """Make the files of units, in as many processes as there are cores. Where there is no interpreter to start, as in a
    frozen program, or if a process fails, it is left to this one."""
    line = Line(f"compiling {what}, once on this machine", sum(unit.steps for unit in units))
    waiting = list(units) if sys.executable and not getattr(sys, "frozen", False) else []
    running, done = list[_Worker](), 0
    try:
        while waiting or running:
            while waiting and len(running) < _cores():
                running.append(_Worker(waiting.pop(0)))
            line.show(done + sum(worker.steps() for worker in running))
            for worker in [worker for worker in running if worker.has_ended()]:
                running.remove(worker)
                done += worker.steps()
                worker.end()
            time.sleep(_PAUSE)
        for unit in units:
            if not unit.path.exists():
                unit.make()
    except BaseException:
        line.clear()
        raise
    finally:
        for worker in running:
            worker.end()
    line.end(f"{what} are compiled")


def _cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Worker:
    """A process that compiles a unit (kernels/_worker.py)."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._dots, self._errors = (tempfile.TemporaryFile() for _ in range(2))  # noqa: SIM115 - as long as this
        command = [sys.executable, "-c", PROGRAM, unit.name, kernel_stamp(), *sys.path]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self._dots, stderr=self._errors)

    def steps(self) -> int:
        """How many steps it has done."""
        return os.fstat(self._dots.fileno()).st_size

    def has_ended(self) -> bool:
        """Whether it has ended, well or not; if not, why is logged."""
        if self._process.poll() is None:
            return False
        if self._process.returncode:
            self._errors.seek(0)
            lines = self._errors.read().decode(errors="replace").strip().splitlines()
            warn_once(f"the process that compiles {self._unit.name} failed", lines[-1] if lines else "no message")
        return True

    def end(self) -> None:
        """End it now if it runs, and leave nothing of it but the unit's file."""
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait()
            for half in self._unit.path.parent.glob("*.tmp"):
                half.unlink(missing_ok=True)
        self._dots.close()
        self._errors.close()
