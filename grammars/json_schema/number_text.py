"""Sets of numbers to the texts that spell them, exactly, as automata over digits.

Plain notation is written by `number_plain`.

Scientific notation of restricted sets: a normalised mantissa (one digit, not 0, before the point) splits at the
bounds' mantissas into ranges, each with its own range of exponents. With divisors, exponents are taken one by one
where the divisor still matters; above that at most 16 decimals are written, which covers every double as repr
writes it. Left out of restricted sets, therefore: mantissas that are not normalised (12e3, 0.1e5, 0e0); more than
16 decimals under large exponents with a divisor; and, with a divisor, the exponents -4..15 (at which repr writes
plain notation) unless the divisor is a power of ten and no bound applies on that side of 0; and what costs an
automaton of its own for each exponent, with divisors of more than LARGE classes of remainders. Sets without
restriction take every spelling.

Digits that no bound of the set limits are counted (`Digits`): a register, not states.

Style "canonical": whole-number sets as digits only, no -0; scientific only for exponents at which repr uses it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

from structgen.grammars.ir import EPSILON, NOTHING, ByteSet, Expr, Literal, Repeat, alt, optional, seq
from structgen.grammars.json_schema.number import Cell, Number, NumberSet
from structgen.grammars.json_schema.number_plain import SIGNIFICANT, classes, digit_multiple, digits_of, plain
from structgen.grammars.regular.charset import utf8
from structgen.grammars.regular.language import Language
from structgen.grammars.regular.lower import lower

__all__ = ["number_text"]

DIGIT = ByteSet.span(0x30, 0x39)
DIGIT_ONE_UP = ByteSet.span(0x31, 0x39)
ZERO, POINT = Literal(b"0"), Literal(b".")
MINUS = Literal(b"-")
REPR_EXPONENTS = ((-324, -5), (16, 308))  # where repr writes doubles in scientific notation


LARGE = 1_000  # classes of remainders: 65,536 has 2,829 and took 6 s in scientific notation, 0.3 s without
MAX = Fraction("1.7976931348623157e308")  # the largest double, as repr writes it
FINITE = 308  # of so many digits before the point every number is a finite double
FINEST = 1074  # decimals of the smallest double


@lru_cache(maxsize=4096)
def number_text(cells: NumberSet, *, canonical: bool, max_states: int, max_digits: int | None = None) -> Expr:
    """The texts whose value is in one of the cells; `max_digits` as JsonStyle says it."""
    listed = [cell for cell in cells if cell.is_point]
    others = [cell for cell in cells if not cell.is_point]
    texts = (_cell_text(cell, canonical, max_states, max_digits) for cell in others)
    return alt(_listed_text(listed, canonical), *texts)


def _large(digits: int | None) -> Expr:
    """A whole number from 1 on, of at most so many digits."""
    return seq(DIGIT_ONE_UP, Repeat(DIGIT, 0, None if digits is None else digits - 1))


def _counts(max_digits: int | None) -> tuple[int | None, int | None]:
    """Most digits before and behind the point of a number that may have decimals."""
    return (None, None) if max_digits is None else (min(max_digits, FINITE), min(max_digits, FINEST))


def _listed_text(cells: list[Cell], canonical: bool) -> Expr:
    """The texts of cells of one number each: a trie for each way in which texts end, as there may be many numbers."""
    tries: dict[tuple[str, int | None], list[str]] = {}
    for cell in cells:
        for text, ending, exponent in _spellings(cell, canonical):
            tries.setdefault((ending, exponent), []).append(text)
    zeros, mark = (Literal(b"0"), Literal(b"e")) if canonical else (Repeat(Literal(b"0"), 1), ByteSet.of(b"eE"))
    ends = {
        "": EPSILON,
        "0*": EPSILON if canonical else Repeat(Literal(b"0")),
        ".0": seq(Literal(b"."), zeros),
        "(.0)?": optional(seq(Literal(b"."), zeros)),
    }
    options = []
    for (ending, exponent), texts in tries.items():
        science = EPSILON if exponent is None else seq(mark, _exponents(exponent, exponent, canonical=canonical))
        options.append(seq(lower(Language.strings(texts), utf8), ends[ending], science))
    return alt(*options)


def _spellings(cell: Cell, canonical: bool) -> Iterator[tuple[str, str, int | None]]:
    """How its only number is written: (start, how it ends, exponent of scientific notation). Of an ending, zeros are
    any number of zeros, at least one behind a point; canonical: none, behind a point one."""
    value: Number = cell.low or 0
    size: Number = -value if value < 0 else value
    digits, decimals = digits_of(size)
    whole = _is_whole(cell, canonical)
    sign = "-" if value < 0 else ""
    ending = "" if whole else ".0" if cell.pointed else "(.0)?"
    plain = (f"{digits}.{decimals}", "0*") if decimals else (digits, ending)
    yield sign + plain[0], plain[1], None
    if value == 0 and not canonical:
        yield "-" + plain[0], plain[1], None
    if whole or value == 0:
        return
    significant = (digits + decimals).lstrip("0")
    exponent = len(digits) - 1 if digits != "0" else len(significant) - len(decimals) - 1
    if canonical and not any(first <= exponent <= last for first, last in REPR_EXPONENTS):
        return
    first, rest = significant[0], significant[1:].rstrip("0")
    yield (f"{sign}{first}.{rest}", "0*", exponent) if rest else (sign + first, "(.0)?", exponent)


def _is_whole(cell: Cell, canonical: bool) -> bool:
    """Whether the cell's numbers are written as digits alone."""
    if cell.pointed:
        return False
    return cell.digits or (canonical and cell.multiple is not None and Fraction(cell.multiple).denominator == 1)


