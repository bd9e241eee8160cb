"""The type battery: every type that the documentation of pydantic and of the standard library offers, both ways.

Whatever the mask allows the type must read: random walks through the automaton, ended the shortest way, are read. And
whatever the type dumps its values as the mask must allow. Or the type is refused by name when it is compiled. What
functions of the user's refuse is theirs. Writes the table in docs/types.md.

    python -m benchmarks python_types [--texts 60] [--only NAME]
"""

from __future__ import annotations

import argparse
import dataclasses
import random
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pydantic
from pydantic import TypeAdapter

from benchmarks.data import ROOT
from benchmarks.python_types.case import Case
from benchmarks.python_types.classes import CLASSES
from benchmarks.python_types.containers import CONTAINERS, NETWORKS
from benchmarks.python_types.enums import ENUMS
from benchmarks.python_types.scalars import PATTERNS, SCALARS, TIME
from benchmarks.python_types.validators import VALIDATORS
from structgen.errors import (
    InvariantError,
    LimitExceeded,
    SchemaError,
    Unsatisfiable,
    UnsupportedSchema,
    ValueRejected,
)
from structgen.grammars.json_schema import JsonStyle, compile_schema
from structgen.kernels.layout import DEAD, START
from structgen.kinds import automaton_of
from structgen.python_types.types import target_of

__all__ = ["CASES", "Case", "Verdict", "judge", "page"]

CASES = {
    "Scalars": SCALARS,
    "Enums and literals": ENUMS,
    "Dates and times": TIME,
    "Patterns": PATTERNS,
    "Containers": CONTAINERS,
    "Addresses, paths, identifiers": NETWORKS,
    "Classes": CLASSES,
    "Validators and annotations": VALIDATORS,
}
PAGE = ROOT / "docs" / "types.md"
BEGIN, END = "<!-- generated -->\n", "<!-- end -->\n"
STYLES = (JsonStyle(), JsonStyle.any())
STEPS = 4  # bytes that each walk is longer than the one before
LONGEST = 24  # walks, after which they are short again


@dataclass(frozen=True)
class Verdict:
    """What became of a type.

    refused    why there is no schema, or empty
    read       texts that the type read
    rejected   texts that a function of the user's refused
    unread     texts that the mask allows and the type does not read: a bug
    missed     texts of the type's values that the mask does not allow: a bug
    """

    refused: str = ""
    read: int = 0
    rejected: int = 0
    unread: tuple[str, ...] = ()
    missed: tuple[str, ...] = ()


def judge(case: Case, texts: int = 60) -> Verdict:
    """The verdict on one type."""
    try:
        target = target_of(case.kind)
        automata = [automaton_of(_grammar(target.enforced, style)) for style in STYLES]
    except (LimitExceeded, SchemaError, Unsatisfiable, UnsupportedSchema) as error:
        return Verdict(refused=_short(error))
    read, rejected, unread = 0, 0, []
    for automaton in automata:
        for text in _walks(automaton, texts // len(automata), random.Random(case.name)):
            try:
                target.read(text)
                read += 1
            except ValueRejected:
                rejected += 1
            except InvariantError:
                unread.append(text)
    return Verdict("", read, rejected, tuple(unread), tuple(_missed(case, automata[-1])))


def _grammar(schema: Any, style: JsonStyle) -> Any:
    """As the library compiles a type: numbers in their canonical spelling."""
    return compile_schema(schema, style=dataclasses.replace(style, numbers="canonical")).grammar


def _walks(automaton: Any, count: int, rng: random.Random) -> Iterator[str]:
    """Random texts: a walk of some bytes, then the shortest way to the end."""
    for index in range(count):
        state, data = START, bytearray()
        for _ in range(STEPS * (index % LONGEST)):
            live = automaton.live_bytes(state)
            if not live:
                break
            data.append(rng.choice(live))
            state = automaton.advance(state, bytes(data[-1:]))
        yield (bytes(data) + automaton.shortest(state)).decode()


def _missed(case: Case, automaton: Any) -> Iterator[str]:
    """Spellings of the values that pydantic reads and the automaton does not allow."""
    adapter = TypeAdapter(case.kind)
    dumped = [adapter.dump_json(value, by_alias=True).decode() for value in case.values]
    for text in (*dumped, *case.spelled):
        adapter.validate_json(text)
        state = automaton.advance(START, text.encode())
        if state == DEAD or not automaton.is_accepting(state):
            yield text


def _short(error: Exception) -> str:
    """A reason in a table's words."""
    reason = str(error).partition("Python type: ")[2] or str(error)
    if "Unable to generate pydantic-core schema" in reason:
        return "pydantic has no schema for it"
    if "Cannot generate a JsonSchema" in reason:
        return "it is not read from JSON"
    return reason.removeprefix("#: ").replace("|", "\\|")


def _row(case: Case, verdict: Verdict) -> str:
    if verdict.refused:
        found = f"refused: {verdict.refused}"
    elif verdict.unread or verdict.missed:
        found = f"WRONG: {len(verdict.unread)} unread, {len(verdict.missed)} missed"
    else:
        found = "exact, and functions decide about the value" if verdict.rejected else "exact"
    return f"| {case.name.replace('|', chr(92) + '|')} | {found} |"


def table(verdicts: dict[str, Verdict]) -> str:
    """A row per type."""
    lines = [f"With pydantic {pydantic.VERSION.rpartition('.')[0]}: {len(verdicts)} types.", ""]
    for group, cases in CASES.items():
        lines += [f"### {group}", "", "| type | what is written, and what is read |", "| --- | --- |"]
        lines += [_row(case, verdicts[case.name]) for case in cases]
        lines.append("")
    return "\n".join(lines)


def page(text: str, verdicts: dict[str, Verdict]) -> str:
    """The page with its table anew."""
    head, _, rest = text.partition(BEGIN)
    return head + BEGIN + "\n" + table(verdicts) + "\n" + END + rest.partition(END)[2]


def main() -> None:
    """Judge every type and rewrite docs/types.md."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks python_types")
    parser.add_argument("--texts", type=int, default=60, help="random texts of each type")
    parser.add_argument("--only", default="", help="part of a type's name; writes nothing")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # of pydantic about types that it dumps otherwise than annotated
    verdicts = {}
    for case in (case for cases in CASES.values() for case in cases if arguments.only in case.name):
        verdicts[case.name] = verdict = judge(case, arguments.texts)
        if arguments.only or verdict.unread or verdict.missed:
            print(_row(case, verdict), *verdict.unread[:3], *verdict.missed[:3], sep="\n  ")
    wrong = sum(bool(verdict.unread or verdict.missed) for verdict in verdicts.values())
    refused = sum(bool(verdict.refused) for verdict in verdicts.values())
    read = sum(verdict.read for verdict in verdicts.values())
    print(f"{len(verdicts)} types: {wrong} wrong, {refused} refused; {read} texts read")
    if not arguments.only:
        PAGE.write_text(page(PAGE.read_text(), verdicts))
        print("written to docs/types.md")
