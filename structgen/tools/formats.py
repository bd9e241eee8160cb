"""The formats of calls: how each family of models writes them. Data; everything else in this package reads it.

    hermes          <tool_call>                                   Hermes, Qwen 2.5 and 3, SmolLM3, Granite 4
                    {"name": "f", "arguments": {...}}
                    </tool_call>
    qwen3-coder     <tool_call>                                   Qwen3-Coder, Qwen3.5
                    <function=f>
                    <parameter=a>
                    1
                    </parameter>
                    </function>
                    </tool_call>
    glm             <tool_call>f                                  GLM 4.5 to 4.7
                    <arg_key>a</arg_key>
                    <arg_value>1</arg_value>
                    </tool_call>
    llama3-json     {"name": "f", "parameters": {...}}            Llama 3.1 to 3.3
    mistral-v11     [TOOL_CALLS]f[ARGS]{...}                      Mistral since v11 of its tokenizers
    mistral-v3      [TOOL_CALLS][{"name": "f", "arguments": {...}}, ...]
    granite         <|tool_call|>[{"name": "f", "arguments": {...}}, ...]
    deepseek-v3     calls of Markdown between marks               DeepSeek V3, R1
    deepseek-v3.1   the marks, name and arguments                 DeepSeek V3.1
    kimi-k2         functions.f:0 between marks                   Kimi K2
    harmony         channels                                      gpt-oss

Another format is one entry. Marks are those of the models' own templates; a mark that is a special token of the
vocabulary is written as that token (grammars/tags/marks.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from structgen.errors import OptionError, suggest

__all__ = ["FORMATS", "ToolFormat", "format_named"]


@dataclass(frozen=True, slots=True)
class ToolFormat:
    """How a family of models calls.

    field      meaning
    name       what `tool_format=` takes
    begin      what stands before the arguments: {name} is the tool's, {number} any number
    end        what stands behind them
    trigger    how a call, or the section around all of them, begins: text ends there
    style      how arguments are written: "json", or one of grammars/tags/markup.py
    section    marks around all calls of a turn
    between    what stands between two calls; None: a turn has one
    thinking   marks around what the model thinks before it speaks
    text       marks around what it says, where it has to say that it does
    clues      what the model's chat template holds, all of it; more of them are more specific
    marks      what else tells of the format, as names of tokens in the vocabulary
    arguments  as what a template wants them in past calls: "object" or "text"
    ids        what call ids look like: "call" (call_ and 24 hex digits), "nine" (letters and digits), "numbered"
               (functions.f:0)
    gaps       what may stand where {gap} does in `section` and `between`, about which templates disagree; the first is
               what we write
    """

    name: str
    begin: str
    end: str
    trigger: str
    style: str = "json"
    section: tuple[str, str] | None = None
    between: str | None = None
    thinking: tuple[str, str] = ("<think>", "</think>")
    text: tuple[str, str] | None = None
    clues: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    arguments: Literal["object", "text"] = "object"
    ids: Literal["call", "nine", "numbered"] = "call"
    gaps: tuple[str, ...] = ("",)

    def spelled(self, mark: str) -> list[str]:
        """The texts of a mark in which {gap} may stand."""
        return [mark.replace("{gap}", gap) for gap in self.gaps] if "{gap}" in mark else [mark]


_JSON_CALL = '{"name": "{name}", "arguments": '
_CALLS, _CALL, _SEP, _END, _ENDS = (
    "<｜tool▁calls▁begin｜>",
    "<｜tool▁call▁begin｜>",
    "<｜tool▁sep｜>",
    "<｜tool▁call▁end｜>",
    "<｜tool▁calls▁end｜>",
)

FORMATS: dict[str, ToolFormat] = {
    found.name: found
    for found in (
        ToolFormat(
            "hermes",
            "<tool_call>\n" + _JSON_CALL,
            "}\n</tool_call>",
            "<tool_call>",
            between="\n",
            clues=("<tool_call>",),
        ),
        ToolFormat(
            "qwen3-coder",
            "<tool_call>\n<function={name}>\n",
            "</function>\n</tool_call>",
            "<tool_call>",
            style="qwen_xml",
            between="\n",
            clues=("<tool_call>", "<function=", "<parameter="),
        ),
        ToolFormat(
            "glm",
            "<tool_call>{name}",
            "</tool_call>",
            "<tool_call>",
            style="glm_xml",
            between="{gap}",
            gaps=("\n", ""),
            clues=("<tool_call>", "<arg_key>", "<arg_value>"),
            marks=("<arg_key>",),
        ),
        ToolFormat(
            "llama3-json",
            '{"name": "{name}", "parameters": ',
            "}",
            '{"name": ',
            clues=('"parameters": ',),
            marks=("<|python_tag|>",),
        ),
        ToolFormat(
            "mistral-v11",
            "[TOOL_CALLS]{name}[ARGS]",
            "",
            "[TOOL_CALLS]",
            between="",
            thinking=("[THINK]", "[/THINK]"),
            clues=("[TOOL_CALLS]", "[ARGS]"),
            marks=("[ARGS]",),
            ids="nine",
        ),
        ToolFormat(
            "mistral-v3",
            _JSON_CALL,
            "}",
            "[TOOL_CALLS]",
            section=("[TOOL_CALLS]{gap}[", "]"),
            between=", ",
            clues=("[TOOL_CALLS]",),
            marks=("[TOOL_CALLS]",),
            ids="nine",
            gaps=("", " "),
        ),
        ToolFormat(
            "granite",
            _JSON_CALL,
            "}",
            "<|tool_call|>",
            section=("<|tool_call|>{gap}[", "]"),
            between=", ",
            clues=("<|tool_call|>",),
            marks=("<|tool_call|>",),
            gaps=("", " "),
        ),
        ToolFormat(
            "deepseek-v3",
            f"{_CALL}function{_SEP}{{name}}\n```json\n",
            f"\n```{_END}",
            _CALLS,
            section=(_CALLS, _ENDS),
            between="\n",
            clues=(_CALLS, _SEP, "```json"),
            arguments="text",
        ),
        ToolFormat(
            "deepseek-v3.1",
            f"{_CALL}{{name}}{_SEP}",
            _END,
            _CALLS,
            section=(_CALLS, _ENDS),
            between="",
            clues=(_CALLS, _SEP),
            marks=(_CALLS,),
            arguments="text",
        ),
        ToolFormat(
            "kimi-k2",
            "<|tool_call_begin|>functions.{name}:{number}<|tool_call_argument_begin|>",
            "<|tool_call_end|>",
            "<|tool_calls_section_begin|>",
            section=("<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"),
            between="",
            clues=("<|tool_calls_section_begin|>",),
            marks=("<|tool_calls_section_begin|>",),
            arguments="text",
            ids="numbered",
        ),
        ToolFormat(
            "harmony",
            "<|channel|>commentary to=functions.{name} <|constrain|>json<|message|>",
            "<|call|>",
            "<|channel|>commentary to=functions.",
            thinking=("<|channel|>analysis<|message|>", "<|end|><|start|>assistant"),
            text=("<|channel|>final<|message|>", ""),
            clues=("<|channel|>", "commentary"),
            marks=("<|channel|>", "<|call|>"),
        ),
    )
}


def format_named(name: object) -> ToolFormat:
    """The format of a name. Raises OptionError."""
    found = FORMATS.get(name) if isinstance(name, str) else None
    if found is None:
        raise OptionError(
            f"tool_format is one of {', '.join(FORMATS)}, not {name!r}{suggest(name, FORMATS)}", option="tool_format"
        )
    return found
