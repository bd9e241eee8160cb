"""The terminals of a vocabulary (automata/terminals/terminal.py): one per body, for all grammars.

Those used lately stay for grammars to come, within bounds; others go with the last grammar that uses them. Cost: a
dictionary look-up per body of a new grammar.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from dataclasses import dataclass, field

from structgen.automata.terminals.body import TerminalBody
from structgen.automata.terminals.rows import Stored
from structgen.automata.terminals.terminal import SurveyedTerminal
from structgen.automata.trie import TokenTrie
from structgen.memory import Held, register

__all__ = ["TerminalRegistry", "registry_of"]

RECENT_BYTES, MOST_RECENT = 64 << 20, 1000  # of terminals that no grammar may be using
SETTLED = 32  # terminals are made before their memory is added up again


@dataclass(slots=True, eq=False)
class TerminalRegistry:
    """The terminals of one vocabulary. Thread-safe.

    Receipt: with every terminal and its automaton kept, 3,000 schemas of maskbench left 567 MB, now 289.
    """

    trie: TokenTrie
    lock: threading.RLock = field(default_factory=threading.RLock)
    _terminals: weakref.WeakValueDictionary[TerminalBody, SurveyedTerminal] = field(
        default_factory=weakref.WeakValueDictionary
    )
    keep: bool = False  # surveys, so that `stored` gives all of them
    _stored: dict[str, Stored] = field(default_factory=dict)
    _recent: OrderedDict[TerminalBody, SurveyedTerminal] = field(default_factory=OrderedDict)
    _made: int = 0

    def known(self, body: TerminalBody) -> SurveyedTerminal | None:
        """The terminal of a body, if somebody has made it or its rows are stored."""
        with self.lock:
            return self.terminal(body) if body in self._terminals or body.digest in self._stored else None

    def terminal(self, body: TerminalBody) -> SurveyedTerminal:
        """The terminal of a body, made if need be."""
        with self.lock:
            terminal = self._terminals.get(body)
            if terminal is None:
                stored = self._stored.get(body.digest) if self._stored else None
                terminal = self._terminals[body] = SurveyedTerminal(body, self.trie, stored, self.keep)
                self._made += 1
                if self._made % SETTLED == 0 and not self.keep:  # adding up takes half a microsecond for each
                    self._settle()
            self._recent[body] = terminal
            self._recent.move_to_end(body)
            return terminal

    def _settle(self) -> None:
        """Let go of those used longest ago, while there are too many."""
        total = sum(terminal.nbytes for terminal in self._recent.values())
        while total > RECENT_BYTES or len(self._recent) > MOST_RECENT:
            total -= self._recent.popitem(last=False)[1].nbytes

    def terminal_below(self, body: TerminalBody, top: int) -> SurveyedTerminal:
        """The terminal for the tokens below a node of the trie."""
        with self.lock:
            return self.terminal(body).below(top)

    def stored(self) -> dict[str, Stored]:
        """The rows surveyed so far, by what their expressions compile to."""
        with self.lock:
            return {body.digest: found for body, terminal in self._terminals.items() if (found := terminal.stored())}

    def restore(self, rows: dict[str, Stored]) -> None:
        """Rows that `stored` gave for the same vocabulary, in whatever process."""
        with self.lock:
            self._stored.update(rows)


_shared: weakref.WeakKeyDictionary[TokenTrie, TerminalRegistry] = weakref.WeakKeyDictionary()
_guard = threading.Lock()


def _held() -> Held:
    with _guard:
        registries = list(_shared.values())
    terminals = [terminal for registry in registries for terminal in list(registry._recent.values())]
    return Held(len(terminals), sum(terminal.nbytes for terminal in terminals), MOST_RECENT, RECENT_BYTES)


def _clear() -> None:
    """Terminals go with the last grammar that uses them."""
    with _guard:
        registries = list(_shared.values())
    for registry in registries:
        with registry.lock:
            registry._recent.clear()


register("automata.terminals.rows", _held, _clear)


def registry_of(trie: TokenTrie) -> TerminalRegistry:
    """The rows of this vocabulary."""
    with _guard:
        found = _shared.get(trie)
        if found is None:
            found = _shared[trie] = TerminalRegistry(trie)
        return found
