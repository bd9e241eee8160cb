"""Every argument is checked where it comes in; what peers call otherwise is answered by its name here."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import structgen as sg
from structgen.api.options import Settings, SourceOptions
from structgen.api.peers import PEERS
from tests.api.engines import HashEngine

WRONG = {
    "n": (True, 2.0, "3", 0, -1, None),
    "max_tokens": (True, 3.5, "9", 0),
    "batch_size": (0, 1.5, True),
    "top_k": (0, 2.5, True),
    "seed": (-1, "a", 1.5, True),
    "temperature": ("0.5", True, -1, float("nan"), float("inf"), [1]),
    "top_p": ("0.9", 0, 1.1, True),
    "min_p": (-0.1, 1.5, "x"),
    "repetition_penalty": (0, -1, "x", float("inf")),
    "stop": (3, "", ["a", ""], [3], b"x", "\ud800"),
    "logits_processor": (3, [print, 3], [None]),
    "style": ("compact", {"whitespace": "compact"}),
    "limits": (3,),
    "budget": (3,),
    "method": ("greedy", 3),
    "method_options": (3, {1: 2}),
    "system": (3, b"x"),
    "messages": (3, "hi"),
    "on_truncate": ("steer", True),
    "progress": (True, 3),
    "stream": (1, "yes"),
    "where": (print, 3),
}


@pytest.mark.parametrize(("option", "value"), [(option, value) for option, values in WRONG.items() for value in values])
def test_a_wrong_value_names_its_option(option: str, value: Any) -> None:
    with pytest.raises(sg.OptionError, match=option) as caught:
        sg.generate(HashEngine(), "p", schema=int, **{option: value})
    assert caught.value.option == option
    assert caught.value.__cause__ is None


def test_numbers_of_numpy_are_numbers() -> None:
    values = sg.generate(
        HashEngine(),
        "p",
        choices=["x"],
        n=np.int64(2),
        max_tokens=np.int32(9),
        temperature=np.float32(0.5),
        seed=np.uint8(3),
    )
    assert values == ["x", "x"]


def test_peers_names_are_answered() -> None:
    parameters = {*Settings.__dataclass_fields__, *SourceOptions.__annotations__, "model", "prompt", "stream"}
    for name, here in PEERS.items():
        assert name not in parameters, f"{name} is an option of ours"
        with pytest.raises(sg.OptionError) as caught:
            sg.generate(HashEngine(), "p", schema=int, **{name: 1})
        assert here in str(caught.value) and caught.value.option == name


@pytest.mark.parametrize(
    "name",
    [
        "output_type",
        "response_model",
        "response_format",
        "guided_json",
        "functions",
        "stop_strings",
        "logprobs",
        "max_new_tokens",
    ],
)
def test_the_names_that_people_try_are_among_them(name: str) -> None:
    assert name in PEERS


def test_positions_are_model_and_prompt() -> None:
    with pytest.raises(TypeError):
        sg.generate(HashEngine(), "p", int)  # type: ignore[call-overload]
    assert list(inspect.signature(sg.generate).parameters)[:2] == ["model", "prompt"]


def test_compile_takes_a_tokenizer_and_names_what_it_does_not_know() -> None:
    vocabulary = HashEngine().vocabulary
    with pytest.raises(sg.OptionError, match="schema= takes") as caught:
        sg.compile(vocabulary=vocabulary, response_model=int)  # type: ignore[call-overload]
    assert caught.value.option == "response_model"
    with pytest.raises(sg.OptionError, match="folder"):
        sg.compile(vocabulary=vocabulary, schema=int, folder=3)  # type: ignore[call-overload]
    with pytest.raises(sg.VocabularyError, match="int"):
        sg.compile(vocabulary=3, schema=int)  # type: ignore[call-overload]
    with pytest.raises(sg.OptionError, match="style"):
        sg.compile(vocabulary=vocabulary, schema=int, style="compact")  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("wrapped", "hint"),
    [
        ({"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "integer"}}}, "json_schema.schema"),
        ({"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}, "function.parameters"),
        ({"type": "json_object"}, "any object is"),
    ],
)
def test_a_wrapper_around_a_schema_says_what_to_pass(wrapped: Any, hint: str) -> None:
    with pytest.raises(sg.SchemaError, match=hint):
        sg.json_schema(wrapped)


def test_a_constraint_knows_how_it_is_read() -> None:
    import pickle

    from tests.engines.test_prompts import Person  # a class that can be found again when it is unpickled

    engine = HashEngine()
    constraint = sg.compile(schema=Person, vocabulary=engine.vocabulary)
    assert isinstance(sg.generate(engine, "p", constraint=constraint), Person)
    assert isinstance(sg.generate(engine, "p", constraint=pickle.loads(pickle.dumps(constraint))), Person)
    number = sg.compile(schema={"type": "integer"}, vocabulary=engine.vocabulary)
    assert isinstance(sg.generate(engine, "p", constraint=number), int)
    assert sg.generate(engine, "p", constraint=sg.compile(choices=["7"], vocabulary=engine.vocabulary)) == "7"
    assert sg.compile(schema=Person, vocabulary=engine.vocabulary) is constraint


def test_two_types_of_one_schema_are_read_each_as_itself() -> None:
    import pydantic

    def made() -> Any:
        class Same(pydantic.BaseModel):
            x: bool

        return Same

    one, two, engine = made(), made(), HashEngine()
    assert sg.json_schema(one) == sg.json_schema(two)
    for kind in (one, two, one):
        assert type(sg.generate(engine, "p", schema=kind)) is kind
        compiled = sg.compile(schema=kind, vocabulary=engine.vocabulary)
        assert type(sg.generate(engine, "p", constraint=compiled)) is kind


def test_a_result_is_json_and_a_table() -> None:
    import enum
    import json

    class Colour(enum.StrEnum):
        RED = "red"

    result = sg.generate_result(HashEngine(), "p", schema=dict[str, Colour] | Colour, seed=1)
    record = result.to_dict()
    assert json.loads(json.dumps(record)) == record
    assert set(record) == {
        "value", "text", "token_ids", "log_prob", "log_q", "log_weight", "finish_reason", "completed_at", "stats",
    }  # fmt: skip
    assert json.loads(result.text) == record["value"]
    table = sg.generate_result(HashEngine(), "p", choices=["<b>&"])._repr_html_()
    assert "&lt;b&gt;&amp;" in table and table.startswith("<table>")


STRANGE = [
    3, 3.5, b"x", "", [], {}, object(), type(None), {"a"}, "\ud800", ["\ud800"], [1], [None], True, float("nan"),
    {"type": {}}, {"$ref": 3}, {1: 2}, {"properties": {"a": {2: 3}}}, [[]], ("a",), sg.Tag, range(3), len,
]  # fmt: skip


@pytest.mark.parametrize(
    "option", ["regex", "choices", "gbnf", "ebnf", "lark", "tag", "grammar", "constraint", "schema"]
)
def test_whatever_is_given_no_foreign_exception_comes_through(option: str) -> None:
    for value in STRANGE:
        try:
            sg.generate(HashEngine(), "p", max_tokens=30, **{option: value})
        except sg.StructgenError as error:
            assert not isinstance(error, sg.InvariantError), value


def test_a_prompt_that_is_no_text_is_an_option_error() -> None:
    for value in STRANGE:
        try:
            sg.generate(HashEngine(), value, choices=["x"])
        except sg.OptionError as error:
            assert error.option in ("prompt", "messages"), value
