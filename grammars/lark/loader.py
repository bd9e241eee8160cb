"""A Lark grammar, read and compiled by lark itself, to LALR tables and a lexing automaton.

lark's loader does the syntax: rules, templates, priorities, aliases, imports, `%ignore`, `%declare`, `%override`,
`%extend`, ranges, flags, repetition. Its LALR analysis makes the parser, and the order in which its contextual lexer
tries terminals is followed to the letter (lark/lexer.py: BasicLexer, ContextualLexer, _create_unless).

Cost: lark's own loading, then linear in states and terminals.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

import lark
from lark.exceptions import LarkError, UnexpectedInput
from lark.indenter import Indenter
from structgen.errors import GrammarError, RegexError
from structgen.grammars.ir_lr import Indentation, LexedGrammar
from structgen.grammars.lark.indenter import settings
from structgen.grammars.lark.lexer import Context, Lexer, LooksBehind, check_lookbehinds
from structgen.grammars.lark.program import Program, compile_patterns
from structgen.grammars.lark.utf8 import byte_rows
from structgen.grammars.named_rules import error_at
from structgen.grammars.regular.alphabet import Alphabet

__all__ = ["Loaded", "NotLalr", "compile_lalr", "load", "placed"]

# what lark lets through of a grammar's own mistakes: files that are not there, patterns that `re` refuses
_ERRORS: tuple[type[Exception], ...] = (LarkError, AssertionError, re.error, OSError, RecursionError)
if "regex" in sys.modules:  # lark measures patterns with it where it is installed
    _ERRORS = (*_ERRORS, sys.modules["regex"].error)
_PLACE = re.compile(r"line (\d+),? column (\d+)")
_PATTERN = re.compile(r"/((?:\\.|[^/\n\\])+)/")
_WORD = re.compile(r"[A-Za-z_]\w*")


class NotLalr(GrammarError):
    """The grammar has a reduce/reduce conflict: no LALR(1) parser decides it."""


class _NoLexer:
    """Stands in for lark's contextual lexer, whose checks cost more than everything else."""

    def __init__(self, *_: Any, **__: Any) -> None: ...


