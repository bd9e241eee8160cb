"""JSON texts (RFC 8259) and lines of them. Strings, numbers and blanks are those of `grammars/json_schema`."""

from __future__ import annotations

from functools import cache

from structgen.grammars.combine.automaton import of_language
from structgen.grammars.combine.join import import_rules
from structgen.grammars.combine.product import meet
from structgen.grammars.ir import EPSILON, Grammar, Literal, Repeat, Rule, optional, seq
from structgen.grammars.json_schema import compile_schema
from structgen.grammars.json_schema.style import JsonStyle
from structgen.grammars.regular.language import Language
from structgen.options import Limits

__all__ = ["json", "jsonl"]


@cache
def json() -> Grammar:
    """Any JSON text, in every spelling that RFC 8259 has."""
    return compile_schema(True, style=JsonStyle.any()).grammar


@cache
def jsonl() -> Grammar:
    """One JSON text or more, one a line (JSON Lines); the last line break may be left out."""
    limit = Limits().product_states
    rules: list[Rule] = [Rule("lines", EPSILON)]
    value = import_rules(meet(json(), of_language(Language.regex(r"[^\n\r]*", "python"), limit), limit), rules)
    line = Literal(b"\n")
    rules[0] = Rule("lines", seq(value, Repeat(seq(line, value)), optional(line)))
    return Grammar(tuple(rules))
