"""`python -m benchmarks NAME [options]` runs one measurement; without a name it lists them."""

from __future__ import annotations

import importlib
import sys

NAMES = {
    "maskbench": "mask, commit and compile times beside llguidance and xgrammar on real schemas",
    "spellings": "which spellings of JSON each engine takes: what makes languages comparable",
    "holds": "how long a compile holds the interpreter: what other threads wait for",
    "micro": "one mask in named places of a document, first time and again; logits masked",
    "compile": "compile time of named hard cases",
    "memory": "resident memory after up to 3,000 different schemas",
    "batch": "fill_masks for 1 to 64 sequences, of one grammar and of many",
    "soak": "thousands of schemas, deep nests and long strings under a small memory budget",
    "decoding": "a real decode loop: free, constrained, with masks made ahead, with drafts; by rows",
    "cuda": "masks on a CUDA device: uploaded, resident, complete tables",
    "language": "how many real schemas compile, and whether every instance is judged right",
    "samples": "whether what the automata of real schemas write is valid",
    "python_types": "every Python type, both ways: the table in docs/types.md",
    "support": "the tables of keywords and formats in docs/json-schema.md",
    "combinations": "random combinations of keywords, judged in both directions",
    "suite": "the official JSON Schema test suite, case by case, beside peers",
    "check": "every mask of real instances recomputed by a full walk",
    "regex": "random and real patterns on members and near misses, beside re.fullmatch",
    "grammars": "mask, commit and compile times on six grammars beside llguidance and xgrammar",
    "strings": "first masks inside strings whose patterns count, beside llguidance",
    "kinds": "what each kind of constraint costs to make, and its masks",
    "slowest": "the slowest masks of all real schemas, by style and processor time",
    "unique": "masks beside uniqueItems, at depth and under every style",
    "startup": "processor time and modules of a process until it can work; the first kernel compile",
    "kernels": "the table of kernels, twins and tests in docs/kernels.md",
    "kernel_compile": "processor seconds to compile each kernel, beside an older checkout",
    "nano": "what the bundled model gets right, with and without the constraint",
    "samplers": "every sampler: divergence against prefixes read, and two models under four constraints",
    "rounds": "rounds of smc: how near each comes, and what it reads, over many seeds",
    "chains": "chains of mcmc: rows a model call, processor time an output",
    "person": "outputs about a person that have the city right, masked and exact: a picture",
    "prefixes": "a step of many rows behind one long prompt, beside transformers' batched decoding",
    "search": "unit tests passed with and without a search, by the bundled model and SmolLM2",
    "law": "what a row costs a sampler beside the model: the law, the allowed part, a draw",
    "describe": "facts a real model extracts rightly, by the form of its prompt",
    "tools": "tools: from definitions to a constraint and its first mask; masks of arguments beside the schema alone",
    "canvas": "all slots of a canvas at once: bits, what fits, times; valid texts of denoisers by method and steps",
    "fills": "the bundled diffusion model, and models that fill holes, with and without a constraint",
    "monitors": "masks under a monitor: right, and what they cost; questions and waiting with a language server",
    "recording": "a recording of structgen complete on files of this repository",
    "speculation": "tokens per call and speed on a real model, beside plain masked decoding",
    "serving": "structgen serve beside transformers serve: closed loops, hostile schemas, requests of every kind",
    "integrations": "the table of other engines in docs/engines.md, from the tests",
    "vllm": "structgen as vLLM's backend beside xgrammar and guidance: masks, compile times, throughput, validity",
    "predicates": "AWRS against checking every allowed token, where the check is slow",
    "genlm": "AWRS-SMC beside genlm-control: evidence and time per particle step",
    "jsonschemabench": "real schemas with a real model: coverage, compliance, efficiency, quality, beside peers",
    "report": "tables and plots in docs/ from benchmarks/results/",
}


def main() -> None:
    """Dispatch to benchmarks.NAME.main()."""
    if len(sys.argv) < 2 or sys.argv[1] not in NAMES:
        width = max(map(len, NAMES))
        print(
            "\n".join(
                ["usage: python -m benchmarks NAME [options]", *(f"  {n:{width}}  {t}" for n, t in NAMES.items())]
            )
        )
        sys.exit(0 if len(sys.argv) < 2 else 2)
    name = sys.argv.pop(1)
    importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main()
