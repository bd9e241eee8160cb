"""Patterns of Python types mean what their engine means, and what a user's function refuses is the user's."""

from __future__ import annotations

import enum
import json
import re
from typing import Annotated, Any, Literal

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, WithJsonSchema
from pydantic_core import PydanticCustomError

from structgen.errors import InvariantError, UnsupportedSchema, ValueRejected
from structgen.grammars.json_schema import compile_schema
from structgen.kernels.layout import DEAD, START
from structgen.kinds import automaton_of
from structgen.python_types.adapters import type_target
from structgen.python_types.types import json_schema

SOURCES = [r"^\w+$", r"^\W$", r"\D", r"^a\b.$", r"^\s$", r"[^\w]", r"^[\d_]+$", r"(?i)^k$", r"^.$", r"(?m)^a$", r"a$"]
TEXTS = st.text(st.sampled_from("aAkK\u212a1_ é²\u0663\u3000\ufeff\n-日"), max_size=3)


def allows(kind: Any, text: str) -> bool:
    automaton = automaton_of(compile_schema(type_target(kind).enforced).grammar)
    state = automaton.advance(START, json.dumps(text, ensure_ascii=False).encode())
    return state != DEAD and automaton.is_accepting(state)


@pytest.mark.parametrize("engine", ["rust-regex", "python-re"])
@pytest.mark.parametrize("source", SOURCES)
@settings(max_examples=40, deadline=None)
@given(texts=st.lists(TEXTS, min_size=10, max_size=10))
def test_a_pattern_means_what_its_engine_means(source: str, engine: Any, texts: list[str]) -> None:
    adapter = TypeAdapter(Annotated[str, Field(pattern=source)], config=ConfigDict(regex_engine=engine))
    automaton = automaton_of(compile_schema(type_target(adapter).enforced).grammar)
    for text in texts:
        state = automaton.advance(START, json.dumps(text, ensure_ascii=False).encode())
        try:
            adapter.validate_python(text)
        except pydantic.ValidationError:
            assert state == DEAD or not automaton.is_accepting(state), text
        else:
            assert state != DEAD, text
            assert automaton.is_accepting(state), text


class Outer(BaseModel):
    model_config = ConfigDict(regex_engine="python-re")
    word: Annotated[str, Field(pattern=r"^(?=a)\w\Z")]


def test_the_engine_is_that_of_the_class_at_hand() -> None:
    class Inner(BaseModel):
        word: Annotated[str, Field(pattern=r"^\p{Greek}$")]

    class Both(BaseModel):
        model_config = ConfigDict(regex_engine="python-re")
        inner: Inner
        outer: Annotated[str, Field(pattern=r"a\Z")]

    automaton = automaton_of(compile_schema(type_target(Both).enforced).grammar)
    for text, valid in (('{"inner":{"word":"α"},"outer":"a"}', True), ('{"inner":{"word":"a"},"outer":"a"}', False)):
        state = automaton.advance(START, text.encode())
        assert (state != DEAD and automaton.is_accepting(state)) == valid
    assert "structgen:" not in json.dumps(json_schema(Both))
    assert "structgen:" not in json.dumps(json_schema(Outer))


def test_examples_of_a_class_change_nothing() -> None:
    class Shown(Outer):
        model_config = ConfigDict(json_schema_extra={"examples": [{"word": "a"}]})

    plain, shown = type_target(Outer).enforced, type_target(Shown).enforced
    assert isinstance(plain, dict)
    assert isinstance(shown, dict)
    assert shown == {**plain, "title": "Shown", "examples": [{"word": "a"}]}


def test_flags_of_a_compiled_pattern_count() -> None:
    kind = Annotated[str, Field(pattern=re.compile("^a .b$", re.I | re.S | re.X))]
    assert allows(kind, "A\nB")
    assert not allows(kind, "A .B")


def test_the_same_source_in_two_dialects_is_two_constraints() -> None:
    rust = Annotated[str, Field(pattern=r"^\w$")]
    assert allows(rust, "é")
    assert not automaton_of(compile_schema({"type": "string", "pattern": r"^\w$"}).grammar).advance(
        START, '"é'.encode()
    )


class Kind(enum.Enum):
    CAT = "cat"


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (Literal[Kind.CAT], "none is read from JSON"),
        (Literal[b"x"], "none is read from JSON"),
        (set[list[int]], "no hash"),
        (pydantic.NewPath, "no property of its name"),
        (Annotated[pydantic.Base64Str, Field(pattern="^a")], "behind a conversion"),
        (type[int], "not read from JSON"),
    ],
)
def test_what_no_text_can_be_read_as_is_refused_by_name(kind: Any, reason: str) -> None:
    with pytest.raises(UnsupportedSchema, match=reason):
        type_target(kind)


def test_members_that_json_cannot_spell_are_left_out() -> None:
    assert type_target(Literal[b"x", "y"]).enforced["const"] == "y"


def _raises(error: Exception) -> Any:
    def check(value: int) -> int:
        raise error

    return Annotated[int, AfterValidator(check)]


@pytest.mark.parametrize(
    "error", [ValueError("no"), KeyError("no"), TypeError("no"), AssertionError("no"), PydanticCustomError("odd", "no")]
)
def test_whatever_a_validator_raises_is_the_users(error: Exception) -> None:
    with pytest.raises(ValueRejected, match="no"):
        type_target(_raises(error)).read("3")


def test_bounds_behind_a_validator_are_the_users() -> None:
    doubled = Annotated[int, AfterValidator(lambda value: value // 2), Field(ge=4)]
    with pytest.raises(ValueRejected, match="greater than or equal to 4"):
        type_target(doubled).read("3")
    with pytest.raises(InvariantError):
        type_target(Annotated[int, Field(ge=4)]).read("3")


def test_a_users_schema_narrows_and_never_widens() -> None:
    wider = json_schema(Annotated[int, WithJsonSchema({"type": "number"})])
    assert wider == {"type": "number", "allOf": [{"type": "integer"}]}
    narrower = json_schema(Annotated[str, WithJsonSchema({"type": "string", "pattern": "^a$"})])
    assert narrower == {"type": "string", "pattern": "^a$"}


def test_a_set_of_anything_holds_what_has_a_hash() -> None:
    items = json_schema(set[Any])["items"]
    assert {"type": "string"} in items["anyOf"]
    assert not any(option.get("type") in ("array", "object") for option in items["anyOf"])
