r"""What Rust's `regex` crate says of single characters: a one-character pattern -> the `CharSet` it matches.

pydantic-core carries the crate, and its tables are of another Unicode version than Python's `unicodedata` (12,014 code
points are `\w` to one and not to the other today). So the crate is asked: a run of code points lies in a class if
`(?:class)*` matches all of it, outside if `class` is found nowhere in it, and is halved otherwise. The cost is that of
reading all code points once or twice for each depth of halving: 8 to 18 ms; then cached.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from structgen.errors import RegexError
from structgen.grammars.regular.charset import ANY, CharSet

__all__ = ["class_of", "folded", "is_match"]

_CASED = CharSet.span(0, 0x1FFFF)  # no script with case is encoded beyond the second plane
_BLOCK = 0x800  # characters
_WIDTH = 16  # parts of a run that is neither inside nor outside


def is_match(pattern: str) -> Callable[[str], bool]:
    """Whether the crate finds the pattern in a text. Raises RegexError with the crate's reason."""
    from pydantic_core import SchemaError, SchemaValidator, core_schema

    try:
        return SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex")).isinstance_python
    except SchemaError as error:
        lines = str(error).strip().splitlines()
        caret = next((at for at, line in enumerate(lines) if line.strip() == "^"), 0)
        position = max(len(lines[caret]) - 5, 0) if caret else 0
        raise RegexError(lines[-1].strip().removeprefix("error: "), pattern=pattern, position=position) from None


@lru_cache(maxsize=4096)
def class_of(source: str) -> CharSet:
    """The characters that a pattern matches which matches one character."""
    return _among(source, ANY)


@lru_cache(maxsize=4096)
def folded(charset: CharSet) -> CharSet:
    """The set and what equals one of its members under the flag `i`."""
    members = "".join(rf"\x{{{low:x}}}-\x{{{high:x}}}" for low, high in charset.ranges)
    return charset | _among(f"(?i)[{members}]", _CASED & ANY) if members else charset


def _among(source: str, points: CharSet) -> CharSet:
    some, every = is_match(source), is_match(rf"\A(?:{source})*\z")
    found: list[tuple[int, int]] = []
    pending = [(low, text) for first, last in points.ranges for low, text in _blocks() if first <= low <= last]
    while pending:
        low, text = pending.pop()
        if every(text):
            found.append((low, low + len(text) - 1))
        elif some(text):
            step = -(-len(text) // _WIDTH)
            pending.extend((low + at, text[at : at + step]) for at in range(0, len(text), step))
    return CharSet.spans(found)


@lru_cache(maxsize=1)
def _blocks() -> list[tuple[int, str]]:
    """All characters, as runs that the crate reads one at a time."""
    return [
        (start, "".join(map(chr, range(start, min(start + _BLOCK, last + 1)))))
        for low, last in ANY.ranges
        for start in range(low, last + 1, _BLOCK)
    ]
