"""What each kind of constraint costs: making the grammar, laying out its networks, and masks along random texts.

Over a real vocabulary (llama3). Spans are of a passage of 100,000 characters.

    python -m benchmarks kinds
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections.abc import Callable
from random import Random

import structgen as sg
from benchmarks.data import shared, summary, write_results
from structgen.api.language import Language
from structgen.automata.configurations import Configurations
from structgen.automata.masks import MaskTable
from structgen.automata.network import build_network
from structgen.bits import ids_of
from structgen.compiler import trie_of
from structgen.kernels.layout import START
from structgen.vocabulary import Vocabulary
from structgen.warmup import ensure_compiled


def passage(length: int = 100_000) -> str:
    """Words drawn from 3,000 with a falling frequency."""
    rng = Random(0)
    words = ["".join(rng.choices("etaoinshrdlu", k=rng.randint(1, 9))) for _ in range(3000)]
    parts = [words[int(3000 * rng.random() ** 2)] + rng.choice([" ", " ", " ", ", ", ". "]) for _ in range(length // 4)]
    return "".join(parts)[:length]


def kinds() -> dict[str, Callable[[], Language]]:
    """Name -> what makes the language."""
    text = passage()
    words = sorted(set(text.replace(".", "").replace(",", "").split()))
    return {
        "span, characters": lambda: sg.span(text),
        "span, words": lambda: sg.span(text, words=True),
        "labels in 1,000 characters": lambda: sg.labelled(text[:1000], ["person", "place", "time"]),
        "avoiding 1,000 words": lambda: sg.avoiding(*words[:1000]),
        "2 to 200 words, 1 to 9 sentences": lambda: sg.length(words=(2, 200), sentences=(1, 9)),
        "template": lambda: sg.template("{a}: {b}.", a=sg.regex(r"[A-Z]\w+"), b=sg.library("json")),
        "regex [a-z]{1,100000}": lambda: sg.regex("[a-z]{1,100000}"),
        "regex, 1,000 words": lambda: sg.regex("|".join(words[:1000])),
        "json": lambda: sg.library("json"),
        "json, containing and avoiding": lambda: sg.library("json") & sg.containing('"id"') & sg.avoiding("null"),
        "json of 20 characters": lambda: sg.library("json") & sg.length(characters=(0, 20)),
        "xml": lambda: sg.library("xml"),
        "sql": lambda: sg.library("sql"),
        "sql with a join": lambda: sg.library("sql") & sg.containing(" JOIN "),
        "python": lambda: sg.library("python"),
        "smiles": lambda: sg.library("smiles"),
    }


def main() -> None:
    """Measure each and record."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks kinds")
    parser.add_argument("--steps", type=int, default=40, help="tokens of each of five random texts")
    options = parser.parse_args()
    from transformers import AutoTokenizer

    ensure_compiled()
    vocabulary = Vocabulary.from_tokenizer(AutoTokenizer.from_pretrained(str(shared() / "tokenizers" / "llama3")))
    _measured("first", lambda: sg.regex("[a-z]+b|c"), vocabulary, 10)  # what only the first one pays
    records = [_measured(name, make, vocabulary, options.steps) for name, make in kinds().items()]
    for record in records:
        print(json.dumps(record))
    write_results("kinds", records)


def _measured(name: str, make: Callable[[], Language], vocabulary: Vocabulary, steps: int) -> dict[str, object]:
    gc.collect()
    started = time.process_time()  # one thread, and the machine is shared
    grammar = make().grammar
    made = time.process_time()
    networks = build_network(grammar)
    laid_out = time.process_time()
    automaton = Configurations(networks)
    table = MaskTable(automaton, trie_of(vocabulary), vocabulary.stop_ids)
    rng, times = Random(1), []
    for _ in range(5):
        state = START
        for _ in range(steps):
            before = time.perf_counter()
            row = table.row(state)
            times.append(1e6 * (time.perf_counter() - before))
            possible = set(ids_of(row).tolist()) - set(vocabulary.stop_ids)
            allowed = [t for t in rng.sample(range(vocabulary.size), 3000) if t in possible] or sorted(possible)
            if not allowed:
                break
            state = automaton.advance(state, vocabulary.token_bytes(rng.choice(allowed)))
    return {
        "kind": name, "rules": len(grammar.rules), "nodes": len(networks.arrays.nodes) - 1,
        "grammar_ms": round(1e3 * (made - started), 2), "network_ms": round(1e3 * (laid_out - made), 2),
        "mask_us": summary(times),
    }  # fmt: skip


if __name__ == "__main__":
    main()
