"""An indenter of lark <-> its settings, which is all of it that tables hold (lark's Indenter; ir_lr.Indentation).

{"name": "PythonIndenter", "tab_len": 8, "NL_type": "_NEWLINE", ..., "OPEN_PAREN_types": ["LPAR", ...], ...}
"""

from __future__ import annotations

from typing import Any

from lark.indenter import Indenter

__all__ = ["indenter_of", "settings"]

_NAMES = ("NL_type", "INDENT_type", "DEDENT_type")
_LISTS = ("OPEN_PAREN_types", "CLOSE_PAREN_types", "always_accept")


def settings(indenter: Indenter | None) -> dict[str, Any] | None:
    """What an indenter says."""
    if indenter is None:
        return None
    found: dict[str, Any] = {"name": type(indenter).__qualname__, "tab_len": indenter.tab_len}
    found |= {name: getattr(indenter, name) for name in _NAMES}
    return found | {name: list(getattr(indenter, name)) for name in _LISTS}


def indenter_of(found: Any) -> Indenter:
    """An indenter with these settings. Raises ValueError for what is none."""
    if not isinstance(found, dict) or set(found) != {"name", "tab_len", *_NAMES, *_LISTS}:
        raise ValueError("these are not the settings of an indenter")
    strings = [found["name"], *(found[name] for name in _NAMES)]
    for name in _LISTS:
        if not isinstance(found[name], list):
            raise ValueError(f"{name} of an indenter is a list")
        strings += found[name]
    if not all(isinstance(text, str) for text in strings) or type(found["tab_len"]) is not int:
        raise ValueError("the settings of an indenter are names and a number")
    made = type("Stored", (Indenter,), {name: value for name, value in found.items() if name != "name"})
    made.__qualname__ = found["name"]
    return made()
