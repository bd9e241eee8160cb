"""Lower terms to grammar rules. Each array or object shape becomes one rule; equal shapes share it.

A queue of shapes still to be written replaces recursion: writing a shape asks for the values of its children, which
declares their rules and queues them. Scalars are rules shared by everything in the grammar that has the same set, and
their bodies are the same objects in every grammar of one style. So are the first rules of every grammar: the free-form
value and the kinds of value without restriction, written once per process and style (`_common`).
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import NamedTuple

from structgen.grammars.ir import NOTHING, Expr, GrammarBuilder, Graph, Literal, Ref, Rule, Terminal, alt, seq
from structgen.grammars.json_schema import array_text, object_text
from structgen.grammars.json_schema.algebra import Algebra
from structgen.grammars.json_schema.exclusion import all_but
from structgen.grammars.json_schema.finite import at_most_values, needs_distinct_keys, safe_elements, safe_keys
from structgen.grammars.json_schema.number import ALL_NUMBERS, NumberSet, integers
from structgen.grammars.json_schema.number_text import number_text
from structgen.grammars.json_schema.reader import Node, Reader
from structgen.grammars.json_schema.refusals import placed
from structgen.grammars.json_schema.shapes import ArrayShape, ObjectShape, Shapes
from structgen.grammars.json_schema.string import ALL_STRINGS, ANY_STRING, NO_STRING, literal_strings
from structgen.grammars.json_schema.style import JsonStyle, gaps
from structgen.grammars.json_schema.terms import TRUE, SchemaTerm, Term
from structgen.grammars.regular.json_spelling import json_spell
from structgen.grammars.regular.language import Language
from structgen.grammars.regular.lower import lower as lower_language
from structgen.grammars.regular.lower import open_states
from structgen.grammars.regular.simplify import exceptions
from structgen.grammars.regular.spelling import Spell
from structgen.grammars.regular.terms import Strings
from structgen.options import Limits

__all__ = ["Lowering"]

QUOTE, NULL = Literal(b'"'), Literal(b"null")
BOOLEANS = ((True, Literal(b"true")), (False, Literal(b"false")))
INTEGERS = integers()
NAMED = {ALL_NUMBERS: "any number", INTEGERS: "integer"}


class Common(NamedTuple):
    """What every grammar of a style begins with, and how `Lowering` finds it."""

    rules: tuple[Rule, ...]
    keys: dict[Hashable, Ref]
    values: dict[Term, Expr]
    distinct: tuple[tuple[int, int], ...] = ()


class Lowering:
    """Writes one grammar."""

    def __init__(self, algebra: Algebra, style: JsonStyle, common: Common | None = None) -> None:
        common = common or _common(style)
        self.algebra, self.style = algebra, style
        self.node: Node | None = None  # the schema being written
        self.builder = GrammarBuilder(common.rules)
        self.builder.distinct.extend(common.distinct)
        self.rules: dict[Hashable, Ref] = dict(common.keys)
        self.values: dict[Term, Expr] = dict(common.values)
        self.queue: list[tuple[Ref, ArrayShape | ObjectShape, Node | None]] = []
        self.gaps = gaps(style.whitespace)  # what may stand between tokens
        self._spell = json_spell(style.escapes, style.ascii_only)

    @property
    def place(self) -> str:
        """The pointer of the schema being written, for messages."""
        return "#" if self.node is None else self.node.pointer

    def document(self, term: Term) -> Ref:
        """A rule for a whole text whose value fits the term; all rules it needs are written."""
        start = self.builder.declare("document")
        outer = self.gaps.outer
        self.builder.define(start, seq(outer, self.value(term), outer))
        self.write()
        return start

    def write(self) -> None:
        """Write the shapes that are still declared only."""
        while self.queue:
            ref, shape, self.node = self.queue.pop()
            if isinstance(shape, ArrayShape):
                expr = array_text.by_values(shape, self) if shape.unique else None
                if expr is None and shape.unique:
                    shape = at_most_values(shape, self.algebra)
                    self.builder.distinct.append((ref.rule, safe_elements(shape, self.algebra)))
                self.builder.define(ref, array_text.lower(shape, self) if expr is None else expr)
            else:
                self.builder.define(ref, object_text.lower(shape, self))
                if needs_distinct_keys(shape) or (self.style.distinct_keys and not shape.is_closed):
                    self.builder.distinct.append((ref.rule, safe_keys(shape, self.algebra)))

    def value(self, term: Term) -> Expr:
        """The texts of the values that fit the term."""
        expr = self.values.get(term)
        if expr is None:
            if type(term) is SchemaTerm:
                self.node = term.node
            expr = self.values[term] = self._value(self.algebra.expand(term))
        return expr

    def _value(self, shapes: Shapes) -> Expr:
        options: list[Expr] = list(map(self._shape, shapes.objects))
        if shapes.arrays:
            options += map(self._shape, array_text.uncovered(shapes.arrays))
        if shapes.strings is ANY_STRING or (shapes.strings is not NO_STRING and not shapes.strings.inner.is_empty()):
            options.append(self.string(shapes.strings.inner))
        if shapes.numbers:
            options.append(self._number(shapes.numbers))
        if shapes.booleans:
            options += [text for value, text in BOOLEANS if value in shapes.booleans]
        if shapes.null:
            options.append(NULL)
        if len(options) < 2:
            return options[0] if options else NOTHING
        return self._shared(("value", *options), "value", alt(*options))

    def _shared(self, key: Hashable, name: str, body: Expr) -> Expr:
        ref = self.rules.get(key)
        if ref is None:
            if body == NOTHING:
                return NOTHING
            ref = self.rules[key] = self.builder.rule(name, body)
        return ref

    def _shape(self, shape: ArrayShape | ObjectShape) -> Ref:
        ref = self.rules.get(shape)
        if ref is None:
            name = "array" if isinstance(shape, ArrayShape) else "object"
            place = self.place
            ref = self.rules[shape] = self.builder.declare(name if place == "#" else f"{name} {place}")
            self.queue.append((ref, shape, self.node))
        return ref

    def element(self, term: Term) -> Expr:
        """An element of an array: a value."""
        return self.value(term)

    def member(self, name: str, term: Term) -> Expr:
        """A member of an object: `"name": value`."""
        return seq(self.key(name), self.gaps.colon, self.value(term))

    def unknown(self, language: Language, term: Term) -> Expr:
        """A member whose name is any of a language."""
        return seq(self.string(language), self.gaps.colon, self.value(term))

    def string(self, language: Language) -> Expr:
        """JSON strings, quotes included, whose content is in the language."""
        known = self.rules.get(language)
        if known is not None:
            return known
        name = "string" if language is ALL_STRINGS else "restricted string"
        with placed(self.node):
            return self._shared(language, name, _string(language, self._spell))

    def key(self, name: str) -> Expr:
        """The spellings of one property name."""
        if self.style.escapes == "canonical":
            text = encode_basestring_ascii(name) if self.style.ascii_only else encode_basestring(name)
            if text.isascii() or not any("\ud800" <= char <= "\udfff" for char in name):
                return Literal(text.encode())
        spelled = _string(literal_strings(frozenset((name,))), self._spell)
        return self._shared(("key", name), f"key {name!r}", spelled)

    def _number(self, numbers: NumberSet) -> Expr:
        known = self.rules.get(numbers)
        if known is not None:
            return known
        canonical = self.style.numbers == "canonical"
        limits, bound = self.algebra.limits, self.style.max_digits
        text = number_text(numbers, canonical=canonical, max_states=limits.number_states, max_digits=bound)
        return self._shared(numbers, NAMED.get(numbers, "number"), text if text == NOTHING else Terminal(text))


@lru_cache(maxsize=4096)
def _string(language: Language, spell: Spell) -> Expr:
    """Quotes included; the same object for the same language and spelling."""
    excluded = exceptions(language.term)
    if excluded:
        return all_but(excluded, spell, _any_string(spell))
    if language is ALL_STRINGS:
        return _any_string(spell)
    content = lower_language(language, spell)
    body = seq(QUOTE, content, QUOTE)
    if isinstance(language.term, Strings) or body == NOTHING:
        return body
    free = open_states(language) if isinstance(content, Graph) else set()
    return _open_string(content, free, _any_string(spell)) if free else Terminal(body)  # type: ignore[arg-type]


def _open_string(content: Graph, free: set[int], any_string: Terminal) -> Graph:
    """Quotes included. In the states `free` of the content any text may follow, so inside they are like any string."""
    start, end = content.n_states, content.n_states + 1
    edges = [*content.edges, (start, QUOTE, content.start), *((state, QUOTE, end) for state in content.accepts)]
    promise = [b'"' if state in free else None for state in range(start)]
    outside = b"" if content.start in free else None
    return Graph.of(end + 1, start, (end,), edges, (any_string, (*promise, outside, None)))


@lru_cache(maxsize=64)
def _any_string(spell: Spell) -> Terminal:
    return Terminal(seq(QUOTE, lower_language(ALL_STRINGS, spell), QUOTE))


@lru_cache(maxsize=64)
def _common(style: JsonStyle) -> Common:
    """The free-form value and what it consists of; and whole numbers."""
    limits = Limits()
    writer = Lowering(Algebra(Reader(limits), limits), style, Common((), {}, {}))
    writer.value(TRUE)
    writer._number(INTEGERS)
    writer.write()
    unlike = {"value": "any value", "object": "any object", "array": "any array"}
    grammar = writer.builder.build(Ref(0))
    rules = tuple(Rule(unlike.get(rule.name, rule.name), rule.body) for rule in grammar.rules)
    return Common(rules, writer.rules, {TRUE: writer.values[TRUE]}, grammar.distinct)
