"""The decode loop: prompts and constraints to complete outputs, a batch of independent rows.

Every step: logits -> law of each running row, masked and unmasked -> one token per row -> budget guard -> feed back.
The guard keeps a completion in reach at all times: a drawn token is taken only if afterwards the shortest completion
and the stop token still fit, else the next token of a completion that does fit is taken instead. So a constrained row
is always complete, whatever the model; if not even the shortest output fits at the start, BudgetTooSmall says so.

Cost per step: one model call for the batch; per row a mask look-up, an accept and, where the bytes to the end no longer
fit the budget, one shortest completion per state.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
import torch

from structgen.bits import row_of
from structgen.engines.masking import MaskRow, apply_masks
from structgen.engines.sampling import DrawLaw, checked_logits, draw, law, row_generator
from structgen.errors import BudgetTooSmall, InvariantError, OptionError, VocabularyError
from structgen.matcher import Constraint, Matcher
from structgen.options import SamplingOptions
from structgen.vocabulary import Vocabulary, check_same_tokens

__all__ = ["BatchModel", "Output", "Request", "Step", "decode", "decode_steps"]

FinishReason = Literal["stop", "length", "completed"]


class BatchModel(Protocol):
    """What the loop needs of a model. Logits are (rows, at least vocabulary.size), any device and float dtype."""

    vocabulary: Vocabulary

    def prefill(self, prompts: Sequence[Sequence[int]], reserve: int) -> tuple[torch.Tensor, Any]:
        """Read the prompts; logits after each and a context to go on from. At most `reserve` tokens will follow."""
        ...

    def extend(self, tokens: Sequence[int], context: Any) -> torch.Tensor:
        """Append one token to every row of the context; logits after each."""
        ...


@dataclass(frozen=True, slots=True)
class Request:
    """One row. `max_tokens` counts the stop token. `stream` numbers its random stream; None: its place in the batch.

    `steer=False` turns the budget guard off: the row may then end for length, with an incomplete text.
    """

    prompt: Sequence[int]
    constraint: Constraint | None = None
    max_tokens: int = 256
    stream: int | None = None
    steer: bool = True


@dataclass(frozen=True, slots=True)
class Output:
    """What became of a row.

    field          meaning
    token_ids      tokens of the text, without the stop token
    stop_id        the stop token, None when the row ended for length
    data           the text's bytes
    finish_reason  "stop": the model ended it; "completed": the budget guard chose tokens; "length": a row
                   that nobody steers (no constraint, or steer=False) ran out of tokens
    log_prob       of token_ids and the stop under the model's law, after temperature, top-k and top-p but unmasked
    log_q          of the same under the law that was sampled; tokens the guard chose count as certain

    Stop tokens count as one event. Unless finish_reason is "completed", exp(log_weight) is an importance weight.
    """

    token_ids: tuple[int, ...]
    stop_id: int | None
    data: bytes
    finish_reason: FinishReason
    log_prob: float
    log_q: float

    @property
    def text(self) -> str:
        """The text; bytes that are not UTF-8, as an unconstrained row may write, become U+FFFD."""
        return self.data.decode("utf-8", errors="replace")

    @property
    def log_weight(self) -> float:
        """log_prob - log_q."""
        return self.log_prob - self.log_q


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the batch: the token each running row took (stop tokens too) and the rows that ended with it."""

    index: int
    tokens: dict[int, int]
    finished: dict[int, Output] = field(default_factory=dict)


def decode(model: BatchModel, requests: Sequence[Request], options: SamplingOptions) -> list[Output]:
    """All outputs, in the order of the requests."""
    outputs: dict[int, Output] = {}
    for step in decode_steps(model, requests, options):
        outputs |= step.finished
    return [outputs[index] for index in range(len(requests))]


def decode_steps(model: BatchModel, requests: Sequence[Request], options: SamplingOptions) -> Iterator[Step]:
    """Run the batch, one `Step` per model call. Bad requests raise before the model is called."""
    known, rows = _known_ids(model.vocabulary), []
    distances: dict[int, dict[int, int]] = {id(request.constraint): {} for request in requests}
    for index, request in enumerate(requests):
        stream = index if request.stream is None else request.stream
        matcher = _open_matcher(request, model.vocabulary)
        vocabulary = model.vocabulary if matcher is None else matcher.constraint.vocabulary
        shared = distances[id(request.constraint)]
        rows.append(_Row(request, row_generator(options.seed, stream), vocabulary, known, matcher, shared))
    return _run(model, rows, options)


def _run(model: BatchModel, rows: list[_Row], options: SamplingOptions) -> Iterator[Step]:
    if not rows:
        return
    logits, context = model.prefill([row.request.prompt for row in rows], max(row.request.max_tokens for row in rows))
    running, index = list(range(len(rows))), 0
    while True:
        wide = checked_logits(logits, len(rows), model.vocabulary.size)
        taken = _take_tokens([rows[i] for i in running], wide if len(running) == len(rows) else wide[running], options)
        finished = {i: output for i in running if (output := rows[i].output()) is not None}
        yield Step(index, dict(zip(running, taken, strict=True)), finished)
        running, index = [i for i in running if i not in finished], index + 1
        if not running:
            return
        logits = model.extend([row.last_token for row in rows], context)


