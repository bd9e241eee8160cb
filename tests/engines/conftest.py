"""Tiny random models of several families over a small byte-level tokenizer, all built here."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    GemmaConfig,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
)

from structgen.compiler import compile_grammar
from structgen.engines.transformers import TransformersEngine
from structgen.grammars.json_schema import compile_schema
from structgen.matcher import Constraint

torch.set_num_threads(1)  # the models are tiny: threads only get in each other's way

CONFIGS = {
    "llama": LlamaConfig,
    "qwen2": Qwen2Config,
    "qwen3": Qwen3Config,
    "gpt2": GPT2Config,
    "gemma": GemmaConfig,
    "mistral": MistralConfig,
}
CORPUS = [
    '{"name": "Ada", "age": 36, "tags": ["x", "y"]}',
    "the quick brown fox, über 世界",
    "true false null -12.5e3",
] * 3
TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@cache
def _tokenizer() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=340,
        special_tokens=["<pad>", "<bos>", "<eos>", "<end>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<eos>", bos_token="<bos>", pad_token="<pad>", padding_side="left"
    )
    fast.chat_template = TEMPLATE
    return fast


@cache
def _engine(family: str, padding: int, double: bool, seed: int) -> TransformersEngine:
    torch.manual_seed(seed)
    tokenizer = _tokenizer()
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 1024}
    more = {} if family == "gpt2" else {"intermediate_size": 64, "num_key_value_heads": 2, "head_dim": 8}
    if family == "qwen2":
        more.pop("head_dim")
    config = CONFIGS[family](
        vocab_size=len(tokenizer) + padding, pad_token_id=0, bos_token_id=1, eos_token_id=[2, 3], **shape, **more
    )
    model = AutoModelForCausalLM.from_config(config).eval()
    if double:
        model = model.double()
    with torch.no_grad():  # sharper than a fresh model, whose logits are nearly equal
        model.get_output_embeddings().weight.mul_(20)
    model.generation_config.pad_token_id = 0
    return TransformersEngine(model, tokenizer)


@pytest.fixture
def tokenizer() -> Any:
    return _tokenizer()


@pytest.fixture
def make_engine() -> Callable[..., TransformersEngine]:
    """Engines by family; `padding` more rows than the tokenizer has ids, float64 when `double`."""

    def make(family: str = "llama", padding: int = 0, double: bool = False, seed: int = 0) -> TransformersEngine:
        return _engine(family, padding, double, seed)

    return make


@pytest.fixture
def constrain(make_engine: Callable[..., TransformersEngine]) -> Callable[[Any], Constraint]:
    """A JSON Schema compiled for the small tokenizer."""
    vocabulary = make_engine().vocabulary

    def compiled(schema: Any) -> Constraint:
        return compile_grammar(compile_schema(schema).grammar, vocabulary)

    return compiled
