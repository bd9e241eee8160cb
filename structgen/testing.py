"""The laws of structgen.protocols and of matchers as functions: for our own tests and for whoever writes another.

    check_automaton_laws(automaton, texts)            a LazyAutomaton: states, bytes, completions, renumbering
    check_mask_laws(automaton, masks, vocabulary, ...) a MaskSource beside the automaton it is of
    check_matcher_laws(constraint, seed=0)            a Constraint: masks, accepts, rollback, forks, leases

Each raises LawBroken, an AssertionError that names the law and the place. They are slow and obvious: masks are compared
token by token.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np

from structgen.bits import ids_of
from structgen.errors import StaleState
from structgen.kernels.layout import DEAD, FINISHED, START
from structgen.matcher import Constraint, Matcher
from structgen.protocols import LazyAutomaton, MaskSource
from structgen.vocabulary import Vocabulary

__all__ = ["LawBroken", "check_automaton_laws", "check_mask_laws", "check_matcher_laws"]

_LONGEST = 10_000  # bytes of a completion that is read back


class LawBroken(AssertionError):
    """A law does not hold. `law` says which, `where` after what."""

    def __init__(self, law: str, where: object) -> None:
        super().__init__(f"{law}, after {where!r}")
        self.law, self.where = law, where


def _law(holds: Any, law: str, where: object) -> None:
    if not holds:
        raise LawBroken(law, where)


def check_automaton_laws(automaton: LazyAutomaton, texts: Iterable[bytes]) -> None:
    """Of every prefix of `texts` that lives: how it is reached does not matter, what is live leads on, and what
    `shortest` gives is a completion of the length that `distance` says."""
    for text in texts:
        state = START
        for at in range(len(text) + 1):
            before = text[:at]
            _law(automaton.advance(START, before) == state, "advance(s, a + b) == advance(advance(s, a), b)", before)
            _law(automaton.advance(state, b"") == state, "no bytes change nothing", before)
            if state == DEAD:
                break
            live = [byte for byte in range(256) if automaton.advance(state, bytes((byte,))) != DEAD]
            _law(automaton.live_bytes(state) == live, "live_bytes are those that lead on", before)
            _law(live or automaton.is_accepting(state), "a living state leads to a complete text", before)
            _law(state < len(automaton), "len counts every state", before)
            _completion_law(automaton, state, before)
            if at < len(text):
                state = automaton.advance(state, text[at : at + 1])
    for fixed in (DEAD, FINISHED):
        _law(automaton.advance(fixed, b"a") == DEAD, "nothing follows the dead and the finished state", fixed)


def _completion_law(automaton: LazyAutomaton, state: int, before: bytes) -> None:
    rest = automaton.shortest(state)
    _law(len(rest) == automaton.distance(state), "distance is the length of shortest", before)
    _law((not rest) == automaton.is_accepting(state), "shortest is empty where the text is complete", before)
    if len(rest) < _LONGEST:
        _law(automaton.is_accepting(automaton.advance(state, rest)), "shortest is a completion", before)


def check_mask_laws(automaton: LazyAutomaton, masks: MaskSource, vocabulary: Vocabulary, states: Iterable[int]) -> None:
    """Of every state: the mask has the bit of exactly the tokens that may come."""
    stops, symbols = set(vocabulary.stop_ids), vocabulary.symbols
    for state in states:
        row = masks.row(state)
        _law(row.dtype == np.uint32 and row.shape == ((vocabulary.size + 31) // 32,), "rows are u32 (V / 32,)", state)
        _law(not row.flags.writeable, "rows are read-only", state)
        _law(masks.row(state) is row, "a row is made once", state)
        bits = np.unpackbits(row.view(np.uint8), bitorder="little")
        _law(not bits[vocabulary.size :].any(), "no bits beyond the vocabulary", state)
        for token in range(vocabulary.size):
            text = vocabulary.token_bytes(token)
            plain = bool(text) and b"\xff" not in text and b"\xfe" not in text
            allowed = plain and automaton.advance(state, text) != DEAD
            allowed |= token in symbols and automaton.advance(state, symbols[token]) != DEAD
            allowed |= token in stops and automaton.is_accepting(state)
            _law(bool(bits[token]) == allowed, "a bit is set if and only if the token may come", (state, token))


def check_matcher_laws(constraint: Constraint, *, seed: int = 0, walks: int = 4, steps: int = 24) -> None:
    """Along random walks: mask and accept agree, forks and rollback change nobody else, and states outlive `compact`
    exactly where they are held."""
    rng = random.Random(seed)
    for _ in range(walks):
        matcher = constraint.matcher()
        taken: list[int] = []
        rows: list[Any] = []
        for _ in range(steps):
            row = matcher.mask()
            allowed = ids_of(row).tolist()
            _agreement_law(constraint, matcher, set(allowed), rng, taken)
            if not allowed:
                _law(matcher.is_finished(), "something may come before the end", taken)
                break
            rows.append(row.copy())
            taken.append(rng.choice(allowed))
            _law(matcher.accept(taken[-1]), "what the mask allows is accepted", taken)
        _history_law(constraint, matcher, taken, rows)
    check_lease_laws(constraint, rng)


def _agreement_law(constraint: Constraint, matcher: Matcher, allowed: set[int], rng: random.Random, at: Any) -> None:
    """Mask, accept, step and valid_prefix say the same of some tokens; a refusal changes nothing."""
    state, length = matcher.state, len(matcher)
    size = constraint.vocabulary.size
    for token in {*rng.sample(range(size), min(8, size)), *list(allowed)[:4]}:
        fork = matcher.fork()
        _law(fork.accept(token) == (token in allowed), "accept says what the mask says", (at, token))
        _law((constraint.step(state, token) != DEAD) == (token in allowed), "step says what the mask says", (at, token))
        _law(matcher.valid_prefix([token]) == (token in allowed), "so does valid_prefix", (at, token))
        _law(token not in allowed or fork.state == constraint.step(state, token), "step leads where accept does", at)
        _law(token in allowed or len(fork) == length, "a refusal changes nothing", (at, token))
    _law((matcher.state, len(matcher)) == (state, length), "a fork changes nobody else", at)
    _law(np.array_equal(constraint.row(state), matcher.mask()), "row of the state is the mask", at)
    _law(constraint.is_accepting(state) == matcher.is_accepting(), "is_accepting of the state is the matcher's", at)
    _law(constraint.distance(state) == matcher.bytes_to_accept(), "distance of the state is the matcher's", at)


def _history_law(constraint: Constraint, matcher: Matcher, taken: list[int], rows: list[Any]) -> None:
    states = constraint.steps(START, taken)
    _law(len(states) == len(taken) and (not taken or states[-1] == matcher.state), "steps are accepts", taken)
    again = constraint.matcher()
    _law(again.accept_all([*taken, -1]) == len(taken), "accept_all stops at what is not allowed", taken)
    for row in reversed(rows):
        matcher.rollback()
        _law(np.array_equal(matcher.mask(), row), "rollback leads to where it came from", taken)
    _law(matcher.state == START, "a history begins at the start", taken)


def check_lease_laws(constraint: Constraint, rng: random.Random) -> None:
    """A pinned number means its state after `compact`; one that nobody held raises; no number is given twice."""
    matcher = constraint.matcher()
    states = [matcher.state]
    for _ in range(12):
        allowed = ids_of(matcher.mask()).tolist()
        if not allowed or not matcher.accept(rng.choice(allowed)):
            break
        states.append(matcher.state)
    rows = {state: constraint.row(state).copy() for state in states}
    with constraint.pin(states[::2]):
        del matcher
        for _ in range(2):  # pinned numbers outlive several
            if not constraint.compact():
                return
            for state in states[::2]:
                _law(np.array_equal(constraint.row(state), rows[state]), "a pinned state survives compact", state)
        for one, state in pairwise(states):
            if state > START and state not in states[::2]:
                try:
                    constraint.row(state)
                except StaleState:
                    continue
                raise LawBroken("a state that nobody held raises StaleState", (one, state))
        fresh = constraint.matcher()
        fresh.accept_all([])
        new = [constraint.step(START, token) for token in range(constraint.vocabulary.size)]
        _law(not {state for state in new if state > START} & set(states), "no number is given out twice", states)
