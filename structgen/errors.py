"""The one tree of errors. Each carries its data as attributes; the message is derived from the data.

StructgenError
├── SourceError                what the user wrote cannot be read
│   ├── SchemaError            .pointer .keyword .reason      not a JSON Schema
│   ├── RegexError             .pattern .position .reason
│   ├── GrammarError           .line .column .excerpt .reason
│   └── QuestionError          .reason .line                  a line of a batch that cannot be answered under an id
├── UnsupportedSchema          .pointer .keyword .reason      a schema, but one this version cannot enforce exactly
├── UnsupportedCombination     .operation .reason             languages whose meet or complement cannot be computed
├── Unsatisfiable              .pointer .reason .conflict     nothing can satisfy it
├── LimitExceeded              .limit .allowed .reason .pointer .keyword  a bound against hostile input was hit
├── VocabularyError            .reason                        tokenizer and model, or tokenizer and bytes, disagree
├── TokenRejected              .token_id .text .expected      a token the constraint forbids here
├── StaleState                 .state                         a state that was forgotten, held without a lease
├── BudgetTooSmall             .needed .budget                the shortest valid output needs more tokens
├── Truncated                  .text .budget .needed .results the budget, not the model, ended an output
├── ValueRejected              .text .reason                  the schema accepts the text, the type's validators do not
├── SamplingIncomplete         .status .found .wanted .result .results  a sampler ended before it had all it should
├── PredicateError             .function .text .complete .reason  a user's predicate or potential failed on a text
├── ScorerError                .scorer .text .reason         a user's scorer failed, or its answers are no scores
├── ModelError                 .reason                        the model returned something unusable (NaN, wrong shape)
├── ToolFailed                 .tool .reason                  whoever runs a tool for us says that the call failed
├── OptionError                .option .reason                an unknown or contradictory option
├── StorageError               .source .reason                a saved constraint that cannot be used
├── ServerError                .reason .command               a language server that cannot be used
└── InvariantError             .invariant .detail             our own arrays break their contract: a bug here

One warning: CompletedWarning  .text .completed_at            the model did not choose all of a value that is returned
One interrupt: SamplingInterrupted  .found .wanted .result .results   Ctrl-C while a sampler ran, with what it had
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = [
    "BudgetTooSmall",
    "CompletedWarning",
    "GrammarError",
    "InvariantError",
    "LimitExceeded",
    "ModelError",
    "OptionError",
    "PredicateError",
    "QuestionError",
    "RegexError",
    "SamplingIncomplete",
    "SamplingInterrupted",
    "SchemaError",
    "ScorerError",
    "SourceError",
    "StaleState",
    "StorageError",
    "StructgenError",
    "TokenRejected",
    "ToolFailed",
    "Truncated",
    "Unsatisfiable",
    "UnsupportedCombination",
    "UnsupportedSchema",
    "ValueRejected",
    "VocabularyError",
    "suggest",
]


class StructgenError(Exception):
    """Root of every error this library raises on purpose."""

    def to_dict(self) -> dict[str, object]:
        """{"message": ..., its attributes}, as `json.dumps` takes it: tuples are lists, other objects are left out."""
        plain = (str, int, float, bool, type(None))
        data: dict[str, object] = {name: value for name, value in vars(self).items() if isinstance(value, plain)}
        data |= {
            name: list(value) for name, value in vars(self).items() if isinstance(value, tuple) and name != "results"
        }
        return {"message": str(self), **data}


class SourceError(StructgenError):
    """A constraint's source text cannot be read."""


class SchemaError(SourceError):
    """The document is not a valid JSON Schema. `pointer` is the JSON pointer of the offending place ("" = root)."""

    def __init__(self, reason: str, *, pointer: str = "", keyword: str | None = None) -> None:
        super().__init__(f"{pointer or '#'}: {reason}")
        self.pointer, self.keyword, self.reason = pointer, keyword, reason


class RegexError(SourceError):
    """A regular expression cannot be read. `position` is a character offset into `pattern`."""

    def __init__(self, reason: str, *, pattern: str, position: int = 0) -> None:
        line = pattern.rfind("\n", 0, position) + 1
        start = max(line, position - 30)
        excerpt = pattern[start : position + 30].split("\n")[0]
        where = f" (line {pattern.count(chr(10), 0, position) + 1})" if "\n" in pattern else ""
        super().__init__(f"{reason}{where}\n  {excerpt}\n  {' ' * (position - start)}^")
        self.pattern, self.position, self.reason = pattern, position, reason


