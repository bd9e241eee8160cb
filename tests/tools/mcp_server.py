"""A server of three tools that speaks MCP over stdin and stdout: what test_mcp.py starts."""

from __future__ import annotations

from typing import Literal

try:
    from mcp.server.mcpserver import MCPServer as Server
except ModuleNotFoundError:  # before version 2
    from mcp.server.fastmcp import FastMCP as Server

server = Server("three tools")
NOTES: list[str] = []


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
def note(text: str, kind: Literal["idea", "task"] = "idea") -> str:
    """Write something down."""
    NOTES.append(text)
    return f"{len(NOTES)}. {kind}: {text}"


@server.tool()
def fail(reason: str) -> str:
    """Fail for a reason."""
    raise ValueError(reason)


if __name__ == "__main__":
    server.run()
