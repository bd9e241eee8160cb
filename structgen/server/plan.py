"""A request -> what is to be done: the prompt's tokens, the constraint that is wanted, options of each output.

The prompt is written by the model's own template, with the tools in it; what an output with tools may be is a layout
(structgen/tools), else one constraint, or none. Raises Refusal or errors of the library, which become one.
Cost: the prompt's; no constraint is compiled here.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json, to_json

from structgen.api.call import MOST_TOKENS
from structgen.api.options import Settings, check_integer, is_unicode, one_of
from structgen.api.prompts import framed, read_prompts
from structgen.api.sources import document_of
from structgen.api.tooling import tooled
from structgen.errors import OptionError
from structgen.grammars.json_schema.style import JsonStyle
from structgen.options import SamplingOptions
from structgen.samplers.run import METHODS
from structgen.server.compiling import Wanted
from structgen.server.refusals import Refusal
from structgen.server.settings import ServerSettings
from structgen.server.wire import (
    ChatRequest,
    CompletionRequest,
    ResponseFormat,
    Sampling,
    StructuredOutputs,
    ToolDefinition,
)
from structgen.tools.layout import Layout
from structgen.tools.tool import tools_of

__all__ = ["Plan", "plan_chat", "plan_completion"]

_COLDEST = 1e-4  # below it logits divided by the temperature leave float64 at some model's extremes: 0 is meant
_ROLES = {"developer": "system"}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a request asks for.

    field     meaning
    prompt    its tokens
    wanted    the constraint, None for free text
    layout    how the tokens of an output with tools are read, None without tools
    is_json   whether the constraint's texts are JSON
    budget    most tokens of an output
    options   how tokens are drawn; the seed is the request's or a fresh one
    n         outputs
    stops     texts that end a free text
    logprobs  how many alternatives are reported beside each token's own probability; None: no probabilities
    trace     whether each token is reported with what was allowed
    method    of `structgen.samplers`, with its options; "masked" is the loop
    """

    prompt: list[int]
    wanted: Wanted | None
    layout: Layout | None
    is_json: bool
    budget: int
    options: SamplingOptions
    n: int
    stops: tuple[bytes, ...]
    logprobs: int | None
    trace: bool
    method: str
    method_options: dict[str, Any]


def plan_chat(request: ChatRequest, engine: Any, settings: ServerSettings, context: int) -> Plan:
    """The plan of a chat; `context` is how many tokens prompt and output may be together."""
    style = _style(request, settings)
    chat = _chat(request)
    given = _constraint(request, style)
    layout: Layout | None = None
    if request.tools is None:
        for name in ("tool_choice", "parallel_tool_calls", "thinking"):
            if getattr(request, name) is not None:
                raise OptionError(f"{name} means nothing without tools", option=name)
        prompt = engine.encode(_framed(chat, given, engine, settings))
        wanted = None if given is None else _wanted(*given)
    else:
        prompt, layout, wanted = _with_tools(request, request.tools, chat, given, style, engine, settings)
    logprobs = (request.top_logprobs or 0) if request.logprobs else None
    if request.top_logprobs and not request.logprobs:
        raise OptionError("top_logprobs needs logprobs: true", option="top_logprobs")
    both = (request.max_tokens, request.max_completion_tokens)
    if None not in both and both[0] != both[1]:
        raise OptionError("max_tokens and max_completion_tokens differ", option="max_tokens")
    most = both[0] if both[0] is not None else both[1]
    is_json = given is not None and "schema" in given[0]
    return _plan(request, settings, context, prompt, wanted, layout, is_json, most, logprobs)


def plan_completion(request: CompletionRequest, engine: Any, settings: ServerSettings, context: int) -> Plan:
    """The plan of a completion: the prompt as it stands, text or tokens."""
    prompt: Any = request.prompt
    if isinstance(prompt, list) and prompt and isinstance(prompt[0], str):
        if len(prompt) > 1:
            raise Refusal(400, "one prompt a request", code="unsupported_parameter", param="prompt")
        prompt = prompt[0]
    (read,), _ = read_prompts(prompt, None)
    given = _constraint(request, _style(request, settings))
    wanted = None if given is None else _wanted(*given)
    is_json = given is not None and "schema" in given[0]
    most = 16 if request.max_tokens is None else request.max_tokens  # OpenAI's default
    return _plan(request, settings, context, engine.encode(read), wanted, None, is_json, most, request.logprobs)


