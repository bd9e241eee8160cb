"""The keyword registry: one function per JSON Schema keyword, entered by the `keyword` decorator.

An entry says in which drafts the keyword exists, what its value must look like (checked by the reader, with the
exact pointer), where subschemas sit inside the value, and what it means: `apply(value, scope)` returns

    on="string"   a StringSet             on="array"   an ArrayShape
    on="number"   a NumberSet             on="object"  an ObjectShape
    on="any"      a Term (a boolean combination of other schemas, or of values)
    on="types"    the Shapes of the named types (`type` alone)
    on="place"    nothing; the keyword only holds subschemas others refer to, or identifies the schema

for what its kind of value may be; other kinds are not restricted. The schema's meaning is the meet of all of them.
A keyword without an entry is an annotation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Protocol, TypeVar
from typing import Literal as OneOf

from structgen.options import Limits

__all__ = ["DRAFTS", "Context", "Form", "Keyword", "keyword", "keywords_of"]

DRAFTS = (4, 6, 7, 2019, 2020)
On = OneOf["string", "number", "array", "object", "any", "types", "place"]
Place = tuple[tuple[str, ...], Any]  # where inside a keyword's value a subschema sits, and the subschema


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """What a keyword's value must look like. `wrong` gives the reason, or None; `places` the subschemas inside."""

    wrong: Callable[[Any], str | None]
    places: Callable[[Any], Iterable[Place]] | None = None


class Context(Protocol):
    """What every keyword's function may look at; `protocols.Scope` adds what holds subschemas and references."""

    @property
    def schema(self) -> dict[str, Any]:
        """The schema the keyword stands in."""

    @property
    def draft(self) -> int:
        """The draft the schema is written in."""

    @property
    def limits(self) -> Limits:
        """The bounds of this compilation."""

    def at(self, *tokens: str) -> str:
        """The pointer of something in this schema."""


Apply = Callable[[Any, Any], Any]  # of the keyword's value and a Context, or the Scope it is
F = TypeVar("F", bound=Apply)


@dataclass(frozen=True, slots=True)
class Keyword:
    """One keyword, for some drafts."""

    name: str
    on: On
    form: Form
    drafts: tuple[int, ...]
    apply: Apply
    order: int  # of folding inside a schema; the declared order of properties depends on it


_REGISTRY: dict[tuple[str, int], Keyword] = {}


def keyword(name: str, *, on: On, form: Form, drafts: tuple[int, ...] = DRAFTS, order: int = 1) -> Callable[[F], F]:
    """Register the decorated function as the meaning of `name`. Registering a draft's keyword twice is an error."""

    def register(apply: F) -> F:
        entry = Keyword(name, on, form, drafts, apply, order)
        for draft in drafts:
            if (name, draft) in _REGISTRY:
                raise ValueError(f"keyword {name!r} is registered twice for draft {draft}")
            _REGISTRY[name, draft] = entry
        return apply

    return register


def keywords_of(draft: int) -> dict[str, Keyword]:
    """The keywords of a draft by name."""
    return {name: entry for (name, of), entry in _REGISTRY.items() if of == draft}


# ------------------------------------------------------------------------------------------------ forms of values


def is_schema(value: Any) -> bool:
    """Whether the value can be a schema at all."""
    return isinstance(value, (dict, bool))


def is_number(value: Any) -> bool:
    """A JSON number (True is not one), as read or exact."""
    return isinstance(value, (int, float, Decimal, Fraction)) and not isinstance(value, bool)


def _type_check(types: type | tuple[type, ...], words: str) -> Form:
    return Form(lambda value: None if isinstance(value, types) else f"must be {words}")


def _wrong_natural(value: Any) -> str | None:
    whole = is_number(value) and value == value // 1 and value >= 0
    return None if whole else "must be a non-negative integer"


def _wrong_strings(value: Any) -> str | None:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        return "must be an array of strings"
    return None if len(set(value)) == len(value) else "must not repeat a string"


def _wrong_schema(value: Any) -> str | None:
    return None if is_schema(value) else "must be a schema (an object or a boolean)"


def _schema_place(value: Any) -> list[Place]:
    return [((), value)]


def _list_places(value: Any) -> list[Place]:
    return [((str(index),), item) for index, item in enumerate(value)]


def _wrong_list(value: Any) -> str | None:
    if not isinstance(value, list) or not value:
        return "must be a non-empty array of schemas"
    return None


def _map_places(value: Any) -> list[Place]:
    return [((name,), item) for name, item in value.items()]


def _wrong_map(value: Any) -> str | None:
    return None if isinstance(value, dict) else "must be an object of schemas"


def _wrong_items(value: Any) -> str | None:
    return None if is_schema(value) or isinstance(value, list) else "must be a schema or an array of schemas"


def _items_places(value: Any) -> list[Place]:
    return _list_places(value) if isinstance(value, list) else _schema_place(value)


def _wrong_dependencies(value: Any) -> str | None:
    if not isinstance(value, dict):
        return "must be an object"
    for name, item in value.items():
        if not is_schema(item) and _wrong_strings(item):
            return f"member {name!r} must be a schema or an array of different strings"
    return None


def _dependencies_places(value: Any) -> list[Place]:
    return [(place, item) for place, item in _map_places(value) if is_schema(item)]


def _wrong_name_lists(value: Any) -> str | None:
    if isinstance(value, dict) and not any(_wrong_strings(item) for item in value.values()):
        return None
    return "must be an object of arrays of different strings"


ANYTHING = Form(lambda value: None)
STRING = _type_check(str, "a string")
BOOLEAN = _type_check(bool, "a boolean")
LIST = _type_check(list, "an array")
NUMBER = Form(lambda value: None if is_number(value) else "must be a number")
POSITIVE = Form(lambda value: None if is_number(value) and value > 0 else "must be a number above 0")
NATURAL = Form(_wrong_natural)
STRINGS = Form(_wrong_strings)
STRING_LISTS = Form(_wrong_name_lists)
SCHEMA = Form(_wrong_schema, _schema_place)
SCHEMAS = Form(_wrong_list, _list_places)
SCHEMA_MAP = Form(_wrong_map, _map_places)
SCHEMA_OR_SCHEMAS = Form(_wrong_items, _items_places)
DEPENDENCIES = Form(_wrong_dependencies, _dependencies_places)
