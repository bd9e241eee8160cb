"""Imports, typestate and forbidden names: what may be written, by hand and against a plain reading of random texts."""

from __future__ import annotations

import io
import random
import re
import tokenize

import pytest

import structgen as sg
from structgen.errors import OptionError, Unsatisfiable
from structgen.kernels.layout import DEAD, START
from structgen.monitors import Cases, Forbidden, Imports, Members, Question, Silent, Typestate
from structgen.monitors.analyses.table import Table
from structgen.testing import check_mask_laws, check_matcher_laws
from structgen.vocabulary import Vocabulary

PIECES = [
    b"from m ",
    b"import",
    b" import ",
    b"import a",
    b" import a",
    b"m.",
    b"a, ",
    b"(a",
    b", b",
    b" (",
    b"eval",
    b"ev",
    b"al(",
    b"evaluate",
    b"'eval'",
    b"# eval",
    b"\n",
    b"\neval",
    b"x.ev",
    b" as ",
    b"\\\n",
    b" *",
    b".sub",
    b"import m.s",
    b"lock",
    b".acquire()",
    b".release()",
    b"lock.",
    b" = ",
    b"lock = ",
]
VOCABULARY = Vocabulary.from_bytes([b"", *(bytes([byte]) for byte in range(256)), *PIECES], eos=[0])
MODULES = {"m": ["a", "b", "__version__"], "pack": ["sub", "other"]}


class Modules:
    """Names of modules, by the last word of the import."""

    fingerprint = "modules"

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    def members(self, question: Question) -> frozenset[bytes] | Silent:
        self.asked.append(question.before)
        words = (
            question.before.decode()
            .split("from")[-1]
            .replace("import", " ")
            .replace("(", " ")
            .replace(",", " ")
            .split()
        )
        name = words[0].rstrip(".") if words else ""
        return frozenset(each.encode() for each in MODULES[name]) if name in MODULES else Silent("no module")


def anything() -> sg.Constraint:
    return sg.compile(regex=r"(?s).*", vocabulary=VOCABULARY)


@pytest.mark.parametrize(
    ("text", "goes_on"),
    [
        ("from m import a", True),
        ("from m import c", False),
        ("from m import a, b", True),
        ("from m import a, c", False),
        ("from m import (a,\n  b,\n)", True),
        ("from m import (\n  a,\n  c", False),
        ("from m import (c", False),
        ("from m import(a", True),
        ("from m import(c", False),
        ("from m import *", True),
        ("from m import a as c", True),
        ("from m import a as c, b", True),
        ("from m import a as c, d", False),
        ("from m import \\\n  c", True),
        ("from m import __version__", True),
        ("import pack.sub", True),
        ("import pack.c", False),
        ("import m, pack.c", False),
        ("from pack.other import x", True),
        ("from pack.c", False),
        ("from unknown import c", True),
        ("x = m.c", True),
        ("# from m import c", True),
        ("'from m import c'", True),
        ("from m import a; from m import c", False),
        ("from m import a # , c", True),
        ("from m import (a, # , c\n c", True),
        ("from .m import a", True),
        ("def f(m, c): pass", True),
        ("yield from m, c", True),
    ],
)
def test_imports_by_hand(text: str, goes_on: bool) -> None:
    constraint = anything() & Imports(Modules(), "work.py")
    assert (constraint.read(START, text.encode()) != DEAD) == goes_on


def test_masks_of_imports_are_those_of_reading_every_token() -> None:
    constraint, rng = anything() & Imports(Modules(), "work.py"), random.Random(1)
    states = {START}
    for text in (
        b"from m import",
        b"from m import ",
        b"from m import a",
        b"from m import (",
        b"import pack",
        b"from m",
        b"from m import (a,",
        b"import pack.",
        b"from m import a, ",
        b"from m import _",
        b"x = 1\nimport pack",
    ):
        state = constraint.automaton.advance(START, text)
        states.add(state)
        for _ in range(4):
            live = constraint.automaton.live_bytes(state)
            state = constraint.automaton.advance(state, bytes([rng.choice(live)]))
            states.add(state)
    check_mask_laws(constraint.automaton, constraint.masks, VOCABULARY, sorted(states))
    check_matcher_laws(constraint, seed=3)
    assert constraint.expected(constraint.read(START, b"import pack.")) == ("'other'", "'sub'")
    at_cursor = anything() & Imports(Modules(), "work.py", before="from m import ")
    assert at_cursor.read(START, b"a") != DEAD
    assert at_cursor.read(START, b"c") == DEAD


