"""From weights to figures: how much of held-out exercises nano gets right.

    python -m benchmarks.nano_score [--model DIR] [--count 400] [--constrained]

Exercises come from `facts` with names and made-up words that training never used; a second set of sentences was
written by hand. Two shares are reported per sort of exercise: outputs that are valid under their schema, and fields
that are right, where a field is a leaf of the expected or of the written value (an array of plain values is one
leaf), so that a leaf too many counts as wrong. Decoding is greedy. Cost: some ten exercises a second on two cores.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

import jsonschema
import torch

from structgen.nano import path
from structgen.nano.facts import Exercise, exercises
from structgen.nano.prompts import EOS, prompt_text

__all__ = ["by_hand", "main", "report", "score"]

SORTS: Final = ("extraction", "record", "list", "tool")
_MISSING: Final = object()
_TYPES: Final[dict[str, dict[str, Any]]] = {
    "s": {"type": "string"},
    "i": {"type": "integer"},
    "n": {"type": "number"},
    "b": {"type": "boolean"},
    "d": {"type": "string", "format": "date"},
    "a": {"type": "array", "items": {"type": "string"}},
}

# (fields as name:type, text, value)
_BY_HAND: Final[tuple[tuple[str, str, dict[str, Any]], ...]] = (
    ("name:s age:i city:s", "Ada Lovelace, 36, lives in London",
     {"name": "Ada Lovelace", "age": 36, "city": "London"}),
    ("name:s age:i", "Grace Hopper is 85 years old.", {"name": "Grace Hopper", "age": 85}),
    ("name:s city:s age:i", "My neighbour Bob Marsh, who is 52, moved to Lyon last spring.",
     {"name": "Bob Marsh", "city": "Lyon", "age": 52}),
    ("name:s email:s phone:s", "Contact Jonas Lind at jonas@lind.se or by phone: 555-0134.",
     {"name": "Jonas Lind", "email": "jonas@lind.se", "phone": "555-0134"}),
    ("product:s price:n in_stock:b", "The Aeron chair costs $899 and is in stock.",
     {"product": "Aeron chair", "price": 899, "in_stock": True}),
    ("product:s price:n color:s", "A red bicycle for 120.50 euros",
     {"product": "bicycle", "price": 120.5, "color": "red"}),
    ("title:s date:d city:s", "The PyCon conference takes place on 2025-05-14 in Pittsburgh.",
     {"title": "PyCon", "date": "2025-05-14", "city": "Pittsburgh"}),
    ("title:s author:s year:i", "Dune was written by Frank Herbert and published in 1965.",
     {"title": "Dune", "author": "Frank Herbert", "year": 1965}),
    ("origin:s destination:s date:d", "Flight AF123 leaves Paris for Tokyo on 3 March 2026.",
     {"origin": "Paris", "destination": "Tokyo", "date": "2026-03-03"}),
    ("city:s temperature:n", "It is 21.5 degrees in Madrid today.", {"city": "Madrid", "temperature": 21.5}),
    ("name:s hobbies:a", "Mia likes painting, chess and long walks.",
     {"name": "Mia", "hobbies": ["painting", "chess", "long walks"]}),
    ("guest:s nights:i breakfast:b", "Mr. Tanaka stays for 3 nights, without breakfast.",
     {"guest": "Mr. Tanaka", "nights": 3, "breakfast": False}),
)  # fmt: skip


def by_hand() -> list[Exercise]:
    """The sentences written by hand, none of which follows the phrases of the training text on purpose."""
    made = []
    for fields, text, value in _BY_HAND:
        properties = {name: _TYPES[kind] for name, kind in (field.split(":") for field in fields.split())}
        schema = {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }
        made.append(Exercise("by hand", schema, text, prompt_text(schema, text), value, json.dumps(value)))
    return made


def _leaves(value: Any, where: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        return {key: leaf for name, child in value.items() for key, leaf in _leaves(child, f"{where}/{name}").items()}
    if isinstance(value, list) and any(isinstance(child, dict) for child in value):
        return {key: leaf for i, child in enumerate(value) for key, leaf in _leaves(child, f"{where}/{i}").items()}
    return {where: value}


def _same(left: Any, right: Any) -> bool:
    return left == right and isinstance(left, bool) == isinstance(right, bool)


def score(exercise: Exercise, text: str) -> tuple[bool, int, int]:
    """Whether the output is valid under its schema, how many fields are right, and out of how many."""
    wanted = _leaves(exercise.value)
    try:
        value = json.loads(text)
    except ValueError:
        return False, 0, len(wanted)
    valid = jsonschema.Draft202012Validator(exercise.schema).is_valid(value)
    found = _leaves(value)
    right = sum(_same(found.get(key, _MISSING), leaf) for key, leaf in wanted.items())
    return valid, right, len(wanted.keys() | found.keys())


def _free_outputs(model: Any, tokenizer: Any, batch: Sequence[Exercise], limit: int) -> list[str]:
    """Greedy decoding without any constraint, all exercises of a batch at once."""
    encoded = tokenizer([one.prompt for one in batch], return_tensors="pt", padding=True, padding_side="left")
    with torch.inference_mode():
        written = model.generate(**encoded, do_sample=False, max_new_tokens=limit)
    answers = tokenizer.batch_decode(written[:, encoded["input_ids"].shape[1] :])
    return [answer.split(EOS)[0] for answer in answers]


def _constrained_outputs(model: Any, tokenizer: Any, batch: Sequence[Exercise], limit: int) -> list[str]:
    """Greedy decoding under the schema of each exercise."""
    import structgen

    return [
        structgen.generate_result(
            model,
            one.prompt,
            schema=one.schema,
            tokenizer=tokenizer,
            method="masked",
            temperature=0.0,
            max_tokens=limit,
        ).text
        for one in batch
    ]


def report(scored: Iterable[tuple[str, bool, int, int]]) -> dict[str, dict[str, float | int]]:
    """Shares per sort, and over all sorts but the sentences written by hand."""
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0, 0])
    for sort, valid, right, fields in scored:
        for key in (sort,) if sort == "by hand" else (sort, "all"):
            row = (1, int(valid), right, fields, int(right == fields))
            sums[key] = [old + new for old, new in zip(sums[key], row, strict=True)]
    return {
        sort: {
            "exercises": count,
            "valid": round(valid / count, 4),
            "fields_right": round(right / max(1, fields), 4),
            "all_right": round(whole / count, 4),
        }
        for sort, (count, valid, right, fields, whole) in sums.items()
    }


def evaluate(folder: Path, count: int, seed: str, constrained: bool, show: int) -> dict[str, Any]:
    """Write and score `count` held-out exercises of each sort, and those written by hand."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model.eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    outputs = _constrained_outputs if constrained else _free_outputs
    scored: list[tuple[str, bool, int, int]] = []
    for sort in (*SORTS, "by hand"):
        known = by_hand() if sort == "by hand" else list(islice(exercises(seed, held_out=True, sort=sort), count))
        known.sort(key=lambda one: len(one.prompt))
        shown = 0
        for start in range(0, len(known), 50):
            batch = known[start : start + 50]
            for one, text in zip(batch, outputs(model, tokenizer, batch, 256), strict=True):
                scored.append((sort, *score(one, text)))
                if scored[-1][2] < scored[-1][3] and shown < show:
                    shown += 1
                    sys.stdout.write(f"{one.prompt}\n  wanted  {one.answer}\n  written {text}\n")
    return {"constrained": constrained, "seed": seed, "sorts": report(scored)}


def main() -> None:
    """Read the options from the command line, print the figures as JSON and one readable line per sort."""
    parser = argparse.ArgumentParser(description="Measure nano on held-out exercises.")
    parser.add_argument("--model", type=Path, default=path(), help="folder of the weights; default: those shipped")
    parser.add_argument("--count", type=int, default=200, help="exercises of each sort")
    parser.add_argument("--seed", default="evaluate")
    parser.add_argument("--constrained", action="store_true", help="decode under the schema with structgen")
    parser.add_argument("--show", type=int, default=0, help="print so many outputs with wrong fields per sort")
    arguments = parser.parse_args()
    result = evaluate(arguments.model, arguments.count, arguments.seed, arguments.constrained, arguments.show)
    sys.stdout.write(json.dumps(result) + "\n")
    for sort, row in result["sorts"].items():
        shares = "  ".join(f"{name} {row[name]:7.1%}" for name in ("valid", "fields_right", "all_right"))
        sys.stdout.write(f"{sort:12} {row['exercises']:5} exercises  {shares}\n")


if __name__ == "__main__":
    main()
