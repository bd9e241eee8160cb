"""Grammars some of whose rules are Lark grammars with a lexer: regions of a text that a lexer of their own cuts.

    marks.py      the embedded grammars and the marks that stand for their texts in the grammar around them
    automaton.py  EmbeddedConfigurations: sets of states of both, numbered, so that a state is one int still
    masks.py      EmbeddedMasks: the rows of both, and the tokens that cross from one into the other

A lexer cuts a region as if it were a text by itself, which one grammar for all of it could not say.
"""
