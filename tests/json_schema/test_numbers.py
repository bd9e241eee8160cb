"""Sets of numbers and their spellings, against exact arithmetic on every short text."""

from __future__ import annotations

import itertools
import json
import random
from fractions import Fraction

import pytest

from structgen.grammars.ir import GrammarBuilder
from structgen.grammars.json_schema.number import ALL_NUMBERS, Cell, NumberSet, complement, meet, union
from structgen.grammars.json_schema.number_text import number_text
from tests.json_schema.recogniser import accepts

BOUNDS = [None, -10, Fraction(-5, 2), -1, 0, Fraction(1, 4), 1, 9, 12]
STEPS = [None, None, 1, 2, 3, Fraction(1, 2), Fraction(3, 10)]
PLAIN = [
    sign + whole + fraction
    for sign in ("", "-")
    for whole in ("0", "1", "2", "3", "5", "6", "9", "10", "12", "13", "20", "99", "100")
    for fraction in ("", ".0", ".1", ".25", ".3", ".5", ".50", ".75", ".9", ".251")
]


def contains(cells: NumberSet, value: Fraction) -> bool:
    def inside(cell: Cell) -> bool:
        above = cell.low is None or value > cell.low or (value == cell.low and not cell.low_open)
        below = cell.high is None or value < cell.high or (value == cell.high and not cell.high_open)
        fits = cell.multiple is None or value % cell.multiple == 0
        return above and below and fits and all(value % divisor for divisor in cell.never)

    return any(map(inside, cells))


def random_cell(rng: random.Random) -> Cell:
    low, high = rng.choice(BOUNDS), rng.choice(BOUNDS)
    never = frozenset([rng.choice([1, 2, Fraction(1, 2)])]) if rng.random() < 0.2 else frozenset()
    return Cell(low, high, rng.random() < 0.5, rng.random() < 0.5, rng.choice(STEPS), never)


@pytest.mark.parametrize("seed", range(20))
def test_algebra_and_spelling(seed: int) -> None:
    rng = random.Random(seed)
    a, b = ((random_cell(rng), random_cell(rng)) for _ in range(2))
    both, either, other = meet(a, b), union(a, b), complement(a)
    values = {text: Fraction(text) for text in PLAIN}
    for value in values.values():
        assert contains(both, value) == (contains(a, value) and contains(b, value))
        assert contains(either, value) == (contains(a, value) or contains(b, value))
        assert contains(other, value) != contains(a, value)
    for cells in (both, other):
        full, canonical = (grammar_of(cells, flag) for flag in (False, True))
        for text, value in values.items():
            assert accepts(full, text) == contains(cells, value), (text, cells)
            if accepts(canonical, text):
                assert contains(cells, value)
                assert text not in ("-0", "-0.0")


def test_a_point_and_its_multiples_have_nothing_in_between() -> None:
    point = (Cell(0, 0, multiple=1),)
    assert not contains(complement(point), Fraction(0))
    assert not accepts(grammar_of(complement(point), False), "0")
    assert accepts(grammar_of(complement(point), False), "1")


def grammar_of(cells: NumberSet, canonical: bool):  # type: ignore[no-untyped-def]
    builder = GrammarBuilder()
    return builder.build(builder.rule("number", number_text(cells, canonical=canonical, max_states=20_000)))


SCIENCE = [
    f"{sign}{mantissa}{exponent}"
    for sign, mantissa in itertools.product(("", "-"), ("1", "1.5", "2", "9.99", "1.25", "7"))
    for exponent in ("e0", "E1", "e+2", "e-1", "e-05", "e-7", "e+16", "e17", "e+22", "e300")
]


@pytest.mark.parametrize(
    "cell",
    [
        Cell(low=0),
        Cell(low=Fraction(3, 2), high=150),
        Cell(low=-200, high=Fraction(-1, 10), low_open=True),
        Cell(high=10**17, high_open=True),
        Cell(multiple=1),
        Cell(multiple=5),
        Cell(multiple=7, low=3),
        Cell(multiple=Fraction(1, 100), low=0, high=10**17),
        Cell(never=frozenset([1])),
    ],
)
def test_scientific_spellings_are_sound_and_cover_repr(cell: Cell) -> None:
    full, canonical = (grammar_of((cell,), flag) for flag in (False, True))
    for text in SCIENCE:
        if accepts(full, text):
            assert contains((cell,), Fraction(text)), text
        if accepts(canonical, text):
            assert contains((cell,), Fraction(text)), text
    for text in SCIENCE:
        written = json.dumps(float(text))
        value = Fraction(written)
        if value.denominator == 1 or not cell.never:
            assert accepts(full, written) == contains((cell,), value), written


def test_restricted_ranges_take_normalised_exponents() -> None:
    grammar = grammar_of((Cell(low=Fraction(3, 2), high=150),), False)
    for text, expected in {
        "1.5e0": True,
        "1.49e0": False,
        "1.5e2": True,
        "1.51e2": False,
        "1e2": True,
        "9e-1": False,
    }.items():
        assert accepts(grammar, text) == expected, text


def test_everything_is_every_json_number() -> None:
    grammar = grammar_of(ALL_NUMBERS, False)
    for text in ("0", "-0", "10", "0.0", "1e5", "1E+05", "-12.50e-3"):
        assert accepts(grammar, text)
    for text in ("", "-", "01", "1.", ".5", "1e", "+1", "0x1", "1e+"):
        assert not accepts(grammar, text)


def test_one_number_is_spelled_in_every_way() -> None:
    for written in ("0", "7", "-12.5", "0.001", "1e-7", "123000000000000000000", "-1.5e300"):
        value = Fraction(written)
        full, canonical = (grammar_of((Cell(value, value),), flag) for flag in (False, True))
        for text in {written, json.dumps(float(written)), *PLAIN, *SCIENCE}:
            same = Fraction(text) == value
            assert accepts(full, text) == (same and not (value == 0 and "e" in text.lower())), (written, text)
        assert accepts(canonical, json.dumps(float(written)))


@pytest.mark.parametrize("mark", ["", "digits", "pointed"])
def test_listed_numbers_are_spelled_as_each_is(mark: str) -> None:
    rng = random.Random(f"listed {mark}")
    written = {text for text in (*PLAIN, *SCIENCE) if mark != "digits" or Fraction(text).denominator == 1}
    values = set(rng.sample(sorted({Fraction(text) for text in written}), 40))
    cells = tuple(Cell(v, v, digits=mark == "digits", pointed=mark == "pointed") for v in values)
    full, canonical = (grammar_of(cells, flag) for flag in (False, True))
    for text in {*PLAIN, *SCIENCE, *(json.dumps(float(text)) for text in SCIENCE)}:
        only_digits, is_science = text.lstrip("-").isdigit(), "e" in text.lower()
        fits = Fraction(text) in values and not (Fraction(text) == 0 and is_science)
        fits = fits and (only_digits if mark == "digits" else not only_digits if mark == "pointed" else True)
        assert accepts(full, text) == fits, text
        if text == json.dumps(float(text)) and text != "-0.0":
            assert accepts(canonical, text) == fits, text
        assert fits or not accepts(canonical, text), text
