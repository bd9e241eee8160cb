"""When a mask is walked and when terminal rows are learnt for it: the thresholds of automata/masks.py as one value.

Costs are counted as kernels/walks.py counts them: one per trie node that is visited, more for a new configuration.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["WalkPolicy"]


@dataclass(frozen=True, slots=True)
class WalkPolicy:
    """Rows are right under every policy (tests pass extreme ones); only what they cost differs.

    field      meaning, and where its value comes from
    short      up to this cost a walk is done again each time: a terminal row in its place takes 3 µs
    long       from this cost on a terminal row is learnt at once: a survey takes about 3 ms over 128,256 tokens
    patience   between the two, a row is learnt the time after it was wanted so often ...
    below      ... or so often, where it is of the tokens below one node of the trie only
    section    children of the trie's root with more nodes than this below them (a blank) are masks of their own, in
               grammars whose front end marked no terminals
    learnt     after so many rows of a grammar were learnt at once, others are made from blurred ones (automata/blur.py)
    reaches    ... which are right for tokens of up to so many bytes: of 128,256 tokens 12,000 and 600 are longer
    counting   rules of fewer nodes are not asked whether they count by their states: it takes 0.1 ms a thousand nodes
    """

    short: int = 400
    long: int = 4_000
    patience: int = 1
    below: int = 4
    section: int = 4_000
    learnt: int = 2
    reaches: tuple[int, ...] = (10, 20)
    counting: int = 256