def _plan(
    request: Sampling,
    settings: ServerSettings,
    context: int,
    prompt: list[int],
    wanted: Wanted | None,
    layout: Layout | None,
    is_json: bool,
    most: int | None,
    logprobs: int | None,
) -> Plan:
    n, method = request.n or 1, request.method or "masked"
    check_integer("max_tokens", most, 1, optional=True)
    if n > settings.most_choices:
        raise OptionError(f"n is at most {settings.most_choices}, not {n}", option="n")
    one_of("method", method, tuple(METHODS))
    if len(prompt) + (most or 1) > context:
        raise Refusal(
            400,
            f"a prompt of {len(prompt)} tokens and an output of {most or 1} are more than the context of {context}",
            code="context_length_exceeded",
            param="messages" if most is None or len(prompt) >= context else "max_tokens",
        )
    stops = _stops(request, wanted)
    if method != "masked":
        _check_method(request, wanted, stops, logprobs)
    elif request.method_options is not None:
        raise OptionError("method_options means nothing without a method", option="method_options")
    if request.stream_options is not None and not request.stream:
        raise OptionError("stream_options means nothing without stream", option="stream_options")
    budget = min(MOST_TOKENS, context - len(prompt)) if most is None else most
    return Plan(
        prompt, wanted, layout, is_json, budget, _sampling(request), n, stops, logprobs, request.trace, method,
        request.method_options or {},
    )  # fmt: skip


def _check_method(request: Sampling, wanted: Wanted | None, stops: tuple[bytes, ...], logprobs: int | None) -> None:
    if wanted is None:
        raise OptionError(f"method={request.method!r} needs a constraint", option="method")
    for name, asked in (("stream", request.stream), ("logprobs", logprobs is not None), ("trace", request.trace)):
        if asked:
            raise OptionError(f"{name} means nothing with method={request.method!r}", option=name)
    for name in ("min_p", "repetition_penalty"):
        if getattr(request, name) is not None:
            raise OptionError(f"{name} means nothing with method={request.method!r}", option=name)


def _sampling(request: Sampling) -> SamplingOptions:
    temperature = 1.0 if request.temperature is None else request.temperature
    if 0 < temperature < _COLDEST:
        raise OptionError(f"temperature is 0 or at least {_COLDEST}, not {temperature}", option="temperature")
    return SamplingOptions(
        temperature=temperature,
        top_k=request.top_k,
        top_p=request.top_p,
        seed=secrets.randbits(32) if request.seed is None else request.seed,
        min_p=request.min_p,
        repetition_penalty=1.0 if request.repetition_penalty is None else request.repetition_penalty,
    )


def _stops(request: Sampling, wanted: Wanted | None) -> tuple[bytes, ...]:
    texts = [request.stop] if isinstance(request.stop, str) else request.stop or []
    if len(texts) > 16 or not all(text and is_unicode(text) for text in texts):
        raise OptionError("stop is a text, or up to 16, none of them empty", option="stop")
    if texts and wanted is not None:
        raise Refusal(
            400,
            "stop is for free text: a constrained output ends where it is complete",
            code="unsupported_parameter",
            param="stop",
        )
    return tuple(text.encode() for text in texts)


def _style(request: Sampling, settings: ServerSettings) -> JsonStyle:
    return settings.style if request.whitespace is None else JsonStyle(whitespace=request.whitespace)


def _chat(request: ChatRequest) -> list[dict[str, Any]]:
    """The messages as templates take them, contents joined to texts."""
    messages = [
        {**message.model_dump(exclude_none=True), "role": _ROLES.get(message.role, message.role)}
        for message in request.messages
    ]
    (chat,), _ = read_prompts("", messages)
    found: list[dict[str, Any]] = chat
    return found


def _framed(
    chat: list[dict[str, Any]], given: tuple[dict[str, Any], str] | None, engine: Any, settings: ServerSettings
) -> Any:
    """A chat as the engine takes it. The bundled model has one form of prompt, which shows it the schema: what a user
    says alone is put into that, as `generate` does."""
    schema = None if given is None else given[0].get("schema")
    if settings.model is None and len(chat) == 1 and chat[0]["role"] == "user":
        return framed(chat[0]["content"], schema, Settings(), engine, bundled=True)
    return framed(chat, schema, Settings(), engine, bundled=False)


