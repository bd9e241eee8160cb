"""What masks under a monitor cost beside the constraint's own (whether they are right: bits.py).

Texts are lines of the standard library, read as if a model wrote them. `masks`: microseconds a token, the monitor's
masks less those of the constraint below, for texts that were not met before (the tables of the vocabulary and of
lexical states have been): exact ones (`mask_us`), and loose ones with what settles the token that comes (`loose_us`),
as decoding has them; the same for arguments, of which any may come. The analysis is a table that answers every question
with forty names, the right one among them. `asked`: with a language server questions a token and milliseconds waited,
exact rows. `triggers`: the share of accesses whose last byte ends no token, where a monitor that fires at the ends of
tokens alone says nothing.
"""

from __future__ import annotations

import os
import random
import re
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import structgen as sg
from structgen.monitors import Arguments, Members, Parameter, Question, Report, Signature, server
from structgen.monitors.lexical.python import Python

FILES = ("argparse.py", "dataclasses.py", "inspect.py", "typing.py", "shutil.py", "textwrap.py", "zipfile.py")
NAMES = 40


class AnyArguments:
    """Every function takes any arguments."""

    fingerprint = "any arguments"

    def signatures(self, question: Question) -> tuple[Signature, ...]:
        """The same for all."""
        return (Signature((Parameter(b"first", True, False, False),), more=True, any_name=True),)


class Forty:
    """Forty names at every place: those that the text in hand writes next, and others of the library."""

    fingerprint = "forty names"

    def __init__(self, text: bytes, pool: list[bytes]) -> None:
        self._text, self._pool = text, pool

    def members(self, question: Question) -> frozenset[bytes]:
        """The name that stands there in the text, and others; all of what is no place of it."""
        if not self._text.startswith(question.before):
            return frozenset(self._pool)
        rng = random.Random(question.before)
        names = set(rng.sample(self._pool, NAMES - 1))
        found = re.match(rb"\s*(\w+)", self._text[len(question.before) :])
        return frozenset(names | ({found[1]} if found else set()))


def texts(count: int, seed: int) -> Iterator[tuple[str, list[bytes]]]:
    """Stretches of files that begin with a line, and the names of all files."""
    folder, rng = Path(os.__file__).parent, random.Random(seed)
    sources = [(folder / name).read_text() for name in FILES]
    pool = sorted({name.encode() for source in sources for name in re.findall(r"\.([A-Za-z_]\w*)", source)})
    for _ in range(count):
        lines = rng.choice(sources).splitlines(keepends=True)
        first = rng.randrange(len(lines) - 12)
        yield "".join(lines[first : first + 12]), pool


def masks(tokenizer: Any, count: int) -> dict[str, Any]:
    """Microseconds of the monitors' masks beyond those below, along texts not met before."""
    below = sg.compile(regex=r"(?s).*", vocabulary=tokenizer.vocabulary)
    ways = ("mask_us", "loose_us", "arguments_mask_us", "arguments_loose_us")
    found: dict[str, list[float]] = {way: [] for way in (*ways, "accept_us")}
    for number, (text, pool) in enumerate(texts(count + 5, 3)):
        for way in ways:
            names = Members(Forty(text.encode(), pool), "work.py", after="more")
            constraint = below & (Arguments(AnyArguments(), "work.py") if way.startswith("arguments") else names)
            beyond, steps = _walked(constraint, below, tokenizer.encode(text), "loose" in way)
            if number >= 5:  # the first ones make the tables
                found[way] += beyond
                found["accept_us"] += steps
    return {"masks": len(found["mask_us"]), **{name: _spread(times) for name, times in found.items()}}


def _walked(constraint: Any, below: Any, tokens: list[int], loose: bool) -> tuple[list[float], list[float]]:
    """Microseconds of each mask beyond the one below, and of each accept."""
    matcher, plain, beyond, steps = constraint.matcher(), below.matcher(), list[float](), list[float]()
    for token in tokens:
        started = time.thread_time()
        plain.mask()
        between = time.thread_time()
        if loose:
            constraint.tightened(matcher.state, constraint.loose_row(matcher.state), token)
        else:
            matcher.mask()
        ended = time.thread_time()
        beyond.append(1e6 * (ended - between - (between - started)))
        started = time.thread_time()
        if not matcher.accept(token):
            break
        steps.append(1e6 * (time.thread_time() - started))
        plain.accept(token)
    return beyond, steps


def asked(tokenizer: Any, name: str, count: int) -> dict[str, Any]:
    """Questions and waiting with a language server."""
    below = sg.compile(regex=r"(?s).*", vocabulary=tokenizer.vocabulary)
    report, tokens_read, waits = Report(), 0, list[float]()
    with tempfile.TemporaryDirectory() as root, server(name, root) as analysis:
        for text, _ in texts(count, 4):
            constraint = below & Members(analysis, "work.py", after="more = 1\n")
            matcher = constraint.matcher()
            for token in tokenizer.encode(text):
                before = constraint.report.seconds
                matcher.mask()
                waits.append(1e3 * (constraint.report.seconds - before))
                tokens_read += 1
                if not matcher.accept(token):
                    break
            for each in ("sites", "active", "questions", "seconds"):
                setattr(report, each, getattr(report, each) + getattr(constraint.report, each))
            report.silent += constraint.report.silent
        version = analysis.version
    per_token = report.questions / tokens_read
    known = {"active": report.active, "sites": report.sites, "silent": dict(report.silent)}
    return {"server": name, "version": version, "questions_per_token": per_token, "wait_ms": _spread(waits), **known}


def triggers(tokenizer: Any, count: int) -> dict[str, Any]:
    """Accesses in texts, and those of them behind which their token goes on with a name."""
    lexer, found, inside = Python(), 0, 0
    for text, _ in texts(count, 5):
        state = lexer.start()
        for token in tokenizer.encode(text):
            data = tokenizer.vocabulary.token_bytes(token)
            for at, byte in enumerate(data):
                access = lexer.is_access(state, byte)
                found += access
                inside += access and at + 1 < len(data)
                state = lexer.after(state, byte)
    return {"accesses": found, "inside_tokens": inside}


def _spread(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    at = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
    found = {name: ordered[int(share * (len(ordered) - 1))] for name, share in at.items()}
    return {"mean": statistics.mean(values), **found, "max": ordered[-1]}
