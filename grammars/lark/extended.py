"""llguidance's additions to Lark, rewritten to plain Lark with holes: what fills a hole is grammar IR.

    %json { ... }              a JSON value of this schema
    %regex { ... }             a part of a sequence: "substring_chunks", "substring_words" or "substring_chars"
    <|name|>                   a special token
    rule[lazy]: ...            the shortest texts of a regular rule: none of them goes on to another
    rule[suffix="..."]: ...    the same, with what must come behind it
    rule[stop="..."]: ...      the same, without it
    item{m,n}                  item~m..n

A hole is a declared terminal whose name begins with HOLE. A rule with options must be regular: it is rewritten as a
terminal, so that lark composes its pattern. `capture` changes no language and is read over; `max_tokens`, `temperature`
and tokens by number are refused. Source: llguidance, docs/syntax.md. Linear in the source beside the automata of lazy
rules.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from structgen.grammars.ir import EPSILON, Expr, Grammar, Graph, Literal, special
from structgen.grammars.named_rules import error_at
from structgen.grammars.regular.charset import utf8
from structgen.grammars.regular.language import Language
from structgen.grammars.regular.lower import lower

__all__ = ["Extended", "is_extended", "lazy", "rewrite"]

HOLE = "LLG_HOLE_"

_SKIP = re.compile(r'"(?:\\.|[^"\\\n])*"i?|/(?!/)(?:\\.|[^/\\\n])+/[imslux]*|//[^\n]*|\#[^\n]*')
_JSON = re.compile(r"%(json|regex)\s*(?=\{)")
_SPECIAL = re.compile(r"<(\[[^\]\n]*\]|[^\s<>\"'][^<>\n]*)>")
_OPTIONS = re.compile(r"(?m)^([ \t]*)([?!]?_?[a-z]\w*)\[([^\]\n]*)\][ \t]*:")
_OPTION = re.compile(r'\s*([a-z_]+)\s*(?:=\s*("(?:\\.|[^"\\])*"|[\w.]+))?\s*(?:,|$)')
_COUNT = re.compile(r"\{[ \t]*(\d*)[ \t]*(,?)[ \t]*(\d*)[ \t]*\}")
_MARK = re.compile(
    r"%(?:json|regex|llguidance|lark)\b|<[\[|\w]|\{[ \t]*[\d,]|^[ \t]*[?!]?_?[a-z]\w*\[[^\]\n]*\][ \t]*:", re.M
)


@dataclass(slots=True)
class Extended:
    """Plain Lark, what fills its holes, and which terminals are lazy: name -> (kind, text of suffix or stop)."""

    source: str
    holes: dict[str, Grammar | Expr] = field(default_factory=dict)
    lazy: dict[str, tuple[str, str]] = field(default_factory=dict)


def is_extended(source: str) -> bool:
    """Whether a grammar uses something that only llguidance reads."""
    return _MARK.search(_SKIP.sub("", source)) is not None


def rewrite(source: str, schema: Callable[[Any], Grammar]) -> Extended:
    """The plain form. `schema` compiles a JSON Schema. Raises GrammarError."""
    found = Extended("")
    out: list[str] = []
    at = 0

    def hole(content: Grammar | Expr) -> str:
        name = f"{HOLE}{len(found.holes)}"
        found.holes[name] = content
        return name

    while at < len(source):
        if match := _SKIP.match(source, at):
            out.append(match[0])
        elif match := re.compile(r"%llguidance\s*\{[^}]*\}").match(source, at):
            if match[0].split("{")[1].strip(" }\n"):
                raise error_at(source, at, "options of %llguidance are not supported")
        elif source.startswith("%lark", at):
            raise error_at(
                source, at, "a grammar inside another (%lark { ... }) is not supported: write its rules here"
            )
        elif match := _JSON.match(source, at):
            value, end = _json_at(source, match.end())
            out.append(hole(schema(value) if match[1] == "json" else _part(source, at, value)))
            at = end
            continue
        elif match := _SPECIAL.match(source, at):
            if match[1].startswith("["):
                raise error_at(source, at, "tokens by number are not supported: name the token, as in <|end|>")
            out.append(hole(special(match[0])))
        elif match := _OPTIONS.match(source, at):
            out.append(_with_options(source, match, found))
        elif (match := _COUNT.match(source, at)) and (match[1] or match[3]):
            out.append(_count(source, at, match))
        else:
            out.append(source[at])
            at += 1
            continue
        at = match.end()
    declared = f"\n%declare {' '.join(found.holes)}\n" if found.holes else "\n"
    found.source = "".join(out) + declared
    return found


def _json_at(source: str, at: int) -> tuple[Any, int]:
    try:
        return json.JSONDecoder().raw_decode(source, at)
    except ValueError as error:
        raise error_at(source, getattr(error, "pos", at), f"not JSON: {getattr(error, 'msg', error)}") from None


def _count(source: str, at: int, match: re.Match[str]) -> str:
    low, comma, high = match[1] or "0", match[2], match[3]
    if not comma:
        return f"~{low}"
    if high:
        return f"~{low}..{high}"
    if low in ("0", "1"):
        return "*" if low == "0" else "+"
    raise error_at(source, at, f"write item~{low} item* for a count without an end")


def _with_options(source: str, match: re.Match[str], found: Extended) -> str:
    """The head of a rule without its options; one that makes the rule lazy turns its body into a terminal."""
    indent, name, text = match[1], match[2], match[3]
    kind, value = "", ""
    at = 0
    while at < len(text):
        option = _OPTION.match(text, at)
        if option is None or option[1] not in ("capture", "lazy", "suffix", "stop"):
            raise error_at(source, match.start(3) + at, f"the option {text[at:].split(',')[0]!r} is not supported")
        if option[1] != "capture":
            kind, value = option[1], json.loads(option[2]) if option[2] else ""
            if option[1] != "lazy" and not value:
                raise error_at(source, match.start(3) + at, f"{option[1]} needs a text")
        at = option.end()
    if not kind:
        return f"{indent}{name}:"
    terminal = f"LLG_LAZY_{len(found.lazy)}"
    found.lazy[terminal] = (kind, value)
    return f"{indent}{name}: {terminal}\n{indent}{terminal}:"


def _part(source: str, at: int, value: dict[str, Any]) -> Expr:
    """Any run of consecutive chunks, the empty one too."""
    splitters: dict[str, Callable[[Any], list[str]]] = {
        "substring_chunks": list,
        "substring_chars": list,
        "substring_words": lambda text: re.findall(r"\w+|\W", text),
    }
    if len(value) != 1 or next(iter(value)) not in splitters:
        raise error_at(source, at, f"%regex takes one of {', '.join(splitters)}")
    (kind, content), *_ = value.items()
    chunks = splitters[kind](content)
    states = len(chunks) + 2
    steps: list[tuple[int, Expr, int]] = [(k + 1, Literal(chunk.encode()), k + 2) for k, chunk in enumerate(chunks)]
    return Graph.of(states, 0, tuple(range(states)), tuple([*((0, EPSILON, k) for k in range(1, states)), *steps]))


def lazy(pattern: str, kind: str, value: str) -> Expr:
    """The texts of a lazy rule: of those that match with the suffix or stop behind, the ones no shorter one begins."""
    whole = f"(?:{pattern}){re.escape(value)}"
    language = Language.regex(whole, "python") - Language.regex(f"(?:{whole})(?s:.)+", "python")
    if kind != "stop":
        return lower(language, utf8)
    dfa = language.automaton()
    edges = [(s, utf8(dfa.charset(mask)), target) for s, row in enumerate(dfa.rows) for mask, target in row]
    accepts = tuple(state for state in range(len(dfa)) if _reaches(dfa, state, value))
    return Graph.of(len(dfa), 0, accepts, edges)


def _reaches(dfa: Any, state: int, text: str) -> bool:
    """Whether the text leads from a state to acceptance."""
    for character in text:
        symbol = dfa.alphabet.classify(character)
        following = next((target for mask, target in dfa.rows[state] if mask & symbol), None)
        if following is None:
            return False
        state = following
    return bool(dfa.accepts[state])
