"""Forced text: bytes the constraint forces, as the tokenizer writes them.

Where blanks are free, JSON forces little: after a colon both a blank and a value may come. So the gaps of JSON are
taken to be as the output laid them out before (drafters/layout.py), and a key to follow a comma: a stricter grammar
than the one that is enforced, which costs nothing, since drafts are verified.

Cost: some tens of microseconds for each place where text is forced.
"""

from __future__ import annotations

from collections.abc import Iterable

from structgen.kernels.layout import DEAD
from structgen.protocols import Encoder
from structgen.speculation.drafters.base import Draft, Place, Rests, Seen, rest_behind
from structgen.speculation.drafters.layout import BLANKS, CLOSING, GAPS, Habits, Layout

__all__ = ["ForcedText"]

_ENDS, _KEYS = frozenset(b",:}]"), frozenset(b"{,")
_QUOTE = b'"'[0]
LAST, GUESSED = 1, 2  # added to the kind: the last token, which may merge with what follows; blanks were guessed
_PRIORS = (0.85, 0.4, 0.8, 0.38)


class ForcedText:
    """Drafts the forced text behind each node."""

    name = "forced"

    def __init__(self, encoder: Encoder, most: int = 24) -> None:
        self._encoder, self._most = encoder, most  # tokens of one draft
        self._habits, self._layouts = Habits(), {0: Layout()}  # by node of the tree
        self._read = 0  # bytes of the text whose layout is known
        self._rest: Rests = {}
        self._spelled: dict[bytes, list[int]] = {}

    def begin(self, place: Place) -> None:
        """Learn the blanks of the text."""
        self._rest = {}
        self._layouts = {0: self._layouts[0].after(place.text[self._read :], self._habits)}
        self._read = len(place.text)

    def drafts(self, place: Place, node: int) -> Iterable[Draft]:
        """The next token of the forced text: of the parent's, where this node is part of it."""
        if place.constraint is None:
            return
        if node:
            written = place.vocabulary.token_bytes(place.tree.tokens[node])
            self._layouts[node] = self._layouts[place.tree.parents[node]].after(written)
        rest, kind = rest_behind(self._rest, place.tree, node)
        if not rest:
            text, guessed = self._forced(place, node)
            rest, kind = self._tokens(text), GUESSED * guessed
        self._rest[node] = (rest, kind)  # without LAST
        if rest:
            kind += LAST * (len(rest) == 1)
            yield Draft(rest[0], kind, _PRIORS[kind])

    def observe(self, seen: Seen) -> None:
        """Nothing to learn from the model."""

    def _tokens(self, text: bytes) -> list[int]:
        if text not in self._spelled:
            whole = text.decode("utf-8", "ignore")
            self._spelled[text] = list(self._encoder.tokens_of(whole))[: self._most] if whole else []
        return self._spelled[text]

    def _forced(self, place: Place, node: int) -> tuple[bytes, bool]:
        """The text behind a node, and whether any of it was guessed."""
        constraint, out, guessed = place.constraint, bytearray(), False
        assert constraint is not None
        state, layout = place.tree.states[node], self._layouts[node]
        while len(out) < 4 * self._most and not constraint.is_accepting(state):
            live = constraint.live_bytes(state)
            if len(live) == 1:
                written = bytes(live)
            else:
                written, guessed = self._guessed(live, layout), True
            state = constraint.read(state, written) if written else DEAD
            if state == DEAD:
                break
            out += written
            layout = layout.after(written)
        return bytes(out), guessed

    def _guessed(self, live: list[int], place: Layout) -> bytes:
        """What stands in a gap between JSON's tokens, with the byte behind it where that is clear."""
        solid = [byte for byte in live if byte not in BLANKS]
        if place.in_string or len(solid) == len(live) > 1:
            return b""
        if place.last in GAPS:
            gap = self._habits.behind(place)
            only = solid[0] if len(solid) == 1 else _QUOTE if place.last in _KEYS and _QUOTE in solid else None
        elif len(solid) == 1 and solid[0] in _ENDS:
            only = solid[0]
            gap = self._habits.closing(place) if only in CLOSING else b""
        else:
            return b""
        if not gap.startswith(place.gap):
            return b""
        return gap[len(place.gap) :] + (b"" if only is None else bytes((only,)))
