"""Mask, commit and compile times on grammars of six languages, beside llguidance and xgrammar: one run, the same texts.

Every engine reads the same GBNF (llguidance through its own converter). Per language: compile several times, the
fastest counts; then each text is walked from its start, mask and commit timed together per token. The engines take
turns text by text, so that drift of the machine hits them alike. One thread, and what other processes take from it is
left out.

What is remembered counts where it is: the texts of a language are walked one after the other on one compiled grammar,
each once, and a state that an earlier text was in is met for the second time. So structgen's line also says which part
of the masks were of states never asked before, and their mean alone (`new`): what a server pays that sees every state
once. A second walk over a fifth of the texts shows what everything remembered costs (`again`).

    python -m benchmarks grammars --texts 50
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from benchmarks import tokenizers
from benchmarks.corpora import CORPORA, Corpus
from benchmarks.data import summary, write_results
from benchmarks.engines import Engine, Llguidance, Structgen, Xgrammar
from benchmarks.maskbench import walk

TARGETS = {"token_us": 0.5, "compile_ms": 2.0}  # ours to the faster of the others


class _Structgen(Structgen):
    def compile(self, grammar: str) -> Any:
        from structgen.grammars.bnf import compile_gbnf

        return self._grammar(compile_gbnf(grammar)[0], self._vocabulary)


def unseen(compiled: Any, texts: list[list[int]]) -> list[bool]:
    """Of each token, whether its mask is of a state that no token before was in. `compiled` is structgen's."""
    seen: set[int] = set()
    flags = []
    for tokens in texts:
        matcher = compiled.matcher()
        for token in tokens:
            flags.append(matcher.state not in seen)
            seen.add(matcher.state)
            matcher.accept(token)
    return flags


class _Llguidance(Llguidance):
    def compile(self, grammar: str) -> Any:
        from llguidance.gbnf_to_lark import any_to_lark

        matcher = self._lib.LLMatcher(self._tokenizer, self._lib.LLMatcher.grammar_from_lark(any_to_lark(grammar)))
        if matcher.is_error():
            raise ValueError(matcher.get_error())
        return matcher


class _Xgrammar(Xgrammar):
    def compile(self, grammar: str) -> Any:
        return self._compiler.compile_grammar(self._lib.Grammar.from_ebnf(grammar))


ENGINES = {"structgen": _Structgen, "llguidance": _Llguidance, "xgrammar": _Xgrammar}


def measure(engines: list[Engine], corpus: Corpus, texts: list[list[int]], repeats: int) -> list[dict[str, Any]]:
    """One language through all engines: a record each."""
    compiled: dict[str, Any] = {}
    compile_ms: dict[str, float] = {}
    for _ in range(repeats):
        for engine in engines:
            started = time.process_time()
            compiled[engine.name] = engine.compile(corpus.grammar)
            took = (time.process_time() - started) * 1e3
            compile_ms[engine.name] = min(took, compile_ms.get(engine.name, took))
    first: dict[str, list[float]] = {engine.name: [] for engine in engines}
    again: dict[str, list[float]] = {engine.name: [] for engine in engines}
    rejected = dict.fromkeys(first, 0)
    for times, count, some in ((first, True, texts), (again, False, texts[::5])):
        for number, tokens in enumerate(some):
            turn = number % len(engines)
            for engine in engines[turn:] + engines[:turn]:
                good = walk(engine, compiled[engine.name], tokens, times[engine.name])
                rejected[engine.name] += count and not good
    if "structgen" in compiled:
        flags = unseen(compiled["structgen"], texts)
        new = [took for took, flag in zip(first["structgen"], flags, strict=True) if flag]
    return [
        {
            "grammar": corpus.name,
            "rules": corpus.grammar.count("::="),
            "texts": len(texts),
            "engine": engine.name,
            "token_us": summary(first[engine.name]),
            "again_us": summary(again[engine.name]),
            **({"new_us": summary(new), "new": len(new) / len(flags)} if engine.name == "structgen" else {}),
            "compile_ms": compile_ms[engine.name],
            "rejected": rejected[engine.name],
        }
        for engine in engines
    ]


def ratios(records: list[dict[str, Any]]) -> dict[str, float]:
    """Ours to the fastest of the others that accepted every text: mean mask time and compile time."""
    ours = next(r for r in records if r["engine"] == "structgen")
    others = [r for r in records if r["engine"] != "structgen" and not r["rejected"]]
    return {
        "token_us": ours["token_us"]["mean"] / min(r["token_us"]["mean"] for r in others),
        "compile_ms": ours["compile_ms"] / min(r["compile_ms"] for r in others),
    }


def main() -> None:
    """Parse options, run, print a table, write benchmarks/results/grammars.jsonl."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks grammars", description=__doc__.split("\n")[0])
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--grammars", default=",".join(corpus.name for corpus in CORPORA))
    parser.add_argument("--texts", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=3, help="compilations; the fastest counts")
    parser.add_argument("--out", default="grammars")
    options = parser.parse_args()
    from structgen.warmup import ensure_compiled

    ensure_compiled()
    tokenizer = tokenizers.load("llama3")
    engines = [ENGINES[name](tokenizer) for name in options.engines.split(",")]
    records = []
    print(f"{'':21} {'mean us':>9}{'p50':>9}{'p99':>10}{'max':>11}{'again':>9}{'compile ms':>12}  rejected")
    for corpus in CORPORA:
        if corpus.name not in options.grammars.split(","):
            continue
        for engine in engines:  # once, uncounted: what a process does once is no part of a compilation
            engine.compile(corpus.grammar)
        texts = [tokenizer.encode(text) for text in corpus.texts(options.texts)]
        found = measure(engines, corpus, texts, options.repeats)
        for r in found:
            t = r["token_us"]
            row = f"{corpus.name:9} {r['engine']:11} {t['mean']:9.1f}{t['p50']:9.1f}{t['p99']:10.1f}{t['max']:11.0f}"
            new = f"   new: {r['new']:.0%}, {r['new_us']['mean']:.0f} us" if "new" in r else ""
            print(row + f"{r['again_us']['mean']:9.2f}{r['compile_ms']:12.2f}  {r['rejected']}{new}")
        if len(engines) > 1 and engines[0].name == "structgen":
            found[0]["ratio"] = ratios(found)
            print(f"{'':9} ratio to the faster: masks {found[0]['ratio']['token_us']:.2f}, ", end="")
            print(f"compile {found[0]['ratio']['compile_ms']:.2f}")
        sys.stdout.flush()
        records += found
    path = write_results(options.out, records)
    print(f"written to {path.relative_to(path.parents[2])}")


if __name__ == "__main__":
    main()
