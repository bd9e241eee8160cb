"""A monitor inside parts of a text, against the same monitor on each part alone."""

from __future__ import annotations

import json
import random
import re
from types import SimpleNamespace

import pytest

import structgen as sg
from structgen.errors import OptionError
from structgen.kernels.layout import DEAD, START
from structgen.monitors import Imports, Members, Region
from structgen.monitors.analyses.table import Table
from structgen.testing import check_automaton_laws, check_mask_laws, check_matcher_laws
from structgen.vocabulary import Vocabulary

PIECES = ["``", "```x\n", "```x\np.", "p.i", ".id\n```", ".x", "\\n", "\\", '"code": "', '": "p.', 'd"', ". ", "q.id"]
SINGLE = [bytes([byte]) for byte in range(256)]
VOCABULARY = Vocabulary.from_bytes([b"", *SINGLE, *(piece.encode() for piece in PIECES)], eos=[0])
TABLE = Table({"p": ["id", "größe"], "q": ["p"]})


def members(before: str = "") -> Members:
    return Members(TABLE, "work.py", before=before, after="rest")


def within(end: str | None, before: str = "") -> sg.Constraint:
    anything = sg.compile(regex=r"(?s).*", vocabulary=VOCABULARY)
    return anything & Region(members(before), '"code": "' if end is None else "```x\n", end)


ALONE = sg.compile(regex=r"(?s).*", vocabulary=VOCABULARY) & members()


def allowed(text: str, end: str | None) -> bool:
    """The plain meaning: every part, as it is written or unescaped, is a text that the monitor allows by itself; a name
    is whole where a part ends."""
    pattern = r'"code": "((?:[^"\\]|\\.)*)("|\\?\Z)' if end is None else r"```x\n(.*?)(```|\Z)"
    for part, mark in re.findall(pattern, text, re.DOTALL):
        read = part if end is not None else json.loads(f'"{part}"', strict=False)
        if ALONE.read(START, read.encode() + b"`" * (mark in ('"', "```"))) == DEAD:
            return False
    return True


@pytest.mark.parametrize("end", ["```", None])
@pytest.mark.parametrize("seed", range(2))
def test_texts_mean_what_the_monitor_says_of_their_parts(seed: int, end: str | None) -> None:
    constraint, rng, seen = within(end), random.Random(seed), {True: 0, False: 0}
    fence = ["```x\n", "```x\n", "`", "```", "# ", "\n", "größe"]
    string = ['"code": "', '{"code": "', '"', r"\n", r"\"", r"\\", r"# \n", r"\u0071", "größe"]
    parts = ["p", "q", ".", ".", ".", "id", "gr", " ", "x", "(", "p.id", "q.p.id", *(string if end is None else fence)]
    for _ in range(500):
        text = rng.choice(["", parts[12], parts[12]]) + "".join(rng.choice(parts) for _ in range(rng.randrange(1, 9)))
        if end is None and re.search(r"\.\\|\.[a-z]*\\u", text):
            continue  # escapes behind a dot: below
        alive = constraint.read(START, text.encode()) != DEAD
        assert alive == allowed(text, end), text
        seen[alive] += 1
    assert min(seen.values()) > 25


@pytest.mark.parametrize("end", ["```", None])
def test_masks_are_those_of_reading_every_token(end: str | None) -> None:
    constraint, rng = within(end), random.Random(3)
    begin = b'{"code": "' if end is None else b"```x\n"
    states = {START}
    for text in (
        b"`",
        b"``",
        begin,
        begin + b"p",
        begin + b"p.",
        begin + b"p.id",
        begin + b"q.p.id`",
        b"p.",
        begin[:4],
    ):
        state = constraint.read(START, text)
        for _ in range(3):
            states.add(state)
            state = constraint.automaton.advance(state, bytes([rng.choice(constraint.live_bytes(state))]))
    check_mask_laws(constraint.automaton, constraint.masks, VOCABULARY, sorted(states))
    check_matcher_laws(constraint, seed=2)
    check_automaton_laws(constraint.automaton, [begin + b"p.id x", b"p.x", begin + b"p.x"])


def test_every_part_goes_on_from_what_stands_before() -> None:
    constraint = within("```", before="import p\n# a comment: ")
    assert constraint.read(START, b"```x\np.z") != DEAD  # the line is a comment
    assert constraint.read(START, b"```x\n\np.z") == DEAD
    assert constraint.read(START, b"```x\n\np.id```\n p.z ```x\np.z\np.id") != DEAD
    assert constraint.read(START, b"```x\n\np.id```\n p.z ```x\np.z\np.z") == DEAD


def test_what_is_spelled_with_escapes() -> None:
    constraint = within(None)
    assert constraint.read(START, rb'"code": "p.\n x') != DEAD  # silent behind an escape
    assert constraint.read(START, '"code": "p.größe'.encode()) != DEAD
    assert constraint.read(START, rb'"code": "p.gr\u00f6\u00dfe') == DEAD  # a name is written without them
    assert constraint.read(START, rb'"code": "\u00f6 = p.x') == DEAD


def test_other_monitors_and_wrong_marks() -> None:
    modules = Table({"pack": ["sub"]})
    constraint = sg.compile(regex=r"(?s).*", vocabulary=VOCABULARY) & Region(Imports(modules, "w.py"), "<a>", "</a>")
    assert constraint.read(START, b"import pack.x <a>import pack.sub") != DEAD
    assert constraint.read(START, b"<a>import pack.x") == DEAD
    assert within("```").fingerprint not in (within(None).fingerprint, ALONE.fingerprint)
    narrow = sg.compile(regex="<a>p[.](id|x)</a>", vocabulary=VOCABULARY) & Region(members(), "<a>", "</a>")
    assert narrow.forced(START) == b"<a>p.id</a>"
    for begin, end in (("", None), ("x", ""), ("x", "end")):
        with pytest.raises(OptionError):
            Region(members(), begin, end)
    with pytest.raises(OptionError, match="monitor of names"):
        Region(SimpleNamespace(is_gated=None), "<a>", "</a>")  # type: ignore[arg-type]
