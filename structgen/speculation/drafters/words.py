"""Word lookup: what stood behind the last words when they stood in the text before, whatever stood between.

Prompt lookup compares tokens, so that `"city": "New` finds neither `city: New York` nor the token ` New` in it. Here
words are compared (runs of letters and digits, without case): the last one or two of the output, the last as far as it
is written. The draft is the rest of its word and what follows on the same line; where the output stands behind a word,
what follows from the next word on, spelled by the tokenizer.

Source: aggressive decoding (Ge et al. 2022), which copies the input and re-aligns behind a difference.
Cost: some ten microseconds for a node where a draft begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from structgen.protocols import Encoder
from structgen.speculation.drafters.base import Draft, Place, Rests, Seen, rest_behind

__all__ = ["WordLookup"]

_WORD = re.compile(r"\w+")
_LINE = re.compile(r"[^\n\"]*")
_MOST = 48  # characters of a draft
_PREFIXES = 3  # shortest beginning of a word that is looked for
_PRIORS, _PRIOR_ON = (0.45, 0.24, 0.6, 0.33), 0.85
TWO, ONE, INSIDE, ON = 0, 1, 2, 4  # kinds: words that agree; added: the last is not complete; behind the first token


class WordLookup:
    """Drafts by the last two words, else by the last."""

    name = "words"

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._text = ""
        self._from, self._before = 0, ""  # where the last word begins, and the word before it
        self._after: dict[tuple[str, str], int] = {}  # (word before, word or its beginning) -> where it ends
        self._spelled: dict[str, list[int]] = {}
        self._rest: Rests = {}
        self._known = 0  # tokens of the text

    def begin(self, place: Place) -> None:
        """Read what is new in the text, and note its words but the last, which may go on and has nothing behind it."""
        self._rest = {}
        for token in place.tokens[self._known :]:
            self._text += place.vocabulary.token_bytes(token).decode("utf-8", "replace")
        self._known = len(place.tokens)
        words = list(_WORD.finditer(self._text, self._from))
        for word in words[:-1]:
            self._note(word)
        if words:
            self._from = words[-1].start()

    def _note(self, word: re.Match[str]) -> None:
        """Where a word stood, and each of its beginnings."""
        text = word[0].lower()
        for context in (self._before, ""):
            self._after[context, text] = word.end()
            for size in range(_PREFIXES, len(text) + 1):
                self._after[context, text[:size] + "…"] = word.start() + size
        self._before = text

    def drafts(self, place: Place, node: int) -> Iterable[Draft]:
        """The next token of what the parent copies, else of what stood behind the last words."""
        rest, kind = rest_behind(self._rest, place.tree, node)
        rest, kind = (rest, kind | ON) if rest else self._found(place, node)
        self._rest[node] = (rest, kind)
        if rest:
            yield Draft(rest[0], kind, _PRIOR_ON if kind & ON else _PRIORS[kind])

    def observe(self, seen: Seen) -> None:
        """Nothing to learn from the model."""

    def _found(self, place: Place, node: int) -> tuple[list[int], int]:
        drafted = [place.tree.tokens[each] for each in place.tree.path(node)[1:]]
        tail = self._text[-64:] + b"".join(map(place.vocabulary.token_bytes, drafted)).decode("utf-8", "replace")
        words = _WORD.findall(tail[-64:])[-2:]
        if not words:
            return [], 0
        last, before = words[-1].lower(), words[-2].lower() if len(words) > 1 else ""
        inside = tail.endswith(words[-1])
        for kind, context in ((TWO, before), (ONE, "")):
            end = self._after.get((context, last + "…")) if inside else self._after.get((context, last))
            if end is not None and (context or kind == ONE):
                return self._copied(end, inside), kind | (INSIDE if inside else 0)
        return [], 0

    def _copied(self, end: int, inside: bool) -> list[int]:
        """The tokens of what follows a place: at once, or from the next word on."""
        if not inside:
            word = _WORD.search(self._text, end)
            if word is None:
                return []
            end = word.start()
        line = _LINE.match(self._text, end, end + _MOST)
        text = line[0] if line else ""
        if text not in self._spelled:
            self._spelled[text] = list(self._encoder.tokens_of(text)) if text else []
        return self._spelled[text]
