"""Packed mask rows applied to logits.   B rows, W = ceil(V / 32) words each, logits (B, L) with L >= V

Rows cross to the device packed (16 KB at 128k tokens); bit t % 32 of word t // 32 is token t. Ids the mask does not
speak of (L > V: an embedding rounded up) are never allowed. One operation, three ways to the same logits: a Numba
kernel on the CPU, its CUDA twin, and plain torch operations on any other device.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from structgen.errors import ModelError
from structgen.kernels.rows import apply_rows

MaskRow = NDArray[np.uint32]

# A logit's bits as an integer, and minus infinity in them: the kernels never look at the logits they keep.
_BITS = {
    torch.float16: (torch.int16, np.int16(0xFC00 - (1 << 16))),
    torch.bfloat16: (torch.int16, np.int16(0xFF80 - (1 << 16))),
    torch.float32: (torch.int32, np.int32(0xFF800000 - (1 << 32))),
    torch.float64: (torch.int64, np.int64(0xFFF0000000000000 - (1 << 64))),
}


def allowed_tokens(rows: Sequence[MaskRow | None], width: int, device: torch.device | str = "cpu") -> torch.Tensor:
    """Boolean (B, width): which tokens each row allows. A None row allows every id."""
    packed = _checked(pack(rows), width)
    at = torch.device(device)
    unpack = unpack_on_host if at.type == "cpu" else unpack_on_device
    allowed = _fit(unpack(torch.from_numpy(packed.view(np.uint8)).to(at)), width)
    free = [index for index, row in enumerate(rows) if row is None]
    if free:
        allowed[free] = True
    return allowed


def apply_masks(logits: torch.Tensor, rows: Sequence[MaskRow | None], *, inplace: bool = False) -> torch.Tensor:
    """Logits in which every token a row does not allow is -inf: new ones, or the given ones changed. None rows stay."""
    if logits.ndim != 2 or logits.shape[0] != len(rows):
        raise ModelError(f"logits of shape {tuple(logits.shape)} for {len(rows)} rows")
    table = torch.from_numpy(_checked(pack(rows), logits.shape[1]).view(np.int32)).to(logits.device)
    index = torch.tensor([-1 if row is None else i for i, row in enumerate(rows)], dtype=torch.int32)
    out = logits if inplace else logits.clone(memory_format=torch.contiguous_format)
    apply_table(out, table, index.to(logits.device))
    return out


def apply_table(logits: torch.Tensor, table: torch.Tensor, index: torch.Tensor) -> None:
    """Set to -inf, in place, every logit of (B, L) that row index[b] of `table` does not allow; nothing waits.

    `table` int32 (n, W), `index` int32 (B,), negative for a sequence without a constraint; all on one device.
    """
    if logits.device.type == "cpu" and logits.is_contiguous() and logits.dtype in _BITS:
        integer, blocked = _BITS[logits.dtype]
        apply_rows(logits.view(integer).numpy(), table.numpy(), index.numpy(), blocked)
    elif logits.device.type == "cuda" and logits.dtype in _BITS and cuda_kernels():
        from structgen.engines.cuda import launch
        from structgen.kernels.cuda.rows import apply_rows as apply_on_device

        integer, blocked = _BITS[logits.dtype]
        batch, width = logits.shape
        launch(apply_on_device, (width, batch), logits.view(integer), table, index, blocked)
    else:
        apply_with_torch(logits, table, index)


def apply_with_torch(logits: torch.Tensor, table: torch.Tensor, index: torch.Tensor) -> None:
    """`apply_table` by torch operations alone: any device, any float type, any strides."""
    words = table.index_select(0, index.clamp(min=0).long())
    allowed = _fit(unpack_on_device(words.view(torch.uint8)), logits.shape[1])
    logits.masked_fill_(~(allowed | (index < 0).unsqueeze(1)), -torch.inf)


@functools.cache
def cuda_kernels() -> bool:
    """Whether Numba can launch kernels on this machine's CUDA devices; torch does the work where it cannot."""
    from numba import cuda

    return bool(cuda.is_available())


def pack(rows: Sequence[MaskRow | None]) -> MaskRow:
    """The rows as one array u32 (B, W); a None row is all zero."""
    packed = np.zeros((len(rows), max((len(row) for row in rows if row is not None), default=0)), dtype="<u4")
    for target, row in zip(packed, rows, strict=True):
        if row is not None:
            target[: len(row)] = row
    return packed


def unpack_on_host(packed: torch.Tensor) -> torch.Tensor:
    """Little-endian bytes (B, n) in host memory -> bool (B, 8 n)."""
    return torch.from_numpy(np.unpackbits(packed.numpy(), axis=1, bitorder="little")).view(torch.bool)


def unpack_on_device(packed: torch.Tensor) -> torch.Tensor:
    """The same wherever the bytes are."""
    shifts = torch.arange(8, dtype=torch.uint8, device=packed.device)
    return ((packed.unsqueeze(-1) >> shifts) & 1).flatten(1).bool()


def _fit(bits: torch.Tensor, width: int) -> torch.Tensor:
    """Cut or pad (B, n) with False to (B, width)."""
    if bits.shape[1] >= width:
        return bits[:, :width]
    return torch.nn.functional.pad(bits, (0, width - bits.shape[1]))


def _checked(packed: MaskRow, width: int) -> MaskRow:
    """No row may allow a token the logits do not have. On the host, before anything waits for a device."""
    word, bit = divmod(width, 32)
    beyond = packed[:, word:].copy()
    beyond[:, :1] >>= np.uint32(bit)
    if beyond.any():
        raise ModelError(f"the model scores {width} tokens, fewer than the constraint's vocabulary allows")
    return packed
