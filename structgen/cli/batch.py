"""`structgen batch`: a file of questions, a file of answers; how far it is on stderr."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from structgen.cli.codes import SOME_FAILED, SUCCESS
from structgen.cli.reading import drawing_options, source_options
from structgen.errors import OptionError

if TYPE_CHECKING:
    from structgen.batches.run import Progress

__all__ = ["run"]

_OFTEN, _SELDOM = 0.2, 30.0  # seconds between two lines on a terminal, and elsewhere


def run(arguments: argparse.Namespace) -> int:
    """Answer and say what came out; SOME_FAILED where answers are errors."""
    from structgen.batches.answering import Answerer
    from structgen.batches.run import run_batch

    source, target = Path(arguments.source), Path(arguments.target)
    if not source.is_file():
        raise OptionError(f"{source} is no file that can be read", option="IN")
    options = {**source_options(arguments), **drawing_options(arguments)}
    answerer = Answerer(arguments.model, seed=arguments.seed, rows=arguments.rows, **options)
    line = _Line()
    progress = run_batch(source, target, answerer, again=arguments.again, show=line.show)
    line.end(progress)
    return SOME_FAILED if progress.errors else SUCCESS


class _Line:
    """The state of a run on stderr: a line that rewrites itself on a terminal, elsewhere one now and then."""

    def __init__(self) -> None:
        self._moves = sys.stderr.isatty()
        self._shown = 0.0

    def show(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._shown < (_OFTEN if self._moves else _SELDOM):
            return
        self._shown = now
        self._write(_state(progress))

    def end(self, progress: Progress) -> None:
        """The last line, and what a user should know of the answers."""
        self._write(_state(progress))
        if self._moves:
            sys.stderr.write("\n")
        told = {
            "unfinished bytes of a run that was cut off were removed": progress.torn,
            "answers are errors (--again asks them again)": progress.errors,
            "outputs were completed without the model": progress.completed,
            "outputs are unfinished": progress.cut_short,
        }
        for what, count in told.items():
            if count:
                print(f"structgen: {count} {what}", file=sys.stderr)

    def _write(self, text: str) -> None:
        sys.stderr.write(f"\r\x1b[Kstructgen: {text}" if self._moves else f"structgen: {text}\n")
        sys.stderr.flush()


def _state(progress: Progress) -> str:
    text = f"{progress.before + progress.answered} of {progress.questions} answered"
    if progress.before:
        text += f" ({progress.before} before)"
    if progress.answered:
        rate, tokens = progress.answered / progress.seconds, progress.tokens / progress.seconds
        text += f", {rate:.2f} a second, {tokens:.0f} tokens a second"
    left = progress.seconds_left
    return text if not left else f"{text}, {_duration(left)} left"


def _duration(seconds: float) -> str:
    minutes, hours = seconds / 60, seconds / 3600
    return f"{seconds:.0f} s" if seconds < 100 else f"{minutes:.0f} min" if minutes < 100 else f"{hours:.1f} h"
