"""Byte by byte through a lexer and an LALR parser at once: interned sets of threads, like kernels/earley.py's of items.

A thread is (lex, stack, column): where the lexer is (state * byte rows + byte row inside a character), a stack
(kernels/lr.py), and the columns since the last newline of an open newline token (-1: none).
Where a token may end the thread goes on both ways: the token continues, or it is fed to the parser and the next begins.
Almost every configuration holds one or two threads. A thread whose lexer can reach no terminal that its stack can shift
is dropped at once.

Cost of a step: linear in threads and in the reductions they make; a known transition: one load. Reference: lark itself,
in tests/lark.
"""

from __future__ import annotations

import numpy as np

from structgen.kernels._jit import allocating, inner
from structgen.kernels.codes import CROWDED, GROW, NEED_LEXER, UNKNOWN
from structgen.kernels.hashing import free_slot, joined, mix, next_slot, slot, spread
from structgen.kernels.lr import (
    CLASS,
    COLUMN,
    FIRST_STATE,
    LEX,
    N_LEXED,
    N_STACKS,
    N_THREADS,
    NEWLINE,
    STACK,
    STACK_MARGIN,
    STACK_PARENT,
    STACK_STATE,
    TAB,
    feed,
    learn_shiftable,
    node,
    take,
)


@inner
def alive(tab, lex, memo, stack, state):  # type: ignore[no-untyped-def]
    """1 when the lexer state can reach a terminal that the stack can shift, past any ignored ones, 0 when not, GROW."""
    grown = learn_shiftable(tab, memo, stack)
    if grown < 0:
        return grown
    if lex.fresh[state] & 2 and memo.shiftable[stack, 0] & np.uint64(1):
        return np.int64(1)
    for w in range(tab.ignored.shape[0]):
        if lex.reach[state, w] & memo.shiftable[stack, w] & ~tab.ignored[w]:
            return np.int64(1)
    context = tab.contexts[memo.stacks[stack, STACK_STATE]]
    words = tab.ignored.shape[0]
    for k in range(lex.first_skip[state], lex.first_skip[state + 1]):
        for w in range(words):
            if lex.through[context, lex.skips[k] * words + w] & memo.shiftable[stack, w]:
                return np.int64(1)
    return np.int64(0)


@inner
def add(memo, n, place, stack, column):  # type: ignore[no-untyped-def]
    """Put a thread on the agenda unless it is there, in order; its new length, or CROWDED."""
    k = n
    for i in range(n):
        a, b, c = memo.agenda[i, LEX], memo.agenda[i, STACK], memo.agenda[i, COLUMN]
        if a == place and b == stack and c == column:
            return n
        if a > place or (a == place and (b > stack or (b == stack and c > column))):
            k = i
            break
    if n >= memo.agenda.shape[0]:
        return np.int64(CROWDED)
    for i in range(n, k, -1):
        memo.agenda[i, LEX], memo.agenda[i, STACK], memo.agenda[i, COLUMN] = (
            memo.agenda[i - 1, LEX],
            memo.agenda[i - 1, STACK],
            memo.agenda[i - 1, COLUMN],
        )
    memo.agenda[k, LEX], memo.agenda[k, STACK], memo.agenda[k, COLUMN] = place, stack, column
    return np.int64(n + 1)


@inner
def column_after(tab, lex, state, column, byte):  # type: ignore[no-untyped-def]
    """The column after one more byte, as far as it matters: while a newline token may be open."""
    terminal = tab.scalars[NEWLINE]
    if terminal < 0 or not (lex.reach[state, terminal >> 6] >> np.uint64(terminal & 63)) & np.uint64(1):
        return np.int64(-1)
    if byte == 10:
        return np.int64(0)
    if column < 0:
        return np.int64(-1)
    return np.int64(column + (byte == 32) + (byte == 9) * tab.scalars[TAB])


@inner
def follow(tab, lex, memo, end, stack, column):  # type: ignore[no-untyped-def]
    """Feed the token of row `end` of lex.ends: (stack after it, lexer state before the next token).

    The stack is 0 where that is an error or a dead end; GROW or NEED_LEXER.
    """
    terminal, after = np.int64(lex.ends[end, 0]), np.int64(stack)
    if not (tab.ignored[terminal >> 6] >> np.uint64(terminal & 63)) & np.uint64(1):
        after = take(tab, memo, stack, terminal, column)
        if after <= 0:
            return after, np.int64(0)
    context, guard = tab.contexts[memo.stacks[after, STACK_STATE]], lex.ends[end, 1]
    begun = np.int64(lex.starts[context, guard])
    if begun == UNKNOWN:
        memo.wanted[0], memo.wanted[1] = context, guard
        return np.int64(NEED_LEXER), begun
    good = alive(tab, lex, memo, after, begun)
    return (after if good > 0 else good), begun


