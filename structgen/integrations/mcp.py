"""The tools of an MCP server -> `Tool`s whose `run` calls the server.

    with stdio_tools("python", "server.py") as tools:
        reply = sg.generate(model, messages, tools=tools)
        reply.calls[0].run()

The server is a process that speaks over stdin and stdout; the protocol is that of the `mcp` package (the extra [mcp]),
which runs in a thread of its own, so that calls are plain functions. Inside asyncio, `session_tools` takes a session
that is open already, and `run` is to be awaited. A call costs a message to the server and back.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from structgen.errors import OptionError, ToolFailed
from structgen.tools.tool import Tool

__all__ = ["session_tools", "stdio_tools"]


@contextmanager
def stdio_tools(command: str, *arguments: str, env: dict[str, str] | None = None) -> Iterator[list[Tool]]:
    """Start a server and offer its tools until the block ends. `env`: of the server, instead of a few safe variables.

    Raises OptionError when the `mcp` package is missing, and what it raises when there is no server.
    """
    try:
        from mcp import ClientSession, StdioServerParameters
        from mcp.client.stdio import stdio_client
    except ModuleNotFoundError as error:
        raise OptionError(f"{error.name} is missing: pip install structgen-engine[mcp]") from error
    server = StdioServerParameters(command=command, args=list(arguments), env=env)
    opened: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event, Any, list[Tool]]] = Future()

    async def serve() -> None:
        """Hold the session open, in one task, until the block ends."""
        async with stdio_client(server) as streams, ClientSession(*streams) as session:
            await session.initialize()
            done, loop = asyncio.Event(), asyncio.get_running_loop()
            opened.set_result((loop, done, session, await session_tools(session)))
            await done.wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            if opened.done():
                raise
            opened.set_exception(error)

    thread = threading.Thread(target=run, name="structgen-mcp", daemon=True)
    thread.start()
    loop, done, _, tools = opened.result()
    try:
        yield [Tool.of(tool, run=_waiting(tool.call, loop)) for tool in tools]
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()


async def session_tools(session: Any) -> list[Tool]:
    """All tools of an open session; `run` of each is to be awaited, and raises ToolFailed where the server says so."""
    found, cursor = [], None
    while True:
        page = await (session.list_tools() if cursor is None else session.list_tools(cursor=cursor))
        found += page.tools
        cursor = getattr(page, "next_cursor", None) or getattr(page, "nextCursor", None)
        if not cursor:
            return [Tool.of(tool, run=_asking(session, tool.name)) for tool in found]


def _asking(session: Any, name: str) -> Callable[..., Any]:
    async def run(**arguments: Any) -> str:
        result = await session.call_tool(name, arguments)
        text = "\n".join(part.text for part in result.content if hasattr(part, "text"))
        if getattr(result, "is_error", False) or getattr(result, "isError", False):
            raise ToolFailed(text, tool=name)
        return text

    return run


def _waiting(run: Callable[..., Any] | None, loop: asyncio.AbstractEventLoop) -> Callable[..., Any]:
    assert run is not None

    def call(**arguments: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(run(**arguments), loop).result()

    return call
