"""The exit codes of the command line, and which error ends with which.

0    SUCCESS          what was asked for is on stdout
1    FAILED           the run failed, or a text or schema that was judged does not qualify
2    MISTAKE          what was asked cannot be: an option, a schema, a pattern, a grammar
3    ENDED_BY_BUDGET  the budget, not the model, ended an output: with --on-truncate raise nothing is printed, else
                      what is printed is partly not the model's own, or unfinished, and stderr says so
4    SOME_FAILED      a batch is finished, and some of its answers are errors
130  INTERRUPTED      Ctrl-C
"""

from __future__ import annotations

from structgen.errors import OptionError, SourceError, Truncated, Unsatisfiable, UnsupportedSchema

__all__ = ["ENDED_BY_BUDGET", "FAILED", "INTERRUPTED", "MISTAKE", "SOME_FAILED", "SUCCESS", "code_of"]

SUCCESS, FAILED, MISTAKE, ENDED_BY_BUDGET, SOME_FAILED, INTERRUPTED = 0, 1, 2, 3, 4, 130
_CODES: tuple[tuple[tuple[type[BaseException], ...], int], ...] = (
    ((SourceError, UnsupportedSchema, Unsatisfiable, OptionError), MISTAKE),
    ((Truncated,), ENDED_BY_BUDGET),
    ((KeyboardInterrupt,), INTERRUPTED),
)


def code_of(error: BaseException) -> int:
    """The exit code an error ends the program with."""
    return next((code for kinds, code in _CODES if isinstance(error, kinds)), FAILED)
