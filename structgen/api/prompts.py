"""What the caller gives as a prompt -> what an engine encodes: text, token ids, or the messages of a chat.

    prompt        "text"  |  [token ids]  |  [{"role": ..., "content": ...}, ...]  |  a list of these: a batch
    messages      a chat, under its usual name
    system        the chat's system message
    chat          a text is a user's message where the tokenizer has a chat template, unless this is False
    describe      the text, or the last message of the user, ends with a description of the schema

Content given in parts ([{"type": "text", "text": ...}]) is joined; a part that is no text is refused by its type.
The bundled nano has one form of prompt, which shows it the schema: a text is put into that.
"""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from typing import Any

from structgen.api.describe import describe
from structgen.api.options import Settings, is_unicode, shown
from structgen.errors import OptionError

__all__ = ["framed", "read_prompts"]

Schema = Mapping[str, Any] | bool | None


def read_prompts(prompt: Any, messages: Any) -> tuple[list[Any], bool]:
    """The prompts, checked, and whether they were given as a batch."""
    if messages is not None:
        if not isinstance(prompt, str) or prompt:
            raise OptionError("prompt and messages are given; one of them is needed", option="messages")
        if not messages or not isinstance(messages[0], Mapping):
            reason = "messages is one chat, a list of messages; several chats are prompt=[...]"
            raise OptionError(reason, option="messages")
        return [_chat(messages)], False
    if isinstance(prompt, (list, tuple)) and (not prompt or not isinstance(prompt[0], (numbers.Integral, Mapping))):
        return [_one(item) for item in prompt], True
    return [_one(prompt)], False


def _one(prompt: Any) -> Any:
    """One prompt: text, a list of token ids, or a list of messages."""
    if isinstance(prompt, str):
        if not is_unicode(prompt):
            raise OptionError("the prompt holds a lone surrogate, which is no character", option="prompt")
        return prompt
    if hasattr(prompt, "tolist") and not isinstance(prompt, (int, float)):
        prompt = prompt.tolist()  # an array or a tensor of token ids
    if isinstance(prompt, Mapping):
        raise OptionError("a chat is a list of messages, not one mapping", option="prompt")
    if not isinstance(prompt, Sequence) or isinstance(prompt, (bytes, bytearray)):
        raise OptionError(f"prompt is text, token ids or chat messages, not {shown(prompt)}", option="prompt")
    if prompt and isinstance(prompt[0], Mapping):
        return _chat(prompt)
    for item in prompt:
        if isinstance(item, bool) or not isinstance(item, numbers.Integral):
            raise OptionError(f"a prompt of token ids holds {shown(item)}", option="prompt")
    return [int(item) for item in prompt]


def _chat(messages: Sequence[Any]) -> list[dict[str, Any]]:
    return [_message(message, place) for place, message in enumerate(messages)]


def _message(message: Any, place: int) -> dict[str, Any]:
    """A message with its content as one text."""
    if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
        raise OptionError(f"message {place} is no mapping with a role: {shown(message)}", option="messages")
    content = message.get("content")
    if isinstance(content, (list, tuple)):
        content = "".join(_part(part, place) for part in content)
    elif content is None and "tool_calls" not in message:
        raise OptionError(f"message {place} ({message['role']}) has no content", option="messages")
    elif content is not None and not isinstance(content, str):
        raise OptionError(f"message {place}: content is text, not {shown(content)}", option="messages")
    if content is not None and not is_unicode(content):
        raise OptionError(f"message {place} holds a lone surrogate, which is no character", option="messages")
    return {**message, "content": content}


def _part(part: Any, place: int) -> str:
    if isinstance(part, str):
        return part
    kind = part.get("type") if isinstance(part, Mapping) else None
    if kind in ("text", "input_text", "output_text") and isinstance(part.get("text"), str):
        return str(part["text"])
    raise OptionError(f"message {place}: content of the type {kind!r} cannot be read, only text", option="messages")


def framed(prompt: Any, schema: Schema, settings: Settings, engine: Any, *, bundled: bool) -> Any:
    """One prompt as the engine takes it."""
    templated = getattr(engine, "has_chat_template", None)  # None: an engine that does not say
    if bundled and isinstance(prompt, str) and settings.chat is None:
        from structgen.nano.prompts import prompt_text

        if settings.system is not None:
            raise OptionError(
                "the bundled model's system message is the schema; chat=True replaces it", option="system"
            )
        return prompt_text(schema, prompt)  # the one form of prompt nano was trained on
    if isinstance(prompt, str):
        if settings.chat or (settings.chat is None and templated):
            prompt = [{"role": "user", "content": prompt}]
        elif settings.system is not None:
            raise OptionError("system is part of a chat, and this text is not put into one", option="system")
    is_chat = not isinstance(prompt, str) and bool(prompt) and isinstance(prompt[0], Mapping)
    if is_chat:
        if templated is False:
            raise OptionError(
                "the model's tokenizer has no chat template", option="chat" if settings.chat else "prompt"
            )
        if settings.chat is False:
            raise OptionError("chat=False, and the prompt is a chat", option="chat")
        prompt = _with_system(prompt, settings.system)
    elif settings.chat or (settings.system is not None):
        raise OptionError("token ids are no chat", option="chat" if settings.chat else "system")
    return prompt if settings.describe is False else _described(prompt, schema, settings)


def _with_system(messages: list[dict[str, Any]], system: str | None) -> list[dict[str, Any]]:
    if system is None:
        return messages
    if messages[0]["role"] == "system":
        raise OptionError("system is given, and the chat has a system message", option="system")
    return [{"role": "system", "content": system}, *messages]


def _described(prompt: Any, schema: Schema, settings: Settings) -> Any:
    """The prompt with the description at the end of what the user says."""
    if schema is None:
        raise OptionError("describe is for a schema; say in the prompt what else is wanted", option="describe")
    written = settings.describe(schema) if callable(settings.describe) else describe(schema)
    if not isinstance(written, str):
        raise OptionError(f"describe returned {shown(written)}, not text", option="describe")
    if isinstance(prompt, str):
        return f"{prompt}\n\n{written}\n\n"
    places = [
        place for place, message in enumerate(prompt) if isinstance(message, Mapping) and message["role"] == "user"
    ]
    if not places:
        raise OptionError("describe needs a text or a message of the user", option="describe")
    last = prompt[places[-1]]
    said = {**last, "content": f"{last['content']}\n\n{written}" if last["content"] else written}
    return [*prompt[: places[-1]], said, *prompt[places[-1] + 1 :]]
