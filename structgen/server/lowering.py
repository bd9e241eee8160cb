"""The process that lowers constraints for a server: options of `source_of` in, grammars out.

Messages are pickles behind their length, on stdin and stdout; the first one is the vocabulary, whose special tokens
say what marks mean, the others are seconds of processor time and options. It imports no fastapi and no torch, ignores
Ctrl-C, which its parent gets as well, and ends with its input. Its memory is bounded, so that a hostile schema takes
the process down and nothing else.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import struct
import sys
import warnings
from collections.abc import Iterator
from typing import Any, BinaryIO

from structgen.api.sources import source_of
from structgen.errors import LimitExceeded, StructgenError
from structgen.grammars.ir import Grammar
from structgen.grammars.storage import write_grammar
from structgen.memory import HEAP
from structgen.vocabulary import Vocabulary

__all__ = ["LENGTH", "PROGRAM", "READY", "error_of", "lowered", "main", "packed"]

PROGRAM = "import sys; sys.path[:] = sys.argv[1:]; from structgen.server.lowering import main; main()"  # python -c
READY = b"ready\n"  # what comes first
MEMORY = 4 << 30
LENGTH = struct.Struct("<Q")


def packed(message: object) -> bytes:
    """A message as it is sent."""
    data = pickle.dumps(message)
    return LENGTH.pack(len(data)) + data


def error_of(kind: type[Exception], arguments: tuple[Any, ...], attributes: dict[str, Any]) -> Exception:
    """An error of another process, with its data: constructors here take reasons, not messages."""
    error = kind.__new__(kind, *arguments)
    error.args = arguments
    vars(error).update(attributes)
    return error


class _TooLong(BaseException):
    """The processor time of a question is over. No Exception: whoever catches those is interrupted as well."""


def lowered(options: dict[str, Any], vocabulary: Vocabulary, seconds: float) -> dict[str, Any]:
    """{"grammar": text of an IR, or "lexed": a grammar with a lexer, "warnings": texts}, or
    {"error": (class, arguments, attributes)}."""
    try:
        with _at_most(seconds), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            grammar = source_of(**options).bound(vocabulary).lower().grammar
            said = {"warnings": tuple(dict.fromkeys(str(each.message) for each in caught))}
            if isinstance(grammar, Grammar):
                return {"grammar": write_grammar(grammar), **said}
            return {"lexed": grammar, **said}
    except StructgenError as error:
        return {"error": (type(error), error.args, vars(error))}
    except _TooLong:
        limit = LimitExceeded("compiling it takes too long", limit="compile_seconds", allowed=seconds)
        return {"error": (type(limit), limit.args, vars(limit))}
    except (RecursionError, MemoryError) as error:
        limit = LimitExceeded(f"{type(error).__name__} while compiling", limit="compile_memory", allowed=MEMORY)
        return {"error": (type(limit), limit.args, vars(limit))}


@contextlib.contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Raise _TooLong in the block after so much processor time; where there is no such clock, the parent's counts."""

    def over(*_: object) -> None:
        raise _TooLong

    if not hasattr(signal, "setitimer"):  # Windows
        yield
        return
    signal.signal(signal.SIGPROF, over)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def main() -> None:
    """Serve until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever is printed is no answer
    _bound_memory()
    questions: BinaryIO = sys.stdin.buffer
    vocabulary = _read(questions)
    answers.write(READY)
    answers.flush()
    while (question := _read(questions)) is not None:
        seconds, options = question
        answers.write(packed(lowered(options, vocabulary, seconds)))
        answers.flush()
        HEAP.look()


def _read(stream: BinaryIO) -> Any:
    """The next message; None at the end."""
    head = stream.read(LENGTH.size)
    return pickle.loads(stream.read(*LENGTH.unpack(head))) if len(head) == LENGTH.size else None


def _bound_memory() -> None:
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
