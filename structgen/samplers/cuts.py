"""The Markov kernel of `mcmc`: keep a part of the present output, write the rest anew by masked decoding, or stay.

    x, y        the present output and the proposal
    g(u)        how readily an output is cut at its prefix u; G(x) = sum of g over x_<0, ..., x_<|x|
    pos_x(i)    g(x_<i) / G(x): the cut, x_<i is kept
    q(y_i..)    masked decoding of the rest, prod of p / m, bottom the last event
    Q(x -> y)   sum over all cuts i in the part that x and y share of pos_x(i) q(y_i.. | y_<i)

    accept with min(1, p(y) Q(y -> x) / (p(x) Q(x -> y))) = min(1, G(x) W(y) / (G(y) W(x))),   W = prod of m

The sums cancel: for every shared cut p(x) pos_x(i) q(y_i..) is G(y) W(x) / (G(x) W(y)) times the same with x and y
exchanged, as g and m at shared prefixes are the same for both.

    cut         g(u)
    restart     1 for the empty prefix, else 0: independent proposals
    uniform     1
    priority    exp(H(u)) - 1, H the entropy of the masked row: where there was a choice; one step in 100 is a restart

pi is stationary for each, and every kernel has a part of pi in it: K(x, .) >= delta Z pi, as Q(x -> y) is at least
delta q(y) and q / pi = Z / W >= Z, with delta = 1, 1 / T, 1 / 100 of each cut. So has the start, a masked draw that did
not die: mu >= q >= Z pi. With mu = Z pi + (1 - Z) r, and as K leaves pi as it is, mu K^k - pi = (1 - Z) (r - pi) K^k;
K shrinks the difference of two laws by 1 - delta Z (Doeblin). Hence

    TV_k <= (1 - delta Z)^k (1 - Z)

Z >= M, the probability of all outputs met so far, makes it a certificate, a loose one for large languages. Potentials
Phi multiply p(w bottom) and W; W is not bounded by one then, and there is no certificate.

Source: Gonzalez et al. 2025, "Constrained Sampling for Language Models Should Be Easy: An MCMC Perspective"; the short
form of the acceptance, the restarts among "priority" cuts and the bounds are this library's. Cost: none of the model's;
p and q come from the same rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from structgen.protocols import Chooser, Floats, Tokens
from structgen.samplers.prefix import Prefix
from structgen.samplers.result import Sample
from structgen.samplers.weights import Row
from structgen.vocabulary import Vocabulary

__all__ = ["CUTS", "RESTARTS", "Trace", "certificate", "cut_of", "cut_weights", "log_acceptance"]

CUTS = ("restart", "uniform", "priority")
RESTARTS = 0.01  # of the steps of "priority": pos(0) > 0 whatever the first row looks like


@dataclass(slots=True)
class Trace:
    """An output and what each of its steps knew.   L = |x| + 1 steps once it ends

    `prefixes[i]` is x_<i; `events`, `log_p`, `log_m`, `entropy` are of the step taken there; `log_score`: log Phi.
    """

    prefixes: list[Prefix]
    events: list[int] = field(default_factory=list)
    log_p: list[float] = field(default_factory=list)
    log_m: list[float] = field(default_factory=list)
    entropy: list[float] = field(default_factory=list)
    finish: str | None = None
    log_score: float = 0.0

    def kept(self, cut: int) -> Trace:
        """The first `cut` steps, to go on from."""
        return Trace(
            self.prefixes[: cut + 1], self.events[:cut], self.log_p[:cut], self.log_m[:cut], self.entropy[:cut]
        )

    def take(self, row: Row, place: int) -> None:
        """One step of masked decoding."""
        here, event = self.prefixes[-1], int(row.ids[place])
        log_q = row.log_probs - row.log_mass
        self.events.append(event)
        self.log_p.append(float(row.log_probs[place]))
        self.log_m.append(row.log_mass)
        self.entropy.append(max(0.0, -float((np.exp(log_q) * log_q).sum())))
        if event == here.stop:
            self.finish = "stop"
            self.log_score = here.log_score(complete=True)
        else:
            self.prefixes.append(here.extend(event))

    @property
    def tokens(self) -> Tokens:
        """Without bottom."""
        return self.prefixes[-1].tokens

    @property
    def log_prob(self) -> float:
        """log p(x bottom)."""
        return sum(self.log_p)

    @property
    def log_weight(self) -> float:
        """log W(x), and the potentials; -inf for a trace that died."""
        return sum(self.log_m) + self.log_score if self.finish == "stop" else -np.inf

    def sample(self, vocabulary: Vocabulary) -> Sample:
        """As an output: of equal weight, without a known proposal."""
        data, masses = vocabulary.decode(self.tokens), tuple(self.log_m)
        return Sample(self.tokens, data, self.log_prob, None, 0.0, "stop", masses)


def cut_weights(cut: str, x: Trace) -> Floats:
    """g at every prefix of x, (L,). Where no step of x had a choice it is the only output: then a restart."""
    if cut == "uniform":
        return np.ones(len(x.events))
    weights = np.expm1(np.array(x.entropy)) if cut == "priority" else np.zeros(len(x.events))
    if not weights.any():
        weights[0] = 1.0
    return weights


def cut_of(cut: str, x: Trace, chooser: Chooser) -> tuple[str, Trace]:
    """The kind of a step from x, "restart" where that is drawn, and what its proposal keeps."""
    if cut == "restart" or (cut == "priority" and chooser.accept(float(np.log(RESTARTS)))):
        return "restart", x.kept(0)
    with np.errstate(divide="ignore"):
        return cut, x.kept(chooser.choice(np.log(cut_weights(cut, x))))


def log_acceptance(cut: str, x: Trace, y: Trace) -> float:
    """log of the probability to move from x to the proposal y."""
    if y.log_weight == -np.inf:
        return -np.inf
    if x.events == y.events:
        return 0.0
    log_g = np.log(cut_weights(cut, x).sum()) - np.log(cut_weights(cut, y).sum())
    return min(0.0, float(log_g) + y.log_weight - x.log_weight)


def certificate(cut: str, max_tokens: int, steps: int, log_lower: float) -> float:
    """Bound on the total variation between pi and the law of a chain after `steps` steps, from log M <= log Z."""
    delta = {"restart": 1.0, "uniform": 1 / max_tokens, "priority": RESTARTS}[cut]
    lower = min(float(np.exp(log_lower)), 1.0)
    return float((1 - delta * lower) ** steps * (1 - lower))
