"""Objects: meet and complement of shapes, and the keywords about objects.

A shape (shapes.py) says: for each `known` name whether it must be there and what its value satisfies; for every other
key in the language of an entry of `others` what its value satisfies; for each entry of `some` that there is another key
of that language with such a value; and how many properties there are. (A language of None is every key.) Known names
are in the order to be written.

Meet works name by name, a name known to one side only being looked up in the other side's `others`. The complement
is a union over the ways one condition fails. Both are linear in the number of names, times the entries of `others`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import product
from typing import Any

from structgen.errors import LimitExceeded, UnsupportedSchema
from structgen.grammars.json_schema import string
from structgen.grammars.json_schema.keywords import NATURAL, SCHEMA, SCHEMA_MAP, STRINGS, keyword
from structgen.grammars.json_schema.protocols import Scope, Sets
from structgen.grammars.json_schema.shapes import ANY_OBJECT, Keys, ObjectShape, Property, absorbed
from structgen.grammars.json_schema.terms import FALSE, TRUE, Term
from structgen.grammars.regular.language import Language

__all__ = ["complement", "key_entries", "meet", "normal", "regions", "spread", "with_conditions"]


def _contains(language: Language | None, name: str) -> bool:
    return language is None or language.contains(name)


def _other_at(shape: ObjectShape, name: str, algebra: Sets) -> Term:
    """What a name the shape does not know must satisfy."""
    if not shape.others:
        return TRUE
    return algebra.terms.meet(*(term for language, term in shape.others if _contains(language, name)))


def meet(a: ObjectShape, b: ObjectShape, algebra: Sets) -> tuple[ObjectShape, ...]:
    """What fits both: one shape, or several where a `some` may be met by a name the other side knows."""
    if a == ANY_OBJECT or b == ANY_OBJECT:
        return (b if a == ANY_OBJECT else a,)
    if (a.conditions or b.conditions) and (_is_counted(a) or _is_counted(b)):
        pairs = product(spread(a, algebra), spread(b, algebra))
        return tuple(dict.fromkeys(shape for x, y in pairs for shape in meet(x, y, algebra)))
    algebra.step()
    meet_terms = algebra.terms.meet
    of_b = {name: (required, term) for name, required, term in b.known}
    known: list[Property] = []
    for name, required, term in a.known:
        other = of_b.pop(name, None)
        if other is None:
            known.append((name, required, meet_terms(term, _other_at(b, name, algebra)) if b.others else term))
        else:
            both = meet_terms(term, other[1])
            if both is not term and both is not other[1] and algebra.is_empty(both):
                both = FALSE  # so that equal shapes look equal
            known.append((name, required or other[0], both))
    for name, (required, term) in of_b.items():
        known.append((name, required, meet_terms(_other_at(a, name, algebra), term) if a.others else term))
    maxima = [maximum for maximum in (a.maximum, b.maximum) if maximum is not None]
    others = a.others if not b.others else tuple(dict.fromkeys(a.others + b.others))
    narrowed = a.narrowed or b.narrowed
    conditions = tuple(dict.fromkeys(a.conditions + b.conditions))
    shape = ObjectShape(
        tuple(known), others, (), max(a.minimum, b.minimum), min(maxima, default=None), narrowed, conditions
    )
    shapes = [shape]
    for owner in (a, b):
        names = {name for name, _, _ in owner.known} if owner.some else set()
        for keys in owner.some:
            shapes = [split for each in shapes for split in _with_some(each, keys, names, algebra)]
    found = (normal(each, algebra) for each in shapes)
    return tuple(dict.fromkeys(each for each in found if each is not None))


def _is_counted(shape: ObjectShape) -> bool:
    """Whether what some property does bears on the others, so that conditions cannot be seen one by one."""
    return bool(shape.some or shape.minimum or shape.maximum is not None)


def with_conditions(conditions: Iterable[tuple[ObjectShape, ...]]) -> ObjectShape:
    """The objects that fit one alternative of each condition (conditions.py)."""
    listed = tuple(dict.fromkeys(conditions))
    names = dict.fromkeys(name for condition in listed for shape in condition for name, _, _ in shape.known)
    return ObjectShape(tuple([(name, False, TRUE) for name in names]), conditions=listed)


def spread(shape: ObjectShape, algebra: Sets) -> tuple[ObjectShape, ...]:
    """The same without conditions: a shape for every choice of alternatives. Raises LimitExceeded."""
    shapes: tuple[ObjectShape, ...] = (replace(shape, conditions=()),)
    for condition in shape.conditions:
        shapes = algebra.bounded(tuple(each for x in shapes for y in condition for each in meet(x, y, algebra)))
        shapes = absorbed(shapes)
    return shapes


def _with_some(shape: ObjectShape, keys: Keys, excluded: set[str], algebra: Sets) -> list[ObjectShape]:
    """A key outside `excluded` fits `keys`: one of the names known now, or another."""
    language, wanted = keys
    splits = []
    for index, (name, _, term) in enumerate(shape.known):
        if name not in excluded and _contains(language, name):
            witness = (name, True, algebra.terms.meet(term, wanted))
            splits.append(replace(shape, known=(*shape.known[:index], witness, *shape.known[index + 1 :])))
    return [*splits, replace(shape, some=tuple(dict.fromkeys((*shape.some, keys))))]


def normal(shape: ObjectShape, algebra: Sets) -> ObjectShape | None:
    """The shape, or None when it is seen that no object fits."""
    n_required = 0
    for _, required, term in shape.known:
        if required:
            n_required += 1
            if algebra.is_empty(term):
                return None
    n_required += bool(shape.some)
    maximum = shape.maximum
    if maximum is not None and (maximum < n_required or maximum < shape.minimum):
        return None
    if shape.minimum > n_required and shape.is_closed:
        possible = sum(required or not algebra.is_empty(term) for _, required, term in shape.known)
        if possible < shape.minimum:
            return None
    for language, wanted in shape.some:
        if all(algebra.is_empty(term) for _, term in regions(shape, algebra, language, wanted)):
            return None
    return shape


def regions(
    shape: ObjectShape, algebra: Sets, within: Language | None = None, value: Term = TRUE
) -> list[tuple[Language, Term]]:
    """The unknown keys (of `within`) in disjoint languages, each with what its values satisfy; empty parts left out."""
    if shape.is_closed:
        return []
    names = frozenset(name for name, _, _ in shape.known)
    keys = string.ALL_STRINGS if within is None else within
    if names:
        keys = string.meet(keys, _all_but(names))
    parts: list[tuple[Language, Term]] = [] if keys is string.NO_STRINGS else [(keys, value)]
    for language, term in shape.others:
        split: list[tuple[Language, Term]] = []
        for part, so_far in parts:
            both = part if language is None else string.meet(part, language)
            if both is not string.NO_STRINGS:
                split.append((both, algebra.terms.meet(so_far, term)))
            if language is not None:
                rest = string.meet(part, string.complement(language))
                if rest is not string.NO_STRINGS:
                    split.append((rest, so_far))
        parts = [(part, so_far) for part, so_far in split if so_far is not FALSE]
        allowed = algebra.limits.key_regions
        if len(parts) > allowed:
            reason = f"the patterns for names overlap in too many ways, at {algebra.place}"
            raise LimitExceeded(reason, limit="key_regions", allowed=allowed)
    return parts


def _all_but(names: frozenset[str]) -> Language:
    return string.complement(string.literal_strings(names))


def complement(shape: ObjectShape, algebra: Sets) -> tuple[ObjectShape, ...]:
    """Every other object, as a union over the ways the shape can fail.

    Required properties with finitely many values fail first, and hold in all other ways: the ways of shapes that such a
    property tells apart then exclude each other, and subtracting n of them costs a sum of ways, not a product.
    """
    if shape.narrowed:
        reason = "other names than those of a format that is not a regular language"
        raise UnsupportedSchema(reason, pointer=shape.narrowed, keyword="propertyNames")
    if shape.conditions:
        return complement(replace(shape, conditions=()), algebra) + tuple(
            way for condition in shape.conditions for way in _failing(condition, algebra)
        )
    negate, ways = algebra.terms.negate, []
    held: dict[str, Property] = {}
    for name, required, term in shape.known:
        if required and algebra.is_choice(term):
            ways.append(ObjectShape((*held.values(), (name, False, negate(term)))))
            held[name] = (name, True, term)
    context = tuple(held.values())
    for name, required, term in shape.known:
        if name not in held and (required or term is not TRUE):  # when required: absent, or there with another value
            ways.append(ObjectShape((*context, (name, not required, negate(term)))))
    names = tuple(held.get(name, (name, False, TRUE)) for name, _, _ in shape.known)
    for language, term in shape.others:
        if term is not TRUE:
            ways.append(ObjectShape(names, some=((language, negate(term)),)))
    for language, term in shape.some:
        ways.append(ObjectShape(names, others=((language, negate(term)),)))
    if shape.minimum > 0:
        ways.append(ObjectShape(context, maximum=shape.minimum - 1))
    if shape.maximum is not None:
        ways.append(ObjectShape(context, minimum=shape.maximum + 1))
    found = (normal(way, algebra) for way in ways)
    return tuple(way for way in found if way is not None)


def _failing(condition: tuple[ObjectShape, ...], algebra: Sets) -> tuple[ObjectShape, ...]:
    """The objects that fit no alternative."""
    ways: tuple[ObjectShape, ...] = (ANY_OBJECT,)
    for shape in condition:
        others = complement(shape, algebra)
        ways = algebra.bounded(tuple(each for x in ways for y in others for each in meet(x, y, algebra)))
    return ways


# ------------------------------------------------------------------------------------------------------- keywords


@keyword("properties", on="object", form=SCHEMA_MAP, order=0)
def _properties(value: dict[str, Any], scope: Scope) -> ObjectShape:
    """The declared names; with what `required` and, where no pattern takes part, `additionalProperties` say."""
    schema, term = scope.schema, scope.term
    needed = schema.get("required", ())
    others: tuple[Keys, ...] = ()
    if "additionalProperties" in schema and "patternProperties" not in schema:
        others = key_entries([(string.ALL_STRINGS, term(schema["additionalProperties"]))])
    return ObjectShape(tuple([(name, name in needed, term(item)) for name, item in value.items()]), others)


@keyword("required", on="object", form=STRINGS)
def _required(value: list[str], scope: Scope) -> ObjectShape:
    declared = scope.schema.get("properties", ())  # its function reads `required` too
    undeclared = tuple([(name, True, TRUE) for name in value if name not in declared])
    return ObjectShape(undeclared) if undeclared else ANY_OBJECT


def _patterns(scope: Scope) -> list[Language]:
    patterns = scope.schema.get("patternProperties", ())
    pointer = scope.at("patternProperties")
    return [string.pattern_language(pattern, f"{pointer}/{pattern}", "patternProperties") for pattern in patterns]


@keyword("patternProperties", on="object", form=SCHEMA_MAP)
def _pattern_properties(value: dict[str, Any], scope: Scope) -> ObjectShape:
    return ObjectShape(others=key_entries(zip(_patterns(scope), map(scope.term, value.values()), strict=True)))


@keyword("additionalProperties", on="object", form=SCHEMA)
def _additional_properties(value: Any, scope: Scope) -> ObjectShape:
    term, schema = scope.term(value), scope.schema
    if term is TRUE or ("properties" in schema and "patternProperties" not in schema):
        return ANY_OBJECT  # nothing is asked, or `properties` has read it
    covered = string.NO_STRINGS
    for language in _patterns(scope):
        covered = string.union(covered, language)
    known = tuple((name, False, TRUE) for name in schema.get("properties", ()))
    return ObjectShape(known, key_entries([(string.complement(covered), term)]))


@keyword("propertyNames", on="object", form=SCHEMA, drafts=(6, 7, 2019, 2020))
def _property_names(value: Any, scope: Scope) -> ObjectShape:
    allowed = scope.algebra.expand(scope.term(value)).strings
    narrowed = "" if allowed.inner is allowed.outer else scope.at("propertyNames")
    return ObjectShape(others=key_entries([(string.complement(allowed.inner), FALSE)]), narrowed=narrowed)


def key_entries(entries: Iterable[tuple[Language, Term]]) -> tuple[Keys, ...]:
    """Keys of each language have such values, as entries of `others`."""
    return tuple(
        (None if language is string.ALL_STRINGS else language, term)
        for language, term in entries
        if language is not string.NO_STRINGS and term is not TRUE
    )


@keyword("minProperties", on="object", form=NATURAL)
def _min_properties(value: int, scope: Scope) -> ObjectShape:
    return ObjectShape(minimum=int(value))


@keyword("maxProperties", on="object", form=NATURAL)
def _max_properties(value: int, scope: Scope) -> ObjectShape:
    return ObjectShape(maximum=int(value))
