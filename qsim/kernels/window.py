"""Arrays without checks: slices for inner loops, and memory that is known by its address.

`window(array, start, length)` is a slice.

A plain slice normalises negative and oversized bounds, which costs more than the short runs that kernels loop over,
and takes most of their compile time. The caller guarantees 0 <= start and start + length <= len(array),
and that the array outlives the slice: of an array made in the same function, take plain slices, or `keep` it.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from qsim.kernels.jit import kernel


@intrinsic
def window(typing_context: Any, array: Any, start: Any, length: Any) -> Any:
    """The memory of ``array[start : start + length]``, for a contiguous one-dimensional array."""
    if not isinstance(array, types.Array) or array.ndim != 1 or array.layout != "C":
        return None
    result = array.copy(layout="C")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        from numba.np.arrayobj import make_array, populate_array  # needed to compile only, and slow to import

        source = make_array(array)(context, builder, arguments[0])
        begin = context.cast(builder, arguments[1], start, types.intp)
        count = context.cast(builder, arguments[2], length, types.intp)
        view = make_array(result)(context, builder)
        populate_array(
            view, data=builder.gep(source.data, [begin]), shape=cgutils.pack_array(builder, [count]),
            strides=source.strides, itemsize=source.itemsize, meminfo=None,
        )  # fmt: skip
        return view._getvalue()  # owns nothing: the caller's array outlives it

    return result(array, types.intp, types.intp), generate


@intrinsic
def borrowed(typing_context: Any, array: Any) -> Any:
    """The whole of an array, without counting references to it.

    Numba counts a reference for each array that is passed on, by an atomic operation on the array's owner: 5 ns each, as
    long as some gates on small states take. What is borrowed has no owner. See `keep` for arrays made in the same function.
    """
    if not isinstance(array, types.Array):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        from numba.np.arrayobj import make_array, populate_array

        source = make_array(array)(context, builder, arguments[0])
        view = make_array(array)(context, builder)
        populate_array(
            view, data=source.data, shape=source.shape, strides=source.strides, itemsize=source.itemsize, meminfo=None
        )
        return view._getvalue()

    return array(array), generate


@intrinsic
def keep(typing_context: Any, array: Any) -> Any:
    """Does nothing; but an array made in this function, of which windows are in use, lives until here."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.get_dummy_value()

    return types.void(array), generate


@kernel(inner=True)
def up_to_line(array: Any) -> int:
    """How many numbers of an array lie before its first whole line of the cache: less than 16.

    A vector of 64 bytes that lies across two lines takes two reads; arrays made here begin at any multiple of 32 bytes.
    """
    return (-array.ctypes.data & 63) // array.itemsize


@intrinsic
def memory_at(typing_context: Any, address: Any, length: Any, like: Any) -> Any:
    """`length` numbers of the type of the array `like` at an address. The caller keeps that memory alive."""
    if not isinstance(like, types.Array):
        return None
    result = types.Array(like.dtype, 1, "C")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        from numba.np.arrayobj import make_array, populate_array

        start = context.cast(builder, arguments[0], address, types.intp)
        count = context.cast(builder, arguments[1], length, types.intp)
        size = context.get_abi_sizeof(context.get_data_type(like.dtype))
        width = context.get_constant(types.intp, size)
        pointer = builder.inttoptr(start, context.get_data_type(like.dtype).as_pointer())
        view = make_array(result)(context, builder)
        populate_array(
            view, data=pointer, shape=cgutils.pack_array(builder, [count]), strides=cgutils.pack_array(builder, [width]),
            itemsize=width, meminfo=None,
        )  # fmt: skip
        return view._getvalue()

    return result(types.intp, types.intp, like), generate


@intrinsic
def trailing_zeros(typing_context: Any, number: Any) -> Any:
    """How many bits of an integer of 64 bits are 0 below its lowest 1."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], cgutils.false_bit)

    return types.int64(types.int64), generate


@intrinsic
def highest_bit(typing_context: Any, number: Any) -> Any:
    """The highest 1 of an integer of 64 bits that is not 0."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        zeros = builder.ctlz(arguments[0], cgutils.true_bit)
        return builder.sub(context.get_constant(types.int64, 63), zeros)

    return types.int64(types.int64), generate


@intrinsic
def popcount(typing_context: Any, number: Any) -> Any:
    """How many bits of an integer of 64 bits are 1."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.int64), generate


@kernel(inner=True)
def section(ints: Any, number: int) -> Any:
    """One of a program's arrays of integers; see `qsim.compiler.program.Program`."""
    return window(ints, ints[2 * number], ints[2 * number + 1])
