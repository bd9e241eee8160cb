"""`compile`: a constraint source and a vocabulary -> a `Constraint`, remembered by content.

The same schema asked for again costs a hash of its text. What is remembered is bounded in number and in bytes, shared
by all threads, and compiled once however many ask for it at the same time. With `folder`, grammars that took long to
make are kept there as well, for other processes and for tomorrow.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload

from structgen._version import VERSION
from structgen.api.sources import Source, source_of
from structgen.compiler import compile_grammar
from structgen.errors import OptionError, StorageError, Unsatisfiable
from structgen.grammars.ir_lr import LexedGrammar
from structgen.kinds import AnyGrammar
from structgen.matcher import Constraint
from structgen.memory import HEAP, Held, register
from structgen.vocabulary import Vocabulary

if TYPE_CHECKING:
    from pydantic import TypeAdapter
    from typing_extensions import TypeForm, Unpack

    from structgen.api.options import CompileOptions

__all__ = ["Compiled", "Remembered", "compile", "compile_source"]

_SLOW = 0.005  # seconds of making a grammar from which a file pays: reading one takes half a millisecond and more
_LONG = 0.005  # seconds of making a constraint: what takes longer may have needed much memory meanwhile
_log = logging.getLogger("structgen")

T = TypeVar("T")
Compiled = tuple[Constraint, Any]  # and the report, None if it came from a file


class Remembered:
    """Compiled constraints by key, the least recently used first to go.   Thread-safe.

    At most `most` of them and, but for the newest, at most `most_bytes` of parser memory. A constraint that is in use
    stays alive with its matchers: to forget one only means that it will be compiled again.
    """

    def __init__(self, *, most: int = 128, most_bytes: int = 512 << 20) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._kept: OrderedDict[object, Compiled] = OrderedDict()
        self._making: dict[object, threading.Lock] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: object, make: Callable[[], Compiled]) -> Compiled:
        """What is kept under `key`; made by one thread while others that want it wait. Errors are not kept."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            gate = self._making.setdefault(key, threading.Lock())
        with gate:
            with self._lock:
                if key in self._kept:
                    return self._kept[key]
            started = time.perf_counter()
            try:
                made = make()
                with self._lock:
                    made = self._kept.setdefault(key, made)
                    self._shrink()
            finally:
                with self._lock:
                    self._making.pop(key, None)
                HEAP.look(now=time.perf_counter() - started > _LONG)
        return made

    def _shrink(self) -> None:
        sizes = {key: constraint.memo_bytes for key, (constraint, _) in self._kept.items()}
        total = sum(sizes.values())
        while len(self._kept) > self._most or (total > self._most_bytes and len(self._kept) > 1):
            total -= sizes[self._kept.popitem(last=False)[0]]

    def held(self) -> Held:
        """For memory.register."""
        with self._lock:
            kept = [constraint for constraint, _ in self._kept.values()]
        return Held(len(kept), sum(constraint.memo_bytes for constraint in kept), self._most, self._most_bytes)

    def clear(self) -> None:
        """Forget all; what is in use stays alive with its matchers."""
        with self._lock:
            self._kept.clear()


_remembered = Remembered()
register("api.compile.constraints", lambda: _remembered.held(), lambda: _remembered.clear())


