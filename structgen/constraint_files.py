"""Compiled constraints in files: a line that says what it is, then the grammar as text.

A file holds the grammar IR, checked when it is read; networks are built from it in less time than reading them would
take, and no layout of arrays becomes a promise. Of a Lark grammar with a lexer it holds the user's text, which lark
reads anew. The vocabulary is not in the file, only its fingerprint.

Reading guards against files that are damaged, foreign, of another version or for another vocabulary, and against ones
that would lead the kernels out of their arrays. What a file says about the language is taken at its word.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from structgen.compiler import compile_grammar
from structgen.disk_cache import write_whole
from structgen.errors import GrammarError, InvariantError, StorageError
from structgen.grammars.ir_lr import LexedGrammar
from structgen.grammars.lark.stored import read_lexed, write_lexed
from structgen.grammars.storage import read_grammar, write_grammar
from structgen.matcher import Constraint

if TYPE_CHECKING:
    from structgen.vocabulary import Vocabulary

__all__ = ["load_constraint", "save_constraint"]

_FORMAT = "structgen constraint"
_VERSION = 3  # of this file format; a change of the IR's meaning is one


def save_constraint(constraint: Constraint, path: str | os.PathLike[str]) -> None:
    """Write a constraint to a file, whole or not at all. Raises OSError."""
    write_whole(Path(path), to_bytes(constraint))


def load_constraint(path: str | os.PathLike[str], vocabulary: Vocabulary) -> Constraint:
    """Read a constraint for the vocabulary it was compiled for.

    Raises OSError when the file cannot be read, StorageError when it is not such a file, is damaged, has another
    version or belongs to another vocabulary.
    """
    return from_bytes(Path(path).read_bytes(), vocabulary, source=os.fspath(path))


def to_bytes(constraint: Constraint) -> bytes:
    """The content of a file."""
    grammar = constraint.grammar
    if constraint.asks:
        raise StorageError("what it allows is asked for while it runs", source=repr(constraint))
    body = (write_lexed(grammar) if isinstance(grammar, LexedGrammar) else write_grammar(grammar)).encode("ascii")
    head = {
        "format": _FORMAT,
        "version": _VERSION,
        "vocabulary": constraint.vocabulary.fingerprint,
        "sha256": hashlib.sha256(body).hexdigest(),
    }
    return json.dumps(head).encode("ascii") + b"\n" + body + b"\n"


def from_bytes(content: bytes, vocabulary: Vocabulary, *, source: str = "constraint") -> Constraint:
    """The constraint of such a content; `source` names it in errors."""
    first, _, body = content.partition(b"\n")
    head = _head(first, source)
    if head.get("version") != _VERSION:
        raise StorageError(f"version {head.get('version')} of the format, not {_VERSION}", source=source)
    if head.get("sha256") != hashlib.sha256(body[:-1]).hexdigest():
        raise StorageError("damaged: the checksum does not fit", source=source)
    if head.get("vocabulary") != vocabulary.fingerprint:
        raise StorageError("made for another vocabulary", source=source)
    try:
        if body.startswith(b'{"lark":'):
            return compile_grammar(read_lexed(json.loads(body)), vocabulary)
        constraint = compile_grammar(read_grammar(body), vocabulary)
        constraint.automaton.validate()
    except (ValueError, RecursionError, InvariantError, GrammarError) as error:
        raise StorageError(f"no valid grammar: {error}", source=source) from error
    return constraint


def _head(line: bytes, source: str) -> dict[str, Any]:
    try:
        head = json.loads(line)
    except (ValueError, RecursionError):
        head = None
    if not isinstance(head, dict) or head.get("format") != _FORMAT:
        raise StorageError("not a file of a structgen constraint", source=source)
    return head
