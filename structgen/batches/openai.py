"""A line of OpenAI's batch files -> the fields of ours.

    {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {"model": ..., "messages": [...], ...}}

What a body says is done or refused, as everywhere here. Where it says nothing OpenAI's defaults hold: temperature 1,
and free text, which ends for length without an error. The answer has our form (docs/batch.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from structgen.errors import OptionError, suggest

__all__ = ["body_options"]

FREE_TEXT = "(?s:.*)"  # any text, to the model's own end
_AS_THEY_ARE = ("temperature", "top_p", "seed", "stop", "parallel_tool_calls", "tools")
_LABELS = ("user", "metadata")  # say nothing about the output
_NEUTRAL: dict[str, tuple[Any, ...]] = {  # what is not done, and the values that do not ask for it
    "n": (1,),
    "stream": (False,),
    "store": (False,),
    "echo": (False,),
    "logprobs": (False,),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logit_bias": ({},),
    "best_of": (1,),
}


def body_options(fields: Mapping[str, Any], model: str) -> dict[str, Any]:
    """Our fields. Raises OptionError for an endpoint, another model, or something in the body that is not done."""
    for name in fields:
        if name not in ("method", "url", "body"):
            raise OptionError(f"there is no field {name!r} beside method, url and body", option=name)
    if fields.get("method", "POST") != "POST":
        raise OptionError(f"method is POST, not {fields['method']!r}", option="method")
    reader = _ENDPOINTS.get(str(fields.get("url")))
    if reader is None:
        raise OptionError(f"url is one of {', '.join(_ENDPOINTS)}, not {fields.get('url')!r}", option="url")
    body = fields.get("body")
    if not isinstance(body, Mapping):
        raise OptionError("body is an object", option="body")
    given = {name: value for name, value in body.items() if value is not None}
    if given.pop("model", None) != model:
        raise OptionError(f"body.model is {body.get('model')!r}, and this run's model is {model!r}", option="model")
    for name, values in _NEUTRAL.items():
        if name in given and given.pop(name) not in values:
            raise OptionError(f"body.{name} = {body[name]!r} is not done", option=name)
    found = reader(given)
    found |= {name: given.pop(name) for name in _AS_THEY_ARE if name in given}
    for name in _LABELS:
        given.pop(name, None)
    if given:
        name = next(iter(given))
        raise OptionError(f"there is no field {name!r} in body{suggest(name, list(body))}", option=name)
    found.setdefault("temperature", 1.0)
    if not any(name in found for name in ("schema", "tag", "tools", "regex")):
        found |= {"regex": FREE_TEXT, "on_truncate": "return"}
    return found


def _chat(given: dict[str, Any]) -> dict[str, Any]:
    """What only chats have, taken out of `given`."""
    found: dict[str, Any] = {"messages": given.pop("messages", [])}
    limits = [given.pop(name) for name in ("max_completion_tokens", "max_tokens") if name in given]
    if len(limits) > 1:
        raise OptionError("max_tokens and max_completion_tokens are given", option="max_tokens")
    found |= {"max_tokens": limits[0]} if limits else {}
    found |= _format(given.pop("response_format", {"type": "text"}))
    choice = given.pop("tool_choice", None)
    match choice:
        case {"type": "function", "function": {"name": str(name)}}:
            choice = name
    return found if choice is None else {**found, "tool_choice": choice}


def _completion(given: dict[str, Any]) -> dict[str, Any]:
    found = {"prompt": given.pop("prompt", ""), "chat": False}
    return {**found, "max_tokens": given.pop("max_tokens")} if "max_tokens" in given else found


def _format(given: Any) -> dict[str, Any]:
    """What `response_format` asks for."""
    match given:
        case {"type": "text"}:
            return {}
        case {"type": "json_object"}:
            return {"schema": {"type": "object"}}
        case {"type": "json_schema", "json_schema": {"schema": schema}}:
            return {"schema": schema}
        case {"type": "structural_tag"}:
            return {"tag": given}
    raise OptionError("response_format is text, json_object, json_schema or structural_tag", option="response_format")


_ENDPOINTS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "/v1/chat/completions": _chat,
    "/v1/completions": _completion,
}
