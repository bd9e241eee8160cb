"""The trie: memory limits change nothing but cost, files round trip, depth is no obstacle."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from structgen.errors import OptionError
from structgen.samplers.fixtures import finite_language, vocabulary_of
from structgen.samplers.models import TableModel
from structgen.samplers.problem import Problem
from structgen.samplers.run import sample
from structgen.samplers.trie import Trie
from tests.samplers.judges import check_accepts, check_fit, check_trie_weights, fixture, small_problem, warmed


def test_edges_hold_the_bounds_of_their_children() -> None:
    for name in ("T1", "T2", "T3"):
        problem, _ = fixture(name)
        trie = warmed(problem, 200)
        for node, row in trie.rows.items():
            for token, child in trie.children(node):
                assert row.bounds[np.flatnonzero(row.ids == token)[0]] == trie.theta[child]
            assert trie.theta[node] == pytest.approx(row.log_total, abs=1e-12)
            assert trie.found[node] <= trie.theta[node] + 1e-12


def test_a_folder_of_tries_gives_each_problem_its_own(tmp_path: Path) -> None:
    problem, _ = fixture("T3")
    trie = Trie.warm(tmp_path / "tries", problem)
    sample(problem, 100, "asap", trie=trie)
    kept = trie.keep(tmp_path / "tries")
    assert trie.keep(tmp_path / "tries") == kept  # over the old one
    assert [file.name for file in (tmp_path / "tries").iterdir()] == [f"{problem.fingerprint}.trie"]
    warm = Trie.warm(tmp_path / "tries", problem, memory=1 << 20)
    assert (warm.theta.tolist(), warm.memory) == (trie.theta.tolist(), 1 << 20)
    others = [
        Problem(problem.model, problem.constraint, 7, temperature=0.9),
        Problem(problem.model, problem.constraint, 7, prompt=[1]),
        Problem(problem.model, problem.constraint, 8),
        Problem(TableModel.sine(problem.vocabulary, 2.1), problem.constraint, 7),
        Problem(problem.model, finite_language(problem.vocabulary, ["a"]), 7),
        fixture("T2")[0],
    ]
    assert all(len(Trie.warm(tmp_path / "tries", other)) == 1 for other in others)


@pytest.mark.parametrize("kept", [1, 2])
def test_draws_from_the_tail_are_exact(kept: int) -> None:
    for problem in (small_problem(), fixture("T1")[0]):
        for draws in (0, 3):
            trie = Trie(problem, kept=kept)
            if draws:
                sample(problem, draws, "asap", trie=trie, seed=draws)
            check_accepts(problem, trie)
            check_trie_weights(problem, trie)
    check_accepts(small_problem(), Trie(small_problem(), kept=1), together=2)


@pytest.mark.parametrize("memory", [1 << 20, 1])
def test_a_tail_that_shrinks_while_others_wait(memory: int) -> None:
    """Four events, one place, rows dropped at every turn: whoever chose the tail keeps the tail it chose."""
    vocabulary = vocabulary_of("a", "b", "c")
    wide = Problem(TableModel.sine(vocabulary, 1.0), finite_language(vocabulary, ["", "a", "b", "c", "ca"]), 3)
    trie = Trie(wide, kept=1, memory=memory)
    check_accepts(wide, trie, together=2)
    sample(wide, 2, "asap", trie=trie, seed=3)
    check_accepts(wide, trie, together=2)
    check_trie_weights(wide, trie, together=2)


def test_rows_that_were_dropped_are_read_again() -> None:
    problem, exact = fixture("T2")
    starved, rich = Trie(problem, memory=1), Trie(problem)
    few = sample(problem, 2000, "cars", trie=starved, seed=4, concurrency=4)
    many = sample(problem, 2000, "cars", trie=rich, seed=4, concurrency=4)
    check_fit(exact, [s.token_ids for s in few.samples])
    assert few.stats.prefixes_scored > 3 * many.stats.prefixes_scored
    assert len(starved.rows) <= 4 < len(rich.rows)
    assert starved.log_lower <= exact.log_evidence <= starved.log_upper + 1e-12
    check_accepts(small_problem(), Trie(small_problem(), memory=1), together=2)


def test_a_second_reading_with_other_noise_never_raises_a_bound() -> None:
    vocabulary = vocabulary_of("a", "b")
    noise = np.random.default_rng(0)
    model = TableModel(vocabulary, lambda u: np.sin(np.arange(3.0) + len(u)) + noise.normal(size=3) * 1e-3)
    problem = Problem(model, finite_language(vocabulary, ["aab", "ba", "abab"]), 6)
    result = sample(problem, 500, "cars", trie=Trie(problem, memory=1), seed=1)
    assert result.status == "complete"


def test_files_round_trip_bit_by_bit(tmp_path: Path) -> None:
    problem, _ = fixture("T2")
    trie = warmed(problem, 150)
    trie.save(tmp_path / "warm.trie")
    loaded = Trie.load(tmp_path / "warm.trie", problem)
    for name in ("parent", "token", "child", "sibling", "edge", "theta", "found", "passed", "mass"):
        assert getattr(loaded, name).tobytes() == getattr(trie, name).tobytes()
    assert list(loaded.rows) == list(trie.rows)
    for one, other in zip(loaded.rows.values(), trie.rows.values(), strict=True):
        for name in ("ids", "log_probs", "bounds"):
            assert getattr(one, name).tobytes() == getattr(other, name).tobytes()
    again = sample(problem, 50, "cars", trie=loaded, seed=9)
    assert again.samples == sample(problem, 50, "cars", trie=trie, seed=9).samples
    with pytest.raises(OptionError, match="another"):
        Trie.load(tmp_path / "warm.trie", Problem(problem.model, problem.constraint, 7, temperature=0.5))


def test_other_files_are_refused(tmp_path: Path) -> None:
    problem, _ = fixture("T1")
    archive = io.BytesIO()
    np.savez(archive, format=np.array(99))
    for content in (b"", b"not a trie", archive.getvalue(), archive.getvalue()[:50]):
        (tmp_path / "bad").write_bytes(content)
        with pytest.raises(OptionError, match="trie"):
            Trie.load(tmp_path / "bad", problem)


def test_prompts_never_share_bounds() -> None:
    problem, _ = fixture("T3")
    other = Problem(problem.model, problem.constraint, 7, prompt=[0])
    with pytest.raises(OptionError, match="prompt"):
        sample(other, 1, "cars", trie=warmed(problem, 5))


def test_a_trie_as_deep_as_a_long_output() -> None:
    """Two thousand tokens: no recursion, no underflow."""
    vocabulary = vocabulary_of("a", "b")
    model = TableModel(vocabulary, lambda u: np.log(np.array([0.5, 0.49, 0.01])))
    problem = Problem(model, finite_language(vocabulary, ["a" * 2000]), 2001)
    for method in ("masked", "asap"):
        result = sample(problem, 1, method)
        assert result.log_evidence == pytest.approx(2000 * np.log(0.5) + np.log(0.01), rel=1e-12)
