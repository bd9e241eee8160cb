"""multipleOf by the minimal automaton, against division."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from structgen.errors import LimitExceeded
from structgen.grammars.json_schema import compile_schema
from structgen.grammars.json_schema.number_plain import classes, remainders
from structgen.grammars.json_schema.style import JsonStyle
from structgen.kinds import automaton_of
from structgen.options import Limits

DIVISORS = [1, 7, 10, 12, 64, 60, 100, 1000, 1024, 3600, 999, 20_000, 65_536, 86_400, 1_000_000, 10**12]
CANONICAL = JsonStyle(numbers="canonical")


def texts(divisor: Fraction, rng: random.Random) -> list[str]:
    """Numbers near multiples, as they may be written."""
    found = []
    for _ in range(120):
        value = rng.choice([0, 1, rng.randrange(10**4), rng.randrange(10**9)]) * divisor
        value += rng.choice([0, 0, 1, -1, 10, Fraction(1, 10), divisor / 2, divisor / 10])
        sign = rng.choice(["", "", "-"]) if value else ""
        digits = str(int(abs(value) * 10**8)).rjust(9, "0")
        whole, decimals = digits[:-8], digits[-8:].rstrip("0")
        found.append(sign + whole + (f".{decimals}" if decimals else rng.choice(["", "", ".0"])))
        found.append(f"{sign}{digits[0]}.{digits[1:8] or 0}e{rng.choice(['+', '-', ''])}{rng.randrange(40)}")
    return found


@pytest.mark.parametrize("divisor", [*DIVISORS, "0.01", "0.0625", "19.99", "2.5"])
def test_multiples_are_those_that_division_finds(divisor: int | str) -> None:
    exact, rng = Fraction(divisor), random.Random(str(divisor))
    schema = f'{{"type": "number", "multipleOf": {divisor}}}'
    other = f'{{"type": "number", "not": {{"multipleOf": {divisor}}}}}'
    bounded = f'{{"type": "number", "multipleOf": {divisor}, "minimum": -70000, "exclusiveMaximum": 1000000}}'
    machines = [
        automaton_of(compile_schema(each, style=JsonStyle(numbers="any")).grammar) for each in (schema, other, bounded)
    ]
    canonical = automaton_of(compile_schema(schema.replace("number", "integer"), style=CANONICAL).grammar)
    seen = [0, 0]
    for text in texts(exact, rng):
        value = Fraction(text)
        good = value % exact == 0
        verdicts = [good, not good, good and -70_000 <= value < 1_000_000]
        if "e" not in text:
            seen[good] += 1
            assert [m.is_accepting(m.advance(2, text.encode())) for m in machines] == verdicts, text
        else:
            for machine, verdict in zip(machines, verdicts, strict=True):
                assert verdict or not machine.is_accepting(machine.advance(2, text.encode())), text
        if "." not in text and "e" not in text and text != "-0":
            assert canonical.is_accepting(canonical.advance(2, text.encode())) == good, text
    assert seen[True] > 10 and (seen[False] > 10 or divisor == 1)


@pytest.mark.parametrize("modulus", [*range(1, 70), 96, 100, 128, 250, 1000])
def test_remainders_are_alike_if_and_only_if_no_digits_tell_them_apart(modulus: int) -> None:
    alike = remainders(modulus)
    signature = {
        r: tuple(frozenset(w for w in range(min(10**j, modulus)) if (r * 10**j + w) % modulus == 0) for j in range(12))
        for r in range(modulus)
    }
    for one in range(modulus):
        for two in range(modulus):
            assert (alike(one) == alike(two)) == (signature[one] == signature[two]), (one, two)
    assert len({alike(r) for r in range(modulus)}) <= classes(modulus) <= modulus


def test_powers_of_ten_need_no_states() -> None:
    tiny = Limits(number_states=60)
    for power in (10**6, 10**12, 10**18):
        machine = automaton_of(compile_schema({"type": "integer", "multipleOf": power}, limits=tiny).grammar)
        assert machine.is_accepting(machine.advance(2, str(12 * power).encode()))
        assert not machine.is_accepting(machine.advance(2, str(12 * power + power // 10).encode()))


def test_what_is_still_too_large_names_its_limit() -> None:
    schema = {"type": "integer", "multipleOf": 999_983}
    with pytest.raises(LimitExceeded) as caught:
        compile_schema(schema)
    assert caught.value.limit == "number_states"
