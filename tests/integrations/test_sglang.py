"""The backend in SGLang's contract: on its own base classes where they are unpacked, on fakes everywhere."""

from __future__ import annotations

import importlib.metadata
import json
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from structgen.bits import ids_of, words_for
from structgen.errors import OptionError
from structgen.integrations import lowering, sglang
from structgen.python_types.exact import ExactValidator
from tests.integrations import fake_sglang
from tests.integrations.conftest import one_process_lowers

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0, "maximum": 150}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
OWN = pytest.param(True, id="own", marks=pytest.mark.skipif(not fake_sglang.SOURCE, reason="SGLANG_SOURCE is not set"))
Create = Callable[..., Any]


@pytest.fixture(scope="module", autouse=True)
def _one_process_lowers() -> Iterator[None]:
    with one_process_lowers(lowering):
        yield


@pytest.fixture(params=[pytest.param(False, id="fake"), OWN])
def create(request: Any, monkeypatch: Any, tokenizer: Any) -> Create:
    """A backend as SGLang's factory makes it, for a server with these settings."""

    def made(version: str = fake_sglang.VERSION, stops: Any = None, **serving: Any) -> Any:
        base = fake_sglang.install(monkeypatch, request.param, **serving)
        monkeypatch.setattr(importlib.metadata, "version", lambda name: version)
        sglang.register()
        assert "structgen" in sys.modules["sglang.srt.server_args"].GRAMMAR_BACKEND_CHOICES
        return base.create_grammar_backend(None, tokenizer, len(tokenizer) + 3, stops)

    return made


def grammar_of(backend: Any, kind: str, text: str, reasoning: bool = False) -> Any:
    """A request's grammar, as the manager of grammars gets it."""
    value, hit = backend.get_cached_or_future_value((kind, text), reasoning)
    if hit:
        return value
    found = value.result()
    backend.set_cache((kind, text), found.copy())
    return found


def allowed(grammar: Any, size: int) -> list[int]:
    mask = grammar.allocate_vocab_mask(size, 3, "cpu")
    grammar.fill_vocab_mask(mask, 1)
    assert (mask[[0, 2]] == -1).all() and mask.dtype == torch.int32
    return ids_of(mask[1].numpy().view(np.uint32)).tolist()


def test_the_source_is_of_the_version_it_was_run_with() -> None:
    assert (fake_sglang.VERSION,) == sglang.VERSIONS
    if fake_sglang.SOURCE:
        found = [path.name for path in Path(fake_sglang.SOURCE).glob("sglang-*.dist-info")]
        assert found == [f"sglang-{fake_sglang.VERSION}.dist-info"]


@pytest.mark.lacks(
    "sglang", "whitespace patterns", "constrained_json_whitespace_pattern is refused; the two other settings are done"
)
def test_other_versions_and_settings_are_refused(create: Create) -> None:
    with pytest.raises(OptionError, match=r"0\.6\.0"):
        create(version="0.6.0")
    with pytest.raises(OptionError, match="whitespace"):
        create(constrained_json_whitespace_pattern="[ ]")
    with pytest.raises(OptionError, match="reasoning"):
        create(enable_strict_thinking=True)


@pytest.mark.shows(
    "sglang", "schemas, patterns, grammars, choices", "structural tags, tools", "a constraint for each request"
)
@pytest.mark.shows("sglang", "lowered in another process")
@pytest.mark.parametrize(
    ("kind", "text", "valid"),
    [
        ("json", json.dumps(PERSON), lambda text: ExactValidator(PERSON).fault(text) is None),
        ("json", "$$ANY$$", lambda text: isinstance(json.loads(text), dict)),
        ("regex", "[a-z]{2,4}", lambda text: text.isalpha() and 2 <= len(text) <= 4),
        ("ebnf", 'root ::= "a" [0-9]', lambda text: text[0] == "a" and text[1:].isdigit()),
        (
            "structural_tag",
            json.dumps({"structures": [{"begin": "<f>", "schema": None, "end": "</f>"}], "triggers": ["<f>"]}),
            lambda text: "<f>" not in text or json.loads(text.split("<f>")[1].split("</f>")[0]) is not ...,
        ),
    ],
    ids=["json", "any", "regex", "ebnf", "tag"],
)
def test_every_kind_of_request_ends_with_what_it_asked_for(
    kind: str, text: str, valid: Callable[[str], bool], create: Create
) -> None:
    backend, rng = create(), random.Random(2)
    size, grammar = backend.vocabulary.size, grammar_of(backend, kind, text)
    follower, tokens = grammar.follower, []
    follower.steer(80)  # so that the test ends
    while not grammar.is_terminated():
        tokens.append(rng.choice(allowed(grammar, size)))
        grammar.accept_token(tokens[-1])
    assert valid(backend.vocabulary.decode(tokens).decode())
    assert grammar.current_token == tokens[-1]
    assert allowed(grammar, size) == list(range(32 * words_for(size)))


@pytest.mark.shows("sglang", "refused before it runs")
def test_a_bad_grammar_is_an_object_that_says_why(create: Create) -> None:
    backend = create()
    for kind, text in (("json", "{"), ("json", '{"type": "strin"}'), ("regex", "("), ("ebnf", "root ::= ("),
                       ("structural_tag", "{"), ("structural_tag", "{}")):  # fmt: skip
        found = grammar_of(backend, kind, text)
        assert type(found).__name__ == "InvalidGrammarObject" and found.error_message


