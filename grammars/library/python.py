"""Modules of a subset of Python that `ast.parse` reads: definitions, loops, conditions, assignments, expressions.

Indentation is four blanks a level and goes `depth` levels deep, each level with rules of its own: a context-free
grammar cannot count further. Spacing is PEP 8's. Names and attributes are ASCII and no key words. `return` stands in
functions only, `break` and `continue` in loops only.
"""

from __future__ import annotations

import keyword
from functools import cache

from structgen.errors import OptionError
from structgen.grammars.ir import Grammar
from structgen.grammars.library.notation import grammar_of, names

__all__ = ["python"]

MAX_DEPTH = 12

_EXPRESSIONS = r"""
assign   ::= target (" = " | " += " | " -= " | " *= ") value
target   ::= name trailer* reached | name
reached  ::= "." name | "[" expr "]"
trailer  ::= "." name | "[" expr "]" | "(" args? ")"
value    ::= expr (", " expr)*
expr     ::= or (" if " or " else " expr)?
or       ::= and (" or " and)*
and      ::= not (" and " not)*
not      ::= "not " not | compare
compare  ::= sum ((" == " | " != " | " < " | " <= " | " > " | " >= " | " in " | " not in " | " is " | " is not ") sum)*
sum      ::= product ((" + " | " - ") product)*
product  ::= unary ((" * " | " / " | " // " | " % ") unary)*
unary    ::= "-" unary | power
power    ::= primary ("**" unary)?
primary  ::= (name | string | list | dict | "(" value ")") trailer* | number | "True" | "False" | "None"
list     ::= "[" (expr (", " expr)* | expr " for " name " in " or (" if " or)?)? "]"
dict     ::= "{" (pair (", " pair)*)? "}"
pair     ::= expr ": " expr
args     ::= expr (", " expr)*
number   ::= ("0" | [1-9] [0-9]*) ("." [0-9]+)?
string   ::= "\"" ([^"\\\x00-\x1f] | "\\" [nt"'\\])* "\"" | "'" ([^'\\\x00-\x1f] | "\\" [nt"'\\])* "'"
import   ::= "import " dotted (" as " name)? | "from " dotted " import " name (", " name)*
dotted   ::= name ("." name)*
params   ::= name (", " name)* (", " default)* | default (", " default)*
default  ::= name "=" expr
name     ::= [a-z]
"""
_PLACES = ("", "f", "l", "fl")  # inside a function, a loop


@cache
def python(depth: int = 4) -> Grammar:
    """Modules whose blocks nest up to `depth` levels."""
    if not 1 <= depth <= MAX_DEPTH:
        raise OptionError(f"depth is 1 to {MAX_DEPTH}, not {depth}", option="depth")
    rules = ['root ::= ("\\n" | s0)+', _EXPRESSIONS]
    for place in _PLACES:
        rules.append(_simple(place))
        rules += [_statement(place, level, depth) for level in range(depth + 1) if level or not place]
    return grammar_of("\n".join(rules), name=names("[A-Za-z_][A-Za-z0-9_]*", [*keyword.kwlist, "__debug__"]))


def _simple(place: str) -> str:
    """The rule of statements of one line."""
    more = (' | "return" (" " value)?' if "f" in place else "") + (' | "break" | "continue"' if "l" in place else "")
    return f'simple{place} ::= assign | value | import | "pass"{more}'


def _statement(place: str, level: int, depth: int) -> str:
    """The rules of a statement at one level of indentation, and of a block of them."""
    indent, end = f'"{"    " * level}"', '":\\n"'
    own = f"{place}{level}"
    ways = [f'{indent} simple{place} "\\n"']
    nested = ""
    if level < depth:
        looped = place if "l" in place else place + "l"
        inner, loop, function, body = (f"b{name}{level + 1}" for name in (place, looped, "f", ""))
        ways += [
            f"{indent} if{own}",
            f'{indent} "while " expr {end} {loop}',
            f'{indent} "for " name (", " name)? " in " value {end} {loop}',
            f'{indent} "def " name "(" params? ")" {end} {function}',
            f'{indent} "class " name ("(" args ")")? {end} {body}',
        ]
        elses = f'({indent} "elif " expr {end} {inner})* ({indent} "else" {end} {inner})?'
        nested = f'\nif{own} ::= "if " expr {end} {inner} {elses}'
    return f's{own} ::= {" | ".join(ways)}{nested}\nb{own} ::= s{own} ("\\n" | s{own})*'
