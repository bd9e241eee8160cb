"""The decode loop: prompts and constraints to complete outputs, a batch of independent rows.

Every step: logits -> law of each running row, masked and unmasked -> one token per row -> feed back. A row ends with a
stop token or with its budget; one that is steered (`Request.steer`) is completed before that (engines/steering.py) and
so always ends whole, whatever the model. If not even the shortest output fits at the start, BudgetTooSmall says so.

A loop of another shape, whose rows come and go, uses `open_row`, `take_tokens` and `Row.output` as this one does.
Cost per step: one model call for the batch; per row a mask look-up and an accept; rows of equal options share a law.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any, Literal, Protocol

import numpy as np
import torch

from structgen.ahead import AHEAD
from structgen.bits import has_bit, row_of
from structgen.engines.allowed import allowed_ids
from structgen.engines.masking import MaskRow, apply_masks
from structgen.engines.path_rules import PathRule
from structgen.engines.sampling import DrawLaw, Proposal, check_logits, draw, draw_alone, law, row_generator
from structgen.engines.shaping import Processor, shape_logits
from structgen.engines.steering import Completion, check_budget, complete, leaves_room, tokens_to_end
from structgen.errors import InvariantError, OptionError, StructgenError, VocabularyError
from structgen.matcher import Constraint, Matcher
from structgen.options import SamplingOptions
from structgen.vocabulary import Vocabulary, check_same_tokens

__all__ = ["BatchModel", "Output", "Request", "Row", "Step", "decode", "decode_steps", "open_row", "take_tokens"]

FinishReason = Literal["stop", "length", "completed"]


class BatchModel(Protocol):
    """What the loop needs of a model. Logits are (rows, at least vocabulary.size), any device and float dtype.

    A model may have `proposals()` besides: for each row, tokens drawn beforehand (sampling.Proposal) for what comes
    next, or None.
    """

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

    With `steer` the row is completed when its budget runs short; without, it may end for length, with an unfinished
    text. `is_json` says that the constraint's texts are JSON, whose values have boundaries (engines/steering.py).
    The row ends behind the first token that finishes one of `stops` where its text is complete. `processors` change its
    row's logits (engines/shaping.py). `options`: how its tokens are drawn; None: as those of the batch are. `ahead`:
    its masks are made while the model computes. `rule`: chooses among what the mask leaves by the path so far
    (engines/path_rules.py); it takes no drafts.
    """

    prompt: Sequence[int]
    constraint: Constraint | None = None
    max_tokens: int = 256
    stream: int | None = None
    steer: bool = True
    is_json: bool = False
    stops: tuple[bytes, ...] = ()
    processors: tuple[Processor, ...] = ()
    options: SamplingOptions | None = None
    ahead: bool = True
    rule: PathRule | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """What became of a row.

    field          meaning
    token_ids      tokens of the text, without the stop token
    stop_id        the stop token, None when the row ended for length or with one of its stop strings
    data           the text's bytes
    finish_reason  "stop": the model ended it, or wrote a stop string; "completed": its end was not chosen by the model,
                   because the budget ran short; "length": a row that nobody steers ran out of tokens
    log_prob       of token_ids and the stop under the model's law, after temperature, top-k and top-p but unmasked
    log_q          of the same under the law that was sampled
    completed_at   the places the model did not choose, where finish_reason is "completed" (steering.Completion)
    needed         of a row that ended for length: tokens of its shortest valid ending, stop token included

    Stop tokens count as one event. exp(log_weight) is an importance weight. What was completed is no draw: its log_prob
    and log_q are NaN.
    """

    token_ids: tuple[int, ...]
    stop_id: int | None
    data: bytes
    finish_reason: FinishReason
    log_prob: float
    log_q: float
    completed_at: tuple[str, ...] = ()
    needed: int | None = None

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
    """One step of the batch: the token each running row took (stop tokens too) and the rows that ended with it.

    A row that is completed takes no token in its last step: `finished` holds its whole text, which may have lost
    tokens of the steps before.
    """

    index: int
    tokens: dict[int, int]
    finished: dict[int, Output] = field(default_factory=dict)


