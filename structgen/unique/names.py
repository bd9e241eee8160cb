"""New names where the names of an object must differ: what completes the text behind one completes it behind others.

After the same configuration the same bytes complete the text whatever the name was, unless they hold that very name
once more. So of the tokens that go on with a name, or end one, which is like none that was written, a few are tried
that stand for many: those after which the shortest bytes end the name alike share what follows its quotation mark, and
those that end it themselves share what they say from there on.

Cost: a way on for each configuration behind a quotation mark, and some microseconds for each token with a quotation
mark or an escape; the others are looked up by what such ways hold.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from structgen.unique.automaton import DistinctConfigurations
from structgen.unique.tokens import CLOSING, TokenClasses
from structgen.unique.trace import INSIDE, NO_VALUE, OUTSIDE, Frame, Trace
from structgen.unique.values import open_string, whole_string

__all__ = ["BRACKETS", "FEW", "NewNames", "begins_name", "one_of_each"]

FEW = 300  # tokens that are looked at one by one
MOST_TRIED = 8  # names of a group that no way leads on from, before all others are tried
NAME = re.compile(rb'(?:[^"\\]|\\u[0-9a-fA-F]{4}|\\[^u])*', re.DOTALL)  # as far as its escapes are complete
STRING = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL)
BRACKETS = re.compile(rb"[\[{]")
QUOTE = b'"'

Ints = NDArray[np.int64]


class _Way(NamedTuple):
    """A completion behind a name that is open: what it adds to the name, and all strings that come then."""

    rest: bytes
    strings: frozenset[bytes]


class _Naming(NamedTuple):
    """A token that goes on with a name: the name with it, and what it says behind that: the beginning of an escape, or
    everything from the quotation mark on that ends the name."""

    name: bytes
    tail: bytes

    @property
    def is_ended(self) -> bool:
        """Whether the name is whole."""
        return self.tail[:1] == QUOTE


def begins_name(trace: Trace) -> bool:
    """Whether a name is open, or may begin, where nothing but names is compared, in the only container that is open."""
    frame: Frame | None = trace.frames[-1] if trace.frames else None
    if frame is None or len(trace.frames) > 1 or frame.is_list or frame.name is not None:
        return False
    if not frame.is_watched or frame.is_valued or frame.shared:
        return False
    if trace.lex == OUTSIDE:
        return not trace.text and trace.done == NO_VALUE
    return trace.lex == INSIDE and open_string(trace.text)[1]


class NewNames:
    """The tokens behind a state of which `begins_name` holds."""

    def __init__(self, configurations: DistinctConfigurations, classes: TokenClasses, state: int) -> None:
        self._configurations, self._classes, self._state = configurations, classes, state
        _, trace = configurations.pairs[state]
        self._lex = trace.lex
        self._begun = _encoded(open_string(trace.text)[0]) if trace.text else b""
        self._seen = {_encoded(str(name)) for name in trace.frames[-1].seen}
        self._ways: dict[tuple[int, bytes], _Way | None] = {}
        self._strings: dict[tuple[int, bytes], frozenset[bytes] | int] = {}  # or how often none was found

    def unsettled(self, tokens: Ints, ends: Ints) -> list[int]:
        """Those of some ascending tokens of which no way on of another says that one leads on; `ends`: the
        configurations behind them."""
        is_plain = ~self._classes.special[tokens] & (self._lex == INSIDE)
        left = self._plainly(tokens[is_plain], ends[is_plain])
        for token, end in zip(tokens[~is_plain].tolist(), ends[~is_plain].tolist(), strict=True):
            naming = self._naming(token)
            way = None if naming is None or self._is_known(naming) else self._way(token, end, naming.tail)
            if naming is None or way is None or naming.name + way.rest in way.strings:
                left.append(token)
        return left

    def _plainly(self, tokens: Ints, ends: Ints) -> list[int]:
        """As `unsettled` for tokens without quotation marks and escapes."""
        classes, begun = self._classes, self._begun
        rests = [name[len(begun) :] for name in self._seen if name.startswith(begun)]
        known = np.zeros(len(classes.texts), np.bool_)
        known[[token for rest in rests for token in classes.spelled(rest)]] = True
        left: list[int] = tokens[known[tokens]].tolist()
        tokens, ends = tokens[~known[tokens]], ends[~known[tokens]]
        for end, at in one_of_each(ends).items():
            way = self._way(int(tokens[at]), end, b"")
            if way is None:
                group = tokens[ends == end].tolist()
                way = next(filter(None, (self._way(token, end, b"") for token in group[1:MOST_TRIED])), None)
                if way is None:
                    left += group
                    continue
            names = (name for name in way.strings if name.startswith(begun) and name.endswith(way.rest))
            for text in (name[len(begun) : len(name) - len(way.rest)] for name in names):
                left += (token for token in classes.spelling(text) if _number_of(token, tokens, ends) == end)
        return left

    def _naming(self, token: int) -> _Naming | None:
        """What a token makes of the name; None where that cannot be said, or more than names depends on it."""
        text = self._classes.texts[token]
        if self._lex == OUTSIDE:
            text = text.lstrip(b" \t\r\n")
            if text[:1] != QUOTE:
                return None
            text = text[1:]
        size = NAME.match(text).end()  # type: ignore[union-attr]  # it may be empty
        content, tail = _without_escapes(text[:size]), text[size:]
        if content is None or BRACKETS.search(tail):
            return None
        return _Naming(self._begun + content, tail)

    def _is_known(self, naming: _Naming) -> bool:
        """Whether the name is one that was written, or may become one."""
        if naming.is_ended:
            return naming.name in self._seen
        return any(name.startswith(naming.name) for name in self._seen)

    def _way(self, token: int, end: int, tail: bytes) -> _Way | None:
        """The way on that tokens share which lead to configuration `end` and say `tail` behind the name."""
        known = self._ways.get((end, tail))
        if known is None:
            text = self._classes.texts[token]
            if tail[:1] == QUOTE:
                rest, strings = b"", self._strings_behind(text, end, tail)
            else:
                shortest = self._configurations.plain.shortest(end)
                closing = CLOSING.match(tail + shortest)
                if closing is None or (whole := _without_escapes(closing[0][:-1])) is None:
                    return None
                rest, added = whole, shortest[: closing.end() - len(tail)]
                strings = self._strings_behind(text + added, self._configurations.plain.advance(end, added), QUOTE)
            known = self._ways[end, tail] = None if strings is None else _Way(rest, strings)
        return known

    def _strings_behind(self, data: bytes, end: int, tail: bytes) -> frozenset[bytes] | None:
        """The strings of a completion behind `data`, which ends a name and says `tail` from its quotation mark on."""
        known = self._strings.get((end, tail), 0)
        if isinstance(known, int) and known < MOST_TRIED:
            way = self._configurations.way_on(self._state, data)
            known = known + 1 if way is None else _strings_of(tail + way)
            self._strings[end, tail] = known
        return None if isinstance(known, int) else known


def _strings_of(text: bytes) -> frozenset[bytes]:
    """The contents of strings behind the quotation mark that a text begins with."""
    found = map(_without_escapes, STRING.findall(text, 1))
    return frozenset(content for content in found if content is not None)


def _encoded(characters: str) -> bytes:
    return characters.encode("utf-8", "surrogatepass")


def _without_escapes(content: bytes) -> bytes | None:
    """A string's content as it is spelled without escapes; None where one of them is not complete."""
    if b"\\" not in content:
        return content
    characters = whole_string(content)
    return None if characters is None else _encoded(characters)


def one_of_each(numbers: Ints) -> dict[int, int]:
    """The first place of each different number; in arrays as long as the largest where there are many of them."""
    if len(numbers) <= FEW:
        places: dict[int, int] = {}
        for at, number in enumerate(numbers.tolist()):
            places.setdefault(number, at)
        return places
    one = np.zeros(int(numbers.max()) + 1, np.int64)
    one[numbers[::-1]] = np.arange(len(numbers))[::-1]
    found = np.flatnonzero(np.bincount(numbers))
    return dict(zip(found.tolist(), one[found].tolist(), strict=True))


def _number_of(token: int, tokens: Ints, numbers: Ints) -> int:
    """The number of one of some ascending tokens, -1 where it is none of them."""
    at = int(np.searchsorted(tokens, token))
    return int(numbers[at]) if at < len(tokens) and tokens[at] == token else -1
