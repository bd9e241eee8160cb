"""Validators, annotations and classes that tell pydantic how to read them."""

from __future__ import annotations

import datetime as dt
import decimal
import typing as t
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import annotated_types as at
import pydantic
from pydantic import BaseModel, Field
from pydantic.functional_validators import AfterValidator, BeforeValidator, PlainValidator, WrapValidator
from pydantic_core import PydanticCustomError, core_schema

from benchmarks.python_types.case import Case

T = TypeVar("T")
UTC = dt.UTC
EAST = dt.timezone(dt.timedelta(hours=2))
DAY, NOON = dt.date(2024, 2, 29), dt.datetime(2024, 2, 29, 12, 30, 15, 250000)
D = decimal.Decimal


def _even(value: int) -> int:
    if value % 2:
        raise ValueError("must be even")
    return value


def _custom(value: int) -> int:
    if value % 2:
        raise PydanticCustomError("odd", "is odd")
    return value


def _key_error(value: int) -> int:
    return {0: 0}.get(value % 2) if value % 2 == 0 else {}["odd"]  # type: ignore[return-value]


def _wrapped(value: Any, handler: Callable[[Any], Any]) -> Any:
    return handler(value)


class Ordered(BaseModel):
    low: int
    high: int

    @pydantic.model_validator(mode="after")
    def _in_order(self) -> Ordered:
        if self.low > self.high:
            raise ValueError("out of order")
        return self


class FieldChecked(BaseModel):
    name: str

    @pydantic.field_validator("name")
    @classmethod
    def _upper(cls, value: str) -> str:
        assert value != "x", "no x"
        return value.upper()


class Own:
    """A class that tells pydantic how to read it."""

    def __init__(self, text: str) -> None:
        self.text = text

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema(max_length=4))


class OwnPlain(Own):
    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        return core_schema.no_info_plain_validator_function(cls)


class OwnJson(Own):
    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        return core_schema.no_info_plain_validator_function(lambda value: cls(str(value)))

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Any, handler: Any) -> Any:
        return {"type": "string", "pattern": "^own$"}


VALIDATORS = [
    Case("AfterValidator", Annotated[int, AfterValidator(_even)], (2,)),
    Case("BeforeValidator", Annotated[int, BeforeValidator(_even)], (2,)),
    Case("WrapValidator", Annotated[int, WrapValidator(_wrapped)], (2,)),
    Case("PlainValidator", Annotated[int, PlainValidator(_even)], (2,)),
    Case(
        "PlainValidator, json_schema_input_type",
        Annotated[Any, PlainValidator(_even, json_schema_input_type=int)],
        (2,),
    ),
    Case(
        "BeforeValidator, json_schema_input_type",
        Annotated[int, BeforeValidator(int, json_schema_input_type=str)],
        (),
        ('"3"',),
    ),
    Case("PydanticCustomError", Annotated[int, AfterValidator(_custom)], (2,)),
    Case("a validator that raises KeyError", Annotated[int, AfterValidator(_key_error)], (2,)),
    Case("model_validator", Ordered, (Ordered(low=1, high=2),)),
    Case("field_validator", FieldChecked, (FieldChecked(name="a"),)),
    Case("bounds behind a validator", Annotated[int, AfterValidator(_even), Field(ge=4)], (4,)),
    Case(
        "ValidateAs",
        Annotated[Own, pydantic.ValidateAs(str, Own)] if hasattr(pydantic, "ValidateAs") else str,
        (),
        ('"a"',),
    ),
    Case("Predicate of int", Annotated[int, at.Predicate(lambda value: value > 3)], (4,)),
    Case("Not", Annotated[int, at.Not(lambda value: value > 3)], (1,)),
    Case("IsFinite, IsNotNan", at.IsFinite[float], (1.5,)),
    Case("Interval", Annotated[int, at.Interval(gt=1, le=5)], (5,)),
    Case("MultipleOf", Annotated[int, at.MultipleOf(3)], (9,)),
    Case("Gt of a float", Annotated[float, at.Gt(0.5)], (0.75,)),
    Case(
        "WithJsonSchema, narrower",
        Annotated[str, pydantic.WithJsonSchema({"type": "string", "pattern": "^a+$"})],
        ("aa",),
    ),
    Case("WithJsonSchema, wider", Annotated[int, pydantic.WithJsonSchema({"type": "number"})], (3,)),
    Case("WithJsonSchema, other", Annotated[int, pydantic.WithJsonSchema({"type": "boolean"})]),
    Case("WithJsonSchema of a Callable", Annotated[t.Callable[[], int], pydantic.WithJsonSchema({"type": "string"})]),
    Case(
        "WithJsonSchema of a PlainValidator",
        Annotated[Any, PlainValidator(str), pydantic.WithJsonSchema({"type": "integer"})],
        (),
        ("3",),
    ),
    Case("json_schema_extra", Annotated[int, Field(json_schema_extra={"maximum": 5, "minimum": 1})], (3,)),
    Case("json_schema_extra that widens", Annotated[int, Field(ge=3, json_schema_extra={"minimum": 1})], (3,)),
    Case("Examples, deprecated, title", Annotated[int, pydantic.Field(title="t", examples=[1], deprecated=True)], (1,)),
    Case("SkipJsonSchema", tuple[int, int | pydantic.json_schema.SkipJsonSchema[None]], ((1, 2),)),
    Case("__get_pydantic_core_schema__", Own, (), ('"abcd"',)),
    Case("__get_pydantic_core_schema__, plain", OwnPlain),
    Case("__get_pydantic_json_schema__", OwnJson, (), ('"own"',)),
    Case("OnErrorOmit", list[pydantic.OnErrorOmit[int]], ([1],)),
    Case("Annotated default", Annotated[int, Field(default=3)], (3,)),
]
