"""From nano's weights to a model that fills in the middle: it reads what stands before and behind a hole.

    python -m structgen.nano.train_fim --threads 1 --seed 4 --out DIR

A document is the JSON of an exercise, in one line or over several, half of them behind the text that states its facts.
It is cut in two places; what stands before, behind and between them follows three new special tokens, and the loss is
that of what stands between (Bavarian et al., "Efficient Training of Language Models to Fill in the Middle", 2022).
Everything else is nano's training. Cost: 9 minutes on one core for the default steps. The weights do not ship with the
library: 6 MB, and docs/benchmarks.md, "Canvases", says what they know.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from structgen.nano import path as nano_path
from structgen.nano.facts import exercises
from structgen.nano.prompts import EOS
from structgen.nano.train import (
    Options,
    Tokenizer,
    batches,
    build_model,
    build_tokenizer,
    fit,
    loss_of_answers,
    parsed_options,
    save,
)

__all__ = ["DEFAULTS", "MARKS", "holes", "main", "train"]

DEFAULTS = Options(seed=4, start=str(nano_path()), steps=450, warmup=40, decay_share=0.8, facts=3, longest=160)
MARKS = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")


def holes(options: Options, tokenizer: Tokenizer, size: int) -> Iterator[tuple[list[int], int]]:
    """Token ids of documents with a hole, what fills it last, and where that begins."""
    rng, stream = random.Random(f"fim:{options.seed}"), exercises(f"fim:{options.seed}:{size}", size=size)
    before, behind, middle = MARKS
    while True:
        heads, tails = [], []
        for one in islice(stream, 512):
            text = json.dumps(one.value, ensure_ascii=False, indent=2) if rng.random() < 0.3 else one.answer
            text = f"{one.text}\n{text}" if rng.random() < 0.5 else text
            first, last = sorted(rng.choices(range(len(text) + 1), k=2))
            last = min(last, first + rng.choice((8, 24, 200)))
            heads.append(f"{before}{text[:first]}{behind}{text[last:]}{middle}")
            tails.append(text[first:last] + EOS)
        encoded = (tokenizer(texts, add_special_tokens=False)["input_ids"] for texts in (heads, tails))
        for head, tail in zip(*encoded, strict=True):
            if len(head) + len(tail) <= options.longest:
                yield head + tail, len(head)


def train(out: Path, options: Options) -> None:
    """Train, and leave the model in `out`."""
    tokenizer = build_tokenizer(options)
    model = build_model(options, tokenizer)
    tokenizer.add_tokens(list(MARKS), special_tokens=True)
    model.resize_token_embeddings(len(tokenizer))
    rows = batches(options, tokenizer, holes)
    fit(options, model, rows, loss_of_answers, lambda: save(out, model, tokenizer))


def main() -> None:
    """Read the options from the command line and train."""
    train(*parsed_options("Train nano to fill in the middle.", DEFAULTS, "folder for the weights and the tokenizer"))


if __name__ == "__main__":
    main()
