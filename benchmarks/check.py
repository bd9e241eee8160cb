"""Is every mask the mask? Real schemas and instances, and the grammars and texts of benchmarks/corpora.py, over a real
vocabulary, each mask recomputed by a full walk.

Walks every text token by token with the debug switch of automata/masks.py on (a row that differs from the full walk
raises) and compares the bit of the next token with what accept says. Stops at the first difference.

    python -m benchmarks check --schemas 400 --texts 10
"""

from __future__ import annotations

import argparse
import json
import sys

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


def main() -> None:
    """Check a seeded sample, print and record how much was checked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks check")
    parser.add_argument("--schemas", type=int, default=400)
    parser.add_argument("--texts", type=int, default=5, help="of each grammar")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    check, schemas, refused = Check(), 0, 0
    for row in maskbench(options.schemas, options.seed):
        try:
            grammar = compile_schema(row["schema"]).grammar
            check.walk(row["id"], grammar, [json.dumps(test["data"], ensure_ascii=False) for test in row["tests"]])
            schemas += 1
        except InvariantError:
            raise
        except StructgenError:
            refused += 1
    for corpus in CORPORA:
        check.walk(corpus.name, compile_gbnf(corpus.grammar)[0], corpus.texts(options.texts))
    found = {"schemas": schemas, "refused": refused, "grammars": len(CORPORA), "masks": check.masks}
    record = {**found, "seed": options.seed, "differences": 0}
    print(json.dumps(record))
    write_results("check", [record])


if __name__ == "__main__":
    main()
