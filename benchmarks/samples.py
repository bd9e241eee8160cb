"""The other direction: is what the automaton writes valid? Texts written by the automata of real schemas.

Each schema gives its byte-shortest text, random walks of different lengths, and long ones, each completed by the
shortest way. `jsonschema-rs` judges every text with formats asserted; what it calls invalid, and one text in ten of
the rest, goes to `jsonschema` as well. A text is invalid when both say so; where they contradict each other it is
listed as disputed (docs/json-schema.md settles the kinds of cases). Texts they cannot judge (numbers beyond doubles)
are counted apart.

    python -m benchmarks samples --texts 15                                  every schema of the set
    python -m benchmarks samples --schemas 500 --style any --processes 2     a sample, under the full standard

Finished parts are kept in a folder (`--parts`), so that a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from decimal import Decimal
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.data import Slow, at_most, maskbench, write_results
from structgen.errors import StructgenError
from structgen.grammars.json_schema import compile_schema
from structgen.grammars.json_schema.style import JsonStyle
from structgen.kernels.layout import START
from structgen.kinds import automaton_of
from structgen.protocols import LazyAutomaton
from structgen.warmup import ensure_compiled

LENGTHS = (0, 5, 20, 80, 300, 1500)  # steps of a walk before it is brought to its end
CHUNK = 50  # schemas to a part
SECONDS = 20  # per schema
Part = tuple[dict[str, int], list[dict[str, Any]]]


def walk(automaton: LazyAutomaton, rng: Random, steps: int) -> bytes:
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
    """The value, and whether the judges see the same: its numbers are doubles."""
    fits = True

    def number(digits: str) -> float:
        nonlocal fits
        exact = Decimal(digits)
        fits = fits and abs(exact.adjusted()) < 290 and Decimal(repr(float(digits))) == exact
        return float(digits)

    def integer(digits: str) -> int:
        nonlocal fits
        fits = fits and abs(int(digits)) <= 1 << 53  # beyond, the judges divide by multipleOf as doubles
        return int(digits)

    return json.loads(text, parse_float=number, parse_int=integer), fits


def judges(schema: Any) -> Callable[[Any, bool], str]:
    """(value, whether both are to be asked) -> valid, invalid, disputed, or not judged."""
    import jsonschema_rs
    from jsonschema.validators import Draft201909Validator, Draft202012Validator, validator_for

    cls = validator_for(schema, default=Draft202012Validator)
    slow = cls(schema, format_checker=cls.FORMAT_CHECKER)
    if "dependencies" in json.dumps(schema) and cls in (Draft201909Validator, Draft202012Validator):
        return lambda value, both: "valid" if slow.is_valid(value) else "invalid"  # jsonschema-rs asserts it there too
    try:
        fast = jsonschema_rs.validator_for(schema, validate_formats=True)
    except (ValueError, jsonschema_rs.ReferencingError):  # patterns it does not read, documents it does not have
        return lambda value, both: "valid" if slow.is_valid(value) else "invalid"

    def verdict(value: Any, both: bool) -> str:
        first = fast.is_valid(value)
        if first and not both:
            return "valid"
        second = slow.is_valid(value)
        return "disputed" if first != second else "valid" if first else "invalid"

    return verdict


def sample(row: dict[str, Any], texts: int, style: JsonStyle, seed: int, count: Counter[str]) -> list[dict[str, Any]]:
    """Write and judge `texts` texts of a schema; what is not valid. `count` gets the verdicts."""
    try:
        automaton = automaton_of(compile_schema(row["schema"], style=style).grammar)
    except StructgenError:
        count["refused"] += 1
        return []
    count["schemas"] += 1
    rng, verdict, details = Random(f"{seed} {row['id']}"), judges(row["schema"]), []
    for number in range(texts):
        try:
            text = walk(automaton, rng, LENGTHS[number % len(LENGTHS)])
        except StructgenError:
            count["cut off"] += 1
            continue
        count["texts"] += 1
        value, fits = parsed(text)
        found = verdict(value, number % 10 == 0) if fits else "not judged"
        count[found] += 1
        if found in ("invalid", "disputed"):
            details.append({"id": row["id"], "verdict": found, "text": text.decode("utf-8", "replace")[:500]})
    return details


def part(texts: int, style: JsonStyle, seed: int, folder: Path | None, numbered: tuple[int, list[Any]]) -> Part:
    """The counts and details of one chunk of rows; read from its file where it is finished."""
    number, rows = numbered
    path = None if folder is None else folder / f"{number}.json"
    if path is not None and path.exists():
        kept: Part = tuple(json.loads(path.read_text()))  # type: ignore[assignment]
        return kept
    count: Counter[str] = Counter()
    details: list[dict[str, Any]] = []
    for row in rows:
        try:
            with at_most(SECONDS):
                details += sample(row, texts, style, seed, count)
        except Slow:
            count["slow"] += 1
    if path is not None:
        path.write_text(json.dumps([count, details]))
    return dict(count), details


def main() -> None:
    """Sample, judge, print the counts and the first texts that are not valid."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks samples")
    parser.add_argument("--schemas", type=int, default=None)
    parser.add_argument("--texts", type=int, default=15, help="per schema")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--style", choices=("default", "any"), default="default")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--parts", type=Path, default=None, help="folder of finished parts, to go on after a stop")
    options = parser.parse_args()
    ensure_compiled()
    style = JsonStyle.any() if options.style == "any" else JsonStyle()
    rows = maskbench(options.schemas, options.seed)
    chunks = [rows[at : at + CHUNK] for at in range(0, len(rows), CHUNK)]
    if options.parts is not None:
        options.parts.mkdir(parents=True, exist_ok=True)
    work = partial(part, options.texts, style, options.seed, options.parts)
    count: Counter[str] = Counter()
    details: list[dict[str, Any]] = []
    with ProcessPoolExecutor(options.processes) as pool:
        for counted, found in pool.map(work, enumerate(chunks)):
            count.update(counted)
            details += found
    record = {**count, "seed": options.seed, "style": options.style, "texts_per_schema": options.texts}
    print(json.dumps(record))
    for detail in details[:10]:
        print(json.dumps(detail))
    write_results("samples" if options.style == "default" else f"samples-{options.style}", [record, *details])


if __name__ == "__main__":
    main()
