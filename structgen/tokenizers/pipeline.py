"""`tokenizers.Tokenizer` (the engine of every fast transformers tokenizer) to token bytes.

What a token writes is decided by the tokenizer's own decoder, a chain of small steps described in its JSON; the chain
is read, not the class name. Two families come out exactly: byte-level (each character of a token is one byte, GPT-2's
map) and text with optional byte fallback (`<0xHH>`, U+2581 for a space). Chains in which a token's text depends on its
neighbours (WordPiece, `</w>` suffixes, CTC) have no bytes per token and raise VocabularyError.

Cost: a constant number of library calls and one pass over the tokens.
"""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np

from structgen.errors import VocabularyError
from structgen.tokenizers.table import LEADING_SPACE, SPACE_SYMBOL, TokenTable, fallback_byte

Step = dict[str, Any]

_CHILDREN = {"Sequence": ("decoders", "normalizers", "pretokenizers")}
_SPLITS_ON_SPACE = {"BertPreTokenizer", "CharDelimiterSplit", "Whitespace", "WhitespaceSplit"}


def read_tokenizer(tokenizer: Any, special: frozenset[int] = frozenset()) -> TokenTable:
    """The table of a `tokenizers.Tokenizer`; `special` are ids the caller knows to be special beside its own."""
    decoder = _steps(tokenizer.decoder)
    encoder = _steps(tokenizer.normalizer) + _steps(tokenizer.pre_tokenizer)
    names = _names_by_id(tokenizer)
    added = tokenizer.get_added_tokens_decoder()
    special |= {i for i, token in added.items() if token.special}
    textless = special | _unknown_ids(tokenizer)
    plain = [i for i, name in enumerate(names) if name is not None and i not in added and i not in textless]
    texts = [names[i] or "" for i in plain]
    _refuse_word_marks(tokenizer.model)
    if _is_byte_level(decoder, encoder):
        values, notes = byte_level_bytes(texts), _encoder_notes(encoder)
    else:
        values, notes = _text_bytes(texts, decoder)
        notes = (*_encoder_notes(encoder), *notes)
    tokens = [b""] * len(names)
    for token_id, value in zip(plain, values, strict=True):
        tokens[token_id] = value
    for token_id, token in added.items():  # added tokens are found in the raw text, so their content is their text
        if token_id not in textless:
            tokens[token_id] = token.content.encode()
    known = {token.content: token_id for token_id, token in added.items()}
    return TokenTable(tokens, special, (), tuple(dict.fromkeys(notes)), known)


def byte_level_bytes(texts: list[str]) -> list[bytes]:
    """GPT-2's map undone, for all tokens at once. A token with a character outside it is plain text, as decoded."""
    codes = np.frombuffer("".join(texts).encode("utf-32-le"), dtype=np.uint32)
    values = _BYTE_OF[np.minimum(codes, len(_BYTE_OF) - 1)]
    ends = np.cumsum(np.fromiter(map(len, texts), dtype=np.int64, count=len(texts)))
    starts = np.concatenate(([0], ends[:-1])) if texts else ends
    data, bounds = values.astype(np.uint8).tobytes(), zip(starts.tolist(), ends.tolist(), strict=True)
    out = [data[start:end] for start, end in bounds]
    outside = np.flatnonzero(values < 0)
    for token in np.unique(np.searchsorted(ends, outside, side="right")).tolist():
        out[token] = texts[token].encode()
    return out


