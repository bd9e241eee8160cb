"""Lower terms to grammar rules. Each array or object shape becomes one rule; equal shapes share it.

A queue of shapes still to be written replaces recursion: writing a shape asks for the values of its children, which
declares their rules and queues them. Scalars are rules shared by everything in the grammar that has the same set.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from structgen.grammars.ir import NOTHING, Expr, GrammarBuilder, Literal, Ref, alt, seq
from structgen.grammars.json_schema import array, object_text
from structgen.grammars.json_schema.algebra import Algebra
from structgen.grammars.json_schema.array import ArrayShape
from structgen.grammars.json_schema.exclusion import all_but
from structgen.grammars.json_schema.number import NumberSet
from structgen.grammars.json_schema.number_text import number_text
from structgen.grammars.json_schema.object import ObjectShape
from structgen.grammars.json_schema.shapes import Shapes
from structgen.grammars.json_schema.string import ALL_STRINGS, literal_strings
from structgen.grammars.json_schema.style import Gaps, JsonStyle, gaps
from structgen.grammars.json_schema.terms import SchemaTerm, Term
from structgen.grammars.regular.json_spelling import json_spell
from structgen.grammars.regular.language import Language
from structgen.grammars.regular.lower import Spell
from structgen.grammars.regular.lower import lower as lower_language
from structgen.grammars.regular.terms import Strings

__all__ = ["Lowering"]

QUOTE = Literal(b'"')


@dataclass(slots=True)
class Lowering:
    """Writes one grammar. `place` is the pointer of the schema being written, for messages."""

    algebra: Algebra
    style: JsonStyle
    builder: GrammarBuilder = field(default_factory=GrammarBuilder)
    rules: dict[Hashable, Ref] = field(default_factory=dict)
    values: dict[Term, Expr] = field(default_factory=dict)
    queue: list[tuple[Ref, ArrayShape | ObjectShape, str]] = field(default_factory=list)
    place: str = "#"

    @property
    def gaps(self) -> Gaps:
        """What may stand between tokens."""
        return gaps(self.style.whitespace)

    def document(self, term: Term) -> Ref:
        """A rule for a whole text whose value fits the term; all rules it needs are written."""
        start = self.builder.declare("document")
        outer = self.gaps.outer
        self.builder.define(start, seq(outer, self.value(term), outer))
        while self.queue:
            ref, shape, self.place = self.queue.pop()
            if isinstance(shape, ArrayShape):
                self.builder.define(ref, array.lower(shape, self))
            else:
                self.builder.define(ref, object_text.lower(shape, self))
        return start

    def value(self, term: Term) -> Expr:
        """The texts of the values that fit the term."""
        expr = self.values.get(term)
        if expr is None:
            if isinstance(term, SchemaTerm):
                self.place = term.node.pointer
            expr = self.values[term] = self._value(self.algebra.expand(term))
        return expr

    def _value(self, shapes: Shapes) -> Expr:
        options: list[Expr] = [self._shape(shape) for shape in shapes.objects]
        options.extend(self._shape(shape) for shape in shapes.arrays)
        if not shapes.strings.inner.is_empty():
            options.append(self.string(shapes.strings.inner))
        if shapes.numbers:
            options.append(self._number(shapes.numbers))
        options.extend(Literal(b"true" if value else b"false") for value in (True, False) if value in shapes.booleans)
        if shapes.null:
            options.append(Literal(b"null"))
        if len(options) < 2:
            return options[0] if options else NOTHING
        return self._shared(("value", shapes), "value", lambda: alt(*options))

    def _shared(self, key: Hashable, name: str, body: Callable[[], Expr]) -> Expr:
        ref = self.rules.get(key)
        if ref is None:
            expr = body()
            if expr == NOTHING:
                return NOTHING
            ref = self.rules[key] = self.builder.rule(name, expr)
        return ref

    def _shape(self, shape: ArrayShape | ObjectShape) -> Ref:
        ref = self.rules.get(shape)
        if ref is None:
            name = "array" if isinstance(shape, ArrayShape) else "object"
            ref = self.rules[shape] = self.builder.declare(name if self.place == "#" else f"{name} {self.place}")
            self.queue.append((ref, shape, self.place))
        return ref

    def string(self, language: Language) -> Expr:
        """JSON strings, quotes included, whose content is in the language."""
        name = "string" if language is ALL_STRINGS else "restricted string"
        return self._shared(language, name, lambda: seq(QUOTE, self._content(language), QUOTE))

    def _content(self, language: Language) -> Expr:
        rest = (~language).term
        if isinstance(rest, Strings) and rest.members:
            return all_but(rest.members, self._spell)
        return lower_language(language, self._spell)

    @property
    def _spell(self) -> Spell:
        return json_spell(self.style.escapes, self.style.ascii_only)

    def key(self, name: str) -> Expr:
        """The spellings of one property name."""
        if self.style.escapes == "canonical":
            text = json.dumps(name, ensure_ascii=self.style.ascii_only)
            if text.isascii() or not any("\ud800" <= char <= "\udfff" for char in name):
                return Literal(text.encode())
        return self._shared(("key", name), f"key {name!r}", lambda: self.string(literal_strings(frozenset((name,)))))

    def _number(self, numbers: NumberSet) -> Expr:
        style, limit = self.style, self.algebra.limits.number_states
        canonical = style.numbers == "canonical"
        return self._shared(numbers, "number", lambda: number_text(numbers, canonical=canonical, max_states=limit))
