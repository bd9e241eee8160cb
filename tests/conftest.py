"""What every test relies on: offline, and the core folders importable only inside `structgen`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session", autouse=True)
def _core_folders_stay_inside_structgen() -> Iterator[None]:
    yield
    for name in ("automata", "grammars", "kernels"):
        module = sys.modules.get(name)
        origin = [str(path) for path in getattr(module, "__path__", [])]
        assert str(ROOT / name) not in origin, f"{name} was imported as a top-level package"
