"""CUDA kernels: simulated everywhere, on a device where there is one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent


def run_checks(simulated: bool) -> str:
    """A process of its own: Numba reads the variable when it is imported."""
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
    environment.pop("NUMBA_ENABLE_CUDASIM", None)
    if simulated:
        environment["NUMBA_ENABLE_CUDASIM"] = "1"
    command = [sys.executable, str(HERE / "cuda_checks.py")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_kernels_in_the_simulator_equal_their_cpu_twins() -> None:
    assert run_checks(simulated=True) == "checked\n"


@pytest.mark.gpu
def test_kernels_on_a_device_equal_their_cpu_twins() -> None:
    assert run_checks(simulated=False) == "checked\n"


@pytest.mark.slow
def test_the_script_for_machines_with_a_device_runs_without_one() -> None:
    command = ["bash", str(HERE.parents[1] / "benchmarks" / "device.sh")]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(command, env={**os.environ, "PATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "masks ahead" in done.stdout
