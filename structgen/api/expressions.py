"""Languages written as a Python expression in text, for the command line and configuration files; nothing is executed.

    regex(r"[A-Z]\\w+") & length(characters=(3, 20))
    template("Dear {name},", name=span(file("people.txt"), words=True)) | "nobody"

The functions are those of `structgen.api.languages`, the operators those of `Language`; arguments are literals and
expressions. Errors say line and column.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from structgen.api import languages
from structgen.api.language import Language
from structgen.errors import GrammarError, LimitExceeded, RegexError

__all__ = ["read"]

MAX_LENGTH = 1 << 20
_FUNCTIONS: dict[str, Callable[..., Any]] = {name: getattr(languages, name) for name in languages.__all__}
_METHODS = ("optional", "repeat")
_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.BitAnd: lambda a, b: a & b,
    ast.BitOr: lambda a, b: a | b,
    ast.Sub: lambda a, b: a - b,
    ast.Add: lambda a, b: a + b,
}


def read(source: str, *, files: bool = True) -> Language:
    """The language of an expression. Raises GrammarError, or what making the language raises.

    Without `files` there is no file(...): for expressions that come from somebody else.
    """
    if len(source) > MAX_LENGTH:
        raise LimitExceeded("the expression is too long", limit="expression", allowed=MAX_LENGTH)
    try:
        tree = ast.parse(source.strip(), mode="eval").body
        found = _Reader(source.strip(), files).value(tree)
    except SyntaxError as error:
        line = error.lineno or 1
        excerpt = _line(source.strip(), line)
        column = error.offset or len(excerpt) + 1  # no offset: something is missing at the end
        raise GrammarError(error.msg, line=line, column=column, excerpt=excerpt) from None
    except RecursionError:
        raise LimitExceeded("the expression nests too deeply", limit="expression", allowed=MAX_LENGTH) from None
    return found if isinstance(found, Language) else languages.choices([found])


def _line(source: str, number: int) -> str:
    lines = source.splitlines()
    return lines[number - 1] if number <= len(lines) else ""


class _Reader:
    """Works out a tree of Python's syntax, as far as it is allowed here."""

    def __init__(self, source: str, files: bool) -> None:
        self.source = source
        self.functions: Mapping[str, Callable[..., Any]] = {**_FUNCTIONS, "file": _file} if files else _FUNCTIONS

    def error(self, reason: str, node: ast.expr) -> GrammarError:
        column = len(_line(self.source, node.lineno).encode()[: node.col_offset].decode("utf-8", "ignore")) + 1
        return GrammarError(reason, line=node.lineno, column=column, excerpt=_line(self.source, node.lineno))

    def value(self, node: ast.expr) -> Any:
        """A literal, a list or mapping of values, or a language."""
        match node:
            case ast.Constant(value) if value is None or isinstance(value, str | int | bool):
                return value
            case ast.List(elements):
                return [self.value(element) for element in elements]
            case ast.Tuple(elements):
                return tuple(self.value(element) for element in elements)
            case ast.Dict(keys, values) if None not in keys:
                return {self.value(key): self.value(value) for key, value in zip(keys, values, strict=True) if key}
            case ast.UnaryOp(ast.Invert(), operand):
                return ~self.language(operand)
            case ast.BinOp(left, operator, right) if type(operator) in _OPERATORS:
                return _OPERATORS[type(operator)](self.language(left), self.language(right))
            case ast.Call(function, arguments, keywords):
                return self.call(function, arguments, keywords)
        raise self.error("functions, operators & | - ~ + and literals are allowed here", node)

    def language(self, node: ast.expr) -> Language:
        """The operand of an operator: a language, or a text that stands for itself."""
        found = self.value(node)
        if isinstance(found, str):
            return languages.choices([found])
        if not isinstance(found, Language):
            raise self.error(f"a language or a text is needed, not {type(found).__name__}", node)
        return found

    def call(self, function: ast.expr, arguments: list[ast.expr], keywords: list[ast.keyword]) -> Any:
        """A function of `structgen.api.languages`, or a method of a language."""
        match function:
            case ast.Name(name) | ast.Attribute(ast.Name("sg"), name) if name in self.functions:
                chosen = self.functions[name]
            case ast.Attribute(inner, name) if name in _METHODS:
                chosen = getattr(self.language(inner), name)
            case _:
                raise self.error(f"there are {', '.join(sorted(self.functions))}, .repeat and .optional", function)
        values = [self.value(argument) for argument in arguments]
        named = {keyword.arg: self.value(keyword.value) for keyword in keywords if keyword.arg is not None}
        if len(named) != len(keywords):
            raise self.error("** is not allowed here", function)
        try:
            return chosen(*values, **named)
        except TypeError as error:
            raise self.error(str(error), function) from None
        except RegexError as error:
            raise self.error(f"in the pattern at position {error.position}: {error.reason}", function) from None


def _file(path: str) -> str:
    """What a file holds."""
    return Path(path).read_text(encoding="utf-8")
