"""What a text is likely to say next: the kernel's ways are those of plain Python, and the plain ones come first."""

from __future__ import annotations

import random

import pytest

import structgen as sg
from structgen.automata.configurations import Configurations
from structgen.automata.network import build_network
from structgen.compiler import compile_grammar
from structgen.grammars.json_schema import compile_schema
from structgen.kernels.layout import START
from structgen.likely import likely_ways

VOCABULARY = sg.Vocabulary.from_bytes([b"", *(bytes((byte,)) for byte in range(256))], eos=[0])
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 5}, "nil": {"enum": [None, 1]}, "n": {"type": "number"}},
    "required": ["name", "nil"],
    "additionalProperties": False,
}


@pytest.mark.parametrize("style", [sg.JsonStyle(), sg.JsonStyle.any()], ids=["default", "any"])
@pytest.mark.parametrize("schema", [SCHEMA, True], ids=["person", "anything"])
def test_the_kernel_finds_what_plain_python_finds(schema: object, style: sg.JsonStyle) -> None:
    grammar = compile_schema(schema, style=style).grammar
    ours, plain = Configurations(build_network(grammar)), Configurations(build_network(grammar))
    chance = random.Random(3)
    for _ in range(25):
        text, state = b"", START
        for _ in range(chance.randrange(30)):
            live = plain.live_bytes(state)
            if not live:
                break
            text += bytes((chance.choice(live),))
            state = plain.advance(START, text)
        last = text[-1] if text else 0
        found = ours.likely(ours.advance(START, text), last)
        expected = likely_ways(plain, state, last)
        assert [way for _, way in found] == [way for _, way in expected]
        assert [bits for bits, _ in found] == pytest.approx([bits for bits, _ in expected])


def test_a_text_is_followed_as_far_as_it_is_plain() -> None:
    constraint = compile_grammar(compile_schema(SCHEMA, style=sg.JsonStyle.any()).grammar, VOCABULARY)
    [(bits, text)] = [way for way in constraint.likely(START) if way[1].startswith(b"{")]
    assert bits < 0.1
    assert text == b'{"n'  # then a choice: name, nil, or n and its end
    after = constraint.read(START, b'{"name": "a", "ni')
    assert constraint.likely(after, ord("i"))[-1][1] == b'l": '
    cheapest = min(constraint.likely(constraint.read(START, b'{"name":'), ord(":")))
    assert cheapest[1] == b' "'


def test_nothing_is_likely_behind_the_end() -> None:
    constraint = compile_grammar(compile_schema({"const": "a"}).grammar, VOCABULARY)
    assert constraint.likely(constraint.read(START, b'"a"'), ord('"')) == []
