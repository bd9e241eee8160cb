"""The errors: each is raised somewhere, the tree in the header is the tree, and one function says what was meant."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from structgen import errors
from structgen.errors import suggest

ROOT = Path(__file__).resolve().parents[1]
CLASSES = {name: value for name, value in vars(errors).items() if isinstance(value, type)}
ABSTRACT = {"StructgenError", "SourceError"}  # what users catch


def test_every_error_is_made_somewhere() -> None:
    made = set()
    for folder in ("structgen", "grammars", "automata", "kernels"):
        for file in (ROOT / folder).rglob("*.py"):
            calls = (node.func for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call))
            made |= {call.id for call in calls if isinstance(call, ast.Name)}
    errors_of_ours = {name for name, value in CLASSES.items() if issubclass(value, errors.StructgenError)}
    assert errors_of_ours - made == ABSTRACT


def test_the_header_draws_the_tree() -> None:
    drawn = re.findall(r"^([│ ]*)[├└]── (\w+)", errors.__doc__ or "", re.M)
    parents = {0: "StructgenError"}
    for indent, name in drawn:
        depth = len(indent) // 4 + 1
        parents[depth] = name
        assert CLASSES[name].__bases__[0].__name__ == parents[depth - 1], name
    assert {"StructgenError", *(name for _, name in drawn)} == {
        name for name, value in CLASSES.items() if issubclass(value, errors.StructgenError)
    }


def test_the_nearest_name_is_suggested_if_it_is_near() -> None:
    assert suggest("temprature", ["top_p", "temperature"]) == "; did you mean 'temperature'?"
    assert suggest("x", ["top_p", "temperature"]) == ""
    assert suggest(3, ["top_p"]) == ""
