"""Operations on one tile: 2**t amplitudes in one array, block by block, that stay in cache.

A tile index has at least LANE_BITS bits (small states are padded): the lowest number the lanes of a block, the others
the blocks. Blocks lie under an affine map over GF(2), so that X and CX on block bits only change the map (see
`qsim.compiler.blocks`): each block bit is a *stride*, a number to XOR to where a block begins. An operation has the strides
of its targets, the place `at` of one block on which it acts, and a *walk* to the others: `at` is XORed with
walk[trailing_zeros(i)] for i = 1, 2, ...; a last entry of 0 only ends it. Targets and controls are not in the walk.
Controls on lanes are a mask over the lanes, and so are the entries of a diagonal gate on lanes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qsim.kernels.jit import kernel
from qsim.kernels.opcodes import DENSE1, FLIP, FORM, LANE_BITS, REAL1, SCALE
from qsim.kernels.simd import (
    BLOCK,
    HAS_LEAN_FOUR,
    LANES,
    dense1_bit0,
    dense1_bit1,
    dense1_bit2,
    dense1_bit3,
    dense1_blocks,
    dense1_masked,
    dense2_blocks,
    dense2_masked,
    exchange_bit0,
    exchange_bit1,
    exchange_bit2,
    exchange_bit3,
    exchange_bits01,
    exchange_bits23,
    flip_blocks,
    flip_masked,
    lean_four,
    real1_bit0,
    real1_bit1,
    real1_bit2,
    real1_bit3,
    real1_blocks,
    real1_masked,
    reals_1_0,
    reals_1_1,
    reals_2_0,
    reals_2_1,
    reals_2_2,
    reals_3_0,
    reals_3_1,
    reals_3_2,
    reals_3_3,
    scale_block,
    scale_masked,
)  # fmt: skip
from qsim.kernels.window import borrowed, keep, trailing_zeros, window


@kernel(inner=True)
def first_step(walk: Any) -> int:
    """Where the count of a walk's steps begins: one further than `at` is, and at an odd number where there is no step.

    Loops look two steps ahead: a step that is loaded after the stores to a block comes too late for the next one.
    """
    return 2 if len(walk) > 1 else 3


@kernel(inner=True)
def steps(walk: Any) -> int:
    """Where the count of a walk's steps ends."""
    return (1 << (len(walk) - 1)) + first_step(walk)


@kernel(inner=True)
def plain_walk(block_bits: int, fixed: int, walk: Any) -> Any:
    """The part of `walk` that visits all blocks whose bits in the mask `fixed` are as they are, where blocks lie in order."""
    count = 0
    for bit in range(block_bits):
        if not (fixed >> bit) & 1:
            walk[count] = BLOCK << bit
            count += 1
    walk[count] = 0
    return window(walk, 0, count + 1)


@kernel(inner=True)
def set_lanes(lanes: Any, mask: int, value: int) -> None:
    """Mark the lanes whose bits `mask` have this value."""
    for j in range(LANES):
        lanes[j] = 1 if (j & mask) == value else 0


@kernel(apart=True)
def scale(tile: Any, walk: Any, at: int, masked: bool, lanes: Any, u: Any) -> None:
    """Multiply the amplitudes that match by u[0] + i u[1]."""
    following, step = at, walk[0]
    for i in range(first_step(walk), steps(walk)):
        at = following
        following, step = at ^ step, walk[trailing_zeros(i)]
        if masked:
            scale_masked(tile, u, lanes, tile, at, 0, 0, 0)
        else:
            scale_block(tile, u, lanes, tile, at, 0, 0, 0)


@kernel(inner=True)
def one_target(
    tile: Any, kind: int, stride: int, walk: Any, at: int, masked: bool, lanes: Any, u: Any
) -> None:  # fmt: skip
    """A 2 x 2 matrix on the block bit of a stride, where controls match; `u` holds (re, im) pairs, row by row."""
    first, last = first_step(walk), steps(walk)
    following, step = at, walk[0]
    if kind == DENSE1 and not masked:  # loops of their own, in which the matrix stays in registers
        for i in range(first, last):
            at = following
            following, step = at ^ step, walk[trailing_zeros(i)]
            dense1_blocks(tile, u, lanes, tile, at, stride, 0, 0)
        return
    if kind == REAL1 and not masked:
        for i in range(first, last):
            at = following
            following, step = at ^ step, walk[trailing_zeros(i)]
            real1_blocks(tile, u, lanes, tile, at, stride, 0, 0)
        return
    for i in range(first, last):
        at = following
        following, step = at ^ step, walk[trailing_zeros(i)]
        if kind == FLIP:
            if masked:
                flip_masked(tile, u, lanes, tile, at, stride, 0, 0)
            else:
                flip_blocks(tile, u, lanes, tile, at, stride, 0, 0)
        elif kind == REAL1:
            if masked:
                real1_masked(tile, u, lanes, tile, at, stride, 0, 0)
            else:
                real1_blocks(tile, u, lanes, tile, at, stride, 0, 0)
        elif masked:
            dense1_masked(tile, u, lanes, tile, at, stride, 0, 0)
        else:
            dense1_blocks(tile, u, lanes, tile, at, stride, 0, 0)


