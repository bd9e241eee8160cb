"""What a user writes, with the types that checkers must know of it. Checked by mypy and pyright, never run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any, Literal, Optional, assert_type

from pydantic import BaseModel, Field, TypeAdapter

import structgen as sg


class Person(BaseModel):
    """Somebody."""

    name: str
    age: int


def values(model: Any, vocabulary: sg.Vocabulary) -> None:
    """One prompt, several outputs, batches, and both."""
    assert_type(sg.generate(model, "p", schema=Person), Person)
    assert_type(sg.generate(prompt="p", schema=Person, max_tokens=9, seed=1), Person)
    assert_type(sg.generate(model, "p", schema=Person, n=1), Person)
    assert_type(sg.generate(model, "p", schema=Person, n=3), list[Person])
    assert_type(sg.generate(model, ["p", "q"], schema=Person), list[Person])
    assert_type(sg.generate(model, ["p", "q"], schema=Person, n=3), list[list[Person]])
    assert_type(sg.generate(model, [1, 2, 3], schema=Person), Person)
    assert_type(sg.generate(model, [{"role": "user", "content": "p"}], schema=Person), Person)
    assert_type(sg.generate(model, messages=[{"role": "user", "content": "p"}], schema=Person), Person)
    prompts: list[list[dict[str, str]]] = []
    assert_type(sg.generate(model, prompts, schema=Person), list[Person])


def replies(model: Any, tools: list[object]) -> None:
    """With tools a reply, whatever may be answered instead."""
    assert_type(sg.generate(model, "p", tools=tools), sg.Reply)
    assert_type(sg.generate(model, "p", tools=tools, tool_choice="required", schema=Person), sg.Reply)
    assert_type(sg.generate(model, "p", tools=tools, n=3), list[sg.Reply])
    assert_type(sg.generate(model, ["p", "q"], tools=tools), list[sg.Reply])
    assert_type(sg.generate(model, ["p", "q"], tools=tools, n=3), list[list[sg.Reply]])
    assert_type(sg.generate_result(model, "p", tools=tools), sg.Result[sg.Reply])
    for call in sg.generate(model, "p", tools=tools).calls:
        assert_type(call, sg.ToolCall)


def forms(model: Any) -> None:
    """Types that are no classes."""
    assert_type(sg.generate(model, "p", schema=int), int)
    assert_type(sg.generate(model, "p", schema=list[Person]), list[Person])
    assert_type(sg.generate(model, "p", schema=Optional[int]), int | None)  # noqa: UP045
    assert_type(sg.generate(model, "p", schema=Person | None), Person | None)
    assert_type(sg.generate(model, "p", schema=Literal["a", "b"]), Literal["a", "b"])
    assert_type(sg.generate(model, "p", schema=Literal["a", "b"], n=2), list[Literal["a", "b"]])
    assert_type(sg.generate(model, "p", schema=Annotated[int, Field(ge=0)]), int)
    assert_type(sg.generate(model, "p", schema=TypeAdapter(dict[str, int])), dict[str, int])


def texts(model: Any) -> None:
    """Constraints whose value is a text."""
    assert_type(sg.generate(model, "p", regex="[a-z]+"), str)
    assert_type(sg.generate(model, "p", choices=["yes", "no"]), str)
    assert_type(sg.generate(model, "p", grammar=sg.regex("[a-z]+") & sg.length(words=3)), str)
    assert_type(sg.generate(model, ["p"], choices=["yes", "no"], n=2), list[list[str]])


def compiled(model: Any, vocabulary: sg.Vocabulary) -> None:
    """A constraint knows how its texts are read."""
    person = sg.compile(schema=Person, vocabulary=vocabulary)
    assert_type(person, sg.Constraint[Person])
    assert_type(sg.generate(model, "p", constraint=person), Person)
    assert_type(sg.generate(model, ["p"], constraint=person), list[Person])
    maybe = sg.compile(schema=int | None, vocabulary=vocabulary)
    assert_type(sg.generate(model, "p", constraint=maybe), int | None)
    word = sg.compile(regex="[a-z]+", vocabulary=vocabulary)
    assert_type(sg.generate(model, "p", constraint=word), str)
    untyped: dict[str, Any] = {"type": "integer"}
    assert_type(sg.generate(model, "p", constraint=sg.compile(schema=untyped, vocabulary=vocabulary)), Any)


def results(model: Any) -> None:
    """With everything known about them."""
    assert_type(sg.generate_result(model, "p", schema=Person), sg.Result[Person])
    assert_type(sg.generate_result(model, "p", schema=Person).value, Person)
    assert_type(sg.generate_result(model, "p", schema=Person, n=2), list[sg.Result[Person]])
    assert_type(sg.generate_result(model, ["p"], choices=["a"]), list[sg.Result[str]])
    assert_type(sg.generate_result(model, "p", schema=int).to_dict(), dict[str, Any])


def streams(model: Any) -> None:
    """Partial values have no type of their own."""
    assert_type(sg.generate(model, "p", schema=Person, stream=True), Iterator[Any])
    schema: dict[str, Any] = {"type": "integer"}
    assert_type(sg.generate(model, "p", schema=schema), Any)


async def in_threads(model: Any) -> None:
    """The asynchronous twins."""
    assert_type(await sg.agenerate(model, "p", schema=Person), Person)
    assert_type(await sg.agenerate(model, ["p"], schema=Person, n=2), list[list[Person]])
    assert_type(await sg.agenerate(model, "p", choices=["a"]), str)
    assert_type(sg.agenerate(model, "p", schema=Person, stream=True), AsyncIterator[Any])
    async for _ in sg.agenerate(model, "p", schema=Person, stream=True):
        pass
    assert_type(await sg.agenerate_result(model, "p", schema=Person), sg.Result[Person])


def options(model: Any) -> None:
    """Options and their values are known too."""
    sg.generate(model, "p", schema=Person, method="cars", on_truncate="raise", stop=["x"], chat=False, describe=True)