@lru_cache(maxsize=4096)
def _cell_text(cell: Cell, canonical: bool, max_states: int, max_digits: int | None) -> Expr:
    if cell.low is None and cell.high is None and not cell.never:
        if cell.is_interval:
            return _any_number(canonical, max_digits)
        if cell.multiple == 1 and (canonical or cell.digits) and not cell.pointed:
            large = _large(max_digits)
            return alt(ZERO, seq(optional(MINUS), large)) if canonical else seq(optional(MINUS), alt(ZERO, large))
    whole = _is_whole(cell, canonical)
    counts = (max_digits, None) if whole else _counts(max_digits)
    parts = []
    for sign, half in ((EPSILON, _not_negative(cell)), (MINUS, _mirrored(cell, zero=not canonical))):
        if half.is_empty():
            continue
        science = NOTHING if whole else _scientific(half, canonical, max_states, max_digits)
        parts.append(seq(sign, alt(plain(half, not whole, max_states, counts=counts), science)))
    return alt(*parts)


def _any_number(canonical: bool, max_digits: int | None) -> Expr:
    before, after = _counts(max_digits)
    large, decimals = _large(before), seq(POINT, Repeat(DIGIT, 1, after))
    if not canonical:
        return seq(optional(MINUS), _any_size(alt(ZERO, large), optional(decimals), max_digits))
    below_one = seq(Literal(b"-0."), Repeat(ZERO, 0, after), _large(after))  # there is no -0.0
    science = [seq(DIGIT_ONE_UP, optional(decimals), Literal(b"e"), _exponents(None, None, canonical=True))]
    if max_digits is not None:
        top = plain(Cell(low=1, high=_normalised(MAX)[0]), True, 1000, counts=(before, after))
        science = [
            seq(DIGIT_ONE_UP, optional(decimals), Literal(b"e"), _exponents(None, FINITE - 1, canonical=True)),
            seq(top, Literal(b"e"), _exponents(FINITE, FINITE, canonical=True)),
        ]
    from_one = seq(optional(MINUS), alt(seq(large, optional(decimals)), *science))
    return alt(seq(ZERO, optional(decimals)), below_one, from_one)


def _any_size(whole: Expr, decimals: Expr, max_digits: int | None) -> Expr:
    """Every spelling of a number without its sign; the bounded ones are finite doubles: no more than 308 digits with
    what the exponent adds."""
    mark = ByteSet.of(b"eE")
    if max_digits is None:
        return seq(whole, decimals, optional(seq(mark, optional(ByteSet.of(b"+-")), Repeat(DIGIT, 1))))
    half = FINITE // 2
    longer = seq(alt(ZERO, _large(min(half, max_digits))), decimals, mark, _exponents(None, half - 1, canonical=False))
    short = seq(DIGIT, decimals, mark, _exponents(half, FINITE - 1, canonical=False))
    return alt(seq(whole, decimals), longer, short)


