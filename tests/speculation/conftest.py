"""Engines and constraints that the tests of speculation share with those of the engines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from structgen.engines.transformers import TransformersEngine
from tests.engines import conftest as engines


@pytest.fixture
def make_engine() -> Callable[..., TransformersEngine]:
    """Tiny random models by family (tests/engines/conftest.py)."""

    def make(family: str = "llama", *, padding: int = 0, double: bool = False, seed: int = 0) -> Any:
        return engines._engine(family, padding, double, seed)

    return make
