"""A draft model: a smaller model, or a part of the same one, says what it finds likely.

Sources: speculative decoding (Leviathan et al. 2023; Chen et al. 2023), here with its likeliest legal tokens as nodes
of the tree, which are verified by node sampling and need no ratio of probabilities; the rule to stop is that of
SpecDec++ (Huang et al. 2024): where the chain is no longer likely enough. `skipping` makes a draft model of the model
itself, some of whose layers are left out (unified layer skipping, Liu et al. 2024; SWIFT, Xia et al. 2024): it needs a
deep model to pay. A model with another vocabulary drafts bytes, which the tokenizer spells (OmniDraft, 2025).

Cost: a call of the draft model for each token of its chain.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from transformers import DynamicCache

from structgen.engines.sampling import Proposal
from structgen.engines.transformers import TransformersEngine
from structgen.errors import ModelError
from structgen.kernels.layout import DEAD
from structgen.protocols import Encoder
from structgen.speculation.drafters.base import SHARE_PRIORS, Draft, Place, Rests, Seen, rest_behind, share_of_eighths

__all__ = ["DraftModel", "OtherVocabulary", "skipping"]

_LOOKED_AT = 16  # likeliest tokens among which legal ones are looked for
_PRIOR_OF_TEXT = 0.5


class _Reader:
    """A model that reads a text which grows and is cut back: the tokens it has read, and their keys and values."""

    def __init__(self, engine: TransformersEngine, inside: AbstractContextManager[None] | None = None) -> None:
        self.engine = engine
        self._inside = inside
        self._tokens: list[int] = []
        self._cache = DynamicCache()

    def logits(self, tokens: Sequence[int]) -> torch.Tensor:
        """(V,) behind a text of at least one token."""
        shared = 0
        for old, new in zip(self._tokens, tokens[:-1], strict=False):
            if old != new:
                break
            shared += 1
        layers: list[Any] = self._cache.layers
        for layer in layers:
            if layer.keys is not None:  # a skipped layer has none
                layer.keys, layer.values = layer.keys[:, :, :shared], layer.values[:, :, :shared]
        device = self.engine.device
        ids = torch.tensor([list(tokens[shared:])], device=device)
        positions = torch.arange(shared, len(tokens), device=device).unsqueeze(0)
        seen = torch.ones(1, len(tokens), dtype=torch.long, device=device)
        with self._inside or nullcontext():
            found = self.engine.call(ids, positions, seen, self._cache, last=True)[0, -1]
        self._tokens = list(tokens)
        return found


class DraftModel:
    """Drafts what a model with the same vocabulary finds likeliest, as a chain with siblings.

    `most` tokens deep; `wide` tokens at each place; the chain ends where its worth falls under `least`. `inside` is
    entered around each call (see `skipping`). With `seed` the tokens are drawn instead, at temperature 1 among the
    legal of the likeliest, without replacement, and verified by recursive rejection. Raises ModelError when the
    vocabularies differ.
    """

    name = "model"

    def __init__(
        self,
        engine: TransformersEngine,
        most: int = 8,
        wide: int = 2,
        least: float = 0.3,
        inside: AbstractContextManager[None] | None = None,
        seed: int | None = None,
    ) -> None:
        self._generator = None if seed is None else torch.Generator().manual_seed(seed)
        self._reader, self._most, self._wide, self._least = _Reader(engine, inside), most, wide, least
        self._tip = (0, -1)  # a node, and the token behind it with which the chain goes on

    def begin(self, place: Place) -> None:
        """Check that both speak of the same tokens."""
        if self._reader.engine.vocabulary.fingerprint != place.vocabulary.fingerprint:
            raise ModelError("the draft model has another vocabulary: OtherVocabulary drafts with it")

    def drafts(self, place: Place, node: int) -> Iterable[Draft]:
        """The likeliest legal tokens behind the end of the chain."""
        tree = place.tree
        goes_on = node == 0 or (tree.parents[node], tree.tokens[node]) == self._tip
        if not goes_on or tree.depths[node] >= self._most or tree.worth[node] < self._least:
            return
        path = [tree.tokens[each] for each in tree.path(node)[1:]]
        legal = [
            (token, chance)
            for token, chance in _likeliest(self._reader.logits([*place.tokens, *path]))
            if place.allows(node, token)
        ]
        whole = sum(chance for _, chance in legal)
        chosen = legal[: self._wide] if self._generator is None else self._drawn(place, node, legal)
        self._tip = (node, chosen[0][0] if chosen else -1)
        for token, chance in chosen:
            share = share_of_eighths(chance / whole)
            yield Draft(token, share, SHARE_PRIORS[share])

    def _drawn(self, place: Place, node: int, legal: list[tuple[int, float]]) -> list[tuple[int, float]]:
        """Tokens drawn without replacement, and the proposal that says so."""
        chances = torch.tensor([chance for _, chance in legal], dtype=torch.float64)
        count = min(self._wide, int((chances > 0).sum()))
        if not count or node in place.proposals:  # a second law cannot stand at one place
            return []
        order = self._order(chances, count)
        ids = torch.tensor([token for token, _ in legal])
        law = torch.zeros(place.vocabulary.size, dtype=torch.float64).index_add_(0, ids, chances / chances.sum())
        device = self._reader.engine.device
        place.proposals[node] = Proposal(tuple(legal[at][0] for at in order), law.to(device))
        return [legal[at] for at in order]

    def _order(self, chances: torch.Tensor, count: int) -> list[int]:
        """So many places, one after the other without replacement."""
        found: list[int] = chances.multinomial(count, replacement=False, generator=self._generator).tolist()
        return found

    def observe(self, seen: Seen) -> None:
        """Nothing to learn from the model."""


class OtherVocabulary:
    """Drafts the text that a model with another vocabulary finds likeliest, as far as the constraint allows it.

    `encoder` is the tokenizer of the model that verifies. `most` tokens of the draft model; the text ends where it is
    no longer likelier than `least`.
    """

    name = "other"

    def __init__(self, engine: TransformersEngine, encoder: Encoder, most: int = 8, least: float = 0.3) -> None:
        self._reader, self._encoder, self._most, self._least = _Reader(engine), encoder, most, least
        self._rest: Rests = {}

    def begin(self, place: Place) -> None:
        """Forget the last draft."""
        self._rest = {}

    def drafts(self, place: Place, node: int) -> Iterable[Draft]:
        """The next token of the text."""
        if node == 0:
            text = self._text(place).decode("utf-8", "ignore")
            rest = list(self._encoder.tokens_of(text)) if text else []
        else:
            rest, _ = rest_behind(self._rest, place.tree, node)
        self._rest[node] = (rest, 0)
        if rest:
            depth = min(place.tree.depths[node], 7)
            yield Draft(rest[0], depth, _PRIOR_OF_TEXT)

    def observe(self, seen: Seen) -> None:
        """Nothing to learn from the model."""

    def _text(self, place: Place) -> bytes:
        own, out, chance, state = self._reader.engine, b"", 1.0, place.tree.states[0]
        text = b"".join(map(place.vocabulary.token_bytes, place.tokens)).decode("utf-8", "replace")
        tokens = own.encode(text)
        for _ in range(self._most):
            legal = (
                (token, share, after)
                for token, share in _likeliest(self._reader.logits(tokens))
                if (after := _read(place, state, own.vocabulary.token_bytes(token))) != DEAD
            )
            token, share, state = next(legal, (-1, 0.0, DEAD))
            chance *= share
            if token < 0 or chance < self._least:
                break
            tokens = [*tokens, token]
            out += own.vocabulary.token_bytes(token)
        return out


def _read(place: Place, state: int, text: bytes) -> int:
    """The constraint's state behind bytes; DEAD for none."""
    if not text:
        return DEAD
    return state if place.constraint is None else place.constraint.read(state, text)


