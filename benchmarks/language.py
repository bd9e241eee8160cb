"""Is the language of a compiled schema the schema? Every instance of the real schemas, byte by byte, without tokens.

Counts schemas that compile, are refused (by keyword), have every instance right, reject a valid instance or accept an
invalid one. A label that `jsonschema` with formats asserted contradicts is counted apart, as a defect of the data.

    python -m benchmarks language               the full standard (JsonStyle.any()), any property order
    python -m benchmarks language --declared    the same, but properties in declared order
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from dataclasses import replace
from typing import Any

from benchmarks.data import Slow, at_most, group, maskbench, summary, write_results
from structgen.errors import LimitExceeded, StructgenError
from structgen.grammars.json_schema import compile_schema
from structgen.grammars.json_schema.style import JsonStyle
from structgen.kernels.layout import START
from structgen.kinds import automaton_of
from structgen.warmup import ensure_compiled


def oracle_agrees(schema: Any, test: dict[str, Any]) -> bool:
    """Whether `jsonschema`, formats asserted, judges the instance as its label does."""
    from jsonschema.validators import validator_for

    cls = validator_for(schema)
    return bool(cls(schema, format_checker=cls.FORMAT_CHECKER).is_valid(test["data"])) == test["valid"]


def judge(row: dict[str, Any], style: JsonStyle) -> dict[str, Any]:
    """Outcome of one schema: compiled or why not, and every instance whose verdict differs from its label."""
    out: dict[str, Any] = {"id": row["id"], "group": group(row["id"])}
    started = time.perf_counter()
    try:
        automaton = automaton_of(compile_schema(row["schema"], style=style).grammar)
    except StructgenError as error:
        place = {"error": type(error).__name__, "reason": str(error)[:160], "keyword": getattr(error, "keyword", None)}
        if isinstance(error, LimitExceeded):
            place["keyword"] = error.limit
        return {**out, **place, "compile_ms": (time.perf_counter() - started) * 1e3}
    out["compile_ms"] = (time.perf_counter() - started) * 1e3
    wrong = []
    for number, test in enumerate(row["tests"]):
        text = json.dumps(test["data"], ensure_ascii=False).encode("utf-8", "surrogatepass")
        accepted = automaton.is_accepting(automaton.advance(START, text))
        if accepted != test["valid"]:
            kind = "valid rejected" if test["valid"] else "invalid accepted"
            wrong.append({"instance": number, "kind": kind, "defect": not oracle_agrees(row["schema"], test)})
    return {**out, "wrong": wrong}


def main() -> None:
    """Run all schemas (or a sample), print the counts, write benchmarks/results/language*.jsonl."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks language")
    parser.add_argument("--declared", action="store_true", help="properties in declared order only")
    parser.add_argument("--schemas", type=int, default=None)
    parser.add_argument("--seconds", type=int, default=20, help="per schema; what takes longer is counted as Slow")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    style = replace(JsonStyle.any(), property_order="declared") if options.declared else JsonStyle.any()
    ensure_compiled()  # not the first schema's time
    rows = maskbench(options.schemas, options.seed)
    outcomes = []
    for number, row in enumerate(rows):
        try:
            with at_most(options.seconds):
                outcomes.append(judge(row, style))
        except Slow as slow:
            late = {"id": row["id"], "group": group(row["id"]), "error": "Slow", "reason": str(slow), "keyword": "time"}
            outcomes.append({**late, "compile_ms": 1e3 * options.seconds})
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{number + 1}/{len(rows)} ")
    record = counts(outcomes) | {"style": "declared" if options.declared else "any", "schemas": len(rows)}
    print(json.dumps(record, indent=1))
    details = [o for o in outcomes if "error" in o or o["wrong"]]
    write_results("language-declared" if options.declared else "language", [record, *details])


def counts(outcomes: list[dict[str, Any]]) -> dict[str, Any]:
    """Totals over all schemas."""
    compiled = [o for o in outcomes if "error" not in o]
    refused = [o for o in outcomes if "error" in o]

    def with_wrong(kind: str, defect: bool) -> int:
        return sum(any(w["kind"] == kind and w["defect"] == defect for w in o["wrong"]) for o in compiled)

    return {
        "compiled": len(compiled),
        "every_instance_right": sum(not o["wrong"] for o in compiled),
        "valid_rejected": with_wrong("valid rejected", False),
        "invalid_accepted": with_wrong("invalid accepted", False),
        "label_defects": with_wrong("valid rejected", True) + with_wrong("invalid accepted", True),
        "refused": len(refused),
        "refused_by_error": dict(Counter(o["error"] for o in refused).most_common()),
        "refused_by_keyword": dict(Counter(str(o["keyword"]) for o in refused).most_common()),
        "compile_ms": summary([o["compile_ms"] for o in compiled]),
    }


if __name__ == "__main__":
    main()
