"""The budget of one row: a constraint, the tokens so far and how many may come -> whether an end fits; an honest end.

`leaves_room` asks, after every drawn token, whether the shortest completion and the stop token still fit. Where they
do not, `complete` writes the rest of the output at once, without the model. It goes back to the last *boundary*, a
place in the bytes at which everything the model began is whole, writes what the model wrote up to there and from there
the shortest completion, both in fewest tokens; an earlier boundary where that does not fit. Before the first byte it
always fits, so a row whose smallest output fits its budget is always complete.

Boundaries of JSON stand right behind a complete value or an opening bracket, or inside a string that is free: it may
be closed there, and every printable ASCII character could follow, so neither an enum nor a date, a pattern or a format
is ever cut. None stands inside a number, a literal or a key, and none behind a comma or a colon, which promise a value
that the model had not chosen. Other texts know no such places: they are completed from where the last token ends.

Cost: `leaves_room` a look-up, near the end one shortest completion a state; `complete` once a row, linear in the text
for each boundary that is tried.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from structgen.errors import BudgetTooSmall, InvariantError, LimitExceeded
from structgen.matcher import Constraint, Matcher

__all__ = [
    "Completion",
    "boundaries",
    "check_budget",
    "chosen_places",
    "complete",
    "leaves_room",
    "settled",
    "tokens_to_end",
]

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*(?:(")|\\?\Z)|[{}\[\],:]|[ \t\r\n]+|[^ \t\r\n{}\[\],:"]+', re.DOTALL)
_LETTER = re.compile(rb"\\u[0-9a-fA-F]{4}|\\.|[^\\\x80-\xff]|[\xc0-\xff][\x80-\xbf]*", re.DOTALL)
_FREE = frozenset(range(0x20, 0x7F))  # what can follow inside a free string: its closing quote is one of these
_LITERALS = (b"true", b"false", b"null")


@dataclass(frozen=True, slots=True)
class Completion:
    """How a row ends without its model: the tokens of the whole output, and the places that the model did not choose.

    `tokens` are without the stop token. `completed_at` are JSON pointers of the leaves that were invented or cut, else
    of the innermost container that was closed; ("",), the whole, of a text that is not JSON.
    """

    tokens: list[int]
    completed_at: tuple[str, ...]


def check_budget(matcher: Matcher, budget: int, *, steer: bool = True) -> None:
    """Raise BudgetTooSmall when the shortest output and its stop token do not fit.

    A row that is steered needs what its byte-shortest output takes. Another may find one of fewer tokens: it is refused
    only where the longest token of the vocabulary, again and again, would not do.
    """
    at_least = _fewest(matcher)
    if at_least > budget:  # no need to spell a completion of a billion bytes to know that
        raise BudgetTooSmall(needed=at_least, budget=budget)
    needed = matcher.tokens_to_accept() + 1 if steer else at_least
    if needed > budget:
        raise BudgetTooSmall(needed=needed, budget=budget)


def _fewest(matcher: Matcher) -> int:
    """A lower bound of the tokens to an end, stop token included."""
    return -(-matcher.bytes_to_accept() // max(matcher.constraint.trie.longest, 1)) + 1


def leaves_room(matcher: Matcher, left: int, distances: dict[int, int]) -> bool:
    """Whether a completion and the stop token take `left` tokens at most; no token is shorter than a byte.

    `distances` is shared by the rows of one constraint: state -> tokens of its shortest completion.
    """
    if left > (matcher.constraint.room(matcher.state) if matcher.constraint.asks else matcher.bytes_to_accept()):
        return True
    known = distances.get(matcher.state)
    if known is None:
        known = distances[matcher.state] = matcher.tokens_to_accept()
    return left > known


def tokens_to_end(matcher: Matcher) -> int:
    """Tokens (stop token included) of the shortest valid ending; of one beyond a million bytes a lower bound."""
    try:
        return matcher.tokens_to_accept() + 1
    except LimitExceeded:
        return _fewest(matcher)


def complete(matcher: Matcher, tokens: Sequence[int], budget: int, *, is_json: bool, seen: int = 0) -> Completion:
    """The end of a row whose matcher has taken all of `tokens`, the last of which leaves no room in `budget`.

    The first `seen` bytes stay as they are, since somebody has read them; where no boundary behind them leaves room, a
    JSON text is completed as others are. The matcher stays as it is. Raises InvariantError when not even the shortest
    output fits: see `check_budget`.
    """
    ends, data = _ends(matcher.constraint, tokens)
    between = [(end, False) for end in reversed(ends)]
    ways = [boundaries(data), between] if is_json else [between]
    for way in ways:
        places = [(place, inside) for place, inside in way if place >= seen]
        found = _completed(matcher.fork(), list(tokens), ends, data, places, budget, is_json)
        if found is not None:
            return found
    raise InvariantError("the shortest output of a row fits its budget", f"budget {budget}")


def _completed(
    back: Matcher,
    tokens: list[int],
    ends: list[int],
    data: bytes,
    places: list[tuple[int, bool]],
    budget: int,
    is_json: bool,
) -> Completion | None:
    """The completion from the first of some places, last first, that leaves room; `back` is rolled back to it."""
    constraint, kept = back.constraint, len(tokens)
    for place, inside in places:
        while ends[kept] > place:
            kept -= 1
            back.rollback()
        rest = data[ends[kept] : place]
        there = back.detached()
        if rest and not there.accept_bytes(rest):
            raise InvariantError("the bytes a row has taken can be taken again", repr(rest))
        if inside and not _FREE.issubset(there.live_bytes()):
            continue
        if _fewest(there) > budget - kept:
            continue
        ending = there.shortest_bytes()
        written = constraint.spelled(rest + ending, begins=not kept)
        if kept + len(written) < budget:
            chosen = chosen_places(data[:place] + ending, place) if is_json else ("",)
            return Completion([*tokens[:kept], *written], chosen)
    return None


def _ends(constraint: Constraint, tokens: Sequence[int]) -> tuple[list[int], bytes]:
    """Where each token ends in the bytes, a 0 in front; and the bytes."""
    ends, data = [0], bytearray()
    for token in tokens:
        text = constraint.spelling(token, symbol=token in constraint.vocabulary.symbols)
        drops = constraint.vocabulary.leading_blank and len(ends) == 1 and text.startswith(b" ")
        data += text[1:] if drops else text
        ends.append(len(data))
    return ends, bytes(data)


def settled(matcher: Matcher, data: bytes) -> int:
    """How many bytes of the beginning of a JSON text, which the matcher has read, a completion keeps: what may be shown
    to somebody while the budget runs short. Cost: linear in the text."""
    for place, inside in boundaries(data):
        if not inside or (place == len(data) and _FREE.issubset(matcher.live_bytes())):
            return place
    return 0


def boundaries(data: bytes) -> list[tuple[int, bool]]:
    """The boundaries of the beginning of a JSON text, last first: (offset, whether it is inside a string).

    Those inside strings are only places between two characters: whether the string is free there is not asked here.
    """
    found = [(0, False)]
    for part in _parts(data):
        if part.kind == "string":
            body = part.start + 1
            whole = [body, *(letter.end() for letter in _LETTER.finditer(data, body, part.end - part.closed))]
            found += [(place, True) for place in (whole[:-1] if part.closed else whole)]
            if part.closed:
                found.append((part.end, False))
        elif part.closed:
            found.append((part.end, False))
    return found[::-1]


def chosen_places(text: bytes, since: int) -> tuple[str, ...]:
    """Pointers of the leaves of a JSON text that end behind byte `since`; if none, of the innermost container that is
    open there."""
    leaves, container = [], ""
    for part in _parts(text):
        is_leaf = part.kind in ("string", "scalar") or part.is_empty
        if is_leaf and part.end > since:
            leaves.append(part.pointer)
        elif part.kind == "open" and part.start < since:
            container = part.pointer
        elif part.kind == "close" and part.start < since:
            container = part.pointer.rpartition("/")[0]
    return tuple(leaves) or (container,)


@dataclass(frozen=True, slots=True)
class _Part:
    """One piece of a JSON text that belongs to a value: text[start:end].

    `kind` is open or close (a bracket), string or scalar. `closed`: nothing that follows can belong to it. `is_empty`:
    the bracket closes a container without members.
    """

    kind: str
    start: int
    end: int
    pointer: str
    closed: bool
    is_empty: bool = False


@dataclass(slots=True)
class _Frame:
    """An open container: its pointer, and the name of the member that is being written."""

    pointer: str
    is_object: bool
    member: int | str | None = None
    is_empty: bool = field(default=True)

    def next_pointer(self) -> str:
        step = str(self.member if self.is_object else self.member or 0)
        return f"{self.pointer}/{step.replace('~', '~0').replace('/', '~1')}"


def _parts(data: bytes) -> Iterator[_Part]:
    """The pieces of values of a JSON text, or of the beginning of one, in order. Keys are no values."""
    frames: list[_Frame] = []
    for match in _TOKEN.finditer(data):
        token, start, end = match.group(), match.start(), match.end()
        top = frames[-1] if frames else None
        head = token[:1]
        if head in b" \t\r\n:":
            continue
        if head == b",":
            assert top is not None
            top.member = None if top.is_object else int(top.member or 0) + 1
        elif head in b"}]":
            frames.pop()
            assert top is not None
            yield _Part("close", start, end, top.pointer, True, top.is_empty)
        elif top is not None and top.is_object and top.member is None:
            top.is_empty = False
            if match.group(1):
                top.member = str(json.loads(token))
        else:
            pointer = ""
            if top is not None:
                top.is_empty, pointer = False, top.next_pointer()
            if head in b"{[":
                frames.append(_Frame(pointer, head == b"{"))
                yield _Part("open", start, end, pointer, True)
            elif head == b'"':
                yield _Part("string", start, end, pointer, match.group(1) is not None)
            else:
                yield _Part("scalar", start, end, pointer, token in _LITERALS or end < len(data))
