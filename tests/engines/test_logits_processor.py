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


@pytest.mark.shows("generate", "a constraint for each request", "beams")
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


@pytest.mark.shows("generate", "drafts")
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
    processor = LogitsProcessor([None, constrain(SCHEMAS[0])], [2, 3])  # a length each
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
        drafted = [rng.randrange(width), *rng.choice(paths)[:3]] if illegal else []
        for token in drafted:  # as loops draft: what is seen grows by one token
            processor(torch.tensor([[1, *tokens]]), torch.zeros(1, width))
            tokens = [*tokens, token]
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


@pytest.mark.shows("generate", "refused before it runs")
def test_wrong_shapes_are_refused(constrain: Constrain) -> None:
    constraint = constrain(SCHEMAS[0])
    with pytest.raises(OptionError, match="constraint"):
        LogitsProcessor([], 1)
    with pytest.raises(OptionError, match="prompt_length"):
        LogitsProcessor(constraint, [])
    with pytest.raises(OptionError, match="3 sequences"):
        LogitsProcessor([constraint, None], 1)(torch.ones(3, 2, dtype=torch.long), torch.zeros(3, 400))


def beginnings(engine: TransformersEngine, constraint: Constraint) -> list[int]:
    """Two different tokens that may come first."""
    first = [token for token in range(engine.vocabulary.size) if constraint.matcher().accept(token)]
    return first[:2]


def test_the_prompt_is_found_by_the_first_call(make_engine: Engines, constrain: Constrain) -> None:
    engine = make_engine()
    for options in (
        {},
        {"num_beams": 3},
        {"do_sample": True, "num_return_sequences": 2},
        {"prompt_lookup_num_tokens": 3},
    ):
        processor = LogitsProcessor(constrain(SCHEMAS[1]))
        for prompt in (["a"], ["a longer prompt than before"], ["a"], ["a"]):  # one processor, call after call
            inputs = engine.tokenizer(prompt, return_tensors="pt", return_token_type_ids=False)
            width = inputs["input_ids"].shape[1]
            out = engine.model.generate(**inputs, logits_processor=[processor], max_new_tokens=150, **options)
            texts = [engine.vocabulary.decode(row[width:].tolist()).decode() for row in out]
            assert_valid(texts, [SCHEMAS[1]] * len(texts))


def test_with_embeddings_there_is_no_prompt(make_engine: Engines, constrain: Constrain) -> None:
    engine = make_engine()
    inputs = engine.tokenizer(["a prompt"], return_tensors="pt", return_token_type_ids=False)
    embedded = engine.model.get_input_embeddings()(inputs["input_ids"])
    out = engine.model.generate(
        inputs_embeds=embedded, logits_processor=[LogitsProcessor(constrain(SCHEMAS[1]))], max_new_tokens=150
    )
    assert_valid([engine.vocabulary.decode(out[0].tolist()).decode()], [SCHEMAS[1]])


def test_a_pipeline_needs_no_length(make_engine: Engines, constrain: Constrain) -> None:
    from transformers import pipeline

    engine = make_engine()
    pipe = pipeline("text-generation", model=engine.model, tokenizer=engine.tokenizer)
    processor = LogitsProcessor(constrain(SCHEMAS[0]))
    for prompt in ("a", "a longer prompt"):
        found = pipe(prompt, logits_processor=[processor], max_new_tokens=40, do_sample=False, return_full_text=False)
        assert_valid([found[0]["generated_text"]], [SCHEMAS[0]])


@pytest.mark.parametrize("length", [0, 2, 4])
def test_a_wrong_length_is_an_error(length: int, make_engine: Engines, constrain: Constrain) -> None:
    engine = make_engine()
    scores = torch.zeros(1, engine.vocabulary.size)
    with pytest.raises(OptionError, match="prompt_length") as caught:
        LogitsProcessor(constrain(SCHEMAS[0]), length)(torch.tensor([[1, 9, 9]]), scores)
    assert caught.value.option == "prompt_length"


def test_a_length_of_an_earlier_prompt_is_an_error(make_engine: Engines, constrain: Constrain) -> None:
    engine, constraint = make_engine(), constrain(SCHEMAS[0])
    scores, (first, _) = torch.zeros(1, engine.vocabulary.size), beginnings(engine, constraint)
    processor = LogitsProcessor(constraint, 2)
    processor(torch.tensor([[1, 9]]), scores)
    processor(torch.tensor([[1, 9, first]]), scores)
    with pytest.raises(OptionError, match="prompt_length"):  # a chat that goes on: the prompt begins with the last one
        processor(torch.tensor([[1, 9, first, 9, 9, 9]]), scores)
    found = LogitsProcessor(constraint)
    found(torch.tensor([[1, 9]]), scores)
    out = found(torch.tensor([[1, 9, first, 9, 9, 9]]), scores)
    assert torch.equal(out, LogitsProcessor(constraint)(torch.tensor([[5]]), scores)), "a new prompt, found by itself"
    found.reset()
    again = found(torch.tensor([[1, 9, first, 9, 9, 9, first]]), scores)
    assert torch.equal(out, again)


