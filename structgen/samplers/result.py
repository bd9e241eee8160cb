"""What sampling returns: outputs with their account, the evidence, the costs, and how far off plain masking would be.

Weights are on the scale of the problem: exp(log_weight) averages to Z over all samples, dead ones counted with weight
zero. Exact methods have equal weights (log_weight 0) and estimate Z from their attempts instead.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from structgen.protocols import Chooser
from structgen.samplers.choosers import stream_of
from structgen.samplers.law import TargetLaw
from structgen.samplers.logspace import effective_size
from structgen.samplers.resampling import resample

__all__ = ["Distortion", "Round", "Sample", "SampleSet", "Stats", "Status"]

Status = Literal["complete", "budget", "degenerate", "empty", "interrupted"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One draw.

    field          meaning
    token_ids      tokens of the text, without the stop token
    data           the text's bytes
    log_prob       log p(w bottom): the model's own, after the transforms, unmasked
    log_q          log-probability under the proposal; None where it has no closed form
    log_weight     importance weight: log_prob - log_q + potentials, or a properly weighted estimate of it; 0 for exact
                   samples, chains and searches
    finish         "stop"; "dead": nothing could follow, weight zero
    step_log_mass  log m(u) at every step: their sum is the weight plain masking would have had to give this output
    score          of searches with a scorer: its answer, and `likelihood` times log_prob; else None
    """

    token_ids: tuple[int, ...]
    data: bytes
    log_prob: float
    log_q: float | None
    log_weight: float
    finish: str
    step_log_mass: tuple[float, ...] = field(default=(), repr=False)
    score: float | None = None

    @property
    def text(self) -> str:
        """The text; bytes that are not UTF-8 become U+FFFD."""
        return self.data.decode("utf-8", errors="replace")

    @property
    def log_mass(self) -> float:
        """log W(w) = sum of log m(u) along it; NaN for a method that reads no masses."""
        return sum(self.step_log_mass) if self.step_log_mass else float("nan")


@dataclass(slots=True)
class Stats:
    """Costs of a run.

    field               counts
    prefixes_scored     prefixes whose logits were computed; many share a model call
    tokens_forwarded    tokens the model read, prompts included
    cache_hits          prefixes answered without the model: equal ones in a batch, nodes of a trie
    masks_filled        allowed sets read
    constraint_checks   single tokens checked
    function_calls      texts given to the user's predicates and potentials; equal ones are given once
    texts_scored        texts given to a search's scorer and to its bound; equal ones are given once
    attempts, accepted  draws begun, and how many became samples
    resamples           resampling steps
    unique_ancestors    distinct particles of the start that have descendants at the end; None without resampling
    seconds             wall time
    """

    prefixes_scored: int = 0
    tokens_forwarded: int = 0
    cache_hits: int = 0
    masks_filled: int = 0
    constraint_checks: int = 0
    function_calls: int = 0
    texts_scored: int = 0
    attempts: int = 0
    accepted: int = 0
    resamples: int = 0
    unique_ancestors: int | None = None
    seconds: float = 0.0

    @property
    def accept_rate(self) -> float:
        """accepted / attempts."""
        return self.accepted / self.attempts if self.attempts else 0.0


@dataclass(frozen=True, slots=True)
class Distortion:
    """How far plain masking is from the model conditioned on the constraint, in nats.

    field          meaning
    mean_log_loss  mean over outputs of log 1/W: how much probability masking moved per output
    var_log_mass   variance of log W: 0 exactly when masking is exact
    kl             estimate of KL(masked || target) = log Z - E log W; None where Z or masked draws are missing
    """

    mean_log_loss: float
    var_log_mass: float
    kl: float | None


@dataclass(frozen=True, slots=True)
class Round:
    """One round of particles (`smc`).

    field            meaning
    log_evidence     its own estimate of log Z, as unbiased as any
    evidence_error   relative standard error of it
    ess              effective number of its particles
    prefixes_scored  prefixes it had to read, which no earlier round had
    states           states of the constraint whose values are known after it
    """

    log_evidence: float
    evidence_error: float | None
    ess: float
    prefixes_scored: int
    states: int


