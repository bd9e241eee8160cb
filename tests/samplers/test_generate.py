"""`generate(method=...)`: every method by its name, on the bundled model and on an engine that only knows prefill."""

from __future__ import annotations

import numpy as np
import pytest

import structgen as sg
from structgen.api.options import Settings
from structgen.errors import OptionError, SamplingIncomplete
from structgen.samplers.result import SampleSet
from structgen.samplers.run import METHODS, Budget
from tests.api.engines import HashEngine

COLOURS = ["red", "green", "blue", "grey"]


@pytest.fixture(scope="module")
def engine() -> HashEngine:
    return HashEngine()


OWN = [name for name, home in METHODS.items() if home.startswith("structgen.samplers")]  # of searches: tests/search


@pytest.mark.parametrize("method", [name for name in OWN if name != "rejection"])  # it would never meet a colour
def test_every_method_is_reached(method: str) -> None:
    """On the bundled model, whose law a temperature and a limit on tokens make easy."""
    value = sg.generate(prompt="The sky is blue.", choices=COLOURS, method=method, seed=1, max_tokens=12)
    assert value in COLOURS
    two = sg.generate(prompt="The sky is blue.", choices=COLOURS, method=method, seed=1, n=2, max_tokens=12)
    assert len(two) == 2
    assert set(two) <= set(COLOURS)


def test_exact_outputs_follow_the_conditioned_model(engine: HashEngine) -> None:
    exact = sg.generate_result(engine, "colour?", choices=COLOURS, method="enumeration", seed=1, max_tokens=8)
    z = exact.samples.log_evidence
    drawn = sg.generate_result(engine, "colour?", choices=COLOURS, method="cars", seed=2, max_tokens=8, n=400)
    assert {r.samples.exact for r in drawn} == {True}
    for colour in COLOURS:
        mine = [r for r in drawn if r.value == colour]
        sequences = {r.token_ids: np.exp(r.log_prob - z) for r in mine}
        if mine:
            p = sum(sequences.values())  # of the token sequences that were seen
            assert len(mine) / 400 <= p + 6 * np.sqrt(p / 400) + 0.05
    assert all(r.log_q is None and r.log_weight == 0 for r in drawn)


def test_weighted_methods_pick_among_their_draws(engine: HashEngine) -> None:
    result = sg.generate_result(engine, "?", choices=COLOURS, method="asap", seed=1, max_tokens=8)
    assert isinstance(result.samples, SampleSet)
    assert len(result.samples) == 32
    more = sg.generate_result(
        engine, "?", choices=COLOURS, method="asap", seed=1, max_tokens=8, n=3, method_options={"draws": 50}
    )
    assert len(more) == 3
    assert len(more[0].samples) == 50
    with pytest.raises(OptionError, match="draws"):
        sg.generate(engine, "?", choices=COLOURS, method="asap", n=3, method_options={"draws": 2})


def test_batches_have_their_own_streams_and_repeat(engine: HashEngine) -> None:
    ask = {"choices": list("abcdefgh"), "method": "cars", "max_tokens": 8, "n": 8}
    one = sg.generate(engine, ["a", "a"], seed=3, **ask)
    assert one == sg.generate(engine, ["a", "a"], seed=3, **ask)
    assert one[0] != one[1]


def test_hopeless_methods_raise(engine: HashEngine) -> None:
    with pytest.raises(SamplingIncomplete) as caught:
        sg.generate(
            engine, "?", regex="(red){9}", method="rejection", seed=1, max_tokens=30, budget=Budget(attempts=300)
        )
    error = caught.value
    assert (error.status, error.found, error.wanted) == ("budget", 0, 1)
    assert isinstance(error.result, SampleSet)
    assert "budget" in str(error)


def test_chains_cut_short_raise_and_keep_what_they_reached(engine: HashEngine) -> None:
    ask = {"choices": COLOURS, "method": "mcmc", "seed": 1, "max_tokens": 8}
    with pytest.raises(SamplingIncomplete) as caught:
        sg.generate(engine, "?", **ask, budget=Budget(attempts=4), method_options={"steps": 50})
    assert (caught.value.status, caught.value.found) == ("budget", 1)
    assert caught.value.result.samples[0].text in COLOURS
    result = sg.generate_result(engine, "?", **ask, method_options={"cut": "uniform", "steps": 3})
    assert (result.value in COLOURS, result.samples.exact) == (True, False)


def test_searches_say_that_they_are_none_of_the_samplers(engine: HashEngine) -> None:
    ask = {"choices": COLOURS, "seed": 1, "max_tokens": 8}
    exact = sg.generate_result(engine, "?", **ask, method="enumeration", method_options={"limit": 10_000})
    for method in ("beam", "best_first"):
        found = sg.generate_result(engine, "?", **ask, method=method, n=3)
        assert {(r.samples.target, r.samples.exact) for r in found} == {("argmax", False)}
        assert found[0].log_prob >= found[1].log_prob >= found[2].log_prob
        assert found[0].log_prob >= exact.log_prob
    assert found[0].samples.proven == 3
    with pytest.raises(SamplingIncomplete, match="there are only 1 outputs"):
        sg.generate(engine, "?", choices=["a"], method="best_first", n=2, max_tokens=3)


def test_options_of_the_other_kind_are_refused(engine: HashEngine) -> None:
    with pytest.raises(OptionError, match="did you mean 'cars'"):
        sg.generate(engine, "?", choices=COLOURS, method="car")
    with pytest.raises(OptionError, match="budget"):
        sg.generate(engine, "?", choices=COLOURS, budget=Budget(attempts=1))
    with pytest.raises(OptionError, match="min_p"):
        sg.generate(engine, "?", choices=COLOURS, method="cars", min_p=0.1)
    with pytest.raises(OptionError, match="on_truncate"):
        sg.generate(engine, "?", choices=COLOURS, method="cars", on_truncate="complete")
    with pytest.raises(OptionError, match="stream"):
        sg.generate(engine, "?", choices=COLOURS, method="cars", stream=True)
    with pytest.raises(OptionError, match="no option 'particles'"):
        sg.generate(engine, "?", choices=COLOURS, method="cars", method_options={"particles": 3})
    with pytest.raises(OptionError, match="temperature"):
        sg.generate(engine, "?", choices=COLOURS, method="cars", temperature=0)
    assert Settings.read({"method": "cars"}).method == "cars"


def test_canonical_spellings_by_option() -> None:
    plain, canonical = (
        sg.generate_result(
            prompt="?", choices=COLOURS, method="enumeration", max_tokens=6, seed=1, method_options={"canonical": how}
        )
        for how in (False, True)
    )
    assert plain.samples.law.measure == "token sequences"
    assert canonical.samples.law.measure == "canonical token sequences"
    assert canonical.samples.log_evidence < plain.samples.log_evidence
    with pytest.raises(OptionError, match="canonical needs a tokenizer"):
        sg.generate(HashEngine(), "?", choices=COLOURS, method="cars", method_options={"canonical": True})
