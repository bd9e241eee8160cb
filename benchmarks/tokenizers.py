"""The tokenizers of the measurements: text -> ids for the instances, and the exact bytes of every id for engines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.data import shared
from structgen.vocabulary import Vocabulary

NAMES = ("llama3", "mistral-v3")


@dataclass(frozen=True)
class Tokenizer:
    """`source` is the library's own object, `encode` writes exactly the text's bytes, without special tokens."""

    name: str
    source: Any
    vocabulary: Vocabulary
    encode: Callable[[str], list[int]]


def load(name: str) -> Tokenizer:
    """llama3: 128,256 tokens, a byte-level BPE; mistral-v3: 32,768 tokens, sentencepiece."""
    return {"llama3": _llama3, "mistral-v3": _mistral}[name]()


def _llama3() -> Tokenizer:
    from transformers import AutoTokenizer

    source = AutoTokenizer.from_pretrained(str(shared() / "tokenizers" / "llama3"))
    vocabulary = Vocabulary.from_tokenizer(source)
    return Tokenizer("llama3", source, vocabulary, lambda text: source.encode(text, add_special_tokens=False))


def _mistral() -> Tokenizer:
    from sentencepiece import SentencePieceProcessor

    source = SentencePieceProcessor(model_file=str(shared() / "tokenizers" / "mistral-v3.model"))
    vocabulary = Vocabulary.from_tokenizer(source)

    def encode(text: str) -> list[int]:
        """The processor begins every text with a space; a line break, cut off afterwards, takes it."""
        ids, cut = source.encode("\n" + text), 0
        written = b""
        while written != b" \n":
            written += vocabulary.token_bytes(ids[cut])
            cut += 1
        return list(ids[cut:])

    return Tokenizer("mistral-v3", source, vocabulary, encode)
