"""Token bytes of every tokenizer family, against the text that went in: the tokenizer itself is the oracle."""

from __future__ import annotations

import itertools
import pickle
import random
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import sentencepiece
import tiktoken
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from structgen.errors import VocabularyError
from structgen.tokenizers.pipeline import byte_level_bytes
from structgen.vocabulary import Vocabulary, check_model

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT / "../shared/tokenizers"
CORPUS = ["a small corpus", '{"name": "Ada", "age": 36}', "naïve café 世界 🙂", "def f(x):\n\treturn x  # two"] * 4
SCRIPTS = [(0x20, 0x7E), (0xA0, 0x24F), (0x370, 0x4FF), (0x590, 0x6FF), (0x900, 0xDFF), (0xE00, 0xE7F),
           (0x1100, 0x11FF), (0x2000, 0x20CF), (0x3040, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xFF00, 0xFFEF),
           (0x10000, 0x10FFF), (0x1F300, 0x1FAFF), (0x0, 0x1F), (0x300, 0x36F), (0xE0100, 0xE01EF)]  # fmt: skip


def needs(name: str) -> Path:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"{path} is not here")
    return path


def random_texts(count: int, seed: int, leave_out: str = "") -> list[str]:
    """Texts over every script, control characters, emoji and lone combining marks."""
    rng = random.Random(seed)
    texts = []
    for _ in range(count):
        parts = []
        for _ in range(rng.randint(1, 4)):
            low, high = rng.choice(SCRIPTS)
            parts += [chr(rng.randint(low, high)) for _ in range(rng.randint(1, 6))]
        texts.append("".join(c for c in parts if c not in leave_out))
    return texts


def byte_level(vocab_size: int = 400) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, special_tokens=["<eos>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def unigram(byte_fallback: bool, decoder: Any = None) -> Tokenizer:
    """A unigram model as Gemma's: U+2581 for spaces, byte tokens, no leading space."""
    words = {"▁": -3.0, "▁a": -2.0, "small": -4.0, "text": -4.0} | {chr(c): -6.0 for c in range(33, 127)}
    byte_tokens = [(f"<0x{b:02X}>", -12.0) for b in range(256)] if byte_fallback else []
    pieces = [("<unk>", 0.0), ("<eos>", 0.0), *byte_tokens, *words.items()]
    tokenizer = Tokenizer(models.Unigram(pieces, 0, byte_fallback))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    steps = [decoders.Replace("▁", " "), *([decoders.ByteFallback()] if byte_fallback else []), decoders.Fuse()]
    tokenizer.decoder = decoder or decoders.Sequence(steps)
    tokenizer.add_special_tokens(["<eos>"])
    return tokenizer


def assert_joins(vocabulary: Vocabulary, encoded: list[list[int]], texts: list[str], prefix: bytes = b"") -> None:
    for ids, text in zip(encoded, texts, strict=True):
        assert vocabulary.decode(ids, begins=False) == (prefix + text.encode() if text else b""), (text, ids)
        assert vocabulary.decode(ids) == text.encode(), "a leading blank that the tokenizer adds is no text"


def test_llama3_is_exact_and_fast() -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(needs("llama3"))
    start = time.perf_counter()
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    assert time.perf_counter() - start < 1.5  # about 0.2 s on an idle core
    assert (len(vocabulary), vocabulary.stop_ids, len(vocabulary.special_ids)) == (128_256, (128_009,), 256)
    assert vocabulary.token_bytes(128_000) == b"" and vocabulary.notes == ()
    texts = random_texts(10_000, seed=1)
    assert_joins(vocabulary, tokenizer(texts, add_special_tokens=False)["input_ids"], texts)
    fast = Vocabulary.from_tokenizer(tokenizer.backend_tokenizer, stop_ids=[128_009])
    assert fast == vocabulary and hash(fast) == hash(vocabulary)


def test_mistral_sentencepiece_is_exact_behind_its_leading_space() -> None:
    processor = sentencepiece.SentencePieceProcessor(model_file=str(needs("mistral-v3.model")))
    vocabulary = Vocabulary.from_tokenizer(processor)
    assert (len(vocabulary), vocabulary.stop_ids) == (32_768, (2,))
    assert any("leading space" in note for note in vocabulary.notes)
    assert any("U+2581" in note for note in vocabulary.notes)
    assert not any("strips" in note or "character map" in note for note in vocabulary.notes)
    texts = random_texts(10_000, seed=2, leave_out="\u2581")
    assert_joins(vocabulary, processor.encode(texts), texts, prefix=b" ")
    assert [vocabulary.token_bytes(771 + b) for b in range(256)] == [bytes([b]) for b in range(256)]


def test_slow_transformers_tokenizer_reads_the_same_bytes(tmp_path: Path) -> None:
    from transformers.tokenization_utils_sentencepiece import SentencePieceBackend

    model = needs("mistral-v3.model")
    tokenizer = SentencePieceBackend(vocab_file=str(model), unk_token="<unk>", bos_token="<s>", eos_token="</s>")
    tokenizer.add_tokens([AddedToken(" plain  added", special=False)])
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    plain = Vocabulary.from_tokenizer(sentencepiece.SentencePieceProcessor(model_file=str(model)))
    assert vocabulary.stop_ids == (2,) and len(vocabulary) == 32_769
    assert vocabulary.data.startswith(plain.data) and vocabulary.token_bytes(32_768) == b" plain  added"
    assert vocabulary.special_ids == plain.special_ids


def test_small_byte_level_with_added_tokens_and_padding() -> None:
    tokenizer = byte_level()
    tokenizer.add_tokens([AddedToken("  pad two  ", normalized=False), AddedToken("über", normalized=False)])
    tokenizer.add_special_tokens(["<tool>"])
    size = tokenizer.get_vocab_size()
    vocabulary = Vocabulary.from_tokenizer(tokenizer, size=size + 64, stop_ids=[0])
    texts = [*random_texts(10_000, seed=3), "x  pad two  y über"]
    assert_joins(vocabulary, [e.ids for e in tokenizer.encode_batch(texts)], texts)
    assert len(vocabulary) == size + 64 and not vocabulary.decode(range(size, size + 64))
    tool = tokenizer.token_to_id("<tool>")
    assert tool in vocabulary.special_ids and vocabulary.token_bytes(tool) == b""
    assert vocabulary.token_bytes(tokenizer.token_to_id("über")) == "über".encode()


def test_byte_level_is_recognised_by_pipeline_not_by_name() -> None:
    tokenizer = byte_level()
    expected = Vocabulary.from_tokenizer(tokenizer, stop_ids=[0])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(), tokenizer.pre_tokenizer])
    tokenizer.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Fuse()])
    assert Vocabulary.from_tokenizer(tokenizer, stop_ids=[0]) == expected
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    with pytest.raises(VocabularyError, match="one side"):
        Vocabulary.from_tokenizer(tokenizer, stop_ids=[0])


