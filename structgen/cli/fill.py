"""`structgen fill`: a file with holes, filled by a model so that the whole is a text of the constraint."""

from __future__ import annotations

import argparse
import sys
import warnings

from structgen.cli.codes import ENDED_BY_BUDGET
from structgen.cli.reading import file_argument, source_options, style_argument
from structgen.errors import CompletedWarning

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Print the filled text; ENDED_BY_BUDGET where the end of a hole was not the model's own."""
    from structgen.api.infill import Hole, fill

    first, *others = file_argument(arguments.file, "file").split(arguments.hole)
    parts = [first, *(part for text in others for part in (Hole, text))]
    spelling = {"style": style_argument(arguments), "dialect": arguments.dialect, "strict": arguments.strict}
    given = {**source_options(arguments), **spelling}
    source = {name: value for name, value in given.items() if value is not None}
    drawing = {"max_tokens": arguments.max_tokens, "temperature": arguments.temperature, "seed": arguments.seed}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CompletedWarning)  # said below
        found = fill(arguments.model, parts, on_truncate=arguments.on_truncate, **drawing, **source)
    print(found.text, end="" if found.text.endswith("\n") else "\n")
    cut = [n for n, result in enumerate(found.results, 1) if result.finish_reason == "completed"]
    for number in cut:
        print(f"structgen: warning: the budget ended hole {number}; its end is not the model's", file=sys.stderr)
    return ENDED_BY_BUDGET if cut else 0
