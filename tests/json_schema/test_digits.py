"""Digits are bounded where nothing else bounds them: what may be written reads back finite and exact."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Annotated, Any

import pytest
from pydantic import Field

import structgen as sg
from structgen.python_types.types import target_of
from tests.api.engines import HashEngine

LARGEST = "1.7976931348623157e+308"


def accepts(schema: Any, *texts: str, **style: Any) -> list[bool]:
    constraint = sg.compile(schema=schema, vocabulary=HashEngine().vocabulary, style=sg.JsonStyle(**style))
    return [constraint.accepts(text) for text in texts]


NUMBERS = [
    float,
    {"type": "number"},
    {"type": "number", "minimum": 0},
    {"type": "number", "exclusiveMinimum": 12.5},
    {"type": "number", "minimum": -7.5},
    {"type": "number", "multipleOf": 0.01},
]


@pytest.mark.parametrize("schema", NUMBERS, ids=str)
def test_a_number_is_a_finite_double(schema: Any) -> None:
    whole, decimals = "15" * 154, "4" * 1074
    assert accepts(schema, whole, whole + "5") == [True, False]
    assert accepts(schema, LARGEST, "1.7976931348623158e+308", "2e+308", "9.5e+307") == [True, False, False, True]
    if schema != NUMBERS[-1]:
        assert accepts(schema, f"15.{decimals}", f"15.{decimals}44") == [True, False]
    for text in (whole, LARGEST, "9.5e+307"):
        assert math.isfinite(target_of(schema).read(text))


@pytest.mark.parametrize("schema", [{"type": "number"}, {"type": "number", "maximum": -2}], ids=str)
def test_a_negative_number_too(schema: Any) -> None:
    assert accepts(schema, "-" + "1" * 308, "-" + "1" * 309, "-" + LARGEST, "-1.8e+308") == [True, False, True, False]


@pytest.mark.parametrize("schema", [int, {"type": "integer"}, {"type": "integer", "minimum": 10}], ids=str)
def test_an_integer_has_as_many_digits_as_python_reads(schema: Any) -> None:
    assert accepts(schema, "1" * 4300, "1" * 4301) == [True, False]
    assert target_of(schema).read("1" * 4300) == int("1" * 4300)


def test_what_a_bound_allows_stays_allowed() -> None:
    large = 10**500
    assert accepts({"type": "integer", "maximum": large}, str(large), str(large + 1)) == [True, False]
    assert accepts({"const": large}, str(large)) == [True]


def test_the_bound_is_the_users() -> None:
    assert accepts({"type": "integer"}, "12345", "123456", max_digits=5) == [True, False]
    assert accepts({"type": "number"}, "12345.12345", "123456", "1.123456", max_digits=5) == [True, False, False]
    assert accepts({"type": "integer"}, "1" * 5000, max_digits=None) == [True]
    assert accepts({"type": "number", "minimum": 0}, "1" * 5000, max_digits=None) == [True]
    for wrong in (0, True, 2.5, "9"):
        with pytest.raises(sg.OptionError, match="max_digits"):
            sg.JsonStyle(max_digits=wrong)  # type: ignore[arg-type]


def test_every_spelling_is_finite_as_well() -> None:
    texts = ("1e307", "9.9E+307", "1e308", "99e307", "99e152", "12e153", "0.5e200", "100e-400", "1" * 308, "1" * 309)
    found = accepts({"type": "number"}, *texts, numbers="any")
    assert found == [True, True, False, False, True, True, True, True, True, False]
    assert all(math.isfinite(json.loads(text)) for text, is_in in zip(texts, found, strict=True) if is_in)
    every = sg.compile(schema={"type": "number"}, vocabulary=HashEngine().vocabulary, style=sg.JsonStyle.any())
    assert every.accepts("1e999"), "the full standard has no bound"


def test_what_is_beyond_is_read_exactly_or_named() -> None:
    read = target_of({"type": "number"}).read
    assert read("1e999") == Decimal("1e999")
    assert read("7" * 5000) == Decimal("7" * 5000)
    multiple = target_of(Annotated[int, Field(multiple_of=7)])
    assert accepts(Annotated[int, Field(multiple_of=7)], "14" * 2500) == [True], "remainders are not counted"
    with pytest.raises(sg.LimitExceeded) as caught:
        multiple.read("14" * 2500)
    assert caught.value.limit == "max_digits"
