"""`structgen serve`: a server for one model in OpenAI's protocol (docs/server.md)."""

from __future__ import annotations

import argparse
import logging
import os
from pathlib import Path

from structgen.errors import ModelError, OptionError
from structgen.grammars.json_schema.style import JsonStyle

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or Ctrl-C."""
    try:
        from structgen.server.running import serve
    except ModuleNotFoundError as error:
        raise ModelError(f"{error.name} is missing: pip install structgen-engine[server]") from error
    from structgen.server.settings import ServerSettings

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    model = None if arguments.model == "nano" and not os.path.exists("nano") else arguments.model
    style = JsonStyle() if arguments.whitespace is None else JsonStyle(whitespace=arguments.whitespace)
    settings = ServerSettings(
        model=model,
        name=arguments.name or Path(arguments.model).name,
        rows=arguments.rows,
        context=arguments.context,
        queue=arguments.queue,
        timeout=arguments.timeout,
        drain=arguments.drain,
        prompt_tokens=arguments.prompt_tokens,
        packed=arguments.packed,
        api_key=_key(arguments.api_key_env),
        tool_format=arguments.tool_format,
        style=style,
        compilers=arguments.compilers,
        compile_seconds=arguments.compile_seconds,
    )
    if arguments.threads is not None:
        import torch

        torch.set_num_threads(arguments.threads)
    where = f"structgen: {settings.name} on "
    serve(settings, host=arguments.host, port=arguments.port, listens=lambda url: print(f"{where}{url}", flush=True))
    return 0


def _key(name: str | None) -> str | None:
    """The key that clients have to say, from the environment: an argument would show in every list of processes."""
    if name is None:
        return None
    key = os.environ.get(name)
    if not key:
        raise OptionError(f"--api-key-env {name}: there is no such variable, or it is empty", option="api_key_env")
    return key
