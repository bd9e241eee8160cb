"""Scalars, dates and times, patterns."""

from __future__ import annotations

import datetime as dt
import decimal
import re
import typing as t
import zoneinfo
from fractions import Fraction
from typing import Annotated, Any, TypeVar

import annotated_types as at
import pydantic
import typing_extensions as te
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.color import Color

from benchmarks.python_types.case import Case
from benchmarks.python_types.classes import Point, Tree

T = TypeVar("T")
UTC = dt.UTC
EAST = dt.timezone(dt.timedelta(hours=2))
DAY, NOON = dt.date(2024, 2, 29), dt.datetime(2024, 2, 29, 12, 30, 15, 250000)
D = decimal.Decimal


SCALARS = [
    Case("int", int, (0, -5, 10**20)),
    Case("float", float, (0.0, -1.5), ("1e+300", "1e-300")),
    Case("bool", bool, (True, False)),
    Case("str", str, ("", 'é\n"x', "\U0001f600")),
    Case("bytes", bytes, (b"", b"abc", "é".encode())),
    Case("None", None, (None,)),
    Case("Any", Any, ({"a": [1, 2.5, None]},)),
    Case("object", object, ([1],)),
    Case("complex", complex, (1 + 2j, 2j, -1.5e-7 - 3e22j, 0j)),
    Case("Fraction", Fraction, (Fraction(1, 3), Fraction(2))),
    Case("Decimal", D, (D("1.50"), D("-3"), D("1E+5"), D("1E-10"))),
    Case(
        "Decimal, max_digits and decimal_places",
        Annotated[D, Field(max_digits=5, decimal_places=2)],
        (D("123.45"), D("1")),
    ),
    Case("Decimal, decimal_places=0", Annotated[D, Field(max_digits=4, decimal_places=0)], (D("1234"),)),
    Case("Decimal, max_digits", Annotated[D, Field(max_digits=3)], (D("123"), D("1.23"))),
    Case("Decimal, decimal_places", Annotated[D, Field(decimal_places=3)], (D("1.234"),)),
    Case("Decimal below one", Annotated[D, Field(max_digits=2, decimal_places=4)], (D("0.12"),)),
    Case(
        "Decimal with bounds",
        Annotated[D, Field(ge=0, le=10, max_digits=6, decimal_places=3)],
        (D("9.125"), D("10.0")),
        ("9.125",),
    ),
    Case("Decimal of 30 digits", Annotated[D, Field(max_digits=30, decimal_places=10)], (D("12345678901234567890.5"),)),
    Case("Decimal, ge", Annotated[D, Field(ge=0)], (D("1.5"), D("0.00")), ("1.5",)),
    Case("Decimal, multiple_of", Annotated[D, Field(multiple_of=D("0.5"))], (), ("1.5",)),
    Case(
        "Decimal, large and bounded",
        Annotated[D, Field(ge=0, max_digits=40, decimal_places=2)],
        (D("123456789012345678901.25"),),
    ),
    Case("PositiveInt", pydantic.PositiveInt, (1,)),
    Case("NegativeInt", pydantic.NegativeInt, (-1,)),
    Case("NonNegativeInt", pydantic.NonNegativeInt, (0,)),
    Case("NonPositiveInt", pydantic.NonPositiveInt, (0,)),
    Case("PositiveFloat", pydantic.PositiveFloat, (0.5,)),
    Case("NegativeFloat", pydantic.NegativeFloat, (-0.5,)),
    Case("NonNegativeFloat", pydantic.NonNegativeFloat, (0.0,)),
    Case("NonPositiveFloat", pydantic.NonPositiveFloat, (0.0,)),
    Case("FiniteFloat", pydantic.FiniteFloat, (1.5,), ("1e+308",)),
    Case("AllowInfNan(False)", Annotated[float, pydantic.AllowInfNan(False)], (1.5,)),
    Case("StrictInt", pydantic.StrictInt, (3,)),
    Case("StrictFloat", pydantic.StrictFloat, (3.5,)),
    Case("StrictBool", pydantic.StrictBool, (True,)),
    Case("StrictStr", pydantic.StrictStr, ("a",)),
    Case("StrictBytes", pydantic.StrictBytes, (b"a",)),
    Case("Annotated[..., Strict()]", Annotated[dt.date, pydantic.Strict()], (DAY,)),
    Case("conint", pydantic.conint(gt=1, lt=9, multiple_of=3), (6,)),
    Case("confloat", pydantic.confloat(ge=0, le=1, multiple_of=0.25), (0.75,)),
    Case("condecimal", pydantic.condecimal(max_digits=4, decimal_places=1), (D("1.5"),)),
    Case("constr", pydantic.constr(min_length=1, max_length=3, pattern="^[a-z]*$"), ("abc",)),
    Case("conbytes", pydantic.conbytes(min_length=1, max_length=3), (b"abc",)),
    Case("conlist", pydantic.conlist(int, min_length=1, max_length=2), ([1, 2],)),
    Case("conset", pydantic.conset(int, min_length=2, max_length=3), ({1, 2},)),
    Case("confrozenset", pydantic.confrozenset(int, max_length=2), (frozenset({1}),)),
    Case("condate", pydantic.condate(gt=dt.date(2024, 1, 1)), (DAY,)),
    Case(
        "StringConstraints, strip and length",
        Annotated[str, StringConstraints(strip_whitespace=True, min_length=2)],
        ("ab",),
    ),
    Case(
        "StringConstraints, strip and pattern",
        Annotated[str, StringConstraints(strip_whitespace=True, pattern="^[a-z ]+$")],
        ("a b",),
    ),
    Case("StringConstraints, to_lower", Annotated[str, StringConstraints(to_lower=True, min_length=1)], ("a",)),
    Case(
        "StringConstraints, to_upper and pattern",
        Annotated[str, StringConstraints(to_upper=True, pattern="^[a-z]+$")],
        (),
        ('"abc"',),
    ),
    *(
        Case("StringConstraints, ascii_only", Annotated[str, StringConstraints(**{name: True})], ("abc",))
        for name in StringConstraints.__dataclass_fields__.keys() & {"ascii_only"}  # not in every version
    ),
    Case("SecretStr", pydantic.SecretStr, (), ('"x"',)),
    Case("SecretStr with a length", Annotated[pydantic.SecretStr, Field(min_length=3)], (), ('"xyz"',)),
    Case("SecretBytes", pydantic.SecretBytes, (), ('"x"',)),
    Case("Secret[int]", pydantic.Secret[int], (), ("3",)),
    Case("Secret[date]", pydantic.Secret[dt.date], (), ('"2024-02-29"',)),
    Case("ByteSize", pydantic.ByteSize, (pydantic.ByteSize(1024),)),
    Case("Base64Bytes", pydantic.Base64Bytes, (b"hello", b"\xff")),
    Case("Base64Str", pydantic.Base64Str, ("hello",)),
    Case("Base64UrlBytes", pydantic.Base64UrlBytes, (b"\xff\xfe",)),
    Case("Base64UrlStr", pydantic.Base64UrlStr, ("hello",)),
    Case("Json", pydantic.Json),
    Case("Json[list[int]]", pydantic.Json[list[int]], (), ('"[1,2]"',)),
    Case("Json[dataclass]", pydantic.Json[Point], (), ('"{\\"x\\":1,\\"y\\":2.5}"',)),
    Case("Json[dict[str, bool]]", pydantic.Json[dict[str, bool]], (), ('"{\\"a\\":true}"',)),
    Case("Json of a recursive type", pydantic.Json[Tree]),
    Case("Json of a pattern", pydantic.Json[Annotated[str, Field(pattern="^a$")]]),
    Case("re.Pattern", re.Pattern, (re.compile("a+"),)),
    Case("re.Pattern[str]", re.Pattern[str], (re.compile("a+"),)),
    Case("type", type),
    Case("type[int]", type[int]),
    Case("Callable", t.Callable[[], int]),
    Case("int | Callable", int | t.Callable[[], int]),
    Case("ImportString", pydantic.ImportString),
    Case("InstanceOf", pydantic.InstanceOf[Point]),
    Case("SkipValidation[int]", pydantic.SkipValidation[int]),
    Case("pydantic.color.Color", Color, (), ('"red"', '"#0aF"', '"#01020380"', '"rgb(1, 2, 3)"', '"rgba(1,2,3,0.5)"')),
    Case("PaymentCardNumber", pydantic.PaymentCardNumber),
    Case("LiteralString", te.LiteralString, ("a",)),
    Case("Hashable", t.Hashable),
    Case("range", range),
    Case("slice", slice),
]


