"""The command line: `structgen generate | check | explain | compile | warmup | demo`.

Exit codes: 0 success, 1 a run that failed (or a text or schema that does not qualify), 2 a mistake in what was asked.
Errors are one line on stderr, and the place with a caret where there is one; `--debug` shows the traceback.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    from structgen.cli.parser import build_parser
    from structgen.errors import GrammarError, OptionError, RegexError, SourceError, Unsatisfiable, UnsupportedSchema

    arguments = build_parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads any more: no second complaint
        return 1
    except Exception as error:
        if arguments.debug:
            raise
        print(f"structgen: {one_line(error)}", file=sys.stderr)
        if isinstance(error, (GrammarError, RegexError)):
            print("\n".join(str(error).split("\n")[1:]), file=sys.stderr)  # the place, with a caret
        return 2 if isinstance(error, (SourceError, UnsupportedSchema, Unsatisfiable, OptionError)) else 1


def one_line(error: BaseException) -> str:
    """What went wrong, in one line; an error this library did not expect says its type."""
    from structgen.errors import InvariantError, RegexError, StructgenError

    text = str(error).splitlines()[0].strip() if str(error) else type(error).__name__
    if isinstance(error, OSError) and error.filename is not None:
        return f"error: {error.filename}: {error.strerror}"
    if isinstance(error, RegexError):
        return f"error: the regex, at position {error.position}: {text}"
    if isinstance(error, InvariantError) or not isinstance(error, (StructgenError, OSError)):
        return f"internal error: {type(error).__name__}: {text} (--debug shows where)"
    return f"error: {text}"