def _take_tokens(rows: list[_Row], logits: torch.Tensor, options: SamplingOptions) -> list[int]:
    """Draw a token for every row, let the guard overrule it, and count its probability under both laws."""
    free = law(logits, options)
    sampled = law(apply_masks(logits, [row.mask() for row in rows]), options)
    drawn = draw(sampled, [row.generator for row in rows], options)
    taken = [row.take(token) for row, token in zip(rows, drawn, strict=True)]
    log_probs, log_qs = _event(free, taken, rows), _event(sampled, taken, rows)
    for index, row in enumerate(rows):
        row.log_prob += log_probs[index]
        row.log_q += log_qs[index] if taken[index] == drawn[index] else 0.0
    return taken


def _event(source: DrawLaw, taken: list[int], rows: list[_Row]) -> list[float]:
    """Log-probability of what each row did; to stop is one event, whichever of the stop tokens said it."""
    device = source.scores.device
    out: list[float] = source.log_probs(torch.tensor(taken, device=device).unsqueeze(1)).squeeze(1).tolist()
    for index, (row, token) in enumerate(zip(rows, taken, strict=True)):
        if len(row.stops) > 1 and token in row.stops:
            stops = torch.tensor(row.stops, device=device).expand(len(rows), -1)
            out[index] = float(source.log_probs(stops)[index].logsumexp(0))
    return out


@dataclass(slots=True)
class _Row:
    """A running row. `plan` is a completion known to fit from here, or None when the matcher's shortest one does.

    `distances` is shared by the rows of one constraint: state -> tokens of its shortest completion.
    """

    request: Request
    generator: torch.Generator
    vocabulary: Vocabulary
    known: MaskRow
    matcher: Matcher | None
    distances: dict[int, int]
    plan: list[int] | None = None
    tokens: list[int] = field(default_factory=list)
    guarded: bool = False
    log_prob: float = 0.0
    log_q: float = 0.0

    @property
    def last_token(self) -> int:
        return self.tokens[-1]

    @property
    def stops(self) -> tuple[int, ...]:
        return self.vocabulary.stop_ids

    def mask(self) -> MaskRow:
        if self.matcher is None:
            return self.known
        mask = self.matcher.mask()
        if not mask.any():
            raise VocabularyError(f"no token can write what must come next: {', '.join(self.matcher.expected())}")
        return mask

    def take(self, token: int) -> int:
        """Take the drawn token if a completion still fits behind it, else the next token of one that fits."""
        matcher = self.matcher
        if matcher is not None:
            _accept(matcher, token)
            left = self.request.max_tokens - len(self.tokens) - 1
            if not self.request.steer or matcher.is_finished() or self._fits(matcher, left):
                self.plan = None
            else:
                matcher.rollback(1)
                token = self._planned(matcher)
        self.tokens.append(token)
        return token

    def _fits(self, matcher: Matcher, left: int) -> bool:
        """A completion and the stop token take `left` tokens at most; no token is shorter than a byte."""
        return left > matcher.bytes_to_accept() or left > self._distance(matcher)

    def _distance(self, matcher: Matcher) -> int:
        known = self.distances.get(matcher.state)
        if known is None:
            known = self.distances[matcher.state] = matcher.tokens_to_accept()
        return known

    def _planned(self, matcher: Matcher) -> int:
        self.guarded = True
        plan = matcher.shortest_completion() if self.plan is None else self.plan
        token = plan[0] if plan else self.stops[0]
        self.plan = plan[1:]
        _accept(matcher, token)
        return token

    def output(self) -> Output | None:
        """The row's output once it has ended."""
        stopped = self.last_token in self.stops
        if not stopped and len(self.tokens) < self.request.max_tokens:
            return None
        if not stopped and self.matcher is not None and self.request.steer:
            raise InvariantError("a constrained row ends with a stop token", f"{len(self.tokens)} tokens")
        text_ids = self.tokens[:-1] if stopped else self.tokens
        return Output(
            token_ids=tuple(text_ids),
            stop_id=self.last_token if stopped else None,
            data=self.vocabulary.decode(text_ids),
            finish_reason="completed" if self.guarded else "stop" if stopped else "length",
            log_prob=self.log_prob,
            log_q=self.log_q,
        )


def _open_matcher(request: Request, vocabulary: Vocabulary) -> Matcher | None:
    """The request's matcher, once the request is known to fit the model and its own budget."""
    if request.max_tokens < 1:
        raise OptionError(f"max_tokens must be at least 1, not {request.max_tokens}", option="max_tokens")
    if request.constraint is None:
        return None
    check_same_tokens(request.constraint.vocabulary, vocabulary)
    matcher = request.constraint.matcher()
    if not request.steer:
        return matcher
    at_least = -(-matcher.bytes_to_accept() // max(request.constraint.trie.longest, 1)) + 1
    if at_least > request.max_tokens:  # no need to spell a completion of a billion bytes to know that
        raise BudgetTooSmall(needed=at_least, budget=request.max_tokens)
    needed = matcher.tokens_to_accept() + 1
    if needed > request.max_tokens:
        raise BudgetTooSmall(needed=needed, budget=request.max_tokens)
    return matcher


def _known_ids(vocabulary: Vocabulary) -> MaskRow:
    """What a row without a constraint may write: every text and special token, no padding or unused id."""
    known = np.diff(vocabulary.offsets) > 0
    known[list(vocabulary.special_ids)] = True
    return row_of(known, vocabulary.size)


def _accept(matcher: Matcher, token: int) -> None:
    if not matcher.accept(token):
        raise InvariantError("a token the mask allows is accepted", f"token {token} in state {matcher.state}")
