"""A process that compiles one unit of kernels into its file: `structgen/warmup.py` starts one per unit.

It gets the unit's name, and the stamp of its parent, which it must agree with: else its file would be of no use. Each
step is a dot on stdout. Its parent ends it, so it ignores Ctrl-C, which reaches both: an interrupt inside LLVM's
callbacks would only show a traceback.
"""

from __future__ import annotations

import os
import signal
import sys

from structgen.kernels._disk import kernel_stamp
from structgen.kernels._jit import UNITS

PROGRAM = "import sys; sys.path[:] = sys.argv[3:]; from structgen.kernels._worker import main; main()"  # python -c


def main() -> None:
    """Compile the unit sys.argv[1] under the stamp sys.argv[2]."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    name, stamp = sys.argv[1:3]
    if kernel_stamp() != stamp:
        raise SystemExit(f"the parent's kernels have the stamp {stamp}, these {kernel_stamp()}")
    unit = next(unit for unit in UNITS if unit.name == name)
    unit.make(_step)


def _step() -> None:
    os.write(1, b".")
