"""`schema=function`: its arguments, and never a call with what a model wrote."""

from __future__ import annotations

import functools
from typing import Annotated, Any, Literal, NamedTuple

import pydantic
import pytest
from pydantic import Field, TypeAdapter

import structgen as sg
from structgen.python_types.types import target_of
from tests.api.engines import HashEngine

CALLS: list[Any] = []


def delete_files(pattern: Annotated[str, Field(max_length=5)], force: bool = False) -> str:
    """Delete what matches."""
    CALLS.append(pattern)
    return "done"


@pydantic.validate_call
def checked(n: Annotated[int, Field(ge=0, le=9)]) -> int:
    CALLS.append(n)
    return n


class Shop:
    def order(self, item: Literal["a", "b"], count: int = 1) -> None:
        CALLS.append(item)

    @classmethod
    def close(cls, now: bool) -> None:
        CALLS.append(now)

    @staticmethod
    def open(when: int) -> None:
        CALLS.append(when)


async def fetch(n: Literal[1, 2]) -> None:
    CALLS.append(n)


class Point(NamedTuple):
    x: int
    y: int = 0


@pytest.mark.parametrize(
    ("function", "text", "value"),
    [
        (delete_files, '{"pattern": "*", "force": true}', {"pattern": "*", "force": True}),
        (delete_files, '{"pattern": "*"}', {"pattern": "*"}),
        (checked, '{"n": 3}', {"n": 3}),
        (Shop().order, '{"item": "a"}', {"item": "a"}),
        (Shop.close, '{"now": true}', {"now": True}),
        (Shop.open, '{"when": 3}', {"when": 3}),
        (fetch, '{"n": 2}', {"n": 2}),
        (functools.partial(delete_files, "x"), '{"force": true}', {"force": True}),
        (functools.partial(delete_files, force=True), '{"pattern": "y"}', {"pattern": "y"}),
    ],
)
def test_a_function_gives_its_arguments_and_is_not_called(function: Any, text: str, value: Any) -> None:
    CALLS.clear()
    engine = HashEngine()
    assert sg.compile(schema=function, vocabulary=engine.vocabulary).accepts(text)
    assert target_of(function).read(text) == value
    found = sg.generate(engine, "p", schema=function)
    assert isinstance(found, dict) and set(value) <= {*found, "force", "count"}
    assert CALLS == []


def test_extra_arguments_and_wrong_ones_are_not_in_the_language() -> None:
    constraint = sg.compile(schema=checked, vocabulary=HashEngine().vocabulary)
    assert [constraint.accepts(text) for text in ('{"n": 12}', '{"n": 1, "m": 1}', "{}", "[1]")] == [False] * 4


def test_the_description_of_a_function_is_its_own() -> None:
    schema = sg.json_schema(delete_files)
    assert isinstance(schema, dict) and schema["title"] == "delete_files"
    assert schema["required"] == ["pattern"]


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (lambda x: x, sg.SchemaError, "'x' has no annotation"),
        (lambda *rest: rest, sg.UnsupportedSchema, r"\*rest cannot be passed by name"),
        (lambda **rest: rest, sg.UnsupportedSchema, r"\*\*rest cannot be passed by name"),
        (len, sg.UnsupportedSchema, "len: obj cannot be passed by name"),
        (Shop.order, sg.SchemaError, "'self' has no annotation"),
        (TypeAdapter(delete_files), sg.UnsupportedSchema, "delete_files would be called"),
        (TypeAdapter(checked), sg.UnsupportedSchema, "would be called"),
        (TypeAdapter(Annotated[delete_files, 1]), sg.UnsupportedSchema, "would be called"),
    ],
)
def test_what_cannot_be_passed_by_name_is_refused(function: Any, error: type[Exception], message: str) -> None:
    CALLS.clear()
    with pytest.raises(error, match=message):
        sg.generate(HashEngine(), "p", schema=function)
    assert CALLS == []


def test_a_callable_object_is_not_run() -> None:
    class Tool:
        def __call__(self, n: int) -> None:
            CALLS.append(n)

    CALLS.clear()
    with pytest.raises(sg.StructgenError):
        sg.generate(HashEngine(), "p", schema=Tool())
    assert CALLS == []


def test_a_named_tuple_is_still_a_type() -> None:
    assert target_of(Point).read("[1, 2]") == Point(1, 2)


def test_a_validator_that_breaks_is_the_users() -> None:
    def broken(value: int) -> int:
        raise KeyError("gone")

    def custom(value: int) -> int:
        raise pydantic_core.PydanticCustomError("my_kind", "never")

    import pydantic_core

    engine = HashEngine()
    for validator in (broken, custom):
        kind = Annotated[Literal[1, 2], pydantic.AfterValidator(validator)]
        with pytest.raises(sg.ValueRejected):
            sg.generate(engine, "p", schema=kind)
