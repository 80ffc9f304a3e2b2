"""Products of small matrices: the coefficients of merged operations, taken when parameters are bound."""

from __future__ import annotations

from typing import Any

import numpy as np

from qsim.kernels.jit import kernel
from qsim.kernels.opcodes import DIAGONAL, FLIP
from qsim.kernels.window import window


@kernel(inner=True)
def clear(re: Any, im: Any, size: int) -> None:
    """Zeros into the upper left `size` x `size` entries."""
    for row in range(size):
        for column in range(size):
            re[row, column], im[row, column] = 0.0, 0.0


@kernel(inner=True)
def one_wire(kind: int, controls: int, control_value: int, u: Any, re: Any, im: Any) -> None:
    """The 2 x 2 matrix of an operation's target into the upper left of `re`, `im`."""
    clear(re, im, 2)
    if kind == DIAGONAL and controls == 1:  # a phase under one control
        re[0, 0], re[1, 1] = 1.0, 1.0
        re[control_value, control_value], im[control_value, control_value] = u[0], u[1]
    elif kind == DIAGONAL:
        re[0, 0], im[0, 0], re[1, 1], im[1, 1] = u[0], u[1], u[2], u[3]
    elif kind == FLIP:
        re[0, 1], re[1, 0] = 1.0, 1.0
    else:
        for row in range(2):
            for column in range(2):
                at = 2 * (2 * row + column)
                re[row, column], im[row, column] = u[at], u[at + 1]


@kernel(inner=True)
def two_wires(kind: int, controls: int, control_values: int, u: Any, re: Any, im: Any, small_re: Any, small_im: Any) -> None:
    """The 4 x 4 matrix of an operation on two wires; bit k of an index is operand k, controls first."""
    clear(re, im, 4)
    if controls == 0 and kind == DIAGONAL:
        for k in range(4):
            re[k, k], im[k, k] = u[2 * k], u[2 * k + 1]
    elif controls == 0:
        for row in range(4):
            for column in range(4):
                at = 2 * (4 * row + column)
                re[row, column], im[row, column] = u[at], u[at + 1]
    else:
        for k in range(4):
            re[k, k] = 1.0
        if controls == 2:  # a phase under two controls
            re[control_values, control_values], im[control_values, control_values] = u[0], u[1]
        else:
            one_wire(kind, 0, 0, u, small_re, small_im)
            for row in range(2):
                for column in range(2):
                    a, b = 2 * row + control_values, 2 * column + control_values
                    re[a, b], im[a, b] = small_re[row, column], small_im[row, column]


@kernel()
def merge(
    kinds: Any, counts: Any, controls: Any, control_values: Any, offsets: Any, targets: Any, merged_kinds: Any,
    merged_offsets: Any, first: Any, members: Any, places: Any, out: Any,
) -> complex:  # fmt: skip
    """Write the product of each merged operation's members; columns as in `qsim.compiler.fusion`.

    Returns the global factor that diagonal products are divided by, so that their first entry is 1.
    """
    factor = complex(1.0, 0.0)
    pr, pi = np.empty((4, 4)), np.empty((4, 4))  # the product so far
    mr, mi = np.empty((4, 4)), np.empty((4, 4))  # the member, on its own wires
    sr, si = np.empty((4, 4)), np.empty((4, 4))  # scratch
    for k in range(len(targets)):
        size = 1 << targets[k]
        for row in range(4):
            for column in range(4):
                pr[row, column], pi[row, column] = 1.0 if row == column else 0.0, 0.0
        for n in range(first[k], first[k + 1]):
            m, place = members[n], places[n]
            u = window(out, offsets[m], len(out) - offsets[m])
            wide = counts[m] == 2
            if wide:
                two_wires(kinds[m], controls[m], control_values[m], u, mr, mi, sr, si)
            else:
                one_wire(kinds[m], controls[m], control_values[m], u, mr, mi)
            for column in range(size):
                for row in range(size):
                    x, y = 0.0, 0.0
                    for j in range(4 if wide else 2):
                        if wide:  # place 3: the member's first wire is the block's second
                            source = j if place == 2 else (j >> 1) | ((j & 1) << 1)
                            own = row if place == 2 else (row >> 1) | ((row & 1) << 1)
                        else:
                            source = (row & ~(1 << place)) | (j << place)
                            own = (row >> place) & 1
                        x += mr[own, j] * pr[source, column] - mi[own, j] * pi[source, column]
                        y += mr[own, j] * pi[source, column] + mi[own, j] * pr[source, column]
                    sr[row, column], si[row, column] = x, y
            for row in range(size):
                for column in range(size):
                    pr[row, column], pi[row, column] = sr[row, column], si[row, column]
        u = window(out, merged_offsets[k], len(out) - merged_offsets[k])
        if merged_kinds[k] == DIAGONAL:
            c, d = pr[0, 0], pi[0, 0]
            factor *= complex(c, d)
            u[0], u[1] = 1.0, 0.0
            u[2] = c * pr[1, 1] + d * pi[1, 1]
            u[3] = c * pi[1, 1] - d * pr[1, 1]
        else:
            for row in range(size):
                for column in range(size):
                    at = 2 * (size * row + column)
                    u[at], u[at + 1] = pr[row, column], pi[row, column]
    return factor
