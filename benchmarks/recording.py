"""A recording of `structgen complete` on files of this repository: docs/recordings/complete.cast, for `asciinema play`.

    python -m benchmarks recording

Commands run in a terminal of 100 columns as a user would type them; what they print is kept with its times (asciicast
v2), pauses of more than two seconds cut short.
"""

from __future__ import annotations

import json
import os
import pty
import shutil
import sys
import time
from pathlib import Path

from benchmarks.data import ROOT

CAST = ROOT / "docs" / "recordings" / "complete.cast"
PLACES = (
    ("structgen/gc_pause.py", 27, 20),
    ("structgen/speculation/lossy.py", 42, 39),
    ("structgen/monitors/imports.py", 41, 27),
)
COLUMNS, ROWS, LONGEST_PAUSE, A_KEY = 100, 30, 2.0, 0.04


class Cast:
    """What is shown, with its times in seconds."""

    def __init__(self) -> None:
        self.now, self.events = 0.0, list[tuple[float, str, str]]()

    def show(self, text: str, after: float) -> None:
        """Something more, so many seconds later."""
        self.now += min(after, LONGEST_PAUSE)
        self.events.append((round(self.now, 3), "o", text))

    def typed(self, line: str) -> None:
        """A prompt and a line."""
        self.show("$ ", 0.6)
        for letter in line:
            self.show(letter, A_KEY)
        self.show("\r\n", 0.3)

    def run(self, command: list[str]) -> None:
        """Run a command in a terminal, and show what it prints."""
        last, pid, terminal = time.monotonic(), *pty.fork()
        if pid == 0:
            os.environ.update(COLUMNS=str(COLUMNS), LINES=str(ROWS), TERM="xterm")
            os.execvp(command[0], command)
        while True:
            try:
                data = os.read(terminal, 4096)
            except OSError:  # the terminal's other end is closed
                data = b""
            if not data:
                break
            self.show(data.decode("utf-8", "replace"), time.monotonic() - last)
            last = time.monotonic()
        os.close(terminal)
        if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
            raise RuntimeError(f"{command} failed: {self.events[-1][2]}")


def main() -> None:
    """Record and write."""
    if shutil.which("ty") is None:
        raise SystemExit("pip install ty")
    cast = Cast()
    for file, line, column in PLACES:
        shown = Path(ROOT, file).read_text().splitlines()[line - 1]
        cast.typed(f"sed -n {line}p {file} | cut -c-{column - 1}")
        cast.show(shown[: column - 1] + "\r\n", 0.1)
        for monitor in ("none", "ty"):
            options = [
                "--at",
                f"{line}:{column}",
                "--model",
                "smollm2",
                "--monitor",
                monitor,
                "--root",
                ".",
                "--max-tokens",
                "20",
            ]
            options += ["--stats"] if monitor == "ty" else []
            cast.typed(" ".join(["structgen complete", file, *options]))
            cast.run([sys.executable, "-m", "structgen.cli", "complete", file, *options])
    cast.show("", 2.0)
    head = {"version": 2, "width": COLUMNS, "height": ROWS, "title": "structgen complete"}
    CAST.parent.mkdir(exist_ok=True)
    CAST.write_text("".join(json.dumps(each) + "\n" for each in (head, *cast.events)))
    print(f"written to {CAST.relative_to(ROOT)}, {cast.now:.0f} s")


if __name__ == "__main__":
    main()
