"""A canvas: n token slots that are filled in any order, under a constraint on the text they make together.

    >>> canvas = Canvas(constraint, slots=8)                            # doctest: +SKIP
    >>> canvas.fix(3, token); canvas.masks()                            # doctest: +SKIP

Each slot is open, fixed to a token, or restricted to some; behind the end of the text only stop tokens may stand. A bit
of `masks` is set if and only if some valid whole text has that token there and everything that is fixed where it is.

The constraint's automaton is made a table, the vocabulary some hundred classes (automata/token_classes.py), once per
constraint; then every question is a pass over slots and classes (kernels/canvas.py), and a token that is fixed costs
the layers it changes. A grammar that nests is unrolled to a `depth`: then texts that nest deeper are missing, and
`exact` is False. Source: masks for holes of any length, Mündler et al., "Constrained Decoding of Diffusion LLMs with
Context-Free Grammars", 2025; here slots are counted, and nothing is proposed and rejected.
"""

from __future__ import annotations

import operator
import threading
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from structgen.automata.configurations import Configurations
from structgen.automata.minimal import minimal_table
from structgen.automata.network import build_network
from structgen.automata.token_classes import TokenClasses, token_classes
from structgen.bits import row_of, words_for
from structgen.errors import LimitExceeded, OptionError, Unsatisfiable, UnsupportedCombination
from structgen.grammars.ir import Grammar
from structgen.grammars.unroll import unrolled
from structgen.infilling.law import CanvasLaw, Layers
from structgen.kernels.canvas import find_useful, mask_rows, reach_backward, reach_forward
from structgen.kernels.layout import DEAD, FINISHED, START
from structgen.matcher import Constraint
from structgen.memory import Bounded, register
from structgen.protocols import Chooser
from structgen.spelled import spelled_part
from structgen.vocabulary import TokenIds, token_ids
from structgen.warmup import ensure_canvas_compiled, ensure_compiled

__all__ = ["Canvas", "Tables", "tables_of"]

Longs = NDArray[np.int64]
MOST_STATES = 50_000


class Tables(NamedTuple):
    """A constraint as canvases read it, and whether all its texts are there."""

    classes: TokenClasses
    exact: bool


_tables: Bounded[tuple[object, ...], Tables] = Bounded(64, most_bytes=512 << 20)
_lock = threading.Lock()
register("infilling.canvas.tables", _tables.held, _tables.clear)


def tables_of(constraint: Constraint, depth: int, pad_ids: TokenIds, most_states: int = MOST_STATES) -> Tables:
    """The tables of a constraint, remembered. Raises LimitExceeded, UnsupportedCombination."""
    pads = tuple(sorted(set(token_ids(pad_ids, "pad_ids"))))
    key = (constraint.fingerprint, depth, pads, most_states)
    with _lock:
        if key not in _tables:
            made = _made(constraint, depth, pads, most_states)
            _tables.remember(key, made, made.classes.nbytes)
        return _tables[key]


def _made(constraint: Constraint, depth: int, pads: tuple[int, ...], most_states: int) -> Tables:
    grammar, vocabulary = constraint.grammar, constraint.vocabulary
    if constraint.asks or not isinstance(grammar, Grammar) or grammar.distinct or grammar.embedded:
        if constraint.asks:
            reason = "a monitor answers for texts from their beginning"
        elif isinstance(grammar, Grammar) and grammar.distinct:
            reason = "elements that must differ (uniqueItems, distinct_keys) are a condition on the whole text"
        else:
            reason = "a grammar with a lexer has no table of states; lexer='dynamic' does without"
        raise UnsupportedCombination(f"no canvas for this constraint: {reason}", operation="canvas")
    ensure_compiled()
    ensure_canvas_compiled()
    flat = unrolled(grammar, depth)
    spelled = spelled_part(flat.grammar, vocabulary)
    assert isinstance(spelled, Grammar)
    automaton = Configurations(build_network(spelled))
    try:
        table = minimal_table(automaton, most_states=most_states, leading_blank=vocabulary.leading_blank)
    except LimitExceeded as error:
        less = "" if flat.exact else f", a smaller depth than {depth}"
        reason = f"the constraint has many states; fewer: style=JsonStyle('json_dumps') or 'compact' for JSON{less}"
        raise LimitExceeded(reason, limit="most_states", allowed=most_states) from error
    return Tables(token_classes(table, vocabulary, constraint.trie, pads), flat.exact)