def _not_negative(cell: Cell) -> Cell:
    if cell.low is None or cell.low < 0:
        return replace(cell, low=0, low_open=False)
    return cell


def _mirrored(cell: Cell, *, zero: bool) -> Cell:
    """The magnitudes of the cell's negative numbers (and of -0)."""
    low = None if cell.high is None else -cell.high
    high = None if cell.low is None else -cell.low
    flipped = replace(cell, low=low, high=high, low_open=cell.high_open, high_open=cell.low_open)
    flipped = _not_negative(flipped)
    return replace(flipped, low_open=True) if flipped.low == 0 and not zero else flipped


# --------------------------------------------------------------------------------------------- scientific notation


def _scientific(cell: Cell, canonical: bool, max_states: int, max_digits: int | None) -> Expr:
    """Normalised scientific spellings of the numbers > 0 in `cell`."""
    if max_digits is not None and (cell.high is None or cell.high > MAX):
        cell = replace(cell, high=MAX, high_open=False)
    counts = _counts(max_digits)
    mark = Literal(b"e") if canonical else ByteSet.of(b"eE")
    low = None if not cell.low else _normalised(cell.low)
    high = None if cell.high is None else _normalised(cell.high)
    if cell.high == 0:
        return NOTHING
    options = []
    for piece in _mantissa_pieces([bound[0] for bound in (low, high) if bound is not None]):
        least, most = None, None
        if low is not None:
            least = low[1] + (not _reaches(piece, low[0], cell.low_open))
        if high is not None:
            most = high[1] - (not _reaches_down(piece, high[0], cell.high_open))
        for mantissa, first, last in _mantissas(piece, cell, least, most, max_states, counts):
            exponents = _exponents(first, last, canonical=canonical)
            options.append(seq(mantissa, mark, exponents))
    return alt(*options)


def _normalised(value: Number) -> tuple[Number, int]:
    """(mantissa, exponent) with 1 <= mantissa < 10, of a number > 0 (of 0: (1, very small))."""
    mantissa, exponent = Fraction(value), 0
    while mantissa >= 10:
        mantissa, exponent = mantissa / 10, exponent + 1
    while 0 < mantissa < 1:
        mantissa, exponent = mantissa * 10, exponent - 1
    return mantissa, exponent


def _mantissa_pieces(breaks: list[Number]) -> Iterator[Cell]:
    """[1, 10) cut at the breaks: points and open intervals."""
    edge, is_open = Fraction(1), False
    for value in sorted(set(breaks)):
        before = Cell(edge, value, is_open, True)
        if not before.is_empty():
            yield before
        yield Cell(value, value)
        edge, is_open = Fraction(value), True
    yield Cell(edge, 10, is_open, True)


def _reaches(piece: Cell, bound: Number, bound_open: bool) -> bool:
    """Whether the mantissas of the piece satisfy m >= bound (m > bound)."""
    assert piece.low is not None
    return piece.low > bound or (piece.low == bound and (piece.low_open or not bound_open))


def _reaches_down(piece: Cell, bound: Number, bound_open: bool) -> bool:
    assert piece.high is not None
    return piece.high < bound or (piece.high == bound and (piece.high_open or not bound_open))


