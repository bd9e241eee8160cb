"""Reading ahead changes nothing: texts, probabilities and ends equal plain decoding's, whatever the drafts."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import pytest
import torch

import structgen as sg
from structgen.engines import attention
from structgen.engines.decode import Output, Request, decode
from structgen.engines.transformers import TransformersEngine
from structgen.errors import OptionError
from structgen.matcher import Constraint
from structgen.options import SamplingOptions
from structgen.speculation import read_ahead as read_ahead_module
from structgen.speculation.drafters import (
    Draft,
    ForcedText,
    Place,
    PromptLookup,
    RecycledTokens,
    Seen,
    WordLookup,
    default_drafters,
)
from structgen.speculation.estimates import Payoff
from structgen.speculation.forward import TreeForward
from structgen.speculation.lossy import TypicalAcceptance
from structgen.speculation.options import Speculation
from structgen.speculation.read_ahead import Learnt, ReadAhead, read_ahead
from structgen.speculation.tree import DraftTree

Engines = Callable[..., TransformersEngine]
PAID = Payoff.measured
FAMILIES = ("llama", "qwen2", "qwen3", "gpt2", "gemma", "mistral")
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 6}, "ok": {"type": "boolean"}, "n": {"enum": [1, 22, 333]}},
    "required": ["name", "ok", "n"],
    "additionalProperties": False,
}


class Adversary:
    """Drafts that are always wrong, illegal, doubled, deep, or behind the end; and claims to be sure."""

    name = "adversary"

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)

    def begin(self, place: Place) -> None:
        self._rng.random()

    def drafts(self, place: Place, node: int) -> Any:
        tokens = [self._rng.randrange(place.vocabulary.size) for _ in range(6)]
        return [
            Draft(token, self._rng.randrange(99), self._rng.random())
            for token in (*tokens, *tokens, *place.vocabulary.stop_ids)
        ]

    def observe(self, seen: Seen) -> None:
        self._rng.random()


class Oracle:
    """Drafts the text itself, with a wrong sibling at every node."""

    name = "oracle"

    def __init__(self, prompt: list[int], output: list[int], sure: float = 0.95) -> None:
        self._text, self._sure = [*prompt, *output], sure

    def begin(self, place: Place) -> None:
        self._at = len(place.tokens)

    def drafts(self, place: Place, node: int) -> Any:
        at = self._at + place.tree.depths[node]
        if at < min(len(self._text), self._at + 9):
            yield Draft((self._text[at] + 1) % place.vocabulary.size, 1, 0.6)
            yield Draft(self._text[at], 0, self._sure)

    def observe(self, seen: Seen) -> None:
        pass


def drafters_of(kind: str, engine: TransformersEngine) -> Callable[[], list[Any]]:
    return {
        "all": lambda: default_drafters(engine),
        "forced": lambda: [ForcedText(engine)],
        "lookup": lambda: [PromptLookup()],
        "words": lambda: [WordLookup(engine)],
        "recycled": lambda: [RecycledTokens()],
        "adversary": lambda: [Adversary(3)],
        "none": list,
    }[kind]


def plain(engine: TransformersEngine, requests: list[Request], options: SamplingOptions) -> list[Output]:
    return decode(engine, requests, options)


def ahead(
    engine: TransformersEngine, requests: list[Request], options: SamplingOptions, make: Any = None, weigh: bool = True
) -> tuple[list[Output], ReadAhead]:
    how = Speculation(drafters=None if make is None else lambda engine: make())
    learnt = Learnt(TreeForward(engine))
    assert learnt.forward.why_not is None
    model = ReadAhead(learnt, [request.constraint for request in requests], how, whole=weigh)
    model._cost = _Free()  # every draft is read, whatever it costs
    return decode(model, requests, options, weigh=weigh), model


class _Free:
    def measured(self, nodes: int, seconds: float) -> None:
        pass

    def __call__(self, nodes: int) -> float:
        return 1.0


def same(ours: list[Output], theirs: list[Output]) -> None:
    for one, other in zip(ours, theirs, strict=True):
        assert one.token_ids == other.token_ids
        assert (one.stop_id, one.finish_reason, one.completed_at) == (
            other.stop_id,
            other.finish_reason,
            other.completed_at,
        )
        assert one.log_prob == pytest.approx(other.log_prob, abs=1e-8, nan_ok=True)
        assert one.log_q == pytest.approx(other.log_q, abs=1e-8, nan_ok=True)


def request(engine: TransformersEngine, constraint: Constraint | None, text: str, **more: Any) -> Request:
    return Request(engine.encode(text), constraint, more.pop("max_tokens", 60), is_json=constraint is not None, **more)


@pytest.fixture
def constraint(make_engine: Engines) -> Constraint:
    from structgen.compiler import compile_grammar
    from structgen.grammars.json_schema import compile_schema

    return compile_grammar(compile_schema(SCHEMA).grammar, make_engine().vocabulary)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_passes_its_own_test(family: str, make_engine: Engines) -> None:
    for double in (False, True):
        assert TreeForward(make_engine(family, double=double)).why_not is None


@pytest.mark.parametrize("kind", ["all", "forced", "lookup", "words", "recycled", "adversary", "none"])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_the_text_is_that_of_plain_decoding(
    kind: str, temperature: float, make_engine: Engines, constraint: Constraint
) -> None:
    engine = make_engine(double=True)
    for seed in range(6):
        options = SamplingOptions(temperature=temperature, seed=seed, top_p=0.9 if seed % 2 else None)
        requests = [request(engine, constraint, 'the quick {"name": "fox", "ok": true')]
        ours, model = ahead(engine, requests, options, drafters_of(kind, engine))
        same(ours, plain(engine, requests, options))
        assert model.figures.calls <= model.figures.tokens


@pytest.mark.parametrize("family", FAMILIES)
def test_batches_with_and_without_constraints_and_budgets(
    family: str, make_engine: Engines, constraint: Constraint
) -> None:
    engine = make_engine(family, double=True)
    requests = [
        request(engine, constraint, "the quick brown"),
        request(engine, None, "über 世界, the quick brown fox", max_tokens=25),
        request(engine, constraint, "x", max_tokens=30, steer=False),
        request(engine, constraint, "true false null", max_tokens=26, steer=True),
        request(engine, constraint, "the", stops=(b"true",)),
    ]
    for seed in range(2):
        options = SamplingOptions(temperature=1.2, seed=seed)
        ours, _ = ahead(engine, requests, options, drafters_of("all", engine))
        same(ours, plain(engine, requests, options))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_the_head_may_be_restricted_where_nobody_weighs(
    family: str, temperature: float, make_engine: Engines, constraint: Constraint
) -> None:
    engine = make_engine(family, double=True)
    few, whole = [0], [0]
    for seed in range(3):
        options = SamplingOptions(temperature=temperature, seed=seed, top_k=5 if seed else None, min_p=0.01)
        requests = [
            request(engine, constraint, 'the quick {"name": "fox", "ok": true'),
            request(engine, None, "the quick", max_tokens=20),
            request(engine, constraint, "x", max_tokens=30, steer=False),
        ]
        ours, model = ahead(engine, requests, options, drafters_of("all", engine), weigh=False)
        assert all(math.isnan(output.log_prob) and math.isnan(output.log_q) for output in ours)
        expected = plain(engine, requests, options)
        assert [each.token_ids for each in ours] == [each.token_ids for each in expected]
        assert [each.finish_reason for each in ours] == [each.finish_reason for each in expected]
        assert model._learnt.forward.head is not None
        assert model._answers is not None
        few[0] += len(model._answers._few)
        whole[0] += len(model._answers._known)
    assert few[0]


def test_a_model_that_does_more_behind_its_head_keeps_it_whole(
    make_engine: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make_engine(double=True)
    assert TreeForward(engine).head is not None
    inner = engine.model.forward

    def capped(*args: Any, **kwargs: Any) -> Any:
        found = inner(*args, **kwargs)
        found.logits = 3 * torch.tanh(found.logits / 3)
        return found

    monkeypatch.setattr(engine.model, "forward", capped)
    forward = TreeForward(engine)
    assert (forward.why_not, forward.head) == (None, None)


def test_answers_are_the_same_in_every_way(make_engine: Engines) -> None:
    engine = make_engine(double=True)
    forward = TreeForward(engine)
    _, text = forward.read([[5, 6, 7], [8, 9]])
    trees = [DraftTree(4, 2, None), DraftTree(3, 2, None)]
    trees[0].add(0, 9, 0.5, ("test", 0))
    answers = forward.forward(trees, text)
    assert (answers.width, forward.head is not None) == (2, True)
    ids = torch.tensor([1, 5, 30])
    few = answers.few(0, 1, ids)
    some = answers.some(0, 1, ids)
    assert torch.isinf(some).sum() == len(some) - 3
    answers.know([(0, 0), (0, 1), (1, 0)])
    whole = answers.logits(0, 1)
    assert torch.allclose(whole[ids], few)
    assert torch.equal(some[ids], few)
    assert torch.equal(answers.some(0, 1, ids), whole)
    assert torch.equal(answers.few(0, 1, ids), whole[ids])


def test_right_drafts_save_calls_and_long_texts_compact(make_engine: Engines) -> None:
    engine = make_engine(double=True)
    requests = [request(engine, None, "the quick brown fox", max_tokens=300)]
    options = SamplingOptions(temperature=1.0, seed=5)
    expected = plain(engine, requests, options)
    make = lambda: [Oracle(list(requests[0].prompt), list(expected[0].token_ids))]  # noqa: E731
    ours, model = ahead(engine, requests, options, make)
    same(ours, expected)
    assert model.figures.tokens > 5 * model.figures.calls
    assert sum(model.figures.taken.values()) >= 0.8 * (model.figures.tokens - model.figures.calls)


def test_what_was_taken_is_what_the_text_went_on_with(make_engine: Engines, constraint: Constraint) -> None:
    engine = make_engine(double=True)
    requests = [request(engine, constraint, "the quick")]
    _, model = ahead(engine, requests, SamplingOptions(temperature=1.0, seed=1), drafters_of("all", engine))
    figures = model.figures
    assert all(figures.taken.get(name, 0) <= count for name, count in figures.nodes.items())
    assert figures.tokens - figures.calls <= sum(figures.taken.values())


class _Sure:
    """Takes the first draft, whatever its probability."""

    name = "sure"

    def taken(self, law: torch.Tensor, drafts: Any) -> int | None:
        assert float(law.sum()) == pytest.approx(1)
        assert all(float(law[token]) > 0 for token in drafts)
        return int(drafts[0])


def test_a_lossy_verifier_is_named_and_its_probabilities_are_not_given(
    make_engine: Engines, constraint: Constraint
) -> None:
    engine = make_engine(double=True)
    asked = {"schema": SCHEMA, "seed": 4, "temperature": 1.0, "max_tokens": 200, "on_truncate": "return"}
    exact = sg.generate_result(engine, "the quick fox", speculation=Speculation(), **asked)
    lossy = sg.generate_result(engine, "the quick fox", speculation=Speculation(lossy=_Sure()), **asked)
    assert (exact.stats.speculation.lossy, lossy.stats.speculation.lossy) == (None, "sure")
    assert math.isnan(lossy.log_prob)
    assert lossy.text != exact.text
    with pytest.raises(OptionError, match="lossy"):
        Speculation(lossy="typical")  # type: ignore[arg-type]


def test_typical_acceptance_takes_what_is_likely_for_its_entropy() -> None:
    law = torch.tensor([0.5, 0.3, 0.1, 0.1], dtype=torch.float64)
    entropy = -sum(p * math.log(p) for p in law.tolist())
    threshold = 0.5 * math.exp(-entropy)
    assert 0.1 < threshold < 0.3
    rule = TypicalAcceptance(epsilon=0.4, delta=0.5)
    assert rule.taken(law, [2, 1]) == 1
    assert rule.taken(law, [2, 3]) is None
    assert TypicalAcceptance(epsilon=0.05, delta=0.5).taken(law, [2]) == 2


def test_a_repeatable_run_drafts_the_same_whatever_was_before(make_engine: Engines, constraint: Constraint) -> None:
    engine = make_engine(double=True)
    runs = []
    for _ in range(3):
        model, why_not = read_ahead(engine, [constraint], Speculation(), repeatable=True)
        assert (why_not, model is None) == (None, False)
        assert model is not None
        (output,) = decode(model, [request(engine, constraint, "the quick")], SamplingOptions(temperature=1.0, seed=3))
        runs.append((output.token_ids, model.figures))
        for _ in range(3):  # what others learn and remember
            other, _ = read_ahead(engine, [constraint], Speculation())
            assert other is not None
            decode(other, [request(engine, constraint, "the quick")], SamplingOptions(temperature=1.0, seed=3))
    assert runs[0] == runs[1] == runs[2]
    assert "store" not in runs[0][1].nodes


def test_a_model_too_quick_to_gain_is_left_alone(make_engine: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = make_engine(double=True)
    model, why_not = read_ahead(engine, [None])
    assert model is None
    assert "answers too quickly" in (why_not or "")
    assert read_ahead(engine, [None], Speculation())[0] is not None
    monkeypatch.setattr(read_ahead_module, "_LEAST_WEIGHTS", 1000)
    assert read_ahead(engine, [None])[0] is not None


def test_drafting_rests_where_it_does_not_pay(make_engine: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = make_engine(double=True)
    requests = [
        request(engine, None, "the quick brown fox", max_tokens=200),
        request(engine, None, "x", max_tokens=200),
    ]
    options = SamplingOptions(temperature=1.0, seed=5)
    learnt = Learnt(TreeForward(engine))
    model = ReadAhead(learnt, [None, None], Speculation(drafters=lambda engine: [Adversary(1)]))
    drafted = []
    inner = ReadAhead._draft

    def noted(self: ReadAhead, row: Any, state: Any) -> None:
        drafted.append(self._since.drafted)
        inner(self, row, state)

    monkeypatch.setattr(ReadAhead, "_draft", noted)
    monkeypatch.setattr(Payoff, "measured", lambda self, seconds, tokens, plain: PAID(self, 9.0, tokens, 1.0))
    same(decode(model, requests, options), plain(engine, requests, options))
    assert 0.05 < sum(drafted) / len(drafted) < 0.6


def test_pauses_grow_while_nothing_pays_and_end_when_it_does() -> None:
    payoff, pauses = Payoff(), []
    for _ in range(4):
        while payoff.drafts():
            payoff.measured(2.0, 1, 1.0)
        pauses.append(1)
        while not payoff.drafts():
            pauses[-1] += 1
    assert pauses == [16, 32, 64, 128]
    for _ in range(50):
        assert payoff.drafts()
        payoff.measured(2.0, 3, 1.0)
    while payoff.drafts():
        payoff.measured(9.0, 1, 1.0)
    rest = 1
    while not payoff.drafts():
        rest += 1
    assert rest == 16
    fixed = Payoff(fixed=True)
    for _ in range(50):
        fixed.measured(9.0, 1, 1.0)
        assert fixed.drafts()


# ---------------------------------------------------------------------------------------------------------- mutants


def _sees_siblings(tree: DraftTree) -> Any:
    import numpy as np

    return np.tril(np.ones((len(tree), len(tree)), np.bool_))


def _keeps_all(self: TreeForward, paths: Any, size: int, text: Any) -> None:
    start = text.valid.shape[1] - size
    text.valid[:, start:] = True
    text.length += size


def _off_by_one(self: TreeForward, paths: Any, size: int, text: Any) -> None:
    TAKE(self, [path[:-1] if len(path) > 1 else path for path in paths], size, text)


def _shifted(self: TreeForward, trees: Any, text: Any) -> torch.Tensor:
    text.length += 1
    found = FORWARD(self, trees, text)
    text.length -= 1
    return found


def _wrong_order(self: TreeForward, text: Any) -> None:
    text.valid = text.valid.flip(1)
    COMPACT(self, text)


TAKE, FORWARD, COMPACT = TreeForward.take, TreeForward.forward, TreeForward._compact
MUTANTS: dict[str, tuple[Any, str, Any]] = {
    "nodes that see their siblings": (DraftTree, "attention", _sees_siblings),
    "drafts that stay in the text": (TreeForward, "take", _keeps_all),
    "a path one too short": (TreeForward, "take", _off_by_one),
    "positions one too far": (TreeForward, "forward", _shifted),
    "compaction that keeps the wrong slots": (TreeForward, "_compact", _wrong_order),
    "the wrong child": (DraftTree, "child", lambda tree, node, token: 1 if len(tree) > 1 and node == 0 else -1),
    "logits of the parent": (
        ReadAhead,
        "_here",
        lambda model: torch.stack(
            [model._answers.logits(at, max(0, row.tree.parents[row.node])) for at, row in enumerate(model._rows)]
        ),
    ),
    "logits that are stale": (
        ReadAhead,
        "_here",
        lambda model: torch.stack([model._answers.logits(at, 0) for at, row in enumerate(model._rows)]),
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_mutants_are_caught(
    name: str, make_engine: Engines, constraint: Constraint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the comparison with plain decoding, and those of the forward pass by the self-test as well."""
    engine = make_engine(double=True)
    requests = [request(engine, None, "the quick brown fox", max_tokens=60)]
    options = SamplingOptions(temperature=1.0, seed=2)
    expected = plain(engine, requests, options)
    make = lambda: [Oracle(list(requests[0].prompt), list(expected[0].token_ids), 0.6), RecycledTokens()]  # noqa: E731
    owner, attribute, mutant = MUTANTS[name]
    with monkeypatch.context() as patch:
        patch.setattr(TreeForward, "self_test", lambda self: None)
        patch.setattr(owner, attribute, mutant)
        with pytest.raises((AssertionError, RuntimeError, IndexError)):
            same(ahead(engine, requests, options, make)[0], expected)
    if owner in (TreeForward, DraftTree) and attribute != "child":
        with monkeypatch.context() as patch:
            patch.setattr(owner, attribute, mutant)
            assert TreeForward(engine).why_not is not None


