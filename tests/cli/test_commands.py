"""The command line, in process: what is printed, and the exit codes."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import structgen
from structgen.cli import main
from structgen.cli.parser import build_parser

ROOT = Path(__file__).resolve().parents[2]
PERSON = {
    "title": "Person",
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


@pytest.fixture
def schema_file(tmp_path: Path) -> str:
    file = tmp_path / "person.json"
    file.write_text(json.dumps(PERSON))
    return str(file)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_check_says_what_is_enforced(capsys: pytest.CaptureFixture[str], schema_file: str) -> None:
    code, out, err = run(capsys, "check", schema_file)
    assert (code, err) == (0, "")
    assert "supported     yes" in out
    assert "2020-12" in out
    assert "additionalProperties, minimum, properties, required, type (3)" in out
    assert "annotations   title" in out
    assert "warning       #/properties/name: a string without maxLength" in out
    code, out, _ = run(capsys, "check", schema_file, "--json", "--whitespace", "compact")
    found = json.loads(out)
    assert found["supported"] is True
    assert found["size"]["rules"] > 0
    assert found["annotations"] == {"title": 1}


@pytest.mark.parametrize(
    ("schema", "warning"),
    [
        ({"enum": [str(i) for i in range(2000)]}, "an enum of 2000 values"),
        ({"type": "array"}, "an array without maxItems"),
        ({"type": "object", "properties": {"a": {}}}, "an object open to other members"),
    ],
)
def test_check_warns(capsys: pytest.CaptureFixture[str], schema: Any, warning: str) -> None:
    code, out, _ = run(capsys, "check", json.dumps(schema))
    assert code == 0
    assert warning in out


def test_check_of_what_cannot_be_satisfied_says_no(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "check", '{"type": "integer", "minimum": 3, "maximum": 2}')
    assert code == 1
    assert "supported     no" in out


def test_explain_points_at_the_place(capsys: pytest.CaptureFixture[str], schema_file: str) -> None:
    code, out, _ = run(capsys, "explain", "--schema", schema_file, "--text", '{"name": "Ada", "age": 36}')
    assert code == 0
    assert out.startswith("complete")
    code, out, _ = run(capsys, "explain", "--schema", schema_file, "--text", '{"name": "Ada",\n "age": x}')
    lines = out.splitlines()
    assert code == 1
    assert lines[0] == "not allowed: 'x' at line 2, column 9"
    assert lines[2].index("^") == lines[1].index("x")
    assert "'0'..'9'" in out
    code, out, _ = run(capsys, "explain", "--regex", "[a-c]+", "--text", "")
    assert code == 1
    assert out.startswith("incomplete")
    code, out, _ = run(capsys, "explain", "--choice", "yes", "--choice", "no", "--text", "yé")
    assert code == 1
    assert "column 2" in out


def test_stdin(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, schema_file: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"name": "Ada", "age": 36}'))
    assert run(capsys, "explain", "--schema", schema_file, "--text", "-")[0] == 0
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(PERSON)))
    assert run(capsys, "check", "-")[0] == 0
    code, _, err = run(capsys, "explain", "--schema", "-", "--text", "-")
    assert code == 2
    assert "only one option can read stdin" in err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["check", "/no/such/file.json"], 2, "cannot read"),
        (["check", '{"type": 3}'], 2, "#/type"),
        (["explain", "--regex", "(a", "--text", "a"], 2, "the regex, at position"),
        (["check", ""], 2, "--schema is empty"),
        (["check", '{"type": "integer",}'], 2, "line 1, column 20"),
        (["check", "[1]"], 2, "cannot read '[1]'"),
        (["check", "structgen.nothing:Type"], 2, "structgen.nothing:Type"),
        (["check", "structgen.errors:Type"], 2, "has no attribute 'Type'"),
        (["explain", "--gbnf", "/no/such/file", "--text", ""], 2, "--gbnf: cannot read '/no/such/file'"),
        (["explain", "--tag", "/no/such/file", "--text", ""], 2, "--tag: cannot read '/no/such/file'"),
        (["generate", "--schema", "{}", "--n", "0"], 2, "n must be at least 1"),
        (["generate", "--schema", "{}", "--model", "/no/such/model"], 1, "no model at"),
        (["compile", "--schema", "{}", "--model", "/no/such/model"], 1, "no tokenizer at"),
    ],
)
def test_errors_are_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, message: str) -> None:
    found, out, err = run(capsys, *arguments)
    assert (found, out) == (code, "")
    assert err.startswith("structgen: error: ")
    assert message in err
    assert len(err.splitlines()) == (3 if "regex" in message else 1)  # a pattern is shown, with a caret


def test_a_type_and_a_tag_are_constraints_too(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    person = "structgen.cli.demo:Person"
    text = '{"name": "Ada", "age": 36, "city": "London"}'
    assert run(capsys, "explain", "--schema", person, "--text", text)[0] == 0
    assert run(capsys, "check", person)[1].startswith("supported     yes")
    tag = tmp_path / "tag.json"
    tag.write_text(json.dumps({"tags": [{"begin": "<a>", "end": "</a>", "regex": "[0-9]+"}], "between": False}))
    assert run(capsys, "explain", "--tag", str(tag), "--text", "<a>12</a>")[0] == 0
    assert run(capsys, "explain", "--tag", str(tag), "--text", "<a>x</a>")[0] == 1
    tag.write_text('{"tagz": []}')
    code, _, err = run(capsys, "explain", "--tag", str(tag), "--text", "")
    assert code == 2 and "tagz" in err


def test_an_error_is_json_beside_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "check", '{"type": 3}', "--json")
    found = json.loads(err)
    assert (code, out) == (2, "")
    assert found["error"] == "SchemaError" and found["pointer"] == "#/type" and found["exit_code"] == 2


def test_languages_as_expressions(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    passage = tmp_path / "passage.txt"
    passage.write_text("one two three")
    expression = f'span(file({str(passage)!r}), words=True) & length(words=(2, None)) | "none"'
    for text, code in (("two three", 0), ("none", 0), ("two", 1), ("wo three", 1)):
        assert run(capsys, "explain", "--grammar", expression, "--text", text)[0] == code
    picture = tmp_path / "networks.dot"
    code, out, _ = run(capsys, "compile", "--grammar", expression, "--dot", str(picture))
    assert code == 0
    for line in ("kind          language", "recursive     no", "shortest      'none'"):
        assert line in out
    assert picture.read_text().startswith("digraph networks {")
    code, out, _ = run(capsys, "compile", "--grammar", 'library("json")', "--json")
    assert code == 0 and json.loads(out)["recursive"].startswith("any ")


@pytest.mark.parametrize(
    ("expression", "column", "reason"),
    [
        ('regex("a") & lenth(3)', 14, "there are avoiding, choices"),
        ('regex("a") &', 13, "invalid syntax"),
        ('regex("é") + regex("(")', 14, "in the pattern at position 0"),
        ("length(size=3)", 1, "unexpected keyword"),
        ('__import__("os")', 1, "there are avoiding"),
        ('regex("a").meaning', 1, "functions, operators"),
        ("regex(*[1])", 7, "functions, operators"),
        ("1 + regex('a')", 1, "a language or a text is needed"),
        ("length(**{})", 1, "** is not allowed"),
    ],
)
def test_mistakes_in_expressions_are_shown(
    capsys: pytest.CaptureFixture[str], expression: str, column: int, reason: str
) -> None:
    code, _, err = run(capsys, "compile", "--grammar", expression)
    first, line, caret = err.splitlines()
    assert code == 2 and reason in first and f"line 1, column {column}:" in first
    assert line.strip() == expression and caret == " " * (column + 1) + "^"


def test_explain_draws_what_was_visited(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    picture = tmp_path / "visits.dot"
    run(capsys, "explain", "--regex", "(?i)ab(c|d)*", "--text", "aBccdX", "--dot", str(picture))
    drawn = picture.read_text()
    assert """[label="'c' x2, 'd'"]""" in drawn and "peripheries=2" in drawn
    assert """refused [label="expected 'C'..'D', 'c'..'d'", color=red""" in drawn


def test_debug_shows_the_traceback() -> None:
    with pytest.raises(structgen.SchemaError):
        main(["check", '{"type": 3}', "--debug"])


def test_an_unexpected_error_says_that_it_is_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_source: object, **_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("structgen.api.check.check", fail)
    code, _, err = run(capsys, "check", "{}")
    assert code == 1
    assert err == "structgen: internal error: ZeroDivisionError: division by zero (--debug shows where)\n"


def test_mistakes_in_arguments_exit_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["generate"], ["generate", "--schema", "{}", "--regex", "a"], ["fly"]):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2
    capsys.readouterr()


def test_a_misspelled_option_shows_its_command_and_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["generate", "--schema", "{}", "--modle", "x"])
    err = capsys.readouterr().err
    assert caught.value.code == 2 and err.startswith("usage: structgen generate")
    assert "unrecognized arguments: --modle x; did you mean '--model'?" in err


def test_every_option_has_help() -> None:
    parser = build_parser()
    (commands,) = (action for action in parser._actions if hasattr(action, "choices") and action.choices)
    for name, command in commands.choices.items():  # type: ignore[union-attr]
        for action in command._actions:
            assert action.help, f"{name} {action.dest}"


def test_runs_as_a_module_and_help_is_quick() -> None:
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "structgen.cli", "--help"], capture_output=True, text=True, cwd=ROOT
    )
    assert ran.returncode == 0
    assert "explain" in ran.stdout
    assert "torch" not in ran.stderr
    assert "numba" not in ran.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["check"],
        ["explain", "--text", "{}", "--schema"],
        ["compile", "--schema"],
        ["generate", "--prompt", "x", "--schema"],
    ],
    ids=lambda command: command[0],
)
def test_strict_refuses_a_misspelled_keyword(capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    schema = json.dumps({"type": "object", "requried": ["a"]})
    code, out, err = run(capsys, *command, schema, "--strict")
    assert code != 0
    assert "requried" in out + err
    assert "#" in out + err
