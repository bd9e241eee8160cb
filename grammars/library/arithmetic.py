"""Arithmetic as Python writes it: numbers, names, calls, + - * / // % **, unary signs, parentheses; blanks optional."""

from __future__ import annotations

from functools import cache

from structgen.grammars.ir import Grammar
from structgen.grammars.library.notation import grammar_of

__all__ = ["arithmetic"]

_SOURCE = r"""
root    ::= sum
sum     ::= product (gap [+-] gap product)*
product ::= signed (gap ("*" | "/" | "//" | "%") gap signed)*
signed  ::= [+-] gap signed | power
power   ::= atom (gap "**" gap signed)?
atom    ::= number | name call? | "(" gap sum gap ")"
call    ::= "(" gap (sum (gap "," gap sum)*)? gap ")"
number  ::= ("0" | [1-9] [0-9]*) ("." [0-9]+)? ([eE] [+-]? [0-9]+)?
name    ::= [a-z]
gap     ::= " "?
"""


@cache
def arithmetic() -> Grammar:
    """Expressions over decimal numbers and names of one small letter."""
    return grammar_of(_SOURCE)
