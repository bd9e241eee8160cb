"""What changes logits before the mask: repetition penalty, min-p, the caller's functions; and stop strings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from transformers import LogitsProcessorList, NoRepeatNGramLogitsProcessor, RepetitionPenaltyLogitsProcessor
from transformers.generation.logits_process import MinPLogitsWarper

import structgen as sg
from structgen.engines.sampling import law
from structgen.engines.shaping import shape_logits
from structgen.options import SamplingOptions
from tests.api.engines import HashEngine

TEXTS = [[3, 4, 4, 9], [7], [1, 2]]


def logits(seed: int = 0, width: int = 40) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(3, width)) * 3)


@pytest.mark.parametrize("penalty", [0.7, 1.0, 1.3])
def test_the_penalty_is_that_of_transformers(penalty: float) -> None:
    before = logits()
    found = shape_logits(before, TEXTS, penalty, ())
    for row, text in enumerate(TEXTS):
        theirs = RepetitionPenaltyLogitsProcessor(penalty)(torch.tensor([text]), before[row : row + 1].clone())
        assert torch.equal(found[row : row + 1], theirs)
    assert torch.equal(before, logits()), "the model's own logits stay"


@pytest.mark.parametrize("min_p", [0.01, 0.2, 0.9, 1.0])
def test_min_p_is_that_of_transformers(min_p: float) -> None:
    found = law(logits(), SamplingOptions(min_p=min_p))
    theirs = torch.log_softmax(MinPLogitsWarper(min_p)(torch.tensor(TEXTS[2]), logits()), dim=1)
    ours = found.log_probs(torch.arange(40).expand(3, -1))
    assert torch.equal(torch.isfinite(ours), torch.isfinite(theirs))
    assert torch.allclose(ours.exp(), theirs.exp())
    both = law(logits(), SamplingOptions(min_p=min_p, top_k=3))
    assert int(torch.isfinite(both.scores).sum(dim=1).max()) <= 3


def test_functions_are_called_in_their_order_with_one_row_each() -> None:
    seen: list[Any] = []

    def twice(ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        seen.append(ids.tolist())
        return scores * 2

    def shifted(ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        return scores + 1

    found = shape_logits(logits(), TEXTS, 1, (twice, shifted))
    assert torch.equal(found, logits() * 2 + 1)
    assert seen == [[text] for text in TEXTS]
    for wrong in (lambda ids, scores: None, lambda ids, scores: scores[:, :3], lambda ids, scores: scores * np.nan):
        with pytest.raises(sg.ModelError, match="logits_processor"):
            shape_logits(logits(), TEXTS, 1, (wrong,))


def test_processors_of_transformers_work_under_a_constraint() -> None:
    engine = HashEngine()
    processors = LogitsProcessorList([NoRepeatNGramLogitsProcessor(1)])
    text = sg.generate(engine, "p", regex="[a-e]{3,5}", logits_processor=processors)
    assert len(set(text)) == len(text), "no letter twice"
    one = sg.generate(engine, "p", regex="[a-e]{3,5}", logits_processor=processors[0])
    assert one == text
    assert sg.generate(engine, "p", regex="[ab]{9}", repetition_penalty=1e6, temperature=0) not in ("a" * 9, "b" * 9)


def test_a_stop_string_ends_what_is_complete() -> None:
    engine = HashEngine()
    for seed in range(20):
        found = sg.generate_result(engine, "p", regex="[ab]{2,40}", stop="ba", seed=seed, temperature=1.0)
        assert found.finish_reason == "stop" and len(found.text) >= 2
        assert found.text.find("ba") in (-1, len(found.text) - 2), found.text
    ends = [
        sg.generate(engine, "p", regex="[ab]{2,40}", stop=["ba", "ab"], seed=seed, temperature=1.0)
        for seed in range(20)
    ]
    assert any(text.endswith("ab") for text in ends) and any(text.endswith("ba") for text in ends)


def test_a_stop_string_inside_what_is_not_complete_is_text() -> None:
    engine = HashEngine()
    schema = {"type": "array", "items": {"enum": ["stop", "go"]}, "minItems": 3, "maxItems": 3}
    value = sg.generate(engine, "p", schema=schema, stop=["stop", "go"])
    assert len(value) == 3
    assert sg.generate_result(engine, "p", schema=schema, stop="]").finish_reason == "stop"


def test_streams_and_batches_stop_alike() -> None:
    engine = HashEngine()
    *_, last = sg.generate(engine, "p", regex="[ab]{2,40}", stop="b", stream=True)
    assert (
        last
        == sg.generate(engine, "p", regex="[ab]{2,40}", stop="b")
        == sg.generate(engine, ["p"], regex="[ab]{2,40}", stop="b")[0]
    )


@pytest.mark.parametrize("option", ["stop", "min_p", "repetition_penalty", "logits_processor", "batch_size"])
def test_samplers_do_not_take_them(option: str) -> None:
    value = {"stop": "x", "logits_processor": print}.get(option, 1)
    with pytest.raises(sg.OptionError, match=option):
        sg.generate(HashEngine(), "p", choices=["x"], method="cars", **{option: value})
