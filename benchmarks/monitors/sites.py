"""What servers say at the sites of projects.py beside the truth; what samplers write there with a monitor and without.

Of names that begin with an underscore nothing is judged. `wrong`: sites at which a name that may stand there is
forbidden; `too many`: at which one is allowed that may not. Samplers draw tokens until a name has ended: one at random,
one that prefers the names of other classes; `valid`: of the names that are judged, those that may stand there.
"""

from __future__ import annotations

import random
import re
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import structgen as sg
from benchmarks.monitors.projects import WORK, Site, sites_of, sources, truth_of
from structgen.bits import ids_of
from structgen.kernels.layout import START
from structgen.monitors import Members, Report, Session, Silent, server
from structgen.monitors.analyses.catalogue import SERVERS

MOST_TOKENS = 24
PREFERENCE = 10_000.0
_NAME = re.compile(rb"\s*([A-Za-z_$][\w$]*)[^\w$]")


@contextmanager
def opened(name: str, **options: Any) -> Iterator[Session]:
    """A server on a copy of its language's project."""
    with tempfile.TemporaryDirectory() as folder:
        for path in sources(SERVERS[name].language):
            shutil.copy(path, folder)
        with server(name, folder, **options) as analysis:
            yield analysis


def monitor_of(analysis: Any, site: Site) -> Members:
    """The monitor at a site."""
    path = WORK[site.language]
    return Members(analysis, path, before=site.before, after=site.after, language=site.language)


def judged(name: str) -> dict[str, Any]:
    """What a server says at the sites of its language, beside the truth."""
    language = SERVERS[name].language
    sites, truth = sites_of(language), truth_of(language)
    counts: dict[str, Any] = dict.fromkeys(("active", "wrong", "too_many", "exact"), 0)
    waits = list[float]()
    with opened(name, deadline=20) as analysis:
        for site, known in zip(sites, truth["sites"], strict=True):
            monitor = monitor_of(analysis, site)
            started = time.perf_counter()
            answer = monitor.names(b"", monitor.due, Report())
            waits.append(1e3 * (time.perf_counter() - started))
            if isinstance(answer, Silent):
                continue
            names = {each.decode() for each in answer if not each.startswith(b"_")}
            wrong = {each for each in known["legal"] if not each.startswith("_")} - names
            more = names & set(known["illegal"])
            found = {"active": 1, "wrong": wrong, "too_many": more, "exact": not wrong and not more}
            for key, value in found.items():
                counts[key] += bool(value)
        version = analysis.version
    ordered = sorted(waits)
    times = {"ms_p50": statistics.median(ordered), "ms_p95": ordered[int(0.95 * (len(ordered) - 1))]}
    return {"server": name, "version": version, "language": language, "sites": len(sites), **counts, **times}


def adversarial(name: str, vocabulary: sg.Vocabulary) -> list[dict[str, Any]]:
    """Of each sampler, with and without the monitor: how many of the names that it writes may stand there."""
    language = SERVERS[name].language
    below = sg.compile(regex=r"(?s).*", vocabulary=vocabulary)
    tokens = {vocabulary.token_bytes(t): t for t in range(vocabulary.size) if vocabulary.spans[t, 0] >= 0}
    rows = []
    with opened(name, deadline=20) as analysis:
        for sampler in ("uniform", "other classes"):
            for watched in (False, True):
                valid, written = 0, 0
                for site, known in zip(sites_of(language), truth_of(language)["sites"], strict=True):
                    constraint = below & monitor_of(analysis, site) if watched else below
                    others = known["illegal"] if sampler == "other classes" else ()
                    drawn = draw(constraint, others, tokens, random.Random(site.number))
                    written += drawn in {*known["legal"], *known["illegal"]}
                    valid += drawn in known["legal"]
                sites = len(sites_of(language))
                counts = {"sites": sites, "judged": written, "valid": valid}
                rows.append({"server": name, "sampler": sampler, "monitor": watched, **counts})
    return rows


def draw(constraint: Any, preferred: Sequence[str], tokens: Mapping[bytes, int], rng: random.Random) -> str | None:
    """The name that a sampler writes; None if what it writes is none."""
    vocabulary, state, text = constraint.vocabulary, START, b""
    wanted = [name.encode() for name in preferred]
    for _ in range(MOST_TOKENS):
        found = _NAME.match(text)
        if found is not None:
            return found[1].decode("utf-8", "replace")
        ids = [token for token in ids_of(constraint.row(state)).tolist() if token not in vocabulary.stop_ids]
        rests = [name[len(text) :] for name in wanted if name.startswith(text)]
        likely = {tokens[rest[:size]] for rest in rests for size in range(1, len(rest) + 1) if rest[:size] in tokens}
        if b"" in rests:
            likely |= {token for token in ids if _NAME.match(text + vocabulary.token_bytes(token))}
        token = rng.choices(ids, [PREFERENCE if token in likely else 1.0 for token in ids])[0]
        state, text = constraint.step(state, token), text + vocabulary.token_bytes(token)
    return None
