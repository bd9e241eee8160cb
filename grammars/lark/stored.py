"""A Lark grammar with a lexer <-> JSON text: the user's own text and what stood beside it, all that lark needs.

    {"lark": "start: ...", "start": "start", "indenter": {"name": "PythonIndenter", "tab_len": 8, ...}}

An indenter is kept as its settings (indenter.py).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from structgen.grammars.ir_lr import LexedGrammar

__all__ = ["read_lexed", "write_lexed"]


def write_lexed(grammar: LexedGrammar) -> str:
    """The text, in ASCII."""
    return json.dumps(grammar.recipe, separators=(",", ":"))


def read_lexed(recipe: Any) -> LexedGrammar:
    """The grammar of parsed text. Raises ValueError for another shape, GrammarError for what lark refuses."""
    from structgen.grammars.lark.indenter import indenter_of
    from structgen.grammars.lark.loader import compile_lalr, load  # lark is loaded when a Lark grammar comes

    if not isinstance(recipe, dict) or set(recipe) != {"lark", "start", "indenter"}:
        raise ValueError("a Lark grammar has the fields lark, start, indenter")
    if not (isinstance(recipe["lark"], str) and isinstance(recipe["start"], str)):
        raise ValueError("text and start of a Lark grammar are strings")
    indenter = None if recipe["indenter"] is None else indenter_of(recipe["indenter"])
    return compile_lalr(load(recipe["lark"], recipe["start"], indenter))
