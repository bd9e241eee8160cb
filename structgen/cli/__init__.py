"""The command line: `structgen generate | batch | serve | complete | servers | check | explain | compile | ...`.

Exit codes stand in codes.py. Errors are one line on stderr, and the place with a caret where there is one; with
`--json` they are one line of JSON. `--debug` shows the traceback.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    from structgen.cli.parser import parse

    arguments = parse(argv)
    try:
        return int(arguments.run(arguments))
    except (Exception, KeyboardInterrupt) as error:
        if arguments.debug and isinstance(error, Exception):
            raise
        return _report(error, as_json=getattr(arguments, "json", False))


def _report(error: BaseException, *, as_json: bool) -> int:
    """Say what went wrong; the exit code."""
    from structgen.cli.codes import code_of
    from structgen.errors import GrammarError, RegexError

    if isinstance(error, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads any more: no second complaint
    elif as_json and isinstance(error, Exception):
        print(json.dumps(_record(error)), file=sys.stderr)
    elif isinstance(error, Exception):
        print(f"structgen: {one_line(error)}", file=sys.stderr)
        if isinstance(error, (GrammarError, RegexError)):
            print("\n".join(str(error).split("\n")[1:]), file=sys.stderr)  # the place, with a caret
    return code_of(error)


def _record(error: BaseException) -> dict[str, Any]:
    """An error with its data, as JSON: {"error": its type, "message": ..., "exit_code": ..., its attributes}."""
    from structgen.cli.codes import code_of
    from structgen.errors import StructgenError

    data = error.to_dict() if isinstance(error, StructgenError) else {"message": str(error)}
    return {"error": type(error).__name__, "message": data.pop("message"), "exit_code": code_of(error), **data}


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
