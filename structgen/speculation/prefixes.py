"""AheadModel: what samplers ask of a model, some of it read before they ask.

A sampler asks for the rows behind prefixes, and a row is a function of its prefix. So where few prefixes are asked for
at once, likely continuations of each are read with it, as a chain behind it in the same call; what the sampler asks for
next is then known already, or was read in vain. Nothing else changes: its draws, weights, bounds and evidence are those
without.

Cost: drafting, some hundred microseconds a prefix, and `bytes_kept` of rows.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from structgen.engines.prefixes import PrefixModel
from structgen.kernels.layout import DEAD, START
from structgen.matcher import Constraint
from structgen.protocols import Tokens
from structgen.speculation.drafters import Drafter, ForcedText, Place, PromptLookup, RecycledTokens, Seen
from structgen.speculation.estimates import Acceptance
from structgen.speculation.growth import Grown, grow
from structgen.speculation.tree import DraftTree

__all__ = ["AheadModel"]

_TOKENS = 16  # of a call, over all prefixes
_DEEPEST = 8  # tokens of a chain
_LEAST = 0.4  # worth under which a chain ends
_LIKELY = 8  # tokens by which a row is remembered


class AheadModel:
    """A prefix model (protocols.TokenModel) that reads ahead, for one prompt and one constraint.

    Attributes as PrefixModel's. `calls` counts what was asked of the model, `known` the rows that it had read before.
    """

    def __init__(
        self, model: PrefixModel, constraint: Constraint, prompt: Sequence[int], *, bytes_kept: int = 128 << 20
    ) -> None:
        self._model, self._constraint, self._prompt = model, constraint, tuple(prompt)
        self.vocabulary, self.fingerprint, self.tokens_of = model.vocabulary, model.fingerprint, model.tokens_of
        self.calls, self.known = 0, 0
        self._bytes_kept, self._bytes = bytes_kept, 0
        self._rows: OrderedDict[Tokens, NDArray[np.floating]] = OrderedDict()
        self._besides: list[Tokens] = []  # read, not asked for, not told yet
        self._counted: set[Tokens] = set()
        self._states: dict[Tokens, int] = {self._prompt: START}
        self._tested: dict[Tokens, tuple[Grown, int]] = {}  # prefixes whose drafts are known, as nodes
        self._acceptance = Acceptance()
        self._lookup, self._recycled = PromptLookup(), RecycledTokens()
        self._lookup.begin(self._place(self._prompt))

    @property
    def tokens_forwarded(self) -> int:
        """Tokens the model has read, drafts included."""
        return self._model.tokens_forwarded

    def logits(self, prefixes: Sequence[Tokens]) -> NDArray[np.floating]:
        """(n, at least vocabulary.size) logits after each prefix, prompt included."""
        self._count(prefixes)
        new = [prefix for prefix in dict.fromkeys(prefixes) if prefix not in self._rows]
        self.known += len(set(prefixes)) - len(new)
        found = {prefix: self._rows[prefix] for prefix in prefixes if prefix in self._rows}
        if new:
            self.calls += 1
            room = min(_DEEPEST, _TOKENS // len(new) - 1)
            chains = [self._chain(prefix, room) if room > 0 else () for prefix in new]
            for prefix, chain, rows in zip(new, chains, self._model.logits_along(new, chains), strict=True):
                for at, row in enumerate(rows):
                    self._keep((*prefix, *chain[:at]), row)
                self._besides += [(*prefix, *chain[:at]) for at in range(1, len(rows))]
                found[prefix] = rows[0]
        return np.stack([found[prefix] for prefix in prefixes])

    def read_besides(self) -> list[Tokens]:
        """Prefixes whose rows were read since the last call, though nobody had asked for them; parents first."""
        found = [prefix[len(self._prompt) :] for prefix in self._besides if prefix in self._rows]
        self._besides = []
        return found

    def _keep(self, prefix: Tokens, row: NDArray[np.floating]) -> None:
        """Remember a row and learn from it; the rows least recently made go."""
        if prefix not in self._rows:
            self._rows[prefix] = row
            self._bytes += row.nbytes
        while self._bytes > self._bytes_kept and len(self._rows) > 1:
            self._bytes -= self._rows.popitem(last=False)[1].nbytes
        best = np.argpartition(row, -_LIKELY)[-_LIKELY:] if row.size > _LIKELY else np.arange(row.size)
        best = best[np.argsort(-row[best], kind="stable")]
        chances = np.exp(row[best] - row[best[0]])
        likely = (best.tolist(), (chances / chances.sum()).tolist())
        self._recycled.observe(Seen(prefix[-16:], self._state(prefix), *likely))

    def _chain(self, prefix: Tokens, room: int) -> Tokens:
        """The likeliest continuation of a prefix, as far as it is likely."""
        state = self._state(prefix)
        if state < START:
            return ()
        place, acceptance = self._place(prefix), self._acceptance
        drafters: list[Drafter] = [ForcedText(self._model), _Begun(self._lookup), self._recycled]
        grown, tree = grow(place, drafters, acceptance, lambda nodes: 1.0, 2 * room), place.tree
        chain, node = list[int](), 0
        while True:
            self._tested[*prefix, *chain] = (grown, node)
            children = tree.children(node)
            best = max(children, key=lambda child: tree.worth[child], default=0)
            if not best or tree.worth[best] < _LEAST or len(chain) == room:
                return tuple(chain)
            chain.append(tree.tokens[best])
            node = best

    def _place(self, prefix: Tokens) -> Place:
        state = self._state(prefix)
        tree = DraftTree(prefix[-1], state, self._constraint, self.vocabulary.stop_ids)
        text = self.vocabulary.decode(list(prefix[len(self._prompt) :]))
        return Place(prefix, len(self._prompt), text, tree, self._constraint, self.vocabulary)

    def _state(self, prefix: Tokens) -> int:
        """The constraint's state behind a prefix."""
        known = self._states.get(prefix)
        if known is None:
            before = self._state(prefix[:-1])
            known = DEAD if before < START else self._constraint.step(before, prefix[-1])
            self._states[prefix] = known
        return known

    def _count(self, prefixes: Sequence[Tokens]) -> None:
        """Which drafts were right, by what is asked for next."""
        for prefix in dict.fromkeys(prefixes):
            while prefix not in self._counted and (tested := self._tested.get(prefix[:-1])):
                tested[0].count(tested[1], prefix[-1], self._acceptance)
                self._counted.add(prefix)
                prefix = prefix[:-1]


class _Begun:
    """A drafter that has seen the prompt, and no output: outputs are many here."""

    def __init__(self, drafter: PromptLookup) -> None:
        self._drafter, self.name, self.drafts = drafter, drafter.name, drafter.drafts

    def begin(self, place: Place) -> None:
        """It has."""

    def observe(self, seen: Seen) -> None:
        """Nothing to learn from the model."""
