"""Token id -> exact bytes, for every tokenizer library, as two flat arrays.

A constraint is over bytes and a model speaks in token ids; this table is all that connects them. It is exact or it is
not made: a tokenizer whose tokens have no bytes of their own raises VocabularyError. Tokens without a text (special,
unknown, unused, padding) hold b"" and no mask ever allows them; stop ids are among the special ones.

Cost: linear in the vocabulary; 128k tokens in about 0.2 s. Imports numpy and the standard library only.
"""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from structgen.errors import OptionError, VocabularyError
from structgen.tokenizers.llama_cpp import read_llama
from structgen.tokenizers.pieces import read_processor, read_wrapped
from structgen.tokenizers.pipeline import read_tokenizer
from structgen.tokenizers.ranks import read_encoding
from structgen.tokenizers.table import LEADING_SPACE, TokenTable

__all__ = ["TokenIds", "Vocabulary", "check_model", "check_same_tokens", "token_ids"]

TokenIds: TypeAlias = "int | Iterable[Any] | Any"  # an id or several: list, set, array, tensor


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """All tokens of a tokenizer.   V tokens, N bytes in total

    field        shape/type       meaning
    size         int              V, padding ids included
    data         bytes (N,)       the tokens' bytes, one after the other
    offsets      i64 (V + 1,)     token t is data[offsets[t] : offsets[t + 1]]; read-only
    special_ids  frozenset        ids that stand for no text on purpose; their bytes are b""
    stop_ids     tuple            ids that end an output, ascending; all of them special
    notes        tuple of str     how the tokenizer's *encoding* departs from the bytes of its input
    names        mapping          special and added tokens that constraints may use as single symbols, by name
    fingerprint  str              sha256 of the bytes, the special and the stop ids; equality and hash go by it
    """

    size: int
    data: bytes
    offsets: NDArray[np.int64]
    special_ids: frozenset[int]
    stop_ids: tuple[int, ...]
    notes: tuple[str, ...]
    names: Mapping[str, int]
    fingerprint: str

    @classmethod
    def from_tokenizer(cls, tokenizer: Any, *, size: int | None = None, stop_ids: TokenIds | None = None) -> Vocabulary:
        """Read a transformers, `tokenizers`, tiktoken or sentencepiece tokenizer.

        `size` larger than the tokenizer adds padding ids, as models that round their embedding up have. `stop_ids`
        replaces what the tokenizer says ends a text.
        """
        table = _read(tokenizer)
        stops = table.stops if stop_ids is None else token_ids(stop_ids, "stop_ids")
        if not stops:
            raise VocabularyError("the tokenizer does not say which token ends a text: pass stop_ids=[...]")
        if size is not None and size < len(table.tokens):
            raise VocabularyError(f"size={size} is smaller than the tokenizer's {len(table.tokens)} tokens")
        padding = 0 if size is None else size - len(table.tokens)
        return _build(table.tokens + [b""] * padding, table.special, stops, table.notes, table.names)

    @classmethod
    def from_llama_cpp(cls, model: Any, *, stop_ids: TokenIds | None = None) -> Vocabulary:
        """Read the vocabulary of a `llama_cpp.Llama`, or of a pointer to a model of llama.cpp; it is as wide as the
        logits. `stop_ids` replaces what the model says ends a generation."""
        table = read_llama(getattr(model, "model", model))
        stops = table.stops if stop_ids is None else token_ids(stop_ids, "stop_ids")
        if not stops:
            raise VocabularyError("the model does not say which token ends a text: pass stop_ids=[...]")
        return _build(table.tokens, table.special, stops, table.notes, table.names)

    @classmethod
    def from_bytes(
        cls,
        tokens: Sequence[bytes],
        *,
        eos: TokenIds,
        special: TokenIds = (),
        names: Mapping[str, int] | None = None,
        leading_blank: bool = False,
    ) -> Vocabulary:
        """A vocabulary from its tokens' bytes; whatever `eos` and `special` ids hold there is not text.

        `names` are tokens, special or not, that constraints may use as single symbols; `leading_blank` says that a
        blank which the first token of a text begins with is not text.
        """
        ends, textless = token_ids(eos, "eos"), frozenset(token_ids(special, "special"))
        return _build(list(tokens), textless, ends, (LEADING_SPACE,) if leading_blank else (), names or {})

    def __post_init__(self) -> None:
        self.offsets.flags.writeable = False

    def __reduce__(self) -> tuple[Any, ...]:
        # Through the constructor, because a pickled array comes back writeable.
        rest = (self.special_ids, self.stop_ids, self.notes, dict(self.names), self.fingerprint)
        return Vocabulary, (self.size, self.data, self.offsets, *rest)

    def __len__(self) -> int:
        return self.size

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __repr__(self) -> str:
        return f"Vocabulary(size={self.size}, stop_ids={self.stop_ids}, fingerprint={self.fingerprint[:12]}...)"

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes of one token; b"" when it stands for no text."""
        if not 0 <= token_id < self.size:
            raise VocabularyError(f"token {token_id} is outside the vocabulary of {self.size}")
        return self.data[self.offsets[token_id] : self.offsets[token_id + 1]]

    @cached_property
    def spans(self) -> NDArray[np.int64]:
        """i64 (size, 2): where the text of each token begins and ends in `data`; -1 for tokens that are not only text,
        such as stop tokens and symbols, and for those with the bytes that spell symbols."""
        spans = np.stack((self.offsets[:-1], self.offsets[1:]), axis=1)
        odd = [*self.stop_ids, *self.symbols]
        for byte in (b"\xff", b"\xfe"):
            at = self.data.find(byte)
            while at >= 0:
                odd.append(int(np.searchsorted(self.offsets, at, side="right")) - 1)
                at = self.data.find(byte, at + 1)
        spans[odd] = -1
        spans[spans[:, 0] == spans[:, 1]] = -1
        return spans

    @cached_property
    def symbols(self) -> Mapping[int, bytes]:
        """How grammars spell the named tokens (`ir.special`), by their ids, stop tokens among them."""
        spelled = {i: b"\xff" + n.encode() + b"\xfe" for n, i in self.names.items()}
        return MappingProxyType(spelled)

    @cached_property
    def leading_blank(self) -> bool:
        """Whether a blank that the first token of a text begins with is not text: the tokenizer adds one to whatever it
        encodes, and takes it away from what it decodes (sentencepiece)."""
        return LEADING_SPACE in self.notes

    @cached_property
    def blank_tokens(self) -> tuple[int, ...]:
        """The tokens whose text begins with a blank."""
        raw = np.frombuffer(self.data + b"\0", np.uint8)
        starts, ends = self.offsets[:-1], self.offsets[1:]
        return tuple(np.flatnonzero((starts < ends) & (raw[starts] == 32)).tolist())

    @cached_property
    def behind_blanks(self) -> NDArray[np.int16]:
        """i16 (len(blank_tokens),): the byte behind the blank that each of them begins with, -1 where there is none."""
        raw, tokens = np.frombuffer(self.data + b"\0\0", np.uint8), np.array(self.blank_tokens, np.int64)
        second = self.offsets[tokens] + 1
        return np.where(second < self.offsets[tokens + 1], raw[second].astype(np.int16), np.int16(-1))

    def decode(self, token_ids: Iterable[int], *, begins: bool = True) -> bytes:
        """The bytes of several tokens, joined; special ones write nothing. `begins`: they are the first of a text, and
        a leading blank of the vocabulary is left out."""
        data = b"".join(map(self.token_bytes, ids := list(token_ids)))
        drops = begins and self.leading_blank and ids and self.token_bytes(ids[0]).startswith(b" ")
        return data[1:] if drops else data


def token_ids(given: Any, option: str) -> tuple[int, ...]:
    """Ids in any form people have them in: an int, a list, a set, an array, a tensor, None. Raises OptionError."""
    if given is None:
        return ()
    if hasattr(given, "tolist"):  # numpy, torch, jax
        given = given.tolist()
    if isinstance(given, bool | str | bytes):
        raise OptionError(f"{option} is a token id or several, not {given!r}", option=option)
    try:
        return (operator.index(given),)
    except TypeError:
        pass
    try:
        return tuple(found for one in given for found in token_ids(one, option))
    except TypeError:
        raise OptionError(f"{option} is a token id or several, not {given!r}", option=option) from None


def check_model(vocabulary: Vocabulary, model: Any) -> None:
    """Raise VocabularyError when a transformers `model` cannot be speaking this vocabulary."""
    rows = _model_rows(model)
    used = max((i for i in (*vocabulary.special_ids, _last_text_id(vocabulary))), default=-1) + 1
    if used > rows:
        raise VocabularyError(f"the tokenizer uses {used} token ids and the model has {rows}: they do not match")
    for stop in _declared_stops(model):
        if stop >= used:
            raise VocabularyError(f"the model stops at token {stop}, which this tokenizer does not have")
        if vocabulary.token_bytes(stop):
            text = vocabulary.token_bytes(stop)
            raise VocabularyError(f"the model stops at token {stop}, which is the text {text!r} in this tokenizer")


def check_same_tokens(constraint: Vocabulary, model: Vocabulary) -> None:
    """Raise VocabularyError unless a constraint over the one fits a model of the other.

    The two may differ in padding and in which special tokens stop, not in any text.
    """
    shared = min(constraint.size, model.size)
    same = constraint.data == model.data and np.array_equal(constraint.offsets[:shared], model.offsets[:shared])
    if not same or max(constraint.stop_ids) >= model.size:
        raise VocabularyError("the constraint was compiled for another vocabulary than the model's")


def _read(tokenizer: Any) -> TokenTable:
    """Choose the reader by what the object can do."""
    if hasattr(tokenizer, "backend_tokenizer"):
        table = read_tokenizer(tokenizer.backend_tokenizer, frozenset(tokenizer.all_special_ids))
        eos = tokenizer.eos_token_id
        return TokenTable(table.tokens, table.special, () if eos is None else (int(eos),), table.notes, table.names)
    if hasattr(tokenizer, "get_added_tokens_decoder") and hasattr(tokenizer, "pre_tokenizer"):
        return read_tokenizer(tokenizer)
    if hasattr(tokenizer, "decode_single_token_bytes"):
        return read_encoding(tokenizer)
    if hasattr(tokenizer, "sp_model") and hasattr(tokenizer, "convert_ids_to_tokens"):
        return read_wrapped(tokenizer)
    if hasattr(tokenizer, "id_to_piece") and hasattr(tokenizer, "is_byte"):
        return read_processor(tokenizer)
    raise VocabularyError(
        f"{type(tokenizer).__name__} is not a transformers, tokenizers, tiktoken or sentencepiece tokenizer whose "
        "token bytes can be read; build the vocabulary with Vocabulary.from_bytes"
    )


def _build(
    tokens: list[bytes],
    special: frozenset[int],
    stops: tuple[int, ...],
    notes: tuple[str, ...],
    names: Mapping[str, int],
) -> Vocabulary:
    special = special | frozenset(stops)
    for token_id in (*special, *names.values()):
        if not 0 <= token_id < len(tokens):
            raise VocabularyError(f"special or stop id {token_id} is outside the vocabulary of {len(tokens)}")
    for token_id in special:
        tokens[token_id] = b""
    data = b"".join(tokens)
    offsets = np.zeros(len(tokens) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(map(len, tokens), dtype=np.int64, count=len(tokens)), out=offsets[1:])
    stops = tuple(sorted(set(stops)))
    digest = hashlib.sha256(offsets.astype("<i8", copy=False).tobytes())
    digest.update(data)
    digest.update(repr((sorted(special), stops, sorted(names.items()))).encode())
    if LEADING_SPACE in notes:
        digest.update(LEADING_SPACE.encode())
    known = MappingProxyType(dict(names))
    return Vocabulary(len(tokens), data, offsets, special, stops, notes, known, digest.hexdigest())


def _last_text_id(vocabulary: Vocabulary) -> int:
    filled = np.flatnonzero(np.diff(vocabulary.offsets))
    return int(filled[-1]) if filled.size else -1


def _model_rows(model: Any) -> int:
    """How many ids the model reads and scores: the smaller of its two embeddings."""
    modules = (model.get_input_embeddings(), model.get_output_embeddings())
    rows = [module.weight.shape[0] for module in modules if module is not None]
    if not rows:
        raise VocabularyError(f"{type(model).__name__} has no token embeddings")
    return int(min(rows))


def _declared_stops(model: Any) -> tuple[int, ...]:
    """The stop ids the model's generation config names, if any."""
    return token_ids(getattr(getattr(model, "generation_config", None), "eos_token_id", None), "eos_token_id")
