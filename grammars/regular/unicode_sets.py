"""Character classes that depend on the Unicode database: properties, Python's \\w \\d \\s, and case folding.

Everything is derived from `unicodedata` and `str` methods, when first asked for (a scan of all code points, about
0.3 s, once per process) and then cached. Scripts and binary properties are not in `unicodedata`, so `prop` knows
general categories, Any, ASCII, Assigned and a few properties that are unions of categories.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from structgen.grammars.regular.charset import ANY, LAST, CharSet

ASCII = CharSet.span(0, 0x7F)
ASCII_DIGIT = CharSet.span(0x30, 0x39)
ASCII_WORD = CharSet.spans([(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)])
ASCII_SPACE = CharSet.of(" \t\n\r\f\v")
ECMA_SPACE = ASCII_SPACE | CharSet.of("\u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff") | CharSet.span(0x2000, 0x200A)

_CATEGORIES = {
    "Letter": "L", "Cased_Letter": "LC", "Uppercase_Letter": "Lu", "Lowercase_Letter": "Ll", "Titlecase_Letter": "Lt",
    "Modifier_Letter": "Lm", "Other_Letter": "Lo", "Mark": "M", "Combining_Mark": "M", "Nonspacing_Mark": "Mn",
    "Spacing_Mark": "Mc", "Enclosing_Mark": "Me", "Number": "N", "Decimal_Number": "Nd", "digit": "Nd",
    "Letter_Number": "Nl", "Other_Number": "No", "Punctuation": "P", "punct": "P", "Connector_Punctuation": "Pc",
    "Dash_Punctuation": "Pd", "Open_Punctuation": "Ps", "Close_Punctuation": "Pe", "Initial_Punctuation": "Pi",
    "Final_Punctuation": "Pf", "Other_Punctuation": "Po", "Symbol": "S", "Math_Symbol": "Sm", "Currency_Symbol": "Sc",
    "Modifier_Symbol": "Sk", "Other_Symbol": "So", "Separator": "Z", "Space_Separator": "Zs", "Line_Separator": "Zl",
    "Paragraph_Separator": "Zp", "Other": "C", "Control": "Cc", "cntrl": "Cc", "Format": "Cf", "Surrogate": "Cs",
    "Private_Use": "Co", "Unassigned": "Cn",
}  # fmt: skip


@lru_cache(maxsize=1)
def _by_category() -> dict[str, CharSet]:
    runs: dict[str, list[tuple[int, int]]] = {}
    start, current = 0, unicodedata.category("\0")
    for point in range(1, LAST + 2):
        category = unicodedata.category(chr(point)) if point <= LAST else ""
        if category != current:
            runs.setdefault(current, []).append((start, point - 1))
            start, current = point, category
    return {category: CharSet.spans(ranges) for category, ranges in runs.items()}


@lru_cache(maxsize=256)
def prop(expression: str) -> CharSet | None:
    """The set that `\\p{expression}` names, or None when it cannot be derived."""
    name, equals, value = expression.partition("=")
    if equals and name not in ("General_Category", "gc"):
        return None
    wanted = value if equals else name
    special = {"Any": ANY, "ASCII": ASCII}
    if wanted in special and not equals:
        return special[wanted]
    if wanted == "Assigned" and not equals:
        return ~_by_category()["Cn"]
    code = _CATEGORIES.get(wanted, wanted)
    wanted_codes = ("Lu", "Ll", "Lt") if code == "LC" else (code,)
    members = [category for category in _by_category() if category in wanted_codes or category[0] == code]
    return CharSet.spans(span for category in members for span in _by_category()[category].ranges) if members else None


@lru_cache(maxsize=64)
def python_class(source: str) -> CharSet:
    """What a one-character Python pattern such as `\\w` matches, by asking `re` about every code point."""
    return matching(source, ANY)


def ignore_case_ascii(charset: CharSet) -> CharSet:
    """The set with the other case of its ASCII letters added."""
    return charset | CharSet.of("".join(chr(point).swapcase() for point in charset & ASCII))


@lru_cache(maxsize=1)
def cased() -> CharSet:
    """The code points that have another case: what ignoring case can make a difference for."""
    points = map(chr, ANY & CharSet.span(0, 0x1FFFF))  # no script with case is encoded beyond the second plane
    return CharSet.spans((ord(c), ord(c)) for c in points if c.lower() != c or c.upper() != c)


def matching(source: str, among: CharSet) -> CharSet:
    """Which of `among` a one-character Python pattern matches, by asking `re` about each."""
    return CharSet.spans((ord(c), ord(c)) for c in re.findall(source, "".join(map(chr, among))))


def ignore_case_ecma(charset: CharSet) -> CharSet:
    """What the set matches under the flags `iu`: everything whose simple case folding a member shares."""
    if charset.ranges and charset.ranges[-1][1] > 0x7F:
        groups = (group for group in _case_classes().values() if any(point in charset for point in group))
        return charset | CharSet.spans((point, point) for group in groups for point in group)
    kelvin_and_long_s = {"k": "\u212a", "K": "\u212a", "s": "\u017f", "S": "\u017f"}
    extra = "".join(kelvin_and_long_s.get(chr(point), "") for point in charset)
    return ignore_case_ascii(charset) | CharSet.of(extra)


def _simple_fold(point: int) -> int:
    """Simple case folding (statuses C and S of CaseFolding.txt)."""
    for folded in (chr(point).casefold(), chr(point).lower()):
        if len(folded) == 1:
            return ord(folded)
    return point


@lru_cache(maxsize=1)
def _case_classes() -> dict[int, tuple[int, ...]]:
    """For each folded code point that more than one code point folds to, all that do."""
    members: dict[int, list[int]] = {}
    for point in ANY & CharSet.span(0, 0x1FFFF):  # no script with case is encoded beyond the second plane
        members.setdefault(_simple_fold(point), []).append(point)
    return {fold: tuple(group) for fold, group in members.items() if len(group) > 1}


@lru_cache(maxsize=1)
def stable_letters() -> CharSet:
    """Letters outside ASCII that IDNA takes anywhere: left to right, unchanged by folding and normalisation."""
    letters = (_by_category()["Ll"] | _by_category()["Lo"]) - ASCII - _CONTEXTUAL
    return CharSet.spans((point, point) for point in letters if _is_stable(chr(point)))


_CONTEXTUAL = CharSet.spans([(0x1100, 0x11FF), (0xA960, 0xA97F), (0xD7B0, 0xD7FF), (0x302E, 0x3035), (0x303B, 0x303B)])


def _is_stable(letter: str) -> bool:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", letter).casefold())
    return folded == letter and unicodedata.bidirectional(letter) == "L"
