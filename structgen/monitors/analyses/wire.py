"""JSON-RPC 2.0 over the pipes of a process, as language servers speak it: requests that wait with a deadline, answers
to what the server asks itself, notifications, an honest end.

A thread reads; what nobody waits for any more is dropped. Whatever the server does (it dies, stays silent, sends half a
message), `request` returns a result, or raises: RemoteError for an error it answered, ServerLate at the deadline,
ServerError once it is gone. Source: the Language Server Protocol, base protocol.
"""

from __future__ import annotations

import atexit
import json
import subprocess
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from structgen.errors import ServerError

__all__ = ["RemoteError", "ServerLate", "Wire"]

MOST_BYTES = 64 << 20  # of one message
LAST_LINES = 12  # of what a server says on stderr


class RemoteError(Exception):
    """The server answered a request with an error of this code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code


class ServerLate(Exception):
    """No answer before the deadline."""


class Wire:
    """A running server. `answer(method, params)` answers the server's own requests. Thread-safe."""

    def __init__(self, command: Sequence[str], *, cwd: str, answer: Callable[[str, Any], Any]) -> None:
        self.command, self._answer = list(command), answer
        try:
            self._process = subprocess.Popen(
                self.command, cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        except OSError as error:
            raise ServerError(f"cannot be started: {error}", command=self.command) from error
        self._changed = threading.Condition()
        self._results: dict[int, Any] = {}
        self._waiting: set[int] = set()
        self._next, self._gone = 0, ""
        self._said: deque[str] = deque(maxlen=LAST_LINES)
        self._sending = threading.Lock()
        _running.add(self)
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._read, self._listen)]
        for thread in self._threads:
            thread.start()

    @property
    def alive(self) -> bool:
        """Whether the process runs and speaks."""
        return not self._gone and self._process.poll() is None

    def request(self, method: str, params: Any, seconds: float) -> Any:
        """The result of a request. Raises RemoteError, ServerLate, ServerError."""
        return self.result(self.ask(method, params), seconds)

    def ask(self, method: str, params: Any) -> int:
        """Send a request; its number, for `result` or `drop`. Raises ServerError."""
        with self._changed:
            self._next += 1
            number = self._next
            self._waiting.add(number)
        self._send({"id": number, "method": method, "params": params})
        return number

    def has_result(self, number: int) -> bool:
        """Whether `result` would not wait."""
        return number in self._results

    def drop(self, number: int) -> None:
        """Wait for the result of a request no more."""
        with self._changed:
            self._waiting.discard(number)
            self._results.pop(number, None)

    def result(self, number: int, seconds: float) -> Any:
        """The result of a request that was sent. Raises RemoteError, ServerLate, ServerError."""
        try:
            deadline = time.monotonic() + seconds
            with self._changed:
                while number not in self._results:
                    left = deadline - time.monotonic()
                    if self._gone:
                        raise self._error()
                    if left <= 0:
                        raise ServerLate(f"no answer in {seconds:g} s")
                    self._changed.wait(left)
                message = self._results.pop(number)
        finally:
            self.drop(number)
        if "error" in message:
            error = message["error"] or {}
            raise RemoteError(int(error.get("code", 0)), str(error.get("message", "")))
        return message.get("result")

    def notify(self, method: str, params: Any) -> None:
        """Say something that is not answered. Raises ServerError."""
        self._send({"method": method, "params": params})

    def close(self, seconds: float = 2.0) -> None:
        """Ask it to end, then end it. Nothing is left behind."""
        if self.alive:
            with suppress(RemoteError, ServerLate, ServerError):
                self.request("shutdown", None, seconds)
                self.notify("exit", None)
        self._lost("was closed")
        process = self._process
        pipes = [pipe for pipe in (process.stdin, process.stdout, process.stderr) if pipe is not None]
        with suppress(OSError):
            pipes[0].close()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for thread in self._threads:
            thread.join(seconds)
        for pipe in pipes[1:]:
            pipe.close()
        _running.discard(self)

    # ------------------------------------------------------------------------------------------------------ messages

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        with self._sending:
            try:
                assert self._process.stdin is not None
                self._process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
                self._process.stdin.flush()
            except (OSError, ValueError):
                self._lost("does not read any more")
                raise self._error() from None

    def _read(self) -> None:
        try:
            while (message := self._message()) is not None:
                self._take(message)
            self._lost("ended")
        except (OSError, ValueError, AttributeError, KeyError) as error:
            self._lost(f"wrote what is no message: {error}")

    def _message(self) -> dict[str, Any] | None:
        stream, size = self._process.stdout, None
        assert stream is not None
        while (line := stream.readline(4096)).strip():
            name, _, value = line.partition(b":")
            if name.strip().lower() == b"content-length":
                size = int(value)
        if not line:
            return None
        if size is None or not 0 <= size <= MOST_BYTES:
            raise ValueError(f"a message of {size} bytes")
        body = stream.read(size)
        if len(body) < size:
            return None
        message = json.loads(body)
        if not isinstance(message, dict):
            raise ValueError(f"a message is an object, not {type(message).__name__}")
        return message

    def _take(self, message: dict[str, Any]) -> None:
        if "method" in message:
            if "id" in message:
                self._send({"id": message["id"], "result": self._answer(message["method"], message.get("params"))})
            return
        with self._changed:
            if message["id"] in self._waiting:
                self._results[message["id"]] = message
                self._changed.notify_all()

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._said.append(line.decode("utf-8", "replace").rstrip())

    def _lost(self, why: str) -> None:
        with self._changed:
            self._gone = self._gone or why
            self._changed.notify_all()

    def _error(self) -> ServerError:
        said = " | ".join(self._said)
        return ServerError(f"{self._gone}{': ' + said if said else ''}", command=self.command)


_running: weakref.WeakSet[Wire] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for wire in list(_running):
        wire.close(0.5)
