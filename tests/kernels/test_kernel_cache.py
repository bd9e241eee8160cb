"""Machine code on disk: never stale, whoever edits what; whole, whoever writes at the same time or cuts it short."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CALLEE = "from structgen.kernels._jit import jit\n@jit\ndef callee(x):\n    return x + {}\n"
CALLER = (
    "from structgen.kernels._jit import jit\n"
    "from structgen.kernels.callee import callee\n"
    "@jit\ndef caller(x):\n    return 10 * callee(x)\n"
)
CALL = (
    "from structgen.kernels.caller import caller\n"
    "import numpy as np, sys\n"
    "print(caller(getattr(np, sys.argv[1])(1)), sum(caller.stats.cache_hits.values()))\n"
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the package with two more kernels, one calling the other across files."""
    names = ("__init__.py", "errors.py")
    (tmp_path / "structgen").mkdir()
    for name in names:
        shutil.copy(ROOT / "structgen" / name, tmp_path / "structgen" / name)
    shutil.copytree(ROOT / "kernels", tmp_path / "structgen" / "kernels")
    (tmp_path / "structgen" / "kernels" / "callee.py").write_text(CALLEE.format(1))
    (tmp_path / "structgen" / "kernels" / "caller.py").write_text(CALLER)
    return tmp_path


def start(tree: Path, dtype: str = "int64", cache: str = "cache") -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(tree), "STRUCTGEN_CACHE_DIR": str(tree / cache)}
    command = [sys.executable, "-W", "error", "-c", CALL, dtype]
    return subprocess.Popen(
        command, cwd=tree, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def result(process: subprocess.Popen[str]) -> tuple[float, int]:
    """What the caller returned and how many functions came from disk."""
    out, error = process.communicate()
    assert process.returncode == 0, error[-2000:]
    value, hits = out.split()
    return float(value), int(hits)


def test_an_edit_to_a_callee_in_another_file_is_seen_and_undone(tree: Path) -> None:
    callee = tree / "structgen" / "kernels" / "callee.py"
    assert result(start(tree)) == (20, 0)
    callee.write_text(CALLEE.format(2))
    assert result(start(tree)) == (30, 0)
    callee.write_text(CALLEE.format(1))
    assert result(start(tree)) == (20, 1)


def test_damaged_files_are_made_again(tree: Path) -> None:
    assert result(start(tree)) == (20, 0)
    for suffix in ("nbc", "nbi"):
        for path in (tree / "cache").rglob(f"*.{suffix}"):
            path.write_bytes(path.read_bytes()[:-20])
        assert result(start(tree)) == (20, 0)
        assert result(start(tree)) == (20, 1)


def test_a_cache_that_cannot_be_written_costs_time_only(tree: Path) -> None:
    (tree / "file").touch()
    assert result(start(tree, cache="file")) == (20, 0)


def test_processes_that_save_at_once_lose_nothing(tree: Path) -> None:
    dtypes = ["int64", "float64", "int32", "float32"]
    assert [result(p) for p in [start(tree, dtype) for dtype in dtypes]] == [(20, 0)] * 4
    assert [result(p) for p in [start(tree, dtype) for dtype in dtypes]] == [(20, 1)] * 4


def test_folders_nobody_uses_are_removed(tmp_path: Path) -> None:
    from structgen.warmup import remove_unused

    for name, days in (("new", 1), ("old", 40), ("unfinished", None)):
        (tmp_path / name).mkdir()
        if days is not None:
            (tmp_path / name / "ready").touch()
            os.utime(tmp_path / name / "ready", (time.time() - 86_400 * days,) * 2)
    (tmp_path / "compile.lock").touch()
    remove_unused(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["compile.lock", "new", "unfinished"]


@pytest.mark.slow
def test_one_of_many_first_processes_compiles(tmp_path: Path) -> None:
    program = "from structgen.warmup import ensure_compiled; ensure_compiled()"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "STRUCTGEN_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", program]
    started = [subprocess.Popen(command, env=environment, text=True, stderr=subprocess.PIPE) for _ in range(4)]
    errors = [process.communicate()[1] for process in started]
    assert [process.returncode for process in started] == [0] * 4
    assert sum("compiling kernels" in error for error in errors) == 1
