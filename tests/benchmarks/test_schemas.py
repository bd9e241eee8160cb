"""The loop of the benchmark of schemas on the bundled model, beside decoding by our own engine; and its figures."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("transformers")

from benchmarks.jsonschemabench.model import SharedTexts
from benchmarks.jsonschemabench.report import coverage, efficiency
from benchmarks.jsonschemabench.run import FREE, GROUPS, messages_of, run_schemas
from benchmarks.jsonschemabench.worker import EngineProcess
from structgen import nano
from structgen.api.compile import compile as compile_constraint
from structgen.api.models import engine_of
from structgen.engines.decode import Request, decode
from structgen.grammars.json_schema.style import JsonStyle
from structgen.options import SamplingOptions

SCHEMAS = [
    {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"], "additionalProperties": False},
    {"type": "array", "items": {"type": "integer"}, "minItems": 6},
]
NAME, BUDGET = "structgen:compact", 24


@pytest.fixture(scope="module")
def records() -> list[dict[str, Any]]:
    pytest.importorskip("jsonschema")
    engine = engine_of(None)
    process = EngineProcess(NAME, str(nano.path()), -(-engine.vocabulary.size // 32))
    texts = SharedTexts(engine)
    texts.keep(engine.encode(messages_of(True)))
    rows = [{"id": f"{GROUPS[number % 2]}---{number}", "schema": schema} for number, schema in enumerate(SCHEMAS)]
    found = run_schemas(rows, texts, [process], 0, BUDGET)
    process.close()
    timed = {"one_row_ms": texts.one_row_ms, "prompt_ms": texts.prompt_ms}
    return [{"custom_id": row["id"], **timed, **record} for row, record in zip(rows, found, strict=True)]


def test_it_writes_what_our_own_loop_writes(records: list[dict[str, Any]]) -> None:
    engine = engine_of(None)
    style = JsonStyle(whitespace="compact")
    for steer, name in ((False, NAME), (True, f"{NAME}, completed")):
        for schema, record in zip(SCHEMAS, records, strict=True):
            constraint = compile_constraint(schema=schema, vocabulary=engine.vocabulary, style=style)
            prompt = engine.encode(messages_of(schema))
            request = Request(prompt, constraint, BUDGET, steer=steer, is_json=True)
            output = decode(engine, [request], SamplingOptions(temperature=0))[0]
            row = record["rows"][name]
            written = engine.vocabulary.decode(output.token_ids).decode()
            if output.finish_reason == "length":
                assert row["end"] == "length"
                assert written.startswith(row["text"])  # which stops a token before the budget
            else:
                assert row["text"] == written
                assert row["end"] == output.finish_reason
    for record in records:
        free = record["rows"][FREE]
        output = decode(engine, [Request(engine.encode(messages_of(SCHEMAS[records.index(record)])), None, BUDGET)],
                        SamplingOptions(temperature=0))[0]  # fmt: skip
        assert output.text.startswith(free["text"])


def test_figures(records: list[dict[str, Any]]) -> None:
    found = {(r["engine"], r["group"]): r for r in coverage(records)}
    for name in (NAME, f"{NAME}, completed"):
        whole = found[name, None]
        assert whole["schemas"] == whole["declared"] == 2
        assert whole["invalid"] == whole["refused"] == whole["failed"] == 0
    assert found[f"{NAME}, completed", None]["valid"] == 2
    assert found[NAME, None]["valid"] + found[NAME, None]["by_budget"] == 2
    assert found[NAME, GROUPS[0]]["schemas"] == 1
    model, common, own = efficiency(records, [NAME])
    assert model["common"] == common["schemas"] == own["schemas"] == 2
    assert common["token_us"]["n"] == sum(len(record["rows"][NAME]["mask_us"]) for record in records)
    assert len(own["token_levels"]) == 201
    assert own["token_levels"] == sorted(own["token_levels"])
