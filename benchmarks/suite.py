"""The official JSON Schema test suite, drafts 4 to 2020-12, formats asserted: how many cases are judged right.

A case is right when the automaton accepts its instance exactly if the suite calls it valid; a schema refused as
unsatisfiable rejects everything. Everything runs under the full standard (`JsonStyle.any()`). Left out, and counted as
such, are the groups that ask for keywords to be ignored which are asserted here by choice: `format` as an annotation
(the suite's optional/format groups assert it), `dependencies` after draft 7; or the other way round: `content...` in
draft 7, which describes what a string holds.

    python -m benchmarks suite
    python -m benchmarks suite --engines llguidance xgrammar      the same cases through peers, token by token
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.data import shared, write_results
from structgen.errors import StructgenError, Unsatisfiable
from structgen.grammars.json_schema import compile_schema
from structgen.grammars.json_schema.style import JsonStyle
from structgen.grammars.regular import formats
from structgen.kernels.layout import START
from structgen.kinds import automaton_of
from structgen.warmup import ensure_compiled

DIALECT = {
    "draft4": "http://json-schema.org/draft-04/schema#",
    "draft6": "http://json-schema.org/draft-06/schema#",
    "draft7": "http://json-schema.org/draft-07/schema#",
    "draft2019-09": "https://json-schema.org/draft/2019-09/schema",
    "draft2020-12": "https://json-schema.org/draft/2020-12/schema",
}
LEFT_OUT = ("/format#", "optional/dependencies-compatibility", "optional/content")
Judge = Callable[[bytes], bool]


def groups() -> Iterator[dict[str, Any]]:
    """Rows {id, schema, tests} with the dialect written into the schema."""
    with gzip.open(shared() / "data" / "json-schema-suite-dev.jsonl.gz", "rt", encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            if isinstance(row["schema"], dict):
                row["schema"] = {"$schema": DIALECT[row["id"].split("/")[0]], **row["schema"]}
            yield row


def registry() -> Any:
    """The suite's remote documents and the meta-schemas."""
    import jsonschema_specifications
    from referencing import Resource
    from referencing.jsonschema import DRAFT202012

    remotes = json.loads((shared() / "data" / "json-schema-suite-remotes.json").read_text())
    documents = [(uri, Resource.from_contents(text, DRAFT202012)) for uri, text in remotes.items()]
    return jsonschema_specifications.REGISTRY.with_resources(documents)


def structgen_judge(known: Any) -> Callable[[Any], Judge]:
    """schema -> whether a text is accepted; raises StructgenError where the schema is refused."""

    def compiled(schema: Any) -> Judge:
        try:
            automaton = automaton_of(compile_schema(schema, style=JsonStyle.any(), registry=known).grammar)
        except Unsatisfiable:
            return lambda text: False
        return lambda text: automaton.is_accepting(automaton.advance(START, text))

    return compiled


def peer_judge(name: str) -> Callable[[Any], Judge]:
    """The same through another engine's masks; any of its errors is a refusal."""
    from benchmarks import tokenizers
    from benchmarks.engines import ENGINES

    tokenizer = tokenizers.load("llama3")
    engine: Any = ENGINES[name](tokenizer)

    def compiled(schema: Any) -> Judge:
        try:
            constraint = engine.compile(schema)
        except (ValueError, RuntimeError) as error:
            raise StructgenError(str(error)) from error

        def accepts(text: bytes) -> bool:
            engine.start(constraint)
            for token in tokenizer.encode(text.decode("utf-8", "replace")):
                engine.mask()
                if not engine.allowed(token) or not engine.commit(token):
                    return False
            return bool(engine.complete())

        return accepts

    return compiled


def measure(compiled: Callable[[Any], Judge]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Counts over all cases, and every case that is not right."""
    count: Counter[str] = Counter()
    keywords: Counter[str] = Counter()
    details: list[dict[str, Any]] = []
    for row in groups():
        tests = row["tests"]
        if any(part in row["id"] and "optional/format" not in row["id"] for part in LEFT_OUT):
            count["left out"] += len(tests)
            continue
        try:
            accepts = compiled(row["schema"])
        except StructgenError as error:
            count["refused"] += len(tests)
            keywords[str(getattr(error, "keyword", None) or getattr(error, "limit", None))] += len(tests)
            details.append({"id": row["id"], "refused": str(error)[:160], "cases": len(tests)})
            continue
        narrower = isinstance(row["schema"], dict) and row["schema"].get("format") in formats.NARROWER
        for number, test in enumerate(tests):
            text = json.dumps(test["data"], ensure_ascii=False).encode("utf-8", "surrogatepass")
            if accepts(text) == test["valid"]:
                count["right"] += 1
                continue
            kind = "invalid accepted" if not test["valid"] else "valid rejected"
            count[kind + (" (named format)" if narrower and test["valid"] else "")] += 1
            details.append({"id": row["id"], "case": number, "kind": kind, "description": test["description"]})
    total = sum(count.values()) - count["left out"]
    share = round(count["right"] / total, 4)
    return {"cases": total, "right_share": share, **count, "refused_by_keyword": dict(keywords.most_common())}, details


def table(records: list[dict[str, Any]]) -> str:
    """The shares of all cases, one line per engine."""
    columns = ("right", "refused", "invalid accepted", "valid rejected", "valid rejected (named format)")
    lines = [f"| engine | cases | {' | '.join(columns)} |", "|" + " --- |" * (2 + len(columns))]
    for record in records:
        shares = " | ".join(f"{record.get(column, 0) / record['cases']:.1%}" for column in columns)
        lines.append(f"| {record['engine']} | {record['cases']:,} | {shares} |")
    return "\n".join(lines)


def main() -> None:
    """Run every group, print the counts, write benchmarks/results/suite.jsonl."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks suite")
    parser.add_argument("--engines", nargs="*", default=[], help="peers: llguidance, xgrammar")
    options = parser.parse_args()
    ensure_compiled()
    records, details = [], []
    for name in ("structgen", *options.engines):
        compiled = structgen_judge(registry()) if name == "structgen" else peer_judge(name)
        record, found = measure(compiled)
        records.append({"engine": name} | record)
        print(json.dumps(records[-1], indent=1))
        if name == "structgen":
            details = found
    print(table(records))
    write_results("suite", [*records, *details])


if __name__ == "__main__":
    main()