def _with_tools(
    request: ChatRequest,
    definitions: list[ToolDefinition],
    chat: list[dict[str, Any]],
    given: tuple[dict[str, Any], str] | None,
    style: JsonStyle,
    engine: Any,
    settings: ServerSettings,
) -> tuple[list[int], Layout, Wanted]:
    """Prompt, layout and constraint where tools may be called; a schema says what may be answered instead of text."""
    if len(definitions) > settings.most_tools:
        raise OptionError(f"{settings.most_tools} tools at most, not {len(definitions)}", option="tools")
    tools = tools_of([_definition(each) for each in definitions])
    answer = None
    if given is not None:
        if "schema" not in given[0]:
            raise OptionError("beside tools an answer may have a JSON schema, and no other constraint", option=given[1])
        answer = document_of(given[0]["schema"], None, None)
    choice = request.tool_choice or "auto"
    options = Settings(
        tools=tools,
        tool_choice=choice if isinstance(choice, str) else choice.function.name,
        parallel_tool_calls=request.parallel_tool_calls is not False,
        thinking=request.thinking,
        tool_format=settings.tool_format,
        style=style,
    )
    prompt, layout, source = tooled(chat, tools, answer, options, engine)
    return prompt, layout, Wanted(f"tools:{source.key}", lambda: {"tag": layout.tag, "style": style}, "tools")


def _definition(tool: ToolDefinition) -> dict[str, Any]:
    """A tool as it is defined; one without parameters has no arguments, as OpenAI says."""
    found = tool.model_dump(exclude_none=True)
    nothing = {"type": "object", "properties": {}, "additionalProperties": False}
    return {**found, "function": {"parameters": nothing, **found["function"]}}


def _constraint(request: Sampling, style: JsonStyle) -> tuple[dict[str, Any], str] | None:
    """The options of the one constraint that a request has, and the field it stands in; None for free text."""
    found = []
    if request.structured_outputs is not None:
        found += _of_structured(request.structured_outputs)
    if isinstance(request, ChatRequest) and request.response_format is not None:
        found += _of_format(request.response_format)
    if len(found) > 1:
        raise OptionError(f"one constraint a request, not {' and '.join(p for _, p in found)}", option=found[1][1])
    if not found:
        return None
    options, param = found[0]
    return ({**options, "style": style} if options.keys() & {"schema", "tag"} else options), param


def _of_format(given: ResponseFormat) -> list[tuple[dict[str, Any], str]]:
    fields = given.model_dump(exclude_none=True, exclude={"type", "json_schema"})
    tag = given.type == "structural_tag"
    if (given.json_schema is not None) != (given.type == "json_schema"):
        raise OptionError("response_format.json_schema belongs to type json_schema", option="response_format")
    if bool(fields) != tag or (
        tag and not ({"format"} == fields.keys() or {"structures", "triggers"} == fields.keys())
    ):
        raise OptionError(
            "a structural_tag has format, or structures and triggers, and nothing else has", option="response_format"
        )
    if tag:
        return [({"tag": {"type": "structural_tag", **fields}}, "response_format")]
    if given.json_schema is not None:
        return [({"schema": given.json_schema.schema_}, "response_format.json_schema.schema")]
    return [({"schema": {"type": "object"}}, "response_format")] if given.type == "json_object" else []


def _of_structured(given: StructuredOutputs) -> list[tuple[dict[str, Any], str]]:
    fields = {name: value for name, value in given if value is not None}
    found: list[tuple[dict[str, Any], str]] = []
    for name, value in fields.items():
        param = f"structured_outputs.{name.rstrip('_')}"
        if name == "json_":
            found.append(({"schema": _parsed(value, param)}, param))
        elif name == "json_object":
            found += [({"schema": {"type": "object"}}, param)] if value else []
        else:
            names = {"choice": "choices", "grammar": "ebnf", "structural_tag": "tag"}
            found.append(({names.get(name, name): value}, param))
    return found


def _parsed(value: Any, param: str) -> Any:
    """A schema, from its text if that is what was sent."""
    if not isinstance(value, str):
        return value
    try:
        found = from_json(value)
    except ValueError as error:
        raise OptionError(f"not JSON: {error}", option=param) from None
    if not isinstance(found, dict | bool):
        raise OptionError(f"a schema is an object or a boolean, not {type(found).__name__}", option=param)
    return found


def _wanted(options: dict[str, Any], param: str) -> Wanted:
    plain = {name: repr(value) if isinstance(value, JsonStyle) else value for name, value in options.items()}
    key = hashlib.sha256(to_json(plain)).hexdigest()  # in the order of the keys: it is that of the output
    return Wanted(key, lambda: options, param)
