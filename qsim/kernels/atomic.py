"""Integers that several threads count on at once."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from qsim.kernels.jit import kernel

#: How often a thread looks before it sleeps: about a hundred microseconds.
_SPINS = 100_000


def _pointer(context: Any, builder: Any, array: Any, value: Any, index: Any) -> Any:
    from numba.np.arrayobj import make_array  # needed to compile only, and slow to import

    return builder.gep(make_array(array)(context, builder, value).data, [index])


@intrinsic
def fetch_add(typing_context: Any, array: Any, index: Any, amount: Any) -> Any:
    """Add to an entry of an array of int64; returns what was there before."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(context, builder, array, arguments[0], arguments[1])
        return builder.atomic_rmw("add", pointer, arguments[2], "seq_cst")

    return types.int64(array, types.int64, types.int64), generate


@intrinsic
def load_acquire(typing_context: Any, array: Any, index: Any) -> Any:
    """An entry of an array of int64; what its writer wrote before is seen from here on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load_atomic(_pointer(context, builder, array, *arguments), "acquire", 8)

    return types.int64(array, types.int64), generate


@intrinsic
def sleep_a_little(typing_context: Any) -> Any:
    """Give up the core for some tens of microseconds, where the system has `usleep`; else nothing."""
    import sys

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        from numba.core import cgutils

        if sys.platform != "win32":
            kind = ir.FunctionType(ir.IntType(32), [ir.IntType(32)])
            function = cgutils.get_or_insert_function(builder.module, kind, "usleep")
            builder.call(function, [ir.Constant(ir.IntType(32), 20)])
        return context.get_dummy_value()

    return types.void(), generate


@kernel(inner=True)
def wait_for(array: Any, index: int, value: int) -> None:
    """Return once array[index] is at least `value`.

    Who waits longer than usual sleeps: on a busy machine the thread that is waited for may need this core.
    """
    spins = 0
    while load_acquire(array, index) < value:
        spins += 1
        if spins > _SPINS:
            sleep_a_little()
