"""The processor in what else transformers does: caches of a fixed size, compiled models, bfloat16, other families, and
models with an encoder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    BartConfig,
    FalconConfig,
    Gemma2Config,
    GPTNeoXConfig,
    MixtralConfig,
    OPTConfig,
    Phi3Config,
    T5Config,
)

from structgen.engines.transformers import TransformersEngine
from structgen.errors import ModelError
from structgen.integrations.transformers import LogitsProcessor
from structgen.matcher import Constraint
from structgen.python_types.exact import ExactValidator

SCHEMA: Any = {
    "type": "object",
    "properties": {"id": {"type": "integer", "minimum": 0, "maximum": 99999}, "ok": {"type": "boolean"}},
    "required": ["id", "ok"],
    "additionalProperties": False,
}
Engines = Callable[..., TransformersEngine]
Constrain = Callable[[Any], Constraint]


def run(model: Any, tokenizer: Any, constraint: Constraint, **options: Any) -> list[str]:
    inputs = tokenizer(["a", "a longer prompt"], return_tensors="pt", padding=True, return_token_type_ids=False)
    torch.manual_seed(2)
    options = {"max_new_tokens": 150, "do_sample": True, "top_k": 20, **options}
    out = model.generate(**inputs, logits_processor=[LogitsProcessor(constraint)], **options)
    begin = 1 if model.config.is_encoder_decoder else inputs["input_ids"].shape[1]
    return [constraint.vocabulary.decode(row[begin:].tolist()).decode() for row in out]


def judge(texts: list[str]) -> None:
    assert len(texts) == 2
    for text in texts:
        assert ExactValidator(SCHEMA).fault(text) is None, text


def test_a_cache_of_a_fixed_size(make_engine: Engines, constrain: Constrain) -> None:
    engine = make_engine()
    plain = run(engine.model, engine.tokenizer, constrain(SCHEMA), do_sample=False)
    fixed = run(engine.model, engine.tokenizer, constrain(SCHEMA), do_sample=False, cache_implementation="static",
                disable_compile=True)  # fmt: skip
    judge(fixed)
    assert fixed == plain


@pytest.mark.shows("generate", "graphs and asynchronous steps")
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # of torch's own modules
def test_a_compiled_model(make_engine: Engines, constrain: Constrain) -> None:
    """The processor stands outside the graph: torch compiles the model's step alone."""
    engine = make_engine(seed=21)
    engine.model.forward = torch.compile(engine.model.forward, dynamic=True)
    try:
        judge(run(engine.model, engine.tokenizer, constrain(SCHEMA), cache_implementation="static"))
    finally:
        del engine.model.forward


@pytest.mark.shows("generate", "half precision")
@pytest.mark.lacks("generate", "complete within max_tokens", "a processor cannot end a text: custom_generate does")
def test_a_budget_cuts_a_text(make_engine: Engines, constrain: Constrain) -> None:
    engine = make_engine()
    texts = run(engine.model, engine.tokenizer, constrain(SCHEMA), max_new_tokens=4)
    for text in texts:
        matcher = constrain(SCHEMA).matcher()
        assert matcher.accept_bytes(text.encode()) and not matcher.is_accepting()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_on_a_cpu(dtype: torch.dtype, make_engine: Engines, constrain: Constrain) -> None:
    model = make_engine(seed=22).model
    halved = type(model)(model.config).to(dtype).eval()
    judge(run(halved, make_engine().tokenizer, constrain(SCHEMA)))
    scores = torch.zeros(1, model.config.vocab_size, dtype=dtype)
    masked = LogitsProcessor(constrain(SCHEMA), 1)(torch.tensor([[1]]), scores)
    allowed = torch.isfinite(masked[0]).nonzero().flatten().tolist()
    assert masked.dtype == dtype and allowed
    assert all(constrain(SCHEMA).matcher().accept(token) for token in allowed)


SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
ROTARY = {**SMALL, "intermediate_size": 64, "num_key_value_heads": 2}
FAMILIES: dict[str, Any] = {
    "phi3": (Phi3Config, ROTARY),
    "gemma2": (Gemma2Config, {**ROTARY, "head_dim": 8, "sliding_window": 8}),
    "mixtral": (MixtralConfig, {**ROTARY, "num_local_experts": 2}),
    "gpt_neox": (GPTNeoXConfig, {**SMALL, "intermediate_size": 64}),
    "opt": (OPTConfig, {**SMALL, "ffn_dim": 64, "word_embed_proj_dim": 32}),
    "falcon": (FalconConfig, SMALL),
}


@pytest.mark.shows("generate", "schemas, patterns, grammars, choices")
@pytest.mark.parametrize("family", FAMILIES)
def test_families(family: str, make_engine: Engines, constrain: Constrain) -> None:
    config, shape = FAMILIES[family]
    tokenizer = make_engine().tokenizer
    torch.manual_seed(0)
    made = config(vocab_size=len(tokenizer), pad_token_id=0, bos_token_id=1, eos_token_id=2, **shape)
    model = AutoModelForCausalLM.from_config(made).eval()
    judge(run(model, tokenizer, constrain(SCHEMA)))


ENCODERS: dict[str, Any] = {
    "t5": (T5Config, {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}),
    "bart": (
        BartConfig,
        {"d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4,
         "decoder_attention_heads": 4, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64},
    ),
}  # fmt: skip


@pytest.mark.shows("generate", "encoder-decoder models", "beams")
@pytest.mark.lacks("custom", "encoder-decoder models", "our loop runs decoder-only models: ModelError")
@pytest.mark.parametrize("options", [{}, {"do_sample": False, "num_beams": 3, "top_k": None}], ids=["sampled", "beams"])
@pytest.mark.parametrize("family", ENCODERS)
def test_models_with_an_encoder(family: str, options: Any, make_engine: Engines, constrain: Constrain) -> None:
    """The prompt is the encoder's, and the decoder begins with one token: so the first call shows what is no output."""
    config, shape = ENCODERS[family]
    tokenizer = make_engine().tokenizer
    torch.manual_seed(0)
    made = config(
        vocab_size=len(tokenizer), pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=0,
        forced_eos_token_id=None, **shape,
    )  # fmt: skip
    model = AutoModelForSeq2SeqLM.from_config(made).eval()
    model.generation_config.forced_eos_token_id = None
    judge(run(model, tokenizer, constrain(SCHEMA), **options))
    with pytest.raises(ModelError, match="encoder-decoder"):
        TransformersEngine(model, tokenizer)
