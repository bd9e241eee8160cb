"""Library grammars are written in GBNF, with rules that GBNF cannot say put in as regular languages or grammar IR."""

from __future__ import annotations

from structgen.grammars.bnf import compile_gbnf
from structgen.grammars.ir import Expr, Grammar, Rule
from structgen.grammars.regular.charset import utf8
from structgen.grammars.regular.language import Language
from structgen.grammars.regular.lower import lower

__all__ = ["grammar_of", "names"]


def grammar_of(source: str, **rules: Language | Expr) -> Grammar:
    """The grammar of a GBNF text in which each of `rules` stands for what the text says of it."""
    grammar, _ = compile_gbnf(source)
    bodies = {name: lower(body, utf8) if isinstance(body, Language) else body for name, body in rules.items()}
    return Grammar(tuple(Rule(rule.name, bodies.get(rule.name, rule.body)) for rule in grammar.rules), grammar.start)


def names(pattern: str, but: list[str], *, ignore_case: bool = False) -> Language:
    """The texts of a pattern that are none of some words."""
    flag = "(?i)" if ignore_case else ""
    return Language.regex(pattern, "python") - Language.regex(flag + "|".join(but), "python")
