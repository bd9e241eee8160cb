"""The options of `generate`: one frozen record, read once; an unknown name is an error that says which was meant."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from typing_extensions import TypedDict

from structgen.api.language import Language
from structgen.errors import OptionError, suggest
from structgen.grammars.ir import Grammar
from structgen.grammars.json_schema.style import JsonStyle
from structgen.grammars.lark import LarkGrammar
from structgen.matcher import Constraint
from structgen.options import Limits
from structgen.samplers.predicates import Function, Guarded
from structgen.samplers.run import METHODS, Budget
from structgen.tags import StructuralTag

__all__ = ["GenerateOptions", "Settings", "one_of"]

OnTruncate = Literal["complete", "raise", "return"]
Progress = Callable[[int, float], object]


class SourceOptions(TypedDict, total=False):
    """The constraints that are not a schema; `structgen.api.sources.FRONT_ENDS` says what reads each.

    regex        regular expression the whole output matches (Python syntax)
    choices      the allowed outputs
    gbnf         grammar as llama.cpp writes it
    ebnf         grammar as xgrammar writes it
    lark         grammar as lark reads it: its text, or a LarkGrammar
    tag          free text with constrained regions, thinking before an answer: a StructuralTag
    grammar      Language (`sg.span(text)`, `sg.regex(a) & sg.length(words=9)`, ...) or grammar IR
    """

    regex: str | None
    choices: Sequence[str] | None
    gbnf: str | None
    ebnf: str | None
    lark: str | LarkGrammar | None
    tag: StructuralTag | None
    grammar: Language | Grammar | None


class GenerateOptions(SourceOptions, total=False):
    """What `generate` and its twins take beside model, prompt, schema and stream; `Settings` says what each means."""

    constraint: Constraint | Guarded | Sequence[Constraint | Guarded] | None
    where: Function | Sequence[Function] | None
    tokenizer: Any
    n: int
    method: str
    method_options: Mapping[str, Any] | None
    budget: Budget | None
    max_tokens: int | None
    temperature: float | None
    top_p: float | None
    top_k: int | None
    seed: int | None
    style: JsonStyle | None
    limits: Limits | None
    registry: Any
    on_truncate: OnTruncate
    progress: Progress | None


@dataclass(frozen=True, slots=True)
class Settings:
    """The options of one call.

    field        meaning
    schema       Python type, TypeAdapter or JSON Schema; a list for a batch
    source       the other constraints that are given, by name: see SourceOptions
    constraint   what `compile` returned, with functions on top or not; a list for a batch
    where        predicates and potentials (`structgen.Predicate`, `Potential`): functions of the text, for samplers
    tokenizer    of a transformers model whose folder does not hold it
    n            outputs per prompt
    method       "masked": the model's law restricted to allowed tokens at every step; or a sampler of
                 `structgen.samplers` that draws from the model conditioned on the constraint ("cars", "asap", ...)
    method_options  the sampler's own options; of weighted ones `draws` too, among which n outputs are picked by weight;
                 of all of them `canonical` (`structgen.samplers.problem.Problem`)
    budget       when the sampler gives up (`structgen.samplers.run.Budget`); SamplingIncomplete is raised then
    max_tokens   most tokens of one output, stop token included; 512, or what the model's context leaves, when not given
    temperature  0 takes the likeliest allowed token; when not given 0 for one output and 1 for several, 1 for samplers
    top_p        sample from the likeliest tokens that hold this probability
    top_k        sample from the k likeliest tokens
    seed         makes sampling repeatable; a fresh one when not given
    style        how JSON is spelled
    limits       bounds against hostile schemas
    registry     other documents a JSON Schema refers to (`referencing.Registry`)
    on_truncate  "complete": a budget that runs short steers to the shortest end; "raise": it raises Truncated;
                 "return": the result has the text so far, value None and finish_reason "length"
    progress     called with (tokens generated so far, seconds) after every step
    """

    schema: Any = None
    source: Mapping[str, Any] = field(default_factory=dict)
    constraint: Any = None
    where: Any = None
    tokenizer: Any = None
    n: int = 1
    method: str = "masked"
    method_options: Mapping[str, Any] | None = None
    budget: Budget | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    style: JsonStyle | None = None
    limits: Limits | None = None
    registry: Any = None
    on_truncate: str = "complete"
    progress: Progress | None = None

    def __post_init__(self) -> None:
        one_of("method", self.method, tuple(METHODS))
        self._check_method()
        one_of("on_truncate", self.on_truncate, ("complete", "raise", "return"))
        if not isinstance(self.n, int) or self.n < 1:
            raise OptionError(f"n must be at least 1, not {self.n!r}", option="n")
        if self.n > 1 and self.temperature == 0:
            raise OptionError("n > 1 at temperature 0 gives the same output n times", option="temperature")

    def _check_method(self) -> None:
        """What only samplers take, and what only the decode loop does."""
        sampler = {"method_options": self.method_options, "budget": self.budget, "where": self.where}
        decoding = {"progress": self.progress, "on_truncate": None if self.on_truncate == "complete" else 1}
        for name, value in (sampler if self.method == "masked" else decoding).items():
            if value is not None:
                other = "; a sampler is needed" if name == "where" else ""
                raise OptionError(f"{name} means nothing with method={self.method!r}{other}", option=name)

    @property
    def functions(self) -> tuple[Function, ...]:
        """`where` as a tuple. Raises OptionError for what is no function of the text."""
        given = () if self.where is None else (self.where,) if isinstance(self.where, Function) else tuple(self.where)
        if not all(isinstance(function, Function) for function in given):
            raise OptionError("where is a Predicate or a Potential, or several of them", option="where")
        return given

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> Settings:
        """The settings of a call. Raises OptionError for a name that does not exist."""
        sources = tuple(SourceOptions.__annotations__)
        known = [*(field.name for field in dataclasses.fields(cls) if field.name != "source"), *sources]
        for name in options:
            if name not in known:
                hint = suggest(name, [*known, "model", "prompt", "stream"]) or f"; there are {', '.join(known)}"
                raise OptionError(f"unknown option {name!r}{hint}", option=name)
        given = {name: options[name] for name in sources if options.get(name) is not None}
        return cls(**{name: value for name, value in options.items() if name not in sources}, source=given)


def one_of(option: str, value: object, allowed: Sequence[str]) -> None:
    """Raise OptionError unless `value` is one of `allowed`; names the nearest."""
    if value not in allowed:
        choices = ", ".join(map(repr, allowed))
        raise OptionError(f"{option} is one of {choices}, not {value!r}{suggest(value, allowed)}", option=option)
