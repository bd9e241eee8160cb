"""What proposes draft tokens, without a model: text the constraint forces, the prompt's own words, recycled tokens.

A drafter is an object with a name, `propose` and `observe` (protocol `Drafter`); one more is a class and a line in
`default_drafters`. What it proposes may be wrong or illegal: the tree drops what the constraint forbids, and a wrong
token costs a node of a call. It must not depend on the random numbers of the draws it is verified by.

Cost: some tens of microseconds a call each, and a step of the constraint per token proposed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from structgen.kernels.layout import DEAD
from structgen.matcher import Constraint
from structgen.protocols import Encoder
from structgen.speculation.tree import NOWHERE, DraftTree
from structgen.vocabulary import Vocabulary

__all__ = ["Drafter", "ForcedText", "Place", "PromptLookup", "RecycledTokens", "default_drafters"]

BLANKS = frozenset(b" \t\r\n")
_STRUCTURE = frozenset(b",:{[}]")


@dataclass(frozen=True, slots=True)
class Place:
    """Where drafts are asked for: `tokens` of the prompt and the output so far (the last of them is node 0 of the
    tree),
    `text` the bytes of the output so far, `tree` to be added to."""

    tokens: Sequence[int]
    text: bytes
    tree: DraftTree
    constraint: Constraint | None
    vocabulary: Vocabulary


class Drafter(Protocol):
    """Proposes tokens.

    >>> class Nines:
    ...     name = "nines"
    ...     def propose(self, place, chances, source):
    ...         place.tree.add(0, place.vocabulary.size - 1, chances(0), source)
    ...     def observe(self, token, likely):
    ...         pass
    """

    name: str

    def propose(self, place: Place, chances: Chances, source: int) -> None:
        """Add nodes to `place.tree`, as drafter number `source`; `chances(rank)` estimates whether its token of that
        rank (0: the best it has) is taken where its parent is reached."""
        ...

    def observe(self, token: int, likely: Sequence[int]) -> None:
        """Learn that after `token` the model found these tokens likely, the likeliest first."""
        ...


class Chances(Protocol):
    """Counted acceptance of one drafter by rank."""

    def __call__(self, rank: int) -> float: ...


class ForcedText:
    """Bytes the constraint forces, as the tokenizer writes them; where blanks are free, as the output wrote them
    before.

    JSON with free blanks forces little: after a colon both a blank and a value may come. So where nothing but blanks
    and one other byte may come, the blanks are those that stood behind the same character last time, at first none
    behind brackets and one behind a comma or colon.
    """

    name = "forced"

    def __init__(self, encoder: Encoder, most: int = 24) -> None:
        self._encoder, self._most = encoder, most  # tokens of one draft
        self._habits: dict[int, bytes] = {ord(","): b" ", ord(":"): b" "}
        self._read = 0  # bytes of the text whose habits are known

    def propose(self, place: Place, chances: Chances, source: int) -> None:
        """One path: the forced text from every leaf that others could go on from is the same, so from node 0."""
        if place.constraint is None:
            return
        self._learn(place.text)
        data = self._forced(place.constraint, place.tree.states[0], place.text[-1:])
        text = data.decode("utf-8", "ignore")
        if not text:
            return
        node = 0
        for token in self._encoder.tokens_of(text)[: self._most]:
            node = place.tree.add(node, token, chances(0), source)
            if node == NOWHERE:
                return

    def observe(self, token: int, likely: Sequence[int]) -> None:
        """Nothing to learn from the model."""

    def _learn(self, text: bytes) -> None:
        """Which blanks the output wrote behind each structural character."""
        at = self._read
        while at < len(text):
            end = at + 1
            if text[at] in _STRUCTURE:
                while end < len(text) and text[end] in BLANKS:
                    end += 1
                if end == len(text):
                    break  # more blanks may come
                self._habits[text[at]] = text[at + 1 : end]
            at = end
        self._read = at

    def _forced(self, constraint: Constraint, state: int, last: bytes) -> bytes:
        out = bytearray()
        previous = last[0] if last else 0
        while len(out) < 8 * self._most and not constraint.is_accepting(state):
            live = constraint.live_bytes(state)
            solid = [byte for byte in live if byte not in BLANKS]
            if len(live) == 1:
                written = bytes(live)
            elif len(solid) == 1 and previous in _STRUCTURE:
                written = self._habits.get(previous, b"") + bytes(solid)
            elif len(solid) == 1 and previous not in BLANKS and solid[0] in _STRUCTURE:
                written = bytes(solid)
            else:
                break
            after = constraint.read(state, written)
            if after == DEAD:
                break
            out += written
            previous, state = written[-1], after
        return bytes(out)


class PromptLookup:
    """What stood behind the last tokens when they stood in the text before (Saxena 2023; aggressive decoding, Ge et al.
    2022): the latest place of the longest match. Behind every leaf, so that it goes on where forced text ends."""

    name = "lookup"

    def __init__(self, most: int = 10, longest: int = 4) -> None:
        self._most, self._longest = most, longest  # tokens of one draft, of a match
        self._ends: dict[tuple[int, ...], int] = {}  # of n-grams: the latest place behind one
        self._read = 0

    def propose(self, place: Place, chances: Chances, source: int) -> None:
        """A path from node 0 and from the deepest leaf that is there."""
        self._index(place.tokens)
        tree = place.tree
        for node in dict.fromkeys((0, len(tree) - 1)):
            drafted = [tree.tokens[each] for each in tree.path(node)[1:]]
            start = self._found([*place.tokens[-self._longest :], *drafted])
            for token in place.tokens[start : start + self._most] if start is not None else ():
                node = tree.add(node, token, chances(0), source)
                if node == NOWHERE:
                    break

    def observe(self, token: int, likely: Sequence[int]) -> None:
        """Nothing to learn from the model."""

    def _index(self, tokens: Sequence[int]) -> None:
        """Note the n-grams that end before the last token: behind the last one nothing stands yet."""
        for end in range(max(self._read, 1), len(tokens)):
            for size in range(1, min(self._longest, end) + 1):
                self._ends[tuple(tokens[end - size : end])] = end
        self._read = len(tokens)

    def _found(self, last: Sequence[int]) -> int | None:
        for size in range(min(self._longest, len(last)), 0, -1):
            end = self._ends.get(tuple(last[-size:]))
            if end is not None:
                return end
        return None


class RecycledTokens:
    """What the model found likely behind a token the last time it stood anywhere (token recycling, Luo et al. 2024):
    a tree of these, best first."""

    name = "recycled"

    def __init__(self, most: int = 12, wide: int = 3) -> None:
        self._most, self._wide = most, wide  # nodes of one draft, children of a node
        self._after: dict[int, tuple[int, ...]] = {}

    def propose(self, place: Place, chances: Chances, source: int) -> None:
        """Children of node 0, of the deepest leaf, and of what this adds, the worthiest first."""
        tree, made = place.tree, 0
        open_nodes = list(dict.fromkeys((0, len(tree) - 1)))
        while open_nodes and made < self._most:
            node = max(open_nodes, key=lambda each: tree.worth[each])
            open_nodes.remove(node)
            for rank, token in enumerate(self._after.get(tree.tokens[node], ())[: self._wide]):
                known = tree.child(node, token) != NOWHERE
                child = tree.add(node, token, chances(rank), source)
                if child != NOWHERE and not known:
                    open_nodes.append(child)
                    made += 1

    def observe(self, token: int, likely: Sequence[int]) -> None:
        """The latest finding replaces those before it."""
        self._after[token] = tuple(likely)


def default_drafters(encoder: Encoder) -> list[Drafter]:
    """In the order in which they are asked: later ones go on where earlier ones end."""
    return [ForcedText(encoder), PromptLookup(), RecycledTokens()]
