"""The arguments of `compile` that name a constraint -> grammar IR and a reader of the finished text.

Exactly one of: `schema` (types.py says what), `regex` (the whole output matches it, as `re.fullmatch` says), `choices`
(one of these strings), `gbnf` and `ebnf` (grammars as llama.cpp and xgrammar write them), `lark` (text or LarkGrammar),
`tag` (a StructuralTag, or structural-tag JSON), `grammar` (a `Language`, or IR of a front end outside this library).
`Source.key` identifies the language.

A front end is loaded when its kind of constraint comes: with all of them, lark and pydantic too, a process that
compiles one JSON Schema took 0.3 s more to start.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from structgen.errors import OptionError, SchemaWarning, UnsupportedSchema
from structgen.grammars.ir import Grammar, GrammarBuilder, embed
from structgen.grammars.ir_lr import LexedGrammar
from structgen.grammars.json_schema import compile_schema
from structgen.grammars.json_schema.dialects import doubts, in_dialect
from structgen.grammars.json_schema.style import JsonStyle
from structgen.grammars.regular.charset import utf8
from structgen.grammars.regular.language import Language
from structgen.grammars.regular.lower import lower as lower_language
from structgen.grammars.storage import write_grammar
from structgen.kinds import AnyGrammar
from structgen.options import Limits
from structgen.python_types.target import Target
from structgen.python_types.types import target_of

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from structgen.api.language import Language as TextLanguage
    from structgen.api.options import SourceOptions
    from structgen.grammars.lark import LarkGrammar
    from structgen.grammars.tags.marks import Symbols
    from structgen.tags import StructuralTag
    from structgen.vocabulary import Vocabulary

__all__ = ["FRONT_ENDS", "Lowered", "Source", "formats_source", "source_of", "symbols_of", "tag_grammar"]


@dataclass(frozen=True, slots=True)
class Lowered:
    """A source's grammar, and a report: of a schema what became of each keyword, of a grammar what is never used."""

    grammar: AnyGrammar
    report: Any = None


@dataclass(frozen=True, slots=True)
class Source:
    """One constraint before it meets a vocabulary.

    `kind` and `key` identify the language (None: not by content), `lower` writes the grammar, `target` reads the
    finished text and is what a prompt may show the model (None: the value is the text), `name` is for messages. `bind`
    makes the source of one that means something else where a vocabulary has certain special tokens.
    """

    kind: str
    key: str | None
    lower: Callable[[], Lowered]
    target: Target | None = None
    name: str = ""
    bind: Callable[[Vocabulary], Source] | None = None

    def bound(self, vocabulary: Vocabulary) -> Source:
        """The source, as it is read for a vocabulary."""
        return self if self.bind is None else self.bind(vocabulary)


def source_of(
    *,
    schema: object = None,
    style: JsonStyle | None = None,
    limits: Limits | None = None,
    registry: Any = None,
    dialect: str | None = None,
    strict: bool = False,
    **others: Unpack[SourceOptions],
) -> Source:
    """The one source that is given. Raises OptionError when none or several are, SchemaError if it is wrong."""
    given = {name: value for name, value in (("schema", schema), *others.items()) if value is not None}
    for name in given:
        if name != "schema" and name not in FRONT_ENDS:
            from structgen.api.peers import answer  # loaded when something is wrong

            here = answer(name) or f"there are schema, {', '.join(FRONT_ENDS)}"
            raise OptionError(f"there is no constraint {name!r}; {here}", option=name)
    for option, found, kind in (("style", style, JsonStyle), ("limits", limits, Limits)):
        if found is not None and not isinstance(found, kind):
            raise OptionError(f"{option} is a structgen.{kind.__name__}, not {type(found).__name__}", option=option)
    if len(given) != 1:
        what = f"{' and '.join(given)} are given" if given else f"none of schema, {', '.join(FRONT_ENDS)} is given"
        raise OptionError(f"one constraint is needed, {what}", option=list(given)[1] if given else "schema")
    (name, value), *_ = given.items()
    if name == "schema":
        target = document_of(value, registry, dialect)
        return _schema_source(target, style or JsonStyle(), limits or Limits(), registry, strict)
    if name == "tag" and style is not None:
        return _tag_source(value, style)
    for option, setting in (("style", style), ("registry", registry), ("dialect", dialect), ("strict", strict or None)):
        if setting is not None:
            raise OptionError(f"{option} only means something beside schema", option=option)
    return FRONT_ENDS[name](value)


