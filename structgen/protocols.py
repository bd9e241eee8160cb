"""What the layers ask of each other, as protocols: whoever has these methods fits, nobody inherits.

    LazyAutomaton   the states of a language, made while texts are read    automata/, unique/
    MaskSource      mask rows of such states over one vocabulary           automata/masks.py and its twins
    Encoder         how a tokenizer spells a text                          engines/

`structgen.testing` holds the laws of each as functions, for our own tests and for everybody who writes another.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Encoder", "LazyAutomaton", "MaskSource"]


class LazyAutomaton(Protocol):
    """States are ints: 0 dead, 1 finished, 2 start; from equal ints the same texts lead on. Thread-safe.

    Laws (structgen.testing.check_automaton_laws):
        advance(s, a + b) == advance(advance(s, a), b)
        byte in live_bytes(s) if and only if advance(s, bytes([byte])) != 0
        advance(s, shortest(s)) is accepting, and distance(s) == len(shortest(s))

    >>> automaton.is_accepting(automaton.advance(2, b"true"))  # doctest: +SKIP
    True
    """

    @property
    def lock(self) -> threading.RLock:
        """Held while states are made; whoever renumbers them holds it too."""
        ...

    @property
    def has_specials(self) -> bool:
        """Whether some text holds a special token of a vocabulary."""
        ...

    @property
    def nbytes(self) -> int:
        """Bytes of the states met so far."""
        ...

    def __len__(self) -> int:
        """States met so far: every number below is one."""
        ...

    def advance(self, state: int, data: bytes) -> int:
        """The state after `data`, 0 if no text goes on so. Raises LimitExceeded when memory runs out."""
        ...

    def reader(self, words: Any) -> Callable[[int, int], int] | None:
        """(state, token) -> the state after the token's text, quicker than `advance`; NOT_TEXT (kernels/entries.py)
        where it has none. `words`: a handle of layout.Words. None where this kind has no such way."""
        ...

    def is_accepting(self, state: int) -> bool:
        """Whether the text so far is complete."""
        ...

    def live_bytes(self, state: int) -> list[int]:
        """The bytes that may come next, ascending."""
        ...

    def distance(self, state: int) -> int:
        """Length of `shortest`."""
        ...

    def shortest(self, state: int, limit: int = 1 << 20) -> bytes:
        """A byte-shortest completion. Raises LimitExceeded beyond `limit` bytes."""
        ...

    def expected(self, state: int) -> tuple[str, ...]:
        """What may come next, in words."""
        ...

    def rules(self, state: int) -> tuple[str, ...]:
        """The names of the rules at work, for pictures."""
        ...

    def sizes(self) -> dict[str, int]:
        """How large the automaton is before it runs, by what it is made of."""
        ...

    def validate(self) -> None:
        """Raise InvariantError where the compiled arrays break their contract."""
        ...

    def compact(self, live: Iterable[int]) -> dict[int, int] | None:
        """Forget every state that none of `live` needs, and renumber: old number -> new, for `live` and the three fixed
        ones at least. None, and nothing changed, where this kind cannot."""
        ...


class MaskSource(Protocol):
    """Mask rows by state.

    Law (structgen.testing.check_mask_laws): bit t % 32 of word t // 32 of row(s) is set if and only if the bytes of
    token t lead from s to a living state, or t is a stop token and s is accepting.
    """

    def row(self, state: int) -> NDArray[np.uint32]:
        """Read-only u32 (ceil(V / 32),)."""
        ...

    def drop_rows(self) -> None:
        """Forget all rows: they are computed again when asked for, and must be once states were renumbered."""
        ...


class Encoder(Protocol):
    """How a tokenizer spells a text by itself.

    >>> engine.tokens_of("true")  # doctest: +SKIP
    [1904]
    """

    def tokens_of(self, text: str) -> Sequence[int]:
        """Token ids, without tokens that begin or end a prompt."""
        ...
