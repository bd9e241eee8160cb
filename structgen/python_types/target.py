"""What is to be generated: a JSON Schema for the automaton, and a reader of the finished text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

__all__ = ["DIALECT", "HINT", "Target"]

# Keywords of ours in what the automata enforce (grammars/json_schema/string.py), which nobody else sees: the dialect of
# the `pattern` beside it, and what people and models are shown as `format` where the pattern allows more.
DIALECT, HINT = "structgen:dialect", "structgen:format"


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be generated.

    `schema` is for people and models, `enforced` for the automaton: the same schema, but for the dialects of patterns
    that no schema can say. `read` is for the finished text, `name` for messages. `is_type` says that a Python type
    reads the text: its numbers are then spelled canonically whatever the style, since no `int` is read from 1e999999.
    `source` and `registry` are what the target was made of, and make it anew where it is unpickled.
    """

    schema: Mapping[str, Any] | bool
    enforced: Mapping[str, Any] | bool
    read: Callable[[str], Any]
    name: str
    is_type: bool
    source: Any = None
    registry: Any = None

    def __reduce__(self) -> Any:
        return _again, (self.source, self.registry)


def _again(source: Any, registry: Any) -> Target:
    """The target of a source, in another process."""
    target: Target = import_module("structgen.python_types.types").target_of(source, registry)
    return target
