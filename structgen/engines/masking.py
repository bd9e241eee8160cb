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
    _check_width(packed, width)
    at = torch.device(device)
    unpack = unpack_on_host if at.type == "cpu" else unpack_on_device
    bits = unpack(torch.from_numpy(packed.view(np.uint8)).to(at))
    allowed = bits[:, :width] if bits.shape[1] >= width else torch.nn.functional.pad(bits, (0, width - bits.shape[1]))
    free = [index for index, row in enumerate(rows) if row is None]
    if free:
        allowed[free] = True
    return allowed


def apply_masks(logits: torch.Tensor, rows: Sequence[MaskRow | None]) -> torch.Tensor:
    """New logits in which every token a row does not allow is -inf. None rows stay as they are."""
    if logits.ndim != 2 or logits.shape[0] != len(rows):
        raise ModelError(f"logits of shape {tuple(logits.shape)} for {len(rows)} rows")
    return logits.masked_fill(~allowed_tokens(rows, logits.shape[1], logits.device), -torch.inf)


def unpack_on_host(packed: torch.Tensor) -> torch.Tensor:
    """Little-endian bytes (B, n) in host memory -> bool (B, 8 n)."""
    return torch.from_numpy(np.unpackbits(packed.numpy(), axis=1, bitorder="little")).view(torch.bool)


def unpack_on_device(packed: torch.Tensor) -> torch.Tensor:
    """The same wherever the bytes are."""
    shifts = torch.arange(8, dtype=torch.uint8, device=packed.device)
    return ((packed.unsqueeze(-1) >> shifts) & 1).flatten(1).bool()


def _check_width(packed: MaskRow, width: int) -> None:
    """No row may allow a token the logits do not have. On the host, before anything waits for a device."""
    word, bit = divmod(width, 32)
    beyond = packed[:, word:].copy()
    beyond[:, :1] >>= np.uint32(bit)
    if beyond.any():
        raise ModelError(f"the model scores {width} tokens, fewer than the constraint's vocabulary allows")
