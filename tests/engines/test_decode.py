"""The decode loop on tiny random models: always complete and valid, reproducible, and no row knows its neighbours."""

from __future__ import annotations

import gzip
import itertools
import json
import math
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import structgen as sg
from structgen.compiler import compile_grammar
from structgen.engines.decode import Output, Request, decode, decode_steps, open_row, take_tokens
from structgen.engines.transformers import TransformersEngine
from structgen.errors import BudgetTooSmall, ModelError, OptionError, StructgenError, VocabularyError
from structgen.grammars.ir import Grammar, Repeat, Rule, alt, seq
from structgen.grammars.ir import Literal as Text
from structgen.grammars.json_schema import compile_schema
from structgen.matcher import Constraint
from structgen.options import SamplingOptions
from structgen.python_types.exact import ExactValidator
from structgen.vocabulary import Vocabulary

FAMILIES = ("llama", "qwen2", "qwen3", "gpt2", "gemma", "mistral")
DATA = Path(__file__).resolve().parents[2] / "../shared/data/maskbench-dev.jsonl.gz"
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
TREE = {
    "$ref": "#/$defs/node",
    "$defs": {
        "node": {
            "type": "object",
            "properties": {"v": {"type": "number"}, "kids": {"type": "array", "items": {"$ref": "#/$defs/node"}}},
            "required": ["v"],
            "additionalProperties": False,
        }
    },
}
SCHEMAS: list[Any] = [
    PERSON,
    TREE,
    {"type": "array", "items": {"type": "string"}, "minItems": 2},
    {"enum": ["red", "green", {"a": [1, None]}]},
    {"anyOf": [{"type": "boolean"}, {"type": "string", "pattern": "^[a-z]{3,}$"}]},
    {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
    {"type": "array", "items": {"type": "integer", "multipleOf": 7}, "maxItems": 3},
    {"type": "object", "patternProperties": {"^k": {"type": "null"}}, "additionalProperties": False},
]
SAMPLED = SamplingOptions(temperature=1.0, seed=7)
GREEDY = SamplingOptions(temperature=0)
Engines = Callable[..., TransformersEngine]
Constrain = Callable[[Any], Constraint]


def assert_complete(outputs: Sequence[Output], schemas: Sequence[Any], requests: Sequence[Request]) -> None:
    for output, schema, request in zip(outputs, schemas, requests, strict=True):
        assert ExactValidator(schema).fault(output.text) is None, (schema, output.text)
        assert output.finish_reason in ("stop", "completed") and output.stop_id is not None
        assert len(output.token_ids) + 1 <= request.max_tokens
        if output.finish_reason == "completed":
            assert math.isnan(output.log_prob) and math.isnan(output.log_q) and output.completed_at
        else:
            assert output.log_prob <= output.log_q <= 0 or math.isinf(output.log_prob)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("options", [GREEDY, SAMPLED, SamplingOptions(temperature=1.7, top_k=9, top_p=0.8, seed=3)])
def test_every_output_is_complete_and_valid(
    family: str, options: SamplingOptions, make_engine: Engines, constrain: Constrain
) -> None:
    engine = make_engine(family)
    requests = [
        Request(engine.encode("x" * (1 + 5 * index)), constrain(schema), max_tokens=64, is_json=index % 2 == 0)
        for index, schema in enumerate(SCHEMAS)
    ]
    assert_complete(decode(engine, requests, options), SCHEMAS, requests)


def test_tight_budgets_down_to_the_smallest(make_engine: Engines, constrain: Constrain) -> None:
    engine = make_engine()
    for schema in SCHEMAS:
        constraint = constrain(schema)
        needed = constraint.matcher().tokens_to_accept() + 1
        requests = [Request([1], constraint, max_tokens=needed + extra, is_json=True) for extra in (0, 1, 2, 3, 5, 8)]
        assert_complete(decode(engine, requests, SAMPLED), [schema] * len(requests), requests)
        with pytest.raises(BudgetTooSmall) as caught:
            decode_steps(engine, [Request([1], constraint, max_tokens=needed - 1)], SAMPLED)
        assert (caught.value.needed, caught.value.budget) == (needed, needed - 1)


@cache
def readable(limit: int) -> list[tuple[Any, Any]]:
    """(schema, grammar) of the first supported ones among every seventh maskbench schema."""
    if not DATA.exists():
        pytest.skip(f"{DATA} is not here")
    found: list[tuple[Any, Any]] = []
    with gzip.open(DATA, "rt") as lines:
        for line in itertools.islice(lines, 0, None, 7):
            schema = json.loads(line)["schema"]
            try:
                found.append((schema, compile_schema(schema).grammar))
            except StructgenError:
                continue
            if len(found) == limit:
                break
    return found


def run_real_schemas(engine: TransformersEngine, schemas: Sequence[tuple[Any, Any]]) -> int:
    """Decode under all that can be written within 63 tokens; how many there were."""
    compiled = [(schema, compile_grammar(grammar, engine.vocabulary)) for schema, grammar in schemas]
    chosen = [(schema, c) for schema, c in compiled if c.matcher().tokens_to_accept() < 64]
    for start in range(0, len(chosen), 16):
        part = chosen[start : start + 16]
        requests = [Request([1], constraint, max_tokens=64, is_json=True) for _, constraint in part]
        assert_complete(decode(engine, requests, SAMPLED), [schema for schema, _ in part], requests)
    return len(chosen)


@pytest.mark.parametrize("family", FAMILIES[:5])
def test_two_hundred_real_schemas(family: str, make_engine: Engines) -> None:
    assert run_real_schemas(make_engine(family), readable(230)) >= 200


def test_rows_do_not_depend_on_their_neighbours(make_engine: Engines, constrain: Constrain) -> None:
    engine = make_engine(double=True)
    requests = [
        Request(engine.encode("word " * (index + 1)), None if index == 2 else constrain(schema), 40, stream=100 + index)
        for index, schema in enumerate(SCHEMAS)
    ]
    for options in (GREEDY, SAMPLED):
        together = decode(engine, requests, options)
        alone = [decode(engine, [request], options)[0] for request in requests]
        reverse = decode(engine, requests[::-1], options)[::-1]
        for one, two, three in zip(together, alone, reverse, strict=True):
            assert one.token_ids == two.token_ids == three.token_ids
            assert one.log_prob == pytest.approx(two.log_prob, nan_ok=True)
            assert one.log_q == pytest.approx(three.log_q, nan_ok=True)


def test_rows_of_other_options_are_drawn_as_if_alone(make_engine: Engines, constrain: Constrain) -> None:
    engine, constraint = make_engine(double=True), constrain(PERSON)
    mixed = [GREEDY, SAMPLED, SamplingOptions(temperature=1.5, top_k=5, seed=7), SAMPLED]
    prompt = engine.encode("word")
    requests = [Request(prompt, constraint, 40, stream=5, options=options) for options in mixed]
    together = [output.token_ids for output in decode(engine, requests, SamplingOptions(seed=99))]
    alone = [decode(engine, [Request(prompt, constraint, 40, stream=5)], options)[0].token_ids for options in mixed]
    assert together == alone and together[1] == together[3]


def test_a_loop_of_ones_own(make_engine: Engines, constrain: Constrain) -> None:
    """Rows as a server has them: opened, stepped and ended by hand."""
    engine, constraint = make_engine(double=True), constrain(PERSON)
    request = Request(engine.encode("word"), constraint, 40, stream=1, is_json=True)
    row = open_row(request, engine.vocabulary, SAMPLED)
    logits, context = engine.prefill([request.prompt], 40)
    while True:
        take_tokens([row], logits)
        output = row.output()
        if output is not None:
            break
        logits = engine.extend([row.last_token], context)
    assert output == decode(engine, [request], SAMPLED)[0]
    assert len(row.log_probs) == len(row.tokens) and row.log_prob == pytest.approx(sum(row.log_probs), abs=1e-12)


def test_an_error_of_one_row_is_its_own(
    make_engine: Engines, constrain: Constrain, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, constraint = make_engine(double=True), constrain(PERSON)

    def run(broken: dict[int, str]) -> tuple[dict[int, StructgenError], list[list[int]]]:
        requests = [Request(engine.encode(f"word {i}"), constraint, 40, stream=i, is_json=True) for i in range(4)]
        rows = [open_row(request, engine.vocabulary, SAMPLED) for request in requests]
        logits, context = engine.prefill([request.prompt for request in requests], 40)
        for place, method in broken.items():
            error = VocabularyError(f"row {place}")

            def fails(*_: object, row: int = id(rows[place]), error: Exception = error, own: Any = None) -> Any:
                if id(_[0]) == row:
                    raise error
                return own(*_)

            own = getattr(type(rows[place]), method)
            monkeypatch.setattr(type(rows[place]), method, lambda *a, fails=fails, own=own: fails(*a, own=own))
        failed: dict[int, StructgenError] = {}
        take_tokens(rows, logits, failed=failed)
        monkeypatch.undo()
        going = [place for place in range(4) if place not in failed]
        more: dict[int, StructgenError] = {}
        after = engine.extend([row.tokens[-1] if row.tokens else 5 for row in rows], context)
        take_tokens([rows[place] for place in going], after[going], failed=more)
        assert not more
        return failed, [rows[place].tokens for place in going]

    _, whole = run({})
    failed, rest = run({1: "mask", 3: "take"})
    assert {place: str(error) for place, error in failed.items()} == {1: "row 1", 3: "row 3"}
    assert rest == [whole[0], whole[2]]


def test_a_row_can_be_ended_at_any_time(make_engine: Engines, constrain: Constrain) -> None:
    engine, constraint = make_engine(double=True), constrain(PERSON)
    for steps in (1, 2, 5, 9):
        row = open_row(Request(engine.encode("w"), constraint, 40, is_json=True), engine.vocabulary, SAMPLED)
        logits, context = engine.prefill([row.request.prompt], 40)
        for _ in range(steps):
            take_tokens([row], logits)
            if row.output() is not None:
                break
            logits = engine.extend([row.last_token], context)
        row.end_now()
        output = row.output()
        assert output is not None and ExactValidator(PERSON).fault(output.text) is None
        row.end_now()
        assert row.output() == output or output.finish_reason == "completed"


def test_the_seed_decides(make_engine: Engines, constrain: Constrain) -> None:
    engine, constraint = make_engine(), constrain(PERSON)
    requests = [Request([1], constraint, 60)] * 4
    first, again = ([output.token_ids for output in decode(engine, requests, SAMPLED)] for _ in range(2))
    other = [output.token_ids for output in decode(engine, requests, SamplingOptions(seed=8))]
    assert first == again and first != other
    assert len(set(first)) > 1  # rows draw from streams of their own


def test_padding_ids_and_unused_ids_never_come(make_engine: Engines, constrain: Constrain) -> None:
    engine = make_engine(padding=64)
    known = len(engine.tokenizer)
    assert engine.vocabulary.size == known + 64
    with torch.no_grad():
        engine.model.get_output_embeddings().weight[known:] *= 50
    requests = [Request([1], None, 30), Request([1], constrain(PERSON), 30)]
    for options in (GREEDY, SAMPLED):
        outputs = decode(engine, requests, options)
        assert all(token < known for output in outputs for token in output.token_ids)
        assert outputs[0].finish_reason in ("length", "stop")


class TableModel:
    """Logits from a function of the row's own tokens; what the exact tests run on."""

    def __init__(self, vocabulary: Vocabulary, logits: Callable[[tuple[int, ...]], Sequence[float]]) -> None:
        self.vocabulary, self.logits = vocabulary, logits

    def prefill(self, prompts: Sequence[Sequence[int]], reserve: int) -> tuple[torch.Tensor, list[tuple[int, ...]]]:
        rows = [tuple(prompt) for prompt in prompts]
        return torch.tensor([self.logits(row) for row in rows]), rows

    def extend(self, tokens: Sequence[int], context: list[tuple[int, ...]]) -> torch.Tensor:
        context[:] = [(*row, token) for row, token in zip(context, tokens, strict=True)]
        return torch.tensor([self.logits(row) for row in context])


SMALL = Vocabulary.from_bytes([b"", b"", b"a", b"b", b"c", b"ab"], eos=[0, 1])


def table_logits(prefix: tuple[int, ...]) -> list[float]:
    return np.random.default_rng([9, *prefix]).normal(0, 1.5, SMALL.size).tolist()


def words(*options: bytes) -> Constraint:
    return compile_grammar(Grammar((Rule("words", alt(*(Text(o) for o in options))),)), SMALL)


def test_log_prob_and_log_q_are_the_laws_sampled() -> None:
    """Frequencies against enumerated probabilities, and sum p / q over draws against the evidence."""
    constraint, model = words(b"ab", b"c", b"abc"), TableModel(SMALL, table_logits)
    requests = [Request([2], constraint, 9, stream=stream) for stream in range(4000)]
    outputs = decode(model, requests, SamplingOptions(seed=1))
    seen = {output.token_ids: output for output in outputs}
    evidence = 0.0
    for ids in itertools.chain(*(itertools.product(range(2, 6), repeat=n) for n in range(1, 4))):
        if SMALL.decode(ids) not in (b"ab", b"c", b"abc"):
            continue
        matcher, log_p, log_q = constraint.matcher(), 0.0, 0.0
        for position, token in enumerate((*ids, 0)):
            row = torch.tensor(table_logits((2, *ids[:position])), dtype=torch.float64)
            allowed = torch.from_numpy(matcher.allows(range(SMALL.size)))
            event = [0, 1] if token == 0 else [token]
            log_p += float(torch.log_softmax(row, 0)[event].logsumexp(0))
            log_q += float(torch.log_softmax(row.masked_fill(~allowed, -math.inf), 0)[event].logsumexp(0))
            matcher.accept(token)
        evidence += math.exp(log_p)
        frequency = sum(output.token_ids == ids for output in outputs) / len(outputs)
        assert abs(frequency - math.exp(log_q)) < 4 * math.sqrt(0.25 / len(outputs)) + 1e-9
        if ids in seen:
            assert seen[ids].log_prob == pytest.approx(log_p, abs=1e-6)
            assert seen[ids].log_q == pytest.approx(log_q, abs=1e-6)
            assert seen[ids].log_weight == pytest.approx(log_p - log_q, abs=1e-6)
    assert {output.finish_reason for output in outputs} == {"stop"}
    assert np.mean([math.exp(output.log_weight) for output in outputs]) == pytest.approx(evidence, rel=0.1)


def test_guard_completes_and_says_so() -> None:
    never_ends = TableModel(SMALL, lambda prefix: [-50.0, -50.0, 5.0, 0.0, 0.0, 0.0])
    star = Grammar((Rule("as", alt(Text(b"c"), seq(Text(b"a"), Text(b"")))),))
    assert decode(never_ends, [Request([2], compile_grammar(star, SMALL), 2)], GREEDY)[0].data == b"a"
    pairs = compile_grammar(Grammar((Rule("pairs", seq(Repeat(Text(b"aa")), Text(b"bb"))),)), SMALL)
    for budget in range(3, 12):
        (output,) = decode(never_ends, [Request([2], pairs, budget)], GREEDY)
        assert output.finish_reason == "completed" and output.stop_id in (0, 1)
        assert pairs.accepts(output.data) and len(output.token_ids) + 1 <= budget
        assert len(output.token_ids) + 1 >= budget - 1  # it used what it had


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ([math.nan] * 6, "NaN"),
        ([math.inf] * 6, "NaN or infinite"),
        ([0.0] * 5, "shape"),
        ([-math.inf] * 6, "probability zero"),
    ],
)
def test_unusable_logits_are_a_model_error(row: list[float], reason: str) -> None:
    with pytest.raises(ModelError, match=reason):
        decode(TableModel(SMALL, lambda prefix: row), [Request([2], words(b"ab"), 5)], SAMPLED)


