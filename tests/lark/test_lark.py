"""Lark grammars beside lark itself: texts it accepts are accepted byte by byte, and what is sampled it parses."""

from __future__ import annotations

import ast
import pickle
import random
from functools import cache

import lark
import numpy as np
import pytest

import structgen as sg
from structgen.automata.lexed.automaton import LexedConfigurations
from structgen.bits import ids_of
from structgen.compiler import compile_grammar
from structgen.errors import GrammarError, OptionError
from structgen.grammars.lark import LarkGrammar, compile_lark
from structgen.kinds import automaton_of
from structgen.protocols import LazyAutomaton
from tests.lark.grammars import AMBIGUOUS, GRAMMARS, PYTHON_SUBSET, TEXTS, SubsetBlocks

LETTERS = [bytes([byte]) for byte in range(0x20, 0x7F)] + [b"\n", b"\t", "é".encode(), "😀".encode()]


@cache
def judge(name: str) -> lark.Lark:
    grammar = GRAMMARS[name]
    return lark.Lark(
        grammar.text, parser="lalr", start=grammar.start, postlex=grammar.indenter, maybe_placeholders=False
    )


def parses(parser: lark.Lark, text: str) -> bool:
    try:
        parser.parse(text)
    except (lark.exceptions.LarkError, AssertionError, IndexError):  # the last two: its Indenter on wrong input
        return False
    return True


@cache
def automaton(name: str) -> LazyAutomaton:
    return automaton_of(compile_lark(GRAMMARS[name])[0])


def accepts(machine: LazyAutomaton, text: str) -> bool:
    return machine.is_accepting(machine.advance(2, text.encode()))


def sample(machine: LazyAutomaton, rng: random.Random, length: int) -> str:
    """Random characters, then the shortest completion."""
    state, out = 2, b""
    for _ in range(length):
        live = [letter for letter in LETTERS if machine.advance(state, letter)]
        if not live or (machine.is_accepting(state) and rng.random() < 0.05):
            break
        out += rng.choice(live)
        state = machine.advance(2, out)
    return (out + machine.shortest(state)).decode()


def mutants(text: str, rng: random.Random, alphabet: str, count: int) -> list[str]:
    """The text with one character inserted, replaced or left out, or a piece of it doubled."""
    found = []
    for _ in range(count if text else 0):
        at, letter = rng.randrange(len(text)), rng.choice(alphabet)
        cut = rng.randrange(at, min(len(text), at + 6)) + 1
        found.append(
            rng.choice(
                [
                    text[:at] + letter + text[at:],
                    text[:at] + letter + text[at + 1 :],
                    text[:at] + text[at + 1 :],
                    text[:cut] + text[at:],
                    text[:at] + text[cut:],
                ]
            )
        )
    return found


@pytest.mark.parametrize("name", GRAMMARS)
def test_texts_and_their_mutants_are_judged_as_lark_does(name: str) -> None:
    rng, machine, judged = random.Random(name), automaton(name), 0
    assert isinstance(machine, LexedConfigurations)
    for text in TEXTS[name]:
        assert parses(judge(name), text), text
        assert accepts(machine, text), text
        for mutant in mutants(text, rng, text, 60):
            assert accepts(machine, mutant) == parses(judge(name), mutant), mutant
            judged += 1
    assert judged >= 100 or name == "dyck"


@pytest.mark.parametrize("name", GRAMMARS)
def test_samples_parse(name: str) -> None:
    rng, machine = random.Random(name), automaton(name)
    for _ in range(15):
        text = sample(machine, rng, rng.randrange(1, 25))
        assert parses(judge(name), text), text
        for mutant in mutants(text, rng, text + 'a1 ."(', 4):
            assert accepts(machine, mutant) == parses(judge(name), mutant), mutant


@pytest.mark.parametrize("name", ["sql", "keywords", "indented", "python"])
def test_masks_and_steps_agree(name: str) -> None:
    """Every bit of a mask against a step from the same state, along texts and off them."""
    words = sorted({piece.encode() for text in TEXTS[name] for piece in pieces(text)} | set(LETTERS))
    vocabulary = sg.Vocabulary.from_bytes([*words, b"\xc3", b"\xa9", b"<|end|>"], eos=[len(words) + 2])
    constraint = sg.compile(lark=GRAMMARS[name], vocabulary=vocabulary)
    rng = random.Random(0)
    for text in TEXTS[name]:
        for _ in range(3):
            matcher = constraint.matcher()
            matcher.accept_bytes(text[: rng.randrange(len(text))].encode())
            steps = np.flatnonzero(matcher.allows(range(vocabulary.size)))
            assert ids_of(matcher.mask()).tolist() == steps.tolist()


