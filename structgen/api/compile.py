"""`compile`: a constraint source and a vocabulary -> a `Constraint`, remembered by content.

The same schema asked for again costs a hash of its text. The cache is bounded and shared by all threads; two threads
that ask for the same new constraint at once may both compile it, and one result is kept.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from structgen.api.sources import Source, source_of
from structgen.compiler import compile_grammar
from structgen.grammars.ir import Grammar
from structgen.grammars.json_schema.style import JsonStyle
from structgen.matcher import Constraint
from structgen.options import Limits
from structgen.vocabulary import Vocabulary

__all__ = ["CACHE_SIZE", "compile", "compile_source"]

CACHE_SIZE = 128

_cache: OrderedDict[tuple[str, str, str], tuple[Constraint, Any]] = OrderedDict()
_lock = threading.Lock()


def compile(
    *,
    vocabulary: Vocabulary,
    schema: object = None,
    regex: str | None = None,
    choices: Sequence[str] | None = None,
    grammar: Grammar | None = None,
    style: JsonStyle | None = None,
    limits: Limits | None = None,
    registry: Any = None,
) -> Constraint:
    """Compile one of `schema`, `regex`, `choices` and `grammar` for a vocabulary.

    `schema` is a Python type, a TypeAdapter, a JSON Schema (mapping, boolean, text, or path). `style` says how JSON is
    spelled (numbers of a Python type always canonically, as types read them), `registry` (a `referencing.Registry`)
    holds other documents the schema refers to.
    Raises SchemaError, UnsupportedSchema, Unsatisfiable, RegexError, LimitExceeded or OptionError.
    """
    source = source_of(
        schema=schema, regex=regex, choices=choices, grammar=grammar, style=style, limits=limits, registry=registry
    )
    return compile_source(source, vocabulary)[0]


def compile_source(source: Source | Constraint, vocabulary: Vocabulary) -> tuple[Constraint, Any]:
    """The constraint of a source and its report; what is compiled already is handed through."""
    if isinstance(source, Constraint):
        return source, None
    if source.key is None:
        return _compiled(source, vocabulary)
    key = (source.kind, source.key, vocabulary.fingerprint)
    with _lock:
        if key in _cache:
            _cache.move_to_end(key)
            return _cache[key]
    made = _compiled(source, vocabulary)
    with _lock:
        kept = _cache.setdefault(key, made)
        while len(_cache) > CACHE_SIZE:
            _cache.popitem(last=False)
    return kept


def _compiled(source: Source, vocabulary: Vocabulary) -> tuple[Constraint, Any]:
    lowered = source.lower()
    return compile_grammar(lowered.grammar, vocabulary), lowered.report
