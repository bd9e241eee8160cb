"""From a grammar to a constraint over a vocabulary.

The trie of a vocabulary is built once and kept, in memory while it is used and on disk by fingerprint.
"""

from __future__ import annotations

import copyreg
import dataclasses
import threading
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from structgen.automata.configurations import Configurations
from structgen.automata.masks import MaskTable
from structgen.automata.network import build_network
from structgen.automata.terminals.registry import registry_of
from structgen.automata.trie import TokenTrie, build_trie
from structgen.disk_cache import load_rows, load_trie, save_rows, save_trie
from structgen.gc_pause import collector_paused
from structgen.grammars.ir_lr import LexedGrammar
from structgen.grammars.json_schema import JsonStyle, compile_schema
from structgen.grammars.storage import read_grammar, write_grammar
from structgen.kernels.layout import START
from structgen.kinds import AnyGrammar
from structgen.matcher import Constraint
from structgen.memory import HEAP
from structgen.warmup import ensure_compiled, ensure_lexed_compiled

if TYPE_CHECKING:
    from structgen.python_types.target import Target
    from structgen.vocabulary import Vocabulary

__all__ = ["compile_grammar", "trie_of"]

_tries: weakref.WeakValueDictionary[str, TokenTrie] = weakref.WeakValueDictionary()
_lock = threading.Lock()


def trie_of(vocabulary: Vocabulary) -> TokenTrie:
    """The vocabulary's token trie: from memory, else from disk by fingerprint, else built and saved."""
    with _lock:
        trie = _tries.get(vocabulary.fingerprint)
        if trie is None:
            trie = load_trie(vocabulary.fingerprint)
            if trie is None:
                trie = _built(vocabulary)
                save_trie(vocabulary.fingerprint, trie)
            _prepare(vocabulary, trie)
            _tries[vocabulary.fingerprint] = trie
        return trie


def _prepare(vocabulary: Vocabulary, trie: TokenTrie) -> None:
    """The rows every JSON schema asks for: from disk, else surveyed along a text that has one of everything."""
    rows = load_rows(vocabulary.fingerprint, trie)
    if rows is not None:
        registry_of(trie).restore(rows)
        return
    ensure_compiled()
    registry_of(trie).keep = True
    for style in (JsonStyle(), JsonStyle.any()):
        automaton, state = Configurations(build_network(compile_schema(_COMMON, style=style).grammar)), START
        masks = MaskTable(automaton, trie, ())
        for byte in _COMMON_TEXT:
            masks.prepare(state)
            state = automaton.advance(state, bytes([byte]))
    save_rows(vocabulary.fingerprint, registry_of(trie).stored())
    registry_of(trie).keep = False


_COMMON = {"properties": {"s": {"type": "string", "maxLength": 9}, "i": {"type": "integer"}}}
_COMMON_TEXT = b'{"s": "ab", "i": 12, "x": [1.5, -2, "ab", null], "y": 1}'


def _built(vocabulary: Vocabulary) -> TokenTrie:
    """Texts and symbols in one trie. A token that is both (an added token that is no special one) stands there twice;
    a text with one of the bytes that spell symbols is not UTF-8, no constraint allows it, and it stays out."""
    symbols = vocabulary.symbols
    ends = vocabulary.offsets[-1] + np.cumsum([len(text) for text in symbols.values()], dtype=np.int64)
    raw = np.frombuffer(vocabulary.data, np.uint8)
    reserved = np.searchsorted(vocabulary.offsets, np.flatnonzero(raw >= 0xFE), side="right") - 1
    out = vocabulary.special_ids | set(vocabulary.stop_ids) | set(reserved.tolist())
    data = vocabulary.data + b"".join(symbols.values())
    trie = build_trie(data, np.concatenate([vocabulary.offsets, ends]), frozenset(out))
    ids = np.array([*range(vocabulary.size), *symbols], np.int32)
    arrays = trie.arrays._replace(token=ids[trie.arrays.token])
    return dataclasses.replace(trie, arrays=arrays, size=vocabulary.size)


@collector_paused()
def compile_grammar(grammar: AnyGrammar, vocabulary: Vocabulary, target: Target | None = None) -> Constraint:
    """Compile `grammar` for `vocabulary`. Raises Unsatisfiable (empty language) or LimitExceeded."""
    HEAP.look()  # here what the compile before this one needed is free
    ensure_compiled()
    if isinstance(grammar, LexedGrammar) or grammar.embedded:
        ensure_lexed_compiled()
    return Constraint(grammar, vocabulary, trie_of(vocabulary), target)


def _read(grammar: str, vocabulary: Vocabulary, target: Target | None) -> Constraint:
    return compile_grammar(read_grammar(grammar), vocabulary, target)


def _reduce(constraint: Constraint) -> Any:
    """Grammar, vocabulary and target; the trie is at hand, or on disk, wherever the vocabulary is."""
    if isinstance(constraint.grammar, LexedGrammar):
        return compile_grammar, (constraint.grammar, constraint.vocabulary, constraint.target)
    return _read, (write_grammar(constraint.grammar), constraint.vocabulary, constraint.target)


copyreg.pickle(Constraint, _reduce)