def test_byte_map_undoes_the_library_s_own() -> None:
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    for code in itertools.chain(range(0, 0x800, 7), range(0x800, 0xD800, 997), range(0xE000, 0x110000, 9973)):
        ((mapped, _),) = level.pre_tokenize_str(chr(code))
        plain = chr(code).encode()
        assert byte_level_bytes([mapped, "世", "", mapped]) == [plain, "世".encode(), b"", plain]
    assert byte_level_bytes([]) == []


def test_unigram_with_byte_fallback() -> None:
    tokenizer = unigram(byte_fallback=True)
    vocabulary = Vocabulary.from_tokenizer(tokenizer, stop_ids=[1])
    texts = random_texts(10_000, seed=4, leave_out="\u2581<")  # "<" may begin the spelling of a byte token
    assert_joins(vocabulary, [e.ids for e in tokenizer.encode_batch(texts)], texts)
    assert vocabulary.token_bytes(0) == b"" and vocabulary.token_bytes(2 + 0x0A) == b"\n"
    assert vocabulary.token_bytes(tokenizer.token_to_id("▁a")) == b" a"


def test_unigram_as_t5_loses_unknown_characters_and_says_so() -> None:
    tokenizer = unigram(byte_fallback=False, decoder=decoders.Metaspace())
    tokenizer.pre_tokenizer, tokenizer.normalizer = pre_tokenizers.Metaspace(), normalizers.NFKC()
    vocabulary = Vocabulary.from_tokenizer(tokenizer, stop_ids=[1])
    notes = " / ".join(vocabulary.notes)
    assert "leading space" in notes and "NFKC" in notes and "unknown characters" in notes
    ids = tokenizer.encode("a small text").ids
    assert vocabulary.decode(ids, begins=False) == b" a small text" and vocabulary.decode(ids) == b"a small text"


def wordpiece() -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece({"[UNK]": 0, "a": 1, "##b": 2}, unk_token="[UNK]"))
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def suffixed() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE({"a</w>": 0}, [], end_of_word_suffix="</w>"))
    tokenizer.decoder = decoders.BPEDecoder()
    return tokenizer


def decoded_by(decoder: Any) -> Tokenizer:
    return unigram(byte_fallback=True, decoder=decoder)


