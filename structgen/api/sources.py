"""What a caller names as constraint -> grammar IR and a reader of the finished text.

Exactly one of: `schema` (types.py says what), `regex` (the whole output matches it, as `re.fullmatch` says), `choices`
(one of these strings), `grammar` (IR, for front ends outside this library). `Source.key` identifies the language.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from structgen.api.types import Target, target_of
from structgen.errors import OptionError
from structgen.grammars.ir import Grammar, GrammarBuilder
from structgen.grammars.json_schema import compile_schema
from structgen.grammars.json_schema.style import JsonStyle
from structgen.grammars.regular.charset import utf8
from structgen.grammars.regular.language import Language
from structgen.grammars.regular.lower import lower as lower_language
from structgen.options import Limits

__all__ = ["Lowered", "Source", "source_of"]


@dataclass(frozen=True, slots=True)
class Lowered:
    """A source's grammar, and what became of each keyword where it was a schema."""

    grammar: Grammar
    report: Any = None


@dataclass(frozen=True, slots=True)
class Source:
    """One constraint before it meets a vocabulary.

    `kind` and `key` identify the language (None: not by content), `lower` writes the grammar, `read` turns the finished
    text into the value, `schema` is what a prompt may show the model.
    """

    kind: str
    key: str | None
    lower: Callable[[], Lowered]
    read: Callable[[str], Any]
    schema: Mapping[str, Any] | bool | None = None


def source_of(
    *,
    schema: object = None,
    regex: str | None = None,
    choices: Sequence[str] | None = None,
    grammar: Grammar | None = None,
    style: JsonStyle | None = None,
    limits: Limits | None = None,
    registry: Any = None,
) -> Source:
    """The one source that is given. Raises OptionError when none or several are, SchemaError if it is wrong."""
    given = {"schema": schema, "regex": regex, "choices": choices, "grammar": grammar}
    named = [name for name, value in given.items() if value is not None]
    if len(named) != 1:
        what = f"{' and '.join(named)} are given" if named else f"none of {', '.join(given)} is given"
        raise OptionError(f"one constraint is needed, {what}", option=named[1] if named else "schema")
    if named != ["schema"]:
        for name, value in (("style", style), ("registry", registry)):
            if value is not None:
                raise OptionError(f"{name} only means something beside schema", option=name)
    if schema is not None:
        return _schema_source(target_of(schema, registry), style or JsonStyle(), limits or Limits(), registry)
    if regex is not None:
        return _regex_source(regex)
    if choices is not None:
        return _choices_source(choices)
    assert grammar is not None
    return Source("grammar", _digest(repr(grammar)), lambda: Lowered(grammar), str)


def _schema_source(target: Target, style: JsonStyle, limits: Limits, registry: Any) -> Source:
    if target.is_type:
        style = dataclasses.replace(style, numbers="canonical")

    def lower() -> Lowered:
        compiled = compile_schema(target.schema, style=style, registry=registry, limits=limits)
        return Lowered(compiled.grammar, compiled.report)

    text = json.dumps(target.schema, default=repr)  # key order matters: it is the order of the output
    key = None if registry is not None else _digest(text, repr(style), repr(limits))
    return Source("schema", key, lower, target.read, target.schema)


def _regex_source(pattern: str) -> Source:
    if not isinstance(pattern, str):
        raise OptionError(f"regex is a string, not {type(pattern).__name__}", option="regex")
    return Source("regex", _digest(pattern), lambda: Lowered(regex_grammar(pattern)), str)


def _choices_source(choices: Sequence[str]) -> Source:
    if isinstance(choices, str) or not all(isinstance(choice, str) for choice in choices):
        raise OptionError("choices is a list of strings", option="choices")
    if not all(_is_utf8(choice) for choice in choices):
        raise OptionError("a choice holds a lone surrogate, which no output can", option="choices")
    if not choices:
        raise OptionError("choices is empty", option="choices")
    return Source("choices", _digest(*choices), lambda: Lowered(choices_grammar(choices)), str)


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
