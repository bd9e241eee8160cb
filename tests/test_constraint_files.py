"""Saved constraints: the same language comes back, and nothing else does."""

from __future__ import annotations

import hashlib
import json
import pickle
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from lark.indenter import PythonIndenter

import structgen as sg
from structgen.bits import ids_of
from structgen.compiler import compile_grammar
from structgen.constraint_files import from_bytes, to_bytes
from structgen.errors import StorageError, Unsatisfiable
from structgen.grammars.ir import Grammar
from structgen.grammars.storage import read_grammar, write_grammar
from tests.strategies import grammars

SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "string", "maxLength": 9}, "b": {"$ref": "#"}, "c": {"enum": [1, "é", None]}},
    "patternProperties": {"^x": {"type": "number"}},
    "additionalProperties": {"type": "array", "items": {"format": "date"}, "maxItems": 3},
}
TOKENS = [b"", *(bytes([b]) for b in range(256)), b'{"', b'":', b'"a', b"12", b"}}"]
VOCABULARY = sg.Vocabulary.from_bytes(TOKENS, eos=[0])


@pytest.fixture(scope="module")
def constraint() -> sg.Constraint:
    return sg.compile(schema=SCHEMA, style=sg.JsonStyle.any(), vocabulary=VOCABULARY)


@given(grammars())
def test_grammars_survive_being_written(grammar: Grammar) -> None:
    text = write_grammar(grammar)
    again = read_grammar(text)
    assert again == grammar and write_grammar(again) == text


def test_a_file_gives_back_the_same_masks(constraint: sg.Constraint, tmp_path: Path) -> None:
    path = tmp_path / "folder" / "person.structgen"
    sg.save_constraint(constraint, path)
    copies = [sg.load_constraint(path, VOCABULARY), pickle.loads(pickle.dumps(constraint))]
    assert [copy.fingerprint for copy in copies] == [constraint.fingerprint] * 2
    assert copies[1].trie is constraint.trie
    for seed in range(20):
        rng, matchers = random.Random(seed), [c.matcher() for c in (constraint, *copies)]
        for _ in range(40):
            masks = [m.mask() for m in matchers]
            assert np.array_equal(masks[0], masks[1]) and np.array_equal(masks[0], masks[2])
            allowed = ids_of(masks[0])
            if not len(allowed):
                break
            token = int(rng.choice(allowed))
            assert [m.accept(token) for m in matchers] == [True] * 3


def test_every_cut_and_flipped_byte_is_found(constraint: sg.Constraint) -> None:
    content, rng = to_bytes(constraint), random.Random(2)
    for _ in range(300):
        place = rng.randrange(len(content) - 1)
        flipped = content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :]
        for damaged in (content[:place], flipped):
            with pytest.raises(StorageError) as error:
                from_bytes(damaged, VOCABULARY, source="name")
            assert str(error.value).startswith("name: ")


@pytest.mark.parametrize("content", [b"", b"\n", b"\x93NUMPY\x01\x00", b"{}", b"[" * 100_000, b"\x80\x04.", b"null\n"])
def test_foreign_files(content: bytes) -> None:
    with pytest.raises(StorageError, match="not a file of a structgen constraint"):
        from_bytes(content, VOCABULARY)


def test_other_version_and_other_vocabulary(constraint: sg.Constraint) -> None:
    head, body = to_bytes(constraint).split(b"\n", 1)
    newer = json.dumps({**json.loads(head), "version": 99}).encode() + b"\n" + body
    with pytest.raises(StorageError, match="version 99"):
        from_bytes(newer, VOCABULARY)
    with pytest.raises(StorageError, match="another vocabulary"):
        from_bytes(to_bytes(constraint), sg.Vocabulary.from_bytes([b"", b"a"], eos=[0]))


EXPRESSIONS = [["Literal", "a"], ["Ref", 0], ["Graph", 2, 0, [1], [0, 0, 1], None, "", None]]
GOOD: dict[str, Any] = {"expressions": EXPRESSIONS, "rules": [["r", 2]], "start": 0, "common": 0, "distinct": []}


def with_graph(*fields: object) -> dict[str, Any]:
    """GOOD with other first fields of its graph: states, start, accepting states, edges."""
    return {**GOOD, "expressions": [*EXPRESSIONS[:2], ["Graph", *fields, None, "", None]]}


