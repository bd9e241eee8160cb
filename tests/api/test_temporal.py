"""Dates, times, datetimes and durations between bounds allow what pydantic reads, over values near the bounds."""

from __future__ import annotations

import datetime as dt
import json
from typing import Annotated, Any

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, TypeAdapter

from structgen.errors import UnsupportedSchema, ValueRejected
from structgen.grammars.regular.language import Language
from structgen.python_types.adapters import type_target
from structgen.python_types.target import HINT
from structgen.python_types.types import json_schema

MOMENT = dt.datetime(2020, 2, 28, 23, 59, 59)
ZONES = [None, dt.UTC, dt.timezone(dt.timedelta(hours=2)), dt.timezone(-dt.timedelta(hours=3, minutes=30))]
SECONDS = st.one_of(st.integers(-3, 3), st.integers(-(10**5), 10**5), st.integers(-(10**9), 10**9))
MICROS = st.one_of(st.sampled_from([0, 0, 1, 250_000, 999_000, 999_999]), st.integers(0, 999_999))
SPANS = st.builds(lambda seconds, micros: dt.timedelta(seconds=seconds, microseconds=micros), SECONDS, MICROS)
DATES = st.builds(lambda span: MOMENT.date() + dt.timedelta(span.seconds % 1000), SPANS) | st.dates()
DATETIMES = st.builds(lambda span: MOMENT + span, SPANS)
TIMES = st.builds(lambda moment: moment.time(), DATETIMES)
DURATIONS = SPANS | st.timedeltas(dt.timedelta(-(10**6)), dt.timedelta(10**6))
KINDS: list[Any] = [(dt.date, DATES), (dt.time, TIMES), (dt.datetime, DATETIMES), (dt.timedelta, DURATIONS)]


def allows(schema: Any, text: str) -> bool:
    sources = [schema["pattern"], *(part["pattern"] for part in schema.get("allOf", ()))]
    return all(Language.regex(source, search=True).contains(text) for source in sources)


@pytest.mark.parametrize(("kind", "values"), KINDS, ids=lambda value: getattr(value, "__name__", ""))
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_bound_allows_what_pydantic_reads(kind: Any, values: Any, data: st.DataObject) -> None:
    zone = data.draw(st.sampled_from(ZONES)) if hasattr(kind, "tzinfo") else None

    def zoned(value: Any) -> Any:
        return value if zone is None else value.replace(tzinfo=zone)

    bounds = {data.draw(st.sampled_from(["ge", "gt"])): zoned(data.draw(values))} if data.draw(st.booleans()) else {}
    if data.draw(st.booleans()):
        bounds[data.draw(st.sampled_from(["le", "lt"]))] = zoned(data.draw(values))
    bounded = TypeAdapter(Annotated[kind, Field(**bounds)])
    try:
        schema: Any = type_target(bounded).enforced
    except UnsupportedSchema as error:
        assert "lies between" in error.reason
        schema = None
    near = st.sampled_from([*bounds.values()]) if bounds else values
    for _ in range(6):
        value = data.draw(st.one_of(values, near))
        if data.draw(st.booleans()) and kind in (dt.datetime, dt.timedelta):
            value += data.draw(st.sampled_from([1, -1])) * dt.timedelta.resolution
        text = json.loads(TypeAdapter(kind).dump_json(value))
        try:
            bounded.validate_python(text)
        except pydantic.ValidationError:
            assert schema is None or not allows(schema, text), text
        else:
            assert schema is not None
            assert allows(schema, text), text


@given(st.dates())
@settings(max_examples=300, deadline=None)
def test_every_date_of_the_calendar_is_allowed_and_no_other(day: dt.date) -> None:
    schema = type_target(dt.date).enforced
    assert allows(schema, day.isoformat())
    other = day.isoformat()[:8] + "31"
    assert allows(schema, other) == ((day.replace(day=28) + dt.timedelta(3)).month == day.month)


@pytest.mark.parametrize("text", ["0000-01-01", "2023-02-29", "1900-02-29", "2024-04-31", "2024-13-01", "2024-1-01"])
def test_what_is_no_date_is_not_allowed(text: str) -> None:
    assert not allows(type_target(dt.date).enforced, text)


@pytest.mark.parametrize(
    ("text", "inside"),
    [("P1Y35D", True), ("PT0S", True), ("-P1D", True), ("PT0.5S", True), ("P3W", True), ("P2M", True), ("PT60M", True),
     ("P", False), ("PT", False), ("P1D2Y", False), ("PT1.5H", False), ("P2739726Y10D", False)],
)  # fmt: skip
def test_durations_are_those_pydantic_reads(text: str, inside: bool) -> None:
    assert allows(type_target(dt.timedelta).enforced, text) == inside
    if inside:
        TypeAdapter(dt.timedelta).validate_python(text)


def test_past_and_future_are_those_of_the_moment_of_compiling() -> None:
    today = dt.datetime.now().astimezone().date()
    day = dt.timedelta(1)
    past, future = type_target(pydantic.PastDate).enforced, type_target(pydantic.FutureDate).enforced
    assert allows(past, str(today - day))
    assert not allows(past, str(today))
    assert allows(future, str(today + day))
    assert not allows(future, str(today))
    before, after = type_target(pydantic.PastDatetime).enforced, type_target(pydantic.FutureDatetime).enforced
    now = dt.datetime.now(dt.UTC)
    for moved in (now - day, now + day):
        text = f"{moved:%Y-%m-%dT%H:%M:%SZ}"
        assert allows(before, text) == (moved < now)
        assert allows(after, text) == (moved > now)
    assert not allows(before, "2020-01-01T00:00:00+02:00")  # instants across offsets are not regular


def test_a_moment_that_has_passed_is_no_bug_of_ours() -> None:
    with pytest.raises(ValueRejected, match="future"):
        type_target(pydantic.FutureDate).read('"2020-01-01"')


def test_types_of_the_moment_are_compiled_anew() -> None:
    assert type_target(pydantic.FutureDate) is not type_target(pydantic.FutureDate)
    assert type_target(dt.date) is type_target(dt.date)


@pytest.mark.parametrize(
    ("bounds", "reason"),
    [
        ({"ge": MOMENT.replace(tzinfo=ZONES[1]), "le": MOMENT.replace(tzinfo=ZONES[2])}, "different offsets"),
        ({"ge": MOMENT, "le": MOMENT.replace(tzinfo=ZONES[2])}, "different offsets"),
        ({"ge": MOMENT.replace(tzinfo=dt.timezone(dt.timedelta(seconds=30)))}, "whole minutes"),
        ({"gt": dt.datetime.max}, "lies between"),
        ({"gt": MOMENT, "lt": MOMENT}, "lies between"),
    ],
)
def test_bounds_that_are_not_regular_are_refused_by_name(bounds: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnsupportedSchema, match=reason):
        type_target(Annotated[dt.datetime, Field(**bounds)])


def test_people_see_a_format_where_a_clock_may_have_a_zone() -> None:
    assert json_schema(dt.datetime)["format"] == "date-time"
    assert HINT not in json_schema(dt.datetime)
    assert json_schema(dt.timedelta)["format"] == "duration"
    assert "format" not in json_schema(pydantic.NaiveDatetime)  # format date-time asks for a zone
