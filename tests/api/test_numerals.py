"""Patterns of numbers in a range, beside arithmetic."""

from __future__ import annotations

import ipaddress
import re
from decimal import Decimal
from operator import ge, gt, le, lt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from structgen.python_types import addresses
from structgen.python_types.numerals import decimals, integers

WHOLE = st.integers(0, 99999) | st.sampled_from([0, 1, 9, 10, 99, 100, 999, 1000])
TEXTS = st.builds(
    lambda sign, whole, fraction: f"{sign}{whole}{fraction}",
    st.sampled_from(["", "-"]),
    WHOLE,
    st.sampled_from(["", ".0", ".5", ".50", ".05", ".999", ".10", ".1"]) | st.integers(0, 999).map(".{:03}".format),
)


@settings(max_examples=300)
@given(WHOLE, WHOLE, st.lists(WHOLE, max_size=8))
def test_integers_are_those_of_the_range(one: int, other: int, values: list[int]) -> None:
    low, high = sorted((one, other))
    pattern = re.compile(integers(low, high))
    for value in {*values, low, high, max(low - 1, 0), high + 1}:
        assert bool(pattern.fullmatch(str(value))) == (low <= value <= high), value
    assert not pattern.fullmatch(f"0{high}")


@settings(max_examples=400)
@given(TEXTS, st.sampled_from([ge, gt, le, lt]), st.lists(TEXTS, min_size=4, max_size=12))
def test_decimals_are_those_on_their_side_of_the_bound(bound: str, compare: object, texts: list[str]) -> None:
    side = decimals(Decimal(bound), above=compare in (ge, gt), strict=compare in (gt, lt))
    near = [bound, f"{bound}0" if "." in bound else f"{bound}.0", f"{bound}1" if "." in bound else f"{bound}.1"]
    for text in [*texts, *near, *(each.lstrip("-") for each in near)]:
        expected = {ge: ge, gt: gt, le: le, lt: lt}[compare](Decimal(text), Decimal(bound))  # type: ignore[index]
        assert bool(re.fullmatch(side, text)) == expected, text


GROUPS = st.lists(st.sampled_from([0, 0, 0, 1, 0x8000, 0xFE80, 0x1234]), min_size=8, max_size=8)


@settings(max_examples=400)
@given(GROUPS, st.integers(0, 128))
def test_ipv6_networks_are_those_whose_last_bits_are_zero(groups: list[int], length: int) -> None:
    number = int("".join(f"{group:04x}" for group in groups), 16)
    address = ipaddress.IPv6Address(number)
    assert re.fullmatch(addresses.IPV6, str(address))
    assert re.fullmatch(addresses.IPV6, address.exploded)
    network = ipaddress.IPv6Network((number, length), strict=False)
    assert re.fullmatch(addresses.IPV6_NETWORK, str(network))
    if re.fullmatch(addresses.IPV6_NETWORK, f"{address}/{length}"):
        assert network.network_address == address


@pytest.mark.parametrize("text", ["", ":", ":::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "12345::", "g::"])
def test_what_is_no_ipv6_address_is_not_one(text: str) -> None:
    assert not re.fullmatch(addresses.IPV6, text)
