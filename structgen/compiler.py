"""From a grammar to a constraint over a vocabulary.

The trie of a vocabulary is built once and kept, in memory while it is used and on disk by fingerprint.
"""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING

from structgen.automata.trie import TokenTrie, build_trie
from structgen.cache import load_trie, save_trie
from structgen.grammars.ir import Grammar
from structgen.matcher import Constraint
from structgen.warmup import ensure_compiled

if TYPE_CHECKING:
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
                trie = build_trie(
                    vocabulary.data, vocabulary.offsets, vocabulary.special_ids | set(vocabulary.stop_ids)
                )
                save_trie(vocabulary.fingerprint, trie)
            _tries[vocabulary.fingerprint] = trie
        return trie


def compile_grammar(grammar: Grammar, vocabulary: Vocabulary) -> Constraint:
    """Compile `grammar` for `vocabulary`. Raises Unsatisfiable (empty language) or LimitExceeded."""
    ensure_compiled()
    return Constraint(grammar, vocabulary, trie_of(vocabulary))
