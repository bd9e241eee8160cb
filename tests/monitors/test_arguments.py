"""Arguments of calls: what may be written against Python itself, which parses every text and binds every call."""

from __future__ import annotations

import ast
import inspect
import itertools
import json
import random
import re
import shutil
import textwrap
from collections.abc import Callable, Iterator

import pytest

import structgen as sg
from structgen.errors import OptionError
from structgen.kernels.layout import DEAD, START
from structgen.monitors import Arguments, Members, Parameter, Question, Signature, Silent
from structgen.monitors.analyses.table import Table
from structgen.monitors.lexical.calls import NAME, OTHER, Calls
from structgen.monitors.signatures import signature_of
from structgen.testing import check_automaton_laws, check_mask_laws, check_matcher_laws
from structgen.vocabulary import Vocabulary


def two(a: int, b: int, /, c: int = 1) -> None: ...
def none() -> None: ...
def keyed(x: int, *, key: int, other: int = 0) -> None: ...
def many(*args: int, flag: int = 0) -> None: ...
def any_name(a: int, **rest: int) -> None: ...
def one(grams: int) -> None: ...
def three(grams: int, gross: int, size: int) -> None: ...


FUNCTIONS: dict[str, tuple[Callable[..., None], ...]] = {
    "two": (two,), "none": (none,), "keyed": (keyed,), "many": (many,), "any": (any_name,), "over": (one, three),
}  # fmt: skip
NAMES = ["a", "c", "x", "key", "other", "flag", "grams", "gross", "size", "b"]


def signature(function: Callable[..., object]) -> Signature:
    """A function's own, as Python knows it."""
    kinds = inspect.Parameter
    all_of = list(inspect.signature(function).parameters.values())
    parameters = tuple(
        Parameter(
            p.name.encode(), p.kind != kinds.KEYWORD_ONLY, p.kind != kinds.POSITIONAL_ONLY, p.default is kinds.empty
        )
        for p in all_of
        if p.kind not in (kinds.VAR_POSITIONAL, kinds.VAR_KEYWORD)
    )
    more, any_name = (any(p.kind == kind for p in all_of) for kind in (kinds.VAR_POSITIONAL, kinds.VAR_KEYWORD))
    return Signature(parameters, more, any_name)


class Functions:
    """Knows the functions above by their names."""

    fingerprint = "functions"

    def __init__(self) -> None:
        self.asked: list[Question] = []

    def signatures(self, question: Question) -> tuple[Signature, ...] | Silent:
        self.asked.append(question)
        found = re.search(rb"(\w+)\($", question.before)
        known = FUNCTIONS.get(found[1].decode(), ()) if found else ()
        return tuple(map(signature, known)) or Silent("unknown")


PIECES = ["two(", "none()", "(1", "1,", ", ", ")", "))", "),", "=", "key=", " key", "==", "gr", "ams", "=1", "()", "x)",
          "keyed(1, k", "f(", "(a", "other", "\n", "**", "'", "many(1, flag", "())"]  # fmt: skip
SINGLE = [bytes([byte]) for byte in range(256)]
VOCABULARY = Vocabulary.from_bytes([b"", *SINGLE, *(piece.encode() for piece in PIECES if len(piece) > 1)], eos=[0])


def watched(regex: str = r"(?s).*", before: str = "", after: str = "") -> sg.Constraint:
    return sg.compile(regex=regex, vocabulary=VOCABULARY) & Arguments(Functions(), "w.py", before=before, after=after)


