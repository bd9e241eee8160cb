"""Comma-separated values (RFC 4180) with a fixed number of columns: a regular language."""

from __future__ import annotations

from structgen.errors import OptionError
from structgen.grammars.regular.language import Language

__all__ = ["csv"]


def csv(columns: int, rows: int | None = None, separator: str = ",") -> Language:
    """Records of exactly `columns` fields, `rows` of them (None: one or more), line breaks between them.

    A field is plain (no quote, separator or line break) or quoted, with its quotes doubled. Where there is one column
    it is never empty: readers skip empty lines.
    """
    if columns < 1 or (rows is not None and rows < 1):
        raise OptionError("csv needs at least one column and one row", option="columns" if columns < 1 else "rows")
    if len(separator) != 1 or separator in '"\r\n':
        raise OptionError("the separator is one character, not a quote or a line break", option="separator")
    plain = Language.regex(rf'[^"\r\n{_escaped(separator)}]{"+" if columns == 1 else "*"}', "python")
    field = plain | Language.regex('"(?:[^"]|"")*"', "python")
    more = Language.chain([Language.strings([separator]), field]).repeated(columns - 1, columns - 1)
    record = Language.chain([field, more])
    rest = Language.chain([Language.strings(["\n", "\r\n"]), record])
    return Language.chain([record, rest.repeated(*((0, None) if rows is None else (rows - 1, rows - 1)))])


def _escaped(separator: str) -> str:
    return f"\\U{ord(separator):08x}"
