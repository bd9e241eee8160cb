"""Choices and their pieces -> OpenAI's objects: chats and completions, whole or as events of a stream.

Beside what OpenAI has: `reasoning_content` (what the model thought), `stop_reason` and `completed_at` of an output that
the model did not end, `trace`, `log_weight`, and `warnings` about a schema. A number that JSON has not is -9999, as
OpenAI writes it.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from pydantic_core import to_json

from structgen.server.jobs import TokenReport
from structgen.server.plan import Plan
from structgen.server.reading import Choice
from structgen.server.refusals import Refusal
from structgen.tools.reading import Delta
from structgen.vocabulary import Vocabulary

__all__ = ["ChatWriter", "CompletionWriter", "Sent", "Usage", "Writer", "log_prob_of", "trace_of"]

_NEVER = -9999.0


class Usage(NamedTuple):
    """Tokens of a request: of its prompt, of these not read again, and of all its outputs."""

    prompt: int
    reused: int
    output: int

    def to_dict(self) -> dict[str, Any]:
        """As OpenAI has it."""
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.output,
            "total_tokens": self.prompt + self.output,
            "prompt_tokens_details": {"cached_tokens": self.reused},
        }


class Sent(NamedTuple):
    """An event of a stream: its data, and its name where the protocol has names."""

    data: dict[str, Any]
    name: str | None = None

    def encoded(self) -> bytes:
        """As server-sent events are written."""
        head = b"" if self.name is None else b"event: " + self.name.encode() + b"\n"
        return head + b"data: " + to_json(self.data) + b"\n\n"


class Writer(Protocol):
    """What an endpoint makes of choices. `done`: what a stream ends with."""

    done: bytes

    def whole(self, choices: Sequence[Choice], usage: Usage) -> dict[str, Any]:
        """The answer of a request that is no stream."""
        ...

    def begin(self) -> list[Sent]:
        """The events before the first piece."""
        ...

    def piece(self, place: int, deltas: Sequence[Delta], reports: Sequence[TokenReport]) -> list[Sent]:
        """The events of what is new in a choice."""
        ...

    def end(self, place: int, choice: Choice) -> list[Sent]:
        """The events of a choice's end."""
        ...

    def close(self, usage: Usage) -> list[Sent]:
        """The events after all choices."""
        ...

    def failed(self, refusal: Refusal) -> list[Sent]:
        """The events of an error after the first byte."""
        ...


@dataclass(slots=True)
class ChatWriter:
    """chat.completion and chat.completion.chunk."""

    plan: Plan
    model: str
    vocabulary: Vocabulary
    with_usage: bool = False
    warnings: tuple[str, ...] = ()
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))
    done: bytes = b"data: [DONE]\n\n"

    def whole(self, choices: Sequence[Choice], usage: Usage) -> dict[str, Any]:
        """The chat's completion."""
        found = [
            {"index": place, "message": _message(choice), **self._about(choice), **self._reported(choice.reports)}
            for place, choice in enumerate(choices)
        ]
        return {**self._head("chat.completion"), "choices": found, "usage": usage.to_dict()} | _warned(self.warnings)

    def begin(self) -> list[Sent]:
        """A chunk with the role for each choice."""
        return [self._chunk(place, {"role": "assistant", "content": ""}) for place in range(self.plan.n)]

    def piece(self, place: int, deltas: Sequence[Delta], reports: Sequence[TokenReport]) -> list[Sent]:
        """A chunk for each delta, the first of which carries what is reported of the tokens."""
        found = [self._chunk(place, _delta(delta)) for delta in deltas]
        if reports:
            found = found or [self._chunk(place, {})]
            found[0].data["choices"][0].update(self._reported(reports))
        return found

    def end(self, place: int, choice: Choice) -> list[Sent]:
        """The chunk that says why a choice ended."""
        return [self._chunk(place, {}, **self._about(choice))]

    def close(self, usage: Usage) -> list[Sent]:
        """The chunk with the count of tokens, if it was asked for."""
        last = {**self._head("chat.completion.chunk"), "choices": [], "usage": usage.to_dict()}
        return [Sent(last | _warned(self.warnings))] if self.with_usage else []

    def failed(self, refusal: Refusal) -> list[Sent]:
        """An event that is an error."""
        return [Sent(refusal.body)]

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}

    def _chunk(self, place: int, delta: dict[str, Any], **more: Any) -> Sent:
        choice = {"index": place, "delta": delta, "logprobs": None, "finish_reason": None, **more}
        return Sent({**self._head("chat.completion.chunk"), "choices": [choice]})

    def _about(self, choice: Choice) -> dict[str, Any]:
        return {"finish_reason": choice.finish, **_ended(choice)}

    def _reported(self, reports: Sequence[TokenReport]) -> dict[str, Any]:
        """Probabilities and masks of tokens, as far as they were asked for."""
        found: dict[str, Any] = {"logprobs": None}
        if self.plan.logprobs is not None:
            found["logprobs"] = {"content": [log_prob_of(each, self.vocabulary) for each in reports]}
        if self.plan.trace:
            found["trace"] = [trace_of(each, self.vocabulary) for each in reports]
        return found


