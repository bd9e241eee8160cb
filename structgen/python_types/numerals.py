"""Ranges of whole numbers -> patterns of their decimal texts without leading zeros. Linear in the digits, times ten."""

from __future__ import annotations

__all__ = ["integers"]


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
