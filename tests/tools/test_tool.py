"""Every kind of tool, and what is no tool."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

import structgen as sg
from structgen.errors import OptionError, SchemaError, UnsupportedSchema
from structgen.tools.tool import tools_of


def add(a: int, b: Annotated[int, Field(description="the other")] = 0) -> int:
    """Add two numbers."""
    return a + b


class Point(BaseModel):
    """Somewhere."""

    x: int
    title: str = ""


@dataclass
class Size:
    width: int


SCHEMA = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"], "additionalProperties": False}


def test_a_function() -> None:
    tool = sg.Tool.of(add)
    assert (tool.name, tool.description, tool.call) == ("add", "Add two numbers.", add)
    assert tool.parameters["required"] == ["a"] and tool.parameters["additionalProperties"] is False
    assert tool.parameters["properties"]["b"]["description"] == "the other"
    assert "title" not in str(tool.parameters)
    assert tool.target.read('{"a": 1}') == {"a": 1} and sg.Tool.of(add) is tool


def test_a_method_and_a_partial() -> None:
    import functools

    class Shop:
        def price(self, item: str) -> str:
            """What it costs."""
            return f"{item}: 3"

    assert sg.Tool.of(Shop().price).parameters["required"] == ["item"]
    partial = sg.Tool.of(functools.partial(add, b=2))
    assert partial.name == "add" and list(partial.parameters["properties"]) == ["a"]


def test_types() -> None:
    model = sg.Tool.of(Point)
    assert (model.name, model.description, model.call) == ("Point", "Somewhere.", None)
    assert list(model.parameters["properties"]) == ["x", "title"], "a member called title is none of pydantic's titles"
    assert model.target.read('{"x": 1}') == Point(x=1)
    assert sg.Tool.of(Size).target.read('{"width": 2}') == Size(2)


@pytest.mark.parametrize(
    "definition",
    [
        {"type": "function", "function": {"name": "find", "description": "d", "parameters": SCHEMA, "strict": True}},
        {"type": "function", "name": "find", "description": "d", "parameters": SCHEMA},
        {"name": "find", "description": "d", "parameters": SCHEMA},
        {"name": "find", "description": "d", "inputSchema": SCHEMA, "title": "Find", "annotations": {}},
        {"name": "find", "description": "d", "input_schema": SCHEMA},
        SimpleNamespace(name="find", description="d", inputSchema=SCHEMA),
        SimpleNamespace(name="find", description="d", input_schema=SCHEMA),
    ],
)
def test_definitions(definition: Any) -> None:
    tool = sg.Tool.of(definition)
    assert (tool.name, tool.description, dict(tool.parameters), tool.call) == ("find", "d", SCHEMA, None)
    assert tool.definition["function"]["parameters"] == SCHEMA
    assert tool.target.read('{"q": "x"}') == {"q": "x"}
    assert sg.Tool.of(definition, run=print).call is print


def test_a_definition_without_parameters_takes_none() -> None:
    assert sg.Tool.of({"name": "ping"}).parameters == {"type": "object", "properties": {}}
    assert sg.Tool.of({"name": "f", "parameters": {"properties": {}}}).parameters["type"] == "object"


def untyped(a) -> None:  # type: ignore[no-untyped-def]
    """..."""


def several(*numbers: int) -> None:
    """..."""


WRONG: list[tuple[Any, type[Exception], str]] = [
    ([untyped], SchemaError, "has no annotation"),
    ([several], UnsupportedSchema, "cannot be passed by name"),
    ([add, {"name": "add"}], OptionError, "two tools are called 'add'"),
    ([], OptionError, "tools is empty"),
    (add, OptionError, "tools is a list"),
    ([3], OptionError, "a tool is a function, a type or a definition"),
    ([{"description": "x"}], OptionError, "has a name"),
    ([{"name": "two words"}], OptionError, "letters, digits"),
    ([{"name": "f", "parameters": {"type": "array"}}], OptionError, "are an object"),
    ([{"name": "f", "parameters": 3}], OptionError, "no object"),
    ([{"name": "f", "parameters": SCHEMA, "inputSchema": SCHEMA}], OptionError, "two schemas"),
    ([{"name": "f", "parameters": SCHEMA, "paramters": 1}], OptionError, "'paramters' is not known"),
    ([{"name": "f", "description": 3}], OptionError, "a text"),
]


@pytest.mark.parametrize(("tools", "error", "words"), WRONG)
def test_what_is_no_tool(tools: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        tools_of(tools)
    with pytest.raises(OptionError, match="run is a function"):
        sg.Tool.of(add, run=3)  # type: ignore[arg-type]
