"""Our decode loop as transformers' `custom_generate`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from structgen.engines.transformers import TransformersEngine
from structgen.errors import BudgetTooSmall, OptionError
from structgen.integrations.custom_generate import complete
from structgen.matcher import Constraint
from structgen.python_types.exact import ExactValidator

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "tags": {"type": "array", "items": {"type": "string"}}},
    "required": ["name", "tags"],
    "additionalProperties": False,
}
Engines = Callable[..., TransformersEngine]
Constrain = Callable[[Any], Constraint]


def texts(engine: TransformersEngine, prompts: list[str], constraints: Any, **options: Any) -> list[str]:
    inputs = engine.tokenizer(prompts, return_tensors="pt", padding=True, return_token_type_ids=False)
    length = inputs["input_ids"].shape[1]
    out = engine.model.generate(**inputs, custom_generate=complete, constraint=constraints, **options)
    assert torch.equal(out[:: len(out) // len(prompts), :length], inputs["input_ids"])
    return [engine.vocabulary.decode(row[length:].tolist()).decode() for row in out]


@pytest.mark.shows("custom", "schemas, patterns, grammars, choices", "complete within max_tokens")
@pytest.mark.parametrize(
    "options",
    [{"do_sample": False}, {"do_sample": True, "temperature": 1.4, "top_k": 30, "num_return_sequences": 2}],
    ids=["greedy", "two of each"],
)
def test_every_text_is_whole_within_its_tokens(options: Any, make_engine: Engines, constrain: Constrain) -> None:
    engine, constraint = make_engine(), constrain(SCHEMA)
    torch.manual_seed(5)
    for most in (constraint.matcher().tokens_to_accept() + 1, 30, 60):
        found = texts(engine, ["a", "a longer prompt", "{"], constraint, max_new_tokens=most, **options)
        assert len(found) == 3 * options.get("num_return_sequences", 1)
        for text in found:
            assert ExactValidator(SCHEMA).fault(text) is None, text


def test_torchs_seed_decides(make_engine: Engines, constrain: Constrain) -> None:
    engine, constraint = make_engine(), constrain(SCHEMA)
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(texts(engine, ["a"], constraint, max_new_tokens=50, do_sample=True))
    assert found[0] == found[1] != found[2]


@pytest.mark.shows("custom", "a constraint for each request")
def test_a_constraint_for_each_prompt_and_other_processors(make_engine: Engines, constrain: Constrain) -> None:
    engine = make_engine()
    number, word = constrain({"type": "integer", "minimum": 10, "maximum": 99}), constrain({"enum": ["red", "blue"]})
    tokens = [engine.vocabulary.token_bytes(token) for token in range(engine.vocabulary.size)]
    ones = [token for token, text in enumerate(tokens) if text.startswith(b"1")]

    def forbid(ids: Any, scores: Any) -> Any:
        scores[:, ones] = -torch.inf
        return scores

    found = texts(engine, ["a", "b"], [number, word], max_new_tokens=20, logits_processor=[forbid], do_sample=False)
    assert found[0].isdigit() and found[0][0] != "1" and found[1] in ('"red"', '"blue"')


@pytest.mark.lacks("custom", "beams", "num_beams is refused, as are time limits and scores in the result")
@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"num_beams": 3}, "num_beams"),
        ({"return_dict_in_generate": True}, "return_dict_in_generate"),
        ({"max_time": 3.0}, "MaxTimeCriteria"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_done_is_refused(options: Any, why: str, make_engine: Engines, constrain: Constrain) -> None:
    with pytest.raises(OptionError, match=why):
        texts(make_engine(), ["a"], constrain(SCHEMA), max_new_tokens=30, do_sample=False, **options)


@pytest.mark.shows("custom", "refused before it runs")
def test_a_budget_that_is_too_small_says_so(make_engine: Engines, constrain: Constrain) -> None:
    with pytest.raises(BudgetTooSmall):
        texts(make_engine(), ["a"], constrain(SCHEMA), max_new_tokens=3, do_sample=False)
    with pytest.raises(OptionError, match="2 constraints for 3"):
        texts(make_engine(), ["a", "b", "c"], [constrain(SCHEMA), None], max_new_tokens=30, do_sample=False)