def binds(text: str) -> bool | None:
    """Whether every call of a text may be made; None where it is no program."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return None
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.func.id not in FUNCTIONS:
            continue
        given = [0] * len(call.args), {each.arg or "": 0 for each in call.keywords}
        if not any(_binds(function, *given) for function in FUNCTIONS[call.func.id]):
            return False
    return True


def _binds(function: Callable[..., None], places: list[int], names: dict[str, int]) -> bool:
    try:
        inspect.signature(function).bind(*places, **names)
    except TypeError:
        return False
    return True


def endings(name: str) -> Iterator[str]:
    """What an open call of a function may go on with."""
    known = sorted({p.name.decode() for each in map(signature, FUNCTIONS[name]) for p in each.parameters if p.by_name})
    rests = {each[at:] + "=1" for each in known for at in range(len(each))}
    named = [each for size in range(3) for each in itertools.combinations(known, size)]
    for head, places, names in itertools.product(["", "1", "=1", *sorted(rests, key=len)], range(4), named):
        yield head + ",1" * places + "".join(f",{each}=1" for each in names) + ")"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_texts_that_python_can_bind_may_be_written(name: str) -> None:
    """A text that a program could go on from may be written if one goes on from it whose calls can be made."""
    rng, constraint, seen = random.Random(len(name)), watched(), {True: 0, False: 0}
    parts = ["1", "1", ",", ",", ", ", "=", "=1", "==", ")", " ", "x", "a", "gr", "ams", "[1, 2]", "(1, 2)", "'),'",
             *(f",{each}=1" for each in NAMES), *NAMES]  # fmt: skip
    suffixes = list(endings(name))
    for _ in range(32):
        text = f"{name}(" + "".join(rng.choice(parts) for _ in range(rng.randrange(7)))
        if re.search(r",\s*\)", text):
            continue  # a comma behind the last argument: below
        verdicts = {binds(text + suffix) for suffix in ("", *suffixes)}
        if verdicts == {None}:
            continue  # no program begins so
        alive = constraint.read(START, text.encode()) != DEAD
        assert alive == (True in verdicts), text
        seen[alive] += 1
    assert seen[True] > 3
    assert seen[False] > (1 if name not in ("any", "many") else 0)


@pytest.mark.parametrize(
    ("text", "goes_on"),
    [
        ("two(1, 2, 3,", False),
        ("two(1, 2, 3,\n", False),
        ("two(1,\n 2,\n 3,\n)", True),
        ("two(1,\n 2,\n 3,\n 4", False),
        ("two(1, 2,)", True),
        ("none( )", True),
        ("none(\n# nothing\n)", True),
        ("none(x", False),
        ("two(*x)", True),
        ("two(*x, 1, 2, 3, 4, 5", True),
        ("two(1, **x)", True),
        ("over(lambda a, b, c: 1, 2, 3, 4", True),
        ("over(x for x, y in z)", True),
        ("over(not x)", True),
        ("over([1, 2], {3: 4, 5: 6}, f(7, 8))", True),
        ("over([1, 2], {3: 4, 5: 6})", False),
        ("over(none(1", False),
        ("over(two(1, 2))", True),
        ("over(two(1))", False),
        ("over(''.two(1, 2), '')", False),
        ("def two(a): pass", True),
        ("class A(two(1)): pass", True),
        ("case two(a=1):", True),
        ("# two(1)", True),
        ("'two(1)'", True),
        ("keyed(1, key", True),
        ("keyed(1, key, ", False),
        ("keyed(1, other =1)", False),
        ("keyed(1, key =1)", True),
        ("keyed(1, key\n=1)", True),
        ("keyed(1, wrong", False),
        ("over(wrong == 1)", True),
        ("over(wrong = 1)", False),
        ("over(x := 1)", True),
        ("unknown(1, 2, x=3)", True),
        ("f(two)(1)", True),
    ],
)  # fmt: skip
def test_calls_by_hand(text: str, goes_on: bool) -> None:
    assert (watched().read(START, text.encode()) != DEAD) == goes_on


@pytest.mark.parametrize("seed", range(3))
def test_arguments_are_counted_as_the_parser_counts_them(seed: int) -> None:
    rng, calls, counted = random.Random(seed), Calls(), 0
    parts = [
        "1",
        "x",
        ",",
        ",",
        "a=1",
        "b =2",
        "c== 3",
        "[1, 2]",
        "g(1, 2)",
        "'a,'",
        "not x",
        " ",
        "\n",
        "-x",
        "x.y",
        "(1,)",
    ]
    for _ in range(400):
        text = "f(" + "".join(rng.choice(parts) for _ in range(rng.randrange(8)))
        try:
            call = ast.parse(text + ")").body[0].value  # type: ignore[attr-defined]
        except SyntaxError:
            continue
        state = calls.start()
        for byte in text.encode():
            state = calls.after(state, byte)
        (found,) = state.calls
        assert found is not None
        assert not found.unsure
        assert found.places + (found.phase in (NAME, OTHER)) == len(call.args), text
        assert [name.decode() for name in found.names] == [each.arg for each in call.keywords], text
        counted += 1
    assert counted > 40


def test_masks_are_those_of_reading_every_token() -> None:
    for regex in (r"(?s).*", r"(two|none|keyed|over)\([a-z0-9=, ]*\)"):
        constraint, states = watched(regex), {START}
        for text in (b"two(1", b"two(1, 2, 3", b"none(", b"keyed(1, k", b"keyed(1, key=", b"over(grams", b"over(x="):
            states.add(constraint.automaton.advance(START, text))
        check_mask_laws(constraint.automaton, constraint.masks, VOCABULARY, sorted(states - {DEAD}))
    check_matcher_laws(constraint, seed=1)
    check_matcher_laws(watched(before="x = two(1, "), seed=2)
    check_automaton_laws(constraint.automaton, [b"two(1, 2)", b"keyed(1, key=2)", b"over(1)"])
    both = watched() & Members(Table({"two": ["id"]}), "w.py", after="x")
    assert both.read(START, b"two.id(two(1, 2))") != DEAD
    assert both.read(START, b"two.x") == both.read(START, b"two(1)") == DEAD


def test_a_loose_row_loses_what_begins_like_a_refused_token() -> None:
    constraint = watched()
    state, by_text = constraint.read(START, b"two(1"), {VOCABULARY.token_bytes(t): t for t in range(VOCABULARY.size)}
    row = constraint.loose_row(state)
    assert constraint.report.questions == 1  # where its first argument began
    tightened = constraint.tightened(state, row, by_text[b"),"])
    gone = {token for token in range(VOCABULARY.size) if (row[token >> 5] ^ tightened[token >> 5]) >> (token & 31) & 1}
    assert {VOCABULARY.token_bytes(token) for token in gone} == {b")", b"))", b"),"}
    assert constraint.tightened(state, row, by_text[b", "]) is row
    assert constraint.report.questions == 1


def test_no_text_is_ended() -> None:
    """A byte is refused only where something else can be read."""
    assert watched(r"two\(1\)").accepts("two(1)")
    assert watched(r"two\(1(, 2)?\)").forced(START) == b"two(1, 2)"
    assert watched(r"none\([0-9]\)").accepts("none(1)")
    assert watched(r"over\([a-z]+=1\)").accepts("over(wrong=1)")
    assert watched(r"keyed\(1, (wrong|key)=1\)").forced(START) == b"keyed(1, key=1)"
    stuck = watched(r"two\(1\)")
    stuck.accepts("two(1)")
    assert stuck.report.silent == {"nothing else fits the constraint": 1}
    assert stuck.shortest() == b"two(1)"
    assert binds(watched(r"two\([0-9, ]+\)").shortest().decode())


def test_a_call_that_is_open_at_the_cursor_is_asked_about_where_it_began() -> None:
    asked = Functions()
    monitor = Arguments(asked, "w.py", before="def f():\n    x = [two(1", after="\nrest = 1\n")
    constraint = sg.compile(regex=r"(?s).*", vocabulary=VOCABULARY) & monitor
    assert constraint.read(START, b")") == DEAD
    assert constraint.read(START, b", 2)") != DEAD
    assert asked.asked == [Question("w.py", b"def f():\n    x = [two(", b")]", b"\nrest = 1\n", "signatures")]
    assert constraint.report.sites == constraint.report.active == constraint.report.questions == 1
    assert watched(before="two(1").fingerprint != watched().fingerprint
    with pytest.raises(OptionError, match="knows no signatures"):
        Arguments(Table({}), "w.py")


def test_labels_are_read_as_python_reads_them() -> None:
    """Of every function of some modules: its signature as a server writes it, against its own."""
    read = 0
    for module in (ast, inspect, json, random, re, shutil, textwrap):
        for name, function in inspect.getmembers(module, inspect.isroutine):
            try:
                said = inspect.signature(function)
            except ValueError:
                continue
            label = re.sub(r" at 0x\w+>|<[^>]*>", "...", str(said))
            found = signature_of(f"def {name}{label}", [str(p) for p in said.parameters.values()])
            if signature(function) not in found:
                assert "..." in label, (name, label)
                continue
            read += 1
    assert read > 60


@pytest.mark.parametrize(
    ("label", "shown", "read"),
    [
        ("(...) -> Unknown", [], 0),
        ("type[dict]", [], 0),
        ("[T: (int, str)](x: T, y: Literal[')'] = ',') -> T", ["x: T", "y: Literal[')'] = ','"], 1),
        ("def price(self: Parcel, rate: float, /) -> float: ...", ["rate: float"], 2),
        ("() -> None", [], 1),
        ("(a b)", ["a b"], 0),
    ],
)
def test_labels_by_hand(label: str, shown: list[str], read: int) -> None:
    assert len(signature_of(label, shown)) == read
