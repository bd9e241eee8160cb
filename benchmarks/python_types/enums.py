"""Enums and literals."""

from __future__ import annotations

import datetime as dt
import enum
from typing import Any, Literal

from benchmarks.python_types.case import Case


class Kind(enum.Enum):
    CAT = "cat"
    DOG = "dog"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Text(enum.StrEnum):
    A = "a"
    B = "b"


class Mixed(str, enum.Enum):  # noqa: UP042
    X = "x"
    Y = "y"


class Several(enum.Enum):
    ONE = 1
    TWO = "two"
    NONE = None
    HALF = 0.5
    YES = True


class Pairs(enum.Enum):
    A = (1, 2)
    B = (3, 4)


class Moments(enum.Enum):
    FIRST = dt.date(2024, 1, 1)


class Missing(enum.Enum):
    A = "a"

    @classmethod
    def _missing_(cls, value: object) -> Any:
        return cls.A if value == "other" else None


class Flags(enum.Flag):
    R = 1
    W = 2


class IntFlags(enum.IntFlag):
    R = 1
    W = 2


class Floats(float, enum.Enum):
    A = 1.5


ENUMS = [
    Case("Enum of strings", Kind, (Kind.CAT, Kind.DOG)),
    Case("IntEnum", Level, (Level.LOW,)),
    Case("StrEnum", Text, (Text.A,)),
    Case("(str, Enum)", Mixed, (Mixed.X,)),
    Case("(float, Enum)", Floats, (Floats.A,)),
    Case("Enum of several types", Several, tuple(Several)),
    Case("Enum of tuples", Pairs, (Pairs.A,)),
    Case("Enum of dates", Moments, (Moments.FIRST,)),
    Case("Enum with _missing_", Missing, (Missing.A,)),
    Case("Flag", Flags, (Flags.R,)),
    Case("IntFlag", IntFlags, (IntFlags.R,)),
    Case("Literal of strings", Literal["a", "b"], ("a", "b")),
    Case("Literal of ints", Literal[1, 2], (1, 2)),
    Case("Literal of bools and None", Literal[True, None], (True, None)),
    Case("Literal of several types", Literal["a", 1, None, False], ("a", 1, None, False)),
    Case("Literal of bytes", Literal[b"x"], ()),
    Case("Literal of bytes and str", Literal[b"x", "y"], ("y",)),
    Case("Literal of Enum members", Literal[Kind.CAT], ()),
    Case("Literal of StrEnum members", Literal[Text.A], (Text.A,)),
    Case("Literal of (str, Enum) members", Literal[Mixed.X], (Mixed.X,)),
    Case("Literal of IntEnum members", Literal[Level.LOW], (Level.LOW,)),
]
