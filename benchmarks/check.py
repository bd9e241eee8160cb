"""Is every mask the mask? Real schemas and instances over a real vocabulary, each mask recomputed by a full walk.

Walks every instance token by token with the debug switch of automata/masks.py on (a row that differs from the full walk
raises) and compares the bit of the next token with what accept says. Stops at the first difference.

    python -m benchmarks check --schemas 400
"""

from __future__ import annotations

import argparse
import json
import sys

from benchmarks.data import maskbench, write_results
from benchmarks.tokenizers import load
from structgen.automata.configurations import Configurations
from structgen.automata.masks import MaskTable
from structgen.automata.network import build_network
from structgen.compiler import trie_of
from structgen.errors import StructgenError
from structgen.grammars.json_schema import compile_schema
from structgen.kernels.layout import DEAD, START


def main() -> None:
    """Check a seeded sample, print and record how much was checked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks check")
    parser.add_argument("--schemas", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    tokenizer = load("llama3")
    vocabulary = tokenizer.vocabulary
    trie, checked, tokens, refused = trie_of(vocabulary), 0, 0, 0
    for row in maskbench(options.schemas, options.seed):
        try:
            automaton = Configurations(build_network(compile_schema(row["schema"]).grammar))
        except StructgenError:
            refused += 1
            continue
        table = MaskTable(automaton, trie, vocabulary.stop_ids, check=True)
        for test in row["tests"]:
            state, text = START, json.dumps(test["data"], ensure_ascii=False)
            for token in tokenizer.encode(text):
                mask = table.row(state)
                state = automaton.advance(state, vocabulary.token_bytes(token))
                tokens += 1
                if bool(mask[token >> 5] >> (token & 31) & 1) != (state != DEAD):
                    sys.exit(f"{row['id']}: mask and accept disagree on token {token}")
                if state == DEAD:
                    break
        checked += 1
    record = {"schemas": checked, "refused": refused, "masks": tokens, "seed": options.seed, "differences": 0}
    print(json.dumps(record))
    write_results("check", [record])


if __name__ == "__main__":
    main()
