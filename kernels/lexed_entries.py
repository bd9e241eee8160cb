# ruff: noqa: D103 - what each of these does stands at the kernel it names
"""What Python calls of a lexed grammar's automaton: its kernels behind a handle of its arrays (kernels/handles.py).

Each returns what its kernel returns; meaning, shapes and dtypes stand there (kernels/lexed.py).
"""

from __future__ import annotations

from typing import Any

from structgen.kernels import lexed as _lexed
from structgen.kernels._jit import LEXED
from structgen.kernels.handles import lexer_and_parser
from structgen.kernels.layout import I64_1D, U8_1D, U32_1D, Handle, In, Trie

_advance, _begin, _can_take, _fill_row = _lexed.advance, _lexed.begin, _lexed.can_take, _lexed.fill_row
_rehash, _try_feed = _lexed.rehash, _lexed.try_feed


@LEXED.entry
def begin(h: Handle) -> Any:
    tab, lex, memo = lexer_and_parser(h)
    return _begin(tab, lex, memo)


@LEXED.entry
def advance(h: Handle, config: int, data: In[U8_1D]) -> Any:
    tab, lex, memo = lexer_and_parser(h)
    return _advance(tab, lex, memo, config, data)


@LEXED.entry
def can_take(h: Handle, config: int, byte: int) -> Any:
    tab, lex, memo = lexer_and_parser(h)
    return _can_take(tab, lex, memo, config, byte)


@LEXED.entry
def try_feed(h: Handle, stack: int, terminal: int) -> Any:
    tab, lex, memo = lexer_and_parser(h)
    return _try_feed(tab, lex, memo, stack, terminal)


@LEXED.entry
def fill_row(h: Handle, trie: Trie, config: int, row: U32_1D, path: I64_1D, firsts: In[U8_1D], exits: I64_1D) -> Any:
    tab, lex, memo = lexer_and_parser(h)
    return _fill_row(tab, lex, memo, trie, config, row, path, firsts, exits)


@LEXED.entry
def rehash(h: Handle) -> Any:
    _, _, memo = lexer_and_parser(h)
    _rehash(memo)
    return 0
