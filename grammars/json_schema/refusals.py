"""Limits of regular languages, hit inside a schema: an error that says where, by which keywords, and what to change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from structgen.errors import LimitExceeded
from structgen.grammars.json_schema.reader import Node

__all__ = ["placed"]

ABOUT_STRINGS = ("pattern", "format", "minLength", "maxLength", "patternProperties", "propertyNames")
ADVICE = (
    "; a smaller minLength or smaller counts in the pattern, one pattern or format less, or a higher limit would do"
)


@contextmanager
def placed(node: Node | None) -> Iterator[None]:
    """Give a LimitExceeded of a regular language the pointer of the schema at work, and its keywords about strings."""
    try:
        yield
    except LimitExceeded as error:
        if node is None or error.pointer is not None or not error.limit.startswith("regex"):
            raise
        schema = node.schema if isinstance(node.schema, dict) else {}
        said = " and ".join(name for name in ABOUT_STRINGS if name in schema) or None
        reason, pointer = error.reason + ADVICE, node.pointer
        raise LimitExceeded(reason, limit=error.limit, allowed=error.allowed, pointer=pointer, keyword=said) from error