def decode(
    model: BatchModel, requests: Sequence[Request], options: SamplingOptions, *, weigh: bool = True
) -> list[Output]:
    """All outputs, in the order of the requests."""
    outputs: dict[int, Output] = {}
    for step in decode_steps(model, requests, options, weigh=weigh):
        outputs |= step.finished
    return [outputs[index] for index in range(len(requests))]


def decode_steps(
    model: BatchModel, requests: Sequence[Request], options: SamplingOptions, *, weigh: bool = True
) -> Iterator[Step]:
    """Run the batch, one `Step` per token and row. Bad requests raise before the model is called.

    Without `weigh` no probabilities are counted (log_prob and log_q are NaN), which saves the law of all tokens where
    few are allowed; what is drawn is the same.
    """
    distances: dict[int, dict[int, int]] = {id(request.constraint): {} for request in requests}
    rows = [
        open_row(request, model.vocabulary, options, index, distances[id(request.constraint)])
        for index, request in enumerate(requests)
    ]
    return _run(model, rows, weigh)


def open_row(
    request: Request,
    vocabulary: Vocabulary,
    options: SamplingOptions,
    index: int = 0,
    distances: dict[int, int] | None = None,
) -> Row:
    """A row before its first token, once its request is known to fit the model's vocabulary and its own budget.

    `options` and `index` count where the request names no options and no stream; `distances` may be shared by the rows
    of one constraint. Raises OptionError, VocabularyError or BudgetTooSmall.
    """
    options = request.options or options
    stream = index if request.stream is None else request.stream
    matcher = _open_matcher(request, vocabulary)
    own = vocabulary if matcher is None else matcher.constraint.vocabulary
    generator = row_generator(options.seed, stream)
    known, state = known_ids(vocabulary), None if request.rule is None else request.rule.start()
    return Row(request, options, generator, own, known, matcher, {} if distances is None else distances, state=state)


def _run(model: BatchModel, rows: list[Row], weigh: bool) -> Iterator[Step]:
    if not rows:
        return
    logits, context = model.prefill([row.request.prompt for row in rows], max(row.request.max_tokens for row in rows))
    running, index = list(range(len(rows))), 0
    while True:
        check_logits(logits, len(rows), model.vocabulary.size)
        now = logits if len(running) == len(rows) else logits[running]
        asked = getattr(model, "proposals", None)
        given = () if asked is None else asked()
        taken = take_tokens(
            [rows[i] for i in running], now, weigh=weigh, proposals=[given[i] for i in running] if given else ()
        )
        finished = {i: output for i in running if (output := rows[i].output()) is not None}
        written = {i: token for i, token in zip(running, taken, strict=True) if rows[i].completion is None}
        yield Step(index, written, finished)
        running, index = [i for i in running if i not in finished], index + 1
        if not running:
            return
        logits = model.extend([row.last_token for row in rows], context)


def take_tokens(
    rows: Sequence[Row],
    logits: torch.Tensor,
    *,
    weigh: bool = True,
    proposals: Sequence[Proposal | None] = (),
    failed: dict[int, StructgenError] | None = None,
) -> list[int]:
    """Draw a token for every row from its (rows, V) logits, and let the row take it. `weigh`: see `decode_steps`;
    `proposals`: tokens that were drawn beforehand, by row (sampling.Proposal). `failed`: where errors of single rows
    go, by place, while the others go on; None: they are raised."""
    groups: dict[tuple[SamplingOptions, tuple[int, ...], int], list[int]] = {}
    for place, row in enumerate(rows):
        if failed is not None and not _succeeds(row.mask, place, failed):
            continue
        key = dataclasses.replace(row.options, seed=0), tuple(map(id, row.request.processors)), id(row.request.rule)
        groups.setdefault(key, []).append(place)
    taken = [0] * len(rows)
    for (options, _, _), places in groups.items():
        some = logits if len(places) == len(rows) else logits[places]
        given = [proposals[at] for at in places] if proposals else ()
        drawn = _draw_alike([rows[at] for at in places], some, options, weigh, given)
        for place, token, log_prob, log_q in zip(places, *drawn, strict=True):
            row = rows[place]
            if failed is None:
                row.take(token)
            elif not _succeeds(partial(row.take, token), place, failed):
                continue
            row.log_probs.append(log_prob)
            row.log_q += log_q
            taken[place] = token
    return taken