def _likeliest(logits: torch.Tensor) -> Iterator[tuple[int, float]]:
    top = logits.float().topk(min(_LOOKED_AT, len(logits)))
    yield from zip(top.indices.tolist(), top.values.softmax(0).tolist(), strict=True)


class _Skipped(torch.nn.Module):
    """Stands in a layer's place and does nothing."""

    def __init__(self, layer: torch.nn.Module) -> None:
        super().__init__()
        for name in ("attention_type", "layer_idx"):
            if hasattr(layer, name):
                setattr(self, name, getattr(layer, name))

    def forward(self, hidden_states: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        """What came in."""
        return hidden_states


class skipping:
    """Leave out every `each`-th layer of a model inside the block, but the first and the last.

    `DraftModel(engine, inside=skipping(engine.model))` drafts with the model itself. Raises ModelError for a model
    without a list of layers.
    """

    def __init__(self, model: Any, each: int = 2) -> None:
        layers = getattr(getattr(model, "base_model", model), "layers", None)
        if not isinstance(layers, torch.nn.ModuleList):
            raise ModelError(f"{type(model).__name__} has no list of layers to skip")
        self._layers, self._all = layers, list(layers)
        self._some = [
            _Skipped(layer) if 0 < place < len(layers) - 1 and place % each else layer
            for place, layer in enumerate(layers)
        ]

    def __enter__(self) -> None:
        self._put(self._some)

    def __exit__(self, *_: object) -> None:
        self._put(self._all)

    def _put(self, layers: Sequence[torch.nn.Module]) -> None:
        for place, layer in enumerate(layers):
            self._layers[place] = layer
