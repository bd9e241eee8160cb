"""The language servers that are known: how each is started and spoken to. Another is one entry.

What each was tried with stands in docs/monitors.md.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from structgen.errors import OptionError, ServerError

__all__ = ["PREFERRED", "PYTHON", "SERVERS", "Server", "find"]

ROOT = "ROOT"  # of the project, in a server's arguments
JAVAC = Path(__file__).with_name("javac") / "MemberServer.java"
PYTHON = frozenset((b"__class__", b"__dict__", b"__doc__", b"__module__"))
_OBJECT = frozenset(
    b"constructor hasOwnProperty isPrototypeOf propertyIsEnumerable toLocaleString toString valueOf".split()
)


@dataclass(frozen=True, slots=True)
class Server:
    """A language server.

    field     meaning
    program   its file name, then its arguments;  others: other file names it may have
    install   how to get it
    language  the protocol's name of the language, which is the lexer's
    suffix    of its files;  files: a pattern of them
    canary    a text, and a name that must be among its members
    hidden    names that it does not list and the language allows
    deadline  seconds that a question may take, unless a session says otherwise;  documents: how many it holds at once
    options   of `initialize`;  settings: what it is told when it asks for its configuration
    """

    name: str
    program: tuple[str, ...]
    install: str
    language: str = "python"
    suffix: str = ".py"
    files: str = "*.py"
    canary: tuple[str, str] = ('"a".', "upper")
    hidden: frozenset[bytes] = PYTHON
    others: tuple[str, ...] = ()
    deadline: float = 0.5
    documents: int = 8
    options: dict[str, Any] = field(default_factory=dict, hash=False)
    settings: Any = None

    def found(self, root: str | os.PathLike[str] = ".") -> str | None:
        """Where its program is: beside this Python, in the project's node_modules, or on the path."""
        for name in (self.program[0], *self.others):
            for folder in (Path(sys.executable).parent, Path(root, "node_modules", ".bin").resolve()):
                if (folder / name).exists():
                    return str(folder / name)
            if (found := shutil.which(name)) is not None:
                return found
        return None

    def command(self, root: str | os.PathLike[str] = ".") -> list[str]:
        """How it is started for a project. Raises ServerError, which says how to install it, if it is not there."""
        path = self.found(root)
        if path is None:
            raise ServerError(f"is not installed: {self.install}", command=list(self.program))
        return [path, *(str(Path(root).resolve()) if each == ROOT else each for each in self.program[1:])]


SERVERS = {
    server.name: server
    for server in (
        Server("ty", ("ty", "server"), "pip install ty"),
        Server("pyrefly", ("pyrefly", "lsp"), "pip install pyrefly"),
        Server(
            "basedpyright", ("basedpyright-langserver", "--stdio"), "pip install basedpyright", deadline=2, settings={}
        ),
        Server(
            "tsc", ("tsc", "--lsp", "--stdio"), "npm install typescript@7",
            "typescript", ".ts", "*.ts", ('"a".', "toUpperCase"), _OBJECT,
        ),
        Server(
            "clangd",
            ("clangd", "--limit-results=0", "--header-insertion=never", "--completion-parse=always", "--log=error"),
            "apt-get install clangd, or what your system calls it",
            "cpp", ".cpp", "*.[ch]*", ("struct A { int canary; }; int f(A a) { return a.", "canary"),
            frozenset((b"operator", b"template")), tuple(f"clangd-{number}" for number in range(29, 15, -1)),
            deadline=3, documents=2,  # a document's first question compiles its headers
        ),
        Server(
            "javac", ("java", "-XX:+UseSerialGC", "-Xshare:auto", str(JAVAC), ROOT), "a JDK of version 17 or newer",
            "java", ".java", "*.java", ('class A { int f() { return "a".', "trim"),
            frozenset((b"class", b"new", b"super", b"this")), documents=2,
        ),
    )
}  # fmt: skip
PREFERRED = {
    "python": ("ty", "pyrefly", "basedpyright"),
    "typescript": ("tsc",),
    "cpp": ("clangd",),
    "java": ("javac",),
}


def find(name: str, root: str | os.PathLike[str] = ".") -> Server:
    """The server of a name, or the first installed one of a language. Raises OptionError, ServerError."""
    if name in SERVERS:
        return SERVERS[name]
    if name not in PREFERRED:
        known = ", ".join((*PREFERRED, *SERVERS))
        raise OptionError(f"there is no server or language {name!r}; there are {known}", option="server")
    for each in PREFERRED[name]:
        if SERVERS[each].found(root) is not None:
            return SERVERS[each]
    ways = "; ".join(SERVERS[each].install for each in PREFERRED[name])
    raise ServerError(f"no server for {name} is installed: {ways}", command=[name])
