"""What the parts of the library ask of one another, and of objects that users bring: protocols, and two array types.

    LazyAutomaton       states of a language, made while texts are read
    MaskSource          mask rows of such states over a vocabulary
    SequenceMatcher     follows one sequence: mask, accept, fork
    SequenceConstraint  makes matchers
    TokenModel          logits after prefixes
    TreeModel           logits at the nodes of a token tree
    Encoder             how a tokenizer spells a text
    Scorer              how good texts are
    Chooser             the source of every random number

Any object with these attributes will do: nothing has to be derived from here. Most protocols show one that does;
`structgen.testing` holds the laws of what has laws, for our own tests and for everybody who writes another.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, Self, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from structgen.vocabulary import Vocabulary

__all__ = [
    "Chooser",
    "Encoder",
    "Floats",
    "LazyAutomaton",
    "MaskSource",
    "Scorer",
    "SequenceConstraint",
    "SequenceMatcher",
    "TokenModel",
    "Tokens",
    "TreeModel",
]

Tokens: TypeAlias = tuple[int, ...]
Floats: TypeAlias = NDArray[np.float64]


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

    @property
    def rows(self) -> dict[int, NDArray[np.uint32]]:
        """Those made so far, by state: one object all along, to look into before `row` is called."""
        ...

    def row(self, state: int) -> NDArray[np.uint32]:
        """Read-only u32 (ceil(V / 32),)."""
        ...

    def drop_rows(self) -> None:
        """Forget all rows: they are computed again when asked for, and must be once states were renumbered."""
        ...


class SequenceMatcher(Protocol):
    """What samplers ask of a matcher; `structgen.Matcher` is one. It may allow dead ends, never forbid a way out.

    At most three tokens, whatever they are:

    >>> class AtMostThree:
    ...     def __init__(self, vocabulary, read=0):
    ...         self.vocabulary, self.read = vocabulary, read
    ...     def mask(self):
    ...         stops = self.vocabulary.stop_ids
    ...         return row_of(range(self.vocabulary.size) if self.read < 3 else stops, self.vocabulary.size)
    ...     def accept(self, token):
    ...         allowed = self.read < 3 and token not in self.vocabulary.stop_ids
    ...         self.read += allowed
    ...         return allowed
    ...     def fork(self):
    ...         return AtMostThree(self.vocabulary, self.read)
    ...     def is_accepting(self):
    ...         return True
    ...     def bytes_to_accept(self):
    ...         return 0
    """

    def mask(self) -> NDArray[np.uint32]:
        """(ceil(V / 32),) packed allowed set; stop ids exactly when complete."""
        ...

    def accept(self, token: int) -> bool:
        """Take one token, or refuse it and stay."""
        ...

    def fork(self) -> Self:
        """An independent matcher at the same place."""
        ...

    def is_accepting(self) -> bool:
        """The text is complete."""
        ...

    def bytes_to_accept(self) -> int:
        """A lower bound on the bytes to a complete text."""
        ...


class SequenceConstraint(Protocol):
    """What samplers ask of a constraint; `structgen.Constraint` is one.

    >>> class Short:
    ...     fingerprint = "at most three tokens"
    ...     def __init__(self, vocabulary):
    ...         self.vocabulary = vocabulary
    ...     def matcher(self):
    ...         return AtMostThree(self.vocabulary)
    """

    vocabulary: Vocabulary

    @property
    def fingerprint(self) -> str:
        """Equal only for constraints that accept the same."""
        ...

    def matcher(self) -> Any:
        """A new SequenceMatcher before the first byte."""
        ...


class TokenModel(Protocol):
    """Logits after prefixes. A model remembers nothing that matters: equal prefixes have equal rows.

    attribute         meaning
    vocabulary        the model's
    fingerprint       equal only for models with equal logits
    tokens_forwarded  how many tokens it has read so far

    >>> class Uniform:
    ...     fingerprint, tokens_forwarded = "uniform", 0
    ...     def __init__(self, vocabulary):
    ...         self.vocabulary = vocabulary
    ...     def logits(self, prefixes):
    ...         self.tokens_forwarded += sum(len(prefix) for prefix in prefixes)
    ...         return np.zeros((len(prefixes), self.vocabulary.size))
    """

    vocabulary: Vocabulary
    fingerprint: str
    tokens_forwarded: int

    def logits(self, prefixes: Sequence[Tokens]) -> NDArray[np.floating]:
        """(len(prefixes), at least vocabulary.size) logits after each prefix, prompt included; any float dtype."""
        ...


class TreeModel(Protocol):
    """Logits at all nodes of a tree of tokens at once, for drafts that branch. Any TokenModel can be made one:

    >>> class ByPrefixes:
    ...     def __init__(self, model, prompt):
    ...         self.model, self.prompt = model, prompt
    ...     def forward(self, tokens, parents):
    ...         paths = []
    ...         for token, parent in zip(tokens, parents):
    ...             paths.append((*(paths[parent] if parent >= 0 else self.prompt), token))
    ...         return self.model.logits(paths)
    """

    def forward(self, tokens: Sequence[int], parents: Sequence[int]) -> NDArray[np.floating]:
        """(n, at least V) logits of what follows each of n nodes.

        Node i stands for token `tokens[i]` after node `parents[i]` < i; parent -1 is what the model has read before.
        """
        ...


@runtime_checkable
class Encoder(Protocol):
    """Spells texts in tokens; models with a tokenizer are encoders too.

    >>> class Letters:
    ...     def tokens_of(self, text):
    ...         return [ord(letter) - ord("a") for letter in text]
    >>> isinstance(Letters(), Encoder)
    True
    """

    def tokens_of(self, text: str) -> Sequence[int]:
        """The tokenizer's own spelling of a text by itself: no token that begins or ends a prompt."""
        ...


class Scorer(Protocol):
    """How good texts are: a number each, the more the better; -inf forbids, NaN and +inf are errors.

    Any function will do. Searches (`structgen.search`) give it many texts at once, each text once; most of them are
    finished outputs, but whoever looks a few tokens ahead gives it beginnings too.

    A scorer may have `bound(texts)` besides: a number for each beginning that no output which begins so exceeds. It is
    what proves an output to be the best: an output that reaches the bound of the empty text cannot be improved.

    >>> def letters_a(texts):
    ...     return [text.count("a") for text in texts]
    >>> letters_a.bound = lambda texts: [text.count("a") + 10 - len(text) for text in texts]  # of at most ten letters
    """

    def __call__(self, texts: Sequence[str], /) -> Sequence[float]:
        """A score for each text, in their order."""
        ...


class Chooser(Protocol):
    """The source of every random number: choices whose probabilities are given as logarithms; -inf is never chosen.

    Who draws for several particles, chains or rows takes one stream for each, numbered by a key of integers
    (`samplers.choosers.stream_of`): then no draw depends on what runs beside it.

    >>> class Likeliest:
    ...     def choice(self, log_weights):
    ...         return int(np.argmax(log_weights))
    ...     def order(self, log_weights):
    ...         return (int(i) for i in np.argsort(-log_weights, kind="stable") if log_weights[i] > -np.inf)
    ...     def accept(self, log_probability):
    ...         return log_probability > np.log(0.5)
    """

    def choice(self, log_weights: Floats) -> int:
        """One index, with probability proportional to exp(log_weights)."""
        ...

    def order(self, log_weights: Floats) -> Iterator[int]:
        """Indices of positive weight one after the other, without replacement."""
        ...

    def accept(self, log_probability: float) -> bool:
        """True with this probability."""
        ...
