"""The lazy automaton of a lexed grammar: the twin of automata/configurations.py for an LALR parser behind a lexer.

A state is an int as everywhere, so matchers, masks, forks and rollbacks know no difference. The kernels grow
configurations and stacks; when they meet a kind of stack for the first time they ask whether it can reach the end of a
text (liveness.py).

Cost: a known transition is one look-up; a new kind of stack up to a millisecond; a new configuration what
kernels/lexed.py says.
"""

from __future__ import annotations

import functools
import heapq
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structgen.automata.lexed import completion
from structgen.automata.lexed.completion import Needs
from structgen.automata.lexed.lexing import LexTable
from structgen.automata.lexed.liveness import Liveness
from structgen.errors import InvariantError, LimitExceeded, Unsatisfiable
from structgen.grammars.ir_lr import LexedGrammar
from structgen.kernels import lexed_entries as entries
from structgen.kernels import lr
from structgen.kernels.codes import CROWDED, GROW, NEED_CLASS
from structgen.kernels.handles import handle
from structgen.kernels.layout import DEAD, FINISHED, START
from structgen.kernels.lr import N_LEXED, N_STACKS, LexMemo, LrTables

NO_BYTES, NO_NODES = np.zeros(256, np.uint8), np.zeros(0, np.int64)
MOST_COMPLETION = 100_000  # configurations looked at for a completion


