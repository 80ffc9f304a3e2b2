"""Reading a state: probabilities, Pauli operators. States are interleaved and in natural order.

Reductions work on blocks of a fixed size and are summed in block order, so that results do not depend on threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qsim.kernels.jit import REDUCTION_MATH, kernel
from qsim.kernels.window import popcount, window

#: Amplitudes in a block of a reduction, as a power of two.
BLOCK_BITS = 10


@kernel(fastmath=REDUCTION_MATH)
def block_norms(state: Any, start: int, stop: int, size: int, out: Any) -> None:
    """out[b] = sum of |amplitude|**2 over block b of `size` amplitudes, for blocks [start, stop)."""
    for b in range(start, stop):
        part = window(state, 2 * size * b, 2 * size)
        total = 0.0
        for k in range(len(part)):
            x = np.float64(part[k])
            total += x * x
        out[b] = total


@kernel()
def probabilities(state: Any, start: int, stop: int, out: Any) -> None:
    """out[i] = |amplitude i|**2 for i in [start, stop)."""
    part, result = window(state, 2 * start, 2 * (stop - start)), window(out, start, stop - start)
    for k in range(len(result)):
        x, y = np.float64(part[2 * k]), np.float64(part[2 * k + 1])
        result[k] = x * x + y * y


@kernel()
def parity_signs(bits: int) -> Any:
    """Entry k is -1 when k has an odd number of bits set, else 1."""
    table = np.empty(1 << bits)
    table[0] = 1.0
    for k in range(1, 1 << bits):
        table[k] = -table[k & (k - 1)]
    return table


@kernel(inner=True)
def odd(mask: int) -> bool:
    """Whether an odd number of bits is set."""
    return popcount(mask) & 1 == 1
