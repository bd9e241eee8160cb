"""Logits through the pool of slots against whole forwards, and every sampler on tiny models against enumeration."""

from __future__ import annotations

import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from structgen.engines.prefixes import PrefillModel, PrefixModel, prefix_model
from structgen.engines.transformers import TransformersEngine
from structgen.errors import ModelError, OptionError
from structgen.matcher import Constraint
from structgen.samplers.exact import enumerate_outputs, total_variation
from structgen.samplers.predicates import Predicate
from structgen.samplers.problem import Problem
from structgen.samplers.run import sample
from structgen.samplers.trie import Trie
from tests.samplers.judges import check_fit, fit_p_value

Make = Callable[..., TransformersEngine]


def whole(engine: TransformersEngine, prefix: tuple[int, ...]) -> np.ndarray:
    with torch.no_grad():
        return engine.model(torch.tensor([prefix])).logits[0, -1].double().numpy()


def log_softmax(logits: np.ndarray) -> np.ndarray:
    logits = logits.astype(np.float64)
    return logits - np.logaddexp.reduce(logits)


def random_prefixes(rng: random.Random, count: int) -> list[tuple[int, ...]]:
    """Prefixes that branch off each other."""
    known = [tuple(rng.randrange(4, 300) for _ in range(5))]
    for _ in range(count - 1):
        base = rng.choice(known)
        cut = rng.randrange(1, len(base) + 1)
        known.append(base[:cut] + tuple(rng.randrange(4, 300) for _ in range(rng.randrange(1, 4))))
    return known


@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3", "gpt2", "gemma", "mistral"])
@pytest.mark.parametrize("cache_tokens", [None, 40, 1])
def test_gathered_rows_are_those_of_whole_forwards(make_engine: Make, family: str, cache_tokens: int | None) -> None:
    engine = make_engine(family, double=True)
    model, rng = PrefixModel(engine, cache_tokens=cache_tokens, batch=5), random.Random(family)
    prefixes = random_prefixes(rng, 40)
    for _ in range(12):
        batch = rng.choices(prefixes, k=rng.randrange(1, 9))
        for prefix, row in zip(batch, model.logits(batch), strict=True):
            np.testing.assert_allclose(log_softmax(row), log_softmax(whole(engine, prefix)), atol=1e-9)
    assert len(model._edge) <= (cache_tokens or 10**6)
    for slot, (parent, token) in model._edge.items():
        assert model._slot_of[parent, token] == slot
        assert parent == -1 or parent in model._edge


