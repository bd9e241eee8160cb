"""A user's predicates and potentials: what they mean, that every method means the same, and how they fail."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import structgen as sg
from structgen.errors import OptionError, PredicateError, SamplingIncomplete
from structgen.samplers.exact import enumerate_outputs
from structgen.samplers.fixtures import finite_language, vocabulary_of
from structgen.samplers.models import TableModel
from structgen.samplers.predicates import Potential, Predicate
from structgen.samplers.problem import Problem
from structgen.samplers.run import METHODS, SCORED, sample
from structgen.samplers.trie import Trie
from tests.api.engines import HashEngine
from tests.samplers.guards import favours_b, guarded_problem, late, no_double_b
from tests.samplers.judges import (
    check_accepts,
    check_fit,
    check_trie_weights,
    check_weighted,
    fixture,
    needs,
    small_problem,
)


@pytest.mark.parametrize("predicate", [no_double_b, late])
def test_the_target_is_the_model_given_both(predicate: Any) -> None:
    """pi under `constraint & predicate` is pi of the language they share."""
    both = enumerate_outputs(guarded_problem(predicate()))
    texts = [t for t in ("a", "ab", "bb", "bab") if predicate().fn(t, True)]
    plain = enumerate_outputs(guarded_problem(texts=texts))
    assert sorted(both.outputs) == sorted(plain.outputs)
    probabilities = dict(zip(plain.outputs, plain.log_prob, strict=True))
    assert {w: pytest.approx(probabilities[w]) for w in both.outputs} == dict(
        zip(both.outputs, both.log_prob, strict=True)
    )


@pytest.mark.parametrize("predicate", [no_double_b, late])
def test_every_method_with_weights_over_every_outcome(predicate: Any) -> None:
    problem = guarded_problem(predicate())
    for method, options in (("masked", {}), ("asap", {"concurrency": 1}), ("importance", {"draws": 2})):
        check_weighted(problem, method, 2, **options)
    check_trie_weights(problem, Trie(problem))
    check_accepts(problem, Trie(problem))


@pytest.mark.statistical
def test_exact_methods_stay_exact() -> None:
    """T3 without aa, the predicate refusing it as soon as it sees it or only at the end."""
    base, _ = fixture("T3")
    for early in (True, False):

        def single(text: str, complete: bool, early: bool = early) -> bool:
            return not ((complete or early) and "aa" in text)

        problem = Problem(base.model, base.constraint & Predicate(single), base.max_tokens)
        exact = enumerate_outputs(problem)
        drawn = sample(problem, 3000, "cars", seed=2)
        assert drawn.exact
        check_fit(exact, [s.token_ids for s in drawn.samples])
        slow = sample(problem, 300, "rejection", seed=3)
        check_fit(exact, [s.token_ids for s in slow.samples])


def test_what_a_no_on_the_way_means() -> None:
    """A text refused as unfinished may still end where it is; nothing may follow it, whatever the ends would say."""
    stops = Predicate(lambda text, complete: complete or len(text) < 1)
    problem = guarded_problem(stops)
    assert enumerate_outputs(problem).outputs == ((0,),)
    for method in METHODS:
        result = sample(problem, 5, method, seed=1, **needs(method))
        assert {s.token_ids for s in result.samples if s.log_weight > -np.inf} == {(0,)}


def test_functions_are_asked_once_per_text() -> None:
    asked: list[tuple[str, bool]] = []

    def note(text: str, complete: bool) -> bool:
        asked.append((text, complete))
        return True

    problem = guarded_problem(Predicate(note))
    result = sample(problem, 200, "masked", seed=1)
    assert len(asked) == len(set(asked)) == result.stats.function_calls
    again = sample(problem, 200, "smc", seed=1)
    assert len(asked) == len(set(asked)) == result.stats.function_calls + again.stats.function_calls
    assert again.stats.constraint_checks > 0


def test_texts_have_whole_characters_and_bytes_have_all() -> None:
    vocabulary = sg.Vocabulary.from_bytes([b"\xc3", b"\xa9", b"x", b""], eos=[3])
    constraint = sg.compile(regex="éx|xé", vocabulary=vocabulary)
    texts: set[Any] = set()

    def note(text: Any, complete: bool) -> bool:
        texts.add(text)
        return True

    model = TableModel(vocabulary, lambda u: np.zeros(4))
    for on, expected in (("text", {"", "é", "x", "éx", "xé"}), ("bytes", {b"", b"\xc3", b"\xc3\xa9", b"x\xc3"})):
        texts.clear()
        sample(Problem(model, constraint & Predicate(note, on=on), 5), 60, "masked", seed=1)
        assert expected <= texts
    assert b"\xc3\xa9x" in texts


@pytest.mark.parametrize("method", METHODS)
def test_a_function_that_raises_ends_the_run(method: str) -> None:
    def fragile(text: str, complete: bool) -> bool:
        if text == "b":
            raise KeyError("no such column")
        return True

    with pytest.raises(PredicateError, match=r"fragile failed on the unfinished text 'b': KeyError") as caught:
        sample(guarded_problem(Predicate(fragile)), 50, method, seed=1, **needs(method))
    error = caught.value
    assert (error.text, error.complete, error.function) == ("b", False, "fragile")
    assert isinstance(error.__cause__, KeyError)


def test_answers_that_are_none() -> None:
    for fn in (lambda t, c: None, lambda t, c: 1, lambda t, c: "yes"):
        with pytest.raises(PredicateError, match="which is no answer of a predicate"):
            sample(guarded_problem(Predicate(fn)), 1)
    for fn in (lambda t, c: None, lambda t, c: True, lambda t, c: float("nan"), lambda t, c: float("inf")):
        with pytest.raises(PredicateError, match="which is no answer of a potential"):
            sample(guarded_problem(Potential(fn)), 20, "smc")
    assert sample(guarded_problem(Predicate(lambda t, c: np.bool_(True))), 2).status == "complete"


def test_a_predicate_that_refuses_everything() -> None:
    nothing = guarded_problem(Predicate(lambda text, complete: False))
    never = guarded_problem(Predicate(lambda text, complete: not complete))
    for problem in (nothing, never):
        for method, status in (("masked", "degenerate"), ("smc", "degenerate"), ("importance", "degenerate")):
            result = sample(problem, 4, method, seed=1)
            assert (result.status, result.log_evidence, result.ess) == (status, -np.inf, 0)
        assert sample(problem, 4, "cars").status == "empty"
        assert sample(problem, 4, "asap").status in ("empty", "degenerate")


def test_composition() -> None:
    vocabulary = vocabulary_of("a", "b")
    constraint = finite_language(vocabulary, ["a", "ab", "bb"])
    one, two = Predicate(lambda t, c: True, key="one"), Predicate(lambda t, c: "bb" not in t, key="two")
    guarded = constraint & one & two
    assert guarded.functions == (one, two)
    assert (two & (constraint & one)).functions == guarded.functions
    assert ((constraint & one) & (constraint & two)).functions == guarded.functions
    assert guarded.fingerprint == (constraint & one & two).fingerprint != (constraint & one).fingerprint
    assert Predicate(one.fn).key != Predicate(one.fn).key  # code cannot be compared: without a key each is its own
    for wrong in (lambda: one & two, lambda: one & 3, lambda: sg.regex("a") & one):
        with pytest.raises(OptionError):
            wrong()
    for bad in (lambda: Predicate("no function"), lambda: Predicate(one.fn, on="words")):
        with pytest.raises(OptionError):
            bad()


def test_potentials_multiply_the_target() -> None:
    problem = guarded_problem(favours_b(), no_double_b())
    plain = enumerate_outputs(guarded_problem(no_double_b()))
    exact = enumerate_outputs(problem)
    counts = np.array([w.count(0) for w in plain.outputs])
    np.testing.assert_allclose(exact.log_prob, plain.log_prob - 0.7 * counts, atol=1e-12)
    assert exact.masked == pytest.approx(plain.masked)
    assert problem.law.potentials == ("favours_b",)
    check_weighted(problem, "masked", 2)
    check_weighted(problem, "importance", 2, draws=2)
    drawn = sample(problem, 3000, "enumeration", seed=1)
    check_fit(exact, [s.token_ids for s in drawn.samples])


def test_methods_that_know_no_potentials_say_so() -> None:
    problem = guarded_problem(favours_b())
    for method in METHODS:
        if method in SCORED:
            assert sample(problem, 2, method, seed=1).law.potentials == ("favours_b",)
        else:
            with pytest.raises(OptionError, match="knows no potentials"):
                sample(problem, 2, method, seed=1, **needs(method))


def test_a_trie_belongs_to_its_predicate(tmp_path: Any) -> None:
    problem = guarded_problem(Predicate(no_double_b().fn, key="no double b"))
    trie = Trie(problem)
    sample(problem, 20, "asap", trie=trie, seed=1)
    trie.save(tmp_path / "trie")
    again = guarded_problem(Predicate(no_double_b().fn, key="no double b"))
    assert len(Trie.load(tmp_path / "trie", again)) == len(trie)
    for other in (guarded_problem(no_double_b()), small_problem()):
        with pytest.raises(OptionError, match="another"):
            Trie.load(tmp_path / "trie", other)


def test_generate_takes_functions() -> None:
    engine = HashEngine()
    ask: dict[str, Any] = {"choices": ["red", "green", "blue", "grey"], "max_tokens": 8, "seed": 1}
    for method in ("cars", "smc", "importance", "asap"):
        values = sg.generate(engine, "?", **ask, where=Predicate(lambda t, c: t[:1] in ("", "g")), method=method, n=6)
        assert set(values) <= {"green", "grey"}
    strong = Potential(lambda t, c: 50.0 * (t == "blue"))
    result = sg.generate_result(engine, "?", **ask, where=[strong], method="smc", method_options={"draws": 200})
    assert result.value == "blue"
    compiled = sg.compile(choices=ask.pop("choices"), vocabulary=engine.vocabulary)
    guarded = compiled & Predicate(lambda t, c: t[:1] in ("", "b"))
    assert sg.generate(engine, "?", **ask, constraint=guarded, method="cars") == "blue"
    for refused in ({"constraint": guarded}, {"constraint": compiled, "where": strong}):
        with pytest.raises(OptionError, match="sampler"):
            sg.generate(engine, "?", **ask, **refused)
    with pytest.raises(OptionError, match="where"):
        sg.generate(engine, "?", **ask, constraint=compiled, where="a word", method="cars")
    with pytest.raises(SamplingIncomplete):
        sg.generate(engine, "?", **ask, constraint=compiled, where=Predicate(lambda t, c: False), method="smc")


def test_molecules() -> None:
    """SMILES that RDKit reads: the grammar closes rings and brackets, RDKit knows valences and aromaticity."""
    chem = pytest.importorskip("rdkit.Chem")
    pytest.importorskip("rdkit.RDLogger").DisableLog("rdApp.*")
    molecule = Predicate(lambda text, complete: not complete or chem.MolFromSmiles(text) is not None)
    vocabulary = vocabulary_of("C", "N", "O", "c", "(", ")", "1", "=", "#", "F")
    smiles = sg.compile(grammar=sg.library("smiles"), vocabulary=vocabulary)
    model = TableModel.sine(vocabulary, 1.0)
    plain = sample(Problem(model, smiles, 8), 200, "smc", seed=1)
    assert any(chem.MolFromSmiles(s.text) is None for s in plain.samples)
    problem = Problem(model, smiles & molecule, 8)
    for method in ("smc", "cars"):
        drawn = sample(problem, 100, method, seed=1)
        texts = [s.text for s in drawn.samples if s.log_weight > -np.inf]
        assert len(texts) > 20
        assert all(chem.MolFromSmiles(text) is not None for text in texts)
