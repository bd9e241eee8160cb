"""The options of `generate`: one frozen record, read once; an unknown name is an error that says which was meant."""

from __future__ import annotations

import dataclasses
import numbers
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from typing_extensions import TypedDict

from structgen.api.language import Language
from structgen.api.peers import answer
from structgen.api.rules import RULES, checked_rule
from structgen.engines.contrastive import Contrastive
from structgen.engines.mirostat import Mirostat
from structgen.engines.momentum import Momentum
from structgen.errors import OptionError, suggest
from structgen.grammars.ir import Grammar
from structgen.grammars.json_schema.style import JsonStyle
from structgen.grammars.lark import LarkGrammar
from structgen.options import Limits
from structgen.protocols import Scorer
from structgen.samplers.predicates import Function
from structgen.samplers.run import METHODS, Budget
from structgen.speculation.options import Speculation
from structgen.tags import StructuralTag, Thinking

__all__ = [
    "CompileOptions",
    "GenerateOptions",
    "Settings",
    "check_integer",
    "check_number",
    "is_unicode",
    "one_of",
    "shown",
]

OnTruncate = Literal["raise", "complete", "return"]
MethodName = Literal[
    "masked",
    "asap",
    "cars",
    "rejection",
    "importance",
    "smc",
    "enumeration",
    "mcmc",
    "beam",
    "best_first",
    "auto",
    "lookahead",
    "astar",
    "mcts",
    "adaptive",
]
Processor = Callable[[Any, Any], Any]
Progress = Callable[[int, float], object]


class SourceOptions(TypedDict, total=False):
    """The constraints that are not a schema; `structgen.api.sources.FRONT_ENDS` says what reads each.

    regex        regular expression the whole output matches (Python syntax)
    choices      the allowed outputs
    gbnf         grammar as llama.cpp writes it
    ebnf         grammar as xgrammar writes it
    lark         grammar as lark reads it: its text, or a LarkGrammar
    tag          free text with constrained regions, thinking before an answer: a StructuralTag, or structural-tag JSON
    grammar      Language (`sg.span(text)`, `sg.regex(a) & sg.length(words=9)`, ...) or grammar IR
    """

    regex: str | None
    choices: Sequence[str] | None
    gbnf: str | None
    ebnf: str | None
    lark: str | LarkGrammar | None
    tag: StructuralTag | Mapping[str, Any] | str | None
    grammar: Language | Grammar | None


class CompileOptions(SourceOptions, total=False):
    """What `compile` takes beside vocabulary and schema."""

    style: JsonStyle | None
    limits: Limits | None
    registry: Any
    dialect: str | None
    strict: bool
    folder: str | os.PathLike[str] | None


class GenerateOptions(SourceOptions, total=False):
    """What `generate` and its twins take beside model, prompt, schema, constraint, tools, n, stream; see `Settings`."""

    messages: Sequence[Mapping[str, Any]] | None
    system: str | None
    chat: bool | None
    describe: bool | Callable[[Any], str]
    tool_choice: str
    parallel_tool_calls: bool
    thinking: bool | Thinking | None
    tool_format: str | None
    where: Function | Sequence[Function] | None
    monitors: Any
    tokenizer: Any
    method: MethodName
    scorer: Scorer | None
    method_options: Mapping[str, Any] | None
    budget: Budget | None
    max_tokens: int | None
    temperature: float | None
    top_p: float | None
    top_k: int | None
    min_p: float | None
    repetition_penalty: float | None
    logits_processor: Processor | Sequence[Processor] | None
    mirostat: Mirostat | float | None
    momentum: Momentum | float | None
    contrastive: Contrastive | None
    stop: str | Sequence[str] | None
    seed: int | None
    batch_size: int | None
    speculation: Speculation | Literal["auto"] | None
    ahead: bool
    style: JsonStyle | None
    limits: Limits | None
    registry: Any
    dialect: str | None
    strict: bool
    on_truncate: OnTruncate
    progress: Progress | None