@pytest.mark.shows("sglang", "drafts")
def test_a_cached_grammar_is_another_requests_own(create: Create) -> None:
    backend = create()
    one, two = grammar_of(backend, "regex", "ab"), grammar_of(backend, "regex", "ab")
    assert one.follower.matcher.constraint is two.follower.matcher.constraint
    (first, *_) = allowed(one, backend.vocabulary.size)
    one.accept_token(first)
    assert allowed(two, backend.vocabulary.size)[0] == first and len(two.follower) == 0
    one.rollback(1)
    assert allowed(one, backend.vocabulary.size) == allowed(two, backend.vocabulary.size)


@pytest.mark.lacks("sglang", "complete within max_tokens", "a backend does not see the request, nor its stop tokens")
def test_no_budget_is_seen(create: Create) -> None:
    """A grammar is one of a text, and the request with its tokens stays SGLang's."""
    backend = create()
    grammar = grammar_of(backend, "regex", "[ab]*")
    tokens = [token for token in allowed(grammar, backend.vocabulary.size) if token not in backend.vocabulary.stop_ids]
    first = allowed(grammar, backend.vocabulary.size)
    for _ in range(500):
        grammar.accept_token(tokens[0])
    assert allowed(grammar, backend.vocabulary.size) == first


@pytest.mark.shows("sglang", "an error ends its request alone")
def test_a_forbidden_token_raises_and_changes_nothing(create: Create) -> None:
    backend = create()
    grammar = grammar_of(backend, "regex", "[0-9]+")
    (letter,) = grammar.follower.matcher.constraint.spelled(b"x")
    with pytest.raises(ValueError, match="not allowed"):
        grammar.accept_token(letter)
    assert len(grammar.follower) == 0


def test_masks_in_one_call_and_on_logits(create: Create) -> None:
    backend = create()
    size = backend.vocabulary.size
    grammars = [grammar_of(backend, "regex", pattern) for pattern in ("a+", "[0-9]", "b")]
    rows = [(2, grammars[0]), (0, grammars[1]), (3, grammars[2])]
    together = grammars[0].allocate_vocab_mask(size, 4, "cpu")
    base = sys.modules["sglang.srt.constrained.base_grammar_backend"]
    grammars[0].fill_vocab_mask_batched([base.GrammarRow(row, grammar) for row, grammar in rows], together)
    for row, grammar in rows:
        assert ids_of(together[row].numpy().view(np.uint32)).tolist() == allowed(grammar, size)
    assert (together[1] == -1).all()
    logits = torch.zeros(4, size)
    grammars[0].apply_vocab_mask(logits, grammars[0].move_vocab_mask(together, "cpu"))
    for row, grammar in rows:
        assert torch.isfinite(logits[row]).nonzero().flatten().tolist() == allowed(grammar, size)
    assert torch.isfinite(logits[1]).all()
    grammars[0].reset_vocab_mask(together)
    assert (together == -1).all()


def test_settings_of_whitespace_and_stops(create: Create, tokenizer: Any) -> None:
    def accepts(backend: Any, text: str) -> bool:
        made = grammar_of(backend, "json", '{"const": [1, 2]}')
        return bool(made.follower.matcher.constraint.accepts(text))

    assert accepts(create(), "[\n  1,\n  2\n]")
    assert not accepts(create(constrained_json_disable_any_whitespace=True), "[\n  1,\n  2\n]")
    one = create(constrained_json_max_whitespace_cnt=1)
    assert accepts(one, "[ 1, 2]") and not accepts(one, "[  1, 2]")
    assert create(stops={0}).vocabulary.stop_ids == tuple(sorted({0, tokenizer.eos_token_id}))


def test_the_cache_is_bounded(create: Create, monkeypatch: Any) -> None:
    backend = create()
    monkeypatch.setattr(sys.modules["structgen.integrations.sglang_backend"], "_MOST", 3)
    for number in range(6):
        grammar_of(backend, "regex", f"a{{{number + 1}}}")
    assert [key[1] for key in backend.cache] == ["a{4}", "a{5}", "a{6}"]


@pytest.mark.shows("sglang", "thinking before the constraint")
@pytest.mark.parametrize("own", [OWN])
def test_reasoning_comes_before_the_grammar(own: bool, monkeypatch: Any, tokenizer: Any) -> None:
    """SGLang puts no registered backend into its wrapper: ours comes in it."""
    base = fake_sglang.install(monkeypatch, own, reasoning_parser="test")
    monkeypatch.setattr(importlib.metadata, "version", lambda name: fake_sglang.VERSION)
    sglang.register()
    backend = base.create_grammar_backend(None, tokenizer, len(tokenizer))
    assert type(backend).__name__ == "ReasonerGrammarBackend"
    grammar = grammar_of(backend, "regex", "[0-9]", reasoning=True)
    grammar.maybe_init_reasoning(True)
    mask = grammar.allocate_vocab_mask(len(tokenizer), 1, "cpu")
    grammar.fill_vocab_mask(mask, 0)
    assert (mask == -1).all()  # thinking is free
    for token in tokenizer.encode("so it is </think>", add_special_tokens=False):
        grammar.accept_token(token)
    grammar.fill_vocab_mask(mask, 0)
    digits = ids_of(mask[0].numpy().view(np.uint32)).tolist()
    assert digits and all(tokenizer.decode([token]).strip().isdigit() for token in digits)
    grammar.accept_token(digits[0])
    grammar.rollback(1)
    grammar.fill_vocab_mask(mask, 0)
    assert ids_of(mask[0].numpy().view(np.uint32)).tolist() == digits