def pieces(text: str) -> list[str]:
    """Runs of a text, as tokenizers cut it: across terminals."""
    return [text[at : at + size] for size in (2, 3, 5) for at in range(0, len(text) - size, size)]


def test_a_state_is_an_integer_that_does_not_depend_on_the_split() -> None:
    machine = automaton("sql")
    text = TEXTS["sql"][1].encode()
    whole = machine.advance(2, text)
    state = 2
    for byte in text:
        state = machine.advance(state, bytes([byte]))
    assert state == whole > 1


WHERE_BLANKS_MATTER = {
    "SELECTx from a;": True,
    "select selectx from a;": True,
    "select a froma;": True,
    "select count(x)from a;": True,
    "select a fromage from a;": False,
    "select afrom b;": False,
    "select a from b limit5;": True,
}


@pytest.mark.parametrize(("text", "good"), WHERE_BLANKS_MATTER.items())
def test_keywords_and_names(text: str, good: bool) -> None:
    """As lark has it: a word is a name as a whole only where a name may stand, else it begins with a keyword."""
    assert parses(judge("sql"), text) == good == accepts(automaton("sql"), text)


def test_ambiguous_grammars_need_no_lexer() -> None:
    assert isinstance(automaton_of(compile_lark(AMBIGUOUS)[0]), LexedConfigurations), "shifting decides for lark"
    grammar, _ = compile_lark(LarkGrammar(AMBIGUOUS, lexer="dynamic"))
    machine = automaton_of(grammar)
    assert not isinstance(machine, LexedConfigurations)
    parser = lark.Lark(AMBIGUOUS, parser="earley", lexer="dynamic_complete")
    rng = random.Random(0)
    texts = {"".join(rng.choices("aaab+* ", k=rng.randrange(1, 7))) for _ in range(300)} | {"a a+ab*aa", "aab"}
    verdicts = [accepts(machine, text) for text in texts]
    assert verdicts == [parses(parser, text) for text in texts] and 20 < sum(verdicts) < 280
    for _ in range(20):
        assert parses(parser, sample(machine, rng, 12).strip() or "a")


@pytest.mark.parametrize("name", ["arithmetic", "json", "sql", "dyck"])
def test_the_dynamic_lexer(name: str) -> None:
    machine = automaton_of(compile_lark(LarkGrammar(GRAMMARS[name].text, lexer="dynamic"))[0])
    parser = lark.Lark(GRAMMARS[name].text, parser="earley", lexer="dynamic_complete")
    rng = random.Random(1)
    for text in [*TEXTS[name], "SELECT*FROMt;"]:
        short = text[:40]
        assert accepts(machine, short) == parses(parser, short), short
        for mutant in mutants(short, rng, short, 8):
            assert accepts(machine, mutant) == parses(parser, mutant), mutant


@pytest.mark.slow
def test_python_modules() -> None:
    """The standard library's smaller modules, as a corpus."""
    import glob
    import os

    machine, seen = automaton("python"), 0
    for path in sorted(glob.glob(os.path.join(os.path.dirname(os.__file__), "*.py"))):
        with open(path, encoding="utf-8", errors="replace", newline="") as file:
            text = file.read()
        if len(text) < 12_000:
            assert accepts(machine, text) == parses(judge("python"), text), path
            seen += 1
    assert seen > 40


@pytest.mark.parametrize(
    ("source", "line", "reason"),
    [
        ('start: "a" b', 1, "not defined"),
        ("start: A\nA: /(/", 2, "A"),
        ('start: "a"\nstart: "b"', 2, "defined more than once"),
        ('start: "a" x\nx: "b" x', 2, "no finite text"),
        ("start: A\nA: /a*/", 2, "empty text"),
        ("start: A\nA: /(a)\\1/", 2, "backreferences"),
        ("start: A\nA: /^a/", 2, "anchors"),
        ("start: A\nA: /(?<=x)a/", 2, "looks behind its own start"),
        ("start: : a", 1, "Unexpected colon"),
        ("%import common.NOPE\nstart: NOPE", 2, "NOPE"),
        ("%import nosuch.X\nstart: X", 1, "no grammar nosuch.lark"),
        ("%import .nosuch.X\nstart: X", 1, "no grammar nosuch.lark"),
        ("start: A\nA: /\\p{L}+/", 2, "bad escape"),
        ("start: A\nA: /(?P<x>a)(?P<x>b)/", 2, "redefinition of group"),
        ("start: A\nA: /(?<!a+)b/", 2, "fixed-width"),
    ],
)
def test_errors(source: str, line: int, reason: str) -> None:
    with pytest.raises(GrammarError, match=reason) as caught:
        automaton_of(compile_lark(LarkGrammar(source, lexer="contextual"))[0])
    assert caught.value.line == line


