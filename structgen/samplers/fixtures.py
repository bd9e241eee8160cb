"""Four problems small enough to know everything about, over real constraints: for tests, benchmarks and teaching.

T1 trap       the likely first token leads where almost nothing is allowed: masking puts 90 % on 0.09 % of pi
T2 dyck       balanced brackets under a model that knows nothing of brackets
T3 tokenised  a regular language whose texts have many token sequences
T4 control    every step has the same mass, so masking is exact: a test that fails here tests nothing
"""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np

from structgen.compiler import compile_grammar
from structgen.grammars.ir import GrammarBuilder
from structgen.grammars.regular.charset import utf8
from structgen.grammars.regular.language import Language
from structgen.grammars.regular.lower import lower
from structgen.matcher import Constraint
from structgen.protocols import Floats, Tokens
from structgen.samplers.models import TableModel
from structgen.samplers.problem import Problem
from structgen.vocabulary import Vocabulary

__all__ = ["FIXTURES", "control", "dyck", "finite_language", "tokenised", "trap", "vocabulary_of"]


def vocabulary_of(*tokens: str) -> Vocabulary:
    """These tokens and then bottom."""
    return Vocabulary.from_bytes([token.encode() for token in tokens] + [b""], eos=[len(tokens)])


def finite_language(vocabulary: Vocabulary, texts: list[str]) -> Constraint:
    """Exactly these texts, through the compiler every constraint takes."""
    builder = GrammarBuilder()
    return compile_grammar(
        builder.build(builder.rule("text", lower(Language.strings(sorted(texts)), utf8))), vocabulary
    )


@cache
def trap() -> Problem:
    """T1: L = {00000} + 1{0,1}^4, |L| = 17, Z = 0.10009."""
    vocabulary = vocabulary_of("0", "1")

    def law(u: Tokens) -> Floats:
        rows = [(0.9, 0.1, 0), (0.1, 0.9, 0), (0.5, 0.5, 0), (0, 0, 1)]
        place = 3 if len(u) >= 5 else 0 if not u else 1 + u[0]
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(np.array(rows[place])))

    texts = ["00000", *("1" + "".join(bits) for bits in itertools.product("01", repeat=4))]
    return Problem(TableModel(vocabulary, law, "trap"), finite_language(vocabulary, texts), 6)


@cache
def dyck() -> Problem:
    """T2: non-empty concatenations of balanced ( ), [ ] words and x, at most 6 tokens; sine model; |L| = 284."""
    vocabulary = vocabulary_of("(", ")", "[", "]", "x")
    texts = [text for size in range(1, 7) for text in _balanced(size)]
    return Problem(TableModel.sine(vocabulary, 2.0), finite_language(vocabulary, texts), 7)


@cache
def tokenised() -> Problem:
    """T3: bytes match (ab|ba)*a, at most 6 of them, in every tokenisation over a b ab ba aa; |L| = 37."""
    vocabulary = vocabulary_of("a", "b", "ab", "ba", "aa")
    texts = ["".join(pairs) + "a" for k in range(3) for pairs in itertools.product(("ab", "ba"), repeat=k)]
    return Problem(TableModel.sine(vocabulary, 2.0), finite_language(vocabulary, texts), 7)


@cache
def control() -> Problem:
    """T4: rows (.4, .35, .25), length 4, L = {a, c}^4: W = 0.65^4 for every output."""
    vocabulary = vocabulary_of("a", "b", "c")

    def law(u: Tokens) -> Floats:
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(np.array([0.4, 0.35, 0.25, 0] if len(u) < 4 else [0, 0, 0, 1])))

    texts = ["".join(letters) for letters in itertools.product("ac", repeat=4)]
    return Problem(TableModel(vocabulary, law, "control"), finite_language(vocabulary, texts), 5)


def _balanced(size: int) -> list[str]:
    """Balanced words of `size` characters: x, or a bracketed balanced word, and then a balanced rest."""
    if size == 0:
        return [""]
    words = ["x" + rest for rest in _balanced(size - 1)]
    for inside in range(size - 1):
        for left, right in ("()", "[]"):
            rests = _balanced(size - 2 - inside)
            words += [left + inner + right + rest for inner in _balanced(inside) for rest in rests]
    return words


FIXTURES = {"T1 trap": trap, "T2 dyck": dyck, "T3 tokenised": tokenised, "T4 control": control}
