"""JSON Schema's formats as languages, read when first asked for and kept for the process.

`get(name)` is the language of a format, inside the RFC's and equal to it but for what `NARROWER` names. Its term is a
minimal automaton, so that a parser runs it in one thread and a combination with other languages costs their product.
"""

from __future__ import annotations

from functools import lru_cache

from structgen.grammars.regular.format_sources import NARROWER, SOURCES
from structgen.grammars.regular.format_tables import load
from structgen.grammars.regular.language import Language

__all__ = ["NAMES", "NARROWER", "get"]

NAMES = tuple(SOURCES)


@lru_cache(maxsize=64)
def get(name: str) -> Language | None:
    """The language of a format; None for a name that is not known, which is an annotation."""
    return Language.of_automaton(load(name)) if name in SOURCES else None
