"""Tools: from definitions to a constraint and its first mask; masks of arguments beside those of the same schema alone.

    python -m benchmarks tools
    python -m benchmarks tools --tokenizer mistral-v3 --tools 10 --rounds 9

Every round makes tools that were never seen, so that nothing is remembered but what any process remembers. Masks are
asked for along the same arguments, inside a call and alone, each with fresh constraints (met first) and once more (met
before); medians in microseconds a token. The same along a region that a Lark grammar's lexer cuts.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import structgen as sg
from benchmarks import tokenizers
from benchmarks.data import write_results
from structgen.api.compile import compile_source
from structgen.api.sources import formats_source
from structgen.grammars.json_schema.style import JsonStyle
from structgen.tools.formats import FORMATS
from structgen.tools.layout import layout_of
from structgen.tools.prompt import written_calls
from structgen.tools.tool import Tool, tools_of

KINDS: tuple[dict[str, Any], ...] = (
    {"type": "string"},
    {"type": "integer", "minimum": 0, "maximum": 100},
    {"type": "boolean"},
    {"enum": ["red", "green", "blue"]},
    {"type": "array", "items": {"type": "string"}},
    {"type": "string", "maxLength": 40},
    {"type": "number"},
    {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}, "required": ["a"],
     "additionalProperties": False},
    {"type": "string", "pattern": "^[A-Z]{2}[0-9]{4}$"},
    {"type": "string", "format": "date"},
    {"type": ["string", "null"]},
    {"type": "integer"},
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    *("a text of some words", 42, True, "green", ["one", "two"], "at most forty letters", 3.25),
    *({"a": "x", "b": 7}, "AB1234", "2026-11-30", None, 123456),
)


def definition(number: int, fresh: int) -> dict[str, Any]:
    """A tool of twelve parameters."""
    members = {f"p{fresh}_{number}_{at}": {**kind, "description": "What it is for."} for at, kind in enumerate(KINDS)}
    schema = {"type": "object", "properties": members, "required": list(members)[:4], "additionalProperties": False}
    return {
        "type": "function",
        "function": {"name": f"tool_{fresh}_{number}", "description": "Does it.", "parameters": schema},
    }


def constrained(definitions: Sequence[Any], format: str, vocabulary: sg.Vocabulary) -> tuple[sg.Constraint, list[Tool]]:
    """What a request does before its first token."""
    tools = tools_of(definitions)
    layout = layout_of(tools, FORMATS[format], thinks=False)
    source = formats_source(lambda: layout.tag, layout.key, JsonStyle())
    return compile_source(source, vocabulary)[0], list(tools)


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = work()
    return (time.perf_counter() - started) * 1e3, result


def compiling(vocabulary: sg.Vocabulary, format: str, n_tools: int, rounds: int) -> dict[str, Any]:
    """Milliseconds to a constraint, again, and to its first mask: medians and the worst."""
    once, again, first = [], [], []
    for fresh in range(rounds + 1):
        definitions = [definition(number, 1000 * fresh + len(format)) for number in range(n_tools)]
        took, (constraint, _) = timed(lambda given=definitions: constrained(given, format, vocabulary))
        mask, _ = timed(lambda it=constraint: it.matcher().mask())
        copied = json.loads(json.dumps(definitions))
        repeated, _ = timed(lambda given=copied: constrained(given, format, vocabulary))
        if fresh:  # the first round loads modules
            once.append(took), again.append(repeated), first.append(mask)
    named = {"once_ms": once, "again_ms": again, "first_mask_ms": first}
    return {name: {"median": statistics.median(times), "max": max(times)} for name, times in named.items()}


def along(constraint: sg.Constraint, before: Sequence[int], tokens: Sequence[int]) -> list[float]:
    """Microseconds of each mask along a text, behind some tokens."""
    matcher, times = constraint.matcher(), []
    if matcher.accept_all(before) < len(before):
        raise SystemExit(f"not a text of the constraint: {matcher.expected()}")
    for token in tokens:
        started = time.perf_counter()
        matcher.mask()
        times.append((time.perf_counter() - started) * 1e6)
        if not matcher.accept(token):
            raise SystemExit(f"not a text of the constraint: {matcher.expected()}")
    return times


def regions(tokenizer: Any, rounds: int) -> dict[str, Any]:
    """Medians of masks inside a call (`region`) and of the same schema (`alone`)."""
    vocabulary, found = tokenizer.vocabulary, dict[str, list[float]]()
    for fresh in range(rounds + 1):
        definitions = [definition(number, 500_000 + fresh) for number in range(50)]
        constraint, tools = constrained(definitions, "hermes", vocabulary)
        arguments = dict(zip(tools[7].parameters["properties"], VALUES, strict=True))
        text = json.dumps(arguments)
        before, behind = written_calls([(tools[7].name, arguments)], FORMATS["hermes"]).split(text)
        alone = sg.compile(schema=tools[7].parameters, vocabulary=vocabulary)
        tokens = tokenizer.encode(text)
        for name, it, ahead in (("region", constraint, tokenizer.encode(before)), ("alone", alone, [])):
            for met in ("first", "again"):
                times = along(it, ahead, tokens)
                if fresh:
                    found.setdefault(f"{name}_{met}_us", []).append(statistics.mean(times))
        assert behind
    return {name: statistics.median(times) for name, times in found.items()}


EXPRESSION = "1 + width * (2.5 - height) / 4 - 2 * area"
CALCULATION = r"""
?start: sum
?sum: product | sum ("+" | "-") product
?product: atom | product ("*" | "/") atom
?atom: NUMBER | NAME | "(" sum ")"
%import common.CNAME -> NAME
%import common.NUMBER
%import common.WS_INLINE
%ignore WS_INLINE
"""


def lexed_regions(tokenizer: Any, rounds: int) -> dict[str, Any]:
    """The same for a Lark grammar with a lexer between marks; milliseconds to a constraint and to its first mask."""
    vocabulary, found = tokenizer.vocabulary, dict[str, list[float]]()
    tokens, before = tokenizer.encode(EXPRESSION), tokenizer.encode("So <calc>")
    for fresh in range(rounds + 1):
        grammar = f"{CALCULATION}// {fresh}"
        alone = sg.compile(lark=grammar, vocabulary=vocabulary)
        tag = sg.StructuralTag([sg.Tag("<calc>", "</calc>", lark=grammar)])
        took, constraint = timed(lambda tag=tag: sg.compile(tag=tag, vocabulary=vocabulary))
        mask, _ = timed(lambda it=constraint: it.matcher().mask())
        times = {"lexed_once_ms": took, "lexed_first_mask_ms": mask}
        for name, it, ahead in (("lexed_region", constraint, before), ("lexed_alone", alone, [])):
            for met in ("first", "again"):
                times[f"{name}_{met}_us"] = statistics.mean(along(it, ahead, tokens))
        for name, value in times.items() if fresh else ():
            found.setdefault(name, []).append(value)
    return {name: statistics.median(values) for name, values in found.items()}


def main() -> None:
    """Measure, print, write benchmarks/results/tools.jsonl."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokenizer", choices=tokenizers.NAMES, default="llama3")
    parser.add_argument("--tools", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    tokenizer = tokenizers.load(arguments.tokenizer)
    sg.compile(schema={"type": "object"}, vocabulary=tokenizer.vocabulary).matcher().mask()
    rows = []
    for format in ("hermes", "qwen3-coder"):
        row = {"format": format, **compiling(tokenizer.vocabulary, format, arguments.tools, arguments.rounds)}
        rows.append(row)
        shown = ", ".join(f"{name} {row[name]['median']:.2f} (max {row[name]['max']:.2f})" for name in list(row)[1:])
        print(f"{format:12} {arguments.tools} tools of {len(KINDS)} parameters: {shown}")
    masks = regions(tokenizer, arguments.rounds)
    rows.append({"format": "hermes", **masks})
    print("masks: " + ", ".join(f"{name} {value:.1f}" for name, value in masks.items()))
    lexed = lexed_regions(tokenizer, arguments.rounds)
    rows.append(lexed)
    print("a region with a lexer: " + ", ".join(f"{name} {value:.1f}" for name, value in lexed.items()))
    write_results("tools", [{"tokenizer": arguments.tokenizer, "tools": arguments.tools}, *rows])


if __name__ == "__main__":
    main()
