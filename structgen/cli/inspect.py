"""The commands that look without generating: check, explain, compile, warmup."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from structgen.cli.reading import schema_argument, source_argument, style_argument, text_argument

__all__ = ["check", "compile", "explain", "warmup"]


def check(arguments: argparse.Namespace) -> int:
    """Print what `structgen.api.check` finds; 0 when the schema is supported."""
    from structgen.api.check import check as findings_of

    said = {"style": style_argument(arguments), "dialect": arguments.dialect, "strict": bool(arguments.strict)}
    found = findings_of(schema_argument(arguments.schema), **said)
    if arguments.json:
        print(json.dumps(dataclasses.asdict(found)))
        return 0 if found.supported else 1
    draft = f"draft {found.draft}" if found.draft < 2019 else {2019: "2019-09", 2020: "2020-12"}[found.draft]
    print("supported     " + ("yes, exactly" if found.supported else f"no: {found.reason}"))
    print(f"dialect       {draft}")
    print(f"enforced      {_counts(found.enforced)}")
    print(f"annotations   {_counts(found.annotations)}")
    if found.supported:
        print(f"automaton     {_sizes(found.size)}; compiled in {1e3 * found.seconds:.1f} ms")
    for name in found.residual:
        print(f"beside it     {name}: what was written is compared")
    for pointer, warning in found.warnings:
        print(f"warning       {pointer}: {warning}")
    return 0 if found.supported else 1


def explain(arguments: argparse.Namespace) -> int:
    """Print where a text leaves the language; 0 when it is complete."""
    from structgen.api.explain import explain as explanation_of
    from structgen.api.explain import picture as picture_of

    grammar, text = source_argument(arguments).lower().grammar, text_argument(arguments.text)
    found = explanation_of(grammar, text)
    print(found)
    if arguments.dot is not None:
        _write(arguments.dot, picture_of(grammar, text))
    return 0 if found.complete else 1


def compile(arguments: argparse.Namespace) -> int:
    """Compile for a vocabulary; print fingerprint, sizes, times and what the language is like."""
    from structgen.api.compile import compile_source
    from structgen.api.explain import networks_picture as networks_of
    from structgen.api.explain import summary as summary_of
    from structgen.api.models import vocabulary_at
    from structgen.warmup import ensure_compiled

    ensure_compiled()
    source = source_argument(arguments)
    vocabulary = vocabulary_at(arguments.model)
    started = time.perf_counter()
    constraint, report = compile_source(source, vocabulary)
    compiled = time.perf_counter()
    constraint.matcher().mask()
    masked = time.perf_counter()
    found = {
        "kind": source.kind,
        "fingerprint": constraint.fingerprint,
        "vocabulary": vocabulary.size,
        **summary_of(constraint),
        "compile_ms": round(1e3 * (compiled - started), 3),
        "first_mask_ms": round(1e3 * (masked - compiled), 3),
    }
    if unused := getattr(report, "unused", ()):
        found["unused"] = tuple(unused)
    if ambiguous := getattr(report, "ambiguous", ()):
        found["ambiguous"] = tuple(f"{text!r} is {winner}, never {loser}" for winner, loser, text in ambiguous)
    if arguments.dot is not None:
        _write(arguments.dot, networks_of(constraint))
    if arguments.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name.replace('_', ' '):<14}{', '.join(value) if isinstance(value, tuple) else value}")
    return 0


def warmup(arguments: argparse.Namespace) -> int:
    """Compile all kernels if they are not; print where they are, how large and what it took."""
    from structgen.warmup import ensure_compiled, ensure_lexed_compiled, kernel_files

    started = time.perf_counter()
    ensure_compiled()
    ensure_lexed_compiled()
    files = kernel_files()
    if not files:
        print("structgen: kernels are compiled, but no folder can be written to keep them", file=sys.stderr)
        return 1
    size = sum(path.stat().st_size for path in files)
    print(f"kernels are ready: {files[0].parent} ({size / 1e6:.1f} MB, {time.perf_counter() - started:.1f} s)")
    return 0


def _write(path: str, text: str) -> None:
    Path(path).write_text(text + "\n", encoding="utf-8")


def _counts(names: Mapping[str, int]) -> str:
    return ", ".join(name if count == 1 else f"{name} ({count})" for name, count in names.items()) or "none"


def _sizes(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sizes.items())
