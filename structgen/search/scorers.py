"""A user's scorer -> its checked answers: one question for every text, many texts at a time.

Whatever the scorer raises, or returns that is no list of scores, ends the run as ScorerError with the text it was
about: a search that went on with a guess would find the best of something else. Cost: what the scorer costs; up to
65,536 answers are remembered.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from structgen.errors import OptionError, ScorerError
from structgen.protocols import Scorer
from structgen.samplers.predicates import whole_characters
from structgen.samplers.result import Stats
from structgen.samplers.weights import Path
from structgen.vocabulary import Vocabulary

__all__ = ["Scores"]

_REMEMBERED = 1 << 16


class Scores:
    """The answers of one scorer in one run; `stats` counts the texts it was given.

    Texts are those of paths: bytes of a character that is not whole yet are left out. A dead path scores -inf, unasked.
    """

    def __init__(self, scorer: Scorer, vocabulary: Vocabulary, stats: Stats) -> None:
        if not callable(scorer):
            raise OptionError("scorer is a function of a list of texts, which gives a score for each", option="scorer")
        bound = getattr(scorer, "bound", None)
        if bound is not None and not callable(bound):
            raise OptionError("the bound of a scorer is a function of a list of texts, too", option="scorer")
        name = getattr(scorer, "__name__", type(scorer).__name__)
        self.vocabulary = vocabulary
        self._score = _Answers(scorer, name, stats)
        self._bound = None if bound is None else _Answers(bound, f"{name}.bound", stats)

    @property
    def bounded(self) -> bool:
        """The scorer has a bound."""
        return self._bound is not None

    def scores(self, paths: Sequence[Path]) -> list[float]:
        """Of the text of each path, whole or not."""
        return self._of(self._score, paths)

    def bounds(self, paths: Sequence[Path]) -> list[float]:
        """What no output that begins with a path's text exceeds; inf without a bound."""
        return [math.inf] * len(paths) if self._bound is None else self._of(self._bound, paths)

    def check(self, path: Path, score: float, bound: float) -> None:
        """Raise ScorerError where an output exceeds the bound of one of its beginnings, so the bound is none."""
        if score > bound + 1e-9 * max(1.0, abs(bound)) and self._bound is not None:
            reason = f"the bound of a beginning was {bound:g}, and the output scores {score:g}"
            raise ScorerError(reason, scorer=self._bound.name, text=self._text(path))

    def _of(self, answers: _Answers, paths: Sequence[Path]) -> list[float]:
        alive = [path for path in paths if path.finish != "dead"]
        found = iter(answers.of([self._text(path) for path in alive]))
        return [-math.inf if path.finish == "dead" else next(found) for path in paths]

    def _text(self, path: Path) -> str:
        return whole_characters(self.vocabulary.decode(path.prefix.tokens))


class _Answers:
    """One function of the user's, and what it has answered."""

    def __init__(self, ask: Callable[[Sequence[str]], Sequence[float]], name: str, stats: Stats) -> None:
        self.ask, self.name, self.stats = ask, name, stats
        self._known: dict[str, float] = {}

    def of(self, texts: Sequence[str]) -> list[float]:
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if len(self._known) + len(new) > _REMEMBERED:
            self._known = {text: self._known[text] for text in texts if text in self._known}
        if new:
            self.stats.texts_scored += len(new)
            self._known |= zip(new, self._asked(new), strict=True)
        return [self._known[text] for text in texts]

    def _asked(self, texts: list[str]) -> list[float]:
        """Raises ScorerError."""
        try:
            answer = self.ask(list(texts))
        except Exception as error:
            for text in texts if len(texts) > 1 else ():  # which of them is it?
                self._asked([text])
            raise ScorerError(f"{type(error).__name__}: {error}", scorer=self.name, text=texts[0]) from error
        try:
            found = list(answer)
        except TypeError:
            reason = f"it returned {answer!r}, which is no list of scores"
            raise ScorerError(reason, scorer=self.name, text=texts[0]) from None
        if len(found) != len(texts):
            reason = f"it returned {len(found)} scores for {len(texts)} texts, of which this is the first"
            raise ScorerError(reason, scorer=self.name, text=texts[0])
        return [self._checked(value, text) for value, text in zip(found, texts, strict=True)]

    def _checked(self, value: Any, text: str) -> float:
        """A number below infinity."""
        try:
            score = math.nan if isinstance(value, str) else float(value)
        except (TypeError, ValueError):
            score = math.nan
        if math.isnan(score) or score == math.inf:
            raise ScorerError(f"it returned {value!r}, which is no score", scorer=self.name, text=text)
        return score
