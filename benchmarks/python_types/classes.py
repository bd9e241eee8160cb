"""Classes that hold fields, and what refers to them."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import ipaddress
import pathlib
import typing as t
import uuid
from dataclasses import dataclass
from typing import Annotated, Generic, Literal, NamedTuple, NewType, NotRequired, TypeVar

import pydantic
import typing_extensions as te
from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field, RootModel
from pydantic.alias_generators import to_camel

from benchmarks.python_types.case import Case
from benchmarks.python_types.enums import Kind, Text

T = TypeVar("T")
UTC = dt.UTC
EAST = dt.timezone(dt.timedelta(hours=2))
DAY, NOON = dt.date(2024, 2, 29), dt.datetime(2024, 2, 29, 12, 30, 15, 250000)
D = decimal.Decimal


class Address(BaseModel):
    street: Annotated[str, Field(max_length=20)]
    code: Annotated[str, Field(pattern=r"^\d{5}$")]


class Person(BaseModel):
    name: str = Field(min_length=1, max_length=12)
    age: int = Field(ge=0, le=150)
    address: Address | None = None
    tags: list[Literal["a", "b"]] = []


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)
    x: int


class FrozenWithList(BaseModel):
    model_config = ConfigDict(frozen=True)
    x: list[int] | None = None


class Aliased(BaseModel):
    first: int = Field(alias="firstName")
    second: int = Field(validation_alias="secondName")
    third: int = Field(validation_alias=AliasChoices("thirdName", "third"))


class ByName(BaseModel):
    model_config = ConfigDict(validate_by_name=True, validate_by_alias=False)
    first: int = Field(alias="firstName")


class Pathed(BaseModel):
    first: int = Field(validation_alias=AliasPath("names", 0))


class ChoicesWithPath(BaseModel):
    first: int = Field(validation_alias=AliasChoices(AliasPath("names", 0), "first"))


class Camel(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)
    first_name: str


class Rewritten(BaseModel):
    model_config = ConfigDict(json_schema_extra=lambda schema: schema["properties"].update(x={"type": "number"}))
    x: int


class Exemplary(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"x": 1}]})
    x: int


class Computed(BaseModel):
    side: int

    @pydantic.computed_field
    @property
    def area(self) -> int:
        return self.side**2


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    x: int


class OpenTyped(BaseModel):
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, int] = Field(init=False)
    x: int


class Forbidding(BaseModel):
    model_config = ConfigDict(extra="forbid")
    x: int


class Private(BaseModel):
    x: int
    _y: int = 2
    z: t.ClassVar[int] = 3


class Excluded(BaseModel):
    x: int
    y: int = Field(default=1, exclude=True)


class Uninit(BaseModel):
    x: int = Field(default_factory=lambda: 3)


class Tree(BaseModel):
    value: int
    children: list[Tree] = []


class Left(BaseModel):
    right: Right | None = None


class Right(BaseModel):
    left: Left | None = None


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    good: bool


class EnumCat(BaseModel):
    kind: Literal[Kind.CAT]


class EnumDog(BaseModel):
    kind: Literal[Kind.DOG]


class TextCat(BaseModel):
    kind: Literal[Text.A]


class TextDog(BaseModel):
    kind: Literal[Text.B]


class Empty(BaseModel):
    pass


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)
    x: float
    when: dt.date
    kind: Kind
    pair: tuple[int, str]
    data: bytes
    some: set[int]


class MoreStrict(BaseModel):
    model_config = ConfigDict(strict=True)
    price: decimal.Decimal
    id: uuid.UUID
    span: dt.timedelta
    host: ipaddress.IPv4Address
    home: pathlib.Path
    wave: complex
    deep: collections.deque[int]
    fixed: frozenset[int]


class Hex(BaseModel):
    model_config = ConfigDict(val_json_bytes="hex")
    data: Annotated[bytes, Field(min_length=1, max_length=3)]


class Base64(BaseModel):
    model_config = ConfigDict(val_json_bytes="base64", ser_json_bytes="base64")
    data: bytes


class Lowered(BaseModel):
    model_config = ConfigDict(str_to_lower=True, str_strip_whitespace=True, str_min_length=1, str_max_length=5)
    x: str


class Finite(BaseModel):
    model_config = ConfigDict(allow_inf_nan=False)
    x: float


class Box(BaseModel, Generic[T]):
    content: T


class Root(RootModel[list[int]]):
    pass


class RootText(RootModel[Annotated[str, Field(pattern="^a+$")]]):
    pass


@dataclass
class Point:
    x: int
    y: float = 0.0


@pydantic.dataclasses.dataclass
class Checked:
    x: Annotated[int, Field(ge=0)]
    _: dataclasses.KW_ONLY
    z: str = "z"


@dataclass
class Initless:
    x: int
    y: int = dataclasses.field(default=3, init=False)


@dataclass
class WithInitVar:
    x: int
    y: dataclasses.InitVar[int] = 3


class Movie(te.TypedDict):
    title: str
    year: NotRequired[int]


class Total(te.TypedDict, total=False):
    title: te.Required[str]
    year: te.ReadOnly[int]


class Closed(te.TypedDict):
    __pydantic_config__ = ConfigDict(extra="forbid")
    x: int


class Pair(NamedTuple):
    left: int
    right: str = "r"


Plain = collections.namedtuple("Plain", ["a", "b"])
UserId = NewType("UserId", int)
Ints = te.TypeAliasType("Ints", list[int])
Json = te.TypeAliasType("Json", "dict[str, Json] | list[Json] | str | int | bool | None")
Many = te.TypeAliasType("Many", list[T], type_params=(T,))
Constrained = TypeVar("Constrained", int, str)
Bound = TypeVar("Bound", bound=int)

CLASSES = [
    Case("BaseModel", Person, (Person(name="Jo", age=3, address=Address(street="s", code="12345"), tags=["a"]),)),
    Case("BaseModel without fields", Empty, (Empty(),)),
    Case("frozen model", Frozen, (Frozen(x=1),)),
    Case("aliases", Aliased, (), ('{"firstName":1,"secondName":2,"thirdName":3}',)),
    Case("validate_by_name", ByName, (), ('{"first":1}',)),
    Case("AliasPath", Pathed, ()),
    Case("AliasChoices with an AliasPath", ChoicesWithPath, (), ('{"first":1}',)),
    Case("alias_generator", Camel, (), ('{"firstName":"x"}',)),
    Case("json_schema_extra of a class", Exemplary, (Exemplary(x=1),)),
    Case("json_schema_extra of a class that widens", Rewritten, (Rewritten(x=1),)),
    Case("computed_field", Computed, (), ('{"side":3}',)),
    Case("extra='allow'", Open, (Open(x=1, more=2),)),
    Case("__pydantic_extra__", OpenTyped, (OpenTyped(x=1, more=2),)),
    Case("extra='forbid'", Forbidding, (Forbidding(x=1),)),
    Case("private and class attributes", Private, (Private(x=1),)),
    Case("excluded fields", Excluded, (Excluded(x=1),), ('{"x":1,"y":2}',)),
    Case("default_factory", Uninit, (Uninit(), Uninit(x=1)), ("{}",)),
    Case("recursive model", Tree, (Tree(value=1, children=[Tree(value=2)]),)),
    Case("models that hold each other", Left, (Left(right=Right(left=Left())),)),
    Case("discriminated union", Annotated[Cat | Dog, Field(discriminator="kind")], (Cat(kind="cat", lives=9),)),
    Case("discriminated by Enum members", Annotated[EnumCat | EnumDog, Field(discriminator="kind")]),
    Case(
        "discriminated by StrEnum members",
        Annotated[TextCat | TextDog, Field(discriminator="kind")],
        (TextCat(kind=Text.A),),
    ),
    Case(
        "callable discriminator",
        Annotated[
            Annotated[Cat, pydantic.Tag("c")] | Annotated[Dog, pydantic.Tag("d")],
            pydantic.Discriminator(lambda value: "c" if "lives" in value else "d"),
        ],
        (Dog(kind="dog", good=True),),
    ),
    Case(
        "union, left to right", Annotated[Cat | Dog, Field(union_mode="left_to_right")], (Dog(kind="dog", good=True),)
    ),
    Case("union of scalars", int | str | None, (1, "a", None)),
    Case("Optional", t.Optional[int], (None, 3)),  # noqa: UP045
    Case("strict model", Strict, (Strict(x=1.5, when=DAY, kind=Kind.CAT, pair=(1, "a"), data=b"a", some={1}),)),
    Case(
        "strict model of more types",
        MoreStrict,
        (
            MoreStrict(
                price=decimal.Decimal("1.5"),
                id=uuid.UUID(int=5),
                span=dt.timedelta(1),
                host=ipaddress.IPv4Address(1),
                home=pathlib.Path("a"),
                wave=1j,
                deep=collections.deque([1]),
                fixed=frozenset({1}),
            ),
        ),
    ),
    Case("val_json_bytes='hex'", Hex, (), ('{"data":"00ff"}',)),
    Case("val_json_bytes='base64'", Base64, (Base64.model_construct(data=b"\xff\xfe"),)),
    Case("str_to_lower, str_strip_whitespace, str_max_length", Lowered, (Lowered(x="abc"),)),
    Case("allow_inf_nan=False", Finite, (Finite(x=1.5),)),
    Case("generic model", Box[int], (Box[int](content=3),)),
    Case("generic of generic", Box[Box[list[str]]], (Box[Box[list[str]]](content=Box(content=["a"])),)),
    Case("unparametrised generic", Box, (Box(content=[1]),)),
    Case("RootModel", Root, (Root([1, 2]),)),
    Case("RootModel of a pattern", RootText, (RootText("aa"),)),
    Case("dataclass", Point, (Point(1, 2.5),)),
    Case("pydantic dataclass", Checked, (Checked(1, z="q"),)),
    Case("dataclass, init=False", Initless, (), ('{"x":1}',)),
    Case("dataclass, InitVar", WithInitVar, (), ('{"x":1,"y":2}',)),
    Case("TypedDict", Movie, ({"title": "t"}, {"title": "t", "year": 1999})),
    Case("TypedDict, total=False, ReadOnly", Total, ({"title": "t"},)),
    Case("TypedDict, extra='forbid'", Closed, ({"x": 1},)),
    Case("NamedTuple", Pair, (Pair(1, "a"), Pair(1))),
    Case("collections.namedtuple", Plain, (Plain(1, "a"),)),
    Case("NewType", UserId, (3,)),
    Case("TypeAliasType", Ints, ([1],)),
    Case("recursive TypeAliasType", Json, ({"a": [1, None, "x"]},)),
    Case("generic TypeAliasType", Many[int], ([1],)),
    Case("TypeVar with constraints", list[Constrained], ([1, "a"],)),
    Case("TypeVar with a bound", list[Bound], ([1],)),
]