class _NoParser:
    """Stands in for lark's LALR analysis, where only the rules are wanted."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self._parse_table = SimpleNamespace(states={})


@dataclass(frozen=True, slots=True)
class Loaded:
    """A grammar as lark compiled it: terminals with patterns, productions, names of ignored terminals, LALR table."""

    source: str
    terminals: list[Any]
    rules: list[Any]
    ignored: list[str]
    start: str
    table: Any = None
    indenter: Indenter | None = None

    def error(self, name: str, reason: str) -> GrammarError:
        """An error about a rule or terminal, at its definition."""
        kind = "terminal" if name.strip("_")[:1].isupper() else "rule"
        return error_at(self.source, self.place(name), f"the {kind} {name} {reason}")

    def place(self, name: str) -> int:
        """Where the source defines (or else names) a rule or terminal."""
        found = re.search(rf"(?m)^[ \t]*[?!%a-z]*[ \t]*({re.escape(name)})\b[^\n]*:", self.source)
        return found.start(1) if found is not None else max(self.source.find(name), 0)


def load(
    source: str,
    start: str = "start",
    indenter: Indenter | None = None,
    *,
    lalr: bool = True,
    may_be_empty: bool = False,
) -> Loaded:
    """Read a grammar, without its LALR table if that is not wanted. Raises GrammarError with lark's reason; where lark
    names no place, that of the name it names.
    """
    options: dict[str, Any] = {"start": start, "maybe_placeholders": False}
    options |= {"parser": "lalr", "lexer": "contextual", "_plugins": {"ContextualLexer": _NoLexer}, "postlex": indenter}
    if not lalr:
        options |= {"_plugins": {"ContextualLexer": _NoLexer, "LALR_Parser": _NoParser}, "postlex": None}
    try:
        found = lark.Lark(source, **options)
        empty = [terminal.name for terminal in found.terminals if terminal.pattern.min_width == 0]
    except UnexpectedInput as error:
        raise _at(source, f"lark cannot read this: {_first_line(error)}", error.line, error.column) from None
    except _ERRORS as error:
        at = placed(source, _reason(error))
        kind = NotLalr if "Reduce/Reduce" in str(error) else GrammarError
        raise kind(at.reason, line=at.line, column=at.column, excerpt=at.excerpt) from None
    table = found.parser.parser._parse_table if lalr else None
    loaded = Loaded(source, list(found.terminals), list(found.rules), list(found.ignore_tokens), start, table, indenter)
    _check_patterns(loaded)
    if empty and not may_be_empty:
        raise loaded.error(empty[0], "matches the empty text, which no lexer can")
    _check_productive(loaded)
    return loaded


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return f"there is no grammar {error.filename} to import"
    return "it nests too deeply" if isinstance(error, RecursionError) else str(error)


def _check_patterns(loaded: Loaded) -> None:
    """Raise GrammarError for a pattern that `re` refuses: where the package `regex` is installed, lark asks that."""
    for terminal in loaded.terminals:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # of sets such as [[a]], which mean here what they do
                re.compile(terminal.pattern.to_regexp())
        except re.error as error:
            raise loaded.error(terminal.name, f"cannot be used: {error.msg} in /{terminal.pattern.value}/") from None


def _check_productive(loaded: Loaded) -> None:
    """Raise GrammarError for a rule without a finite text."""
    good: set[str] = set()
    grew = True
    while grew:
        found = {str(r.origin.name) for r in loaded.rules if all(s.is_term or s.name in good for s in r.expansion)}
        grew, good = found != good, found
    for name in sorted({str(r.origin.name) for r in loaded.rules} - good, key=loaded.place):
        if all(any(s.name == name for s in r.expansion) for r in loaded.rules if r.origin.name == name):
            raise loaded.error(name, "has no finite text: each of its alternatives leads back to it")
    for name in sorted({str(r.origin.name) for r in loaded.rules} - good, key=loaded.place):
        raise loaded.error(name, "has no finite text")


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


def _at(source: str, reason: str, line: int, column: int) -> GrammarError:
    lines = source.split("\n")
    excerpt = lines[line - 1].expandtabs(1) if 0 < line <= len(lines) else ""
    return GrammarError(reason, line=max(line, 1), column=max(column, 1), excerpt=excerpt)


def placed(source: str, reason: str) -> GrammarError:
    """An error where lark says it is, else at the last word of the reason that the source has."""
    reason = reason.strip()
    found = _PLACE.search(reason)
    if found is not None:
        return _at(source, reason.splitlines()[0], int(found[1]), int(found[2]))
    twice = re.search(r"(?:Rule|Terminal) '(\w+)' defined more than once", reason)
    if twice is not None:
        places = [m.start(1) for m in re.finditer(rf"(?m)^[ \t]*[?!]*({twice[1]})\b[^\n]*:", source)]
        return error_at(source, places[-1] if places else 0, reason)
    for pattern in _PATTERN.finditer(source):
        try:
            re.compile(pattern[1])
        except re.error:
            return error_at(source, pattern.start(), reason)
    for word in sorted(set(_WORD.findall(reason)), key=len, reverse=True):
        place = re.search(rf"(?<!\w){re.escape(word)}(?!\w)", source)
        if place is not None:
            return error_at(source, place.start(), reason.splitlines()[0])
    return error_at(source, 0, reason.splitlines()[0])


def compile_lalr(loaded: Loaded) -> LexedGrammar:
    """Tables and lexer of a grammar that is LALR(1)."""
    states, table = loaded.table.states, loaded.table
    order = sorted(loaded.terminals, key=_preference)
    names = ["$END", *(terminal.name for terminal in order)]
    declared = {n for actions in states.values() for n in actions if n not in names and n not in _origins(loaded)}
    declared |= _indenter_names(loaded.indenter) - set(names)
    names += sorted(declared)
    number = {name: k for k, name in enumerate(names)}
    nonterminals = tuple(sorted(_origins(loaded)))
    nonterminal = {name: k for k, name in enumerate(nonterminals)}
    productions = {rule: k for k, rule in enumerate(dict.fromkeys(_reduced(states)))}
    shifts, reduces, gotos = _actions(states, number, nonterminal, productions)
    contexts, context_of = _contexts(loaded, order, number)
    program, alphabet = _program(loaded, order)
    return LexedGrammar(
        source=_identity(loaded),
        terminals=tuple(names),
        widths=(0, *(t.pattern.min_width for t in order), *(0 for _ in declared)),
        nonterminals=nonterminals,
        shifts=shifts,
        reduces=reduces,
        gotos=gotos,
        productions=tuple((nonterminal[rule.origin.name], len(rule.expansion)) for rule in productions),
        start=table.start_states[loaded.start],
        final=table.end_states[loaded.start],
        contexts=contexts,
        context_of=context_of,
        ignored=frozenset(number[name] for name in loaded.ignored),
        symbols=len(alphabet.classes),
        bytes=byte_rows(alphabet),
        lexer=partial(Lexer, program, len(alphabet.classes), tuple(names)),
        indentation=_indentation(loaded.indenter, number),
        labels=("the end", *(_label(t, t.name in loaded.ignored) for t in order), *sorted(declared)),
        recipe={"lark": loaded.source, "start": loaded.start, "indenter": settings(loaded.indenter)},
    )


def _label(terminal: Any, ignored: bool) -> str:
    """A string as it is written, a pattern by its name if the user gave it one."""
    pattern = terminal.pattern
    text = repr(pattern.value) + ", any case" * ("i" in pattern.flags) if pattern.type == "str" else terminal.name
    if terminal.name.startswith("__") and pattern.type != "str":
        text = f"/{pattern.value}/"
    return f"{text} (ignored)" if ignored else text


def _program(loaded: Loaded, order: list[Any]) -> tuple[Program, Alphabet]:
    """The patterns of all terminals as one program; pattern 0 stands for END and is never begun."""
    try:
        program, alphabet = compile_patterns([(".", 0), *((t.pattern.to_regexp(), 0) for t in order)])
        check_lookbehinds(program, len(alphabet.classes), ("", *(t.name for t in order)))
        return program, alphabet
    except LooksBehind as error:
        raise loaded.error(error.name, "looks behind its own start, where a lexer cannot see") from None
    except RegexError as error:
        name = next(t.name for t in order if t.pattern.to_regexp() == error.pattern)
        raise loaded.error(name, f"cannot be used: {error.reason}") from None


def _preference(terminal: Any) -> tuple[int, int, int, str]:
    """The order of lark's lexer: priority, longest possible match, longest pattern, name."""
    pattern = terminal.pattern
    return -terminal.priority, -pattern.max_width, -len(pattern.value), terminal.name


