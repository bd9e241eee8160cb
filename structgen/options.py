"""Options shared by the whole library: bounds against hostile input, how tokens are drawn; the check of counts.

Each bound is generous for real inputs and small enough that hitting it takes seconds, not minutes. Exceeding one raises
`LimitExceeded` with the field's name.
"""

from __future__ import annotations

from dataclasses import dataclass

from structgen.errors import OptionError

__all__ = ["Limits", "SamplingOptions", "check_least"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds against hostile input.

    field            bounds
    schema_depth     nesting of subschemas inside one document
    schema_nodes     subschemas read from all documents
    inline_depth     schemas applied to one and the same value through each other ($ref, allOf, not, ...)
    shapes           alternatives one value may have after the algebra
    algebra_steps    shape meets in one compilation
    number_digits    digits of a number written in a schema
    number_states    states of the automaton of one set of numbers
    object_states    states of the automaton of one object shape (properties x counts)
    regex_states     states of the automaton of one pattern, or of several that apply to one string
    regex_work       steps of its construction, of about a microsecond
    regex_positions  characters of a pattern with its counts written out
    key_regions      sorts of names that the patterns of one object tell apart
    counted_items    ways to count the items of one array
    evaluated_ways   sets of properties and items that subschemas may have evaluated, for `unevaluated...`
    product_states   states made when languages are combined, and of an automaton made from a text or a list of words
    seconds          of processor time to turn a schema into a grammar
    """

    schema_depth: int = 1000
    schema_nodes: int = 1_000_000
    inline_depth: int = 80
    shapes: int = 2_000
    algebra_steps: int = 100_000
    number_digits: int = 2_000
    number_states: int = 50_000
    object_states: int = 200_000
    regex_states: int = 20_000
    regex_work: int = 2_000_000
    regex_positions: int = 20_000
    key_regions: int = 300
    counted_items: int = 2_000
    evaluated_ways: int = 256
    product_states: int = 200_000
    seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class SamplingOptions:
    """How a token is drawn. The mask comes first, then temperature, then top-k, then top-p, then min-p.

    field        meaning
    temperature  divides the logits; 0 takes the likeliest allowed token
    top_k        keep the k likeliest tokens; None keeps all
    top_p        keep the fewest likeliest tokens that together have this probability; None keeps all
    min_p        keep the tokens at least this many times as likely as the likeliest; None keeps all
    repetition_penalty  before all of these: divides the positive logits of tokens in prompt and output, multiplies the
                 negative ones (Keskar et al. 2019); 1 changes nothing
    seed         together with a row's stream number it decides every draw of that row
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    seed: int = 0
    min_p: float | None = None
    repetition_penalty: float = 1.0

    @property
    def cuts(self) -> bool:
        """Whether which tokens can come depends on the probabilities of others."""
        filtered = self.top_k is not None or self.min_p or (self.top_p is not None and self.top_p < 1)
        return bool(self.temperature and filtered)

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise OptionError(f"temperature must be finite, at least 0, not {self.temperature}", option="temperature")
        if self.top_k is not None and self.top_k < 1:
            raise OptionError(f"top_k must be at least 1, not {self.top_k}", option="top_k")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise OptionError(f"top_p must be in (0, 1], not {self.top_p}", option="top_p")
        if self.seed < 0:
            raise OptionError(f"seed must not be negative, not {self.seed}", option="seed")
        if self.min_p is not None and not 0 <= self.min_p <= 1:
            raise OptionError(f"min_p must be in [0, 1], not {self.min_p}", option="min_p")
        if not 0 < self.repetition_penalty < float("inf"):
            reason = f"repetition_penalty must be positive and finite, not {self.repetition_penalty}"
            raise OptionError(reason, option="repetition_penalty")


def check_least(**values: tuple[int | None, int]) -> None:
    """Raise OptionError for an option, given as (value, least), that is no integer of at least `least`; None passes."""
    for name, (value, least) in values.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
            raise OptionError(f"{name} must be at least {least}, not {value!r}", option=name)