@inner
def enter(tab, lex, memo, n, state, stack, column):  # type: ignore[no-untyped-def]
    """Put the threads on the agenda that a lexer state gives: the token goes on, or it ends here and the next
    begins.
    """
    rows = tab.bytes.shape[0]
    good = alive(tab, lex, memo, stack, state)
    if good < 0:
        return np.int64(good)
    if good:
        n = add(memo, n, state * rows, stack, column)
    for end in range(lex.first_end[state], lex.first_end[state + 1]):
        if n < 0:
            break
        after, begun = follow(tab, lex, memo, end, stack, column)
        if after < 0:
            return after
        if after:
            n = add(memo, n, begun * rows, after, np.int64(-1))
    return np.int64(n)


@inner
def possible(tab, lex, memo, state, stack, column):  # type: ignore[no-untyped-def]
    """1 when `enter` would put a thread on the agenda, 0 when none, GROW or NEED_LEXER."""
    good = alive(tab, lex, memo, stack, state)
    if good != 0:
        return np.int64(good)
    for end in range(lex.first_end[state], lex.first_end[state + 1]):
        after, _ = follow(tab, lex, memo, end, stack, column)
        if after != 0:
            return np.int64(min(after, np.int64(1)))
    return np.int64(0)


@inner
def possible_inside(tab, lex, memo, state, row, stack, column):  # type: ignore[no-untyped-def]
    """1 when some character that the bytes so far begin leads on, 0 when none does, GROW or NEED_LEXER."""
    for symbol in range(lex.next.shape[1]):
        if (tab.within[row, symbol >> 6] >> np.uint64(symbol & 63)) & np.uint64(1):
            after = np.int64(lex.next[state, symbol])
            if after:
                good = possible(tab, lex, memo, after, stack, column)
                if good != 0:
                    return good
    return np.int64(0)


@allocating
def intern(tab, lex, memo, n):  # type: ignore[no-untyped-def]
    """Id of the configuration of the first n agenda threads, made if new; GROW."""
    rows = tab.bytes.shape[0]
    h = np.uint64(n)
    for i in range(n):
        h = joined(h, memo.agenda[i, LEX], memo.agenda[i, STACK], memo.agenda[i, COLUMN])
    place = slot(memo.table, spread(h))
    while memo.table[place] != 0:
        c = memo.table[place]
        first = memo.configs[c, 1]
        same, k = memo.configs[c + 1, 1] - first == n, np.int64(0)
        while same and k < n:
            same = (
                memo.threads[first + k, LEX] == memo.agenda[k, LEX]
                and memo.threads[first + k, STACK] == memo.agenda[k, STACK]
                and memo.threads[first + k, COLUMN] == memo.agenda[k, COLUMN]
            )
            k += 1
        if same:
            return np.int64(c)
        place = next_slot(memo.table, place)
    config, first = memo.counts[N_LEXED], memo.counts[N_THREADS]
    if config + 2 >= memo.trans.shape[0] or first + n > memo.threads.shape[0]:
        return np.int64(GROW)
    accepting = 0
    for i in range(n):
        for column in range(3):
            memo.threads[first + i, column] = memo.agenda[i, column]
        state, row = memo.agenda[i, LEX] // rows, memo.agenda[i, LEX] % rows
        if row == 0 and lex.fresh[state] & 2 and memo.shiftable[memo.agenda[i, STACK], 0] & np.uint64(1):
            accepting = 1
    memo.configs[config, 0], memo.configs[config, 1], memo.configs[config + 1, 1] = accepting, first, first + n
    memo.trans[config, :] = UNKNOWN
    memo.counts[N_LEXED], memo.counts[N_THREADS] = config + 1, first + n
    memo.table[place] = config
    return np.int64(config)


@inner
def step(tab, lex, memo, config, byte):  # type: ignore[no-untyped-def]
    """The configuration after one byte: 0, an id, or GROW, NEED_LEXER, CROWDED (nothing changed: call again)."""
    known = memo.trans[config, byte]
    if known >= 0:
        return np.int64(known)
    rows = tab.bytes.shape[0]
    n = np.int64(0)
    for i in range(memo.configs[config, 1], memo.configs[config + 1, 1]):
        state, row = memo.threads[i, LEX] // rows, memo.threads[i, LEX] % rows
        stack, column = memo.threads[i, STACK], memo.threads[i, COLUMN]
        found = np.int64(tab.bytes[row, byte])
        if found < 0:
            continue
        if found < CLASS:
            good = possible_inside(tab, lex, memo, state, found, stack, column)
            if good < 0:
                return good
            if good:
                n = add(memo, n, state * rows + found, stack, column)
        else:
            after = np.int64(lex.next[state, found - CLASS])
            if after:
                n = enter(tab, lex, memo, n, after, stack, column_after(tab, lex, after, column, byte))
        if n < 0:
            return n
    reached = intern(tab, lex, memo, n) if n else np.int64(0)
    if reached >= 0:
        memo.trans[config, byte] = reached
    return reached


