"""The backend in vLLM's contract, on fakes: what is patched, refused, masked, drafted, rolled back and steered."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from structgen.bits import ids_of
from structgen.errors import OptionError
from structgen.integrations import vllm as ours
from structgen.integrations import vllm_backend
from structgen.python_types.exact import ExactValidator
from tests.integrations import fake_vllm
from tests.integrations.conftest import one_process_lowers
from tests.integrations.fake_vllm import Request, VLLMValidationError, config_of

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0, "maximum": 150}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module", autouse=True)
def _one_process_lowers() -> Iterator[None]:
    with one_process_lowers(vllm_backend):
        yield


class Engine:
    """A front end and an engine with structgen in them; `params` makes requests as clients do."""

    def __init__(self, monkeypatch: Any, tokenizer: Any, **config: Any) -> None:
        config = {"padding": 5, "eos": None, **config}
        self.config = config_of(len(tokenizer) + config.pop("padding"), **config)
        self.params, manager = fake_vllm.installed(monkeypatch, self.config, tokenizer)
        monkeypatch.setenv("STRUCTGEN_VLLM", "1")
        ours.register()
        self.manager = manager(self.config)
        self.vocabulary = self.manager.backend.vocabulary

    def request(self, number: int = 0, **asked: Any) -> Request:
        options = {name: asked.pop(name) for name in ("max_tokens", "stop_token_ids") if name in asked}
        made = self.params(**asked)
        made.verify()
        request = Request(str(number), made.structured_outputs, **options)
        self.manager.grammar_init(request)
        return request

    def allowed(self, requests: list[Request], drafts: dict[str, list[int]] | None = None) -> list[list[int]]:
        rows = self.manager.step(requests, drafts or {}).numpy().view(np.uint32)
        return [ids_of(row).tolist() for row in rows]

    def take(self, request: Request, tokens: list[int]) -> bool:
        request.output += tokens
        return bool(request.grammar.accept_tokens(request.request_id, tokens))

    def run(self, request: Request, rng: random.Random) -> str:
        """Draw until the request ends; its text, without the stop."""
        while not request.grammar.is_terminated() and len(request.output) < (request.max_tokens or 10**9):
            (row,) = self.allowed([request])
            assert self.take(request, [rng.choice(row)])
        return self.vocabulary.decode(request.output).decode()


@pytest.fixture
def engine(monkeypatch: Any, tokenizer: Any) -> Iterator[Engine]:
    yield Engine(monkeypatch, tokenizer)


def test_nothing_is_touched_unless_it_is_asked_for(monkeypatch: Any, tokenizer: Any) -> None:
    params, manager = fake_vllm.installed(monkeypatch, config_of(9), tokenizer)
    before = params._validate_structured_outputs, manager.__init__, manager._create_grammar
    for value in (None, "0", "/usr/bin/python"):
        monkeypatch.delenv("STRUCTGEN_VLLM", raising=False) if value is None else monkeypatch.setenv(
            "STRUCTGEN_VLLM", value
        )
        ours.register()
    assert (params._validate_structured_outputs, manager.__init__, manager._create_grammar) == before


def test_a_worker_of_vllm_loads_no_compiler() -> None:
    """One of vLLM 0.32 on CPUs fails where llvmlite is loaded."""
    program = (
        "import sys; from structgen.integrations.vllm import register; register(); print('llvmlite' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    found = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True)
    assert found.stdout == b"False\n"


def test_it_is_done_once(monkeypatch: Any, tokenizer: Any) -> None:
    params, manager = fake_vllm.installed(monkeypatch, config_of(9), tokenizer)
    monkeypatch.setenv("STRUCTGEN_VLLM", "1")
    ours.register()
    once = params._validate_structured_outputs, manager.__init__, manager._create_grammar
    ours.register()
    assert (params._validate_structured_outputs, manager.__init__, manager._create_grammar) == once


@pytest.mark.parametrize("version", ["0.31.2", "0.33.0", "0.320.0", "1.0"])
def test_versions_it_was_not_run_with_are_refused(version: str, monkeypatch: Any, tokenizer: Any) -> None:
    fake_vllm.installed(monkeypatch, config_of(9), tokenizer, version)
    monkeypatch.setenv("STRUCTGEN_VLLM", "1")
    with pytest.raises(OptionError, match=version):
        ours.register()


def test_another_backend_in_the_settings_is_a_contradiction(monkeypatch: Any, tokenizer: Any) -> None:
    with pytest.raises(OptionError, match="xgrammar"):
        Engine(monkeypatch, tokenizer, backend="xgrammar")


def test_an_engine_without_a_tokenizer_starts_and_refuses_constraints(monkeypatch: Any, tokenizer: Any) -> None:
    config = config_of(len(tokenizer), skip_tokenizer_init=True)
    params, manager = fake_vllm.installed(monkeypatch, config, None)
    monkeypatch.setenv("STRUCTGEN_VLLM", "1")
    ours.register()
    assert manager(config).backend is None
    with pytest.raises(VLLMValidationError, match="tokenizer"):
        params(regex="a").verify()
    config.model_config.is_diffusion = True
    with pytest.raises(VLLMValidationError, match="any order"):
        params(regex="a").verify()


TAG = {"type": "structural_tag", "format": {"type": "tag", "begin": "<call>", "end": "</call>",
       "content": {"type": "json_schema", "json_schema": PERSON}}}  # fmt: skip


@pytest.mark.shows(
    "vllm", "schemas, patterns, grammars, choices", "structural tags, tools", "a constraint for each request"
)
@pytest.mark.parametrize(
    "asked",
    [
        {"json": PERSON},
        {"json": json.dumps(PERSON)},
        {"json_object": True},
        {"regex": "[a-z]{3,5}"},
        {"choice": ["yes", "no"]},
        {"grammar": 'root ::= "a" [0-9]+'},
        {"grammar": "start: /[a-z]+/"},
        {"structural_tag": json.dumps(TAG)},
    ],
    ids=lambda asked: next(iter(asked)),
)
def test_every_kind_of_request_ends_with_what_it_asked_for(asked: dict[str, Any], engine: Engine) -> None:
    request = engine.request(max_tokens=50, **asked)
    assert request.params._backend == "structgen"
    text = engine.run(request, random.Random(4))
    assert request.grammar.is_terminated()
    constraint = request.grammar._follower.matcher.constraint
    assert constraint.accepts(text)
    if "json" in asked:
        assert ExactValidator(PERSON).fault(text) is None
    assert engine.manager.bitmask.dtype == torch.int32
    assert engine.manager.bitmask.shape[1] == -(-engine.config.model_config.vocab_size // 32)


@pytest.mark.shows("vllm", "refused before it runs")
@pytest.mark.lacks("vllm", "whitespace patterns", "whitespace_pattern is refused; disable_any_whitespace is done")
@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"json": {"type": "strin"}}, "strin"),
        ({"json": "{"}, "not JSON"),
        ({"json": {"type": "integer", "minimum": 3, "maximum": 2}}, "no"),
        ({"regex": "(a"}, "a"),
        ({"choice": []}, "empty"),
        ({"grammar": "root ::= ("}, "line"),
        ({"structural_tag": "{}"}, "format"),
        ({"json_object": False}, "true"),
        ({"json": {}, "whitespace_pattern": " "}, "whitespace_pattern"),
        ({"json": {}, "disable_additional_properties": True}, "disable_additional_properties"),
        ({"grammar": "structgen grammar 0\n{}"}, "line 1"),
    ],
    ids=str,
)
def test_what_cannot_be_enforced_is_refused_before_it_is_queued(
    asked: dict[str, Any], why: str, engine: Engine
) -> None:
    made = engine.params(**asked)
    with pytest.raises(VLLMValidationError, match=why):
        made.verify()


def test_whitespace_is_left_out_where_the_request_says_so(engine: Engine) -> None:
    request = engine.request(json={"const": {"a": 1}}, disable_any_whitespace=True)
    assert request.grammar._follower.matcher.constraint.accepts('{"a": 1}')
    assert not request.grammar._follower.matcher.constraint.accepts('{\n  "a": 1\n}')


@pytest.mark.shows("vllm", "lowered in another process")
def test_parameters_that_are_used_again_are_lowered_once(engine: Engine) -> None:
    made = engine.params(json=PERSON)
    made.verify()
    first = made.structured_outputs
    made.verify()
    assert made.structured_outputs is first
    again = engine.params(json=PERSON)
    again.verify()
    assert again.structured_outputs.grammar == first.grammar


def test_an_engine_asks_for_text_that_a_front_end_of_ours_wrote(engine: Engine) -> None:
    with pytest.raises(ValueError, match="front end"):
        engine.manager.backend.compile_grammar("GRAMMAR", 'root ::= "a"', stop_token_ids=set())


def test_a_constraint_is_compiled_once(engine: Engine) -> None:
    one, two = engine.request(json=PERSON), engine.request(json=PERSON)
    assert one.grammar._follower.matcher.constraint is two.grammar._follower.matcher.constraint


def test_the_stops_are_the_tokenizers_and_the_models(monkeypatch: Any, tokenizer: Any) -> None:
    engine = Engine(monkeypatch, tokenizer, eos=[0, tokenizer.eos_token_id])
    assert engine.vocabulary.stop_ids == tuple(sorted({0, tokenizer.eos_token_id}))


@pytest.mark.shows("vllm", "stop tokens of a request")
def test_a_requests_own_stop_waits_for_the_end(engine: Engine) -> None:
    request = engine.request(regex="[0-9]{2}", stop_token_ids=(engine.vocabulary.size - 1, 10**9))
    constraint = request.grammar._follower.matcher.constraint
    stop = engine.vocabulary.size - 1
    assert stop not in engine.allowed([request])[0]
    assert engine.take(request, constraint.spelled(b"12"))
    assert engine.allowed([request])[0] == sorted([*engine.vocabulary.stop_ids, stop])
    assert engine.take(request, [stop]) and request.grammar.is_terminated()


def drafts_of(engine: Engine, request: Request, rng: random.Random) -> list[int]:
    """Drafted tokens as a drafter has them, good and bad, cut by `validate_tokens`."""
    matcher = request.grammar._follower.matcher.fork()
    drafted: list[int] = []
    for _ in range(4):
        choices = ids_of(matcher.mask()).tolist() if rng.random() < 0.8 and not matcher.is_finished() else []
        drafted.append(rng.choice(choices) if choices else rng.randrange(engine.vocabulary.size))
        matcher.accept(drafted[-1])
    kept = request.grammar.validate_tokens(drafted)
    assert kept == drafted[: len(kept)]
    return list(kept)


@pytest.mark.shows("vllm", "drafts")
@pytest.mark.parametrize("seed", range(4))
def test_drafts_change_no_mask(seed: int, engine: Engine) -> None:
    """Rows of drafted positions are the rows that a request without drafts has there."""
    rng = random.Random(seed)
    requests = [engine.request(0, json=PERSON), engine.request(1, regex="([a-c]{1,3};)+")]
    twins = [engine.request(0, json=PERSON), engine.request(1, regex="([a-c]{1,3};)+")]
    while not all(request.grammar.is_terminated() for request in requests):
        running = [n for n, request in enumerate(requests) if not request.grammar.is_terminated()]
        drafts = {str(n): drafts_of(engine, requests[n], rng) for n in running}
        rows = iter(engine.allowed([requests[n] for n in running], drafts))
        for n in running:
            drawn: list[int] = []
            for token in [*drafts[str(n)], None]:
                row = next(rows)
                if drawn == drafts[str(n)][: len(drawn)] and not twins[n].grammar.is_terminated():
                    assert row == engine.allowed([twins[n]])[0]
                    drawn.append(token if token is not None and rng.random() < 0.7 else rng.choice(row))
                    assert engine.take(twins[n], drawn[-1:])
            assert engine.take(requests[n], drawn)


@pytest.mark.shows("vllm", "complete within max_tokens", "thinking before the constraint")
def test_a_budget_of_tokens_ends_with_valid_json(engine: Engine) -> None:
    """Also where a part of it went to thinking, and where the model's context is what runs out."""
    rng, validator = random.Random(3), ExactValidator(PERSON)
    needed = engine.request(json=PERSON).grammar._follower.matcher.tokens_to_accept() + 1
    for most in range(needed, needed + 14):
        text = engine.run(engine.request(json=PERSON, max_tokens=most), rng)
        assert validator.fault(text) is None, most
    thinking = engine.request(json=PERSON, max_tokens=needed + 20)
    thinking.output += [5] * 10
    follower = thinking.grammar._follower
    while not follower.is_finished:
        (row,) = engine.allowed([thinking])
        assert engine.take(thinking, [rng.choice(row)])
    assert len(thinking.output) <= needed + 20
    engine.config.model_config.max_model_len = 10 + needed + 4  # and a prompt of 10
    long = engine.request(json=PERSON, max_tokens=None)
    assert validator.fault(engine.run(long, rng)) is None and len(long.output) <= needed + 4


