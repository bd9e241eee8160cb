"""Is every mask the mask? Real schemas and instances, and the grammars and texts of benchmarks/corpora.py, over a real
vocabulary, each mask recomputed by a full walk.

Walks every text token by token with the debug switch of automata/masks.py on (a row that differs from the full walk
raises) and compares the bit of the next token with what accept says. Stops at the first difference.

    python -m benchmarks check --schemas 6711 --texts 50 --jobs 2
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor

from benchmarks.corpora import CORPORA
from benchmarks.data import maskbench, write_results
from benchmarks.tokenizers import load
from structgen.automata.configurations import Configurations
from structgen.automata.masks import MaskTable
from structgen.automata.network import build_network
from structgen.compiler import trie_of
from structgen.errors import InvariantError, StructgenError
from structgen.grammars.bnf import compile_gbnf
from structgen.grammars.ir import Grammar
from structgen.grammars.json_schema import compile_schema
from structgen.kernels.layout import DEAD, START


class Check:
    """Walks texts over one vocabulary and counts masks."""

    def __init__(self) -> None:
        self.tokenizer = load("llama3")
        self.trie = trie_of(self.tokenizer.vocabulary)
        self.masks = 0

    def walk(self, name: str, grammar: Grammar, texts: list[str]) -> None:
        """Every text on one automaton. Exits where mask and accept disagree."""
        vocabulary = self.tokenizer.vocabulary
        automaton = Configurations(build_network(grammar))
        table = MaskTable(automaton, self.trie, vocabulary.stop_ids, check=True)
        for text in texts:
            state = START
            for token in self.tokenizer.encode(text):
                mask = table.row(state)
                state = automaton.advance(state, vocabulary.token_bytes(token))
                self.masks += 1
                if bool(mask[token >> 5] >> (token & 31) & 1) != (state != DEAD):
                    sys.exit(f"{name}: mask and accept disagree on token {token}")
                if state == DEAD:
                    break


def check_part(schemas: int, seed: int, texts: int, part: int, parts: int) -> dict[str, int]:
    """Every `parts`-th schema of the sample and grammar, from number `part` on; how many there were."""
    check, found = Check(), {"schemas": 0, "refused": 0, "grammars": 0}
    for row in maskbench(schemas, seed)[part::parts]:
        try:
            grammar = compile_schema(row["schema"]).grammar
            check.walk(row["id"], grammar, [json.dumps(test["data"], ensure_ascii=False) for test in row["tests"]])
            found["schemas"] += 1
        except InvariantError as error:
            raise InvariantError("MASK", f"{row['id']}: {error}") from error
        except StructgenError:
            found["refused"] += 1
        if found["schemas"] % 250 == 249:
            print(f"part {part}: {found['schemas']} schemas, {check.masks:,} masks", file=sys.stderr, flush=True)
    for corpus in CORPORA[part::parts]:
        check.walk(corpus.name, compile_gbnf(corpus.grammar)[0], corpus.texts(texts))
        found["grammars"] += 1
    return found | {"masks": check.masks}


def main() -> None:
    """Check a seeded sample, print and record how much was checked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks check")
    parser.add_argument("--schemas", type=int, default=400)
    parser.add_argument("--texts", type=int, default=5, help="of each grammar")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    options = parser.parse_args()
    with ProcessPoolExecutor(options.jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        asked = (options.schemas, options.seed, options.texts)
        runs = [pool.submit(check_part, *asked, part, options.jobs) for part in range(options.jobs)]
        found = [run.result() for run in runs]
    total = {name: sum(part[name] for part in found) for name in found[0]}
    record = {**total, "seed": options.seed, "differences": 0}
    print(json.dumps(record))
    write_results("check", [record])


if __name__ == "__main__":
    main()
