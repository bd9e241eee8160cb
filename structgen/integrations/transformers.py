"""Constraints inside other people's loops: a logits processor whose state is derived from the tokens it is given.

    transformers     model.generate(**inputs, logits_processor=[LogitsProcessor(constraint)])
    llama.cpp        llama(prompt, logits_processor=[LogitsProcessor(constraint)])   one sequence, numpy

Beams are reordered, and prompt lookup and assisted decoding call processors with prefixes in any order, forwards,
backwards and with drafts that will be discarded. So nothing here counts calls: the sequences of the last call are kept,
and a row goes on from where it agrees with one of them. What a loop does is one of two things: it goes back, and it
adds one token; a row that holds several new tokens which its constraint forbids is no draft but a mistake, such as a
wrong `prompt_length`, and raises.

Cost: of a call one vectorised comparison with the last one (a few microseconds a row for thousands of tokens) and
Python's work for the tokens that are new. Torch is not needed where the logits are numpy's.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structgen.bits import ids_of, row_of
from structgen.errors import ModelError, OptionError, VocabularyError
from structgen.kernels.rows import apply_rows
from structgen.matcher import Constraint, Matcher

__all__ = ["LogitsProcessor"]

Mask = NDArray[np.uint32]
_PADDING = 256  # rows that a model may have beyond its tokenizer's tokens; a sixteenth of them if that is more
_BITS = {2: (np.int16, np.int16(-1024)), 4: (np.int32, np.int32(-8388608)), 8: (np.int64, np.int64(-(1 << 52)))}


class LogitsProcessor:
    """Masks each row's logits by its constraint.

    constraint      one for all rows, or one per prompt (None leaves that prompt's rows alone)
    prompt_length   tokens before the first generated one: the padded length, or one number per prompt. When not given
                    it is the width of the first call, which every loop makes with the bare prompt

    Called with (token ids (B, t), logits (B, V)) as torch has them, or numpy; or with one sequence, (t,) and (V,). With
    beams or several sequences per prompt, the rows of one prompt follow each other, as `generate` lays them out.
    Where another processor forbids everything a constraint allows (`min_new_tokens`, bad words), the constraint wins.
    A finished row allows only its stop tokens; one that left the constraint by a drafted token, everything.

    A processor may serve call after call of `generate`: another prompt, or another number of rows, begins anew; `reset`
    does where a prompt goes on from the last output. Raises OptionError when the tokens behind the prompt are none that
    the constraint allows, or a row is shorter than the prompt; VocabularyError when the logits have another vocabulary.
    """

    def __init__(
        self, constraint: Constraint | Sequence[Constraint | None], prompt_length: int | Sequence[int] | None = None
    ) -> None:
        self._constraints = [constraint] if isinstance(constraint, Constraint) else list(constraint)
        given = [prompt_length] if isinstance(prompt_length, int) else prompt_length
        self._lengths = None if given is None else [int(length) for length in given]
        self._rows: list[_Row] = []
        self._kept, self._width = np.zeros((0, 0), np.int64), 0  # the last call's tokens, any library's; how many
        if not self._constraints:
            raise OptionError("no constraint was given", option="constraint")
        if not all(each is None or isinstance(each, Constraint) for each in self._constraints):
            raise OptionError("constraint is what compile() returns, or several of them", option="constraint")
        if self._lengths is not None and min(self._lengths, default=-1) < 0:
            raise OptionError("prompt_length must be given and not negative", option="prompt_length")

    def reset(self) -> None:
        """Take the next call for the first one of a new output."""
        self._rows = []

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """The scores with every token a row's constraint forbids set to -inf, in new memory."""
        if scores.ndim == 1:
            return self(np.asarray(input_ids).reshape(1, -1), scores.reshape(1, -1))[0]
        self._check_width(int(scores.shape[1]))
        on_host = hasattr(input_ids, "numpy") and input_ids.device.type == "cpu"
        self._follow(input_ids.numpy() if on_host else input_ids)  # without the threads torch would wake for it
        return _masked(scores, [row.mask() for row in self._rows])

    def _check_width(self, width: int) -> None:
        for constraint in self._constraints:
            size = width if constraint is None else constraint.vocabulary.size
            if abs(width - size) > max(_PADDING, width // 16):
                raise VocabularyError(f"the model scores {width} tokens, the constraint's vocabulary has {size}")

    # ------------------------------------------------------------------------------------------------ rows and tokens

    def _follow(self, ids: Any) -> None:
        """Bring every row to the end of its tokens."""
        count, width = int(ids.shape[0]), int(ids.shape[1])
        if count != len(self._rows):
            self._begin(ids)
            return
        shared = min(width, self._width)
        same = (ids[:, :shared] == self._kept[:, :shared]).all(1)
        places = [index for index, equal in enumerate(same.tolist()) if not equal]
        origins = {index: self._origin(ids[index], index, shared) for index in places}
        starts = [origins[index][1] if index in origins else shared for index in range(count)]
        if any(start < row.prompt for start, row in zip(starts, self._rows, strict=True)):
            self._begin(ids)  # another prompt
            return
        sources = [self._rows[origins[index][0]].fork() if index in origins else None for index in range(count)]
        for index, source in enumerate(sources):
            if source is not None:
                self._rows[index] = source
        tails = ids[:, min(starts) :].tolist() if count else []
        for row, start, tail in zip(self._rows, starts, tails, strict=True):
            row.move(start, tail[start - min(starts) :])
        if any(row.is_lost and width - start > 1 for row, start in zip(self._rows, starts, strict=True)):
            self._begin(ids)  # no loop drafts several tokens unseen: this is the prompt of another call
            return
        self._keep(ids, places, shared)

    def _origin(self, tokens: Any, own: int, shared: int) -> tuple[int, int]:
        """Which row of the last call a row goes on from, and how many tokens they share: all but the new one of a
        beam's parent, else what it has in common with itself."""
        parent = min(self._width, int(tokens.shape[0]) - 1)
        if parent > 0:
            equal = (self._kept[:, :parent] == tokens[:parent]).all(1).tolist()
            alike = [i for i, same in enumerate(equal) if same and self._rows[i].is_like(self._rows[own])]
            if alike:
                return alike[0], parent
        return own, int((self._kept[own, :shared] == tokens[:shared]).tolist().index(False))

    def _begin(self, ids: Any) -> None:
        """Rows for a first call. Raises OptionError when the tokens behind the prompts break the constraint."""
        count, width = int(ids.shape[0]), int(ids.shape[1])
        lengths = [width] if self._lengths is None else self._lengths
        for name, given in (("constraint", self._constraints), ("prompt_length", lengths)):
            if count % len(given):
                raise OptionError(f"{len(given)} values of {name} for a batch of {count} sequences", option=name)
        if max(lengths) > width:
            reason = f"prompt_length is {max(lengths)}, and the sequences have {width} tokens"
            raise OptionError(reason, option="prompt_length")
        self._rows = []
        for index, tokens in enumerate(ids.tolist()):
            constraint = self._constraints[index * len(self._constraints) // count]
            row = _Row(lengths[index * len(lengths) // count], None if constraint is None else constraint.matcher())
            row.move(row.prompt, tokens[row.prompt :])
            if row.is_lost:
                self._rows = []
                raise OptionError(
                    f"the constraint does not allow the tokens behind prompt_length={row.prompt} of row {index}: leave "
                    "prompt_length out, or give the width of the padded prompt",
                    option="prompt_length",
                )
            self._rows.append(row)
        self._width = 0
        self._keep(ids, list(range(count)), 0)

    def _keep(self, ids: Any, changed: list[int], shared: int) -> None:
        """Remember the tokens of this call: what is new, and the rows that changed."""
        count, width = ids.shape
        if type(self._kept) is not type(ids) or len(self._kept) != count or self._kept.shape[1] < width:
            torch = sys.modules.get("torch")
            room = (count, max(2 * width, 64))
            is_torch = torch is not None and isinstance(ids, torch.Tensor)
            self._kept = ids.new_empty(room) if is_torch else np.empty(room, ids.dtype)
            shared = 0
        self._kept[:, shared:width] = ids[:, shared:width]
        for index in changed:
            self._kept[index, :width] = ids[index]
        self._width = width


@dataclass(slots=True)
class _Row:
    """One sequence: `prompt` tokens, then `length` others, of which its matcher has taken the first `taken`."""

    prompt: int
    matcher: Matcher | None
    length: int = 0
    taken: int = 0

    @property
    def is_lost(self) -> bool:
        """Some token was not allowed, and the row had not finished before it."""
        return self.matcher is not None and self.taken < self.length and not self.matcher.is_finished()

    def is_like(self, other: _Row) -> bool:
        """Whether both are under one constraint and behind one length of prompt."""
        one, two = self.matcher, other.matcher
        same = one is two if one is None or two is None else one.constraint is two.constraint
        return same and self.prompt == other.prompt

    def fork(self) -> _Row:
        return _Row(self.prompt, None if self.matcher is None else self.matcher.fork(), self.length, self.taken)

    def move(self, start: int, tokens: list[int]) -> None:
        """Go back to the first `start` tokens of the sequence, and on over `tokens`."""
        kept = start - self.prompt
        if self.matcher is not None:
            if kept < self.taken:
                self.matcher.rollback(self.taken - kept)
                self.taken = kept
            if kept == self.taken:
                self.taken += self.matcher.accept_all(tokens)
        self.length = kept + len(tokens)

    def mask(self) -> Mask | None:
        """What may come next; None for a row without a constraint, and for one that left it."""
        matcher = self.matcher
        if matcher is None or self.is_lost:
            return None
        if matcher.is_finished():
            vocabulary = matcher.constraint.vocabulary
            return row_of(vocabulary.stop_ids, vocabulary.size)
        mask = matcher.mask()
        if not mask.any():
            raise VocabularyError(f"no token can write what must come next: {', '.join(matcher.expected())}")
        return mask


# --------------------------------------------------------------------------------------------------------------- masks


def _masked(scores: Any, rows: list[Mask | None]) -> Any:
    """New scores; a row whose allowed tokens were all forbidden already gets them back, alike."""
    if isinstance(scores, np.ndarray):
        return _masked_array(scores, rows)
    import torch

    from structgen.engines.masking import allowed_tokens, apply_masks

    masked = apply_masks(scores, rows)
    blocked = torch.isneginf(masked.amax(dim=1))
    if blocked.any():
        allowed = allowed_tokens(rows, scores.shape[1], scores.device)
        masked.masked_fill_(blocked.unsqueeze(1) & allowed, 0.0)
    return masked


def _masked_array(scores: NDArray[Any], rows: list[Mask | None]) -> NDArray[Any]:
    """The same of numpy's float16, float32 or float64 (B, V)."""
    if scores.dtype.kind != "f" or scores.dtype.itemsize not in _BITS:
        raise ModelError(f"logits are floats, not {scores.dtype}")
    integer, minus_infinity = _BITS[scores.dtype.itemsize]
    masked = np.array(scores, order="C")
    words = max((len(row) for row in rows if row is not None), default=0)
    table = np.zeros((len(rows), words), np.uint32)
    for target, row in zip(table, rows, strict=True):
        if row is not None:
            target[: len(row)] = row
            if (ids_of(row[scores.shape[1] // 32 :]) >= scores.shape[1] % 32).any():
                raise ModelError(f"the model scores {scores.shape[1]} tokens, fewer than the constraint allows")
    index = np.array([-1 if row is None else place for place, row in enumerate(rows)], np.int32)
    apply_rows(masked.view(integer), table.view(np.int32), index, minus_infinity)
    for line, row in zip(masked, rows, strict=True):
        if row is not None and not np.isfinite(line).any():
            line[ids_of(row)] = 0.0
    return masked
