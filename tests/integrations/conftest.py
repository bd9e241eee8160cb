"""The bundled model's vocabulary, and constraints over it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from structgen import nano
from structgen.api.compile import compile
from structgen.matcher import Constraint
from structgen.vocabulary import Vocabulary


@pytest.fixture(scope="session")
def vocabulary() -> Vocabulary:
    return nano.vocabulary()


@pytest.fixture(scope="session")
def constrain(vocabulary: Vocabulary) -> Callable[..., Constraint]:
    def make(**source: Any) -> Constraint:
        return compile(vocabulary=vocabulary, **source)

    return make
