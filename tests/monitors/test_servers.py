"""Language servers as analyses: a fake one that misbehaves in every way, and the real ones where they are installed."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path

import pytest

import structgen as sg
from structgen.errors import OptionError, ServerError
from structgen.kernels.layout import DEAD, START
from structgen.monitors import Jedi, Members, Parameter, Question, Session, Signature, Silent, server
from structgen.monitors.analyses import session as sessions
from structgen.monitors.analyses.catalogue import SERVERS, Server, find
from structgen.monitors.analyses.positions import end_of, offset_of
from structgen.monitors.members import lexer_of
from structgen.vocabulary import Vocabulary

FAKE = Path(__file__).with_name("fake_server.py")
BYTES = Vocabulary.from_bytes([b"", *(bytes([byte]) for byte in range(256))], eos=[0])


class Fake(Server):
    """The fake server, told how to behave."""

    def command(self, root: object = ".") -> list[str]:
        return [sys.executable, str(FAKE), self.name]


def fake(how: str, root: Path, **options: float) -> Session:
    described = Fake(how, ("fake",), "it is here", hidden=frozenset(), settings={})
    return Session(described, root, **{"deadline": 5.0, **options})  # type: ignore[arg-type]


def asked(session: Session, text: str) -> object:
    return session.members(Question("work.py", text.encode(), b")", b"\nrest\n"))


def test_questions_are_answered_from_their_own_text(tmp_path: Path) -> None:
    with fake("well", tmp_path) as session:
        for number in range(40):
            word = f"word{number}x"
            assert asked(session, f"größe 😀\r\nf({word}.") == {word.encode(), (word[::-1] + "_").encode()}
        assert session.version == "1"
        assert asked(session, "f(1 +") == Silent("nothing is known here")
    assert not session._wire.alive


def test_signatures_are_read(tmp_path: Path) -> None:
    def signatures(session: Session, text: str) -> object:
        return session.signatures(Question("work.py", text.encode(), b")", b"\nrest\n", "signatures"))

    with fake("well", tmp_path) as session:
        a, b = Parameter(b"a", True, True, True), Parameter(b"b", True, True, False)
        session.begin(Question("work.py", b"price(", b")", b"\nrest\n", "signatures"))
        assert signatures(session, "price(") == (Signature((a, b)), Signature((a,), any_name=True))
        assert signatures(session, "x = strange(") == Silent("a signature with unknown parameters")
        assert signatures(session, "x = (") == Silent("nothing is known here")
        assert asked(session, "price.") == {b"price", b"ecirp_"}
    with fake("errors", tmp_path) as session:
        assert signatures(session, "price(") == Silent("the server answered with an error")


@pytest.mark.parametrize("after", ["update(1)", " update(1)", "\nrest\n", "\n\n  x", "()", "\n)", "", "= 1", " for x"])
def test_what_stands_behind_the_cursor_is_not_the_member(after: str, tmp_path: Path) -> None:
    with fake("well", tmp_path) as session:
        assert session.members(Question("work.py", b"f(word.", b"", after.encode())) == {b"word", b"drow_"}


def test_what_a_server_asks_is_answered(tmp_path: Path) -> None:
    with fake("asks", tmp_path) as session:
        assert asked(session, "x.") == {b"x", b"x_"}


def test_only_members_are_taken_from_a_list(tmp_path: Path) -> None:
    with fake("items", tmp_path) as session:
        assert asked(session, "y = x.") == {b"called", b"deep"}


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("null", "nothing is known here"),
        ("errors", "the server answered with an error"),
        ("dies", "the server is gone"),
        ("half", "the server is gone"),
        ("noise", "the server is gone"),
    ],
)
def test_what_goes_wrong_is_silence(how: str, reason: str, tmp_path: Path) -> None:
    with fake(how, tmp_path) as session:
        if how in ("dies", "half", "noise"):  # it starts anew, answers the canary, and is gone again
            assert asked(session, "x.") == Silent(reason)
            assert session.restarts == 1
        assert asked(session, "x.") == Silent(reason)
    assert not session._wire.alive


def test_late_answers_are_silence_and_never_taken_for_others(tmp_path: Path) -> None:
    with fake("late", tmp_path, deadline=0.1) as session:
        started = time.monotonic()
        assert asked(session, "first.") == Silent("the server was late")
        assert time.monotonic() - started < 2
        session.deadline = 10
        assert asked(session, "second.") == {b"second", b"dnoces_"}
        assert asked(session, "first.") == {b"first", b"tsrif_"}  # lateness is not remembered


def test_questions_asked_ahead_are_answered_from_their_own_text(tmp_path: Path) -> None:
    """Many on their way at once, some of which nobody asks for, in more than there are documents."""
    with fake("well", tmp_path, documents=4) as session:
        for first in range(0, 60, 5):
            texts = [f"word{number}x" for number in range(first, first + 5)]
            for text in texts:
                session.begin(Question("work.py", f"{text}.".encode(), b")", b"\nrest\n"))
            assert len(session._begun) <= 3
            for text in texts[3:0:-1]:
                assert asked(session, f"{text}.") == {text.encode(), (text[::-1] + "_").encode()}
        session.forget()
        assert sorted(session._free) == [0, 1, 2, 3]
        assert asked(session, "last.") == {b"last", b"tsal_"}


def test_late_answers_to_what_was_asked_ahead_block_nothing(tmp_path: Path) -> None:
    with fake("late", tmp_path, deadline=0.1, documents=2) as session:
        session.begin(Question("work.py", b"a."))
        time.sleep(0.2)
        session.deadline = 10
        session.begin(Question("work.py", b"b."))
        session.begin(Question("work.py", b"c."))
        assert session.members(Question("work.py", b"b.")) == {b"b", b"b_"}
        assert session.members(Question("work.py", b"c.")) == {b"c", b"c_"}


def test_a_server_that_dies_before_the_answer_is_asked_for(tmp_path: Path) -> None:
    with fake("dies", tmp_path) as session:
        session.begin(Question("work.py", b"a."))
        session.begin(Question("work.py", b"b."))
        time.sleep(0.2)
        session.begin(Question("work.py", b"c."))
        assert session.members(Question("work.py", b"a.")) == Silent("the server is gone")
        assert session.members(Question("work.py", b"c.")) == Silent("the server is gone")


def test_modified_content_is_asked_again(tmp_path: Path) -> None:
    with fake("again", tmp_path) as session:
        assert asked(session, "x.") == {b"x", b"x_"}


def test_a_server_that_does_not_end_is_ended(tmp_path: Path) -> None:
    session = fake("stays", tmp_path)
    process = session._wire._process
    session._wire.close(0.2)
    assert process.poll() is not None


def test_what_cannot_be_started_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ServerError, match="pip install nothing"):
        Session(Server("absent", ("no-such-program",), "pip install nothing"), tmp_path)
    with pytest.raises(OptionError, match="no server or language 'fortran'"):
        find("fortran")
    monkeypatch.setattr(sessions, "READY", 0.2)
    slow = Fake("well", ("fake",), "", canary=('"a".', "never"))
    with pytest.raises(ServerError, match="does not know"):
        Session(slow, tmp_path)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ServerError, match="no server for python is installed: pip install ty"):
        server("python", tmp_path)


def test_a_decode_goes_on_whatever_the_server_does(tmp_path: Path) -> None:
    for how in ("well", "dies", "late", "null"):
        with fake(how, tmp_path, deadline=0.1 if how == "late" else 5.0) as session:
            constraint = sg.compile(regex=r"(?s).*", vocabulary=BYTES)
            constraint &= Members(session, "work.py", after="more")
            state = constraint.read(START, b"abc.")
            assert constraint.row(state).any()
            wrong = constraint.read(state, b"wrong")
            assert (wrong == DEAD) == (how == "well")


def test_positions() -> None:
    text = "a\rbé😀\r\n\nc"
    assert end_of(text, "utf-8") == {"line": 3, "character": 1}
    assert end_of("bé😀", "utf-8") == {"line": 0, "character": 7}
    assert end_of("bé😀", "utf-16") == {"line": 0, "character": 4}
    assert end_of("bé😀", "utf-32") == {"line": 0, "character": 3}
    for encoding in ("utf-8", "utf-16", "utf-32"):
        for size in range(len(text) + 1):
            if text[size - 1 : size + 1] != "\r\n":
                assert offset_of(text, end_of(text[:size], encoding), encoding) == size, (encoding, size)
    assert offset_of("a\nb", {"line": 7, "character": 0}, "utf-8") == 3


# Of each language: a file with a class, and a text whose end is an access to an object of it, by number.
PROJECTS = {
    "python": (
        "shop.py",
        "class Parcel:\n    def __init__(self, grams: int) -> None:\n        self.grams = grams\n\n"
        "    def price(self) -> float:\n        return self.grams * 0.1\n",
        "# {}\nfrom shop import Parcel\n\ndef f(p: Parcel):\n    g = (p.",
    ),
    "typescript": (
        "shop.ts",
        "export class Parcel {{ grams = 1; private hidden = 2; price(): number {{ return this.grams * 0.1; }} }}\n",
        '// {}\nimport {{ Parcel }} from "./shop";\nfunction f(p: Parcel) {{ const g = (p.',
    ),
    "cpp": (
        "shop.h",
        "struct Parcel {{ int grams; double price() const {{ return grams * 0.1; }} private: int hidden; }};\n",
        '// {}\n#include "shop.h"\nint f(const Parcel* p) {{ int g = (p->',
    ),
    "java": (
        "Parcel.java",
        "class Parcel {{ int grams; private int hidden; double price() {{ return grams * 0.1; }} }}\n",
        "// {}\nclass Work {{ int f(Parcel p) {{ double g = (p.",
    ),
}
COMMON = {b"constructor", *b"hasOwnProperty isPrototypeOf propertyIsEnumerable toLocaleString toString valueOf".split(),
          b"operator", b"template", b"class", b"new", b"super", b"this", *b"equals getClass hashCode".split(),
          *b"notify notifyAll wait clone finalize Parcel".split()}  # fmt: skip


@pytest.mark.servers
@pytest.mark.parametrize("name", SERVERS)
def test_real_servers_know_a_project(name: str, tmp_path: Path) -> None:
    known = SERVERS[name]
    if known.found() is None or (name == "javac" and shutil.which("javac") is None):
        pytest.skip(f"{name} is not installed")
    file, source, before = PROJECTS[known.language]
    (tmp_path / file).write_text(source.format())
    due = lexer_of(known.language).closers
    with server(name, tmp_path, deadline=20) as session:
        for number in range(12):
            text, state = before.format(number), lexer_of(known.language).start()
            for byte in text.encode():
                state = lexer_of(known.language).after(state, byte)
            answer = session.members(Question("work" + known.suffix, text.encode(), due(state), b"\n"))
            assert not isinstance(answer, Silent)
            shown = {each for each in answer if not each.startswith(b"_")}
            assert shown - COMMON == {b"grams", b"price"}
        glued = session.members(Question("work" + known.suffix, text.encode(), b"", b"update(1);\n"))
        assert isinstance(glued, frozenset)
        assert {each for each in glued if not each.startswith(b"_")} - COMMON == {b"grams", b"price"}
        unknown = session.members(Question("work" + known.suffix, b"x = (unknown_name.", b")"))
        assert isinstance(unknown, Silent)
        process = session._wire._process
    assert process.poll() is not None
    assert os.listdir(tmp_path) == [file]


@pytest.mark.servers
@pytest.mark.parametrize("name", ["ty", "pyrefly", "basedpyright"])
def test_real_servers_know_signatures(name: str, tmp_path: Path) -> None:
    if SERVERS[name].found() is None:
        pytest.skip(f"{name} is not installed")
    (tmp_path / "shop.py").write_text(
        "class Parcel:\n    def __init__(self, grams: int, *, name: str = '') -> None: ...\n\n"
        "    def price(self, rate: float, /, tax: float = 0.1, *more: int, **rest: int) -> float: ...\n"
    )
    self_, grams = Parameter(b"self", True, True, True), Parameter(b"grams", True, True, True)
    named, rate, tax = (Parameter(b"name", False, True, False), Parameter(b"rate", True, False, True),
                        Parameter(b"tax", True, True, False))  # fmt: skip
    with server(name, tmp_path, deadline=20) as session:
        for text, known in (
            ("Parcel(", Signature((grams, named))),
            ("p.price(", Signature((rate, tax), more=True, any_name=True)),
            ("Parcel.price(", Signature((self_._replace(by_name=False), rate, tax), more=True, any_name=True)),
        ):
            before = f"from shop import Parcel\n\ndef f(p: Parcel):\n    x = {text}".encode()
            found = session.signatures(Question("work.py", before, b")", b"\n", "signatures"))
            assert not isinstance(found, Silent)
            assert known in found
        unknown = session.signatures(Question("work.py", b"x = unknown_name(", b")", b"\n", "signatures"))
        assert isinstance(unknown, Silent)


@pytest.mark.servers
def test_the_java_server_knows_the_constants_of_a_switch(tmp_path: Path) -> None:
    if shutil.which("javac") is None:
        pytest.skip("there is no JDK")
    (tmp_path / "Size.java").write_text("enum Size { SMALL, LARGE; static final int MOST = 3; }\n")
    with server("javac", tmp_path, deadline=20) as session:
        for text, known in (
            ("switch (s) { case ", {b"SMALL", b"LARGE"}),
            ("switch (s) { case SMALL: return 1; case\n ", {b"SMALL", b"LARGE"}),
            ("return switch (s) { case SMALL -> 1; case ", {b"SMALL", b"LARGE"}),
            ("switch (s.MOST) { case ", None),
            ("switch (unknown) { case ", None),
        ):
            question = Question("Work.java", f"class Work {{ int f(Size s) {{ {text}".encode(), b"}}}", b"\n", "cases")
            found = session.members(question)
            assert isinstance(found, Silent) if known is None else found in (known, known | {b"Size"})


def test_jedi_knows_a_project(tmp_path: Path) -> None:
    pytest.importorskip("jedi")
    (tmp_path / "shop.py").write_text(PROJECTS["python"][1].format())
    with Jedi(tmp_path, deadline=60) as analysis:
        question = Question("work.py", PROJECTS["python"][2].format(1).encode(), b")", b"\n")
        analysis.begin(question)
        answer = analysis.members(question)
        assert isinstance(answer, frozenset)
        assert {name for name in answer if not name.startswith(b"_")} == {b"grams", b"price"}
        assert analysis.members(Question("work.py", b"unknown_name.")) == Silent("nothing is known here")
        analysis.deadline = 0.0
        assert analysis.members(Question("work.py", b"import shop\nshop.")) == Silent("the server was late")


def test_without_jedi_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jedi", None)
    with pytest.raises(ServerError, match="pip install jedi"):
        Jedi()
