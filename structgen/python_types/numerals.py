"""Ranges of numbers -> ECMA patterns of their decimal texts without leading zeros. Linear in the digits, times ten.

`integers` are those between two numbers, `decimals` those on one side of a bound: what is not below the bound is equal
to it up to a digit and higher there, or goes on behind its last digit.
"""

from __future__ import annotations

from decimal import Decimal

__all__ = ["decimals", "integers"]

_FRACTION = "([.][0-9]+)?"
_NOT_ZERO = "[0-9]*[1-9][0-9]*"


def integers(low: int, high: int) -> str:
    """The numbers of a range without leading zeros. 0 <= low <= high."""
    options = []
    for width in range(len(str(low)), len(str(high)) + 1):
        first, last = max(low, 10 ** (width - 1) if width > 1 else 0), min(high, 10**width - 1)
        options.append(_same_width(str(first), str(last)))
    return f"({'|'.join(options)})"


def _same_width(low: str, high: str) -> str:
    if low == high:
        return low
    if len(low) == 1:
        return f"[{low}-{high}]"
    size = len(low) - 1
    whole_low, whole_high = low[1:] == "0" * size, high[1:] == "9" * size
    if low[0] == high[0]:
        return f"{low[0]}{_same_width(low[1:], high[1:])}"
    options = [] if whole_low else [f"{low[0]}{_same_width(low[1:], '9' * size)}"]
    first, last = int(low[0]) + (not whole_low), int(high[0]) - (not whole_high)
    if first <= last:
        options.append(f"[{first}-{last}][0-9]{{{size}}}")
    if not whole_high:
        options.append(f"{high[0]}{_same_width('0' * size, high[1:])}")
    return f"({'|'.join(options)})"


def decimals(bound: Decimal, *, above: bool, strict: bool) -> str:
    """The texts, of digits and a point, of numbers above or below the bound, or equal to it unless `strict`."""
    positive = bound >= 0
    near = _sizes(abs(bound), above=above == positive, strict=strict)
    options = [near if positive else f"-{near}"] if near else []
    if above:
        options += ["-0([.]0+)?"] * (bound == 0 and not strict) if positive else ["[0-9]+([.][0-9]+)?"]
    elif positive:
        options.append("-[0-9.]+" if bound > 0 or not strict else "-[0-9.]*[1-9][0-9.]*")
    return f"({'|'.join(options)})"


def _sizes(size: Decimal, *, above: bool, strict: bool) -> str:
    """Unsigned decimals that are no less (above) or no more than one, equal to it unless `strict`."""
    whole, _, fraction = f"{size:f}".partition(".")
    fraction = fraction.rstrip("0")
    options = []
    if above:
        options.append(f"[1-9][0-9]{{{len(whole)},}}{_FRACTION}")
        options += [f"{each}{_FRACTION}" for each in _beyond(whole, above=True, rest="[0-9]{%d}")]
        options += [f"{whole}[.]{each}" for each in _beyond(fraction, above=True, rest="[0-9]*")]
        options.append(f"{whole}[.]{fraction}{_NOT_ZERO}" if strict else f"{whole}[.]{fraction}[0-9]*")
        return f"({'|'.join(options if strict or fraction else [*options, whole])})"
    if int(whole):
        options.append(f"{integers(0, int(whole) - 1)}{_FRACTION}")
    options += [f"{whole}[.]{each}" for each in _beyond(fraction, above=False, rest="[0-9]*")]
    if fraction or not strict:
        options.append(f"{whole}([.]0+)?")
        options += [f"{whole}[.]{fraction[:size]}0*" for size in range(1, len(fraction) + (not strict))]
    return f"({'|'.join(options)})" if options else ""


def _beyond(digits: str, *, above: bool, rest: str) -> list[str]:
    """Patterns of what is equal to the digits up to one, higher or lower there, and goes on as `rest` says."""
    found = []
    for at, digit in enumerate(digits):
        low, high = (int(digit) + 1, 9) if above else (0, int(digit) - 1)
        if low <= high:
            tail = rest % (len(digits) - at - 1) if "%" in rest else rest
            found.append(f"{digits[:at]}[{low}-{high}]{tail}")
    return found
