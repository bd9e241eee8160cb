"""Static properties of an expression: never empty? counted? in need of a register?

Cost: linear in the expression, without the rules it calls.
"""

from __future__ import annotations

from typing import TypeGuard

from structgen.grammars.ir import Alt, ByteSet, Expr, Graph, Literal, Repeat, Seq, Terminal, Unordered, walk

EXPAND = 8  # a repetition of a single byte set up to this often is written out: no counter needed


def _plain(expr: Repeat) -> bool:
    """The repetition needs no counter."""
    return (expr.maximum is None and expr.minimum <= 1) or (expr.maximum is not None and expr.maximum <= 1)


def is_counter(expr: Expr) -> TypeGuard[Repeat | Graph]:
    """A repetition whose count is the register, and whose unit needs none; or a graph whose weight is."""
    if isinstance(expr, Graph):
        return expr.maximum is not None and not any(map(needs_register, expr.labels))
    return isinstance(expr, Repeat) and not _plain(expr) and is_never_empty(expr.body) and not needs_register(expr.body)


def is_never_empty(expr: Expr) -> bool:
    """The expression visibly never matches the empty string."""
    match expr:
        case Literal(value):
            return bool(value)
        case ByteSet():
            return True
        case Seq(parts):
            return any(map(is_never_empty, parts))
        case Alt(options):
            return all(map(is_never_empty, options))
        case Repeat(body, minimum, _):
            return minimum > 0 and is_never_empty(body)
        case Terminal(body):
            return is_never_empty(body)
        case Graph(start=start, accepts=accepts, labels=labels):
            return start not in accepts and all(map(is_never_empty, labels))
        case _:
            return False


def needs_register(expr: Expr) -> bool:
    """Whether writing the expression in place would need the item's register."""
    return any(map(_counts, walk(expr)))


def _counts(expr: Expr) -> bool:
    if isinstance(expr, Repeat):
        written_out = expr.maximum is not None and expr.maximum <= EXPAND and isinstance(expr.body, ByteSet)
        return not (_plain(expr) or written_out)
    return isinstance(expr, Unordered) or (isinstance(expr, Graph) and expr.maximum is not None)
