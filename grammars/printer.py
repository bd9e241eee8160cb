"""From grammar IR to readable text, one rule a line: the form of snapshots and of the tour.

    person ::= "{\"name\":" gap string "}"
    digits ::= [0-9]{1,3}

Cost: linear in the grammar. The text is for reading; no parser reads it back.
"""

from __future__ import annotations

from structgen.grammars.ir import (
    Alt,
    ByteSet,
    Expr,
    Grammar,
    Graph,
    Literal,
    Ref,
    Repeat,
    Seq,
    Terminal,
    Unordered,
    byte_runs,
)

__all__ = ["print_expression", "print_grammar"]


def print_grammar(grammar: Grammar) -> str:
    """Every rule as `name ::= body`, the start rule first; without the shared ones, the same in every grammar.

    Rules that share a name are told apart by their number.
    """
    names = rule_names(grammar)
    order = [grammar.start, *(i for i in range(grammar.common, len(grammar.rules)) if i != grammar.start)]
    embedded = dict(grammar.embedded)
    bodies = {i: print_expression(grammar.rules[i].body, names) for i in order if i not in embedded}
    return "\n".join(f"{names[i]} ::= {bodies.get(i, 'a grammar with a lexer')}" for i in order)


def rule_names(grammar: Grammar) -> list[str]:
    """A distinct name per rule."""
    taken = [rule.name for rule in grammar.rules]
    return [name if taken.count(name) == 1 else f"{name}#{i}" for i, name in enumerate(taken)]


def print_expression(expr: Expr, names: list[str]) -> str:
    """One expression; a Graph is written as its edges, an Unordered as `unordered(...)`."""
    match expr:
        case Literal(value):
            return _quoted(value)
        case ByteSet(mask):
            return _byte_class(mask)
        case Ref(rule):
            return names[rule]
        case Seq(parts):
            return " ".join(_grouped(part, names) for part in parts) or '""'
        case Alt(options):
            return " | ".join(print_expression(option, names) for option in options) or "nothing"
        case Repeat(body, minimum, maximum):
            return _grouped(body, names) + _times(minimum, maximum)
        case Graph(_, start, accepts, edges=edges):
            steps = "; ".join(f"{a} -> {b}: {print_expression(label, names)}" for a, label, b in edges)
            bound = "" if expr.maximum is None else f"; weight at most {expr.maximum}"
            return f"graph(from {start} to {', '.join(map(str, accepts))}; {steps}{bound})"
        case Terminal(body):
            return print_expression(body, names)
        case Unordered(members, separator, extra):
            some = [print_expression(body, names) + ("" if needed else " ?") for body, needed in members]
            some += [] if extra is None else [f"extra {print_expression(extra, names)}"]
            return f"unordered({', '.join(some)}; joined by {print_expression(separator, names)})"


def _grouped(expr: Expr, names: list[str]) -> str:
    if isinstance(expr, Terminal):
        return _grouped(expr.body, names)
    text = print_expression(expr, names)
    loose = (isinstance(expr, Alt) and len(expr.options) != 1) or (isinstance(expr, Seq) and len(expr.parts) > 1)
    return f"({text})" if loose else text


def _times(minimum: int, maximum: int | None) -> str:
    plain = {(0, None): "*", (1, None): "+", (0, 1): "?"}
    if (minimum, maximum) in plain:
        return plain[minimum, maximum]
    if maximum is None:
        return f"{{{minimum},}}"
    return f"{{{minimum}}}" if minimum == maximum else f"{{{minimum},{maximum}}}"


def _quoted(value: bytes) -> str:
    text = value.decode("utf-8", "surrogateescape")
    special = {"\\": "\\\\", '"': '\\"'}
    return '"' + "".join(special.get(c) or (c if c.isprintable() else f"\\x{ord(c) & 0xFF:02x}") for c in text) + '"'


def _byte_class(mask: int) -> str:
    return "[" + "".join(_byte(a) if a == b else f"{_byte(a)}-{_byte(b)}" for a, b in byte_runs(mask)) + "]"


def _byte(value: int) -> str:
    plain = 0x20 < value < 0x7F and chr(value) not in "[]-\\"
    return chr(value) if plain else f"\\x{value:02x}"
