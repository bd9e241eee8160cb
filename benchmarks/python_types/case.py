"""One type of the battery."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Case:
    """A type with values of it, which pydantic dumps, and with JSON texts spelled out."""

    name: str
    kind: Any
    values: tuple[Any, ...] = ()
    spelled: tuple[str, ...] = ()
