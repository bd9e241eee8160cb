"""Random small canvases whose every fill is enumerated: what masks and laws of canvases are judged by.

Languages are random regular expressions and grammars that nest, over two letters and a character of two bytes; tokens
are random texts over them, so that they end inside lexemes and characters, and some are equal.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import structgen as sg
from structgen.bits import row_of
from structgen.compiler import compile_grammar
from structgen.grammars.ir import EPSILON, ByteSet, Grammar, GrammarBuilder, Literal, Ref, alt, seq
from structgen.infilling.canvas import Canvas
from structgen.infilling.tables import effects_of
from structgen.kernels.layout import DEAD, START
from structgen.matcher import Constraint

LETTERS = (b"a", b"b", "é".encode())
MOST_FILLS = 20_000


class Case(NamedTuple):
    """A canvas, all its fills i64 (F, n), and how its language was made."""

    canvas: Canvas
    fills: NDArray[np.int64]
    name: str


def random_vocabulary(chance: random.Random, stops: int) -> sg.Vocabulary:
    """Up to 9 tokens of random bytes, `stops` stop tokens among them."""
    alphabet = b"".join(LETTERS)
    tokens = [bytes(chance.choices(alphabet, k=chance.randint(1, 3))) for _ in range(chance.randint(1, 4))]
    tokens += [bytes([byte]) for byte in alphabet] + [b""] * stops
    chance.shuffle(tokens)
    return sg.Vocabulary.from_bytes(tokens, eos=[i for i, token in enumerate(tokens) if not token])


def random_regex(chance: random.Random, depth: int = 3) -> str:
    """A pattern over the letters."""
    if depth == 0 or chance.random() < 0.2:
        return chance.choice(["a", "b", "é", "ab", "[ab]", "[aé]"])
    one, other = random_regex(chance, depth - 1), random_regex(chance, depth - 1)
    kind = chance.randrange(5)
    if kind == 0:
        return f"({one}|{other})"
    if kind == 1:
        low = chance.randint(0, 2)
        return f"({one}){{{low},{low + chance.randint(0, 2)}}}"
    if kind == 2:
        return f"({one})*{other}"
    return f"{one}{other}"


def random_nest(chance: random.Random) -> Grammar:
    """A grammar with rules that stand inside themselves by two ways, between letters that may be the same."""
    builder = GrammarBuilder()
    start, other = builder.declare("start"), builder.declare("other")
    letters = [Literal(letter) for letter in LETTERS]
    opening, closing, separator = chance.choices(letters, k=3)
    leaf = chance.choice([*letters, ByteSet.of(b"ab")])
    builder.define(start, alt(seq(opening, Ref(other.rule), closing), leaf))
    builder.define(other, alt(seq(Ref(start.rule), separator), chance.choice(letters)))
    return builder.build(start)


def random_recursion(chance: random.Random) -> Grammar:
    """A grammar of up to three rules that stand inside themselves and each other, between letters that may be the same,
    as what they begin or end with, maybe empty."""
    builder = GrammarBuilder()
    rules = [builder.declare(name) for name in ("start", "one", "other")[: chance.randint(1, 3)]]
    letters = [*map(Literal, LETTERS), ByteSet.of(b"ab")]
    for rule in rules:
        options = [chance.choice([*letters, *letters, EPSILON])]
        for _ in range(chance.randint(1, 2)):
            parts = [chance.choice([*letters, *rules]) for _ in range(chance.randint(1, 3))]
            options.append(seq(chance.choice([*letters, *letters, *letters, *rules]), *parts))
        builder.define(rule, alt(*options))
    return builder.build(rules[0])


def random_case(seed: int, kinds: tuple[int, int, int] = (5, 2, 3)) -> Case:
    """A canvas of up to five open slots. `kinds`: how often texts of a regex, texts that nest and are unrolled, and
    texts that nest without bound."""
    chance = random.Random(seed)
    vocabulary = random_vocabulary(chance, stops=chance.choice([1, 1, 2]))
    slots = chance.randint(1, 5)
    kind = chance.choices(("regex", "unrolled", "nested"), kinds)[0]
    while True:
        if kind == "regex":
            name = random_regex(chance)
            constraint = sg.compile(vocabulary=vocabulary, regex=name)
        elif kind == "unrolled":
            constraint, name = compile_grammar(random_nest(chance), vocabulary), "unrolled"
        else:
            constraint, name = _with_a_stack(chance, vocabulary), "nested"
        fills = all_fills(constraint, slots)
        if len(fills) <= MOST_FILLS:
            depth = 3 * slots if kind == "unrolled" else None  # a level takes two bytes, a token has at most six
            return Case(Canvas(constraint, slots, depth=depth), fills, name)
        slots = max(1, slots - 1)


def _with_a_stack(chance: random.Random, vocabulary: sg.Vocabulary) -> Constraint:
    """A random grammar that nests and can be read with a stack."""
    while True:
        try:
            constraint = compile_grammar(random_recursion(chance), vocabulary)
            if effects_of(constraint, 1, (), 2_000) is not None:
                return constraint
        except (sg.Unsatisfiable, sg.UnsupportedCombination, sg.LimitExceeded):
            continue


def all_fills(constraint: Constraint, slots: int) -> NDArray[np.int64]:
    """Every sequence of tokens that is valid, (F, slots): whole texts judged by `Constraint.accepts`, then stop tokens.
    Begun texts are only used to leave out what cannot become one."""
    vocabulary, found = constraint.vocabulary, list[tuple[int, ...]]()
    texts = [(t, vocabulary.token_bytes(t)) for t in range(vocabulary.size) if vocabulary.token_bytes(t)]

    def extend(tokens: tuple[int, ...], text: bytes, stopped: bool) -> None:
        if len(found) > MOST_FILLS:
            return
        if len(tokens) == slots:
            if constraint.accepts(text):
                found.append(tokens)
            return
        if stopped or constraint.accepts(text):
            for stop in vocabulary.stop_ids:
                extend((*tokens, stop), text, True)
        if not stopped:
            for token, more in texts:
                if constraint.read(START, text + more) != DEAD:
                    extend((*tokens, token), text + more, False)

    extend((), b"", False)
    return np.array(found, np.int64).reshape(len(found), slots)


def random_changes(case: Case, chance: random.Random, steps: int) -> Iterator[NDArray[np.int64]]:
    """Change the case's canvas step by step; after each the fills that are left. Mostly tokens that some fill has."""
    canvas, size = case.canvas, case.canvas.constraint.vocabulary.size
    fixed: dict[int, Sequence[int]] = {}
    chosen: dict[int, Sequence[int]] = {}
    for _ in range(steps):
        slot, kind = chance.randrange(canvas.slots), chance.randrange(6)
        left = _left(case.fills, fixed, chosen)
        if kind < 3:
            likely = len(left) and chance.random() < 0.8
            token = int(left[chance.randrange(len(left)), slot]) if likely else chance.randrange(size)
            canvas.fix(slot, token)
            fixed[slot] = [token]
        elif kind == 3:
            chosen[slot] = chance.sample(range(size), chance.randint(1, size))
            canvas.allow(slot, chosen[slot])
        elif kind == 4:
            canvas.unfix(slot)
            fixed.pop(slot, None)
        else:
            canvas.allow(slot, None)
            chosen.pop(slot, None)
        yield _left(case.fills, fixed, chosen)


def _left(
    fills: NDArray[np.int64], fixed: dict[int, Sequence[int]], chosen: dict[int, Sequence[int]]
) -> NDArray[np.int64]:
    for slot, tokens in {**chosen, **fixed}.items():
        fills = fills[np.isin(fills[:, slot], tokens)]
    return fills


def masks_of(fills: NDArray[np.int64], size: int) -> NDArray[np.uint32]:
    """The masks that these fills make."""
    return np.stack([row_of(np.unique(column), size) for column in fills.T])


def wrong_bits(seed: int, steps: int) -> tuple[int, int]:
    """Bits of masks that are wrong in a case and after most of so many changes; how many canvases were looked at."""
    case, chance = random_case(seed), random.Random(seed + 1)
    size, wrong, looks = case.canvas.constraint.vocabulary.size, 0, 0
    for fills in itertools.chain([case.fills], random_changes(case, chance, steps)):
        if chance.random() < 0.3:
            continue  # the next look is behind several changes
        differ = masks_of(fills, size) ^ case.canvas.masks()
        wrong += int(np.bitwise_count(differ).sum()) + (case.canvas.feasible() != bool(len(fills)))
        looks += 1
    return wrong, looks
