"""The tokenizer's own spelling only: the restricted target by enumeration, under every method, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from structgen.errors import OptionError
from structgen.samplers.canonical import CanonicalConstraint
from structgen.samplers.exact import enumerate_outputs
from structgen.samplers.fixtures import finite_language, tokenised, vocabulary_of
from structgen.samplers.models import TableModel
from structgen.samplers.predicates import Potential, Predicate
from structgen.samplers.problem import Problem
from structgen.samplers.run import METHODS, Budget, sample
from structgen.samplers.trie import Trie
from structgen.vocabulary import Vocabulary
from tests.samplers.judges import check_accepts, check_fit, check_kernel, check_trie_weights, check_weighted, needs

VOCABULARY = vocabulary_of("a", "b", "ab", "ba", "aa")
IDS = {"a": 0, "b": 1, "ab": 2, "ba": 3, "aa": 4}


def greedy(text: str) -> list[int]:
    """Longest match from the left: every prefix of a canonical sequence is canonical."""
    out, at = [], 0
    while at < len(text):
        size = 2 if text[at : at + 2] in IDS else 1
        out.append(IDS[text[at : at + size]])
        at += size
    return out


def letters_but(text: str) -> list[int]:
    """Letters, but "aba" is [ab, a]: canonical, though its prefix [ab] is not."""
    return [2, 0] if text == "aba" else [IDS[letter] for letter in text]


def problem_of(encode: object, canonical: object, max_tokens: int = 7) -> Problem:
    model = TableModel.sine(VOCABULARY, 2.0)
    model.tokens_of = encode  # type: ignore[assignment,method-assign]
    return Problem(model, tokenised().constraint, max_tokens, canonical=canonical)  # type: ignore[arg-type]


def outputs_of(problem: Problem) -> dict[tuple[int, ...], float]:
    exact = enumerate_outputs(problem)
    return dict(zip(exact.outputs, exact.log_prob.tolist(), strict=True))


@pytest.mark.parametrize(("encode", "ways"), [(greedy, (True, "prefixes")), (letters_but, (True,))])
def test_the_language_is_cut_to_canonical_spellings(encode: object, ways: tuple[object, ...]) -> None:
    everything = outputs_of(problem_of(encode, False))
    wanted = {w: p for w, p in everything.items() if encode(VOCABULARY.decode(w).decode()) == list(w)}  # type: ignore[operator]
    assert 1 < len(wanted) < len(everything)
    for canonical in ways:
        problem = problem_of(encode, canonical)
        assert outputs_of(problem) == pytest.approx(wanted)
        assert problem.law.measure == "canonical token sequences"
    assert (2, 0) in wanted or encode is greedy
    assert len({VOCABULARY.decode(w) for w in wanted}) == len(wanted)  # one spelling of every text


def test_prefixes_spare_dead_ends() -> None:
    """Both are exact; one reads fewer prefixes."""
    late, early = (enumerate_outputs(problem_of(greedy, canonical)) for canonical in (True, "prefixes"))
    assert len(early.log_future) < len(late.log_future)
    assert early.log_evidence == pytest.approx(late.log_evidence)


@pytest.mark.parametrize("canonical", [True, "prefixes"])
def test_methods_stay_exact(canonical: object) -> None:
    problem = problem_of(greedy, canonical, max_tokens=3)
    check_weighted(problem, "masked", 1)
    for draws in (0, 3):
        trie = Trie(problem)
        if draws:
            sample(problem, draws, "asap", trie=trie)
        check_accepts(problem, trie)
        check_trie_weights(problem, trie)
    for cut in ("restart", "uniform", "priority"):
        check_kernel(problem, cut)


def test_functions_of_the_user_stay_on_top() -> None:
    model = TableModel.sine(
        VOCABULARY,
        2.0,
    )
    model.tokens_of = greedy  # type: ignore[method-assign]
    long = Predicate(lambda text, complete: not complete or len(text) > 1, "long")
    likes = Potential(lambda text, complete: 0.5 * len(text), "likes")
    problem = Problem(model, tokenised().constraint & long & likes, 7, canonical=True)
    plain = outputs_of(problem_of(greedy, True))
    wanted = {w: p + 0.5 * len(VOCABULARY.decode(w)) for w, p in plain.items() if len(VOCABULARY.decode(w)) > 1}
    assert outputs_of(problem) == pytest.approx(wanted)
    assert (problem.law.potentials, problem.law.measure) == (("likes",), "canonical token sequences")


@pytest.mark.statistical
def test_frequencies() -> None:
    problem = problem_of(greedy, True)
    exact = enumerate_outputs(problem)
    check_fit(exact, [s.token_ids for s in sample(problem, 2000, "cars", seed=1).samples])
    check_fit(exact, [s.token_ids for s in sample(problem, 300, "rejection", seed=1).samples])


@pytest.mark.parametrize("method", METHODS)
def test_no_method_returns_another_spelling(method: str) -> None:
    problem = problem_of(greedy, True)
    result = sample(problem, 3, method, seed=2, budget=Budget(attempts=5000), **needs(method))
    alive = [s for s in result.samples if s.log_weight > -np.inf]
    assert alive
    assert all(greedy(s.text) == list(s.token_ids) for s in alive)


def test_special_tokens_and_broken_characters() -> None:
    """Text is judged between special tokens; what is not UTF-8 is not canonical, but may become so."""
    tokens = [b"a", b"\xc3", b"\xa9", b"\xc3\xa9", b"", b""]
    vocabulary = Vocabulary.from_bytes(tokens, eos=[5], special=[4], names={"<tool>": 4})
    constraint = CanonicalConstraint(
        finite_language(vocabulary, ["a"]), lambda text: [{"a": 0, "é": 3}[letter] for letter in text]
    )
    for w, whole, begun in [
        ((0, 4, 3), True, True),
        ((0, 1, 2), False, False),
        ((0, 1), False, True),
        ((4,), True, True),
        ((), True, True),
    ]:
        assert constraint.spells(w, complete=True) == whole
        assert constraint.spells(w, complete=False) == begun


def test_what_is_refused() -> None:
    with pytest.raises(OptionError, match="canonical needs a tokenizer, and TableModel has none"):
        Problem(TableModel.sine(VOCABULARY, 1.0), tokenised().constraint, 7, canonical=True)
    with pytest.raises(OptionError, match="canonical is False, True or 'prefixes'"):
        problem_of(greedy, "always")
    model = TableModel.sine(VOCABULARY, 1.0)
    notes = ("reads U+2581 as a space", "adds a leading space to the text it encodes")
    v = VOCABULARY
    model.vocabulary = Vocabulary(v.size, v.data, v.offsets, v.special_ids, v.stop_ids, notes, v.names, v.fingerprint)
    model.tokens_of = greedy  # type: ignore[method-assign]
    with pytest.raises(OptionError, match="keeps the text as it is; this one adds a leading space"):
        Problem(model, tokenised().constraint, 7, canonical=True)


def test_problems_are_told_apart() -> None:
    ways = [(greedy, False), (greedy, True), (greedy, "prefixes"), (letters_but, True)]
    assert len({problem_of(encode, canonical).fingerprint for encode, canonical in ways}) == 4
    assert problem_of(greedy, True).fingerprint == problem_of(greedy, True).fingerprint
