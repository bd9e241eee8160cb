"""Unit tests passed with and without a search, by the bundled model and by SmolLM2, model calls counted.

    python -m benchmarks search [--models nano smollm2] [--budget 80] [--every 3]

Two tasks of ours. *Expressions*: a grammar of arithmetic over x and y, a description in words; the search is given
three tests, and an output is right if it passes six others. *SQL*: a grammar of queries over one table, a question; the
search is given the rows of the answer on one database, as sqlite3 runs it, and an output is right if its rows are the
answer's on another database. Every method has the same budget of prefixes whose logits are computed.
"best of" is what the tests are worth without a search: masked draws for the budget, the one that passes most kept.
"""

from __future__ import annotations

import argparse
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.data import write_results
from structgen.api.models import engine_of
from structgen.engines.prefixes import PrefixModel
from structgen.samplers.problem import Problem
from structgen.samplers.result import SampleSet
from structgen.samplers.run import Budget, sample

Score = Callable[[Sequence[str]], list[float]]

EXPRESSIONS = """root ::= sum "\\n"
sum ::= term ((" + " | " - ") term)? ((" + " | " - ") term)?
term ::= factor (" * " factor)?
factor ::= atom | "(" inner ")" | ("max" | "min") "(" inner ", " inner ")"
inner ::= atom ((" + " | " - " | " * ") atom)?
atom ::= "x" | "y" | [0-9]
"""
WORDS = {
    "the sum of x and y": "x + y",
    "x minus y": "x - y",
    "x times y": "x * y",
    "twice x, plus y": "2 * x + y",
    "the square of x": "x * x",
    "the sum of the squares of x and y": "x * x + y * y",
    "the larger of x and y": "max(x, y)",
    "the smaller of x and y, plus one": "min(x, y) + 1",
    "three times the sum of x and y": "3 * (x + y)",
    "the larger of x and zero": "max(x, 0)",
    "the distance of x and y": "max(x, y) - min(x, y)",
    "x times y, minus twice x": "x * y - 2 * x",
}
GIVEN, HIDDEN = ((2, 5), (7, 3), (-4, 6)), ((0, 0), (9, -8), (-3, -7), (11, 4), (1, 13), (6, 6))

