"""Drafters, a file each. One more is a class of the protocol in base.py, and a line in `default_drafters`."""

from __future__ import annotations

from structgen.protocols import Encoder
from structgen.speculation.drafters.base import Draft, Drafter, Place, Seen
from structgen.speculation.drafters.forced import ForcedText
from structgen.speculation.drafters.heads import TrainedHeads
from structgen.speculation.drafters.lookup import PromptLookup
from structgen.speculation.drafters.model import DraftModel, OtherVocabulary, skipping
from structgen.speculation.drafters.recycled import RecycledTokens
from structgen.speculation.drafters.store import EarlierOutputs
from structgen.speculation.drafters.words import WordLookup

__all__ = [
    "Draft",
    "DraftModel",
    "Drafter",
    "EarlierOutputs",
    "ForcedText",
    "OtherVocabulary",
    "Place",
    "PromptLookup",
    "RecycledTokens",
    "Seen",
    "TrainedHeads",
    "WordLookup",
    "default_drafters",
    "skipping",
]


def default_drafters(encoder: Encoder, *, remember: bool = True) -> list[Drafter]:
    """Those that need no second model; without `remember`, none that knows other outputs."""
    alone: list[Drafter] = [ForcedText(encoder), PromptLookup(), WordLookup(encoder), RecycledTokens()]
    return [*alone, EarlierOutputs()] if remember else alone
