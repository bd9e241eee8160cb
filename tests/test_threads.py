"""Many threads on one constraint: growth, masks and transitions of a shared memo stay whole."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

from structgen.api.compile import compile
from structgen.bits import ids_of
from structgen.compiler import compile_grammar
from structgen.matcher import Constraint
from structgen.vocabulary import Vocabulary

SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 200},
        "tree": {"$ref": "#/$defs/tree"},
        "tags": {"type": "array", "items": {"type": "integer"}, "maxItems": 50},
    },
    "$defs": {"tree": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
}
WORDS = ["{", '"', "name", "tree", "tags", '":', "[", "]", "[[", "]]", ",", '",', "}", "1", "23", "abc", "x", "é", " "]
TOKENS = [b"", *(bytes([b]) for b in range(256)), *(word.encode() for word in WORDS)]
VOCABULARY = Vocabulary.from_bytes(TOKENS, eos=[0])


def walk(constraint: Constraint, seed: int) -> list[bytes]:
    """The masks along a random path that prefers long tokens; which tokens it takes depends on the masks alone."""
    rng, matcher, seen = random.Random(seed), constraint.matcher(), []
    for _ in range(120):
        mask = matcher.mask()
        seen.append(mask.tobytes())
        allowed = ids_of(mask)
        if not len(allowed):
            break
        token = int(rng.choice([t for t in allowed.tolist() if t > 256] or allowed.tolist()))
        assert matcher.accept(token)
    return seen


def test_threads_see_what_one_thread_sees() -> None:
    expected = [walk(compile(schema=SCHEMA, vocabulary=VOCABULARY), seed) for seed in range(40)]
    shared = compile_grammar(compile(schema=SCHEMA, vocabulary=VOCABULARY).grammar, VOCABULARY)  # nothing explored yet
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda seed: walk(shared, seed), range(40)))
    assert found == expected
