"""LALR parsing on hash-consed stacks, so that equal stacks are one number and a stack is never copied.

A stack is a node (parent, LALR state, margin); a margin is a node (parent margin, -1 - indentation, open parentheses)
in the same table, and says how newlines are to be read where indentation matters (Lark's Indenter). Cost of feeding a
terminal: linear in the reductions it makes. Source: DeRemer and Pennello 1982 (tables, by lark). Reference: lark, in
tests/lark.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from structgen.kernels._jit import allocating, inner
from structgen.kernels.arrays import longs
from structgen.kernels.codes import GROW, NEED_CLASS
from structgen.kernels.hashing import mix, next_slot, slot
from structgen.kernels.layout import I8_1D, I32_1D, I32_2D, I64_1D, I64_2D, U8_1D, U64_1D, U64_2D

CLASS = 1 << 20  # entries of `bytes` from here on: a complete character of a class
MOST_LOCAL = 512  # states a token's reductions may push before anything is interned
MOST_THREADS = 256
END_TERMINAL = 0

# LexMemo.counts
N_LEXED, N_THREADS, N_STACKS = range(3)
# LrTables.scalars
FIRST_STATE, FINAL_STATE, NEWLINE, INDENT, DEDENT, TAB = range(6)
STACK_PARENT, STACK_STATE, STACK_MARGIN, STACK_CLASS = range(4)  # LexMemo.stacks
LEX, STACK, COLUMN = range(3)  # LexMemo.threads


class LrTables(NamedTuple):
    """An LALR parser.  s states, t terminals, n nonterminals, w = ceil(t / 64).

    actions   i32 (s, t)    0 error, k + 1 shift to k, -k - 1 reduce production k
    gotos     i32 (s, n)    next state
    rules     i32 (., 2)    nonterminal, length
    bytes     i32 (u, 256)  byte automaton of a character: row, CLASS + class, or -1
    within    u64 (u, c)    classes that can still come out of each row, c = ceil(classes / 64)
    contexts  i32 (s,)      lexing context of a state
    ignored   u64 (w,)      terminals the parser never sees
    parens    i8 (t,)       1 opens, -1 closes, 0 neither
    scalars   i64 (6,)      FIRST_STATE, FINAL_STATE, NEWLINE, INDENT, DEDENT terminals or -1, TAB columns
    """

    actions: I32_2D
    gotos: I32_2D
    rules: I32_2D
    bytes: I32_2D
    within: U64_2D
    contexts: I32_1D
    ignored: U64_1D
    parens: I8_1D
    scalars: I64_1D


class LexStates(NamedTuple):
    """The lexing automaton.  l states, e ends, p pairs (terminal, guard) of a token's end, v = ceil(p / 64).

    next      i32 (l, classes)   next state, 0 = none
    first_end i32 (l + 1,)       first row in `ends`
    ends      i32 (e, 3)         terminal, guard and number of a pair that a token may end with here
    reach     u64 (l, v)         pairs that a token may end with after one more character at least
    newline   u8 (l,)            1 = a newline token may end here or later, 3 = and its last line begin at any column
    columns   u64 (l, 2)         columns that such a token may add to its last line, and columns at which a further line
                                 of it may begin, each with at least one more character; bit 63: 63 or more
    lines     u64 (v,)           the pairs of newline tokens
    guards    i32 (p,)           guard of each pair
    fresh     u8 (l,)            3 = before a token, and the text may end here
    starts    i32 (contexts, g)  state before a token, by context and guard
    """

    next: I32_2D
    first_end: I32_1D
    ends: I32_2D
    reach: U64_2D
    newline: U8_1D
    columns: U64_2D
    lines: U64_1D
    guards: I32_1D
    fresh: U8_1D
    starts: I32_2D


class LexMemo(NamedTuple):
    """Interned configurations and stacks, and which stacks can still reach the end of a text.  k classes of stacks.

    counts    i64 (3,)       configurations, threads, stack nodes in use
    trans     i32 (C, 256)   next configuration, 0 = dead, UNKNOWN
    configs   i64 (C + 1, 2) accepting; first row in `threads`
    threads   i64 (., 3)     LEX, STACK, COLUMN
    table     i32 (H,)       open-addressing hash of configurations, 0 = free
    stacks    i64 (S, 4)     STACK_PARENT, STACK_STATE (LALR state, or -1 - indentation of a margin), and
                             STACK_MARGIN (or open parentheses), STACK_CLASS
    stack_table i32 (2 S,)   hash of stacks
    live      u64 (S, v)     pairs whose token leads the stack to the end; bit 0: the text may end
    known     u8 (S,)        whether that is computed
    agenda    i64 (MOST_THREADS, 3)  scratch
    wanted    i64 (2,)       class of a stack, and the state on it, whose class a kernel asked for
    class_next i32 (k, s)    class of a stack with another state on it; 0 = of the empty stack; UNKNOWN = ask
    class_live u64 (2 k, v)  `live` of a class outside parentheses and, in the row behind, inside; bit 0: the end itself
    """

    counts: I64_1D
    trans: I32_2D
    configs: I64_2D
    threads: I64_2D
    table: I32_1D
    stacks: I64_2D
    stack_table: I32_1D
    live: U64_2D
    known: U8_1D
    agenda: I64_2D
    wanted: I64_1D
    class_next: I32_2D
    class_live: U64_2D


# ------------------------------------------------------------------------------------------------------------- stacks


@inner
def node(memo, parent, state, margin):  # type: ignore[no-untyped-def]
    """The stack node (parent, state, margin), made if new; GROW when full, NEED_CLASS when its class is not known."""
    place = slot(memo.stack_table, mix(parent, state, margin))
    while memo.stack_table[place] != 0:
        k = memo.stack_table[place]
        if (
            memo.stacks[k, STACK_PARENT] == parent
            and memo.stacks[k, STACK_STATE] == state
            and memo.stacks[k, STACK_MARGIN] == margin
        ):
            return np.int64(k)
        place = next_slot(memo.stack_table, place)
    k = memo.counts[N_STACKS]
    if k >= memo.stacks.shape[0]:
        return np.int64(GROW)
    kind = np.int64(0)
    if state >= 0:
        kind = np.int64(memo.class_next[memo.stacks[parent, STACK_CLASS], state])
        if kind < 0:
            memo.wanted[0], memo.wanted[1] = memo.stacks[parent, STACK_CLASS], state
            return np.int64(NEED_CLASS)
    memo.stacks[k, STACK_CLASS] = kind
    memo.stacks[k, STACK_PARENT], memo.stacks[k, STACK_STATE], memo.stacks[k, STACK_MARGIN] = parent, state, margin
    memo.known[k] = 0
    memo.stack_table[place] = k
    memo.counts[N_STACKS] = k + 1
    return np.int64(k)


@inner
def reduce_for(tab, memo, stack, terminal, local):  # type: ignore[no-untyped-def]
    """Make the reductions a terminal asks for, without interning: (base stack, states above it in `local`, action).

    The action is that of the top for the terminal: 0 error, > 0 a shift. For END_TERMINAL, 1 when the text may end.
    """
    base, n = np.int64(stack), np.int64(0)
    while True:
        top = local[n - 1] if n > 0 else memo.stacks[base, STACK_STATE]
        action = tab.actions[top, terminal]
        if action >= 0:
            return base, n, action
        length = np.int64(tab.rules[-action - 1, 1])
        if length <= n:
            n -= length
        else:
            for _ in range(length - n):
                base = memo.stacks[base, STACK_PARENT]
            n = np.int64(0)
        below = local[n - 1] if n > 0 else memo.stacks[base, STACK_STATE]
        local[n] = tab.gotos[below, tab.rules[-action - 1, 0]]
        n += 1
        if terminal == END_TERMINAL and local[n - 1] == tab.scalars[FINAL_STATE]:
            return base, n, np.int32(1)
        if n >= local.shape[0] - 1:
            return base, n, np.int32(0)


@allocating
def feed(tab, memo, stack, terminal, margin):  # type: ignore[no-untyped-def]
    """The stack after a terminal: 0 when it is an error, GROW, NEED_CLASS. New nodes carry `margin`."""
    local = longs(MOST_LOCAL)
    base, n, action = reduce_for(tab, memo, stack, terminal, local)
    if action <= 0:
        return np.int64(0)
    for k in range(n):
        base = node(memo, base, local[k], margin)
        if base < 0:
            return base
    return node(memo, base, np.int64(action - 1), margin)


@inner
def margin_with(memo, margin, parens):  # type: ignore[no-untyped-def]
    """The margin with another number of open parentheses."""
    return node(memo, memo.stacks[margin, STACK_PARENT], memo.stacks[margin, STACK_STATE], parens)


@inner
def newline(tab, memo, stack, column):  # type: ignore[no-untyped-def]
    """The stack after a newline token whose last line begins with `column` columns; 0 when that is an error."""
    margin = memo.stacks[stack, STACK_MARGIN]
    if memo.stacks[margin, STACK_MARGIN] > 0:
        return stack
    stack = feed(tab, memo, stack, tab.scalars[NEWLINE], margin) if column >= 0 else np.int64(0)
    if stack <= 0:
        return stack
    if column > -1 - memo.stacks[margin, STACK_STATE]:
        margin = node(memo, margin, -1 - column, np.int64(0))
        return feed(tab, memo, stack, tab.scalars[INDENT], margin) if margin > 0 else margin
    while column < -1 - memo.stacks[margin, STACK_STATE]:
        margin = memo.stacks[margin, STACK_PARENT]
        stack = feed(tab, memo, stack, tab.scalars[DEDENT], margin)
        if stack <= 0:
            return stack
    return stack if column == -1 - memo.stacks[margin, STACK_STATE] else np.int64(0)


@inner
def take(tab, memo, stack, terminal, column):  # type: ignore[no-untyped-def]
    """The stack after a token: 0 when it is an error, GROW, NEED_CLASS."""
    if terminal == tab.scalars[NEWLINE]:
        return newline(tab, memo, stack, column)
    margin = memo.stacks[stack, STACK_MARGIN]
    parens = memo.stacks[margin, STACK_MARGIN] + tab.parens[terminal]
    if tab.parens[terminal] != 0:
        if parens < 0:
            return np.int64(0)
        margin = margin_with(memo, margin, parens)
        if margin < 0:
            return margin
    return feed(tab, memo, stack, terminal, margin)


@allocating
def finish(tab, memo, stack):  # type: ignore[no-untyped-def]
    """1 when the text may end with this stack, 0 when not, GROW, NEED_CLASS: blocks that are open are closed first."""
    margin = memo.stacks[stack, STACK_MARGIN]
    while memo.stacks[margin, STACK_STATE] < -1:
        margin = memo.stacks[margin, STACK_PARENT]
        stack = feed(tab, memo, stack, tab.scalars[DEDENT], margin)
        if stack <= 0:
            return stack
    local = longs(MOST_LOCAL)
    _, _, action = reduce_for(tab, memo, stack, END_TERMINAL, local)
    return np.int64(action > 0)


@inner
def learn_live(tab, memo, stack):  # type: ignore[no-untyped-def]
    """Fill memo.live of a stack; 0, GROW or NEED_CLASS."""
    if memo.known[stack]:
        return np.int64(0)
    ends = finish(tab, memo, stack)
    if ends < 0:
        return ends
    inside = np.int64(memo.stacks[memo.stacks[stack, STACK_MARGIN], STACK_MARGIN] > 0)
    row = 2 * memo.stacks[stack, STACK_CLASS] + inside
    for w in range(memo.live.shape[1]):
        memo.live[stack, w] = memo.class_live[row, w]
    memo.live[stack, 0] = (memo.live[stack, 0] & ~np.uint64(1)) | np.uint64(ends)
    memo.known[stack] = 1
    return np.int64(0)