@dataclass(frozen=True, slots=True)
class SampleSet:
    """The outputs of one call of `sample`.

    field            meaning
    samples          the draws, dead ones included
    method, law      how they were drawn, and from which measure
    target           "distribution", or "argmax" for a search, whose outputs are no sample
    exact            each sample is distributed exactly as the target and independent of the others
    status           "complete"; "budget": it ended the run early; "degenerate": every draw is dead; "empty": there is
                     no output of positive probability within T tokens (proven); "interrupted": by the user
    log_evidence     estimate of log Z; a mean of weights is unbiased for Z. None where the method has none
    evidence_error   relative standard error of the estimate of Z; None with fewer than two draws
    evidence_bounds  (log M, log U), certain: M <= Z <= U
    tv_bound         certain bound on the total variation between the target and the proposal reached, or a chain's law
    log_rest         of searches: no output that is not here has a higher log p; -inf: there are no others
    rounds           of `smc` in rounds: what came of each, the last of them being this set
    score_rest       of searches with a scorer: no output that is not here has a higher score; -inf: there are no others
    note             advice or the reason of the status, "" for none
    """

    samples: tuple[Sample, ...]
    method: str
    law: TargetLaw
    status: Status
    stats: Stats
    exact: bool = False
    target: Literal["distribution", "argmax"] = "distribution"
    log_evidence: float | None = None
    evidence_error: float | None = None
    evidence_bounds: tuple[float, float] | None = None
    tv_bound: float | None = None
    log_rest: float | None = None
    rounds: tuple[Round, ...] = ()
    score_rest: float | None = None
    note: str = ""

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def log_weights(self) -> NDArray[np.float64]:
        """(n,) of all samples."""
        return np.array([sample.log_weight for sample in self.samples], np.float64)

    @property
    def ess(self) -> float:
        """How many equally weighted samples these are worth; 0 when all are dead."""
        return effective_size(self.log_weights)

    @property
    def proven(self) -> int:
        """How many of the samples, from the first on, are proven to be the likeliest outputs, or those of the highest
        scores where there is a scorer; 0 but for searches."""
        rest = self.log_rest if self.score_rest is None else self.score_rest
        if rest is None:
            return 0
        reached = (s.log_prob if s.score is None else s.score for s in self.samples)
        return next((i for i, best in enumerate(reached) if best < rest), len(self.samples))

    @property
    def distortion(self) -> Distortion:
        """The distortion meter over the outputs that are not dead.

        Of masked draws it estimates how far masked decoding is off; of others it describes these outputs.
        """
        masses = np.array([s.log_mass for s in self.samples if s.finish == "stop"], np.float64)
        if not masses.size:
            return Distortion(np.inf, np.nan, None)
        from_masked = self.method in ("masked", "importance") and not self.stats.resamples
        from_masked = from_masked and masses.size == len(self.samples)
        known = from_masked and self.log_evidence is not None and self.log_evidence > -np.inf
        kl = float(self.log_evidence - self.log_weights.mean()) if known and self.log_evidence is not None else None
        return Distortion(-float(masses.mean()), float(masses.var()), kl)

    def probabilities(self) -> NDArray[np.float64]:
        """(n,) normalised weights. ValueError when all are zero: there is nothing to draw from."""
        log_weights = self.log_weights
        highest = log_weights.max(initial=-np.inf)
        if highest == -np.inf:
            raise ValueError(f"no sample has positive weight (status {self.status!r})")
        weights = np.exp(log_weights - highest)
        return np.asarray(weights / weights.sum())

    def draw(self, k: int = 1, seed: int = 0) -> list[Sample]:
        """k samples by weight, with replacement."""
        return self.resample(k, seed, scheme="multinomial")

    def resample(self, k: int, seed: int | Chooser = 0, scheme: str = "stratified") -> list[Sample]:
        """k samples by weight under a scheme of `resampling`, in random order."""
        self.probabilities()
        return [self.samples[place] for place in resample(self.log_weights, k, stream_of(seed), scheme)]

    def posterior(self, key: Callable[[Sample], Hashable] | None = None) -> list[tuple[Any, float]]:
        """(key of the samples, probability), likeliest first; the key is the text's bytes if not given."""
        totals: dict[Any, float] = {}
        for sample, probability in zip(self.samples, self.probabilities().tolist(), strict=True):
            name = sample.data if key is None else key(sample)
            totals[name] = totals.get(name, 0.0) + probability
        return sorted(totals.items(), key=lambda item: -item[1])

    def to_json(self) -> str:
        """Everything as JSON text; infinite numbers are null, bytes are latin-1 text."""

        def plain(value: Any) -> Any:
            if isinstance(value, dict):
                return {name: plain(item) for name, item in value.items()}
            if isinstance(value, (list, tuple)):
                return [plain(item) for item in value]
            if isinstance(value, bytes):
                return value.decode("latin-1")
            return None if isinstance(value, float) and not np.isfinite(value) else value

        return json.dumps(plain(asdict(self)))
