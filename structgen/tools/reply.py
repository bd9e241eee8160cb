"""What comes back from a model with tools: `Reply`, its calls, and the messages that they become.

    reply = sg.generate(model, messages, tools=[get_weather])
    messages.append(reply.message)
    for call in reply.calls:
        messages.append(call.answer(call.run()))

Messages are as OpenAI has them; prompt.py puts them into the form a model's template wants. A function is run by `run`
and by nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from structgen.errors import OptionError
from structgen.tools.tool import Tool

__all__ = ["Reply", "ToolCall"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model asks for.

    field        meaning
    name         of the tool
    arguments    validated: the instance of a tool that is a type, else a dict; of a call that is still being written
                 what there is so far, as JSON has it
    tool         what is called
    id           as the model's template wants ids
    text         the arguments as JSON text
    is_complete  whether all of it is there
    """

    name: str
    arguments: Any
    tool: Tool = field(repr=False, compare=False)
    id: str = field(compare=False)
    text: str = field(repr=False)
    is_complete: bool = True

    def run(self) -> Any:
        """Call the tool's function with the arguments; what it returns (of a coroutine function, to be awaited).

        Raises OptionError where there is none, or the call is not complete; and what the function raises.
        """
        if self.tool.call is None:
            raise OptionError(f"the tool {self.name!r} has no function; Tool.of(..., run=function) gives it one")
        if not self.is_complete:
            raise OptionError(f"the call of {self.name!r} is still being written")
        return self.tool.call(**self.arguments) if isinstance(self.arguments, dict) else self.tool.call(self.arguments)

    def answer(self, result: Any) -> dict[str, Any]:
        """The message with which a result goes back to the model: a text as it is, anything else as JSON."""
        if not isinstance(result, str):
            from pydantic_core import to_json

            result = to_json(result).decode()
        return {"role": "tool", "tool_call_id": self.id, "name": self.name, "content": result}

    def to_dict(self) -> dict[str, Any]:
        """The call as OpenAI has it, its arguments as text."""
        return {"id": self.id, "type": "function", "function": {"name": self.name, "arguments": self.text}}


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model said and what it wants called.

    field     meaning
    text      what it said, "" if nothing; blanks at its ends left out
    calls     what it calls, in order
    thinking  what it thought first, None if it did not
    value     the answer, where a schema was given and it answered; else None
    """

    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    thinking: str | None = None
    value: Any = None

    @property
    def message(self) -> dict[str, Any]:
        """The assistant's message that this is, to be put behind the others."""
        said: dict[str, Any] = {"role": "assistant", "content": self.text}
        if self.thinking is not None:
            said["reasoning_content"] = self.thinking
        if self.calls:
            said["tool_calls"] = [call.to_dict() for call in self.calls]
        return said

    def to_dict(self) -> dict[str, Any]:
        """The reply as `json.dumps` takes it."""
        from pydantic_core import to_jsonable_python

        calls = [{"name": call.name, "arguments": to_jsonable_python(call.arguments), "id": call.id}
                 for call in self.calls]  # fmt: skip
        record = {"text": self.text, "thinking": self.thinking, "calls": calls}
        return record if self.value is None else {**record, "value": to_jsonable_python(self.value)}
