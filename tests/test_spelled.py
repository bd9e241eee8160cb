"""What the tokens cannot spell is not begun: masks against a search over token sequences."""

from __future__ import annotations

import itertools
import operator

import numpy as np
import pytest

import structgen as sg
from structgen import spelled
from structgen.automata.configurations import Configurations
from structgen.automata.network import build_network
from structgen.bits import ids_of
from structgen.errors import VocabularyError
from structgen.grammars.combine.product import meet
from structgen.grammars.ir import Grammar, walk
from structgen.kernels.layout import DEAD, START
from structgen.spelled import spelled_part
from structgen.testing import check_matcher_laws

WORDS = ["a", "b", " ", '"', "[", "]", ",", "é", "日本", "aé", "本", "x"]
VOCABULARY = sg.Vocabulary.from_bytes([*(word.encode() for word in WORDS), b"", b""], eos=[12], special=[13])
BYTES = sg.Vocabulary.from_bytes([*(bytes([byte]) for byte in range(256)), b""], eos=[256])

SOURCES = {
    "choices": {"choices": ["a日", "aé", "b日本", "日", "xc"]},
    "regex": {"regex": "[aéc]{0,3}(日本|本|c)?"},
    "recursive": {"gbnf": 'root ::= "[" root? "]" | [aé日] "c"? | "本" root'},
    "strings": {"gbnf": r'root ::= "\"" [^"a-zA-Z0-9]{0,2} "\""'},
    "a tag": {
        "tag": sg.StructuralTag([sg.Tag("[", "]", choices=["日", "é", "本"])], between=False, at_least=1, at_most=2)
    },
}


def completions(source: dict[str, object]) -> set[tuple[int, ...]]:
    """All sequences of up to five tokens that spell a text of the language."""
    plain = sg.compile(**source, vocabulary=BYTES)  # type: ignore[arg-type]
    level: dict[tuple[int, ...], int] = {(): 2}
    found: set[tuple[int, ...]] = set()
    for _ in range(6):
        found |= {tokens for tokens, state in level.items() if plain.automaton.is_accepting(state)}
        level = {
            (*tokens, token): after
            for tokens, state in level.items()
            for token, word in enumerate(WORDS)
            if (after := plain.automaton.advance(state, word.encode())) != DEAD
        }
    return found


@pytest.mark.parametrize("name", SOURCES)
def test_a_mask_has_the_tokens_from_which_a_text_can_be_spelled(name: str) -> None:
    """Shorter beginnings only, whose completions the search has seen."""
    found, constraint = completions(SOURCES[name]), sg.compile(**SOURCES[name], vocabulary=VOCABULARY)  # type: ignore[arg-type]
    check_matcher_laws(constraint)
    begun = {tokens[:end] for tokens in found for end in range(len(tokens) + 1)}
    assert len(found) > 1
    for tokens in [tokens for tokens in begun if len(tokens) < 3]:
        matcher = constraint.matcher()
        assert matcher.accept_all(tokens) == len(tokens), tokens
        expected = {token for token in range(12) if (*tokens, token) in begun}
        allowed = set(ids_of(matcher.mask()).tolist()) - {12}
        assert expected <= allowed, tokens
        for token in allowed - expected:  # its completion is longer than the search
            rest = matcher.fork()
            rest.accept(token)
            assert rest.accept_all(rest.shortest_completion()) >= 5 - len(tokens) - 1 and rest.is_accepting(), token
        assert matcher.is_accepting() == (tokens in found)


def test_a_lexer_reads_the_characters_there_are() -> None:
    words = [word for word in WORDS if word != "日本"]
    vocabulary = sg.Vocabulary.from_bytes([*(word.encode() for word in words), b""], eos=[len(words)])
    source = 'start: NAME ("," NAME)* | "日" | "x" "日"\nNAME: /[aé日本]{1,2}/'
    constraint = sg.compile(lark=source, vocabulary=vocabulary)
    check_matcher_laws(constraint)
    assert {words[t] for t in ids_of(constraint.matcher().mask())} == {"a", "é", "aé", "本"}
    assert constraint.accepts("日") and not constraint.matcher().accept_bytes("日".encode())
    with pytest.raises(VocabularyError, match="several characters"):
        sg.compile(lark=source, vocabulary=VOCABULARY)


def test_accepts_asks_no_tokens() -> None:
    constraint = sg.compile(choices=["a日", "b"], vocabulary=VOCABULARY)
    assert constraint.accepts("a日") and ids_of(constraint.matcher().mask()).tolist() == [1]


def test_a_constraint_that_nothing_spells_names_a_character() -> None:
    for source in ({"choices": ["a日"]}, {"gbnf": 'root ::= "a" "日"'}):
        with pytest.raises(VocabularyError, match="'日'"):
            sg.compile(**source, vocabulary=VOCABULARY)  # type: ignore[arg-type]