@kernel(inner=True)
def low_target(tile: Any, kind: int, target: int, walk: Any, at: int, lanes: Any, u: Any) -> None:
    """The same on a lane bit; `lanes` is always set."""
    following, step = at, walk[0]
    for i in range(first_step(walk), steps(walk)):
        at = following
        following, step = at ^ step, walk[trailing_zeros(i)]
        if kind == DENSE1:
            if target == 0:
                dense1_bit0(tile, u, lanes, tile, at, 0, 0, 0)
            elif target == 1:
                dense1_bit1(tile, u, lanes, tile, at, 0, 0, 0)
            elif target == 2:
                dense1_bit2(tile, u, lanes, tile, at, 0, 0, 0)
            else:
                dense1_bit3(tile, u, lanes, tile, at, 0, 0, 0)
        elif target == 0:
            real1_bit0(tile, u, lanes, tile, at, 0, 0, 0)
        elif target == 1:
            real1_bit1(tile, u, lanes, tile, at, 0, 0, 0)
        elif target == 2:
            real1_bit2(tile, u, lanes, tile, at, 0, 0, 0)
        else:
            real1_bit3(tile, u, lanes, tile, at, 0, 0, 0)


@kernel(apart=True)
def reals(tile: Any, count: int, pairs: Any, walk: Any, at: int, coefficients: Any) -> None:
    """Real matrices on one to three block bits: pairs[2 * k] the stride, pairs[2 * k + 1] where its coefficients are.

    A factor is left out; see `left_out`.
    """
    reflections = 0
    # Reflections first, since the code for a group is compiled for their number.
    strides, ats = (0, 0, 0), (0, 0, 0)
    for wanted in range(2):
        for k in range(count):
            own = pairs[2 * k + 1]
            if (coefficients[own + FORM] < 0) == (wanted == 0):
                strides, ats = (strides[1], strides[2], pairs[2 * k]), (ats[1], ats[2], own)
                if wanted == 0:
                    reflections += 1
    u = window(coefficients, ats[0 if count == 3 else 1 if count == 2 else 2], 8)
    v = window(coefficients, ats[1 if count == 3 else 2], 8)
    w = window(coefficients, ats[2], 8)
    step0 = strides[0 if count == 3 else 1 if count == 2 else 2]
    step1, step2 = strides[1 if count == 3 else 2], strides[2]
    first, last = first_step(walk), steps(walk)
    following, step = at, walk[0]
    if count == 3:
        if reflections == 0:
            for i in range(first, last):
                at = following
                following, step = at ^ step, walk[trailing_zeros(i)]
                reals_3_0(tile, u, v, w, at, step0, step1, step2)
        elif reflections == 1:
            for i in range(first, last):
                at = following
                following, step = at ^ step, walk[trailing_zeros(i)]
                reals_3_1(tile, u, v, w, at, step0, step1, step2)
        elif reflections == 2:
            for i in range(first, last):
                at = following
                following, step = at ^ step, walk[trailing_zeros(i)]
                reals_3_2(tile, u, v, w, at, step0, step1, step2)
        else:
            for i in range(first, last):
                at = following
                following, step = at ^ step, walk[trailing_zeros(i)]
                reals_3_3(tile, u, v, w, at, step0, step1, step2)
    elif count == 2:
        if reflections == 0:
            for i in range(first, last):
                at = following
                following, step = at ^ step, walk[trailing_zeros(i)]
                reals_2_0(tile, u, v, tile, at, step0, step1, 0)
        elif reflections == 1:
            for i in range(first, last):
                at = following
                following, step = at ^ step, walk[trailing_zeros(i)]
                reals_2_1(tile, u, v, tile, at, step0, step1, 0)
        else:
            for i in range(first, last):
                at = following
                following, step = at ^ step, walk[trailing_zeros(i)]
                reals_2_2(tile, u, v, tile, at, step0, step1, 0)
    elif reflections == 0:
        for i in range(first, last):
            at = following
            following, step = at ^ step, walk[trailing_zeros(i)]
            reals_1_0(tile, u, tile, tile, at, step0, 0, 0)
    else:
        for i in range(first, last):
            at = following
            following, step = at ^ step, walk[trailing_zeros(i)]
            reals_1_1(tile, u, tile, tile, at, step0, 0, 0)


