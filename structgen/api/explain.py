"""Where a text leaves a language, what was allowed there, and what a constraint is like as a whole.

One step per byte; no tokens are involved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from structgen.automata.dump import networks_to_dot, visits_to_dot
from structgen.automata.network import build_network
from structgen.errors import OptionError
from structgen.grammars.combine.automaton import recursive_rule
from structgen.grammars.ir import Grammar
from structgen.kernels.layout import DEAD, START
from structgen.kinds import AnyGrammar, automaton_of
from structgen.matcher import Constraint
from structgen.warmup import ensure_compiled

__all__ = ["Explanation", "explain", "networks_picture", "picture", "summary"]


@dataclass(frozen=True, slots=True)
class Explanation:
    """What became of `text`.

    field      meaning
    complete   the whole text satisfies the constraint
    viable     some continuation of the whole text does
    position   characters read before the first that is not allowed; all of them when viable
    line       of that place, from 1
    column     of that place, from 1
    expected   what may come there, in words
    """

    text: str
    complete: bool
    viable: bool
    position: int
    line: int
    column: int
    expected: tuple[str, ...]

    def __str__(self) -> str:
        if self.complete:
            return "complete: the text satisfies the constraint"
        line = self.text.split("\n")[self.line - 1] if self.text else ""
        start = max(0, self.column - 61)
        caret = f"  {line[start : start + 120]}\n  {' ' * (self.column - 1 - start)}^"
        where = f"line {self.line}, column {self.column}"
        if self.viable:
            verdict = f"incomplete: the text ends at {where}, but it may not end there"
        else:
            verdict = f"not allowed: {self.text[self.position]!r} at {where}"
        expected = "expected one of" if len(self.expected) > 1 else "expected"
        return f"{verdict}\n{caret}\n{expected}:\n" + "\n".join(f"  {words}" for words in self.expected)


def explain(grammar: AnyGrammar, text: str) -> Explanation:
    """Read `text` under `grammar` as far as it goes."""
    ensure_compiled()
    configurations = automaton_of(grammar)
    state, position = START, len(text)
    for index, character in enumerate(text):
        after = configurations.advance(state, character.encode("utf-8", "surrogatepass"))
        if after == DEAD:
            position = index
            break
        state = after
    viable = position == len(text)
    before = text[:position]
    return Explanation(
        text=text,
        complete=viable and configurations.is_accepting(state),
        viable=viable,
        position=position,
        line=before.count("\n") + 1,
        column=position - (before.rfind("\n") + 1) + 1,
        expected=configurations.expected(state),
    )


def picture(grammar: AnyGrammar, text: str) -> str:
    """The configurations visited on `text`, as a Graphviz digraph."""
    ensure_compiled()
    return visits_to_dot(automaton_of(grammar), text.encode("utf-8", "surrogatepass"))


def networks_picture(constraint: Constraint) -> str:
    """The rule networks of a constraint, as a Graphviz digraph. Raises OptionError where there are none."""
    if not isinstance(constraint.grammar, Grammar) or constraint.grammar.embedded:
        raise OptionError("a grammar that is read with a lexer has no rule networks to draw", option="dot")
    return networks_to_dot(build_network(constraint.grammar))


def summary(constraint: Constraint) -> dict[str, Any]:
    """What a constraint is like, by name: its sizes and

    recursive    the name of a rule that calls itself, "no" if the language is regular
    begins_with  what may come first, in words
    shortest     a shortest text, at most 60 characters of it
    """
    grammar, shortest = constraint.grammar, "(longer than a megabyte)"
    if constraint.distance(START) < 1 << 20:
        text = constraint.shortest().decode("utf-8", "backslashreplace")
        shortest = repr(text if len(text) <= 60 else text[:57] + "...")
    recursive = {"recursive": recursive_rule(grammar) or "no"} if isinstance(grammar, Grammar) else {}
    return {**constraint.sizes(), **recursive, "begins_with": constraint.expected(), "shortest": shortest}
