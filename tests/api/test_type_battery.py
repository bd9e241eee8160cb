"""The type battery: what the mask allows the type reads, what the type writes the mask allows, or it is refused."""

from __future__ import annotations

import warnings

import pydantic
import pytest

from benchmarks.python_types import CASES, PAGE, Case, judge, page

ALL = [case for cases in CASES.values() for case in cases]


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_mask_and_type_agree(case: Case) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydantic warns of values that are dumped otherwise than annotated
        verdict = judge(case, texts=20)
    assert not verdict.unread
    assert not verdict.missed
    assert verdict.refused or verdict.read or verdict.rejected


def test_names_of_cases_are_different() -> None:
    assert len({case.name for case in ALL}) == len(ALL)


def test_the_table_of_types_is_current() -> None:
    """Where pydantic is the version that the page names: others refuse other types."""
    text = PAGE.read_text()
    if f"With pydantic {pydantic.VERSION.rpartition('.')[0]}:" not in text:
        pytest.skip("the table is of another version of pydantic")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        verdicts = {case.name: judge(case, texts=60) for case in ALL}
    assert text == page(text, verdicts), "run python -m benchmarks python_types"
