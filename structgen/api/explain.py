"""Where a text leaves a language, and what was allowed there. One step per byte; no tokens are involved."""

from __future__ import annotations

from dataclasses import dataclass

from structgen.automata.configurations import Configurations
from structgen.automata.describe import expected_at
from structgen.automata.network import build_network
from structgen.grammars.ir import Grammar
from structgen.kernels.layout import DEAD, START
from structgen.warmup import ensure_compiled

__all__ = ["Explanation", "explain"]


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
        return f"{verdict}\n{caret}\nexpected one of:\n" + "\n".join(f"  {words}" for words in self.expected)


def explain(grammar: Grammar, text: str) -> Explanation:
    """Read `text` under `grammar` as far as it goes."""
    ensure_compiled()
    configurations = Configurations(build_network(grammar))
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
        expected=expected_at(configurations, state),
    )
