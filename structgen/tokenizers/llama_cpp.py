"""A model that llama.cpp has loaded -> its tokens' bytes, as llama.cpp itself writes them.

Pieces without special tokens are the texts; control tokens and those that end a generation are none. Names are the
texts of control, added and ending tokens. A model of sentencepiece's kind adds a blank to what it encodes unless it
says that it does not. Cost: a call of llama.cpp for each token, 60 ms for 49k of them.
"""

from __future__ import annotations

import ctypes
from typing import Any

from structgen.errors import VocabularyError
from structgen.tokenizers.table import LEADING_SPACE, TokenTable

__all__ = ["read_llama"]

_BUFFER = 512  # bytes: the longest pieces of vocabularies in use have some hundred


def read_llama(model: Any) -> TokenTable:
    """The table of a llama.cpp model: a pointer as `llama_cpp.Llama.model` and `llama_model_load_from_file` give it.

    Raises VocabularyError for a model without a vocabulary.
    """
    import llama_cpp as api

    vocab = api.llama_model_get_vocab(model)
    size = api.llama_vocab_n_tokens(vocab)
    if not vocab or size <= 0:
        raise VocabularyError("the model has no vocabulary of its own")
    tokens = [_piece(api, vocab, token) for token in range(size)]
    stops = tuple(token for token in range(size) if api.llama_vocab_is_eog(vocab, token))
    control = {token for token in range(size) if api.llama_vocab_is_control(vocab, token)}
    added = api.LLAMA_TOKEN_ATTR_USER_DEFINED
    named = {*stops, *control, *(token for token in range(size) if api.llama_vocab_get_attr(vocab, token) & added)}
    texts = {token: api.llama_vocab_get_text(vocab, token).decode("utf-8", "replace") for token in sorted(named)}
    kind, blank = (_value(api, model, f"tokenizer.ggml.{key}") for key in ("model", "add_space_prefix"))
    notes = (LEADING_SPACE,) if kind == b"llama" and blank in (None, b"true") else ()
    return TokenTable(tokens, frozenset(control), stops, notes, {text: token for token, text in texts.items()})


def _piece(api: Any, vocab: Any, token: int) -> bytes:
    """The text of a token; b"" of a special one."""
    buffer = ctypes.create_string_buffer(_BUFFER)
    length = api.llama_token_to_piece(vocab, token, buffer, _BUFFER, 0, False)
    if length < 0:  # the length that it has
        buffer = ctypes.create_string_buffer(-length)
        length = api.llama_token_to_piece(vocab, token, buffer, -length, 0, False)
    return buffer.raw[:length]


def _value(api: Any, model: Any, key: str) -> bytes | None:
    """A value of the model's file, as text."""
    buffer = ctypes.create_string_buffer(64)
    length = api.llama_model_meta_val_str(model, key.encode(), buffer, len(buffer))
    return None if length < 0 else buffer.value
