"""Python types: every text that a type's schema allows, pydantic reads; and the schema allows what it should."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import ipaddress
import pathlib
import random
import typing as t
import uuid
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any, Literal, NamedTuple, NotRequired

import jsonschema
import pydantic
import pytest
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter
from typing_extensions import TypedDict

from structgen.automata.configurations import Configurations
from structgen.automata.network import build_network
from structgen.errors import InvariantError, SchemaError, UnsupportedSchema, ValueRejected
from structgen.grammars.json_schema import JsonStyle, compile_schema
from structgen.kernels.layout import START
from structgen.python_types.types import json_schema, target_of


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Address(BaseModel):
    street: Annotated[str, Field(max_length=20)]
    zip_code: Annotated[str, Field(pattern=r"^\d{5}$")]


class Person(BaseModel):
    name: str = Field(min_length=1, max_length=12)
    age: int = Field(ge=0, le=150)
    address: Address | None = None
    tags: list[Literal["a", "b"]] = []


@dataclass
class Point:
    x: int
    y: float = 0.0


class Movie(TypedDict):
    title: str
    year: NotRequired[int]


class Pair(NamedTuple):
    left: int
    right: str = "r"


class Tree(BaseModel):
    value: int
    children: list[Tree] = []


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    good: bool


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    x: int


class Hex(BaseModel):
    model_config = ConfigDict(val_json_bytes="hex")
    data: Annotated[bytes, Field(min_length=1, max_length=3)]


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]

ZOO: list[Any] = [
    int, float, bool, str, None, Any, bytes, complex, Fraction,
    Literal["a", 1, None, True], Colour, Level, Person, Point, Movie, Pair, Tree, Pet, Open, Hex,
    list[int], dict[str, int], tuple[int, str], tuple[int, ...], set[int], frozenset[Colour], int | str | None,
    t.Sequence[int], t.Mapping[str, bool], collections.deque[int], collections.OrderedDict[str, int],
    dict[int, str], dict[Level, int], dict[Colour, int], dict[bool, int], dict[float, int], dict[uuid.UUID, int],
    dict[dt.date, int], dict[Annotated[str, Field(pattern="^a+$")], int], dict[Literal["p", "q"], int],
    dict[Annotated[int, Field(ge=1, le=9)], int],
    decimal.Decimal, Annotated[decimal.Decimal, Field(max_digits=5, decimal_places=2)],
    Annotated[decimal.Decimal, Field(max_digits=4, decimal_places=0)],
    Annotated[decimal.Decimal, Field(max_digits=3)], Annotated[decimal.Decimal, Field(decimal_places=3)],
    Annotated[decimal.Decimal, Field(max_digits=2, decimal_places=4)],
    Annotated[decimal.Decimal, Field(ge=0, le=10, max_digits=6, decimal_places=3)],
    Annotated[decimal.Decimal, Field(max_digits=30, decimal_places=10)],
    dt.date, dt.datetime, dt.time, dt.timedelta, pydantic.AwareDatetime, pydantic.NaiveDatetime,
    uuid.UUID, pydantic.UUID1, pydantic.UUID4, pydantic.UUID5,
    pydantic.Base64Bytes, pydantic.Base64Str, pydantic.Base64UrlBytes, pydantic.Base64UrlStr,
    ipaddress.IPv4Address, ipaddress.IPv6Address, ipaddress.IPv4Network, ipaddress.IPv6Network,
    ipaddress.IPv4Interface, ipaddress.IPv6Interface, pydantic.IPvAnyAddress, pydantic.IPvAnyNetwork,
    pydantic.Json[list[int]], pydantic.Json[Point], pydantic.Json[dict[str, bool]], pydantic.Json[tuple[int, str]],
    pydantic.FiniteFloat, pydantic.PositiveInt, Annotated[float, Field(gt=0, lt=1)], 
    Annotated[int, Field(multiple_of=7)],
    Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=5)],
    Annotated[str, StringConstraints(strip_whitespace=True, pattern="^[a-z ]+$")],
    Annotated[str, StringConstraints(to_lower=True, min_length=1)],
    Annotated[bytes, Field(min_length=1, max_length=4)], pathlib.Path, zoneinfo.ZoneInfo,
    pydantic.HttpUrl, pydantic.AnyUrl, pydantic.PostgresDsn, pydantic.SecretStr, pydantic.ByteSize,
    Annotated[list[int], Field(min_length=1, max_length=3)], Annotated[set[Colour], Field(min_length=1)],
]  # fmt: skip

REFUSED: list[Any] = [
    pydantic.FilePath, pydantic.NewPath, pydantic.ImportString, pydantic.Json, pydantic.Json[Tree], t.Callable[[], int],
    int | t.Callable[[], int], Annotated[decimal.Decimal, Field(multiple_of=3, max_digits=40, decimal_places=2)],
    dict[tuple[int, int], int],
]  # fmt: skip


def name_of(kind: object) -> str:
    return str(kind).replace("typing.", "")[:60]


@pytest.mark.parametrize("kind", ZOO, ids=name_of)
def test_every_type_has_a_schema_that_is_a_schema(kind: Any) -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema(kind))


def texts_of(schema: object, style: JsonStyle, count: int, rng: random.Random) -> Iterator[str]:
    """Random texts of a schema: a random walk of some bytes, then the shortest way to the end."""
    configurations = Configurations(build_network(compile_schema(schema, style=style).grammar))
    for index in range(count):
        state, data = START, bytearray()
        for _ in range(4 * index):
            live = configurations.live_bytes(state)
            if not live:
                break
            data.append(rng.choice(live))
            state = configurations.advance(state, bytes(data[-1:]))
        yield (bytes(data) + configurations.shortest(state)).decode()


@pytest.mark.parametrize("style", [JsonStyle(), JsonStyle.any()], ids=["default", "any"])
@pytest.mark.parametrize("kind", ZOO, ids=name_of)
def test_whatever_the_schema_allows_pydantic_reads(kind: Any, style: JsonStyle) -> None:
    target = target_of(kind)
    style = dataclasses.replace(style, numbers="canonical")  # as generate does for types
    for text in texts_of(target.enforced, style, 24, random.Random(name_of(kind))):
        target.read(text)


@pytest.mark.parametrize("kind", REFUSED, ids=name_of)
def test_what_has_no_exact_schema_is_refused(kind: Any) -> None:
    with pytest.raises(UnsupportedSchema, match="Python type"):
        json_schema(kind)


@pytest.mark.parametrize(
    ("kind", "valid", "invalid"),
    [
        (Annotated[decimal.Decimal, Field(max_digits=4, decimal_places=2)], ['12.5', '"12.50"', '-99.99'],
         ['100', '"1.234"', '1.234', '"NaN"']),
        (pydantic.UUID4, ['"123e4567-e89b-42d3-a456-426614174000"'], ['"123e4567-e89b-12d3-a456-426614174000"']),
        (dict[int, str], ['{"1": "a", "-20": ""}'], ['{"a": ""}', '{"01": ""}', '{"1.0": ""}']),
        (dict[Level, int], ['{"1": 2}'], ['{"3": 1}']),
        (pydantic.NaiveDatetime, ['"2024-05-06T07:08:09"'], ['"2024-05-06T07:08:09Z"', '"2024-02-30T00:00:00"']),
        (dt.datetime, ['"2024-02-29T23:59:59.5+01:00"'], ['"0000-01-01T00:00:00Z"', '"2016-12-31T23:59:60Z"']),
        (dt.time, ['"07:08:09"', '"07:08:09Z"'], ['"24:00:00"']),
        (ipaddress.IPv4Network, ['"10.0.0.0/8"', '"192.168.4.0/22"'], ['"10.0.0.1/8"', '"192.168.5.0/22"']),
        (pydantic.Base64Str, ['"aGVsbG8="', '""'], ['"aGVsbG8"', '"gIA="']),
        (pydantic.Json[list[int]], ['"[1,2]"'], ['"[1,]"', "[1]"]),
        (Point, ['{"x": 1}', '{"x": 1, "y": 2.5}'], ['{"x": 1, "z": 1}', "{}"]),
        (Open, ['{"x": 1, "z": 1}'], ['{"z": 1}']),
        (Movie, ['{"title": "t"}'], ['{"title": "t", "more": 1}']),
        (Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)], ['"a b"'], ['" "', '" a"']),
    ],
    ids=lambda value: name_of(value) if not isinstance(value, list) else "",
)  # fmt: skip
def test_schema_says_what_the_type_checks(kind: Any, valid: list[str], invalid: list[str]) -> None:
    target = target_of(kind)
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    judge = jsonschema.Draft202012Validator(target.enforced, format_checker=checker)
    for text in valid:
        judge.validate(pydantic.TypeAdapter(pydantic.Json[Any]).validate_python(text))
        assert target.read(text) == TypeAdapter(kind).validate_json(text)
    for text in invalid:
        assert not judge.is_valid(pydantic.TypeAdapter(pydantic.Json[Any]).validate_python(text)), text


def test_sources_that_are_schemas(tmp_path: pathlib.Path) -> None:
    schema = {"type": "integer", "minimum": 3}
    file = tmp_path / "schema.json"
    file.write_text('{"type": "integer", "minimum": 3}')
    for source in (schema, '{"type": "integer", "minimum": 3}', file):
        target = target_of(source)
        assert target.schema == schema
        assert target.read("4") == 4
    assert target_of(True).read('{"a": 1}') == {"a": 1}
    assert target_of(TypeAdapter(list[int])).read("[1]") == [1]
    with pytest.raises(SchemaError, match=r"pathlib\.Path"):
        target_of("schema.json")
    with pytest.raises(SchemaError, match="cannot read"):
        target_of(tmp_path / "absent.json")
    with pytest.raises(SchemaError, match="object or a boolean"):
        target_of("[1]")


def test_a_class_pydantic_cannot_read_is_a_schema_error() -> None:
    class Plain:
        pass

    with pytest.raises(SchemaError, match="Plain"):
        target_of(Plain)


def test_a_users_validator_is_not_our_bug() -> None:
    def even(value: int) -> int:
        if value % 2:
            raise ValueError("must be even")
        return value

    target = target_of(Annotated[int, pydantic.AfterValidator(even)])
    assert target.read("4") == 4
    with pytest.raises(ValueRejected, match="must be even") as caught:
        target.read("3")
    assert caught.value.text == "3"


def test_an_invalid_value_without_users_validators_is_our_bug() -> None:
    with pytest.raises(InvariantError):
        target_of(int).read('"x"')
    with pytest.raises(InvariantError):
        target_of({"type": "integer"}).read('"x"')


def test_validation_is_exact_about_decimals_and_asserts_formats() -> None:
    assert target_of({"type": "number", "multipleOf": 0.01}).read("0.07") == 0.07
    assert target_of({"type": "integer"}).read("1.0") == 1
    assert target_of({"multipleOf": 1e-300}).read("1e300") == 1e300
    with pytest.raises(InvariantError):
        target_of({"type": "number", "multipleOf": 0.01}).read("0.075")
    with pytest.raises(InvariantError):
        target_of({"type": "string", "format": "date"}).read('"2024-02-30"')
    old = {"$schema": "http://json-schema.org/draft-04/schema#", "maximum": 3, "exclusiveMaximum": True}
    with pytest.raises(InvariantError):
        target_of(old).read("3")
