"""Mistakes that checkers must find, one a line that ends with an ignore: an ignore that is not needed is an error."""

from __future__ import annotations

from typing import Any

import structgen as sg


def mistakes(model: Any) -> None:
    """Each is wrong."""
    sg.generate(model, "p", schema=int, method="carz")  # type: ignore[call-overload]
    sg.generate(model, "p", schema=int, max_token=3)  # type: ignore[call-overload]
    sg.generate(model, "p", schema=int, on_truncate="stop")  # type: ignore[call-overload]
    print(sg.generate(model, "p", schema=int).nothing)  # type: ignore[attr-defined]
    sg.generate(model, "p", int)  # type: ignore[call-overload]
