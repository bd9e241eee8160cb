"""The small model that ships with the library: where its weights are, and how to load it.

A Llama of about three million parameters trained on made-up facts (`facts`, `train`); it turns a text that states facts
into JSON under a schema, and requests into tool calls. It knows nothing about the world.
Cost of `load`: reading 7 MB. Imports transformers only when called.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["load", "path"]


def path() -> Path:
    """The folder of the weights and the tokenizer, as `from_pretrained` expects it."""
    return Path(__file__).parent / "weights"


def load() -> tuple[Any, Any]:
    """The model (a LlamaForCausalLM in float32, ready for the CPU) and its tokenizer."""
    import torch

    from structgen.engines.loading import load_model, load_tokenizer

    return (
        load_model(path(), dtype=torch.float32, local_files_only=True),
        load_tokenizer(path(), local_files_only=True),
    )
