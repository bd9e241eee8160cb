"""Questions -> answers, each as soon as it is known, by static batches of the decode loop.

    window of questions -> read, compiled, encoded -> batches by length of prompt -> one decode loop each -> answers

Every row draws with a seed of its own, a hash of the run's seed and its id, so its answer depends on no other row. The
batch a row is in decides how its logits are rounded: batches are made of the questions alone, whatever was answered
before, and a run that was cut off decodes the batch it was in again, all of it, and gets the same bits.

Cost: the loop's, of the longest row of each batch; padding little, as rows of a batch have prompts of like length.
Rows of samplers (`method`) are drawn one after the other.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from structgen.api.call import Call, context_of
from structgen.api.models import engine_of
from structgen.api.options import Settings, check_integer
from structgen.api.running import Decoding, read_outputs, results_of
from structgen.batches.questions import CONSTRAINTS, Question, options_of, read_question
from structgen.errors import CompletedWarning, QuestionError, StructgenError
from structgen.options import SamplingOptions

if TYPE_CHECKING:
    from structgen.api.result import Result
    from structgen.engines.decode import Output, Request

__all__ = ["Answerer", "Answers"]

Answers = Iterator[dict[str, Any]]
MOST_TOKENS = 1024  # of a row that does not say: the others of its batch wait for it
WINDOW = 16  # batches whose questions are sorted by length of prompt together
BUNDLED = "nano"  # the name of the model that is not named


@dataclass(frozen=True, slots=True)
class _Row:
    """A question that can be decoded; `request` is None where a sampler draws it."""

    question: Question
    call: Call
    request: Request | None

    @property
    def length(self) -> int:
        """Tokens of the prompt."""
        return len(self.call.rows[0].prompt)


class Answerer:
    """A model that answers questions.

    model      as `generate` takes it
    seed       with a question's id it decides every draw of its row, where the question has no seed of its own
    rows       of one batch
    defaults   options of `generate` for questions that do not give them (of constraints: that have none)

    Equal questions of equal answerers have equal answers; those of another `rows` up to the rounding of logits.
    Raises what `generate` raises for the model and for the defaults.
    """

    def __init__(self, model: Any = None, *, seed: int = 0, rows: int = 16, **defaults: Any) -> None:
        check_integer("seed", seed, 0)
        check_integer("rows", rows, 1)
        self.engine, self.seed, self.rows = engine_of(model), seed, rows
        self._model, self._defaults = model, {name: value for name, value in defaults.items() if value is not None}
        self._constraint = None
        settings = Settings.read(self._defaults)
        if any(name in self._defaults for name in CONSTRAINTS):
            self._constraint = Call.of(model, "", settings).rows[0].constraint  # a mistake is one before the first row

    @property
    def name(self) -> str:
        """The model's, as it was given."""
        return BUNDLED if self._model is None else str(getattr(self._model, "name_or_path", self._model))

    @property
    def identity(self) -> dict[str, Any]:
        """What decides answers beside the questions, as JSON: model, a sample of its weights, seed and defaults."""
        from structgen.engines.prefixes import prefix_model

        parts = (
            prefix_model(self.engine).fingerprint,
            self.engine.vocabulary.fingerprint,
            str(getattr(self.engine, "chat_template", None)),
        )
        schema = self._defaults.get("schema")
        shown = {**self._defaults, "schema": schema if isinstance(schema, dict | bool) else None}  # prompts may show it
        others = {
            name: value for name, value in shown.items() if name in ("schema", "tools") or name not in CONSTRAINTS
        }
        constraint = None if self._constraint is None else self._constraint.fingerprint[:16]
        return {
            "model": self.name,
            "weights": hashlib.sha256("|".join(parts).encode()).hexdigest()[:16],
            "seed": self.seed,
            "constraint": constraint,
            "defaults": json.loads(json.dumps(others, default=repr)),
        }

    def __call__(self, lines: Iterable[str | bytes | Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The answers to lines (docs/batch.md), in their order. Raises QuestionError for a wrong id, or two."""
        questions = [read_question(line, number) for number, line in enumerate(lines, 1)]
        found = {answer["custom_id"]: answer for answer in self.answers(questions)}
        if len(found) < len(questions):
            raise QuestionError("a custom_id stands in two lines")
        return [found[question.custom_id] for question in questions]

    def answers(self, questions: Iterable[Question], wanted: Callable[[Question], bool] = lambda _: True) -> Answers:
        """The answers to those questions that are wanted, as they are finished: docs/batch.md says what is in them.

        Questions that are not wanted are decoded where they share a batch with one that is.
        """
        given = iter(questions)
        while window := list(islice(given, self.rows * WINDOW)):
            if any(map(wanted, window)):
                yield from self._window(window, wanted)

    def _window(self, window: Sequence[Question], wanted: Callable[[Question], bool]) -> Answers:
        rows = list[_Row]()
        for question in window:
            opened = self._opened(question)
            if isinstance(opened, _Row):
                rows.append(opened)
            elif wanted(question):
                yield opened
        for batch in self._batches([row for row in rows if row.request is not None]):
            if any(wanted(row.question) for row in batch):
                asked = {row.question.custom_id for row in batch if wanted(row.question)}
                yield from (answer for answer in self._decoded(batch) if answer["custom_id"] in asked)
        for row in rows:
            if row.request is None and wanted(row.question):
                yield self._drawn(row)

    def _opened(self, question: Question) -> _Row | dict[str, Any]:
        """A row, or the answer that says why there is none."""
        try:
            options = options_of(question, self._defaults, self.name)
            options.setdefault("seed", self._seed_of(question))
            prompt = options.pop("prompt", "")
            call = Call.of(self._model, prompt, Settings.read(options))
            if call.settings.max_tokens is None:
                call = dataclasses.replace(call, budget=min(call.budget, MOST_TOKENS))
            if call.settings.method != "masked":
                return _Row(question, call, None)
            return _Row(question, call, dataclasses.replace(call.requests()[0], options=call.sampling))
        except Exception as error:  # noqa: BLE001 - a line of ten thousand ends none of the others; it is told, and counted
            return _failed(question, error)

    def _seed_of(self, question: Question) -> int:
        digest = hashlib.sha256(f"{self.seed}|{question.custom_id}".encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:8], "big") >> 1

    def _batches(self, rows: Sequence[_Row]) -> Iterator[list[_Row]]:
        """Rows of like length together, as many as there may be and as fit the model's context with their budgets."""
        context = context_of(self.engine)
        batch, budget = list[_Row](), 0
        for row in sorted(rows, key=lambda row: row.length):
            budget = max(budget, row.call.budget)
            too_long = context is not None and row.length + budget > context
            if batch and (len(batch) == self.rows or too_long):
                yield batch
                batch, budget = [], row.call.budget
            batch.append(row)
        if batch:
            yield batch

    def _decoded(self, batch: Sequence[_Row]) -> Answers:
        """A batch that fails is decoded row by row: then it is known which one it was."""
        from structgen.engines.decode import decode_steps

        finished = set[int]()
        try:
            requests = [row.request for row in batch if row.request is not None]
            for step in decode_steps(self.engine, requests, SamplingOptions()):
                for place, output in step.finished.items():
                    finished.add(place)
                    yield _read(batch[place], output)
        except StructgenError as error:
            if len(batch) == 1:
                yield _failed(batch[0].question, error)
                return
            for place, row in enumerate(batch):
                if place not in finished:
                    yield from self._decoded([row])

    def _drawn(self, row: _Row) -> dict[str, Any]:
        try:
            return _answer(row.question, results_of(row.call))
        except StructgenError as error:
            return _failed(row.question, error)


def _read(row: _Row, output: Output) -> dict[str, Any]:
    """The answer of an output; an error where it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CompletedWarning)  # the answer says it
            (result,) = read_outputs(row.call, {0: output}, Decoding(seconds={0: 0.0}))
    except StructgenError as error:
        return _failed(row.question, error)
    return _answer(row.question, result)


def _answer(question: Question, result: Result[Any]) -> dict[str, Any]:
    told = result.to_dict()
    names = ("value", "text", "finish_reason", "completed_at", "log_prob", "log_weight")
    tokens = {"prompt": result.stats.prompt_tokens, "output": result.stats.output_tokens}
    return {**_head(question), **{name: told[name] for name in names}, "tokens": tokens}


def _failed(question: Question, error: Exception) -> dict[str, Any]:
    data = error.to_dict() if isinstance(error, StructgenError) else {"message": str(error)}
    return {**_head(question), "error": {"type": type(error).__name__, **data}}


def _head(question: Question) -> dict[str, Any]:
    return {"custom_id": question.custom_id, "request": question.key}
