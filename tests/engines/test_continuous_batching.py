"""Constraints in transformers' continuous batching."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers import ContinuousBatchingConfig, GenerationConfig
from transformers.generation.continuous_batching.requests import RequestState

from structgen import nano
from structgen.api.compile import compile
from structgen.engines.transformers import TransformersEngine
from structgen.errors import OptionError, VocabularyError
from structgen.integrations.continuous_batching import ConstrainedBatching
from structgen.matcher import Constraint
from structgen.python_types.exact import ExactValidator

SCHEMAS: list[Any] = [
    {"enum": ["red", "green", "blue", 12]},
    {
        "type": "object",
        "properties": {"id": {"type": "integer", "minimum": 0, "maximum": 99999}, "name": {"type": "string"}},
        "required": ["id", "name"],
        "additionalProperties": False,
    },
    {"type": "array", "items": {"type": "string"}, "minItems": 1},
]
Engines = Callable[..., TransformersEngine]
Constrain = Callable[[Any], Constraint]


def manager_of(engine: TransformersEngine, blocks: int = 64, sequences: int = 1, **settings: Any) -> Any:
    config = GenerationConfig(
        max_new_tokens=40, do_sample=True, temperature=1.3, top_k=20, eos_token_id=2, pad_token_id=0,
        num_return_sequences=sequences,
    )  # fmt: skip
    options = {"use_async_batching": False, "use_cuda_graph": False, **settings}
    batching = ContinuousBatchingConfig(page_size=16, num_blocks=blocks, max_batch_tokens=128, **options)
    return engine.model.init_continuous_batching(generation_config=config, continuous_batching_config=batching)


def results(manager: Any, names: list[str]) -> dict[str, Any]:
    found = {}
    while len(found) < len(names):
        result = manager.get_result(timeout=30)
        assert result is not None and result.error is None, result
        found[result.request_id] = result
    return found


@pytest.mark.shows("batching", "schemas, patterns, grammars, choices", "a constraint for each request")
@pytest.mark.shows("batching", "complete within max_tokens")
@pytest.mark.parametrize(("blocks", "count"), [(64, 24), (10, 24)], ids=["room", "taken out and begun anew"])
def test_every_request_has_its_constraint_and_ends_within_its_budget(
    blocks: int, count: int, make_engine: Engines, constrain: Constrain, monkeypatch: Any
) -> None:
    begun: list[str] = []
    again = RequestState.create_equivalent_initial_request
    monkeypatch.setattr(
        RequestState, "create_equivalent_initial_request", lambda state: begun.append(state.request_id) or again(state)
    )
    engine = make_engine(seed=13)
    torch.manual_seed(4)
    manager = manager_of(engine, blocks)
    batching = ConstrainedBatching(manager)
    manager.start()
    try:
        wanted: dict[str, Any] = {}
        for number in range(count):
            schema = SCHEMAS[number % 3] if number % 4 else None
            constraint = None if schema is None else constrain(schema)
            name = batching.add_request(
                engine.encode(f"prompt {number}"), constraint, max_new_tokens=20 + number, request_id=f"r{number}"
            )
            wanted[name] = schema
        found = results(manager, list(wanted))
    finally:
        manager.stop(block=True)
    assert bool(begun) == (blocks < 20)
    for number, (name, schema) in enumerate(wanted.items()):
        tokens = found[name].generated_tokens
        assert len(tokens) <= 20 + number
        if schema is not None:
            text = engine.vocabulary.decode(tokens).decode()
            assert ExactValidator(schema).fault(text) is None, (schema, text)
            assert tokens[-1] in engine.vocabulary.stop_ids


def test_several_sequences_of_a_request_share_its_constraint(make_engine: Engines, constrain: Constrain) -> None:
    engine = make_engine(seed=13)
    manager = manager_of(engine, sequences=3)
    batching = ConstrainedBatching(manager)
    manager.start()
    try:
        batching.add_request(engine.encode("a prompt"), constrain(SCHEMAS[1]), max_new_tokens=40)
        found = results(manager, ["one", "two", "three"])
    finally:
        manager.stop(block=True)
    for result in found.values():
        text = engine.vocabulary.decode(result.generated_tokens).decode()
        assert ExactValidator(SCHEMAS[1]).fault(text) is None


@pytest.mark.lacks("batching", "graphs and asynchronous steps", "a mask needs the token before it: both are refused")
def test_managers_it_cannot_work_in_are_refused(make_engine: Engines, constrain: Constrain) -> None:
    engine = make_engine(seed=13)
    with pytest.raises(OptionError, match="use_async_batching"):
        ConstrainedBatching(manager_of(engine, use_async_batching=True))
    graphs = manager_of(engine)
    graphs.continuous_batching_config.use_cuda_graph = (False, True)  # as it is resolved where there are devices
    with pytest.raises(OptionError, match="use_cuda_graph"):
        ConstrainedBatching(graphs)
    other = manager_of(engine)
    del other.logit_processor.tensors_required
    with pytest.raises(OptionError, match="version"):
        ConstrainedBatching(other)
    begun = manager_of(engine)
    begun.batch_processor = object()
    with pytest.raises(OptionError, match="starts"):
        ConstrainedBatching(begun)


def test_another_models_constraint_is_refused(make_engine: Engines) -> None:
    batching = ConstrainedBatching(manager_of(make_engine(seed=13)))
    with pytest.raises(VocabularyError):
        batching.add_request([1], compile(regex="a", vocabulary=nano.vocabulary()))
