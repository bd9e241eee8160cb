"""Where compiled kernels are kept: a folder named after all that shapes machine code, a whole file per unit.

The folder's name is a hash of every kernel file, the versions of Python, Numba, llvmlite and NumPy, the processor and
Numba's flags, so a stale hit is impossible and several checkouts and environments share one cache root. A file ends in
a checksum and appears at once or not at all; one that is damaged counts as absent. Nothing is read or written once a
kernel file differs from what was hashed.

Environment: STRUCTGEN_CACHE_DIR moves the cache root (default: the platform's user cache folder). A root that cannot
be written is replaced by a private folder under the temporary directory, with one warning.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import os
import stat
import sys
import tempfile
import uuid
import zlib
from importlib.metadata import version
from pathlib import Path

import numba
import numpy as np
from numba.core.registry import cpu_target

_SOURCES = sorted(Path(__file__).parent.glob("*.py"))  # kernels/cuda has a compiler and no cache of ours
_log = logging.getLogger("structgen")


def cache_root() -> Path:
    """Folder for everything structgen keeps on disk: the chosen one, or a private one if that cannot be written."""
    return _usable(_chosen_root())


def _chosen_root() -> Path | None:
    """What the environment names; None where it names nothing and the user has no home."""
    if chosen := os.environ.get("STRUCTGEN_CACHE_DIR"):
        return Path(chosen)
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "structgen"
    home = os.path.expanduser("~")  # "~" itself without HOME and an entry in the user table
    return None if home == "~" else Path(home) / ".cache" / "structgen"


@functools.cache
def _usable(root: Path | None) -> Path:
    """`root`, or a private folder in its place; asked once per process, so that there is one warning."""
    reason = "the user has no home" if root is None else _why_not(root)
    if root is not None and reason is None:
        return root
    try:
        private = _private_root()
    except OSError as error:
        _log.warning("nothing is kept on disk: %s, %s", reason, error)
        return root or Path(os.devnull)  # every write fails, and is tried no further
    _log.warning("the cache is in %s: %s; STRUCTGEN_CACHE_DIR names another folder", private, reason)
    return private


def _why_not(root: Path) -> str | None:
    """Why nothing can be written below `root`, or None. A root whose kernels are there already may be read-only."""
    if (root / "kernels" / kernel_stamp()).is_dir():
        return None
    try:
        root.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=root, prefix=".probe")
    except OSError as error:
        return str(error)
    os.close(handle)
    os.unlink(name)
    return None


def _private_root() -> Path:
    """A folder under the temporary directory that nobody else can write. Raises OSError."""
    owner = os.getuid() if hasattr(os, "getuid") else "user"
    root = Path(tempfile.gettempdir()) / f"structgen-{owner}"
    with contextlib.suppress(FileExistsError):
        root.mkdir(mode=0o700)
    status = os.lstat(root)
    ours = stat.S_ISDIR(status.st_mode) and (not hasattr(os, "getuid") or status.st_uid == os.getuid())
    if not ours or (hasattr(os, "getuid") and stat.S_IMODE(status.st_mode) & 0o077):
        raise PermissionError(f"{root} is not a folder of this user alone")
    return root


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


def as_stamped() -> bool:
    """Whether no kernel file was edited since the stamp was taken: modules are imported one by one, when needed."""
    return _looks() == _stamp()[1]


def kernel_stamp() -> str:
    """Hash of every kernel source file and of whatever else shapes machine code."""
    return _stamp()[0]


def kernel_cache_dir() -> Path:
    """Folder of the compiled kernels of exactly these sources."""
    return cache_root() / "kernels" / kernel_stamp()


@functools.cache
def warn_once(what: str, why: str) -> None:
    """Log a warning; the same one once per process."""
    _log.warning("%s: %s", what, why)


def read_checked(path: Path) -> bytes | None:
    """What `write_checked` wrote; None if it is absent or damaged, or if a kernel file was edited since."""
    with contextlib.suppress(OSError):
        content = path.read_bytes()
        if zlib.crc32(content[:-4]) == int.from_bytes(content[-4:], "little") and as_stamped():
            return content[:-4]
    return None


def write_checked(path: Path, content: bytes) -> None:
    """Write a file and its checksum at once or not at all. Raises OSError."""
    if not as_stamped():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f"{path.stem}-{uuid.uuid4().hex[:16]}.tmp")
    try:
        half.write_bytes(content + zlib.crc32(content).to_bytes(4, "little"))
        os.replace(half, path)
    finally:
        half.unlink(missing_ok=True)
