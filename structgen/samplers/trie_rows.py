"""The rows of a trie's nodes: what is kept of a law, as arrays that a file holds, and back.

A row has places for the likeliest events and for what the trie must tell apart; the rest is one tail. Cost: 24 bytes
per place.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from structgen.errors import OptionError
from structgen.protocols import Floats
from structgen.samplers.logspace import log_sum
from structgen.samplers.weights import Row

__all__ = ["NodeRow", "packed", "read_archive", "unpacked"]

_ARRAYS = {"ids": np.int64, "log_probs": np.float64, "bounds": np.float64}


@dataclass(slots=True)
class NodeRow:
    """What is kept of a prefix's law.   n events with a place

    field      shape    meaning
    ids        i64 (n,)  events
    log_probs  f64 (n,)  log p(t|u)
    bounds     f64 (n,)  log theta(ut) as far as it was passed up; 0 where nothing is known, and for bottom
    log_tail   float     log of the probability of all allowed events without a place
    used       int       when it was last visited
    """

    ids: NDArray[np.int64]
    log_probs: Floats
    bounds: Floats
    log_tail: float
    used: int

    @property
    def scores(self) -> Floats:
        """log p(t|u) theta(ut), (n,)."""
        return self.log_probs + self.bounds

    @property
    def log_total(self) -> float:
        """log theta(u)."""
        return float(np.logaddexp(log_sum(self.scores), self.log_tail))

    @property
    def bytes(self) -> int:
        """Memory it takes."""
        return 24 * self.ids.size + 200

    @classmethod
    def of(cls, row: Row, kept: int, stop: int, thetas: Mapping[int, float], used: int) -> NodeRow:
        """The likeliest `kept` events, bottom, and all in `thetas`, log theta of the nodes they lead to."""
        places = np.arange(row.ids.size)
        if row.ids.size > kept:
            likeliest = np.argpartition(-row.log_probs, kept)[:kept]
            places = np.union1d(likeliest, np.flatnonzero(np.isin(row.ids, [stop, *thetas])))
        rest = np.delete(row.log_probs, places)
        ids, log_probs = row.ids[places], row.log_probs[places].astype(np.float64)
        bounds = np.zeros(ids.size)
        for token, theta in thetas.items():
            bounds[np.flatnonzero(ids == token)] = theta
        return cls(ids, log_probs, bounds, log_sum(rest), used)


def packed(rows: Mapping[int, NodeRow]) -> dict[str, NDArray[Any]]:
    """Rows by node as plain arrays, one after the other."""
    every = list(rows.values())
    data: dict[str, NDArray[Any]] = {
        "row_node": np.array(list(rows), np.int64),
        "row_size": np.array([row.ids.size for row in every], np.int64),
        "row_tail": np.array([row.log_tail for row in every], np.float64),
        "row_used": np.array([row.used for row in every], np.int64),
    }
    for name, dtype in _ARRAYS.items():
        data[f"row_{name}"] = np.concatenate([np.zeros(0, dtype), *(getattr(row, name) for row in every)])
    return data


def unpacked(data: Mapping[str, NDArray[Any]]) -> dict[int, NodeRow]:
    """What `packed` gave."""
    rows, ends = dict[int, NodeRow](), data["row_size"].cumsum()
    for i, node in enumerate(data["row_node"].tolist()):
        span = slice(ends[i] - data["row_size"][i], ends[i])
        ids, log_probs, bounds = (data[f"row_{name}"][span].copy() for name in _ARRAYS)
        rows[node] = NodeRow(ids, log_probs, bounds, float(data["row_tail"][i]), int(data["row_used"][i]))
    return rows


def read_archive(source: IO[bytes]) -> dict[str, NDArray[Any]]:
    """The arrays of an npz archive. OptionError when it is none."""
    try:
        with np.load(source, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise OptionError(f"not a trie file: {error}", option="trie") from error