def _origins(loaded: Loaded) -> set[str]:
    return {str(rule.origin.name) for rule in loaded.rules} | {f"$root_{loaded.start}"}


def _reduced(states: dict[int, Any]) -> Iterable[Any]:
    return (argument for actions in states.values() for kind, argument in actions.values() if str(kind) == "Reduce")


def _actions(
    states: dict[int, Any], number: dict[str, int], nonterminal: dict[str, int], productions: dict[Any, int]
) -> tuple[tuple[dict[int, int], ...], tuple[dict[int, int], ...], tuple[dict[int, int], ...]]:
    shifts: list[dict[int, int]] = [{} for _ in states]
    reduces: list[dict[int, int]] = [{} for _ in states]
    gotos: list[dict[int, int]] = [{} for _ in states]
    for state, actions in states.items():
        for name, (kind, argument) in actions.items():
            if str(kind) == "Reduce":
                reduces[state][number[name]] = productions[argument]
            elif name in number:
                shifts[state][number[name]] = argument
            else:
                gotos[state][nonterminal[name]] = argument
    return tuple(shifts), tuple(reduces), tuple(gotos)


def _contexts(loaded: Loaded, order: list[Any], number: dict[str, int]) -> tuple[tuple[Context, ...], tuple[int, ...]]:
    """The distinct contexts, and the context of each state: what its row accepts, what is ignored, what is always
    lexed.
    """
    always = set(loaded.ignored) | set(loaded.indenter.always_accept if loaded.indenter else ())
    inside = _keywords(order)
    known: dict[frozenset[str], int] = {}
    contexts: list[Context] = []
    context_of = []
    for state in range(len(loaded.table.states)):
        accepted = frozenset(always | loaded.table.states[state].keys())
        if accepted not in known:
            known[accepted] = len(contexts)
            contexts.append(_context([t for t in order if t.name in accepted], inside, number))
        context_of.append(known[accepted])
    return tuple(contexts), tuple(context_of)


def _keywords(order: list[Any]) -> dict[str, list[Any]]:
    """The strings each regular terminal matches as a whole, of its own priority."""
    strings = [t for t in order if t.pattern.type == "str"]
    found: dict[str, list[Any]] = {}
    for terminal in order:
        if terminal.pattern.type == "re":
            pattern = re.compile(terminal.pattern.to_regexp())
            found[terminal.name] = [
                s
                for s in strings
                if s.priority == terminal.priority
                and (match := pattern.match(s.pattern.value)) is not None
                and match[0] == s.pattern.value
            ]
    return found


def _context(terminals: list[Any], inside: dict[str, list[Any]], number: dict[str, int]) -> Context:
    names = {t.name for t in terminals}
    keywords, embedded = [], set()
    for terminal in terminals:
        words = [word for word in inside.get(terminal.name, ()) if word.name in names]
        if words:
            keywords.append((number[terminal.name], tuple(number[word.name] for word in words)))
            embedded |= {word.name for word in words if word.pattern.flags <= terminal.pattern.flags}
    return Context(tuple(number[t.name] for t in terminals if t.name not in embedded), tuple(keywords))


def _indenter_names(indenter: Indenter | None) -> set[str]:
    if indenter is None:
        return set()
    parentheses = {*indenter.OPEN_PAREN_types, *indenter.CLOSE_PAREN_types}
    return {indenter.NL_type, indenter.INDENT_type, indenter.DEDENT_type, *parentheses}


def _indentation(indenter: Indenter | None, number: dict[str, int]) -> Indentation | None:
    if indenter is None:
        return None
    return Indentation(
        newline=number[indenter.NL_type],
        indent=number[indenter.INDENT_type],
        dedent=number[indenter.DEDENT_type],
        opens=frozenset(number[name] for name in indenter.OPEN_PAREN_types),
        closes=frozenset(number[name] for name in indenter.CLOSE_PAREN_types),
        tab=indenter.tab_len,
    )


def _identity(loaded: Loaded) -> str:
    indenter = "" if loaded.indenter is None else f"{type(loaded.indenter).__qualname__}:{loaded.indenter.tab_len}"
    return "\0".join(("contextual", lark.__version__, loaded.start, indenter, loaded.source))
