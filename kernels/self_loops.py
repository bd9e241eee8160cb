"""Which characters lead a configuration back to itself: then all tokens made of them are allowed, without a look.

Characters are sorted into classes, a bit each: the ASCII ones by what patterns tell apart, all others by the length of
their UTF-8. A trie knows for each branch the classes that occur below it (`classes_below`), so a walk that meets one
whose classes all loop takes the subtree as it is.

Cost: some hundred look-ups per configuration that is asked about, and up to some ten steps, mostly of states that a
walk would make as well. Receipt: a row of a pattern that allows nearly every token 3.3 -> 0.6 ms.
Source of the ranges: RFC 3629, section 4.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from structgen.kernels._jit import TOKENS, inlined, inner
from structgen.kernels.earley import look, step
from structgen.kernels.layout import I64_2D, LOOPS, U64_1D, Trie

NO_CHARACTER = np.uint64(1) << np.uint64(62)  # class of what is no UTF-8, and of everything behind it
TWO = 59  # class of the characters of two bytes, those of three and four follow, those of ASCII are below
PROBE = ord("n")


def _classes() -> NDArray[np.uint8]:
    """u8 (128,): punctuation and blanks one by one, other control characters, digits, letters with a to f apart."""
    classes, found = np.zeros(128, np.uint8), 5
    for byte in range(128):
        letter = chr(byte)
        if letter.isdigit():
            classes[byte] = 0
        elif letter.isalpha():
            classes[byte] = 1 + (letter.lower() > "f") + 2 * letter.isupper()
        elif byte < 32 and letter not in "\t\n\r":
            classes[byte] = 5
        else:
            found += 1
            classes[byte] = found
    return classes


CLASSES = _classes()


@inlined
def _after(net, memo, work, config, byte):  # type: ignore[no-untyped-def]
    """As `step`, which is called only where the transition is unknown."""
    after = look(memo, config, byte)
    return after if after >= 0 else np.int64(step(net, memo, work, config, byte))


@inner
def _lead(net, memo, work, config, target, low, high, more):  # type: ignore[no-untyped-def]
    """Whether every byte from low to high, with `more` continuation bytes behind, leads from `config` to `target`: 1 or
    0, or GROW / CROWDED."""
    last = np.int64(0)
    for byte in range(low, high + 1):
        first = _after(net, memo, work, config, byte)
        if first <= 0 or (more == 0 and first != target):
            return min(first, np.int64(0))
        if more == 0 or first == last:
            continue
        last, before = first, np.int64(0)
        for middle in range(0x80, 0xC0):
            second = _after(net, memo, work, first, middle)
            if second <= 0 or (more == 1 and second != target):
                return min(second, np.int64(0))
            if more == 1 or second == before:
                continue
            before = second
            for end in range(0x80, 0xC0):
                third = _after(net, memo, work, second, end)
                if third != target:
                    return min(third, np.int64(0))
    return np.int64(1)


@inner
def _wide(net, memo, work, config, width, part):  # type: ignore[no-untyped-def]
    """Whether characters of `width` bytes loop, by the rows of RFC 3629's grammar; 2 beyond the last `part`."""
    if width == 2:
        return _lead(net, memo, work, config, config, 0xC2, 0xDF, 1) if part == 0 else np.int64(2)
    if width == 3 and part == 1:
        return _lead(net, memo, work, config, config, 0xE1, 0xEC, 2)
    if width == 3 and part == 3:
        return _lead(net, memo, work, config, config, 0xEE, 0xEF, 2)
    if part > (3 if width == 3 else 4):
        return np.int64(2)
    lead = (0xE0 if part == 0 else 0xED) if width == 3 else 0xF0 + part
    after = np.int64(step(net, memo, work, config, lead))
    if after <= 0:
        return after
    if width == 3:
        return _lead(net, memo, work, after, config, 0xA0 if part == 0 else 0x80, 0xBF if part == 0 else 0x9F, 1)
    return _lead(net, memo, work, after, config, 0x90 if part == 0 else 0x80, 0x8F if part == 4 else 0xBF, 2)


@inner
def find_loops(net, memo, work, config):  # type: ignore[no-untyped-def]
    """Fill memo.live[config, LOOPS]; 0, or GROW / CROWDED (call again).

    None are found for a configuration to which `PROBE` does not lead back: finding out would cost more than it saves.
    """
    loops = (np.uint64(1) << np.uint64(TWO)) - np.uint64(1)
    after = np.int64(step(net, memo, work, config, PROBE))
    if after != config:
        memo.live[config, LOOPS] = 0
        return min(after, np.int64(0))
    for byte in range(128):
        bit = np.uint64(1) << np.uint64(CLASSES[byte])
        if loops & bit:
            found = _lead(net, memo, work, config, config, byte, byte, 0)
            if found < 0:
                return found
            if found == 0:
                loops &= ~bit
    for width in range(2, 5):
        part, found = 0, np.int64(1)
        while found == 1:
            found = _wide(net, memo, work, config, width, part)
            part += 1
        if found < 0:
            return found
        if found == 2:
            loops |= np.uint64(1) << np.uint64(TWO + width - 2)
    memo.live[config, LOOPS] = loops
    return np.int64(0)


@TOKENS.entry
def classes_below(trie: Trie, own: U64_1D, below: U64_1D, path: I64_2D) -> Any:
    """Fill u64 below[i] with the classes of the characters that tokens have behind node i; NO_CHARACTER if it ends
    inside a character or behind what is none.

    own u64 (n,) and path i64 (2, depth + 2) are scratch.
    """
    n = trie.byte.shape[0]
    own[0], below[0], path[0, 0], path[1, 0] = 0, 0, 0, 0
    for i in range(1, n):
        depth, byte = np.int64(trie.depth[i]), np.int64(trie.byte[i])
        left, lead = path[0, depth - 1], path[1, depth - 1]  # continuation bytes to come (-1: odd), behind which byte
        if left == 0:
            left, lead = _following(byte), byte
        elif left > 0:
            low, high = _range(lead, left)
            left = left - 1 if low <= byte <= high else np.int64(-1)
        path[0, depth], path[1, depth] = left, lead
        kind = np.uint64(CLASSES[lead] if lead < 128 else TWO - 1 + _following(lead))
        own[i] = NO_CHARACTER if left < 0 else np.uint64(1) << kind
        below[i] = NO_CHARACTER if left != 0 else np.uint64(0)
    for i in range(n - 1, -1, -1):
        child, end = np.int64(i + 1), np.int64(trie.skip[i])
        while child < end:
            own[i] |= own[child]  # from here on: of the node and all behind it
            below[i] |= own[child]
            child = np.int64(trie.skip[child])


@inner
def _following(byte):  # type: ignore[no-untyped-def]
    """How many bytes follow the first one of a character; -1 if none begins so."""
    if byte < 0x80:
        return np.int64(0)
    if 0xC2 <= byte <= 0xDF:
        return np.int64(1)
    if 0xE0 <= byte <= 0xEF:
        return np.int64(2)
    return np.int64(3) if 0xF0 <= byte <= 0xF4 else np.int64(-1)


@inner
def _range(lead, left):  # type: ignore[no-untyped-def]
    """The continuation bytes that may come where `left` of them are missing behind a first byte."""
    if left == _following(lead):
        if lead == 0xE0:
            return 0xA0, 0xBF
        if lead == 0xED:
            return 0x80, 0x9F
        if lead == 0xF0:
            return 0x90, 0xBF
        if lead == 0xF4:
            return 0x80, 0x8F
    return 0x80, 0xBF
