"""From the annotations of an entry, or the fields of a group of arrays, to Numba's types.

An array is declared by the aliases of kernels/layout.py (dtype, dimensions; C order but for `Strided[...]`; `In[...]`:
only read), a group by its named tuple, a number by int (i64) or its NumPy type.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import numpy as np
from numba import types
from numba.np.numpy_support import from_dtype

from structgen.kernels.layout import READ_ONLY, STRIDED


def argument_types(function: Callable[..., Any], **others: Any) -> tuple[Any, ...]:
    """The types of a function's arguments; `others` replaces some of its annotations."""
    hints = {**get_type_hints(function, include_extras=True), **others}
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    return tuple(numba_type(hints[name]) for name in names)


def numba_type(hint: Any) -> Any:
    """Numba's type of what an annotation declares."""
    if isinstance(hint, types.Type):
        return hint
    if get_origin(hint) is Annotated:
        array, dimensions, *marks = get_args(hint)
        dtype = get_args(get_args(array)[1])[0]
        order: Any = "A" if STRIDED in marks else "C"
        return types.Array(from_dtype(np.dtype(dtype)), dimensions, order, readonly=READ_ONLY in marks)
    if hasattr(hint, "_fields"):
        return types.BaseTuple.from_types(field_types(hint), hint)
    return types.int64 if hint is int else from_dtype(np.dtype(hint))


def field_types(group: Any) -> list[Any]:
    """The types of the arrays of a named tuple, in order."""
    return [numba_type(hint) for hint in get_type_hints(group, include_extras=True).values()]
