"""A constraint, and beyond it: the output must be spelled as the tokenizer would spell it, encode(decode(w)) = w.

A text has many token sequences and the model was trained on one of them. Restricting the language to these makes one
outcome of every text, without its other spellings' probability. Text between special tokens is judged by itself, as
tokenizers cut there first.

Whether a prefix can still become canonical no tokenizer says; so by default only the end is judged, which is exact and
leaves dead ends (they cost draws, never exactness). "prefixes" is for tokenizers under which every prefix of a
canonical sequence is canonical, as it is when merges (byte-level BPE) or a best path make the tokens: prefixes that are
not canonical die at once. Nothing checks that claim.

Cost: one call of the tokenizer at every place where the output may end, at every place for "prefixes".
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from structgen.bits import with_bits
from structgen.errors import OptionError
from structgen.protocols import Encoder, SequenceConstraint, SequenceMatcher, TokenModel, Tokens
from structgen.tokenizers.table import SPACE_SYMBOL
from structgen.vocabulary import Vocabulary

__all__ = ["CanonicalConstraint", "Encode", "encoder_of"]

_PROBE = 20_000  # bytes of the vocabulary whose spelling tells tokenizers apart
Encode = Callable[[str], Sequence[int]]


class CanonicalConstraint:
    """A constraint over `constraint.vocabulary` that accepts what it accepts in canonical spelling only."""

    def __init__(self, constraint: SequenceConstraint, encode: Encode, *, by_prefix: bool = False) -> None:
        self.constraint, self.encode, self.by_prefix = constraint, encode, by_prefix
        self.vocabulary: Vocabulary = constraint.vocabulary

    @property
    def fingerprint(self) -> str:
        """Of the constraint, of how prefixes are judged, and of how the tokenizer spells the texts of its tokens."""
        spelling = [int(token) for token in self.encode(self.vocabulary.data[:_PROBE].decode("utf-8", "ignore"))]
        return hashlib.sha256(
            f"canonical|{self.by_prefix}|{spelling}|{self.constraint.fingerprint}".encode()
        ).hexdigest()

    def matcher(self) -> CanonicalMatcher:
        """A matcher before the first byte."""
        return CanonicalMatcher(self, self.constraint.matcher(), ())

    def spells(self, tokens: Tokens, *, complete: bool) -> bool:
        """Whether these tokens are canonical. Before the end, a text that breaks off inside a character may be."""
        first = True
        for is_text, group in groupby(tokens, lambda token: bool(self.vocabulary.token_bytes(token))):
            run, begins, first = list(group), first, False
            if is_text:
                try:
                    text = self.vocabulary.decode(run, begins=begins).decode("utf-8")
                except UnicodeDecodeError:
                    return not complete
                if [int(token) for token in self.encode(text)] != run:
                    return False
        return True


class CanonicalMatcher:
    """A place in a canonical constraint: `under`, the matcher of the constraint, and the tokens it has read."""

    def __init__(self, constraint: CanonicalConstraint, under: SequenceMatcher, tokens: Tokens) -> None:
        self.constraint, self.under, self.tokens = constraint, under, tokens

    def mask(self) -> NDArray[np.uint32]:
        """The constraint's, without the stop ids where the tokens are not canonical; nothing once they cannot be."""
        row = self.under.mask()
        if self.constraint.by_prefix and not self.constraint.spells(self.tokens, complete=False):
            return np.zeros_like(row)
        if self.under.is_accepting() and not self.is_accepting():
            return with_bits(row, self.constraint.vocabulary.stop_ids, False)
        return row

    def accept(self, token: int) -> bool:
        """What the constraint accepts; prefixes that are not canonical die at the next mask."""
        if not self.under.accept(token):
            return False
        self.tokens = (*self.tokens, token)
        return True

    def fork(self) -> CanonicalMatcher:
        """An independent matcher at the same place."""
        return CanonicalMatcher(self.constraint, self.under.fork(), self.tokens)

    def is_accepting(self) -> bool:
        """The text is complete and spelled as the tokenizer spells it."""
        return self.under.is_accepting() and self.constraint.spells(self.tokens, complete=True)

    def bytes_to_accept(self) -> int:
        """The constraint's lower bound."""
        return self.under.bytes_to_accept()


def encoder_of(model: TokenModel) -> Encode:
    """How the model's tokenizer spells text. OptionError where it is unknown, or changes the text it encodes."""
    if not isinstance(model, Encoder):
        raise OptionError(f"canonical needs a tokenizer, and {type(model).__name__} has none", option="canonical")
    changes = [note for note in model.vocabulary.notes if note != SPACE_SYMBOL]
    if changes:
        raise OptionError(
            f"canonical needs a tokenizer that keeps the text as it is; this one {'; '.join(changes)}",
            option="canonical",
        )
    return model.tokens_of
