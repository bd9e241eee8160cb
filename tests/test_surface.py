"""The public surface: sorted, complete, lazy, and cheap to import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import structgen

ROOT = Path(__file__).resolve().parents[1]


def test_all_is_sorted_and_every_name_loads() -> None:
    assert structgen.__all__ == sorted(structgen.__all__)
    for name in structgen.__all__:
        value = getattr(structgen, name)
        assert value.__name__ == name
        assert value.__module__.startswith("structgen."), name
    assert set(structgen.__all__) <= set(dir(structgen))


def test_unknown_attribute_is_an_attribute_error() -> None:
    assert not hasattr(structgen, "generate_json")


def loaded(program: str) -> set[str]:
    """The modules a fresh interpreter has loaded after a program, beyond those of an empty one."""
    program = f"import sys\nbefore = set(sys.modules)\n{program}\nprint(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.split())


def test_import_loads_next_to_nothing() -> None:
    found = loaded("import structgen")
    assert {name for name in found if name.startswith("structgen")} == {"structgen", "structgen._version"}
    assert len(found) < 30, sorted(found)


COMPILE = (
    "import structgen as sg; v = sg.Vocabulary.from_bytes([b'', *(bytes([b]) for b in range(256))], eos=[0]);"
    " sg.compile(vocabulary=v, {}).matcher().mask()"
)


def test_each_constraint_loads_what_it_needs() -> None:
    """Of the packages that cost most to load; python -m benchmarks startup says how much."""
    optional = {"torch", "transformers", "pydantic", "lark", "jsonschema", "jsonschema_rs", "referencing", "attr"}
    for source, needed in {
        "schema={'properties': {'name': {'type': 'string', 'format': 'date'}}}": set(),
        "schema=list[int]": {"pydantic"},
        "regex='[a-z]+'": set(),
        "choices=['a', 'b']": set(),
        "gbnf='root ::= [0-9]+'": set(),
        "lark='start: /a+/'": {"lark"},
    }.items():
        assert loaded(COMPILE.format(source)) & optional == needed, source


def test_a_json_schema_needs_few_of_our_own_modules() -> None:
    found = {name for name in loaded(COMPILE.format("schema={'type': 'string'}")) if name.startswith("structgen.")}
    assert len(found) < 165, sorted(found)
    aside = (
        "samplers",
        "engines",
        "integrations",
        "nano",
        "cli",
        "grammars.bnf",
        "grammars.library",
        "grammars.tags",
        "tags",
    )
    assert not [name for name in found if name.startswith(tuple(f"structgen.{part}" for part in aside))]


def test_the_judge_comes_with_the_first_finished_value() -> None:
    program = "from structgen.python_types.types import target_of; target = target_of({'format': 'uri'})"
    assert "jsonschema_rs" not in loaded(program)
    assert "jsonschema_rs" in loaded(program + """; target.read('"a:b"')""")


def test_help_loads_the_parser_only() -> None:
    program = """
import contextlib, io
from structgen.cli import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main(["--help"])
"""
    ours = {name for name in loaded(program) if name.startswith("structgen.")}
    assert ours == {"structgen._version", "structgen.cli", "structgen.cli.parser"}


def test_the_core_folders_are_no_regular_top_level_packages() -> None:
    for name in ("automata", "grammars", "kernels"):
        assert not (ROOT / name / "__init__.py").exists(), f"{name}/__init__.py would shadow another distribution"
        assert (ROOT / "structgen" / name).is_symlink()
    assert not list((ROOT / "tests").rglob("__init__.py"))