QUERIES = """root ::= "SELECT " what " FROM people" where? order? ";"
what ::= "name" | "age" | "city" | "count(*)" | "max(age)" | "min(age)" | "avg(age)"
where ::= " WHERE " test (" AND " test)?
test ::= "age" (" > " | " < " | " = ") [1-9] [0-9] | "city = '" ("Lima" | "Oslo" | "Rome") "'"
order ::= " ORDER BY age" " DESC"? " LIMIT 1"?
"""
QUESTIONS = {
    "the names of all people": "SELECT name FROM people;",
    "the names of the people in Oslo": "SELECT name FROM people WHERE city = 'Oslo';",
    "how many people there are": "SELECT count(*) FROM people;",
    "how many people live in Rome": "SELECT count(*) FROM people WHERE city = 'Rome';",
    "the age of the oldest person": "SELECT max(age) FROM people;",
    "the name of the youngest person": "SELECT name FROM people ORDER BY age LIMIT 1;",
    "the name of the oldest person": "SELECT name FROM people ORDER BY age DESC LIMIT 1;",
    "the mean age in Lima": "SELECT avg(age) FROM people WHERE city = 'Lima';",
    "the names of people over 40": "SELECT name FROM people WHERE age > 40;",
    "the cities of people under 30": "SELECT city FROM people WHERE age < 30;",
    "the names of people over 30 in Lima": "SELECT name FROM people WHERE age > 30 AND city = 'Lima';",
    "the age of the youngest person in Oslo": "SELECT min(age) FROM people WHERE city = 'Oslo';",
}
CITIES = ("Lima", "Oslo", "Rome")
NAMES = ("Ana", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gus", "Hana", "Ivo", "June", "Kai", "Lea")
SHOTS = 2  # answers shown in the prompt, of which none is asked


@dataclass(frozen=True, slots=True)
class Task:
    """A question, its prompt, the tests that the search is given and the hidden ones: both give the share passed."""

    sort: str
    grammar: str
    prompt: str
    given: Score
    hidden: Score


def main() -> None:
    """Measure, print, write benchmarks/results/search.jsonl."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks search")
    parser.add_argument("--models", nargs="+", default=["nano", "smollm2"])
    parser.add_argument("--budget", type=int, default=80, help="prefixes scored for each question")
    parser.add_argument("--every", type=int, default=3, help="ask every k-th question")
    options = parser.parse_args()
    records = []
    for name in options.models:
        model = PrefixModel(engine_of(None if name == "nano" else name))
        for sort, every in (("expressions", expressions()), ("sql", queries())):
            tasks = every[:: options.every]
            problems = [_problem(model, task) for task in tasks]
            for method in METHODS:
                record = {
                    "model": name,
                    "task": sort,
                    "method": method,
                    "budget": options.budget,
                    "every": options.every,
                }
                record |= measured(model, tasks, problems, method, options.budget)
                records.append(record)
                print({k: round(v, 2) if isinstance(v, float) else v for k, v in record.items()}, flush=True)
            write_results("search", records)  # a run that is cut off keeps what it has


def _problem(model: PrefixModel, task: Task) -> Problem:
    import structgen as sg

    constraint = sg.compile(gbnf=task.grammar, vocabulary=model.vocabulary)
    return Problem(model, constraint, 40, prompt=model.engine.encode(task.prompt))


def measured(
    model: PrefixModel, tasks: Sequence[Task], problems: Sequence[Problem], method: str, budget: int
) -> dict[str, Any]:
    """How many questions are right, how many tests are passed, and what that costs, on average."""
    right = passed = 0.0
    costs: Counter[str] = Counter()
    for task, problem in zip(tasks, problems, strict=True):
        model.clear()
        started = time.perf_counter()
        found = METHODS[method](problem, task.given, Budget(prefixes_scored=budget))
        costs["seconds"] += time.perf_counter() - started  # type: ignore[assignment]
        costs["prefixes"] += found.stats.prefixes_scored
        costs["texts"] += found.stats.texts_scored
        texts = [s.text for s in found.samples if s.finish == "stop"]
        if texts:
            text = max(texts, key=lambda each: task.given([each])[0])
            passed += task.given([text])[0]
            right += task.hidden([text])[0] == 1
    n = len(tasks)
    return {"questions": n, "right": int(right), "given_passed": passed / n} | {k: v / n for k, v in costs.items()}


def _search(method: str, **options: Any) -> Callable[[Problem, Score, Budget], SampleSet]:
    return lambda problem, given, budget: sample(problem, 1, method, budget=budget, scorer=given, seed=1, **options)


METHODS: dict[str, Callable[[Problem, Score, Budget], SampleSet]] = {
    "greedy": lambda problem, given, budget: sample(problem, 1, "beam", width=1, budget=budget),
    "best of": lambda problem, given, budget: sample(problem, 100, "masked", batch=8, budget=budget, seed=1),
    "adaptive, cautious": lambda problem, given, budget: sample(problem, 1, "adaptive", budget=budget, seed=1),
    "adaptive, rerank": lambda problem, given, budget: sample(problem, 1, "adaptive", style="rerank", budget=budget),
    "lookahead": _search("lookahead", candidates=6, length=48),
    "mcts": _search("mcts", rollouts=1000, batch=8),
    "mcts, sampled": _search("mcts", rollouts=1000, batch=8, sampled=True),
    "astar": _search("astar", batch=8),
}


def expressions() -> list[Task]:
    """Descriptions and the tests of what they describe."""
    asked = list(WORDS.items())
    tasks = []
    for at, (words, answer) in enumerate(asked):
        shown = "".join(f"{words}:\n{answer}\n" for words, answer in _others(asked, at))
        prompt = f"Expressions in x and y.\n{shown}{words}:\n"
        tasks.append(Task("expressions", EXPRESSIONS, prompt, _tests(answer, GIVEN), _tests(answer, HIDDEN)))
    return tasks


def _others(items: Sequence[tuple[str, str]], at: int) -> list[tuple[str, str]]:
    """What is shown beside a question: the same number of the others, never the answer itself."""
    return [item for item in (items * 2)[at + 1 : at + len(items)] if item[1] != items[at][1]][:SHOTS]


def _tests(answer: str, points: Sequence[tuple[int, int]]) -> Score:
    """The share of points at which a text has the answer's value."""

    def score(texts: Sequence[str]) -> list[float]:
        return [sum(_value(text, *at) == _value(answer, *at) for at in points) / len(points) for text in texts]

    return _bounded(score)


def _bounded(score: Score) -> Score:
    score.bound = lambda texts: [1.0] * len(texts)  # type: ignore[attr-defined]
    return score


def _value(text: str, x: int, y: int) -> int | None:
    """The value of an expression; None of one that is not finished, or too large."""
    try:
        found = eval(text.strip(), {"__builtins__": {}}, {"x": x, "y": y, "max": max, "min": min})
    except (SyntaxError, TypeError):
        return None
    return found if isinstance(found, int) else None


def queries() -> list[Task]:
    """Questions and what their answers give on two databases."""
    asked, databases = list(QUESTIONS.items()), (_database(3), _database(7))
    tasks = []
    for at, (question, answer) in enumerate(asked):
        shown = "".join(f"{words}:\n{query}\n" for words, query in _others(asked, at))
        prompt = f"Queries over people(name, age, city).\n{shown}{question}:\n"
        given, hidden = (_rows_of(answer, database) for database in databases)
        tasks.append(Task("sql", QUERIES, prompt, given, hidden))
    return tasks


def _database(step: int) -> sqlite3.Connection:
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE people (name TEXT, age INTEGER, city TEXT)")
    places = range(len(NAMES))
    rows = [(NAMES[at], 18 + 7 * step * at % 59, CITIES[(at * step + at // 3) % 3]) for at in places]
    database.executemany("INSERT INTO people VALUES (?, ?, ?)", rows)
    return database


def _rows_of(answer: str, database: sqlite3.Connection) -> Score:
    """How far a query's rows agree with the answer's: twice what they share over what both have."""
    expected = Counter(database.execute(answer).fetchall())

    def score(texts: Sequence[str]) -> list[float]:
        return [_agreement(Counter(_run(text, database)), expected) for text in texts]

    return _bounded(score)


def _agreement(found: Counter[Any], expected: Counter[Any]) -> float:
    return 2 * (found & expected).total() / max(1, found.total() + expected.total())


def _run(text: str, database: sqlite3.Connection) -> list[Any]:
    """The rows of a query; none of one that is not finished."""
    try:
        return database.execute(text).fetchall()
    except sqlite3.Error:
        return []


if __name__ == "__main__":
    main()
