"""What the options point to: files, stdin, or the text itself."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from structgen.api.sources import Source, source_of
from structgen.errors import OptionError
from structgen.grammars.json_schema.style import JsonStyle

if TYPE_CHECKING:
    from structgen.api.language import Language

__all__ = ["schema_argument", "source_argument", "source_options", "text_argument"]

GRAMMAR_FILES = ("gbnf", "ebnf", "lark")  # options that name a file with a grammar


def text_argument(value: str) -> str:
    """The text, or all of stdin for "-"."""
    return sys.stdin.read() if value == "-" else value


def file_argument(value: str) -> str:
    """What a file holds, or all of stdin for "-"."""
    return sys.stdin.read() if value == "-" else Path(value).read_text(encoding="utf-8")


def schema_argument(value: str) -> str | Path:
    """JSON text from stdin or from the command line, or a file."""
    if value == "-":
        return sys.stdin.read()
    return value if value.lstrip().startswith("{") or value in ("true", "false") else Path(value)


def style_argument(arguments: argparse.Namespace) -> JsonStyle | None:
    """The spelling asked for, if any."""
    return None if arguments.whitespace is None else JsonStyle(whitespace=arguments.whitespace)


def source_argument(arguments: argparse.Namespace) -> Source:
    """The constraint of a command."""
    return source_of(**source_options(arguments), style=style_argument(arguments))


def source_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """The constraint options of a command, by the names `source_of` and `generate` give them."""
    files = {name: getattr(arguments, name) for name in GRAMMAR_FILES}
    if "-" in (arguments.schema, arguments.grammar, *files.values()) and "-" in (
        getattr(arguments, "text", ""),
        getattr(arguments, "prompt", ""),
    ):
        raise OptionError("only one option can read stdin", option="schema")
    texts = {name: file_argument(value) for name, value in files.items() if value is not None}
    schema = None if arguments.schema is None else schema_argument(arguments.schema)
    grammar = None if arguments.grammar is None else _language(text_argument(arguments.grammar))
    return {"schema": schema, "regex": arguments.regex, "choices": arguments.choice, "grammar": grammar, **texts}


def _language(text: str) -> Language:
    from structgen.api.expressions import read  # every kind of language: loaded when one is given

    return read(text)
