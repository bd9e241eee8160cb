"""A Lark grammar to grammar IR, without a lexer: every way to cut the text into terminals counts (`dynamic_complete`).

What is ignored may stand before every terminal and at the end. A terminal matches what `re` prefers when the text ends
there (a lazy loop stops as soon as it can); one that looks ahead is refused, since here no terminal knows what is next
to it. Cost: linear in the grammar beside the terminals' automata.
"""

from __future__ import annotations

from typing import Any

from structgen.errors import RegexError
from structgen.grammars.ir import EPSILON, Expr, Grammar, Graph, Literal, Repeat, alt, seq
from structgen.grammars.lark.extended import Extended, lazy
from structgen.grammars.lark.lexer import Context, Lexer, LooksBehind, check_lookbehinds
from structgen.grammars.lark.loader import Loaded
from structgen.grammars.lark.program import LOOK, compile_patterns
from structgen.grammars.named_rules import NamedRules, import_rules
from structgen.grammars.regular.charset import utf8

__all__ = ["compile_scannerless"]


def compile_scannerless(loaded: Loaded, extended: Extended | None = None) -> Grammar:
    """The IR of a grammar that `load(..., lalr=False)` read, the holes of an extended one filled. Raises
    GrammarError.
    """
    rules = NamedRules(loaded.source)
    extended = extended or Extended(loaded.source)
    texts = {t.name: _terminal(loaded, t) for t in loaded.terminals if t.name not in extended.lazy}
    for terminal in loaded.terminals:
        if terminal.name in extended.lazy:
            texts[terminal.name] = lazy(terminal.pattern.to_regexp(), *extended.lazy[terminal.name])
    for name, content in extended.holes.items():
        texts[name] = import_rules(rules.builder, content) if isinstance(content, Grammar) else content
    ignored = alt(*(texts[name] for name in loaded.ignored)) if loaded.ignored else EPSILON
    gap: Expr = rules.builder.rule("ignored", Repeat(ignored)) if loaded.ignored else EPSILON
    used = {symbol.name for rule in loaded.rules for symbol in rule.expansion if symbol.is_term}
    for name in sorted(used):
        if name not in texts:
            raise loaded.error(name, "is declared and never defined")
        rules.define(name, 0, seq(gap, texts[name]))
    options: dict[str, list[Expr]] = {}
    for rule in loaded.rules:
        body = seq(*(rules.use(symbol.name, 0) for symbol in rule.expansion))
        options.setdefault(rule.origin.name, []).append(body)
    for name, bodies in options.items():
        rules.define(name, loaded.place(name), alt(*bodies))
    rules.define("", 0, seq(rules.use(loaded.start, 0), gap))
    return rules.build("")[0]


def _terminal(loaded: Loaded, terminal: Any) -> Expr:
    """The texts that are the preferred match of a terminal when nothing follows them."""
    if terminal.pattern.type == "str" and not terminal.pattern.flags:
        return Literal(terminal.pattern.value.encode())
    try:
        program, alphabet = compile_patterns([(terminal.pattern.to_regexp(), 0)])
        check_lookbehinds(program, len(alphabet.classes), (terminal.name,))
    except RegexError as error:
        raise loaded.error(terminal.name, f"cannot be used: {error.reason}") from None
    except LooksBehind:
        raise loaded.error(terminal.name, "looks behind its own start") from None
    if LOOK in program.op:
        raise loaded.error(terminal.name, "looks ahead, which needs lexer='contextual'")
    lexer = Lexer(program, len(alphabet.classes), (terminal.name,))
    lexer.start(Context((0,), ()), 0)
    edges: list[tuple[int, Expr, int]] = []
    number = 1
    while number < len(lexer.states):  # successors make more
        edges += [(number - 1, utf8(alphabet.charset(mask)), after - 1) for mask, after in lexer.successors(number)]
        number += 1
    accepts = tuple(state - 1 for state in range(1, number) if lexer.ends(state))
    return Graph.of(number - 1, 0, accepts, edges)
