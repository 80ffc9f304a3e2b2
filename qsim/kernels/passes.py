"""A pass: for each tile, gather its amplitudes, apply every operation of a group in cache, scatter them back.

A tile holds the amplitudes whose index agrees outside the tile's `t` positions. Bit j of a tile index is its j-th
lowest position; the lowest positions are 0, 1, 2, ..., so that runs of amplitudes are contiguous in memory. During a
run the state is in blocks of real and imaginary parts, as tiles are; the last pass writes the usual interleaved form.
What lies where in a tile may change by X and CX alone, which move nothing: see `qsim.compiler.blocks`.

A state that starts as |0...0> is not filled with zeros first. Positions that no tile has had yet can only be 0 in the
index of an amplitude that is not zero, so a pass visits the tiles that may hold something, and takes zeros for the rest.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qsim.kernels.jit import kernel
from qsim.kernels.opcodes import (
    COEFFICIENT,
    DENSE,
    DIAGONAL,
    FIXED_COUNT,
    IN_BITS,
    IN_OPS,
    IN_PASSES,
    IN_SOURCES,
    IN_TILES,
    INPUT_INTERLEAVED,
    KIND,
    LANE_BITS,
    LANE_MASK,
    LANE_VALUE,
    LANES_MOVE,
    OPS_FROM,
    OPS_TO,
    OUTER_MASK,
    OUTER_VALUE,
    OUTPUT_INTERLEAVED,
    PASS_BITS,
    PASS_FLAGS,
    PASS_RECORD,
    PASS_SHIFT,
    PASS_SHIFTS,
    PASS_SHIFTS_AT,
    PASS_STRIDES,
    PASS_SUPPORT,
    PHASES,
    REALS,
    RECORD,
    SHIFTS,
    SHIFTS_AT,
    TARGET,
    TARGETS,
    TRANSPOSITION,
    VALUE,
    WALK_AT,
)  # fmt: skip
from qsim.kernels.phases import LOW_BITS, phases, table_numbers, tabulate
from qsim.kernels.simd import BLOCK, LANES, copy_block, join_block, scale_block, split_block
from qsim.kernels.tile import (
    dense,
    dense2,
    exchange,
    exchange_two,
    left_out,
    low_target,
    one_target,
    reals,
    scale,
    set_lanes,
)  # fmt: skip
from qsim.kernels.window import keep, section, window


@kernel(inner=True)
def shifted(value: int, base: int, shifts: Any) -> int:
    """Where a block lies: `value` and what positions outside the tile add, in threes: a mask, its value in `base`, a stride."""
    for k in range(0, len(shifts), 3):
        if base & shifts[k] == shifts[k + 1]:
            value ^= shifts[k + 2]
    return value


@kernel(apart=True)
def diagonal(tile: Any, base: int, at: int, op: Any, bits: Any, walk: Any, coefficients: Any, lanes: Any) -> None:
    """A diagonal gate: each entry scales the amplitudes whose target bits, in the tile or outside, select it."""
    count = op[TARGETS]
    targets = window(bits, op[TARGET], count)
    masked = op[LANE_MASK] != 0
    for entry in range(1 << count):
        u = window(coefficients, op[COEFFICIENT] + 2 * entry, 2)
        if u[0] == 1 and u[1] == 0:
            continue
        here, lane_value, matches = at, op[LANE_VALUE], True
        for k in range(count):
            bit = (entry >> k) & 1
            if targets[k] < 0:  # a position outside the tile, stored as -1 - position
                matches = matches and ((base >> (-1 - targets[k])) & 1) == bit
            elif targets[k] < LANE_BITS:
                lane_value |= bit << targets[k]
            elif bit:
                here ^= targets[k]
        if matches:
            if masked:
                set_lanes(lanes, op[LANE_MASK], lane_value)
            scale(tile, walk, here, masked, lanes, u)


@kernel(inner=True)
def exchange_target(tile: Any, lane: int, stride: int, other: int, walk: Any, at: int) -> None:
    """Exchange a lane with the bit of a stride, for both values of a target whose stride is `other`."""
    exchange(tile, lane, stride, walk, at)
    exchange(tile, lane, stride, walk, at ^ other)


@kernel(apart=True)
def dense_pair(
    tile: Any, first: int, second: int, walk: Any, at: int, masked: bool, lanes: Any, u: Any
) -> None:  # fmt: skip
    """A 4 x 4 matrix on any two bits: a target among the lanes changes places with a bit of the walk meanwhile."""
    a, b, moved = first, second, 0
    if first < LANE_BITS:
        a, moved = walk[0], 1
    if second < LANE_BITS:
        b, moved = walk[moved], moved + 1
    rest = window(walk, moved, len(walk) - moved)
    for again in range(2):
        if again:
            dense2(tile, a, b, rest, at, masked, lanes, u)
        if first < LANE_BITS:
            exchange_target(tile, first, a, b, rest, at)
        if second < LANE_BITS:
            exchange_target(tile, second, b, a, rest, at)


@kernel(inner=True)
def apply(tile: Any, at: int, op: Any, bits: Any, walk: Any, coefficients: Any, lanes: Any, column: Any) -> None:
    """An operation with a matrix, where its controls match."""
    kind, target = op[KIND], op[TARGET]
    u = window(coefficients, op[COEFFICIENT], len(coefficients) - op[COEFFICIENT])
    masked = op[LANE_MASK] != 0
    if kind == DENSE:
        set_lanes(lanes, op[LANE_MASK], op[LANE_VALUE])
        targets = window(bits, target, op[TARGETS])
        if len(targets) == 2 and len(walk) > 2:
            dense_pair(tile, targets[0], targets[1], walk, at, masked, lanes, u)
        else:
            dense(tile, targets, walk, at, lanes, u, column)
    elif target >= LANE_BITS:
        if masked:
            set_lanes(lanes, op[LANE_MASK], op[LANE_VALUE])
        one_target(tile, kind, target, walk, at, masked, lanes, u)
    else:
        set_lanes(lanes, op[LANE_MASK], op[LANE_VALUE])
        low_target(tile, kind, target, walk, at, lanes, u)


@kernel(apart=True)
def rescale(tile: Any, start: int, stop: int, factor: float, lanes: Any, column: Any) -> None:
    """Multiply the blocks that begin in [start, stop) by a real factor."""
    column[0], column[1] = factor, 0.0
    for at in range(start, stop, BLOCK):
        scale_block(tile, column, lanes, tile, at, 0, 0, 0)


@kernel(apart=True)
def operate(
    tile: Any, base: int, op: Any, bits: Any, walk: Any, at: int, coefficients: Any, lanes: Any, column: Any
) -> None:
    """One operation that needs no tables."""
    kind = op[KIND]
    if kind == REALS:
        reals(tile, op[FIXED_COUNT], window(bits, op[TARGET], 2 * op[FIXED_COUNT]), walk, at, coefficients)
    elif kind == DIAGONAL:
        diagonal(tile, base, at, op, bits, walk, coefficients, lanes)
    elif kind == TRANSPOSITION:
        pairs = window(bits, op[TARGET], 4)
        if op[TARGETS] == 1:
            exchange(tile, pairs[0], pairs[1], walk, at)
        else:
            exchange_two(tile, pairs[0], pairs[1], pairs[3], walk, at)
    else:
        apply(tile, at, op, bits, walk, coefficients, lanes, column)


@kernel(inner=True)
def factor_after(factor: float, op: Any, bits: Any, coefficients: Any) -> float:
    """What the tile has yet to be multiplied by after an operation.

    Real matrices leave out a factor each, which the next product of phases, or else a sweep of its own, makes good.
    """
    if op[KIND] == REALS:
        return factor * left_out(window(bits, op[TARGET], 2 * op[FIXED_COUNT]), op[FIXED_COUNT], coefficients)
    return 1.0 if op[KIND] == PHASES else factor


@kernel(inner=True)
def is_tiny(factor: float) -> bool:
    """Whether it is time to make good what was left out: a float32 has room for 2**-126."""
    return abs(factor) < 2.0**-20


@kernel(apart=True)
def work(
    tile: Any, t: int, base: int, first: int, last: int, ops: Any, bits: Any, coefficients: Any, lanes: Any, column: Any,
    tables: Any,
) -> None:  # fmt: skip
    """Operations [first, last) on a tile."""
    block_bits = max(t, LANE_BITS) - LANE_BITS
    end, factor = BLOCK << block_bits, 1.0
    zero = np.int64(0)  # literals would compile what they are passed to once more
    for k in range(first, last):
        op = window(ops, RECORD * k, RECORD)
        if (base & op[OUTER_MASK]) != op[OUTER_VALUE]:
            continue
        at = shifted(op[VALUE], base, window(bits, op[SHIFTS_AT], 3 * op[SHIFTS]))
        if op[KIND] == PHASES:
            mixed = tabulate(t, base, op, bits, coefficients, factor, tables)
            phases(tile, t, at, op, bits, mixed, tables, zero, np.int64(1) << max(t - LOW_BITS, 0))
        else:
            walk = window(bits, op[WALK_AT], block_bits - op[FIXED_COUNT] + 1)
            operate(tile, base, op, bits, walk, at, coefficients, lanes, column)
        factor = factor_after(factor, op, bits, coefficients)
        if is_tiny(factor):
            rescale(tile, zero, end, factor, lanes, column)
            factor = 1.0
    if factor != 1.0:
        rescale(tile, zero, end, factor, lanes, column)


@kernel(inner=True)
def clear(tile: Any, start: int, stop: int) -> None:
    """Zeros for the blocks that begin in [start, stop)."""
    for k in range(start, stop):
        tile[k] = 0


@kernel(apart=True)
def deposit(table: Any, positions: Any, first: int, last: int, shift: int) -> None:
    """Entry k gets bit j of k at bit positions[first + j] - shift."""
    table[0] = 0
    for j in range(last - first):
        for k in range(1 << j):
            table[k + (1 << j)] = table[k] | (1 << (positions[first + j] - shift))


@kernel(apart=True)
def combinations(table: Any, strides: Any, start: int) -> None:
    """Entry k gets the XOR of `start` and those strides whose bits in k are set."""
    table[0] = start
    for j in range(len(strides)):
        for k in range(1 << j):
            table[k + (1 << j)] = table[k] ^ strides[j]


@kernel(apart=True)
def gather(
    state: Any, tile: Any, t: int, run_bits: int, base: int, addresses: Any, low: Any, high: Any, empty: int,
    interleaved: bool,
) -> None:  # fmt: skip
    """A tile's amplitudes: block (h, k), the k-th of run h, becomes block high[h] | low[k] of the tile.

    Runs whose address has a bit of `empty` set are known to be zero and are not read.
    """
    if t < LANE_BITS:
        for i in range(min(1 << t, len(state) // 2)):  # a state of no qubits has half a tile
            tile[i], tile[i + LANES] = state[2 * i], state[2 * i + 1]  # so it is written, too
        return
    blocks = 1 << (run_bits - LANE_BITS)
    for h in range(1 << (t - run_bits)):
        at = 2 * (base + addresses[h])
        target = high[h]
        if addresses[h] & empty:
            for k in range(blocks):
                to = BLOCK * (target | low[k])
                for j in range(BLOCK):
                    tile[to + j] = 0
        elif interleaved:
            for k in range(blocks):
                split_block(tile, state, tile, tile, BLOCK * (target | low[k]), at + BLOCK * k, 0, 0)
        else:
            for k in range(blocks):
                copy_block(tile, state, tile, tile, BLOCK * (target | low[k]), at + BLOCK * k, 0, 0)


@kernel(apart=True)
def scatter(
    state: Any, tile: Any, t: int, run_bits: int, base: int, addresses: Any, low: Any, high: Any, start: int,
    interleaved: bool,
) -> None:  # fmt: skip
    """Blocks back to memory: that of block (h, k), the k-th of run h, begins at start ^ high[h] ^ low[k] of the tile."""
    blocks = 1 << (run_bits - LANE_BITS)
    for h in range(1 << (t - run_bits)):
        at = 2 * (base + addresses[h])
        source = start ^ high[h]
        if interleaved:
            for k in range(blocks):
                join_block(state, tile, tile, tile, at + BLOCK * k, source ^ low[k], 0, 0)
        else:
            for k in range(blocks):
                copy_block(state, tile, tile, tile, at + BLOCK * k, source ^ low[k], 0, 0)


@kernel(apart=True)
def write_out(state: Any, tile: Any, t: int, strides: Any, start: int) -> None:
    """A whole state that is one tile, amplitude by amplitude: bit j of an index stands for strides[j]."""
    for i in range(min(1 << t, len(state) // 2)):
        p = start
        for j in range(t):
            if (i >> j) & 1:
                p ^= strides[j]
        state[2 * i], state[2 * i + 1] = tile[p], tile[p + LANES]


@kernel(apart=True)
def run_tiles(
    state: Any, ints: Any, number: int, start: int, stop: int, num_positions: int, t: int, coefficients: Any,
    phase: complex, workspace: Any, column_numbers: int,
) -> None:  # fmt: skip
    """Tiles [start, stop) of pass `number`; all of them if `stop` is negative."""
    passes, ops, bits = section(ints, IN_PASSES), section(ints, IN_OPS), section(ints, IN_BITS)
    tiles, sources = section(ints, IN_TILES), section(ints, IN_SOURCES)
    row = window(passes, PASS_RECORD * number, PASS_RECORD)
    positions, source = window(tiles, t * number, t), window(sources, t * number, t)
    support, flags = row[PASS_SUPPORT], row[PASS_FLAGS]
    column_at = (2 << max(t, LANE_BITS)) + LANES
    lanes, column = window(workspace, column_at - LANES, LANES), window(workspace, column_at, column_numbers)
    tables = window(workspace, tables_at(t, column_numbers), table_numbers(t))
    t = row[PASS_BITS]
    padded = max(t, LANE_BITS)
    size = 2 << padded
    tile = window(workspace, 0, size)
    zero = np.int64(0)  # literals would compile what they are passed to once more
    inside = 0
    for j in range(t):
        inside |= 1 << positions[j]
    run_bits, read_bits = t, t
    for j in range(t - 1, -1, -1):
        if positions[j] != j:
            run_bits = j
        if positions[j] != j or not (support >> j) & 1:
            read_bits = j
    run_bits = min(run_bits, t)
    # Without any support there is one amplitude; all other reads are of whole blocks.
    first_run = support == 0
    read_bits = min(read_bits, run_bits)
    reads, writes = 1 << (t - read_bits) if not first_run else 1, 1 << (t - run_bits)
    lows = 1 << max(read_bits - LANE_BITS, 0)
    low_writes = 1 << max(run_bits - LANE_BITS, 0)
    room = np.empty(2 * reads + 2 * writes + lows + low_writes + padded, dtype=np.int64)
    read_at, high, write_at = window(room, 0, reads), window(room, reads, reads), window(room, 2 * reads, writes)
    low, high_from = window(room, 2 * reads + writes, lows), window(room, 2 * reads + writes + lows, writes)
    low_from = window(room, 2 * reads + 2 * writes + lows, low_writes)
    strides = window(room, 2 * reads + 2 * writes + lows + low_writes, padded)
    elementwise = flags & LANES_MOVE != 0 or t < LANE_BITS
    deposit(write_at, positions, run_bits, t, zero)
    if not first_run:
        deposit(read_at, positions, read_bits, t, zero)
    if not first_run and t >= LANE_BITS:
        found_at = positions if elementwise else source  # the order is changed when writing
        deposit(low, found_at, zero + LANE_BITS, read_bits, zero + LANE_BITS)
        deposit(high, found_at, read_bits, t, zero + LANE_BITS)
    for j in range(t):
        bit = source[j] if elementwise else j
        strides[j] = bits[row[PASS_STRIDES] + bit - LANE_BITS] if bit >= LANE_BITS else 1 << bit
    if not elementwise:
        combinations(low_from, window(strides, LANE_BITS, run_bits - LANE_BITS), zero)
        combinations(high_from, window(strides, run_bits, t - run_bits), zero)
    shifts = window(bits, row[PASS_SHIFTS_AT], 3 * row[PASS_SHIFTS])
    if stop < 0:
        outside = support & ~inside
        start, stop = 0, 1
        while outside:
            outside &= outside - 1
            stop *= 2
    for number_of_tile in range(start, stop):
        base, rest = zero, number_of_tile
        for position in range(num_positions):
            if (support >> position) & 1 and not (inside >> position) & 1:
                base |= (rest & 1) << position
                rest >>= 1
        if first_run or t < LANE_BITS:
            for k in range(size):
                tile[k] = 0
        if first_run:
            tile[0], tile[LANES] = phase.real, phase.imag
        else:
            gather(
                state, tile, t, read_bits, base, read_at, low, high, inside & ~support, flags & INPUT_INTERLEAVED != 0
            )
        work(tile, t, base, row[OPS_FROM], row[OPS_TO], ops, bits, coefficients, lanes, column, tables)
        end = shifted(row[PASS_SHIFT], base, shifts)
        if elementwise:
            write_out(state, tile, t, strides, end)
        else:
            scatter(state, tile, t, run_bits, base, write_at, low_from, high_from, end, flags & OUTPUT_INTERLEAVED != 0)
    keep(room)


@kernel(inner=True)
def tables_at(t: int, column_numbers: int) -> int:
    """Where the tables of a workspace begin: behind a tile, lanes and a column, at a line of the cache."""
    return (2 << max(t, LANE_BITS)) + LANES + (column_numbers + LANES - 1) // LANES * LANES


@kernel(inner=True)
def workspace_numbers(t: int, column_numbers: int) -> int:
    """How many numbers a workspace has: a tile, a column of a dense matrix product, and tables of phases."""
    return tables_at(t, column_numbers) + table_numbers(t)
