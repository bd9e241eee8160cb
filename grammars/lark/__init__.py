"""Lark grammars: read by lark itself, run as an LALR parser behind lark's contextual lexer, or without a lexer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from structgen.errors import OptionError
from structgen.grammars.ir import Grammar
from structgen.grammars.ir_lr import LexedGrammar

if TYPE_CHECKING:
    from lark.indenter import Indenter

__all__ = ["LarkGrammar", "compile_lark"]

_LEXERS = ("auto", "contextual", "dynamic")


@dataclass(frozen=True, slots=True)
class LarkGrammar:
    """A Lark grammar and what `lark.Lark` takes beside it.

    field     meaning
    text      the grammar
    start     rule to start from
    lexer     "contextual": LALR behind lark's contextual lexer; "dynamic": no lexer, every way to cut the text into
              terminals counts (lark's Earley parser, `dynamic_complete`); "auto": contextual where the grammar is
              LALR(1), else dynamic
    indenter  `lark.indenter.Indenter`, for languages whose blocks are indented

    A text with llguidance's additions (`%json`, `%regex`, `<|special|>`, `rule[lazy]`, ...) is read without a lexer.
    """

    text: str
    start: str = "start"
    lexer: Literal["auto", "contextual", "dynamic"] = "auto"
    indenter: Indenter | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise OptionError(f"lark is a string or a LarkGrammar, not {type(self.text).__name__}", option="lark")
        if self.lexer not in _LEXERS:
            raise OptionError(f"lexer is one of {', '.join(_LEXERS)}, not {self.lexer!r}", option="lexer")
        if self.lexer == "dynamic" and self.indenter is not None:
            raise OptionError("an indenter needs a lexer; 'dynamic' has none", option="indenter")


def compile_lark(source: str | LarkGrammar) -> tuple[Grammar | LexedGrammar, Any]:
    """The grammar and its LarkReport. Raises GrammarError with line, column and excerpt."""
    from structgen.grammars.lark.extended import is_extended
    from structgen.grammars.lark.loader import NotLalr, compile_lalr, load
    from structgen.grammars.lark.report import LarkReport
    from structgen.grammars.lark.scannerless import compile_scannerless

    grammar = source if isinstance(source, LarkGrammar) else LarkGrammar(source)
    if is_extended(grammar.text):
        return _compile_extended(grammar), None
    if grammar.lexer != "dynamic":
        try:
            loaded = load(grammar.text, grammar.start, grammar.indenter)
            lexed = compile_lalr(loaded)
            tried = tuple(tuple(lexed.terminals[t] for t in context.order) for context in lexed.contexts)
            return lexed, LarkReport(loaded, tried)
        except NotLalr:
            if grammar.lexer == "contextual" or grammar.indenter is not None:
                raise
    loaded = load(grammar.text, grammar.start, lalr=False)
    return compile_scannerless(loaded), LarkReport(loaded)


def _compile_extended(grammar: LarkGrammar) -> Grammar:
    """A grammar with llguidance's additions, which have no lexer."""
    from structgen.grammars.json_schema import compile_schema
    from structgen.grammars.lark.extended import rewrite
    from structgen.grammars.lark.loader import load
    from structgen.grammars.lark.scannerless import compile_scannerless

    if grammar.lexer == "contextual" or grammar.indenter is not None:
        raise OptionError("llguidance's additions to Lark need lexer='dynamic'", option="lexer")
    extended = rewrite(grammar.text, lambda value: compile_schema(value).grammar)
    loaded = load(extended.source, grammar.start, lalr=False, may_be_empty=True)
    return compile_scannerless(loaded, extended)
