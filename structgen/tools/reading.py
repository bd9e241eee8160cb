"""The tokens of an output -> a `Reply`, piece by piece as they come.

    reader = ReplyReader(layout, vocabulary)
    for delta in reader.feed(tokens): ...      what is new: of thinking, text, a call's name, its arguments
    reply = reader.finish()

Reading goes by token ids: a special token has no bytes, and a text that looks like one is text. Special tokens stand in
the text that is read between two characters that no UTF-8 text holds. What might still become a mark, or blanks that
end a section, is held back until it is known what it is; so the pieces, put together, are the reply, wherever the
tokens are cut. Arguments come as JSON text: as they are written where they are JSON, a member at a time where they are
mark-up, whose values are read by the schema ("00123" is a string where a string may stand, and nothing else).

Cost: linear in the text. Raises InvariantError for an output that the layout does not have.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import re
import secrets
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any, Literal

from structgen.errors import InvariantError
from structgen.grammars.tags.marks import Special, cut
from structgen.grammars.tags.markup import MARKUPS, Markup, kinds_of_members
from structgen.python_types.partial import partial_value
from structgen.tools.formats import ToolFormat
from structgen.tools.layout import Layout
from structgen.tools.reply import Reply, ToolCall
from structgen.tools.tool import Tool
from structgen.vocabulary import Vocabulary

__all__ = ["Delta", "ReplyReader"]

OPEN, CLOSE = "\udcff", "\udcfe"  # around the name of a special token: how surrogateescape decodes what spells one
BLANKS = " \t\r\n"
Steps = Generator[None, None, Any]  # waits for more text at each yield
_SCALAR = re.compile(r"[^\"\\{}\[\]]+|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Delta:
    """What is new in a reply: a piece of the thinking, of the text, of the arguments of the call of this place, or its
    whole name (with its id)."""

    kind: Literal["thinking", "text", "name", "arguments"]
    text: str
    call: int | None = None
    id: str | None = None


@dataclass(slots=True)
class _Call:
    """A call being read: `value` is of its arguments once they are complete."""

    tool: Tool
    id: str
    text: str = ""
    value: Any = None
    is_complete: bool = False

    def read(self) -> ToolCall:
        value = self.value if self.is_complete else partial_value(self.text.encode(), is_json=True)
        return ToolCall(self.tool.name, value, self.tool, self.id, self.text, self.is_complete)


class ReplyReader:
    """Reads one output of a layout; see the module. Ids of calls are made of `salt`: equal ones for equal salts."""

    def __init__(self, layout: Layout, vocabulary: Vocabulary, *, salt: str | None = None) -> None:
        self._layout, self._vocabulary = layout, vocabulary
        self._names = tuple(name for name, token in vocabulary.names.items() if token in vocabulary.special_ids)
        stops, used = vocabulary.stop_ids, "".join(layout.marks)
        tokens = {vocabulary.names[name]: name for name in self._names}
        self._stops = tuple(name for token, name in tokens.items() if token in stops and name in used)
        self._spelled = {
            token: f"{OPEN}{name}{CLOSE}" for token, name in tokens.items() if token not in stops or name in used
        }
        self._salt = secrets.token_hex(16) if salt is None else salt
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._begun = False
        self._buffer, self._ended = "", False
        self._deltas: list[Delta] = []
        self._thinking: str | None = None
        self._text = ""
        self._calls: list[_Call] = []
        self._value: Any = None
        self._steps: Steps | None = self._whole()
        self._go_on()

    @property
    def reply(self) -> Reply:
        """What there is so far."""
        return Reply(self._text, tuple(call.read() for call in self._calls), self._thinking, self._value)

    def feed(self, tokens: Iterable[int]) -> list[Delta]:
        """Read on; what is new."""
        for token in tokens:
            if token in self._spelled:
                self._buffer += self._decoder.decode(b"", final=True) + self._spelled[token]
                self._decoder.reset()
            elif token not in self._vocabulary.stop_ids:
                self._buffer += self._decoder.decode(self._vocabulary.decode([token], begins=not self._begun))
            self._begun = True
        self._go_on()
        return self._taken()

    def finish(self) -> Reply:
        """The whole reply: nothing follows. Raises ValueRejected where a tool's own validator refuses arguments."""
        self.end()
        return self.reply

    def end(self) -> list[Delta]:
        """Say that nothing follows; what is new by that."""
        self._buffer += self._decoder.decode(b"", final=True)
        self._ended = True
        self._go_on()
        return self._taken()

    def _taken(self) -> list[Delta]:
        deltas, self._deltas = self._deltas, []
        return deltas

    def _go_on(self) -> None:
        if self._steps is not None:
            try:
                next(self._steps)
            except StopIteration:
                self._steps = None
                if self._buffer.strip(BLANKS):
                    raise InvariantError("an output is one of its layout", f"{self._buffer[:80]!r} is left") from None

    # ----------------------------------------------------------------------------------------------------- the layout

    def _whole(self) -> Steps:
        layout = self._layout
        thought = layout.thought
        if thought is not None:
            begins = thought.when == "begun"
            if thought.when == "ended":
                yield from self._take(thought.end)
            elif thought.when in ("may", "must"):
                begins = yield from self._starts(thought.begin)
            if begins:
                self._thinking = ""
                yield from self._until((thought.end,), self._say_thinking)
        if layout.choice == "required":
            yield from self._blanks()
        elif layout.answer is not None or layout.format.text is not None:
            yield from self._blanks()
            if layout.choice == "none" or not (yield from self._starts(layout.format.trigger, take=False)):
                yield from self._said()
                return
        else:
            ends = (layout.format.trigger,) if layout.choice == "auto" else ()
            if (yield from self._until(ends, self._say, take=False)) is None:
                return
        yield from self._all_calls()

    def _said(self) -> Steps:
        """Text to the end, or an answer."""
        if self._layout.format.text is not None:
            yield from self._take(self._layout.format.text[0])
        yield from self._until(self._stops, self._say)
        if self._layout.answer is not None:
            self._value = self._layout.answer.read(self._text)

    def _all_calls(self) -> Steps:
        found = self._layout.format
        if found.section is not None:
            yield from self._one_of(found.spelled(found.section[0]))
        while True:
            yield from self._call()
            if found.section is None:
                if found.between is None or not (yield from self._goes_on(found)):
                    return
                continue
            if (yield from self._starts(found.section[1])) or (self._ended and not self._buffer):
                return
            yield from self._take(found.between or "")

    def _goes_on(self, found: ToolFormat) -> Steps:
        """Whether another call follows; what stands between the two is taken."""
        for between in found.spelled(found.between or ""):
            if (yield from self._starts(between + found.trigger, take=False)):
                yield from self._take(between)
                return True
        return False

    def _call(self) -> Steps:
        found = self._layout.format
        match = yield from self._match(_opening(found.begin, self._layout.tools, self._names))
        tool = next(tool for tool in self._layout.tools if tool.name == match["name"])
        call = _Call(tool, _new_id(found.ids, tool, len(self._calls), self._salt))
        self._calls.append(call)
        self._deltas.append(Delta("name", tool.name, len(self._calls) - 1, call.id))
        if found.style == "json":
            yield from self._json()
            call.value = tool.target.read(call.text)
            yield from self._take(found.end)
        else:
            yield from self._members(call, MARKUPS[found.style], found.end)
        call.is_complete = True

    # -------------------------------------------------------------------------------------------------- arguments

    def _write(self, text: str) -> None:
        """Arguments of the last call."""
        if text:
            self._calls[-1].text += text
            self._deltas.append(Delta("arguments", text, len(self._calls) - 1))

    def _json(self) -> Steps:
        """A JSON object, as it is written."""
        depth, inside, escaped = 0, False, False
        while True:
            for at, letter in enumerate(self._buffer):
                if inside:
                    escaped, inside = letter == "\\" and not escaped, escaped or letter != '"'
                elif letter == '"':
                    inside = True
                else:
                    depth += (letter in "{[") - (letter in "}]")
                    if not depth:
                        self._write(self._buffer[: at + 1])
                        self._buffer = self._buffer[at + 1 :]
                        return
            self._write(self._buffer)
            self._buffer = ""
            if self._ended:
                return
            yield

    def _members(self, call: _Call, markup: Markup, end: str) -> Steps:
        """Members of mark-up, a JSON member for each; from the first that could be read in two ways all at the end."""
        kinds = _kinds(call.tool)
        opening = _member(markup, self._names)
        readings: list[list[str]] = []
        self._write("{")
        written = 0
        while True:
            yield from self._blanks()
            if (yield from self._starts(end)):
                break
            match = yield from self._match(opening)
            raw = yield from self._text_until(markup.close.replace("{key}", match["key"]))
            name = json.dumps(match["key"], ensure_ascii=False)
            readings.append([f"{name}: {value}" for value in _values(raw, kinds.get(match["key"]), markup)])
            while written < len(readings) and len(readings[written]) == 1:
                self._write(("" if not written else ", ") + readings[written][0])
                written += 1
        rest = self._resolved(call, readings, written)
        self._write(", " * bool(written and rest) + ", ".join(rest) + "}")

    def _resolved(self, call: _Call, readings: list[list[str]], written: int) -> list[str]:
        """The members that are still to be written, in the first reading that the tool accepts."""
        fault: InvariantError | None = None
        for members in product(*readings):
            try:
                call.value = call.tool.target.read("{" + ", ".join(members) + "}")
                return list(members[written:])
            except InvariantError as error:
                fault = fault or error
        assert fault is not None
        raise fault

    # ------------------------------------------------------------------------------------------------------ scanning

    def _say(self, text: str) -> None:
        self._text += text
        self._deltas.append(Delta("text", text))

    def _say_thinking(self, text: str) -> None:
        self._thinking = (self._thinking or "") + text
        self._deltas.append(Delta("thinking", text))

    def _mark(self, text: str) -> str:
        """A mark as it stands in the buffer."""
        return _spelled(text, self._names)

    def _until(self, ends: Sequence[str], say: Callable[[str], None], *, take: bool = True) -> Steps:
        """Say what comes before the first of some marks, blanks at its ends left out; the mark, None at the end."""
        marks = [self._mark(end) for end in ends]
        begun = False
        while True:
            found = [(at, mark) for mark in marks if (at := self._buffer.find(mark)) >= 0]
            at, mark = min(found, default=(len(self._buffer), None))
            over = mark is not None or self._ended
            kept = 0 if over else max((_overlap(self._buffer, each) for each in marks), default=0)
            text, rest = self._buffer[: at - kept], self._buffer[at - kept :]
            if not begun:
                text = text.lstrip(BLANKS)
            begun = begun or bool(text)
            said = text.rstrip(BLANKS)
            if said:
                say(said)
            if over:
                self._buffer = rest[len(mark) if mark is not None and take else 0 :]
                return mark
            self._buffer = text[len(said) :] + rest
            yield

    def _text_until(self, end: str) -> Steps:
        """The text before a mark, which is taken too."""
        mark = self._mark(end)
        while (at := self._buffer.find(mark)) < 0:
            if self._ended:
                raise InvariantError("an output is one of its layout", f"{end!r} is missing")
            yield
        text, self._buffer = self._buffer[:at], self._buffer[at + len(mark) :]
        return text

    def _starts(self, text: str, *, take: bool = True) -> Steps:
        """Whether the rest begins with a mark, which is taken then."""
        mark = self._mark(text)
        while len(self._buffer) < len(mark) and mark.startswith(self._buffer) and not self._ended:
            yield
        found = bool(mark) and self._buffer.startswith(mark)
        if found and take:
            self._buffer = self._buffer[len(mark) :]
        return found

    def _take(self, text: str) -> Steps:
        """Take a mark. At the end of an output it may be missing: a stop token is not among an output's tokens."""
        if text and not (yield from self._starts(text)) and not (self._ended and not self._buffer):
            raise InvariantError("an output is one of its layout", f"{text!r} is missing before {self._buffer[:80]!r}")

    def _one_of(self, texts: Sequence[str]) -> Steps:
        """Take one of several marks, none of which begins another."""
        for text in texts[:-1]:
            if (yield from self._starts(text)):
                return
        yield from self._take(texts[-1])

    def _match(self, pattern: re.Pattern[str]) -> Steps:
        """Take what a pattern matches that ends with a mark."""
        while (match := pattern.match(self._buffer)) is None:
            if self._ended:
                raise InvariantError("an output is one of its layout", f"no call begins with {self._buffer[:80]!r}")
            yield
        self._buffer = self._buffer[match.end() :]
        return match

    def _blanks(self) -> Steps:
        """Leave out blanks."""
        while True:
            self._buffer = self._buffer.lstrip(BLANKS)
            if self._buffer or self._ended:
                return
            yield