def _byte_map() -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    """Code point -> byte, -1 outside: printable bytes are themselves, the others follow from U+0100 in order."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    shifted = [byte for byte in range(256) if byte not in set(printable)]
    table = np.full(0x100 + len(shifted) + 1, -1, dtype=np.int16)  # the last entry stands for everything above
    table[printable] = printable
    table[0x100 : 0x100 + len(shifted)] = shifted
    return table


_BYTE_OF = _byte_map()


def _steps(component: Any) -> list[Step]:
    """The flat list of steps of a decoder, normalizer or pre-tokenizer, as its JSON says."""
    if component is None:
        return []
    steps: list[Step] = []
    pending = [json.loads(component.__getstate__())]
    while pending:
        step = pending.pop(0)
        if step["type"] == "Sequence":
            pending = [child for key in _CHILDREN["Sequence"] for child in step.get(key, ())] + pending
        else:
            steps.append(step)
    return steps


def _names_by_id(tokenizer: Any) -> list[str | None]:
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    names: list[str | None] = [None] * (max(vocabulary.values(), default=-1) + 1)
    for name, token_id in vocabulary.items():
        names[token_id] = name
    return names


def _unknown_ids(tokenizer: Any) -> set[int]:
    """The id of "anything I cannot spell": it has a name, and no text."""
    name = getattr(tokenizer.model, "unk_token", None)
    if name is not None:
        return {tokenizer.token_to_id(name)} - {None}
    if hasattr(tokenizer.model, "unk_token"):
        return set()
    # A Unigram model does not expose its unknown id, but writes it before its vocabulary.
    match = re.search(rb'"unk_id":\s*(\d+)', tokenizer.model.__getstate__()[:200])
    return {int(match[1])} if match else set()


def _refuse_word_marks(model: Any) -> None:
    for mark in ("continuing_subword_prefix", "end_of_word_suffix"):
        value = getattr(model, mark, None)
        if value:
            raise VocabularyError(
                f"the tokenizer marks word parts ({mark} {value!r}): what a token writes depends on its neighbours"
            )


def _is_byte_level(decoder: list[Step], encoder: list[Step]) -> bool:
    reads, writes = ("ByteLevel" in {step["type"] for step in steps} for steps in (encoder, decoder))
    if not decoder:
        if reads:
            return True
        raise VocabularyError("the tokenizer has no decoder, so what its tokens write is not defined")
    if reads != writes:
        raise VocabularyError("the tokenizer is byte-level on one side only (pre-tokenizer or decoder, not both)")
    others = {step["type"] for step in decoder} - {"ByteLevel", "Fuse"}
    if writes and others:
        raise VocabularyError(f"a byte-level decoder combined with {', '.join(sorted(others))} is not understood")
    return writes


def _text_bytes(texts: list[str], decoder: list[Step]) -> tuple[list[bytes], tuple[str, ...]]:
    """Run the decoder's steps on every token. Steps after `Fuse` see the whole text, so only local ones are allowed."""
    fused, byte_fallback = False, False
    notes: list[str] = []
    for step in decoder:
        kind = step["type"]
        if kind == "Fuse":
            fused = True
        elif kind == "ByteFallback" and not fused:
            byte_fallback = True
        elif kind in ("Replace", "Metaspace") and not byte_fallback:
            old, new = _replacement(step, fused)
            texts = [text.replace(old, new) for text in texts]
            notes += [SPACE_SYMBOL] if (old, new) == ("\u2581", " ") else []
        elif kind == "Strip" and fused and step["content"] == " ":
            notes.append("its own decoder strips the ends of the text")
        else:
            raise VocabularyError(f"its decoder's step {kind} makes what a token writes depend on its neighbours")
    if not byte_fallback:
        return [text.encode() for text in texts], (*notes, "writes no byte fallback: unknown characters are lost")
    return [fallback_byte(text) or text.encode() for text in texts], tuple(notes)


def _replacement(step: Step, fused: bool) -> tuple[str, str]:
    if step["type"] == "Metaspace":
        return step["replacement"], " "
    pattern = step["pattern"].get("String")
    if pattern is None or (fused and len(pattern) != 1):
        raise VocabularyError(f"its decoder replaces {step['pattern']!r}, which can span several tokens")
    return pattern, step["content"]


def _encoder_notes(encoder: list[Step]) -> tuple[str, ...]:
    """How the input is changed before it is cut into tokens."""
    notes = []
    for step in encoder:
        kind = step["type"]
        if kind in ("NFC", "NFD", "NFKC", "NFKD"):
            notes.append(f"normalises {kind}")
        elif kind == "Precompiled":
            notes.append("normalises the text it encodes by a sentencepiece character map")
        elif kind == "Prepend" or step.get("add_prefix_space") or step.get("prepend_scheme", "never") != "never":
            notes.append(LEADING_SPACE)
        elif kind in _SPLITS_ON_SPACE or step.get("behavior") == "Removed":
            notes.append("drops separators (spaces) of the text it encodes")
        elif kind in ("BertNormalizer", "Lowercase", "Nmt", "StripAccents", "Strip"):
            notes.append(f"changes the text it encodes ({kind})")
    return tuple(notes)