@pytest.mark.shows("vllm", "an error ends its request alone")
def test_an_error_in_a_mask_ends_its_request_and_no_other(engine: Engine, monkeypatch: Any) -> None:
    good, bad = engine.request(0, json=PERSON), engine.request(1, regex="a+")
    whole = type(bad.grammar._follower.matcher).mask

    def broken(self: Any) -> Any:
        if self is bad.grammar._follower.matcher:
            raise RuntimeError("a mask that fails")
        return whole(self)

    monkeypatch.setattr(type(bad.grammar._follower.matcher), "mask", broken)
    rows = engine.allowed([good, bad])
    assert rows[1] == list(engine.vocabulary.stop_ids) and len(rows[0]) < engine.vocabulary.size
    assert not engine.take(bad, [rows[1][0]])
    assert engine.take(good, [rows[0][0]])


def test_masks_from_many_threads_are_the_same(engine: Engine) -> None:
    from concurrent.futures import ThreadPoolExecutor

    asked: list[dict[str, Any]] = [{"json": PERSON}, {"regex": "[a-z]+[0-9]"}, {"choice": ["red", "green"]}]
    requests = [engine.request(n, **asked[n % 3]) for n in range(60)]
    rows = engine.manager.backend.allocate_token_bitmask(len(requests))
    fill: Callable[[int], None] = lambda n: requests[n].grammar.fill_bitmask(rows, n)  # noqa: E731
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(fill, range(len(requests))))
    for number, request in enumerate(requests):
        mask = request.grammar._follower.matcher.constraint.matcher().mask()
        assert np.array_equal(rows[number].numpy().view(np.uint32), mask)


def test_reset_and_destroy(engine: Engine) -> None:
    request = engine.request(regex="ab")
    first = engine.allowed([request])
    assert engine.take(request, [first[0][0]])
    request.grammar.reset()
    assert engine.allowed([request]) == first
    engine.manager.backend.destroy()
    other = engine.request(regex="ab")
    assert other.grammar._follower.matcher.constraint is not request.grammar._follower.matcher.constraint
