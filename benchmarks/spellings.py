"""Which spellings of JSON each engine takes: what makes two languages comparable.

Engines differ in blanks, in numbers, in escapes and in the order of properties, and a narrower language is a smaller
automaton. `structgen@NAME` is the style of ours that is nearest to what NAME takes by default (engines.styles); this
table shows where they still differ.

    python -m benchmarks spellings
"""

from __future__ import annotations

import argparse
from typing import Any

from benchmarks import tokenizers
from benchmarks.data import write_results
from benchmarks.engines import Engine, engine_of
from benchmarks.tables import table
from benchmarks.tokenizers import Tokenizer

_TWO = {"properties": {"a": {"type": "number"}, "b": {"type": "string"}}, "required": ["a"]}
CLOSED = {"type": "object", **_TWO, "additionalProperties": False}
COUNT = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a", "b"]}
CASES: list[tuple[str, Any, str]] = [
    ("as json.dumps", CLOSED, '{"a": 1, "b": "x"}'),
    ("no blanks", CLOSED, '{"a":1,"b":"x"}'),
    ("indented", CLOSED, '{\n  "a": 1\n}'),
    ("blanks anywhere inside", CLOSED, '{ "a" :  1 }'),
    ("blanks around all", CLOSED, ' {"a": 1} '),
    ("exponents", CLOSED, '{"a": 1e5}'),
    ("minus zero", CLOSED, '{"a": -0}'),
    ("integers as 1.0", COUNT, '{"a": 1.0, "b": 2}'),
    ("integers as 1e2", COUNT, '{"a": 1e2, "b": 2}'),
    (r"\n in a string", CLOSED, '{"a": 1, "b": "\\n"}'),
    (r"\/ in a string", CLOSED, '{"a": 1, "b": "\\/"}'),
    (r"\u0041 in a string", CLOSED, '{"a": 1, "b": "\\u0041"}'),
    (r"\u0061 in a key", CLOSED, '{"\\u0061": 1}'),
    ("beyond ASCII", CLOSED, '{"a": 1, "b": "é"}'),
    ("another order", COUNT, '{"b": 1, "a": 2}'),
    ("other keys behind", COUNT, '{"a": 1, "b": 2, "c": 3}'),
    ("other keys between", COUNT, '{"a": 1, "c": 3, "b": 2}'),
]
ENGINES = (
    "structgen,structgen@any,llguidance,structgen@llguidance,glrmask,structgen@glrmask,xgrammar,structgen@xgrammar"
)


def takes(engine: Engine, tokenizer: Tokenizer, schema: Any, text: str) -> bool:
    """Whether an engine takes a whole text."""
    engine.start(engine.compile(schema))
    for token in tokenizer.encode(text):
        engine.mask()
        if not (engine.allowed(token) and engine.commit(token)):
            return False
    return engine.complete()


def main() -> None:
    """Parse options, try every case, print the table, write benchmarks/results/spellings.jsonl."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks spellings", description=__doc__.split("\n")[0])
    parser.add_argument("--engines", default=ENGINES)
    parser.add_argument("--tokenizer", default="llama3", choices=tokenizers.NAMES)
    options = parser.parse_args()
    tokenizer, names = tokenizers.load(options.tokenizer), options.engines.split(",")
    engines = [engine_of(name, tokenizer) for name in names]
    records = [
        {"spelling": name, "text": text, "taken": [takes(engine, tokenizer, schema, text) for engine in engines]}
        for name, schema, text in CASES
    ]
    path = write_results("spellings", [{"settings": {"engines": names}}, *records])
    print(spellings([{"settings": {"engines": names}}, *records]))
    print(f"written to {path.relative_to(path.parents[2])}")


def spellings(records: list[dict[str, Any]]) -> str:
    """The page's section."""
    names = records[0]["settings"]["engines"]
    rows = [[r["spelling"], *("yes" if taken else "-" for taken in r["taken"])] for r in records[1:]]
    note = "A style of ours that is named after a peer is the nearest to what the peer takes by default."
    return f"`python -m benchmarks spellings`. {note}\n\n{table(['spelling', *names], rows)}"
