"""Whole runs on the bundled model: the same answers however they are divided, interrupted and killed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from structgen.batches import Answerer
from structgen.batches.run import Progress, run_batch
from structgen.cli import main
from structgen.errors import OptionError, QuestionError

pytest.importorskip("transformers")

ROOT = Path(__file__).resolve().parents[2]
PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 20},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
    },
    "required": ["name", "age"],
    "additionalProperties": False,
}
NAMES = ["Maria Sanchez", "Bob", "Ada Lovelace", "Chen Wei", "Olga"]


def lines(count: int) -> list[dict[str, Any]]:
    """Questions of several kinds and lengths, some of them wrong."""
    found = []
    for number in range(count):
        prompt = f"{NAMES[number % 5]} is {20 + number} years old{' and lives in Lima' * (number % 4)}."
        question = {"custom_id": f"q{number}", "prompt": prompt, "temperature": number % 3 / 2, "max_tokens": 40}
        kind = number % 6
        if kind == 4:
            question |= {"regex": "[a-z]{2,9}( [a-z]{2,9}){0,6}", "on_truncate": "complete"}
        elif kind == 5:
            question |= {"schema": {"type": "string", "minLength": 30}, "max_tokens": 16}
        else:
            question |= {"schema": PERSON}
        if number == 7:
            question["schma"] = {}
        found.append(question)
    return found


def written(path: Path, questions: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(question) + "\n" for question in questions))
    return path


def answers(path: Path, digits: int = 17) -> dict[str, Any]:
    """id -> answer, numbers to so many digits behind the point; no id may stand twice."""
    read = partial(json.loads, parse_float=lambda text: round(float(text), digits))
    found = [read(line) for line in path.read_bytes().splitlines()]
    ids = [answer["custom_id"] for answer in found]
    assert len(ids) == len(set(ids))
    return dict(zip(ids, found, strict=True))


def test_every_line_has_one_answer(tmp_path: Path) -> None:
    source = written(tmp_path / "in", lines(24))
    progress = run_batch(source, tmp_path / "out", Answerer(rows=5))
    found = answers(tmp_path / "out")
    assert (progress.questions, progress.answered, progress.errors) == (
        24,
        24,
        sum("error" in a for a in found.values()),
    )
    assert list(found) != sorted(found, key=lambda name: int(name[1:]))  # as they are finished
    assert found["q7"]["error"]["message"] == "there is no field 'schma'; did you mean 'schema'?"
    assert found["q0"]["value"] == {"name": "Maria Sanchez", "age": 20}
    assert found["q0"]["tokens"]["output"] > 5
    assert found["q5"]["error"]["type"] in ("Truncated", "BudgetTooSmall")
    again = run_batch(source, tmp_path / "out", Answerer(rows=5))
    assert (again.before, again.answered) == (24, 0)


def test_answers_do_not_depend_on_the_batch(tmp_path: Path) -> None:
    """One row at a time, all at once, in another order: the same texts; probabilities up to rounding."""
    questions = lines(18)
    alone = {answer["custom_id"]: answer for answer in Answerer(rows=1)(questions)}
    for rows, given in ((16, questions), (4, questions[::-1])):
        for answer in Answerer(rows=rows)(given):
            other = alone[answer["custom_id"]]
            assert (answer.get("text"), answer.get("error")) == (other.get("text"), other.get("error"))
            if answer.get("log_prob") is not None:
                assert answer["log_prob"] == pytest.approx(other["log_prob"], rel=1e-4, abs=1e-4)
    drawn = {answer.get("text") for answer in Answerer(seed=1)(questions[2:3] + questions[4:5])}
    assert drawn != {alone["q2"].get("text"), alone["q4"].get("text")}


def test_a_run_that_is_cut_off_anywhere_ends_with_the_same_bits(tmp_path: Path) -> None:
    source, out = written(tmp_path / "in", lines(14)), tmp_path / "out"
    answerer = Answerer(rows=4)
    run_batch(source, out, answerer)
    data, whole = out.read_bytes(), answers(out)
    numbers = random.Random(3)
    places = [0, 1, data.index(b"\n"), data.index(b"\n") + 1, *(numbers.randrange(len(data)) for _ in range(10))]
    for size in places:
        out.write_bytes(data[:size])
        progress = run_batch(source, out, answerer)
        assert progress.before == data[:size].count(b"\n")
        assert answers(out) == whole, size


class Stop(Exception):
    """The disk is full, or the user has enough."""


def test_what_was_written_before_an_exception_stays(tmp_path: Path) -> None:
    source, out = written(tmp_path / "in", lines(12)), tmp_path / "out"
    answerer = Answerer(rows=4)

    def stop(progress: Progress) -> None:
        if progress.answered == 5:
            raise Stop

    with pytest.raises(Stop):
        run_batch(source, out, answerer, show=stop)
    part = answers(out)
    assert len(part) == 5
    run_batch(source, out, answerer)
    assert part.items() <= answers(out).items()
    assert len(answers(out)) == 12


def test_lines_may_be_added(tmp_path: Path) -> None:
    source, out = written(tmp_path / "in", lines(6)), tmp_path / "out"
    run_batch(source, out, Answerer())
    before = out.read_bytes()
    written(source, lines(9))
    assert run_batch(source, out, Answerer()).answered == 3
    assert out.read_bytes().startswith(before)


def test_errors_are_asked_again_when_that_is_asked_for(tmp_path: Path) -> None:
    questions, out = lines(8), tmp_path / "out"
    source = written(tmp_path / "in", questions)
    errors = run_batch(source, out, Answerer()).errors
    assert errors >= 1
    assert run_batch(source, out, Answerer()).answered == 0
    del questions[7]["schma"]
    written(source, questions)
    with pytest.raises(OptionError, match="an answer to 'q7', which is another question"):
        run_batch(source, out, Answerer())
    progress = run_batch(source, out, Answerer(), again=True)
    assert (progress.answered, progress.errors) == (errors, errors - 1)
    assert answers(out)["q7"]["value"] == {"name": "Ada Lovelace", "age": 27}


def test_mistakes_of_the_whole_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    good = json.dumps(lines(1)[0])
    source.write_text(f"{good}\n\n{{}}\nnothing\n{good}\n")
    with pytest.raises(QuestionError) as caught:
        run_batch(source, out, Answerer())
    told = str(caught.value)
    assert "line 3: custom_id" in told
    assert "line 4: not JSON" in told
    assert "line 5: 'q0' is the custom_id of line 1 too" in told
    assert not out.exists()
    source.write_text(good)  # no end of line
    with pytest.raises(OptionError, match="where the questions are"):
        run_batch(source, source, Answerer())
    assert main(["batch", str(source), str(out)]) == 0
    assert main(["batch", str(source), str(out), "--seed", "1"]) == 2
    assert "another run: seed was 0, is 1" in capsys.readouterr().err
    assert main(["batch", str(source), str(out), "--temperature", "1"]) == 2
    assert "defaults was" in capsys.readouterr().err
    assert main(["batch", str(tmp_path / "nothing"), str(out)]) == 2
    assert main(["batch", str(source), str(tmp_path / "no" / "folder")]) == 1
    assert main(["batch", str(source), str(out), "--rows", "0"]) == 2


def test_the_command_says_what_lines_do_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    questions = [{"custom_id": "a", "prompt": "Bob is 30 years old."}, {"custom_id": "b", "prompt": "x", "regex": "y"}]
    source, out, schema = written(tmp_path / "in", questions), tmp_path / "out", tmp_path / "person.json"
    schema.write_text(json.dumps(PERSON))
    arguments = ["batch", str(source), str(out), "--schema", str(schema), "--whitespace", "compact"]
    assert main(arguments) == 0
    assert answers(out)["a"]["text"] == '{"name":"Bob","age":30}'
    assert answers(out)["b"]["value"] == "y"
    assert "2 of 2 answered" in capsys.readouterr().err
    assert main(["batch", str(source), str(tmp_path / "other")]) == 4  # a line without a constraint
    assert "1 answers are errors" in capsys.readouterr().err
    assert "one constraint is needed" in answers(tmp_path / "other")["a"]["error"]["message"]


def test_lines_with_a_sampler_and_with_tools() -> None:
    light = {"name": "set_light", "parameters": {"type": "object", "properties": {"on": {"type": "boolean"}}}}
    found = Answerer()(
        [
            {"custom_id": "a", "prompt": "Bob is 3.", "choices": ["one", "two"], "method": "cars"},
            {"custom_id": "b", "prompt": "light on", "tools": [light], "tool_choice": "set_light", "max_tokens": 60},
            {"custom_id": "c", "prompt": "x", "choices": ["one"], "method": "cars", "method_options": {"bogus": 1}},
        ]
    )
    assert found[0]["value"] in ("one", "two")
    assert found[0]["log_weight"] == 0
    assert found[1]["value"]["calls"][0]["name"] == "set_light"
    assert found[2]["error"]["type"] == "OptionError"


def test_one_bad_row_of_a_batch_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that gives NaN for one row: that row is an error, its neighbours are answered as without it."""
    questions = [question for question in lines(8) if "schma" not in question]
    answerer = Answerer(rows=8)
    whole = {answer["custom_id"]: answer for answer in answerer(questions)}
    poisoned = answerer.engine.encode("Olga")[-1]
    prefill = type(answerer.engine).prefill

    def broken(self: Any, prompts: Any, reserve: int) -> Any:
        logits, context = prefill(self, prompts, reserve)
        for row, prompt in enumerate(prompts):
            if poisoned in prompt:
                logits[row] = float("nan")
        return logits, context

    monkeypatch.setattr(type(answerer.engine), "prefill", broken)
    found = {answer["custom_id"]: answer for answer in answerer(questions)}
    broken_ones = {name for name, answer in found.items() if answer.get("error", {}).get("type") == "ModelError"}
    assert broken_ones == {f"q{number}" for number in range(8) if NAMES[number % 5] == "Olga"}
    for name in set(found) - broken_ones:
        assert found[name].get("text") == whole[name].get("text")