def document_of(schema: object, registry: Any, dialect: str | None) -> Target:
    """The target of anything `schema=` takes; a JSON Schema without $schema is read in a dialect if one is named."""
    target = target_of(schema, registry)
    if dialect is None:
        return target
    if target.is_type:
        raise OptionError("dialect only means something beside a JSON Schema, not a Python type", option="dialect")
    return target_of(in_dialect(target.schema, dialect), registry)


def _schema_source(target: Target, style: JsonStyle, limits: Limits, registry: Any, strict: bool) -> Source:
    if target.is_type:
        style = dataclasses.replace(style, numbers="canonical")

    def lower() -> Lowered:
        compiled = compile_schema(target.enforced, style=style, registry=registry, limits=limits)
        for doubt in () if target.is_type else doubts(compiled.reader):
            if strict:
                raise UnsupportedSchema(doubt.reason, pointer=doubt.pointer, keyword=doubt.keyword)
            warnings.warn(f"{doubt.pointer}: {doubt.reason}", SchemaWarning, stacklevel=2)
        return Lowered(compiled.grammar, compiled.report)

    text = json.dumps(target.enforced, default=repr)  # key order matters: it is the order of the output
    key = None if registry is not None else _digest(text, repr(style), repr(limits), repr(strict))
    return Source("schema", key, lower, target)


def _regex_source(pattern: str) -> Source:
    if not isinstance(pattern, str):
        raise OptionError(f"regex is a string, not {type(pattern).__name__}", option="regex")
    name = f"the regex {pattern[:80]!r}"
    return Source("regex", _digest(pattern), lambda: Lowered(regex_grammar(pattern)), name=name)


def _gbnf_source(text: str) -> Source:
    from structgen.grammars.bnf import compile_gbnf

    return _text_source("gbnf", text, compile_gbnf)


def _ebnf_source(text: str) -> Source:
    from structgen.grammars.bnf import compile_ebnf

    return _text_source("ebnf", text, compile_ebnf)


def _text_source(kind: str, text: object, compiler: Callable[[str], tuple[Grammar, Any]]) -> Source:
    """A grammar written as text in one of the formats people use."""
    from structgen.grammars.notations import read_as

    if not isinstance(text, str):
        raise OptionError(f"{kind} is a string, not {type(text).__name__}", option=kind)
    return Source(kind, _digest(text), lambda: Lowered(*read_as(kind, compiler, text, text)))


def _lark_source(given: str | LarkGrammar) -> Source:
    from structgen.grammars.lark import LarkGrammar, compile_lark
    from structgen.grammars.notations import read_as

    grammar = given if isinstance(given, LarkGrammar) else LarkGrammar(given)
    key = _digest(repr(grammar)) if grammar.indenter is None else None  # an indenter is code: not known by content
    return Source("lark", key, lambda: Lowered(*read_as("lark", compile_lark, grammar, grammar.text)))


def _tag_source(tag: object, style: JsonStyle | None = None) -> Source:
    from structgen.tags import StructuralTag

    if not isinstance(tag, StructuralTag):
        return _formats_source(tag, style or JsonStyle())
    if style is not None:
        raise OptionError("style stands in the regions of a StructuralTag: Tag(..., style=...)", option="style")
    keys = [source_of(**each).key for each in (*(each.content for each in tag.tags), tag.answer or ()) if each]
    key = None if None in keys else _digest(repr(tag), *map(str, keys))
    return Source("tag", key, lambda: Lowered(tag_grammar(tag)))


def _formats_source(given: object, style: JsonStyle) -> Source:
    """Structural-tag JSON, as a mapping or as its text."""
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError as error:
            raise OptionError(f"tag is a StructuralTag or structural-tag JSON: {error}", option="tag") from error
    if not isinstance(given, Mapping):
        raise OptionError(f"tag is a StructuralTag or structural-tag JSON, not {type(given).__name__}", option="tag")
    tag = given
    return formats_source(lambda: tag, _digest(json.dumps(given), repr(style)), style)


