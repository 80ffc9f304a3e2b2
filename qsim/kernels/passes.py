"""A pass: for each tile, gather its amplitudes, apply every operation of a group in cache, scatter them back.

The state is interleaved, ``state[2 * i]`` and ``state[2 * i + 1]`` the parts of amplitude i. A tile holds the
amplitudes whose index agrees outside the tile's `t` positions. Bit j of a tile index is its j-th lowest position;
the lowest `run_bits` positions are 0, 1, 2, ..., so that runs of 2**run_bits amplitudes are contiguous in memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qsim.kernels.jit import kernel
from qsim.kernels.opcodes import (
    COEFFICIENT,
    DENSE,
    DIAGONAL,
    FIXED_AT,
    FIXED_COUNT,
    KIND,
    LANE_BITS,
    LANE_MASK,
    LANE_VALUE,
    OUTER_MASK,
    OUTER_VALUE,
    TARGET,
    TARGETS,
    VALUE,
)  # fmt: skip
from qsim.kernels.tile import dense, dense2, low_target, one_target, scale, set_lanes
from qsim.kernels.window import window


@kernel(inner=True)
def diagonal(re: Any, im: Any, t: int, base: int, op: Any, bits: Any, coefficients: Any, lanes: Any) -> None:
    """A diagonal gate: each entry scales the amplitudes whose target bits, in the tile or outside, select it."""
    count = op[TARGETS]
    targets = window(bits, op[TARGET], count)
    fixed = window(bits, op[FIXED_AT], op[FIXED_COUNT])
    masked = op[LANE_MASK] != 0
    for entry in range(1 << count):
        u = window(coefficients, op[COEFFICIENT] + 2 * entry, 2)
        if u[0] == 1 and u[1] == 0:
            continue
        offset, lane_value, here = op[VALUE], op[LANE_VALUE], True
        for k in range(count):
            bit = (entry >> k) & 1
            if targets[k] < 0:  # a position outside the tile, stored as -1 - position
                here = here and ((base >> (-1 - targets[k])) & 1) == bit
            elif targets[k] < LANE_BITS:
                lane_value |= bit << targets[k]
            else:
                offset |= bit << targets[k]
        if here:
            if masked:
                set_lanes(lanes, op[LANE_MASK], lane_value)
            scale(re, im, t, fixed, offset, masked, lanes, u)


@kernel(inner=True)
def apply(
    re: Any, im: Any, t: int, op: Any, bits: Any, coefficients: Any, lanes: Any, column_re: Any, column_im: Any
) -> None:
    """Any other operation."""
    kind, target, offset = op[KIND], op[TARGET], op[VALUE]
    fixed = window(bits, op[FIXED_AT], op[FIXED_COUNT])
    u = window(coefficients, op[COEFFICIENT], len(coefficients) - op[COEFFICIENT])
    masked = op[LANE_MASK] != 0
    set_lanes(lanes, op[LANE_MASK], op[LANE_VALUE])
    if kind == DENSE:
        targets = window(bits, target, op[TARGETS])
        if len(targets) == 2 and min(targets[0], targets[1]) >= LANE_BITS:
            dense2(re, im, t, targets[0], targets[1], fixed, offset, masked, lanes, u)
        else:
            dense(re, im, t, targets, fixed, offset, lanes, u, column_re, column_im)
    elif target >= LANE_BITS:
        one_target(re, im, t, kind, target, fixed, offset, masked, lanes, u)
    else:
        low_target(re, im, t, kind, target, fixed, offset, lanes, u)


@kernel()
def run_pass(
    state: Any, start: int, stop: int, t: int, run_bits: int, addresses: Any, outer: Any, permuted: bool,
    source_low: Any, source_high: Any, ops: Any, bits: Any, coefficients: Any, re: Any, im: Any,
    lanes: Any, column_re: Any, column_im: Any,
) -> None:  # fmt: skip
    """Tiles [start, stop) of one pass.

    addresses: of each run of a tile, relative to the tile's base, in runs; outer: the positions outside the tile;
    source_low, source_high: where in the tile the amplitude that goes to (run, place in the run) comes from.
    """
    run = 1 << run_bits
    bits_in_tile = max(t, LANE_BITS)
    for tile in range(start, stop):
        base = start & 0
        for k in range(len(outer)):
            base |= ((tile >> k) & 1) << outer[k]
        for h in range(len(addresses)):
            at = 2 * (base + addresses[h])
            s, r, m = window(state, at, 2 * run), window(re, h << run_bits, run), window(im, h << run_bits, run)
            for j in range(run):
                r[j] = s[2 * j]
                m[j] = s[2 * j + 1]
        for k in range(len(ops)):
            op = ops[k]
            if (base & op[OUTER_MASK]) == op[OUTER_VALUE]:
                if op[KIND] == DIAGONAL:
                    diagonal(re, im, bits_in_tile, base, op, bits, coefficients, lanes)
                else:
                    apply(re, im, bits_in_tile, op, bits, coefficients, lanes, column_re, column_im)
        for h in range(len(addresses)):
            at = 2 * (base + addresses[h])
            s = window(state, at, 2 * run)
            if permuted:
                r, m = (
                    window(re, source_high[h], len(re) - source_high[h]),
                    window(im, source_high[h], len(im) - source_high[h]),
                )
                for j in range(run):
                    s[2 * j] = r[source_low[j]]
                    s[2 * j + 1] = m[source_low[j]]
            else:
                r, m = window(re, h << run_bits, run), window(im, h << run_bits, run)
                for j in range(run):
                    s[2 * j] = r[j]
                    s[2 * j + 1] = m[j]


@kernel()
def clear(state: Any, start: int, stop: int) -> None:
    """Zeros into [start, stop); also the first touch of that memory, by the thread that will use it."""
    part = window(state, start, stop - start)
    for k in range(len(part)):
        part[k] = 0


@kernel()
def deposit_table(count: int, positions: Any) -> Any:
    """Entry k has bit j of k at bit positions[j]."""
    table = np.zeros(1 << count, dtype=np.int64)
    for k in range(1 << count):
        value = 0
        for j in range(count):
            value |= ((k >> j) & 1) << positions[j]
        table[k] = value
    return table
