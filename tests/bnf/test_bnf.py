"""GBNF and EBNF against the reference parser and, where it is installed, against xgrammar."""

from __future__ import annotations

import random

import pytest

from structgen.automata.configurations import Configurations
from structgen.automata.network import build_network
from structgen.automata.reference import Reference
from structgen.compiler import compile_grammar
from structgen.errors import GrammarError
from structgen.grammars.bnf import compile_ebnf, compile_gbnf
from structgen.grammars.ir import Grammar
from structgen.vocabulary import Vocabulary
from tests.bnf.grammars import CASES

BYTES = Vocabulary.from_bytes([bytes([b]) for b in range(256)] + [b""], eos=[256])


def accepts(grammar: Grammar, text: str) -> bool:
    return compile_grammar(grammar, BYTES).accepts(text)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("compiler", [compile_gbnf, compile_ebnf])
def test_texts(name: str, compiler) -> None:  # type: ignore[no-untyped-def]
    source, good, bad = CASES[name]
    grammar, report = compiler(source)
    assert report.unused == ()
    constraint = compile_grammar(grammar, BYTES)
    for text in good:
        assert constraint.accepts(text), text
    for text in bad:
        assert not constraint.accepts(text), text


@pytest.mark.parametrize("name", CASES)
def test_sampled_texts_are_accepted_by_the_reference(name: str) -> None:
    grammar, _ = compile_gbnf(CASES[name][0])
    reference = Reference(grammar)
    for seed in range(3):
        text = sample(grammar, random.Random(seed))
        assert len(text) > 60 or reference.accepts(text), text
        if len(text) < 60:
            broken = bytearray(text)
            broken[seed % len(broken)] ^= 1
            assert reference.accepts(bytes(broken)) == compile_grammar(grammar, BYTES).accepts(bytes(broken))


def sample(grammar: Grammar, rng: random.Random) -> bytes:
    """Random bytes for a while, then the shortest way out."""
    configurations = Configurations(build_network(grammar))
    state, out = 2, bytearray()
    for _ in range(rng.randrange(1, 30)):
        live = configurations.live_bytes(state)
        if not live:
            break
        out.append(rng.choice(live))
        state = configurations.advance(state, bytes(out[-1:]))
    return bytes(out) + configurations.shortest(state)


@pytest.mark.peers
@pytest.mark.parametrize("name", CASES)
def test_against_xgrammar(name: str) -> None:
    xgrammar = pytest.importorskip("xgrammar")
    from xgrammar.testing import _is_grammar_accept_string

    source, good, bad = CASES[name]
    theirs = xgrammar.Grammar.from_ebnf(source)
    for text in good + bad:
        assert _is_grammar_accept_string(theirs, text) == (text in good), text


def test_escapes() -> None:
    gbnf = r'root ::= "\t\r\n\\\"\x41\u00e9\U0001F600" [\]\[\\\n] [a-] [^\x00-\x1f]'
    assert accepts(compile_gbnf(gbnf)[0], '\t\r\n\\"Aé😀]-ü')
    ebnf = r'root ::= "\a\b\f\v\0\e\'\?\x1F600" [\d\S] [^\w-] [\^\-\$]'
    assert accepts(compile_ebnf(ebnf)[0], "\a\b\f\v\0\x1b'?😀7*$")
    assert not accepts(compile_ebnf(ebnf)[0], "\a\b\f\v\0\x1b'?😀7-$")


def test_counts() -> None:
    for source, low, high in [
        ("{2}", 2, 2),
        ("{2,}", 2, 9),
        ("{1,3}", 1, 3),
        ("{0,2}", 0, 2),
        ("?", 0, 1),
        ("+", 1, 9),
    ]:
        grammar, _ = compile_gbnf(f'root ::= "ab"{source}')
        assert [n for n in range(10) if accepts(grammar, "ab" * n)] == list(range(low, high + 1)), source
    huge, _ = compile_gbnf('root ::= "a"{1000000}')
    assert len(build_network(huge).arrays.nodes) < 30


def test_newlines() -> None:
    assert accepts(compile_gbnf('root ::= (\n "a"\n "b" # c\n)\n')[0], "ab")
    assert accepts(compile_gbnf('root ::= "a" |\n "b"\n\n# end')[0], "b")
    assert accepts(compile_ebnf('root ::= "a"\n  "b" other\nother ::= "c"')[0], "abc")
    with pytest.raises(GrammarError, match="expected the name of a rule"):
        compile_gbnf('root ::= "a"\n "b"')


def test_dot_is_any_character() -> None:
    grammar, _ = compile_gbnf("root ::= .{2}")
    assert accepts(grammar, "\n\U0001f600") and not accepts(grammar, "a")


@pytest.mark.parametrize(
    ("source", "line", "column", "reason"),
    [
        ('root ::= "a" nme\nname ::= "b"', 1, 14, "'nme' is not defined; did you mean 'name'"),
        ('root ::= "a"\nroot ::= "b"', 2, 1, "defined twice"),
        ('rot ::= "a"', 1, 12, "no rule 'root'; did you mean 'rot'"),
        ('root ::= "a" | b\nb ::= "x" b', 2, 1, "each of its alternatives leads back"),
        ('root ::= b "c"\nb ::= b "x"', 1, 1, "it needs a rule that has none"),
        ('root ::= "a', 1, 10, "string is not closed"),
        ("root ::= [a-", 1, 10, "set is not closed"),
        ("root ::= [z-a]", 1, 11, "out of order"),
        ('root ::= ("a"', 1, 10, "group is not closed"),
        ('root ::= "a")', 1, 13, "unbalanced"),
        ('root ::= "a"{3,2}', 1, 13, "out of order"),
        ('root ::= "a"{}', 1, 13, "expected a count"),
        ('root ::= "a"{99999999999}', 1, 13, "too large"),
        ('root ::= "\\q"', 1, 11, "unknown escape"),
        ('root ::= "\\ud800"', 1, 11, "scalar"),
        ("root ::= *", 1, 10, "nothing to repeat"),
        ("root = 1", 1, 6, "expected '::='"),
        ("", 1, 1, "empty"),
        ("root ::= []", 1, 1, "no finite text"),
        ("root ::= " + "(" * 200, 1, 110, "nest deeper"),
    ],
)
def test_errors(source: str, line: int, column: int, reason: str) -> None:
    with pytest.raises(GrammarError, match=reason) as caught:
        compile_gbnf(source)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert str(caught.value).splitlines()[-1].index("^") == column + 1


@pytest.mark.parametrize(
    "source", ['root ::= TagDispatch(("a", b))', 'root ::= "a" (= "b")', 'root[max_tokens=3] ::= "a"']
)
def test_what_is_not_supported_is_refused_by_name(source: str) -> None:
    with pytest.raises(GrammarError, match="not supported"):
        compile_ebnf(source)


def test_unused_rules_are_reported() -> None:
    assert compile_gbnf('root ::= "a"\nb ::= c\nc ::= "d" c')[1].unused == ("b", "c")
