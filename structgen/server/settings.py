"""What a server may do and how much of it: one frozen record."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from structgen.errors import OptionError
from structgen.grammars.json_schema.style import JsonStyle

__all__ = ["ServerSettings"]


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """The settings of a server.

    field            meaning
    model            what `generate` takes: a folder, a .gguf file, a packaged name, a model or an engine; None: nano
    name             what clients call the model
    rows             outputs decoded at once
    context          most tokens of a prompt and its output; None: what the model reads, at most 4,096
    queue            outputs that may wait for a row; more are refused (429)
    timeout          seconds after which a request ends, waiting included (504)
    drain            seconds that running requests get when the server is asked to end
    prompt_tokens    of prompts, read beside one step of the rows
    kept             slots beside the rows, for what was read before
    packed           whether weights are packed where that can be done (engines/packed.py)
    api_key          what clients have to say; None: nothing
    tool_format      how the model writes calls, where its template does not tell
    style            how JSON is spelled where a request does not say
    compilers        processes that lower constraints
    compile_seconds  most time for one
    most_constraints remembered, as far as they take `constraint_bytes`
    body_bytes       largest request
    most_choices     of a request (n)
    most_tools       of a request
    """

    model: Any = None
    name: str = "nano"
    rows: int = 16
    context: int | None = None
    queue: int = 64
    timeout: float = 600.0
    drain: float = 30.0
    prompt_tokens: int = 512
    kept: int = 8
    packed: bool = True
    api_key: str | None = field(default=None, repr=False)
    tool_format: str | None = None
    style: JsonStyle = field(default_factory=JsonStyle)
    compilers: int = 1
    compile_seconds: float = 5.0
    most_constraints: int = 256
    constraint_bytes: int = 64 << 20
    body_bytes: int = 4 << 20
    most_choices: int = 16
    most_tools: int = 128

    def __post_init__(self) -> None:
        for name in ("rows", "prompt_tokens", "kept", "compilers", "most_constraints", "body_bytes", "most_choices"):
            if getattr(self, name) < 1:
                raise OptionError(f"{name} must be at least 1, not {getattr(self, name)}", option=name)
        for name in ("timeout", "compile_seconds"):
            if not getattr(self, name) > 0:
                raise OptionError(f"{name} must be positive, not {getattr(self, name)}", option=name)
        for name in ("queue", "drain", "most_tools"):
            if getattr(self, name) < 0:
                raise OptionError(f"{name} must not be negative, not {getattr(self, name)}", option=name)
        if self.context is not None and self.context < 2:
            raise OptionError(f"context must be at least 2, not {self.context}", option="context")
