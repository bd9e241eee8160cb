"""Arguments written as mark-up instead of JSON: an object's members between marks, as the styles below say.

    qwen_xml     <parameter=city>
                 Paris
                 </parameter>
    glm_xml      <arg_key>city</arg_key><arg_value>Paris</arg_value>
    gemma        {city:<|"|>Paris<|"|>,days:3}

A string stands as it is, without the mark that closes it; every other value is JSON with blanks around it. Where a
style says of what type a value is, the type is the value's own. `nested` styles write the values inside arrays and
objects in the same way. What a schema says of strings is met with what can stand between the marks, so that nothing of
it is dropped. Blanks between members are those of the JSON style: what `JsonStyle()` allows behind a comma.

The writers are `json_schema.lowering.Lowering` with other marks; costs are its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from structgen.errors import UnsupportedSchema
from structgen.grammars.ir import EPSILON, NOTHING, ByteSet, Expr, Literal, Ref, Repeat, Terminal, alt, optional, seq
from structgen.grammars.json_schema import object_text, string
from structgen.grammars.json_schema.algebra import Algebra
from structgen.grammars.json_schema.finite import needs_distinct_keys
from structgen.grammars.json_schema.lowering import Common, Lowering
from structgen.grammars.json_schema.reader import Reader, load
from structgen.grammars.json_schema.scope import entered
from structgen.grammars.json_schema.shapes import NOTHING as NO_VALUES
from structgen.grammars.json_schema.shapes import Shapes
from structgen.grammars.json_schema.style import Gaps, JsonStyle, gaps
from structgen.grammars.json_schema.terms import Term
from structgen.grammars.regular.charset import utf8
from structgen.grammars.regular.language import Language
from structgen.grammars.regular.lower import lower as lower_language
from structgen.grammars.tags.free_text import closed_text
from structgen.grammars.tags.marks import Pieces, Symbols, cut, mark
from structgen.options import Limits

__all__ = ["MARKUPS", "Markup", "kinds_of_members", "without", "writer_of"]

KINDS = {  # of values -> the field of `Shapes` that holds them
    "string": "strings",
    "number": "numbers",
    "boolean": "booleans",
    "null": "null",
    "array": "arrays",
    "object": "objects",
}
UNTYPED = dict.fromkeys(KINDS, "")
LINE = Literal(b"\n")


@dataclass(frozen=True, slots=True)
class Markup:
    """One style.

    field    meaning
    open     what stands before a member's value: {key} is its name, {type} what `types` says, {gap} blanks
    close    what stands behind it; {key}
    types    by kind of value; kinds of one word share the marks
    names    a pattern of the names that may stand where {key} does
    lines    one line break on either side of a string is not part of it
    blanks   blanks may stand around a value that is no string
    item     the marks around an element of an array, of nested styles
    never    what no string holds, beside its closing mark
    """

    open: str
    close: str
    types: Mapping[str, str] = field(default_factory=lambda: UNTYPED, hash=False)
    names: str = r'[^<>"&\r\n]+'
    lines: bool = False
    blanks: bool = True
    item: tuple[str, str] | None = None
    never: tuple[str, ...] = ()


_JSON = ("number", "boolean", "null", "array", "object")
_TRUE_OR_FALSE = {"string": "true", **dict.fromkeys(_JSON, "false")}
MARKUPS: dict[str, Markup] = {
    "qwen_xml": Markup("<parameter={key}>", "</parameter>", lines=True),
    "minimax_xml": Markup('<parameter name="{key}">', "</parameter>"),
    "glm_xml": Markup("<arg_key>{key}</arg_key>{gap}<arg_value>", "</arg_value>"),
    "deepseek_xml": Markup('<｜DSML｜parameter name="{key}" string="{type}">', "</｜DSML｜parameter>", _TRUE_OR_FALSE),
    "deepseek_v4_1_xml": Markup(
        '<｜DSML｜ parameter name="{key}" string="{type}">', "</｜DSML｜ parameter>", _TRUE_OR_FALSE
    ),
    "kimi_k3_xml": Markup(
        '<|open|>argument key="{key}" type="{type}"<|sep|>',
        "<|close|>argument<|sep|>",
        {kind: kind for kind in KINDS},
    ),
    "cohere_xml": Markup(
        '<cofl:value name="{key}" type="{type}">',
        "</cofl:value>",
        {"string": "raw", "number": "json", "boolean": "json", "null": "json", "array": "list", "object": "dict"},
        item=('<cofl:value type="{type}">', "</cofl:value>"),
    ),
    "minimax_m3_xml": Markup(
        "]<]minimax[>[<{key}>",
        "]<]minimax[>[</{key}>",
        names=r"[A-Za-z_][A-Za-z0-9_.-]*",
        blanks=False,
        never=("]<]minimax[>[",),
        item=("]<]minimax[>[<item>", "]<]minimax[>[</item>"),
    ),
}


def writer_of(style: str, symbols: Symbols, excludes: tuple[str, ...] = ()) -> Callable[[Algebra, JsonStyle], Lowering]:
    """What `compile_schema` writes a schema with, in one of `MARKUPS`, "gemma", or "json" with `excludes`."""
    if style == "json":
        return lambda algebra, json: _Filtered(algebra, json, excludes) if excludes else Lowering(algebra, json)
    if style == "gemma":
        return lambda algebra, json: _Gemma(algebra, json, symbols, excludes)
    return lambda algebra, json: _Tagged(algebra, json, MARKUPS[style], symbols, excludes)


class _Filtered(Lowering):
    """JSON whose strings and unknown names hold none of some texts."""

    def __init__(self, algebra: Algebra, style: JsonStyle, excludes: tuple[str, ...]) -> None:
        super().__init__(algebra, style, Common((), {}, {}))
        if style.escapes != "canonical" or any(set(text) & set('"\\') or not text.isprintable() for text in excludes):
            raise UnsupportedSchema("of texts that JSON may spell in several ways", keyword="excludes")
        self.allowed = without(excludes)

    def string(self, language: Language) -> Expr:
        """JSON strings in the language, without what is excluded."""
        return super().string(string.meet(language, self.allowed))


class _Gemma(Lowering):
    """JSON but for bare names and for strings that stand as they are between marks of their own."""

    def __init__(self, algebra: Algebra, style: JsonStyle, symbols: Symbols, excludes: tuple[str, ...]) -> None:
        super().__init__(algebra, style, Common((), {}, {}))
        self.quote, self.excludes = cut('<|"|>', symbols.ids), excludes

    def document(self, term: Term) -> Ref:
        """As JSON is written; nothing beside the automaton reads these texts."""
        start = super().document(term)
        _refuse_checks(self)
        return start

    def string(self, language: Language) -> Expr:
        """Strings between their marks."""
        return self._shared(
            ("raw", language), "string", seq(mark(self.quote), _raw(language, self.quote, self.excludes))
        )

    def key(self, name: str) -> Expr:
        """A bare name."""
        if not BARE.contains(name):
            raise UnsupportedSchema(f"the name {name!r} cannot be written bare", pointer=self.place)
        return Literal(name.encode())

    def unknown(self, language: Language, term: Term) -> Expr:
        """A member of any bare name."""
        names = string.meet(language, BARE)
        return NOTHING if names is string.NO_STRINGS else seq(_plain(names), self.gaps.colon, self.value(term))


BARE = Language.regex(r'[^{}\[\]:,<>"\s]+', search=False)


class _Tagged(Lowering):
    """Members between marks. What is between them is JSON, or, of nested styles, written in the same way."""

    def __init__(
        self, algebra: Algebra, style: JsonStyle, markup: Markup, symbols: Symbols, excludes: tuple[str, ...]
    ) -> None:
        super().__init__(algebra, style, Common((), {}, {}))
        self.markup, self.symbols, self.excludes = markup, symbols, (*excludes, *markup.never)
        self.json: Lowering = self
        if markup.item is None:
            self.json = _Filtered(algebra, style, excludes) if excludes else Lowering(algebra, style)
            self.builder = self.json.builder  # both write into one grammar
        elif excludes:
            raise UnsupportedSchema("not in this style", keyword="excludes")
        blank = self.blank = _blank(style)
        self.gaps = Gaps(EPSILON, blank, blank, blank, blank, EPSILON, EPSILON, EPSILON, EPSILON, blank, blank)

    def document(self, term: Term) -> Ref:
        """A rule for the members of an object that fits the term; all rules it needs are written."""
        start = self.builder.declare("arguments")
        shapes = self.algebra.expand(term).objects
        if any(map(needs_distinct_keys, shapes)):
            raise UnsupportedSchema("unknown names are counted, which is done in JSON alone", keyword="minProperties")
        self.builder.define(start, alt(*(object_text.lower(shape, self) for shape in shapes)))
        self.write()
        if self.json is self:
            _refuse_checks(self)
        else:
            self.json.write()
        return start

    def element(self, term: Term) -> Expr:
        """An element of an array, of nested styles."""
        assert self.markup.item is not None
        opening, closing = self.markup.item
        return self._between(EPSILON, opening, term, closing)

    def member(self, name: str, term: Term) -> Expr:
        """A member of a known name."""
        fits = Language.regex(self.markup.names, search=False).contains(name)
        if not fits or cut(name, self.symbols.ids) != (name,):
            raise UnsupportedSchema(f"the name {name!r} cannot be written in this style", pointer=self.place)
        opening, closing = (text.replace("{key}", name) for text in (self.markup.open, self.markup.close))
        return self._between(EPSILON, opening, term, closing)

    def unknown(self, language: Language, term: Term) -> Expr:
        """A member of any name of a language. Raises UnsupportedSchema where the closing mark repeats the name."""
        if "{key}" in self.markup.close:
            raise UnsupportedSchema("names that the schema does not list, in this style", pointer=self.place)
        names = string.meet(language, Language.regex(self.markup.names, search=False))
        if names is string.NO_STRINGS:
            return NOTHING
        before, behind = self.markup.open.split("{key}")
        return self._between(seq(self._marks(before, ""), _plain(names)), behind, term, self.markup.close)

    def _between(self, before: Expr, opening: str, term: Term, closing: str) -> Expr:
        """A value between its marks: an alternative for each type that they say."""
        end = cut(closing, self.symbols.ids)
        return alt(
            *(seq(before, self._marks(opening, word), self._content(shapes, end)) for word, shapes in self._sorts(term))
        )

    def _sorts(self, term: Term) -> Iterator[tuple[str, Shapes]]:
        """The values that fit a term, by the word that stands for their type."""
        found, by_word = self.algebra.expand(term), dict[str, dict[str, object]]()
        for kind, slot in KINDS.items():
            values = getattr(found, slot)
            if values != getattr(NO_VALUES, slot):
                by_word.setdefault(self.markup.types[kind], {})[slot] = values
        for word, slots in by_word.items():
            yield word, replace(NO_VALUES, **slots)  # type: ignore[arg-type]

    def _marks(self, marks: str, word: str) -> Expr:
        """Opening marks, with the type of the value, and blanks where they may stand."""
        first, *others = (mark(cut(part, self.symbols.ids)) for part in marks.replace("{type}", word).split("{gap}"))
        return seq(first, *(expr for part in others for expr in (self.blank, part)))

    def _content(self, shapes: Shapes, end: Pieces) -> Expr:
        """Values and the mark behind them."""
        options: list[Expr] = []
        if shapes.strings is not string.NO_STRING:
            language = shapes.strings.inner
            write = _on_lines if self.markup.lines else _raw
            options.append(write(language, end, self.excludes))
            shapes = replace(shapes, strings=string.NO_STRING)
        if shapes != NO_VALUES:
            around = self.blank if self.markup.blanks else EPSILON
            options.append(seq(around, self.json.value(self.algebra.terms.shapes(shapes)), around, mark(end)))
        return alt(*options)


def kinds_of_members(schema: object) -> dict[str, frozenset[str]]:
    """The kinds of values (KINDS) that each member the schema lists may have: how a text of mark-up is read back."""
    limits = Limits()
    reader = Reader(limits)
    root = reader.read(load(schema))
    algebra = Algebra(reader, limits, None)
    found: dict[str, frozenset[str]] = {}
    for shape in algebra.expand(algebra.schema(root, entered((), root, reader.dynamic))).objects:
        for name, _, term in shape.known:
            shapes = algebra.expand(term)
            kinds = {kind for kind, slot in KINDS.items() if getattr(shapes, slot) != getattr(NO_VALUES, slot)}
            found[name] = found.get(name, frozenset()) | kinds
    return found


def _refuse_checks(writer: Lowering) -> None:
    """Raise UnsupportedSchema where elements or keys are to be compared: the check beside the automaton reads JSON."""
    if writer.builder.distinct:
        name = writer.builder.names[writer.builder.distinct[0][0]]
        raise UnsupportedSchema(f"the elements or keys of {name} are compared in JSON alone", keyword="uniqueItems")


def _blank(style: JsonStyle) -> Expr:
    """What may stand between marks: blanks as a style has them behind a comma."""
    if style.whitespace == "any" or isinstance(style.whitespace, int):
        return Repeat(ByteSet.of(b" \t\r\n"), 0, style.whitespace if isinstance(style.whitespace, int) else None)
    if style.whitespace != "flexible":
        return EPSILON
    return alt(gaps("flexible").opening, Literal(b" "))


def _plain(language: Language) -> Expr:
    return lower_language(language, utf8)


@lru_cache(maxsize=4096)
def _raw(language: Language, end: Pieces, excludes: tuple[str, ...]) -> Expr:
    """A string of the language as it stands, and the mark behind it; the same object in every grammar."""
    if language is string.ALL_STRINGS:
        return closed_text((end,), excludes)
    return _terminal(_plain(_closable(language, end, excludes)), end)


@lru_cache(maxsize=4096)
def _on_lines(language: Language, end: Pieces, excludes: tuple[str, ...]) -> Expr:
    """The same where one line break on either side is not part of the string."""
    if language is string.ALL_STRINGS:
        return closed_text((end,), excludes)
    found = _closable(language, end, excludes)
    begins, ends = string.meet(found, _BEGINS), string.meet(found, _ENDS)
    if begins is ends is string.NO_STRINGS:
        return _terminal(seq(optional(LINE), _plain(found), optional(LINE)), end)
    bare = string.meet(found, string.complement(_BEGINS))
    options = (
        (LINE, found, LINE),
        (LINE, string.meet(found, string.complement(_ENDS)), EPSILON),
        (EPSILON, bare, LINE),
        (EPSILON, string.meet(bare, string.complement(_ENDS)), EPSILON),
    )
    return _terminal(alt(*(seq(before, _plain(each), behind) for before, each, behind in options)), end)


def _terminal(body: Expr, end: Pieces) -> Expr:
    """A string and its mark; of a mark that is text one terminal, whose masks all grammars share."""
    found = seq(body, mark(end))
    return Terminal(found) if found != NOTHING and all(isinstance(piece, str) for piece in end) else found


_BEGINS, _ENDS = (Language.regex(pattern, search=False) for pattern in (r"\n[^]*", r"[^]*\n"))


def _closable(language: Language, end: Pieces, excludes: tuple[str, ...]) -> Language:
    """The strings that can stand before a mark: without it, and without what is excluded."""
    own = [piece for piece in end if isinstance(piece, str) and len(end) == 1]
    return string.meet(language, without((*own, *excludes)))


@lru_cache(maxsize=1024)
def without(texts: tuple[str, ...]) -> Language:
    """The strings that hold none of `texts`."""
    language = string.ALL_STRINGS
    for text in texts:
        language = string.meet(language, string.complement(Language.regex(_escaped(text), search=True)))
    return language


def _escaped(text: str) -> str:
    return re.sub(r"[\\^$.*+?()\[\]{}|/]", r"\\\g<0>", text)
