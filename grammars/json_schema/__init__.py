"""JSON Schema (drafts 4, 6, 7, 2019-09, 2020-12) to grammar IR: exact, or refused by name.

`compile_schema` reads a schema, combines what it says by the algebra of `algebra`, and writes a grammar whose texts
are the valid values in the spelling of a `JsonStyle`. A keyword that cannot be enforced raises `UnsupportedSchema`;
a schema that accepts nothing raises `Unsatisfiable`; a document that is not a schema raises `SchemaError`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from structgen.gc_pause import collector_paused
from structgen.grammars.json_schema import combinators as _combinators  # noqa: F401  (registers its keywords)
from structgen.grammars.json_schema import evaluated as _evaluated  # noqa: F401  (registers its keywords)
from structgen.grammars.json_schema.algebra import Algebra
from structgen.grammars.json_schema.dialects import refuse_wrapped
from structgen.grammars.json_schema.lowering import Lowering
from structgen.grammars.json_schema.reader import Reader, load
from structgen.grammars.json_schema.report import CompiledSchema, conflict_of
from structgen.grammars.json_schema.scope import entered
from structgen.grammars.json_schema.style import JsonStyle
from structgen.grammars.regular.machine import LIMITS
from structgen.grammars.time_limit import at_most
from structgen.options import Limits

if TYPE_CHECKING:
    from referencing import Registry

__all__ = ["CompiledSchema", "JsonStyle", "compile_schema"]


@collector_paused()
def compile_schema(
    schema: object,
    *,
    style: JsonStyle | None = None,
    registry: Registry[Any] | None = None,
    limits: Limits | None = None,
    writer: Callable[[Algebra, JsonStyle], Lowering] = Lowering,
) -> CompiledSchema:
    """The grammar of the JSON texts valid under `schema` (Python values or JSON text), and a report on its keywords.

    Other documents are found only in `registry`; nothing is fetched. `writer` writes the values in another way than
    JSON (structgen/grammars/tags/markup.py).
    """
    limits = limits or Limits()
    in_force = LIMITS.set(limits)
    try:
        with at_most(limits.seconds):
            return _compiled(schema, style or JsonStyle(), registry, limits, writer)
    finally:
        LIMITS.reset(in_force)


def _compiled(
    schema: object,
    style: JsonStyle,
    registry: Registry[Any] | None,
    limits: Limits,
    writer: Callable[[Algebra, JsonStyle], Lowering],
) -> CompiledSchema:
    document = load(schema)
    refuse_wrapped(document)
    reader = Reader(limits)
    root = reader.read(document)
    algebra = Algebra(reader, limits, registry)
    try:
        term = algebra.schema(root, entered((), root, reader.dynamic))
        if algebra.is_empty(term):
            raise conflict_of(term, algebra)
        lowering = writer(algebra, style)
        start = lowering.document(term)
        return CompiledSchema(lowering.builder.build(start), reader)
    finally:
        algebra.forget()
