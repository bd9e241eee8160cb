"""The other direction: is what the automaton writes valid? Texts walked at random through the automata of real schemas.

Each schema gives its byte-shortest text and random walks of different lengths, each completed by the shortest way;
every text is judged by `jsonschema` with formats asserted. Texts it cannot judge (numbers beyond doubles) are counted
apart.

    python -m benchmarks samples --schemas 500 --texts 15
"""

from __future__ import annotations

import argparse
import json
from decimal import Decimal
from random import Random
from typing import Any

from benchmarks.data import maskbench, write_results
from structgen.distinct import Automaton, automaton_of
from structgen.errors import StructgenError
from structgen.grammars.json_schema import compile_schema
from structgen.grammars.json_schema.style import JsonStyle
from structgen.kernels.layout import START
from structgen.warmup import ensure_compiled

LENGTHS = (5, 20, 80, 300)  # steps of a walk before it is brought to its end


def walk(automaton: Automaton, rng: Random, steps: int) -> bytes:
    """A text of about `steps` random bytes. Structure is preferred to letters: else walks end in the first string."""
    state, text = START, bytearray()
    for _ in range(steps):
        live = automaton.live_bytes(state)
        if not live:
            break
        ends = [byte for byte in live if byte in b'"{}[]:,']
        byte = rng.choice(ends) if ends and rng.random() < 0.6 else rng.choice(live)
        text.append(byte)
        state = automaton.advance(state, bytes((byte,)))
    return bytes(text) + automaton.shortest(state)


def parsed(text: bytes) -> tuple[Any, bool]:
    """The value, and whether `jsonschema` can judge it: its numbers are doubles."""
    fits = True

    def number(digits: str) -> float:
        nonlocal fits
        exact = Decimal(digits)
        fits = fits and abs(exact.adjusted()) < 290 and Decimal(repr(float(digits))) == exact
        return float(digits)

    return json.loads(text, parse_float=number), fits


def main() -> None:
    """Sample, judge, print the counts and the first texts that are not valid."""
    from jsonschema.validators import validator_for

    parser = argparse.ArgumentParser(prog="python -m benchmarks samples")
    parser.add_argument("--schemas", type=int, default=500)
    parser.add_argument("--texts", type=int, default=15, help="walks per schema")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--style", choices=("default", "any"), default="default")
    options = parser.parse_args()
    ensure_compiled()
    rng, style = Random(options.seed), JsonStyle.any() if options.style == "any" else JsonStyle()
    count = {"schemas": 0, "texts": 0, "valid": 0, "invalid": 0, "not judged": 0, "cut off": 0}
    details = []
    for row in maskbench(options.schemas, options.seed):
        try:
            automaton = automaton_of(compile_schema(row["schema"], style=style).grammar)
        except StructgenError:
            continue
        count["schemas"] += 1
        validator = validator_for(row["schema"])
        judge = validator(row["schema"], format_checker=validator.FORMAT_CHECKER)
        for number in range(options.texts + 1):
            try:
                text = walk(automaton, rng, LENGTHS[number % len(LENGTHS)] if number else 0)
            except StructgenError:
                count["cut off"] += 1
                continue
            value, fits = parsed(text)
            count["texts"] += 1
            verdict = "not judged" if not fits else "valid" if judge.is_valid(value) else "invalid"
            count[verdict] += 1
            if verdict == "invalid":
                reason = next(iter(judge.iter_errors(value))).message[:200]
                details.append({"id": row["id"], "text": text.decode("utf-8", "replace")[:500], "reason": reason})
    record = count | {"seed": options.seed, "style": options.style, "texts_per_schema": options.texts}
    print(json.dumps(record))
    for detail in details[:10]:
        print(json.dumps(detail))
    write_results("samples", [record, *details])


if __name__ == "__main__":
    main()
