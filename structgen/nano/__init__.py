"""The small model that ships with the library: where its weights are, and how to load it.

A Llama of about three million parameters trained on made-up facts (`facts`, `train`); it turns a text that states facts
into JSON under a schema, and requests into tool calls. It knows nothing about the world.
Cost of `load`: reading 7 MB. Imports transformers only when called; `vocabulary` needs `tokenizers` alone.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from structgen.vocabulary import Vocabulary

__all__ = ["load", "path", "vocabulary"]


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


def vocabulary() -> Vocabulary:
    """That of its tokenizer, without transformers: loading torch takes seconds."""
    from tokenizers import Tokenizer

    stop = json.loads((path() / "generation_config.json").read_text())["eos_token_id"]
    return Vocabulary.from_tokenizer(Tokenizer.from_file(str(path() / "tokenizer.json")), stop_ids=[stop])