def test_another_vocabulary_is_noticed(make_engine: Engines, constrain: Constrain) -> None:
    from structgen.errors import VocabularyError

    constraint = constrain(SCHEMAS[0])
    with pytest.raises(VocabularyError, match="4096 tokens"):
        LogitsProcessor(constraint)(torch.tensor([[1]]), torch.zeros(1, 4096))
    with pytest.raises(VocabularyError, match="scores 4 tokens"):
        LogitsProcessor(constraint)(torch.tensor([[1]]), torch.zeros(1, 4))


def test_rows_are_followed_when_they_are_reordered(make_engine: Engines, constrain: Constrain) -> None:
    engine, constraint = make_engine(), constrain(SCHEMAS[1])
    rng, width = random.Random(7), engine.vocabulary.size
    processor = LogitsProcessor(constraint)
    beams = [[1, 7] for _ in range(4)]
    for _ in range(25):
        out = processor(torch.tensor(beams), torch.zeros(4, width))
        for beam, row in zip(beams, out, strict=True):
            matcher = constraint.matcher()
            matcher.accept_all(beam[2:])
            if not matcher.is_finished():
                assert torch.equal(torch.isfinite(row), torch.from_numpy(matcher.allows(range(width))))
        parents = [rng.randrange(4) for _ in beams]
        beams = [[*beams[p], rng.choice(torch.isfinite(out[p]).nonzero().flatten().tolist())] for p in parents]


def test_work_is_done_for_new_tokens_only(
    make_engine: Engines, constrain: Constrain, monkeypatch: pytest.MonkeyPatch
) -> None:
    from structgen.matcher import Matcher

    engine, constraint = make_engine(), constrain({"type": "string"})
    letter = next(t for t in range(engine.vocabulary.size) if engine.vocabulary.token_bytes(t) == b"a")
    quote = next(t for t in range(engine.vocabulary.size) if engine.vocabulary.token_bytes(t) == b'"')
    steps, real = [0], Matcher.accept
    monkeypatch.setattr(
        Matcher, "accept", lambda self, token: (steps.__setitem__(0, steps[0] + 1), real(self, token))[1]
    )
    processor, scores = LogitsProcessor(constraint), torch.zeros(2, engine.vocabulary.size)
    rows = [[1, 2], [1, 3]]
    for step in range(200):
        processor(torch.tensor(rows), scores)
        rows = [[*row, letter if step else quote] for row in rows]
    assert steps[0] == 2 * 199
    rows[1] = [*rows[0][:-1], letter]  # a beam takes another's place
    rows[0][1] = rows[1][1] = 2
    processor(torch.tensor([row[:-1] for row in rows]), scores)
    assert steps[0] <= 2 * 199 + 2 * 200


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_numpy_logits_are_masked_like_torchs(dtype: str, make_engine: Engines, constrain: Constrain) -> None:
    import numpy as np

    engine, constraint = make_engine(), constrain(SCHEMAS[1])
    rng, width = np.random.default_rng(3), engine.vocabulary.size + 2
    scores = rng.normal(size=(2, width)).astype(dtype)
    ids = np.array([[1, 9], [1, 7]], np.int32)
    there = LogitsProcessor(constraint)(ids, scores)
    here = LogitsProcessor(constraint)(torch.from_numpy(ids), torch.from_numpy(scores))
    assert isinstance(there, np.ndarray) and there.dtype == scores.dtype and there is not scores
    assert np.array_equal(there, here.numpy())
    forbidden = LogitsProcessor(constraint)(ids, np.full_like(scores, -np.inf))
    assert np.array_equal(np.isfinite(forbidden), np.isfinite(there)), "the constraint wins"


def test_the_callback_of_llama_cpp_has_one_sequence(make_engine: Engines, constrain: Constrain) -> None:
    import numpy as np

    engine, constraint = make_engine(), constrain(SCHEMAS[0])
    processor, tokens, rng = LogitsProcessor(constraint), [1, 2, 3], np.random.default_rng(1)
    for _ in range(40):
        logits = processor(np.array(tokens, np.intc), rng.normal(size=engine.vocabulary.size).astype(np.single))
        assert logits.shape == (engine.vocabulary.size,) and logits.dtype == np.single
        tokens.append(int(logits.argmax()))
        if tokens[-1] in engine.vocabulary.stop_ids:
            break
    assert_valid([engine.vocabulary.decode(tokens[3:-1]).decode()], [SCHEMAS[0]])


def test_it_needs_no_torch() -> None:
    import subprocess
    import sys

    program = (
        "import sys; sys.modules['torch'] = None\n"
        "import numpy as np, structgen as sg\n"
        "from structgen import LogitsProcessor\n"
        "v = sg.Vocabulary.from_bytes([b'a', b'b', b''], eos=[2])\n"
        "p = LogitsProcessor(sg.compile(choices=['ab'], vocabulary=v))\n"
        "print(p(np.array([7], np.intc), np.zeros(3, np.single)))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.stdout.strip() == "[  0. -inf -inf]", ran.stderr
