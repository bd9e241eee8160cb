"""Byte by byte through a lexer and an LALR parser at once: interned sets of threads, like kernels/earley.py's of items.

A thread is (lex, stack, column): where the lexer is (state * byte rows + byte row inside a character), a stack
(kernels/lr.py), and the columns since the last newline of an open newline token (-1: none).
Where a token may end the thread goes on both ways: the token continues, or it is fed to the parser and the next begins.
Almost every configuration holds one or two threads. A thread from which no end of the text can be reached is dropped at
once: what its lexer state leads to and what its stack leads to the end must have a token in common.

Cost of a step: linear in threads and in the reductions they make; a known transition: one load. Reference: lark itself,
in tests/lark.
"""

from __future__ import annotations

import numpy as np

from structgen.kernels._jit import allocating, inner
from structgen.kernels.codes import CROWDED, GROW, UNKNOWN
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
    learn_live,
    newline,
    node,
    take,
)


@inner
def has_column(lex, state, column, wanted):  # type: ignore[no-untyped-def]
    """Whether a newline token that is open, or begins, can still bring its last line to a column."""
    further = lex.columns[state, 1] >> np.uint64(min(wanted, 63)) & np.uint64(1)
    if further or column < 0 or wanted < column:
        return further > 0
    return (lex.columns[state, 0] >> np.uint64(min(wanted - column, 63)) & np.uint64(1)) > 0


@inner
def begins_line(tab, lex, memo, stack, state, column, wanted):  # type: ignore[no-untyped-def]
    """1 when a newline token that ends at the column `wanted` leads on, 0 when not, GROW or NEED_CLASS."""
    after = newline(tab, memo, stack, wanted)
    if after <= 0:
        return after
    grown = learn_live(tab, memo, after)
    if grown < 0:
        return grown
    context = tab.contexts[memo.stacks[after, STACK_STATE]]
    for pair in range(lex.guards.shape[0]):
        w, bit = pair >> 6, np.uint64(1) << np.uint64(pair & 63)
        if lex.lines[w] & lex.reach[state, w] & bit:
            begun = lex.starts[context, lex.guards[pair]]
            if lex.fresh[begun] & 2 and memo.live[after, 0] & np.uint64(1):
                return np.int64(1)
            for v in range(memo.live.shape[1]):
                if lex.reach[begun, v] & memo.live[after, v]:
                    return np.int64(1)
    return np.int64(0)


@inner
def finds_column(tab, lex, memo, stack, state, column):  # type: ignore[no-untyped-def]
    """1 when a newline token can end at a column that fits the open blocks, 0 when not, GROW or NEED_CLASS."""
    margin = memo.stacks[stack, STACK_MARGIN]
    top = -1 - memo.stacks[margin, STACK_STATE]
    for wanted in range(top + 1, top + 66):  # a block begins: of the columns beyond one is as good as another
        if has_column(lex, state, column, wanted):
            good = begins_line(tab, lex, memo, stack, state, column, np.int64(wanted))
            if good != 0:
                return good
            break
    while margin > 0:
        wanted = -1 - memo.stacks[margin, STACK_STATE]
        if has_column(lex, state, column, wanted):
            good = begins_line(tab, lex, memo, stack, state, column, wanted)
            if good != 0:
                return good
        margin = memo.stacks[margin, STACK_PARENT]
    return np.int64(0)


@inner
def alive(tab, lex, memo, stack, state, column):  # type: ignore[no-untyped-def]
    """1 when from a lexer state and a stack the end of the text can be reached, 0 when not, GROW or NEED_CLASS."""
    grown = learn_live(tab, memo, stack)
    if grown < 0:
        return grown
    if lex.fresh[state] & 2 and memo.live[stack, 0] & np.uint64(1):
        return np.int64(1)
    line = False
    for w in range(memo.live.shape[1]):
        bits = lex.reach[state, w] & memo.live[stack, w]
        if bits & ~lex.lines[w]:
            return np.int64(1)
        line |= bits > 0
    if not line or lex.newline[state] & 2 or memo.stacks[memo.stacks[stack, STACK_MARGIN], STACK_MARGIN] > 0:
        return np.int64(line)
    return finds_column(tab, lex, memo, stack, state, column)


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
    if not lex.newline[state]:
        return np.int64(-1)
    if byte == 10:
        return np.int64(0)
    if column < 0:
        return np.int64(-1)
    return np.int64(column + (byte == 32) + (byte == 9) * tab.scalars[TAB])


