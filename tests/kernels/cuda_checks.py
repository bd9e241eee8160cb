"""The CUDA kernels against their CPU twins. Run as a program: Numba chooses between device and simulator when loaded.

NUMBA_ENABLE_CUDASIM=1 python tests/kernels/cuda_checks.py     simulated, anywhere
python tests/kernels/cuda_checks.py                            on a device
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import cuda

from structgen.bits import words_for
from structgen.kernels import rows, tables
from structgen.kernels.cuda import rows as cuda_rows
from structgen.kernels.cuda import tables as cuda_tables

BLOCK = 32


def on_device(kernel: Any, extent: tuple[int, int], *arrays: Any) -> list[Any]:
    """The arrays after the kernel has run on copies of them."""
    copies = [cuda.to_device(a) if isinstance(a, np.ndarray) else a for a in arrays]
    kernel[(-(-extent[0] // BLOCK), extent[1]), (BLOCK, 1)](*copies)
    return [c.copy_to_host() if isinstance(a, np.ndarray) else a for a, c in zip(arrays, copies, strict=True)]


def check_rows(rng: np.random.Generator, dtype: type, vocabulary: int, width: int) -> None:
    """Half-full, empty and full rows; shared, repeated and absent indices; a padded tail of any length."""
    words = words_for(vocabulary)
    table = rng.integers(0, 1 << 32, (5, words), dtype=np.uint32)
    table[1], table[2] = 0, 0xFFFFFFFF
    table[:, -1] &= np.uint32((1 << (vocabulary - 32 * (words - 1))) - 1)
    index = np.array([4, -1, 1, 2, 4, 0], np.int32)
    logits = rng.integers(0, 1000, (len(index), width)).astype(dtype)
    _, _, _, blocked = arguments = (logits, table.view(np.int32), index, dtype(-7))
    device = on_device(cuda_rows.apply_rows, (width, len(index)), *arguments)[0]
    host = logits.copy()
    rows.apply_rows(host, *arguments[1:])
    plain = logits.copy()
    for b, row in enumerate(index):
        for t in range(width):
            if row >= 0 and not (t < 32 * words and table[row, t // 32] >> np.uint32(t % 32) & np.uint32(1)):
                plain[b, t] = blocked
    np.testing.assert_array_equal(host, plain)
    np.testing.assert_array_equal(device, plain)


def check_tables(rng: np.random.Generator, states: int, tokens: int) -> None:
    """A random automaton with many dead edges; tokens of no bytes to six."""
    trans = rng.integers(-states, states, (states, 256)).clip(0).astype(np.int32)
    trans[:2] = 0
    texts = [rng.integers(0, 256, rng.integers(0, 7), dtype=np.uint8).tobytes() for _ in range(tokens)]
    data, offsets = np.frombuffer(b"".join(texts), np.uint8), np.cumsum([0, *map(len, texts)]).astype(np.int64)
    after, packed = np.full((states, tokens), -1, np.int32), np.full((states, words_for(tokens)), -1, np.int32)
    device_after = on_device(cuda_tables.walk_tokens, (tokens, states), trans, data, offsets, after)[3]
    tables.walk_tokens(trans, data, offsets, after)
    for s in range(states):
        for t, text in enumerate(texts):
            state = s if text else 0
            for byte in text:
                state = trans[state, byte]
            assert after[s, t] == state
    np.testing.assert_array_equal(device_after, after)
    device_packed = on_device(cuda_tables.pack_rows, (packed.shape[1], states), after, packed)[1]
    tables.pack_rows(after, packed)
    bits = np.unpackbits(packed.view(np.uint8), axis=1, bitorder="little")
    np.testing.assert_array_equal(bits[:, :tokens], after != 0)
    assert not bits[:, tokens:].any()
    np.testing.assert_array_equal(device_packed, packed)


def main() -> None:
    """Every check, with a fixed seed."""
    rng = np.random.default_rng(3)
    for dtype in (np.int16, np.int32, np.int64):
        for vocabulary, width in ((1, 1), (31, 31), (33, 40), (64, 64), (65, 130), (96, 96)):
            check_rows(rng, dtype, vocabulary, width)
    check_tables(rng, 3, 31)
    check_tables(rng, 12, 45)
    print("checked")


if __name__ == "__main__":
    main()
