"""GBNF (llama.cpp) and EBNF (xgrammar) to grammar IR. Both are scannerless: rules go down to characters."""

from __future__ import annotations

from structgen.grammars.bnf.dialects import EBNF, GBNF
from structgen.grammars.bnf.reader import read
from structgen.grammars.ir import Grammar
from structgen.grammars.named_rules import GrammarReport

__all__ = ["compile_ebnf", "compile_gbnf"]


def compile_gbnf(source: str) -> tuple[Grammar, GrammarReport]:
    """A grammar as llama.cpp writes it, from rule `root`. Raises GrammarError with line, column and excerpt."""
    return read(source, GBNF)


def compile_ebnf(source: str, root: str = "root") -> tuple[Grammar, GrammarReport]:
    """A grammar as xgrammar writes it, from rule `root`. Raises GrammarError with line, column and excerpt."""
    return read(source, EBNF, root)
