"""The judge of finished values: exact numbers, formats asserted, and no more than the specification asserts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from structgen.errors import SchemaError
from structgen.python_types.exact import ExactValidator

DRAFT_4 = "http://json-schema.org/draft-04/schema#"
DRAFT_7 = "http://json-schema.org/draft-07/schema#"


def is_valid(schema: Any, text: str) -> bool:
    return ExactValidator(schema).fault(text) is None


@pytest.mark.parametrize(
    ("schema", "text", "valid"),
    [
        ({"multipleOf": 0.01}, "0.07", True),
        ({"multipleOf": 0.01}, "0.075", False),
        ({"multipleOf": 0.1}, "123456789012345678901234567890.1", True),
        ({"multipleOf": 0.1}, "123456789012345678901234567890.15", False),
        ({"multipleOf": 3}, "3" + "0" * 40, True),
        ({"multipleOf": 3}, "1" + "0" * 40, False),
        ({"maximum": 10**40}, str(10**40), True),
        ({"maximum": 10**40}, str(10**40 + 1), False),
        ({"maximum": 0.3}, "0.30000000000000000000000000001", False),
        ({"type": "integer"}, "1e400", True),
        ({"type": "integer"}, "1.0", True),
        ({"type": "integer"}, "1.00000000000000000000000000000001", False),
        ({"$schema": DRAFT_4, "type": "integer"}, "1.0", False),
        ({"uniqueItems": True}, "[1, 1.0]", False),
        ({"uniqueItems": True}, '[{"a": 1}, {"a": 1.0}]', False),
        ({"uniqueItems": True}, f"[{10**40}, {10**40 + 1}]", True),
        ({"uniqueItems": True}, "[0.1, 0.10000000000000000000000001]", True),
        ({"uniqueItems": True}, "[1, true]", True),
        ({"enum": [1, 2.5]}, "2.50", True),
        ({"const": 10**30}, "1e30", True),
    ],
)
def test_numbers_are_exact(schema: Any, text: str, valid: bool) -> None:
    assert is_valid(schema, text) == valid


@pytest.mark.parametrize(
    ("schema", "text", "valid"),
    [
        ({"format": "date"}, '"2023-02-29"', False),
        ({"format": "date"}, '"2024-02-29"', True),
        ({"$schema": DRAFT_4, "format": "date"}, '"2023-02-29"', False),
        ({"format": "ipv6"}, '"::1"', True),
        ({"format": "iri"}, '"a b"', False),
        ({"format": "email"}, '"\\"a b\\"@example.org"', True),
        ({"format": "email"}, '"example.org"', False),
        ({"format": "colour"}, '"blue"', True),
        ({"$schema": DRAFT_7, "contentMediaType": "application/json"}, '"{"', True),
        ({"dependencies": {"a": ["b"]}}, '{"a": 1}', True),  # replaced in 2019-09
        ({"$schema": DRAFT_7, "dependencies": {"a": ["b"]}}, '{"a": 1}', False),
        ({"dependentRequired": {"a": ["b"]}}, '{"a": 1}', False),
    ],
)
def test_what_is_asserted(schema: Any, text: str, valid: bool) -> None:
    assert is_valid(schema, text) == valid


@pytest.mark.parametrize(
    ("pattern", "text", "valid"),
    [
        (r"^\p{L}+$", "é", True),
        (r"^\d$", "٣", False),
        (r"^[^\w]$", "é", True),
        ("^a]$", "a]", True),
        ("^{d}$", "{d}", True),
        ("^{d}$", "d", False),
        (r"^[\]}]{2}$", "]}", True),
        ("^a{2}]{1,2}$", "aa]]", True),
    ],
)
def test_patterns_are_read_as_ecmascript_reads_them(pattern: str, text: str, valid: bool) -> None:
    for draft in (DRAFT_7, "https://json-schema.org/draft/2020-12/schema"):
        assert is_valid({"$schema": draft, "pattern": pattern}, json.dumps(text)) == valid
        keys = {"$schema": draft, "patternProperties": {pattern: {"type": "integer"}}}
        assert is_valid(keys, json.dumps({text: "x"})) != valid
        assert is_valid({"$schema": draft, "const": {"pattern": pattern}}, json.dumps({"pattern": pattern}))


def test_a_property_may_be_called_like_a_keyword() -> None:
    schema = {"properties": {"pattern": {"type": "string"}, "const": {"multipleOf": 0.1}}}
    assert is_valid(schema, '{"pattern": "]", "const": 0.3}')
    assert not is_valid(schema, '{"pattern": 1, "const": 0.3}')


def test_a_fault_says_where() -> None:
    validator = ExactValidator({"properties": {"a": {"items": {"multipleOf": 0.01}}}})
    assert validator.fault('{"a": [1, 0.075]}') == "$.a[1]: 0.075 is not a multiple of 0.01"
    assert (validator.fault("{") or "").startswith("not JSON")
    assert (validator.fault("[" * 100_000) or "").startswith("not JSON")
    assert "surrogate" in (validator.fault(r'"\ud800"') or "")


def test_a_schema_that_is_none_says_where() -> None:
    with pytest.raises(SchemaError) as caught:
        ExactValidator({"properties": {"a": {"minimum": "x"}}})
    assert caught.value.pointer == "#/properties/a/minimum"


def test_references_lead_into_the_registry() -> None:
    resource = Resource.from_contents({"multipleOf": 0.01}, DRAFT202012)
    registry: Any = Registry().with_resources([("urn:cents", resource), ("cents.json", resource)])
    for name in ("urn:cents", "cents.json"):
        validator = ExactValidator({"items": {"$ref": name}}, registry)
        assert validator.fault("[0.07]") is None
        assert validator.fault("[0.075]") is not None
