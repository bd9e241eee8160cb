"""Dates, times, datetimes and durations, also between bounds -> JSON Schemas of the texts pydantic reads them from.

Texts of a date or a clock have one width, so that order is the order of their digits: what is not below a bound is the
bound, or equal to it up to a digit and higher there. Both bounds and the calendar are patterns of their own, which meet
in the schema. Fractions of a second are compared as if zeros followed them. A duration between bounds is written as
pydantic writes it, the largest units first and none that is zero; its bounds are compared unit by unit.

pydantic compares a bound without zone by the clock alone; two zones by the instant, which is not regular: beside a
bound with an offset, only texts of that offset (or of none, where the type reads those) are written.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from structgen.errors import UnsupportedSchema
from structgen.python_types import patterns
from structgen.python_types.numerals import integers
from structgen.python_types.target import HINT

__all__ = ["date_schema", "datetime_schema", "duration_schema", "time_schema"]

_MICROSECOND = dt.timedelta(microseconds=1)
_YEAR = 365  # days, as pydantic reads and writes it
_UNITS = "YDHMS"  # of a duration; seconds carry a fraction
_MOST = (2_739_725, 364, 23, 59, 59_999_999)  # of each unit, the seconds in microseconds; 10^9 days are too many
_FRACTION = "([.][0-9]{1,6})?"


def date_schema(core: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a date; a date in the past or future is compared with the day of this call."""
    low, high = _bounds(core, dt.timedelta(days=1))
    if core.get("now_op"):
        today = _now(core).date()
        low, high = _tighter(core, low, high, today, dt.timedelta(days=1))
    found = [patterns.DATE]
    if low is not None:
        found.append(f"^{_not_below(low.isoformat())}$")
    if high is not None:
        found.append(f"^{_not_above(high.isoformat())}$")
    return _string(core, found, low, high, format="date")


