"""A compilation ends when its time is over, wherever it is then."""

from __future__ import annotations

import time

import pytest

from structgen.errors import LimitExceeded
from structgen.grammars.json_schema import compile_schema
from structgen.grammars.time_limit import at_most, check_time
from structgen.options import Limits

MULTIPLES = {"anyOf": [{"multipleOf": 7 * n + 0.125, "minimum": -n / 8} for n in range(1, 9)]}
PATTERNS = {"allOf": [{"pattern": f"(a|b){{0,{n}}}c.*(d|e){{{n}}}"} for n in range(5, 11)]}
SHAPES = {"allOf": [{"anyOf": [{"required": [f"k{n}"]}, {"minProperties": n}]} for n in range(1, 14)]}


@pytest.mark.parametrize("schema", [MULTIPLES, PATTERNS, SHAPES])
def test_no_part_of_a_compilation_goes_on(schema: object) -> None:
    started = time.thread_time()
    with pytest.raises(LimitExceeded, match="takes too long") as caught:
        compile_schema(schema, limits=Limits(seconds=0.002))
    assert time.thread_time() - started < 0.5
    assert caught.value.limit == "seconds"
    assert caught.value.allowed == 0.002


def test_the_sooner_end_holds_and_the_outer_one_again_behind_it() -> None:
    check_time()  # nothing is under way
    with at_most(60):
        with at_most(0), pytest.raises(LimitExceeded):
            check_time()
        check_time()
    with at_most(0), at_most(60), pytest.raises(LimitExceeded) as caught:
        check_time()
    assert caught.value.allowed == 0
    check_time()


def test_waiting_is_no_work() -> None:
    with at_most(0.02):
        time.sleep(0.05)
        check_time()
