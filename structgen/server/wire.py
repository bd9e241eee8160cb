"""Requests as they come over the wire -> records, strictly: a field that is not known is an error, never ignored.

Three kinds of fields. Those that do something here. Those that change nothing here by their nature (`user`,
`metadata`, cache hints): accepted. Those that OpenAI has and this server does not do: accepted where they ask for
nothing (`frequency_penalty: 0`), else 400 `unsupported_parameter`. Cost: linear in the request.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from structgen.server.refusals import Refusal

__all__ = [
    "ChatRequest",
    "CompletionRequest",
    "Message",
    "ResponseFormat",
    "Strict",
    "StructuredOutputs",
    "TextPart",
    "ToolDefinition",
    "Whitespace",
    "read_request",
]

Whitespace = Literal["flexible", "compact", "json_dumps", "any"]
Stops = str | list[str] | None
Count = Annotated[int, Field(ge=1)]
Schema = dict[str, Any] | bool


class Strict(BaseModel):
    """A record without other fields."""

    model_config = ConfigDict(extra="forbid", strict=True)


class TextPart(Strict):
    """A part of a message's content."""

    type: Literal["text", "input_text", "output_text"]
    text: str


class CalledFunction(Strict):
    """What a past call calls."""

    name: str
    arguments: str


class PastCall(Strict):
    """A call in a message of the assistant."""

    id: str
    type: Literal["function"] = "function"
    function: CalledFunction
    index: int | None = None


class Message(Strict):
    """A message of a chat, as clients send their own ones and those they got from a server."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[TextPart] | None = None
    name: str | None = None
    tool_calls: list[PastCall] | None = None
    tool_call_id: str | None = None
    reasoning_content: str | None = None
    refusal: None = None
    audio: None = None
    function_call: None = None
    annotations: Annotated[list[Any], Field(max_length=0)] | None = None


class JsonSchemaFormat(Strict):
    """A named schema."""

    name: str
    schema_: Annotated[Schema, Field(alias="schema")]
    description: str | None = None
    strict: bool | None = None


class ResponseFormat(Strict):
    """What the answer has to be: text, any JSON object, JSON of a schema, or structural-tag JSON."""

    type: Literal["text", "json_object", "json_schema", "structural_tag"]
    json_schema: JsonSchemaFormat | None = None
    format: dict[str, Any] | None = None
    structures: list[Any] | None = None
    triggers: list[Any] | None = None


class StructuredOutputs(Strict):
    """One constraint, by vLLM's names, and how its JSON is spelled."""

    json_: Annotated[Schema | str | None, Field(alias="json")] = None
    regex: str | None = None
    choice: list[str] | None = None
    grammar: str | None = None
    json_object: bool | None = None
    structural_tag: str | dict[str, Any] | None = None
    lark: str | None = None
    gbnf: str | None = None


