"""Wrong bits of masks under monitors, at many places: every token against reading it byte by byte.

Places lie along programs that are written in tokens at random (any that goes on with the program, now and then one that
goes elsewhere, or ends where a name may be due), in four languages, with members or imports watched, all over the text
or in regions of it, on anything and on a narrow grammar. The analysis answers by whim: names of the program and others,
some beyond ASCII, some that others begin with, none, or silence.

At a place all tokens are read in the order of the alphabet, so that what begins alike is read once. Where nothing is
due, that is done for those that hold a byte behind which a name may be due; of the others a monitor says nothing, so
their bits are the constraint's own, and at one place in `EVERY` they are read as well. Of the loose row: that it has
the exact one's tokens, and that some tokens drawn from it are settled as they were read.
"""

from __future__ import annotations

import json
import os
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import structgen as sg
from benchmarks.monitors.projects import LANGUAGES, WORK, sites_of, sources
from structgen.bits import has_bit, ids_of, row_of
from structgen.kernels.layout import START
from structgen.monitors import Imports, Members, Question, Region, Silent
from structgen.monitors.watched import NOWHERE

Row = NDArray[np.uint32]
PLACES = 40  # along a text
EVERY = 100
SHARES = {"llama3": 5, "mistral-v3": 10, "smollm2": 10, "": 75}  # hundredths of the places by vocabulary; "" is nano's
DRAWN = 20
BASES = (r"(?s).*", r"[a-z_]{1,12}((\.|->|::)[A-Za-z_]{1,12}|\([a-z, ]{0,8}\)|\[[0-9]\]| = [a-z]{1,8}|;\n)*")
STRANGE = (b"caf\xc3\xa9", "größe".encode(), b"x", b"xy", b"xyz", b"_", b"__init__", b"a1")


class Whims:
    """Answers by the text in hand, the same for the same text."""

    def __init__(self, seed: int, pool: Sequence[bytes]) -> None:
        self.fingerprint, self._pool = f"whims {seed}", pool

    def members(self, question: Question) -> frozenset[bytes] | Silent:
        """Names, none, or silence."""
        rng = random.Random(question.before + self.fingerprint.encode())
        if rng.random() < 0.15:
            return Silent("a whim")
        return frozenset(rng.sample(self._pool, rng.randrange(min(len(self._pool), 40))))


def programs(language: str) -> list[str]:
    """Texts of a language: of the sites, for Python some of the standard library besides."""
    found = [path.read_text() for path in sources(language)] + [site.before + site.name for site in sites_of(language)]
    if language == "python":
        folder = Path(os.__file__).parent
        found += [(folder / name).read_text() for name in ("argparse.py", "inspect.py", "typing.py", "zipfile.py")]
    return found


def watched(vocabulary: sg.Vocabulary, seed: int) -> tuple[Any, bytes]:
    """A constraint with a monitor, and a text to go along."""
    rng = random.Random(seed)
    language = rng.choice(LANGUAGES)
    program = rng.choice(programs(language))
    lines = program.splitlines(keepends=True)
    first = rng.randrange(len(lines))
    before, text = "".join(lines[max(first - 20, 0) : first]), "".join(lines[first : first + 12])
    pool = sorted({*(name.encode() for name in re.findall(r"[A-Za-z_]\w*", program)), *STRANGE})
    base = sg.compile(regex=rng.choice(BASES), vocabulary=vocabulary)
    is_import = language == "python" and rng.random() < 0.4
    if is_import:
        text = rng.choice(["from m import ", "import a.b", "from m.n import (a,\n b"]) + text
        monitor: Any = Imports(Whims(seed, pool), "work.py", before=before)
    else:
        monitor = Members(Whims(seed, pool), WORK[language], before=before, after="more", language=language)
    if rng.random() < 0.15:
        monitor, text = Region(monitor, "```x\n", "```"), f"See x.y:\n```x\n{text}```\n"
    elif rng.random() < 0.15:
        monitor, text = Region(monitor, '"code": "'), json.dumps({"a.b": "x.y", "code": text})
    return base & monitor, text.encode()