class GrammarError(SourceError):
    """A grammar cannot be read. `line` and `column` count from 1; `excerpt` is the offending line."""

    def __init__(self, reason: str, *, line: int, column: int, excerpt: str = "") -> None:
        super().__init__(f"line {line}, column {column}: {reason}\n  {excerpt}\n  {' ' * (column - 1)}^")
        self.line, self.column, self.excerpt, self.reason = line, column, excerpt, reason


class QuestionError(SourceError):
    """A line of a batch whose answer could not be told from others. `line` counts from 1, where it is known."""

    def __init__(self, reason: str, *, line: int | None = None) -> None:
        super().__init__(reason if line is None else f"line {line}: {reason}")
        self.reason, self.line = reason, line


class UnsupportedSchema(StructgenError):
    """A valid schema that cannot be enforced exactly; nothing is ever ignored instead."""

    def __init__(self, reason: str, *, pointer: str = "", keyword: str | None = None) -> None:
        super().__init__(f"{pointer or '#'}: {keyword or 'schema'}: {reason}")
        self.pointer, self.keyword, self.reason = pointer, keyword, reason


class UnsupportedCombination(StructgenError):
    """Languages whose combination cannot be computed exactly. `operation` is "&", "~", or "language" (not at all)."""

    def __init__(self, reason: str, *, operation: str) -> None:
        super().__init__(f"{operation}: {reason}")
        self.operation, self.reason = operation, reason


class Unsatisfiable(StructgenError):
    """No output can satisfy the constraint. `conflict` names the places that contradict each other.

    `pointer` is the JSON pointer of the place in a schema, None where there is no schema.
    """

    def __init__(self, reason: str, *, pointer: str | None = "", conflict: tuple[str, ...] = ()) -> None:
        places = f" (between {', '.join(conflict[:-1])} and {conflict[-1]})" if conflict[1:] else ""
        places = places or (f" (at {conflict[0]})" if conflict and conflict[0] != pointer else "")
        super().__init__(reason + places if pointer is None else f"{pointer or '#'}: {reason}{places}")
        self.pointer, self.reason, self.conflict = pointer, reason, conflict


class LimitExceeded(StructgenError):
    """A bound against hostile input was hit. `limit` is the option's name, `allowed` its value.

    In a schema, `pointer` and `keyword` say where, as far as that is known.
    """

    def __init__(
        self, reason: str, *, limit: str, allowed: float, pointer: str | None = None, keyword: str | None = None
    ) -> None:
        where = "" if pointer is None else f"{pointer or '#'}: {keyword}: " if keyword else f"{pointer or '#'}: "
        super().__init__(f"{where}{reason} (limit {limit} = {allowed})")
        self.limit, self.allowed, self.reason = limit, allowed, reason
        self.pointer, self.keyword = pointer, keyword


class VocabularyError(StructgenError):
    """A tokenizer cannot be turned into exact bytes, or does not belong to the model."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TokenRejected(StructgenError):
    """A token was forced on a matcher that forbids it. `expected` says what could have come."""

    def __init__(self, token_id: int, *, text: bytes = b"", expected: tuple[str, ...] = ()) -> None:
        super().__init__(
            f"token {token_id} ({text!r}) is not allowed here; expected {', '.join(expected) or 'the end'}"
        )
        self.token_id, self.text, self.expected = token_id, text, expected


class StaleState(StructgenError):
    """A state's number from before `Constraint.compact`, which nobody had pinned: it means nothing any more."""

    def __init__(self, state: int) -> None:
        super().__init__(f"state {state} was forgotten or never existed; hold states with Constraint.pin")
        self.state = state


class BudgetTooSmall(StructgenError):
    """`budget` tokens cannot hold a valid output, `needed` (stop token included) or a few more can."""

    def __init__(self, *, needed: int, budget: int) -> None:
        super().__init__(f"a valid output needs at least {needed} tokens (with its stop token), the budget is {budget}")
        self.needed, self.budget = needed, budget


class Truncated(StructgenError):
    """The model had not finished within `budget` tokens: `text` is the unfinished output.

    `needed` tokens (stop token included) are the shortest valid ending from there. `results` are the results of all
    outputs of the call, None where one was truncated.
    """

    def __init__(self, *, text: str, budget: int, needed: int, results: tuple[object, ...] = ()) -> None:
        end = text if len(text) <= 80 else f"...{text[-80:]}"
        super().__init__(
            f"the model had not finished after {budget} tokens, a valid end takes {needed} more: {end!r} "
            f"(a larger max_tokens lets it; on_truncate='complete' ends it without the model, 'return' as it stands)"
        )
        self.text, self.budget, self.needed, self.results = text, budget, needed, results


