"""Launching Numba kernels on torch tensors: same device, same stream, no copy."""

from __future__ import annotations

from typing import Any

import torch

_BLOCK = 256  # threads; neighbours along the first axis of the grid


def launch(kernel: Any, extent: tuple[int, int], *arguments: Any) -> None:
    """Run `kernel` on `extent` (x, y) threads or a few more, after what torch's current stream holds already.

    Tensors are handed over by address and must be on one CUDA device; bfloat16 goes as its int16 bits.
    """
    from numba import cuda

    device = next(argument.device for argument in arguments if isinstance(argument, torch.Tensor))
    with cuda.gpus[device.index or 0]:
        stream = cuda.external_stream(torch.cuda.current_stream(device).cuda_stream)
        arrays = [_shared(cuda, a) for a in arguments]
        grid = (-(-extent[0] // _BLOCK), extent[1])
        kernel[grid, (_BLOCK, 1), stream](*arrays)


def _shared(cuda: Any, argument: Any) -> Any:
    """A tensor as an array of Numba's over the same memory; anything else as it is."""
    return cuda.as_cuda_array(argument, sync=False) if isinstance(argument, torch.Tensor) else argument