def _succeeds(attempt: Callable[[], object], place: int, failed: dict[int, StructgenError]) -> bool:
    """Do something for one row; an error is its own."""
    try:
        attempt()
    except StructgenError as error:
        failed[place] = error
    return place not in failed


def _draw_alike(
    rows: list[Row],
    logits: torch.Tensor,
    options: SamplingOptions,
    weigh: bool,
    proposals: Sequence[Proposal | None],
) -> tuple[list[int], list[float], list[float]]:
    """A token for each of rows of equal options, and its log-probabilities under the law without and with the mask."""
    processors = rows[0].request.processors
    if options.repetition_penalty != 1 or processors:
        texts = [[*row.request.prompt, *row.tokens] for row in rows]
        logits = shape_logits(logits.double(), texts, options.repetition_penalty, processors)
    if rows[0].request.rule is not None:
        return _weighed(rows, logits.double(), options, (), rows[0].request.rule)
    if weigh:
        return _weighed(rows, logits.double(), options, proposals)
    unknown = [math.nan] * len(rows)
    return _unweighed(rows, logits, options, proposals), unknown, unknown


def _weighed(
    rows: list[Row],
    logits: torch.Tensor,
    options: SamplingOptions,
    proposals: Sequence[Proposal | None],
    rule: PathRule | None = None,
) -> tuple[list[int], list[float], list[float]]:
    """A token for each row, and its log-probabilities under the law without and with the mask, and the rule."""
    free, masked = law(logits, options), apply_masks(logits, [row.mask() for row in rows])
    if rule is not None:
        texts = [[*row.request.prompt, *row.tokens] for row in rows]
        masked = rule.shape(masked, texts, [row.state for row in rows], options.temperature)
    sampled = law(masked, options)
    drawn = draw(sampled, [row.generator for row in rows], options, proposals)
    if rule is not None:
        for row, token in zip(rows, drawn, strict=True):
            rule.took(row.state, token)
    complete = [row.matcher is None or row.matcher.is_accepting() for row in rows]
    undrawn = rule is not None and not options.temperature  # by scores that are no law
    log_q = [math.nan] * len(rows) if undrawn else _event(sampled, drawn, rows, complete)
    return drawn, _event(free, drawn, rows, complete), log_q


def _unweighed(
    rows: list[Row], logits: torch.Tensor, options: SamplingOptions, proposals: Sequence[Proposal | None]
) -> list[int]:
    """The same tokens, of the allowed ones alone where these are few in every row."""
    if any(row.asks for row in rows) and not options.cuts:
        return _asked(rows, logits, options)
    few = [None if row.matcher is None else allowed_ids(row.matcher.constraint, row.matcher.state) for row in rows]
    generators = [row.generator for row in rows]
    some = [ids for ids in few if ids is not None and len(ids)]
    if len(some) == len(rows) and (options.top_k is None or options.top_k < logits.shape[1]):
        width = max(map(len, some))
        ids = torch.stack([torch.nn.functional.pad(each, (0, width - len(each)), value=-1) for each in some])
        ids = ids.to(logits.device)
        scores = logits.gather(1, ids.clamp(min=0)).masked_fill_(ids < 0, -torch.inf)
        return draw_alone(scores, generators, options, ids, proposals)
    return draw_alone(apply_masks(logits, [row.mask() for row in rows]), generators, options, None, proposals)