class FunctionDefinition(Strict):
    """A function that may be called."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class ToolDefinition(Strict):
    """A tool, of which there is one kind."""

    type: Literal["function"]
    function: FunctionDefinition


class NamedFunction(Strict):
    """The name of a function."""

    name: str


class NamedTool(Strict):
    """The tool that has to be called."""

    type: Literal["function"]
    function: NamedFunction


class StreamOptions(Strict):
    """Whether a stream ends with a count of its tokens."""

    include_usage: bool = False
    include_obfuscation: bool | None = None


class Sampling(Strict):
    """The fields that the endpoints have in common."""

    model: str
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    seed: int | None = None
    n: Count | None = None
    stop: Stops = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    structured_outputs: StructuredOutputs | None = None
    whitespace: Whitespace | None = None
    method: str | None = None
    method_options: dict[str, Any] | None = None
    trace: bool = False
    user: str | None = None
    metadata: dict[str, str] | None = None
    prompt_cache_key: str | None = None
    safety_identifier: str | None = None
    # What OpenAI has and this server does not, where it asks for something: see _NEUTRAL.
    frequency_penalty: Any = None
    presence_penalty: Any = None
    logit_bias: Any = None
    service_tier: Any = None


class ChatRequest(Sampling):
    """POST /v1/chat/completions."""

    messages: Annotated[list[Message], Field(min_length=1)]
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    response_format: ResponseFormat | None = None
    tools: list[ToolDefinition] | None = None
    tool_choice: Literal["auto", "required", "none"] | NamedTool | None = None
    parallel_tool_calls: bool | None = None
    thinking: bool | None = None
    store: Any = None
    modalities: Any = None
    audio: Any = None
    functions: Any = None
    function_call: Any = None
    prediction: Any = None
    reasoning_effort: Any = None
    verbosity: Any = None
    web_search_options: Any = None
    prompt_cache_retention: Any = None


class CompletionRequest(Sampling):
    """POST /v1/completions: one text, or its tokens."""

    prompt: str | list[int] | list[str]
    max_tokens: int | None = None
    logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    echo: Any = None
    best_of: Any = None
    suffix: Any = None


_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logit_bias": ({},),
    "service_tier": ("auto", "default"),
    "reasoning": ({},),
    "store": (False,),
    "modalities": (["text"],),
    "echo": (False,),
    "best_of": (1,),
    "functions": ([],),
    "suffix": ("",),
    "background": (False,),
    "truncation": ("disabled",),
    "include": ([],),
    **dict.fromkeys(
        ("audio", "function_call", "prediction", "reasoning_effort", "verbosity", "web_search_options",
         "prompt_cache_retention", "previous_response_id", "conversation", "prompt", "max_tool_calls",
         "context_management"), ()
    ),
}  # fmt: skip

R = TypeVar("R", bound=BaseModel)


def read_request(kind: type[R], body: bytes) -> R:
    """The request in a body. Raises Refusal (400)."""
    try:
        document = from_json(body)
    except ValueError as error:
        raise Refusal(400, f"the body is no JSON that can be read: {error}", code="invalid_json") from None
    if not isinstance(document, dict):
        raise Refusal(400, "the body is a JSON object", code="invalid_type")
    try:
        request = kind.model_validate(document)
    except ValidationError as error:
        raise _refusal(error, kind, document) from None
    for name in kind.model_fields.keys() & _NEUTRAL.keys() - ({"prompt"} if kind is CompletionRequest else set()):
        value = getattr(request, name)
        if name in document and value is not None and value not in _NEUTRAL[name]:
            raise Refusal(
                400, f"this server does not do {name}={_shown(value)}", code="unsupported_parameter", param=name
            )
    return request


def _refusal(error: ValidationError, kind: type[BaseModel], document: dict[str, Any]) -> Refusal:
    """The most telling fault: an unknown field first, then the one that is deepest in the request, since of the members
    of a union the nearest is meant."""
    faults = error.errors(include_url=False, include_context=False)
    fault = max(faults, key=lambda each: (each["type"] == "extra_forbidden", len(each["loc"])))
    param = _param(fault["loc"], document)
    if fault["type"] == "extra_forbidden":
        from structgen.errors import suggest

        near = suggest(param, kind.model_fields) if len(fault["loc"]) == 1 else ""
        return Refusal(400, f"unknown field {param}{near}", code="unknown_parameter", param=param)
    if fault["type"] == "missing":
        return Refusal(400, f"{param} is missing", code="missing_required_parameter", param=param)
    shown = _shown(fault["input"])
    return Refusal(400, f"{param}: {fault['msg']}, not {shown}", code="invalid_value", param=param)


def _param(place: tuple[int | str, ...], document: Any) -> str:
    """A place in the request as clients write it; names that only a union of ours has are left out."""
    text, at = "", document
    for step in place:
        if isinstance(step, int):
            text += f"[{step}]"
            at = at[step] if isinstance(at, list) and step < len(at) else None
        elif isinstance(at, dict) and (step in at or step == place[-1]):
            text += f".{step}" if text else step
            at = at.get(step)
    return text


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) < 80 else f"{text[:77]}..."
