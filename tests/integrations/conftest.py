"""The bundled model's vocabulary, and constraints over it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from structgen import nano
from structgen.api.compile import compile
from structgen.engines.loading import load_tokenizer
from structgen.integrations.lowering import Lowerer
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


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return load_tokenizer(nano.path())


@contextmanager
def one_process_lowers(module: Any) -> Iterator[None]:
    """One process for all backends of a module that would start one each: it takes half a second to begin."""
    known: dict[Vocabulary, Lowerer] = {}

    def shared(vocabulary: Vocabulary) -> Lowerer:
        return known.setdefault(vocabulary, Lowerer(vocabulary))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "Lowerer", shared)
        yield
    for lowerer in known.values():
        lowerer.close()