def _asked(rows: list[Row], logits: torch.Tensor, options: SamplingOptions) -> list[int]:
    """The same where masks may be loose: a drawn token that may not come after all is drawn again, without all that
    fall with it. That is to draw without replacement from what is refused, so the law is that of exact masks."""
    masks, drawn, pending = [row.loose_mask() for row in rows], [0] * len(rows), list(range(len(rows)))
    while pending:
        scores = apply_masks(logits[pending], [masks[at] for at in pending])
        for at, token in zip(pending, draw_alone(scores, [rows[at].generator for at in pending], options), strict=True):
            drawn[at], masks[at] = token, rows[at].tightened(masks[at], token)
        pending = [at for at in pending if not has_bit(masks[at], drawn[at])]
    return drawn


def _event(source: DrawLaw, taken: list[int], rows: list[Row], complete: list[bool]) -> list[float]:
    """Log-probability of what each row did; to stop behind a complete text is one event, whichever of the stop tokens
    said it. One that the grammar asks for by name is a token like others."""
    device = source.scores.device
    out: list[float] = source.log_probs(torch.tensor(taken, device=device).unsqueeze(1)).squeeze(1).tolist()
    for index, (row, token) in enumerate(zip(rows, taken, strict=True)):
        if len(row.stops) > 1 and token in row.stops and complete[index]:
            stops = torch.tensor(row.stops, device=device).expand(len(rows), -1)
            out[index] = float(source.log_probs(stops)[index].logsumexp(0))
    return out