def test_not_lalr() -> None:
    with pytest.raises(GrammarError, match="Reduce/Reduce"):
        compile_lark(LarkGrammar('start: a | b\na: "x"\nb: "x"', lexer="contextual"))
    with pytest.raises(OptionError, match="indenter"):
        LarkGrammar("start: A", lexer="dynamic", indenter=GRAMMARS["indented"].indenter)


def test_what_lark_reads_is_read() -> None:
    """Templates, priorities, overriding, extending, ranges, flags, repetition: lark's own loader does them."""
    source = r"""
    start: item~2..3 _sep{number} | word?
    item: "x"i ["y"]
    _sep{x}: x (";" x)*
    number: INT -> n
    word: /[α-ω]+/ | LOW.."z"
    LOW: "a".."c"
    %import common.INT
    %extend item: "z"
    %override number: INT "!"
    """.replace('| LOW.."z"', "| LOW")
    machine, parser = automaton_of(compile_lark(source)[0]), lark.Lark(source, parser="lalr")
    rng = random.Random(3)
    texts = ["xX1!", "xyz3!;4!", "αβ", "b", "", "zzz0!", "x1!", "xx1"]
    for text in [*texts, *(m for t in texts for m in mutants(t, rng, "xyzXY1!;α", 10))]:
        assert accepts(machine, text) == parses(parser, text), text


def test_constraints_are_pickled_and_do_not_share_lexers() -> None:
    vocabulary = sg.Vocabulary.from_bytes([*LETTERS[:95], b""], eos=[95])
    first = sg.compile(lark=GRAMMARS["sql"], vocabulary=vocabulary)
    text = TEXTS["sql"][1]
    assert first.accepts(text)
    again = pickle.loads(pickle.dumps(first))
    other = compile_grammar(first.grammar, vocabulary)
    assert again.accepts(text) and other.accepts(text) and not other.accepts(text[1:])
    assert again.fingerprint == other.fingerprint == first.fingerprint


def test_generated_modules_parse() -> None:
    """Indentation as part of the state: whatever is sampled is a Python module."""
    machine = automaton_of(compile_lark(LarkGrammar(PYTHON_SUBSET, indenter=SubsetBlocks()))[0])
    words = "if a|:\n|\n|    |  |x| = |def f|(|)|[|]|1| not |else|class C|'s'|, | in |for |while |try|except|pass"
    pieces = [word.encode() for word in f"{words}|return |# c|.y".split("|")]
    rng, blocks = random.Random(5), 0
    for _ in range(60):
        out = b"x = 1\n"  # lark ignores blanks at the very beginning, Python does not
        state = machine.advance(2, out)
        for _ in range(rng.randrange(5, 60)):
            live = [piece for piece in pieces if machine.advance(state, piece)]
            if not live:
                break
            out += rng.choice(live)
            state = machine.advance(2, out)
        text = (out + machine.shortest(state)).decode()
        ast.parse(text)
        blocks += "\n  " in text
    assert blocks > 10


def test_what_nothing_uses_and_what_matches_the_same() -> None:
    source = (
        'start: (A | B | NAME)+ used\nused: "x"\nunused: B\nA: /[a-c]+/\nB: /[a-c]+/\nNAME.2: /[a-z]+/\nLONELY: /q/'
    )
    for lexer in ("contextual", "dynamic"):
        _, report = compile_lark(LarkGrammar(source, lexer=lexer))  # type: ignore[arg-type]
        assert report.unused == ("unused", "LONELY")
    _, report = compile_lark(LarkGrammar(source, lexer="contextual"))
    assert report.ambiguous == (("A", "B", "a"),)


def test_what_may_come_is_told_as_it_is_written() -> None:
    grammar, _ = compile_lark('start: "select"i NAME ("," NAME)*\nNAME: /[a-z]+/\n%ignore " "\n%ignore /#.*;/')
    found = automaton_of(grammar)
    assert isinstance(found, LexedConfigurations)
    assert set(found.expected(2)) == {"'select', any case", "' ' (ignored)", "/#.*;/ (ignored)"}
    assert {"NAME", "','", "the end"} <= set(found.expected(found.advance(2, b"select a")))
