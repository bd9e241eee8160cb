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
from dataclasses import asdict
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from structgen.bits import ids_of
from structgen.errors import BudgetTooSmall, ModelError, OptionError
from structgen.matcher import Constraint
from structgen.options import SamplingOptions
from structgen.protocols import Floats, SequenceConstraint, TokenModel
from structgen.samplers.canonical import CanonicalConstraint, Encode, encoder_of
from structgen.samplers.law import TargetLaw, log_law
from structgen.samplers.predicates import Guarded
from structgen.samplers.prefix import NO_GUARD, Guard, Prefix
from structgen.vocabulary import check_same_tokens

__all__ = ["Problem"]


class Problem:
    """What to sample.

    `canonical=True` restricts the language to w = encode(decode(w)); "prefixes" says besides that the tokenizer keeps
    prefixes canonical, which spares dead ends (`samplers.canonical`).
    Raises VocabularyError when model and constraint do not belong together, BudgetTooSmall when no output fits T for
    sure, OptionError for temperature 0 (a point mass: that is decoding or search, not sampling) and for `canonical`
    where the model has no tokenizer that keeps texts as they are. `automaton` is the compiled constraint under the
    user's functions, None where it is another's.
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
        automaton = _automaton(constraint)
        if names := () if automaton is None else automaton.stop_symbols:
            reason = "samplers count all stop tokens as one event, and the constraint asks for one by name: "
            raise OptionError(reason + ", ".join(names), option="method")
        if canonical not in (False, True, "prefixes"):
            raise OptionError(f"canonical is False, True or 'prefixes', not {canonical!r}", option="canonical")
        if canonical:
            constraint = _canonical(constraint, encoder_of(model), by_prefix=canonical == "prefixes")
        self.model, self.constraint, self.prompt = model, constraint, tuple(int(token) for token in prompt)
        self.automaton = automaton
        guarded = constraint if isinstance(constraint, Guarded) else None
        self.guard: Guard = guarded or NO_GUARD
        self.has_predicates = guarded is not None and bool(guarded.predicates)
        potentials = () if guarded is None else tuple(potential.name for potential in guarded.potentials)
        measure = "canonical token sequences" if canonical else "token sequences"
        self.law = TargetLaw(temperature, top_k, top_p, max_tokens, measure=measure, potentials=potentials)
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
        return Prefix((), self.constraint.matcher(), self.stop, self.guard)

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
        ids = ids_of(prefix.matcher.mask())
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


def _automaton(constraint: SequenceConstraint) -> Constraint | None:
    """The compiled constraint, whatever is wrapped around it; None where there is none."""
    while not isinstance(constraint, Constraint):
        inner = getattr(constraint, "constraint", None)
        if inner is None:
            return None
        constraint = inner
    return constraint


def _canonical(constraint: SequenceConstraint, encode: Encode, *, by_prefix: bool) -> SequenceConstraint:
    """Under the user's functions, which stay on top."""
    if isinstance(constraint, Guarded):
        return Guarded(CanonicalConstraint(constraint.constraint, encode, by_prefix=by_prefix), constraint.functions)
    return CanonicalConstraint(constraint, encode, by_prefix=by_prefix)
