"""The minimal automata of the formats, packed in formats.txt beside this module: a line per format, name and table.

    python -m structgen.grammars.regular.format_tables      writes the file anew from the patterns of format_sources.py

Parsing a format's pattern and minimising its automaton takes up to 0.3 s; unpacking a table takes 0.1 to 6 ms. A test
compares the two.
"""

from __future__ import annotations

import base64
import json
import zlib
from functools import cache
from pathlib import Path

from structgen.grammars.regular.alphabet import alphabet_of
from structgen.grammars.regular.charset import CharSet
from structgen.grammars.regular.dfa import Dfa
from structgen.grammars.regular.format_sources import SOURCES
from structgen.grammars.regular.language import Language

__all__ = ["build", "load"]

FILE = Path(__file__).with_name("formats.txt")


def build(name: str) -> Dfa:
    """The minimal automaton of a format, from its pattern."""
    return Language.regex(SOURCES[name]()).automaton()


def load(name: str) -> Dfa:
    """The minimal automaton of a format, from its table."""
    classes, rows, accepts = json.loads(zlib.decompress(base64.b85decode(_lines()[name])))
    accepting = set(accepts)
    return Dfa(
        alphabet_of(CharSet(tuple(map(tuple, ranges))) for ranges in classes),
        tuple(tuple(zip(row[::2], row[1::2], strict=True)) for row in rows),
        tuple(state in accepting for state in range(len(rows))),
    )


@cache
def _lines() -> dict[str, str]:
    return dict(line.split(" ") for line in FILE.read_text("ascii").splitlines())


def _packed(dfa: Dfa) -> str:
    """Classes as ranges, rows as flat lists of (mask, target), accepting states."""
    rows = [[value for edge in row for value in edge] for row in dfa.rows]
    accepts = [state for state, accepting in enumerate(dfa.accepts) if accepting]
    content = json.dumps([[members.ranges for members in dfa.alphabet.classes], rows, accepts], separators=(",", ":"))
    return base64.b85encode(zlib.compress(content.encode(), 9)).decode()


if __name__ == "__main__":
    FILE.write_text("".join(f"{name} {_packed(build(name))}\n" for name in SOURCES))
