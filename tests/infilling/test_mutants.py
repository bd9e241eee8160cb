"""Mistakes that canvases are prone to, made on purpose: each must be caught by the judge that is named with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import structgen as sg
from structgen.automata import minimal, pushdown, token_classes
from structgen.grammars import unroll
from structgen.grammars.combine import quotient
from structgen.infilling import denoise, flat, flat_law, law, nested, nested_law, tables
from structgen.infilling.canvas import Canvas
from tests.infilling import test_canvas, test_classes, test_denoise, test_infill, test_law, test_nested, test_nested_law
from tests.infilling.judges import check_law, check_masks

Patch = Callable[[pytest.MonkeyPatch], None]
FEW = range(12)


def masks() -> None:
    check_masks(FEW, steps=12)


def laws() -> None:
    for seed in range(5000, 5030):
        check_law(seed)


def weights() -> None:
    test_denoise.test_weights_make_runs_those_of_the_model({"regex": "(ab)*|ba*|aab"}, "left", 2, 1.0)


def two_readings() -> None:
    """A text of two readings is refused or counted once."""
    constraint = sg.compile(vocabulary=test_nested_law.BRACKETS, gbnf=test_nested_law.TWICE)
    scores = np.zeros((4, 4))
    try:
        found = Canvas(constraint, 4).law(scores).log_z
    except sg.UnsupportedCombination:
        return
    assert found == pytest.approx(Canvas(constraint, 4, depth=4).law(scores).log_z)


def brackets() -> None:
    """Tokens that open and close up to three brackets: the law beside that of a table."""
    test_nested_law.test_where_the_table_has_all_texts_its_law_is_the_same('root ::= "(" root* ")" | "a"')


def stops_at_the_first_row_that_stays(patch: pytest.MonkeyPatch) -> None:
    """Several slots changed, and the pass ends behind the first of them."""
    real = flat.reach_forward
    patch.setattr(flat, "reach_forward", lambda *a: real(*a[:-1], a[-2]))


def looks_forward_only(patch: pytest.MonkeyPatch) -> None:
    real = flat.find_useful
    patch.setattr(flat, "find_useful", lambda *a: real(*a[:5], np.ones_like(a[5]), *a[6:]))


def looks_backward_only(patch: pytest.MonkeyPatch) -> None:
    real = flat.find_useful
    patch.setattr(flat, "find_useful", lambda *a: real(*a[:4], np.ones_like(a[4]), *a[5:]))


def updates_changed_slots_alone(patch: pytest.MonkeyPatch) -> None:
    real = flat.find_useful
    patch.setattr(flat, "find_useful", lambda *a: real(*a[:-2], max(a[-2], a[-1] - 1), a[-1]))


def forgets_what_may_stand_behind_the_end(patch: pytest.MonkeyPatch) -> None:
    real = tables.token_classes

    def without(table: Any, vocabulary: Any, trie: Any, pads: Any) -> Any:
        found = real(table, vocabulary, trie, pads)
        keep = found.pairs[:, 0] != 1
        assert not keep.all()
        found.pairs[~keep] = 0
        return found

    patch.setattr(tables, "token_classes", without)
    tables._tables.clear()


def joins_accepting_states_with_others(patch: pytest.MonkeyPatch) -> None:
    real = minimal._coarsest
    patch.setattr(minimal, "_coarsest", lambda steps, accepting: real(steps, np.ones_like(accepting)))


def takes_the_largest_for_the_sum(patch: pytest.MonkeyPatch) -> None:
    real = law.class_scores

    def largest(*a: Any) -> None:
        real(*a)
        a[-1][:] = a[-3]

    patch.setattr(law, "class_scores", largest)


def sums_paths_that_do_not_end(patch: pytest.MonkeyPatch) -> None:
    real = flat_law.FlatWays._paths

    def everywhere(self: Any, kernel: Any, weights: Any, *scratch: Any) -> Any:
        self._layers = self._layers._replace(ends=np.ones_like(self._layers.ends))
        return real(self, kernel, weights, *scratch)

    patch.setattr(flat_law.FlatWays, "_paths", everywhere)


def draws_classes_without_the_mass_behind_them(patch: pytest.MonkeyPatch) -> None:
    real = flat_law.FlatSums.draw

    def shortsighted(self: Any, chooser: Any) -> Any:
        held, self._mass = self._mass, np.where(self._mass > -np.inf, 0.0, -np.inf)
        yield from real(self, chooser)
        self._mass = held

    patch.setattr(flat_law.FlatSums, "draw", shortsighted)


def _other_levels(patch: pytest.MonkeyPatch, change: Callable[[Any], Any]) -> None:
    real = tables.made_levels
    patch.setattr(tables, "made_levels", lambda effects: change(real(effects)))
    tables._tables.clear()


def leaves_one_level_a_token(patch: pytest.MonkeyPatch) -> None:
    """What closes several brackets at once closes the innermost alone."""

    def without(levels: Any) -> Any:
        back = levels.back.copy()
        back[back[:, 1] < 0, 0] = levels.joints  # nothing is ever joined there
        return levels._replace(back=back, joints=levels.joints + 1)

    _other_levels(patch, without)


def opens_one_level_a_token(patch: pytest.MonkeyPatch) -> None:
    def without(levels: Any) -> Any:
        starts = levels.starts.copy()
        starts[starts[:, 0] < 0, 0] = 0
        return levels._replace(starts=starts)

    _other_levels(patch, without)


def returns_to_whoever_called(patch: pytest.MonkeyPatch) -> None:
    """All that calls the same returns to the same."""

    def merged(levels: Any) -> Any:
        first = dict[int, int]()
        joins = levels.joins.copy()
        for k, (source, joint) in enumerate(joins.tolist()):
            joins[k, 1] = first.setdefault(source, joint)
        return levels._replace(joins=joins)

    _other_levels(patch, merged)


def counts_texts_by_their_readings(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(tables, "read_twice", lambda effects, slots: None)
    tables._tables.clear()


def takes_sums_for_the_largest(patch: pytest.MonkeyPatch) -> None:
    real = nested_law.inside_levels
    patch.setattr(nested_law, "inside_levels", lambda *a: real(*a[:-1], 0))


def follows_calls_whatever_came_of_them(patch: pytest.MonkeyPatch) -> None:
    real = nested_law._Weights._held

    def blind(self: Any, layer: Any, begun: Any, columns: Any) -> Any:
        found = real(self, layer, begun, columns)
        return np.where(found > -np.inf, 0.0, found) if found.ndim == 2 else found

    patch.setattr(nested_law._Weights, "_held", blind)


def takes_one_bundle_for_another(patch: pytest.MonkeyPatch) -> None:
    real = token_classes._same_rows

    def confused(*a: Any) -> Any:
        number, first, rows = real(*a)
        return number // 2 * 2, first, rows

    patch.setattr(token_classes, "_same_rows", confused)
    tables._tables.clear()


def weighs_without_what_is_left(patch: pytest.MonkeyPatch) -> None:
    real = denoise._weigh
    patch.setattr(denoise, "_weigh", lambda *a: real(*a[:-1], 0.0))


def forgets_powers(patch: pytest.MonkeyPatch) -> None:
    real = nested_law.inside_levels

    def small(*a: Any) -> None:
        a[1].powers[:] = 0
        real(*a)

    patch.setattr(nested_law, "inside_levels", small)


def nests_a_level_deeper(patch: pytest.MonkeyPatch) -> None:
    real = unroll.unrolled
    patch.setattr(tables, "unrolled", lambda grammar, depth: real(grammar, depth + 1))
    tables._tables.clear()


def tells_frames_by_what_they_return_to_alone(patch: pytest.MonkeyPatch) -> None:
    """Two texts that begin in one slot and return to one state become one, though only one of them may end there."""
    real = tables.token_effects

    def merged(*a: Any) -> Any:
        found, first = real(*a), dict[int, int]()
        same = [first.setdefault(back, kind) for kind, back in enumerate(found.returns.tolist())]
        return replace(found, kinds_of=np.array(same, np.int32)[found.kinds_of])

    patch.setattr(tables, "token_effects", merged)
    tables._tables.clear()


def computes_a_slot_too_few(patch: pytest.MonkeyPatch) -> None:
    real = nested.nest_forward
    patch.setattr(nested, "nest_forward", lambda *a: real(*a[:-2], min(a[-2] + (a[-2] > 0), len(a[2]) - 1), a[-1]))


def ends_with_an_empty_stack_alone(patch: pytest.MonkeyPatch) -> None:
    real = pushdown.Pushdown.ends
    patch.setattr(pushdown.Pushdown, "ends", lambda self, state: real(self, state)[:1])
    tables._tables.clear()


def drops_counts_in_reach(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(tables, "_most_bytes", lambda vocabulary, slots, mask: 5)
    tables._tables.clear()


def erases_nothing_behind_the_hole(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(quotient.Cut, "erases", lambda self, state, following: following <= self.hole != state)


def keeps_rules_that_may_leave_the_hole(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(quotient.Cut, "staying", lambda self, state: (1 << 256) - 1 if state == self.hole else 0)


CAUGHT: list[tuple[Patch, Callable[[], object]]] = [
    (stops_at_the_first_row_that_stays, lambda: check_masks(range(36, 48), steps=12)),
    (looks_forward_only, masks),
    (looks_backward_only, masks),
    (updates_changed_slots_alone, masks),
    (forgets_what_may_stand_behind_the_end, masks),
    (joins_accepting_states_with_others, lambda: _all_minimal()),
    (takes_the_largest_for_the_sum, laws),
    (sums_paths_that_do_not_end, test_law.test_ways_that_lead_to_no_end_do_not_count),
    (draws_classes_without_the_mass_behind_them, laws),
    (leaves_one_level_a_token, brackets),
    (opens_one_level_a_token, brackets),
    (returns_to_whoever_called, brackets),
    (counts_texts_by_their_readings, two_readings),
    (takes_sums_for_the_largest, brackets),
    (follows_calls_whatever_came_of_them, brackets),
    (forgets_powers, brackets),
    (takes_one_bundle_for_another, brackets),
    (weighs_without_what_is_left, weights),
    (nests_a_level_deeper, test_canvas.test_depth_bounds_nesting_and_says_so),
    (tells_frames_by_what_they_return_to_alone, masks),
    (computes_a_slot_too_few, masks),
    (ends_with_an_empty_stack_alone, test_nested.test_a_text_may_go_on_behind_what_nests),
    (drops_counts_in_reach, test_classes.test_a_long_count_is_exact_on_a_canvas_that_reaches_it),
    (erases_nothing_behind_the_hole, test_infill.test_every_text_between_fixed_ones_is_reached),
    (keeps_rules_that_may_leave_the_hole, test_infill.test_every_text_between_fixed_ones_is_reached),
]


def _all_minimal() -> None:
    for seed in FEW:
        test_classes.test_a_minimal_table_reads_what_the_automaton_reads_and_no_two_states_behave_alike(seed)


@pytest.mark.parametrize(("mutant", "judge"), CAUGHT, ids=[mutant.__name__ for mutant, _ in CAUGHT])
def test_the_judge_catches_the_mutant(
    mutant: Patch, judge: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    judge()
    mutant(monkeypatch)
    try:
        with pytest.raises((AssertionError, IndexError)):
            judge()
    finally:
        tables._tables.clear()
