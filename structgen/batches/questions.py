"""A line of a batch -> a question: its id, the options of `generate` it stands for, and what tells it from another.

    {"custom_id": "a", "prompt": "...", "schema": {...}, "max_tokens": 200}

A line without a readable id is a mistake of the whole file (QuestionError): an answer could not say what it is for.
Whatever else is wrong with a line is its own answer: a field that does not exist, a schema that is none, a budget that
is too small. Nothing is ignored and nothing is guessed; null is a field that is not given.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from structgen.api.expressions import read
from structgen.api.peers import answer
from structgen.api.sources import FRONT_ENDS
from structgen.errors import OptionError, QuestionError, suggest
from structgen.grammars.json_schema.style import JsonStyle
from structgen.tags import tag_of

__all__ = ["CONSTRAINTS", "FIELDS", "Question", "options_of", "read_question"]

CONSTRAINTS = ("schema", *FRONT_ENDS, "tools")  # a line that has one takes none of the run's
_PROMPTS = ("prompt", "messages", "system", "chat", "describe")
_TOOLS = ("tool_choice", "parallel_tool_calls", "thinking", "tool_format")
_DRAWING = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "seed", "method", "method_options")
_ENDING = ("max_tokens", "on_truncate", "stop")
_SCHEMAS = ("whitespace", "dialect", "strict")
_BESIDE = {  # what the run says means something only to questions that have one of these
    "style": ("schema", "tag", "tools"),
    "dialect": ("schema", "tools"),
    "strict": ("schema",),
    "describe": ("schema", "tools"),
    "tool_choice": ("tools",),
}
FIELDS = ("custom_id", *_PROMPTS, *CONSTRAINTS, *_TOOLS, *_DRAWING, *_ENDING, *_SCHEMAS)


@dataclass(frozen=True, slots=True)
class Question:
    """One line: the id of its answer, its fields, and `key`, the first 16 hex digits of the SHA-256 of all of them.

    Blanks between the tokens of a line change nothing about its key; the order of keys does, since it orders outputs.
    """

    custom_id: str
    fields: Mapping[str, Any]
    key: str


def read_question(line: str | bytes | Mapping[str, Any], number: int | None = None) -> Question:
    """The question of a line, given as its text or as the object in it. Raises QuestionError."""
    given = line if isinstance(line, Mapping) else _parsed(line, number)
    if not isinstance(given, Mapping):
        raise QuestionError(f"a question is a JSON object, not {type(given).__name__}", line=number)
    custom_id = given.get("custom_id")
    if not isinstance(custom_id, str) or not custom_id:
        raise QuestionError(f"custom_id is a text that is not empty, not {custom_id!r}", line=number)
    text = json.dumps(given, separators=(",", ":"))
    return Question(custom_id, given, hashlib.sha256(text.encode()).hexdigest()[:16])


def options_of(question: Question, defaults: Mapping[str, Any], model: str) -> dict[str, Any]:
    """The options of `generate` that a question stands for, `defaults` where it says nothing. Raises OptionError, and
    GrammarError for an expression in `grammar`.

    `model` is what an OpenAI line has to ask for.
    """
    fields = {name: value for name, value in question.fields.items() if value is not None and name != "custom_id"}
    if "body" in fields or "url" in fields:
        from structgen.batches.openai import body_options  # loaded when such a line comes

        fields = body_options(fields, model)
    for name in fields:
        if name not in FIELDS:
            hint = f": {said}" if (said := answer(name)) else suggest(name, FIELDS)
            raise OptionError(f"there is no field {name!r}{hint}", option=name)
    if "prompt" not in fields and "messages" not in fields:
        raise OptionError("prompt or messages is needed", option="prompt")
    prompt = fields.get("prompt", "")
    if not isinstance(prompt, str) and (not isinstance(prompt, list) or not all(_is_token(each) for each in prompt)):
        raise OptionError("prompt is a text or a list of token ids; a chat is messages", option="prompt")
    if "describe" in fields and not isinstance(fields["describe"], bool):
        raise OptionError("describe is true or false", option="describe")
    return _with_defaults(_read_fields(fields), defaults)


def _read_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields that JSON cannot hold as `generate` takes them."""
    found = dict(fields)
    if "whitespace" in found:
        found["style"] = JsonStyle(whitespace=found.pop("whitespace"))
    if isinstance(found.get("grammar"), str):
        found["grammar"] = read(found["grammar"], files=False)
    if "tag" in found:
        found["tag"] = tag_of(found["tag"])
    if not isinstance(found.get("schema", {}), dict | bool):
        raise OptionError("schema is a JSON Schema: an object or a boolean", option="schema")
    return found


def _with_defaults(found: dict[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The run's options where a question has none of its own; of constraints it has one, its own if there is any."""
    own = any(name in found for name in CONSTRAINTS)
    given = {name: value for name, value in defaults.items() if not (own and name in CONSTRAINTS)}
    if "messages" in found and any(message.get("role") == "system" for message in _mappings(found["messages"])):
        given.pop("system", None)
    merged = {**given, **found}
    for name, beside in _BESIDE.items():
        if name not in found and not any(merged.get(kind) is not None for kind in beside):
            merged.pop(name, None)
    return merged


def _mappings(messages: object) -> list[Mapping[str, Any]]:
    return [each for each in messages if isinstance(each, Mapping)] if isinstance(messages, list) else []


def _is_token(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _parsed(line: str | bytes, number: int | None) -> Any:
    try:
        return json.loads(line, object_pairs_hook=_without_repeats, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise QuestionError(f"not JSON: {str(error) or type(error).__name__}", line=number) from error


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} stands twice in an object")
    return found


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number in JSON")
