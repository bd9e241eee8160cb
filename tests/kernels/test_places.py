"""A walk that carries single items comes to the configurations that stepping byte by byte comes to."""

from __future__ import annotations

import random

import numpy as np
import pytest

from structgen.automata.configurations import Configurations
from structgen.automata.network import build_network
from structgen.grammars.json_schema import JsonStyle, compile_schema
from structgen.kernels.handles import handle
from structgen.kernels.layout import CONDUCTS, DEAD, KIND, START, Words

SCHEMAS = {
    "keys": {"type": "object", "properties": {"name": {}, "names": {"enum": ["a", "ab"]}, "nil": {"type": "null"}}},
    "open": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
    "pattern": {"type": "string", "pattern": "^(abc|abd[0-9]{2,4}|x+y)$"},
    "date": {"type": "string", "format": "date"},
}


def _words(texts: list[bytes]) -> Words:
    ends = np.cumsum([len(text) for text in texts])
    spans = np.stack([ends - [len(text) for text in texts], ends], axis=1).astype(np.int64)
    return Words(np.frombuffer(b"".join(texts), np.uint8).copy(), spans)


@pytest.mark.parametrize("style", [JsonStyle(), JsonStyle.any()], ids=["default", "any"])
@pytest.mark.parametrize("name", SCHEMAS)
def test_reading_texts_at_once_is_reading_their_bytes(name: str, style: JsonStyle) -> None:
    grammar = compile_schema(SCHEMAS[name], style=style).grammar
    at_once, by_bytes = (Configurations(build_network(grammar)) for _ in range(2))
    assert (at_once.networks.arrays.nodes[:, KIND] & CONDUCTS).any()
    chance, texts = random.Random(7), []
    for _ in range(150):
        state, text = START, b""
        for _ in range(chance.randrange(1, 40)):
            live = by_bytes.live_bytes(state)
            if not live:
                break
            byte = chance.choice(live) if chance.random() < 0.98 else chance.randrange(256)
            text += bytes((byte,))
            state = by_bytes.advance(state, text[-1:])
            if state == DEAD:
                break
        texts.append(text)
    read = at_once.reader(handle(words := _words(texts)))
    assert len(words.spans) == len(texts)
    for token, text in enumerate(texts):
        after = read(START, token)
        assert after == at_once.advance(START, text)
        again = by_bytes.advance(START, text)
        assert (after == DEAD) == (again == DEAD)
        if after != DEAD:
            assert at_once.live_bytes(after) == by_bytes.live_bytes(again)
            assert at_once.is_accepting(after) == by_bytes.is_accepting(again)
    assert len(at_once) <= len(by_bytes) + len(texts)
