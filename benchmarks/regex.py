"""Does `regex=` mean what `re.fullmatch` means? Random patterns and those of real schemas, on members and near misses.

Patterns are made of everything `re` knows, but for backreferences and conditionals. Of each, texts are sampled from our
automaton, mutated, and drawn at random; the automaton over code points, the grammar over bytes and `re` must agree.

    python -m benchmarks regex --patterns 10000
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from random import Random

from benchmarks.data import maskbench, summary, write_results
from structgen.api.sources import regex_grammar
from structgen.automata.configurations import Configurations
from structgen.automata.network import build_network
from structgen.errors import LimitExceeded, RegexError, StructgenError, Unsatisfiable
from structgen.grammars.regular.language import Language
from structgen.grammars.regular.members import sample
from structgen.kernels.layout import START

LETTERS = "abAB-_ \n1éſK\u212aß\u0661"
ATOMS = [
    "a", "a", "b", "b", "A", "é", "ſ", "-", " ", "1", ".", "[ab]", "[^a]", "[a-c1]", r"[^\w\n]", r"[\d_]", r"\w", r"\W",
    r"\d", r"\s", r"\S", r"\x61", r"\u00e9", r"\141", r"\.", r"\-", "k", "s", "[a-é]", "[]a]", "ab", "aa", "(?:)",
]  # fmt: skip
PLACES = ["^", "$", r"\A", r"\Z", r"\b", r"\B", "(?=a)", "(?!a)", "(?<=a)", "(?<!b)", "(?=a|b$)", "(?!.b)", "(?!)"]
COUNTS = ["*", "+", "?", "{2}", "{1,2}", "{,2}", "{1,}", "{0,3}"]
OPENERS = ["(?:"] * 6 + ["(", "(", "(?P<n{}>", "(?i:", "(?s:", "(?m:", "(?a:", "(?-i:", "(?>", "(?>", "(?=", "(?!"]
HEADS = [""] * 12 + ["(?i)", "(?s)", "(?m)", "(?a)", "(?x)", "(?im)", "(?ai)"]


def random_pattern(rng: Random, depth: int = 3) -> str:
    """A pattern that `re` compiles."""
    while True:
        names = iter(range(100))
        pattern = rng.choice(HEADS) + _piece(rng, depth, names)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                re.compile(pattern)
        except re.error:
            continue
        return pattern


def _piece(rng: Random, depth: int, names: Iterator[int]) -> str:
    shape = rng.random()
    if depth == 0 or shape < 0.3:
        if rng.random() < 0.12:
            return rng.choice(PLACES)
        return rng.choice(ATOMS) + (_count(rng) if rng.random() < 0.35 else "")
    if shape < 0.65:
        return "".join(_piece(rng, depth - 1, names) for _ in range(rng.randint(2, 3)))
    inner = _piece(rng, depth - 1, names)
    while rng.random() < 0.4:
        inner += "|" + _piece(rng, depth - 1, names)
    opener = rng.choice(OPENERS).format(next(names))
    return opener + inner + ")" + (_count(rng) if rng.random() < 0.5 and opener not in ("(?=", "(?!") else "")


def _count(rng: Random) -> str:
    return rng.choice(COUNTS) + rng.choice(["", "", "", "?", "+"])


def patterns_in(schemas: Iterable[object]) -> list[str]:
    """Every distinct `pattern` and key of `patternProperties`."""
    found: dict[str, None] = {}
    stack = list(schemas)
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            stack.extend(value.values())
            if isinstance(value.get("pattern"), str):
                found[value["pattern"]] = None
            if isinstance(value.get("patternProperties"), dict):
                found.update(dict.fromkeys(value["patternProperties"]))
        elif isinstance(value, list):
            stack.extend(value)
    return sorted(found)


def real_patterns() -> list[str]:
    """The patterns of MaskBench's schemas that `re` compiles."""
    return [pattern for pattern in patterns_in(row["schema"] for row in maskbench()) if _compiles(pattern)]


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def disagreements(pattern: str, rng: Random, count: int = 24) -> tuple[list[str], int]:
    """The texts on which we and `re.fullmatch` differ, and how many were tried. Raises what compiling raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compiled = re.compile(pattern)
    language = Language.regex(pattern, "python")
    try:
        automaton = Configurations(build_network(regex_grammar(pattern)))
    except Unsatisfiable:
        automaton = None
    texts = ["", *("".join(rng.choices(LETTERS, k=rng.randint(1, 5))) for _ in range(count // 3))]
    if automaton is not None:
        members = [sample(language, rng, hint) for hint in (0, 1, 3, 6) for _ in range(count // 8)]
        texts += [text for text in members if len(text) < 200]
        texts += [mutated(text, rng) for text in list(texts)]

    def ours(text: str) -> bool:
        return automaton is not None and automaton.is_accepting(automaton.advance(START, text.encode()))

    wrong = []
    for text in dict.fromkeys(texts):
        expected = _matches(compiled, text)
        if expected is not None and {language.contains(text), ours(text)} != {expected}:
            wrong.append(text)
    return wrong, len(set(texts))


def _matches(compiled: re.Pattern[str], text: str) -> bool | None:
    """What `re` says, or None where its backtracking takes more than a second or it fails."""

    def give_up(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, 1.0)
    try:
        return compiled.fullmatch(text) is not None
    except (TimeoutError, SystemError):  # SystemError: "please report a bug for the re module", says re of Python 3.11
        return None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def mutated(text: str, rng: Random) -> str:
    """The text with one character replaced, dropped, doubled or put in."""
    at = rng.randrange(len(text) + 1)
    other = rng.choice(["", *LETTERS, text[at : at + 1] * 2])
    return text[:at] + other + text[at + rng.randint(0, 1) :]


def main() -> None:
    """Compare and record; stops with the first disagreement."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks regex")
    parser.add_argument("--patterns", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = Random(options.seed)
    real = real_patterns()
    made: dict[str, None] = {}
    while len(made) + len(real) < options.patterns:
        made[random_pattern(rng)] = None
    records = [_compared(name, group, rng) for name, group in (("random", list(made)), ("real", real))]
    records.append(_sizes())
    for record in records:
        print(json.dumps(record))
    write_results("regex", records)


def _compared(name: str, patterns: list[str], rng: Random) -> dict[str, object]:
    refused: Counter[str] = Counter()
    texts, times = 0, []
    for pattern in patterns:
        started = time.perf_counter()
        try:
            wrong, tried = disagreements(pattern, rng)
        except (RegexError, LimitExceeded) as error:
            refused[error.reason] += 1
            continue
        times.append(1e3 * (time.perf_counter() - started))
        texts += tried
        if wrong:
            sys.exit(f"{pattern!r} and re.fullmatch disagree on {wrong[0]!r}")
    return {
        "patterns": name, "compared": len(times), "refused": dict(refused), "texts": texts, "disagreements": 0,
        "ms": summary(times),
    }  # fmt: skip


def _sizes() -> dict[str, object]:
    """Nodes and milliseconds of patterns whose automaton, written out, would be large."""
    found = {}
    for name, pattern in LARGE.items():
        found[name] = _measured(lambda pattern=pattern: build_network(regex_grammar(pattern)))  # type: ignore[misc]
    return {"patterns": "large", "sizes": found}


LARGE = {
    "[a-z]{1,100000}": "[a-z]{1,100000}",
    "1,000 words": "|".join(f"word{number}" for number in range(1000)),
    "1,000 words, repeated": "(?:(?:" + "|".join(f"{number * 7919:x}" for number in range(1000)) + "),)*",
}


def _measured(build: Callable[[], object]) -> dict[str, object]:
    started = time.perf_counter()
    try:
        networks = build()
    except StructgenError as error:
        return {"refused": str(error)}
    ms = 1e3 * (time.perf_counter() - started)
    return {"nodes": len(networks.arrays.nodes) - 1, "ms": round(ms, 2)}  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
