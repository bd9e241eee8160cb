"""The grammar library: formats people ask for by name, each a module or an entry here.

    json         any JSON text                                     jsonl      JSON values, one a line
    xml          well-formed XML over given element names          csv        records of n columns (RFC 4180)
    date, time, date-time                                          as RFC 3339 writes them
    email        a mailbox (RFC 5321)                              uri        RFC 3986
    arithmetic   + - * / ** over numbers and names, as Python      sql        one SELECT statement
    python       modules of a subset of Python                     smiles     molecules (OpenSMILES), rings closed

`build(name, **options)` gives a regular language or a grammar; the options are those of the function behind the name.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from structgen.errors import OptionError
from structgen.grammars.ir import Grammar
from structgen.grammars.library import arithmetic, csv, json, python, smiles, sql, xml
from structgen.grammars.regular import formats
from structgen.grammars.regular.language import Language

__all__ = ["NAMES", "build"]


def _format(name: str) -> Callable[[], Language]:
    def make() -> Language:
        found = formats.get(name)
        assert found is not None
        return found

    return make


_MAKERS: dict[str, Callable[..., Language | Grammar]] = {
    "arithmetic": arithmetic.arithmetic,
    "csv": csv.csv,
    "json": json.json,
    "jsonl": json.jsonl,
    "python": python.python,
    "smiles": smiles.smiles,
    "sql": sql.sql,
    "xml": xml.xml,
    **{name: _format(name) for name in ("date", "date-time", "email", "time", "uri")},
}
NAMES = tuple(sorted(_MAKERS))


def build(name: str, **options: Any) -> Language | Grammar:
    """The language of that name. Raises OptionError for a name or an option that does not exist."""
    maker = _MAKERS.get(name)
    if maker is None:
        raise OptionError(f"the library has no {name!r}; it has {', '.join(NAMES)}", option="library")
    known = inspect.signature(maker).parameters
    for option in options:
        if option not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise OptionError(f"{name} has no option {option!r}; {has}", option=option)
    return maker(**options)