class CompletedWarning(UserWarning):
    """The budget ran short and `text` was completed without the model: it did not choose what is at `completed_at`.

    These are JSON pointers; "" is the whole.
    """

    def __init__(self, *, text: str, completed_at: tuple[str, ...]) -> None:
        where = ", ".join(place or "the whole" for place in completed_at[:8]) + ", ..." * (len(completed_at) > 8)
        super().__init__(f"the budget ran short; not chosen by the model: {where} (in {text[:200]})")
        self.text, self.completed_at = text, completed_at


class ValueRejected(StructgenError):
    """`text` satisfies everything that can be enforced; a validator function written by the user refuses the value."""

    def __init__(self, reason: str, *, text: str) -> None:
        super().__init__(f"{reason} (in {text[:200]})")
        self.reason, self.text = reason, text


class SamplingIncomplete(StructgenError):
    """A sampler has `found` of `wanted` outputs; `result` (a SampleSet) holds them, `status` and `note` say why.

    `results` are the finished results of the prompts before, in a batch.
    """

    results: tuple[object, ...] = ()

    def __init__(self, *, status: str, found: int, wanted: int, result: object, note: str = "") -> None:
        reason = {
            "budget": "the budget is spent",
            "empty": "no output has positive probability within max_tokens",
            "degenerate": "every draw died",
        }.get(status, status)
        super().__init__(f"{found} of {wanted} outputs: {reason}{f' ({note})' if note else ''}")
        self.status, self.found, self.wanted, self.result, self.note = status, found, wanted, result, note


class SamplingInterrupted(KeyboardInterrupt):
    """Ctrl-C while a sampler ran: `found` of `wanted` outputs were finished, and `result` (a SampleSet) holds them.

    A KeyboardInterrupt, so that whatever ends on one still does. `results` are the finished results of the prompts
    before, in a batch.
    """

    results: tuple[object, ...] = ()

    def __init__(self, *, found: int, wanted: int, result: object) -> None:
        super().__init__(f"{found} of {wanted} outputs were finished")
        self.found, self.wanted, self.result = found, wanted, result


class PredicateError(StructgenError):
    """`function`, a user's predicate or potential, raised or gave no answer when asked about `text` (str or bytes)."""

    def __init__(self, reason: str, *, function: str, text: str | bytes, complete: bool) -> None:
        end = text[-200:]
        state = "complete" if complete else "unfinished"
        super().__init__(f"{function} failed on the {state} text {'...' if end != text else ''}{end!r}: {reason}")
        self.function, self.text, self.complete, self.reason = function, text, complete, reason


class ScorerError(StructgenError):
    """`scorer`, a user's, raised, or gave something that is no score, when asked about `text`."""

    def __init__(self, reason: str, *, scorer: str, text: str) -> None:
        end = text[-200:]
        super().__init__(f"{scorer} failed on the text {'...' if end != text else ''}{end!r}: {reason}")
        self.scorer, self.text, self.reason = scorer, text, reason


class ModelError(StructgenError):
    """The model returned something no sampler can use, such as NaN."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ToolFailed(StructgenError):
    """A call of `tool` failed where it was run; `reason` is what its server says, which a model may be shown."""

    def __init__(self, reason: str, *, tool: str) -> None:
        super().__init__(f"{tool}: {reason}")
        self.tool, self.reason = tool, reason


class SchemaWarning(UserWarning):
    """A keyword of a schema restricts nothing, and looks as if it should."""


class OptionError(StructgenError, TypeError):
    """An option that does not exist, or options that contradict each other."""

    def __init__(self, reason: str, *, option: str = "") -> None:
        super().__init__(reason)
        self.option, self.reason = option, reason


class StorageError(StructgenError):
    """A file does not hold a constraint that can be used: foreign, damaged, another version, another vocabulary."""

    def __init__(self, reason: str, *, source: str) -> None:
        super().__init__(f"{source}: {reason}")
        self.source, self.reason = source, reason


class ServerError(StructgenError):
    """A language server that a monitor asks cannot be used: it is absent, never got ready, or ended. `command` starts
    it."""

    def __init__(self, reason: str, *, command: list[str]) -> None:
        super().__init__(f"{' '.join(command)} {reason}")
        self.reason, self.command = reason, command


class InvariantError(StructgenError):
    """An array breaks its written contract. Always a bug of this library."""

    def __init__(self, invariant: str, detail: str = "") -> None:
        super().__init__(f"{invariant}: {detail}")
        self.invariant, self.detail = invariant, detail


def suggest(name: object, known: Iterable[str]) -> str:
    """How a message about an unknown name ends: with the nearest known one, if any is near."""
    import difflib  # loaded when something is wrong

    near = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""