def _mantissas(
    piece: Cell,
    cell: Cell,
    least: int | None,
    most: int | None,
    max_states: int,
    counts: tuple[int | None, int | None],
) -> Iterator[tuple[Expr, int | None, int | None]]:
    """Mantissa texts in `piece` and the exponents first..last with which they satisfy the cell's divisors."""
    divisors = [*cell.never] if cell.multiple is None else [cell.multiple, *cell.never]
    if not divisors:
        if least is None or most is None or least <= most:
            yield plain(piece, True, max_states, counts=counts), least, most
        return
    bottom = min(_normalised(divisor)[1] for divisor in divisors)
    top = max(_settled_from(divisor) for divisor in divisors)
    if cell.multiple is None:  # below every divisor nothing is a multiple
        last = bottom - 1 if most is None else min(most, bottom - 1)
        if least is None or least <= last:
            yield plain(piece, True, max_states, counts=counts), least, last
    first = bottom if least is None else max(least, bottom)
    decimal, few = _power_of_ten(cell), all(classes(divisor) <= LARGE for divisor in divisors)
    for exponent in range(first, min(top, top if most is None else most + 1)):
        if decimal is not None and piece == WHOLE_PIECE and not cell.never:
            yield _decimals(exponent - decimal, counts[1]), exponent, exponent
        elif few and not REPR_EXPONENTS[0][1] < exponent < REPR_EXPONENTS[1][0]:
            scale = Fraction(10) ** -exponent
            multiple = None if cell.multiple is None else cell.multiple * scale
            never = frozenset(divisor * scale for divisor in cell.never)
            text = plain(replace(piece, multiple=multiple, never=never), True, max_states, counts=counts)
            if text != NOTHING:
                yield text, exponent, exponent
    if cell.multiple is not None and not cell.never and (most is None or top <= most):
        modulus = _odd_part(int("".join(digits_of(cell.multiple))))
        if modulus <= LARGE:
            text = plain(piece, True, max_states, (digit_multiple(modulus),))
            yield text, top if least is None else max(top, least), most


WHOLE_PIECE = Cell(1, 10, False, True)


def _power_of_ten(cell: Cell) -> int | None:
    """The p for which the cell's divisor is 10^p."""
    if cell.multiple is None:
        return None
    mantissa, exponent = _normalised(cell.multiple)
    return exponent if mantissa == 1 else None


def _decimals(most: int, zeros_too: int | None) -> Expr:
    """Mantissas with at most this many decimals that are not 0, and at most `zeros_too` zeros behind them."""
    if most < 0:
        return NOTHING
    zeros = Literal(b"0")
    decimals = seq(Repeat(DIGIT, 1, most), Repeat(zeros, 0, zeros_too)) if most else Repeat(zeros, 1, zeros_too)
    return seq(DIGIT_ONE_UP, optional(seq(Literal(b"."), decimals)))


def _odd_part(value: int) -> int:
    """`value` without its factors 2 and 5."""
    for factor in (2, 5):
        while value % factor == 0:
            value //= factor
    return value


def _settled_from(divisor: Number) -> int:
    """The exponent from which on, for SIGNIFICANT decimals, only the odd part of the divisor's digits matters."""
    whole, decimals = digits_of(divisor)
    rest, twos, fives = int(whole + decimals), 0, 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    return SIGNIFICANT + max(twos, fives) - len(decimals)


@lru_cache(maxsize=1024)
def _exponents(first: int | None, last: int | None, *, canonical: bool) -> Expr:
    """Texts of the exponents first..last."""
    if canonical:
        options = []
        for low, high in REPR_EXPONENTS:
            least = low if first is None else max(low, first)
            most = high if last is None else min(high, last)
            if least <= most:
                options.append(_padded(least, most))
        return alt(*options)
    options = []
    if last is None or last >= 0:
        sizes = Cell(low=max(first or 0, 0), high=last)
        options.append(seq(optional(Literal(b"+")), Repeat(Literal(b"0")), plain(sizes, False, 10_000)))
    if first is None or first <= 0:
        sizes = Cell(low=0 if last is None or last > 0 else -last, high=None if first is None else -first)
        options.append(seq(MINUS, Repeat(Literal(b"0")), plain(sizes, False, 10_000)))
    return alt(*options)


def _padded(least: int, most: int) -> Expr:
    """A sign and at least two digits; all exponents have the same sign."""
    sign = MINUS if most < 0 else Literal(b"+")
    low, high = sorted((abs(least), abs(most)))
    short = seq(Literal(b"0"), plain(Cell(low=low, high=min(high, 9)), False, 100)) if low <= 9 else NOTHING
    long = plain(Cell(low=max(low, 10), high=high), False, 1000) if high >= 10 else NOTHING
    return seq(sign, alt(short, long))
