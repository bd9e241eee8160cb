"""The recipes of docs/server.md for other people's clients, each in an environment that has it:

    pytest tests/server/test_clients.py -m clients

What is not installed is skipped. instructor and the newest openai cannot be installed together.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel, Field

from tests.server.kit import Running

pytestmark = [
    pytest.mark.clients,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::ResourceWarning"),
]
TEXT = "Ada Lovelace, 36, lives in London"


class Person(BaseModel):
    """A person."""

    name: str = Field(max_length=20)
    age: int = Field(ge=0, le=150)


# ------------------------------------------------------------------------------------------------------ pydantic-ai


@pytest.fixture
def pydantic_model(server: Running) -> Any:
    pytest.importorskip("pydantic_ai")
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    return OpenAIChatModel("nano", provider=OpenAIProvider(base_url=f"{server.url}/v1", api_key="none"))


@pytest.mark.parametrize("mode", ["NativeOutput", "ToolOutput"])
def test_pydantic_ai_outputs(pydantic_model: Any, mode: str) -> None:
    import pydantic_ai

    agent = pydantic_ai.Agent(pydantic_model, output_type=getattr(pydantic_ai, mode)(Person), retries=5)
    result = agent.run_sync(TEXT, model_settings={"max_tokens": 200, "temperature": 0.5})
    assert isinstance(result.output, Person)


def test_pydantic_ai_streams_and_calls_tools(pydantic_model: Any) -> None:
    import pydantic_ai

    agent = pydantic_ai.Agent(pydantic_model, output_type=pydantic_ai.NativeOutput(Person))

    async def streamed() -> Any:
        async with agent.run_stream(TEXT, model_settings={"max_tokens": 100}) as result:
            return [part async for part in result.stream_output()][-1]

    assert isinstance(asyncio.run(streamed()), Person)
    called: list[str] = []
    helper = pydantic_ai.Agent(pydantic_model, model_settings={"max_tokens": 100, "seed": 1})

    @helper.tool_plain
    def weather(city: str) -> str:
        called.append(city)
        return "sunny"

    assert isinstance(helper.run_sync("How is the weather in Lima?").output, str)


def test_pydantic_ai_by_responses(server: Running) -> None:
    pydantic_ai = pytest.importorskip("pydantic_ai")
    from pydantic_ai.models.openai import OpenAIResponsesModel
    from pydantic_ai.providers.openai import OpenAIProvider

    model = OpenAIResponsesModel("nano", provider=OpenAIProvider(base_url=f"{server.url}/v1", api_key="none"))
    agent = pydantic_ai.Agent(model, output_type=pydantic_ai.NativeOutput(Person))
    assert isinstance(agent.run_sync(TEXT, model_settings={"max_tokens": 200}).output, Person)


# ------------------------------------------------------------------------------------------------------- instructor


@pytest.mark.parametrize("mode", ["JSON_SCHEMA", "TOOLS", "TOOLS_STRICT"])
def test_instructor(server: Running, mode: str) -> None:
    instructor = pytest.importorskip("instructor")
    import openai

    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none") as plain:
        client = instructor.from_openai(plain, mode=getattr(instructor.Mode, mode))
        asked: Any = {"model": "nano", "messages": [{"role": "user", "content": TEXT}], "max_tokens": 200}
        assert isinstance(client.chat.completions.create(response_model=Person, **asked), Person)
        if mode == "TOOLS":
            parts = list(client.chat.completions.create_partial(response_model=Person, **asked))
            assert parts[-1].name is not None and parts[-1].age is not None


# --------------------------------------------------------------------------------------------------------- langchain


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
def test_langchain(server: Running, method: str) -> None:
    langchain_openai = pytest.importorskip("langchain_openai")
    chat = langchain_openai.ChatOpenAI(base_url=f"{server.url}/v1", api_key="none", model="nano", max_tokens=200)
    schema: Any = Person if method != "json_mode" else {"title": "Person", "type": "object"}
    found = chat.with_structured_output(schema, method=method).invoke(TEXT)
    assert isinstance(found, Person if method != "json_mode" else dict)


def test_langchain_tools_and_streams(server: Running) -> None:
    langchain_openai = pytest.importorskip("langchain_openai")
    chat = langchain_openai.ChatOpenAI(base_url=f"{server.url}/v1", api_key="none", model="nano", max_tokens=200)
    message = chat.bind_tools([Person], tool_choice="Person").invoke(TEXT)
    assert Person(**message.tool_calls[0]["args"])
    pieces = list(chat.bind(max_tokens=12).stream("Say something"))
    assert "".join(piece.content for piece in pieces)