def test_a_name_is_due_nowhere_but_where_tokens_are_looked_at() -> None:
    """Of random texts, behind every byte where a name is due: all that a token may have before it."""
    monitor, rng, found = Imports(Modules(), "work.py"), random.Random(1), 0
    parts = [
        "from m import ",
        "import ",
        "from",
        "import",
        " ",
        "\t",
        "a",
        ".",
        ",",
        "(",
        ")",
        "\n",
        "}",
        "\\",
        "#",
        "'",
        "1",
    ]
    for _ in range(1500):
        text = "".join(rng.choice(parts) for _ in range(rng.randrange(1, 9))).encode()
        state = monitor.lexer.start()
        for at, byte in enumerate(text):
            if monitor.is_due(state, byte):
                assert all(monitor.may_end(text[start : at + 1]) for start in range(at + 1)), text[: at + 1]
                found += 1
            state = monitor.lexer.after(state, byte)
    assert found > 100


class Enums:
    """The constants of what is switched on, by its name."""

    fingerprint = "enums"

    def members(self, question: Question) -> frozenset[bytes] | Silent:
        assert question.about == "cases"
        switched = re.findall(rb"switch \((\w+)\)", question.before)
        return frozenset((b"SMALL", b"LARGE")) if switched and switched[-1] == b"size" else Silent("no enum")


@pytest.mark.parametrize(
    ("text", "goes_on"),
    [
        ("switch (size) { case SMALL ->", True),
        ("switch (size) { case SMALL: case\n  LARGE:", True),
        ("switch (size) { case HUGE", False),
        ("switch (size) { case SMALLER", False),
        ("switch (size) { case null, default ->", True),
        ("switch (size) { case SMALL, HUGE ->", True),
        ("switch (size) { default -> { switch (other) { case HUGE", True),
        ("switch (number) { case 1: case -1: case ONE:", True),
        ("switch (size) { case /* what */ SMALL", True),
        ('switch (size) { case "', True),
        ("switch (size) { // case HUGE", True),
        ("size.upper_case HUGE", True),
        ("showcase HUGE", True),
    ],
)
def test_cases_by_hand(text: str, goes_on: bool) -> None:
    constraint = anything() & Cases(Enums(), "Work.java")
    assert (constraint.read(START, text.encode()) != DEAD) == goes_on


def test_masks_of_cases_are_those_of_reading_every_token() -> None:
    pieces = [
        b"case ",
        b"se S",
        b"case SM",
        b"ALL",
        b"case H",
        b"\ncase\n",
        b" case LARGE",
        b"case 1",
        b"e\tL",
        b"c",
        b"ca",
    ]
    vocabulary = Vocabulary.from_bytes([b"", *(bytes([byte]) for byte in range(256)), *pieces], eos=[0])
    constraint = sg.compile(regex=r"(?s).*", vocabulary=vocabulary) & Cases(
        Enums(), "Work.java", before="switch (size) {"
    )
    texts = [
        b"",
        b"c",
        b"ca",
        b"cas",
        b"case",
        b"case ",
        b"case S",
        b"case SMALL",
        b"case SMALL: ",
        b"x",
        b"x.case",
        b"case  ",
    ]
    states = sorted({constraint.automaton.advance(START, text) for text in texts} - {DEAD})
    check_mask_laws(constraint.automaton, constraint.masks, vocabulary, states)
    check_matcher_laws(constraint, seed=6)


LOCK = Typestate("lock", {"free": {"acquire": "held"}, "held": {"release": "free"}, "gone": {}}, start="free")


@pytest.mark.parametrize(
    ("text", "goes_on"),
    [
        ("lock.acquire()", True),
        ("lock.release()", False),
        ("lock.acquire()\nlock.release()", True),
        ("lock.acquire(); lock.acquire", False),
        ("other.release()", True),
        ("a.lock.release()", True),
        ("block.release()", True),
        ("# lock.acquire\nlock.release", False),
        ("'lock.acquire'\nlock.acquire", True),
        ("lock.acquire()\nlock = new()\nlock.acquire", True),
        ("lock.acquire()\nlock == 1\nlock.acquire", False),
        ("lock.acquire()\nf(lock=1)\nlock.acquire", False),
        ("lock.locked()", False),
        ("lock . acquire()\nlock.release()", True),
    ],
)
def test_typestate_by_hand(text: str, goes_on: bool) -> None:
    constraint = anything() & Members(LOCK, "work.py")
    assert (constraint.read(START, text.encode()) != DEAD) == goes_on


