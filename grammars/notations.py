"""Grammars written in another notation than their caller said: an error that names the one they are in.

`::=` defines a rule in GBNF and EBNF, `:` in Lark; between the first two their own readers decide.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from structgen.errors import GrammarError

__all__ = ["read_as"]

_STRINGS = re.compile(r'"(?:\\.|[^"\\\n])*"|(?m:(?://|\#)[^\n]*)')
_BNF = re.compile(r"(?m)^[ \t]*[A-Za-z_][\w-]*[ \t]*::=")
_LARK = re.compile(
    r"(?m)^[ \t]*(?:[?!]{0,2}[A-Za-z_]\w*(?:\{[^}\n]*\})?(?:\.-?\d+)?[ \t]*:(?!:?=)|%(?:import|ignore|declare)\b)"
)

Given = TypeVar("Given")
Read = TypeVar("Read")


def read_as(said: str, reader: Callable[[Given], Read], given: Given, text: str) -> Read:
    """`reader(given)`; a GrammarError says so where the text is in another notation than `said`."""
    try:
        return reader(given)
    except GrammarError as error:
        others = [name for name in notations(text) if name != said]
        if not others or said in notations(text):
            raise
        hint = " or ".join(f"{name}=" for name in others)
        reason = f"{error.reason}; {said}= is given what looks like a grammar for {hint}"
        raise GrammarError(reason, line=error.line, column=error.column, excerpt=error.excerpt) from None


def notations(text: str) -> list[str]:
    """The notations that a text may be in, as options of `compile`; [] where it looks like none."""
    bare = _STRINGS.sub("", text)
    if _BNF.search(bare):
        read = [name for name in ("gbnf", "ebnf") if _reads(name, text)]
        return read or ["gbnf", "ebnf"]
    return ["lark"] if _LARK.search(bare) else []


def _reads(name: str, text: str) -> bool:
    from structgen.grammars.bnf import compile_ebnf, compile_gbnf

    try:
        (compile_gbnf if name == "gbnf" else compile_ebnf)(text)
    except GrammarError:
        return False
    return True
