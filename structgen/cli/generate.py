"""`structgen generate`: one prompt, one or several values on stdout; progress and figures on stderr."""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from typing import Any

from structgen.cli.codes import ENDED_BY_BUDGET
from structgen.cli.reading import drawing_options, json_file, object_argument, source_options, text_argument
from structgen.errors import CompletedWarning

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Generate and print; ENDED_BY_BUDGET where a value that is printed is not the model's own to its end."""
    from structgen.api.generate import generate_result

    line = ProgressLine() if sys.stderr.isatty() and arguments.method in (None, "masked") else None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CompletedWarning)  # said below, a line for each
            found = generate_result(
                arguments.model, **_prompt(arguments), **source_options(arguments), **_options(arguments), progress=line
            )
    finally:
        if line is not None:
            line.clear()
    results = found if isinstance(found, list) else [found]
    for result in results:
        print(json.dumps(result.to_dict()) if arguments.json else _shown(result))
        if result.finish_reason == "completed":
            places = ", ".join(place or "the whole" for place in result.completed_at)
            print(f"structgen: warning: the budget ran short; not chosen by the model: {places}", file=sys.stderr)
        elif result.finish_reason == "length":
            print("structgen: warning: the budget ended the output; it is not complete", file=sys.stderr)
        if arguments.stats:
            print(_figures(result), file=sys.stderr)
    if arguments.stats and arguments.method not in (None, "masked"):
        print(_sampler_figures(results[0].samples), file=sys.stderr)
    return ENDED_BY_BUDGET if any(result.finish_reason in ("completed", "length") for result in results) else 0


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    """The options that were given, by the names `generate` has for them."""
    given = drawing_options(arguments)
    given |= {
        name: value for name in ("n", "seed", "mirostat", "momentum") if (value := getattr(arguments, name)) is not None
    }
    if arguments.scorer is not None:
        given["scorer"] = object_argument(arguments.scorer, "scorer")
    if arguments.speculation is not None:
        given["speculation"] = None if arguments.speculation == "off" else arguments.speculation
    return given


def _prompt(arguments: argparse.Namespace) -> dict[str, Any]:
    if arguments.messages is not None:
        return {"messages": json_file(arguments.messages, "messages"), "prompt": arguments.prompt or ""}
    return {"prompt": text_argument(arguments.prompt or "")}


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


def _shown(result: Any) -> str:
    """The value as text, or the text of one that is unfinished."""
    if result.finish_reason == "length":
        return str(result.text)
    value = result.to_dict()["value"]
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def _sampler_figures(samples: Any) -> str:
    stats = samples.stats
    if samples.target == "argmax":
        return f"{samples.method}: {samples.note or samples.status}, {stats.prefixes_scored} prefixes scored"
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