def test_typestate_of_what_stands_before_the_cursor() -> None:
    held = anything() & Members(LOCK, "work.py", before="lock.acquire()\n")
    assert held.read(START, b"lock.release()") != DEAD
    assert held.read(START, b"lock.acquire()") == DEAD
    left = anything() & Members(LOCK, "work.py", before="lock.locked()\n")
    assert left.read(START, b"lock.acquire()") != DEAD
    assert left.report.silent == {"the protocol was left": 1}
    done = Typestate("lock", {"free": {"close": "done"}, "done": {}}, start="free")
    closed = anything() & Members(done, "work.py", before="lock.close()\n")
    assert closed.read(START, b"lock.close()") != DEAD
    assert closed.report.silent == {"nothing may be called any more": 1}
    java = Typestate("lock", {"free": {"lock": "held"}, "held": {"unlock": "free"}}, start="free", language="java")
    constraint = anything() & Members(java, "Work.java", language="java")
    assert constraint.read(START, b"Lock lock = new Lock(); lock.lock(); lock.unlock") != DEAD
    assert constraint.read(START, b"lock.lock(); lock.lock") == DEAD
    with pytest.raises(OptionError, match="no calls are given of the state 'held'"):
        Typestate("lock", {"free": {"acquire": "held"}}, start="free")
    assert LOCK.fingerprint != done.fingerprint


@pytest.mark.parametrize("seed", range(2))
def test_forbidden_names_as_tokenize_reads_them(seed: int) -> None:
    names, rng = {"eval", "e", "exec_"}, random.Random(seed)
    constraint = anything() & Forbidden(names)
    parts = [
        "eval",
        "e",
        "evaluate",
        "exec",
        "exec_",
        "x",
        ".",
        " ",
        "(",
        ")",
        "'",
        '"',
        "# ",
        "\n",
        "=",
        "r'",
        "1",
        ",",
        "_e",
        "e2",
    ]
    seen = {True: 0, False: 0}
    for _ in range(1500):
        text = "".join(rng.choice(parts) for _ in range(rng.randrange(1, 9)))
        try:
            tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
        except (tokenize.TokenError, SyntaxError):
            continue
        if re.search(r"\d[a-z_]", text) or any(token.type == tokenize.ERRORTOKEN for token in tokens):
            continue
        allowed = not any(token.type == tokenize.NAME and token.string in names for token in tokens)
        assert constraint.accepts(text) == allowed, text
        seen[allowed] += 1
    assert min(seen.values()) > 100


def test_forbidden_names_in_masks_and_grammars() -> None:
    constraint = anything() & Forbidden(["eval"])
    states = sorted(
        {constraint.automaton.advance(START, text) for text in (b"", b"x = ev", b"eval", b"'eval", b"evalu", b"x.eva")}
    )
    check_mask_laws(constraint.automaton, constraint.masks, VOCABULARY, states)
    narrow = sg.compile(regex=r"(eval|evil|exec)\(1\)", vocabulary=VOCABULARY) & Forbidden(["eval", "exec"])
    assert narrow.forced(START) == b"evil(1)"  # no dead end: what cannot be ended otherwise does not begin
    with pytest.raises(Unsatisfiable):
        sg.compile(regex=r"eval\(1\)", vocabulary=VOCABULARY) & Forbidden(["eval"])
    inside = anything() & Forbidden(["eval"], before="x = ev")
    assert not inside.accepts("al(1)")
    assert inside.accepts("aluate(1)")
    both = anything() & Members(Table({"p": ["id", "eval"]}), "work.py", after="x") & Forbidden(["eval"])
    assert both.read(START, b"p.id") != DEAD
    assert not both.accepts("p.eval()")
    with pytest.raises(OptionError, match="'a b' is no name"):
        Forbidden(["a b"])
    with pytest.raises(OptionError, match="plain grammar"):
        "x" & Forbidden(["a"])
