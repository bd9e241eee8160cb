"""uvicorn around a service, and an end that loses no answer.

At SIGTERM or Ctrl-C no request is taken any more (503), those that run get `drain` seconds, then constrained outputs
are completed where they are, others get an error as an event, and only then the sockets close. A second signal ends at
once.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn

from structgen.server.app import make_app
from structgen.server.service import Service
from structgen.server.settings import ServerSettings

__all__ = ["Serving", "serve"]


class Serving(uvicorn.Server):
    """uvicorn's server with an end of its own."""

    def __init__(self, service: Service, **options: Any) -> None:
        config = uvicorn.Config(make_app(service), log_level="warning", timeout_graceful_shutdown=5, **options)
        super().__init__(config)
        self.service = service
        service.on_failure = self.leave
        self._ending: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals begin the end (`leave`); in a thread that is not the main one there are none."""
        loop = asyncio.get_running_loop()
        kinds: tuple[signal.Signals, ...] = (signal.SIGTERM, signal.SIGINT)
        try:
            for kind in kinds:
                loop.add_signal_handler(kind, self.leave)
        except (RuntimeError, ValueError, NotImplementedError):
            kinds = ()
        try:
            yield
        finally:
            for kind in kinds:
                loop.remove_signal_handler(kind)

    def leave(self) -> None:
        """Begin the end; called again, end at once. In the event loop's thread."""
        if self._ending is None:
            self._ending = asyncio.get_running_loop().create_task(self._leave())
        else:
            self.should_exit = self.force_exit = True

    async def _leave(self) -> None:
        await self.service.drain()
        self.should_exit = True


def serve(settings: ServerSettings, *, host: str, port: int, listens: Callable[[str], object]) -> None:
    """Serve until a signal ends it; `listens` is told the URL. Raises OSError where the address cannot be had, and what
    loading the model raises."""
    with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as listening:
        address = listening.getsockname()
        listens(f"http://{f'[{address[0]}]' if ':' in host else address[0]}:{address[1]}")
        service = Service(settings)
        asyncio.run(Serving(service).serve(sockets=[listening]))
        if service.failure is not None:
            raise service.failure
