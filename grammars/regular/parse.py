"""Regular expression source to syntax tree, for both dialects (`dialects.py` holds what differs in data).

Recursive descent, linear in the source. Captures are transparent, lazy loops equal greedy ones (the language is the
same). Backreferences, conditionals and recursion are not regular and are refused by name; atomic groups and possessive
loops are accepted where they provably match the same as plain ones (`atomic.py`).
"""

from __future__ import annotations

from structgen.errors import LimitExceeded, RegexError
from structgen.grammars.regular import unicode_sets as sets
from structgen.grammars.regular.atomic import is_plain_loop
from structgen.grammars.regular.charset import ANY, NONE, CharSet
from structgen.grammars.regular.class_parser import ClassReader
from structgen.grammars.regular.dialects import DIALECTS, Dialect
from structgen.grammars.regular.syntax import EMPTY, Edge, Look, Node, cat, char, choice, loop

MAX_NESTING = 80
MAX_COUNT = 1 << 31
_SPECIAL = frozenset("\\[](){}|^$.*+?")
