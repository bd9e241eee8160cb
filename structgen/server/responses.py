"""POST /v1/responses: OpenAI's newer form of the same chats, which agents use by default.

A request becomes a chat (`as_chat`), so it is planned, compiled and written as one; a choice becomes items: the
thinking, a message, a call each. Nothing is stored: every request brings its whole conversation. Events are numbered,
have names, and end without [DONE].
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field

from structgen.errors import OptionError
from structgen.server.answers import Sent, Usage, log_prob_of, trace_of
from structgen.server.jobs import TokenReport
from structgen.server.plan import Plan
from structgen.server.reading import Choice
from structgen.server.refusals import Refusal
from structgen.server.wire import ChatRequest, Strict, StructuredOutputs, TextPart, Whitespace
from structgen.tools.reading import Delta
from structgen.vocabulary import Vocabulary

__all__ = ["NAMES", "ResponseRequest", "ResponseWriter", "as_chat"]


class OutputPart(Strict):
    """A part of a message that came from a server."""

    type: Literal["input_text", "output_text", "text"]
    text: str
    annotations: Annotated[list[Any], Field(max_length=0)] | None = None
    logprobs: list[Any] | None = None


class MessageItem(Strict):
    """A message, as clients write it or as it came back."""

    type: Literal["message"] = "message"
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[OutputPart]
    id: str | None = None
    status: str | None = None
    phase: str | None = None


class CallItem(Strict):
    """A past call."""

    type: Literal["function_call"]
    call_id: str
    name: str
    arguments: str
    id: str | None = None
    status: str | None = None


class ResultItem(Strict):
    """What a call returned."""

    type: Literal["function_call_output"]
    call_id: str
    output: str | list[TextPart]
    id: str | None = None
    status: str | None = None


class ThoughtItem(Strict):
    """What the model thought in an earlier turn."""

    type: Literal["reasoning"]
    content: list[Any] | None = None
    summary: Annotated[list[Any], Field(max_length=0)] | None = None
    id: str | None = None
    status: str | None = None
    encrypted_content: None = None


class FunctionTool(Strict):
    """A tool, flat."""

    type: Literal["function"]
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class FunctionChoice(Strict):
    """The tool that has to be called."""

    type: Literal["function"]
    name: str


class TextFormat(Strict):
    """What a text has to be."""

    type: Literal["text", "json_object", "json_schema", "structural_tag"]
    name: str | None = None
    schema_: Annotated[dict[str, Any] | bool | None, Field(alias="schema")] = None
    description: str | None = None
    strict: bool | None = None
    format: dict[str, Any] | None = None


class TextOptions(Strict):
    """How an answer is written."""

    format: TextFormat | None = None
    verbosity: None = None


class StreamChoices(Strict):
    """Whether events are padded against eavesdroppers: nothing here is."""

    include_obfuscation: bool | None = None


class ResponseRequest(Strict):
    """POST /v1/responses."""

    model: str
    input: str | list[MessageItem | CallItem | ResultItem | ThoughtItem]
    instructions: str | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    stream: bool | None = None
    stream_options: StreamChoices | None = None
    text: TextOptions | None = None
    tools: list[FunctionTool] | None = None
    tool_choice: Literal["auto", "required", "none"] | FunctionChoice | None = None
    parallel_tool_calls: bool | None = None
    metadata: dict[str, str] | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    # Ours, as in chats.
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    seed: int | None = None
    structured_outputs: StructuredOutputs | None = None
    whitespace: Whitespace | None = None
    thinking: bool | None = None
    trace: bool = False
    method: str | None = None
    method_options: dict[str, Any] | None = None
    # What OpenAI has and this server does not, where it asks for something (wire.read_request).
    store: Any = None
    background: Any = None
    conversation: Any = None
    previous_response_id: Any = None
    include: Any = None
    truncation: Any = None
    service_tier: Any = None
    max_tool_calls: Any = None
    reasoning: Any = None
    prompt: Any = None
    prompt_cache_retention: Any = None
    context_management: Any = None


NAMES = {
    "messages": "input", "max_tokens": "max_output_tokens", "response_format": "text.format",
    "response_format.json_schema.schema": "text.format.schema",
}  # fmt: skip
_SAME = (
    "model", "temperature", "top_p", "top_k", "min_p", "repetition_penalty", "seed", "stream", "parallel_tool_calls",
    "structured_outputs", "whitespace", "thinking", "trace", "method", "method_options",
)  # fmt: skip


def as_chat(request: ResponseRequest) -> ChatRequest:
    """The chat that a request asks for. Raises Refusal or OptionError."""
    fields: dict[str, Any] = {name: getattr(request, name) for name in _SAME}
    fields["max_tokens"] = request.max_output_tokens
    if request.top_logprobs is not None:
        fields |= {"logprobs": True, "top_logprobs": request.top_logprobs}
    if request.tools is not None:
        fields["tools"] = [_tool(tool) for tool in request.tools] or None
    choice = request.tool_choice
    if isinstance(choice, FunctionChoice):
        fields["tool_choice"] = {"type": "function", "function": {"name": choice.name}}
    elif fields.get("tools") or choice == "required":
        fields["tool_choice"] = choice
    if not fields.get("tools"):
        fields["parallel_tool_calls"] = None  # agents send it with every request
    if request.text is not None and request.text.format is not None:
        fields["response_format"] = _format(request.text.format)
    fields["messages"] = _messages(request)
    if not fields["messages"]:
        raise Refusal(400, "input is empty", code="invalid_value", param="input")
    return ChatRequest.model_validate({name: value for name, value in fields.items() if value is not None})


def _tool(tool: FunctionTool) -> dict[str, Any]:
    return {"type": "function", "function": tool.model_dump(exclude_none=True, exclude={"type"})}


def _format(given: TextFormat) -> dict[str, Any]:
    fields = given.model_dump(exclude_none=True, exclude={"type"}, by_alias=True)
    if given.type == "json_schema":
        if given.schema_ is None or given.name is None:
            raise OptionError("a json_schema has a name and a schema", option="text.format")
        return {"type": "json_schema", "json_schema": fields}
    return {"type": given.type, **fields}


def _messages(request: ResponseRequest) -> list[dict[str, Any]]:
    """Items as messages: calls and thoughts belong to the assistant's message that they follow or begin."""
    found: list[dict[str, Any]] = []
    if request.instructions is not None:
        found.append({"role": "system", "content": request.instructions})
    if isinstance(request.input, str):
        return [*found, {"role": "user", "content": request.input}]
    thought: str | None = None
    for item in request.input:
        if isinstance(item, ThoughtItem):
            parts = item.content or []
            thought = "".join(str(part.get("text", "")) for part in parts if isinstance(part, dict)) or None
        elif isinstance(item, ResultItem):
            text = item.output if isinstance(item.output, str) else "".join(part.text for part in item.output)
            found.append({"role": "tool", "tool_call_id": item.call_id, "content": text})
        elif isinstance(item, MessageItem):
            text = item.content if isinstance(item.content, str) else "".join(part.text for part in item.content)
            found.append({"role": item.role, "content": text})
        else:
            function = {"name": item.name, "arguments": item.arguments}
            call = {"id": item.call_id, "type": "function", "function": function}
            if not found or found[-1]["role"] != "assistant":
                found.append({"role": "assistant", "content": ""})
            found[-1].setdefault("tool_calls", []).append(call)
        if thought is not None and found and found[-1]["role"] == "assistant":
            found[-1].setdefault("reasoning_content", thought)
            thought = None
    return found