@pytest.mark.parametrize(
    ("tokenizer", "reason"),
    [
        (wordpiece(), "continuing_subword_prefix"),
        (suffixed(), "end_of_word_suffix"),
        (Tokenizer(models.WordLevel({"a": 0}, unk_token="a")), "no decoder"),
        (decoded_by(decoders.CTC()), "CTC"),
        (decoded_by(decoders.WordPiece()), "WordPiece"),
        (decoded_by(decoders.Sequence([decoders.Strip(" ", 1, 0), decoders.Fuse()])), "Strip"),
        (decoded_by(decoders.Sequence([decoders.Fuse(), decoders.Replace("ab", " ")])), "span"),
        (decoded_by(decoders.Sequence([decoders.ByteFallback(), decoders.Replace("▁", " ")])), "Replace"),
        (object(), "from_bytes"),
    ],
)
def test_tokens_without_bytes_of_their_own_are_refused(tokenizer: Any, reason: str) -> None:
    with pytest.raises(VocabularyError, match=reason):
        Vocabulary.from_tokenizer(tokenizer, stop_ids=[0])


def test_tiktoken_with_a_gap() -> None:
    ranks = {bytes([b]): b for b in range(256)} | {b"th": 256, b"the": 257, "é".encode(): 259}
    special = {"<|endoftext|>": 260, "<|x|>": 262}
    encoding = tiktoken.Encoding("small", pat_str=r"\s*\S+|\s+", mergeable_ranks=ranks, special_tokens=special)
    vocabulary = Vocabulary.from_tokenizer(encoding)
    texts = random_texts(10_000, seed=5)
    assert_joins(vocabulary, encoding.encode_ordinary_batch(texts, num_threads=1), texts)
    assert (vocabulary.stop_ids, vocabulary.special_ids, len(vocabulary)) == ((260,), frozenset({260, 262}), 263)
    assert vocabulary.token_bytes(258) == vocabulary.token_bytes(261) == b""


def test_from_bytes_and_its_contract() -> None:
    vocabulary = Vocabulary.from_bytes([b"</s>", b"a", b"ab", b"", b"<x>"], eos=[0], special=[4])
    assert vocabulary.data == b"aab" and vocabulary.offsets.tolist() == [0, 0, 1, 3, 3, 3]
    assert vocabulary.special_ids == {0, 4} and vocabulary.stop_ids == (0,)
    assert vocabulary.offsets.dtype == np.int64 and not vocabulary.offsets.flags.writeable
    again = pickle.loads(pickle.dumps(vocabulary))
    assert again == vocabulary and again.data == vocabulary.data and not again.offsets.flags.writeable
    assert Vocabulary.from_bytes([b"", b"a", b"ab", b"", b""], eos=[0], special=[4]) == vocabulary
    others = [([b"", b"aa", b"b", b"", b""], [0], [4]), ([b"", b"a", b"ab", b"", b""], [0], []),
              ([b"", b"a", b"ab", b"", b""], [0, 4], [])]  # fmt: skip
    prints = {Vocabulary.from_bytes(t, eos=e, special=s).fingerprint for t, e, s in others}
    assert len(prints | {vocabulary.fingerprint}) == 4
    for bad in (-1, 5):
        with pytest.raises(VocabularyError, match="outside"):
            vocabulary.token_bytes(bad)
        with pytest.raises(VocabularyError, match="outside"):
            Vocabulary.from_bytes([b"a"] * 5, eos=[bad])


def test_sizes_and_stops_must_be_given_and_fit() -> None:
    tokenizer = byte_level()
    with pytest.raises(VocabularyError, match="stop_ids"):
        Vocabulary.from_tokenizer(tokenizer)
    with pytest.raises(VocabularyError, match="size=10"):
        Vocabulary.from_tokenizer(tokenizer, size=10, stop_ids=[0])


def fake_model(rows: int, scored: int | None = None, eos: Any = None) -> Any:
    def module(n: int) -> Any:
        return SimpleNamespace(weight=SimpleNamespace(shape=(n, 4)))

    return SimpleNamespace(
        get_input_embeddings=lambda: module(rows),
        get_output_embeddings=lambda: module(scored or rows),
        generation_config=SimpleNamespace(eos_token_id=eos),
    )


def test_check_model() -> None:
    vocabulary = Vocabulary.from_bytes([b"", b"a", b"b", b"", b"", b"", b""], eos=[0], special=[3])
    check_model(vocabulary, fake_model(4, eos=[0, 3]))  # three padding ids of the vocabulary are not needed
    check_model(vocabulary, fake_model(64))
    for model, reason in [
        (fake_model(3), "match"),
        (fake_model(64, scored=3), "match"),
        (fake_model(64, eos=50), "does not have"),
        (fake_model(64, eos=[0, 1]), "is the text b'a'"),
    ]:
        with pytest.raises(VocabularyError, match=reason):
            check_model(vocabulary, model)


def test_importing_is_light() -> None:
    heavy = "[m for m in sys.modules if m in ('torch', 'transformers', 'numba', 'tokenizers', 'tiktoken')]"
    code = f"import sys, structgen.vocabulary; print({heavy})"
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
