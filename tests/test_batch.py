"""fill_masks: every row is its matcher's mask, whoever computes it and whatever else happens meanwhile."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

import structgen as sg
from structgen.bits import ids_of, words_for
from structgen.compiler import compile_grammar
from structgen.errors import LimitExceeded, OptionError

TOKENS = [b"", *(bytes([b]) for b in range(256)), b'{"', b'":', b'",', b"[[", b"]]", b"12", b"abc", b"null", b'"}']
VOCABULARY = sg.Vocabulary.from_bytes(TOKENS, eos=[0])
WORDS = words_for(len(TOKENS))
SCHEMAS = [
    {"type": "object", "properties": {f"key{n}": {"type": "string", "maxLength": 5 + n}, "list": {"$ref": "#/$defs/t"}},
     "$defs": {"t": {"type": "array", "items": {"$ref": "#/$defs/t"}}}}
    for n in range(6)
]  # fmt: skip


def fresh(number: int) -> sg.Constraint:
    """A constraint in which nothing was explored yet."""
    return compile_grammar(sg.compile(schema=SCHEMAS[number], vocabulary=VOCABULARY).grammar, VOCABULARY)


def step(matcher: sg.Matcher, rng: random.Random) -> None:
    """Some allowed token, long ones more often; from the start again at the end."""
    allowed = ids_of(matcher.mask())
    if not len(allowed):
        matcher.rollback(len(matcher))
    else:
        assert matcher.accept(int(rng.choice([t for t in allowed.tolist() if t > 256] or allowed.tolist())))


def test_rows_are_the_matchers_masks() -> None:
    rng, constraints = random.Random(1), [fresh(n) for n in range(6)]
    matchers = [None if n % 7 == 6 else constraints[n % 6].matcher() for n in range(20)]
    out = np.zeros((20, WORDS + 2), np.uint32)
    for _ in range(60):
        out[:] = 0xABCDABCD
        sg.fill_masks(matchers, out)
        for matcher, row in zip(matchers, out, strict=True):
            if matcher is None:
                assert (row == 0xFFFFFFFF).all()
            else:
                assert np.array_equal(row[:WORDS], matcher.mask()) and not row[WORDS:].any()
                step(matcher, rng)


@pytest.mark.parametrize("make", [lambda s: np.zeros(s, np.int32), lambda s: torch.zeros(s, dtype=torch.int32)])
def test_signed_words_of_numpy_and_torch(make: object) -> None:
    matcher = fresh(0).matcher()
    out = make((3, WORDS))
    sg.fill_masks([matcher, None, matcher], out)
    assert np.array_equal(np.asarray(out[0]).view(np.uint32), matcher.mask()) and (np.asarray(out[1]) == -1).all()
    with pytest.raises(OptionError, match="2 matchers for 3 rows"):
        sg.fill_masks([matcher, None], out)


def test_an_error_reaches_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    matchers = [fresh(n).matcher() for n in range(3)]

    def fail(_: int) -> None:
        raise LimitExceeded("full", limit="memo_bytes", allowed=1)

    for unlucky in range(3):
        with monkeypatch.context() as patch, pytest.raises(LimitExceeded):
            patch.setattr(matchers[unlucky].constraint.masks, "row", fail)
            sg.fill_masks(matchers, np.zeros((3, WORDS), np.uint32))


def test_many_batches_at_once_on_shared_constraints() -> None:
    """Eight threads, each with a batch over the same three new constraints, see what one thread sees alone."""

    def walk(constraints: list[sg.Constraint], seed: int) -> list[bytes]:
        rng, seen, out = random.Random(seed), [], np.zeros((9, WORDS), np.uint32)
        matchers = [constraints[n % 3].matcher() for n in range(9)]
        for _ in range(40):
            sg.fill_masks(matchers, out)
            seen.append(out.tobytes())
            for matcher in matchers:
                step(matcher, rng)
        return seen

    expected = [walk([fresh(n) for n in range(3)], seed) for seed in range(16)]
    shared = [fresh(n) for n in range(3)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda seed: walk(shared, seed), range(16))) == expected
