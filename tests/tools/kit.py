"""What the tests of tools share: tools, vocabularies with and without the marks as tokens, and drawn outputs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from random import Random
from typing import Annotated, Any, Literal

import jsonschema_rs
from pydantic import BaseModel, Field

import structgen as sg
from structgen.api.sources import formats_source
from structgen.bits import ids_of
from structgen.grammars.json_schema.style import JsonStyle
from structgen.grammars.tags.marks import Special, cut
from structgen.tools.formats import FORMATS
from structgen.tools.layout import Layout, layout_of
from structgen.tools.tool import Tool, tools_of


def get_weather(city: str, days: int = 1) -> str:
    """The weather of a city."""
    return f"{days} days of sun in {city}"


class Search(BaseModel):
    """Look something up."""

    query: Annotated[str, Field(min_length=1, max_length=12)]
    kind: Literal["web", "news"] = "web"
    tags: list[str] = []


BOOK: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "book.room-2",
        "description": "Book a room",
        "parameters": {
            "type": "object",
            "properties": {
                "zip": {"type": "string", "pattern": "^[0-9]{5}$"},
                "nights": {"type": "integer", "minimum": 1, "maximum": 30},
                "who": {"type": ["string", "null"]},
                "guests": {"type": "array", "items": {"type": "object", "properties": {"age": {"type": "number"}},
                           "required": ["age"], "additionalProperties": False}, "maxItems": 3},
            },
            "required": ["zip", "nights"],
            "additionalProperties": False,
        },
    },
}  # fmt: skip
PING = {"name": "get", "inputSchema": {"type": "object", "properties": {}, "additionalProperties": False}}
TOOLS = tools_of([get_weather, Search, BOOK, PING])

MARKS = [
    *("<tool_call>", "</tool_call>", "[TOOL_CALLS]", "[ARGS]", "<|tool_call|>", "<think>", "</think>"),
    *(
        "<｜tool▁calls▁begin｜>",
        "<｜tool▁call▁begin｜>",
        "<｜tool▁sep｜>",
        "<｜tool▁call▁end｜>",
        "<｜tool▁calls▁end｜>",
    ),
    *("<|tool_calls_section_begin|>", "<|tool_calls_section_end|>", "<|tool_call_begin|>", "<|tool_call_end|>"),
    *("<|tool_call_argument_begin|>", "<|channel|>", "<|message|>", "<|constrain|>", "<|end|>", "<|start|>"),
    *("[THINK]", "[/THINK]", "<｜tool▁calls▁end｜>"),
]
WORDS = [
    *('{"', '": ', '", "', '"}', "name", "arguments", "<", "</", "get", "_weather", "\n", "\n\n", ' "', '"}\n', "é"),
    *("tool_call>", "<function=", "<parameter=", "</parameter>", "00123", "null", "[{", "}]", "  ", "日"),
]


def vocabulary(marks: bool) -> sg.Vocabulary:
    """Bytes, words, and two stop tokens; with `marks` also those of all formats, as special tokens."""
    return _vocabulary(marks)


@cache
def _vocabulary(marks: bool) -> sg.Vocabulary:
    texts = [*(bytes([byte]) for byte in range(256)), *(word.encode() for word in WORDS)]
    names = ["<eos>", "<|call|>", *(MARKS if marks else [])]
    ids = {name: len(texts) + place for place, name in enumerate(names)}
    stops = [ids["<eos>"], ids["<|call|>"]]
    return sg.Vocabulary.from_bytes([*texts, *(b"" for _ in names)], eos=stops, special=list(ids.values()), names=ids)


def layout(format: str = "hermes", tools: Any = TOOLS, **options: Any) -> Layout:
    return layout_of(tools, FORMATS[format], **options)


def compiled(found: Layout, tokens: sg.Vocabulary, style: JsonStyle | None = None) -> sg.Constraint:
    from structgen.api.compile import compile_source

    style = style or JsonStyle()
    return compile_source(formats_source(lambda: found.tag, f"{found.key}|{style!r}", style), tokens)[0]


def drawn(constraint: sg.Constraint, rng: Random, steps: int, *, hostile: bool) -> list[int]:
    """The tokens of an output, stop token included: allowed ones at random, then the shortest end.

    `hostile`: where a string or free text may hold anything, mostly what looks like marks, quotes and brackets.
    """
    matcher, tokens, words = constraint.matcher(), list[int](), constraint.vocabulary
    liked = [256 + place for place in range(len(WORDS))] + [*b'"\\{}[]<>/=,:|\n']
    for _ in range(steps):
        allowed = ids_of(matcher.mask()).tolist()
        if not allowed:
            return tokens
        some = [token for token in liked if hostile and token in allowed]
        token = rng.choice(some if some and rng.random() < 0.8 else allowed)
        assert matcher.accept(token)
        tokens.append(token)
        if matcher.is_finished():
            return tokens
    for token in matcher.shortest_completion():
        assert matcher.accept(token)
        tokens.append(token)
    if not matcher.is_finished():
        stop = next(token for token in words.stop_ids if matcher.allows([token])[0])
        tokens.append(stop)
    return tokens


def judged(tool: Tool, arguments: str) -> None:
    """Judge the text of a call's arguments by somebody else's validator."""

    errors = jsonschema_rs.validator_for(dict(tool.parameters), validate_formats=True).iter_errors(
        json.loads(arguments)
    )
    assert not list(errors), (tool.name, arguments)


def cuts(tokens: list[int], rng: Random) -> Iterator[list[int]]:
    """The tokens in pieces."""
    at = 0
    while at < len(tokens):
        size = rng.choice((1, 1, 2, 5))
        yield tokens[at : at + size]
        at += size


def encoded(tokens: sg.Vocabulary, text: str) -> list[int]:
    """A text in tokens: marks where the vocabulary has them, bytes elsewhere."""
    found: list[int] = []
    for piece in cut(text, tokens.names):
        found += [tokens.names[piece.name]] if isinstance(piece, Special) else [*piece.encode()]
    return found