def killed_runs(source: Path, out: Path, kills: int, seed: int) -> int:
    """Start the command again and again and kill it when the answers have grown by some bytes; how often it was."""
    numbers, killed = random.Random(seed), 0
    command = [sys.executable, "-m", "structgen.cli", "batch", str(source), str(out), "--rows", "4"]
    while True:
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": "."})
        size = out.stat().st_size if out.exists() else 0
        goal = size + numbers.randrange(1, 1200) if killed < kills else sys.maxsize
        while process.poll() is None:
            if out.exists() and out.stat().st_size >= goal:
                time.sleep(numbers.random() * 0.01)
                process.send_signal(signal.SIGKILL)
                process.wait()
            time.sleep(0.001)
        if process.returncode != -signal.SIGKILL:
            assert process.returncode == 4  # one of the lines is wrong
            return killed
        killed += 1
        if numbers.random() < 0.5:  # as if it had been in the middle of a line
            with open(out, "ab") as file:
                file.write(b'{"custom_id": "q')


@pytest.mark.parametrize("kills", [1, pytest.param(5, marks=pytest.mark.slow)])
def test_kill_9(tmp_path: Path, kills: int) -> None:
    """Killed at places that random numbers choose, gone on with: no answer lost, none twice, all the same."""
    source = written(tmp_path / "in", lines(6 + 4 * kills))
    run_batch(source, tmp_path / "whole", Answerer(rows=4))
    assert killed_runs(source, tmp_path / "out", kills, seed=kills) >= min(kills, 3)
    killed, whole = answers(tmp_path / "out", digits=5), answers(tmp_path / "whole", digits=5)
    assert killed == whole  # but for rounding: another process may have another number of threads
