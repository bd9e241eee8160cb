"""Rules that choose by the path so far: every choice and every probability against the definitions, step by step."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch

import structgen as sg
from structgen.engines import contrastive, mirostat, momentum
from structgen.engines.decode import Output, Request, decode
from structgen.errors import ModelError, OptionError, VocabularyError
from structgen.options import SamplingOptions
from structgen.samplers.models import TableModel
from tests.api.engines import HashEngine

CONSTRAINT = r"(ab|ba|[c-e]{1,3};){9,}"
Step = tuple[dict[int, float], int, list[int]]  # the law behind the mask, what was taken, the text before


class Endless(HashEngine):
    """Never stops by itself."""

    def _logits(self, context: list[list[int]]) -> torch.Tensor:
        logits = super()._logits(context)
        logits[:, -1] = -math.inf
        return logits


class Circling(HashEngine):
    """What it prefers depends on the last token alone, so that the likeliest tokens go in circles."""

    def _logits(self, context: list[list[int]]) -> torch.Tensor:
        return super()._logits([row[-1:] for row in context])


def written(engine: Any, rule: Any, temperature: float, tokens: int = 30, regex: str = CONSTRAINT) -> list[Output]:
    """Three rows, none of them completed without the model."""
    constraint = sg.compile(regex=regex, vocabulary=engine.vocabulary)
    requests = [Request([5 + row], constraint, tokens, rule=rule, steer=False) for row in range(3)]
    return decode(engine, requests, SamplingOptions(temperature=temperature, seed=3))


def steps(engine: Any, output: Output, prompt: int, regex: str = CONSTRAINT) -> list[Step]:
    """Each event of an output."""
    matcher = sg.compile(regex=regex, vocabulary=engine.vocabulary).matcher()
    text, out = [prompt], []
    for token in (*output.token_ids, output.stop_id):
        if token is None:
            break
        logits = engine._logits([text])[0].numpy()
        row = matcher.mask()
        allowed = [t for t in range(len(logits)) if row[t // 32] >> np.uint32(t % 32) & 1]
        weights = np.exp(logits[allowed] - logits[allowed].max())
        out.append((dict(zip(allowed, (weights / weights.sum()).tolist(), strict=True)), token, list(text)))
        matcher.accept(token)
        text.append(token)
    return out


def check_mirostat(tau: float, eta: float) -> None:
    """Each draw is from what is below mu, log_q is the sum of its probabilities there, and mu follows."""
    engine = HashEngine()
    rule, cuts = mirostat.Mirostat(tau, eta), 0
    for row, output in enumerate(written(engine, rule, 1.0)):
        most, log_q = 2 * tau, 0.0
        for law, token, _ in steps(engine, output, 5 + row):
            kept = {t: q for t, q in law.items() if -math.log2(q) <= most or q == max(law.values())}
            assert token in kept
            cuts += len(kept) < len(law)
            log_q += math.log(kept[token] / sum(kept.values()))
            if len(law) > 1:
                most -= eta * (-math.log2(law[token]) - tau)
        assert output.log_q == pytest.approx(log_q)
    assert cuts > 5


def naive_depth(text: Sequence[int], token: int) -> int:
    whole = [*text, token]
    standing = [list(text[at : at + n]) for n in range(1, 7) for at in range(len(text))]
    return max((n for n in range(1, 7) if whole[-n:] in standing), default=0)


def check_momentum(alpha: float, k: int) -> None:
    """The best of the k likeliest, less what a repetition costs; sometimes that is not the likeliest."""
    engine, turned = Circling(), 0
    for row, output in enumerate(written(engine, momentum.Momentum(alpha, k), 0.0, tokens=60)):
        for law, token, text in steps(engine, output, 5 + row):
            ranked = sorted(law, key=lambda t: (-law[t], t))[:k]
            costs = {t: naive_depth(text, t) for t in ranked}
            reach = [t for t in ranked if costs[t] <= 5]
            best = max(reach, key=lambda t: law[t] - alpha * costs[t]) if reach else ranked[0]
            assert token == best
            turned += token != ranked[0]
    assert turned > 3


def check_contrastive(alpha: float) -> None:
    """The greatest difference among those likely enough behind the mask."""
    engine, heads = HashEngine(), 0
    amateur = TableModel(engine.vocabulary, lambda u: np.random.default_rng(len(u)).normal(size=engine.vocabulary.size))
    for row, output in enumerate(written(engine, contrastive.Contrastive(amateur, alpha), 0.0)):
        for law, token, text in steps(engine, output, 5 + row):
            dull = amateur.logits([tuple(text)])[0]
            head = [t for t, p in law.items() if p >= alpha * max(law.values())]
            assert token == max(head, key=lambda t: math.log(law[t]) - dull[t])
            heads += 1 < len(head) < len(law)
    assert heads > 3


def test_mirostat() -> None:
    for tau, eta in ((1.0, 0.3), (0.2, 0.1), (0.5, 1.0)):
        check_mirostat(tau, eta)


def test_momentum() -> None:
    check_momentum(0.2, 5)
    check_momentum(0.02, 3)
    check_momentum(0.001, 5)


def test_contrastive() -> None:
    check_contrastive(0.1)
    check_contrastive(0.5)


def test_mirostat_keeps_its_target() -> None:
    """Laws of 7.3 bits whose likeliest token has 4.7: the mean surprise of a long row is what was asked for."""
    engine = Endless()
    rule = mirostat.Mirostat(6.0, 0.3)
    output = decode(engine, [Request([1], None, 150, rule=rule)], SamplingOptions(seed=1))[0]
    logits = engine._logits([[1, *output.token_ids[:at]] for at in range(150)])
    bits = -logits.log_softmax(dim=1) / math.log(2)
    seen = [float(row[token]) for row, token in zip(bits, output.token_ids, strict=True)]
    assert abs(np.mean(seen[20:]) - 6.0) < 0.15


def test_depth_is_the_longest_end_that_stands_before() -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        text = rng.integers(0, 3, size=12).tolist()
        token = int(rng.integers(0, 4))
        assert momentum.depth(text, token) == naive_depth(text, token)


def test_a_schema_that_repeats_itself_is_written_all_the_same() -> None:
    """Every way on is a repetition seven tokens deep: the likeliest comes."""
    for output in written(Circling(), momentum.Momentum(), 0.0, tokens=40, regex="(abcdefgh){4}"):
        assert output.finish_reason == "stop"
        assert output.data == b"abcdefgh" * 4


def test_rows_with_other_rules_stand_in_one_batch() -> None:
    engine = Circling()
    constraint = sg.compile(regex=CONSTRAINT, vocabulary=engine.vocabulary)
    rules = [None, momentum.Momentum(), mirostat.Mirostat(1.0), momentum.Momentum(1.0)]
    drawn, greedy = SamplingOptions(temperature=1.0, seed=3), SamplingOptions(temperature=0.0)
    requests = [
        Request([5], constraint, 20, rule=rule, options=each, stream=7, steer=False)
        for rule, each in zip(rules, (greedy, greedy, drawn, greedy), strict=True)
    ]
    together = decode(engine, requests, drawn)
    assert [o.token_ids for o in together] == [decode(engine, [r], drawn)[0].token_ids for r in requests]
    assert len({o.token_ids for o in together}) > 2
    assert [math.isnan(o.log_q) for o in together] == [False, True, False, True]


def test_generate_takes_them_by_name() -> None:
    engine = HashEngine()
    ask: dict[str, Any] = {"regex": CONSTRAINT, "max_tokens": 30, "seed": 2, "on_truncate": "return"}
    plain = sg.generate_result(engine, "?", **ask)
    for given in ({"mirostat": 1.0}, {"momentum": 0.5}, {"contrastive": sg.Contrastive(Circling())}):
        found = sg.generate_result(engine, "?", **ask, **given)
        assert found.token_ids != plain.token_ids, given
        assert found.token_ids == sg.generate_result(engine, "?", **ask, **given).token_ids
    several = sg.generate(engine, "?", n=3, mirostat=sg.Mirostat(4.0, 0.2), **ask)
    assert len(several) == 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"mirostat": 1.0, "momentum": 0.2}, "mirostat and momentum"),
        ({"mirostat": 1.0, "top_p": 0.9}, "mirostat and top_p"),
        ({"mirostat": 1.0, "temperature": 0}, "temperature 0 draws nothing"),
        ({"momentum": 0.2, "temperature": 1.0}, "draws none"),
        ({"momentum": 0.2, "n": 2}, "draws none"),
        ({"mirostat": "high"}, "structgen.Mirostat"),
        ({"mirostat": True}, "structgen.Mirostat"),
        ({"mirostat": -1.0}, "tau of mirostat"),
        ({"momentum": 0.0}, "alpha of momentum"),
        ({"contrastive": 0.6}, "structgen.Contrastive"),
        ({"mirostat": 1.0, "method": "cars"}, "means nothing with method='cars'"),
    ],
)
def test_what_contradicts_itself_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        sg.generate(HashEngine(), "?", choices=["a", "b"], **options)


def test_wrong_rules_and_amateurs_are_refused() -> None:
    for build, said in (
        (lambda: sg.Momentum(0.2, 0), "k of momentum"),
        (lambda: sg.Mirostat(1.0, math.inf), "eta of mirostat"),
        (lambda: sg.Contrastive(None, 0.0), "alpha of contrastive"),
    ):
        with pytest.raises(OptionError, match=said):
            build()
    engine, other = HashEngine(), sg.Vocabulary.from_bytes([b"a", b""], eos=[1])
    with pytest.raises(VocabularyError):
        sg.generate(engine, "?", choices=["a"], contrastive=sg.Contrastive(TableModel(other, lambda u: np.zeros(2))))
    never = np.full(engine.vocabulary.size, -np.inf)
    never[0] = 0.0
    with pytest.raises(ModelError, match="amateur gives probability zero"):
        silent = sg.Contrastive(TableModel(engine.vocabulary, lambda u: never))
        sg.generate(engine, "?", choices=["a", "b"], contrastive=silent)


def forced_steps_count(patch: pytest.MonkeyPatch) -> None:
    shape = mirostat.Mirostat.shape

    def mutant(self: Any, logits: Any, texts: Any, states: Any, temperature: float) -> Any:
        shaped = shape(self, logits, texts, states, temperature)
        for state, row in zip(states, logits, strict=True):
            state.bits = -row.log_softmax(dim=0) / math.log(2)
        return shaped

    patch.setattr(mirostat.Mirostat, "shape", mutant)


def nats_for_bits(patch: pytest.MonkeyPatch) -> None:
    took = mirostat.Mirostat.took

    def mutant(self: Any, state: Any, token: int) -> None:
        state.bits = None if state.bits is None else state.bits * math.log(2)
        took(self, state, token)

    patch.setattr(mirostat.Mirostat, "took", mutant)


def begins_at_tau(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(mirostat.Mirostat, "start", lambda self: mirostat.Surprise(self.tau))


def no_infinite_resistance(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(momentum, "_resistance", float)


def depth_of_one(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(momentum, "depth", lambda text, token: int(token in text))


def head_before_the_mask(patch: pytest.MonkeyPatch) -> None:
    shape = contrastive.Contrastive.shape

    def mutant(self: Any, logits: Any, texts: Any, states: Any, temperature: float) -> Any:
        return shape(type(self)(self.amateur, min(1.0, self.alpha * 3)), logits, texts, states, temperature)

    patch.setattr(contrastive.Contrastive, "shape", mutant)


MUTANTS: list[tuple[Callable[[pytest.MonkeyPatch], None], Callable[[], None]]] = [
    (forced_steps_count, test_mirostat),
    (nats_for_bits, test_mirostat),
    (begins_at_tau, test_mirostat),
    (no_infinite_resistance, lambda: check_momentum(0.001, 5)),
    (depth_of_one, test_momentum),
    (head_before_the_mask, test_contrastive),
]


@pytest.mark.parametrize(("mutate", "judge"), MUTANTS, ids=lambda value: value.__name__)
def test_mutants_are_caught(
    mutate: Callable[[pytest.MonkeyPatch], None], judge: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutate(monkeypatch)
    with pytest.raises(AssertionError):
        judge()
