"""Texts, token ids and chats as models read them; what cannot be read is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pydantic
import pytest
import torch

import structgen as sg
from structgen.engines.transformers import TransformersEngine
from tests.api.engines import HashEngine

Engines = Callable[..., TransformersEngine]


class ChatEngine(HashEngine):
    """Says that it has a template, and keeps what it was asked to encode."""

    has_chat_template = True


class TextEngine(HashEngine):
    has_chat_template = False


class Person(pydantic.BaseModel):
    name: str = pydantic.Field(max_length=10, description="given and family name")
    age: int = pydantic.Field(ge=0, le=150)
    tags: list[str] = pydantic.Field(default=[], max_length=2)


def asked(engine: HashEngine, *prompt: Any, **options: Any) -> Any:
    engine.prompts.clear()
    sg.generate(engine, *prompt, **{"choices": ["x"]} | options)
    return engine.prompts[0] if len(engine.prompts) == 1 else engine.prompts


HI = {"role": "user", "content": "hi"}
POLITE = {"role": "system", "content": "Be polite."}


def test_a_text_is_a_users_message_where_the_model_has_a_template() -> None:
    assert asked(ChatEngine(), "hi") == [HI]
    assert asked(ChatEngine(), "hi", chat=False) == "hi"
    assert asked(ChatEngine(), "hi", system="Be polite.") == [POLITE, HI]
    assert asked(TextEngine(), "hi") == "hi"
    assert asked(HashEngine(), "hi") == "hi"
    assert asked(HashEngine(), "hi", chat=True) == [HI]
    assert asked(ChatEngine(), ["hi", [1, 2], [HI]]) == [[HI], [1, 2], [HI]]


def test_messages_are_a_chat() -> None:
    assert asked(ChatEngine(), messages=[HI]) == [HI]
    assert asked(ChatEngine(), [HI]) == [HI]
    assert asked(ChatEngine(), messages=[HI], system="Be polite.") == [POLITE, HI]
    parts = [{"type": "text", "text": "h"}, {"type": "input_text", "text": "i"}]
    assert asked(ChatEngine(), messages=[{"role": "user", "content": parts}]) == [HI]
    calls = {"role": "assistant", "content": None, "tool_calls": []}
    assert asked(ChatEngine(), messages=[HI, calls]) == [HI, calls]


@pytest.mark.parametrize(
    ("given", "option", "message"),
    [
        ({"messages": [HI], "prompt": "hi"}, "messages", "one of them"),
        ({"messages": HI}, "messages", "a list of messages"),
        ({"messages": [[HI]]}, "messages", "one chat"),
        ({"messages": []}, "messages", "one chat"),
        ({"prompt": HI}, "prompt", "a list of messages, not one mapping"),
        ({"messages": [{"role": "user"}]}, "messages", r"message 0 \(user\) has no content"),
        ({"messages": [HI, {"content": "x"}]}, "messages", "message 1 is no mapping with a role"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages", "not int 3"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}]},
            "messages",
            "type 'image_url'",
        ),
        ({"messages": [POLITE, HI], "system": "x"}, "system", "has a system message"),
        ({"prompt": [1, 2], "system": "x"}, "system", "token ids are no chat"),
        ({"prompt": [1, 2], "chat": True}, "chat", "token ids are no chat"),
        ({"messages": [HI], "chat": False}, "chat", "chat=False"),
        ({"prompt": "hi", "chat": False, "system": "x"}, "system", "part of a chat"),
        ({"prompt": b"x"}, "prompt", "not bytes"),
        ({"prompt": {"a"}}, "prompt", "not set"),
        ({"prompt": 3}, "prompt", "not int 3"),
        ({"prompt": [1, "a"]}, "prompt", "holds str 'a'"),
        ({"prompt": [True]}, "prompt", "holds bool True"),
        ({"prompt": ["a", b"x"]}, "prompt", "not bytes"),
        ({"prompt": "hi", "system": 3}, "system", "a text"),
        ({"prompt": "hi", "chat": "yes"}, "chat", "True or False"),
        ({"prompt": "hi", "describe": "yes"}, "describe", "True or a function"),
        ({"prompt": "hi", "describe": True}, "describe", "for a schema"),
        ({"prompt": [1], "describe": True, "schema": int, "choices": None}, "describe", "a message of the user"),
        ({"prompt": "hi", "describe": len, "schema": int, "choices": None}, "describe", "not text"),
    ],
)
def test_a_prompt_that_cannot_be_read_is_refused_by_name(given: dict[str, Any], option: str, message: str) -> None:
    with pytest.raises(sg.OptionError, match=message) as caught:
        sg.generate(ChatEngine(), **{"choices": ["x"]} | given)
    assert caught.value.option == option


def test_a_model_without_a_template_has_no_chat() -> None:
    with pytest.raises(sg.OptionError, match="no chat template"):
        sg.generate(TextEngine(), messages=[HI], choices=["x"])
    with pytest.raises(sg.OptionError, match="no chat template"):
        sg.generate(TextEngine(), "hi", chat=True, choices=["x"])


def test_no_prompts_are_no_values() -> None:
    assert sg.generate(HashEngine(), [], schema=int) == []
    assert sg.generate_result(HashEngine(), [], schema=int, n=3) == []
    assert sg.generate(HashEngine(), [], choices=["x"], method="cars") == []


def test_arrays_of_token_ids_are_prompts() -> None:
    assert asked(HashEngine(), np.array([1, 2])) == [1, 2]
    assert asked(HashEngine(), torch.tensor([1, 2])) == [1, 2]
    assert asked(HashEngine(), [np.array([1, 2]), (3, 4)]) == [[1, 2], [3, 4]]


def test_the_template_writes_the_chat(make_engine: Engines) -> None:
    engine = make_engine()
    ids = engine.encode([POLITE, HI])
    assert engine.vocabulary.decode(ids) == b"<|system|>Be polite.\n<|user|>hi\n<|assistant|>"
    with_text = sg.generate_result(engine, "hi", choices=["x"], system="Be polite.")
    assert with_text.stats.prompt_tokens == len(ids)


def test_what_a_template_refuses_is_an_option_error(make_engine: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = make_engine()
    monkeypatch.setattr(engine.tokenizer, "chat_template", "{{ raise_exception('no system message, please') }}")
    with pytest.raises(sg.OptionError, match="no system message, please") as caught:
        sg.generate(engine, messages=[POLITE, HI], choices=["x"])
    assert caught.value.option == "messages"
    monkeypatch.setattr(engine.tokenizer, "chat_template", None)
    assert not engine.has_chat_template
    with pytest.raises(sg.OptionError, match="no chat template"):
        engine.encode([HI])


def test_a_prompt_beyond_the_context_says_so(make_engine: Engines) -> None:
    engine = make_engine()
    with pytest.raises(sg.OptionError, match="1024") as caught:
        sg.generate(engine, [1] * 1024, choices=["x"])
    assert caught.value.option == "prompt"
    assert sg.generate(engine, [1] * 900, schema=bool) in (True, False)


def test_a_batch_fits_the_memory_that_is_free(make_engine: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = make_engine()
    monkeypatch.setattr("structgen.engines.transformers._free_bytes", lambda device: 4_000_000)
    few, many = engine.rows_that_fit(1000), engine.rows_that_fit(100)
    assert 1 <= few < many < 60
    sizes: list[int] = []
    real = engine.prefill
    monkeypatch.setattr(
        TransformersEngine,
        "prefill",
        lambda self, prompts, reserve: (sizes.append(len(prompts)), real(prompts, reserve))[1],
    )
    small = sg.generate(engine, ["a"] * 9, regex="[ab]{3}", max_tokens=9, seed=1, temperature=1.0, batch_size=4)
    assert sizes == [4, 4, 1]
    sizes.clear()
    assert small == sg.generate(engine, ["a"] * 9, regex="[ab]{3}", max_tokens=9, seed=1, temperature=1.0)
    assert max(sizes) <= engine.rows_that_fit(10)


# ------------------------------------------------------------------------------------------------------- descriptions


def test_a_description_ends_the_users_message() -> None:
    said = asked(ChatEngine(), "hi", schema=Person, choices=None, describe=True)
    assert said == [{"role": "user", "content": f"hi\n\n{sg.describe(Person)}"}]
    chat = [POLITE, HI, {"role": "assistant", "content": "yes?"}]
    assert asked(ChatEngine(), chat, schema=Person, choices=None, describe=True)[1] == said[0]
    assert asked(ChatEngine(), chat, schema=Person, choices=None, describe=True)[::2] == chat[::2]
    assert asked(TextEngine(), "hi", schema=Person, choices=None, describe=True).startswith("hi\n\nAnswer with JSON")
    own = asked(TextEngine(), "hi", schema=Person, choices=None, describe=lambda schema: f"as {schema['title']}")
    assert own == "hi\n\nas Person\n\n"
    compiled = sg.compile(schema=Person, vocabulary=HashEngine().vocabulary)
    assert asked(ChatEngine(), "hi", constraint=compiled, choices=None, describe=True) == said


def test_a_description_is_a_type_declaration() -> None:
    assert sg.describe(Person) == (
        "Answer with JSON of this form and nothing else:\n"
        "{\n"
        '  "name": string (at most 10 characters),  // given and family name\n'
        '  "age": integer (0 to 150),\n'
        '  "tags"?: [string, ...] (at most 2 items)\n'
        "}"
    )


@pytest.mark.parametrize(
    ("schema", "shape"),
    [
        (int, "integer"),
        ({"enum": ["a", 1, None]}, '"a" | 1 | null'),
        ({"const": 3}, "3"),
        ({"type": ["string", "null"]}, "string | null"),
        (int | str | None, "integer | string | null"),
        ({"type": "string", "minLength": 2, "maxLength": 2, "format": "date"}, "string (2 characters, date)"),
        ({"type": "string", "pattern": "^a+$"}, "string (matching ^a+$)"),
        ({"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.5}, "number (above 0, a multiple of 0.5)"),
        ({"prefixItems": [{"type": "integer"}, {}], "type": "array", "items": False}, "[integer, any JSON value]"),
        ({"type": "array"}, "[any JSON value, ...]"),
        ({"type": "object"}, "object"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "{\n  (any name): integer\n}"),
        (True, "any JSON value"),
        ({"$ref": "https://example.com/x"}, "any JSON value"),
    ],
)
def test_every_kind_of_schema_has_a_shape(schema: Any, shape: str) -> None:
    assert sg.describe(schema) == f"Answer with JSON of this form and nothing else:\n{shape}"


def test_a_recursive_schema_is_written_by_name() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}
    text = sg.describe({"$ref": "#/$defs/node", "$defs": {"node": node}})
    assert text.endswith('{\n  "next"?: node\n}\nwhere node is {\n  "next"?: node\n}')
