"""A Python type -> the JSON Schema of the JSON texts pydantic reads it from.

pydantic's generator describes; this subclass tightens what it writes until a schema-valid text is a valid value:
Decimal digits, UUID versions, dates Python can hold, base64, networks, `Json[T]`, keys that are not strings, stripped
strings, what a set can hold. Patterns keep the dialect of their engine. What has no exact schema is refused by name
(UnsupportedSchema): files that must exist, objects to import, members of an Enum that JSON cannot spell. Two choices
of ours: a class's object holds its fields and no others unless it says `extra="allow"`, and a set of whatever size is
an array (pydantic lets repeats collapse). A schema given by the user (WithJsonSchema, json_schema_extra) narrows what
the type says and never widens it.

Validators written by users cannot be seen from here; they run on the finished value, and `Notes` says that there are.
"""

from __future__ import annotations

import enum
import re
import zoneinfo
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import reduce
from operator import or_
from typing import Any

from pydantic import PydanticInvalidForJsonSchema
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, JsonSchemaWarningKind
from pydantic_core import SchemaValidator, ValidationError, to_json

from structgen.errors import UnsupportedSchema
from structgen.python_types import addresses, patterns, temporal
from structgen.python_types import core_functions as functions
from structgen.python_types.hashing import hashable, tells_apart
from structgen.python_types.json_text import json_text_pattern, key_schema
from structgen.python_types.narrowing import also, closed, meet, with_digits, within
from structgen.python_types.numerals import decimals
from structgen.python_types.target import DIALECT

__all__ = ["Notes", "TypeSchema"]

Core = Any  # pydantic's core schemas: one TypedDict per kind, told apart by "type"
Schema = JsonSchemaValue

