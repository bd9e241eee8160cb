"""Machine code on disk: never stale, whoever edits what; whole, whoever writes at the same time or cuts it short."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CALLEE = "from structgen.kernels._jit import inner\n@inner\ndef callee(x):\n    return x + {}\n"
CALLER = (
    "from structgen.kernels._jit import Unit\n"
    "from structgen.kernels.callee import callee\n"
    "UNIT = Unit('unit', 'caller')\n"
    "@UNIT.entry\ndef caller(x: int):\n    return 10 * callee(x)\n"
)
CALL = (
    "from structgen.kernels.caller import UNIT, caller\n"
    "from structgen.kernels._disk import cache_root\n"
    "made, make = [], UNIT.make\n"
    "UNIT.make = lambda: made.append(1) or make()\n"
    "print(caller(1), len(made), cache_root())\n"
)
FOUND, MADE = 0, 1


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
    (tmp_path / "tmp").mkdir()
    return tmp_path


def start(tree: Path, program: str = CALL, **variables: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(tree), "TMPDIR": str(tree / "tmp")}
    environment |= {"STRUCTGEN_CACHE_DIR": str(tree / "cache"), **variables}
    command = [sys.executable, "-W", "error", "-c", program]
    return subprocess.Popen(
        command, cwd=tree, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def ended(process: subprocess.Popen[str]) -> tuple[list[str], str]:
    """The words on stdout, and stderr."""
    out, error = process.communicate()
    assert process.returncode == 0, error[-2000:]
    return out.split(), error


def result(process: subprocess.Popen[str]) -> tuple[int, int]:
    """What the caller returned, and FOUND on disk or MADE."""
    (value, made, _), _ = ended(process)
    return int(value), int(made)


def test_an_edit_to_a_callee_in_another_file_is_seen_and_undone(tree: Path) -> None:
    callee = tree / "structgen" / "kernels" / "callee.py"
    assert result(start(tree)) == (20, MADE)
    callee.write_text(CALLEE.format(2))
    assert result(start(tree)) == (30, MADE)
    callee.write_text(CALLEE.format(1))
    assert result(start(tree)) == (20, FOUND)


def test_damaged_files_are_made_again(tree: Path) -> None:
    assert result(start(tree)) == (20, MADE)
    for path in (tree / "cache").rglob("*.bin"):
        path.write_bytes(path.read_bytes()[:-20])
    assert result(start(tree)) == (20, MADE)
    assert result(start(tree)) == (20, FOUND)


def test_processes_that_save_at_once_leave_a_whole_file(tree: Path) -> None:
    assert [value for value, _ in map(result, [start(tree) for _ in range(3)])] == [20] * 3
    assert result(start(tree)) == (20, FOUND)
    assert len([path for path in (tree / "cache").rglob("*") if path.is_file()]) == 1


def test_a_cache_that_cannot_be_written_is_replaced_by_a_private_folder_with_one_warning(tree: Path) -> None:
    (tree / "file").touch()
    (value, made, root), error = ended(start(tree, STRUCTGEN_CACHE_DIR=str(tree / "file")))
    assert (value, made) == ("20", "1")
    assert Path(root).parent == tree / "tmp"
    assert Path(root).stat().st_mode & 0o777 == 0o700
    assert len(error.splitlines()) == 1 and "STRUCTGEN_CACHE_DIR" in error
    assert result(start(tree, STRUCTGEN_CACHE_DIR=str(tree / "file"))) == (20, FOUND)


def test_a_private_folder_that_others_can_enter_is_not_used(tree: Path) -> None:
    (tree / "file").touch()
    folder = tree / "tmp" / f"structgen-{os.getuid()}"
    folder.mkdir()
    folder.chmod(0o777)
    (value, made, _), error = ended(start(tree, STRUCTGEN_CACHE_DIR=str(tree / "file")))
    assert (value, made) == ("20", "1")
    assert "is not a folder of this user alone" in error.splitlines()[0]
    assert list(folder.iterdir()) == []


def test_a_user_without_a_home_makes_no_folder_named_tilde(tree: Path) -> None:
    program = "import os\nos.path.expanduser = lambda path: path\n" + CALL
    (_, _, root), error = ended(start(tree, program, STRUCTGEN_CACHE_DIR="", XDG_CACHE_HOME=""))
    assert Path(root).parent == tree / "tmp"
    assert "no home" in error
    assert not (tree / "~").exists()


def test_a_cache_that_is_filled_may_be_read_only(tree: Path) -> None:
    assert result(start(tree)) == (20, MADE)
    program = "import os\nopen_ = os.open\ndef refuse(path, flags, *rest, **named):\n    " + (
        "if flags & os.O_CREAT: raise PermissionError(path)\n    return open_(path, flags, *rest, **named)\n"
    )
    (value, made, root), error = ended(start(tree, program + "os.open = refuse\n" + CALL))
    assert (value, made, root) == ("20", "0", str(tree / "cache"))
    assert error == ""


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the names of processors are those of x86-64")
def test_machine_code_can_be_made_for_a_whole_class_of_processors(tree: Path) -> None:
    named = {"NUMBA_CPU_NAME": "x86-64-v2", "NUMBA_CPU_FEATURES": ""}  # as docs/deploy.md says
    assert result(start(tree, **named)) == (20, MADE)
    assert result(start(tree)) == (20, MADE)
    assert result(start(tree, **named)) == (20, FOUND)


def test_kernels_are_called_as_they_are_declared(tree: Path) -> None:
    program = (
        "from structgen.kernels.caller import caller\n"
        "from structgen.kernels.callee import callee\n"
        "for kernel, argument in ((caller, 'text'), (callee, 1)):\n"
        "    try:\n        kernel(argument)\n    except TypeError as error:\n        print(type(error).__name__)\n"
    )
    assert ended(start(tree, program))[0] == ["TypeError", "TypeError"]


def test_folders_nobody_uses_are_removed(tmp_path: Path) -> None:
    from structgen.warmup import remove_unused

    for name, days in (("new", 1), ("old", 40)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (time.time() - 86_400 * days,) * 2)
    (tmp_path / "file").touch()
    remove_unused(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "new"]
