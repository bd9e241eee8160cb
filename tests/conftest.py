"""What every test relies on: offline, and the core folders importable only inside `structgen`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

ROOT = Path(__file__).resolve().parents[1]

# The default run is the same everywhere; `--hypothesis-profile=fresh` draws new examples and new random numbers.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("fresh", deadline=None)
settings.load_profile("same")


def pytest_configure(config: pytest.Config) -> None:
    """Fresh numbers for statistical tests too."""
    if config.getoption("--hypothesis-profile", default=None) == "fresh":
        from tests.fresh import FreshSeeds

        config.pluginmanager.register(FreshSeeds())


@pytest.fixture(scope="session", autouse=True)
def _core_folders_stay_inside_structgen() -> Iterator[None]:
    yield
    # transformers probes for a distribution called `kernels` and so may leave an empty namespace package behind.
    strays = [m for m in sys.modules if m.split(".")[0] in ("automata", "grammars", "kernels") and "." in m]
    ours = [m for m in strays if str(ROOT) in str(getattr(sys.modules[m], "__file__", ""))]
    assert not ours, f"imported outside structgen: {ours}"