def datetime_schema(core: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a datetime; in the past or future of this call it is written in UTC."""
    zone = {"naive": "", "aware": patterns.OFFSET, None: f"{patterns.OFFSET}?"}.get(core.get("tz_constraint"))
    if zone is None:
        raise _refused(core, f"a datetime with the offset {core['tz_constraint']} s")
    if core.get("now_op"):
        if core.get("tz_constraint") == "naive":
            raise _refused(core, "a datetime without a zone compared with now")
        low, high = _tighter(core, None, None, _now(core).astimezone(dt.UTC), _MICROSECOND)
        zone = "Z"
    else:
        low, high = _bounds(core, _MICROSECOND)
        zone = _zone(core, zone, [bound.utcoffset() for bound in (low, high) if bound is not None])
    return _clock(core, f"{patterns.CALENDAR}T", zone, low, high, hint="date-time")


def time_schema(core: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a time of day."""
    if core.get("tz_constraint") is not None:
        raise _refused(core, "a time with a constraint on its offset")
    day = dt.datetime(2000, 1, 1)
    bounds = {name: core[name] for name in ("ge", "gt", "le", "lt") if core.get(name) is not None}
    if any(bound.utcoffset() is None and bound.tzinfo is not None for bound in bounds.values()):
        raise _refused(core, "a time compared with one whose offset depends on the date")
    moved = {name: dt.datetime.combine(day, bound) for name, bound in bounds.items()}
    low, high = _bounds({**core, **moved}, _MICROSECOND)
    if any(bound is not None and bound.date() != day.date() for bound in (low, high)):
        raise _refused(core, "no time lies between the bounds")
    zone = _zone(core, f"{patterns.OFFSET}?", [bound.utcoffset() for bound in (low, high) if bound is not None])
    return _clock(core, "", zone, low, high, hint="time")


def duration_schema(core: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a timedelta."""
    low, high = _bounds(core, _MICROSECOND)
    if low is None and high is None:
        return {"type": "string", HINT: "duration", "pattern": f"^({patterns.DURATION}|{_CANONICAL})$"}
    found = [f"^{_CANONICAL}$"]
    if low is not None:
        found.append(f"^({_signed(low, above=True)})$")
    if high is not None:
        found.append(f"^({_signed(high, above=False)})$")
    return _string(core, found, low, high, **{HINT: "duration"})


# ---------------------------------------------------------------------------------------------------------- bounds


def _refused(core: Mapping[str, Any], reason: str) -> UnsupportedSchema:
    return UnsupportedSchema(f"Python type: {reason}", keyword=str(core["type"]))


def _bounds(core: Mapping[str, Any], step: dt.timedelta) -> tuple[Any, Any]:
    """The least and the greatest value, both included; None is no bound. Values are multiples of `step`."""
    try:
        lows = [core["ge"]] if core.get("ge") is not None else []
        lows += [core["gt"] + step] if core.get("gt") is not None else []
        highs = [core["le"]] if core.get("le") is not None else []
        highs += [core["lt"] - step] if core.get("lt") is not None else []
        return max(lows, default=None), min(highs, default=None)
    except TypeError as error:
        raise _refused(core, f"bounds that cannot be compared: {error}") from error
    except OverflowError as error:
        raise _refused(core, f"no {core['type']} lies between the bounds") from error


def _now(core: Mapping[str, Any]) -> dt.datetime:
    offset = core.get("now_utc_offset")
    zone = None if offset is None else dt.timezone(dt.timedelta(seconds=offset))
    return dt.datetime.now(dt.UTC).astimezone(zone)


def _tighter(core: Mapping[str, Any], low: Any, high: Any, now: Any, step: dt.timedelta) -> tuple[Any, Any]:
    """The bounds and the present: what is past stays past, what is in the future is so for as long as it is."""
    if core["now_op"] == "past":
        return low, now - step if high is None else min(high, now - step)
    return now + step if low is None else max(low, now + step), high


def _zone(core: Mapping[str, Any], zone: str, offsets: list[dt.timedelta | None]) -> str:
    """The zones that may be written beside bounds of these offsets."""
    known = set(offsets)
    if known <= {None}:
        return zone
    if len(known) > 1:
        raise _refused(core, "bounds of different offsets")
    (offset,) = known
    assert offset is not None
    minutes, rest = divmod(offset, dt.timedelta(minutes=1))
    if rest:
        raise _refused(core, "a bound whose offset is not of whole minutes")
    if zone == "":
        return zone
    hours, minutes = divmod(abs(minutes), 60)
    fixed = f"{'+' if offset >= dt.timedelta(0) else '-'}{hours:02}:{minutes:02}"
    fixed = "(Z|[+-]00:00)" if not offset else f"[{fixed[0]}]{fixed[1:]}"
    return f"({fixed})?" if zone.endswith("?") else fixed


def _string(core: Mapping[str, Any], found: list[str], low: Any, high: Any, **more: Any) -> dict[str, Any]:
    """A string that all of the patterns match."""
    if low is not None and high is not None and low > high:
        raise _refused(core, f"no {core['type']} lies between the bounds")
    rest = {"allOf": [{"pattern": each} for each in found[1:]]} if found[1:] else {}
    return {"type": "string", **more, "pattern": found[0], **rest}


def _clock(core: Mapping[str, Any], before: str, zone: str, low: Any, high: Any, *, hint: str) -> dict[str, Any]:
    """A clock behind a date or nothing, and its zone."""
    found = [f"^{before}{patterns.CLOCK}{zone}$"]
    for bound, above in ((low, True), (high, False)):
        if bound is not None:
            seconds = bound.isoformat()[0 if before else 11 :][: 19 if before else 8]
            fraction = f"{bound.microsecond:06}"
            on = _fraction_not_below(fraction) if above else _fraction_not_above(fraction)
            beyond = _beyond(seconds, above=above)
            found.append(f"^({_escaped(seconds)}{on}" + (f"|{beyond}{_FRACTION}" if beyond else "") + f"){zone}$")
    return _string(core, found, low, high, **({HINT: hint} if zone else {}))  # no format has a clock without zone


# -------------------------------------------------------------------------------------------- order of digits


def _escaped(text: str) -> str:
    return text.replace(".", "[.]")


def _any(text: str) -> str:
    """Every text with digits where this one has digits."""
    return "".join("[0-9]" if letter.isdigit() else _escaped(letter) for letter in text)


def _span(low: int, high: int) -> str:
    """One digit between two; empty where there is none."""
    return "" if low > high else str(low) if low == high else f"[{low}-{high}]"


def _beyond(text: str, *, above: bool) -> str:
    """The texts of the same shape that are higher, or lower."""
    options = []
    for at, letter in enumerate(text):
        digit = letter.isdigit() and (_span(int(letter) + 1, 9) if above else _span(0, int(letter) - 1))
        if digit:
            options.append(f"{_escaped(text[:at])}{digit}{_any(text[at + 1 :])}")
    return f"({'|'.join(options)})" if options else ""


def _not_below(text: str) -> str:
    return f"({'|'.join(filter(None, [_escaped(text), _beyond(text, above=True)]))})"


def _not_above(text: str) -> str:
    return f"({'|'.join(filter(None, [_escaped(text), _beyond(text, above=False)]))})"


def _fraction_not_below(digits: str) -> str:
    """A point and digits, six at most, that are no less than these; nothing, if these are zeros."""
    kept = digits.rstrip("0")
    if not kept:
        return _FRACTION
    options = [f"{kept}[0-9]{{0,{6 - len(kept)}}}"]
    for at, digit in enumerate(kept):
        if higher := _span(int(digit) + 1, 9):
            options.append(f"{kept[:at]}{higher}[0-9]{{0,{5 - at}}}")
    return f"[.]({'|'.join(options)})"


def _fraction_not_above(digits: str) -> str:
    """Nothing, or a point and digits that are no more than these."""
    options = [digits[:size] for size in range(1, 7)]
    for at, digit in enumerate(digits):
        if lower := _span(0, int(digit) - 1):
            options.append(f"{digits[:at]}{lower}[0-9]{{0,{5 - at}}}")
    return f"([.]({'|'.join(options)}))?"


# ------------------------------------------------------------------------------------------------------- durations


def _unit(at: int, low: int, high: int) -> str:
    """One unit of a duration, of `low` to `high` and not zero; empty where there is none."""
    if low > high:
        return ""
    if at < 4:
        return f"{integers(low, high)}{_UNITS[at]}"
    (first, fraction), (last, rest) = divmod(low, 10**6), divmod(high, 10**6)
    below, above = _fraction_not_below(f"{fraction:06}"), _fraction_not_above(f"{rest:06}")
    if first == last and fraction == rest:
        return f"{first}{_exactly(fraction)}S"
    if first == last:  # one of the two is the end of the second: bounds are compared one at a time
        return f"{first}{below if rest == 999_999 else above}S"
    options = [f"{first}{below}", f"{last}{above}"]
    if first + 1 < last:
        options.append(f"{integers(first + 1, last - 1)}{_FRACTION}")
    return f"({'|'.join(options)})S"


def _exactly(fraction: int) -> str:
    digits = f"{fraction:06}".rstrip("0")
    return f"[.]{digits}0{{0,{6 - len(digits)}}}" if digits else "([.]0{1,6})?"


def _rest(at: int, bound: tuple[int, ...] | None, *, above: bool, timed: bool) -> str:
    """What may follow from unit `at` on: anything, or no less (above) or no more than the bound."""
    if at == len(_UNITS):
        return ""
    mark = "T" if at >= 2 and not timed else ""

    def written(low: int, high: int, tail: tuple[int, ...] | None) -> list[str]:
        """The unit within a range, zero left out, and what follows."""
        options = []
        if low <= 0 <= high:
            options.append(_rest(at + 1, tail, above=above, timed=timed))
        if unit := _unit(at, max(low, 1), high):
            options.append(mark + unit + _rest(at + 1, tail, above=above, timed=timed or at >= 2))
        return options

    if bound is None:
        options = written(0, _MOST[at], None)
    else:
        options = written(bound[0], bound[0], bound[1:])
        options += written(bound[0] + 1, _MOST[at], None) if above else written(0, bound[0] - 1, None)
    return f"({'|'.join(options)})"


def _magnitude(value: dt.timedelta) -> tuple[int, ...]:
    """A duration that is not negative, in units."""
    years, days = divmod(value.days, _YEAR)
    hours, seconds = divmod(value.seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    return years, days, hours, minutes, seconds * 10**6 + value.microseconds


def _signed(bound: dt.timedelta, *, above: bool) -> str:
    """Durations no less (above) or no more than the bound; what is no duration may be among them."""
    zero = dt.timedelta(0)
    nonnegative = bound >= zero
    size = _magnitude(abs(bound))
    near = _rest(0, size, above=above == nonnegative, timed=False)
    options = [f"{'' if nonnegative else '-'}P{near}"]
    if above != nonnegative:
        options.append(f"{'' if above else '-'}P.*")  # all of the other sign
    return "|".join(options + (["PT0S"] if (bound <= zero if above else bound >= zero) else []))


def _canonical() -> str:
    """A duration as pydantic writes it."""
    days, time = integers(1, _MOST[1]) + "D", _rest(2, None, above=True, timed=False)
    return f"(PT0S|-?P({integers(1, _MOST[0])}Y({days})?|{days}){time}|-?P(?=T){time})"


_CANONICAL = _canonical()
