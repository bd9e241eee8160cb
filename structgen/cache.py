"""What structgen keeps on disk: token tries by vocabulary fingerprint, written atomically and validated on load.

A file that cannot be read, has another version or breaks an invariant is dropped and rebuilt, with a logged warning.
"""

from __future__ import annotations

import logging
import os
import tempfile
import zipfile

import numpy as np

from structgen.automata.trie import TokenTrie
from structgen.errors import InvariantError
from structgen.kernels._jit import cache_root
from structgen.kernels.layout import Trie

__all__ = ["load_trie", "save_trie"]

_VERSION = 1
_log = logging.getLogger("structgen")


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


def save_trie(fingerprint: str, trie: TokenTrie) -> None:
    """Save atomically; a folder that cannot be written leaves the trie in memory only, with a warning in the log."""
    folder = cache_root() / "tries"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder, suffix=".tmp")
        with os.fdopen(handle, "wb") as file:
            np.savez(file, header=np.array([_VERSION, trie.longest, trie.size]), **trie.arrays._asdict())
        os.replace(name, folder / f"{fingerprint}.npz")
    except OSError as error:
        _log.warning("could not save the trie cache (%s)", error)
