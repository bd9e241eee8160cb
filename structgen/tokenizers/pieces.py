"""sentencepiece processors, and the transformers tokenizers that wrap one, to token bytes.

A piece is text in which U+2581 stands for a space; byte pieces are written `<0xHH>`; control, unknown and unused
pieces stand for no text. Two library calls for all ids together, so the cost is linear with a small constant.
"""

from __future__ import annotations

from typing import Any

from structgen.errors import VocabularyError
from structgen.tokenizers.table import LEADING_SPACE, SPACE_SYMBOL, TokenTable, fallback_byte

# One character each that the usual normalisations (NFC, NFKC, case folding, control removal) would change.
_PROBES = ("e\u0301", "\ufb01", "A", "\x07")


def read_processor(processor: Any) -> TokenTable:
    """The table of a `sentencepiece.SentencePieceProcessor`."""
    ids = list(range(processor.get_piece_size()))
    pieces = processor.id_to_piece(ids)
    kinds = zip(
        processor.is_control(ids),
        processor.is_unknown(ids),
        processor.is_unused(ids),
        processor.is_byte(ids),
        strict=True,
    )
    tokens, special, names = [], set(), {}
    for token_id, piece, (control, unknown, unused, byte) in zip(ids, pieces, kinds, strict=True):
        if control:
            names[piece] = token_id
        if control or unknown:
            special.add(token_id)
        tokens.append(b"" if control or unknown or unused else _piece_bytes(piece, byte))
    eos = processor.eos_id()
    return TokenTable(tokens, frozenset(special), () if eos < 0 else (eos,), _notes(processor), names)


def read_wrapped(tokenizer: Any) -> TokenTable:
    """The table of a transformers tokenizer built on a sentencepiece processor.

    Its ids need not be the processor's (some models shift them), so the two are joined by the piece, not by the number.
    """
    inner = read_processor(tokenizer.sp_model)
    pieces = tokenizer.sp_model.id_to_piece(list(range(len(inner.tokens))))
    bytes_of = dict(zip(pieces, inner.tokens, strict=True))
    added = {int(i): token for i, token in tokenizer.added_tokens_decoder.items()}
    special = {i for i, token in added.items() if token.special} | set(tokenizer.all_special_ids)
    special |= {int(i) for piece, i in tokenizer.get_vocab().items() if piece in bytes_of and not bytes_of[piece]}
    tokens = []
    for token_id, piece in enumerate(tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))):
        if token_id in special:
            tokens.append(b"")
        elif token_id in added:
            tokens.append(added[token_id].content.encode())
        elif piece in bytes_of:
            tokens.append(bytes_of[piece])
        else:
            raise VocabularyError(f"token {token_id} ({piece!r}) is neither a sentencepiece piece nor an added token")
    eos = tokenizer.eos_token_id
    names = {token.content: token_id for token_id, token in added.items()}
    return TokenTable(tokens, frozenset(special), () if eos is None else (int(eos),), inner.notes, names)


def _piece_bytes(piece: str, byte: bool) -> bytes:
    if not byte:
        return bytes(piece.replace("\u2581", " ").encode())
    value = fallback_byte(piece)
    if value is None:
        raise VocabularyError(f"the byte piece {piece!r} is not written <0xHH>")
    return value


def _notes(processor: Any) -> tuple[str, ...]:
    """What `normalize` does to text, found by asking it."""
    notes = []
    if processor.normalize("a").startswith("\u2581"):
        notes.append(LEADING_SPACE)
    if not processor.normalize("a  b ").endswith("a\u2581\u2581b\u2581"):
        notes.append("strips and joins spaces of the text it encodes")
    if any(probe not in processor.normalize(f"a{probe}a") for probe in _PROBES):
        notes.append("normalises the text it encodes by a sentencepiece character map")
    return (*notes, SPACE_SYMBOL)
