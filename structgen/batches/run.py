"""A file of questions -> a file of answers; begun anew, or gone on with where it was cut off.

First all of the questions are read: ids that are missing or stand twice, and answers to what is now another question,
are mistakes of the whole run, said before anything is computed. Cost: some 20 us a line, and its id in memory.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from structgen.batches.answering import Answerer
from structgen.batches.journal import open_journal
from structgen.batches.questions import Question, read_question
from structgen.errors import OptionError, QuestionError

__all__ = ["Progress", "run_batch"]

_SHOWN = 5  # mistakes of a file that are named


@dataclass(slots=True)
class Progress:
    """How far a run is.

    questions  in the file
    before     of these answered by earlier runs
    answered   by this one
    errors     answers that are errors, of all runs
    completed, cut_short  answers of this run that the budget ended: made whole without the model; left unfinished
    tokens     of the answers of this run
    torn       bytes of an unfinished line that were cut off
    seconds    since the first question was asked
    """

    questions: int
    before: int
    errors: int
    torn: int = 0
    answered: int = 0
    completed: int = 0
    cut_short: int = 0
    tokens: int = 0
    seconds: float = 0.0

    @property
    def seconds_left(self) -> float | None:
        """At the rate so far."""
        left = self.questions - self.before - self.answered
        return self.seconds / self.answered * left if self.answered else None


def run_batch(
    source: Path,
    target: Path,
    answerer: Answerer,
    *,
    again: bool = False,
    show: Callable[[Progress], None] = lambda _: None,
) -> Progress:
    """Answer the questions of `source` that `target` has no answers to; with `again` also those with errors.

    `show` is called behind every answer. Raises OptionError, QuestionError and OSError; answers that were written stay.
    """
    if target.exists() and os.path.samefile(source, target):
        raise OptionError("the answers cannot go where the questions are", option="OUT")
    keys = _keys(source)
    with open_journal(target, answerer.identity, again=again) as journal:
        for custom_id, key in keys.items():
            if journal.answered.get(custom_id, key) != key:
                reason = f"{target} has an answer to {custom_id!r}, which is another question in {source} now"
                raise OptionError(f"{reason}: give it another custom_id", option="OUT")
        before = sum(custom_id in journal.answered for custom_id in keys)
        progress = Progress(len(keys), before, journal.errors, journal.cut)
        show(progress)
        started = time.perf_counter()
        questions = islice(_questions(source), len(keys))  # none that was added since
        for answer in answerer.answers(questions, lambda question: question.custom_id not in journal.answered):
            journal.write(answer)
            progress.answered += 1
            progress.errors = journal.errors
            progress.tokens += answer.get("tokens", {}).get("output", 0)
            progress.completed += answer.get("finish_reason") == "completed"
            progress.cut_short += answer.get("finish_reason") == "length"
            progress.seconds = time.perf_counter() - started
            show(progress)
        return progress


def _questions(source: Path) -> Iterator[Question]:
    """The questions of a file; blank lines are none."""
    with open(source, "rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield read_question(line, number)


def _keys(source: Path) -> dict[str, str]:
    """id -> key of every question. Raises QuestionError with the first lines that are wrong."""
    keys, lines, wrong = dict[str, str](), dict[str, int](), list[str]()
    with open(source, "rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                question = read_question(line, number)
                if question.custom_id in keys:
                    first = lines[question.custom_id]
                    raise QuestionError(f"{question.custom_id!r} is the custom_id of line {first} too", line=number)
            except QuestionError as error:
                wrong.append(str(error))
                if len(wrong) == _SHOWN:
                    break
                continue
            keys[question.custom_id], lines[question.custom_id] = question.key, number
    if wrong:
        raise QuestionError(f"{source}: {'; '.join(wrong)}")
    return keys
