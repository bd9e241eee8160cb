"""Groups of arrays that stay where their handle is: to kernels they look like the named tuples of kernels/layout.py.

A handle is a table of addresses and shapes (kernels/handles.py). A group is a pointer into it, and `memo.configs` loads
one row of the table where it is used. A tuple of some twenty arrays, on the other hand, is 160 numbers that every call
passes and every function unpacks. Receipt: docs/benchmarks.md, "First use".

A table never changes while a kernel runs, which the loads say (`invariant.load`): LLVM moves them out of loops.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.core.typing.templates import AttributeTemplate
from numba.extending import infer_getattr, intrinsic, lower_getattr_generic, models, register_model
from numba.np.arrayobj import populate_array

from structgen.kernels._signatures import field_types

ADDRESS, ROWS, COLUMNS = range(3)  # of a handle's rows, one per array


class GroupType(types.Type):
    """The arrays of a named tuple, which are those of a handle from row `first` on."""

    dtype = types.int64  # what the pointer points to

    def __init__(self, group: Any, first: int) -> None:
        self.first = first
        self.fields = dict(zip(group._fields, enumerate(field_types(group), first), strict=True))
        super().__init__(f"{group.__name__}At{first}")


register_model(GroupType)(models.PointerModel)


@infer_getattr
class _Fields(AttributeTemplate):
    key = GroupType

    def generic_resolve(self, group: GroupType, name: str) -> Any:  # type: ignore[override]
        return group.fields[name][1] if name in group.fields else None


@lower_getattr_generic(GroupType)
def _load_field(context: Any, builder: Any, group: GroupType, table: Any, name: str) -> Any:
    """The array of a field, from its row of the table."""
    row, kind = group.fields[name]

    def load(column: int) -> Any:
        found = builder.load(builder.gep(table, [context.get_constant(types.intp, 3 * row + column)]))
        found.set_metadata("invariant.load", builder.module.add_metadata([]))
        return found

    return _array(context, builder, kind, load(ADDRESS), [load(ROWS), load(COLUMNS)][: kind.ndim])


def _array(context: Any, builder: Any, kind: Any, address: Any, shape: list[Any]) -> Any:
    """Numba's array of a type, at an address; nobody counts references to it."""
    item = context.get_constant(types.intp, kind.dtype.bitwidth // 8)
    strides = [builder.mul(shape[1], item), item] if kind.ndim == 2 else [item]
    data = builder.inttoptr(address, context.get_data_type(kind.dtype).as_pointer())
    array = context.make_array(kind)(context, builder)
    populate_array(array, data=data, shape=shape, strides=strides, itemsize=item, meminfo=None)
    return array._getvalue()


def array_at(kind: Any) -> Any:
    """The function from an address and a shape to an array of a type: (address, rows) or (address, rows, columns)."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _array(context, builder, kind, arguments[0], list(arguments[1:]))

    if kind.ndim == 1:

        @intrinsic
        def at(typing, address, rows):  # type: ignore[no-untyped-def]
            """The array at an address."""
            return kind(types.int64, types.int64), code

    else:

        @intrinsic
        def at(typing, address, rows, columns):  # type: ignore[no-untyped-def]
            """The array at an address."""
            return kind(types.int64, types.int64, types.int64), code

    return at


def view(group: Any, first: int = 0) -> Any:
    """The function from a handle to a group of its arrays."""
    seen = GroupType(group, first)

    @intrinsic
    def of(typing, handle):  # type: ignore[no-untyped-def]
        """The group of a handle."""

        def code(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            return context.make_array(signature.args[0])(context, builder, arguments[0]).data

        return seen(handle), code

    return of


@intrinsic
def write_addresses(typing, arrays, table):  # type: ignore[no-untyped-def]
    """Write a row of `table` for each array of a tuple."""

    def code(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        rows = context.make_array(signature.args[1])(context, builder, arguments[1]).data
        for number, kind in enumerate(signature.args[0]):
            array = context.make_array(kind)(context, builder, builder.extract_value(arguments[0], number))
            item = context.get_constant(types.intp, kind.dtype.bitwidth // 8)
            address = builder.ptrtoint(array.data, context.get_value_type(types.intp))
            columns = builder.sdiv(builder.extract_value(array.strides, 0), item)
            for column, value in enumerate((address, builder.extract_value(array.shape, 0), columns)):
                place = context.get_constant(types.intp, 3 * number + column)
                builder.store(value, builder.gep(rows, [place]))
        return context.get_dummy_value()

    return types.none(arrays, table), code
