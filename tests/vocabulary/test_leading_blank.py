"""The blank that sentencepiece writes before every text: at the start of an output it is no text."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

import structgen as sg
from structgen.bits import ids_of
from structgen.kernels.layout import DEAD
from structgen.testing import check_matcher_laws
from tests.tables import check_table

SHARED = Path(__file__).resolve().parents[2] / "../shared"
TOKENS = [b" ", b"a", b"b", b" a", b"  a", b" ab", b"ba", b"{", b" {", b'"', b' {"', b":", b"1", b"}", b"  ", b""]
VOCABULARY = sg.Vocabulary.from_bytes(TOKENS, eos=[15], leading_blank=True)
PLAIN = sg.Vocabulary.from_bytes(TOKENS, eos=[15])

SOURCES = {
    "choices": {"choices": ["ab", "aba", " a"]},
    "regex": {"regex": "( ?a)+b?"},
    "regex of blanks": {"regex": " {0,3}"},
    "json": {"schema": {"type": "object", "properties": {"a": {"const": 1}}, "additionalProperties": False}},
    "json any": {"schema": {"const": {"a": 1}}, "style": sg.JsonStyle.any()},
    "gbnf": {"gbnf": 'root ::= " "* "ab" root?'},
    "lark": {"lark": 'start: ("a" | "b")+\n%ignore " "'},
    "lark without blanks": {"lark": 'start: ("a" | "b")+'},
    "tag": {"tag": sg.StructuralTag([sg.Tag("{", "}", regex="a*")])},
    "distinct": {"schema": {"enum": ["a", "b", 1]}, "style": sg.JsonStyle(distinct_keys=True)},
}


def text_of(tokens: tuple[int, ...]) -> bytes:
    text = b"".join(TOKENS[token] for token in tokens)
    return text[1:] if text.startswith(b" ") else text


@pytest.mark.parametrize("name", SOURCES)
def test_the_tokens_of_a_text_and_no_others(name: str) -> None:
    """Every sequence of up to four tokens against the language itself, which no token knows of."""
    constraint, plain = (sg.compile(**SOURCES[name], vocabulary=v) for v in (VOCABULARY, PLAIN))  # type: ignore[arg-type]
    check_matcher_laws(constraint)
    seen = 0
    for size in range(5):
        for tokens in itertools.product(range(15), repeat=size):
            matcher = constraint.matcher()
            if matcher.accept_all(tokens[:-1]) < size - 1:
                continue
            good = plain.automaton.advance(2, text_of(tokens)) != DEAD
            assert (size == 0 or matcher.accept(tokens[-1])) == good, tokens
            if good:
                seen += 1
                assert matcher.is_accepting() == plain.accepts(text_of(tokens)), tokens
                assert VOCABULARY.decode(tokens) == text_of(tokens)
                assert ids_of(matcher.mask()).tolist() == np.flatnonzero(matcher.allows(range(16))).tolist()
    assert seen > 3
    matcher = constraint.matcher()
    completion = matcher.shortest_completion()
    assert matcher.accept_all(completion) == len(completion) and matcher.is_accepting()


@pytest.mark.parametrize("name", SOURCES)
def test_states_are_read_as_matchers_are(name: str) -> None:
    """`read`, `live_bytes` and `forced` of a state are the matcher's own, also behind the blank that is no text."""
    constraint = sg.compile(**SOURCES[name], vocabulary=VOCABULARY)  # type: ignore[arg-type]
    for tokens in ([], [0], [0, 0], [3], [8]):
        matcher = constraint.matcher()
        if matcher.accept_all(tokens) < len(tokens):
            continue
        assert constraint.live_bytes(matcher.state) == matcher.live_bytes()
        assert constraint.forced(matcher.state) == matcher.forced_bytes()
        for data in (b"", b" ", b"a", b" a", b"{", b'{"'):
            fork = matcher.fork()
            assert constraint.read(matcher.state, data) == (fork.state if fork.accept_bytes(data) else DEAD), data


@pytest.mark.parametrize("name", ["choices", "regex of blanks", "gbnf"])
def test_a_text_that_begins_with_a_blank_has_two(name: str) -> None:
    constraint = sg.compile(**SOURCES[name], vocabulary=VOCABULARY)  # type: ignore[arg-type]
    tokens = constraint.spelled(b" a" if name == "choices" else b"  ", begins=True)
    assert VOCABULARY.decode(tokens) == (b" a" if name == "choices" else b"  ")


def test_a_table_on_a_device_reads_it_the_same_way() -> None:
    constraint = sg.compile(choices=["ab", "aba", " a"], vocabulary=VOCABULARY)
    check_table(constraint, walks=40)


def test_as_the_tokenizer_itself_begins() -> None:
    sentencepiece = pytest.importorskip("sentencepiece")
    path = SHARED / "tokenizers" / "mistral-v3.model"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    model = sentencepiece.SentencePieceProcessor(model_file=str(path))
    vocabulary = sg.Vocabulary.from_tokenizer(model)
    assert vocabulary.leading_blank
    for text, source in [
        ("Pizza", {"choices": ["Pizza", "Pasta"]}),
        ("日本", {"choices": ["日本"]}),
        ('{"a": 1}', {"schema": {"const": {"a": 1}}}),
        ("[1, 2]", {"schema": {"const": [1, 2]}, "style": sg.JsonStyle.any()}),
        ("x + 1", {"lark": 'start: "x" "+" /[0-9]+/\n%ignore " "'}),
        (" two", {"regex": " two"}),
    ]:
        matcher = sg.compile(**source, vocabulary=vocabulary).matcher()  # type: ignore[arg-type]
        ids = model.encode(text)
        assert matcher.accept_all(ids) == len(ids) and matcher.is_accepting(), text
        assert vocabulary.decode(ids).decode() == text


@pytest.mark.parametrize(
    "given", [2, [2], {2}, (2,), np.int64(2), np.array(2), np.array([2]), iter([2]), [np.int32(2)]]
)
def test_stop_ids_come_in_any_form(given: object) -> None:
    assert sg.Vocabulary.from_bytes([b"a", b"b", b""], eos=given).stop_ids == (2,)


def test_stop_ids_as_tensors() -> None:
    torch = pytest.importorskip("torch")
    for given in (torch.tensor(2), torch.tensor([2]), [torch.tensor(2)]):
        assert sg.Vocabulary.from_bytes([b"a", b"b", b""], eos=given).stop_ids == (2,)


@pytest.mark.parametrize("given", ["2", True, 2.0, [2.5], [b"a"], object()])
def test_what_is_no_id_is_an_option_error(given: object) -> None:
    with pytest.raises(sg.OptionError) as caught:
        sg.Vocabulary.from_bytes([b"a", b"b", b""], eos=given)
    assert caught.value.option == "eos"
