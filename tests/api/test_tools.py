"""`generate(tools=...)`: from a chat to a typed reply, in every way of asking; the caller alone runs functions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Annotated, Any

import pytest
import torch
from pydantic import BaseModel, Field

import structgen as sg
from structgen.errors import OptionError
from tests.api.engines import HashEngine

TEMPLATE = (
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{{ tools }}<tool_call>{{ tool_calls }}'tool'"
)


class ChatEngine(HashEngine):
    """Knows a template of the hermes kind, and remembers what it was asked to write."""

    has_chat_template = True
    chat_template = TEMPLATE

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[list[Any], dict[str, Any]]] = []

    def chat_text(self, messages: Sequence[Any], **variables: Any) -> str:
        self.asked.append((list(messages), variables))
        return json.dumps([messages, variables])

    def tokens_of(self, text: str) -> list[int]:
        return [*text.encode()]

    def _logits(self, context: list[list[int]]) -> torch.Tensor:
        logits = super()._logits(context)
        for row, tokens in zip(logits, context, strict=True):
            row[ord("<")] += 2
            row[[ord('"'), ord("}"), 259]] += 3 * (len(tokens) % 3 == 0)
        return logits


RUN: list[str] = []


def look(place: Annotated[str, Field(max_length=9)], times: int = 1) -> str:
    """Look somewhere."""
    RUN.append(place)
    return f"{place}: {times}"


class Answer(BaseModel):
    yes: bool


USER = [{"role": "user", "content": "Hi"}]
ENGINE = ChatEngine()


def ask(**options: Any) -> Any:
    given: dict[str, Any] = {"messages": USER, "tools": [look], "seed": 3, "temperature": 1.0, "max_tokens": 400}
    return sg.generate(ENGINE, **(given | options))


def test_a_reply_with_calls_that_nobody_ran() -> None:
    RUN.clear()
    reply = ask(tool_choice="required")
    assert isinstance(reply, sg.Reply) and reply.calls and not RUN
    call = reply.calls[0]
    assert isinstance(call, sg.ToolCall) and isinstance(call.arguments["place"], str)
    assert call.run() == f"{call.arguments['place']}: {call.arguments.get('times', 1)}" and len(RUN) == 1
    assert call.answer(1) == {"role": "tool", "tool_call_id": call.id, "name": "look", "content": "1"}
    assert reply.message["tool_calls"][0]["function"]["name"] == "look"
    json.dumps(reply.to_dict())


def test_the_tools_are_shown_by_the_template() -> None:
    ask(tool_choice="look")
    messages, variables = ENGINE.asked[-1]
    assert messages == USER and variables["tools"][0]["function"]["name"] == "look"
    ask(tool_choice="none", system="Be brief.")
    messages, variables = ENGINE.asked[-1]
    assert "tools" not in variables and messages[0] == {"role": "system", "content": "Be brief."}


def test_a_text_is_a_users_message() -> None:
    sg.generate(ENGINE, "Hi", tools=[look], tool_choice="look", seed=1)
    assert ENGINE.asked[-1][0] == USER


def test_streams_grow_to_the_same_reply() -> None:
    for choice in ("auto", "required"):
        for format in ("hermes", "qwen3-coder"):
            options = {"tool_choice": choice, "tool_format": format}
            *partial, last = ask(stream=True, **options)
            assert last == ask(**options) and [c.id for c in last.calls] == [c.id for c in ask(**options).calls]
            assert all(isinstance(one, sg.Reply) for one in partial)
            for one, two in zip(partial, [*partial[1:], last], strict=False):
                assert two.text.startswith(one.text) and len(two.calls) >= len(one.calls)
                for before, after in zip(one.calls, two.calls, strict=False):
                    assert after.text.startswith(before.text) and after.id == before.id


def test_several_prompts_and_several_outputs() -> None:
    replies = sg.generate(ENGINE, [USER, USER], tools=[look], tool_choice="look", n=2, seed=1, max_tokens=400)
    assert [[len(reply.calls) for reply in each] for each in replies] == [[1, 1], [1, 1]]
    assert len({call.id for each in replies for reply in each for call in reply.calls}) == 4
    again = sg.generate(ENGINE, [USER, USER], tools=[look], tool_choice="look", n=2, seed=1, max_tokens=400)
    assert again == replies and again[0][0].calls[0].id == replies[0][0].calls[0].id
    answers = sg.generate(ENGINE, [USER, USER], tools=[look], tool_choice="none", schema=[Answer, int], seed=1)
    assert isinstance(answers[0].value, Answer) and isinstance(answers[1].value, int)


def test_an_answer_or_calls() -> None:
    seen = {bool(reply.calls) for reply in ask(schema=Answer, n=12, max_tokens=600)}
    assert seen == {True, False}
    for reply in ask(schema=Answer, n=6, max_tokens=600):
        assert isinstance(reply.value, Answer) != bool(reply.calls)


def test_results_and_samplers() -> None:
    result = sg.generate_result(ENGINE, messages=USER, tools=[look], tool_choice="look", seed=2, max_tokens=400)
    assert result.value.calls and "<tool_call>" in result.text and result.to_dict()["value"]["calls"]
    drawn = ask(method="rejection", tool_choice="none", temperature=None, max_tokens=4)
    assert isinstance(drawn, sg.Reply)


def test_asynchronously() -> None:
    reply = asyncio.run(sg.agenerate(ENGINE, messages=USER, tools=[look], tool_choice="look", seed=1, max_tokens=400))
    assert reply.calls


def test_thinking_as_asked() -> None:
    marks = sg.Thinking("<b>", "</b>")
    with pytest.warns(sg.CompletedWarning):
        reply = ask(thinking=marks, tool_choice="none", max_tokens=300, on_truncate="complete")
    assert reply.thinking is not None and "</b>" not in reply.text
    assert ask(tool_choice="none").thinking is None, "nothing tells that this model thinks"


def test_an_engine_without_a_template_is_told_in_front() -> None:
    engine = HashEngine()
    reply = sg.generate(engine, "Hi", tools=[look], tool_choice="look", seed=1, max_tokens=400)
    assert reply.calls and engine.prompts[-1].endswith("\n\nHi") and '"look"' in engine.prompts[-1]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"tool_choice": "lok"}, "did you mean 'look'"),
    ({"tool_choice": 3}, "tool_choice is"),
    ({"tool_format": "hermse"}, "did you mean 'hermes'"),
    ({"parallel_tool_calls": "no"}, "True or False"),
    ({"thinking": "much"}, "thinking is True, False"),
    ({"regex": "a"}, "regex and tools are given"),
    ({"tools": None, "tool_choice": "look"}, "tool_choice means nothing without tools"),
    ({"tools": None, "regex": "a", "parallel_tool_calls": False}, "means nothing without tools"),
    ({"schema": [int]}, "1 values of schema"),
    ({"tools": look}, "tools is a list"),
    ({"functions": [look]}, "tools= takes them"),
]


@pytest.mark.parametrize(("options", "words"), WRONG)
def test_what_contradicts_itself(options: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        ask(**options)
