"""What structgen keeps on disk: token tries and terminal rows by vocabulary fingerprint, tables of canvases by that of
their constraint, written atomically and validated on load.

A file that cannot be read, has another version or breaks an invariant is dropped and rebuilt, with a logged warning.
"""

from __future__ import annotations

import io
import json
import logging
import os
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from structgen.automata.terminals.rows import ROWS_VERSION, Stored, check_row
from structgen.automata.trie import TokenTrie
from structgen.errors import InvariantError
from structgen.kernels._disk import cache_root
from structgen.kernels.layout import Trie

__all__ = [
    "cache_root",
    "load_arrays",
    "load_rows",
    "load_trie",
    "save_arrays",
    "save_rows",
    "save_trie",
    "write_whole",
]

_VERSION = 2  # 2: stop tokens are symbols, too
_log = logging.getLogger("structgen")
T = TypeVar("T")


def load_trie(fingerprint: str) -> TokenTrie | None:
    """The saved trie of a vocabulary, or None."""
    path = cache_root() / "tries" / f"{fingerprint}.npz"
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            version, longest, size = stored["header"].tolist()
            if version != _VERSION:
                return None
            trie = TokenTrie(Trie(*(stored[name] for name in Trie._fields)), longest, size)
        trie.validate()
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError, InvariantError) as error:
        _log.warning("dropped the damaged trie cache %s (%s)", path.name, error)
        return None
    return trie


def write_whole(path: Path, content: bytes) -> None:
    """Write a file atomically: readers see the old one or the new one. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(name, path)
    except OSError:
        os.unlink(name)
        raise


def save_trie(fingerprint: str, trie: TokenTrie) -> None:
    """Save atomically; a folder that cannot be written leaves the trie in memory only, with a warning in the log."""
    content = io.BytesIO()
    np.savez(content, header=np.array([_VERSION, trie.longest, trie.size]), **trie.arrays._asdict())
    try:
        write_whole(cache_root() / "tries" / f"{fingerprint}.npz", content.getvalue())
    except OSError as error:
        _log.warning("could not save the trie cache (%s)", error)


def load_rows(fingerprint: str, trie: TokenTrie) -> dict[str, Stored] | None:
    """The saved rows of terminals of a vocabulary (automata/terminals/terminal.py), or None."""
    path = cache_root() / "rows" / f"{fingerprint}.npz"
    if not path.exists():
        return None
    found: dict[str, Stored] = {}
    try:
        with np.load(path, allow_pickle=False) as stored:
            header = json.loads(stored["header"].tobytes())
            if header["version"] != ROWS_VERSION:
                return None
            for at, (digest, prefix, items, count) in enumerate(header["rows"]):
                key = ("after", prefix.encode("latin-1")) if items is None else tuple(map(tuple, items))
                found.setdefault(digest, {})[key] = tuple(stored[f"{at}.{part}"] for part in range(count))
                check_row(key, found[digest][key], trie)
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, EOFError, InvariantError) as error:
        _log.warning("dropped the damaged row cache %s (%s)", path.name, error)
        return None
    return found


def save_rows(fingerprint: str, rows: dict[str, Stored]) -> None:
    """Save atomically, as save_trie does."""
    listed: list[tuple[str, str, Any, int]] = []
    arrays: dict[str, NDArray[Any]] = {}
    for digest, stored in rows.items():
        for key, parts in stored.items():
            prefix, items = (key[1].decode("latin-1"), None) if key[0] == "after" else ("", key)
            arrays.update({f"{len(listed)}.{part}": array for part, array in enumerate(parts)})
            listed.append((digest, prefix, items, len(parts)))
    header = json.dumps({"version": ROWS_VERSION, "rows": listed}).encode()
    content = io.BytesIO()
    np.savez(content, header=np.frombuffer(header, np.uint8), **arrays)  # type: ignore[arg-type]
    try:
        write_whole(cache_root() / "rows" / f"{fingerprint}.npz", content.getvalue())
    except OSError as error:
        _log.warning("could not save the row cache (%s)", error)


def load_arrays(folder: str, name: str, version: int, read: Callable[[dict[str, NDArray[Any]]], T]) -> T | None:
    """What `read` makes of the arrays that `save_arrays` left, or None."""
    path = cache_root() / folder / f"{name}.npz"
    if not path.exists():
        return None
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
            if int(stored["version"]) != version:
                return None
            found = read({key: stored[key] for key in stored.files if key != "version"})
        os.utime(path)  # see save_arrays
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, EOFError, InvariantError) as error:
        _log.warning("dropped the damaged file %s of %s (%s)", path.name, folder, error)
        return None
    return found


def save_arrays(folder: str, name: str, version: int, arrays: dict[str, NDArray[Any]], most_bytes: int) -> None:
    """Save atomically, as save_trie does; of the files that take more than `most_bytes` together those that were not
    read for longest are removed."""
    content = io.BytesIO()
    np.savez(content, version=np.array(version), **arrays)  # type: ignore[arg-type]
    try:
        write_whole(cache_root() / folder / f"{name}.npz", content.getvalue())
        files = [(path.stat(), path) for path in (cache_root() / folder).glob("*.npz")]
        kept = 0
        for stat, path in sorted(files, key=lambda file: -file[0].st_mtime):
            kept += stat.st_size
            if kept > most_bytes:
                path.unlink(missing_ok=True)
    except OSError as error:
        _log.warning("could not save to %s (%s)", folder, error)