@kernel(inner=True)
def left_out(pairs: Any, count: int, coefficients: Any) -> float:
    """The factor that `reals` leaves out; see `qsim.kernels.merge.put_real`."""
    factor = 1.0
    for k in range(count):
        factor *= coefficients[pairs[2 * k + 1] + SCALE]
    return factor


@kernel(apart=True)
def dense2(
    tile: Any, first: int, second: int, walk: Any, at: int, masked: bool, lanes: Any, u: Any
) -> None:  # fmt: skip
    """A 4 x 4 matrix on the block bits of two strides; `first` is its least significant bit."""
    together = 8 // tile.itemsize - 1  # bits of the walk that one call is for
    if HAS_LEAN_FOUR and not masked and len(walk) > together:
        room = np.empty(48, tile.dtype)
        sums = borrowed(room)
        for k in range(16):
            sums[3 * k], sums[3 * k + 1], sums[3 * k + 2] = u[2 * k], u[2 * k] + u[2 * k + 1], u[2 * k + 1] - u[2 * k]
        rest = window(walk, together, len(walk) - together)
        following, step = at, rest[0]
        for i in range(first_step(rest), steps(rest)):
            at = following
            following, step = at ^ step, rest[trailing_zeros(i)]
            lean_four(tile, sums, tile, tile, at, first, second, walk[0])
        keep(room)
        return
    following, step = at, walk[0]
    for i in range(first_step(walk), steps(walk)):
        at = following
        following, step = at ^ step, walk[trailing_zeros(i)]
        if masked:
            dense2_masked(tile, u, lanes, tile, at, first, second, 0)
        else:
            dense2_blocks(tile, u, lanes, tile, at, first, second, 0)


@kernel(inner=True)
def place(index: int) -> int:
    """Where the real part of an amplitude lies; the imaginary part lies LANES further on. Blocks lie in order."""
    return 2 * index - (index & (LANES - 1))


@kernel(inner=True)
def stride_of(place: int) -> int:
    """What to XOR for a target: its stride, or for one of the lanes, which is given as its bit, the distance."""
    return place if place >= LANE_BITS else 1 << place


@kernel(apart=True)
def dense(tile: Any, targets: Any, walk: Any, at: int, lanes: Any, u: Any, column: Any) -> None:
    """A matrix on any bits, amplitude by amplitude; `lanes` is always set, `column` holds 2 * 2**targets numbers."""
    size, low = 1 << len(targets), 0
    for k in range(len(targets)):
        if targets[k] < LANE_BITS:
            low |= 1 << targets[k]
    following, step = at, walk[0]
    for i in range(first_step(walk), steps(walk)):
        at = following
        following, step = at ^ step, walk[trailing_zeros(i)]
        for lane in range(LANES):
            if lane & low or lanes[lane] == 0:
                continue
            for e in range(size):
                p = at + lane
                for k in range(len(targets)):
                    if (e >> k) & 1:
                        p ^= stride_of(targets[k])
                column[2 * e], column[2 * e + 1] = tile[p], tile[p + LANES]
            for e in range(size):
                x, y = 0.0 * column[0], 0.0 * column[0]
                for f in range(size):
                    c, d = u[2 * (e * size + f)], u[2 * (e * size + f) + 1]
                    x += c * column[2 * f] - d * column[2 * f + 1]
                    y += c * column[2 * f + 1] + d * column[2 * f]
                p = at + lane
                for k in range(len(targets)):
                    if (e >> k) & 1:
                        p ^= stride_of(targets[k])
                tile[p], tile[p + LANES] = x, y


@kernel(apart=True)
def exchange(tile: Any, lane: int, stride: int, walk: Any, at: int) -> None:
    """Exchange a lane bit with a block bit."""
    following, step = at, walk[0]
    for i in range(first_step(walk), steps(walk)):
        at = following
        following, step = at ^ step, walk[trailing_zeros(i)]
        if lane == 0:
            exchange_bit0(tile, tile, tile, tile, at, stride, 0, 0)
        elif lane == 1:
            exchange_bit1(tile, tile, tile, tile, at, stride, 0, 0)
        elif lane == 2:
            exchange_bit2(tile, tile, tile, tile, at, stride, 0, 0)
        else:
            exchange_bit3(tile, tile, tile, tile, at, stride, 0, 0)


@kernel(apart=True)
def exchange_two(tile: Any, lane: int, first: int, second: int, walk: Any, at: int) -> None:
    """Exchange `lane` with the block bit of stride `first` and the next lane bit with `second`; `lane` is 0 or 2."""
    following, step = at, walk[0]
    for i in range(first_step(walk), steps(walk)):
        at = following
        following, step = at ^ step, walk[trailing_zeros(i)]
        if lane == 0:
            exchange_bits01(tile, tile, tile, tile, at, first, second, 0)
        else:
            exchange_bits23(tile, tile, tile, tile, at, first, second, 0)
