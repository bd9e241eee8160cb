"""Constraints inside transformers' `generate`: a logits processor whose state is derived from the tokens it is given.

Prompt-lookup and assisted decoding call processors with prefixes in any order, forwards, backwards and with draft
tokens that will be discarded. So nothing here counts calls: each row compares the tokens it is given with those it has
consumed, rolls back to the common prefix and advances. Cost: one list comparison and the new tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from transformers import LogitsProcessor as _TransformersProcessor

from structgen.bits import row_of
from structgen.engines.masking import MaskRow, allowed_tokens, apply_masks
from structgen.errors import OptionError, VocabularyError
from structgen.matcher import Constraint, Matcher

__all__ = ["LogitsProcessor"]


class LogitsProcessor(_TransformersProcessor):
    """Masks each row's logits by its constraint; hand it to `model.generate(logits_processor=[...])`.

    constraint      one for all rows, or one per prompt (None leaves that prompt's rows alone)
    prompt_length   tokens before the first generated one: the padded length, or one number per prompt

    With beams or several sequences per prompt, the rows of one prompt follow each other, as `generate` lays them out.
    Where another processor forbids everything a constraint allows (`min_new_tokens`, bad words), the constraint wins.
    A finished row allows only its stop tokens; one that left the constraint, as a rejected draft does, everything.
    """

    def __init__(
        self, constraint: Constraint | Sequence[Constraint | None], prompt_length: int | Sequence[int]
    ) -> None:
        self._constraints = [constraint] if isinstance(constraint, Constraint) else list(constraint)
        self._lengths = [prompt_length] if isinstance(prompt_length, int) else list(prompt_length)
        self._rows: list[_Row] = []
        if not self._constraints:
            raise OptionError("no constraint was given", option="constraint")
        if min(self._lengths, default=-1) < 0:
            raise OptionError("prompt_length must be given and not negative", option="prompt_length")

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """The scores with every token a row's constraint forbids set to -inf."""
        self._lay_out(input_ids.shape[0])
        start = min(self._lengths)
        written = input_ids[:, start:].tolist()
        rows = [
            None if row.matcher is None else row.mask_after(tokens[row.prompt_length - start :])
            for row, tokens in zip(self._rows, written, strict=True)
        ]
        masked = apply_masks(scores, rows)
        blocked = torch.isneginf(masked.amax(dim=1))
        if blocked.any():
            allowed = allowed_tokens(rows, scores.shape[1], scores.device)
            masked.masked_fill_(blocked.unsqueeze(1) & allowed, 0.0)
        return masked

    def _lay_out(self, n_rows: int) -> None:
        """Rows for this many sequences; another number than before is another call of `generate`."""
        if n_rows == len(self._rows):
            return
        self._rows = []
        for name, given in (("constraint", self._constraints), ("prompt_length", self._lengths)):
            if n_rows % len(given):
                raise OptionError(f"{len(given)} values of {name} for a batch of {n_rows} sequences", option=name)
        for index in range(n_rows):
            constraint = self._constraints[index * len(self._constraints) // n_rows]
            length = self._lengths[index * len(self._lengths) // n_rows]
            self._rows.append(_Row(length, None if constraint is None else constraint.matcher()))


@dataclass(slots=True)
class _Row:
    """One sequence: its matcher and the legal tokens the matcher has taken."""

    prompt_length: int
    matcher: Matcher | None
    taken: list[int] = field(default_factory=list)

    def mask_after(self, tokens: list[int]) -> MaskRow | None:
        """The mask after `tokens`; None when they are not a legal prefix."""
        matcher = self.matcher
        assert matcher is not None
        common = len(self.taken)
        if tokens[:common] != self.taken:
            common = next((i for i, (a, b) in enumerate(zip(self.taken, tokens, strict=False)) if a != b), len(tokens))
            matcher.rollback(len(self.taken) - common)
            del self.taken[common:]
        for token in tokens[common:]:
            if not matcher.accept(token):
                break
            self.taken.append(token)
        if matcher.is_finished():
            return _stop_row(matcher)
        if len(self.taken) < len(tokens):
            return None
        mask = matcher.mask()
        if not mask.any():
            raise VocabularyError(f"no token can write what must come next: {', '.join(matcher.expected())}")
        return mask


def _stop_row(matcher: Matcher) -> MaskRow:
    """A mask that allows the stop tokens only."""
    vocabulary = matcher.constraint.vocabulary
    return row_of(vocabulary.stop_ids, vocabulary.size)
