"""The law of what is decoded, over every outcome: with speculation it is plain decoding's to 1e-12.

Every draw of the decode loop is answered in turn with each token that can come, so a run walks one path of the tree of
all outcomes; together they give the exact law of the code that ships. Mutants of it must show.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

import structgen.engines.decode as decode_module
from structgen.compiler import compile_grammar
from structgen.engines import allowed as allowed_module
from structgen.engines import sampling as sampling_module
from structgen.engines.decode import Request
from structgen.engines.sampling import DrawLaw, Proposal, draw, draw_proposed, law
from structgen.engines.transformers import TransformersEngine
from structgen.grammars.json_schema import JsonStyle, compile_schema
from structgen.matcher import Constraint
from structgen.options import SamplingOptions
from structgen.speculation import read_ahead as read_ahead_module
from structgen.speculation.drafters import DraftModel, default_drafters
from structgen.speculation.forward import TreeForward
from structgen.speculation.head import Answers, Head
from structgen.speculation.options import Speculation
from structgen.speculation.read_ahead import Learnt, ReadAhead
from structgen.speculation.tree import DraftTree
from tests.speculation.test_read_ahead import Adversary, Engines, _Free, drafters_of

Law = dict[tuple[tuple[int, ...], int | None], tuple[float, float, float]]  # probability, log_prob, log_q
WARPERS = {
    "plain": {},
    "warm": {"temperature": 1.7},
    "top_k": {"top_k": 3},
    "top_p": {"top_p": 0.8},
    "min_p": {"min_p": 0.2, "temperature": 0.6},
    "greedy": {"temperature": 0.0},
}
SCHEMA = {"type": "array", "items": {"enum": [1, 12, "a", True]}, "maxItems": 2}


class Chooser:
    """Answers the random decisions of one run: as a script says, then with the first that can be; notes the others."""

    def __init__(self, script: tuple[int, ...]) -> None:
        self.script, self.taken, self.chance = script, list[int](), 1.0
        self.others: list[tuple[int, ...]] = []

    def pick(self, chances: list[float]) -> int:
        """A place whose probability is not 0."""
        possible = [place for place, chance in enumerate(chances) if chance > 0]
        at = len(self.taken)
        if at < len(self.script):
            found = self.script[at]
            assert found in possible
        else:
            found = possible[0]
            self.others += [(*self.taken, place) for place in possible[1:]]
        self.taken.append(found)
        self.chance *= chances[found]
        return found

    def draw(self, source: DrawLaw, generators: Any, options: SamplingOptions, proposals: Any = ()) -> list[int]:
        if any(proposal is not None for proposal in proposals) and options.temperature:
            return draw(source, [self], options, proposals)  # type: ignore[list-item]
        chances = (source.scores - source.log_norm).exp()[0]
        if not options.temperature:
            chances = torch.zeros_like(chances).index_fill_(0, chances.argmax(), 1.0)
        place = self.pick(chances.tolist())
        return [place if source.ids is None else int(source.ids[0, place])]

    def draw_alone(
        self, scores: torch.Tensor, generators: Any, options: SamplingOptions, ids: Any = None, proposals: Any = ()
    ) -> list[int]:
        return self.draw(law(scores, options, ids), generators, options, proposals)


class Coins:
    """Coins whose decisions are the chooser's (engines.sampling.Coins)."""

    def __init__(self, chooser: Chooser) -> None:
        self.chooser = chooser

    def accepts(self, chance: float) -> bool:
        return self.chooser.pick([1 - chance, chance]) == 1

    def one_of(self, chances: torch.Tensor) -> int:
        return self.chooser.pick(chances.tolist())


class EnumeratedDrafts(DraftModel):
    """A draft model whose draws are the chooser's."""

    chooser: Chooser

    def _order(self, chances: torch.Tensor, count: int) -> list[int]:
        left, found = chances.tolist(), list[int]()
        for _ in range(count):
            whole = sum(left)
            found.append(self.chooser.pick([chance / whole for chance in left]))
            left[found[-1]] = 0.0
        return found


