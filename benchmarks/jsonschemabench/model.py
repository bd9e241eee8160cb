"""A model whose equal texts are read once, for rows that begin alike: one row per different text, one call per step.

The engines' rows of a schema begin with one prompt and take the same tokens for as long as their masks allow the same,
so the few texts that differ are what is computed, those of several schemas in one batch. Logits of equal texts are the
same numbers for every engine.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.tokenizers import Tokenizer

__all__ = ["SharedTexts", "tokenizer_of"]


@lru_cache(maxsize=1)
def tokenizer_of(model: str) -> Tokenizer:
    """The tokenizer of a model as the engines take it."""
    from structgen.api.models import PACKAGED, vocabulary_at
    from structgen.engines.gguf import converted
    from structgen.engines.loading import load_tokenizer

    folder: Any = model
    if model in PACKAGED:
        from importlib.util import find_spec
        from pathlib import Path

        found = find_spec(PACKAGED[model].package)
        assert found is not None and found.submodule_search_locations
        folder = converted(str(Path(found.submodule_search_locations[0], PACKAGED[model].file)))
    source = load_tokenizer(folder)
    return Tokenizer(model, source, vocabulary_at(model), lambda text: source.encode(text, add_special_tokens=False))


class SharedTexts:
    """Texts that are being written. `open` begins with some, `step` goes on; rows are those of the last logits.

    `one_row_ms` are processor milliseconds of calls for one row, `prompt_ms` of reading prompts.
    """

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.one_row_ms: list[float] = []
        self.prompt_ms: list[float] = []
        self._base: tuple[list[int], Any] = ([], None)
        self._cache: Any = None
        self._width = 0
        self._lengths: list[int] = []

    def keep(self, prefix: Sequence[int]) -> None:
        """Read what all prompts begin with."""
        cache = self._new_cache()
        self._call(list(prefix), cache, 0)
        self._base = (list(prefix), cache)

    def open(self, prompts: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """(n, V) logits after each prompt; a part of one that was kept is not read again."""
        read = [self._read(list(prompt)) for prompt in prompts]
        self._lengths, self._width = list(map(len, prompts)), max(map(len, prompts))
        self._time_one_row(read[0][1])
        self._cache = self._new_cache()
        layers = [[(layer.keys, layer.values) for layer in cache.layers] for _, cache in read]
        for number, parts in enumerate(zip(*layers, strict=True)):
            keys, values = (torch.cat([self._padded(part[side]) for part in parts]) for side in (0, 1))
            self._cache.update(keys, values, number)
        return np.concatenate([logits for logits, _ in read])

    def step(self, rows: Sequence[int], tokens: Sequence[int]) -> NDArray[np.float32]:
        """(n, V) logits after row `rows[i]` and `tokens[i]`."""
        if list(rows) != list(range(len(self._lengths))):
            self._cache.batch_select_indices(torch.tensor(list(rows)))
        self._lengths = [self._lengths[row] for row in rows]
        self._width += 1
        positions = torch.tensor(self._lengths).unsqueeze(1)
        self._lengths = [length + 1 for length in self._lengths]
        attention = (torch.arange(self._width) >= self._width - torch.tensor(self._lengths).unsqueeze(1)).long()
        found = self.engine.call(torch.tensor(list(tokens)).unsqueeze(1), positions, attention, self._cache, last=True)
        return np.asarray(found[:, -1, :].float().numpy())

    def _read(self, ids: list[int]) -> tuple[NDArray[np.float32], Any]:
        """Logits after a prompt, and its cache."""
        prefix, kept = self._base
        shared = next((at for at, (a, b) in enumerate(zip(prefix, ids[:-1], strict=False)) if a != b), None)
        shared = min(len(prefix), len(ids) - 1) if shared is None else shared
        cache = copy.deepcopy(kept) if shared else self._new_cache()
        if 0 < shared < len(prefix):
            cache.crop(shared - len(prefix))
        started = time.thread_time()
        logits = self._call(ids[shared:], cache, shared)
        self.prompt_ms.append((time.thread_time() - started) * 1e3)
        return logits, cache

    def _time_one_row(self, cache: Any) -> None:
        alone, length = copy.deepcopy(cache), self._lengths[0]
        started = time.thread_time()
        self._call([0], alone, length)
        self.one_row_ms.append((time.thread_time() - started) * 1e3)

    def _padded(self, tensor: torch.Tensor) -> torch.Tensor:
        """(1, heads, width, size): zeros in front, which the attention mask hides."""
        return torch.nn.functional.pad(tensor, (0, 0, self._width - tensor.shape[2], 0))

    def _new_cache(self) -> Any:
        from transformers import DynamicCache

        return DynamicCache(config=self.engine.model.config)

    def _call(self, ids: list[int], cache: Any, start: int) -> NDArray[np.float32]:
        positions = torch.arange(start, start + len(ids)).unsqueeze(0)
        attention = torch.ones(1, start + len(ids), dtype=torch.long)
        found = self.engine.call(torch.tensor([ids]), positions, attention, cache, last=True)
        return np.asarray(found[:, -1, :].float().numpy())