WRONG = [
    None,
    [],
    {},
    {**GOOD, "start": 1},
    {**GOOD, "start": True},
    {**GOOD, "common": 2},
    {**GOOD, "shared": 0},
    {**GOOD, "distinct": [[1, 0]]},
    {**GOOD, "distinct": [0]},
    {**GOOD, "rules": [["r", 3]]},
    {**GOOD, "rules": [[1, 0]]},
    {**GOOD, "expressions": [["Literal", 5], ["Ref", 0]]},
    {**GOOD, "expressions": [["Literal", "\u0100"], ["Ref", 0]]},
    {**GOOD, "expressions": [["Grammar", [], 0, 0], ["Ref", 0]]},
    {**GOOD, "expressions": [["Literal", "a"], ["Ref", 1]]},
    {**GOOD, "expressions": [["Literal", "a"], ["Ref", "0"]]},
    {**GOOD, "expressions": [["Seq", [1]], ["Literal", "a"]]},
    {**GOOD, "expressions": [["Literal", "a"], ["ByteSet", 1 << 256]]},
    {**GOOD, "expressions": [["Literal", "a"], ["ByteSet", -1]]},
    {**GOOD, "expressions": [["Literal", "a"], ["Repeat", 0, 2, -1]]},
    {**GOOD, "expressions": [["Literal", "a"], ["Repeat", 0, -1, None]]},
    {**GOOD, "expressions": [["Literal", "a"], ["Unordered", [[0]], 0, None]]},
    with_graph(2, 0, [1], [0, 0]),
    with_graph(2, 0, [1], [0, 2, 1]),
    with_graph(2, 0, [1], [0, -1, 1]),
    with_graph(2, 0, [1], [0, 0, 2]),
    with_graph(2, 0, [1], [-1, 0, 1]),
    with_graph(2, 0, [1], [0, True, 1]),
    with_graph(2, 0, [1], [[0, 0, 1]]),
    with_graph(2, 0, [2], [0, 0, 1]),
    with_graph(2, 2, [1], [0, 0, 1]),
]


def test_what_is_near_to_these_is_a_grammar() -> None:
    """Else they would be refused for something else than what is wrong with them."""
    grammar = read_grammar(json.dumps(GOOD))
    assert json.loads(write_grammar(grammar))["expressions"][1][:5] == ["Graph", 2, 0, [1], [0, 0, 1]]


@pytest.mark.parametrize("document", WRONG)
def test_texts_that_are_no_grammar(document: object) -> None:
    with pytest.raises(ValueError):
        read_grammar(json.dumps(document))


def test_a_file_with_a_right_checksum_and_a_wrong_grammar(constraint: sg.Constraint) -> None:
    import hashlib

    head = json.loads(to_bytes(constraint).split(b"\n", 1)[0])
    for document in (WRONG[3], {**GOOD, "rules": [["r", 1]]}):
        body = json.dumps(document).encode()
        forged = json.dumps({**head, "sha256": hashlib.sha256(body).hexdigest()}).encode() + b"\n" + body + b"\n"
        with pytest.raises((StorageError, Unsatisfiable)):
            from_bytes(forged, VOCABULARY)


def test_fingerprints_go_by_content(constraint: sg.Constraint) -> None:
    again = compile_grammar(read_grammar(write_grammar(constraint.grammar)), VOCABULARY)
    other = sg.compile(schema={**SCHEMA, "minProperties": 1}, style=sg.JsonStyle.any(), vocabulary=VOCABULARY)
    assert again.fingerprint == constraint.fingerprint != other.fingerprint


@pytest.mark.parametrize("indenter", [None, PythonIndenter()])
def test_a_lark_grammar_with_a_lexer_comes_back(indenter: PythonIndenter | None, tmp_path: Path) -> None:
    text = "start: line+\nline: NAME _NEWLINE [_INDENT line+ _DEDENT]\nNAME: /[a-z]+/\n%declare _INDENT _DEDENT\n"
    text += '_NEWLINE: /(\\n *)+/\nOPEN: "(" \nCLOSE: ")"'
    if indenter is not None:
        text += "\n%declare LPAR LSQB LBRACE RPAR RSQB RBRACE"
    grammar = sg.LarkGrammar(text, lexer="contextual", indenter=indenter)
    constraint = sg.compile(lark=grammar, vocabulary=VOCABULARY)
    sg.save_constraint(constraint, tmp_path / "lines.structgen")
    again = sg.load_constraint(tmp_path / "lines.structgen", VOCABULARY)
    assert again.fingerprint == constraint.fingerprint
    for source in ("a\n", "a\n  b\nc\n", "a\n  b\n c\n", "a", "(a\n"):
        assert again.accepts(source) == constraint.accepts(source), source
    damaged = to_bytes(constraint).split(b"\n")[1].replace(b'"start":"start"', b'"start":7')
    head = json.loads(to_bytes(constraint).split(b"\n")[0]) | {"sha256": hashlib.sha256(damaged).hexdigest()}
    with pytest.raises(StorageError, match="strings"):
        from_bytes(json.dumps(head).encode() + b"\n" + damaged + b"\n", VOCABULARY)