_FLAGS = {"a": re.ASCII, "i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE}
_WHITE = r"\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_STRIPPED = rf"^([^{_WHITE}]([\s\S]*[^{_WHITE}])?)?$"
_ASCII = r"^[\x00-\x7f]*$"
_MOST_SUMS = 1024  # of the members of a Flag
_EXACT_DIGITS = 15  # decimal digits a double always keeps
_REFUSED = {
    "import_string": "text that a model wrote is not imported",
    "PathType.validate_file": "whether a file exists is no property of its name",
    "PathType.validate_directory": "whether a folder exists is no property of its name",
    "PathType.validate_socket": "whether a socket exists is no property of its name",
    "PathType.validate_new": "whether a path is free is no property of its name",
    "PaymentCardNumber.validate": "check digits are not written",
}


def refuse(core: Core, reason: str) -> UnsupportedSchema:
    """The error for a type without an exact schema."""
    return UnsupportedSchema(f"Python type: {reason}", keyword=str(core.get("type", "type")))


def _with_flags(expression: re.Pattern[str]) -> str:
    """The source of a compiled pattern, its flags written in front."""
    letters = "".join(letter for letter, flag in _FLAGS.items() if expression.flags & flag)
    return f"(?{letters}){expression.pattern}" if letters else expression.pattern


def _bounded(core: Core) -> bool:
    return any(core.get(name) is not None for name in ("ge", "gt", "le", "lt"))


@dataclass(slots=True)
class Notes:
    """What the generator has found out besides.

    `unseen` names the functions that may refuse what the schema allows, `momentary` says that the schema depends on
    the moment.
    """

    unseen: list[str] = field(default_factory=list)
    momentary: bool = False


class TypeSchema(GenerateJsonSchema):
    """pydantic's generator, tightened; see the module."""

    def __init__(self, *arguments: Any, notes: Notes, config: Any = None, **options: Any) -> None:
        """`config` is that of a TypeAdapter; classes have their own, which pydantic's generator follows."""
        super().__init__(*arguments, **options)
        self._config_wrapper_stack = type(self._config_wrapper_stack)(type(self._config)(config or {}))
        self.notes = notes
        self.cores: dict[str, Core] = {}  # definitions by reference

    def emit_warning(self, kind: JsonSchemaWarningKind, detail: str) -> None:
        """A union member without a schema is refused; a default that cannot be written is an annotation less."""
        if kind == "skipped-choice":
            raise UnsupportedSchema(f"Python type: {detail}", keyword="anyOf")

    def generate_inner(self, schema: Core) -> Schema:
        """Every schema passes here after pydantic has put its `format` on it."""
        reason = _REFUSED.get(functions.name_in(schema))
        if reason is not None:
            raise refuse(schema, reason)
        plain = functions.without_users_schema(schema)
        found = super().generate_inner(schema) if plain is None else self._narrowed(schema, plain)
        if schema["type"].startswith("function-"):
            self._look_at(schema, found)
        name = found.get("format")
        if found.get("type") != "string" or not isinstance(name, str):
            return found
        if name in ("base64", "base64url") and schema["type"] == "function-after":
            extra = "+/" if name == "base64" else "-_"
            return also(found, patterns.base64(extra, text=schema["schema"]["type"] == "str"))
        if name == "color":
            return also(found, patterns.color(functions.module_of(schema).COLORS_BY_NAME))
        if name == "zoneinfo":
            return {"enum": sorted(zoneinfo.available_timezones())}
        return also(found, patterns.BY_FORMAT[name]) if name in patterns.BY_FORMAT else found

    def _narrowed(self, core: Core, plain: Core) -> Schema:
        """The meet of what the type says (`plain`: without the user's words) and of what the user says it is."""
        if "ref" in core:  # a class that rewrites its own schema
            self.notes.unseen.append(core["ref"])
            return super().generate_inner(core)
        try:
            own = super().generate_inner(plain)
        except PydanticInvalidForJsonSchema:
            if not core["type"].startswith("function-"):
                raise
            self.notes.unseen.append(functions.name_in(core))
            return super().generate_inner(core)
        return meet(own, super().generate_inner(core))

    def _look_at(self, core: Core, found: Schema) -> None:
        """A function of the user's is noted; a bound that pydantic checks behind a conversion of its own is refused."""
        if functions.is_users(core):
            self.notes.unseen.append(functions.name_in(core))
        elif (unsaid := functions.unsaid(core, found)) and not self.notes.unseen:
            raise refuse(core, f"{unsaid} behind a conversion")

    def definitions_schema(self, schema: Core) -> Schema:  # noqa: D102
        self.cores |= {core["ref"]: core for core in schema["definitions"] if "ref" in core}
        return super().definitions_schema(schema)

    def chain_schema(self, schema: Core) -> Schema:
        """The first step reads; what the others check is seen where they are pydantic's own."""
        found = super().chain_schema(schema)
        for step in schema["steps"][1:]:
            if step["type"].startswith("function-"):
                self._look_at(step, found)
        return found

    # strings

    def str_schema(self, schema: Core) -> Schema:  # noqa: D102
        found = super().str_schema(schema)
        low, high = self._config.str_min_length, self._config.str_max_length  # which pydantic 2.12 leaves out
        found |= {"minLength": found.get("minLength", low)} if low else {}
        found |= {"maxLength": found.get("maxLength", high)} if high is not None else {}
        expression = schema.get("pattern")
        if isinstance(expression, re.Pattern):
            found |= {"pattern": _with_flags(expression), DIALECT: "python"}
        elif expression is not None:
            engine = schema.get("regex_engine") or self._config.regex_engine
            found[DIALECT] = "python" if engine == "python-re" else "rust"
        strips = schema.get("strip_whitespace", self._config.str_strip_whitespace)
        if strips and ("pattern" in found or found.get("minLength")):
            found = also(found, _STRIPPED)
        return also(found, _ASCII) if schema.get("ascii_only") else found

    def bytes_schema(self, schema: Core) -> Schema:  # noqa: D102
        spelling = self._config.val_json_bytes
        low, high = schema.get("min_length"), schema.get("max_length")
        found: Schema = {"type": "string", "format": "binary"}
        if spelling == "hex":
            times = "*" if low is None and high is None else f"{{{low or 0},{'' if high is None else high}}}"
            return also(found, f"^([0-9a-f]{{2}}){times}$")
        if low is None and high is None:
            return also(found, patterns.base64("-_", text=False)) if spelling == "base64" else found
        if spelling == "base64":
            raise refuse(schema, "bounds on the bytes behind base64")
        self.update_with_validations(found, schema, self.ValidationsMapping.bytes)
        return also(found, _ASCII)  # one byte a character, so that lengths agree

    def uuid_schema(self, schema: Core) -> Schema:  # noqa: D102
        version = schema.get("version")
        found = {"type": "string", "format": "uuid"}
        return found if version is None else also(found, patterns.uuid(version))

    def url_schema(self, schema: Core) -> Schema:  # noqa: D102
        return also(super().url_schema(schema), addresses.url(schema.get("allowed_schemes")))

    def multi_host_url_schema(self, schema: Core) -> Schema:  # noqa: D102
        found = super().multi_host_url_schema(schema)
        return also(found, addresses.url(schema.get("allowed_schemes"), path=False))

    # values among others

    def literal_schema(self, schema: Core) -> Schema:
        """The values that pydantic itself reads from JSON: no bytes, no members of an Enum that is not one of str."""
        read = _readable(schema, schema["expected"])
        return super().literal_schema(schema | {"expected": read})

    def enum_schema(self, schema: Core) -> Schema:
        """The members that pydantic reads from JSON; of a Flag every sum of members."""
        found = super().enum_schema(schema | {"members": _readable(schema, schema["members"])})
        if issubclass(schema["cls"], enum.Flag) and (whole := reduce(or_, found["enum"])) < _MOST_SUMS:
            found["enum"] = _readable(schema, range(whole + 1))
        return found

    # time

    def date_schema(self, schema: Core) -> Schema:  # noqa: D102
        self.notes.momentary |= bool(schema.get("now_op"))
        return temporal.date_schema(schema)

    def datetime_schema(self, schema: Core) -> Schema:  # noqa: D102
        self.notes.momentary |= bool(schema.get("now_op"))
        return temporal.datetime_schema(schema)

    def time_schema(self, schema: Core) -> Schema:  # noqa: D102
        return temporal.time_schema(schema)

    def timedelta_schema(self, schema: Core) -> Schema:  # noqa: D102
        return temporal.duration_schema(schema)

    # numbers

    def decimal_schema(self, schema: Core) -> Schema:
        """A number where a double keeps the digits, a string where it need not be a multiple; mostly both."""
        digits, places = schema.get("max_digits"), schema.get("decimal_places")
        below_one = digits is not None and places is not None and places >= digits
        choices: list[Schema] = []
        if not below_one and (digits is None or digits <= _EXACT_DIGITS) and (places is not None or digits is None):
            number = self._number(schema)
            if (multiple := schema.get("multiple_of")) is not None:
                fraction = max(-int(Decimal(str(multiple)).as_tuple().exponent), 0)
                number = within(number, 10.0 ** (_EXACT_DIGITS - fraction))
            choices.append(number if places is None else with_digits(number, digits or _EXACT_DIGITS, places))
        if schema.get("multiple_of") is None:
            text = {"type": "string", "pattern": patterns.decimal(digits, places)}
            for name in ("ge", "gt", "le", "lt"):
                if (bound := schema.get(name)) is not None:
                    side = decimals(Decimal(bound), above=name[0] == "g", strict=name[1] == "t")
                    text = also(text, f"^{side}$")
            choices.append(text)
        if not choices:
            raise refuse(schema, f"a Decimal that is a multiple has up to {_EXACT_DIGITS} digits and decimal_places")
        return self.get_union_of_schemas(choices)

    def fraction_schema(self, schema: Core) -> Schema:  # noqa: D102
        number = self._number(schema)
        if _bounded(schema):
            return number
        return self.get_union_of_schemas([number, {"type": "string", "pattern": patterns.FRACTION}])

    def _number(self, core: Core) -> Schema:
        bounds: Schema = {}
        self.update_with_validations(bounds, core, self.ValidationsMapping.numeric)
        return {"type": "number", **{keyword: float(value) for keyword, value in bounds.items()}}

    def complex_schema(self, schema: Core) -> Schema:  # noqa: D102
        return {"type": "string", "pattern": patterns.BY_FORMAT["complex"]}

    # containers

    def dict_schema(self, schema: Core) -> Schema:  # noqa: D102
        return self._keyed(super().dict_schema, schema)

    def frozendict_schema(self, schema: Core) -> Schema:  # noqa: D102
        return self._keyed(super().frozendict_schema, schema)

    def ordered_dict_schema(self, schema: Core) -> Schema:  # noqa: D102
        return self._keyed(super().ordered_dict_schema, schema)

    def counter_schema(self, schema: Core) -> Schema:  # noqa: D102
        return self._keyed(super().counter_schema, schema)

    def _keyed(self, described: Callable[[Any], Schema], core: Core) -> Schema:
        """An object whose keys are what the key type reads from a string; pydantic drops most of that."""
        found = described(core)
        found = {k: v for k, v in found.items() if k not in ("propertyNames", "patternProperties")}
        if "values_schema" in core:
            found["additionalProperties"] = self.generate_inner(core["values_schema"])
        if "keys_schema" in core:
            if found.get("minProperties", 0) > 1 and not tells_apart(core["keys_schema"]):
                raise refuse(core, "a mapping of at least two keys that may be equal though written differently")
            keys = key_schema(self.generate_inner(core["keys_schema"]), self.resolve_ref_schema)
            if keys != {"type": "string"}:
                found["propertyNames"] = keys
        return found

    def set_schema(self, schema: Core) -> Schema:  # noqa: D102
        return self._collapsing(super().set_schema, schema)

    def frozenset_schema(self, schema: Core) -> Schema:  # noqa: D102
        return self._collapsing(super().frozenset_schema, schema)

    def _collapsing(self, described: Callable[[Any], Schema], core: Core) -> Schema:
        """An array of what can be hashed. Repeats collapse, so they only matter where a least size is asked for."""
        items = hashable(core.get("items_schema", {"type": "any"}), self.cores)
        if items is None:
            raise refuse(core, "a set of values that have no hash (a frozen model has one)")
        found = described({**core, "items_schema": items})
        if found.get("minItems", 0) <= 1:
            found.pop("uniqueItems", None)
        elif not tells_apart(items):
            least = found["minItems"]
            raise refuse(core, f"a set of at least {least} values that may be equal though written differently")
        return found

    def json_schema(self, schema: Core) -> Schema:
        """`Json[T]`: a string that holds a JSON text, which is regular as long as T has no recursion."""
        inner = schema.get("schema")
        if inner is None:
            raise refuse(schema, "Json without a type: the text inside the string is not regular")
        return {
            "type": "string",
            "pattern": f"^{json_text_pattern(self.generate_inner(inner), self.resolve_ref_schema)}$",
        }

    def call_schema(self, schema: Core) -> Schema:
        """Named tuples are made by a call; any other function is refused, since pydantic would run it."""
        if not isinstance(schema["function"], type):
            name = getattr(schema["function"], "__name__", "function")
            raise refuse(
                schema, f"{name} would be called with what a model wrote; as schema= alone it gives its arguments"
            )
        return super().call_schema(schema)

    # classes: their fields and no others

    def model_schema(self, schema: Core) -> Schema:
        """The fields; what the class's json_schema_extra says besides narrows them."""
        found, config = closed(super().model_schema(schema)), schema["cls"].model_config
        if not config.get("json_schema_extra"):
            return found
        with self._config_wrapper_stack.push(config):
            return meet(self.generate_inner(schema["schema"]), found)

    def dataclass_schema(self, schema: Core) -> Schema:  # noqa: D102
        return closed(super().dataclass_schema(schema))

    def typed_dict_schema(self, schema: Core) -> Schema:  # noqa: D102
        return closed(super().typed_dict_schema(schema))

    def model_fields_schema(self, schema: Core) -> Schema:
        """Under the names that are read: pydantic 2.12 writes aliases that are not."""
        if self._config.validate_by_alias is False:
            fields = {name: core | {"validation_alias": name} for name, core in schema["fields"].items()}
            schema = schema | {"fields": fields}
        return super().model_fields_schema(schema)

    def model_field_schema(self, schema: Core) -> Schema:  # noqa: D102
        return self._named(super().model_field_schema, schema)

    def dataclass_field_schema(self, schema: Core) -> Schema:  # noqa: D102
        return self._named(super().dataclass_field_schema, schema)

    def typed_dict_field_schema(self, schema: Core) -> Schema:  # noqa: D102
        return self._named(super().typed_dict_field_schema, schema)

    def _named(self, described: Callable[[Any], Schema], core: Core) -> Schema:
        """A field is found under a name; one that is only found along a path has none."""
        alias = core.get("validation_alias")
        paths = [] if not isinstance(alias, list) else alias if isinstance(alias[0], list) else [alias]
        if paths and all(len(path) > 1 for path in paths) and not self._config.validate_by_name:
            raise refuse(core, f"a field that is found along {paths[0]} (AliasPath) and under no name")
        return described(core)

    # pieces of pydantic that say less than they check

    def union_schema(self, schema: Core) -> Schema:  # noqa: D102
        if schema.get("custom_error_type") == "byte_size":
            return {"type": "integer", "minimum": 0}
        return super().union_schema(schema)

    def custom_error_schema(self, schema: Core) -> Schema:  # noqa: D102
        if schema["custom_error_type"] == "is_hashable":
            return self.generate_inner(hashable({"type": "any"}, self.cores))
        return super().custom_error_schema(schema)

    def is_subclass_schema(self, schema: Core) -> Schema:  # noqa: D102
        raise refuse(schema, "a class is not read from JSON")


def _readable(core: Core, values: Iterable[Any]) -> list[Any]:
    """Those of the values of an Enum or Literal that pydantic reads from what JSON makes of them, each spelled once."""
    validator = SchemaValidator({key: value for key, value in core.items() if key not in ("ref", "metadata")})
    read: dict[bytes, Any] = {}
    for value in values:
        text = to_json(value.value if isinstance(value, enum.Enum) else value)
        try:
            validator.validate_json(text)
        except ValidationError:
            continue
        read.setdefault(text, value)
    if not read:
        listed = ", ".join(map(repr, values))[:200]
        raise refuse(core, f"{listed}: none is read from JSON (members of a StrEnum or IntEnum are)")
    return list(read.values())
