"""Operations on one tile: 2**t amplitudes as separate real and imaginary arrays that stay in cache.

A tile index has `t` bits, at least LANE_BITS of them (small states are padded). An operation fixes some bits: its
targets and controls. Fixed bits from LANE_BITS up are listed in `fixed`, ascending, and enumerated apart, so that the
inner loop is a contiguous run below the lowest of them; `offset` holds the values of control bits. Controls on lower
bits are a mask over the lanes of a run, and so are the entries of a diagonal gate on lower bits. A target on a lower
bit is handled inside a run.
"""

from __future__ import annotations

from typing import Any

from qsim.kernels.jit import kernel
from qsim.kernels.opcodes import DENSE1, FLIP, LANE_BITS, REAL1
from qsim.kernels.simd import (
    LANES,
    dense1_bit0,
    dense1_bit1,
    dense1_bit2,
    dense1_bit3,
    dense1_masked,
    dense1_runs,
    dense2_masked,
    dense2_runs,
    flip_masked,
    flip_runs,
    real1_bit0,
    real1_bit1,
    real1_bit2,
    real1_bit3,
    real1_masked,
    real1_runs,
    scale_masked,
    scale_runs,
    vector_bits,
)  # fmt: skip


@kernel(inner=True)
def spread(index: int, fixed: Any) -> int:
    """`index` with zero bits inserted at the positions `fixed`, ascending."""
    for k in range(len(fixed)):
        low = index & ((1 << fixed[k]) - 1)
        index = ((index - low) << 1) | low
    return index


@kernel(inner=True)
def set_lanes(lanes: Any, mask: int, value: int) -> None:
    """Mark the lanes whose bits `mask` have this value."""
    for j in range(LANES):
        lanes[j] = 1 if (j & mask) == value else 0


@kernel(inner=True)
def scale(re: Any, im: Any, t: int, fixed: Any, offset: int, masked: bool, lanes: Any, u: Any) -> None:
    """Multiply the amplitudes that match by u[0] + i u[1]."""
    bits = fixed[0] if len(fixed) > 0 else t
    for i in range(1 << (t - len(fixed) - bits)):
        at = spread(i << bits, fixed) + offset
        if masked:
            scale_masked(re, im, u, lanes, at, 0, 0, 1 << bits)
        else:
            scale_runs(re, im, u, lanes, at, 0, 0, 1 << bits)


@kernel(inner=True)
def one_target(
    re: Any, im: Any, t: int, kind: int, target: int, fixed: Any, offset: int, masked: bool, lanes: Any, u: Any
) -> None:
    """A 2 x 2 matrix on a target from LANE_BITS up, where controls match; `u` holds (re, im) pairs, row by row."""
    bits = fixed[0]
    run, step = 1 << bits, 1 << target
    for i in range(1 << (t - len(fixed) - bits)):
        at = spread(i << bits, fixed) + offset
        if kind == FLIP:
            if masked:
                flip_masked(re, im, u, lanes, at, step, 0, run)
            else:
                flip_runs(re, im, u, lanes, at, step, 0, run)
        elif kind == REAL1:
            if masked:
                real1_masked(re, im, u, lanes, at, step, 0, run)
            else:
                real1_runs(re, im, u, lanes, at, step, 0, run)
        elif masked:
            dense1_masked(re, im, u, lanes, at, step, 0, run)
        else:
            dense1_runs(re, im, u, lanes, at, step, 0, run)


@kernel(inner=True)
def low_target(re: Any, im: Any, t: int, kind: int, target: int, fixed: Any, offset: int, lanes: Any, u: Any) -> None:
    """The same on a target below LANE_BITS; `lanes` is always set."""
    bits = fixed[0] if len(fixed) > 0 else t
    run, step = 1 << bits, 1 << target
    for i in range(1 << (t - len(fixed) - bits)):
        at = spread(i << bits, fixed) + offset
        if target >= vector_bits(re):
            for block in range(at, at + run, 2 * step):
                if kind == DENSE1:
                    dense1_masked(re, im, u, lanes, block, step, 0, step)
                else:
                    real1_masked(re, im, u, lanes, block, step, 0, step)
        elif kind == DENSE1:
            if target == 0:
                dense1_bit0(re, im, u, lanes, at, 0, 0, run)
            elif target == 1:
                dense1_bit1(re, im, u, lanes, at, 0, 0, run)
            elif target == 2:
                dense1_bit2(re, im, u, lanes, at, 0, 0, run)
            else:
                dense1_bit3(re, im, u, lanes, at, 0, 0, run)
        elif target == 0:
            real1_bit0(re, im, u, lanes, at, 0, 0, run)
        elif target == 1:
            real1_bit1(re, im, u, lanes, at, 0, 0, run)
        elif target == 2:
            real1_bit2(re, im, u, lanes, at, 0, 0, run)
        else:
            real1_bit3(re, im, u, lanes, at, 0, 0, run)


@kernel(inner=True)
def dense2(
    re: Any, im: Any, t: int, first: int, second: int, fixed: Any, offset: int, masked: bool, lanes: Any, u: Any
) -> None:
    """A 4 x 4 matrix on two targets from LANE_BITS up; `first` is its least significant bit."""
    bits = fixed[0]
    for i in range(1 << (t - len(fixed) - bits)):
        at = spread(i << bits, fixed) + offset
        if masked:
            dense2_masked(re, im, u, lanes, at, 1 << first, 1 << second, 1 << bits)
        else:
            dense2_runs(re, im, u, lanes, at, 1 << first, 1 << second, 1 << bits)


@kernel(inner=True)
def dense(
    re: Any, im: Any, t: int, targets: Any, fixed: Any, offset: int, lanes: Any, u: Any, column_re: Any, column_im: Any
) -> None:
    """A matrix on any targets, amplitude by amplitude; `lanes` is always set, `column_*` hold 2**targets numbers."""
    bits = fixed[0] if len(fixed) > 0 else t
    size, low = 1 << len(targets), 0
    for k in range(len(targets)):
        if targets[k] < LANE_BITS:
            low |= 1 << targets[k]
    for i in range(1 << (t - len(fixed) - bits)):
        start = spread(i << bits, fixed) + offset
        for at in range(start, start + (1 << bits)):
            if at & low or lanes[at & (LANES - 1)] == 0:
                continue
            for e in range(size):
                p = at
                for k in range(len(targets)):
                    p |= ((e >> k) & 1) << targets[k]
                column_re[e], column_im[e] = re[p], im[p]
            for e in range(size):
                x, y = 0.0 * re[at], 0.0 * im[at]
                for f in range(size):
                    c, d = u[2 * (e * size + f)], u[2 * (e * size + f) + 1]
                    x += c * column_re[f] - d * column_im[f]
                    y += c * column_im[f] + d * column_re[f]
                p = at
                for k in range(len(targets)):
                    p |= ((e >> k) & 1) << targets[k]
                re[p], im[p] = x, y
