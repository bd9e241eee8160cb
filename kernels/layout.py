"""The arrays that kernels read and write, as named tuples: every field's dtype, shape and meaning is written here once.

Numbers used throughout:
    DEAD = 0      the configuration no byte can continue; also the row entry "this byte is impossible"
    FINISHED = 1  after a stop token: nothing may follow
    START = 2     before the first byte
    UNKNOWN = -1  a transition that exists and has not been computed yet
    GROW = -2     a kernel ran out of room; the caller doubles the arrays and calls again
    CROWDED = -3  a configuration holds more items than the work arrays; likewise
    FAR           distance of what cannot be reached at all; LONG caps distances that are finite
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

DEAD, FINISHED, START = 0, 1, 2
UNKNOWN, GROW, CROWDED = -1, -2, -3
FAR = 1 << 60
LONG = 1 << 58

# What an epsilon edge does with the item's register `attr` (0 outside counted and unordered parts).
PLAIN = 0  # nothing
BELOW = 1  # pass if attr < arg                         enter one more repetition
UPTO = 2  # attr = min(attr + 1, arg)                   a repetition is complete
ENOUGH = 3  # pass if attr >= arg, then attr = 0        leave the repetition
ADD = 4  # pass if bit arg is not in attr, then set it  write member number arg
HAS = 5  # pass if attr & arg == arg, then attr = 0     leave: all required members are written
LACKS = 6  # pass if attr & arg != arg                  a separator: some member is left to write
DONE = 7  # nothing (marks the end of a member)
NEXT = 8  # nothing (marks the end of a separator)

# Kinds of segment a node may lie in: they decide what is left to write after the segment's end.
COUNTED, MEMBER, SEPARATOR = 1, 2, 3


class Network(NamedTuple):
    """Rule networks.  n nodes, r rules, s byte sets, g segments.  Edges are CSR by source node.

    field         dtype  shape    meaning
    chain         i16    (n,)     the only edge of this node: byte -> node + 1; -1 = none
    arc_start     i32    (n+1,)   byte-set edges ...
    arc_set       i32    (arcs,)  ... row of `sets`
    arc_to        i32    (arcs,)  ... target node
    sets          u64    (s, 4)   256-bit byte sets
    call_start    i32    (n+1,)   call edges ...
    call_rule     i32    (calls,) ... rule called
    call_to       i32    (calls,) ... node to return to
    call_solid    u8     (calls,) ... 1 = the empty string does not count as a call
    eps_start     i32    (n+1,)   epsilon edges ...
    eps_to        i32    (eps,)
    eps_op        u8     (eps,)   ... one of PLAIN..NEXT
    eps_arg       i64    (eps,)
    kind          u8     (n,)     bit 0: end of its rule; bit 1: has byte or call edges (stays in a configuration);
                                  bit 2: end of its rule and nothing else (a return to it is a tail call);
                                  bit 3: the end of the whole grammar
    rule_of       i32    (n,)     rule a node belongs to
    rule_start    i32    (r,)     first node of a rule
    rule_least    i64    (r,)     fewest bytes of a rule; 0 = nullable
    least         i64    (n,)     fewest bytes from here to the end of the node's segment, or of its rule outside segments
    segment       i32    (n,)     segment number or -1
    seg_kind      u8     (g,)     COUNTED, MEMBER or SEPARATOR
    seg_min       i64    (g,)     COUNTED: repetitions required;  else: bit set of required members
    seg_body      i64    (g,)     COUNTED: fewest bytes of one repetition;  else: fewest bytes of a separator
    seg_exit      i64    (g,)     fewest bytes after the segment up to the rule's end
    seg_extra     i64    (g,)     fewest bytes of an extra member, FAR if there is none
    member_start  i32    (g+1,)   members of MEMBER and SEPARATOR segments ...
    member_least  i64    (m,)     ... fewest bytes of each, by bit number
    """

    chain: NDArray[np.int16]
    arc_start: NDArray[np.int32]
    arc_set: NDArray[np.int32]
    arc_to: NDArray[np.int32]
    sets: NDArray[np.uint64]
    call_start: NDArray[np.int32]
    call_rule: NDArray[np.int32]
    call_to: NDArray[np.int32]
    call_solid: NDArray[np.uint8]
    eps_start: NDArray[np.int32]
    eps_to: NDArray[np.int32]
    eps_op: NDArray[np.uint8]
    eps_arg: NDArray[np.int64]
    kind: NDArray[np.uint8]
    rule_of: NDArray[np.int32]
    rule_start: NDArray[np.int32]
    rule_least: NDArray[np.int64]
    least: NDArray[np.int64]
    segment: NDArray[np.int32]
    seg_kind: NDArray[np.uint8]
    seg_min: NDArray[np.int64]
    seg_body: NDArray[np.int64]
    seg_exit: NDArray[np.int64]
    seg_extra: NDArray[np.int64]
    member_start: NDArray[np.int32]
    member_least: NDArray[np.int64]


ENDS, STAYS, TAIL, FINAL = 1, 2, 4, 8  # bits of Network.kind

# Slots of Memo.counts
N_CONFIGS, N_ITEMS, N_SCANS, N_CALLERS = 0, 1, 2, 3


class Memo(NamedTuple):
    """Interned configurations.  Ids are dense; slabs double when full.  An item is (node, origin, attr).

    field          dtype  shape    meaning
    counts         i64    (4,)     configurations, items, scans, callers in use
    trans          i32    (C, 256) next configuration, DEAD or UNKNOWN
    accepting      u8     (C,)     the text so far is complete
    distance       i64    (C,)     fewest bytes to a complete text
    item_start     i32    (C+1,)   the kernel: what identifies a configuration, sorted ...
    item_*                         ... node i32, origin i32, attr i64
    scan_start     i32    (C+1,)   closure items with byte edges ...
    scan_*                         ... node i32, origin i32, attr i64
    caller_start   i32    (C+1,)   who called which rule here, sorted by rule ...
    caller_rule    i32             ... the rule that was called
    caller_to      i32             ... node to return to
    caller_origin  i32             ... origin of the calling item
    caller_attr    i64             ... its register
    caller_far     i64             ... fewest bytes from that return to a complete text
    table          i32    (H,)     open-addressing hash of kernels, 0 = free; H is a power of two >= 2 C
    """

    counts: NDArray[np.int64]
    trans: NDArray[np.int32]
    accepting: NDArray[np.uint8]
    distance: NDArray[np.int64]
    item_start: NDArray[np.int32]
    item_node: NDArray[np.int32]
    item_origin: NDArray[np.int32]
    item_attr: NDArray[np.int64]
    scan_start: NDArray[np.int32]
    scan_node: NDArray[np.int32]
    scan_origin: NDArray[np.int32]
    scan_attr: NDArray[np.int64]
    caller_start: NDArray[np.int32]
    caller_rule: NDArray[np.int32]
    caller_to: NDArray[np.int32]
    caller_origin: NDArray[np.int32]
    caller_attr: NDArray[np.int64]
    caller_far: NDArray[np.int64]
    table: NDArray[np.int32]


class Work(NamedTuple):
    """Scratch of one kernel call at a time.  W items at most; the set of seen items is stamped, never cleared.

    node i32, origin i32, attr i64 (W,) the agenda;  slot i32, stamp i64 (4 W,) hash of the agenda;
    rule_stamp i64 (r,) rules already predicted;  clock i64 (1,) the current stamp;  order i64 (W,) for sorting.
    """

    node: NDArray[np.int32]
    origin: NDArray[np.int32]
    attr: NDArray[np.int64]
    slot: NDArray[np.int32]
    stamp: NDArray[np.int64]
    rule_stamp: NDArray[np.int64]
    clock: NDArray[np.int64]


class Trie(NamedTuple):
    """The vocabulary as a byte trie in depth-first order, node 0 = root.  n nodes, t tokens with a text.

    byte u8 (n,), depth u16 (n,), skip i32 (n,) first node after my subtree, token_start i32 (n+1,) and token i32 (t,):
    the tokens that end at each node.
    """

    byte: NDArray[np.uint8]
    depth: NDArray[np.uint16]
    skip: NDArray[np.int32]
    token_start: NDArray[np.int32]
    token: NDArray[np.int32]
