"""Prompts in, logits out: the engine against plain calls of the same model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, T5Config, T5ForConditionalGeneration
from transformers.utils import logging as transformers_logging

from structgen import nano
from structgen.engines.decode import Request, decode
from structgen.engines.transformers import TransformersEngine
from structgen.errors import ModelError, VocabularyError
from structgen.options import SamplingOptions

Engines = Callable[..., TransformersEngine]
FAMILIES = ("llama", "qwen2", "qwen3", "gpt2", "gemma", "mistral")


def test_prompts(make_engine: Engines) -> None:
    engine = make_engine()
    assert engine.encode([1, 5, 6]) == [1, 5, 6]
    assert engine.vocabulary.decode(engine.encode("héllo")) == "héllo".encode()
    chat = engine.encode([{"role": "user", "content": "hi"}])
    assert engine.vocabulary.decode(chat) == b"<|user|>hi\n<|assistant|>"
    assert engine.encode("") == engine.encode([]) == [1]
    with pytest.raises(VocabularyError, match="999999"):
        engine.encode([999999])


def test_stop_ids_come_from_tokenizer_and_model(make_engine: Engines) -> None:
    assert make_engine().vocabulary.stop_ids == (2, 3)


@pytest.mark.parametrize("family", FAMILIES)
def test_padded_batches_equal_plain_calls(family: str, make_engine: Engines) -> None:
    engine = make_engine(family, double=True)
    prompts = [[1, 40, 50, 60, 70], [9], [1, 80, 90]]
    logits, context = engine.prefill(prompts, 4)
    for token in ([100, 101, 102], [103, 104, 105]):
        prompts = [[*prompt, t] for prompt, t in zip(prompts, token, strict=True)]
        logits = engine.extend(token, context)
    for row, prompt in zip(logits, prompts, strict=True):
        with torch.no_grad():
            alone = engine.model(torch.tensor([prompt])).logits[0, -1]
        torch.testing.assert_close(row, alone, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_equals_generate(family: str, make_engine: Engines) -> None:
    engine = make_engine(family, double=True)
    prompt = engine.encode("the quick")
    (ours,) = decode(engine, [Request(prompt, None, 30)], SamplingOptions(temperature=0))
    theirs = engine.model.generate(torch.tensor([prompt]), max_new_tokens=30, do_sample=False)[0, len(prompt) :]
    expected = theirs.tolist()
    assert [*ours.token_ids, *([] if ours.stop_id is None else [ours.stop_id])] == expected


def test_models_that_do_not_fit(tokenizer: Any) -> None:
    size = {"n_embd": 8, "n_layer": 1, "n_head": 1, "n_positions": 16}
    with pytest.raises(VocabularyError, match="do not match"):
        TransformersEngine(GPT2LMHeadModel(GPT2Config(vocab_size=100, eos_token_id=2, **size)), tokenizer)
    with pytest.raises(VocabularyError, match="does not have"):
        TransformersEngine(GPT2LMHeadModel(GPT2Config(vocab_size=400, **size)), tokenizer)
    with pytest.raises(VocabularyError, match="is the text"):
        TransformersEngine(GPT2LMHeadModel(GPT2Config(vocab_size=400, eos_token_id=40, **size)), tokenizer)
    t5 = T5Config(vocab_size=400, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2, decoder_start_token_id=0)
    with pytest.raises(ModelError, match="encoder-decoder"):
        TransformersEngine(T5ForConditionalGeneration(t5), tokenizer)


def test_a_model_with_nan_weights(make_engine: Engines, tokenizer: Any) -> None:
    size = {"n_embd": 8, "n_layer": 1, "n_head": 1, "n_positions": 64}
    model = GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), bos_token_id=1, eos_token_id=2, **size)).eval()
    with torch.no_grad():
        model.transformer.h[0].mlp.c_fc.weight.fill_(torch.nan)
    engine = TransformersEngine(model, tokenizer)
    with pytest.raises(ModelError, match="NaN"):
        decode(engine, [Request([1], None, 5)], SamplingOptions())


class OldForward(torch.nn.Module):
    """A model whose `forward` calls its cache what transformers before 5.24 did."""

    def __init__(self, model: Any, name: str) -> None:
        super().__init__()
        self.inner, self.config, self.generation_config = model, model.config, model.generation_config
        self.device, self.name, self.seen = model.device, name, []

    def get_input_embeddings(self) -> Any:
        return self.inner.get_input_embeddings()

    def get_output_embeddings(self) -> Any:
        return self.inner.get_output_embeddings()


class PastKeyValues(OldForward):
    def forward(self, input_ids: Any, attention_mask: Any, position_ids: Any, past_key_values: Any) -> Any:
        return self.inner(input_ids, attention_mask, position_ids, **{self.name: past_key_values})


class NoCache(OldForward):
    def forward(self, input_ids: Any, attention_mask: Any) -> Any:
        raise AssertionError("never called")


def test_the_cache_goes_by_the_name_that_forward_has(make_engine: Engines) -> None:
    engine = make_engine("llama", double=True)
    old = TransformersEngine(PastKeyValues(engine.model, engine.cache_name), engine.tokenizer)
    assert old.cache_name == "past_key_values"
    rows = []
    for each in (engine, old):
        logits, context = each.prefill([[1, 40, 50], [9]], 2)
        rows.append(torch.stack([logits, each.extend([100, 101], context)]))
    torch.testing.assert_close(rows[0], rows[1], rtol=1e-12, atol=1e-12)
    with pytest.raises(ModelError, match="takes no cache"):
        TransformersEngine(NoCache(engine.model, ""), engine.tokenizer)


def test_loading_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    transformers_logging.set_verbosity_warning()
    transformers_logging.enable_progress_bar()
    nano.load()
    assert capfd.readouterr() == ("", "")
    assert transformers_logging.is_progress_bar_enabled()
    assert transformers_logging.get_verbosity() == transformers_logging.WARNING
