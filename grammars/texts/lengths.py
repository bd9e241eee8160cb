"""Bounds on the length of a text in characters, words and sentences.

A word is a run of characters without white space, as `str.split()` cuts them. A sentence begins with a word and ends
with a word whose last characters are one of `.!?…。！？` and maybe closing quotes or brackets, or with the text.
Counting is an automaton of two or three states per count.
"""

from __future__ import annotations

from structgen.grammars.regular import unicode_sets
from structgen.grammars.regular.charset import ANY, CharSet
from structgen.grammars.regular.language import Language
from structgen.grammars.texts.network import NetworkBuilder

__all__ = ["characters", "sentences", "words"]

ENDS = CharSet.of(".!?…。！？")
CLOSERS = CharSet.of("\"'”’»)]}」』")

Step = tuple[CharSet, str, bool]  # characters, mode after them, whether they begin another unit


def characters(minimum: int, maximum: int | None) -> Language:
    """`minimum` to `maximum` code points."""
    return Language.length(minimum, maximum)


def words(minimum: int, maximum: int | None, limit: int) -> Language:
    """`minimum` to `maximum` words. Raises LimitExceeded."""
    space = unicode_sets.python_class(r"\s")
    modes: dict[str, list[Step]] = {
        "between": [(space, "between", False), (~space, "inside", True)],
        "inside": [(space, "between", False), (~space, "inside", False)],
    }
    return _counted(modes, minimum, maximum, limit)


def sentences(minimum: int, maximum: int | None, limit: int) -> Language:
    """`minimum` to `maximum` sentences. Raises LimitExceeded."""
    space = unicode_sets.python_class(r"\s")
    plain = ANY - space - ENDS
    modes: dict[str, list[Step]] = {
        "between": [(space, "between", False), (ENDS, "ended", True), (plain, "inside", True)],
        "inside": [(ENDS, "ended", False), (plain | space, "inside", False)],
        "ended": [
            (ENDS | CLOSERS, "ended", False),
            (space, "between", False),
            (plain - CLOSERS, "inside", False),
        ],
    }
    return _counted(modes, minimum, maximum, limit)


def _counted(modes: dict[str, list[Step]], minimum: int, maximum: int | None, limit: int) -> Language:
    """An automaton whose states are (units so far, mode). Without an upper bound counting stops at the lower one."""
    if maximum is not None and maximum < minimum:
        return Language.nothing()
    top = minimum if maximum is None else maximum
    builder = NetworkBuilder(limit, accepts=minimum == 0)
    numbers = {(0, "between"): 0}
    order = [(0, "between")]
    for count, mode in order:  # grows while it is walked
        for charset, after, begins in modes[mode]:
            units = min(count + begins, top) if maximum is None else count + begins
            if units > top:
                continue
            if (units, after) not in numbers:
                numbers[units, after] = builder.state(accepts=units >= minimum)
                order.append((units, after))
            builder.edge(numbers[count, mode], charset, numbers[units, after])
    return builder.language()
