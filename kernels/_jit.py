"""The only place where Numba's flags are set, and where compiled kernels are kept on disk.

`jit` compiles without the GIL and caches machine code in a folder named after the content of every kernel file (and
the versions of Python, Numba and NumPy). Numba's own cache key is the file of the outermost function alone: after an
edit to a callee in another file it would go on serving the old callee. Naming the folder by content makes a stale hit
impossible and lets several checkouts share one cache root.

Environment: STRUCTGEN_CACHE_DIR moves the cache root (default: the platform's user cache folder).
"""

from __future__ import annotations

import functools
import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np
from numba.core import caching

F = TypeVar("F", bound=Callable[..., Any])


def cache_root() -> Path:
    """Folder for everything structgen keeps on disk; created on first use by whoever writes."""
    chosen = os.environ.get("STRUCTGEN_CACHE_DIR")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "structgen"


@functools.cache
def kernel_stamp() -> str:
    """Hash of every kernel source file and of the versions that shape machine code."""
    digest = hashlib.sha256(f"{sys.version}|{numba.__version__}|{np.__version__}".encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:20]


@functools.cache
def kernel_cache_dir() -> Path:
    """Folder of the compiled kernels of exactly these sources."""
    return cache_root() / "kernels" / kernel_stamp()


class _Locator(caching._CacheLocator):
    """Tells Numba's cache where a function's machine code lives; freshness is already in the folder's name."""

    def __init__(self, line: int) -> None:
        self._line = line

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> _Locator:
        return cls(py_func.__code__.co_firstlineno)

    def get_cache_path(self) -> str:
        return str(kernel_cache_dir())

    def get_source_stamp(self) -> str:
        return kernel_stamp()

    def get_disambiguator(self) -> str:
        return str(self._line)


class _CacheImpl(caching.CompileResultCacheImpl):
    _locator_classes = [_Locator]  # type: ignore[list-item]  # noqa: RUF012


class _Cache(caching.FunctionCache):
    _impl_class = _CacheImpl


def jit(function: F) -> F:
    """Compile to machine code, GIL released, cached on disk by the content of all kernels."""
    dispatcher: Any = numba.njit(nogil=True)(function)
    if hasattr(dispatcher, "py_func"):  # absent under NUMBA_DISABLE_JIT=1
        dispatcher._cache = _Cache(dispatcher.py_func)
    return dispatcher  # type: ignore[no-any-return]
