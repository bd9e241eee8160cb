"""Logits after any prefixes, for samplers: what two prefixes share is read once.

The key-value pairs of every token read so far lie in one pool per layer, a slot per token; a prefix is a path of slots
in a radix tree, and a batch gathers its paths. Particles, attempts and chains that share a prefix share its slots, and
one forward call reads what is new in all of them. Paged attention (Kwon et al. 2023) with pages of one token, on any
device, without kernels of its own.

Cost of a call: one forward per length of what is new (nearly always one token), and the pairs it looks at, in one of
two ways:

    as a tree   all new tokens as one sequence, which looks at the slots of all paths together, each token at those of
                its own path (`attention`): a prompt that rows share is held, copied and read once for all of them
    by rows     each row with a copy of its path: where paths share little, and for models that take no such mask

Two rows of the first tree are read both ways, and a model for which they differ is read by rows from then on. When the
pool is full the slots least recently used are given up; whatever is asked again is read again.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import DynamicCache

from structgen.engines.attention import REFUSALS, LayerMasks, difference, tolerance
from structgen.engines.transformers import TransformersEngine
from structgen.errors import OptionError
from structgen.protocols import Encoder, Tokens

__all__ = ["PrefillModel", "PrefixModel", "prefix_model"]

States: TypeAlias = list[tuple[torch.Tensor, torch.Tensor]]  # keys and values by layer
_ROOT = -1
POOL_BYTES = 1 << 30
_TREE = 4  # times the longest path that a tree may look at: what a token does not look at costs it as much


@dataclass(slots=True)
class Pool:
    """Keys and values by slot: one (slots, heads, width) tensor each per layer."""

    keys: list[torch.Tensor]
    values: list[torch.Tensor]

    @property
    def slot_bytes(self) -> int:
        """Memory one token takes."""
        return sum(t.element_size() * t.shape[1] * t.shape[2] for t in (*self.keys, *self.values))

    def grow(self, slots: int) -> None:
        """At least this many slots, those in use kept."""
        for tensors in (self.keys, self.values):
            for layer, old in enumerate(tensors):
                tensors[layer] = torch.cat([old, old.new_empty((slots - old.shape[0], *old.shape[1:]))])


class PrefixModel:
    """A transformers engine as samplers want it.

    `cache_tokens` bounds the slots (if not given, to 1 GiB), `batch` the rows of one forward call.
    Attributes: `vocabulary`, `tokens_forwarded`, `fingerprint`.
    Models whose cache is not keys and values (recurrent ones) are read from the start each time.
    """

    def __init__(self, engine: TransformersEngine, *, cache_tokens: int | None = None, batch: int = 64) -> None:
        for name, value in (("cache_tokens", cache_tokens), ("batch", batch)):
            if value is not None and value < 1:
                raise OptionError(f"{name} must be positive, not {value}", option=name)
        self.engine, self.vocabulary = engine, engine.vocabulary
        self.cache_tokens, self.batch, self.tokens_forwarded = cache_tokens or 0, batch, 0
        self._shares = True
        self._masks = LayerMasks(engine)
        self._trees: bool | None = False if self._masks.why_not else None  # None: not tried yet
        self.clear()

    def clear(self) -> None:
        """Forget everything that was read."""
        self._pool: Pool | None = None
        self._slot_of: dict[tuple[int, int], int] = {}  # (parent slot, token) -> slot
        self._edge: dict[int, tuple[int, int]] = {}
        self._used = np.zeros(0, np.int64)
        self._depth = np.zeros(0, np.int64)
        self._free: list[int] = []
        self._clock = 0

    def tokens_of(self, text: str) -> list[int]:
        """How the tokenizer spells a text."""
        return self.engine.tokens_of(text)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the configuration, the float type and a sample of every weight tensor."""
        model = self.engine.model
        digest = hashlib.sha256(f"{model.config.to_json_string()}|{model.dtype}".encode())
        for name, tensor in model.state_dict().items():
            flat = tensor.detach().reshape(-1)
            some = flat[:: max(1, flat.numel() // 64)][:64].double().cpu().numpy()
            digest.update(f"{name}{tuple(tensor.shape)}".encode() + some.tobytes())
        return digest.hexdigest()

    def logits(self, prefixes: Sequence[Tokens]) -> NDArray[np.floating]:
        """(n, at least vocabulary.size) float32 (float64 of a float64 model) logits after each prefix."""
        return np.stack([rows[0] for rows in self.logits_along(prefixes, [()] * len(prefixes))])

    def logits_along(self, prefixes: Sequence[Tokens], chains: Sequence[Tokens]) -> list[NDArray[np.floating]]:
        """For each prefix (1 + its chain's tokens, V) logits: after the prefix, and after each token of the chain."""
        out: list[NDArray[np.floating] | None] = [None] * len(prefixes)
        texts = [(*prefix, *chain) for prefix, chain in zip(prefixes, chains, strict=True)]
        paths = [self._known_path(prefix) for prefix in prefixes]
        self._touch(paths)
        by_length: dict[tuple[int, int], list[int]] = {}
        for index, (text, path, chain) in enumerate(zip(texts, paths, chains, strict=True)):
            by_length.setdefault((len(text) - len(path), len(chain)), []).append(index)
        for (_, chained), group in by_length.items():
            for first in range(0, len(group), self.batch):
                chosen = group[first : first + self.batch]
                rows = self._forward([texts[i] for i in chosen], [paths[i] for i in chosen], chained + 1)
                for index, row in zip(chosen, rows, strict=True):
                    out[index] = row
        return [rows for rows in out if rows is not None]

    def _known_path(self, prefix: Tokens) -> list[int]:
        """Slots of the longest part that was read before; never all of it, as the last token must be read again."""
        path, slot = [], _ROOT
        for token in prefix[:-1]:
            found = self._slot_of.get((slot, token))
            if found is None:
                break
            path.append(found)
            slot = found
        return path

    def _forward(self, prefixes: list[Tokens], paths: list[list[int]], asked: int) -> NDArray[np.floating]:
        """(n, asked, V) after the last tokens of prefixes whose unread parts are equally long: one call."""
        new = len(prefixes[0]) - len(paths[0])
        self.engine.check_length(max(map(len, prefixes)))
        ids = torch.tensor([prefix[-new:] for prefix in prefixes], device=self.engine.device)
        slots = _union(paths)
        fits = len(prefixes) > 1 and new == asked and 0 < slots.size <= _TREE * max(map(len, paths))
        if fits and self._trees is None:
            self._trees = self._same_as_tree(ids[:2], paths[:2])
        logits, states = self._as_tree(ids, paths, slots) if fits and self._trees else self._by_rows(ids, paths, asked)
        self.tokens_forwarded += ids.numel()
        self._keep(states, prefixes, paths)
        host = logits if logits.dtype in (torch.float32, torch.float64) else logits.float()
        result: NDArray[np.floating] = host.cpu().numpy()
        return result

    def _by_rows(self, ids: torch.Tensor, paths: list[list[int]], asked: int) -> tuple[torch.Tensor, States | None]:
        """(n, asked, V) and what was read, the paths padded on the left."""
        device, (rows, new) = self.engine.device, ids.shape
        past, lengths = max(map(len, paths)), torch.tensor([len(path) for path in paths])
        slots = torch.tensor([[0] * (past - len(path)) + path for path in paths], dtype=torch.long)
        real = torch.arange(past) >= past - lengths.unsqueeze(1)
        attention = torch.cat([real, torch.ones(rows, new, dtype=torch.bool)], dim=1).long().to(device)
        positions = (lengths.unsqueeze(1) + torch.arange(new)).to(device)
        cache = self._gathered(slots.to(device)) if past else DynamicCache()
        logits = self.engine.call(ids, positions, attention, cache, last=asked == 1)[:, -asked:]
        return logits, _new_states(cache, past, new)

    def _as_tree(
        self, ids: torch.Tensor, paths: list[list[int]], slots: NDArray[np.int64]
    ) -> tuple[torch.Tensor, States | None]:
        """(n, new, V) and what was read, (n, new) tokens as one sequence behind the slots of all paths."""
        device, (rows, new), past = self.engine.device, ids.shape, slots.size
        seen = np.zeros((rows, new, past + rows * new), np.bool_)
        for row, path in enumerate(paths):
            seen[row, :, np.searchsorted(slots, path)] = True
            within = past + row * new
            seen[row, :, within : within + new] = np.tri(new, dtype=np.bool_)
        depths = np.array([len(path) for path in paths])[:, None] + np.arange(new)
        positions = torch.from_numpy(depths.reshape(1, -1)).to(device)
        at = torch.cat([torch.from_numpy(self._depth[slots])[None].to(device), positions], dim=1)
        mask = self._masks.of(torch.from_numpy(seen.reshape(1, rows * new, -1)).to(device), positions, at)
        cache = self._gathered(torch.from_numpy(slots)[None].to(device))
        logits = self.engine.call(ids.reshape(1, -1), positions, mask, cache)[0].unflatten(0, (rows, new))
        states = _new_states(cache, past, rows * new)
        if states is None:
            return logits, None
        return logits, [tuple(t[0].unflatten(1, (rows, new)).transpose(0, 1) for t in pair) for pair in states]

    def _same_as_tree(self, ids: torch.Tensor, paths: list[list[int]]) -> bool:
        """Whether a tree has the logits of the rows: a model whose attention is of another kind has not."""
        plain = self._by_rows(ids, paths, ids.shape[1])[0]
        try:
            tree = self._as_tree(ids, paths, _union(paths))[0]
        except REFUSALS:
            return False
        pairs = zip(tree.flatten(0, 1), plain.flatten(0, 1), strict=True)
        return max(difference(one, other) for one, other in pairs) <= tolerance(self.engine.model)

    def _gathered(self, slots: torch.Tensor) -> DynamicCache:
        """The cache of a batch from its slots (rows, past)."""
        assert self._pool is not None
        layers = zip(self._pool.keys, self._pool.values, strict=True)
        return DynamicCache([(k[slots].transpose(1, 2), v[slots].transpose(1, 2)) for k, v in layers])

    def _keep(self, states: States | None, prefixes: list[Tokens], paths: list[list[int]]) -> None:
        """Put what was read into the pool, so far as it has room."""
        self._shares = self._shares and states is not None
        if states is None or not self._shares:
            return
        if self._pool is None:
            keys, values = ([_no_slots(pair[which]) for pair in states] for which in (0, 1))
            self._pool = Pool(keys, values)
            self.cache_tokens = self.cache_tokens or max(1, POOL_BYTES // self._pool.slot_bytes)
        places: list[tuple[int, int, int]] = []  # row, position among the new, slot
        for row, (prefix, path) in enumerate(zip(prefixes, paths, strict=True)):
            slot = path[-1] if path else _ROOT
            for step, token in enumerate(prefix[len(path) :]):
                known = self._slot_of.get((slot, token))
                if known is None:
                    known = self._new_slot(slot, token, len(path) + step)
                    if known is None:
                        break
                    places.append((row, step, known))
                slot = known
        if places:
            rows, steps, slots = torch.tensor(places, device=self.engine.device).T
            for layer, (new_keys, new_values) in enumerate(states):
                self._pool.keys[layer][slots] = new_keys[rows, :, steps]
                self._pool.values[layer][slots] = new_values[rows, :, steps]

    def _new_slot(self, parent: int, token: int, depth: int) -> int | None:
        """A free slot for a token, None when all are needed by this very call."""
        if not self._free:
            self._make_room()
        if not self._free:
            return None
        slot = self._free.pop()
        self._slot_of[parent, token] = slot
        self._edge[slot] = (parent, token)
        self._used[slot], self._depth[slot] = self._clock, depth
        return slot

    def _make_room(self) -> None:
        """More slots up to the limit, then those least recently used; deeper ones first, so that no path breaks."""
        assert self._pool is not None
        size = len(self._used)
        if size < self.cache_tokens:
            larger = min(self.cache_tokens, max(256, 2 * size))
            self._pool.grow(larger)
            self._free += range(larger - 1, size - 1, -1)
            self._used = np.concatenate([self._used, np.zeros(larger - size, np.int64)])
            self._depth = np.concatenate([self._depth, np.zeros(larger - size, np.int64)])
            return
        order = np.lexsort((-self._depth, self._used))
        for slot in order[: max(1, size // 4)].tolist():
            if self._used[slot] == self._clock:
                return
            del self._slot_of[self._edge.pop(slot)]
            self._free.append(slot)

    def _touch(self, paths: list[list[int]]) -> None:
        """Everything on these paths is in use now: no slot is older than one below it."""
        self._clock += 1
        for path in paths:
            self._used[path] = self._clock


class PrefillModel:
    """Any engine of the decode loop as samplers want it: every prefix is read from its start."""

    def __init__(self, engine: Any) -> None:
        self.engine, self.vocabulary, self.tokens_forwarded = engine, engine.vocabulary, 0
        self.fingerprint = uuid.uuid4().hex  # an engine does not say what it is: nothing learned on it goes further
        if isinstance(engine, Encoder):
            self.tokens_of = engine.tokens_of

    def logits(self, prefixes: Sequence[Tokens]) -> NDArray[np.floating]:
        """(n, at least vocabulary.size) float64 logits."""
        self.tokens_forwarded += sum(map(len, prefixes))
        logits, _ = self.engine.prefill(prefixes, 1)
        rows: NDArray[np.floating] = logits.double().cpu().numpy()
        return rows


def prefix_model(engine: Any) -> PrefixModel | PrefillModel:
    """What samplers need of an engine, with shared prefixes where the engine is a transformers model."""
    return PrefixModel(engine) if isinstance(engine, TransformersEngine) else PrefillModel(engine)


def _union(paths: list[list[int]]) -> NDArray[np.int64]:
    """The slots of all paths, ascending."""
    return np.unique(np.concatenate([np.array(path, np.int64) for path in paths]))


def _new_states(cache: DynamicCache, past: int, new: int) -> States | None:
    """(keys, values) of the new tokens in every layer, (rows, heads, new, width) each; None where a layer keeps
    something else than keys and values of every token."""
    states: list[Any] = [(getattr(layer, "keys", None), getattr(layer, "values", None)) for layer in cache.layers]
    plain = all(t is not None and t.ndim == 4 and t.shape[2] == past + new for pair in states for t in pair)
    return [(keys[:, :, past:], values[:, :, past:]) for keys, values in states] if plain and states else None


def _no_slots(states: torch.Tensor) -> torch.Tensor:
    """An empty pool for what a layer keeps: (0, heads, width)."""
    return states.new_empty((0, states.shape[1], states.shape[3]))