def test_a_model_that_takes_no_tree_says_why(make_engine: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = make_engine()
    monkeypatch.setattr(engine.model.config, "_attn_implementation", "flash_attention_2")
    assert "flash_attention_2" in (TreeForward(engine).why_not or "")
    monkeypatch.setattr(engine.model.config, "_attn_implementation", "eager")
    assert TreeForward(engine).why_not is None
    monkeypatch.setattr(attention, "_TOLERANCE", {torch.float32: -1.0})
    assert "differ from plain decoding" in (TreeForward(engine).why_not or "")


# --------------------------------------------------------------------------------------------------------- generate


def test_generate_speculates_and_says_what_it_did(make_engine: Engines) -> None:
    engine = make_engine(double=True)
    for n, options in ((1, {"temperature": 0.0}), (3, {"temperature": 1.0})):
        asked = {"schema": SCHEMA, "n": n, "seed": 4, "max_tokens": 200, "on_truncate": "return", **options}
        without = sg.generate_result(engine, "the quick fox", speculation=None, **asked)
        results = sg.generate_result(engine, "the quick fox", speculation=Speculation(), **asked)
        for one, other in zip([results] if n == 1 else results, [without] if n == 1 else without, strict=True):
            assert (one.text, one.finish_reason) == (other.text, other.finish_reason)
            assert one.log_prob == pytest.approx(other.log_prob, abs=1e-8)
            assert other.stats.speculation is None
            assert one.stats.speculation.calls <= one.stats.speculation.tokens


def test_streams_speculate_too(make_engine: Engines) -> None:
    engine = make_engine(double=True)
    asked = {"schema": SCHEMA, "seed": 4, "temperature": 1.0, "max_tokens": 300}
    plain_steps = list(sg.generate(engine, "the quick fox", stream=True, speculation=None, **asked))
    assert list(sg.generate(engine, "the quick fox", stream=True, speculation=Speculation(), **asked)) == plain_steps


def test_an_engine_that_reads_no_trees_decodes_plainly_and_says_so(make_engine: Engines) -> None:
    class Other:
        def __init__(self, engine: TransformersEngine) -> None:
            self.vocabulary, self.prefill, self.extend = engine.vocabulary, engine.prefill, engine.extend
            self.encode = engine.encode

    result = sg.generate_result(
        Other(make_engine()), "the", choices=["quick", "brown"], max_tokens=20, speculation="auto"
    )
    assert result.value in ("quick", "brown")
    assert result.stats.speculation == "off: Other reads no trees"


@pytest.mark.parametrize("value", [True, "on", 3])
def test_what_is_no_speculation_is_refused(value: object) -> None:
    with pytest.raises(OptionError, match="speculation is 'auto'"):
        sg.generate(None, "x", regex="a", speculation=value)  # type: ignore[call-overload]
    with pytest.raises(OptionError, match="most_nodes"):
        Speculation(most_nodes=0)
