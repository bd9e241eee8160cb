"""JSON Schema's formats as languages, built when first asked for and kept for the process.

`get(name)` is the language of a format, inside the RFC's and equal to it but for what `NARROWER` names.
"""

from __future__ import annotations

from functools import lru_cache

from structgen.grammars.regular.format_sources import NARROWER, SOURCES
from structgen.grammars.regular.language import Language

__all__ = ["NAMES", "NARROWER", "get"]

NAMES = tuple(SOURCES)


@lru_cache(maxsize=64)
def get(name: str) -> Language | None:
    """The language of a format; None for a name that is not known, which is an annotation."""
    source = SOURCES.get(name)
    return None if source is None else Language.regex(source())
