"""A model that reads ahead for samplers gives the rows that the model gives, every sampler its samples, and asap and
cars rows that teach them."""

from __future__ import annotations

import random

import numpy as np
import pytest

import structgen as sg
from structgen.compiler import compile_grammar
from structgen.engines.prefixes import PrefixModel
from structgen.grammars.json_schema import compile_schema
from structgen.samplers.models import TableModel
from structgen.samplers.problem import Problem
from structgen.samplers.run import sample
from structgen.speculation.prefixes import AheadModel
from tests.samplers.judges import check_accepts, check_weighted, small_problem, warmed
from tests.speculation.test_read_ahead import SCHEMA, Engines


@pytest.fixture
def parts(make_engine: Engines):  # type: ignore[no-untyped-def]
    engine = make_engine(double=True)
    constraint = compile_grammar(compile_schema(SCHEMA).grammar, engine.vocabulary)
    return engine, constraint, tuple(engine.encode('the quick {"name": "fox"'))


def test_rows_are_the_models_whatever_was_asked_before(parts) -> None:  # type: ignore[no-untyped-def]
    engine, constraint, prompt = parts
    plain, ahead = PrefixModel(engine), AheadModel(PrefixModel(engine), constraint, prompt)
    rng = random.Random(1)
    for _ in range(12):
        outputs = []
        for _ in range(rng.choice([1, 1, 2, 5, 20])):
            matcher = constraint.matcher()
            tokens: list[int] = []
            for _ in range(rng.randrange(8)):
                allowed = np.flatnonzero(np.unpackbits(matcher.mask().view(np.uint8), bitorder="little"))
                token = int(rng.choice(list(allowed)))
                if token in engine.vocabulary.stop_ids:
                    break
                matcher.accept(token)
                tokens.append(token)
            outputs.append((*prompt, *tokens))
        assert np.allclose(ahead.logits(outputs), plain.logits(outputs), atol=1e-9)
    assert ahead.known


@pytest.mark.parametrize(
    ("method", "options"),
    [("masked", {}), ("rejection", {}), ("smc", {}), ("mcmc", {"steps": 4}), ("beam", {})],
)
def test_every_sampler_draws_the_same(method: str, options: dict[str, int], parts) -> None:  # type: ignore[no-untyped-def]
    engine, _, prompt = parts
    constraint = compile_grammar(compile_schema({"enum": [True, 12, 123, "a"]}).grammar, engine.vocabulary)
    found = {}
    for name, model in (
        ("plain", PrefixModel(engine)),
        ("ahead", AheadModel(PrefixModel(engine), constraint, prompt)),
    ):
        problem = Problem(model, constraint, 12, prompt=prompt)
        found[name] = sample(problem, 6, method, seed=5, budget=sg.Budget(prefixes_scored=600), **options)
    plain, ahead = found["plain"], found["ahead"]
    assert [each.token_ids for each in ahead.samples] == [each.token_ids for each in plain.samples]
    for one, other in zip(ahead.samples, plain.samples, strict=True):
        assert one.log_prob == pytest.approx(other.log_prob, abs=1e-8, nan_ok=True)
        assert one.log_weight == pytest.approx(other.log_weight, abs=1e-8, nan_ok=True)
    assert ahead.stats.prefixes_scored == plain.stats.prefixes_scored


class TellsMore:
    """A model that reads the likeliest two tokens behind whatever it is asked for, and says so."""

    def __init__(self, model: TableModel) -> None:
        self._model, self.vocabulary, self.fingerprint = model, model.vocabulary, model.fingerprint
        self.tokens_forwarded, self._besides = 0, list[tuple[int, ...]]()

    def logits(self, prefixes: list[tuple[int, ...]]) -> np.ndarray:
        rows = self._model.logits(prefixes)
        for prefix, row in zip(prefixes, rows, strict=True):
            first = (*prefix, int(np.argmax(row[1:])) + 1)
            self._besides += [first, (*first, int(np.argmax(self._model.logits([first])[0][1:])) + 1)]
        return rows

    def read_besides(self) -> list[tuple[int, ...]]:
        told, self._besides = self._besides, []
        return told


def telling(problem: Problem) -> Problem:
    return Problem(TellsMore(problem.model), problem.constraint, problem.max_tokens)  # type: ignore[arg-type]


@pytest.mark.parametrize("together", [1, 2])
def test_what_is_read_besides_teaches_and_changes_no_law(together: int) -> None:
    """Over every outcome: asap's weights are unbiased, an attempt of cars accepts in proportion to the model."""
    check_weighted(telling(small_problem()), "asap", 2, concurrency=together)
    check_accepts(telling(small_problem()), warmed(small_problem(), 0), together=together)


def test_what_is_read_besides_spares_attempts() -> None:
    plain = sample(small_problem(), 40, "cars", seed=3, concurrency=1)
    taught = sample(telling(small_problem()), 40, "cars", seed=3, concurrency=1)
    assert taught.exact
    assert taught.stats.attempts < plain.stats.attempts
    assert taught.evidence_bounds[1] <= plain.evidence_bounds[1] + 1e-12  # type: ignore[index]


def test_rows_are_forgotten_and_read_again(parts) -> None:  # type: ignore[no-untyped-def]
    engine, constraint, prompt = parts
    size = PrefixModel(engine).logits([prompt]).nbytes
    ahead = AheadModel(PrefixModel(engine), constraint, prompt, bytes_kept=3 * size)
    first = ahead.logits([prompt])
    for token in range(20, 30):
        ahead.logits([(*prompt, token)])
    assert len(ahead._rows) <= 3
    assert np.allclose(ahead.logits([prompt]), first, atol=1e-9)


def test_generate_reads_ahead_for_samplers_when_asked(make_engine: Engines) -> None:
    engine = make_engine(double=True)
    asked = {"schema": SCHEMA, "n": 3, "seed": 4, "method": "smc", "max_tokens": 80}
    plain = sg.generate(engine, "the quick fox", **asked)
    assert sg.generate(engine, "the quick fox", speculation=sg.Speculation(), **asked) == plain
