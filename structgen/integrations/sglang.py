"""structgen as a grammar backend of SGLang: `--grammar-backend structgen`.

SGLang has a registry of backends and loads `register` as a plugin (the group sglang.srt.plugins), which adds a name to
it. Nothing of the compiler is imported before that backend is chosen (sglang_backend.py).
"""

from __future__ import annotations

from typing import Any

__all__ = ["NAME", "VERSIONS", "register"]

NAME = "structgen"
VERSIONS = ("0.5.23",)


def register() -> None:
    """What SGLang's plugin loader calls."""
    from sglang.srt.constrained.base_grammar_backend import register_grammar_backend
    from sglang.srt.server_args import add_grammar_backend_choices

    register_grammar_backend(NAME, _backend)
    add_grammar_backend_choices([NAME])


def _backend(server_args: Any, tokenizer: Any, vocab_size: int, eos_token_ids: Any) -> Any:
    """What SGLang calls for the backend. Raises OptionError for a version that this was not run with, and for settings
    that are not done."""
    from importlib.metadata import version

    from structgen.errors import OptionError
    from structgen.integrations.sglang_backend import make

    found = version("sglang")
    if found not in VERSIONS:
        reason = f"SGLang {found}: structgen was run with {' and '.join(VERSIONS)} alone"
        raise OptionError(reason, option="grammar_backend")
    return make(tokenizer, vocab_size, eos_token_ids)
