"""Compiling without Python's cyclic garbage collector looking on.

Compiling makes tens of thousands of small objects that live until it ends. The collector takes them for a growing heap
and walks all of it, models and tokenizers included: 100 ms, in the middle of a compile of 1 ms. Nothing cyclic is left
behind. Receipt: mean of compile_schema over 500 schemas of maskbench 2.5 -> 1.6 ms.
"""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import Iterator

_lock = threading.Lock()
_inside = 0
_enabled = False


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """No cyclic collection in this process meanwhile; nested and on several threads, until the last one leaves."""
    global _inside, _enabled
    with _lock:
        if _inside == 0:
            _enabled = gc.isenabled()
            gc.disable()
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0 and _enabled:
                gc.enable()
