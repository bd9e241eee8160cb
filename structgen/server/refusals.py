"""Every error -> the status and the body that OpenAI's clients read.

    {"error": {"message": ..., "type": ..., "param": the field, "code": ..., "pointer": a place in a schema}}

400 for what the client got wrong (the code is the name of our error), 401, 404, 413, 429 when the queue is full, 503
while the server loads or ends, 504 when a request ran out of time, 500 for what is wrong here.
"""

from __future__ import annotations

from typing import Any

from structgen.errors import (
    BudgetTooSmall,
    GrammarError,
    InvariantError,
    LimitExceeded,
    OptionError,
    PredicateError,
    RegexError,
    SamplingIncomplete,
    SourceError,
    StructgenError,
    Unsatisfiable,
    UnsupportedCombination,
    UnsupportedSchema,
    VocabularyError,
)

__all__ = ["Refusal", "ending", "gone", "late", "refusal_of"]

_CLIENT = (
    SourceError,
    UnsupportedSchema,
    UnsupportedCombination,
    Unsatisfiable,
    LimitExceeded,
    VocabularyError,
    BudgetTooSmall,
    PredicateError,
    OptionError,
)
_TYPES = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}
_PLACES = ("pointer", "keyword", "line", "column", "position", "limit", "needed", "budget")


class Refusal(Exception):
    """A request that gets an error: `status`, `message`, `code`, `param`, and `places` (where in a schema or grammar).

    `retry_after`: seconds after which it may be asked again.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str,
        param: str | None = None,
        places: dict[str, Any] | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message, code, param
        self.places, self.retry_after = places or {}, retry_after

    @property
    def body(self) -> dict[str, Any]:
        """The error as OpenAI has it."""
        kind = _TYPES.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code, **self.places}}

    @property
    def headers(self) -> dict[str, str]:
        """HTTP headers that belong to it."""
        found = {} if self.retry_after is None else {"retry-after": str(self.retry_after)}
        return found | ({"www-authenticate": "Bearer"} if self.status == 401 else {})


def ending() -> Refusal:
    """The server is being ended."""
    return Refusal(503, "the server is ending", code="server_ending", retry_after=5)


def late() -> Refusal:
    """A request ran out of time."""
    return Refusal(504, "the request ran out of time", code="deadline_exceeded")


def gone() -> Refusal:
    """Nobody will read this: the status is for counts alone."""
    return Refusal(499, "the client has gone away", code="client_gone")


def refusal_of(error: Exception, param: str | None = None) -> Refusal:
    """The refusal for any error; `param` names the field of the request where the error does not."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, SamplingIncomplete):
        status = 504 if error.status == "budget" else 400
        return Refusal(status, str(error), code="SamplingIncomplete", param="method")
    if not isinstance(error, StructgenError) or isinstance(error, InvariantError) or not isinstance(error, _CLIENT):
        return Refusal(500, f"{type(error).__name__}: {error}", code="internal_error")
    places = {name: getattr(error, name) for name in _PLACES if getattr(error, name, None) is not None}
    message = str(error)
    if isinstance(error, OptionError):
        param = error.option or param
    elif isinstance(error, BudgetTooSmall):
        param = "max_tokens"
    elif isinstance(error, (GrammarError, RegexError)):
        message = message.rstrip()  # with the place and a caret
    return Refusal(400, message, code=type(error).__name__, param=param, places=places)