class LexedConfigurations:
    """The configurations of one lexed grammar met so far.

    Thread-safe. `limit_bytes` bounds the memory of the slabs: beyond it LimitExceeded is raised and nothing changes.
    Raises Unsatisfiable when no text is in the language.
    """

    def __init__(self, grammar: LexedGrammar, *, limit_bytes: int = 1 << 30) -> None:
        self.grammar = grammar
        self.lock = threading.RLock()
        self._limit_bytes = limit_bytes
        self._tables = tables_of(grammar)
        self._lex = LexTable(grammar)
        self._liveness = Liveness(grammar, self._lex)
        self._memo = _empty_memo(self._liveness)
        self._bind()
        self._completions: dict[int, bytes] = {}
        self._known_letters: dict[int, list[bytes]] = {}
        self._known_needs: dict[tuple[int, int], int] = {}
        self._known_stacks: dict[int, int] = {}
        start = self.call(entries.begin)
        if start == DEAD:
            raise Unsatisfiable("no finite text satisfies it")
        if start != START:
            raise InvariantError("START", f"the first configuration got id {start}")

    def call(self, kernel: Callable[..., Any], *arguments: Any) -> int:
        """Run an entry of kernels/lexed_entries.py, providing what it asks for; its result, >= 0."""
        with self.lock:
            while True:
                result = int(kernel(self._handle, *arguments))
                if result >= 0:
                    return result
                if result == GROW:
                    self._grow()
                elif result == NEED_CLASS:
                    self._liveness.enter(*self._memo.wanted.tolist())
                    self._memo = self._memo._replace(class_next=self._liveness.next, class_live=self._liveness.live)
                    self._bind()
                elif result == CROWDED:
                    raise LimitExceeded("too many ways to cut a text", limit="threads", allowed=len(self._memo.agenda))
                else:
                    raise InvariantError("LIVE", f"a kernel returned {result}")

    def _bind(self) -> None:
        self._handle = handle(self._tables, self._lex.arrays, self._memo)

    def advance(self, state: int, data: bytes) -> int:
        """The configuration after `data`, or DEAD. Raises LimitExceeded when memory runs out."""
        if not data or state == DEAD:
            return state
        return DEAD if state == FINISHED else self.call(entries.advance, state, np.frombuffer(data, np.uint8))

    def fill_row(
        self,
        trie: Any,
        state: int,
        row: NDArray[np.uint32],
        path: NDArray[np.int64],
        firsts: NDArray[np.uint8] = NO_BYTES,
        exits: NDArray[np.int64] = NO_NODES,
    ) -> int:
        """Set the bits of the tokens of `trie` that are allowed; how many trie nodes were visited. With `exits`, also
        the nodes at which something else may begin behind a complete text (kernels/lexed.py)."""
        return 0 if state == FINISHED else self.call(entries.fill_row, trie, state, row, path, firsts, exits)

    def is_accepting(self, state: int) -> bool:
        """Whether the text so far is complete."""
        return state >= START and bool(self._memo.configs[state, 0])

    def live_bytes(self, state: int) -> list[int]:
        """The bytes that may come next, ascending."""
        if state < START:
            return []
        return [byte for byte in range(256) if self.call(entries.can_take, state, byte)]

    def distance(self, state: int) -> int:
        """Bytes of the completion that `shortest` gives."""
        return len(self.shortest(state))

    def shortest(self, state: int, limit: int = 1 << 20) -> bytes:
        """A byte-shortest completion, empty once finished. Raises LimitExceeded when none is found within reason."""
        if state == FINISHED:
            return b""
        with self.lock:
            if state not in self._completions:
                self._completions[state] = self._complete(state, limit)
            return self._completions[state]

    def _complete(self, state: int, limit: int) -> bytes:
        """A* over configurations: what is written so far, and what the parser needs at least."""
        reached: dict[int, tuple[int, int, bytes]] = {state: (0, state, b"")}
        heap = [(self._need(state), 0, state)]
        while heap:
            _, written, here = heapq.heappop(heap)
            if self.is_accepting(here):
                return _written(reached, here, state)
            length = -written
            if length > reached[here][0]:
                continue
            for text in self._letters(self._inside(here)):
                after = self.advance(here, text)
                there = length + len(text)
                if after != DEAD and there < reached.get(after, (limit + 1,))[0]:
                    reached[after] = (there, here, text)
                    heapq.heappush(heap, (there + self._need(after), -there, after))  # of equals the farthest
            if len(reached) > MOST_COMPLETION:
                break
        raise LimitExceeded("no completion was found", limit="completion_states", allowed=MOST_COMPLETION)

    @functools.cached_property
    def _needs(self) -> Needs:
        return Needs(self.grammar)

    def _inside(self, state: int) -> int:
        """The byte row that the text ends in: 0 between characters, else that of the character begun."""
        rows = len(self._tables.bytes)
        return int(self._memo.threads[self._memo.configs[state, 1], lr.LEX]) % rows

    def _letters(self, row: int) -> list[bytes]:
        """For each class a shortest text that ends the character begun, or one of one character where none is."""
        if row not in self._known_letters:
            found: dict[int, bytes] = {}
            queue = deque([(row, b"")])
            while queue:
                at, text = queue.popleft()
                for byte, entry in enumerate(self.grammar.bytes[at]):
                    if entry >= lr.CLASS:
                        found.setdefault(entry, text + bytes([byte]))
                    elif entry > 0 and len(found) < self.grammar.symbols:
                        queue.append((entry, text + bytes([byte])))
            self._known_letters[row] = list(found.values())
        return self._known_letters[row]

    def _need(self, state: int) -> int:
        """Fewest bytes to the end of the text, by the parser's tables; at most the truth."""
        if self.is_accepting(state):
            return 0
        rows = len(self._tables.bytes)
        return min(self._thread_need(place // rows, stack) for place, stack, _ in self._threads(state))

    def _thread_need(self, place: int, stack: int) -> int:
        """The same for a lexer state and a stack: the token that is open, then what its stack needs."""
        if (place, stack) not in self._known_needs:
            fresh, best = self._lex.arrays.fresh[place], completion.FAR
            for terminal in self._coming(place, stack):
                after = stack if terminal in self.grammar.ignored else self.call(entries.try_feed, stack, terminal)
                if after:
                    width = self.grammar.widths[terminal] if fresh else 1
                    best = min(best, width + self._stack_need(after))
            self._known_needs[place, stack] = best
        return self._known_needs[place, stack]

    def _coming(self, place: int, stack: int) -> set[int]:
        """The terminals that a lexer state leads to and that lead the stack to the end."""
        bits = self._lex.arrays.reach[place] & self._memo.live[stack]
        return {self._lex.pairs[pair][0] for pair in _members(bits)}

    def _stack_need(self, stack: int) -> int:
        if stack not in self._known_stacks:
            states, node = [], stack
            while node:
                states.append(int(self._memo.stacks[node, lr.STACK_STATE]))
                node = int(self._memo.stacks[node, lr.STACK_PARENT])
            self._known_stacks[stack] = self._needs.of(states[::-1])
        return self._known_stacks[stack]

    def _threads(self, state: int) -> list[tuple[int, int, int]]:
        first, end = self._memo.configs[state, 1], self._memo.configs[state + 1, 1]
        return [(a, b, c) for a, b, c in self._memo.threads[first:end].tolist()]

    def expected(self, state: int) -> tuple[str, ...]:
        """The names of the terminals that may come or go on, "the end" if the text is complete."""
        rows, labels = len(self._tables.bytes), self.grammar.labels or self.grammar.terminals
        names: dict[str, None] = {}
        if state >= START:
            for place, stack, _ in self._threads(state):
                names |= {labels[terminal]: None for terminal in sorted(self._coming(place // rows, stack))}
        return (*names, *(("the end",) if self.is_accepting(state) else ()))

    @property
    def has_specials(self) -> bool:
        """Lark grammars name no special tokens."""
        return False

    def reader(self, words: Any) -> None:
        """Tokens are read by their bytes."""
        return None

    def rules(self, state: int) -> tuple[str, ...]:
        """None: what is at work is a stack of parser states."""
        return ()

    def sizes(self) -> dict[str, int]:
        """Terminals, productions and states of the parser."""
        grammar = self.grammar
        parts = {"terminals": grammar.terminals, "productions": grammar.productions, "states": grammar.shifts}
        return {name: len(part) for name, part in parts.items()}

    def validate(self) -> None:
        """Raise InvariantError where the tables lead out of themselves."""
        actions, gotos, rules = self._tables.actions, self._tables.gotos, self._tables.rules
        if actions.max(initial=0) > len(actions) or -actions.min(initial=0) > len(rules):
            raise InvariantError("TABLES", "an action leads to no state or production")
        if gotos.max(initial=0) >= len(actions) or gotos.min(initial=0) < 0:
            raise InvariantError("TABLES", "a goto leads to no state")

    def compact(self, live: Iterable[int]) -> dict[int, int] | None:
        """Forget everything, if no state but the fixed ones is needed."""
        with self.lock:
            if not {DEAD, FINISHED, START}.issuperset(live):
                return None
            self._memo = _empty_memo(self._liveness)
            self._completions, self._known_needs, self._known_stacks = {}, {}, {}
            self._bind()
            self.call(entries.begin)
            return {state: state for state in (DEAD, FINISHED, START)}

    def __len__(self) -> int:
        return int(self._memo.counts[N_LEXED])

    @property
    def nbytes(self) -> int:
        """Bytes held by the slabs."""
        return sum(array.nbytes for array in (*self._memo, *self._lex.arrays))

    # ------------------------------------------------------------------------------------------------------- growing

    def _grow(self) -> None:
        """Double every slab that is at least half full; rebuild the hash tables."""
        if 2 * self.nbytes > self._limit_bytes:
            raise LimitExceeded(f"{len(self)} parser configurations", limit="memo_bytes", allowed=self._limit_bytes)
        configs, threads, stacks = self._memo.counts.tolist()
        columns = {"trans": configs, "configs": configs, "threads": threads}
        columns |= dict.fromkeys(("stacks", "live", "known"), stacks)
        full = [name for name, used in columns.items() if 2 * used >= len(getattr(self._memo, name)) - 2]
        grown: dict[str, NDArray[Any]] = {}
        for name in full:
            array = getattr(self._memo, name)
            grown[name] = np.zeros((2 * len(array), *array.shape[1:]), array.dtype)
            grown[name][: len(array)] = array
        tables = {"table": 4 * max(len(self._memo.trans), len(grown.get("trans", ())))}
        tables["stack_table"] = 2 * max(len(self._memo.stacks), len(grown.get("stacks", ())))
        grown |= {name: np.zeros(size, np.int32) for name, size in tables.items()}
        self._memo = self._memo._replace(**grown)
        self._bind()
        entries.rehash(self._handle)


def tables_of(grammar: LexedGrammar) -> LrTables:
    """The parser as arrays."""
    states, terminals = len(grammar.shifts), len(grammar.terminals)
    actions = np.zeros((states, terminals), np.int32)
    gotos = np.zeros((states, len(grammar.nonterminals)), np.int32)
    for state in range(states):
        for terminal, target in grammar.shifts[state].items():
            actions[state, terminal] = target + 1
        for terminal, production in grammar.reduces[state].items():
            actions[state, terminal] = -production - 1
        for nonterminal, target in grammar.gotos[state].items():
            gotos[state, nonterminal] = target
    words = (terminals + 63) // 64
    ignored = np.zeros(words, np.uint64)
    for terminal in grammar.ignored:
        ignored[terminal >> 6] |= np.uint64(1 << (terminal & 63))
    parens = np.zeros(terminals, np.int8)
    indentation = grammar.indentation
    scalars = [grammar.start, grammar.final, -1, -1, -1, 0]
    if indentation is not None:
        parens[list(indentation.opens)], parens[list(indentation.closes)] = 1, -1
        scalars[2:] = [indentation.newline, indentation.indent, indentation.dedent, indentation.tab]
    rules = np.array(grammar.productions, np.int32).reshape(-1, 2)
    bytes_ = np.array(grammar.bytes, np.int32)
    contexts = np.array(grammar.context_of, np.int32)
    within = _within(bytes_, grammar.symbols)
    return LrTables(actions, gotos, rules, bytes_, within, contexts, ignored, parens, np.array(scalars, np.int64))


def _within(rows: NDArray[np.int32], symbols: int) -> NDArray[np.uint64]:
    """The classes that can come out of each byte row. Rows lead to rows made before them, but for row 0."""
    found = np.zeros((len(rows), (symbols + 63) // 64), np.uint64)
    for row in (*range(1, len(rows)), 0):
        for entry in np.unique(rows[row]).tolist():
            if entry >= lr.CLASS:
                symbol = entry - lr.CLASS
                found[row, symbol >> 6] |= np.uint64(1 << (symbol & 63))
            elif entry > 0:
                found[row] |= found[entry]
    return found


def _empty_memo(liveness: Liveness) -> LexMemo:
    configs = 64
    stacks = 4 * configs
    memo = LexMemo(
        counts=np.zeros(3, np.int64),
        trans=np.zeros((configs, 256), np.int32),
        configs=np.zeros((configs, 2), np.int64),
        threads=np.zeros((2 * configs, 3), np.int64),
        table=np.zeros(4 * configs, np.int32),
        stacks=np.zeros((stacks, 4), np.int64),
        stack_table=np.zeros(2 * stacks, np.int32),
        live=np.zeros((stacks, liveness.live.shape[1]), np.uint64),
        known=np.zeros(stacks, np.uint8),
        agenda=np.zeros((lr.MOST_THREADS, 3), np.int64),
        wanted=np.zeros(2, np.int64),
        class_next=liveness.next,
        class_live=liveness.live,
    )
    memo.counts[N_LEXED] = START  # DEAD and FINISHED: no threads
    memo.counts[N_STACKS] = 1  # number 0 is no stack
    return memo


def _written(reached: dict[int, tuple[int, int, bytes]], here: int, start: int) -> bytes:
    """The text of the way to a configuration."""
    texts = []
    while here != start:
        _, here, text = reached[here]
        texts.append(text)
    return b"".join(reversed(texts))


def _members(bits: NDArray[np.uint64]) -> list[int]:
    return np.flatnonzero(np.unpackbits(bits.view(np.uint8), bitorder="little")).tolist()