def formats_source(tag: Callable[[], Mapping[str, Any]], key: str, style: JsonStyle) -> Source:
    """The source of structural-tag JSON that is known by `key`, and made when it is compiled. Its marks are special
    tokens where a vocabulary has them, and text without one."""

    def content(syntax: str, text: str) -> Grammar:
        if syntax == "lark":  # without a lexer, as those read it who send it
            from structgen.grammars.lark import LarkGrammar

            return _region(_lark_source(LarkGrammar(text, lexer="dynamic")))
        return _region(FRONT_ENDS[syntax](text))

    def read(symbols: Symbols | None) -> Lowered:
        from structgen.grammars.tags.formats import read_formats

        return Lowered(read_formats(tag(), content=content, symbols=symbols, style=style))

    def bind(vocabulary: Vocabulary) -> Source:
        return Source("formats", key, lambda: read(symbols_of(vocabulary)))

    return Source("formats", key, lambda: read(None), bind=bind)


def symbols_of(vocabulary: Vocabulary) -> Symbols:
    """The special tokens of a vocabulary that stand for no text: what a mark of their name means."""
    from structgen.grammars.tags.marks import Symbols

    ids = {name: token for name, token in vocabulary.names.items() if token in vocabulary.special_ids}
    return Symbols(ids, frozenset(name for name, token in ids.items() if token in vocabulary.stop_ids))


def _region(source: Source) -> Grammar:
    """The grammar of what stands in a region."""
    grammar = source.lower().grammar
    return embed(source.kind, grammar) if isinstance(grammar, LexedGrammar) else grammar


def tag_grammar(tag: StructuralTag) -> Grammar:
    """The grammar of a structural tag. Raises what the constraints of its regions raise."""
    from structgen.grammars.tags import CompiledTag, TagLayout, compile_tags
    from structgen.tags import ends_of

    def content(options: Mapping[str, Any]) -> Grammar:
        return _region(source_of(**options))

    return compile_tags(
        TagLayout(
            tags=tuple(
                CompiledTag(each.begin, content(each.content), ends_of(each.end), each.trigger) for each in tag.tags
            ),
            at_least=tag.at_least,
            at_most=tag.at_most,
            stop=tag.stop_after_first,
            between=tag.between,
            thinking=None if tag.thinking is None else (tag.thinking.begin, ends_of(tag.thinking.end)),
            answer=None if tag.answer is None else content(tag.answer),
        )
    )


def _grammar_source(grammar: Grammar | TextLanguage) -> Source:
    from structgen.api.language import Language as TextLanguage

    if isinstance(grammar, TextLanguage):
        return Source("language", grammar.key, lambda: Lowered(grammar.grammar), name=str(grammar))
    if not isinstance(grammar, Grammar):
        raise OptionError(f"grammar is a Language or grammar IR, not {type(grammar).__name__}", option="grammar")
    return Source("grammar", _digest(write_grammar(grammar)), lambda: Lowered(grammar))


def _choices_source(choices: Sequence[str]) -> Source:
    if isinstance(choices, str) or not isinstance(choices, Collection) or not all(isinstance(c, str) for c in choices):
        raise OptionError("choices is a list of strings", option="choices")
    if not all(_is_utf8(choice) for choice in choices):
        raise OptionError("a choice holds a lone surrogate, which no output can", option="choices")
    if not choices:
        raise OptionError("choices is empty", option="choices")
    return Source("choices", _digest(*choices), lambda: Lowered(choices_grammar(choices)))


def _is_utf8(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _one_rule(name: str, language: Language) -> Grammar:
    builder = GrammarBuilder()
    return builder.build(builder.rule(name, lower_language(language, utf8)))


def regex_grammar(pattern: str) -> Grammar:
    """The texts that `re.fullmatch(pattern, text)` accepts."""
    return _one_rule("regex", Language.regex(pattern, dialect="python", search=False))


def choices_grammar(choices: Sequence[str]) -> Grammar:
    """Exactly these texts."""
    return _one_rule("choice", Language.strings(sorted(set(choices))))


def _digest(*parts: str) -> str:
    return hashlib.sha256(
        "\0".join(f"{len(part)}:{part}" for part in parts).encode("utf-8", "surrogatepass")
    ).hexdigest()


# Another front end is one line here, and its name in structgen.api.options.SourceOptions.
FRONT_ENDS: dict[str, Callable[[Any], Source]] = {
    "regex": _regex_source,
    "choices": _choices_source,
    "gbnf": _gbnf_source,
    "ebnf": _ebnf_source,
    "lark": _lark_source,
    "tag": _tag_source,
    "grammar": _grammar_source,
}
