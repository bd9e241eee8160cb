"""Structural-tag JSON, which vLLM, SGLang and OpenAI-style `response_format` pass on -> grammar IR.

    {"type": "structural_tag", "format": FORMAT}
    {"structures": [{"begin", "schema", "end"}, ...], "triggers": [...]}                            the older form

    contents   const_string, json_schema (in any style), regex, grammar (ebnf, lark), any_text, any_tokens, token
    joined     sequence, or, optional, star, plus, repeat, tags_with_separator
    tag        begin, a format, one of its ends
    in text    triggered_tags, token_triggered_tags, dispatch, token_dispatch

What a format means was found by comparing with xgrammar, whose form it is; where the two differ stands in
tests/tags/test_formats.py. Three rules are easily missed. Text inside a tag ends at the first of its end marks, also
where it is the last part of what the tag holds. With `at_least_one` the output begins with a call. And a mark that
spells a special token of the vocabulary means that token.

What cannot be enforced is refused by its name: max_tokens of a region, exclude_token, tokens of text by number.
Cost: linear, but for the contents, which cost what they cost alone; equal contents are written once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from structgen.errors import SchemaError, UnsupportedSchema, suggest
from structgen.grammars.ir import Expr, Grammar, GrammarBuilder, Repeat, alt, joined, optional, seq
from structgen.grammars.json_schema import compile_schema
from structgen.grammars.json_schema.style import JsonStyle
from structgen.grammars.named_rules import Imports
from structgen.grammars.regular.charset import utf8
from structgen.grammars.regular.language import Language
from structgen.grammars.regular.lower import lower
from structgen.grammars.tags.free_text import closed_text, free_text
from structgen.grammars.tags.marks import Pieces, Special, Symbols, cut, mark
from structgen.grammars.tags.markup import MARKUPS, without, writer_of

__all__ = ["read_formats"]

Format: TypeAlias = Mapping[str, Any]
Content: TypeAlias = Callable[[str, str], Grammar]  # ("ebnf" | "lark", its text) -> grammar

STYLES = ("json", "gemma", *MARKUPS)


def read_formats(
    tag: Mapping[str, Any],
    *,
    content: Content,
    symbols: Symbols | None = None,
    style: JsonStyle | None = None,
) -> Grammar:
    """The grammar of a structural tag.

    `content` reads grammars given as text, `symbols` are the special tokens of the vocabulary, `style` says how JSON is
    spelled. Raises SchemaError for what is no structural tag, UnsupportedSchema for what cannot be enforced, both with
    a pointer into the tag; and what the contents raise.
    """
    reader = _Reader(content, symbols or Symbols(), style or JsonStyle())
    start = reader.builder.declare("output")
    return reader.builder.build(reader.builder.define(start, reader.whole(tag)))


class _Reader:
    """Reads one tag. `where` is the pointer of a format, `until` the marks at which text around it ends."""

    def __init__(self, content: Content, symbols: Symbols, style: JsonStyle) -> None:
        self.content, self.symbols, self.style = content, symbols, style
        self.builder = GrammarBuilder()
        self.imports = Imports(self.builder)
        self.grammars: dict[str, Grammar] = {}
        self.names = {number: name for name, number in symbols.ids.items()}
        self.choices: dict[tuple[int, tuple[str, ...]], Expr] = {}  # by identity: a tree may hold one choice twice

    def whole(self, tag: Mapping[str, Any]) -> Expr:
        """A structural tag in either form."""
        if "structures" in tag:
            self.check(tag, "#", {"structures", "triggers"}, {"type"})
            tags = [
                {"type": "tag", "begin": each["begin"], "end": each["end"], "content": _older(each["schema"])}
                for each in self.formats(tag["structures"], "#/structures", {"begin", "schema", "end"})
            ]
            return self.read({"type": "triggered_tags", "triggers": tag["triggers"], "tags": tags}, "#", ())
        self.check(tag, "#", {"format"}, {"type"})
        return self.read(tag["format"], "#/format", ())

    def read(self, given: Any, where: str, until: tuple[str, ...]) -> Expr:
        """A format. Raises SchemaError for one that does not exist."""
        kind = given.get("type") if isinstance(given, Mapping) else None
        if not isinstance(kind, str) or kind not in _FORMATS:
            known = suggest(kind, _FORMATS) or f"; there are {', '.join(_FORMATS)}"
            raise SchemaError(f"{kind!r} is not the type of a format{known}", pointer=where, keyword="type")
        needed, others, method = _FORMATS[kind]
        self.check(given, where, set(needed.split()), {*others.split(), "type"})
        return method(self, given, where, until)

    # --------------------------------------------------------------------------------------------------- contents

    def const_string(self, given: Format, where: str, until: tuple[str, ...]) -> Expr:
        return mark(self.pieces(given["value"], f"{where}/value"))

    def json_schema(self, given: Format, where: str, until: tuple[str, ...]) -> Expr:
        style = given.get("style", "json")
        if style not in STYLES:
            raise SchemaError(f"{style!r} is not a style{suggest(style, STYLES)}", pointer=where, keyword="style")
        spelling = self.spelling(given)
        excludes = tuple(self.excludes(given, where))
        key = json.dumps([given["json_schema"], style, repr(spelling), excludes], default=repr)
        if key not in self.grammars:
            write = writer_of(style, self.symbols, excludes)
            self.grammars[key] = compile_schema(given["json_schema"], style=spelling, writer=write).grammar
        return self.imports.add(self.grammars[key])

    def spelling(self, given: Format) -> JsonStyle:
        """The JSON style with what a content says of its own."""
        changes: dict[str, Any] = {}
        if given.get("any_order"):
            changes["property_order"] = "any"
        if given.get("max_whitespace_cnt") is not None:
            changes["whitespace"] = given["max_whitespace_cnt"]
        return replace(self.style, **changes) if changes else self.style

    def qwen_xml_parameter(self, given: Format, where: str, until: tuple[str, ...]) -> Expr:
        return self.json_schema({**given, "style": "qwen_xml"}, where, until)

    def regex(self, given: Format, where: str, until: tuple[str, ...]) -> Expr:
        return lower(Language.regex(given["pattern"], search=False), utf8)

    def grammar(self, given: Format, where: str, until: tuple[str, ...]) -> Expr:
        syntax = given.get("syntax", "ebnf")
        if syntax not in ("ebnf", "lark"):
            raise SchemaError(f"{syntax!r} is not ebnf or lark", pointer=where, keyword="syntax")
        key = f"{syntax} {given['grammar']}"
        if key not in self.grammars:
            self.grammars[key] = self.content(syntax, given["grammar"])
        return self.imports.add(self.grammars[key])

    def any_text(self, given: Format, where: str, until: tuple[str, ...]) -> Expr:
        self.refuse(given, where, "max_tokens")
        excludes = (*self.excludes(given, where), *until)
        if given.get("max_chars") is None:
            return free_text({}, excludes=excludes, may_end=True)
        return lower(Language.length(0, given["max_chars"]) & without(tuple(dict.fromkeys(excludes))), utf8)

    def any_tokens(self, given: Format, where: str, until: tuple[str, ...]) -> Expr:
        self.refuse(given, where, "max_tokens")
        excluded = self.excluded(given, where)
        return free_text({}, excludes=until, may_end=True, within=self.others(excluded))

    def token(self, given: Format, where: str, until: tuple[str, ...]) -> Expr:
        return mark(self.named(given["token"], where))

    def exclude_token(self, given: Format, where: str, until: tuple[str, ...]) -> Expr:
        raise UnsupportedSchema("a single token whatever it spells", pointer=where, keyword="exclude_token")

    # ------------------------------------------------------------------------------------------------------ joined

    def sequence(self, given: Format, where: str, until: tuple[str, ...]) -> Expr:
        elements = self.formats(given["elements"], f"{where}/elements", set())
        last = len(elements) - 1
        return seq(*(self.read(e, f"{where}/elements/{k}", until if k == last else ()) for k, e in enumerate(elements)))

    def either(self, given: Format, where: str, until: tuple[str, ...]) -> Expr:
        key = id(given), until
        if key not in self.choices:
            elements = self.formats(given["elements"], f"{where}/elements", set())
            found = alt(*(self.read(each, f"{where}/elements/{k}", until) for k, each in enumerate(elements)))
            self.choices[key] = self.builder.rule("choice", found)
        return self.choices[key]

    def optional(self, given: Format, where: str, until: tuple[str, ...]) -> Expr:
        return optional(self.inner(given, where, until))

    def star(self, given: Format, where: str, until: tuple[str, ...]) -> Expr:
        return Repeat(self.inner(given, where, until))

    def plus(self, given: Format, where: str, until: tuple[str, ...]) -> Expr:
        return Repeat(self.inner(given, where, until), 1)

    def repeat(self, given: Format, where: str, until: tuple[str, ...]) -> Expr:
        least, most = given["min"], given["max"]
        if not isinstance(least, int) or not isinstance(most, int) or least < 0 or (most != -1 and most < least):
            raise SchemaError(f"{least} to {most} leaves no number", pointer=where, keyword="max")
        return Repeat(self.inner(given, where, until), least, None if most == -1 else most)

    def inner(self, given: Format, where: str, until: tuple[str, ...]) -> Expr:
        return self.builder.rule("format", self.read(given["content"], f"{where}/content", until))

    def tags_with_separator(self, given: Format, where: str, until: tuple[str, ...]) -> Expr:
        tags = self.builder.rule("call", alt(*self.tags(given, where)))
        most = 1 if given.get("stop_after_first") else None
        separator = mark(self.pieces(given["separator"], f"{where}/separator"))
        return joined(tags, separator, 1 if given.get("at_least_one") else 0, most)

    # -------------------------------------------------------------------------------------------------------- tags

    def tag(self, given: Format, where: str, until: tuple[str, ...]) -> Expr:
        return seq(mark(self.begin(given, where)), self.rest(given, where))

    def begin(self, given: Format, where: str) -> Pieces:
        """The opening mark of a tag."""
        begin = given["begin"]
        return (self.named_token(begin, f"{where}/begin"),) if isinstance(begin, Mapping) else self.pieces(begin, where)

    def rest(self, given: Format, where: str) -> Expr:
        """What stands behind the opening mark: the content and one of the ends."""
        content, ends = given["content"], self.ends(given["end"], f"{where}/end")
        until = tuple(end[0] for end in ends if len(end) == 1 and isinstance(end[0], str))
        if isinstance(content, Mapping) and content.get("type") == "any_text" and content.get("max_chars") is None:
            self.read(content, f"{where}/content", ())
            excludes = tuple(self.excludes(content, f"{where}/content"))
            return self.builder.rule("text", closed_text(tuple(ends), excludes))
        return seq(self.read(content, f"{where}/content", until), alt(*map(mark, ends)))

    def ends(self, given: Any, where: str) -> list[Pieces]:
        """The closing marks of a tag, each once."""
        if isinstance(given, Mapping):
            return [(self.named_token(given, where),)]
        texts = [given] if isinstance(given, str) else self.texts(given, where)
        if not texts:
            raise SchemaError("a tag has an end", pointer=where, keyword="end")
        return list(dict.fromkeys(self.pieces(text, where) for text in texts))

    def tags(self, given: Format, where: str) -> list[Expr]:
        """Whole tags."""
        tags = self.formats(given["tags"], f"{where}/tags", {"begin", "content", "end"})
        return [self.tag(each, f"{where}/tags/{k}", ()) for k, each in enumerate(tags)]

    def triggered_tags(self, given: Format, where: str, until: tuple[str, ...]) -> Expr:
        triggers = [self.pieces(text, f"{where}/triggers") for text in self.texts(given["triggers"], where)]
        return self.in_text(given, where, triggers, self.excludes(given, where), until, ())

    def token_triggered_tags(self, given: Format, where: str, until: tuple[str, ...]) -> Expr:
        triggers = [self.named(token, f"{where}/trigger_tokens") for token in given["trigger_tokens"]]
        inside = self.others({*self.excluded(given, where), *triggers})
        return self.in_text(given, where, [(trigger,) for trigger in triggers], [], until, inside)

    def in_text(
        self,
        given: Format,
        where: str,
        triggers: Sequence[Pieces],
        excludes: Sequence[str],
        until: tuple[str, ...],
        inside: Sequence[Special],
    ) -> Expr:
        """Tags in free text, each opened by the one trigger that it begins with."""
        behind: dict[Pieces, list[Expr]] = {trigger: [] for trigger in triggers}
        whole: list[Expr] = []
        for at, tag in enumerate(self.formats(given["tags"], f"{where}/tags", {"begin", "content", "end"})):
            place = f"{where}/tags/{at}"
            begin = self.begin(tag, place)
            opened = [(trigger, left) for trigger in triggers if (left := _behind(begin, trigger)) is not None]
            if len(opened) != 1:
                raise SchemaError(f"{len(opened)} of the triggers open this tag", pointer=place, keyword="begin")
            rest = self.builder.rule("tag", self.rest(tag, place))
            behind[opened[0][0]].append(seq(mark(opened[0][1]), rest))
            whole.append(seq(mark(begin), rest))
        after = {trigger: alt(*options) for trigger, options in behind.items()}
        stops = bool(given.get("stop_after_first"))
        if given.get("at_least_one") and stops:
            return alt(*whole)
        text = free_text(after, excludes=(*excludes, *until), loop=not stops, may_end=True, within=inside)
        return seq(alt(*whole), text) if given.get("at_least_one") else text

    def dispatch(self, given: Format, where: str, until: tuple[str, ...]) -> Expr:
        after = {}
        for at, (pattern, inner) in enumerate(given["rules"]):
            after[self.pieces(pattern, f"{where}/rules/{at}")] = self.read(inner, f"{where}/rules/{at}/1", until)
        excludes = (*self.excludes(given, where), *until)
        return free_text(after, excludes=excludes, loop=given.get("loop", True), may_end=True)

    def token_dispatch(self, given: Format, where: str, until: tuple[str, ...]) -> Expr:
        after: dict[Special, Expr] = {}
        for at, (token, inner) in enumerate(given["rules"]):
            after[self.named(token, f"{where}/rules/{at}")] = self.read(inner, f"{where}/rules/{at}/1", until)
        inside = self.others({*self.excluded(given, where), *after})
        rules: dict[Pieces, Expr] = {(token,): body for token, body in after.items()}
        return free_text(rules, excludes=until, loop=given.get("loop", True), may_end=True, within=inside)

    # ------------------------------------------------------------------------------------------------------- tokens

    def pieces(self, text: Any, where: str) -> Pieces:
        """A mark, cut at special tokens."""
        if not isinstance(text, str):
            raise SchemaError(f"a mark is a text, not {text!r}", pointer=where)
        return cut(text, self.symbols.ids)

    def named_token(self, given: Format, where: str) -> Special:
        """A mark given as {"type": "token", "token": ...}."""
        self.check(given, where, {"token"}, {"type"})
        return self.named(given["token"], where)

    def named(self, token: Any, where: str) -> Special:
        """The special token of a name or a number."""
        if isinstance(token, str) and (token in self.symbols.ids or not self.symbols.ids):
            return Special(token)
        if isinstance(token, int) and token in self.names:
            return Special(self.names[token])
        if isinstance(token, int) and not self.names:
            raise UnsupportedSchema("a token by its number, without a vocabulary", pointer=where, keyword="token")
        raise UnsupportedSchema(f"{token!r} is no special token of the vocabulary", pointer=where, keyword="token")

    def excludes(self, given: Format, where: str) -> list[str]:
        """Texts that a text does not hold; of those that spell special tokens, no text can."""
        found = self.texts(given.get("excludes", []), f"{where}/excludes")
        return [text for text in found if cut(text, self.symbols.ids) == (text,)]

    def excluded(self, given: Format, where: str) -> set[Special]:
        """Special tokens that do not stand in a text of tokens."""
        return {self.named(token, f"{where}/exclude_tokens") for token in given.get("exclude_tokens", ())}

    def others(self, excluded: set[Special]) -> list[Special]:
        """The special tokens that may stand in a text of tokens: all but those, and those that end an output."""
        found = (Special(name) for name in self.symbols.ids if name not in self.symbols.stops)
        return [symbol for symbol in found if symbol not in excluded]

    # -------------------------------------------------------------------------------------------------------- checks

    def check(self, given: Any, where: str, needed: set[str], others: set[str]) -> None:
        """Raise SchemaError unless an object has all of the names it needs and no unknown ones."""
        if not isinstance(given, Mapping):
            raise SchemaError(f"an object is needed, not {given!r}", pointer=where)
        for name in sorted(needed - given.keys()):
            raise SchemaError(f"{name!r} is missing", pointer=where, keyword=name)
        for name in given:
            if name not in needed and name not in others:
                hint = suggest(name, {*needed, *others})
                raise SchemaError(f"{name!r} is not known here{hint}", pointer=where, keyword=name)

    def refuse(self, given: Format, where: str, name: str) -> None:
        if given.get(name) is not None:
            raise UnsupportedSchema("tokens of a region are not counted", pointer=where, keyword=name)

    def formats(self, given: Any, where: str, needed: set[str]) -> list[Format]:
        """A list of formats."""
        if not isinstance(given, list | tuple) or not given:
            raise SchemaError("a list is needed, with something in it", pointer=where)
        for at, each in enumerate(given):
            if needed:
                self.check(each, f"{where}/{at}", needed, {"type"})
        return list(given)

    def texts(self, given: Any, where: str) -> list[str]:
        """A list of texts."""
        if not isinstance(given, list | tuple) or not all(isinstance(each, str) for each in given):
            raise SchemaError(f"a list of texts is needed, not {given!r}", pointer=where)
        return list(given)


def _older(schema: Any) -> Format:
    """A schema of the older form, where it may be JSON text."""
    return {"type": "json_schema", "json_schema": json.loads(schema) if isinstance(schema, str) else schema}


def _behind(begin: Pieces, trigger: Pieces) -> Pieces | None:
    """What is left of a mark behind a trigger; None where it does not begin with it."""
    *before, last = trigger
    if begin[: len(before)] != tuple(before) or len(begin) < len(trigger):
        return None
    piece, others = begin[len(before)], begin[len(trigger) :]
    if piece == last:
        return others
    if isinstance(piece, str) and isinstance(last, str) and piece.startswith(last):
        return (piece[len(last) :], *others)
    return None


Method = Callable[[_Reader, Format, str, tuple[str, ...]], Expr]
_COUNTED = "at_least_one stop_after_first"
_SCHEMA = "any_order max_whitespace_cnt excludes"
_FORMATS: dict[str, tuple[str, str, Method]] = {  # what each needs, what it may have, who reads it
    "const_string": ("value", "", _Reader.const_string),
    "json_schema": ("json_schema", f"style {_SCHEMA}", _Reader.json_schema),
    "qwen_xml_parameter": ("json_schema", "", _Reader.qwen_xml_parameter),
    "regex": ("pattern", "", _Reader.regex),
    "grammar": ("grammar", "syntax", _Reader.grammar),
    "any_text": ("", "excludes max_tokens max_chars", _Reader.any_text),
    "any_tokens": ("", "exclude_tokens max_tokens", _Reader.any_tokens),
    "token": ("token", "", _Reader.token),
    "exclude_token": ("", "exclude_tokens", _Reader.exclude_token),
    "sequence": ("elements", "", _Reader.sequence),
    "or": ("elements", "", _Reader.either),
    "optional": ("content", "", _Reader.optional),
    "star": ("content", "", _Reader.star),
    "plus": ("content", "", _Reader.plus),
    "repeat": ("min max content", "", _Reader.repeat),
    "tag": ("begin content end", "", _Reader.tag),
    "tags_with_separator": ("tags separator", _COUNTED, _Reader.tags_with_separator),
    "triggered_tags": ("triggers tags", f"{_COUNTED} excludes", _Reader.triggered_tags),
    "token_triggered_tags": ("trigger_tokens tags", f"{_COUNTED} exclude_tokens", _Reader.token_triggered_tags),
    "dispatch": ("rules", "loop excludes", _Reader.dispatch),
    "token_dispatch": ("rules", "loop exclude_tokens", _Reader.token_dispatch),
}
