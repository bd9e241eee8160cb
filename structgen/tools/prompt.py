"""Messages and tools -> what a model's chat template takes, whichever template it is.

Messages come as OpenAI has them (`Reply.message`, `ToolCall.answer`). Templates disagree about the rest:

    tools             in the template's own words where it reads them, else in a system message that shows the format
    past calls        arguments as an object or as text (ToolFormat.arguments); where a template writes no calls, they
                      are written into the content in the format's own form, as the model itself would write them
    results of calls  messages of the role "tool"; where a template knows no such role, the user's
    thinking          by the template's own variable, where it has one

What a template makes of it is the template's; nothing is put behind its end. Cost: linear in the messages.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from structgen.errors import OptionError
from structgen.grammars.tags.markup import MARKUPS
from structgen.tools.detect import reads_tools
from structgen.tools.formats import ToolFormat
from structgen.tools.tool import Tool

__all__ = ["chat_of", "inside_thinking", "system_text", "written_calls"]

Message = dict[str, Any]
_SWITCHES = ("enable_thinking", "thinking")


def chat_of(
    messages: Sequence[Mapping[str, Any]],
    tools: Sequence[Tool],
    format: ToolFormat,
    template: str,
    *,
    thinking: bool | None = None,
) -> tuple[list[Message], dict[str, Any]]:
    """The messages for a chat template, and its other variables. `thinking`: what the template's switch is set to, if
    anything. Raises OptionError for calls in the messages that are none."""
    variables: dict[str, Any] = {}
    chat = [dict(message) for message in messages]
    if tools and reads_tools(template):
        variables["tools"] = [tool.definition for tool in tools]
    elif tools:
        chat = _with_system(chat, system_text(tools, format))
    if thinking is not None:
        variables |= {name: thinking for name in _SWITCHES if _is_variable(name, template)}
    writes_calls = "tool_calls" in template
    chat = [_past_calls(message, format, writes_calls) for message in chat]
    return (chat if _has_role(template) else _results_of_user(chat)), variables


def _is_variable(name: str, template: str) -> bool:
    return re.search(rf"(?<![\w.'\"<-]){name}(?![\w'\">])", template) is not None


def _has_role(template: str) -> bool:
    """Whether a template knows messages of the role "tool", or writes roles as they come."""
    return re.search(r"['\"]tool['\"]", template) is not None


def _with_system(chat: list[Message], text: str) -> list[Message]:
    if chat and chat[0].get("role") == "system":
        return [{**chat[0], "content": f"{chat[0]['content']}\n\n{text}"}, *chat[1:]]
    return [{"role": "system", "content": text}, *chat]


def system_text(tools: Sequence[Tool], format: ToolFormat) -> str:
    """What tells a model of its tools where its template does not, in the format's own marks."""
    listed = "\n".join(json.dumps(tool.definition["function"], ensure_ascii=False) for tool in tools)
    shown = _call_text(format, "NAME", None, 0)
    form = shown if format.section is None else f"{_opened(format)}{shown}{format.section[1]}"
    several = "" if format.between is None else " Several calls may follow each other."
    return (
        f"These functions can be called, each with the arguments that its JSON Schema asks for:\n{listed}\n\n"
        f"A call is written like this, with the function's name and its arguments:\n{form}\n\n"
        f"Call a function where it helps, and answer in your own words where none is needed.{several}"
    )


def written_calls(calls: Sequence[tuple[str, Mapping[str, Any]]], format: ToolFormat) -> str:
    """Calls, names with arguments, as a model writes them in a format."""
    texts = [_call_text(format, name, arguments, number) for number, (name, arguments) in enumerate(calls)]
    joined = format.spelled(format.between or "")[0].join(texts)
    return joined if format.section is None else f"{_opened(format)}{joined}{format.section[1]}"


def _opened(format: ToolFormat) -> str:
    assert format.section is not None
    return format.spelled(format.section[0])[0]


def _call_text(format: ToolFormat, name: str, arguments: Mapping[str, Any] | None, number: int) -> str:
    """One call; without arguments how a call looks."""
    begin = format.begin.replace("{name}", name).replace("{number}", str(number))
    if format.style != "json":
        markup, gap = MARKUPS[format.style], "\n"
        members = []
        for key, value in ({"ARGUMENT": "VALUE"} if arguments is None else arguments).items():
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            opening = markup.open.replace("{key}", key).replace("{gap}", gap)
            members.append(f"{opening}\n{text}\n{markup.close}" if markup.lines else f"{opening}{text}{markup.close}")
        body = "\n".join(members)
        begin = begin if begin.endswith("\n") else f"{begin}\n"
        return f"{begin}{body}\n{format.end}" if body else f"{begin}{format.end}"
    return f"{begin}{'{...}' if arguments is None else json.dumps(arguments, ensure_ascii=False)}{format.end}"


def _past_calls(message: Message, format: ToolFormat, writes_calls: bool) -> Message:
    """An assistant's message with its calls as the template takes them."""
    calls = message.get("tool_calls")
    if not calls:
        return message
    found = [_past_call(call) for call in calls]
    if not writes_calls:
        rest = {key: value for key, value in message.items() if key != "tool_calls"}
        said = message.get("content") or ""
        return {**rest, "content": f"{said}\n{written_calls(found, format)}" if said else written_calls(found, format)}
    rewritten = []
    for call, (name, arguments) in zip(calls, found, strict=True):
        given: Any = arguments if format.arguments == "object" else json.dumps(arguments, ensure_ascii=False)
        rewritten.append({**call, "function": {"name": name, "arguments": given}})
    return {**message, "tool_calls": rewritten}


def _past_call(call: Any) -> tuple[str, Mapping[str, Any]]:
    """Name and arguments of a call in a message. Raises OptionError."""
    function = call.get("function", call) if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise OptionError("a call in the messages has a name", option="messages")
    arguments = function.get("arguments", {})
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments or "{}")
        except ValueError as error:
            raise OptionError(f"the arguments of a past call are no JSON: {error}", option="messages") from error
    if not isinstance(arguments, Mapping):
        raise OptionError("the arguments of a past call are an object", option="messages")
    return function["name"], arguments


def _results_of_user(chat: list[Message]) -> list[Message]:
    """Results of calls as the user's messages; several in a row are one."""
    found: list[Message] = []
    joins = False
    for message in chat:
        if message.get("role") != "tool":
            found.append(message)
            joins = False
            continue
        text = f"<tool_response>\n{message.get('content')}\n</tool_response>"
        if joins:
            found[-1] = {"role": "user", "content": f"{found[-1]['content']}\n{text}"}
        else:
            found.append({"role": "user", "content": text})
        joins = True
    return found


def inside_thinking(prompt: str, format: ToolFormat) -> bool:
    """Whether a prompt ends inside a section for thinking, as some templates begin it."""
    begin, end = format.thinking
    return prompt.rfind(begin) > prompt.rfind(end) and prompt.rstrip().endswith(begin)
