"""Free text up to the first of some triggers: an automaton over characters (Aho and Corasick 1975).

Its states are the beginnings of triggers; every character leads to the longest beginning that the text now ends with.
Where that is a whole trigger, free text is over. So a trigger can never be written without opening its region, and text
that merely begins like one stays free. A special token is never free text: it is written where it opens something.
Cost: linear in the triggers times the characters they hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias

from structgen.errors import OptionError
from structgen.grammars.ir import EPSILON, Expr, Graph, Terminal, alt, seq
from structgen.grammars.regular.charset import ANY, CharSet, utf8
from structgen.grammars.tags.marks import Pieces, Special, mark

__all__ = ["closed_text", "free_text"]

Step: TypeAlias = tuple[int, Expr, int]
Trigger: TypeAlias = str | tuple[str, Special]  # a text; or text, maybe none, and the special token behind it


def free_text(
    after: Mapping[Pieces, Expr],
    *,
    excludes: Iterable[str] = (),
    loop: bool = False,
    may_end: bool = False,
    within: Iterable[Special] = (),
) -> Graph:
    """Free text; behind each trigger of `after` what it leads to.

    excludes  texts that free text does not hold, unless a trigger ends with the same character
    loop      behind what a trigger leads to, free text again
    may_end   free text may end without a trigger; else it ends with what one leads to
    within    special tokens that free text may hold

    Raises OptionError where a trigger is empty.
    """
    bodies = _triggers(after)
    texts = [trigger for trigger in bodies if isinstance(trigger, str)]
    openers = [trigger for trigger in bodies if isinstance(trigger, tuple)]
    excludes = tuple(word for word in excludes if word)
    states = _beginnings((*texts, *excludes), [text for text, _ in openers])
    numbers = {prefix: k for k, prefix in enumerate(states)}
    outer = len(states)  # the first state of what is no free text: behind everything, then a state for each trigger
    opened = {trigger: outer + 1 + k for k, trigger in enumerate(bodies)}
    letters = sorted(set("".join((*numbers, *texts, *excludes))))
    by_end, without = _by_last(texts), _by_last(excludes)
    edges: list[Step] = []
    for prefix, number in numbers.items():
        edges += _letters(prefix, number, numbers, letters, by_end, without, opened)
        edges += [(number, mark(symbol), 0) for symbol in within]
        edges += [(number, mark(symbol), opened[text, symbol]) for text, symbol in openers if prefix.endswith(text)]
    edges += [(state, bodies[trigger], 0 if loop else outer) for trigger, state in opened.items()]
    accepts = (*range(outer if may_end else 0), *(() if loop else (outer,)))
    return Graph.of(outer + 1 + len(opened), 0, accepts, edges)


def _triggers(after: Mapping[Pieces, Expr]) -> dict[Trigger, Expr]:
    """What each trigger leads to: behind its text, or behind its first special token."""
    bodies: dict[Trigger, Expr] = {}
    for pieces, body in after.items():
        match pieces:
            case (str(text),):
                bodies[text] = body
            case (Special() as symbol, *rest):
                bodies["", symbol] = seq(mark(rest), body)
            case (str(text), Special() as symbol, *rest):
                bodies[text, symbol] = seq(mark(rest), body)
            case _:
                raise OptionError("a trigger is not empty", option="tag")
    return bodies


def _beginnings(ended: Iterable[str], followed: Iterable[str]) -> list[str]:
    """The beginnings of words, each once, the empty one first: proper ones of words that end free text, all of those
    that something else must follow."""
    found = {"": None}
    for word in ended:
        found |= dict.fromkeys(word[:end] for end in range(1, len(word)))
    for word in followed:
        found |= dict.fromkeys(word[:end] for end in range(1, len(word) + 1))
    return list(found)


def _by_last(words: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for word in words:
        found.setdefault(word[-1], []).append(word)
    return found


def _letters(
    prefix: str,
    number: int,
    numbers: Mapping[str, int],
    letters: Sequence[str],
    texts: Mapping[str, list[str]],
    excludes: Mapping[str, list[str]],
    opened: Mapping[Trigger, int],
) -> Iterable[Step]:
    """The edges by characters from a state. `texts` and `excludes` by their last letters."""
    targets: dict[int, list[str]] = {}
    for letter in letters:
        text = prefix + letter
        trigger = max(filter(text.endswith, texts.get(letter, ())), key=len, default=None)
        if trigger is not None:
            targets.setdefault(opened[trigger], []).append(letter)
        elif not any(map(text.endswith, excludes.get(letter, ()))):
            targets.setdefault(numbers[_longest(text, numbers)], []).append(letter)
    for target, found in targets.items():
        yield number, utf8(CharSet.of("".join(found))), target
    yield number, utf8(ANY - CharSet.of("".join(letters))), 0


def _longest(text: str, known: Mapping[str, int]) -> str:
    """The longest end of the text that begins a trigger."""
    return next(text[k:] for k in range(len(text) + 1) if text[k:] in known)


@lru_cache(maxsize=256)
def closed_text(ends: tuple[Pieces, ...], excludes: tuple[str, ...] = ()) -> Expr:
    """Free text without `excludes` and without any of the marks that may end it, then one of these.

    The same object for the same marks: where they are texts, its masks are worked out once per vocabulary.
    """
    words = [_text(end) for end in ends]
    if any(_inside(word, end) for end in words for word in (*excludes, *words)):
        # what is excluded could be seen in an end mark alone: then the two are written one after the other
        own = (*excludes, *(word for word in words if word))
        return seq(free_text({}, excludes=own, may_end=True), alt(*map(mark, ends)))
    graph = free_text(dict.fromkeys(ends, EPSILON), excludes=excludes)
    return Terminal(graph) if all(words) else graph


def _text(end: Pieces) -> str:
    """The mark, if it is text and nothing else."""
    return end[0] if len(end) == 1 and isinstance(end[0], str) else ""


def _inside(word: str, end: str) -> bool:
    """Whether a word stands in an end mark otherwise than at its end, so that a reader of characters meets it there."""
    return bool(word) and word != end and word in end[:-1]
