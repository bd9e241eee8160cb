"""The lexer of Python against `tokenize`: the member accesses of the standard library's files."""

from __future__ import annotations

import io
import keyword
import os
import tokenize
from pathlib import Path

import pytest

from structgen.monitors.lexical.python import Python

LIBRARY = Path(os.__file__).parent
FILES = ["ast.py", "argparse.py", "dataclasses.py", "enum.py", "functools.py", "inspect.py", "tokenize.py", "typing.py",
         "json/decoder.py", "_pydecimal.py", "textwrap.py", "shlex.py"]  # fmt: skip


def accesses(data: bytes) -> list[int]:
    lexer, state, found = Python(), Python().start(), []
    for at, byte in enumerate(data):
        if lexer.is_access(state, byte):
            found.append(at)
        state = lexer.after(state, byte)
    return found


def tokenized(text: str) -> list[int]:
    """Dots behind a name that is no keyword, a string or a closing bracket, outside `import` statements."""
    lines = text.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line.encode()))
    found, before, first, begins, depth = list[int](), None, "", True, 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in (tokenize.NL, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT):
            continue
        if token.type == tokenize.NEWLINE:
            begins, before = True, None
            continue
        first, begins = (token.string, False) if begins else (first, False)
        if token.string == "." and first not in ("import", "from") and before is not None:
            named = before.type == tokenize.NAME and not keyword.iskeyword(before.string)
            if named or before.type == tokenize.STRING or before.string in (")", "]", "}"):
                line, column = token.start
                found.append(starts[line - 1] + len(lines[line - 1][:column].encode()))
        depth += (token.string in "([{") - (token.string in ")]}") if token.type == tokenize.OP else 0
        begins = token.type == tokenize.OP and (token.string == ";" or (token.string == ":" and depth == 0))
        before = token
    return found


@pytest.mark.parametrize("name", FILES)
def test_accesses_of_real_files(name: str) -> None:
    data = (LIBRARY / name).read_bytes()
    found = accesses(data)
    assert found == tokenized(data.decode())
    assert len(found) > 20


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("x.a", "."), ("f().a", "."), ("x[0].a", "."), ("'a'.a", "."), ("''.a", "."), ("'''a\n.b'''.a", " " * 10 + "."),
        ("1.5", ""), ("1..real", ""), ("if .5: pass", ""), ("import a.b", ""), ("from .a import b", ""),
        ("x = 1; import a.b", ""), ("if x: import a.b", ""), ("# x.a", ""), ("'x.a'", ""), (r"'\'.a'.b", "      ."),
        ("r'\\'.a'.b", "       ."), ("(x\n .a)", "    ."), ("x\n .a", ""), ("x \\\n .a", "     ."), ("match.a", "."),
        ("None.a", ""), ("x. a", "."), ("'open\nx.a", "       ."), ("größe.a", "       ."), ("...a", ""),
        ("x].a", ""), ("(x].a", ""), ("(x%).a", ""), ("x”.a", ""), ("x” .a", ""), ("(x”).a", ""), ("x]; y.a", "."),
        ("x]\ny.a", "."), ("(x[1:]).a", "."), ("f(-x).a", "."), ("(...).a", "."), ("f(a,).a", "."), ("{}.a", "."),
        ("(x %\n y).a", "."),
    ],
)  # fmt: skip
def test_accesses_by_hand(text: str, marked: str) -> None:
    expected = [] if not marked else [text.encode().rindex(b".") if marked == "." else len(marked) - 1]
    if marked not in ("", "."):
        assert text.encode()[expected[0]] == 0x2E
    assert accesses(text.encode()) == expected


def test_closing_brackets_that_are_due() -> None:
    lexer, state = Python(), Python().start()
    for byte in b"f(a[{'x":
        state = lexer.after(state, byte)
    assert lexer.closers(state) == b"'}])"
    own = Python().start()
    for byte in b"    self":
        own = lexer.after(own, byte)
    assert lexer.is_own(own)
    assert lexer.begins(own)
    for byte in b".x = self":
        own = lexer.after(own, byte)
    assert lexer.is_own(own)
    assert not lexer.begins(own)


def test_an_outlook_reads_on_like_its_state() -> None:
    """Random texts: from the outlook the same accesses are found as from the state."""
    import random

    rng, lexer = random.Random(5), Python()
    parts = [*"xirbnt'\"([)]. \n\\#1=:;", "if", "import", "impor", "from", "self", "'''"]
    for _ in range(3000):
        state = lexer.start()
        for byte in "".join(rng.choice(parts) for _ in range(rng.randrange(8))).encode():
            state = lexer.after(state, byte)
        rest = "".join(rng.choice(parts) for _ in range(rng.randrange(1, 8))).encode()
        short = lexer.outlook(state, sum(rest.count(each) for each in b")]}"))
        for byte in rest:
            assert lexer.is_access(state, byte) == lexer.is_access(short, byte), (state, rest)
            assert lexer.blanks(state) == lexer.blanks(short), (state, rest)
            state, short = lexer.after(state, byte), lexer.after(short, byte)
