"""Products of small matrices: the coefficients of merged operations, taken when parameters are bound."""

from __future__ import annotations

from typing import Any

import numpy as np

from qsim.kernels.jit import kernel
from qsim.kernels.opcodes import DIAGONAL, FLIP
from qsim.kernels.window import window


@kernel(inner=True)
def entry(kind: int, width: int, controls: int, control_values: int, u: Any, row: int, column: int) -> Any:
    """An entry, (re, im), of an operation's matrix; bit k of an index is operand k of `width`, controls first."""
    low = (1 << controls) - 1
    if row & low != control_values or column & low != control_values:
        return (1.0, 0.0) if row == column else (0.0, 0.0)
    r, c = row >> controls, column >> controls
    if kind == FLIP:
        return (0.0, 0.0) if r == c else (1.0, 0.0)
    at = r if kind == DIAGONAL else (r << (width - controls)) + c
    if kind == DIAGONAL and r != c:
        return 0.0, 0.0
    return u[2 * at], u[2 * at + 1]


@kernel()
def merge(
    kinds: Any, counts: Any, controls: Any, control_values: Any, offsets: Any, targets: Any, merged_kinds: Any,
    merged_offsets: Any, first: Any, members: Any, places: Any, out: Any,
) -> complex:  # fmt: skip
    """Write the product of each merged operation's members; columns as in `qsim.compiler.fusion`.

    Returns the global factor that diagonal products are divided by, so that their first entry is 1.
    """
    factor = complex(1.0, 0.0)
    product, after = np.empty(16, dtype=np.complex128), np.empty(16, dtype=np.complex128)
    for k in range(len(targets)):
        bits = targets[k]
        size = 1 << bits
        for row in range(size):
            for column in range(size):
                product[size * row + column] = 1.0 if row == column else 0.0
        for n in range(first[k], first[k + 1]):
            m, place = members[n], places[n]
            u = window(out, offsets[m], len(out) - offsets[m])
            for row in range(size):
                for column in range(size):
                    after[size * row + column] = 0.0
                for j in range(size):
                    r, c = row, j
                    if place == 3:  # the member's first wire is the block's second
                        r, c = (r >> 1) | ((r & 1) << 1), (c >> 1) | ((c & 1) << 1)
                    elif place < 2:
                        if bits == 2 and (r ^ c) >> (1 - place) & 1:
                            continue
                        r, c = (r >> place) & 1, (c >> place) & 1
                    x, y = entry(kinds[m], counts[m], controls[m], control_values[m], u, r, c)
                    if x != 0.0 or y != 0.0:
                        for column in range(size):
                            p = product[size * j + column]
                            after[size * row + column] += complex(x * p.real - y * p.imag, x * p.imag + y * p.real)
            product, after = after, product
        u = window(out, merged_offsets[k], len(out) - merged_offsets[k])
        if merged_kinds[k] == DIAGONAL:
            c, d = product[0].real, product[0].imag
            factor *= complex(c, d)
            x, y = product[3].real, product[3].imag
            u[0], u[1], u[2], u[3] = 1.0, 0.0, c * x + d * y, c * y - d * x
        else:
            for e in range(size * size):
                u[2 * e], u[2 * e + 1] = product[e].real, product[e].imag
    return factor
