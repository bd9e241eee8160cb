"""The only place where Numba's flags are set, and where compiled kernels are kept on disk.

`jit` compiles without the GIL and caches machine code in a folder named after the content of every kernel file, the
versions of Python, Numba, llvmlite and NumPy, the processor and Numba's own flags. Numba's own cache key is the file of
the outermost function alone: after an edit to a callee in another file it would go on serving the old callee. Naming
the folder by content makes a stale hit impossible and lets several checkouts share one cache root.

What Numba's cache lacks is added: processes that save at once take turns (its index is read, changed and written back,
so that two could give one file name to two signatures), files end in a checksum, and a folder that cannot be written
costs a recompilation, not an error.

Environment: STRUCTGEN_CACHE_DIR moves the cache root (default: the platform's user cache folder).
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import logging
import os
import sys
import uuid
import zlib
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np
from numba import types
from numba.core import caching
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from structgen.kernels._load import rebuild

F = TypeVar("F", bound=Callable[..., Any])

_SOURCES = sorted(Path(__file__).parent.glob("*.py"))  # kernels/cuda has a compiler and no cache of ours
_log = logging.getLogger("structgen")


def cache_root() -> Path:
    """Folder for everything structgen keeps on disk; created on first use by whoever writes."""
    chosen = os.environ.get("STRUCTGEN_CACHE_DIR")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "structgen"


@functools.cache
def _stamp() -> tuple[str, list[tuple[int, int]]]:
    """Hash of all that shapes machine code, and how the files looked when it was taken."""
    looks = _looks()
    flags = [getattr(numba.config, name) for name in ("OPT", "BOUNDSCHECK", "LOOP_VECTORIZE", "SLP_VECTORIZE")]
    versions = [sys.version, numba.__version__, version("llvmlite"), np.__version__]
    processor = cpu_target.target_context.codegen().magic_tuple()
    digest = hashlib.sha256(repr((versions, processor, flags)).encode())
    for path in _SOURCES:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:20], looks


def _looks() -> list[tuple[int, int]]:
    return [(status.st_mtime_ns, status.st_size) for status in map(os.stat, _SOURCES)]


def kernel_stamp() -> str:
    """Hash of every kernel source file and of whatever else shapes machine code."""
    return _stamp()[0]


def kernel_cache_dir() -> Path:
    """Folder of the compiled kernels of exactly these sources."""
    return cache_root() / "kernels" / kernel_stamp()


@contextlib.contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold an exclusive lock between processes; where the platform has no flock, work is merely done twice."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        with contextlib.suppress(ImportError):
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


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

    def rebuild(self, target_context: Any, payload: Any) -> Any:
        return rebuild(target_context, payload)


class _Files(caching.IndexDataCacheFile):
    """Numba's index and data files, each followed by a checksum; a damaged file counts as absent."""

    def _load_index(self) -> Any:
        return super()._load_index() if _intact(self._index_path) else {}  # type: ignore[no-untyped-call]

    def _load_data(self, name: str) -> Any:
        if not _intact(self._data_path(name)):
            raise OSError(f"damaged: {name}")  # Numba takes it for a file that was removed
        return super()._load_data(name)  # type: ignore[no-untyped-call]

    @contextlib.contextmanager
    def _open_for_write(self, filepath: str) -> Iterator[io.BytesIO]:
        buffer = io.BytesIO()
        yield buffer
        content = buffer.getvalue()
        temporary = Path(f"{filepath}.tmp.{uuid.uuid4().hex[:16]}")
        temporary.write_bytes(content + zlib.crc32(content).to_bytes(4, "little"))
        os.replace(temporary, filepath)


def _intact(path: str) -> bool:
    with contextlib.suppress(OSError):
        content = Path(path).read_bytes()
        return zlib.crc32(content[:-4]) == int.from_bytes(content[-4:], "little")
    return False


class _Cache(caching.FunctionCache):
    _impl_class = _CacheImpl

    def __init__(self, py_func: Any) -> None:
        super().__init__(py_func)  # type: ignore[no-untyped-call]
        self._cache_file = _Files(self.cache_path, self._impl.filename_base, kernel_stamp())

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        return self._load_overload(sig, target_context) if _as_stamped() else None

    def save_overload(self, sig: Any, data: Any) -> None:
        if not _as_stamped():
            return
        try:
            with file_lock(Path(self.cache_path) / "save.lock"):
                super().save_overload(sig, data)  # type: ignore[no-untyped-call]
        except OSError as error:
            _log.warning("compiled kernels are not kept in %s (%s)", self.cache_path, error)


def _as_stamped() -> bool:
    """Whether no kernel file was edited since the stamp was taken: modules are imported one by one, when needed."""
    return _looks() == _stamp()[1]


def inlined(function: F) -> F:
    """As `jit`, for parts of a kernel: a call that is not inlined passes some twenty arrays."""
    return jit(function, inline=True)


def allocating(function: F) -> F:
    """As `jit`, for functions that make arrays or return them."""
    return jit(function, allocates=True)


def jit(function: F, *, inline: bool = False, allocates: bool = False) -> F:
    """Compile to machine code, GIL released, cached on disk by the content of all kernels.

    Arrays are borrowed from the caller: without Numba's run time nobody counts references to them (receipt: 5 % of the
    time of masks).
    """
    flags: dict[str, Any] = {"nogil": True, "forceinline": inline, "_nrt": allocates}
    dispatcher: Any = numba.njit(**flags)(function)
    if hasattr(dispatcher, "py_func"):  # absent under NUMBA_DISABLE_JIT=1
        dispatcher._cache = _Cache(dispatcher.py_func)
    return dispatcher  # type: ignore[no-any-return]


if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]

    def lowest(word: Any) -> int:
        """The number of the lowest set bit of a u64 that is not 0."""
        return (int(word) & -int(word)).bit_length() - 1

    def ones(word: Any) -> int:
        """How many bits of a u64 are set."""
        return int(word).bit_count()

else:

    @intrinsic
    def lowest(typing, word):  # type: ignore[no-untyped-def]
        """The number of the lowest set bit of a u64 that is not 0."""

        def code(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            return builder.cttz(arguments[0], context.get_constant(types.boolean, True))

        return types.uint64(types.uint64), code

    @intrinsic
    def ones(typing, word):  # type: ignore[no-untyped-def]
        """How many bits of a u64 are set."""

        def code(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            return builder.ctpop(arguments[0])

        return types.uint64(types.uint64), code
