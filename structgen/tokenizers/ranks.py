"""tiktoken encodings: their ids already are byte strings. One library call a token, about 0.1 us each."""

from __future__ import annotations

from typing import Any

from structgen.tokenizers.table import TokenTable

_END_OF_TEXT = "<|endoftext|>"


def read_encoding(encoding: Any) -> TokenTable:
    """The table of a `tiktoken.Encoding`. Ids that were never assigned are left without text."""
    special = {name: int(encoding.encode_single_token(name)) for name in encoding.special_tokens_set}
    special_ids = frozenset(special.values())
    tokens = [b"" if i in special_ids else _bytes_of(encoding, i) for i in range(encoding.n_vocab)]
    stops = (special[_END_OF_TEXT],) if _END_OF_TEXT in special else ()
    return TokenTable(tokens, special_ids, stops, names=special)


def _bytes_of(encoding: Any, token_id: int) -> bytes:
    try:
        return bytes(encoding.decode_single_token_bytes(token_id))
    except KeyError:  # a gap in the ranks: the library's way of saying that the id is not in use
        return b""
