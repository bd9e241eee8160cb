"""A server for all tests of this folder, and slow ones for some; nothing is collected where the extra is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import pytest

NEEDED = ("fastapi", "uvicorn", "openai", "httpx2")
collect_ignore_glob = ["test_*.py"] if any(find_spec(name) is None for name in NEEDED) else []


@pytest.fixture(scope="session")
def server() -> Iterator[Any]:
    from structgen.server.settings import ServerSettings
    from tests.server.kit import Running

    running = Running(ServerSettings(rows=4, compile_seconds=3.0, prompt_tokens=64, packed=False))
    yield running
    running.stop()


@pytest.fixture
def slow_engine() -> Any:
    from structgen import nano
    from tests.server.kit import SlowEngine

    return SlowEngine(*nano.load())


@pytest.fixture
def start(slow_engine: Any) -> Iterator[Callable[..., Any]]:
    """Servers over a model with pauses."""
    from structgen.server.settings import ServerSettings
    from tests.server.kit import Running

    begun: list[Running] = []

    def make(**settings: Any) -> Running:
        options = {"rows": 2, "queue": 1, "packed": False, "drain": 5.0, **settings}
        begun.append(Running(ServerSettings(model=slow_engine, **options)))
        return begun[-1]

    yield make
    slow_engine.pause = 0.0
    for running in begun:
        running.stop()
