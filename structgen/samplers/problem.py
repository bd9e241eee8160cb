"""Model + constraint + law = the distribution that is wanted.

    pi(w) = p(w bottom) 1[w in L, |w| + 1 <= T] / Z     over token sequences w; times exp of the potentials, if any

The model's law is transformed first (temperature, top-k, top-p), then constrained; all stop tokens are one event. A
text that several token sequences spell has the sum of their probabilities, unless only the tokenizer's own spelling
counts (`canonical`).

Cost of a row: one model call, one mask, a few passes over the vocabulary in float64.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from structgen.errors import BudgetTooSmall, InvariantError, ModelError, OptionError
from structgen.options import SamplingOptions
from structgen.samplers.canonical import CanonicalConstraint, Encode, encoder_of
from structgen.samplers.models import Floats, TokenModel, Tokens
from structgen.samplers.predicates import Guarded, GuardedMatcher
from structgen.samplers.weights import log_sum
from structgen.vocabulary import Vocabulary, check_same_tokens

__all__ = ["Law", "Prefix", "Problem", "SequenceConstraint", "SequenceMatcher", "log_law"]


class SequenceMatcher(Protocol):
    """What a problem asks of a matcher; `structgen.Matcher` is one. It may allow dead ends, never forbid a way out."""

    def mask(self) -> NDArray[np.uint32]:
        """Packed allowed set; stop ids exactly when complete."""
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
    """What a problem asks of a constraint; `structgen.Constraint` is one."""

    vocabulary: Vocabulary

    @property
    def fingerprint(self) -> str:
        """Equal only for constraints that accept the same."""
        ...

    def matcher(self) -> Any:
        """A new SequenceMatcher before the first byte."""
        ...


@dataclass(frozen=True, slots=True)
class Law:
    """Which measure was sampled; part of every result.

    field         meaning
    temperature   divides the logits, before
    top_k, top_p  cut the model's law, before
    max_tokens    T, the stop token counted
    order         the law is transformed before it is constrained
    measure       what is one outcome: a token sequence, not a text; "canonical": those the tokenizer would write
    potentials    names of the potentials that multiply it
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    max_tokens: int = 256
    order: str = "transform, then constrain"
    measure: str = "token sequences"
    potentials: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Prefix:
    """A place: the tokens so far, a matcher that has read them (never advanced in place), and the id of bottom."""

    tokens: Tokens
    matcher: SequenceMatcher
    stop: int

    def extend(self, token: int) -> Prefix:
        """One token further; the constraint must allow it."""
        further = self.try_extend(token)
        if further is None:
            raise InvariantError("an allowed token is accepted", f"token {token} after {self.tokens[-8:]}")
        return further

    def try_extend(self, token: int) -> Prefix | None:
        """One token further, None where the constraint forbids it."""
        matcher = self.matcher.fork()
        return Prefix((*self.tokens, token), matcher, self.stop) if matcher.accept(token) else None

    @property
    def unguarded(self) -> Prefix:
        """The same place under the constraint alone, without predicates."""
        if not isinstance(self.matcher, GuardedMatcher):
            return self
        return Prefix(self.tokens, self.matcher.under, self.stop)

    def goes_on(self) -> bool:
        """No predicate refuses the text so far as an unfinished one."""
        if not isinstance(self.matcher, GuardedMatcher):
            return True
        return self.matcher.guard.passes(self.matcher.data, complete=False)

    def is_viable(self) -> bool:
        """No predicate refuses the text so far; the constraint has accepted it."""
        return not isinstance(self.matcher, GuardedMatcher) or self.matcher.is_viable()

    def log_score(self, *, complete: bool) -> float:
        """log of the potentials; 0 where there are none."""
        if not isinstance(self.matcher, GuardedMatcher):
            return 0.0
        return self.matcher.guard.log_score(self.matcher.data, complete=complete)


