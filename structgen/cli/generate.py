"""`structgen generate`: one prompt, one or several values on stdout; progress and figures on stderr."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from structgen.cli.reading import source_options, style_argument, text_argument

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Generate and print."""
    from structgen.api.generate import generate_result

    sources = source_options(arguments)
    options = ("n", "seed", "max_tokens", "method", "temperature", "top_p", "top_k")
    named = {name: getattr(arguments, name) for name in options}
    line = ProgressLine() if sys.stderr.isatty() and arguments.method in (None, "masked") else None
    try:
        found = generate_result(
            arguments.model,
            text_argument(arguments.prompt),
            **sources,
            style=style_argument(arguments),
            progress=line,
            **{name: value for name, value in named.items() if value is not None},
        )
    finally:
        if line is not None:
            line.clear()
    for result in found if isinstance(found, list) else [found]:
        print(json.dumps(_record(result)) if arguments.json else _shown(result.value))
        if arguments.stats:
            print(_figures(result), file=sys.stderr)
    if arguments.stats and arguments.method not in (None, "masked"):
        print(_sampler_figures(result.samples), file=sys.stderr)
    return 0


class ProgressLine:
    """Tokens and tokens per second, rewritten in place."""

    def __call__(self, tokens: int, seconds: float) -> None:
        rate = f", {tokens / seconds:.0f} tokens/s" if seconds else ""
        sys.stderr.write(f"\r\x1b[K{tokens} tokens{rate}")
        sys.stderr.flush()

    def clear(self) -> None:
        """Leave no trace."""
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def _record(result: Any) -> dict[str, Any]:
    names = ("value", "text", "token_ids", "log_prob", "log_q", "log_weight", "finish_reason")
    stats = {name: getattr(result.stats, name) for name in result.stats.__slots__}
    return {**{name: getattr(result, name) for name in names}, "stats": stats}


def _sampler_figures(samples: Any) -> str:
    stats = samples.stats
    evidence = "unknown" if samples.log_evidence is None else f"{samples.log_evidence:.3f}"
    if samples.evidence_error is not None:
        evidence += f" (relative error {samples.evidence_error:.1%})"
    return (
        f"{samples.method}{', exact' if samples.exact else ''}: log evidence {evidence}, "
        f"{stats.accepted} of {stats.attempts} attempts accepted, {stats.prefixes_scored} prefixes scored"
    )


def _figures(result: Any) -> str:
    stats = result.stats
    return (
        f"{stats.prompt_tokens} prompt tokens, {stats.output_tokens} output tokens, {result.finish_reason}; "
        f"compiled in {1e3 * stats.compile_seconds:.1f} ms, {stats.tokens_per_second:.0f} tokens/s; "
        f"log-probability {result.log_prob:.3f}, weight {result.log_weight:+.3f}"
    )
