"""Sets of code points against Python sets, and their spellings against `str.encode` and `json`."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from structgen.grammars.ir import NOTHING, Expr
from structgen.grammars.regular.alphabet import alphabet_of
from structgen.grammars.regular.charset import ANY, LAST, NONE, CharSet, utf8
from structgen.grammars.regular.json_spelling import json_spell

Accepts = Callable[[Expr, bytes], bool]

CHOSEN = '\0\x1f "/A\\\x7f\x80\u07ff\u0800\u0fff\u1000\ud7ff\ue000\uffff\U00010000\U0010ffff'
EDGES = [ord(character) for character in CHOSEN]
NEAR = sorted({p for edge in EDGES for p in (edge - 1, edge, edge + 1) if 0 <= p <= LAST and not 0xD800 <= p <= 0xDFFF})
POINTS = st.one_of(st.sampled_from(NEAR), st.integers(0, 0x2FF), st.integers(0, LAST))
SETS = st.lists(st.tuples(POINTS, POINTS).map(lambda pair: (min(pair), max(pair))), max_size=5).map(CharSet.spans)


def is_normal(charset: CharSet) -> bool:
    flat = [point for span in charset.ranges for point in span]
    gaps = all(high + 1 < low for (_, high), (low, _) in zip(charset.ranges, charset.ranges[1:], strict=False))
    return flat == sorted(flat) and gaps and not any(low <= 0xDFFF and high >= 0xD800 for low, high in charset.ranges)


@settings(deadline=None)
@given(SETS, SETS, POINTS)
def test_operations_are_pointwise(one: CharSet, two: CharSet, point: int) -> None:
    scalar = not 0xD800 <= point <= 0xDFFF
    assert (point in one | two) == (point in one or point in two)
    assert (point in one & two) == (point in one and point in two)
    assert (point in ~one) == (scalar and point not in one)
    assert (point in one - two) == (point in one and point not in two)
    assert one.isdisjoint(two) == (not one & two)
    for made in (one | two, one & two, ~one, one - two):
        assert is_normal(made)
    assert ~~one == one and one | ~one == ANY and one & ~one == NONE
    assert len(one) + len(~one) == len(ANY) == 0x110000 - 0x800


@settings(deadline=None)
@given(st.lists(SETS, max_size=4), POINTS)
def test_alphabet_separates_what_the_sets_separate(sets: list[CharSet], point: int) -> None:
    alphabet = alphabet_of(sets)
    symbol = alphabet.classify(chr(point))
    assert bool(symbol) == (point in ANY)
    for charset in sets:
        assert alphabet.charset(alphabet.masks[charset]) == charset
        assert bool(alphabet.masks[charset] & symbol) == (point in charset)


@settings(deadline=None)
@given(SETS)
def test_utf8_of_a_set(accepts: Accepts, charset: CharSet) -> None:
    written = utf8(charset)
    assert (written == NOTHING) == (not charset)
    for point in NEAR:
        assert accepts(written, chr(point).encode()) == (point in charset)


def test_utf8_rejects_what_is_not_canonical(accepts: Accepts) -> None:
    everything = utf8(ANY)
    for data in (b"", b"\x80", b"\xc0\x80", b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xed\xa0\x80", b"\xed\xbf\xbf",
                 b"\xf0\x8f\xbf\xbf",
                 b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xff", b"ab", b"\xc3", b"\xe2\x82"):  # fmt: skip
        assert not accepts(everything, data), data


def test_utf8_of_every_two_byte_prefix(accepts: Accepts) -> None:
    everything = utf8(ANY)
    for lead in range(0x80, 0x100):
        for second in range(0x70, 0xD0):
            for data in (bytes((lead, second)), bytes((lead, second, 0x80)), bytes((lead, second, 0x80, 0xBF))):
                try:
                    is_character = len(data.decode()) == 1
                except UnicodeDecodeError:
                    is_character = False
                assert accepts(everything, data) == is_character


def spellings(point: int) -> list[bytes]:
    """Every way JSON can write one character between quotes."""
    character = chr(point)
    found = [json.dumps(character)[1:-1].encode(), json.dumps(character, ensure_ascii=False)[1:-1].encode()]
    if point <= 0xFFFF:
        found += [f"\\u{point:04x}".encode(), f"\\u{point:04X}".encode()]
    else:
        high, low = divmod(point - 0x10000, 0x400)
        found += [f"\\u{0xD800 + high:04X}\\u{0xDC00 + low:04x}".encode()]
    return [*found, b"\\/"] if character == "/" else found


@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize("escapes", ["canonical", "any"])
def test_json_spellings(accepts: Accepts, escapes: str, ascii_only: bool) -> None:
    spell = json_spell(escapes, ascii_only)
    assert spell is json_spell(escapes, ascii_only)
    for point in NEAR:
        mine, others = spell(CharSet.span(point, point)), spell(~CharSet.span(point, point))
        canonical = json.dumps(chr(point), ensure_ascii=ascii_only)[1:-1].encode()
        if point != 0x7F:
            assert accepts(mine, canonical), point
        for data in spellings(point):
            raw = any(byte >= 0x80 for byte in data)
            if escapes == "any":
                assert accepts(mine, data) == (not (ascii_only and raw)), (point, data)
            assert not accepts(others, data), (point, data)


@settings(deadline=None)
@given(SETS, st.sampled_from(["canonical", "any"]), st.booleans(), POINTS)
def test_json_spelling_is_read_back(
    accepts: Accepts, charset: CharSet, escapes: str, ascii_only: bool, point: int
) -> None:
    if 0xD800 <= point <= 0xDFFF:
        return
    written = json_spell(escapes, ascii_only)(charset)
    assert any(accepts(written, data) for data in spellings(point)) == (point in charset)
    for data in (b'"', b"\\", b"\n", b"\\ud800", b"\\udc00", b"\\ud800\\u0041", b"\\x", b""):
        assert not accepts(written, data)
