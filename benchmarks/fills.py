"""What small models of ours write into canvases and holes, with and without a constraint.

    python -m benchmarks fills [--count 40] [--holes 12] [--models smollm2,DIR] [--seed 0]

`diffusion`: the bundled diffusion model on held-out exercises (names and made-up words that training never used) by
steps: the surest tokens as such models are run, and the likeliest valid fill. Valid is what jsonschema says, right is
the expected value. `holes`: a hole of 8 to 40 characters somewhere in JSON, SQL and Python files that
benchmarks/corpora.py writes, filled without a constraint, which ends a hole by the same rules, and under the corpus's
grammar; at most 24 tokens, greedy. Valid is what json, sqlite3 and ast say. A model DIR that names tokens to fill in
the middle, as `structgen.nano.train_fim` makes one, is given both sides.
"""

from __future__ import annotations

import argparse
import ast
import json
import random
import sqlite3
import time
import warnings
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import jsonschema

import structgen as sg
from benchmarks.corpora import CORPORA
from benchmarks.data import write_results
from structgen.engines.loading import load_tokenizer
from structgen.errors import CompletedWarning
from structgen.infilling.canvas import Canvas
from structgen.infilling.denoise import denoise
from structgen.nano import path, vocabulary
from structgen.nano.diffusion import Denoiser, likeliest_tokens, load
from structgen.nano.facts import exercises

STEPS, SLOTS, TOKENS = (32, 16, 8, 4, 2, 1), 40, 24


def _text(vocabulary: sg.Vocabulary, tokens: list[int]) -> str:
    end = next((at for at, token in enumerate(tokens) if token in vocabulary.stop_ids), len(tokens))
    return vocabulary.decode(tokens[:end]).decode("utf-8", "replace")


def diffusion(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Valid and right texts by steps."""
    model, tokens_of = load(), load_tokenizer(path(), local_files_only=True)
    style = sg.JsonStyle("json_dumps", max_digits=None)
    for sort in ("extraction", "record"):
        chosen = list(islice(exercises(f"fills:{seed}", held_out=True, size=2, sort=sort), count))
        for steps in STEPS:
            record: dict[str, Any] = {"part": "diffusion", "sort": sort, "steps": steps, "texts": count}
            for way in (_plain, _constrained):
                found = [_judged(one, way(model, tokens_of, one, steps, style)) for one in chosen]
                record |= {f"{way.__name__[1:]}_{what}": sum(each[i] for each in found) for i, what in enumerate(WHAT)}
            yield record


WHAT = ("valid", "right")


def _judged(one: Any, text: str) -> tuple[bool, bool]:
    """Whether a text is valid, and whether it is the expected value."""
    try:
        value = json.loads(text)
        jsonschema.validate(value, one.schema)
    except (ValueError, jsonschema.ValidationError):
        return False, False
    return True, value == one.value


def _prompt(tokens_of: Any, one: Any) -> list[int]:
    return list(tokens_of(one.prompt, add_special_tokens=False)["input_ids"])


def _plain(model: Denoiser, tokens_of: Any, one: Any, steps: int, style: sg.JsonStyle) -> str:
    *_, last = likeliest_tokens(model, _prompt(tokens_of, one), SLOTS, steps)
    return _text(vocabulary(), [token for token in last if token is not None])


def _constrained(model: Denoiser, tokens_of: Any, one: Any, steps: int, style: sg.JsonStyle) -> str:
    canvas = Canvas(sg.compile(vocabulary=vocabulary(), schema=one.schema, style=style), SLOTS)
    prompt = _prompt(tokens_of, one)
    asked: dict[str, Any] = {"prompt": prompt, "mask_id": model.mask_id, "shifted": True}
    return denoise(model, canvas, steps=steps, commit="best", **asked).text


def _is_sql(text: str) -> bool:
    """Whether sqlite3 finds no fault with the syntax."""
    try:
        sqlite3.connect(":memory:").execute(f"EXPLAIN {text}")
    except sqlite3.Error as error:
        return "no such" in str(error)
    return True


def _parses(read: Callable[[str], object]) -> Callable[[str], bool]:
    def judge(text: str) -> bool:
        try:
            read(text)
        except (ValueError, SyntaxError):
            return False
        return True

    return judge


JUDGES = {"json": _parses(json.loads), "sql": _is_sql, "python": _parses(ast.parse)}


def cut(corpus: Any, seed: int) -> list[Any]:
    """A text of the corpus with a hole; SQL of a single statement."""
    rng = random.Random(f"{corpus.name}:{seed}")
    while True:
        text = corpus.write(rng)
        if 60 <= len(text) <= 500 and JUDGES[corpus.name](text):
            size = rng.randint(8, 40)
            first = rng.randrange(1, len(text) - size)
            return [text[:first], sg.Hole, text[first + size :]]


def holes(model: str, count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Valid files by kind of text, without and with its grammar."""
    for corpus in (each for each in CORPORA if each.name in JUDGES):
        language, judge = sg.language(gbnf=corpus.grammar), JUDGES[corpus.name]
        record: dict[str, Any] = {"part": "holes", "model": model.rsplit("/", 1)[-1], "kind": corpus.name}
        for way, grammar in (("plain", None), ("constrained", language)):
            started, valid = time.perf_counter(), 0
            for number in range(count):
                parts = cut(corpus, seed * count + number)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", CompletedWarning)
                    found = sg.fill(model, parts, grammar=grammar, max_tokens=TOKENS, on_truncate="complete")
                assert found.text.startswith(parts[0]) and found.text.endswith(parts[2])
                valid += judge(found.text)
            record |= {f"{way}_valid": valid, f"{way}_s": (time.perf_counter() - started) / count}
        yield record | {"files": count}


def main() -> None:
    """Measure, print, write benchmarks/results/fills.jsonl."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--holes", type=int, default=12)
    parser.add_argument("--models", default="smollm2")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    models = arguments.models.split(",")
    records: list[dict[str, Any]] = [{"part": "settings", "count": arguments.count, "holes": arguments.holes}]
    parts = [diffusion(arguments.count, arguments.seed), *(holes(m, arguments.holes, arguments.seed) for m in models)]
    for part in parts:
        for record in part:
            records.append(record)
            print(json.dumps(record), flush=True)
    write_results("fills", records)


if __name__ == "__main__":
    main()
