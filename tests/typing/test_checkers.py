"""mypy and pyright know what a user's script gets back, and find a user's mistakes (script.py, mistakes.py)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FILES = [str(HERE / "script.py"), str(HERE / "mistakes.py")]


@pytest.mark.slow
def test_mypy_strict_agrees() -> None:
    pytest.importorskip("mypy")
    # none of this repository's settings, as in a user's project; an ignore that is not needed is an error
    options = ["--strict", "--config-file=", "--follow-imports=silent", "--explicit-package-bases"]
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "--namespace-packages", *FILES],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_pyright_agrees(tmp_path: Path) -> None:
    pytest.importorskip("basedpyright", reason="pyright with its own node, from the dev extra")
    settings = {
        "include": FILES,
        "typeCheckingMode": "standard",  # what pyright does without settings; basedpyright's own are stricter
        "extraPaths": [str(ROOT)],
        "reportUnnecessaryTypeIgnoreComment": "error",
    }
    project = tmp_path / "pyrightconfig.json"
    project.write_text(json.dumps(settings))
    ran = subprocess.run(
        [sys.executable, "-m", "basedpyright", "-p", str(project), "--pythonpath", sys.executable],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