def test_nothing_is_done_where_nothing_is_missing() -> None:
    constraint = sg.compile(schema={"type": "string"}, vocabulary=BYTES)
    assert spelled_part(constraint.grammar, BYTES) is constraint.grammar
    letters = sg.compile(regex="[ab]+", vocabulary=VOCABULARY)
    assert spelled_part(letters.grammar, VOCABULARY) is letters.grammar


def test_tokens_that_begin_others_are_refused_where_they_matter() -> None:
    vocabulary = sg.Vocabulary.from_bytes([b"a", b"\xc3", "é".encode(), b""], eos=[3])
    assert sg.compile(regex="a+", vocabulary=vocabulary).matcher().accept(0)
    with pytest.raises(VocabularyError, match="begins"):
        sg.compile(regex="[aé]+", vocabulary=vocabulary)


def test_json_strings_hold_the_characters_there_are() -> None:
    matcher = sg.compile(schema={"type": "string", "maxLength": 4}, vocabulary=VOCABULARY).matcher()
    for _, token in itertools.product(range(2), (3, 8)):
        matcher.accept(token)
    allowed = {WORDS[token] for token in ids_of(matcher.mask()).tolist() if token < 12}
    assert np.flatnonzero(matcher.allows(range(12))).tolist() == [k for k, word in enumerate(WORDS) if word in allowed]


GAPS = [byte for byte in range(256) if byte not in (0x04, 0x7A, 0xC3, 0xF1, 0xF2)]  # no z, and no é or what follows it
GAPPED = sg.Vocabulary.from_bytes([*(bytes([byte]) for byte in GAPS), b"", b"ab", b'": ', b"\xf0\x9f"], eos=[len(GAPS)])
NARROWED = {
    "strings": {
        "schema": {"type": "object", "properties": {"a": {"type": "string", "maxLength": 300}}, "minProperties": 1}
    },
    "patterns": {"schema": {"type": "string", "pattern": "^[a-zà-ü]{2,5}[^a]$"}},
    "classes": {"regex": "[x-z]{1,3}(é|[\U00040000-\U000fffff]|\U0001f600)?"},
    "distinct": {"schema": {"type": "array", "items": {"enum": ["y", "x", 1]}, "uniqueItems": True, "maxItems": 3}},
    "recursive": {"gbnf": 'root ::= [yz] root? | "b" [^a-x] "c"'},
}


@pytest.mark.parametrize("name", NARROWED)
def test_bytes_taken_out_of_sets_leave_what_the_product_leaves(name: str) -> None:
    """Where no set loses all of its bytes; random texts, byte by byte, beside the product."""
    constraint = sg.compile(**NARROWED[name], vocabulary=GAPPED)  # type: ignore[arg-type]
    check_matcher_laws(constraint)
    product = Configurations(build_network(met(constraint.grammar))) if name != "distinct" else None
    numbers = np.random.default_rng(7)
    for _ in range(30):
        matcher, state = constraint.matcher(), START
        for _ in range(12):
            allowed = ids_of(matcher.mask())
            live = set(matcher.live_bytes())
            assert live == {GAPS[token] for token in allowed if token < len(GAPS)}
            if product is not None:
                assert live == set(product.live_bytes(state))
            token = int(numbers.choice(allowed))
            assert matcher.accept(token)
            if matcher.is_finished():
                break
            if product is not None:
                state = product.advance(state, GAPPED.token_bytes(token))
            assert not set(matcher.shortest_bytes()) & {0x04, 0x7A, 0xC3, 0xF1, 0xF2}


def met(grammar: Grammar) -> Grammar:
    """The grammar without the bytes, by a product with the automaton of one state."""
    single = frozenset(bytes([byte]) for byte in GAPS)
    return meet(grammar, spelled._automaton(single, 200_000), 200_000)


def test_the_grammar_keeps_its_shape() -> None:
    """Counters and terminals stand where they stood; a set that would lose all its bytes is left to the product."""
    grammar = sg.compile(**NARROWED["strings"], vocabulary=BYTES).grammar  # type: ignore[arg-type]
    narrow = spelled_part(grammar, GAPPED)
    assert isinstance(grammar, Grammar) and isinstance(narrow, Grammar)
    for one, two in zip(grammar.rules, narrow.rules, strict=True):
        assert [type(part) for part in walk(one.body)] == [type(part) for part in walk(two.body)]
    again = spelled_part(sg.compile(schema={"type": "boolean"}, vocabulary=BYTES).grammar, GAPPED)
    assert isinstance(again, Grammar)
    assert all(map(operator.is_, narrow.rules[: narrow.common], again.rules[: again.common]))
    assert narrow.common > 0
    lost = sg.compile(regex="az?|b", vocabulary=GAPPED)
    assert {GAPS[token] for token in ids_of(lost.matcher().mask()) if token < len(GAPS)} == {ord("a"), ord("b")}
    assert lost.matcher().accept_all([GAPS.index(ord("a"))]) == 1
