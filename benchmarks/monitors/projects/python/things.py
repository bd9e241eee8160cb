"""What is sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Size(Enum):
    SMALL = 1
    LARGE = 2

    def litres(self) -> float:
        return 10.0 * self.value


class Thing:
    def __init__(self, weight: int) -> None:
        self.weight = weight

    def heavier(self, other: Thing) -> bool:
        return self.weight > other.weight


class Parcel(Thing):
    count = 0

    def __init__(self, weight: int, size: Size = Size.SMALL) -> None:
        super().__init__(weight)
        self.size, self.stamps = size, [Stamp(80)]
        self.receiver: Address | None = None

    @property
    def postage(self) -> float:
        return 0.01 * self.weight

    @classmethod
    def empty(cls) -> Parcel:
        return cls(0)

    @staticmethod
    def known(code: str) -> bool:
        return code.isupper()


@dataclass
class Stamp:
    cents: int
    motif: str = "castle"

    def used(self) -> Stamp:
        return Stamp(0, self.motif)


class Address(NamedTuple):
    street: str
    town: str

    def lines(self) -> list[str]:
        return [self.street, self.town]


@dataclass
class Box(Generic[T]):
    items: list[T] = field(default_factory=list)

    def first(self) -> T:
        return self.items[0]

    def put(self, item: T) -> Box[T]:
        self.items.append(item)
        return self

    @contextmanager
    def opened(self) -> Iterator[list[T]]:
        yield self.items
