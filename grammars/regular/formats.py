"""JSON Schema's formats as languages."""

from __future__ import annotations

from structgen.grammars.regular.language import Language


def get(name: str) -> Language | None:
    """The language of a format; None for a name that is not known, which is an annotation."""
    return None
