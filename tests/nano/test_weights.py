"""The shipped weights: they load without a warning, stay small, and the tokenizer loses no byte."""

from __future__ import annotations

import random
import warnings
from itertools import islice
from typing import Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from structgen import nano  # noqa: E402
from structgen.engines.loading import load_tokenizer  # noqa: E402
from structgen.nano.facts import exercises, schema_text, tool_prompt, tools_text  # noqa: E402
from structgen.vocabulary import Vocabulary  # noqa: E402


@pytest.fixture(scope="module")
def loaded() -> tuple[Any, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = transformers.AutoModelForCausalLM.from_pretrained(nano.path())
        return model, transformers.AutoTokenizer.from_pretrained(nano.path())


def test_its_vocabulary_is_that_of_transformers() -> None:
    vocabulary, slowly = nano.vocabulary(), Vocabulary.from_tokenizer(load_tokenizer(nano.path()))
    assert vocabulary == slowly
    assert vocabulary.notes == slowly.notes


def test_limits(loaded: tuple[Any, Any]) -> None:
    model, tokenizer = loaded
    assert sum(weight.numel() for weight in model.parameters()) <= 5_000_000
    assert sum(file.stat().st_size for file in nano.path().iterdir()) <= 10 * 2**20
    assert model.dtype == torch.float16
    assert model.config.tie_word_embeddings
    assert len(tokenizer) == model.config.vocab_size
    assert {tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id} == {
        model.config.bos_token_id,
        model.config.eos_token_id,
        model.config.pad_token_id,
    }


def test_weights_are_finite(loaded: tuple[Any, Any]) -> None:
    model, _ = loaded
    assert all(torch.isfinite(weight).all() for weight in model.parameters())


def test_load_gives_float32(loaded: tuple[Any, Any]) -> None:
    model, tokenizer = nano.load()
    assert model.dtype == torch.float32
    assert not model.training
    assert tokenizer.get_vocab() == loaded[1].get_vocab()


def test_tokenizer_round_trips_any_text(loaded: tuple[Any, Any]) -> None:
    tokenizer = loaded[1]
    rng = random.Random(0)
    for _ in range(200):
        high = rng.choice((0x7F, 0x2FF, 0xD7FF, 0x10FFFF))
        codes = (rng.randint(0, high) for _ in range(rng.randint(0, 40)))
        text = "".join(chr(code) for code in codes if not 0xD800 <= code <= 0xDFFF)
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert tokenizer.decode(ids) == text
    for text in (" a  b ", " ,", "it 's .", "\n\t\r\n", "{'a' : 1}", "Élan", "Ａ１"):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_every_byte_is_a_token(loaded: tuple[Any, Any]) -> None:
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    assert set(bytes_to_unicode().values()) <= set(loaded[1].get_vocab())


def test_prompt_equals_chat_template(loaded: tuple[Any, Any]) -> None:
    tokenizer = loaded[1]
    for one in islice(exercises("template"), 200):
        if one.sort == "tool":
            continue
        messages = [
            {"role": "system", "content": schema_text(one.schema)},
            {"role": "user", "content": one.text},
        ]
        encoded = tokenizer.apply_chat_template(messages, add_generation_prompt=True)
        assert list(encoded["input_ids"]) == tokenizer(one.prompt)["input_ids"]
        assert tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False) == one.prompt


def test_tool_prompt_equals_chat_template(loaded: tuple[Any, Any]) -> None:
    tools = [{"name": "call", "parameters": {"type": "object", "properties": {"who": {"type": "string"}}}}]
    messages = [{"role": "system", "content": tools_text(tools)}, {"role": "user", "content": "Call Ada"}]
    text = loaded[1].apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    assert text == tool_prompt(tools, "Call Ada")


def test_writes_the_fields_of_a_simple_sentence(loaded: tuple[Any, Any]) -> None:
    from benchmarks.nano_score import by_hand, score

    model, tokenizer = nano.load()
    first = by_hand()[0]
    encoded = tokenizer(first.prompt, return_tensors="pt")
    with torch.inference_mode():
        written = model.generate(**encoded, max_new_tokens=60)
    text = tokenizer.decode(written[0, encoded["input_ids"].shape[1] :], skip_special_tokens=True)
    assert score(first, text) == (True, 3, 3)


def test_prompts_are_short(loaded: tuple[Any, Any]) -> None:
    texts = [one.prompt + one.answer for one in islice(exercises("length"), 500)]
    lengths = sorted(len(ids) for ids in loaded[1](texts)["input_ids"])
    assert lengths[int(0.99 * len(lengths))] <= 384
