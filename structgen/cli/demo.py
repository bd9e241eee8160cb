"""`structgen demo`: three examples on the bundled model, each result a validated Python object."""

from __future__ import annotations

import argparse
import datetime as dt
import time
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from structgen.nano.prompts import tools_text

__all__ = ["EXAMPLES", "Example", "run"]


class Person(BaseModel):
    """Somebody, as one sentence describes them."""

    name: Annotated[str, Field(min_length=1, max_length=40)]
    age: Annotated[int, Field(ge=0, le=150)]
    city: str


class LightArguments(BaseModel):
    """Which light, and on or off."""

    room: str
    state: Literal["on", "off"]


class SetLight(BaseModel):
    """A call of the tool set_light."""

    name: Literal["set_light"]
    arguments: LightArguments


class BookingArguments(BaseModel):
    """A table at a restaurant."""

    restaurant: str
    people: Annotated[int, Field(ge=1, le=20)]
    date: dt.date


class Reserve(BaseModel):
    """A call of the tool reserve."""

    name: Literal["reserve"]
    arguments: BookingArguments


class Line(BaseModel):
    """One line of an order."""

    name: str
    quantity: Annotated[int, Field(ge=1)]
    unit_price: float


class Order(BaseModel):
    """An order with its lines."""

    customer: str
    day: dt.date
    lines: Annotated[list[Line], Field(min_length=1, max_length=5)]


@dataclass(frozen=True, slots=True)
class Example:
    """A title, the type to generate, how it reads as source, and the prompt (text, or chat messages)."""

    title: str
    schema: Any
    declaration: str
    text: str
    prompt: Any


TOOLS = [
    {"name": "set_light", "parameters": LightArguments.model_json_schema()},
    {"name": "reserve", "parameters": BookingArguments.model_json_schema()},
]
BOOKING = "Reserve Chez Paul for 4 people, May 14, 2026"
SENTENCE = "Ada Lovelace, 36, lives in London"
PURCHASE = "Maria Sanchez ordered 2 x desk lamp at 39.50 and 15 x notebook at 4.25 on 2026-03-19."

EXAMPLES = (
    Example(
        "A person from a sentence",
        Person,
        "class Person(BaseModel):\n    name: Annotated[str, Field(min_length=1, max_length=40)]\n"
        "    age:  Annotated[int, Field(ge=0, le=150)]\n    city: str",
        SENTENCE,
        SENTENCE,
    ),
    Example(
        "A tool call: which tool, with which arguments",
        Annotated[SetLight | Reserve, Field(discriminator="name")],
        "SetLight(name='set_light',   arguments: room: str, state: 'on' | 'off')\n"
        "Reserve(name='reserve',      arguments: restaurant: str, people: 1..20, date: date)",
        BOOKING,
        [{"role": "system", "content": tools_text(TOOLS)}, {"role": "user", "content": BOOKING}],
    ),
    Example(
        "A nested order",
        Order,
        "class Order(BaseModel):\n    customer: str\n    day: date\n"
        "    lines: Annotated[list[Line], Field(min_length=1, max_length=5)]\n"
        "class Line(BaseModel):\n    name: str\n    quantity: Annotated[int, Field(ge=1)]\n    unit_price: float",
        PURCHASE,
        PURCHASE,
    ),
)


def run(arguments: argparse.Namespace) -> int:
    """Generate and show every example."""
    from structgen.api.generate import generate_result

    started = time.perf_counter()
    for number, example in enumerate(EXAMPLES, 1):
        result = generate_result(prompt=example.prompt, schema=example.schema)
        print(f"\n{number}. {example.title}\n")
        print(_aside("type", example.declaration))
        print(_aside("text", example.text))
        print(_aside("output", result.text))
        print(_aside("value", _pretty(result.value)))
        rate = f"{result.stats.output_tokens} tokens, {result.stats.tokens_per_second:.0f} per second"
        print(_aside("", f"validated by {type(result.value).__name__}; {rate}"))
    print(f"\nAll three are complete and valid. {time.perf_counter() - started:.1f} s, with loading the model.")
    return 0


def _aside(label: str, text: str) -> str:
    """The label in the margin of the text's first line."""
    return "\n".join(f"   {label if index == 0 else '':<8}{line}" for index, line in enumerate(text.splitlines()))


def _pretty(value: Any, indent: str = "") -> str:
    """A pydantic object over several lines where one is too long."""
    flat = repr(value)
    inner = indent + "  "
    if len(indent + flat) <= 100:
        return flat
    if isinstance(value, BaseModel):
        fields = "\n".join(f"{inner}{name}={_pretty(item, inner)}," for name, item in value)
        return f"{type(value).__name__}(\n{fields}\n{indent})"
    if isinstance(value, list):
        return "[\n" + "\n".join(f"{inner}{_pretty(item, inner)}," for item in value) + f"\n{indent}]"
    return flat
