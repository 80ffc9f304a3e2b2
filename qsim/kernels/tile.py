"""Operations on one tile: 2**t amplitudes in one array, block by block, that stay in cache.

A tile index has at least LANE_BITS bits (small states are padded): the lowest number the lanes of a block, the others
the blocks. An operation fixes some block bits: its targets and controls, listed in `fixed`, ascending. The blocks where
they are 0 are enumerated by inserting zeros into a counter; `offset` holds the values of control bits. Controls on
lanes are a mask over the lanes, and so are the entries of a diagonal gate on lanes.
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
from qsim.kernels.window import borrowed, keep, window


@kernel(inner=True)
def insert_zero(index: int, bit: int) -> int:
    """`index` with a zero inserted at `bit`."""
    low = index & ((1 << bit) - 1)
    return ((index - low) << 1) | low


@kernel(inner=True)
def spread(index: int, fixed: Any) -> int:
    """`index` with zeros inserted at the bits `fixed`, ascending."""
    for k in range(len(fixed)):
        index = insert_zero(index, fixed[k])
    return index


@kernel(inner=True)
def share_of(count: int, share: int, shares: int) -> Any:
    """The range of `share` when `count` things are divided into so many shares."""
    return range(count * share // shares, count * (share + 1) // shares)


@kernel(inner=True)
def set_lanes(lanes: Any, mask: int, value: int) -> None:
    """Mark the lanes whose bits `mask` have this value."""
    for j in range(LANES):
        lanes[j] = 1 if (j & mask) == value else 0


@kernel(apart=True)
def scale(
    tile: Any,
    block_bits: int,
    fixed: Any,
    offset: int,
    masked: bool,
    lanes: Any,
    u: Any,
    share: int = 0,
    shares: int = 1,
) -> None:
    """Multiply the amplitudes that match by u[0] + i u[1], a share of them; see `share_of`."""
    for i in share_of(1 << (block_bits - len(fixed)), share, shares):
        at = BLOCK * (spread(i, fixed) + offset)
        if masked:
            scale_masked(tile, u, lanes, tile, at, 0, 0, 0)
        else:
            scale_block(tile, u, lanes, tile, at, 0, 0, 0)


@kernel(inner=True)
def one_target(
    tile: Any,
    block_bits: int,
    kind: int,
    target: int,
    fixed: Any,
    offset: int,
    masked: bool,
    lanes: Any,
    u: Any,
    share: int = 0,
    shares: int = 1,
) -> None:
    """A 2 x 2 matrix on block bit `target`, where controls match; `u` holds (re, im) pairs, row by row."""
    step = BLOCK << target
    if len(fixed) == 1 and not masked and kind != FLIP:
        if kind == REAL1:
            for i in share_of(1 << (block_bits - 1), share, shares):
                real1_blocks(tile, u, tile, tile, BLOCK * insert_zero(i, target), step, 0, 0)
        else:
            for i in share_of(1 << (block_bits - 1), share, shares):
                dense1_blocks(tile, u, tile, tile, BLOCK * insert_zero(i, target), step, 0, 0)
        return
    for i in share_of(1 << (block_bits - len(fixed)), share, shares):
        at = BLOCK * (spread(i, fixed) + offset)
        if kind == FLIP:
            if masked:
                flip_masked(tile, u, lanes, tile, at, step, 0, 0)
            else:
                flip_blocks(tile, u, lanes, tile, at, step, 0, 0)
        elif kind == REAL1:
            if masked:
                real1_masked(tile, u, lanes, tile, at, step, 0, 0)
            else:
                real1_blocks(tile, u, lanes, tile, at, step, 0, 0)
        elif masked:
            dense1_masked(tile, u, lanes, tile, at, step, 0, 0)
        else:
            dense1_blocks(tile, u, lanes, tile, at, step, 0, 0)


@kernel(inner=True)
def low_target(
    tile: Any,
    block_bits: int,
    kind: int,
    target: int,
    fixed: Any,
    offset: int,
    lanes: Any,
    u: Any,
    share: int = 0,
    shares: int = 1,
) -> None:
    """The same on a lane bit; `lanes` is always set."""
    for i in share_of(1 << (block_bits - len(fixed)), share, shares):
        at = BLOCK * (spread(i, fixed) + offset)
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
def reals(
    tile: Any, block_bits: int, fixed: Any, pairs: Any, coefficients: Any, share: int = 0, shares: int = 1
) -> None:
    """Real matrices on one to three block bits: pairs[2 * k] the bit, pairs[2 * k + 1] where its coefficients are.

    A factor is left out; see `left_out`.
    """
    count, reflections = len(fixed), 0
    # Reflections first, since the code for a group is compiled for their number.
    bits, ats = (0, 0, 0), (0, 0, 0)
    for wanted in range(2):
        for k in range(count):
            at = pairs[2 * k + 1]
            if (coefficients[at + FORM] < 0) == (wanted == 0):
                bits, ats = (bits[1], bits[2], pairs[2 * k]), (ats[1], ats[2], at)
                if wanted == 0:
                    reflections += 1
    u = window(coefficients, ats[0 if count == 3 else 1 if count == 2 else 2], 8)
    v = window(coefficients, ats[1 if count == 3 else 2], 8)
    w = window(coefficients, ats[2], 8)
    step0 = BLOCK << bits[0 if count == 3 else 1 if count == 2 else 2]
    step1, step2 = BLOCK << bits[1 if count == 3 else 2], BLOCK << bits[2]
    if count == 3:
        a, b, c = fixed[0], fixed[1], fixed[2]
        if reflections == 0:
            for i in share_of(1 << (block_bits - 3), share, shares):
                at = BLOCK * insert_zero(insert_zero(insert_zero(i, a), b), c)
                reals_3_0(tile, u, v, w, at, step0, step1, step2)
        elif reflections == 1:
            for i in share_of(1 << (block_bits - 3), share, shares):
                at = BLOCK * insert_zero(insert_zero(insert_zero(i, a), b), c)
                reals_3_1(tile, u, v, w, at, step0, step1, step2)
        elif reflections == 2:
            for i in share_of(1 << (block_bits - 3), share, shares):
                at = BLOCK * insert_zero(insert_zero(insert_zero(i, a), b), c)
                reals_3_2(tile, u, v, w, at, step0, step1, step2)
        else:
            for i in share_of(1 << (block_bits - 3), share, shares):
                at = BLOCK * insert_zero(insert_zero(insert_zero(i, a), b), c)
                reals_3_3(tile, u, v, w, at, step0, step1, step2)
    elif count == 2:
        a, b = fixed[0], fixed[1]
        if reflections == 0:
            for i in share_of(1 << (block_bits - 2), share, shares):
                at = BLOCK * insert_zero(insert_zero(i, a), b)
                reals_2_0(tile, u, v, tile, at, step0, step1, 0)
        elif reflections == 1:
            for i in share_of(1 << (block_bits - 2), share, shares):
                at = BLOCK * insert_zero(insert_zero(i, a), b)
                reals_2_1(tile, u, v, tile, at, step0, step1, 0)
        else:
            for i in share_of(1 << (block_bits - 2), share, shares):
                at = BLOCK * insert_zero(insert_zero(i, a), b)
                reals_2_2(tile, u, v, tile, at, step0, step1, 0)
    else:
        a = fixed[0]
        if reflections == 0:
            for i in share_of(1 << (block_bits - 1), share, shares):
                at = BLOCK * insert_zero(i, a)
                reals_1_0(tile, u, tile, tile, at, step0, 0, 0)
        else:
            for i in share_of(1 << (block_bits - 1), share, shares):
                at = BLOCK * insert_zero(i, a)
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
    tile: Any,
    block_bits: int,
    first_bit: int,
    second_bit: int,
    fixed: Any,
    offset: int,
    masked: bool,
    lanes: Any,
    u: Any,
    share: int = 0,
    shares: int = 1,
) -> None:
    """A 4 x 4 matrix on two block bits; `first_bit` is its least significant bit."""
    count = 1 << (block_bits - len(fixed))
    first, last = count * share // shares, count * (share + 1) // shares
    at_a_time = 8 // tile.itemsize
    if HAS_LEAN_FOUR and not masked and last - first >= at_a_time:
        room = np.empty(48, tile.dtype)
        sums = borrowed(room)
        for k in range(16):
            sums[3 * k], sums[3 * k + 1], sums[3 * k + 2] = u[2 * k], u[2 * k] + u[2 * k + 1], u[2 * k + 1] - u[2 * k]
        for i in range(first, last, at_a_time):
            at, following = BLOCK * (spread(i, fixed) + offset), BLOCK * (spread(i + at_a_time - 1, fixed) + offset)
            lean_four(tile, sums, tile, tile, at, BLOCK << first_bit, BLOCK << second_bit, following - at)
        keep(room)
        return
    for i in range(first, last):
        at = BLOCK * (spread(i, fixed) + offset)
        if masked:
            dense2_masked(tile, u, lanes, tile, at, BLOCK << first_bit, BLOCK << second_bit, 0)
        else:
            dense2_blocks(tile, u, lanes, tile, at, BLOCK << first_bit, BLOCK << second_bit, 0)


@kernel(inner=True)
def place(index: int) -> int:
    """Where the real part of an amplitude lies; the imaginary part lies LANES further on."""
    return 2 * index - (index & (LANES - 1))


@kernel(apart=True)
def dense(
    tile: Any,
    block_bits: int,
    targets: Any,
    fixed: Any,
    offset: int,
    lanes: Any,
    u: Any,
    column: Any,
    share: int = 0,
    shares: int = 1,
) -> None:
    """A matrix on any bits, amplitude by amplitude; `lanes` is always set, `column` holds 2 * 2**targets numbers."""
    size, low = 1 << len(targets), 0
    for k in range(len(targets)):
        if targets[k] < LANE_BITS:
            low |= 1 << targets[k]
    for i in share_of(1 << (block_bits - len(fixed)), share, shares):
        start = LANES * (spread(i, fixed) + offset)
        for at in range(start, start + LANES):
            if at & low or lanes[at - start] == 0:
                continue
            for e in range(size):
                index = at
                for k in range(len(targets)):
                    index |= ((e >> k) & 1) << targets[k]
                p = place(index)
                column[2 * e], column[2 * e + 1] = tile[p], tile[p + LANES]
            for e in range(size):
                x, y = 0.0 * column[0], 0.0 * column[0]
                for f in range(size):
                    c, d = u[2 * (e * size + f)], u[2 * (e * size + f) + 1]
                    x += c * column[2 * f] - d * column[2 * f + 1]
                    y += c * column[2 * f + 1] + d * column[2 * f]
                index = at
                for k in range(len(targets)):
                    index |= ((e >> k) & 1) << targets[k]
                p = place(index)
                tile[p], tile[p + LANES] = x, y


@kernel(apart=True)
def exchange(tile: Any, block_bits: int, lane: int, block_bit: int, share: int = 0, shares: int = 1) -> None:
    """Exchange a lane bit with a block bit."""
    step = BLOCK << block_bit
    for i in share_of(1 << (block_bits - 1), share, shares):
        at = BLOCK * insert_zero(i, block_bit)
        if lane == 0:
            exchange_bit0(tile, tile, tile, tile, at, step, 0, 0)
        elif lane == 1:
            exchange_bit1(tile, tile, tile, tile, at, step, 0, 0)
        elif lane == 2:
            exchange_bit2(tile, tile, tile, tile, at, step, 0, 0)
        else:
            exchange_bit3(tile, tile, tile, tile, at, step, 0, 0)


@kernel(apart=True)
def exchange_two(
    tile: Any, block_bits: int, lane: int, first: int, second: int, share: int = 0, shares: int = 1
) -> None:
    """Exchange `lane` with block bit `first` and the next lane bit with `second`; `lane` is 0 or 2."""
    low, high = min(first, second), max(first, second)
    for i in share_of(1 << (block_bits - 2), share, shares):
        at = BLOCK * insert_zero(insert_zero(i, low), high)
        if lane == 0:
            exchange_bits01(tile, tile, tile, tile, at, BLOCK << first, BLOCK << second, 0)
        else:
            exchange_bits23(tile, tile, tile, tile, at, BLOCK << first, BLOCK << second, 0)
