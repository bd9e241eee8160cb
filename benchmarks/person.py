"""The first picture of docs/sampling.md: of outputs about a person, how many have the city right.

    python -m benchmarks person [--count 60] [--seed 1]

SmolLM2 reads a sentence and writes JSON under a schema, once by masked decoding and once exactly (`cars`). Both are
always valid; the model knows the city, and a mask that is applied token by token makes it forget.
Writes benchmarks/results/person.jsonl and docs/plots/city.svg.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from typing import Any

from benchmarks.data import ROOT, write_results
from structgen.engines.prefixes import PrefixModel
from structgen.samplers.problem import Problem
from structgen.samplers.run import sample

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 20}, "city": {"type": "string", "maxLength": 20}},
    "required": ["name", "city"],
    "additionalProperties": False,
}
ASKED = "Extract the facts from this text as JSON.\n\nAnna Rossi, who is 28, lives in Rome."
CITY = "Rome"
PICTURE = ROOT / "docs" / "plots" / "city.svg"
RIGHT, WRONG, INK = "#1f77b4", "#d9d9d9", "#333333"
_STEP, _RADIUS, _LEFT, _ACROSS = 18, 6.5, 150, 20


def main() -> None:
    """Draw outputs, print, write the records and the picture."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks person")
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    problem = person_problem()
    records = []
    for method in ("masked", "cars"):
        result = sample(problem, options.count, method, seed=options.seed)
        cities = Counter(city(drawn.text) for drawn in result.samples)
        record = {"method": method, "count": len(result), "right": cities[CITY], "cities": cities.most_common(4)}
        record |= {"exact": result.exact, "log_z": result.log_evidence, "prefixes": result.stats.prefixes_scored}
        records.append(record)
        print(record)
    write_results("person", records)
    PICTURE.write_text(picture([(r["method"], r["right"], r["count"]) for r in records]))


def person_problem() -> Problem:
    """SmolLM2, the sentence and the schema."""
    import structgen as sg
    from structgen.api.models import engine_of

    engine = engine_of("smollm2")
    constraint = sg.compile(schema=SCHEMA, vocabulary=engine.vocabulary)
    return Problem(PrefixModel(engine), constraint, 48, prompt=engine.encode([{"role": "user", "content": ASKED}]))


def city(text: str) -> str | None:
    """What an output says; None for one that died."""
    try:
        return str(json.loads(text)["city"])
    except ValueError:
        return None


def picture(rows: list[tuple[str, int, int]]) -> str:
    """A dot for every output, filled where the city is right."""
    names = {"masked": "masked", "cars": "exact (cars)"}
    parts, y = [], 46
    for method, right, count in rows:
        lines = -(-count // _ACROSS)
        middle = y + (lines - 1) * _STEP / 2 + 5
        parts.append(f'<text x="{_LEFT - 22}" y="{middle}" text-anchor="end">{names[method]}</text>')
        for place in range(count):
            x, down = _LEFT + place % _ACROSS * _STEP, y + place // _ACROSS * _STEP
            parts.append(f'<circle cx="{x}" cy="{down}" r="{_RADIUS}" fill="{RIGHT if place < right else WRONG}"/>')
        end = _LEFT + _ACROSS * _STEP + 6
        parts.append(f'<text x="{end}" y="{middle}" font-weight="bold">{right} of {count}</text>')
        y += lines * _STEP + 22
    width, height = _LEFT + _ACROSS * _STEP + 90, y - 8
    title = "Outputs of SmolLM2 in which the city is right; all are valid"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    style = f'font-family="sans-serif" font-size="14" fill="{INK}"'
    body = "\n".join(parts)
    ground = f'<rect width="{width}" height="{height}" fill="white"/>'
    return f'{head} {style}>\n<title>{title}</title>\n{ground}\n<text x="16" y="22">{title}</text>\n{body}\n</svg>\n'


if __name__ == "__main__":
    main()