@inner
def can_take(tab, lex, memo, config, byte):  # type: ignore[no-untyped-def]
    """1 when the byte is possible, 0 when not, without making the configuration it leads to; GROW or NEED_LEXER."""
    known = memo.trans[config, byte]
    if known >= 0:
        return np.int64(known > 0)
    rows = tab.bytes.shape[0]
    for i in range(memo.configs[config, 1], memo.configs[config + 1, 1]):
        state, row = memo.threads[i, LEX] // rows, memo.threads[i, LEX] % rows
        stack, column = memo.threads[i, STACK], memo.threads[i, COLUMN]
        found, good = np.int64(tab.bytes[row, byte]), np.int64(0)
        if found >= CLASS:
            after = np.int64(lex.next[state, found - CLASS])
            if after:
                good = possible(tab, lex, memo, after, stack, column_after(tab, lex, after, column, byte))
        elif found >= 0:
            good = possible_inside(tab, lex, memo, state, found, stack, column)
        if good != 0:
            return good
    return np.int64(0)


@inner
def try_feed(tab, lex, memo, stack, terminal):  # type: ignore[no-untyped-def]
    """The stack after a terminal, newlines like any other; 0 when it is an error, GROW."""
    if terminal == tab.scalars[NEWLINE] and memo.stacks[memo.stacks[stack, STACK_MARGIN], STACK_MARGIN] > 0:
        return np.int64(stack)
    return feed(tab, memo, stack, terminal, memo.stacks[stack, STACK_MARGIN])


@inner
def advance(tab, lex, memo, config, data):  # type: ignore[no-untyped-def]
    """The configuration after all bytes of u8 array `data`; stops at 0, GROW, NEED_LEXER or CROWDED."""
    for i in range(data.shape[0]):
        config = step(tab, lex, memo, config, np.int64(data[i]))
        if config <= 0:
            break
    return config


@inner
def begin(tab, lex, memo):  # type: ignore[no-untyped-def]
    """Intern the configuration before the first byte."""
    margin = node(memo, np.int64(0), np.int64(-1), np.int64(0))
    stack = node(memo, np.int64(0), tab.scalars[FIRST_STATE], margin)
    begun = np.int64(lex.starts[tab.contexts[tab.scalars[FIRST_STATE]], 0])
    if begun == UNKNOWN:
        memo.wanted[0], memo.wanted[1] = tab.contexts[tab.scalars[FIRST_STATE]], 0
        return np.int64(NEED_LEXER)
    good = alive(tab, lex, memo, stack, begun)
    if good <= 0:
        return good
    n = add(memo, np.int64(0), begun * tab.bytes.shape[0], stack, np.int64(-1))
    return intern(tab, lex, memo, n)


@inner
def fill_row(tab, lex, memo, trie, config, row, path):  # type: ignore[no-untyped-def]
    """Set bit t of u32 array `row` for every token t allowed in `config`, by one walk over the vocabulary's trie.

    Returns how many trie nodes were visited, or GROW, NEED_LEXER, CROWDED (call again: what was found stays found).
    path is i64 scratch of at least the trie's depth + 1.
    """
    path[0] = config
    i, n, visited = np.int64(1), trie.byte.shape[0], np.int64(0)
    while i < n:
        visited += 1
        depth, byte = np.int64(trie.depth[i]), np.int64(trie.byte[i])
        before = path[depth - 1]
        after = np.int64(memo.trans[before, byte])
        if after < 0:  # also at leaves: the next token that has this byte here finds it known
            after = step(tab, lex, memo, before, byte)
            if after < 0:
                return after
        if after == 0:
            i = np.int64(trie.skip[i])
            continue
        for k in range(trie.token_start[i], trie.token_start[i + 1]):
            t = trie.token[k]
            row[t >> 5] |= np.uint32(1) << np.uint32(t & 31)
        path[depth] = after
        i += 1
    return visited


@inner
def rehash(memo):  # type: ignore[no-untyped-def]
    """Rebuild both hash tables (after they were replaced by larger, zeroed ones)."""
    for k in range(1, memo.counts[N_STACKS]):
        h = mix(memo.stacks[k, STACK_PARENT], memo.stacks[k, STACK_STATE], memo.stacks[k, STACK_MARGIN])
        memo.stack_table[free_slot(memo.stack_table, h)] = k
    for c in range(2, memo.counts[N_LEXED]):
        first, end = memo.configs[c, 1], memo.configs[c + 1, 1]
        h = np.uint64(end - first)
        for i in range(first, end):
            h = joined(h, memo.threads[i, LEX], memo.threads[i, STACK], memo.threads[i, COLUMN])
        memo.table[free_slot(memo.table, spread(h))] = c
