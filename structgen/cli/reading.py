"""What the options point to: files, stdin, or the text itself."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from structgen.api.sources import Source, source_of
from structgen.errors import OptionError
from structgen.grammars.json_schema.style import JsonStyle

__all__ = ["schema_argument", "source_argument", "text_argument"]


def text_argument(value: str) -> str:
    """The text, or all of stdin for "-"."""
    return sys.stdin.read() if value == "-" else value


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
    reads_twice = arguments.schema == "-" and "-" in (getattr(arguments, "text", ""), getattr(arguments, "prompt", ""))
    if reads_twice:
        raise OptionError("only one option can read stdin", option="schema")
    return source_of(
        schema=None if arguments.schema is None else schema_argument(arguments.schema),
        regex=arguments.regex,
        choices=arguments.choice,
        style=style_argument(arguments),
    )
