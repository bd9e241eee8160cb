"""Searches once more, slow and obvious: straight from the definitions, over `Problem` alone, for small problems."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from structgen.protocols import Tokens
from structgen.samplers.prefix import Prefix
from structgen.samplers.problem import Problem

Score = Callable[[Sequence[str]], Sequence[float]]
Step = tuple[float, int]  # log p of an event, and the event


def steps(problem: Problem, tokens: Tokens) -> list[Step]:
    """What may follow, likeliest first; of equal ones the lowest id."""
    prefix = prefix_of(problem, tokens)
    law = problem.laws([prefix])[0]
    found = [(float(law[event]), int(event)) for event in problem.allowed(prefix) if law[event] > -np.inf]
    return sorted(found, key=lambda step: (-step[0], step[1]))


def prefix_of(problem: Problem, tokens: Tokens) -> Prefix:
    prefix = problem.root()
    for token in tokens:
        prefix = prefix.extend(token)
    return prefix


def text_of(problem: Problem, tokens: Tokens) -> str:
    return problem.vocabulary.decode(tokens).decode()


def greedy(problem: Problem, tokens: Tokens, log_prob: float, most: int) -> tuple[Tokens, float, str]:
    """On from a prefix by the likeliest events: tokens, log p, and how it ended ("stop", "dead", "cut")."""
    for _ in range(most):
        ways = steps(problem, tokens)
        if not ways:
            return tokens, log_prob, "dead"
        log_p, event = ways[0]
        log_prob += log_p
        if event == problem.stop:
            return tokens, log_prob, "stop"
        tokens = (*tokens, event)
    return tokens, log_prob, "cut"


def exhaustive(problem: Problem, score: Score, likelihood: float = 0.0) -> list[tuple[float, float, Tokens]]:
    """(value, log p, tokens) of every output, best first."""
    found = []

    def visit(tokens: Tokens, log_prob: float) -> None:
        for log_p, event in steps(problem, tokens):
            if event == problem.stop:
                total = log_prob + log_p
                found.append((score([text_of(problem, tokens)])[0] + likelihood * total, total, tokens))
            else:
                visit((*tokens, event), log_prob + log_p)

    visit((), 0.0)
    return sorted(found, key=lambda each: (-each[0], -each[1], each[2]))


def met_by_lookahead(problem: Problem, score: Score, candidates: int, length: int, likelihood: float) -> set[Tokens]:
    """Every output that a lookahead of width one comes by."""
    tokens, log_prob, met = (), 0.0, set[Tokens]()
    while True:
        best: tuple[float, float, Tokens, bool] | None = None
        for log_p, event in steps(problem, tokens)[:candidates]:
            total, ends = log_prob + log_p, event == problem.stop
            way = tokens if ends else (*tokens, event)
            ahead, _, finish = (way, total, "stop") if ends else greedy(problem, way, total, length)
            if finish == "dead":
                continue
            if finish == "stop":
                met.add(ahead)
            judged = (score([text_of(problem, ahead)])[0] + likelihood * total, total, way, ends)
            if best is None or judged[:2] > best[:2]:
                best = judged
        if best is None or best[3]:
            return met
        _, log_prob, tokens, _ = best


@dataclass
class Place:
    """A node of PG-TD's tree."""

    tokens: Tokens
    log_prob: float
    prior: float
    ended: bool = False
    visits: int = 1
    returns: list[float] = field(default_factory=list)
    ways: list[Place] | None = None


def met_by_mcts(problem: Problem, score: Score, rollouts: int, c: float, base: float) -> list[Tokens]:
    """Outputs in the order of the rollouts, all candidates kept, places where all is known not visited again."""
    root, met = Place((), 0.0, 1.0), list[Tokens]()
    every: list[float] = []

    def known(place: Place) -> bool:
        return (place.ended and bool(place.returns)) or (
            place.ways is not None and all(known(way) for way in place.ways)
        )

    def quality(place: Place) -> float:
        low, high = min(every, default=0.0), max(every, default=0.0)
        return (max(place.returns) - low) / (high - low) if place.returns and high > low else 0.0

    for _ in range(rollouts):
        if known(root):
            break
        trail = [root]
        while trail[-1].ways:
            here = trail[-1]
            beta = math.log((here.visits + base + 1) / base) + c
            bonus = {id(w): beta * w.prior * math.sqrt(math.log(here.visits)) / w.visits for w in here.ways or []}
            open_ways = [way for way in here.ways or [] if not known(way)]
            trail.append(max(open_ways, key=lambda way: quality(way) + bonus[id(way)]))
        leaf = trail[-1]
        while not leaf.ended and leaf.ways is None:
            ways = steps(problem, leaf.tokens)
            mass = sum(math.exp(log_p) for log_p, _ in ways)
            leaf.ways = [
                Place(
                    leaf.tokens if event == problem.stop else (*leaf.tokens, event),
                    leaf.log_prob + log_p,
                    math.exp(log_p) / mass,
                    ended=event == problem.stop,
                )
                for log_p, event in ways
            ]
            if len(ways) == 1:
                leaf = leaf.ways[0]
                trail.append(leaf)
        tokens = leaf.tokens if leaf.ended else greedy(problem, leaf.tokens, 0.0, 99)[0]
        met.append(tokens)
        value = float(score([text_of(problem, tokens)])[0])
        every.append(value)
        for place in trail:
            place.visits += 1
            place.returns.append(value)
    return met


def reranked(problem: Problem, threshold: float, trials: int, length: int) -> Tokens:
    """The output of "rerank": entropy above the threshold compares candidates by their mean log p."""
    tokens: Tokens = ()
    while True:
        ways = steps(problem, tokens)
        chances = np.exp([log_p for log_p, _ in ways])
        chances /= chances.sum()
        entropy = -float((chances * np.log(chances)).sum())
        best = 0
        if entropy > threshold:
            means = []
            for log_p, event in ways[:trials]:
                if event == problem.stop:
                    means.append(log_p)
                    continue
                ahead, total, finish = greedy(problem, (*tokens, event), log_p, length)
                events = len(ahead) - len(tokens) + (finish == "stop")
                means.append(total / events if finish != "dead" else -math.inf)
            best = int(np.argmax(means))
        event = ways[best][1]
        if event == problem.stop:
            return tokens
        tokens = (*tokens, event)
