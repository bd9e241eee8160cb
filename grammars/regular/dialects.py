"""What differs between ECMA-262 and Python `re`, as one table per dialect, and the list of differences for the docs.

`ecma` follows ECMA-262 with the `u` flag (one code point is one character), lenient where JSON Schema documents are:
escapes of punctuation that needs none, a literal `{`, `}` or `]`, a class as the end of a range (`[\\w-.]`), and the
unambiguous Python spellings `(?P<name>...)` and `(?i)` at the beginning. `python` follows `re` for `str`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from structgen.grammars.regular import unicode_sets as sets
from structgen.grammars.regular.charset import CharSet

Name = Literal["ecma", "python"]

DIFFERENCES_FROM_PYTHON = (
    r"`\d` and `\w` are ASCII only; in Python they are Unicode.",
    r"`\s` contains U+FEFF and not U+001C..U+001F and U+0085; in Python it is the other way round.",
    r"`.` leaves out \n, \r, U+2028 and U+2029; in Python only \n.",
    "`$` is the end of the text; in Python also the place before a final line break.",
    "`[]` matches nothing and `[^]` anything; in Python a `]` right after the bracket is a member.",
    r"`\p{...}`, `\u{...}`, `\cX`, `\k<name>` and `(?<name>...)` exist; in Python they are errors.",
    r"`\A`, `\Z`, `\a`, `\N{...}` and octal escapes are errors; in Python they have a meaning.",
    "`x{,3}` is literal text; in Python it is `x{0,3}`.",
    "Ignoring case uses Unicode's simple case folding; Python also equates U+0130, U+0131 and `i`.",
)
"""How the `ecma` dialect differs from Python's `re`, which the `jsonschema` package uses."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """One row of the table. Sets are functions because some are expensive and rarely needed."""

    name: Name
    controls: dict[str, int]
    digit: Callable[[], CharSet]
    word: Callable[[], CharSet]
    space: Callable[[], CharSet]
    line_ends: CharSet
    ignore_case: Callable[[CharSet], CharSet]
    flags: str


_CONTROLS = {"f": 0x0C, "n": 0x0A, "r": 0x0D, "t": 0x09, "v": 0x0B}

DIALECTS: dict[str, Dialect] = {
    "ecma": Dialect(
        name="ecma",
        controls=_CONTROLS,
        digit=lambda: sets.ASCII_DIGIT,
        word=lambda: sets.ASCII_WORD,
        space=lambda: sets.ECMA_SPACE,
        line_ends=CharSet.of("\n\r\u2028\u2029"),
        ignore_case=sets.ignore_case_ecma,
        flags="ims",
    ),
    "python": Dialect(
        name="python",
        controls={**_CONTROLS, "a": 0x07},
        digit=lambda: sets.python_class(r"\d"),
        word=lambda: sets.python_class(r"\w"),
        space=lambda: sets.python_class(r"\s"),
        line_ends=CharSet.of("\n"),
        ignore_case=sets.ignore_case_python,
        flags="aimsux",
    ),
}
