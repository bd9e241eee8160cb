"""What judges a sampler: exact expectations over every outcome, and frequencies against enumeration at a stated error.

Statistical tests use ALPHA per test under a fixed seed, so they are deterministic; ALPHA says how likely a right method
with other random numbers would be called wrong. `tests/fresh.py` gives them other random numbers.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from hypothesis import settings

from structgen.samplers import chains, cuts
from structgen.samplers.attempts import Attempt, Attempts
from structgen.samplers.choosers import ExhaustiveChooser, every_outcome
from structgen.samplers.exact import Exact, enumerate_outputs, total_variation
from structgen.samplers.fixtures import FIXTURES, finite_language, vocabulary_of
from structgen.samplers.models import TableModel
from structgen.samplers.problem import Problem
from structgen.samplers.result import Sample, SampleSet
from structgen.samplers.row_memory import RowMemory
from structgen.samplers.run import Budget, Run, required_of, sample
from structgen.samplers.trie import Trie

ALPHA = 1e-9 if settings.get_current_profile_name() == "fresh" else 1e-6
_known: dict[str, Exact] = {}


def fixture(name: str) -> tuple[Problem, Exact]:
    """A fixture by the first word of its name, and its enumeration."""
    full = next(key for key in FIXTURES if key.startswith(name))
    if full not in _known:
        _known[full] = enumerate_outputs(FIXTURES[full]())
    return FIXTURES[full](), _known[full]


def needs(method: str) -> dict[str, Any]:
    """The options a method cannot do without: of searches, a scorer."""
    return {name: {"scorer": longest}[name] for name in required_of(method)}


def longest(texts: Sequence[str]) -> list[float]:
    """A scorer."""
    return [float(len(text)) for text in texts]


def small_problem(max_tokens: int = 4) -> Problem:
    """Five token sequences, unlike masses: small enough to go through every outcome of a whole run."""
    vocabulary = vocabulary_of("a", "b")
    return Problem(TableModel.sine(vocabulary, 1.5), finite_language(vocabulary, ["a", "ab", "bb", "bab"]), max_tokens)


def three_outputs() -> Problem:
    """Two steps, masses that differ, and a draw that dies: small enough for three draws, resampled."""
    vocabulary = vocabulary_of("a", "b")
    rows = np.log(np.array([[0.5, 0.3, 0.2], [0.3, 0.1, 0.6]]))
    model = TableModel(vocabulary, lambda u: rows[min(len(u), 1)])
    return Problem(model, finite_language(vocabulary, ["a", "b", "ba"]), 3)


def unequal_weights() -> SampleSet:
    """Three masked draws, one of them with most of the weight."""
    drawn = sample(three_outputs(), 3, "masked")
    samples = [replace(drawn.samples[0], token_ids=(place,), log_weight=float(np.log(w))) for place, w in
               enumerate((0.2, 0.7, 0.1))]  # fmt: skip
    return replace(drawn, samples=tuple(samples))


def dying() -> Problem:
    """After "a" the model never says what the constraint needs: such draws die."""
    vocabulary = vocabulary_of("a", "b")
    with np.errstate(divide="ignore"):
        rows = np.log(np.array([[0.5, 0.4, 0.1], [0.5, 0.0, 0.5]]))
    model = TableModel(vocabulary, lambda u: rows[1 if u[-1:] == (0,) else 0])
    return Problem(model, finite_language(vocabulary, ["ab", "b", "bb"]), 4)


def expectations(problem: Problem, method: str, n: int, **options: Any) -> tuple[dict[Any, float], float, float]:
    """Over every outcome of sample(problem, n, method): E[mean W 1{w}] by output, E[Z-hat], sum of probabilities."""
    by_output: dict[Any, float] = {}
    evidence = total = 0.0
    for probability, result in every_outcome(lambda chooser: sample(problem, n, method, seed=chooser, **options)):
        total += probability
        if result.log_evidence is not None:
            evidence += probability * float(np.exp(result.log_evidence))
        for drawn in result.samples:
            weight = float(np.exp(drawn.log_weight)) / max(len(result.samples), 1)
            by_output[drawn.token_ids] = by_output.get(drawn.token_ids, 0.0) + probability * weight
    return by_output, evidence, total


def check_places(experiment: Callable[[ExhaustiveChooser], Sequence[Sample]]) -> None:
    """E[W 1{w}] is the same for every place among the draws, over every outcome, given that there is such a draw."""
    weight: dict[tuple[int, Any], float] = {}
    there: dict[int, float] = {}
    for probability, samples in every_outcome(experiment):
        for place, drawn in enumerate(samples):
            there[place] = there.get(place, 0.0) + probability
            key = place, drawn.token_ids
            weight[key] = weight.get(key, 0.0) + probability * float(np.exp(drawn.log_weight))
    assert len(there) > 1 and there[0] > 0.5
    for w in {w for _, w in weight}:
        shares = [weight.get((place, w), 0.0) / there[place] for place in sorted(there)]
        np.testing.assert_allclose(shares, shares[0], rtol=1e-9, err_msg=str(w))


def fit_p_value(exact: Exact, token_ids: Sequence[tuple[int, ...]]) -> float:
    """p-value of the G test of independent draws against pi; cells expecting fewer than five are pooled."""
    places = {w: i for i, w in enumerate(exact.outputs)}
    counts = np.bincount([places[w] for w in token_ids], minlength=len(places)).astype(float)
    expected = exact.target * counts.sum()
    rare = expected < 5
    if rare.any():
        counts = np.append(counts[~rare], counts[rare].sum())
        expected = np.append(expected[~rare], expected[rare].sum())
    if expected[-1] < 5 and len(expected) > 1:  # what was pooled is still rare: join it with the rarest other cell
        least = int(np.argmin(expected[:-1]))
        counts[least], expected[least] = counts[least] + counts[-1], expected[least] + expected[-1]
        counts, expected = counts[:-1], expected[:-1]
    seen = counts > 0
    statistic = 2 * float((counts[seen] * np.log(counts[seen] / expected[seen])).sum())
    return 1.0 if len(counts) < 2 else _chi2_tail(statistic, len(counts) - 1)


def _chi2_tail(statistic: float, freedom: int) -> float:
    half = torch.tensor([freedom / 2, statistic / 2], dtype=torch.float64)
    return float(torch.special.gammaincc(half[0], half[1]))


def tv_limit(exact: Exact, n: int, alpha: float = ALPHA) -> float:
    """What the total variation of n exact draws stays below but with probability alpha (McDiarmid)."""
    p = exact.target
    return float(np.sqrt(p * (1 - p) / n).sum() / 2 + np.sqrt(np.log(1 / alpha) / (2 * n)))


def bernstein(values: np.ndarray, alpha: float = ALPHA) -> float:
    """Half-width around the mean of n values in [0, 1] (empirical Bernstein, Maurer and Pontil 2009)."""
    n = len(values)
    return float(np.sqrt(2 * values.var() * np.log(3 / alpha) / n) + 3 * np.log(3 / alpha) / n)


def random_problem(rng: np.random.Generator) -> Problem:
    """A finite language over two to four letters, some of them two-letter tokens, under a random table (T5)."""
    letters = "abcd"[: int(rng.integers(2, 5))]
    tokens = [*letters, *(["ab"] if rng.random() < 0.5 else [])]
    texts = ["".join(t) for size in range(5) for t in itertools.product(letters, repeat=size)]
    chosen = rng.choice(texts, size=int(rng.integers(1, min(len(texts), 40))), replace=False).tolist()
    vocabulary = vocabulary_of(*tokens)
    model = TableModel.sine(vocabulary, float(rng.uniform(0.1, 4)))
    return Problem(model, finite_language(vocabulary, chosen), max_tokens=int(rng.integers(5, 7)))


def check_weighted(problem: Problem, method: str, n: int, **options: Any) -> None:
    """E[mean W 1{w}] = p(w bottom) for every output, and E[Z-hat] = Z, over every outcome."""
    exact = enumerate_outputs(problem)
    by_output, evidence, total = expectations(problem, method, n, **options)
    assert abs(total - 1) < 1e-12
    assert _same(evidence, np.exp(exact.log_evidence)), (evidence, np.exp(exact.log_evidence))
    for w, log_prob in zip(exact.outputs, exact.log_prob, strict=True):
        assert _same(by_output.get(w, 0.0), np.exp(log_prob)), (w, by_output.get(w), np.exp(log_prob))


def _same(value: float, expected: float) -> bool:
    """Equal but for rounding, however small both are."""
    return abs(value - expected) <= min(1e-12, 1e-9 * abs(expected)) + 1e-18


def attempt_law(problem: Problem, trie: Trie, *, reject: bool, together: int) -> tuple[dict[Any, float], float]:
    """Law of what `together` attempts in flight on copies of a trie come to, and U at their launch.

    Keys are tuples, one token sequence (None: rejected or dead) per attempt in launch order; with weights, each outcome
    counts the product of its weights.
    """
    law: dict[Any, float] = {}

    def experiment(chooser: Any) -> list[Attempt]:
        attempts = Attempts(Run(problem, seed=chooser), copy.deepcopy(trie), reject=reject, concurrency=together)
        return list(attempts.in_order(together))

    for probability, drawn in every_outcome(experiment):
        key = tuple(tuple(a.tokens) if a.outcome == "stop" else None for a in drawn)
        weight = 1.0 if reject else float(np.prod([np.exp(a.log_weight) for a in drawn]))
        law[key] = law.get(key, 0.0) + probability * weight
        log_upper = drawn[0].log_upper
    return law, float(np.exp(log_upper))


def check_accepts(problem: Problem, trie: Trie, together: int = 1) -> None:
    """P(accept w_1, ..., w_K) = product of p(w_i bottom) / U, for attempts launched together."""
    exact = enumerate_outputs(problem)
    law, upper = attempt_law(problem, trie, reject=True, together=together)
    assert abs(sum(law.values()) - 1) < 1e-12
    p = dict(zip(exact.outputs, np.exp(exact.log_prob), strict=True))
    for key in itertools.product(exact.outputs, repeat=together):
        expected = float(np.prod([p[w] / upper for w in key]))
        assert _same(law.get(key, 0.0), expected), (key, law.get(key), expected)


def check_trie_weights(problem: Problem, trie: Trie, together: int = 1) -> None:
    """E[product of W 1{w_1, ..., w_K}] = product of p(w_i bottom)."""
    exact = enumerate_outputs(problem)
    law, _ = attempt_law(problem, trie, reject=False, together=together)
    p = dict(zip(exact.outputs, np.exp(exact.log_prob), strict=True))
    for key in itertools.product(exact.outputs, repeat=together):
        expected = float(np.prod([p[w] for w in key]))
        assert _same(law.get(key, 0.0), expected), (key, law.get(key), expected)


def check_fit(exact: Exact, token_ids: Sequence[tuple[int, ...]]) -> None:
    """Frequencies of independent draws against pi: G test and total variation, each at ALPHA."""
    p_value = fit_p_value(exact, token_ids)
    places = {w: i for i, w in enumerate(exact.outputs)}
    frequencies = np.bincount([places[w] for w in token_ids], minlength=len(places)) / len(token_ids)
    distance = total_variation(frequencies, exact.target)
    assert p_value > ALPHA, p_value
    assert distance < tv_limit(exact, len(token_ids)), distance


def check_attempt_order(problem: Problem, exact: Exact, n: int = 4000) -> None:
    """CARS outputs of many short runs with sixteen attempts in flight: where taking the first to finish would show."""
    drawn = [sample(problem, 1, "cars", seed=seed).samples[0].token_ids for seed in range(n)]
    check_fit(exact, drawn)


def warmed(problem: Problem, draws: int) -> Trie:
    """A trie that has seen `draws` weighted draws."""
    trie = Trie(problem)
    if draws:
        sample(problem, draws, "asap", trie=trie, concurrency=1, seed=draws)
    return trie


def trace_of(rows: RowMemory, problem: Problem, w: tuple[int, ...]) -> cuts.Trace:
    """A chain's state at an output."""
    trace = cuts.Trace([problem.root()])
    for event in (*w, problem.stop):
        row = rows.rows([trace.prefixes[-1]])[0]
        trace.take(row, int(np.flatnonzero(row.ids == event)[0]))
    return trace