@inner
def follow(tab, lex, memo, end, stack, column):  # type: ignore[no-untyped-def]
    """Feed the token of row `end` of lex.ends: (stack after it, lexer state before the next token).

    The stack is 0 where that is an error or a dead end; GROW or NEED_CLASS.
    """
    terminal, after = np.int64(lex.ends[end, 0]), np.int64(stack)
    if not (tab.ignored[terminal >> 6] >> np.uint64(terminal & 63)) & np.uint64(1):
        after = take(tab, memo, stack, terminal, column)
        if after <= 0:
            return after, np.int64(0)
    begun = np.int64(lex.starts[tab.contexts[memo.stacks[after, STACK_STATE]], lex.ends[end, 1]])
    good = alive(tab, lex, memo, after, begun, np.int64(-1))
    return (after if good > 0 else good), begun


@inner
def enter(tab, lex, memo, n, state, stack, column):  # type: ignore[no-untyped-def]
    """Put the threads on the agenda that a lexer state gives: the token goes on, or it ends here and the next
    begins.
    """
    rows = tab.bytes.shape[0]
    good = alive(tab, lex, memo, stack, state, column)
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
    """1 when `enter` would put a thread on the agenda, 0 when none, GROW or NEED_CLASS."""
    good = alive(tab, lex, memo, stack, state, column)
    if good != 0:
        return np.int64(good)
    for end in range(lex.first_end[state], lex.first_end[state + 1]):
        after, _ = follow(tab, lex, memo, end, stack, column)
        if after != 0:
            return np.int64(min(after, np.int64(1)))
    return np.int64(0)


@inner
def possible_inside(tab, lex, memo, state, row, stack, column):  # type: ignore[no-untyped-def]
    """1 when some character that the bytes so far begin leads on, 0 when none does, GROW or NEED_CLASS."""
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
        if row == 0 and lex.fresh[state] & 2 and memo.live[memo.agenda[i, STACK], 0] & np.uint64(1):
            accepting = 1
    memo.configs[config, 0], memo.configs[config, 1], memo.configs[config + 1, 1] = accepting, first, first + n
    memo.trans[config, :] = UNKNOWN
    memo.counts[N_LEXED], memo.counts[N_THREADS] = config + 1, first + n
    memo.table[place] = config
    return np.int64(config)


@inner
def step(tab, lex, memo, config, byte):  # type: ignore[no-untyped-def]
    """The configuration after one byte: 0, an id, or GROW, NEED_CLASS, CROWDED (nothing changed: call again)."""
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
    """1 when the byte is possible, 0 when not, without making the configuration it leads to; GROW or NEED_CLASS."""
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
    """The configuration after all bytes of u8 array `data`; stops at 0, GROW, NEED_CLASS or CROWDED."""
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
    if stack < 0:
        return stack
    begun = np.int64(lex.starts[tab.contexts[tab.scalars[FIRST_STATE]], 0])
    good = alive(tab, lex, memo, stack, begun, np.int64(-1))
    if good <= 0:
        return good
    n = add(memo, np.int64(0), begun * tab.bytes.shape[0], stack, np.int64(-1))
    return intern(tab, lex, memo, n)


@inner
def fill_row(tab, lex, memo, trie, config, row, path, firsts, exits):  # type: ignore[no-untyped-def]
    """Set bit t of u32 array `row` for every token t allowed in `config`, by one walk over the vocabulary's trie.

    If i64 `exits` is not empty, the nodes below the root's children whose parent ends a complete text, and whose byte
    is marked in u8 (256,) `firsts`, are added to it, in order; exits[0] counts them.

    Returns how many trie nodes were visited, or GROW, NEED_CLASS, CROWDED (call again: what was found stays found).
    path is i64 scratch of at least the trie's depth + 1, exits has room for its nodes.
    """
    path[0] = config
    if exits.shape[0] > 0:
        exits[0] = 0
    i, n, visited = np.int64(1), trie.byte.shape[0], np.int64(0)
    while i < n:
        visited += 1
        depth, byte = np.int64(trie.depth[i]), np.int64(trie.byte[i])
        before = path[depth - 1]
        if exits.shape[0] > 0 and firsts[byte] and depth > 1 and memo.configs[before, 0]:
            exits[0] += 1
            exits[exits[0]] = i
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