START, END = dt.date(2019, 11, 30), dt.date(2024, 2, 29)
EARLY, LATE = dt.datetime(2020, 2, 28, 23, 59, 59, 999999), dt.datetime(2024, 3, 1, 6, 7, 8, 90)
TIME = [
    Case("date", dt.date, (DAY, dt.date(1, 1, 1), dt.date(9999, 12, 31))),
    Case("time", dt.time, (dt.time(12, 30, 15), dt.time(0, 0, tzinfo=UTC), dt.time(1, 2, 3, 4, tzinfo=EAST))),
    Case("datetime", dt.datetime, (NOON.replace(tzinfo=UTC), NOON.replace(tzinfo=EAST), NOON)),
    Case(
        "timedelta",
        dt.timedelta,
        (dt.timedelta(days=1, seconds=3), dt.timedelta(microseconds=5), dt.timedelta(-3, 5), dt.timedelta(0)),
    ),
    Case("AwareDatetime", pydantic.AwareDatetime, (NOON.replace(tzinfo=UTC),)),
    Case("NaiveDatetime", pydantic.NaiveDatetime, (NOON,)),
    Case("PastDate", pydantic.PastDate),
    Case("FutureDate", pydantic.FutureDate),
    Case("PastDatetime", pydantic.PastDatetime),
    Case("FutureDatetime", pydantic.FutureDatetime),
    Case("date, ge and le", Annotated[dt.date, Field(ge=START, le=END)], (START, END, dt.date(2023, 5, 6))),
    Case("date, gt and lt", Annotated[dt.date, Field(gt=START, lt=END)], (dt.date(2019, 12, 1), dt.date(2024, 2, 28))),
    Case("date, lt alone", Annotated[dt.date, Field(lt=START)], (dt.date(1, 1, 1), dt.date(2019, 11, 29))),
    Case("date in an empty range", Annotated[dt.date, Field(gt=END, lt=START)]),
    Case(
        "time, ge and lt",
        Annotated[dt.time, Field(ge=dt.time(9), lt=dt.time(17, 30, 15, 250))],
        (dt.time(9), dt.time(17, 30, 15, 249)),
    ),
    Case("time, gt with UTC", Annotated[dt.time, Field(gt=dt.time(9, tzinfo=UTC))]),
    Case(
        "datetime, naive bounds",
        Annotated[pydantic.NaiveDatetime, Field(ge=EARLY, lt=LATE)],
        (EARLY, dt.datetime(2022, 1, 1)),
    ),
    Case("datetime, naive bounds, any zone", Annotated[dt.datetime, Field(ge=EARLY, lt=LATE)], (EARLY,)),
    Case(
        "datetime, bounds in UTC",
        Annotated[pydantic.AwareDatetime, Field(gt=EARLY.replace(tzinfo=UTC))],
        (LATE.replace(tzinfo=UTC),),
    ),
    Case(
        "datetime, bounds in +02:00",
        Annotated[pydantic.AwareDatetime, Field(gt=EARLY.replace(tzinfo=EAST), lt=LATE.replace(tzinfo=EAST))],
        (NOON.replace(tzinfo=EAST),),
    ),
    Case(
        "datetime, bounds of two offsets",
        Annotated[pydantic.AwareDatetime, Field(gt=EARLY.replace(tzinfo=EAST), lt=LATE.replace(tzinfo=UTC))],
    ),
    Case(
        "timedelta, ge and le",
        Annotated[dt.timedelta, Field(ge=dt.timedelta(hours=1), le=dt.timedelta(days=30, seconds=5))],
        (dt.timedelta(hours=1), dt.timedelta(days=30), dt.timedelta(days=2, hours=3, minutes=4, seconds=5.5)),
    ),
    Case("timedelta, gt zero", Annotated[dt.timedelta, Field(gt=dt.timedelta(0))], (dt.timedelta(1),)),
    Case("timedelta, negative", Annotated[dt.timedelta, Field(lt=dt.timedelta(0))], (dt.timedelta(-1),)),
    Case("annotated_types.Timezone(None)", Annotated[dt.datetime, at.Timezone(None)], (NOON,)),
    Case("annotated_types.Timezone(...)", Annotated[dt.datetime, at.Timezone(...)], (NOON.replace(tzinfo=UTC),)),
    Case("annotated_types.Timezone(UTC)", Annotated[dt.datetime, at.Timezone(dt.UTC)]),
    Case("annotated_types.Timezone('Europe/Paris')", Annotated[dt.datetime, at.Timezone("Europe/Paris")]),
    Case("ZoneInfo", zoneinfo.ZoneInfo, (zoneinfo.ZoneInfo("Europe/Paris"),)),
]


