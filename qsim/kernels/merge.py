"""Products of small matrices: the coefficients of merged operations, taken when parameters are bound."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from qsim.kernels.jit import kernel
from qsim.kernels.opcodes import BETA, DIAGONAL, FLIP, FORM, GAMMA, SCALE
from qsim.kernels.window import keep, window


@kernel(apart=True)
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


@kernel(inner=True)
def put_real(u: Any) -> None:
    """The scaled form of a real orthogonal matrix, in place of its imaginary parts, which are zero.

    ((a, b), (c, d)) = SCALE ((1, BETA), (GAMMA, +-1)), where the larger of the first column leads: if that is c, the
    rows are exchanged. FORM has the sign of the last entry, and the magnitude 2 for exchanged rows.
    """
    a, b, c, d, form = u[0], u[2], u[4], u[6], 1.0
    if abs(c) > abs(a):
        a, b, c, d, form = c, d, a, b, 2.0
    u[SCALE], u[BETA], u[GAMMA] = a, b / a, c / a
    u[FORM] = -form if d / a < 0 else form


@kernel(apart=True)
def put_parts(u: Any, parts: Any) -> complex:
    """A unitary 2 x 2 matrix `u` as factor * diag(1, p) * real matrix * diag(1, q); returns the factor.

    parts: 1, q (as pairs), the real matrix with its scaled form, 1, p. The Z-Y-Z decomposition without angles.
    """
    a, b = complex(u[0], u[1]), complex(u[2], u[3])
    c, d = complex(u[4], u[5]), complex(u[6], u[7])
    cosine, sine = abs(a), abs(c)
    norm = math.sqrt(cosine * cosine + sine * sine)
    cosine, sine = cosine / norm, sine / norm
    if cosine >= sine:
        factor = a / abs(a)
        both = d * factor.conjugate()  # cosine * p * q
        both /= abs(both)
        p = c * factor.conjugate() / abs(c) if abs(c) > 0 else complex(1.0, 0.0)
        q = both * p.conjugate()
    else:
        factor = a / abs(a) if abs(a) > 0 else complex(1.0, 0.0)
        p = c * factor.conjugate() / abs(c)
        q = -b * factor.conjugate() / abs(b)
    parts[0], parts[1], parts[2], parts[3] = 1.0, 0.0, q.real, q.imag
    parts[12], parts[13], parts[14], parts[15] = 1.0, 0.0, p.real, p.imag
    parts[4], parts[6], parts[8], parts[10] = cosine, -sine, sine, cosine
    put_real(window(parts, 4, 8))
    return factor


@kernel(inner=True)
def two_by_two(kind: int, controlled: bool, control_value: int, u: Any) -> Any:
    """The matrix, row by row, of an operation on one wire; a controlled one is a phase under its control."""
    one, zero = complex(1.0, 0.0), complex(0.0, 0.0)
    if kind == FLIP:
        return zero, one, one, zero
    p = complex(u[0], u[1])
    if controlled:
        return (one, zero, zero, p) if control_value else (p, zero, zero, one)
    if kind == DIAGONAL:
        return p, zero, zero, complex(u[2], u[3])
    return p, complex(u[2], u[3]), complex(u[4], u[5]), complex(u[6], u[7])


@kernel(apart=True)
def turn_rows(product: Any, bit: int, p: complex, q: complex, r: complex, s: complex) -> None:
    """A 2 x 2 matrix on one bit, times a 4 x 4 one."""
    for k in range(0, 4, 2):
        low = 4 * ((k >> 1) if bit else k)  # rows 0 and 1, or those that have 0 in the other bit
        high = low + (4 << bit)
        for column in range(4):
            x, y = product[low + column], product[high + column]
            product[low + column] = times(p, x) + times(q, y)
            product[high + column] = times(r, x) + times(s, y)


@kernel(inner=True)
def product_of_chain(
    product: Any, kinds: Any, controls: Any, control_values: Any, offsets: Any, members: Any, first: int, last: int,
    coefficients: Any,
) -> None:  # fmt: skip
    """The product of 2 x 2 matrices on one wire, the first to act last in the product."""
    a, b, c, d = complex(1.0, 0.0), complex(0.0, 0.0), complex(0.0, 0.0), complex(1.0, 0.0)
    for n in range(first, last):
        m = members[n]
        if kinds[m] == FLIP:
            a, b, c, d = c, d, a, b
            continue
        u = window(coefficients, offsets[m], len(coefficients) - offsets[m])
        p, q, r, s = two_by_two(kinds[m], controls[m] > 0, control_values[m], u)
        if kinds[m] == DIAGONAL:
            a, b, c, d = times(p, a), times(p, b), times(s, c), times(s, d)
            continue
        a, b, c, d = (
            times(p, a) + times(q, c), times(p, b) + times(q, d), times(r, a) + times(s, c), times(r, b) + times(s, d)
        )  # fmt: skip
    product[0], product[1], product[2], product[3] = a, b, c, d


@kernel(inner=True)
def times(x: complex, y: complex) -> complex:
    """A product without the special cases for infinities that complex multiplication comes with."""
    return complex(x.real * y.real - x.imag * y.imag, x.real * y.imag + x.imag * y.real)


@kernel(apart=True)
def merge(
    kinds: Any, counts: Any, controls: Any, control_values: Any, offsets: Any, targets: Any, merged_kinds: Any,
    merged_offsets: Any, first: Any, members: Any, places: Any, out: Any,
) -> complex:  # fmt: skip
    """Write the product of each merged operation's members; columns as in `qsim.compiler.fusion`.

    Returns the global factor that diagonal products are divided by, so that their first entry is 1.
    """
    factor = complex(1.0, 0.0)
    room = np.empty(32, dtype=np.complex128)
    product, after = window(room, 0, 16), window(room, 16, 16)
    for k in range(len(targets)):
        bits = targets[k]
        size = 1 << bits
        if bits == 1:
            product_of_chain(product, kinds, controls, control_values, offsets, members, first[k], first[k + 1], out)
        for row in range(size if bits > 1 else 0):
            for column in range(size):
                product[size * row + column] = 1.0 if row == column else 0.0
        for n in range(first[k], first[k + 1] if bits > 1 else first[k]):
            m, place = members[n], places[n]
            u = window(out, offsets[m], len(out) - offsets[m])
            if place < 2:
                a, b, c, d = two_by_two(kinds[m], controls[m] > 0, control_values[m], u)
                turn_rows(product, place, a, b, c, d)
                continue
            if kinds[m] == FLIP:  # CX: two rows change places
                control, value = place - 2, control_values[m] << (place - 2)
                for row in range(4):
                    if row & (1 << control) == value and (row >> (1 - control)) & 1 == 0:
                        for column in range(4):
                            other = 4 * (row | (2 >> control)) + column
                            product[4 * row + column], product[other] = product[other], product[4 * row + column]
                continue
            for row in range(size):
                for column in range(size):
                    after[size * row + column] = 0.0
                for j in range(size):
                    r, c = row, j
                    if place == 3:  # the member's first wire is the block's second
                        r, c = (r >> 1) | ((r & 1) << 1), (c >> 1) | ((c & 1) << 1)
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
    keep(room)
    return factor
