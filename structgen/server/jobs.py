"""What the loop works on: one output to be made, the events that tell of it, and what may be shown of it.

How much of its text a stream may show, and what is reported of a token, are functions of a job. Nothing here calls the
model.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from structgen.bits import ids_of
from structgen.engines.decode import Output, Row
from structgen.engines.steering import settled
from structgen.server.refusals import Refusal

__all__ = ["End", "Event", "Failed", "Job", "Piece", "TokenReport", "report_of", "shown_bytes"]

_NEAR = 64  # tokens before a budget could end a row from which a stream shows only what a completion keeps


class TokenReport(NamedTuple):
    """What is reported of one token.

    token    its id
    log_prob the model's own, at temperature 1 and before any filter or mask
    tops     the likeliest tokens with theirs
    allowed  how many tokens the mask allowed, None where nobody asked
    share    how likely the mask made it: its probability among those that are allowed
    seconds  what the mask took
    """

    token: int
    log_prob: float
    tops: tuple[tuple[int, float], ...]
    allowed: int | None = None
    share: float | None = None
    seconds: float | None = None


class Piece(NamedTuple):
    """What a row has written since the last piece; `data` are the bytes that will stay, tokens and reports are as they
    were drawn."""

    tokens: tuple[int, ...]
    data: bytes
    reports: tuple[TokenReport, ...]


class End(NamedTuple):
    """A row has ended. `chosen`: how many of the output's tokens the model chose; `why`: what ended it instead."""

    output: Output
    chosen: int
    why: str | None


class Failed(NamedTuple):
    """A row ends with an error."""

    refusal: Refusal


Event: TypeAlias = Piece | End | Failed


@dataclass(eq=False, slots=True)
class Job:
    """One output to be made.

    field      meaning
    row        opened (engines/decode.py), before its first token
    deadline   of time.monotonic()
    deliver    called with each event in the thread that `post` chooses
    in_pieces  whether anybody reads it while it is written
    logprobs   alternatives to report beside each token, None for no probabilities
    trace      whether masks are reported
    is_gone    whoever asked for it has gone away
    reused     tokens of the prompt that were not read again
    """

    row: Row
    deadline: float
    deliver: Callable[[Event], None]
    in_pieces: bool = False
    logprobs: int | None = None
    trace: bool = False
    is_gone: bool = False
    reused: int = 0
    asked_at: float = field(default_factory=time.monotonic)
    unread: NDArray[np.int64] = field(init=False)
    data: bytearray = field(default_factory=bytearray)
    settled_at: int = 0  # how long the text was when it was last asked what of it stays
    pending: list[TokenReport] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.unread = np.asarray(self.row.request.prompt, np.int64)


def shown_bytes(job: Job) -> int:
    """How many bytes of the text a reader may see: those that neither a completion nor a stop text takes back."""
    row, data = job.row, job.data
    if row.matcher is None:
        return max(row.seen, len(data) - max((_overlap(data, stop) for stop in row.request.stops), default=0))
    left = row.request.max_tokens - len(row.tokens)
    if not row.request.is_json or left > row.matcher.bytes_to_accept() + _NEAR:
        return len(data)
    if len(data) - job.settled_at < len(data) >> 6:  # the question costs the whole text
        return row.seen
    job.settled_at = len(data)
    return max(row.seen, settled(row.matcher, bytes(data)))


def _overlap(data: bytearray, stop: bytes) -> int:
    """The longest end of `data` that begins a stop text."""
    return next((size for size in range(min(len(stop), len(data)), 0, -1) if data.endswith(stop[:size])), 0)


def report_of(
    job: Job, logits: torch.Tensor, token: int, mask: NDArray[np.uint32] | None, seconds: float
) -> TokenReport | None:
    """What is asked for of a token."""
    if job.logprobs is None and not job.trace:
        return None
    law = logits.double().log_softmax(dim=0)
    tops = law.topk(job.logprobs) if job.logprobs else None
    pairs = () if tops is None else tuple(zip(tops.indices.tolist(), tops.values.tolist(), strict=True))
    if mask is None or job.row.matcher is None:
        return TokenReport(token, float(law[token]), pairs)
    ids = torch.from_numpy(ids_of(mask))
    share = float((law[token] - law[ids.to(law.device)].logsumexp(dim=0)).exp())
    return TokenReport(token, float(law[token]), pairs, len(ids), share, seconds)
