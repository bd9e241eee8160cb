"""Arguments under a monitor: is any call of working code refused, and which wrong calls does a model still write?

`working`: files of this library, top-level block by block, are read as if a model wrote them, with the rest of the file
in place; `refused` are blocks that the monitor did not let pass. `written`: SmolLM2 fills the call of the member that
is due at every Python site, with members watched, and with arguments besides, greedy and at 0.8; another checker
(basedpyright) says which calls have wrong arguments; calls of what is not callable are left out.
"""

from __future__ import annotations

import itertools
import json
import random
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import structgen as sg
from benchmarks.monitors.projects import WORK, sites_of, sources
from benchmarks.monitors.sites import opened
from structgen.api.models import engine_of
from structgen.engines.decode import Request, decode
from structgen.kernels.layout import DEAD, START
from structgen.monitors import Arguments, Members, server
from structgen.options import SamplingOptions

ROOT = Path(__file__).parents[2]
SECONDS = 60  # of reading
MOST_TOKENS = 20
BYTES = sg.Vocabulary.from_bytes([b"", *(bytes([byte]) for byte in range(256))], eos=[0])


def blocks(text: str) -> Iterator[tuple[str, str, str]]:
    """The top-level blocks of a file, each with what stands before and behind it."""
    lines, start = text.splitlines(keepends=True), 0
    for end in range(1, len(lines) + 1):
        if end == len(lines) or (lines[end].strip() and lines[end][0] not in " \t)]}#"):
            yield "".join(lines[:start]), "".join(lines[start:end]), "\n" + "".join(lines[end:])
            start = end


def working(name: str) -> dict[str, Any]:
    """Calls of working code, and blocks of it that are refused."""
    base, found, started = sg.compile(regex=r"(?s).*", vocabulary=BYTES), Counter[str](), time.monotonic()
    files = sorted(Path(ROOT, "structgen").rglob("*.py"))
    random.Random(1).shuffle(files)
    with server(name, ROOT, deadline=5) as analysis:
        for file in files:
            for before, block, after in blocks(file.read_text()):
                if time.monotonic() - started > SECONDS:
                    break
                monitor = Arguments(analysis, str(file.relative_to(ROOT)), before=before, after=after)
                constraint = base & monitor
                if constraint.read(START, block.encode()) == DEAD:
                    found["refused"] += 1
                    print(f"refused: {file.name} {before.count(chr(10)) + 1}")
                found["calls"] += constraint.report.sites
                found["active"] += constraint.report.active
                found["blocks"] += 1
        version = analysis.version
    counts = {key: found[key] for key in ("blocks", "calls", "active", "refused")}
    return {"server": name, "version": version, **counts}


def written(name: str, model: str) -> list[dict[str, Any]]:
    """Calls with wrong arguments, without and with the monitor."""
    engine = engine_of(model, None)
    base, rows = sg.compile(regex=r"[^\n]*\n?", vocabulary=engine.vocabulary), list[dict[str, Any]]()
    with opened(name) as analysis:
        for watched in (False, True):
            texts = []
            for site, temperature in itertools.product(sites_of("python"), (0.0, 0.8)):
                before = site.head + site.begins + site.name + "("
                after = "\n" + site.ends.partition("\n")[2] + "\n"
                constraint = base & Members(analysis, WORK["python"], before=before, after=after)
                if watched:
                    constraint &= Arguments(analysis, WORK["python"], before=before, after=after)
                request = Request(engine.encode(before), constraint, max_tokens=MOST_TOKENS, steer=False)
                options = SamplingOptions(temperature=temperature, seed=site.number)
                text = decode(engine, [request], options, weigh=False)[0].text.partition("\n")[0]
                texts.append((before, text, after))
            rows.append(
                {"server": name, "model": model, "arguments watched": watched, "calls": len(texts), **said(texts)}
            )
    return rows


def said(texts: list[tuple[str, str, str]]) -> Counter[str]:
    """What another checker says of the calls in these lines, each with what stands before and behind it."""
    found, kinds = Counter[str](), {"No parameter": "no keyword", "Expected": "too many", "Argument missing": "too few"}
    with tempfile.TemporaryDirectory() as folder:
        for path in sources("python"):
            shutil.copy(path, folder)
        for number, (before, text, after) in enumerate(texts):
            Path(folder, f"line_{number}.py").write_text(before + text + after)
        command = ["basedpyright", "--outputjson", folder]
        all_of = json.loads(subprocess.run(command, capture_output=True, text=True).stdout)
        for each in all_of["generalDiagnostics"]:
            number = Path(each["file"]).stem.removeprefix("line_")
            is_ours = number.isdigit() and each["range"]["start"]["line"] == texts[int(number)][0].count("\n")
            if is_ours and each.get("rule") == "reportCallIssue":
                found.update(kind for begins, kind in kinds.items() if each["message"].startswith(begins))
    return found
