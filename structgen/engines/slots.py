"""Rows of a model that come and go: each has a slot in one cache, at its own length.

The keys and values of row r are one slice of a tensor per layer, (rows, heads, length, width), with tokens at their own
positions; rows 0 to count - 1 run, without holes, so every call looks at one slice and nothing is gathered. When a row
leaves, the last one moves into its place.

*Prefixes*: what a row had read stays where it is when the row leaves. A new prompt copies the longest beginning that
any slot holds, of running rows too; a chat that goes on finds its own past. Slots that nobody uses are overwritten
least recently used first. Cost of a call: that of its tokens; of a move or a shared prefix, the copy.

`Batches` has the same methods for engines that have no slots: rows join when all others have left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import Cache
from transformers.cache_utils import DynamicLayer

from structgen.engines.attention import REFUSALS, LayerMasks, difference, tolerance
from structgen.engines.transformers import TransformersEngine
from structgen.errors import InvariantError, OptionError

__all__ = ["Batches", "Rows", "Slots", "rows_of"]

_SHARED = 16  # tokens that a prompt must share with one that is being read for it to wait
_NOTHING = np.zeros(0, np.int64)


class Rows(Protocol):
    """Rows that come and go: numbers 0 to count - 1, in the order in which they came but for moves.

    reads_whole  a prompt is read in one piece, together with all others
    """

    count: int
    reused: int
    reads_whole: bool

    @property
    def room(self) -> int:
        """How many rows may join now."""
        ...

    def waits(self, prompt: Sequence[int]) -> bool:
        """Whether it pays to open a row later: one that is being read begins like it."""
        ...

    def open(self, prompt: Sequence[int]) -> int:
        """A row for a prompt, the last one; how many of its tokens need not be fed."""
        ...

    def feed(self, first: int, pieces: Sequence[Sequence[int]]) -> torch.Tensor:
        """Append a piece to the rows from `first` on, one or more tokens each; (pieces, V) logits after the last."""
        ...

    def leave(self, row: int) -> int:
        """End a row; the number of the row that has its number now, `row` itself if it was the last."""
        ...


class _Call(NamedTuple):
    """Where a call writes and reads: rows first to last - 1, (rows, T) places of the new tokens, S places in use."""

    first: int
    last: int
    places: torch.Tensor
    width: int


class _Layer(DynamicLayer):
    """Keys and values of all slots in one layer. What is beyond a row's length is finite, and masked."""

    def __init__(self, slots: int, length: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.slots, self.length = slots, length
        self.states: list[torch.Tensor] = []
        self.call: _Call | None = None

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write what is new at the places of the call; the states of its rows."""
        assert self.call is not None
        first, last, places, width = self.call
        if not self.states:  # zeros: what is masked still takes part in a product, and must not be NaN
            shapes = (
                (self.slots, each.shape[1], self.length + 1, each.shape[3]) for each in (key_states, value_states)
            )
            self.states = [key_states.new_zeros(shape) for shape in shapes]
        rows = torch.arange(first, last, device=places.device).unsqueeze(1)
        found = []
        for states, new in zip(self.states, (key_states, value_states), strict=True):
            states[rows, :, places] = new.transpose(1, 2)
            found.append(states[first:last, :, :width])
        return found[0], found[1]

    def copy(self, source: int, target: int, length: int) -> None:
        """Copy the beginning of a slot to another one."""
        for states in self.states:
            states[target, :, :length] = states[source, :, :length]


@dataclass(slots=True)
class _Slot:
    """What a slot holds: `tokens[:size]`, whose keys and values are there, the prompt that will be there, when it was
    used last."""

    tokens: NDArray[np.int64]
    size: int = 0
    prompt: NDArray[np.int64] = field(default_factory=lambda: _NOTHING)
    used: int = 0

    @property
    def text(self) -> NDArray[np.int64]:
        """The tokens that are there."""
        return self.tokens[: self.size]

    def extend(self, piece: Sequence[int]) -> None:
        """Note what was read."""
        self.tokens[self.size : self.size + len(piece)] = piece
        self.size += len(piece)


class Slots:
    """`rows` rows of at most `length` tokens over a transformers engine; `kept` more slots hold what was read before.

    `reused` counts tokens that were copied instead of read. Whether a model works with slots: `why_not`.
    """

    reads_whole = False

    def __init__(self, engine: TransformersEngine, *, rows: int, length: int, kept: int = 4) -> None:
        for name, value in (("rows", rows), ("length", length), ("kept", kept)):
            if value < 1:
                raise OptionError(f"{name} must be at least 1, not {value}", option=name)
        engine.check_length(length)
        self.engine, self.rows, self.length = engine, rows, length
        self.count = self.reused = self._clock = 0
        self._masks = LayerMasks(engine)
        self._slots = [self._empty() for _ in range(rows + kept)]
        layers = engine.model.config.get_text_config().num_hidden_layers
        self._layers = [_Layer(rows + kept, length) for _ in range(layers)]
        self._cache = Cache(layers=list(self._layers))

    def _empty(self) -> _Slot:
        return _Slot(np.zeros(self.length, np.int64))

    @property
    def room(self) -> int:
        """How many rows may join now."""
        return self.rows - self.count

    def waits(self, prompt: Sequence[int]) -> bool:
        """Whether a row that is being read will soon hold more of a prompt's beginning than any slot does."""
        wanted = np.asarray(prompt, np.int64)
        held = max(_shared(slot.text, wanted) for slot in self._slots)
        reading = (slot.prompt for slot in self._slots[: self.count] if slot.size < len(slot.prompt))
        return max((_shared(each, wanted) for each in reading), default=0) >= held + _SHARED

    def open(self, prompt: Sequence[int]) -> int:
        """A row for a prompt; how many of its tokens some slot had. The last token is always read: its logits are what
        comes next."""
        if not self.room:
            raise InvariantError("a row joins where there is room", f"{self.rows} rows run")
        if not prompt or len(prompt) >= self.length:
            raise OptionError(f"a prompt has 1 to {self.length - 1} tokens, not {len(prompt)}", option="prompt")
        wanted, new = np.asarray(prompt, np.int64), self.count
        shared = [_shared(slot.text, wanted) for slot in self._slots]
        best = max(range(len(self._slots)), key=lambda slot: (shared[slot], slot == new))
        common = min(shared[best], len(prompt) - 1)
        self._clear(new, best)
        if best != new and common:
            self._copy(best, new, common)
        self._slots[best].used = self._clock
        self._slots[new] = _Slot(np.zeros(self.length, np.int64), prompt=wanted, used=self._tick())
        self._slots[new].extend(prompt[:common])
        self.count += 1
        self.reused += common
        return common

    def _clear(self, new: int, wanted: int) -> None:
        """Put what slot `new` holds into the slot that was not used for longest, `wanted` left alone."""
        free = [slot for slot in range(self.count, len(self._slots)) if slot != wanted or slot == new]
        oldest = min(free, key=lambda slot: (self._slots[slot].used, -slot))
        if oldest != new and self._slots[new].size:
            self._move(new, oldest)

    def feed(self, first: int, pieces: Sequence[Sequence[int]]) -> torch.Tensor:
        """Append a piece to the rows from `first` on; (pieces, V) logits after the last token of each."""
        device, longest = self.engine.device, max(map(len, pieces))
        fed = self._slots[first : first + len(pieces)]
        before = torch.tensor([slot.size for slot in fed])
        sizes = torch.tensor([len(piece) for piece in pieces])
        width = int((before + sizes).max())
        if width > self.length:
            raise OptionError(f"a row of {width} tokens in slots of {self.length}", option="length")
        pad = self.engine.vocabulary.stop_ids[0]
        ids = torch.tensor([[*[pad] * (longest - len(piece)), *piece] for piece in pieces], device=device)
        steps = torch.arange(longest) - (longest - sizes).unsqueeze(1)  # padding is on the left: logits of one place
        positions = before.unsqueeze(1) + steps.clamp(min=0)
        places = positions.where(steps >= 0, torch.tensor(self.length))  # of padding: behind all that is looked at
        at = torch.arange(width, device=device).unsqueeze(0)
        positions = positions.to(device)
        mask = self._masks.of(at.unsqueeze(1) <= positions.unsqueeze(2), positions, at)
        call = _Call(first, first + len(pieces), places.to(device), width)
        for layer in self._layers:
            layer.call = call
        logits = self.engine.call(ids, positions, mask, self._cache, last=True)
        for slot, piece in zip(fed, pieces, strict=True):
            slot.extend(piece)
        return logits[:, -1]

    def leave(self, row: int) -> int:
        """End a row and move the last one into its place. What it had read can be shared until the slot is needed."""
        if not 0 <= row < self.count:
            raise InvariantError("a row that leaves is there", f"{row} of {self.count}")
        last = self.count - 1
        self._slots[row].used = self._tick()
        self._slots[row].prompt = _NOTHING
        if row != last:
            free = range(self.count, len(self._slots))
            oldest = min(free, key=lambda slot: self._slots[slot].used)
            self._move(row, oldest)
            self._move(last, row)
            self._slots[last] = self._empty()
        self.count = last
        return last

    def _move(self, source: int, target: int) -> None:
        self._copy(source, target, self._slots[source].size)
        self._slots[target] = self._slots[source]

    def _copy(self, source: int, target: int, length: int) -> None:
        with torch.no_grad():
            for layer in self._layers:
                layer.copy(source, target, length)

    def _tick(self) -> int:
        self._clock += 1
        return self._clock


def _shared(text: NDArray[np.int64], wanted: NDArray[np.int64]) -> int:
    """How many tokens two texts begin alike."""
    size = min(len(text), len(wanted))
    if not size or text[0] != wanted[0]:
        return 0
    differ = text[:size] != wanted[:size]
    at = int(differ.argmax())
    return at if differ[at] else size


class Batches:
    """`rows` rows over any engine of the decode loop, all of which begin together: who comes later waits for them."""

    reads_whole = True

    def __init__(self, engine: Any, *, rows: int, length: int) -> None:
        self.engine, self.rows, self.length = engine, rows, length
        self.count = self.reused = 0
        self._context: Any = None
        self._places: list[int] = []  # of rows, in the batch that the engine reads
        self._size = 0

    @property
    def room(self) -> int:
        """How many rows may join now: none, until all have left."""
        return 0 if self._context is not None else self.rows - self.count

    def waits(self, prompt: Sequence[int]) -> bool:
        """Nothing is shared."""
        return False

    def open(self, prompt: Sequence[int]) -> int:
        """A row for a prompt; all of it is to be fed."""
        if not self.room:
            raise InvariantError("a row joins where there is room", f"{self.count} rows run")
        self._places.append(self.count)
        self.count += 1
        return 0

    def feed(self, first: int, pieces: Sequence[Sequence[int]]) -> torch.Tensor:
        """All rows at once: first their prompts, then a token each."""
        if first or len(pieces) != self.count:
            raise InvariantError("the rows of a batch are fed together", f"{len(pieces)} of {self.count}")
        if self._context is None:
            self._size = self.count
            logits, self._context = self.engine.prefill(pieces, self.length - max(map(len, pieces)))
        else:
            tokens = [self.engine.vocabulary.stop_ids[0]] * self._size  # whoever has left is fed something
            for place, (token,) in zip(self._places, pieces, strict=True):
                tokens[place] = token
            logits = self.engine.extend(tokens, self._context)
        found: torch.Tensor = logits[torch.tensor(self._places, device=logits.device)]
        return found

    def leave(self, row: int) -> int:
        """End a row; the last one gets its number. With the last of all the batch ends."""
        last = self.count - 1
        self._places[row] = self._places[last]
        self._places.pop()
        self.count = last
        if not last:
            self._context = None
        return last


def rows_of(engine: Any, *, rows: int, length: int, kept: int = 4) -> tuple[Slots | Batches, str | None]:
    """Slots where the engine's model works with them, as a comparison with plain decoding shows; else `Batches`, and
    why."""
    if not isinstance(engine, TransformersEngine):
        return Batches(engine, rows=rows, length=length), f"{type(engine).__name__} is another kind of engine"
    why_not = LayerMasks(engine).why_not or _self_test(engine)
    if why_not is not None:
        return Batches(engine, rows=rows, length=length), why_not
    return Slots(engine, rows=rows, length=length, kept=kept), None


def _self_test(engine: TransformersEngine) -> str | None:
    """Compare rows that join, share, move and leave with plain decoding; a reason where they differ."""
    vocabulary = engine.vocabulary
    known = [token for token in range(vocabulary.size) if vocabulary.token_bytes(token)][:600:7] or [0]
    texts = [[known[(7 * at + 3 * row) % len(known)] for at in range(9 + 4 * row)] for row in range(2)]
    texts.append([*texts[0][:6], *texts[1][:3]])
    slots = Slots(engine, rows=3, length=32, kept=1)
    try:
        for text in texts[:2]:
            slots.open(text[:4])
        slots.feed(0, [text[:4] for text in texts[:2]])
        slots.feed(0, [texts[0][4:], texts[1][4:6]])
        shared = slots.open(texts[2])
        slots.feed(1, [texts[1][6:], texts[2][shared:-1]])
        slots.leave(0)
        found = slots.feed(0, [texts[2][-1:], known[:1]])
        plain = engine.prefill([texts[2], [*texts[1], known[0]]], 0)[0]
    except (*REFUSALS, AttributeError) as error:
        return f"{type(error).__name__}: {error}".split("\n")[0]
    if shared != 6:
        raise InvariantError("a prefix is shared", f"{shared} tokens of 6")
    worst = max(difference(one, other) for one, other in zip(found, plain, strict=True))
    return None if worst <= tolerance(engine.model) else f"slots differ from plain decoding by {worst:.1e}"
