"""What the options point to: files, stdin, or the text itself."""

from __future__ import annotations

import argparse
import importlib
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from structgen.api.sources import Source, source_of
from structgen.errors import LimitExceeded, OptionError, SchemaError
from structgen.grammars.json_schema.style import JsonStyle

if TYPE_CHECKING:
    from structgen.api.language import Language

__all__ = [
    "drawing_options",
    "file_argument",
    "json_file",
    "object_argument",
    "schema_argument",
    "source_argument",
    "source_options",
    "style_argument",
    "text_argument",
]

_TYPE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")  # package.module:Name
GRAMMAR_FILES = ("gbnf", "ebnf", "lark")  # options that name a file with a grammar


def text_argument(value: str) -> str:
    """The text, or all of stdin for "-"."""
    return sys.stdin.read() if value == "-" else value


def file_argument(value: str, option: str) -> str:
    """What a file holds, or all of stdin for "-"."""
    if value == "-":
        return sys.stdin.read()
    try:
        return Path(value).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"--{option}: cannot read {value!r}: {_reason(error)}", option=option) from error


def json_file(value: str, option: str) -> Any:
    """The JSON in a file, or on stdin for "-"."""
    return _parsed(file_argument(value, option), f"--{option} {value}", option)


def _parsed(text: str, where: str, option: str) -> Any:
    """JSON text; the message of a mistake names the file and shows the place."""
    try:
        return json.loads(text)
    except RecursionError:
        raise LimitExceeded(f"{where} is nested too deeply to parse", limit="schema_depth", allowed=1000) from None
    except json.JSONDecodeError as error:
        line = text.splitlines()[error.lineno - 1] if text.splitlines() else ""
        shown = line[max(error.colno - 31, 0) : error.colno + 29].strip()
        reason = f"{where}, line {error.lineno}, column {error.colno}: {error.msg}: {shown!r}"
        raise OptionError(reason, option=option) from error


def _reason(error: Exception) -> str:
    return str(error.strerror) if isinstance(error, OSError) else str(error)


def schema_argument(value: str) -> Any:
    """A type (package.module:Name), or a JSON Schema: from stdin (-), a file, or the JSON text itself."""
    if not value:
        raise OptionError("--schema is empty: a file, -, JSON text or package.module:Type is needed", option="schema")
    if value == "-":
        return _schema(sys.stdin.read(), "--schema, stdin")
    if value.lstrip().startswith("{") or value in ("true", "false"):
        return _schema(value, "--schema")
    if _TYPE.fullmatch(value) and not Path(value).exists():
        return object_argument(value, "schema")
    return _schema(file_argument(value, "schema"), f"--schema {value}")


def _schema(text: str, where: str) -> dict[str, Any] | bool:
    """A schema from its text. Raises OptionError for text that is not JSON, SchemaError for JSON that is no schema."""
    found = _parsed(text, where, "schema")
    if not isinstance(found, (dict, bool)):
        raise SchemaError(f"{where}: a schema is an object or a boolean, not {type(found).__name__}")
    return found


def object_argument(value: str, option: str) -> Any:
    """What package.module:Name names; modules beside the caller are found, as `python -m` finds them."""
    module, _, name = value.partition(":")
    if not _TYPE.fullmatch(value):
        raise OptionError(f"--{option} is package.module:Name, not {value!r}", option=option)
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise OptionError(f"--{option} {value}: {error}", option=option) from error
    return found


def style_argument(arguments: argparse.Namespace) -> JsonStyle | None:
    """The spelling asked for, if any."""
    return None if arguments.whitespace is None else JsonStyle(whitespace=arguments.whitespace)


def source_argument(arguments: argparse.Namespace) -> Source:
    """The constraint of a command."""
    said = {"style": style_argument(arguments), "dialect": arguments.dialect, "strict": bool(arguments.strict)}
    return source_of(**source_options(arguments), **said)


def source_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """The constraint options of a command, by the names `source_of` and `generate` give them."""
    files = {name: getattr(arguments, name) for name in GRAMMAR_FILES}
    others = [getattr(arguments, name, None) for name in ("text", "prompt", "messages", "tools")]
    if [arguments.schema, arguments.grammar, arguments.tag, *files.values(), *others].count("-") > 1:
        raise OptionError("only one option can read stdin", option="schema")
    texts = {name: file_argument(value, name) for name, value in files.items() if value is not None}
    schema = None if arguments.schema is None else schema_argument(arguments.schema)
    grammar = None if arguments.grammar is None else _language(text_argument(arguments.grammar))
    named = {"schema": schema, "regex": arguments.regex, "choices": arguments.choice, "grammar": grammar, **texts}
    if arguments.tag is not None:
        from structgen.tags import tag_of

        named["tag"] = tag_of(json_file(arguments.tag, "tag"))
    return named


def drawing_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """The options of prompts, tools, draws and budgets that were given, by the names `generate` has for them."""
    names = (
        "max_tokens", "method", "temperature", "top_p", "top_k", "min_p", "repetition_penalty", "stop", "on_truncate",
        "chat", "system", "describe", "dialect", "strict", "tool_choice",
    )  # fmt: skip
    given = {name: value for name in names if (value := getattr(arguments, name)) is not None}
    if arguments.tools is not None:
        given["tools"] = json_file(arguments.tools, "tools")
    return {"style": style_argument(arguments), **given}


def _language(text: str) -> Language:
    from structgen.api.expressions import read  # every kind of language: loaded when one is given

    return read(text)
