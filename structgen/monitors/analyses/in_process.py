"""Jedi as an analysis: Python members without a server, found in this process.

Its first answers take seconds, so each is found in a thread, which nobody waits for longer than the deadline: until
then the analysis is silent, and an answer that comes later is remembered. Cost: 0.1 s a question, once warm.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from pathlib import Path
from typing import Any

from structgen.errors import ServerError
from structgen.memory import Bounded
from structgen.monitors.analyses.catalogue import PYTHON
from structgen.monitors.analyses.document import answer_of, fingerprint_of, text_of
from structgen.monitors.analyses.positions import end_of
from structgen.monitors.question import Answer, Question, Silent

__all__ = ["Jedi"]

MOST_ANSWERS = 20_000


class Jedi:
    """Jedi on the files of a project (monitors.Analysis). `deadline`: seconds that anybody waits for an answer.

    Raises ServerError where jedi is not installed.
    """

    def __init__(self, root: str | os.PathLike[str] = ".", *, deadline: float = 2.0) -> None:
        try:
            import jedi  # type: ignore[import-not-found]
        except ImportError as error:
            raise ServerError("is not installed: pip install jedi", command=["jedi"]) from error
        self.root, self.deadline, self.version = Path(root).resolve(), deadline, str(jedi.__version__)
        self._jedi, self._project = jedi, jedi.Project(self.root)
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="jedi")
        self._lock = threading.Lock()
        self._answers: Bounded[Question, Future[Answer]] = Bounded(MOST_ANSWERS)

    def __enter__(self) -> Jedi:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Jedi({self.version})"

    def close(self) -> None:
        """Answer no more; what is being found is waited for by nobody."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    @property
    def fingerprint(self) -> str:
        """Of Jedi's version, and the files of the project as they are."""
        return fingerprint_of(f"jedi {self.version}", self.root, "*.py")

    def begin(self, question: Question) -> None:
        """Find what will be wanted soon."""
        self._found(question)

    def members(self, question: Question) -> Answer:
        """The members at the place of a question; Silent where they are not found in time."""
        try:
            return self._found(question).result(self.deadline)
        except Late:
            return Silent("the server was late")

    def _found(self, question: Question) -> Future[Answer]:
        with self._lock:
            known = self._answers.get(question)
            if known is None:
                known = self._answers.remember(question, self._worker.submit(self._find, question))
            return known

    def _find(self, question: Question) -> Answer:
        before, text = text_of(question)
        where = end_of(before, "utf-32")
        script = self._jedi.Script(code=text, path=self.root / question.path, project=self._project)
        try:
            found: list[Any] = script.complete(where["line"] + 1, where["character"])
        except Exception:  # noqa: BLE001 - Jedi raises anything on texts that are no programs
            return Silent("the server answered with an error")
        return answer_of({each.name.encode() for each in found if each.type != "keyword"}, PYTHON)
