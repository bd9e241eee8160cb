"""Denoisers that know nothing, or are against the constraint; a schema, its vocabulary and its judge."""

from __future__ import annotations

import json
from collections.abc import Callable

import jsonschema
import numpy as np
from numpy.typing import NDArray

import structgen as sg

PAD, STOP, MASK = 0, 1, 2
TOKENS = [b"", b"", b"", *(bytes([byte]) for byte in range(32, 127)), b'{"', b'":', b'", "', b"true", b'": "', b'"}']
VOCABULARY = sg.Vocabulary.from_bytes(list(TOKENS), eos=STOP, special=[PAD, MASK])
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}, "ok": {"type": "boolean"}},
    "required": ["name", "ok"],
    "additionalProperties": False,
}
STYLE = sg.JsonStyle("json_dumps", max_digits=9)
Logits = NDArray[np.float64]


def constraint() -> sg.Constraint:
    return sg.compile(vocabulary=VOCABULARY, schema=SCHEMA, style=STYLE)


def is_valid(tokens: list[int]) -> bool:
    """Whether the text up to the first stop token is an instance of the schema, and stop tokens or padding follow."""
    end = tokens.index(STOP) if STOP in tokens else len(tokens)
    if not set(tokens[end:]) <= {STOP, PAD}:
        return False
    try:
        jsonschema.validate(json.loads(b"".join(TOKENS[t] for t in tokens[:end])), SCHEMA)
    except (ValueError, jsonschema.ValidationError):
        return False
    return True


def _biased(*favoured: int) -> Callable[[NDArray[np.int64]], Logits]:
    def model(ids: NDArray[np.int64]) -> Logits:
        logits = np.zeros((*ids.shape, len(TOKENS)))
        logits[..., list(favoured)] = 25.0
        return logits

    return model


def _random(scale: float) -> Callable[[NDArray[np.int64]], Logits]:
    def model(ids: NDArray[np.int64]) -> Logits:
        return scale * np.random.default_rng(int(ids.sum())).normal(size=(*ids.shape, len(TOKENS)))

    return model


def _denying(ids: NDArray[np.int64]) -> Logits:
    """Nothing but brackets is possible, in some slots nothing at all."""
    logits = np.full((*ids.shape, len(TOKENS)), -np.inf)
    logits[:, ::2, TOKENS.index(b"]")] = 0.0
    return logits


DENOISERS = {
    "uniform": _biased(),
    "random": _random(1.0),
    "sharp": _random(60.0),
    "brackets": _biased(TOKENS.index(b"["), TOKENS.index(b"]")),
    "stops": _biased(STOP),
    "openings": _biased(TOKENS.index(b'{"')),
    "denying": _denying,
}
