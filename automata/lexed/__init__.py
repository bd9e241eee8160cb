"""Grammars with a lexer (Lark): an LALR parser behind a contextual lexer as a lazy automaton over bytes, and its masks.

    automaton.py   LexedConfigurations: interned (lexer state, parser stack) configurations
    lexing.py      LexTable: the lexer's automata by context, made when a context is first met
    completion.py  fewest bytes that the parser's stack still needs
    masks.py       LexedMasks: the mask row of a configuration by one walk of the trie

Twins of automata/configurations.py and automata/masks.py, with the same promises.
"""