@overload
def compile(*, vocabulary: Any, schema: TypeForm[T], **options: Unpack[CompileOptions]) -> Constraint[T]: ...
@overload
def compile(*, vocabulary: Any, schema: TypeAdapter[T], **options: Unpack[CompileOptions]) -> Constraint[T]: ...
@overload
def compile(*, vocabulary: Any, schema: None = None, **options: Unpack[CompileOptions]) -> Constraint[str]: ...
@overload
def compile(*, vocabulary: Any, schema: Any, **options: Unpack[CompileOptions]) -> Constraint[Any]: ...
def compile(*, vocabulary: Any, schema: Any = None, folder: Any = None, **source: Any) -> Constraint[Any]:
    """Compile `schema` or one of the sources of `structgen.api.options.SourceOptions` for a vocabulary.

    `schema` is a Python type, a TypeAdapter, a JSON Schema (mapping, boolean, text, or path). `style` says how JSON is
    spelled (numbers of a Python type always canonically, as types read them), `registry` (a `referencing.Registry`)
    holds other documents the schema refers to, `dialect` says how a JSON Schema without $schema is read ("draft4" to
    "2020-12", "openapi-3.0"). Keywords that look misspelled warn (SchemaWarning); `strict` refuses them. `folder` keeps
    what took long to compile, for other processes; a file in it that cannot be used is made again, with a warning in
    the log, and any may be deleted. `vocabulary` is a Vocabulary, or a tokenizer to make one of.
    The constraint knows how its texts are read: `generate(constraint=...)` gives the type's values.
    Raises SchemaError, UnsupportedSchema, Unsatisfiable, RegexError, GrammarError, LimitExceeded or OptionError.
    """
    if not isinstance(vocabulary, Vocabulary):
        vocabulary = Vocabulary.from_tokenizer(vocabulary)
    if folder is not None and not isinstance(folder, (str, os.PathLike)):
        raise OptionError(f"folder is a path, not {type(folder).__name__}", option="folder")
    found = source_of(schema=schema, **source).bound(vocabulary)
    target = found.target

    def make() -> Compiled:
        if folder is None or found.key is None:
            lowered = found.lower()
            return _compiled(lowered.grammar, found, vocabulary), lowered.report
        return _through_file(Path(folder) / f"{_file_name(found, vocabulary)}.structgen", found, vocabulary), None

    if found.key is None:
        return make()[0]
    reader = id(target.read) if target is not None and target.is_type else 0  # held by what is kept under this key
    return _remembered.get((found.kind, found.key, vocabulary.fingerprint, reader), make)[0]


def compile_source(source: Source | Constraint, vocabulary: Vocabulary) -> Compiled:
    """The constraint of a source and its report; what is compiled already is handed through.

    One constraint serves all types of one schema: who asks for it reads its texts by the source's own target.
    """
    if isinstance(source, Constraint):
        return source, None
    source = source.bound(vocabulary)

    def make() -> Compiled:
        lowered = source.lower()
        return _compiled(lowered.grammar, source, vocabulary), lowered.report

    if source.key is None:
        return make()
    return _remembered.get((source.kind, source.key, vocabulary.fingerprint, 0), make)


def _compiled(grammar: AnyGrammar, source: Source, vocabulary: Vocabulary) -> Constraint:
    try:
        return compile_grammar(grammar, vocabulary, source.target)
    except Unsatisfiable as error:
        if error.pointer or not source.name:
            raise
        raise Unsatisfiable(f"no text is in {source.name}", pointer=None) from None


def _file_name(source: Source, vocabulary: Vocabulary) -> str:
    """Another version of this library may read the same source differently, so it has files of its own."""
    return hashlib.sha256(f"{VERSION}|{source.kind}|{source.key}|{vocabulary.fingerprint}".encode()).hexdigest()


def _through_file(path: Path, source: Source, vocabulary: Vocabulary) -> Constraint:
    from structgen.constraint_files import load_constraint, save_constraint

    try:
        loaded = load_constraint(path, vocabulary)
        loaded.target = source.target
        return loaded
    except FileNotFoundError:
        pass
    except (OSError, StorageError) as error:
        _log.warning("a saved constraint is made again (%s)", error)
    started = time.perf_counter()
    grammar = source.lower().grammar
    slow = time.perf_counter() - started > _SLOW and not isinstance(grammar, LexedGrammar)
    constraint = _compiled(grammar, source, vocabulary)
    if slow:
        try:
            save_constraint(constraint, path)
        except OSError as error:
            _log.warning("could not save a constraint (%s)", error)
    return constraint
