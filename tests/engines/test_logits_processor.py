"""The processor inside transformers' own `generate`: every mode, and prefixes in any order."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
import torch

from structgen.bits import ids_of
from structgen.engines.transformers import TransformersEngine
from structgen.errors import OptionError
from structgen.integrations.transformers import LogitsProcessor
from structgen.matcher import Constraint
from structgen.python_types.exact import ExactValidator

# Bounded, so that `generate` reaches the end by itself.
SCHEMAS: list[Any] = [
    {"enum": ["red", "green", "blue", 12]},
    {
        "type": "object",
        "properties": {"id": {"type": "integer", "minimum": 0, "maximum": 99999}, "ok": {"type": "boolean"}},
        "required": ["id", "ok"],
        "additionalProperties": False,
    },
    {"type": "array", "items": {"type": "string", "pattern": "^[a-z]{2,4}$"}, "minItems": 2, "maxItems": 3},
    {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
]
Engines = Callable[..., TransformersEngine]
Constrain = Callable[[Any], Constraint]


def generate(engine: TransformersEngine, prompts: list[str], constraints: Any, **options: Any) -> list[str]:
    inputs = engine.tokenizer(prompts, return_tensors="pt", padding=True, return_token_type_ids=False)
    length = inputs["input_ids"].shape[1]
    torch.manual_seed(11)
    processor = LogitsProcessor(constraints, length)
    out = engine.model.generate(**inputs, logits_processor=[processor], max_new_tokens=150, **options)
    return [engine.vocabulary.decode(row[length:].tolist()).decode() for row in out]


def assert_valid(texts: list[str], schemas: list[Any]) -> None:
    for text, schema in zip(texts, schemas, strict=True):
        assert ExactValidator(schema).fault(text) is None, (schema, text)


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma", "qwen3"])
@pytest.mark.parametrize(
    "options",
    [
        {"do_sample": False},
        {"do_sample": True, "temperature": 1.5, "top_k": 20, "top_p": 0.9},
        {"do_sample": True, "num_return_sequences": 2},
        {"do_sample": False, "num_beams": 3},
        {"do_sample": False, "min_new_tokens": 60},
    ],
    ids=["greedy", "sampling", "two of each", "beams", "min_new_tokens"],
)
def test_batches(family: str, options: dict[str, Any], make_engine: Engines, constrain: Constrain) -> None:
    engine = make_engine(family)
    prompts = ["a", "a longer prompt", "{", "one two three four five"]
    texts = generate(engine, prompts, [constrain(schema) for schema in SCHEMAS], **options)
    per_prompt = options.get("num_return_sequences", 1)
    if "min_new_tokens" not in options:
        assert_valid(texts, [schema for schema in SCHEMAS for _ in range(per_prompt)])
    else:  # a text that must be longer than its language allows is repeated stops, and the text itself is whole
        assert_valid(texts, SCHEMAS)


@pytest.mark.parametrize("do_sample", [False, True])
@pytest.mark.parametrize("schema", SCHEMAS)
def test_speculative_decoding(schema: Any, do_sample: bool, make_engine: Engines, constrain: Constrain) -> None:
    engine, draft = make_engine(seed=0), make_engine(seed=5)
    prompt = ['[["ab","cd"],{"id": 77,"ok": true}, "red", "2024-01-01", {"id": 7']
    plain = generate(engine, prompt, constrain(schema), do_sample=do_sample)
    looked_up = generate(engine, prompt, constrain(schema), do_sample=do_sample, prompt_lookup_num_tokens=4)
    assisted = generate(engine, prompt, constrain(schema), do_sample=do_sample, assistant_model=draft.model)
    assert_valid([*plain, *looked_up, *assisted], [schema] * 3)
    if not do_sample:
        assert plain == looked_up == assisted


def test_free_rows_are_left_alone(make_engine: Engines, constrain: Constrain) -> None:
    engine = make_engine()
    processor = LogitsProcessor([None, constrain(SCHEMAS[0])], [2, 3])
    scores = torch.randn(2, engine.vocabulary.size)
    out = processor(torch.tensor([[1, 5, 6], [1, 5, 6]]), scores)
    assert torch.equal(out[0], scores[0])
    assert torch.isneginf(out[1]).sum() > 300


def test_any_order_of_prefixes_gives_the_mask_of_the_prefix(make_engine: Engines, constrain: Constrain) -> None:
    engine, constraint = make_engine(), constrain(SCHEMAS[1])
    processor, rng = LogitsProcessor(constraint, 1), random.Random(4)
    paths: list[list[int]] = []
    for _ in range(6):
        matcher, path = constraint.matcher(), list[int]()
        while not matcher.is_finished():
            path.append(rng.choice(ids_of(matcher.mask()).tolist()))
            matcher.accept(path[-1])
        paths.append(path)
    width = engine.vocabulary.size + 3
    for _ in range(400):
        path = rng.choice(paths)
        tokens = path[: rng.randint(0, len(path))]
        illegal = rng.random() < 0.3
        if illegal:
            tokens = [*tokens, rng.randrange(width), *rng.choice(paths)[:3]]
        out = processor(torch.tensor([[1, *tokens]]), torch.zeros(1, width))
        matcher = constraint.matcher()
        legal = sum(1 for token in tokens if matcher.accept(token)) == len(tokens)
        if matcher.is_finished():
            assert torch.isfinite(out[0]).nonzero().flatten().tolist() == list(engine.vocabulary.stop_ids)
        elif legal and not illegal:
            assert torch.equal(torch.isfinite(out[0, :-3]), torch.from_numpy(matcher.allows(range(width - 3))))
            assert torch.isneginf(out[0, -3:]).all()


def test_the_constraint_wins_over_other_processors(make_engine: Engines, constrain: Constrain) -> None:
    engine = make_engine()
    scores = torch.full((1, engine.vocabulary.size), -torch.inf)
    out = LogitsProcessor(constrain({"enum": [True]}), 1)(torch.tensor([[1]]), scores)
    chosen = torch.isfinite(out[0]).nonzero().flatten().tolist()
    assert chosen and all(b"true".startswith(engine.vocabulary.token_bytes(token)) for token in chosen)


def test_wrong_shapes_are_refused(constrain: Constrain) -> None:
    constraint = constrain(SCHEMAS[0])
    with pytest.raises(OptionError, match="constraint"):
        LogitsProcessor([], 1)
    with pytest.raises(OptionError, match="prompt_length"):
        LogitsProcessor(constraint, [])
    with pytest.raises(OptionError, match="3 sequences"):
        LogitsProcessor([constraint, None], 1)(torch.ones(3, 2, dtype=torch.long), torch.zeros(3, 400))
