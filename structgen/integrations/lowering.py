"""What a request to another server asks for -> grammar text, made in a process of its own.

Servers name constraints alike: ("json", a schema's text), ("json_object", ""), ("regex", a pattern), ("choice", a JSON
array of texts), ("grammar", EBNF or Lark), ("structural_tag", JSON). `options_of` is their meaning here.

A schema that is lowered in a thread of an engine slows down every step of it (structgen/server/compiling.py), and one
that is hostile takes as long as it likes; so a process does it, which has so many seconds of processor time and four
gigabytes, and is begun anew where that is not enough. Cost: the process' start once, then a pipe there and back; what
was lowered before is a look-up.
"""

from __future__ import annotations

import json
import logging
import pickle
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

from structgen.errors import LimitExceeded, OptionError, SchemaError
from structgen.grammars.json_schema.style import JsonStyle
from structgen.grammars.lark.stored import read_lexed, write_lexed
from structgen.grammars.storage import read_grammar
from structgen.kinds import AnyGrammar
from structgen.memory import Bounded
from structgen.server.lowering import LENGTH, PROGRAM, READY, error_of, packed
from structgen.vocabulary import Vocabulary

__all__ = ["KINDS", "Lowerer", "grammar_of", "options_of"]

KINDS = ("json", "json_object", "regex", "choice", "grammar", "structural_tag")
_PATIENCE = 6  # times the processor time that a question may take, in which it has to be answered
_MOST, _MOST_BYTES = 4096, 64 << 20  # of texts that are remembered
_log = logging.getLogger("structgen")


def options_of(kind: str, text: str, style: JsonStyle | None = None) -> dict[str, Any]:
    """The options of `structgen.compile` that a constraint of another server means.

    Raises SchemaError for a schema and OptionError for choices that are no JSON, or a kind that does not exist.
    """
    if kind in ("json", "json_object"):
        return {"schema": _schema(text) if kind == "json" else {"type": "object"}, "style": style}
    if kind == "choice":
        return {"choices": _choices(text)}
    if kind == "regex":
        return {"regex": text}
    if kind == "structural_tag":
        return {"tag": text, "style": style}
    if kind == "grammar":  # a rule of EBNF is defined by ::=, one of Lark by a colon
        bare = [line.split("#")[0].split("//")[0] for line in text.splitlines()]
        return {"ebnf" if any("::=" in line for line in bare) else "lark": text}
    raise OptionError(f"{kind!r} is no constraint; there are {', '.join(KINDS)}", option="kind")


def _schema(text: str) -> dict[str, Any] | bool:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise SchemaError(f"not JSON: {error}") from None
    if not isinstance(found, dict | bool):
        raise SchemaError(f"a schema is an object or a boolean, not {type(found).__name__}")
    return found


def _choices(text: str) -> list[str]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise OptionError(f"choices are a JSON array of strings: {error}", option="choices") from None
    if not isinstance(found, list):
        raise OptionError("choices are a JSON array of strings", option="choices")
    return found


def grammar_of(text: str) -> AnyGrammar:
    """The grammar of a lowered text, every number in it checked. Raises ValueError for other texts."""
    return read_lexed(json.loads(text)) if text.startswith('{"lark":') else read_grammar(text)


class Lowerer:
    """Lowers for one vocabulary, a question at a time, whichever threads ask. `seconds`: of processor time for each."""

    def __init__(self, vocabulary: Vocabulary, *, seconds: float = 10.0) -> None:
        self.vocabulary, self.seconds = vocabulary, seconds
        self._known: Bounded[tuple[str, str, str], str] = Bounded(_MOST, most_bytes=_MOST_BYTES)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._finalizer: Callable[[], object] = lambda: None

    def lowered(self, kind: str, text: str, style: JsonStyle | None = None) -> str:
        """The grammar as text, for `grammar_of`.

        Raises what `structgen.compile` raises, and LimitExceeded where it takes more time or memory than it may.
        """
        key = kind, text, repr(style)
        with self._lock:
            if key not in self._known:
                found = self._ask(options_of(kind, text, style))
                self._known.remember(key, found, len(found))
            return self._known[key]

    def close(self) -> None:
        """End the process; the next question begins another. It ends with this object, too."""
        if self._process is not None:
            self._finalizer()
            self._process = None

    def _ask(self, options: dict[str, Any]) -> str:
        process = self._process or self._started()
        late = threading.Timer(_PATIENCE * self.seconds, process.kill)
        late.start()
        try:
            answer = _answer(process, packed((self.seconds, options)))
        finally:
            late.cancel()
        if answer is None:
            self.close()
            raise LimitExceeded(
                "lowering it takes more time or memory than it may", limit="compile_seconds", allowed=self.seconds
            )
        if "error" in answer:
            raise error_of(*answer["error"])
        for warning in answer["warnings"]:
            _log.warning("%s", warning)
        return write_lexed(answer["lexed"]) if "lexed" in answer else str(answer["grammar"])

    def _started(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", PROGRAM, *sys.path]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(packed(self.vocabulary))
        process.stdin.flush()
        if process.stdout.read(len(READY)) != READY:
            _end(process)
            raise OptionError("the process that lowers constraints does not start", option="python")
        self._process, self._finalizer = process, weakref.finalize(self, _end, process)
        return process


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate()


def _answer(process: subprocess.Popen[bytes], question: bytes) -> dict[str, Any] | None:
    """None where the process has ended."""
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdin.write(question)
        process.stdin.flush()
    except BrokenPipeError:
        return None
    head = process.stdout.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    body = process.stdout.read(length)
    found: dict[str, Any] | None = pickle.loads(body) if len(body) == length else None
    return found