def test_a_model_that_breaks_in_the_middle(make_engine: Engines, constrain: Constrain) -> None:
    logits = lambda prefix: [math.nan if len(prefix) > 2 else 0.0] * 6  # noqa: E731
    with pytest.raises(ModelError):
        decode(TableModel(SMALL, logits), [Request([2], words(b"abc"), 5)], SAMPLED)


def test_requests_are_checked_before_the_model_is_called(make_engine: Engines, constrain: Constrain) -> None:
    engine = make_engine()
    with pytest.raises(VocabularyError, match="another vocabulary"):
        decode_steps(engine, [Request([1], words(b"ab"), 5)], SAMPLED)
    with pytest.raises(OptionError, match="max_tokens"):
        decode_steps(engine, [Request([1], None, 0)], SAMPLED)
    with pytest.raises(OptionError, match="no tokens"):
        decode(engine, [Request([], None, 5)], SAMPLED)
    with pytest.raises(ModelError, match="1024"):
        decode(engine, [Request([1], None, 5000)], SAMPLED)
    assert decode(engine, [], SAMPLED) == []
    for bad in ({"temperature": -1.0}, {"top_k": 0}, {"top_p": 0.0}, {"seed": -1}, {"temperature": math.nan}):
        with pytest.raises(OptionError):
            SamplingOptions(**bad)  # type: ignore[arg-type]


