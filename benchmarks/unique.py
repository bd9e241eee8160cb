"""What a mask costs beside `uniqueItems`: processor time, at depth, under every style.

Every schema is walked along texts of its values, and along random texts that like to begin an element as an earlier one
begins: there a mask has to think. Every mask is a first visit: constraints are compiled anew for a walk. What is made
once per vocabulary is made before; a commit is timed apart. A walk that ends in LimitExceeded counts as given up.

    python -m benchmarks unique [--walks 4] [--steps 120] [--only NAME]
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections.abc import Iterator
from random import Random
from typing import Any

import numpy as np

from benchmarks.data import summary, write_results
from benchmarks.tokenizers import Tokenizer, load
from structgen.bits import ids_of
from structgen.compiler import compile_grammar
from structgen.errors import LimitExceeded
from structgen.grammars.json_schema import JsonStyle, compile_schema
from structgen.matcher import Constraint

STYLES = {
    "default": JsonStyle(),
    "blanks": JsonStyle(whitespace="any"),
    "numbers": JsonStyle(numbers="any"),
    "escapes": JsonStyle(escapes="any"),
    "any": JsonStyle.any(),
}
STRING, INTEGER = {"type": "string"}, {"type": "integer"}


def distinct(items: Any, **more: Any) -> dict[str, Any]:
    """The schema of arrays of distinct elements."""
    return {"type": "array", "uniqueItems": True, "items": items, **more}


def closed(**properties: Any) -> dict[str, Any]:
    """The schema of objects with all of these properties and no others."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


