"""The arrays that kernels read and write, as named tuples: every field's dtype, shape and meaning is written here once.

Numbers used throughout:
    DEAD = 0      the configuration no byte can continue; also the row entry "this byte is impossible"
    FINISHED = 1  after a stop token: nothing may follow
    START = 2     before the first byte
    UNKNOWN       a transition that exists and has not been computed yet; negative, as all of kernels/codes.py
    FAR           distance of what cannot be reached at all; LONG caps distances that are finite
"""

from __future__ import annotations

from typing import Annotated, NamedTuple, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

# Arrays by dtype and number of dimensions, in C order: what entries and groups declare (kernels/_signatures.py).
READ_ONLY, STRIDED = "read only", "strided"
I64_1D: TypeAlias = Annotated[NDArray[np.int64], 1]
I64_2D: TypeAlias = Annotated[NDArray[np.int64], 2]
I64_3D: TypeAlias = Annotated[NDArray[np.int64], 3]
I32_1D: TypeAlias = Annotated[NDArray[np.int32], 1]
I32_2D: TypeAlias = Annotated[NDArray[np.int32], 2]
I16_1D: TypeAlias = Annotated[NDArray[np.int16], 1]
I16_2D: TypeAlias = Annotated[NDArray[np.int16], 2]
I8_1D: TypeAlias = Annotated[NDArray[np.int8], 1]
U64_1D: TypeAlias = Annotated[NDArray[np.uint64], 1]
U64_2D: TypeAlias = Annotated[NDArray[np.uint64], 2]
U32_1D: TypeAlias = Annotated[NDArray[np.uint32], 1]
U16_1D: TypeAlias = Annotated[NDArray[np.uint16], 1]
U8_1D: TypeAlias = Annotated[NDArray[np.uint8], 1]
U32_2D: TypeAlias = Annotated[NDArray[np.uint32], 2]
U8_2D: TypeAlias = Annotated[NDArray[np.uint8], 2]
F64_1D: TypeAlias = Annotated[NDArray[np.float64], 1]
F64_2D: TypeAlias = Annotated[NDArray[np.float64], 2]
F32_1D: TypeAlias = Annotated[NDArray[np.float32], 1]
F32_2D: TypeAlias = Annotated[NDArray[np.float32], 2]
BOOL_1D: TypeAlias = Annotated[NDArray[np.bool_], 1]
A = TypeVar("A")
In: TypeAlias = Annotated[A, READ_ONLY]  # an array that is only read
Strided: TypeAlias = Annotated[A, STRIDED]  # an array of any strides
Handle: TypeAlias = I64_2D  # addresses and shapes of groups of arrays (kernels/handles.py)

DEAD, FINISHED, START = 0, 1, 2
THE_END = -1  # of the text, where a byte is awaited
MARK = 0xFD  # the byte, which UTF-8 has not, that begins what stands for a text of an embedded grammar
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
WIDE = (
    9  # added to ADD, HAS, LACKS: the register is the number of an interned set (Memo.sets), arg a row of Network.wide
)

SPARE = 16  # pass if attr <= arg                        a character that adds to the length of the shortest text
WEIGH = 17  # attr = attr + arg                          it has begun
LEAVE = 18  # attr = 0                                   leave the graph
LIKE = 19  # as UPTO in segment arg, then the least like count; in blurred networks (automata/blur.py)

# Kinds of segment a node may lie in: they decide what is left to write after the segment's end.
COUNTED, MEMBER, SEPARATOR, WEIGHED = 1, 2, 3, 4


# Columns. One row per thing, as i64, so that a kernel takes few arrays and one row is one cache line.
CHAIN, ARCS, CALLS, SILENT, KIND, RULE, LEAST, SEGMENT = range(8)  # Network.nodes
SET, ARC_TO = range(2)  # Network.arcs
CALLED, CALL_TO, SOLID = range(3)  # Network.calls
SILENT_TO, OP, ARG = range(3)  # Network.silent
FIRST, RULE_LEAST = range(2)  # Network.rules
SORT, MINIMUM, BODY, EXIT, EXTRA, MEMBERS, BROAD = range(7)  # Network.segments
MORE = BROAD  # of COUNTED segments of blurred networks


