"""What `check` says about a schema before it is deployed."""

from __future__ import annotations

from typing import Any

from structgen.api.check import check


def alternatives(*orders: tuple[str, str]) -> dict[str, Any]:
    marks = {"kind": lambda n: {"const": str(n)}, "value": lambda n: {"type": "integer"}}
    return {"oneOf": [{"properties": {name: marks[name](n) for name in order}} for n, order in enumerate(orders)]}


def test_order_of_what_tells_alternatives_apart() -> None:
    late = [text for _, text in check(alternatives(("kind", "value"), ("value", "kind"))).warnings if "apart" in text]
    assert len(late) == 1 and late[0].startswith("'kind'")
    assert not any("apart" in text for _, text in check(alternatives(("kind", "value"), ("kind", "value"))).warnings)


def test_what_is_checked_beside_the_automaton_is_named() -> None:
    tags = {"type": "object", "properties": {"tags": {"uniqueItems": True, "items": {"type": "string"}}}}
    found = check(tags)
    assert found.supported and found.size["nodes"] > 0
    assert found.residual == ("array #/properties/tags",)
    assert check({"type": "integer"}).residual == ()


def test_why_not() -> None:
    found = check({"type": "string", "minLength": 3, "maxLength": 2})
    assert not found.supported and "#/minLength and #/maxLength" in found.reason and not found.size


def test_impossible_parts_are_named() -> None:
    impossible = {"type": "integer", "minimum": 5, "maximum": 3}
    schema = {"type": "object", "properties": {"a": impossible, "b": {"anyOf": [{"type": "null"}, {**impossible}]}}}
    found = [pointer for pointer, text in check(schema).warnings if "left out" in text]
    assert sorted(found) == ["#/properties/a", "#/properties/b/anyOf/1"]
    assert any("#/properties/a/minimum and #/properties/a/maximum" in text for _, text in check(schema).warnings)
    assert not [text for _, text in check({"type": "string"}).warnings if "left out" in text]