def kernel(problem: Problem, exact: Exact, cut: str, steps: int = 1, memory: int = 1 << 30) -> np.ndarray:
    """K[x, y], the probability that so many steps of a chain lead from output x to output y, over every outcome.

    Without `memory` every step waits for the model, so the steps ahead are begun beside it.
    """
    places, run = {w: i for i, w in enumerate(exact.outputs)}, Run(problem)
    rows = RowMemory(run, memory)
    out = np.zeros((len(places), len(places)))
    for w, i in places.items():
        start = trace_of(rows, problem, w)

        def step(chooser: Any, state: cuts.Trace = start) -> tuple[int, ...]:
            walk = chains.Chains(Run(problem, seed=chooser), 1, cut, 64, 0)
            walk.rows, walk.chains[0].state = rows, state
            assert walk.advance(steps, steps)
            return walk.states(steps)[0].tokens

        for probability, reached in every_outcome(step):
            out[i, places[reached]] += probability
    return out


def check_kernel(problem: Problem, cut: str, exact: Exact | None = None) -> np.ndarray:
    """Rows sum to one, and pi K is in detailed balance."""
    exact = exact or enumerate_outputs(problem)
    k = kernel(problem, exact, cut)
    np.testing.assert_allclose(k.sum(axis=1), 1, atol=1e-12)
    flow = exact.target[:, None] * k
    assert np.abs(flow - flow.T).max() < 1e-15, np.abs(flow - flow.T).max()
    return k


def check_steps_ahead(problem: Problem, cut: str, steps: int = 2) -> None:
    """Steps of which the later ones are written beside the first have the law of one step after the other."""
    exact = enumerate_outputs(problem)
    k = np.linalg.matrix_power(kernel(problem, exact, cut), steps)
    np.testing.assert_allclose(kernel(problem, exact, cut, steps, memory=0), k, atol=1e-12)


def check_cut_chains() -> None:
    """Some chains have run ahead when a budget ends; what is returned is where each stood after what all had made."""
    problem, _ = fixture("T2")
    for scored in range(60, 300, 5):
        cut = sample(problem, 20, "mcmc", steps=50, seed=5, budget=Budget(prefixes_scored=scored), batch=1)
        if cut.samples:
            whole = sample(problem, 20, "mcmc", steps=int(cut.note.split()[0]), seed=5)
            assert [s.token_ids for s in cut.samples] == [s.token_ids for s in whole.samples]
            return
    raise AssertionError("no budget ended a run after its first step")
