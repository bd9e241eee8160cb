"""Drafters, a file each. One more is a class of the protocol in base.py, and a line in `default_drafters`."""

from __future__ import annotations

from structgen.protocols import Encoder
from structgen.speculation.drafters.base import Draft, Drafter, Place, Seen
from structgen.speculation.drafters.forced import ForcedText
from structgen.speculation.drafters.lookup import PromptLookup
from structgen.speculation.drafters.recycled import RecycledTokens
from structgen.speculation.drafters.words import WordLookup

__all__ = [
    "Draft",
    "Drafter",
    "ForcedText",
    "Place",
    "PromptLookup",
    "RecycledTokens",
    "Seen",
    "WordLookup",
    "default_drafters",
]


def default_drafters(encoder: Encoder) -> list[Drafter]:
    """Those that need no second model."""
    return [ForcedText(encoder), PromptLookup(), WordLookup(encoder), RecycledTokens()]
