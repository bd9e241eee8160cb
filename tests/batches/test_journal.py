"""The file of answers: whole after a kill at any byte, one writer, answers of one run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from structgen.batches.journal import open_journal
from structgen.errors import OptionError

RUN = {"model": "m", "seed": 0, "defaults": {"temperature": 1.0}}
ANSWERS = [
    {"custom_id": "a", "request": "1", "value": 1},
    {"custom_id": "b\n\u2028\ud800", "request": "2", "error": {"type": "E", "message": "\u00e9"}},
    {"custom_id": "c", "request": "3", "value": {"x": ["\n"]}},
]


def write(path: Path, answers: list[dict[str, Any]] = ANSWERS, run: dict[str, Any] = RUN) -> bytes:
    with open_journal(path, run) as journal:
        for answer in answers:
            journal.write(answer)
    return path.read_bytes()


def test_what_was_written_is_there_again(tmp_path: Path) -> None:
    data = write(tmp_path / "out")
    assert [json.loads(line) for line in data.splitlines()] == ANSWERS
    with open_journal(tmp_path / "out", RUN) as journal:
        assert (journal.answered, journal.errors, journal.cut) == (
            {a["custom_id"]: a["request"] for a in ANSWERS},
            1,
            0,
        )


def test_a_file_cut_at_any_byte_is_gone_on_with(tmp_path: Path) -> None:
    out = tmp_path / "out"
    data = write(out)
    for size in range(len(data) + 1):
        out.write_bytes(data[:size])
        whole = data[:size].count(b"\n")
        with open_journal(out, RUN) as journal:
            assert list(journal.answered) == [answer["custom_id"] for answer in ANSWERS[:whole]]
            assert journal.cut == size - data[:size].rfind(b"\n") - 1
            for answer in ANSWERS[whole:]:
                journal.write(answer)
        assert out.read_bytes() == data, size


def test_an_unfinished_line_may_be_long_or_zeros(tmp_path: Path) -> None:
    out = tmp_path / "out"
    data = write(out)
    for tail in (b"\0" * 4096, b'{"custom_id": "' + b"x" * 300_000):
        out.write_bytes(data + tail)
        with open_journal(out, RUN) as journal:
            assert journal.cut == len(tail)
        assert out.read_bytes() == data


def test_answers_of_another_run_are_not_mixed_with_ours(tmp_path: Path) -> None:
    out = tmp_path / "out"
    data = write(out)
    with (
        pytest.raises(OptionError, match="holds answers of another run: seed was 0, is 1"),
        open_journal(out, {**RUN, "seed": 1}),
    ):
        pass
    assert out.read_bytes() == data
    (tmp_path / "out.run").unlink()
    with pytest.raises(OptionError, match=r"out\.run does not say of which run"), open_journal(out, RUN):
        pass
    assert out.read_bytes() == data


def test_a_run_that_was_killed_before_its_first_answer_is_begun_anew(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(out, [])
    (tmp_path / "out.run").write_text('{"model": "m"')  # cut off
    assert write(out, run={**RUN, "seed": 1})
    assert json.loads((tmp_path / "out.run").read_text())["seed"] == 1


@pytest.mark.parametrize(
    "line", [b"{}", b"no JSON", b'{"custom_id": "z"}', b"[]", b'{"custom_id": "a", "request": "1"}']
)
def test_what_is_no_answer_is_named(tmp_path: Path, line: bytes) -> None:
    out = tmp_path / "out"
    data = write(out) + line + b"\n"
    out.write_bytes(data)
    with pytest.raises(OptionError, match="line 4"), open_journal(out, RUN):
        pass
    assert out.read_bytes() == data


def test_two_writers_are_one_too_many(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with open_journal(out, RUN) as journal:
        with pytest.raises(OptionError, match="another process is writing"), open_journal(out, RUN):
            pass
        journal.write(ANSWERS[0])
    assert write(out, ANSWERS[1:]).count(b"\n") == 3


def test_errors_are_taken_out_when_they_are_asked_again(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(out)
    with open_journal(out, RUN, again=True) as journal:
        assert list(journal.answered) == ["a", "c"]
        assert journal.errors == 0
    assert [json.loads(line)["custom_id"] for line in out.read_bytes().splitlines()] == ["a", "c"]