class PythonRe(BaseModel):
    model_config = ConfigDict(regex_engine="python-re")
    word: Annotated[str, Field(pattern=r"^\w+$")]
    after: Annotated[str, Field(pattern=r"(?<=a)b\Z")]


class RustRe(BaseModel):
    word: Annotated[str, Field(pattern=r"^\w+$")]
    other: Annotated[str, Field(pattern=r"(?x) \A [[:alpha:]--b]+ \z")]


def _pattern(source: Any) -> Any:
    return Annotated[str, Field(pattern=source)]


PATTERNS = [
    Case(r"pattern ^\w+$", _pattern(r"^\w+$"), ("José", "日本", "a_1")),
    Case(r"pattern ^\d+$", _pattern(r"^\d+$"), ("12", "\u0663")),
    Case(r"pattern ^\W$", _pattern(r"^\W$"), (" ", "²")),
    Case(r"pattern [^\w]", _pattern(r"[^\w]"), ("a b",)),
    Case(r"pattern ^a\b.$", _pattern(r"^a\b.$"), ("a ",)),
    Case(r"pattern ^\s$", _pattern(r"^\s$"), ("\u3000",)),
    Case("pattern [[:alpha:]]", _pattern("^[[:alpha:]]+$"), ("abc",)),
    Case("pattern [a-z&&[^b]]", _pattern("^[a-z&&[^b]]+$"), ("ac",)),
    Case("pattern (?x)", _pattern(r"(?x) \A a  b \z"), ("ab",)),
    Case("pattern (?i)", _pattern("(?i)^straße$"), ("STRAẞE",)),
    Case("pattern, searched for", _pattern("b"), ("abc",)),
    Case("compiled pattern", _pattern(re.compile(r"^\w$")), ("é",)),
    Case("compiled pattern with flags", _pattern(re.compile("^a.b$", re.I | re.S)), ("A\nB",)),
    Case("compiled pattern, re.X and re.A", _pattern(re.compile(r"^ \w + $", re.X | re.A)), ("ab",)),
    Case("compiled pattern with a lookahead", _pattern(re.compile(r"^(?!ab)\w+\Z")), ("ba",)),
    Case("regex_engine='python-re'", PythonRe, (PythonRe(word="é", after="ab"),)),
    Case("patterns of a model", RustRe, (RustRe(word="é", other="ac"),)),
    Case("compiled pattern with a backreference", _pattern(re.compile(r"^(a|b)\1$"))),
    Case("pattern of Base64Str", Annotated[pydantic.Base64Str, Field(pattern="^a")]),
    Case("pattern beside a length", Annotated[str, Field(pattern=r"^\w*$", max_length=4)], ("éé",)),
    Case("keys of a pattern", dict[Annotated[str, Field(pattern=r"^\w$")], int], ({"é": 1},)),
    Case("Predicate", Annotated[str, at.Predicate(str.islower)], ("a",)),
]