class Network(NamedTuple):
    """Rule networks.  n nodes, r rules, s byte sets, g segments.  Row n of nodes and row g of segments only end spans.

    nodes     i64 (n+1, 8)
        CHAIN       the only byte edge of this node: byte -> node + 1; -1 = none
        ARCS        first row in `arcs`, which ends where the next node's begins; CALLS and SILENT likewise
        KIND        bits ENDS end of its rule; STAYS has byte or call edges, so items here identify a configuration;
                    TAIL end of its rule and nothing else (returning to it is a tail call); FINAL end of the grammar;
                    CONDUCTS fewer than MANY_BYTES bytes lead on, none back, and nothing else is here
        RULE        the rule it belongs to
        LEAST       fewest bytes from here to the end of the node's segment, or of its rule outside segments
        SEGMENT     segment number or -1
    arcs      i64 (arcs, 2)     byte-set edges: SET row of `sets`, ARC_TO target node
    sets      u64 (s, 4)        256-bit byte sets
    calls     i64 (calls, 3)    CALLED rule, CALL_TO node to return to, SOLID 1 = the empty string is no call
    silent    i64 (silent, 3)   epsilon edges: SILENT_TO target, OP one of PLAIN..NEXT, ARG its argument
    rules     i64 (r, 2)        FIRST node, RULE_LEAST fewest bytes (0 = nullable)
    segments  i64 (g+1, 7)
        SORT        COUNTED, MEMBER or SEPARATOR; WEIGHED: a graph whose texts are bounded, LEAST is to its rule's end
        MINIMUM     COUNTED: repetitions required;  else bit set of required members (BROAD: row of `wide`)
        BODY        COUNTED: fewest bytes of one repetition;  else of a separator
        EXIT        fewest bytes after the segment up to the rule's end
        EXTRA       COUNTED: repetitions allowed;  else fewest bytes of an extra member, FAR if there is none
        MEMBERS     first row in `members`
        MORE        COUNTED, in a blurred network: the most repetitions that a token within reach completes
        BROAD       1 = more members than the register has bits, so it numbers an interned set instead
    members   i64 (m,)          fewest bytes of each member, by bit number
    wide      u64 (., w)        bit sets of BROAD segments; w words hold the most members of any
    """

    nodes: I64_2D
    arcs: I64_2D
    sets: U64_2D
    calls: I64_2D
    silent: I64_2D
    rules: I64_2D
    segments: I64_2D
    members: I64_1D
    wide: U64_2D


# Operations of a program (automata/program.py writes it, kernels/emission.py runs it). Parts `p` follow in place.
DO_LITERAL = 0  # n, n bytes
DO_SET = 1  # four words of bits
DO_CALL = 2  # rule, SOLID
DO_SEQ = 3  # n, n parts
DO_ALT = 4  # n, n parts
DO_GRAPH = (
    5  # states, start, TerminalBody that they are equivalent to or -1, accepts, labels, parts, edges, words of it all,
)
#               most weight or -1; the accepting states; if they are, the prefix after which or -1 per state; where the
#               parts of each label begin, and their number; parts (where its first byte is written, where the rest or
#               -1), from the end of what is about edges; edges (from, label, to), their weights if there is a most;
#               what they refer to
DO_OPTIONAL = 6  # p
DO_STAR = 7  # least repetitions (0 or 1), p
DO_COUNTED = 8  # least, most (-1: no bound), p
DO_COUNTED_RULE = 9  # least, most, rule to be called once per repetition
DO_UNORDERED = 10  # n, 1 = there is an extra member, 1 = sets are interned; n times 1 = required; n parts; the extra
#                    part; the separator
DO_TERMINAL = 11  # number of a TerminalBody, EXACT or BOUNDED, least, most repetitions if it is BOUNDED, p