class Problem:
    """What to sample.

    `canonical=True` restricts the language to w = encode(decode(w)); "prefixes" says besides that the tokenizer keeps
    prefixes canonical, which spares dead ends (`samplers.canonical`).
    Raises VocabularyError when model and constraint do not belong together, BudgetTooSmall when no output fits T for
    sure, OptionError for temperature 0 (a point mass: that is decoding or search, not sampling) and for `canonical`
    where the model has no tokenizer that keeps texts as they are.
    """

    def __init__(
        self,
        model: TokenModel,
        constraint: SequenceConstraint,
        max_tokens: int = 256,
        *,
        prompt: Sequence[int] = (),
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        canonical: bool | Literal["prefixes"] = False,
    ) -> None:
        SamplingOptions(temperature, top_k, top_p)
        if temperature == 0:
            raise OptionError("temperature 0 leaves one output: nothing to sample", option="temperature")
        if max_tokens < 1:
            raise OptionError(f"max_tokens must be at least 1, not {max_tokens}", option="max_tokens")
        check_same_tokens(constraint.vocabulary, model.vocabulary)
        if canonical not in (False, True, "prefixes"):
            raise OptionError(f"canonical is False, True or 'prefixes', not {canonical!r}", option="canonical")
        if canonical:
            constraint = _canonical(constraint, encoder_of(model), by_prefix=canonical == "prefixes")
        self.model, self.constraint, self.prompt = model, constraint, tuple(int(token) for token in prompt)
        guard = constraint if isinstance(constraint, Guarded) else None
        self.has_predicates = guard is not None and bool(guard.predicates)
        potentials = () if guard is None else tuple(potential.name for potential in guard.potentials)
        measure = "canonical token sequences" if canonical else "token sequences"
        self.law = Law(temperature, top_k, top_p, max_tokens, measure=measure, potentials=potentials)
        self.vocabulary = constraint.vocabulary
        self.stops = self.vocabulary.stop_ids
        self.stop = self.stops[0]
        self._longest = max(1, int(np.diff(self.vocabulary.offsets).max(initial=1)))
        needed = self._fewest_tokens(self.root())
        if needed > max_tokens:
            raise BudgetTooSmall(needed=needed, budget=max_tokens)

    @property
    def max_tokens(self) -> int:
        """T."""
        return self.law.max_tokens

    @cached_property
    def fingerprint(self) -> str:
        """Hash of model, prompt, law and constraint: equal only for equal problems."""
        parts = (self.model.fingerprint, self.prompt, sorted(asdict(self.law).items()), self.constraint.fingerprint)
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def root(self) -> Prefix:
        """The empty prefix."""
        return Prefix((), self.constraint.matcher(), self.stop)

    def laws(self, prefixes: Sequence[Prefix]) -> Floats:
        """(n, V) log p(t|u), unconstrained; bottom stands at `stop`, the other stop ids have -inf. One model call."""
        logits = self.model.logits([self.prompt + prefix.tokens for prefix in prefixes])
        if logits.ndim != 2 or logits.shape[0] != len(prefixes) or logits.shape[1] < self.vocabulary.size:
            raise ModelError(f"the model returned logits of shape {logits.shape} for {len(prefixes)} prefixes")
        return log_law(logits, self.law, self.stops)

    def allowed(self, prefix: Prefix) -> NDArray[np.int64]:
        """A(u): ids that may follow within T tokens, bottom as `stop`; a superset only by what no mask can know."""
        left = self.max_tokens - len(prefix.tokens)
        if left < self._fewest_tokens(prefix):
            return np.zeros(0, np.int64)
        if left == 1:
            return np.array([self.stop] if prefix.matcher.is_accepting() else [], np.int64)
        ids = np.flatnonzero(np.unpackbits(prefix.matcher.mask().view(np.uint8), bitorder="little"))
        others = self.stops[1:]
        return ids[~np.isin(ids, others)] if others else ids

    def permits(self, prefix: Prefix, event: int) -> bool:
        """Whether `event` is in A(u) and no predicate refuses what it leads to: one check, no mask."""
        if event == self.stop:
            return self.is_complete(prefix)
        if not 0 <= event < self.vocabulary.size or len(prefix.tokens) + 2 > self.max_tokens:
            return False
        after = prefix.try_extend(event) if prefix.goes_on() else None
        if after is None or len(after.tokens) + self._fewest_tokens(after) > self.max_tokens:
            return False
        return after.is_viable()

    def is_complete(self, prefix: Prefix) -> bool:
        """Whether bottom may follow."""
        return len(prefix.tokens) < self.max_tokens and prefix.matcher.is_accepting()

    def _fewest_tokens(self, prefix: Prefix) -> int:
        """A lower bound on the tokens still to come, bottom counted: too high a bound would forbid valid outputs."""
        return -(-prefix.matcher.bytes_to_accept() // self._longest) + 1


def _canonical(constraint: SequenceConstraint, encode: Encode, *, by_prefix: bool) -> SequenceConstraint:
    """Under the user's functions, which stay on top."""
    if isinstance(constraint, Guarded):
        return Guarded(CanonicalConstraint(constraint.constraint, encode, by_prefix=by_prefix), constraint.functions)
    return CanonicalConstraint(constraint, encode, by_prefix=by_prefix)


def log_law(logits: NDArray[np.floating], law: Law, stops: Sequence[int]) -> Floats:
    """(n, L) logits -> (n, L) log-probabilities after temperature, top-k, top-p; stop ids merged into the first.

    Raises ModelError for NaN, +inf or a row without a possible token.
    """
    scores = logits.astype(np.float64) / law.temperature
    highest = scores.max(axis=1, keepdims=True)
    if not np.isfinite(highest).all():
        raise ModelError("the model returned NaN, infinite logits or no possible token")
    scores -= highest
    if law.top_k is not None and law.top_k < scores.shape[1]:
        cut = np.argpartition(-scores, law.top_k - 1, axis=1)[:, law.top_k :]
        np.put_along_axis(scores, cut, -np.inf, axis=1)
    scores -= np.log(np.exp(scores).sum(axis=1, keepdims=True))
    if law.top_p is not None and law.top_p < 1:
        for row in scores:
            outside = np.ones(row.size, np.bool_)
            outside[_nucleus(row, law.top_p)] = False
            row[outside] = -np.inf
        scores -= np.log(np.exp(scores).sum(axis=1, keepdims=True))
    if len(stops) > 1:
        merged = [log_sum(row[list(stops)]) for row in scores]
        scores[:, list(stops)] = -np.inf
        scores[:, stops[0]] = merged
    return scores


def _nucleus(log_probs: Floats, top_p: float) -> NDArray[np.int64]:
    """The fewest likeliest ids that together have this probability; sorts only as many as it must."""
    count = 512
    while True:
        count = min(count, log_probs.size)
        best = np.argpartition(-log_probs, count - 1)[:count]
        best = best[np.lexsort((best, -log_probs[best]))]
        cumulative = np.exp(log_probs[best]).cumsum()
        reached = int(np.searchsorted(cumulative, top_p, side="left")) + 1
        if reached <= count or count == log_probs.size:
            return best[:reached]
        count *= 8
