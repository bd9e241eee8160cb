"""Whatever people call a tool -> `Tool`: a name, a JSON Schema of arguments, a reader of their text, maybe a function.

    def get_weather(city: str) -> str        a function: its parameters are the arguments, its docstring is shown
    class Search(BaseModel)                  a pydantic model, dataclass or TypedDict: the arguments are one of it
    {"type": "function", "function": {...}}  as OpenAI has them, nested or flat
    {"name", "inputSchema"}                  as MCP has them, or "input_schema"; a mapping, or an object that has them
    Tool.of(any of these, run=function)      with what `call.run()` calls

Nothing here calls a function: `ToolCall.run` does, when the caller says so. Cost: of a function or a type the schema,
once; of a definition nothing but a hash of its text.
"""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from structgen.errors import OptionError
from structgen.memory import Bounded, register
from structgen.python_types.functions import arguments_of, is_function
from structgen.python_types.target import Target
from structgen.python_types.types import target_of

__all__ = ["Tool", "tools_of"]

_NAME = re.compile(r"[A-Za-z0-9_.\-/]{1,128}")  # what stands between the marks of every format
_WRAPPED = {"name", "description", "parameters", "strict"}


@dataclass(frozen=True, slots=True)
class Tool:
    """Something a model may call.

    field        meaning
    name         letters, digits and _ . - /
    description  what the model is told, "" if nothing
    parameters   JSON Schema of the arguments, an object's, as models are shown it
    target       what the automaton enforces, and what reads the text of the arguments: to the type, or to a dict
    call         what `run` calls with the arguments, None where there is nothing to call
    key          hash of name, description and schema
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    target: Target = field(repr=False)
    call: Callable[..., Any] | None = None
    key: str = field(default="", repr=False)

    def __hash__(self) -> int:
        return hash(self.key)

    @classmethod
    def of(cls, source: Any, *, run: Callable[..., Any] | None = None) -> Tool:
        """The tool of a function, a type or a definition; `run` is called with its arguments instead of what it names.

        Raises OptionError, SchemaError or UnsupportedSchema.
        """
        tool = source if isinstance(source, Tool) else _tool(source)
        if run is None:
            return tool
        if not callable(run):
            raise OptionError(f"run is a function, not {type(run).__name__}", option="run")
        return replace(tool, call=run)

    @property
    def definition(self) -> dict[str, Any]:
        """The tool as chat templates and OpenAI have it."""
        function = {"name": self.name, "description": self.description, "parameters": self.parameters}
        return {"type": "function", "function": function}


def tools_of(sources: Any) -> tuple[Tool, ...]:
    """The tools of a list. Raises OptionError where there are none, or two of one name."""
    if isinstance(sources, (str, Mapping)) or not isinstance(sources, Sequence):
        raise OptionError("tools is a list of functions, types or definitions", option="tools")
    tools = tuple(map(Tool.of, sources))
    names = [tool.name for tool in tools]
    for name in names:
        if names.count(name) > 1:
            raise OptionError(f"two tools are called {name!r}", option="tools")
    if not tools:
        raise OptionError("tools is empty", option="tools")
    return tools


def _tool(source: Any) -> Tool:
    if isinstance(source, Mapping):
        return _defined(source)
    if isinstance(source, type) or is_function(source):
        try:
            return _typed(source)
        except TypeError:  # not hashable
            return _typed.__wrapped__(source)
    found = {name: getattr(source, name, None) for name in ("name", "description", "inputSchema", "input_schema")}
    if isinstance(found["name"], str):
        return _defined({name: value for name, value in found.items() if value is not None})
    if callable(source):
        return _typed.__wrapped__(source)
    raise OptionError(f"a tool is a function, a type or a definition, not {type(source).__name__}", option="tools")


@lru_cache(maxsize=512)
def _typed(source: Any) -> Tool:
    """The tool of a function or of a type; a call is refused what is not among the parameters."""
    function = None if isinstance(source, type) else source
    record = source
    if function is not None:
        record = arguments_of(function)
        record.__pydantic_config__ = {"extra": "forbid"}
    target = target_of(record)
    name = getattr(inspect.unwrap(getattr(source, "func", source)), "__name__", type(source).__name__)
    schema = _untitled(target.schema)
    shown = str(schema.pop("description", "")) if isinstance(schema, dict) else ""
    described = inspect.getdoc(source) or "" if function is not None else shown
    return _made(name, described, schema, target, function)


def _defined(given: Mapping[str, Any]) -> Tool:
    """The tool of a definition; one that was read before costs a hash of its text."""
    from pydantic_core import to_json  # quicker than json, and definitions come with every request

    text = to_json(given)
    known = _DEFINED.get(text)
    return _DEFINED.remember(text, _definition(given)) if known is None else known


_DEFINED: Bounded[bytes, Tool] = Bounded(1024)
register("tools.tool.definitions", _DEFINED.held, _DEFINED.clear)


def _definition(given: Mapping[str, Any]) -> Tool:
    inner: Any = given.get("function", given) if given.get("type", "function") == "function" else given
    if not isinstance(inner, Mapping) or not isinstance(inner.get("name"), str):
        raise OptionError(f"a tool has a name: {_shown(given)}", option="tools")
    name = inner["name"]
    schemas = [inner[key] for key in ("parameters", "inputSchema", "input_schema") if inner.get(key) is not None]
    if len(schemas) > 1:
        raise OptionError(f"the tool {name!r} has two schemas", option="tools")
    if "function" in given or "parameters" in inner:
        unknown = sorted(inner.keys() - _WRAPPED - {"type"})
        if unknown:
            raise OptionError(f"the tool {name!r}: {unknown[0]!r} is not known", option="tools")
    schema = schemas[0] if schemas else {"type": "object", "properties": {}}
    if not isinstance(schema, Mapping):
        raise OptionError(f"the tool {name!r}: its schema is no object", option="tools")
    if schema.get("type", "object") != "object":
        raise OptionError(f"the tool {name!r}: its arguments are an object, not {schema['type']!r}", option="tools")
    document = schema if "type" in schema else {"type": "object", **schema}
    return _made(name, inner.get("description") or "", document, target_of(document), None)


def _made(name: str, description: Any, parameters: Any, target: Target, call: Callable[..., Any] | None) -> Tool:
    if not _NAME.fullmatch(name):
        raise OptionError(f"the name {name!r}: letters, digits and _ . - / make a tool's", option="tools")
    if not isinstance(parameters, Mapping):
        raise OptionError(f"the tool {name!r} takes anything: its arguments are an object", option="tools")
    if not isinstance(description, str):
        raise OptionError(f"the tool {name!r}: its description is a text", option="tools")
    key = _key(name, description, parameters, target)
    return Tool(name, description, parameters, target, call, key)


def _key(name: str, description: str, parameters: Any, target: Target) -> str:
    from pydantic_core import to_json

    parts = (name, description, parameters, target.enforced)
    return hashlib.sha256(to_json(parts)).hexdigest()


def _untitled(schema: Any) -> Any:
    """A schema without the titles that pydantic makes of names."""
    if isinstance(schema, Mapping):
        return {
            name: _untitled(value) for name, value in schema.items() if name != "title" or not isinstance(value, str)
        }
    return [_untitled(item) for item in schema] if isinstance(schema, list) else schema


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) < 80 else f"{text[:77]}..."
