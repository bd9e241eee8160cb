"""A language server as an analysis: documents, one question in flight in each, names out of completion lists.

A question's text is put into a document that no file stands for, whole, and one completion is asked for at its end
(before the closing brackets that are due and the rest of the file). Several documents take turns, so that questions may
be asked ahead (`begin`); of one document the next text is never sent before the last answer has come: servers answer
from what they hold then.

Readiness is an answer that is known beforehand (`"a".` offers `upper`), not any answer. A server that dies is started
once more; after that, and whenever it is late or answers what says nothing, the analysis is silent, with the reason.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from structgen.errors import ServerError
from structgen.memory import Bounded
from structgen.monitors.analyses.catalogue import Server, find
from structgen.monitors.analyses.document import answer_of, fingerprint_of, text_of
from structgen.monitors.analyses.positions import end_of, offset_of
from structgen.monitors.analyses.wire import RemoteError, ServerLate, Wire
from structgen.monitors.question import Answer, Question, Silent
from structgen.monitors.signatures import Signature, Signatures, signature_of

__all__ = ["Session", "server"]

AGAIN = (-32801, -32802)  # content modified, server cancelled: ask again
TRIES = 4
MOST_ANSWERS = 20_000
KEYWORD, SNIPPET, TEXT = 14, 15, 1  # kinds of completion items that are no members
LATE, GONE = "the server was late", "the server is gone"
HANDSHAKE, READY = 30.0, 60.0  # seconds
_VERSION = re.compile(r"\d+(?:\.\d+)+")
_NAME = re.compile(r"(?!\d)[\w$]+")
METHODS = {
    "members": "textDocument/completion",
    "cases": "textDocument/completion",
    "signatures": "textDocument/signatureHelp",
}


class Asked(NamedTuple):
    """A question on its way: the number and address of the document it is asked in, what about, the place in it, the
    text up to there and all of it, the number of the request, and since when."""

    place: int
    uri: str
    about: str
    where: dict[str, Any]
    before: str
    text: str
    number: int
    since: float


class Session:
    """A running server (monitors.Analysis). `with` ends it. `deadline`: seconds that a question may take; `documents`:
    how many are held at once, each with one question; else as the catalogue says.

    Raises ServerError where the server cannot be started or never gets ready.
    """

    def __init__(
        self,
        server: Server,
        root: str | os.PathLike[str],
        *,
        deadline: float | None = None,
        documents: int | None = None,
    ) -> None:
        self.server, self.root, self.restarts = server, Path(root).resolve(), 0
        self.deadline = server.deadline if deadline is None else deadline
        self._documents = documents or server.documents
        self._lock = threading.RLock()
        self._answers: Bounded[bytes, Any] = Bounded(MOST_ANSWERS)  # Answer, or Signatures
        self._start()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Session({self.server.name} {self.version})"

    @property
    def fingerprint(self) -> str:
        """Of the server, its version, and the files of the project as they are."""
        return fingerprint_of(f"{self.server.name} {self.version}", self.root, self.server.files)

    def close(self) -> None:
        """End the server; nothing is left behind."""
        self._wire.close()

    def forget(self) -> None:
        """Ask everything anew: for when a file of the project has changed."""
        with self._lock:
            self._answers.clear()
            for asked in self._begun.values():
                self._wire.drop(asked.number)
                self._drop(asked)
            self._begun.clear()

    # --------------------------------------------------------------------------------------------------------- start

    def _start(self) -> None:
        command = self.server.command(self.root)
        self._wire = Wire(command, cwd=str(self.root), answer=self._asked_back)
        self._opened: dict[str, int] = {}
        self._free = deque(range(self._documents))
        self._begun: dict[bytes, Asked] = {}
        try:
            self._shake_hands()
            self._wait_until_ready()
        except (ServerLate, RemoteError) as error:
            self._wire.close()
            raise ServerError(str(error), command=command) from error
        except ServerError:
            self._wire.close()
            raise

    def _shake_hands(self) -> None:
        uri = self.root.as_uri()
        items = {"snippetSupport": False, "insertReplaceSupport": True}
        capabilities = {
            "general": {"positionEncodings": ["utf-8", "utf-16"]},
            "textDocument": {
                "completion": {"completionItem": items},
                "signatureHelp": {"signatureInformation": {"parameterInformation": {"labelOffsetSupport": False}}},
                "synchronization": {"didSave": False},
            },
            "workspace": {"configuration": True, "workspaceFolders": True},
        }
        given = {
            "processId": os.getpid(), "rootUri": uri, "capabilities": capabilities,
            "workspaceFolders": [{"uri": uri, "name": self.root.name}], "initializationOptions": self.server.options,
        }  # fmt: skip
        result = self._wire.request("initialize", given, HANDSHAKE)
        self.encoding = (result.get("capabilities") or {}).get("positionEncoding") or "utf-16"
        said = str((result.get("serverInfo") or {}).get("version") or "?")
        number = _VERSION.search(said)  # of clangd's line about its system
        self.version = number[0] if number else said
        self._wire.notify("initialized", {})

    def _wait_until_ready(self) -> None:
        text, name = self.server.canary
        deadline = time.monotonic() + READY
        while True:
            answer = self._ask(Question("canary" + self.server.suffix, text.encode()), 5.0)
            if not isinstance(answer, Silent) and name.encode() in answer:
                return
            if time.monotonic() > deadline:
                raise ServerLate(f"it does not know {text!r} {name!r} after {READY:g} s")
            time.sleep(0.05)

    def _asked_back(self, method: str, params: Any) -> Any:
        """What the server asks of us: settings, which are its own."""
        if method == "workspace/configuration":
            return [self.server.settings] * len((params or {}).get("items") or [])
        if method == "workspace/workspaceFolders":
            return [{"uri": self.root.as_uri(), "name": self.root.name}]
        return None

    # ----------------------------------------------------------------------------------------------------- questions

    def members(self, question: Question) -> Answer:
        """The members at the place of a question; Silent where the server is late, gone, or says nothing of use."""
        found: Answer = self._answer(question)
        return found

    def signatures(self, question: Question) -> Signatures | Silent:
        """The signatures of the call that a question is about; Silent as for `members`."""
        found: Signatures | Silent = self._answer(question)
        return found

    def _answer(self, question: Question) -> Any:
        key = _key(question)
        with self._lock:
            known = self._answers.get(key)
            if known is not None:
                return known
            return self._remembered(key, self._asked_once_more(key, question))

    def begin(self, question: Question) -> None:
        """Ask what will be wanted soon, and do not wait. Nothing happens where all documents but one are in use."""
        key = _key(question)
        with self._lock:
            if key in self._answers or key in self._begun:
                return
            with suppress(ServerError):  # members() finds it gone as well, and says so
                self._tidy()
                if len(self._free) > 1:
                    self._begun[key] = self._sent(question)

    def _tidy(self) -> None:
        """Take the answers that have come to what nobody asked for since, and drop what is late."""
        for key, asked in list(self._begun.items()):
            if self._wire.has_result(asked.number):
                self._remembered(key, self._received(self._begun.pop(key), self.deadline))
            elif time.monotonic() - asked.since > self.deadline:
                self._wire.drop(asked.number)
                self._drop(self._begun.pop(key))

    def _remembered(self, key: bytes, answer: Any) -> Any:
        lost = isinstance(answer, Silent) and answer.reason in (LATE, GONE)
        return answer if lost else self._answers.remember(key, answer)

    def _asked_once_more(self, key: bytes, question: Question) -> Any:
        """Ask; if the server is gone, start it once more and ask again."""
        try:
            begun = self._begun.pop(key, None)
            return self._ask(question, self.deadline) if begun is None else self._received(begun, self.deadline)
        except ServerError:
            if self.restarts:
                return Silent(GONE)
        self.restarts += 1
        self._wire.close()
        try:
            self._start()
            return self._ask(question, self.deadline)
        except ServerError:
            return Silent(GONE)

    def _ask(self, question: Question, seconds: float) -> Any:
        return self._received(self._sent(question), seconds)

    def _sent(self, question: Question) -> Asked:
        """A question on its way, in a document of its own."""
        before, text = text_of(question)
        place = self._free.popleft()
        uri, about = self._show(question.path, place, text), question.about
        where = {"textDocument": {"uri": uri}, "position": end_of(before, self.encoding)}
        return Asked(place, uri, about, where, before, text, self._wire.ask(METHODS[about], where), time.monotonic())

    def _received(self, asked: Asked, seconds: float) -> Any:
        """The answer to a question, and its document free again."""
        deadline, number = time.monotonic() + seconds, asked.number
        for _ in range(TRIES):
            try:
                found = self._wire.result(number, max(deadline - time.monotonic(), 0.001))
            except RemoteError as error:
                if error.code in AGAIN:
                    number = self._wire.ask(METHODS[asked.about], asked.where)
                    continue
                self._free.append(asked.place)
                return Silent("the server answered with an error")
            except ServerLate:
                self._drop(asked)  # its answer may come when another is waited for
                return Silent(LATE)
            self._free.append(asked.place)
            return _signatures(found) if asked.about == "signatures" else self._names(found, asked)
        self._wire.drop(number)
        self._drop(asked)
        return Silent(LATE)

    def _show(self, path: str, place: int, text: str) -> str:
        """Put a whole text into one of the documents that stand beside a file."""
        file = (self.root / path).resolve()
        uri = file.with_name(f"{file.stem}_ahead_{place}{file.suffix or self.server.suffix}").as_uri()
        if uri not in self._opened:
            self._opened[uri] = 1
            opened = {"uri": uri, "languageId": self.server.language, "version": 1, "text": text}
            self._wire.notify("textDocument/didOpen", {"textDocument": opened})
        else:
            self._opened[uri] += 1
            changed = {"textDocument": {"uri": uri, "version": self._opened[uri]}, "contentChanges": [{"text": text}]}
            self._wire.notify("textDocument/didChange", changed)
        return uri

    def _drop(self, asked: Asked) -> None:
        """Close a document whose answer nobody waits for."""
        self._free.append(asked.place)
        del self._opened[asked.uri]
        self._wire.notify("textDocument/didClose", {"textDocument": {"uri": asked.uri}})

    def _names(self, found: Any, asked: Asked) -> Answer:
        """The names of a completion list: what stands behind the cursor once an item's edit is made."""
        items = found.get("items") if isinstance(found, dict) else found
        names = set[bytes]()
        for item in items or ():
            if item.get("kind") in (KEYWORD, SNIPPET, TEXT) or item.get("additionalTextEdits"):
                continue
            name = self._name(item, asked.before, asked.text)
            if name is not None:
                names.add(name.encode())
        return answer_of(names, self.server.hidden if asked.about == "members" else frozenset())

    def _name(self, item: dict[str, Any], before: str, text: str) -> str | None:
        edit = item.get("textEdit")
        if not edit:
            written = item.get("insertText") or item.get("label") or ""
        else:
            area = edit.get("range") or edit.get("insert")
            start = offset_of(text, area["start"], self.encoding)
            if start > len(before) or not edit["newText"].startswith(before[start:]):
                return None
            written = edit["newText"][len(before) - start :]
        name = written.removesuffix("()").removesuffix("(")
        return name if _NAME.fullmatch(name) else None


def _signatures(found: Any) -> Signatures | Silent:
    """The signatures of signature help; of one that is not understood nothing is known of any."""
    read = list[Signature]()
    for each in (found or {}).get("signatures") or ():
        shown = [one["label"] for one in each.get("parameters") or ()]  # or places in the signature's own
        one = signature_of(
            each["label"], [name if isinstance(name, str) else each["label"][slice(*name)] for name in shown]
        )
        if not one:
            return Silent("a signature with unknown parameters")
        read += one
    return tuple(read) or Silent("nothing is known here")


def _key(question: Question) -> bytes:
    return hashlib.sha256(repr(question).encode()).digest()


def server(name: str, root: str | os.PathLike[str] = ".", **options: Any) -> Session:
    """A session with the server of this name, or with the first that is installed for a language ("python").

    Raises OptionError for a name that is not known, ServerError where nothing is installed or it does not start.
    """
    return Session(find(name, root), root, **options)
