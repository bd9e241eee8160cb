"""SmolLM2 writes the line of every Python site, with and without a monitor, and another checker judges its accesses.

The model reads the file up to the line in which a member is due and writes that line; `rejected`: accesses in the lines
written of which basedpyright says that there is no such member. `seconds`: of decoding; `waited`: of it for the server;
pairs of lines are written one after the other, with and without, in turn.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.monitors.projects import WORK, Site, sites_of, sources
from benchmarks.monitors.sites import opened
from structgen.api.complete import completed
from structgen.api.models import engine_of
from structgen.monitors.members import lexer_of

MOST_TOKENS = 32
RULES = ("reportAttributeAccessIssue", "reportFunctionMemberAccess")


def accesses(before: str, line: str) -> int:
    """Accesses in a line behind a text."""
    lexer, found = lexer_of("python"), 0
    state = lexer.start()
    for byte in before.encode():
        state = lexer.after(state, byte)
    for byte in line.encode():
        found += lexer.is_access(state, byte)
        state = lexer.after(state, byte)
    return found


def written(engine: Any, site: Site, analysis: Any, folder: Path, temperature: float) -> tuple[str, str, Any, float]:
    """The file before the line, the line that the model writes, the monitor's report, seconds."""
    begins, _, indented = site.begins.rpartition("\n")
    before = site.head + begins + "\n" + indented[: len(indented) - len(indented.lstrip())]
    file = folder / WORK["python"]
    file.write_text(before + "\n" + site.ends.partition("\n")[2] + "\n")
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    started = time.perf_counter()
    found = completed(
        engine, file, at=(line, column), root=folder, monitors=analysis, max_tokens=MOST_TOKENS,
        temperature=temperature, seed=site.number,
    )  # fmt: skip
    seconds = time.perf_counter() - started
    return before, found.text.rstrip("\n"), found.reports.get("members"), seconds


def rejected(before: str, line: str, site: Site, folder: Path) -> int:
    """How many members of the line the checker does not know."""
    file = folder / WORK["python"]
    file.write_text(before + line + "\n" + site.ends.partition("\n")[2] + "\n")
    command = ["basedpyright", "--outputjson", file.name]
    said = json.loads(subprocess.run(command, cwd=folder, capture_output=True, text=True).stdout)
    at = before.count("\n")
    found = [d for d in said["generalDiagnostics"] if d["range"]["start"]["line"] == at and d.get("rule") in RULES]
    return len(found)


def measure(name: str, model: str, temperature: float) -> list[dict[str, Any]]:
    """Accesses and rejections, without a monitor and with one."""
    engine = engine_of(model, None)
    rows = [
        {"monitor": watched, "model": model, "temperature": temperature, "server": name}
        | dict.fromkeys(("lines", "accesses", "rejected", "seconds", "waited", "active", "narrowed_sites"), 0)
        for watched in (False, True)
    ]
    with opened(name) as analysis, tempfile.TemporaryDirectory() as empty:
        folder = Path(empty)
        for path in sources("python"):
            shutil.copy(path, folder)
        for site in sites_of("python"):
            for row in rows[:: 1 if site.number % 2 else -1]:
                given = analysis if row["monitor"] else None
                before, line, report, seconds = written(engine, site, given, folder, temperature)
                row["lines"] += 1
                row["accesses"] += accesses(before, line)
                row["rejected"] += rejected(before, line, site, folder)
                row["seconds"] += seconds
                if report is not None:
                    row["waited"] += report.seconds
                    row["active"] += report.active
                    row["narrowed_sites"] += report.sites
    return rows
