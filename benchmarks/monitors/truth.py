"""Which names may stand at the sites: not what a language server says, but the language, by running or compiling.

    python -m benchmarks.monitors.truth LANGUAGE

Every name that the project knows, and every name that an installed server offers at a site, is put into it. Python runs
the site: a name is none if that raises AttributeError for it. TypeScript, C++ and Java compile all of them in one file:
a name is none where the compiler says at its line that there is no such member, or that it cannot be seen from there.
In Java, where fields and methods are told apart by what follows, one is tried as either, with several arguments; what
none of them settles is left out. Written to projects/LANGUAGE/truth.json with the versions of the tools.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import io
import json
import keyword
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks.monitors.projects import PROJECTS, WORK, Site, sites_of, sources
from structgen.errors import ServerError
from structgen.monitors import Members, Report, Silent, server
from structgen.monitors.analyses.catalogue import PREFERRED, SERVERS
from structgen.monitors.members import lexer_of

Probe = tuple[Site, str]
_NAMES = re.compile(r"[A-Za-z_]\w*")
_WORDS = re.findall(  # no names
    r"\w+", "null true false boolean byte char double float int long short void this super auto bool var dynamic_cast"
)
_FORMS = (
    "",
    "()",
    "(null)",
    "(0)",
    "(null, null)",
    "(0, 0)",
    "(null, 0)",
    "(0, null)",
    ".class",
)  # of a member in Java
_UNSURE = re.compile(r"^Work\.java:(\d+): error: .*(?:cannot be applied|no suitable|incompatible types)", re.M)
_REFUSED = {
    "typescript": re.compile(r"^Work\.ts\((\d+),\d+\): error TS(?:2339|2551|2341|2445|2576|2729|18013)\b", re.M | re.I),
    "cpp": re.compile(
        r"^work\.cpp:(\d+):\d+: error: .*(?:has no member named|is not a member of|is private within|is protected "
        r"within|has not been declared|invalid use of|is inaccessible|cannot call member function|in a non-static "
        r"member)",
        re.M,
    ),
    "java": re.compile(
        r"^Work\.java:(\d+): error: (?:cannot find symbol|.* has private access|.* has protected access|non-static .* "
        r"cannot be referenced|invalid method reference|package .* does not exist|.* is not public)",
        re.M,
    ),
}
_COMPILERS = {
    "typescript": ("tsc", "--noEmit", "--pretty", "false", "--strict", "--target", "es2022", "work.ts"),
    "cpp": ("g++", "-std=c++20", "-fsyntax-only", "-fmax-errors=0", "-fno-diagnostics-show-caret", "work.cpp"),
    "java": ("javac", "-proc:none", "-Xmaxerrs", "1000000", "-d", "classes", "Work.java"),
}


def offered(language: str, sites: Sequence[Site]) -> list[set[str]]:
    """Of each site the names that installed servers offer."""
    found = [set[str]() for _ in sites]
    for name in PREFERRED[language]:
        with contextlib.suppress(ServerError), server(name, PROJECTS / language, deadline=20) as analysis:
            for site, names in zip(sites, found, strict=True):
                monitor = Members(analysis, WORK[language], before=site.before, after=site.after, language=language)
                answer = monitor.names(b"", monitor.due, Report())
                if not isinstance(answer, Silent):
                    names.update(each.decode() for each in answer - SERVERS[name].hidden)
    return found


def run_python(probes: Sequence[Probe]) -> list[bool | None]:
    """Whether each name may stand at its site, by running it."""
    sys.path.insert(0, str(PROJECTS / "python"))
    sys.dont_write_bytecode = True
    found = list[bool | None]()
    for site, name in probes:
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(site.head + site.written(name), WORK["python"], "exec"), {"__name__": "work"})
        except AttributeError as error:
            found.append(error.name != name)
        except Exception:  # noqa: BLE001  whatever a member does when it is used so, it is there
            found.append(True)
        else:
            found.append(True)
        asyncio.set_event_loop(None)
    return found


def compiled(language: str, head: str, lines: Sequence[str]) -> str:
    """What the compiler says about lines behind a head."""
    with tempfile.TemporaryDirectory() as folder:
        for path in sources(language):
            shutil.copy(path, folder)
        Path(folder, WORK[language]).write_text(head + "\n".join(lines) + "\n")
        more = [path.name for path in sources(language)] if language == "java" else []
        done = subprocess.run([*_COMPILERS[language], *more], cwd=folder, capture_output=True, text=True)
    return done.stdout + done.stderr


def lines_of(said: str, about: re.Pattern[str], head: str) -> set[int]:
    """The lines behind the head of which the compiler says such a thing."""
    return {int(line) - 1 - head.count("\n") for line in about.findall(said)}


def compile_once(language: str, probes: Sequence[Probe]) -> list[bool | None]:
    """Whether each name may stand at its site."""
    head = probes[0][0].head
    said = compiled(language, head, [site.written(name, number) for number, (site, name) in enumerate(probes)])
    refused = lines_of(said, _REFUSED[language], head)
    if not refused:
        raise RuntimeError(f"nothing was refused: {said[:1000]}")
    return [number not in refused for number in range(len(probes))]


def compile_java(probes: Sequence[Probe]) -> list[bool | None]:
    """The same, each name in every form; None where some form is refused for its arguments and none is right."""
    head, verdicts = probes[0][0].head, [set[str]() for _ in probes]
    for form in _FORMS:
        tried = [at for at, (site, _) in enumerate(probes) if _may_have(site, form)]
        lines = []
        for line, at in enumerate(tried):
            site, name = probes[at]
            lines.append(dataclasses.replace(site, ends=_without_call(site.ends)).written(name + form, line))
        said = compiled("java", head, lines)
        refused, unsure = lines_of(said, _REFUSED["java"], head), lines_of(said, _UNSURE, head)
        if not refused:
            raise RuntimeError(f"nothing was refused: {said[:1000]}")
        for line, at in enumerate(tried):
            verdicts[at].add("refused" if line in refused else "unsure" if line in unsure else "right")
    return [True if "right" in each else None if "unsure" in each else False for each in verdicts]


def _may_have(site: Site, form: str) -> bool:
    """Whether Java has such a form there: behind `::` nothing follows a name, types stand in plain names."""
    if form == ".class":
        return re.search(r"[ (](?!this\b|super\b)\w+\.$", site.begins) is not None
    return not form or not site.begins.endswith("::")


def _without_call(ends: str) -> str:
    """What stands behind a name, without the arguments if it is called."""
    depth = 0
    for at, letter in enumerate(ends if ends.startswith("(") else ""):
        depth += (letter == "(") - (letter == ")")
        if not depth:
            return ends[at + 1 :]
    return ends


def version_of(language: str) -> str:
    """What judged."""
    if language == "python":
        return f"Python {sys.version.split()[0]}"
    done = subprocess.run([_COMPILERS[language][0], "--version"], capture_output=True, text=True)
    return (done.stdout + done.stderr).splitlines()[0]


def main(language: str) -> None:
    """Find out, and write it down."""
    sites = sites_of(language)
    known = {name for path in sources(language) for name in _NAMES.findall(path.read_text())}
    keywords = {*(each.decode() for each in getattr(lexer_of(language), "keywords", ())), *keyword.kwlist, *_WORDS}
    words = (known | {name for site in sites for name in _NAMES.findall(site.written(site.name))}) - keywords
    probes = [(site, name) for site, more in zip(sites, offered(language, sites), strict=True) for name in words | more]
    ways = {"python": run_python, "java": compile_java}
    legal = ways.get(language, partial(compile_once, language))(probes)
    found: list[dict[str, list[str]]] = [{"legal": [], "illegal": []} for _ in sites]
    for (site, name), may in zip(probes, legal, strict=True):
        if may is None:
            continue
        found[site.number]["legal" if may else "illegal"].append(name)
    for site, record in zip(sites, found, strict=True):
        for names in record.values():
            names.sort()
        if site.name not in record["legal"]:
            print(f"site {site.number}: its own name {site.name} was refused")
    lines = ",\n".join("  " + json.dumps(record) for record in found)
    text = f'{{"tool": {json.dumps(version_of(language))}, "sites": [\n{lines}\n]}}\n'
    (PROJECTS / language / "truth.json").write_text(text)
    counts = f"{legal.count(True)} legal, {legal.count(None)} unsettled"
    print(f"{language}: {len(probes)} names at {len(sites)} sites, {counts}")


if __name__ == "__main__":
    main(sys.argv[1])