def law_of(
    engine: TransformersEngine,
    constraint: Constraint,
    options: SamplingOptions,
    model: Callable[[Chooser], Any],
    monkeypatch: pytest.MonkeyPatch,
    *,
    weigh: bool,
    max_tokens: int = 5,
) -> Law:
    """(tokens, stop) -> probability and accounts, over every outcome of at most `max_tokens` tokens."""
    found: Law = {}
    waiting: list[tuple[int, ...]] = [()]
    request = Request(engine.encode("the quick"), constraint, max_tokens, steer=False)
    while waiting:
        chooser = Chooser(waiting.pop())
        with monkeypatch.context() as patch:
            patch.setattr(decode_module, "draw", chooser.draw)
            patch.setattr(decode_module, "draw_alone", chooser.draw_alone)
            patch.setattr(sampling_module, "_Tossed", Coins)
            (output,) = decode_module.decode(model(chooser), [request], options, weigh=weigh)
        waiting += chooser.others
        key = (output.token_ids, output.stop_id)
        before = found.get(key, (0.0, output.log_prob, output.log_q))
        assert before[1:] == pytest.approx((output.log_prob, output.log_q), abs=1e-9, nan_ok=True)
        found[key] = (before[0] + chooser.chance, *before[1:])
    assert sum(chance for chance, _, _ in found.values()) == pytest.approx(1, abs=1e-9)
    return found


def distance(one: Law, other: Law) -> float:
    """Total variation."""
    none = (0.0, 0.0, 0.0)
    return sum(abs(one.get(key, none)[0] - other.get(key, none)[0]) for key in one.keys() | other.keys()) / 2


def accounts_differ(one: Law, other: Law) -> float:
    """The largest difference of a log-probability, without or with the mask."""
    pairs = [(one[key][at], other[key][at]) for key in one for at in (1, 2)]
    return max(0.0 if a == b else abs(a - b) for a, b in pairs)


@pytest.fixture
def constraint(make_engine: Engines) -> Constraint:
    style = JsonStyle(whitespace="compact")
    return compile_grammar(compile_schema(SCHEMA, style=style).grammar, make_engine().vocabulary)


def ahead(learnt: Learnt, constraint: Constraint, drafters: Any, *, weigh: bool) -> Callable[[Chooser], ReadAhead]:
    """Makes the engine of one run; what was learnt is shared by all of them, as in use."""

    def make(chooser: Chooser) -> ReadAhead:
        how = Speculation(drafters=lambda engine: drafters())
        model = ReadAhead(learnt, [constraint], how, whole=weigh)
        model._cost = _Free()
        return model

    return make


def learnt_of(engine: TransformersEngine) -> Learnt:
    learnt = Learnt(TreeForward(engine))
    assert learnt.forward.why_not is None
    return learnt


