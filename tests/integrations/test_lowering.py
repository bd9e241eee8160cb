"""Grammars of requests, lowered in a process beside."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from structgen.api.sources import source_of
from structgen.compiler import compile_grammar
from structgen.errors import GrammarError, LimitExceeded, OptionError, RegexError, SchemaError
from structgen.grammars.json_schema.style import JsonStyle
from structgen.grammars.storage import write_grammar
from structgen.integrations.lowering import Lowerer, grammar_of, options_of
from structgen.vocabulary import Vocabulary


@pytest.fixture(scope="module")
def lowerer(vocabulary: Vocabulary) -> Iterator[Lowerer]:
    found = Lowerer(vocabulary, seconds=0.5)
    yield found
    found.close()


TAG = {
    "type": "structural_tag",
    "format": {
        "type": "triggered_tags",
        "triggers": ["<call>"],
        "tags": [
            {"begin": "<call>", "content": {"type": "json_schema", "json_schema": {"enum": [1]}}, "end": "</call>"}
        ],
    },
}


@pytest.mark.parametrize(
    ("kind", "text", "accepted", "refused"),
    [
        ("json", '{"enum": ["a", 1]}', '"a"', "a"),
        ("json_object", "", "{}", "[]"),
        ("regex", "a+", "aa", "b"),
        ("choice", '["yes", "no"]', "yes", "maybe"),
        ("grammar", 'root ::= "x" [0-9]', "x1", "x"),
        ("grammar", 'start: "x" /[0-9]/  // no ::= here', "x1", "x"),
        ("structural_tag", json.dumps(TAG), "so <call>1</call>", "so <call>2</call>"),
    ],
)
def test_every_kind_means_what_it_means_here(
    kind: str, text: str, accepted: str, refused: str, lowerer: Lowerer, vocabulary: Vocabulary
) -> None:
    found = lowerer.lowered(kind, text)
    constraint = compile_grammar(grammar_of(found), vocabulary)
    assert constraint.accepts(accepted) and not constraint.accepts(refused)
    if not found.startswith('{"lark":'):
        here = source_of(**options_of(kind, text)).bound(vocabulary).lower().grammar
        assert found == write_grammar(here)


def test_the_style_is_part_of_what_is_asked(lowerer: Lowerer, vocabulary: Vocabulary) -> None:
    asked = "json", '{"const": [1, 2]}'
    flexible, compact = lowerer.lowered(*asked), lowerer.lowered(*asked, JsonStyle(whitespace="compact"))
    texts = [compile_grammar(grammar_of(each), vocabulary).accepts("[1, 2]") for each in (flexible, compact)]
    assert texts == [True, False]


@pytest.mark.parametrize(
    ("kind", "text", "error"),
    [
        ("json", '{"type": "strin"}', SchemaError),
        ("json", "{", SchemaError),
        ("json", "3", SchemaError),
        ("regex", "(a", RegexError),
        ("choice", "[]", OptionError),
        ("choice", '"a"', OptionError),
        ("choice", "a", OptionError),
        ("grammar", "root ::= (", GrammarError),
        ("structural_tag", "{}", SchemaError),
        ("other", "", OptionError),
    ],
)
def test_errors_are_those_of_the_library(kind: str, text: str, error: type[Exception], lowerer: Lowerer) -> None:
    with pytest.raises(error):
        lowerer.lowered(kind, text)


def test_a_hostile_schema_and_a_killed_process_cost_their_question_alone(lowerer: Lowerer) -> None:
    hostile = {
        "allOf": [{"type": "string", "pattern": f"^.*{letter}.{{{n}}}$"} for n, letter in enumerate("abcdefg", 9)]
    }
    with pytest.raises(LimitExceeded):
        lowerer.lowered("json", json.dumps(hostile))
    assert lowerer.lowered("json", "true")
    process = lowerer._process
    assert process is not None
    process.kill()
    process.wait()
    with pytest.raises(LimitExceeded, match="more time or memory"):
        lowerer.lowered("json", '{"const": "unseen"}')
    assert lowerer.lowered("json", '{"const": "unseen"}')
    assert lowerer._process is not process