@dataclass(slots=True)
class CompletionWriter:
    """text_completion, whole and in pieces."""

    plan: Plan
    model: str
    vocabulary: Vocabulary
    with_usage: bool = False
    warnings: tuple[str, ...] = ()
    id: str = field(default_factory=lambda: f"cmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))
    done: bytes = b"data: [DONE]\n\n"

    def whole(self, choices: Sequence[Choice], usage: Usage) -> dict[str, Any]:
        """The completion."""
        found = [
            self._choice(place, choice.text, choice.reports, finish_reason=choice.finish, **_ended(choice))
            for place, choice in enumerate(choices)
        ]
        return {**self._head(), "choices": found, "usage": usage.to_dict()} | _warned(self.warnings)

    def begin(self) -> list[Sent]:
        """Nothing."""
        return []

    def piece(self, place: int, deltas: Sequence[Delta], reports: Sequence[TokenReport]) -> list[Sent]:
        """A piece of the text."""
        text = "".join(delta.text for delta in deltas)
        return [self._sent(place, text, reports)] if text or reports else []

    def end(self, place: int, choice: Choice) -> list[Sent]:
        """Why a choice ended."""
        return [self._sent(place, "", (), finish_reason=choice.finish, **_ended(choice))]

    def close(self, usage: Usage) -> list[Sent]:
        """The count of tokens, if it was asked for."""
        last = {**self._head(), "choices": [], "usage": usage.to_dict()} | _warned(self.warnings)
        return [Sent(last)] if self.with_usage else []

    def failed(self, refusal: Refusal) -> list[Sent]:
        """An event that is an error."""
        return [Sent(refusal.body)]

    def _head(self) -> dict[str, Any]:
        return {"id": self.id, "object": "text_completion", "created": self.created, "model": self.model}

    def _sent(self, place: int, text: str, reports: Sequence[TokenReport], **more: Any) -> Sent:
        return Sent({**self._head(), "choices": [self._choice(place, text, reports, **more)]})

    def _choice(self, place: int, text: str, reports: Sequence[TokenReport], **more: Any) -> dict[str, Any]:
        found = {"index": place, "text": text, "logprobs": None, "finish_reason": None, **more}
        if self.plan.logprobs is not None and reports:
            found["logprobs"] = self._log_probs(reports)
        if self.plan.trace:
            found["trace"] = [trace_of(each, self.vocabulary) for each in reports]
        return found

    def _log_probs(self, reports: Sequence[TokenReport]) -> dict[str, Any]:
        """Columns, as completions have them."""
        names = [_named(each.token, self.vocabulary) for each in reports]
        tops = [{_named(token, self.vocabulary): _number(value) for token, value in each.tops} for each in reports]
        starts = [sum(map(len, names[:at])) for at in range(len(names))]
        return {
            "tokens": names,
            "token_logprobs": [_number(each.log_prob) for each in reports],
            "top_logprobs": tops if self.plan.logprobs else None,
            "text_offset": starts,
        }


def _message(choice: Choice) -> dict[str, Any]:
    """The assistant's message that a choice is."""
    found: dict[str, Any] = {"role": "assistant", "content": choice.text, "refusal": None}
    if choice.thinking is not None:
        found["reasoning_content"] = choice.thinking
    if choice.calls:
        found["content"] = choice.text or None
        found["tool_calls"] = [call.to_dict() for call in choice.calls]
    return found


def _delta(delta: Delta) -> dict[str, Any]:
    """What is new in a message."""
    if delta.kind == "text":
        return {"content": delta.text}
    if delta.kind == "thinking":
        return {"reasoning_content": delta.text}
    if delta.kind == "name":
        function = {"name": delta.text, "arguments": ""}
        return {"tool_calls": [{"index": delta.call, "id": delta.id, "type": "function", "function": function}]}
    return {"tool_calls": [{"index": delta.call, "function": {"arguments": delta.text}}]}


def _ended(choice: Choice) -> dict[str, Any]:
    """How an output ended that the model did not end, and the weight of one that has one."""
    found: dict[str, Any] = {} if choice.why is None else {"stop_reason": choice.why}
    if choice.completed_at:
        found["completed_at"] = list(choice.completed_at)
    return found if choice.log_weight is None else {**found, "log_weight": _number(choice.log_weight)}


def _warned(warnings: tuple[str, ...]) -> dict[str, Any]:
    return {"warnings": list(warnings)} if warnings else {}


def log_prob_of(report: TokenReport, vocabulary: Vocabulary) -> dict[str, Any]:
    """A token's probability, as OpenAI has it."""
    tops = [_one_log_prob(token, value, vocabulary) for token, value in report.tops]
    return {**_one_log_prob(report.token, report.log_prob, vocabulary), "top_logprobs": tops}


def _one_log_prob(token: int, value: float, vocabulary: Vocabulary) -> dict[str, Any]:
    data = vocabulary.token_bytes(token)
    return {"token": _named(token, vocabulary), "logprob": _number(value), "bytes": list(data)}


def trace_of(report: TokenReport, vocabulary: Vocabulary) -> dict[str, Any]:
    """What the mask made of a token."""
    found: dict[str, Any] = {
        "token": _named(report.token, vocabulary),
        "id": report.token,
        "probability": math.exp(report.log_prob),
    }
    if report.allowed is not None and report.seconds is not None:
        found |= {"allowed": report.allowed, "masked_probability": report.share}
        found |= {"forced": report.allowed == 1, "mask_us": round(report.seconds * 1e6, 1)}
    return found


def _named(token: int, vocabulary: Vocabulary) -> str:
    """A token's text; the name of one that has none."""
    text = vocabulary.token_bytes(token).decode("utf-8", "replace")
    return text or next((name for name, other in vocabulary.names.items() if other == token), "")


def _number(value: float) -> float:
    return value if math.isfinite(value) else _NEVER