@dataclass(slots=True)
class ResponseWriter:
    """response objects and their events."""

    plan: Plan
    request: ResponseRequest
    vocabulary: Vocabulary
    warnings: tuple[str, ...] = ()
    id: str = field(default_factory=lambda: f"resp_{secrets.token_hex(16)}")
    created: int = field(default_factory=lambda: int(time.time()))
    done: bytes = b""
    _number: int = 0
    _items: list[dict[str, Any]] = field(default_factory=list)
    _open: bool = False  # whether the last item is still being written
    _choice: Choice | None = None

    def whole(self, choices: Sequence[Choice], usage: Usage) -> dict[str, Any]:
        """The response."""
        (choice,) = choices
        items = []
        if choice.thinking is not None:
            items.append(_ended_item(_new_item("thinking"), choice.thinking))
        if choice.text or not choice.calls:
            items.append(_ended_item(_new_item("text"), choice.text))
        for call in choice.calls:
            items.append(_ended_item({**_new_item("name"), "call_id": call.id, "name": call.name}, call.text))
        self._report(items, choice.reports)
        return self._response(_status(choice), items, usage, choice)

    def begin(self) -> list[Sent]:
        """The response exists."""
        return [self._sent(kind, response=self._response("in_progress", [])) for kind in ("created", "in_progress")]

    def piece(self, place: int, deltas: Sequence[Delta], reports: Sequence[TokenReport]) -> list[Sent]:
        """Items that begin and grow."""
        found: list[Sent] = []
        for delta in deltas:
            kind = "name" if delta.kind == "arguments" else delta.kind
            if delta.kind == "name" or not self._open or self._items[-1]["type"] != _new_item(kind)["type"]:
                found += self._close_item()
                found += self._open_item(kind, delta)
            if delta.kind != "name":
                found.append(self._grow(delta, reports if delta is deltas[0] else ()))
        return found

    def end(self, place: int, choice: Choice) -> list[Sent]:
        """The last item ends."""
        self._choice = choice
        found = [] if self._items else self._open_item("text", Delta("text", ""))
        return found + self._close_item()

    def close(self, usage: Usage) -> list[Sent]:
        """The response ends."""
        assert self._choice is not None
        self._report(self._items, self._choice.reports)
        response = self._response(_status(self._choice), self._items, usage, self._choice)
        return [self._sent(response["status"], response=response)]

    def failed(self, refusal: Refusal) -> list[Sent]:
        """The response fails."""
        error = {"code": refusal.code, "message": refusal.message}
        return [self._sent("failed", response={**self._response("failed", self._items), "error": error})]

    # ------------------------------------------------------------------------------------------------------- items

    def _open_item(self, kind: str, delta: Delta) -> list[Sent]:
        item = _new_item(kind)
        if kind == "name":
            item |= {"call_id": delta.id, "name": delta.text}
        self._items.append(item)
        self._open = True
        found = [self._sent("output_item.added", output_index=len(self._items) - 1, item={**item, **_nothing(item)})]
        if kind != "name":
            found.append(self._of_item("content_part.added", content_index=0, part={**item["content"][0]}))
        return found

    def _grow(self, delta: Delta, reports: Sequence[TokenReport]) -> Sent:
        item = self._items[-1]
        if delta.kind == "arguments":
            item["arguments"] += delta.text
            return self._of_item("function_call_arguments.delta", delta=delta.text)
        part = item["content"][0]
        part["text"] += delta.text
        if delta.kind == "thinking":
            return self._of_item("reasoning_text.delta", content_index=0, delta=delta.text)
        told: dict[str, Any] = {"logprobs": self._log_probs(reports)}
        if self.plan.trace:
            told["trace"] = [trace_of(each, self.vocabulary) for each in reports]
        return self._of_item("output_text.delta", content_index=0, delta=delta.text, **told)

    def _close_item(self) -> list[Sent]:
        if not self._open:
            return []
        item, self._open = self._items[-1], False
        item["status"] = "completed"
        if item["type"] == "function_call":
            said = {"arguments": item["arguments"], "name": item["name"]}
            found = [self._of_item("function_call_arguments.done", **said)]
        else:
            part = item["content"][0]
            kind = "reasoning_text" if item["type"] == "reasoning" else "output_text"
            more: dict[str, Any] = {"logprobs": []} if kind == "output_text" else {}
            found = [self._of_item(f"{kind}.done", content_index=0, text=part["text"], **more)]
            found.append(self._of_item("content_part.done", content_index=0, part={**part}))
        return [*found, self._sent("output_item.done", output_index=len(self._items) - 1, item={**item})]

    def _of_item(self, kind: str, **data: Any) -> Sent:
        return self._sent(kind, item_id=self._items[-1]["id"], output_index=len(self._items) - 1, **data)

    def _sent(self, kind: str, **data: Any) -> Sent:
        name = f"response.{kind}"
        sent = Sent({"type": name, "sequence_number": self._number, **data}, name)
        self._number += 1
        return sent

    def _report(self, items: list[dict[str, Any]], reports: Sequence[TokenReport]) -> None:
        """Put probabilities and masks beside the text."""
        part = next((item["content"][0] for item in items if item["type"] == "message"), None)
        if part is not None:
            part["logprobs"] = self._log_probs(reports)
            if self.plan.trace:
                part["trace"] = [trace_of(each, self.vocabulary) for each in reports]

    def _log_probs(self, reports: Sequence[TokenReport]) -> list[dict[str, Any]]:
        return [] if self.plan.logprobs is None else [log_prob_of(each, self.vocabulary) for each in reports]

    def _response(
        self, status: str, items: list[dict[str, Any]], usage: Usage | None = None, choice: Choice | None = None
    ) -> dict[str, Any]:
        asked = self.request
        found: dict[str, Any] = {
            "id": self.id, "object": "response", "created_at": self.created, "model": asked.model, "status": status,
            "output": items, "error": None, "incomplete_details": None, "instructions": asked.instructions,
            "max_output_tokens": asked.max_output_tokens, "metadata": asked.metadata or {}, "store": False,
            "parallel_tool_calls": asked.parallel_tool_calls is not False, "previous_response_id": None,
            "temperature": self.plan.options.temperature, "top_p": self.plan.options.top_p or 1.0,
            "text": {"format": {"type": "text"}} if asked.text is None else _shown(asked.text),
            "tool_choice": "auto" if asked.tool_choice is None else _shown(asked.tool_choice),
            "tools": [_shown(tool) | {"strict": True} for tool in asked.tools or ()], "truncation": "disabled",
            "usage": None if usage is None else _usage(usage),
        }  # fmt: skip
        if choice is not None:
            if status == "incomplete":
                found["incomplete_details"] = {"reason": "max_output_tokens"}
            if choice.why is not None:
                found |= {"stop_reason": choice.why, "completed_at": list(choice.completed_at)}
        return found | ({"warnings": list(self.warnings)} if self.warnings else {})


