"""Sets of numbers: finite unions of cells, closed under meet, union and complement; and the keywords about numbers.

A cell is an interval with divisibility conditions. Every bound and divisor is an exact finite decimal (int or
Fraction). Meet is pairwise; the complement of a cell is what lies below, above, or inside but not on its multiples.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import chain
from typing import Any, TypeAlias

from structgen.grammars.json_schema.keywords import BOOLEAN, NUMBER, POSITIVE, Context, keyword
from structgen.grammars.json_schema.reader import exact

__all__ = [
    "ALL_NUMBERS",
    "NO_NUMBERS",
    "Cell",
    "Number",
    "NumberSet",
    "complement",
    "integers",
    "meet",
    "points",
    "union",
]

Number: TypeAlias = int | Fraction


@dataclass(frozen=True, slots=True)
class Cell:
    """low <= x <= high (strictly where open), x a multiple of `multiple` and of none in `never`.

    `digits` marks draft 4's integers, which are a matter of spelling: 1.0 is not one. `pointed` marks the others, which
    are written with a point or an exponent.
    """

    low: Number | None = None
    high: Number | None = None
    low_open: bool = False
    high_open: bool = False
    multiple: Number | None = None
    never: frozenset[Number] = frozenset()
    digits: bool = False
    pointed: bool = False
    known_hash: int | None = field(default=None, init=False, repr=False, compare=False)

    def __hash__(self) -> int:
        """Kept, as long lists of numbers are looked up several times; of parts, as a fraction's own takes an inverse
        modulo a prime."""
        if self.known_hash is None:
            low, high = self.low, self.high
            below = (0, 0) if low is None else (low.numerator, low.denominator)
            above = below if high is low else (0, 0) if high is None else (high.numerator, high.denominator)
            marks = self.low_open, self.high_open, self.multiple or 0, self.never, self.digits, self.pointed
            object.__setattr__(self, "known_hash", hash((below, above, marks)))
        return self.known_hash  # type: ignore[return-value]

    @property
    def is_point(self) -> bool:
        """Whether the bounds leave at most one number."""
        return self.low is not None and (self.low is self.high or self.low == self.high)

    @property
    def is_interval(self) -> bool:
        """Whether the cell has no divisibility condition."""
        return not (self.multiple is not None or self.never or self.digits or self.pointed)

    def is_empty(self) -> bool:
        """Whether no number is in the cell. True is always right; a bounded cell with `never` may be missed."""
        if self.digits and (self.pointed or any(1 % divisor == 0 for divisor in self.never)):
            return True
        if self.multiple is not None and any(self.multiple % divisor == 0 for divisor in self.never):
            return True
        low, high = self.low, self.high
        if low is None or high is None:
            return False
        if low > high or (low == high and (self.low_open or self.high_open)):
            return True
        if low == high:
            return not self._divides(low)
        if self.multiple is None:
            return False
        first = math.ceil(Fraction(low) / self.multiple)
        last = math.floor(Fraction(high) / self.multiple)
        first += self.low_open and first * self.multiple == low
        last -= self.high_open and last * self.multiple == high
        return first > last

    def _divides(self, value: Number) -> bool:
        if self.multiple is not None and value % self.multiple:
            return False
        return all(value % divisor for divisor in self.never)


NumberSet: TypeAlias = tuple[Cell, ...]
ALL_NUMBERS: NumberSet = (Cell(),)
NO_NUMBERS: NumberSet = ()


def integers(*, by_spelling: bool = False) -> NumberSet:
    """The whole numbers."""
    return (Cell(multiple=1, digits=by_spelling),)


def points(values: Iterable[Number]) -> NumberSet:
    """Exactly these numbers."""
    listed = list(values)
    scale = math.lcm(*(value.denominator for value in listed))  # whole numbers are sorted faster than fractions
    by_size = {value.numerator * (scale // value.denominator): value for value in listed}
    return tuple(Cell(value, value) for _, value in sorted(by_size.items()))


def meet(left: NumberSet, right: NumberSet) -> NumberSet:
    """What is in both."""
    if left == ALL_NUMBERS:
        return right
    if right == ALL_NUMBERS:
        return left
    cells = (_meet_cells(a, b) for a in left for b in right)
    return tuple(dict.fromkeys(cell for cell in cells if not cell.is_empty()))


def union(*sets: NumberSet) -> NumberSet:
    """What is in any."""
    some = [cells for cells in sets if cells]
    if len(some) < 2 or ALL_NUMBERS in some:
        return ALL_NUMBERS if ALL_NUMBERS in some else some[0] if some else NO_NUMBERS
    return tuple(dict.fromkeys(chain.from_iterable(some)))


def complement(cells: NumberSet) -> NumberSet:
    """Every other number."""
    intervals = [cell for cell in cells if cell.is_interval]
    result = _outside(intervals)
    for cell in cells:
        if not cell.is_interval:
            result = meet(result, _cell_complement(cell))
    return result


def _lcm(left: Number | None, right: Number | None) -> Number | None:
    if left is None or right is None:
        return right if left is None else left
    if isinstance(left, int) and isinstance(right, int):
        return math.lcm(left, right)
    a, b = Fraction(left), Fraction(right)
    result = Fraction(math.lcm(a.numerator, b.numerator), math.gcd(a.denominator, b.denominator))
    return result.numerator if result.denominator == 1 else result


def _meet_cells(a: Cell, b: Cell) -> Cell:
    low, low_open = a.low, a.low_open
    if low is None or (b.low is not None and (b.low > low or (b.low == low and b.low_open))):
        low, low_open = b.low, b.low_open
    high, high_open = a.high, a.high_open
    if high is None or (b.high is not None and (b.high < high or (b.high == high and b.high_open))):
        high, high_open = b.high, b.high_open
    multiple = _lcm(a.multiple, b.multiple)
    never, digits, pointed = a.never | b.never, a.digits or b.digits, a.pointed or b.pointed
    return Cell(low, high, low_open, high_open, multiple, never, digits, pointed)


def _outside(intervals: list[Cell]) -> NumberSet:
    """The complement of a union of intervals, in one sweep from the left."""

    def start(cell: Cell) -> tuple[bool, Number, bool]:
        return (cell.low is not None, cell.low or 0, cell.low_open)

    gaps: list[Cell] = []
    edge: Cell | None = Cell()  # the gap still open to the right
    for cell in sorted(intervals, key=start):
        if edge is None:
            break
        if cell.low is not None:
            gap = replace(edge, high=cell.low, high_open=not cell.low_open)
            if not gap.is_empty():
                gaps.append(gap)
        if cell.high is None:
            edge = None
        elif edge.low is None or (cell.high, not cell.high_open) > (edge.low, edge.low_open):
            edge = Cell(low=cell.high, low_open=not cell.high_open)
    return tuple(gaps) if edge is None else (*gaps, edge)


def _cell_complement(cell: Cell) -> NumberSet:
    interval = Cell(cell.low, cell.high, cell.low_open, cell.high_open)
    parts = _outside([interval])
    if cell.multiple is not None:
        parts += (replace(interval, never=frozenset((cell.multiple,))),)
    parts += tuple(replace(interval, multiple=divisor) for divisor in sorted(cell.never))
    if cell.digits:
        parts += (replace(interval, pointed=True),)
    if cell.pointed:
        parts += (replace(interval, multiple=1, digits=True),)
    return tuple(part for part in parts if not part.is_empty())


# ------------------------------------------------------------------------------------------------------- keywords


def _number(value: Any, scope: Context) -> Number:
    return exact(value, scope.limits)


@keyword("minimum", on="number", form=NUMBER)
def _minimum(value: Any, scope: Context) -> NumberSet:
    is_open = scope.draft == 4 and scope.schema.get("exclusiveMinimum") is True
    return (Cell(low=_number(value, scope), low_open=is_open),)


@keyword("maximum", on="number", form=NUMBER)
def _maximum(value: Any, scope: Context) -> NumberSet:
    is_open = scope.draft == 4 and scope.schema.get("exclusiveMaximum") is True
    return (Cell(high=_number(value, scope), high_open=is_open),)


@keyword("exclusiveMinimum", on="number", form=NUMBER, drafts=(6, 7, 2019, 2020))
def _exclusive_minimum(value: Any, scope: Context) -> NumberSet:
    return (Cell(low=_number(value, scope), low_open=True),)


@keyword("exclusiveMaximum", on="number", form=NUMBER, drafts=(6, 7, 2019, 2020))
def _exclusive_maximum(value: Any, scope: Context) -> NumberSet:
    return (Cell(high=_number(value, scope), high_open=True),)


@keyword("exclusiveMinimum", on="number", form=BOOLEAN, drafts=(4,))
@keyword("exclusiveMaximum", on="number", form=BOOLEAN, drafts=(4,))
def _exclusive_flag(value: Any, scope: Context) -> NumberSet:
    return ALL_NUMBERS  # read by minimum and maximum


@keyword("multipleOf", on="number", form=POSITIVE)
def _multiple_of(value: Any, scope: Context) -> NumberSet:
    return (Cell(multiple=_number(value, scope)),)
