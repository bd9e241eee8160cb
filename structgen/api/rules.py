"""The options mirostat, momentum and contrastive -> the rule of the decode loop that they ask for, one at most."""

from __future__ import annotations

import numbers
from dataclasses import replace
from typing import Any

from structgen.engines.contrastive import Contrastive
from structgen.engines.mirostat import Mirostat
from structgen.engines.momentum import Momentum
from structgen.engines.path_rules import PathRule
from structgen.errors import OptionError
from structgen.vocabulary import Vocabulary, check_same_tokens

__all__ = ["RULES", "checked_rule", "ready_rule"]

RULES: dict[str, Any] = {"mirostat": Mirostat, "momentum": Momentum, "contrastive": Contrastive}
_EXCLUDED = ("top_k", "top_p", "min_p")  # each decides which tokens are left, as every rule does


def checked_rule(settings: Any) -> PathRule | None:
    """The rule that the settings of a call ask for. Raises OptionError for what is none, or contradicts the others."""
    given = [name for name in (*RULES, *_EXCLUDED) if getattr(settings, name) is not None]
    if not given or given[0] not in RULES:
        return None
    name = given[0]
    rule = _rule(name, getattr(settings, name))
    if len(given) > 1:
        raise OptionError(f"{name} and {given[1]} are given: each decides which tokens are left", option=name)
    if rule.draws and settings.temperature == 0:
        raise OptionError(f"{name} is for drawing, and temperature 0 draws nothing", option=name)
    if rule.draws is False and (settings.temperature or settings.n > 1):
        raise OptionError(f"{name} takes one token, and draws none: temperature 0, n=1", option=name)
    return rule


def _rule(name: str, value: Any) -> PathRule:
    """A rule as it is, or made of its first number."""
    kind = RULES[name]
    if isinstance(value, numbers.Real) and not isinstance(value, bool) and kind is not Contrastive:
        value = kind(float(value))
    if not isinstance(value, kind):
        raise OptionError(f"{name} is a structgen.{kind.__name__}, not a {type(value).__name__}", option=name)
    rule: PathRule = value
    return rule


def ready_rule(rule: PathRule | None, vocabulary: Vocabulary) -> PathRule | None:
    """The rule with its amateur as a model of prefixes. Raises VocabularyError for an amateur of other tokens."""
    if not isinstance(rule, Contrastive):
        return rule
    from structgen.api.models import engine_of  # loaded when a second model comes
    from structgen.api.sampled import prefix_model_of

    amateur = rule.amateur if hasattr(rule.amateur, "logits") else prefix_model_of(engine_of(rule.amateur))
    check_same_tokens(amateur.vocabulary, vocabulary)
    return replace(rule, amateur=amateur)
