"""Packed mask rows applied to logits.   B rows, W = ceil(V / 32) words each, logits (B, L) with L >= V

Rows cross to the device packed (16 KB at 128k tokens) and are unpacked there: bit t % 32 of word t // 32 is token t.
Ids the mask does not speak of (L > V: an embedding rounded up) are never allowed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from structgen.errors import ModelError

MaskRow = NDArray[np.uint32]


def allowed_tokens(rows: Sequence[MaskRow | None], width: int, device: torch.device | str = "cpu") -> torch.Tensor:
    """Boolean (B, width): which tokens each row allows. A None row allows every id."""
    words = max((len(row) for row in rows if row is not None), default=0)
    packed = np.zeros((len(rows), words), dtype="<u4")
    for target, row in zip(packed, rows, strict=True):
        if row is not None:
            target[: len(row)] = row
    allowed = _unpack(torch.from_numpy(packed.view(np.uint8)).to(device), width)
    free = [index for index, row in enumerate(rows) if row is None]
    if free:
        allowed[free] = True
    return allowed


def apply_masks(logits: torch.Tensor, rows: Sequence[MaskRow | None]) -> torch.Tensor:
    """New logits in which every token a row does not allow is -inf. None rows stay as they are."""
    if logits.ndim != 2 or logits.shape[0] != len(rows):
        raise ModelError(f"logits of shape {tuple(logits.shape)} for {len(rows)} rows")
    return logits.masked_fill(~allowed_tokens(rows, logits.shape[1], logits.device), -torch.inf)


def _unpack(packed: torch.Tensor, width: int) -> torch.Tensor:
    """Little-endian bytes (B, 4 W) -> bool (B, width), False beyond the bytes."""
    if packed.device.type == "cpu":
        bits = torch.from_numpy(np.unpackbits(packed.numpy(), axis=1, bitorder="little")).view(torch.bool)
    else:
        shifts = torch.arange(8, dtype=torch.uint8, device=packed.device)
        bits = ((packed.unsqueeze(-1) >> shifts) & 1).flatten(1).bool()
    if bits.shape[1] >= width:
        if bits[:, width:].any():
            raise ModelError(f"the model scores {width} tokens, fewer than the constraint's vocabulary allows")
        return bits[:, :width]
    return torch.nn.functional.pad(bits, (0, width - bits.shape[1]))
