"""Plain notation (digits, point, digits) of the numbers >= 0 in a cell, exactly, as an automaton over digits.

One pass over the text runs trackers side by side, each a small integer or tuple: the comparison with a bound (digit by
digit; the longer integer part is the larger number), the remainder modulo a divisor (for a/10^k: of the digits up to
the k-th after the point), and the shape of the text. Cost: the product of the trackers' states, bounded by
`Limits.number_states`. A state that digits lead back to itself goes on in a counted repetition instead of a loop, so
that the number of digits is bounded by a register; cycles of remainders are left as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from functools import cache

from structgen.errors import LimitExceeded
from structgen.grammars.ir import NOTHING, ByteSet, Expr, Graph, Repeat
from structgen.grammars.json_schema.number import Cell, Number
from structgen.grammars.time_limit import check_time

__all__ = ["SIGNIFICANT", "classes", "digit_multiple", "digits_of", "plain"]

SIGNIFICANT = 16  # decimals of a normalised mantissa as repr writes doubles


@dataclass(frozen=True, slots=True)
class Tracker:
    """A deterministic observer of a plain number: None = can no longer succeed.

    `digit(state, d, after_point)` and `point(state)` give the next state, `accepts(state, after_point)` the verdict.
    """

    start: Hashable
    digit: Callable[..., Hashable]
    point: Callable[..., Hashable]
    accepts: Callable[..., bool]


LESS, GREATER = "<", ">"


def digits_of(value: Number) -> tuple[str, str]:
    """Integer digits and decimals (without trailing zeros) of a finite decimal >= 0."""
    if isinstance(value, int):
        return str(value), ""
    power, scale = 0, 1
    while scale % value.denominator:
        power, scale = power + 1, scale * 10
    digits = str(value.numerator * (scale // value.denominator)).rjust(power + 1, "0")
    return digits[: len(digits) - power], digits[len(digits) - power :].rstrip("0")


def _comparison(bound: Number, accepted: Callable[[int], bool]) -> Tracker:
    """Compares with `bound`. State: (digits read, -1/0/1) before the point, decimals matched after it, or decided."""
    whole, decimals = digits_of(bound)
    length, total = len(whole), len(decimals)

    def digit(state: Hashable, d: int, after_point: bool) -> Hashable:
        if state in (LESS, GREATER):
            return decide(state)
        if after_point:
            assert isinstance(state, int)
            expected = int(decimals[state]) if state < total else 0
            if d != expected:
                return decide(LESS if d < expected else GREATER)
            return min(state + 1, total)
        assert isinstance(state, tuple)
        read, order = state
        if read == length:
            return decide(GREATER)
        expected = int(whole[read])
        return read + 1, order or (d > expected) - (d < expected)

    def point(state: Hashable) -> Hashable:
        if state in (LESS, GREATER):
            return state
        assert isinstance(state, tuple)
        read, order = state
        if read < length or order < 0:
            return decide(LESS)
        return decide(GREATER) if order > 0 else 0

    def decide(state: Hashable) -> Hashable:
        return state if accepted(-1 if state == LESS else 1) else None

    def accepts(state: Hashable, after_point: bool) -> bool:
        end = state if after_point else point(state)
        if end is None:
            return False
        if end in (LESS, GREATER):
            return True
        return accepted(-1 if isinstance(end, int) and end < total else 0)

    return Tracker((0, 0), digit, point, accepts)


def remainders(modulus: int) -> Callable[[int], int]:
    """Remainder -> the first one asked for that no digits behind tell from it (Alexeev 2004: the minimal automaton).

    Behind r, j digits can make a multiple if some w < 10^j has r 10^j + w = 0; for the least such j and beyond, r
    counts modulo modulus / gcd(modulus, 10^j) alone. So 10^p has p + 1 classes, and 65,536 has 2,829.
    """
    powers = [1]
    while powers[-1] < modulus:
        powers.append(powers[-1] * 10)
    steps = [(power, modulus // math.gcd(modulus, power)) for power in powers]
    known: dict[tuple[int, int], int] = {}

    @cache
    def first_alike(rest: int) -> int:
        power, period = next((power, period) for power, period in steps if -rest * power % modulus < power)
        return known.setdefault((power, rest % period), rest)

    return first_alike


def classes(divisor: Number) -> int:
    """About how many remainders are told apart (Alexeev 2004)."""
    modulus = int("".join(digits_of(divisor)))
    best, below, power = modulus, 0, 1
    while power < modulus:
        shared = math.gcd(modulus, power)
        best = min(best, below + modulus // shared)
        below, power = below + min(power, modulus) // shared, power * 10
    return min(best, below + modulus // math.gcd(modulus, power))


def _divisibility(divisor: Number, wanted: bool) -> Tracker:
    """Multiples of a/10^k, or the others. State: (remainder, decimals counted), or "no" for a non-multiple."""
    whole, decimals = digits_of(divisor)
    modulus, places = int(whole + decimals), len(decimals)
    failed, alike = None if wanted else "no", remainders(modulus)

    def digit(state: Hashable, d: int, after_point: bool) -> Hashable:
        if not isinstance(state, tuple):
            return state
        rest, count = state
        if after_point and count == places:
            return state if d == 0 else failed
        rest, count = (rest * 10 + d) % modulus, count + after_point
        if not after_point:
            return alike(rest), count
        left = 10 ** (places - count)
        if -rest * left % modulus >= left:
            return failed  # the decimals that are left make no multiple
        return rest % (modulus // math.gcd(modulus, left)), count

    def accepts(state: Hashable, after_point: bool) -> bool:
        if not isinstance(state, tuple):
            return True
        rest, count = state
        multiple: bool = rest * 10 ** (places - count) % modulus == 0
        return multiple == wanted

    return Tracker((0, 0), digit, lambda state: state, accepts)


def digit_multiple(modulus: int) -> Tracker:
    """The digits, read without the point, are a multiple of `modulus`; at most SIGNIFICANT decimals."""
    least = remainders(modulus)

    def digit(state: Hashable, d: int, after_point: bool) -> Hashable:
        assert isinstance(state, tuple)
        rest, count = state
        return None if count == SIGNIFICANT else (least((rest * 10 + d) % modulus), count + after_point)

    def accepts(state: Hashable, after_point: bool) -> bool:
        assert isinstance(state, tuple)
        verdict: bool = state[0] == 0
        return verdict

    return Tracker((0, 0), digit, lambda state: state, accepts)


# phases of a plain number's text
START, ZERO, INTEGER, POINT, DECIMAL = range(5)


Counts = tuple[int | None, int | None]


def plain(
    cell: Cell, with_point: bool, max_states: int, extra: tuple[Tracker, ...] = (), *, counts: Counts = (None, None)
) -> Expr:
    """Plain spellings of the numbers >= 0 in `cell`; `counts` are the most digits before and behind the point that
    nothing else bounds."""
    trackers = list(extra)
    low, high = cell.low, cell.high
    if low is not None and (low > 0 or cell.low_open):
        trackers.append(_comparison(low, (lambda o: o > 0) if cell.low_open else (lambda o: o >= 0)))
    if high is not None:
        trackers.append(_comparison(high, (lambda o: o < 0) if cell.high_open else (lambda o: o <= 0)))
    if cell.multiple is not None and not (cell.multiple == 1 and not with_point):
        trackers.append(_divisibility(cell.multiple, True))
    trackers.extend(_divisibility(divisor, False) for divisor in sorted(cell.never))
    ends = (DECIMAL,) if cell.pointed else (ZERO, INTEGER, DECIMAL)
    return _product(trackers, with_point, max_states, ends, counts)


State = tuple[Hashable, ...]  # phase, then one state per tracker


def _product(trackers: list[Tracker], with_point: bool, max_states: int, ends: tuple[int, ...], counts: Counts) -> Expr:
    """All trackers over one text that ends in one of the phases, explored breadth first; states that cannot succeed are
    dropped."""

    def moves(state: State) -> Iterator[tuple[int, State]]:
        phase = state[0]
        if phase != ZERO:
            after = phase in (POINT, DECIMAL)
            for d in range(10):
                to: int = DECIMAL if after else INTEGER if d or phase == INTEGER else ZERO
                parts = tuple(t.digit(s, d, after) for t, s in zip(trackers, state[1:], strict=True))
                if None not in parts:
                    yield 0x30 + d, (to, *parts)
        if with_point and phase in (ZERO, INTEGER):
            parts = tuple(t.point(s) for t, s in zip(trackers, state[1:], strict=True))
            if None not in parts:
                yield 0x2E, (POINT, *parts)

    first: State = (START, *(t.start for t in trackers))
    numbers, queue, accepts = {first: 0}, [first], []
    arrows: dict[tuple[int, int], int] = {}
    read = [0]  # digits on the way to each state
    for state in queue:  # grows while it is read
        check_time()
        source, phase = numbers[state], state[0]
        if phase in ends and all(t.accepts(s, phase == DECIMAL) for t, s in zip(trackers, state[1:], strict=True)):
            accepts.append(source)
        for byte, target in moves(state):
            number = numbers.get(target)
            if number is None:
                number = numbers[target] = len(queue)
                queue.append(target)
                read.append(read[source] + 1)
                if number > max_states:
                    reason = "a number range or multipleOf needs too large an automaton"
                    raise LimitExceeded(reason, limit="number_states", allowed=max_states)
            arrow = (source, number)
            arrows[arrow] = arrows.get(arrow, 0) | 1 << byte
    most = {INTEGER: counts[0], DECIMAL: counts[1]}
    bounds: dict[int, int] = {}  # of the states whose loops are counted: most digits there
    for source, state in enumerate(queue):
        bound = most.get(state[0])  # type: ignore[call-overload]
        if bound is not None and (source, source) in arrows:
            bounds[source] = max(bound - (read[source] if state[0] == INTEGER else 1), 0)
    return _trimmed(len(queue), accepts, arrows, bounds)


def _trimmed(n_states: int, accepts: list[int], arrows: dict[tuple[int, int], int], bounds: dict[int, int]) -> Expr:
    """The graph of the states that reach an accepting one. A loop with a bound leads to a state of its own, which goes
    on as the first does."""
    sources: dict[int, list[int]] = {}
    for source, target in arrows:
        sources.setdefault(target, []).append(source)
    live, pending = set(accepts), list(accepts)
    while pending:
        for source in sources.get(pending.pop(), ()):
            if source not in live:
                live.add(source)
                pending.append(source)
    if 0 not in live:
        return NOTHING
    order = {state: i for i, state in enumerate(sorted(live))}
    sets = {mask: ByteSet(mask) for mask in arrows.values()}
    edges: list[tuple[int, Expr, int]] = []
    behind = {state: len(order) + place for place, state in enumerate(state for state in order if bounds.get(state))}
    for (source, target), mask in arrows.items():
        if source not in live or target not in live:
            continue
        if source != target or source not in bounds:
            edges.append((order[source], sets[mask], order[target]))
            if source in behind:
                edges.append((behind[source], sets[mask], order[target]))
        elif source in behind:
            edges.append((order[source], Repeat(sets[mask], 1, bounds[source]), behind[source]))
    ends = [order[state] for state in accepts] + [behind[state] for state in accepts if state in behind]
    return Graph.of(len(order) + len(behind), 0, tuple(ends), edges)
