"""`complete`: the bundled model writes into a file, and names only what exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import structgen as sg
from structgen import nano
from structgen.api.complete import completed
from structgen.cli import main
from structgen.errors import OptionError, ServerError
from structgen.monitors import Members, Question, Signature, Silent
from structgen.monitors.analyses import catalogue
from structgen.monitors.analyses.table import Table

pytestmark = pytest.mark.skipif(not (nano.path() / "model.safetensors").exists(), reason="nano's weights are absent")
TEXT = "def f(parcel):\n    x = parcel.\n    return x\n"
NAMES = ["grams", "gross_weight"]
TABLE = Table({"parcel": NAMES})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "work.py"
    path.write_text(TEXT)
    return path


@pytest.mark.parametrize("seed", range(3))
def test_members_exist(seed: int, file: Path) -> None:
    found = completed(None, file, at=(2, 16), monitors=TABLE, max_tokens=12, temperature=1.0, seed=seed)
    name = re.match(r"[ \t\f]*(\w*)", found.text)
    assert name is not None
    whole = name.end() < len(found.text)
    assert any(each == name[1] or (not whole and each.startswith(name[1])) for each in NAMES), found.text
    assert found.reports["members"].active >= 1
    assert found.text.count("\n") <= 1


def test_arguments_of_python_are_watched_where_signatures_are_known(file: Path) -> None:
    class Known(Table):
        def signatures(self, question: Question) -> tuple[Signature, ...] | Silent:
            return (Signature(()),) if question.before.endswith(b"parcel.grams(") else Silent("another call")

    file.write_text("x = parcel.grams(\n")
    found = completed(None, file, at=(1, 18), monitors=Known({"parcel": NAMES}), max_tokens=4)
    assert found.text.lstrip(" ")[:1] in (")", "#", "\\", "*", "\n", "")
    assert set(found.reports) == {"members", "arguments"}
    assert found.reports["arguments"].active == 1


def test_without_monitors_anything_may_come(file: Path) -> None:
    found = completed(None, file, at=(2, 16), monitors=None, max_tokens=5)
    assert found.reports == {}


def test_lines_and_constraints(file: Path) -> None:
    constraint = sg.compile(regex=r"g[a-z_]*", vocabulary=nano.vocabulary())
    text = sg.complete(None, file, at=(2, 16), monitors=[TABLE], constraint=constraint)
    assert text in ("grams", "gross_weight")
    two = completed(None, file, at=(3, 1), monitors=None, lines=2, max_tokens=60, temperature=1.0, seed=1).text
    assert two.count("\n") <= 2


def test_wrong_places_and_files(file: Path, tmp_path: Path) -> None:
    for at in ((5, 1), (2, 40), (0, 1), (1, 0)):
        with pytest.raises(OptionError, match="has no line"):
            sg.complete(None, file, at=at, monitors=None)
    with pytest.raises(OptionError, match="lines must be at least 1"):
        sg.complete(None, file, at=(1, 1), monitors=None, lines=0)
    other = tmp_path / "a.cob"
    other.write_text("x.")
    with pytest.raises(OptionError, match=r"no monitor knows files like a\.cob"):
        sg.complete(None, other, at=(1, 3))


def test_an_absent_server_says_how_to_get_it(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue.Server, "found", lambda self, root=".": None)
    with pytest.raises(ServerError, match="pip install ty"):
        sg.complete(None, file, at=(2, 16))
    with pytest.raises(ServerError, match="pip install pyrefly"):
        sg.complete(None, file, at=(2, 16), monitors="pyrefly")


def test_on_the_command_line(file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["complete", str(file), "--at", "2:16", "--monitor", "none", "--max-tokens", "3", "--stats"]) == 0
    assert capsys.readouterr().out
    assert main(["complete", str(file), "--at", "2"]) == 2
    assert "LINE:COLUMN" in capsys.readouterr().err
    monkeypatch.setattr(catalogue.Server, "found", lambda self, root=".": None)
    assert main(["servers"]) == 1
    out = capsys.readouterr().out
    assert "ty" in out
    assert "is not installed: pip install ty" in out
    assert main(["servers", "--json"]) == 1
    assert '"name": "pyrefly"' in capsys.readouterr().out


def test_monitors_of_a_call() -> None:
    first, second = Members(TABLE, "work.py", before="parcel.", after="x"), Members(TABLE, "w.py", before="parcel.")
    call = {"regex": r"[a-z_]{2,20}", "chat": False, "max_tokens": 30, "seed": 1}
    for method in ("masked", "cars"):
        result = sg.generate_result(None, "parcel.", monitors=[first, second], method=method, **call)
        assert result.value in NAMES
        assert set(result.monitors) == {"members", "members 2"}
        assert result.monitors["members"].active == 1
        assert result.to_dict()["text"] == result.text
    assert sg.generate(None, "parcel.", monitors=first, **call) in NAMES
    assert sg.generate_result(None, "parcel.", **call).monitors == {}
    short = sg.Predicate(lambda text, complete: len(text) < 6)
    guarded = sg.generate_result(None, "parcel.", monitors=first, where=short, method="cars", **call)
    assert guarded.value == "grams"
    assert guarded.monitors["members"].active == 1
    with pytest.raises(OptionError, match="monitors is a monitor"):
        sg.generate(None, "parcel.", monitors=TABLE, **call)
