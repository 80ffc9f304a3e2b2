"""Operations on one tile: 2**t amplitudes as separate real and imaginary arrays that stay in cache.

A tile index has `t` bits. An operation fixes some of them: targets and controls. The bits listed in `fixed`
(ascending) are enumerated apart, so that the inner loop is a contiguous run below the lowest of them; `offset` holds
the values of the control bits. Controls on the lowest LANE_BITS bits are a mask over the lanes of a run instead.

Real arithmetic on slices from zero: LLVM then knows that indices are not negative and vectorises every inner loop.
"""

from __future__ import annotations

from typing import Any

from qsim.kernels.jit import kernel
from qsim.kernels.opcodes import LANE_BITS
from qsim.kernels.window import window


@kernel(inner=True)
def spread(index: int, fixed: Any) -> int:
    """`index` with zero bits inserted at the positions `fixed`, ascending."""
    for k in range(len(fixed)):
        low = index & ((1 << fixed[k]) - 1)
        index = ((index - low) << 1) | low
    return index


@kernel(inner=True)
def run_bits(t: int, fixed: Any, lane_mask: int) -> int:
    """log2 of the contiguous run: up to the lowest fixed bit, or the lanes when those are masked."""
    if lane_mask != 0:
        return min(LANE_BITS, t)
    return fixed[0] if len(fixed) > 0 else t


@kernel(inner=True)
def scale(re: Any, im: Any, t: int, fixed: Any, offset: int, lane_mask: int, lane_value: int, c: Any, d: Any) -> None:
    """Multiply the amplitudes that match by c + i d."""
    bits = run_bits(t, fixed, lane_mask)
    run = 1 << bits
    for i in range(1 << (t - len(fixed) - bits)):
        at = spread(i << bits, fixed) + offset
        r, m = window(re, at, run), window(im, at, run)
        if lane_mask == 0:
            for j in range(run):
                x, y = r[j], m[j]
                r[j] = c * x - d * y
                m[j] = c * y + d * x
        else:
            for j in range(run):
                x, y = r[j], m[j]
                match = (j & lane_mask) == lane_value
                r[j] = c * x - d * y if match else x
                m[j] = c * y + d * x if match else y


@kernel(inner=True)
def flip(re: Any, im: Any, t: int, target: int, fixed: Any, offset: int, lane_mask: int, lane_value: int) -> None:
    """Exchange the two halves along `target` where controls match: X with any controls."""
    bits = run_bits(t, fixed, lane_mask)
    run, step = 1 << bits, 1 << target
    for i in range(1 << (t - len(fixed) - bits)):
        at = spread(i << bits, fixed) + offset
        r0, m0 = window(re, at, run), window(im, at, run)
        r1, m1 = window(re, at + step, run), window(im, at + step, run)
        if lane_mask == 0:
            for j in range(run):
                r0[j], r1[j] = r1[j], r0[j]
                m0[j], m1[j] = m1[j], m0[j]
        else:
            for j in range(run):
                x0, x1, y0, y1 = r0[j], r1[j], m0[j], m1[j]
                match = (j & lane_mask) == lane_value
                r0[j] = x1 if match else x0
                r1[j] = x0 if match else x1
                m0[j] = y1 if match else y0
                m1[j] = y0 if match else y1


@kernel(inner=True)
def real1(
    re: Any, im: Any, t: int, target: int, fixed: Any, offset: int, lane_mask: int, lane_value: int, u: Any
) -> None:
    """A real 2 x 2 matrix on `target` where controls match; `u` holds (re, im) pairs, row by row."""
    a, b, c, d = u[0], u[2], u[4], u[6]
    bits = run_bits(t, fixed, lane_mask)
    run, step = 1 << bits, 1 << target
    for i in range(1 << (t - len(fixed) - bits)):
        at = spread(i << bits, fixed) + offset
        r0, m0 = window(re, at, run), window(im, at, run)
        r1, m1 = window(re, at + step, run), window(im, at + step, run)
        if lane_mask == 0:
            for j in range(run):
                x0, x1, y0, y1 = r0[j], r1[j], m0[j], m1[j]
                r0[j] = a * x0 + b * x1
                r1[j] = c * x0 + d * x1
                m0[j] = a * y0 + b * y1
                m1[j] = c * y0 + d * y1
        else:
            for j in range(run):
                x0, x1, y0, y1 = r0[j], r1[j], m0[j], m1[j]
                match = (j & lane_mask) == lane_value
                r0[j] = a * x0 + b * x1 if match else x0
                r1[j] = c * x0 + d * x1 if match else x1
                m0[j] = a * y0 + b * y1 if match else y0
                m1[j] = c * y0 + d * y1 if match else y1


