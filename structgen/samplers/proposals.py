"""How a particle takes its next event, and what that adds to its weight.

    name   the event is drawn from              added to log_weight       model, masks and checks of a step
    mask   p 1_A / m, then the predicates       log m(u), or -inf         one row, one mask, one check
    awrs   p f / m_f by trial (`awrs`)          log Z-hat                 one row, about 2 / m checks
    full   p f / m_f by checking all of A       log m_f(u)                one row, one mask, a check per allowed event
    lm     p, then everything                   0, or -inf                one row, one check

f says whether predicates and constraint allow an event; every row of the table is properly weighted, so it changes the
variance and the cost and never the target. awrs tries the events of the mask where there are predicates (whose checks
are slow and whose mask nobody knows), else all events of the model, each checked by the constraint without a mask.
`Other` draws from another model's law on A, `Guided` by learnt values of where events lead. At T - 1 tokens all but
these two and `mask` ask only about bottom.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from structgen.errors import ModelError, OptionError
from structgen.protocols import Chooser, Floats, TokenModel, Tokens
from structgen.samplers.awrs import AWRS
from structgen.samplers.law import log_law
from structgen.samplers.logspace import log_sum
from structgen.samplers.prefix import Prefix
from structgen.samplers.problem import Problem
from structgen.samplers.row_memory import RowMemory
from structgen.samplers.run import Run
from structgen.samplers.values import Values
from structgen.samplers.weights import Path, Row
from structgen.vocabulary import check_same_tokens

__all__ = ["PROPOSALS", "Guided", "Other", "Proposal", "proposal_of"]


class Proposal(Protocol):
    """A properly weighted step: E[exp(added weight) 1{t}] = p(t|u) 1[t in A(u), t passes every predicate]."""

    def rows(self, run: Run, prefixes: Sequence[Prefix]) -> Sequence[Row]:
        """What is needed at these prefixes, read in one go; equal ones share it."""
        ...

    def step(self, run: Run, path: Path, row: Row, chooser: Chooser) -> None:
        """Take one event, or die."""
        ...


class Mask:
    """Masked decoding; with predicates, a refused text is a dead end one step later."""

    def rows(self, run: Run, prefixes: Sequence[Prefix]) -> Sequence[Row]:
        """Of the allowed sets."""
        return run.rows(prefixes)

    def step(self, run: Run, path: Path, row: Row, chooser: Chooser) -> None:
        """t ~ p 1_A / m."""
        if row.dead:
            path.die()
        else:
            path.take(row, chooser.choice(row.log_probs))


@dataclass(frozen=True, slots=True)
class Awrs:
    """Adaptive weighted rejection."""

    estimator: AWRS = field(default_factory=AWRS)

    def rows(self, run: Run, prefixes: Sequence[Prefix]) -> Sequence[Row]:
        """Of the masks without the predicates, else of the model."""
        guarded = run.problem.has_predicates
        return run.rows([prefix.unguarded for prefix in prefixes]) if guarded else _model_rows(run, prefixes)

    def step(self, run: Run, path: Path, row: Row, chooser: Chooser) -> None:
        """t ~ p f / m_f and log Z-hat."""
        accepts = _check(run, path, row)
        drawn = self.estimator.draw(row.log_probs, accepts, chooser)
        if drawn.place is None:
            path.die(row.log_mass)
        else:
            path.take(row, drawn.place, drawn.log_estimate, None)


class Full:
    """The exact mask under the predicates, by checking every event the constraint allows."""

    def rows(self, run: Run, prefixes: Sequence[Prefix]) -> Sequence[Row]:
        """Of the masks without the predicates."""
        return run.rows([prefix.unguarded for prefix in prefixes])

    def step(self, run: Run, path: Path, row: Row, chooser: Chooser) -> None:
        """t ~ p f / m_f."""
        accepts = _check(run, path, row)
        passing = np.array([accepts(place) for place in range(row.ids.size)], np.bool_)
        exact = Row.of(row.ids[passing], row.log_probs[passing])
        if exact.dead:
            path.die()
        else:
            path.take(exact, chooser.choice(exact.log_probs))


class Model:
    """The model alone, then a check: the yardstick."""

    def rows(self, run: Run, prefixes: Sequence[Prefix]) -> Sequence[Row]:
        """Of the model."""
        return _model_rows(run, prefixes)

    def step(self, run: Run, path: Path, row: Row, chooser: Chooser) -> None:
        """t ~ p, weight 1[t allowed]; the forced bottom at T - 1 has weight p(bottom|u)."""
        if row.dead:
            path.die(np.nan)
            return
        place = chooser.choice(row.log_probs)
        if _check(run, path, row)(place):
            total = log_sum(row.log_probs)
            path.take(row, place, total, float(row.log_probs[place]) - total)
        else:
            path.die(np.nan)


class Other:
    """Another model's law r on A, transformed like the problem's own: t ~ r 1_A / m_r, weight p(t|u) m_r / r(t|u).

    Raises ModelError where r forbids what p and the mask allow: such events would never be seen.
    """

    def __init__(self, model: TokenModel, prompt: Sequence[int] | None = None) -> None:
        self.model, self.prompt = model, prompt

    def rows(self, run: Run, prefixes: Sequence[Prefix]) -> Sequence[Row]:
        """Of the problem's model; the other one is asked in `step`."""
        check_same_tokens(run.problem.vocabulary, self.model.vocabulary)
        return run.rows(prefixes)

    def step(self, run: Run, path: Path, row: Row, chooser: Chooser) -> None:
        """t ~ r 1_A / m_r."""
        if row.dead:
            path.die()
            return
        prompt = run.problem.prompt if self.prompt is None else tuple(self.prompt)
        logits = self.model.logits([prompt + path.prefix.tokens])
        law = log_law(logits, run.problem.law, run.problem.stops)[0][row.ids]
        if (law == -np.inf).any():
            missing = int(row.ids[np.flatnonzero(law == -np.inf)[0]])
            raise ModelError(f"the proposal never says token {missing}, which the model and the constraint allow")
        place, total = chooser.choice(law), log_sum(law)
        log_q = float(law[place]) - total
        path.take(row, place, float(row.log_probs[place]) - log_q, log_q)