class Tokens:
    """The texts of a vocabulary in the order of the alphabet, and its tokens by their text and by its last byte."""

    def __init__(self, vocabulary: sg.Vocabulary) -> None:
        ids = np.flatnonzero(vocabulary.spans[:, 0] >= 0).tolist()
        self.vocabulary, self.texts = vocabulary, sorted((vocabulary.token_bytes(token), token) for token in ids)
        self.by_text: dict[bytes, list[int]] = {}
        for text, token in self.texts:
            self.by_text.setdefault(text, []).append(token)
        self.by_last: list[list[int]] = [[] for _ in range(256)]
        for text, token in self.texts:
            self.by_last[text[-1]].append(token)
        self._holding: dict[bytes, list[tuple[bytes, int]]] = {}

    def holding(self, triggers: bytes) -> list[tuple[bytes, int]]:
        """The texts that hold one of these bytes."""
        if triggers not in self._holding:
            some = frozenset(triggers)
            self._holding[triggers] = [each for each in self.texts if not some.isdisjoint(each[0])]
        return self._holding[triggers]

    def row(self, tokens: Iterable[int]) -> Row:
        """Bits of these tokens."""
        return row_of(list(tokens), self.vocabulary.size)

    def read(self, automaton: Any, state: int, texts: list[tuple[bytes, int]]) -> Row:
        """Bits of those texts that may come at a state, each read on from what it has in common with the last."""
        spots, last, allowed = [automaton.spots[state]], b"", list[int]()
        for text, token in texts:
            del spots[_common(last, text) + 1 :]
            while len(spots) <= len(text) and spots[-1] != NOWHERE:
                spots.append(automaton.after(spots[-1], text[len(spots) - 1]))
            if spots[-1] != NOWHERE:
                allowed.append(token)
            last = text
        return self.row(allowed)


def _common(one: bytes, other: bytes) -> int:
    """How many bytes two texts begin with alike."""
    size = min(len(one), len(other))
    return next((at for at in range(size) if one[at] != other[at]), size)


def states(constraint: Any, text: bytes, tokens: Tokens, rng: random.Random) -> Iterator[tuple[int, int]]:
    """States along a text that is written in tokens at random, and those of the constraint below."""
    state, plain, automaton = START, START, constraint.automaton
    for _ in range(PLACES):
        yield state, plain
        row = constraint.masks.row(state) & ~tokens.row(tokens.vocabulary.stop_ids)
        fits = [t for size in range(1, 17) for t in tokens.by_text.get(text[:size], ()) if has_bit(row, t)]
        if rng.random() < 0.25:
            fits = [t for byte in constraint.monitor.triggers for t in tokens.by_last[byte] if has_bit(row, t)] or fits
        fits = ids_of(row).tolist() if not fits or rng.random() < 0.2 else fits
        if not fits:
            return
        written = tokens.vocabulary.token_bytes(rng.choice(fits))
        text = text[len(written) :] if text.startswith(written) else text
        state, plain = automaton.advance(state, written), constraint.base.automaton.advance(plain, written)


def wrong_bits(constraint: Any, place: tuple[int, int], tokens: Tokens, whole: bool, rng: Any) -> Counter[str]:
    """Wrong bits of the exact row and of the loose one at a place, and tokens that were read."""
    state, plain = place
    automaton, masks, count = constraint.automaton, constraint.masks, np.bitwise_count
    row, spot = masks.row(state), automaton.spots[state]
    texts = tokens.texts if whole or spot.site is not None else tokens.holding(automaton.monitor.triggers)
    read, area = tokens.read(automaton, state, texts), tokens.row(token for _, token in texts)
    others = tokens.row(token for _, token in tokens.texts) & ~area
    below, stops = constraint.base.masks.row(plain), tokens.row(tokens.vocabulary.stop_ids)
    expected = read | (below & others) | (stops if automaton.is_accepting(state) else np.zeros_like(stops))
    loose = masks.loose_row(state)
    unsettled = 0
    for token in rng.sample(drawn := ids_of(loose & area).tolist(), min(DRAWN, len(drawn))):
        after = masks.tightened(state, loose, token)
        unsettled += has_bit(after, token) != has_bit(expected, token) or bool((expected & ~after).any())
    wrong = int(count(row ^ expected).sum()), int(count(expected & ~loose).sum()) + unsettled
    return Counter(wrong=wrong[0], wrong_loose=wrong[1], read=len(texts), due=spot.site is not None)


def measure(name: str, vocabulary: sg.Vocabulary, places: int) -> dict[str, Any]:
    """Wrong bits over a vocabulary."""
    tokens, found, met, seed = Tokens(vocabulary), Counter[str](), 0, 0
    while met < places:
        (constraint, text), rng = watched(vocabulary, seed), random.Random(seed)
        for place in states(constraint, text, tokens, rng):
            if met < places:
                found += wrong_bits(constraint, place, tokens, met % EVERY == 0, rng)
                met += 1
        found["narrowed"] += constraint.report.active
        seed += 1
    counts = {key: found[key] for key in ("due", "narrowed", "read", "wrong", "wrong_loose")}
    return {"vocabulary": name, "tokens": vocabulary.size, "texts": seed, "places": met, **counts}
