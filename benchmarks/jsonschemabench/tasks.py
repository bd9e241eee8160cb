"""Three tasks of our own with known answers: extraction, classification, arithmetic; a few examples, then the question.

Sentences of the first and the third are made by seeded templates, those of the second are written by hand. Every answer
is a JSON object; which of its fields are judged stands with the task.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["TASKS", "Item", "Task"]


@dataclass(frozen=True)
class Item:
    """A question and its answer."""

    text: str
    answer: Mapping[str, Any]


@dataclass(frozen=True)
class Task:
    """What is asked, in which form, which fields of the answer are judged, what is shown, and the questions."""

    name: str
    asked: str
    schema: Mapping[str, Any]
    judged: tuple[str, ...]
    shown: tuple[Item, ...]
    items: tuple[Item, ...]


def _object(**properties: Any) -> dict[str, Any]:
    closed = {"additionalProperties": False, "required": list(properties)}
    return {"type": "object", "properties": properties, **closed}


_NAMES = (
    "Ada Brook",
    "Omar Haddad",
    "Lena Fischer",
    "Tomas Silva",
    "Mei Tanaka",
    "Ruth Okafor",
    "Ivan Petrov",
    "Nora Lind",
)
_CITIES = ("Lima", "Oslo", "Cairo", "Quito", "Hanoi", "Turin", "Accra", "Dublin")
_GOODS = ("lamp", "notebook", "kettle", "chair", "jacket", "radio", "basket", "mirror")
_ORDERS = (
    "{name} from {city} ordered {count} {good}s on Monday.",
    "Please send {count} {good}s to {name} in {city}.",
    "{count} {good}s were bought by {name}, who lives in {city}.",
    "In {city}, {name} picked up {count} {good}s this morning.",
)


def _orders(seed: str, count: int) -> tuple[Item, ...]:
    numbers = random.Random(seed)
    found = []
    for number in range(count):
        name, city, good = numbers.choice(_NAMES), numbers.choice(_CITIES), numbers.choice(_GOODS)
        many = numbers.randrange(2, 60)
        text = _ORDERS[number % len(_ORDERS)].format(name=name, city=city, count=many, good=good)
        found.append(Item(text, {"name": name, "city": city, "item": good, "quantity": many}))
    return tuple(found)


_SUMS = (
    ("{who} has {a} {good}s and buys {b} more.", lambda a, b: a + b, "{a} + {b} = {r}"),
    ("{who} has {a} {good}s and gives {b} away.", lambda a, b: a - b, "{a} - {b} = {r}"),
    ("{who} fills {b} boxes with {a} {good}s each.", lambda a, b: a * b, "{a} * {b} = {r}"),
)


def _sums(seed: str, count: int) -> tuple[Item, ...]:
    numbers = random.Random(seed)
    found = []
    for number in range(count):
        text, result, working = _SUMS[number % len(_SUMS)]
        b = numbers.randrange(2, 6)
        a = numbers.randrange(b + 1, 13)
        values = {"who": numbers.choice(_NAMES).split()[0], "good": numbers.choice(_GOODS), "a": a, "b": b}
        asked = f"{text.format(**values)} How many {values['good']}s are there?"
        found.append(Item(asked, {"working": working.format(**values, r=result(a, b)), "answer": result(a, b)}))
    return tuple(found)


_TOPICS = {
    "weather": (
        "Heavy rain is expected over the hills tonight.",
        "The storm has passed and the sky is clear again.",
        "It will be sunny with a light wind from the west.",
        "Fog on the roads this morning, drive slowly.",
        "Temperatures fall below zero and it may snow.",
        "A heat wave brings 38 degrees to the south.",
    ),
    "sport": (
        "The home team scored twice in the last ten minutes.",
        "She won the final set and the tournament.",
        "The goalkeeper saved a penalty in extra time.",
        "He ran the marathon in under three hours.",
        "The coach changed two players at half time.",
        "Their striker is injured and misses the cup match.",
    ),
    "food": (
        "Stir the onions until they are golden, then add the rice.",
        "This soup needs more salt and a little lemon.",
        "The bakery sells fresh bread from six in the morning.",
        "Bake the cake for forty minutes and let it cool.",
        "We had grilled fish with potatoes for dinner.",
        "Add two spoons of sugar to the warm milk.",
    ),
    "money": (
        "The bank raised its interest rate to four percent.",
        "Shares of the company fell after the report.",
        "Your invoice of 80 euros is due on Friday.",
        "She saved half of her salary for a house.",
        "Prices rose by two percent in the last year.",
        "The loan has to be paid back in ten years.",
    ),
}
_SHOWN_TOPICS = (
    ("Clouds gather and the wind is getting stronger.", "weather"),
    ("The match ended in a draw after a late goal.", "sport"),
    ("Mix the flour with butter and two eggs.", "food"),
    ("The tax on savings will be lower next year.", "money"),
)


def _topics() -> tuple[Item, ...]:
    turns = zip(*_TOPICS.values(), strict=True)
    return tuple(Item(text, {"topic": topic}) for each in turns for topic, text in zip(_TOPICS, each, strict=True))


_TEXT = {"type": "string", "maxLength": 40}
_NUMBER = {"type": "integer", "minimum": 0, "maximum": 9999}
TASKS = (
    Task(
        "extraction",
        "Extract name, city, item (one, singular) and quantity as JSON.",
        _object(name=_TEXT, city=_TEXT, item=_TEXT, quantity=_NUMBER),
        ("name", "city", "item", "quantity"),
        _orders("shown", 4),
        _orders("asked", 24),
    ),
    Task(
        "classification",
        "Say what the sentence is about: weather, sport, food or money. Answer as JSON.",
        _object(topic={"enum": list(_TOPICS)}),
        ("topic",),
        tuple(Item(text, {"topic": topic}) for text, topic in _SHOWN_TOPICS),
        _topics(),
    ),
    Task(
        "arithmetic",
        "Solve the problem. Answer as JSON with the working and the answer.",
        _object(working=_TEXT, answer=_NUMBER),
        ("answer",),
        _sums("shown", 3),
        _sums("asked", 24),
    ),
)
