"""The lexers of structgen.monitors.lexical beside those of the languages: accesses of real files.

    python -m benchmarks.monitors.lexers LANGUAGE FILES...

Python is read by `tokenize`, TypeScript by typescript 5 (node; NODE_PATH says where it is), Java by the compiler of a
JDK, C++ by clang's raw tokens (`clang -cc1 -dump-raw-tokens`), to which the rule of what an access is is applied here.
Prints what only one side has. Left out: what is followed by a byte that may stand in place of a name (`?.[`, `x...`).
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from structgen.monitors.lexical import Lexer
from structgen.monitors.lexical.c_like import CPP
from structgen.monitors.members import lexer_of

PROGRAMS = Path(__file__).with_name("programs")
_TOKEN = re.compile(r"^(\w+) '(.*?)'\t.*Loc=<.*:(\d+):(\d+)>$")


def accesses(lexer: Lexer, data: bytes) -> tuple[set[int], set[int]]:
    """Offsets of the accesses that the lexer finds; of those behind which something stands in place of a name."""
    state, found, others = lexer.start(), set[int](), set[int]()
    for at, byte in enumerate(data):
        if lexer.is_access(state, byte):
            found.add(at)
            if at + 1 < len(data) and data[at + 1] in lexer.others(state):
                others.add(at)
        state = lexer.after(state, byte)
    return found, others


def parsed(command: Sequence[str], paths: Sequence[str]) -> Iterator[tuple[str, set[int]]]:
    """What a program prints about files."""
    for first in range(0, len(paths), 50):
        done = subprocess.run([*command, *paths[first : first + 50]], capture_output=True, text=True, check=True)
        for line in done.stdout.splitlines():
            record = json.loads(line)
            yield record["path"], set(record["accesses"])


def clang(path: str) -> set[int]:
    """Accesses among clang's raw tokens: behind a name that is no keyword or a member, a bracket, a string."""
    data, starts = Path(path).read_bytes(), [0]
    for line in data.split(b"\n"):
        starts.append(starts[-1] + len(line) + 1)
    command = ["clang", "-cc1", "-dump-raw-tokens", "-x", "c++", "-std=c++20", path]
    said = subprocess.run(command, capture_output=True, text=True).stderr
    found, ends, member, directive, first = set[int](), False, False, False, ""
    for line in said.splitlines():
        matched = _TOKEN.match(line)
        if matched is None or matched[1] in ("comment", "unknown"):
            continue
        kind, text = matched[1], matched[2]
        if "[StartOfLine]" in line:
            directive = kind == "hash"
        if directive:
            ends, member, first = False, False, ""
            continue
        access = kind in ("period", "arrow", "coloncolon") and ends and first != "namespace"
        if access:
            found.add(starts[int(matched[3]) - 1] + int(matched[4]) + len(text) - 2)
        named = kind == "raw_identifier"
        ends = (named and (member or text.encode() not in CPP.keywords)) or kind in (
            "r_paren",
            "r_square",
            "string_literal",
        )
        first = "" if kind in ("semi", "l_brace", "r_brace") else first or (text if named else "")
        member = access
    return found


def tokenized(path: str) -> set[int]:
    """Accesses by `tokenize`."""
    from tests.monitors.test_python_lexer import tokenized as by_tokenize

    return set(by_tokenize(Path(path).read_text()))


def truths(language: str, paths: Sequence[str]) -> Iterator[tuple[str, set[int]]]:
    """The accesses of files, by the language's own lexer."""
    if language == "typescript":
        return parsed(["node", str(PROGRAMS / "accesses.js")], paths)
    if language == "java":
        return parsed(["java", str(PROGRAMS / "Accesses.java")], paths)
    read = clang if language == "cpp" else tokenized
    return ((path, read(path)) for path in paths)


def main(language: str, paths: Sequence[str]) -> None:
    """Compare, print the first differences and how many there are."""
    total, differences, lexer = 0, 0, lexer_of(language)
    for path, truth in truths(language, paths):
        data = Path(path).read_bytes()
        ours, others = accesses(lexer, data)
        for at in sorted((ours ^ truth) - others):
            differences += 1
            if differences <= 20:
                print(f"{path}: {'only theirs' if at in truth else 'only ours'}: {data[max(at - 40, 0) : at + 15]!r}")
        total += len(truth)
    print(f"{language}: {len(paths)} files, {total} accesses, {differences} differences")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
