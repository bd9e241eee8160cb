"""Monitors: what their masks cost, what servers know, what a model writes under them.

    python -m benchmarks monitors bits [--places 10000]
    python -m benchmarks monitors masks [--tokenizer llama3] [--server ty]
    python -m benchmarks monitors sites [--servers ty,tsc] [--tokenizer smollm2]
    python -m benchmarks monitors model [--server ty] [--model smollm2] [--temperature 0.8]
    python -m benchmarks monitors calls [--server ty] [--model smollm2]
    python -m benchmarks monitors ratio [--server ty] [--model smollm2] [--rounds 2]
    python -m benchmarks monitors triggers

Each part says in its module what it measures (bits.py, masks.py, sites.py, model.py, calls.py, ratio.py), and
writes benchmarks/results/monitors-*.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from benchmarks import tokenizers
from benchmarks.data import write_results
from benchmarks.monitors import bits, calls, masks, model, ratio, sites
from structgen.api.models import vocabulary_at
from structgen.errors import ServerError
from structgen.monitors.analyses.catalogue import SERVERS

Rows = list[dict[str, Any]]


def _bits(options: argparse.Namespace) -> Rows:
    rows = []
    for name, share in bits.SHARES.items():
        vocabulary = tokenizers.load(name).vocabulary if name in tokenizers.NAMES else vocabulary_at(name or None)
        rows.append(bits.measure(name or "nano", vocabulary, share * options.places // 100))
        print("{vocabulary}: {wrong} wrong bits at {places} places, {wrong_loose} of loose rows".format(**rows[-1]))
    return rows


def _masks(options: argparse.Namespace) -> Rows:
    tokenizer = tokenizers.load(options.tokenizer)
    rows = [{"tokenizer": options.tokenizer}, masks.masks(tokenizer, options.texts)]
    for name in ("mask_us", "loose_us", "arguments_mask_us", "arguments_loose_us", "accept_us"):
        print(f"{name}: " + ", ".join(f"{key} {value:,.0f}" for key, value in rows[-1][name].items()))
    if options.server:
        rows.append(masks.asked(tokenizer, options.server, options.texts))
        print(rows[-1])
    return rows


def _sites(options: argparse.Namespace) -> Rows:
    vocabulary, rows = tokenizers.load(options.tokenizer).vocabulary, Rows()
    for name in options.servers.split(",") if options.servers else SERVERS:
        try:
            rows.append(sites.judged(name))
        except ServerError as error:
            print(f"{name}: {error.reason}")
            continue
        print("{server} {version}: {active} of {sites} active, {wrong} wrong, {too_many} too many".format(**rows[-1]))
        for row in sites.adversarial(name, vocabulary):
            rows.append(row)
            print("  {sampler}, monitor {monitor}: {valid} valid of {judged} judged, {sites} sites".format(**row))
    return rows


def _model(options: argparse.Namespace) -> Rows:
    rows = model.measure(options.server or "ty", options.model, options.temperature)
    for row in rows:
        print(row)
    return rows


def _calls(options: argparse.Namespace) -> Rows:
    rows = [calls.working(options.server or "ty"), *calls.written(options.server or "ty", options.model)]
    for row in rows:
        print(row)
    return rows


def _ratio(options: argparse.Namespace) -> Rows:
    rows = [ratio.measure(options.server or "ty", options.model, options.rounds)]
    print(
        "{ratio_to_constraint:.3f} of the constraint alone, {ratio_to_alone:.3f} of the model alone".format(**rows[0])
    )
    return rows


def _triggers(options: argparse.Namespace) -> Rows:
    rows = []
    for name in tokenizers.NAMES:
        rows.append({"tokenizer": name, **masks.triggers(tokenizers.load(name), options.texts)})
        print("{tokenizer}: {inside_tokens} of {accesses} accesses end inside a token".format(**rows[-1]))
    return rows


def main() -> None:
    """Measure, print, write."""
    parts = {
        "bits": _bits,
        "masks": _masks,
        "sites": _sites,
        "model": _model,
        "calls": _calls,
        "ratio": _ratio,
        "triggers": _triggers,
    }
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=parts, nargs="?", default="masks")
    parser.add_argument("--tokenizer", choices=tokenizers.NAMES, default="llama3")
    parser.add_argument("--places", type=int, default=10_000, help="at which bits are compared")
    parser.add_argument("--texts", type=int, default=20)
    parser.add_argument("--server")
    parser.add_argument("--servers", help="names with commas; default: all that are installed")
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--rounds", type=int, default=2, help="of decoding each text in every way")
    parser.add_argument("--temperature", type=float, default=0.0)
    options = parser.parse_args()
    started, rows = time.perf_counter(), parts[options.part](options)
    name = "monitors" if options.part == "masks" else f"monitors-{options.part}"
    if options.part == "model" and options.temperature:
        name += f"-{options.temperature:g}"
    write_results(name, rows)
    print(f"{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
