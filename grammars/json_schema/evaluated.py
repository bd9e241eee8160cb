"""What a schema evaluates: which properties and items its subschemas have looked at, for `unevaluated...`.

That depends on which subschemas succeed, so the answer is a list of *ways*: a condition, and what is evaluated where it
holds. A way may leave out that a subschema succeeds: it then evaluates less and asks more, and another way says the
rest. So no way needs a negation, but the other side of an `if`, and their union is exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from structgen.errors import LimitExceeded
from structgen.grammars.json_schema import string
from structgen.grammars.json_schema.keywords import SCHEMA, keyword
from structgen.grammars.json_schema.object import key_entries
from structgen.grammars.json_schema.protocols import Scope
from structgen.grammars.json_schema.shapes import ArrayShape, ObjectShape, Shapes
from structgen.grammars.json_schema.terms import TRUE, Term
from structgen.grammars.regular.language import Language

__all__: list[str] = []

MODERN = (2019, 2020)
LAST = 3  # after everything whose evaluations count
REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")


@dataclass(frozen=True, slots=True)
class Way:
    """Where `condition` holds, keys of `keys`, the first `items` items (None: all) and items that fit one of `matched`
    are evaluated."""

    condition: Term = TRUE
    keys: Language = string.NO_STRINGS
    items: int | None = 0
    matched: tuple[Term, ...] = ()


NOTHING = Way()


def _own(scope: Scope, leave_out: str) -> Way:
    """What the schema's own keywords evaluate; `leave_out` is the keyword that asks."""
    schema, keys = scope.schema, string.NO_STRINGS
    names = frozenset(schema.get("properties", ()))
    if names:
        keys = string.literal_strings(names)
    for pattern in schema.get("patternProperties", ()):
        pointer = scope.at("patternProperties", pattern)
        keys = string.union(keys, string.pattern_language(pattern, pointer, "patternProperties"))
    if any(name in schema and name != leave_out for name in ("additionalProperties", "unevaluatedProperties")):
        keys = string.ALL_STRINGS
    matched = (scope.term(schema["contains"]),) if scope.draft == 2020 and "contains" in schema else ()
    return Way(TRUE, keys, _own_items(schema, scope.draft, leave_out), matched)


def _own_items(schema: dict[str, Any], draft: int, leave_out: str) -> int | None:
    """How many of the first items the schema's own keywords evaluate, None for all."""
    if "unevaluatedItems" in schema and leave_out != "unevaluatedItems":
        return None
    if draft == 2020:
        return None if "items" in schema else len(schema.get("prefixItems", ()))
    items = schema.get("items", [])
    every = not isinstance(items, list) or ("items" in schema and "additionalItems" in schema)
    return None if every else len(items)


def _ways(scope: Scope, leave_out: str = "") -> list[Way]:
    """What a schema that holds may have evaluated."""
    if isinstance(scope.node.schema, bool):
        return [NOTHING]
    with scope.visiting():
        schema, found = scope.schema, [_own(scope, leave_out)]
        for name in REFERENCES:
            if name in schema:
                found = _product(found, _ways(scope.target(schema[name], name)), scope)
        for part in schema.get("allOf", ()):
            found = _product(found, _ways(scope.inside(part)), scope)
        for part in schema.get("anyOf", ()):
            found = _product(found, [NOTHING, *_counted(part, scope)], scope)
        if "oneOf" in schema:
            found = _product(
                found, [NOTHING, *(way for part in schema["oneOf"] for way in _counted(part, scope))], scope
            )
        if "if" in schema:
            found = _product(found, [NOTHING, *_conditional(scope)], scope)
        for name, part in schema.get("dependentSchemas", {}).items():
            there = scope.terms.shapes(Shapes(objects=(ObjectShape(known=((name, True, TRUE),)),)))
            found = _product(found, [NOTHING, *_counted(part, scope, there)], scope)
        return found


def _counted(part: Any, scope: Scope, *more: Term) -> Iterator[Way]:
    """The ways of a subschema that need not succeed, where it does; none if it evaluates nothing."""
    for way in _ways(scope.inside(part)):
        if way != NOTHING:
            condition = scope.terms.meet(scope.term(part), way.condition, *more)
            yield Way(condition, way.keys, way.items, way.matched)


def _conditional(scope: Scope) -> Iterator[Way]:
    schema, terms = scope.schema, scope.terms
    condition = scope.term(schema["if"])
    inner = _ways(scope.inside(schema["if"]))
    then = _ways(scope.inside(schema["then"])) if "then" in schema else [NOTHING]
    for way in _product(inner, then, scope):
        if way != NOTHING:
            yield Way(terms.meet(condition, way.condition), way.keys, way.items, way.matched)
    for way in _ways(scope.inside(schema["else"])) if "else" in schema else ():
        if way != NOTHING:
            yield Way(terms.meet(terms.negate(condition), way.condition), way.keys, way.items, way.matched)


def _product(left: Iterable[Way], right: list[Way], scope: Scope) -> list[Way]:
    """Both hold: what either evaluates. Ways that evaluate the same are one, of either condition."""
    if right == [NOTHING]:
        return list(left)
    merged: dict[tuple[Language, int | None, tuple[Term, ...]], Term] = {}
    terms = scope.terms
    for a in left:
        for b in right:
            items = None if a.items is None or b.items is None else max(a.items, b.items)
            key = (string.union(a.keys, b.keys), items, tuple(dict.fromkeys(a.matched + b.matched)))
            condition = terms.meet(a.condition, b.condition)
            merged[key] = terms.union(merged[key], condition) if key in merged else condition
            if len(merged) > scope.limits.evaluated_ways:
                reason = f"what is evaluated at {scope.at()} depends on too many subschemas"
                raise LimitExceeded(reason, limit="evaluated_ways", allowed=scope.limits.evaluated_ways)
    return [Way(condition, *key) for key, condition in merged.items()]


@keyword("unevaluatedProperties", on="any", form=SCHEMA, drafts=MODERN, order=LAST)
def _unevaluated_properties(value: Any, scope: Scope) -> Term:
    terms, algebra, term = scope.terms, scope.algebra, scope.term(value)
    options = []
    for way in _ways(scope, "unevaluatedProperties"):
        shape = ObjectShape(others=key_entries([(string.complement(way.keys), term)]))
        options.append(terms.meet(way.condition, algebra.shaped(shape)))
    return terms.union(*options)


@keyword("unevaluatedItems", on="any", form=SCHEMA, drafts=MODERN, order=LAST)
def _unevaluated_items(value: Any, scope: Scope) -> Term:
    terms, algebra, term = scope.terms, scope.algebra, scope.term(value)
    options = []
    for way in _ways(scope, "unevaluatedItems"):
        rest = TRUE if way.items is None else terms.union(term, *way.matched)
        shape = ArrayShape((TRUE,) * (way.items or 0), rest)
        options.append(terms.meet(way.condition, algebra.shaped(shape)))
    return terms.union(*options)
