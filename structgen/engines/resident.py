"""Mask rows that stay on a device, so that a step uploads numbers instead of masks.

`ResidentRows` serves any constraint: rows are uploaded when first met, a step sends one row number per sequence.
`TokenTable` serves a constraint with few states (a regular one): all rows and all next states are computed on the
device at once, and afterwards neither masks nor state updates involve the host at all.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from structgen.automata.dense import transition_table
from structgen.bits import words_for
from structgen.engines.masking import MaskRow, apply_table, cuda_kernels
from structgen.errors import OptionError
from structgen.grammars.ir import SPECIAL, SPECIAL_END
from structgen.kernels import tables
from structgen.kernels.layout import DEAD, FINISHED, START
from structgen.matcher import Constraint
from structgen.vocabulary import Vocabulary

__all__ = ["ResidentRows", "TokenTable"]


class ResidentRows:
    """A table of mask rows on `device`: int32 (capacity, words), the least recently used row makes room.

    Rows are recognised by identity: a matcher hands out the same array for the same state. The table keeps the arrays
    alive, so an address is never taken over by another row. Not thread-safe: one table per decode loop.
    """

    def __init__(self, words: int, device: torch.device | str, *, capacity: int = 1024) -> None:
        self.table = torch.zeros((capacity, words), dtype=torch.int32, device=device)
        self._free = list(range(capacity))
        self._slots: OrderedDict[int, tuple[int, MaskRow]] = OrderedDict()  # by id(row), least recently used first

    def index(self, rows: Sequence[MaskRow | None]) -> torch.Tensor:
        """int32 (B,) on the device: where each row lies, -1 for None. New rows are uploaded first, together.

        Raises OptionError when one step needs more different rows than the table holds.
        """
        step = {id(row): row for row in rows if row is not None}
        if len(step) > len(self.table):
            raise OptionError(f"{len(step)} rows in one step, {len(self.table)} in the table", option="capacity")
        for key in step.keys() & self._slots.keys():
            self._slots.move_to_end(key)  # before making room: what this step uses must stay
        self._upload([row for key, row in step.items() if key not in self._slots])
        places = [-1 if row is None else self._slots[id(row)][0] for row in rows]
        return torch.tensor(places, dtype=torch.int32).to(self.table.device, non_blocking=True)

    def _upload(self, rows: list[MaskRow]) -> None:
        if not rows:
            return
        packed = np.zeros((len(rows), self.table.shape[1]), np.uint32)
        for target, row in zip(packed, rows, strict=True):
            target[: len(row)] = row
            slot = self._free.pop() if self._free else self._slots.popitem(last=False)[1][0]
            self._slots[id(row)] = (slot, row)
        slots = torch.tensor([self._slots[id(row)][0] for row in rows])
        device = self.table.device
        self.table[slots.to(device)] = torch.from_numpy(packed.view(np.int32)).to(device)

    def apply(self, logits: torch.Tensor, index: torch.Tensor) -> None:
        """Set to -inf, in place, the logits (B, L) that the rows at `index` do not allow."""
        apply_table(logits, self.table, index)


class TokenTable:
    """All of a constraint with few states, on a device: mask rows int32 (S, words), next states int32 (S, V).

    A sequence's state is a row number: DEAD 0, FINISHED 1 after a stop token, START 2. At 128k tokens a state takes
    528 kB. Raises LimitExceeded beyond `most_states` or `most_bytes`: the constraint is recursive, or too large.
    """

    def __init__(
        self,
        constraint: Constraint,
        device: torch.device | str = "cpu",
        *,
        most_states: int = 10_000,
        most_bytes: int = 2 << 30,
    ) -> None:
        vocabulary = constraint.vocabulary
        words = words_for(vocabulary.size)
        affordable = most_bytes // (4 * vocabulary.size + 4 * words)
        table = transition_table(constraint.automaton, most_states=min(most_states, affordable))
        at = torch.device(device)
        trans = torch.from_numpy(table.trans).to(at)
        data = torch.frombuffer(bytearray(vocabulary.data or b"\0"), dtype=torch.uint8).to(at)
        offsets = torch.from_numpy(vocabulary.offsets.copy()).to(at)
        self.next = torch.zeros((len(trans), vocabulary.size), dtype=torch.int32, device=at)
        self.rows = torch.zeros((len(trans), words), dtype=torch.int32, device=at)
        _run("walk_tokens", (vocabulary.size, len(trans)), trans, data, offsets, self.next)
        self._read_symbols(vocabulary, table.trans)
        if vocabulary.leading_blank:
            self._read_leading_blank(constraint, table.trans)
        accepting = table.accepting if len(self.next) == len(trans) else [*table.accepting, table.accepting[START]]
        complete = torch.tensor(np.asarray(accepting)).to(at)
        for token in vocabulary.stop_ids:  # as Constraint reads them: first as symbols, which may complete the text
            after = self.next[:, token]
            ends = torch.where(after == DEAD, complete, complete[after.long()])
            self.next[:, token] = torch.where(ends, FINISHED, after)
        _run("pack_rows", (words, len(self.next)), self.next, self.rows)

    def _read_symbols(self, vocabulary: Vocabulary, trans: NDArray[np.int32]) -> None:
        """Special tokens the grammar may use as symbols, as Constraint.step takes them; no text spells one."""
        held = np.isin(np.frombuffer(vocabulary.data, np.uint8), (SPECIAL, SPECIAL_END))
        spelled = np.searchsorted(vocabulary.offsets, np.flatnonzero(held), side="right") - 1
        self.next[:, torch.from_numpy(spelled).to(self.next.device)] = DEAD
        for token, text in vocabulary.symbols.items():
            after = np.arange(len(trans), dtype=np.int32)
            for byte in text:
                after = trans[after, byte]
            column = torch.from_numpy(after).to(self.next.device)
            self.next[:, token] = torch.where(column == DEAD, self.next[:, token], column)

    def _read_leading_blank(self, constraint: Constraint, trans: NDArray[np.int32]) -> None:
        """A last row for START behind a leading blank; START itself reads tokens without theirs (Constraint.step)."""
        begun = len(trans)
        self.next = torch.cat([self.next, self.next[START : START + 1]])
        self.rows = torch.zeros((begun + 1, self.rows.shape[1]), dtype=torch.int32, device=self.rows.device)
        first = trans[START]
        for token in constraint.vocabulary.blank_tokens:
            text = constraint.vocabulary.token_bytes(token)[1:]
            state = START if not text or first[text[0]] != DEAD else DEAD
            for byte in text if state else b"":
                state = int(trans[state, byte])
            self.next[START, token] = state
        self.next[self.next == START] = begun

    def start(self, batch: int) -> torch.Tensor:
        """int32 (batch,): sequences before their first token."""
        return torch.full((batch,), START, dtype=torch.int32, device=self.next.device)

    def apply(self, logits: torch.Tensor, states: torch.Tensor) -> None:
        """Set to -inf, in place, the logits (B, L) that `states` int32 (B,) do not allow."""
        apply_table(logits, self.rows, states)

    def advance(self, states: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """int32 (B,): the states after `tokens` (B,); DEAD where one was not allowed."""
        return self.next[states.long(), tokens.long()]


def _run(name: str, extent: tuple[int, int], *arrays: torch.Tensor) -> None:
    """The kernel of this name in kernels/tables.py, or its twin where the arrays are on a CUDA device."""
    if arrays[0].device.type == "cuda" and cuda_kernels():
        from structgen.engines.cuda import launch
        from structgen.kernels.cuda import tables as on_device

        launch(getattr(on_device, name), extent, *arrays)
        return
    here = [array.cpu() for array in arrays]
    getattr(tables, name)(*(array.numpy() for array in here))
    arrays[-1].copy_(here[-1])  # the output; on the CPU it is the same memory