def _overlap(text: str, mark: str) -> int:
    """How much of a mark a text ends with."""
    return next((size for size in range(min(len(mark) - 1, len(text)), 0, -1) if text.endswith(mark[:size])), 0)


@lru_cache(maxsize=1024)
def _spelled(text: str, names: tuple[str, ...]) -> str:
    return "".join(f"{OPEN}{p.name}{CLOSE}" if isinstance(p, Special) else p for p in cut(text, names))


@lru_cache(maxsize=256)
def _opening(begin: str, tools: tuple[Tool, ...], names: tuple[str, ...]) -> re.Pattern[str]:
    """What stands before the arguments of a call. Names are tried longest first: one may begin another."""
    before, _, behind = begin.partition("{name}")
    known = "|".join(re.escape(name) for name in sorted((tool.name for tool in tools), key=len, reverse=True))
    after = "[0-9]+".join(re.escape(_spelled(part, names)) for part in behind.split("{number}"))
    whole = "" if after else r"(?=[^A-Za-z0-9_.\-/])"  # of a name that nothing follows, all must be there
    return re.compile(f"{re.escape(_spelled(before, names))}(?P<name>{known}){whole}{after}")


@lru_cache(maxsize=64)
def _member(markup: Markup, names: tuple[str, ...]) -> re.Pattern[str]:
    """What stands before the value of a member."""
    before, behind = (re.escape(_spelled(part, names)) for part in markup.open.split("{key}"))
    return re.compile(f"{before}(?P<key>{markup.names}){behind}".replace(re.escape("{gap}"), rf"[{BLANKS}]*"))