@pytest.mark.parametrize("weigh", [True, False])
@pytest.mark.parametrize("warper", WARPERS)
def test_the_law_is_that_of_plain_decoding_over_every_outcome(
    warper: str, weigh: bool, make_engine: Engines, constraint: Constraint, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make_engine(double=True)
    options = SamplingOptions(seed=1, **WARPERS[warper])
    expected = law_of(engine, constraint, options, lambda chooser: engine, monkeypatch, weigh=True)
    assert len(expected) > 20 or warper in ("greedy", "top_k", "min_p", "top_p")
    learnt = learnt_of(engine)
    few = ("all", "adversary") if len(expected) > 20 else ("all", "adversary", "forced", "lookup", "words", "recycled")
    for kind in few:
        model = ahead(learnt, constraint, drafters_of(kind, engine), weigh=weigh)
        found = law_of(engine, constraint, options, model, monkeypatch, weigh=weigh)
        assert distance(found, expected) < 1e-12, kind
        assert not weigh or accounts_differ(found, expected) < 1e-11, kind


# ------------------------------------------------------------------------------------------------- sampled siblings


def law_with_proposal(target: list[float], given: list[float], count: int) -> list[float]:
    """The law of `draw_proposed` over every draw of the proposal and every decision."""
    found, waiting = [0.0] * len(target), [()]
    while waiting:
        chooser = Chooser(waiting.pop())
        left, drawn = list(given), list[int]()
        for _ in range(count):
            whole = sum(left)
            drawn.append(chooser.pick([chance / whole for chance in left]))
            left[drawn[-1]] = 0.0
        proposal = Proposal(tuple(drawn), torch.tensor(given, dtype=torch.float64))
        token = draw_proposed(torch.tensor(target, dtype=torch.float64), proposal, Coins(chooser))
        found[token] += chooser.chance
        waiting += chooser.others
    return found


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize(
    ("target", "given"),
    [
        ([0.5, 0.3, 0.2, 0.0], [0.1, 0.2, 0.3, 0.4]),  # what cannot come is proposed
        ([0.0, 0.0, 1.0, 0.0], [0.25, 0.25, 0.25, 0.25]),
        ([0.25, 0.25, 0.25, 0.25], [0.7, 0.1, 0.1, 0.1]),
        ([0.4, 0.3, 0.2, 0.1], [0.4, 0.3, 0.2, 0.1]),  # the law itself: the first is always accepted
    ],
)
def test_rejection_keeps_the_law_over_the_proposals_own_draws(
    target: list[float], given: list[float], count: int
) -> None:
    assert law_with_proposal(target, given, count) == pytest.approx(target, abs=1e-12)


def test_rejection_is_for_tokens_that_were_drawn() -> None:
    """With tokens that were chosen instead (the likeliest, always) the law is another: the test above can fail."""
    proposal = Proposal((0,), torch.tensor([0.6, 0.4], dtype=torch.float64))
    found, waiting = [0.0, 0.0], [()]
    while waiting:
        chooser = Chooser(waiting.pop())
        token = draw_proposed(torch.tensor([0.3, 0.7], dtype=torch.float64), proposal, Coins(chooser))
        found[token] += chooser.chance
        waiting += chooser.others
    assert found[0] == pytest.approx(0.5)


@pytest.mark.parametrize("weigh", [True, False])
def test_sampled_drafts_keep_the_law_of_the_whole_output(
    weigh: bool, make_engine: Engines, constraint: Constraint, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make_engine(double=True)
    options = SamplingOptions(seed=1, top_k=3)
    expected = law_of(engine, constraint, options, lambda chooser: engine, monkeypatch, weigh=True, max_tokens=3)
    learnt = learnt_of(engine)

    def model(chooser: Chooser) -> ReadAhead:
        drafter = EnumeratedDrafts(engine, most=2, wide=2, least=0.0, seed=1)
        drafter.chooser = chooser
        return ahead(learnt, constraint, lambda: [drafter], weigh=weigh)(chooser)

    assert len(expected) > 3
    found = law_of(engine, constraint, options, model, monkeypatch, weigh=weigh, max_tokens=3)
    assert distance(found, expected) < 1e-12
    assert not weigh or accounts_differ(found, expected) < 1e-9


# ---------------------------------------------------------------------------------------------------------- mutants


def _some_without_last(self: Answers, at: int, node: int, ids: torch.Tensor) -> torch.Tensor:
    found = SOME(self, at, node, ids)
    found[ids[-1]] = -torch.inf
    return found


def _few_of_parent(self: Answers, at: int, node: int, ids: torch.Tensor) -> torch.Tensor:
    return FEW(self, at, max(node - 1, 0), ids)


def _few_by_token(self: Head, state: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    return HEAD_FEW(self, state, (ids + 1) % self.size)


def _child_anywhere(self: DraftTree, node: int, token: int) -> int:
    return next((at for at in range(1, len(self)) if self.tokens[at] == token), -1)


def _states_that_stay(self: ReadAhead, row: Any, token: int) -> None:
    row.tokens.append(token)
    row.text += self.vocabulary.token_bytes(token)


def _forgets_what_was_taken(self: TreeForward, paths: Any, size: int, text: Any) -> None:
    TAKE(self, [path[:1] for path in paths], size, text)


def _counts_double(self: TreeForward, paths: Any, size: int, text: Any) -> None:
    TAKE(self, paths, size, text)
    text.length += 1


def _without_the_root(self: DraftTree, node: int) -> list[int]:
    return PATH(self, node)[1:] or [0]


def _sees_everything(self: DraftTree) -> Any:
    return ATTENTION(self) | True


def _sees_no_ancestors(self: DraftTree) -> Any:
    return ATTENTION(self) & (torch.eye(len(self)).numpy() > 0)


def _depths_by_number(self: TreeForward, trees: Any, text: Any) -> Any:
    for tree in trees:
        tree.depths = list(range(len(tree)))
    return FORWARD(self, trees, text)


def _earlier_answers(self: ReadAhead) -> torch.Tensor:
    found = HERE(self)
    kept, self.kept = getattr(self, "kept", found), found  # type: ignore[attr-defined]
    return kept


SOME, FEW, HEAD_FEW = Answers.some, Answers.few, Head.few
TAKE, FORWARD, PATH, ATTENTION, HERE = (
    TreeForward.take,
    TreeForward.forward,
    DraftTree.path,
    DraftTree.attention,
    ReadAhead._here,
)
MUTANTS: dict[str, tuple[Any, str, Any]] = {
    "a token left out of the restricted head": (Answers, "some", _some_without_last),
    "few logits of another node": (Answers, "few", _few_of_parent),
    "rows of the head shifted by one": (Head, "few", _few_by_token),
    "a child of any parent": (DraftTree, "child", _child_anywhere),
    "states that stay behind": (ReadAhead, "_append", _states_that_stay),
    "a path of which the root alone is kept": (TreeForward, "take", _forgets_what_was_taken),
    "lengths off by one": (TreeForward, "take", _counts_double),
    "a path without its root": (DraftTree, "path", _without_the_root),
    "nodes that see everything": (DraftTree, "attention", _sees_everything),
    "nodes that see no ancestors": (DraftTree, "attention", _sees_no_ancestors),
    "positions by number": (TreeForward, "forward", _depths_by_number),
    "the answer before": (ReadAhead, "_here", _earlier_answers),
    "few allowed tokens of the start": (
        read_ahead_module,
        "allowed_ids",
        lambda constraint, state: allowed_module.allowed_ids(constraint, 2),
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_mutants_have_another_law(
    name: str, make_engine: Engines, constraint: Constraint, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make_engine(double=True)
    options = SamplingOptions(seed=1)
    expected = law_of(engine, constraint, options, lambda chooser: engine, monkeypatch, weigh=True)
    learnt = learnt_of(engine)
    owner, attribute, mutant = MUTANTS[name]
    monkeypatch.setattr(owner, attribute, mutant)
    model = ahead(learnt, constraint, lambda: [*default_drafters(engine), Adversary(5)], weigh=False)
    try:
        found = law_of(engine, constraint, options, model, monkeypatch, weigh=False)
    except Exception:  # noqa: BLE001 -- a mutant may fail in any way
        return
    assert distance(found, expected) > 1e-3


def test_nothing_is_drafted_behind_a_stop(make_engine: Engines, constraint: Constraint) -> None:
    stops = constraint.vocabulary.stop_ids
    tree = DraftTree(5, 2, constraint, stops)
    assert len(stops) > 1
    assert all(tree.after(0, stop) == 0 for stop in stops)