# Columns of RuleNetworks.spans: nodes [SPAN_FIRST, SPAN_END) behave as TerminalBody SPAN_KEY does, up to SPAN_AFTER.
SPAN_KEY, SPAN_FIRST, SPAN_END, SPAN_AFTER, SPAN_SORT, SPAN_LOW, SPAN_HIGH = range(7)
# SPAN_SORT: the same; the same but for the bounds; states that behave like it after a prefix
EXACT, BOUNDED, EQUIVALENT = range(3)

ENDS, STAYS, TAIL, FINAL, CONDUCTS = 1, 2, 4, 8, 16  # bits of Network.kind
MANY_BYTES = 24  # of what is wide

# Slots of Memo.counts
N_CONFIGS, N_ITEMS, N_SCANS, N_CALLERS, N_SETS, N_MEASURED, N_WRITTEN = range(7)


ACCEPTING, DISTANCE, ITEMS, SCANS, CALLERS = range(5)  # Memo.configs
NODE, ORIGIN, ATTR = range(3)  # Memo.items, Memo.scans, Work.agenda
BY_RULE, BACK_TO, BACK_ORIGIN, BACK_ATTR, BACK_FAR = range(5)  # Memo.callers
SLOT, STAMP = range(2)  # Work.seen
LOOPS = 4  # Memo.live: behind four words of bits
UNSET = np.uint64(1 << 63)


class Memo(NamedTuple):
    """Interned configurations.  Ids are dense; slabs double when full.  An item is (NODE, ORIGIN, ATTR).

    counts    i64 (7,)        configurations, items, scans, callers, sets in use; configurations measured; rows of
                              transitions written to, each time counted
    trans     i32 (C, 256)    next configuration; 0 where there is none or it is not noted: DEAD unless the byte is in
                              `live`. So a row may be set to zeros at any time (earley.look)
    live      u64 (C, 5)      the set of bytes that lead on; LOOPS classes of characters that lead back
                              here (kernels/self_loops.py), UNSET until somebody asks
    configs   i64 (C+1, 5)    ACCEPTING the text so far is complete; DISTANCE fewest bytes to a complete one (if
                              measured); ITEMS, SCANS, CALLERS first rows, ending where the next configuration's begin
    items     i64 (., 3)      the kernel: what identifies a configuration, sorted
    scans     i64 (., 3)      closure items with byte edges
    callers   i64 (., 5)      who called which rule here, sorted by rule: BY_RULE the rule called, BACK_TO node to
                              return to, BACK_ORIGIN and BACK_ATTR of the calling item, BACK_FAR fewest bytes from
                              that return to a complete text (if measured)
    table     i32 (H,)        open-addressing hash of kernels, 0 = free; H is a power of two >= 2 C
    sets      u64 (S, w)      interned sets of written members, for registers of BROAD segments; number 0 is empty
    set_table i32 (2 S,)      open-addressing hash of sets, 0 = free
    """

    counts: I64_1D
    trans: I32_2D
    live: U64_2D
    configs: I64_2D
    items: I64_2D
    scans: I64_2D
    callers: I64_2D
    table: I32_1D
    sets: U64_2D
    set_table: I32_1D


class Work(NamedTuple):
    """Scratch of one kernel call at a time, room for W items; what was seen is stamped, never cleared.

    agenda i64 (W, 3);  seen i64 (4 W, 2) hash of the agenda: SLOT in it, STAMP of the call;
    predicted i64 (r,) stamp of the last prediction of a rule;  clock i64 (1,) the current stamp.
    """

    agenda: I64_2D
    seen: I64_2D
    predicted: I64_1D
    clock: I64_1D


class Trie(NamedTuple):
    """The vocabulary as a byte trie in depth-first order, node 0 = root.  n nodes, t tokens with a text.

    byte u8 (n,), depth u16 (n,), skip i32 (n,) first node after my subtree, token_start i32 (n+1,) and token i32 (t,):
    the tokens that end at each node.
    """

    byte: U8_1D
    depth: U16_1D
    skip: I32_1D
    token_start: I32_1D
    token: I32_1D


