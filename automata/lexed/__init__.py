"""Grammars with a lexer (Lark): an LALR parser behind a contextual lexer as a lazy automaton over bytes, and its masks.

    automaton.py   LexedConfigurations: interned (lexer state, parser stack) configurations
    lexing.py      LexTable: the lexer's automaton in every context
    liveness.py    which lexer states and stacks can still reach the end of a text
    completion.py  fewest bytes that the parser's stack still needs
    masks.py       LexedMasks: the mask row of a configuration by one walk of the trie

Twins of automata/configurations.py and automata/masks.py, with the same promises.
"""
