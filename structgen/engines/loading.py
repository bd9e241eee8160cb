"""Models and tokenizers from a folder (or a name in the hub's cache), without transformers talking over the caller.

While weights are read, transformers draws a bar and logs advice for training. A caller who asked for a value sees
neither: both are off inside `quietly`, errors are not, and the settings that stood before stand again after it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from os import PathLike
from typing import Any

__all__ = ["load_model", "load_tokenizer", "quietly"]


def load_model(folder: str | PathLike[str], **options: Any) -> Any:
    """A causal language model ready to be asked. Raises what `from_pretrained` raises (OSError, ValueError)."""
    with quietly():
        from transformers import AutoModelForCausalLM

        model: Any = AutoModelForCausalLM.from_pretrained(folder, **options)
    return model.eval()


def load_tokenizer(folder: str | PathLike[str], **options: Any) -> Any:
    """The tokenizer of a folder. Raises what `from_pretrained` raises (OSError, ValueError)."""
    with quietly():
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(folder, **options)


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """No progress bars and no log lines below errors of transformers inside."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