BYTE, TOKEN, BRANCH, END = range(4)  # Radix.nodes
KIDS, CLASSES_BELOW = 4, 5  # Radix.branches: behind four words of bits
LEAF, CHAINED = -1, -2  # in place of a branch
NO_TOKEN, SEVERAL = -1, -2  # in place of a token


class Radix(NamedTuple):
    """A Trie as walks read it: they go to the children that are alive, not past those that are dead.

    nodes     i32 (n, 4)   in the trie's order: BYTE, above its eight bits the depth; TOKEN that ends here, NO_TOKEN or
                           SEVERAL; BRANCH row of
                           `branches`, LEAF without children, CHAINED with one, which is the next node (the root and its
                           children are never CHAINED); END the first node after its subtree
    branches  u64 (b, 6)   the set of the children's bytes, KIDS where they begin in `kids`, CLASSES_BELOW of the
                           characters in the subtree (kernels/self_loops.py)
    kids      i32 (k,)     children by byte
    token_start, token     those of the trie
    """

    nodes: I32_2D
    branches: U64_2D
    kids: I32_1D
    token_start: I32_1D
    token: I32_1D


class Words(NamedTuple):
    """The texts of tokens.  data u8 (bytes,); spans i64 (V, 2) first byte and end of each, or -1 if it is no text."""

    data: In[U8_1D]
    spans: I64_2D


RECORD = 11  # columns of what is known of a terminal row
NEXT_RECORD, LEFT, DUE, MOST, PAIRS, N_PAIRS, ROW_AT, FIRST_AT, EXITS_AT, N_EXITS, LEAVING_AT = range(RECORD)
HEADS_AT, N_HEADS, RECORDS_AT, N_RECORDS = range(4)  # TerminalTables.tables


class TerminalTables(NamedTuple):
    """Where the terminal rows of a grammar's spans are (automata/terminals/index.py).

    span      i32 (n,)     span of each node or -1, spans i64 (k, 7), equivalent i64 (n,): see RuleNetworks
    table     i64 (k,)     the row of `tables` of each span
    tables    i64 (., 4)   rows by node, counted from the span's first; or by promise, for spans of that sort. HEADS_AT
                           address of N_HEADS i32: first record of each or -1; RECORDS_AT address of N_RECORDS times i64
                           (11,): NEXT_RECORD of the same node or -1; what the row holds for, by the span's sort:
                           BOUNDED: an item with LEFT repetitions possible and DUE required, of MOST that tokens tell
                           apart; EXACT: the N_PAIRS items (node, register) at address PAIRS; EQUIVALENT: the promise.
                           Then the row: u32 words at ROW_AT (0: it does not pay, walk); local.Exits at FIRST_AT (0:
                           none) and EXITS_AT, N_EXITS of them; addresses of the arrays of a Radix at LEAVING_AT, or 0
    """

    span: I32_1D
    spans: I64_2D
    equivalent: I64_1D
    table: I64_1D
    tables: I64_2D


PATH = 11  # columns of a walk's path


class Scratch(NamedTuple):
    """Of one mask at a time; P scan items, G groups of them, walks begun at S nodes.

    part i64 (P,) group of each scan item;  chosen i64 (P,) record of each, or -1;  groups i64 (G, 3) span, origin and
    number of items of each group;  root i32 (256,) transitions of some of a state's items;  seeds i64 (S, 2) and path
    u64 (depth + 2, PATH): see walks.walk and survey.survey;  no_cut i64 (1, 2): see walks.fill_row;  noted i64, empty
    or with room for every node and one more, and awaited i64 (1,), a byte or THE_END: see walks.walk
    """

    part: I64_1D
    chosen: I64_1D
    groups: I64_2D
    root: I32_1D
    seeds: I64_2D
    path: U64_2D
    no_cut: I64_2D
    noted: I64_1D
    awaited: I64_1D