WORDS = ["red", "green", "reddish", "blue", "greenish", "redder"]
TERM = {"type": "object", "properties": {"term": STRING, "uses": {"type": "array", "items": STRING}}}
# name -> schema, values of it
CASES: dict[str, tuple[Any, list[Any]]] = {
    "strings": (distinct(STRING), [[f"name {i}" for i in range(12)]]),
    "strings, long": (
        distinct(STRING),
        [[f"{i} once upon a time" * 6 for i in range(9)]],
    ),
    "strings, short": (distinct({"type": "string", "maxLength": 2}), [["a", "ab", "b", "", "zz", "é"]]),
    "strings, pattern": (distinct({"type": "string", "pattern": "^[a-f]{1,3}$"}), [["a", "ab", "abc", "f"]]),
    "e-mail": (distinct({"type": "string", "format": "email"}), [[f"ab{i}@example.org" for i in range(6)]]),
    "enum": (distinct({"enum": WORDS}), [WORDS, WORDS[::-1]]),
    "enum of 100": (distinct({"enum": [f"item-{i}" for i in range(100)]}), [[f"item-{i}" for i in range(0, 90, 7)]]),
    "integers": (distinct(INTEGER), [[1, 10, 100, -5, 0, 12345678901234567890]]),
    "numbers": (distinct({"type": "number"}), [[1, 1.5, 10.25, -5, 0.001]]),
    "integers to 100": (distinct({"type": "integer", "minimum": 0, "maximum": 100}), [list(range(0, 100, 9))]),
    "integers to 1000": (distinct({"type": "integer", "minimum": 1, "maximum": 1000}), [list(range(1, 100, 9))]),
    "six of 1000": (
        distinct({"type": "integer", "minimum": 1, "maximum": 1000}, minItems=6, maxItems=6),
        [[1, 10, 100, 1000, 11, 2]],
    ),
    "all of a range of 70": (
        distinct({"type": "integer", "minimum": 1, "maximum": 70}, minItems=70),
        [list(range(1, 71)), list(range(70, 0, -1))],
    ),
    "booleans": (distinct({"type": "boolean"}), [[True, False], [False]]),
    "booleans in arrays": (
        distinct({"type": "array", "items": {"type": "boolean"}, "maxItems": 2}),
        [[[True], [False], [], [True, True], [True, False], [False, True], [False, False]]],
    ),
    "three booleans each": (
        distinct({"type": "array", "items": {"type": "boolean"}, "minItems": 3, "maxItems": 3}, minItems=8),
        [[[bool(i & 4), bool(i & 2), bool(i & 1)] for i in range(8)]],
    ),
    "flags": (
        distinct(closed(a={"type": "boolean"}, b={"type": "boolean"}, c={"type": "boolean"}), minItems=8),
        [[{"a": bool(i & 4), "b": bool(i & 2), "c": bool(i & 1)} for i in range(8)]],
    ),
    "optional flags": (
        distinct(
            {"type": "object", "properties": {n: {"type": "boolean"} for n in "abcd"}, "additionalProperties": False}
        ),
        [[{"a": True}, {"a": False}, {}, {"a": True, "b": True}, {"b": True}, {"d": False}, {"a": True, "d": False}]],
    ),
    "pairs of 1 to 9": (
        distinct(distinct({"type": "integer", "minimum": 1, "maximum": 9}, minItems=2, maxItems=2)),
        [[[i, j] for i in range(1, 5) for j in range(1, 5) if i != j]],
    ),
    "pairs of integers": (
        distinct({"type": "array", "items": INTEGER, "minItems": 2, "maxItems": 2}),
        [[[i, j * 10] for i in range(3) for j in range(3)]],
    ),
    "lists of strings": (
        distinct({"type": "array", "items": STRING}),
        [[["a", "b"], ["a"], [], ["a", "b", "c"], ["b"]]],
    ),
    "unique in unique": (distinct(distinct(STRING)), [[["a", "b"], ["a"], ["b", "a"], ["a", "b", "c"], ["b"]]]),
    "three deep": (
        distinct(distinct(distinct(STRING))),
        [[[["a", "b"], ["a"]], [["a", "b"]], [[], ["a"]], [["a", "b"], ["a"], ["c"]]]],
    ),
    "objects": (
        distinct(TERM),
        [[{"term": f"t{k}", "uses": ["once upon a time", f"and {k}"]} for k in range(6)] + [{}, {"term": "t1"}]],
    ),
    "objects, closed": (
        distinct(closed(id=INTEGER, name=STRING)),
        [[{"id": k // 2, "name": f"n{k % 2}"} for k in range(8)]],
    ),
    "objects of objects": (
        distinct(
            {"type": "object", "properties": {"a": {"type": "object", "properties": {"b": STRING, "c": INTEGER}}}}
        ),
        [[{"a": {"b": "x", "c": k}} for k in range(5)] + [{"a": {}}, {}]],
    ),
    "maps": (
        distinct({"type": "object", "additionalProperties": INTEGER}),
        [[{"x": 1}, {"x": 2}, {"y": 1}, {"x": 1, "y": 1}, {}]],
    ),
    "in a property": (
        {
            "type": "object",
            "properties": {"a": {"type": "object", "properties": {"tags": distinct(STRING), "n": INTEGER}}},
        },
        [{"a": {"tags": ["one", "two", "three", "on"], "n": 5}}],
    ),
    "in properties of elements": (
        distinct({"type": "object", "properties": {"id": INTEGER, "tags": distinct(STRING)}}),
        [[{"id": k // 3, "tags": ["one", "two", f"t{k}"]} for k in range(6)]],
    ),
    "in any elements": (
        {"type": "array", "items": {"type": "object", "properties": {"tags": distinct({"enum": WORDS})}}},
        [[{"tags": WORDS[:3]}, {"tags": WORDS[3:]}]],
    ),
    "null or numbers": (
        distinct({"type": ["null", "boolean", "integer", "string"]}),
        [[None, True, False, 1, "a", 10, "ab"]],
    ),
    "anything": (
        {"type": "array", "uniqueItems": True},
        [[1, "a", {"a": [1, 2]}, [1, [2]], None, True, {"a": [1]}, {}, [], [[]], {"b": "text", "a": [1, 2]}, 10, "ab"]],
    ),
    "anything, nested": (
        distinct({"type": "array", "uniqueItems": True}),
        [[[1, "a"], ["a", 1], [{"a": 1}, {"a": 1, "b": 2}], [[1], [1, 2]], []]],
    ),
    "anything in a property": (
        {"type": "object", "properties": {"values": {"uniqueItems": True}}, "required": ["values"]},
        [{"values": [{"a": [1, 2, {"b": None}]}, {"a": [1, 2, {"b": 1}]}, 5, "x"]}],
    ),
}


STRUCTURE = (
    '"',
    '",',
    "],",
    "},",
    "[",
    "{",
    "1",
    "0",
    ",",
    ", ",
    "]",
    "}",
    '["',
    '{"',
    "true",
    "false",
    ' "',
    "a",
    "red",
)


def texts(value: Any, style: str) -> Iterator[str]:
    """Spellings of a value, some of which only some styles allow: there a walk stops."""
    yield json.dumps(value, ensure_ascii=False)
    yield json.dumps(value, indent=3)
    if style in ("escapes", "any"):
        yield json.dumps(value).replace("n", "\\u006e")


class Walk:
    """Masks and commits along one text: `mask_ms`, `commit_ms`; `slowest`: the text before the slowest mask."""

    def __init__(self, constraint: Constraint) -> None:
        self.matcher, self.constraint = constraint.matcher(), constraint
        self.mask_ms: list[float] = []
        self.commit_ms: list[float] = []
        self.text, self.slowest = b"", b""

    def mask(self) -> Any:
        """The mask here."""
        started = time.thread_time()
        mask = self.matcher.mask()
        self.mask_ms.append(1e3 * (time.thread_time() - started))
        if self.mask_ms[-1] == max(self.mask_ms):
            self.slowest = self.text
        return mask

    def commit(self, token: int) -> None:
        """Take a token that the mask allows."""
        started = time.thread_time()
        accepted = self.matcher.accept(token)
        self.commit_ms.append(1e3 * (time.thread_time() - started))
        self.text += self.constraint.vocabulary.token_bytes(token)
        if not accepted:
            raise ValueError(f"token {token} is in the mask and not accepted, after {self.text!r}")


def is_allowed(mask: Any, token: int) -> bool:
    """Whether a token's bit is set."""
    return bool(mask[token >> 5] >> np.uint32(token & 31) & np.uint32(1))


def along(walk: Walk, tokens: list[int]) -> None:
    """Walk along tokens, as far as they are allowed."""
    for token in tokens:
        if not is_allowed(walk.mask(), token):
            return
        walk.commit(token)


def at_random(walk: Walk, structure: list[int], rng: Random, steps: int) -> None:
    """Walk along tokens drawn at random: those of the text so far again, those of structure, any."""
    written: list[int] = []
    for _ in range(steps):
        mask = walk.mask()
        again = [token for token in dict.fromkeys(written[-60:]) if is_allowed(mask, token)]
        plain = [token for token in structure if is_allowed(mask, token)]
        chosen = again if again and rng.random() < 0.6 else plain if plain and rng.random() < 0.9 else ids_of(mask)
        token = int(chosen[rng.randrange(len(chosen))])
        if token in walk.constraint.vocabulary.stop_ids:
            return
        walk.commit(token)
        written.append(token)


def measured(name: str, style: str, tokenizer: Tokenizer, walks: int, steps: int) -> dict[str, Any]:
    """The record of a case under a style."""
    schema, values = CASES[name]
    grammar = compile_schema(schema, style=STYLES[style]).grammar
    structure = [token for text in STRUCTURE for token in tokenizer.encode(text)[:1]]
    done: list[Walk] = []
    given_up: list[str] = []
    runs: list[Any] = [tokenizer.encode(text) for value in values for text in texts(value, style)]
    for run in [*runs, *(Random(f"{name} {walk}") for walk in range(walks))]:
        done.append(walk := Walk(compile_grammar(grammar, tokenizer.vocabulary)))
        try:
            if isinstance(run, list):
                along(walk, run)
            else:
                at_random(walk, structure, run, steps)
        except LimitExceeded as error:
            given_up.append(f"{error.limit}: {walk.text.decode('utf-8', 'replace')}")
    slowest = max(done, key=lambda walk: max(walk.mask_ms))
    return {
        "case": name,
        "style": style,
        "mask_ms": summary([figure for walk in done for figure in walk.mask_ms]),
        "commit_ms": summary([figure for walk in done for figure in walk.commit_ms]),
        "given_up": given_up,
        "slowest_after": slowest.slowest.decode("utf-8", "replace"),
    }


def main() -> None:
    """Measure, print, write benchmarks/results/unique.jsonl."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks unique")
    parser.add_argument("--walks", type=int, default=4, help="random texts of each schema and style")
    parser.add_argument("--steps", type=int, default=120, help="tokens of each")
    parser.add_argument("--only", help="the name of one case")
    parser.add_argument("--style", choices=STYLES, help="one style alone")
    options = parser.parse_args()
    tokenizer, records = load("llama3"), []
    measured("strings", "default", tokenizer, 1, 20)  # what is made once per vocabulary
    gc.disable()  # collections fall anywhere; they are not what is measured
    for name in [options.only] if options.only else CASES:
        for style in [options.style] if options.style else STYLES:
            records.append(record := measured(name, style, tokenizer, options.walks, options.steps))
            mask, commit = record["mask_ms"], record["commit_ms"]
            figures = f"p50 {mask['p50']:6.2f} p99 {mask['p99']:6.2f} max {mask['max']:7.2f} ms"
            lost = f", {len(record['given_up'])} given up" if record["given_up"] else ""
            print(f"{name:26} {style:8} {mask['n']:5} {figures}, commit max {commit['max']:6.2f}{lost}", flush=True)
    masks = [record["mask_ms"] for record in records]
    over = sum(mask["max"] > 5 for mask in masks)
    lost = sum(len(record["given_up"]) for record in records)
    print(
        f"{sum(mask['n'] for mask in masks)} masks, slowest {max(mask['max'] for mask in masks):.2f} ms; "
        f"{over} of {len(masks)} cases with one over 5 ms; {lost} walks given up"
    )
    write_results("unique", records)


if __name__ == "__main__":
    main()
