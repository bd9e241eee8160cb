"""Keywords that combine schemas or list values: each becomes a term.

`allOf` and references are meets, `anyOf` a union, `not` a complement, `if` and the dependencies implications.
"""

from __future__ import annotations

from typing import Any

from structgen.grammars.json_schema.keywords import (
    ANYTHING,
    BOOLEAN,
    DEPENDENCIES,
    LIST,
    SCHEMA,
    SCHEMA_MAP,
    SCHEMAS,
    STRING,
    STRING_LISTS,
    keyword,
)
from structgen.grammars.json_schema.protocols import Scope
from structgen.grammars.json_schema.shapes import ObjectShape
from structgen.grammars.json_schema.terms import FALSE, TRUE, Term

__all__: list[str] = []

LATE = 2  # after the schema's own properties, so that those come first in the declared order


@keyword("enum", on="any", form=LIST)
def _enum(value: list[Any], scope: Scope) -> Term:
    return scope.terms.values(value)


@keyword("const", on="any", form=ANYTHING, drafts=(6, 7, 2019, 2020))
def _const(value: Any, scope: Scope) -> Term:
    return scope.terms.values((value,))


@keyword("allOf", on="any", form=SCHEMAS, order=LATE)
def _all_of(value: list[Any], scope: Scope) -> Term:
    return scope.terms.meet(*map(scope.term, value))


@keyword("anyOf", on="any", form=SCHEMAS, order=LATE)
def _any_of(value: list[Any], scope: Scope) -> Term:
    return scope.terms.union(*map(scope.term, value))


@keyword("oneOf", on="any", form=SCHEMAS, order=LATE)
def _one_of(value: list[Any], scope: Scope) -> Term:
    return scope.terms.exactly_one(map(scope.term, value))


@keyword("not", on="any", form=SCHEMA, order=LATE)
def _not(value: Any, scope: Scope) -> Term:
    return scope.terms.negate(scope.term(value))


@keyword("if", on="any", form=SCHEMA, drafts=(7, 2019, 2020), order=LATE)
def _if(value: Any, scope: Scope) -> Term:
    terms, schema, condition = scope.terms, scope.schema, scope.term(value)
    then = scope.term(schema["then"]) if "then" in schema else TRUE
    otherwise = scope.term(schema["else"]) if "else" in schema else TRUE
    return terms.union(terms.meet(condition, then), terms.meet(terms.negate(condition), otherwise))


@keyword("then", on="place", form=SCHEMA, drafts=(7, 2019, 2020))
@keyword("else", on="place", form=SCHEMA, drafts=(7, 2019, 2020))
@keyword("$defs", on="place", form=SCHEMA_MAP, drafts=(2019, 2020))
@keyword("definitions", on="place", form=SCHEMA_MAP)
@keyword("$id", on="place", form=STRING, drafts=(6, 7, 2019, 2020))
@keyword("id", on="place", form=STRING, drafts=(4,))
@keyword("$schema", on="place", form=STRING)
@keyword("$anchor", on="place", form=STRING, drafts=(2019, 2020))
@keyword("$dynamicAnchor", on="place", form=STRING, drafts=(2020,))
@keyword("$recursiveAnchor", on="place", form=BOOLEAN, drafts=(2019,))
def _place(value: Any, scope: Scope) -> None:
    return None


@keyword("$ref", on="any", form=STRING, order=LATE)
def _reference(value: str, scope: Scope) -> Term:
    return scope.resolve(value, "$ref")


def _dependency(name: str, needed: Any, scope: Scope) -> Term:
    """If property `name` is there, so are the `needed` names; or the value satisfies the `needed` schema."""
    sets, terms = scope.algebra, scope.terms
    absent = sets.shaped(ObjectShape(known=((name, False, FALSE),)))
    if isinstance(needed, list):
        if not needed:
            return TRUE
        known = tuple((other, True, TRUE) for other in dict.fromkeys((name, *needed)))
        return terms.union(absent, sets.shaped(ObjectShape(known=known)))
    then = terms.meet(sets.shaped(ObjectShape(known=((name, True, TRUE),))), scope.term(needed))
    return terms.union(absent, then)


@keyword("dependentRequired", on="any", form=STRING_LISTS, drafts=(2019, 2020), order=LATE)
def _dependent_required(value: dict[str, list[str]], scope: Scope) -> Term:
    return scope.terms.meet(*(_dependency(name, needed, scope) for name, needed in value.items()))


@keyword("dependentSchemas", on="any", form=SCHEMA_MAP, drafts=(2019, 2020), order=LATE)
@keyword("dependencies", on="any", form=DEPENDENCIES, drafts=(4, 6, 7), order=LATE)
def _dependencies(value: dict[str, Any], scope: Scope) -> Term:
    return scope.terms.meet(*(_dependency(name, needed, scope) for name, needed in value.items()))


@keyword("$dynamicRef", on="any", form=STRING, drafts=(2020,), order=LATE)
def _dynamic_reference(value: str, scope: Scope) -> Term:
    return scope.resolve(value, "$dynamicRef")


@keyword("$recursiveRef", on="any", form=STRING, drafts=(2019,), order=LATE)
def _recursive_reference(value: str, scope: Scope) -> Term:
    return scope.resolve(value, "$recursiveRef")
