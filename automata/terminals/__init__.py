"""Terminals: expressions that many grammars share, and their mask rows.

A terminal is an expression that calls no rule: a string, a number, a name, white space. While a text is inside one,
what may follow does not depend on where the grammar stands, until the terminal ends. So its mask row is computed once
per vocabulary, and reused by every state of every grammar that is inside it.

    mark.py      finds terminals in grammars whose front end marked none
    body.py      TerminalBody: the expression, one per content and process
    rows.py      TerminalRow: tokens that stay inside, and exits (trie nodes where a walk goes on in the grammar)
    terminal.py  SurveyedTerminal: a body over a vocabulary; the survey that computes its rows, and those it has
    registry.py  TerminalRegistry: all terminals of a vocabulary; bounded; shared by grammars and threads
    lookup.py    TerminalLookup: the terminals of one grammar, from its items to terminal rows
    index.py     TerminalIndex: the same as arrays, for kernels/compose.py

Invariant: a TerminalRow never depends on a grammar. Everything that does (exits, counts) is resolved in
automata/masks.py.
"""
