"""Formats: the official suite in one direction and the other, and the checkers of `jsonschema` on sampled texts."""

from __future__ import annotations

import ipaddress
import re
from random import Random

import pytest

from structgen.grammars.regular import format_tables, formats
from structgen.grammars.regular.language import Language
from structgen.grammars.regular.members import sample

checker = pytest.importorskip("jsonschema").Draft202012Validator.FORMAT_CHECKER


def get(name: str) -> Language:
    language = formats.get(name)
    assert language is not None
    return language


def left_out(name: str, text: str) -> bool:
    """Whether NARROWER says that a valid text is left out."""
    if name == "regex":
        return "(?<" in text
    if name == "hostname":
        return "xn--" in text
    if name == "idn-hostname":
        return "xn--" in text or not text.isascii()
    return name == "idn-email" and "\u0301" in text


@pytest.mark.parametrize("name", [name for name in formats.NAMES if not name.startswith("i")])
def test_the_table_is_what_the_pattern_says(name: str) -> None:
    made, stored = format_tables.build(name), get(name).automaton()
    assert (made.alphabet.classes, made.rows, made.accepts) == (stored.alphabet.classes, stored.rows, stored.accepts)
    stored.validate()


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in formats.NAMES if name.startswith("i")])
def test_the_table_of_an_international_format(name: str) -> None:
    test_the_table_is_what_the_pattern_says(name)


def test_official_suite(format_cases: list[tuple[str, str, bool]]) -> None:
    assert {name for name, _, _ in format_cases} <= {*formats.NAMES, "unknown"}
    for name, text, valid in format_cases:
        language = formats.get(name)
        if language is not None and not (valid and left_out(name, text)):
            assert language.contains(text) == valid, (name, text)


def doubtful(name: str, text: str) -> bool:
    """Where the checkers are known to reject what the RFC allows."""
    if name in ("time", "date-time"):
        return ":60" in text  # leap seconds
    if name == "relative-json-pointer":
        prefix = text.split("/")[0].rstrip("#")
        return "0" in prefix[:-1]  # a zero followed by another digit, in 100 as in 01
    if name in ("iri", "iri-reference"):
        return max(text, default="") > "\uffff" or "[" in text  # astral characters and most IPv6 forms
    if name == "uri-template":
        return re.search(r":\d{4}[,}]|\{[^}]*%", text) is not None  # four-digit prefixes, names beginning with %XX
    return name.startswith("uri") and "[V" in text  # ABNF's strings ignore case


@pytest.mark.parametrize("name", formats.NAMES)
def test_what_is_sampled_is_valid(name: str) -> None:
    rng, language = Random(name), get(name)
    for number in range(12 if name.startswith("iri") else 150):
        text = sample(language, rng, (0, 2, 8, 30)[number % 4])
        assert language.contains(text)
        if not doubtful(name, text):
            assert checker.conforms(text, name), text


@pytest.mark.parametrize("name", formats.NAMES)
def test_narrower_formats_are_named(name: str) -> None:
    assert set(formats.NARROWER) <= set(formats.NAMES)
    assert not get(name).is_empty()


def test_unknown_formats_are_annotations() -> None:
    assert formats.get("colour") is None


def test_calendar() -> None:
    date = get("date")
    for year in (1, 4, 100, 400, 1900, 2000, 2023, 2024, 2100, 9999):
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        for month in range(14):
            last = 30 if month in (4, 6, 9, 11) else 31 if month != 2 else 28 + leap
            for day in range(33):
                expected = 1 <= month <= 12 and 1 <= day <= last
                assert date.contains(f"{year:04}-{month:02}-{day:02}") == expected
    assert not date.contains("0000-01-01")


def test_ipv6_forms() -> None:
    """All ways to place `::` and an IPv4 tail, against `ipaddress`."""
    language, rng = get("ipv6"), Random(3)
    for _ in range(3000):
        groups = [rng.choice(["0", "1", "ab", "FFFF", "01aB", "12345", ""]) for _ in range(rng.randint(0, 9))]
        if rng.random() < 0.3:
            groups.append(rng.choice(["1.2.3.4", "255.255.255.255", "256.1.1.1", "1.2.3", "01.2.3.4"]))
        text = ":".join(groups)
        if rng.random() < 0.5:
            text = text.replace(":", "::", 1)
        try:
            ipaddress.IPv6Address(text)
            valid = True
        except ValueError:
            valid = False
        assert language.contains(text) == valid, text


@pytest.mark.parametrize(("text", "valid"), [
    ("a" * 63, True), ("a" * 64, False), (".".join(["a" * 63] * 3 + ["a" * 61]), True),
    (".".join(["a" * 63] * 3 + ["a" * 62]), False),
    (".".join(["ab"] * 20), True), ("a-b", True), ("a-", False), ("-a", False), ("ab--c", False),
    ("a--b", True), ("a.b.", False),
    ("a_b", False), ("1.2.3.4", True),
])  # fmt: skip
def test_hostname_lengths(text: str, valid: bool) -> None:
    assert get("hostname").contains(text) == valid
