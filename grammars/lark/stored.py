"""A Lark grammar with a lexer <-> JSON text: the user's own text and what stood beside it, all that lark needs.

    {"lark": "start: ...", "start": "start", "indenter": {"name": "PythonIndenter", "tab_len": 8, ...}}

An indenter is kept as its settings, which is all of it that the tables hold (lark's Indenter; ir_lr.Indentation).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from structgen.grammars.ir_lr import LexedGrammar

if TYPE_CHECKING:
    from lark.indenter import Indenter

__all__ = ["read_lexed", "write_lexed"]

_NAMES = ("NL_type", "INDENT_type", "DEDENT_type")
_LISTS = ("OPEN_PAREN_types", "CLOSE_PAREN_types", "always_accept")


def write_lexed(grammar: LexedGrammar) -> str:
    """The text, in ASCII."""
    return json.dumps(grammar.recipe, separators=(",", ":"))


def read_lexed(recipe: Any) -> LexedGrammar:
    """The grammar of parsed text. Raises ValueError for another shape, GrammarError for what lark refuses."""
    from structgen.grammars.lark.loader import compile_lalr, load

    if not isinstance(recipe, dict) or set(recipe) != {"lark", "start", "indenter"}:
        raise ValueError("a Lark grammar has the fields lark, start, indenter")
    if not (isinstance(recipe["lark"], str) and isinstance(recipe["start"], str)):
        raise ValueError("text and start of a Lark grammar are strings")
    indenter = None if recipe["indenter"] is None else _indenter(recipe["indenter"])
    return compile_lalr(load(recipe["lark"], recipe["start"], indenter))


def settings(indenter: Indenter | None) -> dict[str, Any] | None:
    """What an indenter says."""
    if indenter is None:
        return None
    found: dict[str, Any] = {"name": type(indenter).__qualname__, "tab_len": indenter.tab_len}
    found |= {name: getattr(indenter, name) for name in _NAMES}
    return found | {name: list(getattr(indenter, name)) for name in _LISTS}


def _indenter(found: Any) -> Indenter:
    from lark.indenter import Indenter

    if not isinstance(found, dict) or set(found) != {"name", "tab_len", *_NAMES, *_LISTS}:
        raise ValueError("these are not the settings of an indenter")
    strings = [found["name"], *(found[name] for name in _NAMES)]
    for name in _LISTS:
        if not isinstance(found[name], list):
            raise ValueError(f"{name} of an indenter is a list")
        strings += found[name]
    if not all(isinstance(text, str) for text in strings) or type(found["tab_len"]) is not int:
        raise ValueError("the settings of an indenter are names and a number")
    made = type("Stored", (Indenter,), {name: value for name, value in found.items() if name != "name"})
    made.__qualname__ = found["name"]
    return made()