@kernel(inner=True)
def dense1(
    re: Any, im: Any, t: int, target: int, fixed: Any, offset: int, lane_mask: int, lane_value: int, u: Any
) -> None:
    """A complex 2 x 2 matrix on `target` where controls match; `u` holds (re, im) pairs, row by row."""
    ar, ai, br, bi, cr, ci, dr, di = u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7]
    bits = run_bits(t, fixed, lane_mask)
    run, step = 1 << bits, 1 << target
    for i in range(1 << (t - len(fixed) - bits)):
        at = spread(i << bits, fixed) + offset
        r0, m0 = window(re, at, run), window(im, at, run)
        r1, m1 = window(re, at + step, run), window(im, at + step, run)
        if lane_mask == 0:
            for j in range(run):
                x0, x1, y0, y1 = r0[j], r1[j], m0[j], m1[j]
                r0[j] = ar * x0 - ai * y0 + br * x1 - bi * y1
                m0[j] = ar * y0 + ai * x0 + br * y1 + bi * x1
                r1[j] = cr * x0 - ci * y0 + dr * x1 - di * y1
                m1[j] = cr * y0 + ci * x0 + dr * y1 + di * x1
        else:
            for j in range(run):
                x0, x1, y0, y1 = r0[j], r1[j], m0[j], m1[j]
                match = (j & lane_mask) == lane_value
                r0[j] = ar * x0 - ai * y0 + br * x1 - bi * y1 if match else x0
                m0[j] = ar * y0 + ai * x0 + br * y1 + bi * x1 if match else y0
                r1[j] = cr * x0 - ci * y0 + dr * x1 - di * y1 if match else x1
                m1[j] = cr * y0 + ci * x0 + dr * y1 + di * x1 if match else y1


@kernel(inner=True)
def dense(
    re: Any, im: Any, t: int, targets: Any, fixed: Any, offset: int, lane_mask: int, lane_value: int, u: Any,
    rows_re: Any, rows_im: Any,
) -> None:  # fmt: skip
    """A complex matrix on two or more `targets` (the first is its least significant bit) where controls match.

    `rows_re` and `rows_im` are scratch of shape (2**targets, 2**LANE_BITS): the amplitudes before the product.
    """
    bits = run_bits(t, fixed, lane_mask)
    bits = min(bits, LANE_BITS)
    run, size = 1 << bits, 1 << len(targets)
    for i in range(1 << (t - len(fixed) - bits)):
        at = spread(i << bits, fixed) + offset
        for e in range(size):
            p = at
            for k in range(len(targets)):
                p += ((e >> k) & 1) << targets[k]
            r, m, x, y = window(re, p, run), window(im, p, run), rows_re[e], rows_im[e]
            for j in range(run):
                x[j], y[j] = r[j], m[j]
        for e in range(size):
            p = at
            for k in range(len(targets)):
                p += ((e >> k) & 1) << targets[k]
            r, m = window(re, p, run), window(im, p, run)
            for j in range(run):
                if (j & lane_mask) == lane_value:
                    r[j], m[j] = 0, 0
            for f in range(size):
                c, d = u[2 * (e * size + f)], u[2 * (e * size + f) + 1]
                if c != 0 or d != 0:
                    x, y = rows_re[f], rows_im[f]
                    for j in range(run):
                        match = (j & lane_mask) == lane_value
                        r[j] = r[j] + (c * x[j] - d * y[j]) if match else r[j]
                        m[j] = m[j] + (c * y[j] + d * x[j]) if match else m[j]
