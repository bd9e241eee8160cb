"""The public surface: sorted, complete, lazy, and cheap to import."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import structgen

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("torch", "transformers", "numba", "numpy", "pydantic", "lark", "jsonschema")


def test_all_is_sorted_and_every_name_loads() -> None:
    assert structgen.__all__ == sorted(structgen.__all__)
    for name in structgen.__all__:
        value = getattr(structgen, name)
        assert value.__name__ == name
        assert value.__module__.startswith("structgen."), name
    assert set(structgen.__all__) <= set(dir(structgen))


def test_unknown_attribute_is_an_attribute_error() -> None:
    assert not hasattr(structgen, "generate_json")


def test_import_is_light_and_quick() -> None:
    program = f"import sys, structgen; print([m for m in {HEAVY!r} if m in sys.modules])"
    start = time.perf_counter()
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert out.stdout.strip() == "[]"
    # the whole process on a busy machine; the import itself is a few milliseconds
    assert time.perf_counter() - start < 2.0
    inner = "import time; t = time.perf_counter(); import structgen; print(time.perf_counter() - t)"
    out = subprocess.run([sys.executable, "-c", inner], capture_output=True, text=True, check=True, cwd=ROOT)
    assert float(out.stdout) < 0.4


def test_the_core_folders_are_no_regular_top_level_packages() -> None:
    for name in ("automata", "grammars", "kernels"):
        assert not (ROOT / name / "__init__.py").exists(), f"{name}/__init__.py would shadow another distribution"
        assert (ROOT / "structgen" / name).is_symlink()
    assert not list((ROOT / "tests").rglob("__init__.py"))
