"""What a row writes -> text, thinking and calls, piece by piece, and in the end the whole choice.

With tools the tokens are read by the layout (structgen/tools/reading.py); without, bytes are text, and characters that
are not complete are held back. Pieces put together are the choice. Cost: linear in the output.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import dataclass

from structgen.engines.decode import Output
from structgen.server.jobs import End, Piece, TokenReport
from structgen.server.plan import Plan
from structgen.tools.reading import Delta, ReplyReader
from structgen.tools.reply import ToolCall
from structgen.vocabulary import Vocabulary

__all__ = ["Choice", "ChoiceReader"]


@dataclass(frozen=True, slots=True)
class Choice:
    """One output.

    field         meaning
    text          what was said
    thinking      what was thought first, None if nothing was
    calls         of tools
    finish        "stop", "length" or "tool_calls", as OpenAI has it
    why           what ended a constrained output that the model did not end: "budget", "shutdown"
    completed_at  the places in it that the model did not choose (JSON pointers)
    tokens        how many, stop token included
    reports       of each token that the model chose, where they were asked for
    log_weight    of an output that a sampler drew with a weight, else None
    """

    text: str
    thinking: str | None
    calls: tuple[ToolCall, ...]
    finish: str
    why: str | None
    completed_at: tuple[str, ...]
    tokens: int
    reports: tuple[TokenReport, ...]
    log_weight: float | None = None


class ChoiceReader:
    """Reads one output of a plan. Ids of calls are made of `salt`."""

    def __init__(self, plan: Plan, vocabulary: Vocabulary, salt: str) -> None:
        self._plan = plan
        self._reader = None if plan.layout is None else ReplyReader(plan.layout, vocabulary, salt=salt)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._text: list[str] = []
        self._fed = self._shown = 0  # tokens, bytes
        self._reports: list[TokenReport] = []

    def feed(self, piece: Piece) -> list[Delta]:
        """What is new by a piece."""
        self._reports += piece.reports
        if self._reader is not None:
            self._fed += len(piece.tokens)
            return self._reader.feed(piece.tokens)
        self._shown += len(piece.data)
        return self._said(self._decoder.decode(piece.data))

    def finish(self, end: End) -> tuple[list[Delta], Choice]:
        """What is new by the end, and all of it."""
        output = end.output
        reports = tuple(self._reports[: end.chosen])
        if self._reader is None:
            data = _until_stop(output.data, self._plan.stops)
            deltas = self._said(self._decoder.decode(data[self._shown :], final=True))
            return deltas, self._choice(output, end.why, "".join(self._text), None, (), reports)
        deltas = self._reader.feed(output.token_ids[self._fed :])
        deltas += self._reader.end()
        reply = self._reader.reply
        return deltas, self._choice(output, end.why, reply.text, reply.thinking, reply.calls, reports)

    def _said(self, text: str) -> list[Delta]:
        if not text:
            return []
        self._text.append(text)
        return [Delta("text", text)]

    def _choice(
        self,
        output: Output,
        why: str | None,
        text: str,
        thinking: str | None,
        calls: tuple[ToolCall, ...],
        reports: Sequence[TokenReport],
    ) -> Choice:
        layout = self._plan.layout
        is_free = self._plan.wanted is None or (layout is not None and layout.answer is None)
        cut = output.finish_reason == "length" or (output.finish_reason == "completed" and is_free)
        finish = "tool_calls" if calls else "length" if cut else "stop"
        tokens = len(output.token_ids) + (output.stop_id is not None)
        return Choice(text, thinking, calls, finish, why, output.completed_at, tokens, tuple(reports))


def _until_stop(data: bytes, stops: Sequence[bytes]) -> bytes:
    """A free text without what begins at the first of its stop texts."""
    places = [at for stop in stops if (at := data.find(stop)) >= 0]
    return data[: min(places)] if places else data
