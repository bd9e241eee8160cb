"""Lark grammars with a lexer inside other grammars: the language against lark and every split, masks token by token."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import product
from typing import Any

import lark
import pytest

import structgen as sg
from structgen import nano
from structgen.api.sources import source_of
from structgen.compiler import compile_grammar
from structgen.constraint_files import from_bytes, to_bytes
from structgen.embedded.automaton import EmbeddedConfigurations
from structgen.errors import LimitExceeded, UnsupportedCombination, VocabularyError
from structgen.grammars.combine.join import in_turn
from structgen.grammars.ir import Grammar, GrammarBuilder, Literal, Repeat, alt, embed, seq, special
from structgen.grammars.ir_lr import LexedGrammar
from structgen.grammars.json_schema import JsonStyle, compile_schema
from structgen.grammars.lark import compile_lark
from structgen.grammars.named_rules import Imports
from structgen.grammars.printer import print_grammar
from structgen.grammars.storage import read_grammar, write_grammar
from structgen.kernels.layout import DEAD, START
from structgen.kinds import automaton_of
from structgen.matcher import Constraint
from structgen.tags import StructuralTag, Tag
from structgen.testing import check_automaton_laws, check_mask_laws, check_matcher_laws
from structgen.vocabulary import Vocabulary

# The lexer decides: "aa" is one WORD, never two names; "if" is the keyword, though NAME would take it, too.
WORDS = "start: WORD+\nWORD: /a+b?/"
SUMS = 'start: sum\nsum: NAME | sum "+" NAME\nNAME: /[ab]+/\n%ignore " "'
KEYWORD = 'start: "if" NAME\nNAME: /[fia]+/\n%ignore " "'
MAYBE = 'start: "a"* "b"?'


def lexed(text: str) -> LexedGrammar:
    grammar, _ = compile_lark(text)
    assert isinstance(grammar, LexedGrammar)
    return grammar


def around(*parts: str | LexedGrammar | Grammar, times: int = 1) -> Grammar:
    """Texts and grammars in turn, `times` times."""
    builder = GrammarBuilder()
    imports = Imports(builder)
    body = [
        Literal(part.encode())
        if isinstance(part, str)
        else imports.add(embed("part", part) if isinstance(part, LexedGrammar) else part)
        for part in parts
    ]
    return builder.build(builder.rule("whole", Repeat(seq(*body), times, times)))


def reader(text: str) -> Callable[[str], bool]:
    parser = lark.Lark(text, parser="lalr")

    def reads(content: str) -> bool:
        try:
            parser.parse(content)
        except lark.LarkError:
            return False
        return True

    return reads


def joined(*parts: str | Callable[[str], bool]) -> Callable[[str], bool]:
    """Whether a text can be cut into these parts."""

    def fits(text: str, at: int = 0) -> bool:
        if at == len(parts):
            return not text
        part = parts[at]
        if isinstance(part, str):
            return text.startswith(part) and fits(text[len(part) :], at + 1)
        return any(part(text[:end]) and fits(text[end:], at + 1) for end in range(len(text) + 1))

    return fits


CASES: dict[str, tuple[Grammar, Callable[[str], bool], str, int]] = {
    "between marks": (around("<", lexed(SUMS), ">"), joined("<", reader(SUMS), ">"), "<>ab+ ", 6),
    "the mark is of the region's letters": (around(lexed(WORDS), "ab"), joined(reader(WORDS), "ab"), "ab", 9),
    "at the end": (around("a", lexed(WORDS)), joined("a", reader(WORDS)), "ab", 9),
    "one behind the other": (
        around(lexed(WORDS), lexed(SUMS)),
        joined(reader(WORDS), reader(SUMS)),
        "ab+",
        7,
    ),
    "twice the same": (
        around(lexed(WORDS), ",", times=2),
        joined(reader(WORDS), ",", reader(WORDS), ","),
        "ab,",
        8,
    ),
    "the empty text": (around("b", lexed(MAYBE), "b"), joined("b", reader(MAYBE), "b"), "ab", 9),
    "only the empty text around": (around(lexed(MAYBE), lexed(MAYBE)), joined(reader(MAYBE), reader(MAYBE)), "ab", 9),
    "a keyword": (around("i", lexed(KEYWORD), "f"), joined("i", reader(KEYWORD), "f"), "ifa ", 7),
}
PIECES = ["a", "b", "+", " ", "<", ">", ",", "i", "f", "ab", "ba", "aab", "a>", "<a", "b>", "+a", " +", "ab,", ",a",
          "b,a", "bb", "abab", "if", "if ", "fi", "f a", "aaaa", "ab+", "+b>", ",aab,"]  # fmt: skip
VOCABULARY = Vocabulary.from_bytes(
    [b"", *(bytes([b]) for b in range(256)), *(p.encode() for p in PIECES if len(p) > 1)], eos=[0]
)


@pytest.mark.parametrize("name", CASES)
def test_the_language_is_every_cut_that_lark_reads(name: str) -> None:
    grammar, fits, letters, longest = CASES[name]
    automaton = automaton_of(grammar)
    members, alive = list[str](), {""}
    for length in range(longest + 1):
        for chosen in product(letters, repeat=length):
            text = "".join(chosen)
            state = automaton.advance(START, text.encode())
            assert automaton.is_accepting(state) == fits(text), text
            if fits(text):
                members.append(text)
                alive.update(text[:end] for end in range(len(text)))
    assert members
    assert all(automaton.advance(START, text.encode()) != DEAD for text in alive)
    some = random.Random(1).sample(members, min(len(members), 12))
    check_automaton_laws(automaton, [text.encode() for text in (*some, *(text + "b" for text in some))])


@pytest.mark.parametrize("name", CASES)
def test_masks_have_the_tokens_that_lead_on_whatever_they_cross(name: str) -> None:
    grammar, *_ = CASES[name]
    constraint = compile_grammar(grammar, VOCABULARY)
    rng, states = random.Random(2), {START}
    for _ in range(12):
        state = START
        for _ in range(rng.randrange(12)):
            live = constraint.automaton.live_bytes(state)
            if live:
                state = constraint.automaton.advance(state, bytes([rng.choice(live)]))
        states.add(state)
    check_mask_laws(constraint.automaton, constraint.masks, VOCABULARY, sorted(states))
    check_matcher_laws(constraint, seed=3)


def test_the_shortest_completion_goes_through_marks_of_any_length() -> None:
    one = automaton_of(around("<", lexed('start: "hello"'), "|", lexed('start: "hello"'), ">"))
    assert one.shortest(START) == b"<hello|hello>"
    several = automaton_of(around(lexed('start: "ab"'), lexed('start: "cde"'), "!"))
    assert several.shortest(START) == b"abcde!"
    assert several.distance(several.advance(START, b"abc")) == 3
    choice = GrammarBuilder()
    imports = Imports(choice)
    parts = imports.add(embed("long", lexed('start: "abcdef"'))), Literal(b"abcx")
    assert automaton_of(choice.build(choice.rule("either", alt(*parts)))).shortest(START) == b"abcx"


def test_special_tokens_and_regions_stand_side_by_side() -> None:
    """A region may begin behind a special token, and end before one."""
    names = {"<call>": 257, "</call>": 258}
    texts = [*(bytes([b]) for b in range(256)), b"", b"", b"", b"ab", b"b,a"]
    vocabulary = Vocabulary.from_bytes(texts, eos=[256], special=[257, 258], names=names)
    builder = GrammarBuilder()
    part = Imports(builder).add(embed("part", lexed(WORDS)))
    body = seq(special("<call>"), part, special("</call>"), part)
    constraint = compile_grammar(builder.build(builder.rule("whole", body)), vocabulary)
    check_matcher_laws(constraint, seed=4)
    matcher = constraint.matcher()
    assert all(map(matcher.accept, [257, 259, ord("a"), 258, 259]))
    assert matcher.is_accepting()
    assert constraint.shortest() == b"\xff<call>\xfea\xff</call>\xfea"
    texts = b"", b"\xff<call>\xfe", b"\xff<call>\xfeaab", b"\xff<call>\xfea\xff</call>\xfeaa"
    states = [constraint.automaton.advance(START, text) for text in texts]
    check_mask_laws(constraint.automaton, constraint.masks, vocabulary, states)


def test_a_byte_that_no_text_has_is_no_mark() -> None:
    constraint = compile_grammar(around("<", lexed(WORDS), ">"), VOCABULARY)
    assert not constraint.accepts(b"<\xfd>")
    assert constraint.accepts(b"<aab>")
    assert 0xFD not in constraint.live_bytes(constraint.read(START, b"<"))
    assert constraint.expected(constraint.read(START, b"<")) == ("WORD",)
    assert constraint.expected(constraint.read(START, b"<aab")) == ("whole: '>'", "WORD")


def test_a_region_beside_an_array_of_distinct_elements() -> None:
    unique = {"type": "array", "uniqueItems": True, "items": {"enum": ["a", "ab"]}, "minItems": 1}
    schema = compile_schema(unique, style=JsonStyle(whitespace="compact")).grammar
    grammar = around(schema, lexed(SUMS), ";")
    constraint = compile_grammar(grammar, VOCABULARY)
    assert constraint.accepts('["a","ab"]a+b;')
    assert not constraint.accepts('["a","a"]a+b;')
    check_automaton_laws(constraint.automaton, [b'["a","ab"]a+b;', b'["a","a"]', b'["ab"]ab;'])
    check_matcher_laws(constraint, seed=5)
    states = [
        constraint.automaton.advance(START, text) for text in (b"", b'["a"', b'["a",', b'["a"]', b'["a"]a', b'["a"]a+')
    ]
    check_mask_laws(constraint.automaton, constraint.masks, VOCABULARY, states)


def test_storing_and_printing() -> None:
    grammar = around("<", lexed(SUMS), ">")
    again = read_grammar(write_grammar(grammar))
    assert write_grammar(again) == write_grammar(grammar)
    assert "part ::= a grammar with a lexer" in print_grammar(grammar)
    constraint = compile_grammar(grammar, VOCABULARY)
    read = from_bytes(to_bytes(constraint), VOCABULARY)
    assert read.fingerprint == constraint.fingerprint
    assert read.accepts("<a+b>")
    assert not read.accepts("<a+>")
    for damaged in ('"embedded":[[9,', '"embedded":[[0,0,'):
        with pytest.raises(ValueError, match=r"points outside|a rule and"):
            read_grammar(write_grammar(grammar).replace('"embedded":[[0,', damaged))


def test_compacting_keeps_the_states_that_are_held() -> None:
    constraint = compile_grammar(around("<", lexed(SUMS), ">"), VOCABULARY)
    matcher = constraint.matcher()
    for byte in b"<a+":
        assert matcher.accept(1 + byte)
    for text in (b"<aaaa", b"<b+b+b>"):
        constraint.read(START, text)
    before, row = len(constraint.automaton), matcher.mask().copy()
    assert constraint.compact()
    assert len(constraint.automaton) < before
    assert (matcher.mask() == row).all()
    assert all(map(matcher.accept, [1 + ord("b"), 1 + ord(">"), 0]))


def test_what_is_refused() -> None:
    grammar = around("<", lexed(SUMS), ">")
    with pytest.raises(UnsupportedCombination, match="lexer='dynamic' does without"):
        in_turn([grammar, grammar])
    whole = Vocabulary.from_bytes([b"", b"a", b"b", b"<", b">", b"+", b" ", "é".encode()], eos=[0])
    spelled = around("<", lexed("start: /[aé]/"), ">")
    with pytest.raises(VocabularyError, match="has its bytes"):
        compile_grammar(spelled, whole)
    many = [lexed(f'start: "x{number}"') for number in range(129)]
    with pytest.raises(LimitExceeded, match="129 grammars with a lexer"):
        automaton_of(around(*many))


def test_bytes_that_no_token_has() -> None:
    """SmolLM2 has no token for F1 or F2: neither the region nor what stands around it may need them."""
    present = [bytes([byte]) for byte in range(256) if byte not in (0xF1, 0xF2, 0xC3)]
    vocabulary = Vocabulary.from_bytes([b"", *present, b"ab"], eos=[0])
    constraint = compile_grammar(around("<", lexed("start: /[^>]+/"), ">"), vocabulary)
    check_matcher_laws(constraint, seed=8)
    assert constraint.read(START, b"<a\xc3") == DEAD
    assert constraint.read(START, b"<a\xce") != DEAD
    assert constraint.accepts("<aé>")  # the text is of the language, whatever tokens spell


def test_in_tags_and_regions_of_every_kind() -> None:
    """As a user writes it; the answer is read by lark itself."""
    tags = [Tag("<sum>", "</sum>", lark=SUMS), Tag("<word>", "</word>", lark=WORDS), Tag("<n>", "</n>", schema=int)]
    tag = StructuralTag(tags, at_least=1)
    constraint = sg.compile(tag=tag, vocabulary=VOCABULARY)
    for text, good in [
        ("so <sum>a + b</sum>", True),
        ("so <sum>a b</sum>", False),
        ("<word>aabab</word> and <n>12</n>", True),
        ("<word>b</word>", False),
    ]:
        assert constraint.accepts(text) == good, text
    check_matcher_laws(constraint, seed=6)
    assert isinstance(constraint.automaton, EmbeddedConfigurations)
    assert source_of(tag=tag).key is not None
    states = [
        constraint.automaton.advance(START, text) for text in (b"", b"so <su", b"<sum>", b"<sum>a ", b"<word>aab")
    ]
    check_mask_laws(constraint.automaton, constraint.masks, VOCABULARY, states)


@pytest.mark.filterwarnings("ignore::structgen.errors.CompletedWarning")
@pytest.mark.skipif(not (nano.path() / "model.safetensors").exists(), reason="nano's weights are absent")
def test_generated_texts_are_read() -> None:
    tag = StructuralTag([Tag("<sum>", "</sum>", lark=SUMS)], between=False, at_least=1, at_most=1)
    for seed in range(3):
        text = sg.generate(None, "sum: ", tag=tag, max_tokens=24, seed=seed, on_truncate="complete")
        assert reader(SUMS)(text.removeprefix("<sum>").removesuffix("</sum>")), text


def test_constraints_travel(tmp_path: Any) -> None:
    import pickle

    constraint: Constraint = compile_grammar(around("<", lexed(SUMS), ">"), VOCABULARY)
    again = pickle.loads(pickle.dumps(constraint))
    assert again.fingerprint == constraint.fingerprint
    assert again.accepts("<a + b>")
