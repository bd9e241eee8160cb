"""The tools of a real MCP server, over stdio: shown to a model, called by it, run by the server."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

import structgen as sg
from structgen.tools.reading import ReplyReader
from tests.tools.kit import compiled, drawn, judged, layout, vocabulary

pytest.importorskip("mcp")

from structgen.integrations.mcp import session_tools, stdio_tools

SERVER = (sys.executable, str(Path(__file__).with_name("mcp_server.py")))


@pytest.fixture(scope="module")
def tools() -> Iterator[list[sg.Tool]]:
    with stdio_tools(*SERVER) as found:
        yield found


def test_what_the_server_offers(tools: list[sg.Tool]) -> None:
    assert [(tool.name, tool.description) for tool in tools] == [
        ("add", "Add two numbers."), ("note", "Write something down."), ("fail", "Fail for a reason."),
    ]  # fmt: skip
    assert tools[0].parameters["required"] == ["a", "b"]


def test_calls_are_run_by_the_server(tools: list[sg.Tool]) -> None:
    rng, tokens, ran = Random(0), vocabulary(False), set[str]()
    for format in ("hermes", "qwen3-coder", "deepseek-v3.1"):
        found = layout(format, tuple(tools), choice="required", thinks=False)
        constraint = compiled(found, tokens)
        for _ in range(6):
            reader = ReplyReader(found, tokens)
            reader.feed(drawn(constraint, rng, 60, hostile=False))
            for call in reader.finish().calls:
                judged(call.tool, call.text)
                if call.name == "add":
                    assert call.run() == str(call.arguments["a"] + call.arguments["b"])
                elif call.name == "note":
                    assert str(call.arguments.get("kind", "idea")) in call.run()
                else:
                    with pytest.raises(sg.ToolFailed) as caught:
                        call.run()
                    assert caught.value.tool == "fail"
                ran.add(call.name)
    assert ran == {"add", "note", "fail"}


def test_inside_asyncio_runs_are_awaited() -> None:
    from mcp import ClientSession, StdioServerParameters
    from mcp.client.stdio import stdio_client

    async def run() -> str:
        server = StdioServerParameters(command=SERVER[0], args=[SERVER[1]])
        async with stdio_client(server) as streams, ClientSession(*streams) as session:
            await session.initialize()
            add, *_ = await session_tools(session)
            assert add.call is not None
            return str(await add.call(a=2, b=3))

    assert asyncio.run(run()) == "5"


def test_a_server_that_is_none() -> None:
    with pytest.raises(Exception, match="no-such-program"), stdio_tools("no-such-program"):
        pass
