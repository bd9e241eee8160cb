"""What is called from Python is compiled by the warm-up: a mask that compiles a kernel takes a second."""

from __future__ import annotations

from numba.core.registry import CPUDispatcher

from structgen.kernels import entries
from structgen.warmup import run_every_kernel


def test_every_entry_is_called() -> None:
    run_every_kernel()
    kernels = [kernel for kernel in vars(entries).values() if isinstance(kernel, CPUDispatcher)]
    own = [kernel for kernel in kernels if kernel.py_func.__module__ == entries.__name__]
    assert len(own) > 10
    assert [kernel.py_func.__name__ for kernel in own if not kernel.signatures] == []
