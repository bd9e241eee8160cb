"""A `.gguf` file (llama.cpp's format) -> a folder that transformers loads: converted once per machine, then kept.

Reading the file and undoing its quantisation takes half a minute for 135 million parameters; the folder that is left in
the cache (weights in bfloat16, tokenizer, chat template) loads in two seconds. It is known by the file's size and a
hash of its first and last megabyte, so that a file that was replaced is converted anew.

Needs the extra `[gguf]` (gguf and accelerate): ModelError says so.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from structgen.disk_cache import cache_root
from structgen.engines.loading import load_model, load_tokenizer, quietly
from structgen.errors import ModelError

__all__ = ["converted", "is_gguf"]

_PROBE = 1 << 20  # bytes at either end of the file that its name in the cache depends on
_MAGIC = b"GGUF"


def is_gguf(path: str | os.PathLike[str]) -> bool:
    """Whether this is a GGUF file, by its first bytes."""
    try:
        with open(path, "rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


def converted(path: str | os.PathLike[str]) -> Path:
    """The folder of a file's model, made if it is not there yet. Raises ModelError."""
    source = Path(path).resolve()
    folder = cache_root() / "models" / f"{source.stem}-{_digest(source)}"
    if not folder.exists():
        missing = [package for package in ("gguf", "accelerate") if find_spec(package) is None]
        if missing:
            raise ModelError(f"{' and '.join(missing)} missing: pip install structgen-engine[gguf] reads .gguf files")
        _convert(source, folder)
    return folder


def _convert(source: Path, folder: Path) -> None:
    """Make the folder: whole or not at all, and by whoever is first where processes start together."""
    import torch
    import transformers

    started = time.perf_counter()
    sys.stderr.write(f"structgen: converting {source.name}, once on this machine ... ")
    sys.stderr.flush()
    at = {"gguf_file": source.name, "local_files_only": True}
    plain: dict[str, Any] = {}
    if hasattr(transformers, "GgufConfig"):  # releases before it dequantise always
        plain["quantization_config"] = transformers.GgufConfig(dequantize=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        try:
            with contextlib.redirect_stderr(io.StringIO()):  # a bar of the conversion that no setting turns off
                model = load_model(source.parent, dtype=torch.bfloat16, **at, **plain)
            model.config.__dict__.pop("quantization_config", None)  # the weights are plain now
            with quietly():
                model.save_pretrained(temporary)
                load_tokenizer(source.parent, **at).save_pretrained(temporary)
        except (OSError, ValueError, NotImplementedError, KeyError) as error:
            sys.stderr.write("failed\n")
            raise ModelError(f"{source.name} cannot be read as a model: {error}") from error
        with contextlib.suppress(OSError):  # another process was first
            os.rename(temporary, folder)
    sys.stderr.write(f"done in {time.perf_counter() - started:.0f} s\n")


def _digest(source: Path) -> str:
    status = source.stat()
    digest = hashlib.sha256(f"{status.st_size}".encode())
    with open(source, "rb") as file:
        digest.update(file.read(_PROBE))
        file.seek(max(0, status.st_size - _PROBE))
        digest.update(file.read(_PROBE))
    return digest.hexdigest()[:16]