@dataclass(frozen=True, slots=True)
class Settings:
    """The options of one call.

    field        meaning
    schema       Python type, TypeAdapter or JSON Schema; a list for a batch
    source       the other constraints that are given, by name: see SourceOptions
    constraint   what `compile` returned, with functions on top or not; a list for a batch
    messages     a chat, instead of a prompt: [{"role": "user", "content": "..."}]
    system       the system message of a chat
    chat         whether a text is put to the model as a user's message, in its chat template; when not given it is if
                 the tokenizer has a template. False: the text as it stands
    describe     True: the prompt ends with what `structgen.describe` says of the schema; a function says it instead
    tools        what the model may call: functions, types, OpenAI or MCP definitions (`structgen.Tool`); the value is a
                 `structgen.Reply` then, and `schema` says what may be answered instead of text
    tool_choice  "auto", "required", "none", or the name of the tool that is called, once
    parallel_tool_calls  whether a reply may have several calls
    thinking     beside tools. None: the model thinks first if it does so; False: it does not; True: it must; or the
                 marks of a section that must come (`structgen.Thinking`)
    tool_format  how calls are written (structgen/tools/formats.py), where the model's template does not tell
    where        predicates and potentials (`structgen.Predicate`, `Potential`): functions of the text, for samplers
    monitors     what narrows names to those that exist (`structgen.monitors`): a monitor, or several
    tokenizer    of a transformers model whose folder does not hold it
    n            outputs per prompt
    method       "masked": the model's law restricted to allowed tokens at every step; or a sampler of
                 `structgen.samplers` that draws from the model conditioned on the constraint ("cars", "asap", ...);
                 "auto": "cars" where its exact outputs are cheap, else "smc"; or a search for the outputs that `scorer`
                 finds best: "lookahead", "astar", "mcts", "adaptive" (docs/search.md)
    scorer       of searches: how good texts are, a function of a list of texts (`structgen.Scorer`)
    method_options  the sampler's own options; of weighted ones `draws` too, among which n outputs are picked by weight;
                 of all of them `canonical` (`structgen.samplers.problem.Problem`)
    budget       when the sampler gives up (`structgen.samplers.run.Budget`); SamplingIncomplete is raised then
    max_tokens   most tokens of one output, stop token included; when not given what the model's context leaves behind
                 the longest prompt, at most 8,192
    temperature  0 takes the likeliest allowed token; when not given 0 for one output and 1 for several, 1 for samplers
    top_p        sample from the likeliest tokens that hold this probability
    top_k        sample from the k likeliest tokens
    min_p        sample from the tokens at least this many times as likely as the likeliest
    repetition_penalty  divides the positive logits of tokens that have been, multiplies the negative ones; 1 is none
    logits_processor  functions (token ids so far (1, t), logits (1, V)) -> logits, as transformers has them, called in
                 their order before the mask
    mirostat     keeps the surprise of what is drawn near a target, in bits: the target, or a `structgen.Mirostat`
    momentum     the likeliest token, unless it repeats the text: the price of that, or a `structgen.Momentum`
    contrastive  what the model says more than a smaller one: `structgen.Contrastive(amateur=...)`
    stop         strings that end an output: behind the first token that finishes one of them where the text is complete
    seed         makes sampling repeatable; a fresh one when not given
    batch_size   most outputs decoded at once; as many as fit the memory when not given
    speculation  "auto" (when not given): several tokens from one call of the model where drafts agree with the draws,
                 which leaves the law as it is, where the model can and where it pays; a `structgen.Speculation` says
                 how, and that samplers read ahead too; None: one token a call
    ahead        make masks while the model computes, in a thread; what is drawn is the same
    style        how JSON is spelled
    limits       bounds against hostile schemas
    registry     other documents a JSON Schema refers to (`referencing.Registry`)
    dialect      how a JSON Schema without $schema is read: "draft4", "draft6", "draft7", "2019-09", "2020-12" (when not
                 given) or "openapi-3.0"
    strict       refuse a JSON Schema with keywords that look misspelled or belong to another draft; else they warn
    on_truncate  what happens when the budget ends an output. "raise": Truncated is raised; "complete": it is completed
                 without the model from the last whole value, with a CompletedWarning; "return": the result has the text
                 so far, value None and finish_reason "length"
    progress     called with (tokens generated so far, seconds) after every step; of samplers with (prefixes scored so
                 far, seconds)
    """

    schema: Any = None
    source: Mapping[str, Any] = field(default_factory=dict)
    constraint: Any = None
    messages: Any = None
    system: str | None = None
    chat: bool | None = None
    describe: bool | Callable[[Any], str] = False
    tools: Any = None
    tool_choice: str = "auto"
    parallel_tool_calls: bool = True
    thinking: Any = None
    tool_format: str | None = None
    where: Any = None
    monitors: Any = None
    tokenizer: Any = None
    n: int = 1
    method: str = "masked"
    scorer: Any = None
    method_options: Mapping[str, Any] | None = None
    budget: Budget | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    logits_processor: Any = None
    mirostat: Any = None
    momentum: Any = None
    contrastive: Any = None
    stop: Any = None
    seed: int | None = None
    batch_size: int | None = None
    speculation: Any = "auto"
    ahead: bool = True
    style: JsonStyle | None = None
    limits: Limits | None = None
    registry: Any = None
    dialect: str | None = None
    strict: bool = False
    on_truncate: str = "raise"
    progress: Progress | None = None

    def __post_init__(self) -> None:
        one_of("method", self.method, tuple(METHODS))
        one_of("on_truncate", self.on_truncate, ("raise", "complete", "return"))
        for name, least in _INTEGERS.items():
            check_integer(name, getattr(self, name), least, optional=name != "n")
        for name in _NUMBERS:
            check_number(name, getattr(self, name))
        for name, (kinds, what) in _KINDS.items():
            value = getattr(self, name)
            if value is not None and not isinstance(value, kinds):
                raise OptionError(f"{name} is {what}, not {shown(value)}", option=name)
        functions = [("progress", self.progress)] if self.progress is not None else []
        for name, value in (*functions, *(("logits_processor", each) for each in self.processors)):
            if not callable(value):
                raise OptionError(f"{name} is a function, not {shown(value)}", option=name)
        if not isinstance(self.describe, bool) and not callable(self.describe):
            raise OptionError(
                f"describe is True or a function of the schema, not {shown(self.describe)}", option="describe"
            )
        if self.speculation not in (None, "auto") and not isinstance(self.speculation, Speculation):
            raise OptionError(
                f"speculation is 'auto', None or a structgen.Speculation, not {shown(self.speculation)}",
                option="speculation",
            )
        if not all(isinstance(text, str) and text and is_unicode(text) for text in self.stops):
            raise OptionError("stop is a string, or several, none of them empty", option="stop")
        if not all(isinstance(name, str) for name in self.method_options or ()):
            raise OptionError("method_options is a mapping from names", option="method_options")
        if self.n > 1 and self.temperature == 0:
            raise OptionError("n > 1 at temperature 0 gives the same output n times", option="temperature")
        self._check_method()
        checked_rule(self)
        self._check_tools()

    @property
    def rule(self) -> Any:
        """What chooses by the path so far (engines/path_rules.py); None for nothing. Raises OptionError."""
        return checked_rule(self)

    def _check_tools(self) -> None:
        """What only means something beside tools, and what does not."""
        if self.thinking is not None and not isinstance(self.thinking, bool | Thinking):
            raise OptionError(
                f"thinking is True, False or a structgen.Thinking, not {shown(self.thinking)}", option="thinking"
            )
        if self.tools is None:
            for name, neutral in _BESIDE_TOOLS.items():
                if getattr(self, name) != neutral:
                    raise OptionError(f"{name} means nothing without tools", option=name)
            return
        others = {"constraint": self.constraint, **self.source}
        for name, value in others.items():
            if value is not None:
                raise OptionError(f"{name} and tools are given; beside tools there is schema", option=name)
        if not isinstance(self.parallel_tool_calls, bool):
            raise OptionError("parallel_tool_calls is True or False", option="parallel_tool_calls")
        if not isinstance(self.tool_choice, str):
            raise OptionError('tool_choice is "auto", "required", "none" or the name of a tool', option="tool_choice")

    def _check_method(self) -> None:
        """What only samplers take, and what only the decode loop does."""
        sampler = ("method_options", "budget", "where", "scorer")
        decoding = list(_DECODING)
        decoding += ["on_truncate"] if self.on_truncate != "raise" else []
        for name in sampler if self.method == "masked" else decoding:
            if getattr(self, name) is not None:
                other = {"where": "; a sampler is needed", "scorer": "; a search is needed"}.get(name, "")
                raise OptionError(f"{name} means nothing with method={self.method!r}{other}", option=name)

    @property
    def watching(self) -> tuple[Any, ...]:
        """`monitors` as a tuple. Raises OptionError for what is no monitor."""
        given = () if self.monitors is None else self.monitors
        found = tuple(given) if isinstance(given, (list, tuple)) else (given,)
        if not all(hasattr(each, "__rand__") or hasattr(each, "is_due") for each in found):
            raise OptionError("monitors is a monitor (structgen.monitors), or several of them", option="monitors")
        return found

    @property
    def functions(self) -> tuple[Function, ...]:
        """`where` as a tuple. Raises OptionError for what is no function of the text."""
        given = () if self.where is None else (self.where,) if isinstance(self.where, Function) else self.where
        if not isinstance(given, Sequence) or not all(isinstance(function, Function) for function in given):
            raise OptionError("where is a Predicate or a Potential, or several of them", option="where")
        return tuple(given)

    @property
    def stops(self) -> tuple[Any, ...]:
        """`stop` as a tuple."""
        return () if self.stop is None else (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)

    @property
    def processors(self) -> tuple[Any, ...]:
        """`logits_processor` as a tuple."""
        given = self.logits_processor
        return () if given is None else tuple(given) if isinstance(given, Sequence) else (given,)

    @classmethod
    def read(cls, options: Mapping[str, Any], *, stream: object = False) -> Settings:
        """The settings of a call. Raises OptionError for a name that does not exist."""
        if not isinstance(stream, bool):
            raise OptionError(f"stream is True or False, not {shown(stream)}", option="stream")
        sources = tuple(SourceOptions.__annotations__)
        known = [*(field.name for field in dataclasses.fields(cls) if field.name != "source"), *sources]
        for name in options:
            if name not in known:
                raise OptionError(f"unknown option {name!r}{_hint(name, known)}", option=name)
        given = {name: options[name] for name in sources if options.get(name) is not None}
        return cls(**{name: value for name, value in options.items() if name not in sources}, source=given)