def _new_item(kind: str) -> dict[str, Any]:
    """An item before its first letter."""
    if kind == "name":
        return {"id": f"fc_{secrets.token_hex(12)}", "type": "function_call", "status": "in_progress", "call_id": "",
                "name": "", "arguments": ""}  # fmt: skip
    if kind == "thinking":
        part: dict[str, Any] = {"type": "reasoning_text", "text": ""}
        return {"id": f"rs_{secrets.token_hex(12)}", "type": "reasoning", "status": "in_progress", "summary": [],
                "content": [part]}  # fmt: skip
    part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    return {"id": f"msg_{secrets.token_hex(12)}", "type": "message", "status": "in_progress", "role": "assistant",
            "content": [part]}  # fmt: skip


def _nothing(item: dict[str, Any]) -> dict[str, Any]:
    """What an item shows when it is added: its content comes as parts."""
    return {} if item["type"] == "function_call" else {"content": []}


def _ended_item(item: dict[str, Any], text: str) -> dict[str, Any]:
    if item["type"] == "function_call":
        return {**item, "status": "completed", "arguments": text}
    return {**item, "status": "completed", "content": [{**item["content"][0], "text": text}]}


def _status(choice: Choice) -> str:
    return "incomplete" if choice.finish == "length" else "completed"


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": usage.reused},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.prompt + usage.output,
    }


def _shown(value: Any) -> Any:
    return value if isinstance(value, str) else value.model_dump(exclude_none=True, by_alias=True)
