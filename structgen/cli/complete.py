"""`structgen complete` and `structgen servers`: code at a place of a file, and who can say which names exist."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from structgen.cli.codes import FAILED, SUCCESS
from structgen.errors import OptionError, ServerError

if TYPE_CHECKING:
    from structgen.monitors.monitor import Report

__all__ = ["run", "servers"]


def run(arguments: argparse.Namespace) -> int:
    """Print what goes in at the cursor, or the line with it; what the monitors did on stderr with --stats."""
    from structgen.api.complete import completed

    monitors = {"auto": "auto", "none": None}.get(arguments.monitor, arguments.monitor)
    found = completed(
        arguments.model,
        arguments.file,
        at=_place(arguments.at),
        root=arguments.root,
        monitors=monitors,
        lines=arguments.lines,
        max_tokens=arguments.max_tokens,
        temperature=arguments.temperature,
        seed=arguments.seed,
    )
    print(found.text, end="" if found.text.endswith("\n") else "\n")
    if arguments.stats:
        for name, report in found.reports.items():
            print(f"structgen: {name}: {_said(report)}", file=sys.stderr)
    return SUCCESS


def _said(report: Report) -> str:
    silent = ", ".join(f"{count} silent: {reason}" for reason, count in report.silent.most_common())
    asked = f"{report.questions} questions in {1e3 * report.seconds:.0f} ms"
    return "; ".join(filter(None, [f"{report.active} of {report.sites} places narrowed", silent, asked]))


def _place(text: str) -> tuple[int, int]:
    line, _, column = text.partition(":")
    if not (line.isdigit() and column.isdigit()):
        raise OptionError(f"--at is LINE:COLUMN, both from 1, not {text!r}", option="at")
    return int(line), int(column)


def servers(arguments: argparse.Namespace) -> int:
    """Print the known servers: whether they are installed, their version, and how quickly they answer what is known."""
    from structgen.monitors.analyses.catalogue import SERVERS

    rows = [_tried(name) for name in SERVERS]
    if arguments.json:
        print(json.dumps(rows))
    else:
        for row in rows:
            if "error" in row:
                print(f"{row['name']:14} {row['language']:10} {row['error']}")
            else:
                times = f"ready in {row['ready_seconds']:.1f} s, answers in {row['answer_ms']:.1f} ms"
                print(f"{row['name']:14} {row['language']:10} {row['version']:10} {times}")
    return SUCCESS if any("error" not in row for row in rows) else FAILED


def _tried(name: str) -> Mapping[str, Any]:
    from structgen.monitors.analyses.session import server
    from structgen.monitors.question import Question

    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        try:
            session = server(name, Path(folder))
        except ServerError as error:
            return {"name": name, "language": _language(name), "error": error.reason}
        with session:
            ready = time.perf_counter() - started
            text, _ = session.server.canary
            asked = time.perf_counter()
            session.members(Question("work" + session.server.suffix, text.encode()))
            took = 1e3 * (time.perf_counter() - asked)
            known = {"version": session.version, "ready_seconds": ready, "answer_ms": took}
            return {"name": name, "language": _language(name), **known}


def _language(name: str) -> str:
    from structgen.monitors.analyses.catalogue import SERVERS

    return SERVERS[name].language