_BESIDE_TOOLS = {"tool_choice": "auto", "parallel_tool_calls": True, "thinking": None, "tool_format": None}
_INTEGERS = {"n": 1, "max_tokens": 1, "top_k": 1, "seed": 0, "batch_size": 1}  # and the least each may be
_NUMBERS = ("temperature", "top_p", "min_p", "repetition_penalty")  # SamplingOptions has their ranges
_DECODING = ("min_p", "repetition_penalty", "logits_processor", *RULES, "stop", "batch_size")
_KINDS: dict[str, tuple[Any, str]] = {
    "system": (str, "a text"),
    "ahead": (bool, "True or False"),
    "chat": (bool, "True or False"),
    "method_options": (Mapping, "a mapping"),
    "budget": (Budget, "a structgen.Budget"),
    "style": (JsonStyle, "a structgen.JsonStyle"),
    "limits": (Limits, "structgen.Limits"),
    "stop": ((str, list, tuple), "a string, or several"),
    "messages": ((list, tuple), "a list of messages"),
}


def _hint(name: str, known: Sequence[str]) -> str:
    """What was probably meant by a name that does not exist."""
    here = answer(name)
    if here is not None:
        return f": {here}"
    return suggest(name, [*known, "model", "prompt", "stream"]) or f"; there are {', '.join(known)}"


def is_unicode(text: str) -> bool:
    """Whether a text has no lone surrogate, which is no character."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def shown(value: object) -> str:
    """A value in a message: its type, and itself where it is short."""
    text = repr(value)
    return f"{type(value).__name__} {text}" if len(text) <= 40 else type(value).__name__


def check_integer(option: str, value: object, least: int, *, optional: bool = False) -> None:
    """Raise OptionError unless `value` is an integer of at least `least` (or None, where it is optional)."""
    if value is None and optional:
        return
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise OptionError(f"{option} is an integer, not {shown(value)}", option=option)
    if value < least:
        raise OptionError(f"{option} must be at least {least}, not {value}", option=option)


def check_number(option: str, value: object) -> None:
    """Raise OptionError unless `value` is None or a real number."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, numbers.Real)):
        raise OptionError(f"{option} is a number, not {shown(value)}", option=option)


def one_of(option: str, value: object, allowed: Sequence[str]) -> None:
    """Raise OptionError unless `value` is one of `allowed`; names the nearest."""
    if value not in allowed:
        choices = ", ".join(map(repr, allowed))
        raise OptionError(f"{option} is one of {choices}, not {value!r}{suggest(value, allowed)}", option=option)