class Guided:
    """By the values of where events lead (`values`): t ~ p V / sum, trial and error on p V under predicates.

    Reads every row once in all rounds of a run, and learns from it.
    """

    def __init__(self, values: Values, memory: RowMemory, estimator: AWRS) -> None:
        self.values, self.memory, self.estimator = values, memory, estimator
        self._after: dict[Tokens, Floats] = {}

    def rows(self, run: Run, prefixes: Sequence[Prefix]) -> Sequence[Row]:
        """Of the masks without the predicates."""
        prefixes = [prefix.unguarded for prefix in prefixes]
        rows = self.memory.rows(prefixes)
        places = {prefix.tokens: (prefix, row) for prefix, row in zip(prefixes, rows, strict=True)}
        self._after = {tokens: self.values.log_values_after(prefix, row) for tokens, (prefix, row) in places.items()}
        for prefix, row in places.values():
            self.values.learn(prefix, row)
        return rows

    def step(self, run: Run, path: Path, row: Row, chooser: Chooser) -> None:
        """The weight is sum p V / V, V of where t leads; under predicates the sum is over what passes, estimated."""
        log_v = self._after[path.prefix.tokens]
        scores = row.log_probs + log_v
        if not (scores > -np.inf).any():
            path.die()
            return
        if not run.problem.has_predicates:
            place, total = chooser.choice(scores), log_sum(scores)
            path.take(row, place, total - float(log_v[place]), float(scores[place]) - total)
            return
        drawn = self.estimator.draw(scores, _check(run, path, row), chooser)
        if drawn.place is None:
            path.die(row.log_mass)
        else:
            path.take(row, drawn.place, drawn.log_estimate - float(log_v[drawn.place]), None)


PROPOSALS: dict[str, Callable[[AWRS], Proposal]] = {
    "mask": lambda _: Mask(),
    "awrs": Awrs,
    "full": lambda _: Full(),
    "lm": lambda _: Model(),
}


def proposal_of(name: str | Proposal, problem: Problem, awrs: AWRS) -> Proposal:
    """The proposal of this name; "auto" is awrs where there are predicates, else the mask, whose weights have no noise.

    A proposal of the caller's own passes through.
    """
    if not isinstance(name, str):
        return name
    if name == "auto":
        name = "awrs" if problem.has_predicates else "mask"
    if name not in PROPOSALS:
        raise OptionError(f"proposal is one of auto, {', '.join(PROPOSALS)}, not {name!r}", option="proposal")
    return PROPOSALS[name](awrs)


def _check(run: Run, path: Path, row: Row) -> Callable[[int], bool]:
    """Whether the event at a place may follow the path; counted."""

    def accepts(place: int) -> bool:
        run.stats.constraint_checks += 1
        return run.problem.permits(path.prefix, int(row.ids[place]))

    return accepts


def _model_rows(run: Run, prefixes: Sequence[Prefix]) -> Sequence[Row]:
    """Rows of the whole law, whose masses nobody has read; of bottom alone where only bottom fits."""
    distinct = {prefix.tokens: prefix for prefix in prefixes}
    rows = {}
    for (tokens, _), law in zip(distinct.items(), run.laws(list(distinct.values())), strict=True):
        last = len(tokens) + 1 == run.problem.max_tokens
        possible = np.array([run.problem.stop]) if last else np.arange(law.size)
        row = Row.of(possible, law[possible] if last else law)
        rows[tokens] = Row(row.ids, row.log_probs, np.nan)
    run.stats.cache_hits += len(prefixes) - len(distinct)
    return [rows[prefix.tokens] for prefix in prefixes]