@dataclass(slots=True)
class Row:
    """A running row.

    field       meaning
    options     how its tokens are drawn
    distances   shared by the rows of one constraint (steering.leaves_room)
    tokens      taken so far, the stop token included
    completion  how the row was ended without the model
    log_probs   of each token (to stop behind a complete text is one event) under the model's law, unmasked
    log_q       of all of them under the law that was sampled
    seen        bytes of the text that somebody has read already: a completion leaves them as they are
    state       of the request's rule
    """

    request: Request
    options: SamplingOptions
    generator: torch.Generator
    vocabulary: Vocabulary
    known: MaskRow
    matcher: Matcher | None
    distances: dict[int, int]
    tokens: list[int] = field(default_factory=list)
    completion: Completion | None = None
    log_probs: list[float] = field(default_factory=list)
    log_q: float = 0.0
    seen: int = 0
    state: Any = None

    @property
    def log_prob(self) -> float:
        """Of all tokens so far under the model's law."""
        total = 0.0
        for each in self.log_probs:
            total += each
        return total

    @property
    def last_token(self) -> int:
        """What the model is fed next."""
        return self.tokens[-1]

    @property
    def stops(self) -> tuple[int, ...]:
        """The tokens that may end it."""
        return self.vocabulary.stop_ids

    @property
    def asks(self) -> bool:
        """Whether its masks may have to be asked for."""
        return self.matcher is not None and self.matcher.constraint.asks

    def mask(self) -> MaskRow:
        """What may come. Raises VocabularyError where no token can write it."""
        return self.known if self.matcher is None else self._written(self.matcher.mask())

    def loose_mask(self) -> MaskRow:
        """As `mask`, but it may have tokens too many until one of them is drawn: then `tightened` says so."""
        if self.matcher is None:
            return self.known
        return self._written(self.matcher.constraint.loose_row(self.matcher.state))

    def tightened(self, mask: MaskRow, token: int) -> MaskRow:
        """A loose mask, now exact for a token of it."""
        if self.matcher is None:
            return mask
        return self._written(self.matcher.constraint.tightened(self.matcher.state, mask, token))

    def _written(self, mask: MaskRow) -> MaskRow:
        if not mask.any():
            expected = () if self.matcher is None else self.matcher.expected()
            raise VocabularyError(f"no token can write what must come next: {', '.join(expected)}")
        return mask

    def take(self, token: int) -> None:
        """Take the drawn token; where it leaves no room for an end, write the end instead."""
        self.tokens.append(token)
        matcher, request = self.matcher, self.request
        if matcher is None:
            return
        if not matcher.accept(token):
            raise InvariantError("a token the mask allows is accepted", f"token {token} in state {matcher.state}")
        left = request.max_tokens - len(self.tokens)
        if request.steer and not matcher.is_finished() and not leaves_room(matcher, left, self.distances):
            self.end_now()

    def end_now(self) -> None:
        """End the output without the model, as if the budget ran short here: for deadlines, and loops that close.

        Of a row without a constraint, or one that has ended, nothing changes: there is nothing to complete.
        """
        if self.matcher is not None and self.tokens and not self.matcher.is_finished():
            budget, is_json = self.request.max_tokens, self.request.is_json
            self.completion = complete(self.matcher, self.tokens, budget, is_json=is_json, seen=self.seen)

    def output(self) -> Output | None:
        """The row's output once it has ended."""
        if self.completion is not None:
            return self._completed(self.completion)
        ended = self.last_token in self.stops if self.matcher is None else self.matcher.is_finished()
        stopped = ended or self._holds_stop()
        if not stopped and len(self.tokens) < self.request.max_tokens:
            return None
        text_ids = self.tokens[:-1] if ended else self.tokens
        return Output(
            token_ids=tuple(text_ids),
            stop_id=self.last_token if ended else None,
            data=self.vocabulary.decode(text_ids),
            finish_reason="stop" if stopped else "length",
            log_prob=self.log_prob,
            log_q=self.log_q,
            needed=None if stopped or self.matcher is None else tokens_to_end(self.matcher),
        )

    def _holds_stop(self) -> bool:
        """Whether the last token finished a stop string and the text is complete."""
        if not self.request.stops or (self.matcher is not None and not self.matcher.is_accepting()):
            return False
        longest = max(len(stop) for stop in self.request.stops)
        last = len(self.vocabulary.token_bytes(self.last_token))
        tail = self.vocabulary.decode(self.tokens[-longest - 1 :], begins=False)  # a token is a byte at least
        return any(tail.find(stop, max(len(tail) - last - len(stop) + 1, 0)) >= 0 for stop in self.request.stops)

    def _completed(self, completion: Completion) -> Output:
        tokens, stop = list(completion.tokens), self.stops[0]
        if tokens and tokens[-1] in self.stops:  # an end that the grammar asks for by name
            stop = tokens.pop()
        return Output(
            token_ids=tuple(tokens),
            stop_id=stop,
            data=self.vocabulary.decode(tokens),
            finish_reason="completed",
            log_prob=math.nan,
            log_q=math.nan,
            completed_at=completion.completed_at,
        )


def _open_matcher(request: Request, vocabulary: Vocabulary) -> Matcher | None:
    """The request's matcher, once the request is known to fit the model and its own budget."""
    if request.max_tokens < 1:
        raise OptionError(f"max_tokens must be at least 1, not {request.max_tokens}", option="max_tokens")
    if request.constraint is None:
        return None
    check_same_tokens(request.constraint.vocabulary, vocabulary)
    matcher = request.constraint.matcher(ahead=AHEAD if request.ahead else None)
    if request.steer:
        check_budget(matcher, request.max_tokens)
    return matcher


@lru_cache(maxsize=4)
def known_ids(vocabulary: Vocabulary) -> MaskRow:
    """What a row without a constraint may write: every text and special token, no padding or unused id."""
    known = np.diff(vocabulary.offsets) > 0
    known[list(vocabulary.special_ids)] = True
    return row_of(known, vocabulary.size)
