"""The grammar library against independent readers: what is sampled they read, what they read is accepted."""

from __future__ import annotations

import ast
import csv
import datetime
import io
import json
import re
import sqlite3
import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from random import Random

import pytest

import structgen as sg
from structgen.api.language import Language
from structgen.errors import OptionError
from structgen.grammars.library import NAMES

Sampler = Callable[[Language, Random, int], str]


def read_csv(text: str) -> None:
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert rows and all(len(row) == 3 for row in rows), rows


def read_jsonl(text: str) -> None:
    for line in text.removesuffix("\n").split("\n"):
        json.loads(line)


def read_python(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ast.parse(text)


def read_arithmetic(text: str) -> None:
    found = ast.parse(text, mode="eval")
    allowed = (ast.Expression, ast.BinOp, ast.UnaryOp, ast.Constant, ast.Name, ast.Call, ast.operator, ast.unaryop)
    assert all(isinstance(node, (*allowed, ast.expr_context)) for node in ast.walk(found))


def read_sql(text: str) -> None:
    try:
        sqlite3.connect(":memory:").execute(text)
    except sqlite3.Error as error:
        assert not re.search(r"syntax|incomplete|unrecognized|parser", str(error)), error


def read_smiles(text: str) -> None:
    """Brackets and parentheses match, rings close, no bond is left hanging: from the OpenSMILES specification."""
    atom = r"\[\d*(?:[A-Z][a-z]?|[a-z]{1,2}|\*)@{0,2}(?:H\d?)?(?:[+-]\d?)?(?::\d+)?\]|Cl|Br|[BCNOPSFIbcnops*]"
    tokens = re.findall(rf"({atom})|([-=#$:/\\])|([().])|(\d)", text)
    assert "".join("".join(token) for token in tokens) == text
    depth, rings, before = 0, set[str](), "start"
    for an_atom, bond, mark, digit in tokens:
        kind = "atom" if an_atom else "bond" if bond else mark or "digit"
        if kind in (")", ".", "bond", "digit", "("):
            assert before in ("atom", "digit", ")") or (kind == "bond" and before == "("), text
        depth += (mark == "(") - (mark == ")")
        assert depth >= 0 and not (mark == "." and depth), text
        rings ^= {digit} if digit else set()
        before = kind
    assert not depth and not rings and before in ("atom", "digit", ")"), text


READERS: dict[str, Callable[[str], object]] = {
    "arithmetic": read_arithmetic,
    "csv": read_csv,
    "date": datetime.date.fromisoformat,
    "date-time": lambda text: re.fullmatch(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", text)[0],  # type: ignore[index]
    "email": lambda text: re.fullmatch(r'("[^"]*(\\.[^"]*)*"|[^@"]+)@\S+', text)[0],  # type: ignore[index]
    "json": json.loads,
    "jsonl": read_jsonl,
    "python": read_python,
    "smiles": read_smiles,
    "sql": read_sql,
    "time": lambda text: re.fullmatch(r"\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", text)[0],  # type: ignore[index]
    "uri": lambda text: re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]*", text)[0],  # type: ignore[index]
    "xml": lambda text: ElementTree.fromstring(text.encode()),
}
OPTIONS = {"csv": {"columns": 3}}


def test_every_name_has_a_reader() -> None:
    assert set(READERS) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_sampled_texts_are_read(name: str, sampler: Sampler) -> None:
    language, rng = sg.library(name, **OPTIONS.get(name, {})), Random(name)
    texts = {sampler(language, rng, length) for length in (1, 5, 20, 60, 200) for _ in range(12)}
    assert len(texts) > 10
    for text in texts:
        assert text in language
        READERS[name](text)


MEMBERS = {
    "arithmetic": ["1", "-a * (2 + b) ** -3", "f(1, x) // 2 % 3", "1.5e-3/0", "- - 1"],
    "csv": ["a,b,c", ',"a ""b"", c",\n1,2,3', "a,b,c\r\n,,"],
    "date": ["2024-02-29", "1999-12-31"],
    "date-time": ["2024-02-29T23:59:59Z", "2024-01-01T00:00:00.5+02:00"],
    "email": ["a@b.example", "first.last+tag@sub.domain.org"],
    "json": ['{"a": [1, -2.5e3, true, null], "b": {"c": "\\u00e9"}}', " [ ] ", '"x"', "0"],
    "jsonl": ['{"a": 1}\n{ "a":[1, "é"]}\n', "1\n2", '"x"'],
    "python": [
        "x = 1\n",
        "def f(a, b=1):\n    if a > b and not b:\n        return a\n    else:\n        return f(b, a)[0].c\n",
        "import os.path as p\nfrom a import b, c\n\nfor i, j in [1, 2]:\n    while True:\n        break\n",
        "class A(B):\n    x = {'k': [i for i in y if i]}\n    def m(self):\n        pass\n",
    ],
    "smiles": ["CCO", "c1ccccc1", "CC(=O)Oc1ccccc1C(=O)O", "[13CH4]", "C[C@H](N)C(=O)O", "C1CC12CC2", "[Na+].[Cl-]"],
    "sql": [
        "SELECT * FROM t",
        "SELECT a, COUNT(*) AS n FROM t AS u JOIN v ON u.id = v.id WHERE a > 1 AND b IS NOT NULL GROUP BY a "
        "HAVING COUNT(*) > 2 ORDER BY n DESC LIMIT 10;",
        "SELECT x FROM t WHERE x IN (SELECT y FROM u) UNION SELECT 'it''s' FROM w",
    ],
    "time": ["23:59:59Z"],
    "uri": ["https://example.org/a?b=c#d", "mailto:a@b.c"],
    "xml": [
        '<?xml version="1.0"?>\n<document id="1" lang=\'en\'><title>A &amp; B</title><!-- x --></document>',
        "<item/>",
        "<list><item>a]]</item ><![CDATA[<&]]]></list>",
    ],
}  # fmt: skip

OTHERS = {
    "arithmetic": ["", "1 +", "(1", "01", "a b"],
    "csv": ["a,b", "a,b,c,d", 'a,"b,c', "a,b,c\nd,e"],
    "date": ["2023-02-29", "2024-13-01", "24-01-01"],
    "date-time": ["2024-02-30T00:00:00Z", "2024-01-01"],
    "email": ["a@", "@b", "a b@c.d"],
    "json": ["{a: 1}", "[1,]", "01", "nul", '"\n"'],
    "jsonl": ["{\n}", "", "1\n\n2"],
    "python": ["x =\n", "return 1\n", "  x = 1\n", "if x:\npass\n", "class = 1\n", "break\n", "x = 1", "f() = 1\n"],
    "smiles": ["C1CC", "C(C", "[Xx]", "C==C", "=C", "C11C", "", "C(=O)O)"],
    "sql": ["SELECT", "SELECT a", "SELECT select FROM t", "SELECT a FROM t WHERE", "DELETE FROM t"],
    "time": ["24:00:00Z", "12:00"],
    "uri": ["no scheme", "1http://x", "http://[::1"],
    "xml": ["<item>", "<item></list>", "<item id='1' id='2'/>", "<a/>", "<item>a]]>b</item>", "<item>a&b</item>"],
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_texts_by_hand(name: str) -> None:
    language = sg.library(name, **OPTIONS.get(name, {}))
    for text in MEMBERS[name]:
        assert text in language, text
        READERS[name](text)
    for text in OTHERS[name]:
        assert text not in language, text


def test_options() -> None:
    two = sg.library("csv", columns=1, rows=2, separator=";")
    assert "a\nb" in two and 'a\n";"' in two and "a" not in two and "a\n" not in two and "a;b\nc" not in two
    tags = sg.library("xml", names=["r", "b-c"], attributes=[])
    assert "<r><b-c>1</b-c></r>" in tags and "<r id='1'/>" not in tags
    assert "if x:\n    if y:\n        pass\n" not in sg.library("python", depth=1)
    wrong: list[tuple[str, dict[str, object]]] = [
        ("csv", {"columns": 0}), ("csv", {"columns": 2, "separator": '"'}), ("xml", {"names": ["a:b"]}),
        ("python", {"depth": 99}), ("smiles", {"rings": 9}), ("json", {"x": 1}), ("yaml", {}),
    ]  # fmt: skip
    for name, options in wrong:
        with pytest.raises(OptionError):
            sg.library(name, **options)
