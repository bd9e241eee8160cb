"""Kernels are compiled before they are needed, once per machine, and whoever waits or interrupts that is told so."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from structgen.kernels._jit import UNITS
from structgen.warmup import ensure_compiled, ensure_lexed_compiled

ROOT = Path(__file__).resolve().parents[2]
COMPILE = "from structgen.warmup import ensure_compiled; ensure_compiled()"


def start(program: str, cache: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "STRUCTGEN_CACHE_DIR": str(cache)}
    command = [sys.executable, "-c", program]
    return subprocess.Popen(
        command, env=environment, text=True, stderr=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )


def test_every_entry_gets_the_machine_code_it_declares() -> None:
    ensure_compiled()
    ensure_lexed_compiled()
    for unit in UNITS:
        unit.ready()
    entries = [entry for unit in UNITS for entry in unit.entries.values()]
    assert len(entries) > 30
    assert all(len(entry.overloads) == len(entry.declared()) for entry in entries)


def test_units_name_every_module_with_an_entry_of_theirs() -> None:
    found = {
        (unit.lower(), path.stem)
        for path in (ROOT / "kernels").glob("[!_]*.py")
        for unit in re.findall(r"^@(\w+)\.entry", path.read_text(), re.M)
    }
    assert found == {
        (unit.name, entry.py_func.__module__.split(".")[-1]) for unit in UNITS for entry in unit.entries.values()
    }


@pytest.mark.skipif(os.name == "nt", reason="no flock")
def test_who_waits_says_for_which_process(tmp_path: Path) -> None:
    from structgen.warmup import turn

    program = "import sys; from pathlib import Path; from structgen.warmup import turn\n" + (
        f"with turn(Path({str(tmp_path / 'lock')!r}), 'kernels'): pass"
    )
    with turn(tmp_path / "lock", "kernels"):
        waiting = start(program, tmp_path)
        assert waiting.stderr is not None
        assert f"waiting for process {os.getpid()}, which compiles kernels" in waiting.stderr.readline()
        assert waiting.poll() is None
    assert "done waiting" in waiting.communicate()[1]
    assert waiting.returncode == 0


@pytest.mark.skipif(os.name == "nt", reason="no process groups")
def test_an_interrupt_ends_all_processes_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    process = start(COMPILE, tmp_path)
    assert process.stderr is not None
    assert "compiling kernels" in process.stderr.readline()
    time.sleep(1)
    os.killpg(process.pid, signal.SIGINT)
    error = process.communicate(timeout=60)[1]
    assert process.returncode != 0
    assert error.rstrip().endswith("KeyboardInterrupt")
    assert "ctypes" not in error and error.count("Traceback") == 1
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["compile.lock"]


@pytest.mark.slow
def test_one_of_many_first_processes_compiles(tmp_path: Path) -> None:
    started = [start(COMPILE, tmp_path) for _ in range(4)]
    errors = [process.communicate()[1] for process in started]
    assert [process.returncode for process in started] == [0] * 4
    assert sum("compiling kernels" in error for error in errors) == 1
