"""Holes in texts: what may stand in one, and a model that writes into them.

    >>> parts = ['{"name": "', Hole, '", "age": ', Hole, "}"]               # doctest: +SKIP
    >>> infill(language(schema=Person), parts)                              # doctest: +SKIP

`infill` is a language like others: the contents of the first hole for which the fixed parts make a text of the grammar,
with something in the holes behind it. So a stop token is allowed exactly where the hole may end, and budgets, samplers
and streams work in a hole as they do elsewhere. `fill` fills one hole after the other.

A model that was trained to fill in the middle gets prefix and suffix between its own special tokens, and ends a hole
with a stop token. Any other reads what stands before the hole and goes on; it has ended the hole when it has written
how the fixed text goes on. Cost: a product of the grammar and the fixed text per hole (grammars/combine/quotient.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from structgen.api.generate import generate_result
from structgen.api.language import Language
from structgen.api.languages import language, regex
from structgen.api.models import engine_of
from structgen.api.result import Result
from structgen.errors import OptionError, Unsatisfiable
from structgen.grammars.combine.product import between
from structgen.grammars.combine.quotient import Cut
from structgen.options import Limits
from structgen.vocabulary import Vocabulary

__all__ = ["Filled", "Hole", "fill", "infill"]


class Hole:
    """A place in a text that is to be filled. The class itself stands among the parts of the text."""


Part = str | type[Hole]
_CUE = 24  # characters of the fixed text by which a model ends a hole


class FimTokens(NamedTuple):
    """The special tokens of a model that fills in the middle, by name."""

    prefix: str
    suffix: str
    middle: str


FIM = (
    FimTokens("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),
    FimTokens("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),
    FimTokens("<fim-prefix>", "<fim-suffix>", "<fim-middle>"),
    FimTokens("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),
    FimTokens("▁<PRE>", "▁<SUF>", "▁<MID>"),
    FimTokens("[PREFIX]", "[SUFFIX]", "[MIDDLE]"),
)
SUFFIX_FIRST = frozenset({FIM[-1]})  # models that read the suffix before the prefix


@dataclass(frozen=True, slots=True)
class Filled:
    """A text whose holes are filled: `text`, what is in each of its `holes`, and the model's result for each."""

    text: str
    holes: tuple[str, ...]
    results: tuple[Result[Any], ...]


def infill(grammar: Language, parts: Sequence[Part]) -> Language:
    """The texts that may fill the first hole of `parts`, fixed texts with `Hole` between them.

    Exactly those behind which the other holes can be filled so that the whole is a text of `grammar`. It is empty where
    the fixed parts are in none; compiling it raises Unsatisfiable then. Raises OptionError where two holes touch, or
    there is none; UnsupportedCombination, UnsupportedSchema and LimitExceeded as products of languages do.
    """
    before, after = _cut(parts)
    cut = Cut(before.encode(), [part.encode() for part in after])
    found = between(grammar.grammar, cut, Limits().product_states)
    return Language(found, "hole", origin=("infill", grammar, before, *after))


def fill(
    model: Any,
    parts: Sequence[Part],
    *,
    tokenizer: Any = None,
    fim: Literal["auto"] | bool = "auto",
    grammar: Language | None = None,
    max_tokens: int = 256,
    temperature: float = 0.0,
    seed: int | None = None,
    on_truncate: Literal["raise", "complete"] = "raise",
    **source: Any,
) -> Filled:
    """Fill the holes of `parts` with a model, from left to right, so that the whole is a text of the constraint.

    The constraint is `grammar` (a Language) or one of the sources of `compile` (schema=, gbnf=, regex=, ...); without
    any, every text will do. `model`, `tokenizer`, `temperature`, `seed`, `on_truncate`: as for `generate`; `max_tokens`
    is for each hole. `fim`: whether the model reads what is behind a hole, by special tokens that its vocabulary names;
    "auto": where it has them.

    Raises Unsatisfiable where no filling is a text of the constraint, Truncated as `generate` does, OptionError.
    """
    _cut(parts)  # before a model is loaded
    engine = engine_of(model, tokenizer)
    if grammar is not None and source:
        raise OptionError(f"one constraint is needed, grammar and {next(iter(source))} are given", option="grammar")
    whole = grammar if grammar is not None else language(**source) if source else regex(r"(?s:.)*")
    marks = _fim_tokens(engine.vocabulary, fim)
    holes, results, rest = list[str](), list[Result[Any]](), list(parts)
    while Hole in rest:
        before, after = _cut(rest)
        allowed, prompt, cue = infill(whole, rest), _prompt(engine, marks, before, after), ""
        if marks is None:
            cue = _cue(after[0])
            allowed = allowed + cue if cue else allowed
        drawing: dict[str, Any] = {"temperature": temperature, "seed": seed, "max_tokens": max_tokens}
        try:
            result = generate_result(
                engine, prompt, grammar=allowed, chat=False, stop=cue or None, on_truncate=on_truncate, **drawing
            )
        except Unsatisfiable:
            reason = f"no text fills hole {len(holes) + 1} so that the whole is a text of the constraint"
            raise Unsatisfiable(reason, pointer=None) from None
        written = result.text.removesuffix(cue)
        holes.append(written)
        results.append(result)
        at = rest.index(Hole)
        rest[at : at + 1] = [written]
    return Filled("".join(str(part) for part in rest), tuple(holes), tuple(results))


def _cut(parts: Sequence[Part]) -> tuple[str, list[str]]:
    """The fixed text before the first hole, and those behind it and every other one. Raises OptionError."""
    texts = [""]
    for part in parts:
        if part is Hole:
            texts.append("")
        elif isinstance(part, str):
            texts[-1] += part
        else:
            raise OptionError(f"a part is a string or Hole, not {part!r}", option="parts")
    if len(texts) < 2:
        raise OptionError("there is no Hole among the parts", option="parts")
    if "" in texts[1:-1]:
        raise OptionError("two holes touch: what fills one cannot be told from what fills the other", option="parts")
    return texts[0], texts[1:]


def _cue(after: str) -> str:
    """How a text begins, up to the end of its first line that is more than white space."""
    end = after.find("\n", len(after) - len(after.lstrip()))
    return after[: min(_CUE, len(after) if end < 0 else end + 1)]


def _fim_tokens(vocabulary: Vocabulary, fim: Literal["auto"] | bool) -> FimTokens | None:
    """The tokens that a vocabulary has. Raises OptionError where they are asked for and there are none."""
    found = next((each for each in FIM if all(name in vocabulary.names for name in each)), None)
    if fim is True and found is None:
        raise OptionError("the model's vocabulary names no tokens to fill in the middle", option="fim")
    return found if fim else None


def _prompt(engine: Any, marks: FimTokens | None, before: str, after: Sequence[str]) -> Any:
    """What the model reads: token ids, the text before the hole where it cannot read what is behind."""
    if marks is None:
        return before
    begin, then, end = (engine.vocabulary.names[name] for name in marks)
    prefix, suffix = engine.tokens_of(before), engine.tokens_of("".join(after))
    if marks in SUFFIX_FIRST:
        return [then, *suffix, begin, *prefix]
    return [begin, *prefix, then, *suffix, end]