class Canvas:
    """n slots under a constraint.   V tokens in the vocabulary

    `depth`: how often a part that nests may stand inside itself; `pad_ids`: tokens that may stand behind a stop token
    beside stop tokens. `start`: the state of the tables before the first slot, as `state_after` gives it for a canvas
    that continues another; `later`: how many more slots will follow this canvas, so that the text need only be complete
    within them.

    Raises LimitExceeded where the constraint has more than `most_states` states, UnsupportedCombination where it has no
    table at all, OptionError. Not thread-safe; fork() for another.
    """

    def __init__(
        self,
        constraint: Constraint,
        slots: int,
        *,
        depth: int = 4,
        pad_ids: TokenIds = (),
        start: int = START,
        later: int = 0,
        most_states: int = MOST_STATES,
    ) -> None:
        for option, given, least in (("slots", slots, 1), ("depth", depth, 0), ("later", later, 0)):
            if isinstance(given, bool) or not isinstance(given, int) or given < least:
                raise OptionError(f"{option} is an integer of at least {least}, not {given!r}", option=option)
        self.constraint, self.slots, self.depth = constraint, slots, depth
        self._tables = tables_of(constraint, depth, pad_ids, most_states)
        classes = self._tables.classes
        if not FINISHED <= start < classes.states:
            raise OptionError(f"there is no state {start} of {classes.states}", option="start")
        self._start = start
        self._ends = ((classes.least >= 0) & (classes.least <= later)).astype(np.uint8)
        self._fixed: dict[int, int] = {}
        self._chosen: dict[int, Longs] = {}
        self._allowed = np.zeros((slots, classes.classes), np.uint8)
        self._open = np.ones(slots, np.uint8)
        self._forward, self._backward = np.zeros((2, slots + 1, classes.states), np.uint8)
        self._useful = np.zeros((slots, classes.classes), np.uint8)
        self._forward[0, start], self._backward[slots] = 1, self._ends
        self._changed = (0, slots - 1)  # the first and last slot that changed since the layers were computed

    def __repr__(self) -> str:
        return f"Canvas({self.constraint!r}, {self.slots} slots, {len(self.open_slots())} open)"

    @property
    def exact(self) -> bool:
        """Whether the canvas has all texts of the constraint; False where it nests and was unrolled to `depth`."""
        return self._tables.exact

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
        self._update()
        other = object.__new__(Canvas)
        vars(other).update(vars(self))
        other._fixed, other._chosen = dict(self._fixed), dict(self._chosen)
        for name in ("_allowed", "_open", "_forward", "_backward", "_useful"):
            setattr(other, name, getattr(self, name).copy())
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
        self._open[slot] = tokens is None
        self._allowed[slot] = 0
        if tokens is not None:
            self._allowed[slot, self._tables.classes.cls[tokens]] = 1
        low, high = self._changed
        self._changed = (slot, slot) if low > high else (min(low, slot), max(high, slot))

    def _update(self) -> None:
        """Bring the layers up to date: those that a changed slot can reach."""
        low, high = self._changed
        if low > high:
            return
        c, row = self._tables.classes, np.zeros(self._tables.classes.states, np.uint8)
        shared = (c.first, c.pairs, c.next_first, c.following, self._allowed, self._open)
        last = reach_forward(*shared, self._forward, row, low, high)
        first = reach_backward(*shared, self._backward, row, low, high)
        find_useful(
            c.first,
            c.pairs,
            self._allowed,
            self._open,
            self._forward,
            self._backward,
            self._useful,
            max(0, min(first - 1, low)),
            min(self.slots, max(last, high) + 1),
        )
        self._changed = (self.slots, -1)

    # ---------------------------------------------------------------------------------------------------- questions

    def feasible(self) -> bool:
        """Whether some valid text has what is fixed where it is."""
        self._update()
        return bool(self._backward[0, self._start])

    def least_slots(self) -> int:
        """The fewest slots that a valid text takes, were they all open."""
        return int(self._tables.classes.least[self._start])

    def masks(self) -> NDArray[np.uint32]:
        """u32 (slots, ceil(V / 32)), packed as `Matcher.mask()`: bit t of row i is set if and only if token t in slot i
        leaves the canvas feasible. Of a fixed slot that is its token alone."""
        self._update()
        c = self._tables.classes
        rows = np.zeros((self.slots, words_for(len(c.cls))), np.uint32)
        mask_rows(
            self._useful, np.arange(self.slots, dtype=np.int32), c.wide, c.packed, c.token_first, c.tokens, rows
        )
        for i, tokens in {**self._chosen, **{i: np.array([token]) for i, token in self._fixed.items()}}.items():
            rows[i] &= row_of(tokens, len(c.cls))
        return rows

    def law(self, scores: Any) -> CanvasLaw:
        """The law of the fills under a denoiser's scores, float32 or float64 (slots, >= V), logits or log-probabilities
        of each slot by itself. Raises Unsatisfiable where nothing fits, ModelError."""
        self._update()
        chosen = {i: tokens for i, tokens in self._chosen.items() if i not in self._fixed}
        arrays = (self._forward.copy(), self._backward.copy(), self._useful.copy())  # the canvas may change meanwhile
        layers = Layers(self._start, self._ends, *arrays, dict(self._fixed), chosen)
        return CanvasLaw(self._tables.classes, layers, scores)

    def best(self, scores: Any) -> Longs:
        """The likeliest valid fill, i64 (slots,). See `law`."""
        return self.law(scores).best()[0]

    def sample(self, scores: Any, chooser: Chooser) -> Longs:
        """A draw of a whole valid fill, i64 (slots,), with exactly the law's probability. See `law`."""
        return self.law(scores).sample(chooser)

    def marginals(self, scores: Any) -> NDArray[np.floating[Any]]:
        """(slots, V) probability of each token in each slot, given that the text is valid. See `law`."""
        return self.law(scores).marginals()

    def state_after(self, tokens: Iterable[int]) -> int:
        """The state that a canvas behind these tokens starts from. Raises Unsatisfiable where they are not allowed."""
        state = self._start
        for token in tokens:
            state = self._tables.classes.step(state, int(token))
            if state == DEAD:
                raise Unsatisfiable(f"token {int(token)} is not allowed where it stands", pointer=None)
        return state

    def text(self) -> str:
        """The text, once every slot is fixed. Raises OptionError before that, Unsatisfiable where it is not valid."""
        if open_slots := self.open_slots():
            raise OptionError(f"{len(open_slots)} slots are open", option="slots")
        if not self.feasible():
            raise Unsatisfiable("the tokens of this canvas are no valid text", pointer=None)
        state, written = self._start, list[int]()
        for i in range(self.slots):
            state = self._tables.classes.step(state, self._fixed[i])
            if state == FINISHED:
                break
            written.append(self._fixed[i])
        return self.constraint.vocabulary.decode(written, begins=self._start == START).decode("utf-8", "replace")