def test_steps_report_tokens_and_ends(make_engine: Engines, constrain: Constrain) -> None:
    engine = make_engine()
    requests = [
        Request([1], constrain({"enum": [True]}), 20),
        Request([1], constrain(PERSON), 40),
        Request([1], None, 6),
    ]
    written: dict[int, list[int]] = {0: [], 1: [], 2: []}
    outputs: dict[int, Output] = {}
    for number, step in enumerate(decode_steps(engine, requests, SAMPLED)):
        assert step.index == number and not set(step.tokens) & set(outputs)
        for row, token in step.tokens.items():
            written[row].append(token)
        outputs |= step.finished
    assert outputs[0].text == "true"
    assert outputs[1].finish_reason == "completed", "a row that was completed gives its text at the end"
    assert outputs[1].token_ids[:5] == tuple(written[1][:5])
    for row in (0, 2):
        ids = [*outputs[row].token_ids, *([] if outputs[row].stop_id is None else [outputs[row].stop_id])]
        assert written[row] == ids


@pytest.mark.parametrize("calls", [1, 2])
def test_a_stop_token_that_the_grammar_asks_for_ends_the_row_only_where_the_text_is_complete(
    make_engine: Engines, calls: int
) -> None:
    engine = make_engine("llama")
    end = engine.vocabulary.names["<end>"]
    tag = sg.StructuralTag([sg.Tag("!", sg.Special("<end>"), regex="[xy]+")], calls, calls, between=False)
    constraint = sg.compile(tag=tag, vocabulary=engine.vocabulary)
    for max_tokens in (3 * calls + 1, 40):
        for options in (GREEDY, SAMPLED):
            output = decode(engine, [Request((5, 6), constraint, max_tokens)], options)[0]
            assert (*output.token_ids, output.stop_id).count(end) == calls and output.stop_id == end
            assert output.text.count("!") == calls
            assert output.finish_reason == "completed" or output.log_prob <= output.log_q <= 0
