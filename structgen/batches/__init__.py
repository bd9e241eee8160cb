"""Many questions in a file: lines in, lines out, and the same answers however they are divided (docs/batch.md).

questions   a line -> a question, or why it is none; `openai` reads OpenAI's form of a line
answering   questions -> answers, by static batches of the decode loop
journal     the file of answers: what is in it already, and one more line
run         a file of questions -> a file of answers
"""

from __future__ import annotations

from structgen.batches.answering import Answerer
from structgen.batches.questions import Question, read_question

__all__ = ["Answerer", "Question", "read_question"]
