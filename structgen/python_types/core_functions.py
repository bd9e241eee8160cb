"""Functions and hooks inside pydantic's core schemas: whose they are, and what of their checks a JSON Schema says.

A core schema calls Python for what pydantic's own types convert (addresses, base64, paths), for bounds on what a
function returned, and for whatever a user wrote. Only the first kind is known here, type by type.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping
from typing import Any

__all__ = ["is_users", "module_of", "name_in", "unsaid", "without_users_schema"]

Core = Mapping[str, Any]

_HOOKS = ("pydantic_js_functions", "pydantic_js_annotation_functions")
# Functions in pydantic's modules that call one of the user's, or check what the user says in words.
_CALLS_USERS = ("pydantic.functional_validators", "pydantic._internal._known_annotated_metadata")
_SAID_BY = {  # a bound that pydantic checks by a function -> keywords that say the same
    "min_length": {"minLength", "minItems", "minProperties"},
    "max_length": {"maxLength", "maxItems", "maxProperties"},
    "ge": {"minimum"},
    "gt": {"exclusiveMinimum"},
    "le": {"maximum"},
    "lt": {"exclusiveMaximum"},
    "multiple_of": {"multipleOf"},
}
_UNSAID = {"max_digits", "decimal_places", "pattern", "strict"}


def name_in(core: Core) -> str:
    """The qualified name of the function in a core schema; empty where there is none."""
    function = core.get("function")
    inner = function["function"] if isinstance(function, Mapping) else function
    while isinstance(inner, functools.partial):
        inner = inner.func
    return str(getattr(inner, "__qualname__", type(inner).__qualname__)) if inner is not None else ""


def module_of(core: Core) -> Any:
    """The module of the function in a core schema."""
    return sys.modules[core["function"]["function"].__module__]


def is_users(core: Core) -> bool:
    """Whether the function of a core schema is none of pydantic's own, or calls one that is not."""
    function = core["function"]["function"]
    while isinstance(function, functools.partial):
        function = function.func
    module = str(getattr(function, "__module__", ""))
    if module.startswith(_CALLS_USERS):
        return not _constraint(core)
    return module != "ipaddress" and not module.startswith("pydantic.")


def unsaid(core: Core, found: Mapping[str, Any]) -> str:
    """The bound that pydantic checks by a function of its own and the JSON Schema `found` does not say; or nothing."""
    bounds = core["function"]["function"].keywords if _is_bound(core) else {}
    names = [name for name in bounds if not _SAID_BY.get(name, set()) & found.keys()]
    return ", ".join(f"{name}={bounds[name]!r}" for name in names) or _constraint(core)


def _is_bound(core: Core) -> bool:
    function = core["function"]["function"]
    return isinstance(function, functools.partial) and bool(function.keywords.keys() & (_SAID_BY.keys() | _UNSAID))


def _constraint(core: Core) -> str:
    """What a constraint that pydantic applies to a converted value is called; nothing for other functions."""
    return "a constraint" if name_in(core).endswith("_apply_constraint_with_incompatibility_info") else ""


def without_users_schema(core: Core) -> dict[str, Any] | None:
    """The core schema without the JSON Schema that a user has written beside it; None if there is none."""
    metadata = core.get("metadata")
    if not isinstance(metadata, Mapping):
        return None
    kept = {key: value for key, value in metadata.items() if key != "pydantic_js_extra"}
    for hook in _HOOKS:
        if hook in kept:
            kept[hook] = [function for function in kept[hook] if not _is_users_hook(function)]
    return None if kept == dict(metadata) else {**core, "metadata": kept}


def _is_users_hook(function: Any) -> bool:
    owner = type(getattr(function, "__self__", None)).__name__
    module = str(getattr(function, "__module__", ""))
    return owner == "WithJsonSchema" or not module.startswith("pydantic.")
