"""A canvas: n token slots that are filled in any order, under a constraint on the text they make together.

    >>> canvas = Canvas(constraint, slots=8)                            # doctest: +SKIP
    >>> canvas.fix(3, token); canvas.masks()                            # doctest: +SKIP

Each slot is open, fixed to a token, or restricted to some; behind the end of the text only stop tokens may stand. A bit
of `masks` is set if and only if some valid whole text has that token there and everything that is fixed where it is.

The constraint's automaton is made a table, the vocabulary some hundred classes (infilling/tables.py), once per
constraint; then every question is a pass over slots and classes. What nests is read with a stack (infilling/nested.py)
or unrolled to a `depth` (infilling/flat.py): then texts that nest deeper are missing, and `exact` is False. Source:
masks for holes of any length, Mündler et al., "Constrained Decoding of Diffusion LLMs with Context-Free Grammars",
2025; here slots are counted, and nothing is proposed and rejected.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structgen.bits import row_of, words_for
from structgen.errors import LimitExceeded, OptionError, Unsatisfiable, UnsupportedCombination
from structgen.infilling.flat import FlatSlots
from structgen.infilling.law import CanvasLaw, Held
from structgen.infilling.nested import NestedSlots
from structgen.infilling.tables import MOST_STATES, effects_of, tables_of
from structgen.kernels.canvas import mask_rows
from structgen.matcher import Constraint
from structgen.protocols import Chooser
from structgen.vocabulary import TokenIds, token_ids

__all__ = ["Canvas"]

Longs = NDArray[np.int64]
_DEPTH = 4  # where texts nest and cannot be read with a stack


class Canvas:
    """n slots under a constraint.   V tokens in the vocabulary

    `depth`: how often a part that nests may stand inside itself; None: without bound where that can be had, else 4
    times, see `exact`, and then `depth`. `pad_ids`: tokens that may stand behind a stop token beside stop tokens;
    `later`: how many slots the text may have behind this canvas, where it is written block by block (`following`): then
    it need not be complete here.

    Raises LimitExceeded where the constraint has more than `most_states` states before equal ones are joined,
    UnsupportedCombination where it has no table at all, OptionError. Not thread-safe; fork() for another.
    """

    def __init__(
        self,
        constraint: Constraint,
        slots: int,
        *,
        depth: int | None = None,
        pad_ids: TokenIds = (),
        later: int = 0,
        most_states: int = MOST_STATES,
    ) -> None:
        for option, given, least in (("slots", slots, 1), ("depth", depth or 0, 0), ("later", later, 0)):
            if isinstance(given, bool) or not isinstance(given, int) or given < least:
                raise OptionError(f"{option} is an integer of at least {least}, not {given!r}", option=option)
        self.constraint, self.slots, self.later = constraint, slots, later
        self._layers, self.exact, self.depth = _layers_of(constraint, slots, later, depth, pad_ids, most_states)
        self._fixed: dict[int, int] = {}
        self._chosen: dict[int, Longs] = {}
        self._begins = True  # the text begins with the first slot

    def __repr__(self) -> str:
        return f"Canvas({self.constraint!r}, {self.slots} slots, {len(self.open_slots())} open)"

    @property
    def tokens(self) -> list[int | None]:
        """The token of each slot, None where it is not fixed."""
        return [self._fixed.get(i) for i in range(self.slots)]

    def open_slots(self) -> list[int]:
        """The slots that are not fixed, ascending."""
        return [i for i in range(self.slots) if i not in self._fixed]

    # ------------------------------------------------------------------------------------------------------ changes

    def fix(self, slot: int, token: int) -> None:
        """Put a token in a slot, allowed or not: see `feasible`."""
        slot, token = self._slot(slot), self._token(token)
        self._fixed[slot] = token
        self._set(slot, np.array([token]))

    def unfix(self, slot: int) -> None:
        """Take the token of a slot away; what `allow` said of it holds again."""
        slot = self._slot(slot)
        if self._fixed.pop(slot, None) is not None:
            self._set(slot, self._chosen.get(slot))

    def allow(self, slot: int, tokens: TokenIds | None) -> None:
        """Restrict a slot to some tokens; None: to nothing but the constraint."""
        slot = self._slot(slot)
        if tokens is None:
            self._chosen.pop(slot, None)
        else:
            ids = {self._token(token) for token in token_ids(tokens, "tokens")}
            self._chosen[slot] = np.array(sorted(ids), np.int64)
        if slot not in self._fixed:
            self._set(slot, self._chosen.get(slot))

    def fork(self) -> Canvas:
        """An independent canvas in the same state."""
        self._layers.update()
        return self._with(self._layers.fork(), _fixed=dict(self._fixed), _chosen=dict(self._chosen))

    def following(self, slots: int) -> Canvas:
        """The open canvas behind this one, whose slots are all fixed; `slots` of its `later` ones. Raises OptionError,
        and Unsatisfiable where the tokens of this one are not allowed."""
        if (open_slots := self.open_slots()) or not 1 <= slots <= self.later:
            reason = f"{len(open_slots)} slots are open" if open_slots else f"{self.later} slots are left, not {slots}"
            raise OptionError(reason, option="slots")
        if not self.feasible():
            raise Unsatisfiable("the tokens of this canvas are no valid text", pointer=None)
        left = self.later - slots
        own = {"slots": slots, "later": left, "_fixed": {}, "_chosen": {}, "_begins": False}
        return self._with(self._layers.following(slots, left), **own)

    def _with(self, layers: FlatSlots | NestedSlots, **changed: object) -> Canvas:
        """A canvas like this one, with other attributes."""
        other = object.__new__(Canvas)
        vars(other).update(vars(self), _layers=layers, **changed)
        return other

    def _slot(self, slot: int) -> int:
        slot = operator.index(slot)
        if not 0 <= slot < self.slots:
            raise OptionError(f"slot {slot} of a canvas of {self.slots}", option="slot")
        return slot

    def _token(self, token: int) -> int:
        token = operator.index(token)
        if not 0 <= token < self.constraint.vocabulary.size:
            raise OptionError(f"token {token} of a vocabulary of {self.constraint.vocabulary.size}", option="token")
        return token

    def _set(self, slot: int, tokens: Longs | None) -> None:
        self._layers.restrict(slot, None if tokens is None else self._layers.classes.cls[tokens])

    # ---------------------------------------------------------------------------------------------------- questions

    def feasible(self) -> bool:
        """Whether some valid text has what is fixed where it is."""
        return self._layers.feasible()

    def least_slots(self) -> int:
        """The fewest slots that a valid text takes, were they all open."""
        return self._layers.least()

    def masks(self) -> NDArray[np.uint32]:
        """u32 (slots, ceil(V / 32)), packed as `Matcher.mask()`: bit t of row i is set if and only if token t in slot i
        leaves the canvas feasible. Of a fixed slot that is its token alone."""
        useful, c = self._layers.useful(), self._layers.classes
        rows = np.zeros((self.slots, words_for(len(c.cls))), np.uint32)
        mask_rows(useful, np.arange(self.slots, dtype=np.int32), c.wide, c.packed, c.token_first, c.tokens, rows)
        for i, tokens in {**self._chosen, **{i: np.array([token]) for i, token in self._fixed.items()}}.items():
            rows[i] &= row_of(tokens, len(c.cls))
        return rows

    def law(self, scores: Any) -> CanvasLaw:
        """The law of the fills under a denoiser's scores, float32 or float64 (slots, >= V), logits or log-probabilities
        of each slot by itself.

        Raises Unsatisfiable where nothing fits, ModelError; where the canvas nests without bound, LimitExceeded where
        it has too many slots for that, and UnsupportedCombination where a token may be read in two ways or the text
        goes on behind the canvas: give it a `depth`."""
        if not self.feasible():
            reason = f"no valid text fits the {self.slots} slots of this canvas as they are"
            raise Unsatisfiable(reason, pointer=None)
        chosen = {i: tokens for i, tokens in self._chosen.items() if i not in self._fixed}
        held = Held(self._layers.useful().copy(), dict(self._fixed), chosen)
        return CanvasLaw(self._layers.classes, self._layers.ways(), held, scores)

    def best(self, scores: Any) -> Longs:
        """The likeliest valid fill, i64 (slots,). See `law`."""
        return self.law(scores).best()[0]

    def sample(self, scores: Any, chooser: Chooser) -> Longs:
        """A draw of a whole valid fill, i64 (slots,), with exactly the law's probability. See `law`."""
        return self.law(scores).sample(chooser)

    def marginals(self, scores: Any) -> NDArray[np.floating[Any]]:
        """(slots, V) probability of each token in each slot, given that the text is valid. See `law`."""
        return self.law(scores).marginals()

    def text(self) -> str:
        """The text, once every slot is fixed. Raises OptionError before that, Unsatisfiable where it is not valid."""
        if open_slots := self.open_slots():
            raise OptionError(f"{len(open_slots)} slots are open", option="slots")
        if not self.feasible():
            raise Unsatisfiable("the tokens of this canvas are no valid text", pointer=None)
        written = [self._fixed[i] for i in range(self.slots) if not self._layers.is_behind(i)]
        return self.constraint.vocabulary.decode(written, begins=self._begins).decode("utf-8", "replace")


def _layers_of(
    constraint: Constraint, slots: int, later: int, depth: int | None, pad_ids: TokenIds, most_states: int
) -> tuple[FlatSlots | NestedSlots, bool, int | None]:
    """The slots, whether they have all texts of the constraint, and the depth to which it was unrolled."""
    if depth is None:
        try:
            effects = effects_of(constraint, slots + later, pad_ids, most_states)
            if effects is not None:
                return NestedSlots(effects, slots, later), True, None
        except (LimitExceeded, UnsupportedCombination):
            depth = _DEPTH  # as `exact` says
    tables = tables_of(constraint, slots + later, depth or 0, pad_ids, most_states)
    return FlatSlots(tables.classes, slots, later), tables.exact, None if tables.exact else depth
