"""`structgen demo --diffusion`: a canvas that the bundled diffusion model fills, step by step, with and without masks.

All slots are scored at once and each step keeps the surest: without a constraint the likeliest token of each slot, with
one those of the likeliest valid fill. The model knows sentences about facts and nothing else: the constraint is shown.
"""

from __future__ import annotations

import argparse
import json
import shutil
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

from structgen.nano import vocabulary as nano_vocabulary
from structgen.vocabulary import Vocabulary

__all__ = ["run"]

TEXT = "Maria Sanchez is 34 years old and lives in Lima."
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "minLength": 1}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
SLOTS, STEPS, OPEN = 28, 4, b"_"
Tokens = Sequence[int | None]


def run(arguments: argparse.Namespace) -> int:
    """Fill the same canvas twice, and show every step."""
    from tokenizers import Tokenizer

    from structgen.api.compile import compile
    from structgen.grammars.json_schema.style import JsonStyle
    from structgen.infilling.canvas import Canvas
    from structgen.infilling.denoise import denoise
    from structgen.nano import path
    from structgen.nano.diffusion import likeliest_tokens, load
    from structgen.nano.prompts import prompt_text

    vocabulary, model = nano_vocabulary(), load()
    prompt = Tokenizer.from_file(str(path() / "tokenizer.json")).encode(prompt_text(SCHEMA, TEXT)).ids
    width = min(shutil.get_terminal_size().columns, 100)
    _say(f'nano as a diffusion model reads "{TEXT}" and fills {SLOTS} slots in {STEPS} steps, the surest first.', width)
    _say("\nWithout a constraint, the likeliest token of each slot:", width)
    _show(vocabulary, list(likeliest_tokens(model, prompt, SLOTS, STEPS)), width)
    _say('\nUnder the schema {"name": string, "age": integer}, the likeliest valid text:', width)
    constraint = compile(vocabulary=vocabulary, schema=SCHEMA, style=JsonStyle("json_dumps", max_digits=9))
    asked: dict[str, Any] = {"prompt": prompt, "mask_id": model.mask_id, "shifted": True}
    found = denoise(model, Canvas(constraint, SLOTS), steps=STEPS, commit="best", **asked)
    _show(vocabulary, [step.tokens for step in found.steps], width)
    chance = np.exp(found.steps[0].log_z)
    _say(f"\nHow likely a draw of all slots by themselves was to be valid at first: {chance:.1g}.", width)
    return 0


def _show(vocabulary: Vocabulary, steps: Sequence[Tokens], width: int) -> None:
    """A line for each step, and what json says of the last."""
    for number, tokens in enumerate(steps, 1):
        text = b"".join(OPEN if token is None else vocabulary.token_bytes(token) for token in tokens)
        line = f"{number:3} {text.decode('utf-8', 'replace')}"
        print(line if len(line) <= width else line[: width - 3] + "...")
    last = [token for token in steps[-1] if token is not None]
    end = next((at for at, token in enumerate(last) if token in vocabulary.stop_ids), len(last))
    try:
        verdict = f"valid: {json.loads(vocabulary.decode(last[:end]))}"
    except ValueError as error:
        verdict = f"not JSON: {error}"
    _say(f"=> {verdict}", width)


def _say(text: str, width: int) -> None:
    indent = "   " if text.startswith("=>") else ""
    print(textwrap.fill(text, width, subsequent_indent=indent, replace_whitespace=False))