def test_rows_that_share_a_prompt_are_read_as_a_tree(make_engine: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once two of them were read both ways, and where paths share enough; the prompt is held once."""
    engine = make_engine("gemma", double=True)
    model, looked = PrefixModel(engine), list[tuple[int, int]]()
    gathered = model._gathered
    monkeypatch.setattr(model, "_gathered", lambda slots: looked.append(tuple(slots.shape)) or gathered(slots))
    prompt = tuple(range(10, 60))
    model.logits([prompt])
    assert model._trees is None
    for depth in range(1, 5):
        batch = [(*prompt, *(7 + row,) * depth) for row in range(3)]
        for prefix, row in zip(batch, model.logits(batch), strict=True):
            np.testing.assert_allclose(log_softmax(row), log_softmax(whole(engine, prefix)), atol=1e-9)
    assert model._trees
    assert looked == [(2, 50), (1, 50), (1, 50), (1, 53), (1, 56), (1, 59)]
    apart = [(first, *prompt) for first in range(4, 10)]  # six paths that share nothing
    model.logits(apart)
    model.logits([(*prefix, 5) for prefix in apart])
    assert looked[-1] == (6, 51)


def test_a_model_that_takes_no_tree_is_read_by_rows(make_engine: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """One whose layers look at what they like, and one that refuses the mask."""

    def blind(self: Any, seen: torch.Tensor, positions: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
        return torch.ones_like(seen).unsqueeze(1)

    def refused(self: Any, *_: torch.Tensor) -> torch.Tensor:
        raise ValueError("no mask")

    engine = make_engine("llama", double=True)
    for mutant in (blind, refused):
        monkeypatch.setattr("structgen.engines.attention.LayerMasks.of", mutant)
        model = PrefixModel(engine)
        model.logits([(5, 6, 7)])
        for last in (8, 9):
            batch = [(5, 6, 7, *(last + row,) * 2) for row in range(2)]
            model.logits([prefix[:-1] for prefix in batch])
            for prefix, row in zip(batch, model.logits(batch), strict=True):
                np.testing.assert_allclose(log_softmax(row), log_softmax(whole(engine, prefix)), atol=1e-9)
        assert model._trees is False


def test_float32_stays_within_a_ten_thousandth(make_engine: Make) -> None:
    engine = make_engine("llama")
    model = PrefixModel(engine)
    for prefix in random_prefixes(random.Random(1), 30):
        row = model.logits([prefix])[0]
        assert row.dtype == np.float32
        np.testing.assert_allclose(log_softmax(row), log_softmax(whole(engine, prefix)), atol=1e-4)


def test_shared_parts_are_read_once(make_engine: Make) -> None:
    model = PrefixModel(make_engine())
    prompt = tuple(range(10, 60))
    model.logits([prompt])
    assert model.tokens_forwarded == 50
    model.logits([(*prompt, 7), (*prompt, 8), (*prompt, 9)])
    assert model.tokens_forwarded == 53
    model.logits([(*prompt, 7, 5), (*prompt, 8, 5)])
    assert model.tokens_forwarded == 55
    assert len(model._edge) == 55  # a slot per token of the tree
    model.logits([tuple(range(4, 300)) * 2])  # more slots than the pool begins with
    model.clear()
    read = model.tokens_forwarded
    model.logits([prompt])
    assert model.tokens_forwarded == read + 50


def test_a_model_without_keys_and_values_is_read_from_the_start(
    make_engine: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("structgen.engines.prefixes._new_states", lambda cache, past, new: None)
    engine = make_engine(double=True)
    model = PrefixModel(engine)
    for prefix in [(5, 6, 7), (5, 6, 7, 8)]:
        np.testing.assert_allclose(
            log_softmax(model.logits([prefix])[0]), log_softmax(whole(engine, prefix)), atol=1e-9
        )
    assert model.tokens_forwarded == 7


def test_fingerprints_tell_weights_apart(make_engine: Make) -> None:
    assert PrefixModel(make_engine()).fingerprint == PrefixModel(make_engine()).fingerprint
    others = [make_engine(seed=1), make_engine("gpt2"), make_engine(double=True)]
    assert len({PrefixModel(e).fingerprint for e in [make_engine(), *others]}) == 4


def test_limits(make_engine: Make) -> None:
    with pytest.raises(OptionError, match="batch"):
        PrefixModel(make_engine(), batch=0)
    with pytest.raises(ModelError, match="1024"):
        PrefixModel(make_engine()).logits([tuple([5] * 1025)])


def tiny_problem(make: Make, constrain: Callable[[Any], Constraint], family: str, **law: Any) -> Problem:
    engine = make(family, double=True, padding=3)
    constraint = constrain({"enum": [1, 12, 7, "a", [2], True]})
    return Problem(prefix_model(engine), constraint, 7, prompt=engine.encode("the quick"), **law)


@pytest.mark.statistical
@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_samplers_on_a_transformers_model(
    make_engine: Make, constrain: Callable[[Any], Constraint], family: str
) -> None:
    problem = tiny_problem(make_engine, constrain, family, temperature=1.5)
    exact = enumerate_outputs(problem)
    assert len(exact.paths) > 8  # several token sequences per text
    trie = Trie(problem)
    drawn = sample(problem, 1500, "cars", seed=1, trie=trie)
    assert drawn.exact
    check_fit(exact, [s.token_ids for s in drawn.samples])
    assert drawn.stats.prefixes_scored <= len(exact.log_future)
    weighted = sample(problem, 300, "asap", seed=2, trie=trie)
    lower, upper = weighted.evidence_bounds or (0, 0)
    assert lower - 1e-9 <= exact.log_evidence <= upper + 1e-9
    assert weighted.log_evidence == pytest.approx(exact.log_evidence, abs=0.02)
    masked = sample(problem, 1500, "masked", seed=3)
    masses = dict(zip(exact.outputs, exact.log_mass, strict=True))
    assert {s.finish for s in masked.samples} <= {"stop", "dead"}
    for s in [s for s in masked.samples if s.finish == "stop"][:50]:
        assert s.log_weight == pytest.approx(masses[s.token_ids], abs=1e-6)
    if np.ptp(exact.log_mass) > 1:
        assert fit_p_value(exact, [s.token_ids for s in masked.samples if s.finish == "stop"]) < 1e-9


@pytest.mark.statistical
@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_particles_on_a_transformers_model(
    make_engine: Make, constrain: Callable[[Any], Constraint], family: str
) -> None:
    """Evidence and outputs of smc under the mask, by tokens checked one by one, and under a predicate."""
    plain = tiny_problem(make_engine, constrain, family, temperature=1.5)
    guard: Any = plain.constraint & Predicate(lambda text, complete: not text.startswith("["))
    guarded = Problem(plain.model, guard, 7, prompt=plain.prompt, temperature=1.5)
    for problem, proposal in ((plain, "mask"), (plain, "awrs"), (guarded, "awrs")):
        exact = enumerate_outputs(problem)
        for threshold in (0.5, 0.0):
            many = sample(problem, 400, "smc", seed=3, proposal=proposal, ess_threshold=threshold)
            assert many.evidence_error is not None
            gap = np.exp(many.log_evidence - exact.log_evidence) - 1
            assert abs(gap) < 5 * many.evidence_error
        assert {s.token_ids for s in many.samples if s.finish == "stop"} <= set(exact.outputs)
        assert total_variation(exact.frequencies(many), exact.target) < 2 / np.sqrt(many.ess)
        assert many.stats.prefixes_scored <= len(exact.log_future)
    assert len(enumerate_outputs(guarded).paths) < len(enumerate_outputs(plain).paths)


@pytest.mark.statistical
@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_chains_and_searches_on_a_transformers_model(
    make_engine: Make, constrain: Callable[[Any], Constraint], family: str
) -> None:
    problem = tiny_problem(make_engine, constrain, family, temperature=1.5)
    exact = enumerate_outputs(problem)
    best = np.sort(exact.log_prob)[::-1]
    for method, options in (("best_first", {}), ("best_first", {"batch": 4}), ("beam", {"width": 200})):
        found = sample(problem, 5, method, **options)
        assert found.proven == 5
        assert [s.log_prob for s in found.samples] == pytest.approx(best[:5].tolist(), abs=1e-6)
    rate = 1 - np.exp(exact.log_evidence - exact.log_mass.max())  # what one restart leaves of the distance
    steps = int(np.ceil(np.log(1e-3) / np.log(rate)))
    assert 20 < steps < 80
    drawn = sample(problem, 150, "mcmc", steps=steps, seed=5)
    check_fit(exact, [s.token_ids for s in drawn.samples])
    masses = dict(zip(exact.outputs, exact.log_mass, strict=True))
    for other in (drawn, sample(problem, 20, "mcmc", cut="priority"), sample(problem, 20, "mcmc", cut="uniform")):
        assert other.status == "complete"
        assert other.stats.prefixes_scored <= len(exact.log_future)
        for s in other.samples:
            assert s.log_mass == pytest.approx(masses[s.token_ids], abs=1e-6)


def test_canonical_spellings_of_a_transformers_tokenizer(
    make_engine: Make, constrain: Callable[[Any], Constraint]
) -> None:
    """One spelling of every text, the tokenizer's; both ways to judge prefixes agree."""
    engine = make_engine("llama", double=True)
    constraint = constrain({"enum": [1, 12, 7, "a", [2], True]})
    model, prompt = prefix_model(engine), engine.encode("the quick")
    everything = enumerate_outputs(Problem(model, constraint, 7, prompt=prompt))
    problem = Problem(model, constraint, 7, prompt=prompt, canonical=True)
    exact = enumerate_outputs(problem)
    tokenizer = engine.tokenizer
    wanted = [w for w in everything.outputs if tokenizer(tokenizer.decode(w))["input_ids"][-len(w) :] == list(w)]
    assert set(exact.outputs) == set(wanted)
    assert len({problem.vocabulary.decode(w) for w in wanted}) == len(wanted) < len(everything.paths)
    early = enumerate_outputs(Problem(model, constraint, 7, prompt=prompt, canonical="prefixes"))
    assert early.log_evidence == pytest.approx(exact.log_evidence)
    assert len(early.log_future) <= len(exact.log_future)
    assert {s.token_ids for s in sample(problem, 20, "cars", seed=1).samples} <= set(wanted)
    assert sample(problem, 6, "best_first").note == ""
    other = SimpleNamespace(vocabulary=engine.vocabulary, prefill=engine.prefill)
    with pytest.raises(OptionError, match="canonical needs a tokenizer, and PrefillModel has none"):
        Problem(PrefillModel(other), constraint, 7, canonical=True)


def test_other_engines_serve_too(make_engine: Make, constrain: Callable[[Any], Constraint]) -> None:
    engine = make_engine("llama", double=True)
    model = PrefillModel(engine)
    slow = Problem(model, constrain({"enum": [1, 12]}), 5, prompt=[9, 8])
    fast = Problem(PrefixModel(engine), slow.constraint, 5, prompt=[9, 8])
    one, other = enumerate_outputs(slow), enumerate_outputs(fast)
    assert one.outputs == other.outputs
    np.testing.assert_allclose(one.log_prob, other.log_prob, atol=1e-9)
    assert model.tokens_forwarded > fast.model.tokens_forwarded
