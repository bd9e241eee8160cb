"""The language servers that are known: how each is started and spoken to. Another is one entry.

What each was tried with stands in docs/monitors.md.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from structgen.errors import OptionError, ServerError

__all__ = ["PREFERRED", "SERVERS", "Server", "find"]

_PYTHON = frozenset((b"__class__", b"__dict__", b"__doc__", b"__module__"))


@dataclass(frozen=True, slots=True)
class Server:
    """A language server.

    field     meaning
    program   its file name, then its arguments
    install   how to get it
    language  the protocol's name of the language;  suffix: of its files;  files: a pattern of them
    canary    a text, and a name that must be among its members
    hidden    names that it does not list and the language allows
    options   of `initialize`;  settings: what it is told when it asks for its configuration
    """

    name: str
    program: tuple[str, ...]
    install: str
    language: str = "python"
    suffix: str = ".py"
    files: str = "*.py"
    canary: tuple[str, str] = ('"a".', "upper")
    hidden: frozenset[bytes] = _PYTHON
    options: dict[str, Any] = field(default_factory=dict, hash=False)
    settings: Any = None

    def found(self) -> str | None:
        """Where its program is: beside this Python, or on the path."""
        beside = Path(sys.executable).with_name(self.program[0])
        return str(beside) if beside.exists() else shutil.which(self.program[0])

    def command(self) -> list[str]:
        """How it is started. Raises ServerError, which says how to install it, if it is not there."""
        path = self.found()
        if path is None:
            raise ServerError(f"is not installed: {self.install}", command=list(self.program))
        return [path, *self.program[1:]]


SERVERS = {
    server.name: server
    for server in (
        Server("ty", ("ty", "server"), "pip install ty"),
        Server("pyrefly", ("pyrefly", "lsp"), "pip install pyrefly"),
        Server("basedpyright", ("basedpyright-langserver", "--stdio"), "pip install basedpyright", settings={}),
    )
}
PREFERRED = {"python": ("ty", "pyrefly", "basedpyright")}


def find(name: str) -> Server:
    """The server of a name, or the first installed one of a language. Raises OptionError, ServerError."""
    if name in SERVERS:
        return SERVERS[name]
    if name not in PREFERRED:
        known = ", ".join((*PREFERRED, *SERVERS))
        raise OptionError(f"there is no server or language {name!r}; there are {known}", option="server")
    for each in PREFERRED[name]:
        if SERVERS[each].found() is not None:
            return SERVERS[each]
    ways = "; ".join(SERVERS[each].install for each in PREFERRED[name])
    raise ServerError(f"no server for {name} is installed: {ways}", command=[name])