@lru_cache(maxsize=512)
def _kinds(tool: Tool) -> dict[str, frozenset[str]]:
    return kinds_of_members(tool.target.enforced)


def _values(raw: str, kinds: frozenset[str] | None, markup: Markup) -> list[str]:
    """What a text of mark-up may be, as JSON, the likeliest first: a value that is no string if it is one and one may
    stand there, else the string. `kinds` are those that may, None where that is not known."""
    string = raw
    if markup.lines:
        string = string.removeprefix("\n").removesuffix("\n")
    found = []
    if kinds is None or kinds - {"string"}:
        found += [raw.strip(BLANKS)] if _is_value(raw) else []
    if kinds is None or "string" in kinds:
        found.append(json.dumps(string, ensure_ascii=False))
    return found


def _is_value(text: str) -> bool:
    """Whether a text is JSON, and no string."""
    try:
        return not isinstance(json.loads(text, parse_constant=_refused), str)
    except ValueError:
        return False


def _refused(constant: str) -> Any:
    raise ValueError(constant)


def _new_id(form: str, tool: Tool, number: int, salt: str) -> str:
    """An id as a format has them."""
    if form == "numbered":
        return f"functions.{tool.name}:{number}"
    digits = hashlib.sha256(f"{salt}|{number}".encode()).hexdigest()
    return digits[:9] if form == "nine" else f"call_{digits[:24]}"
