"""A pass: for each tile, gather its amplitudes, apply every operation of a group in cache, scatter them back.

A tile holds the amplitudes whose index agrees outside the tile's `t` positions. Bit j of a tile index is its j-th
lowest position; the lowest positions are 0, 1, 2, ..., so that runs of amplitudes are contiguous in memory. During a
run the state is in blocks of real and imaginary parts, as tiles are; the last pass writes the usual interleaved form.

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
    FIXED_AT,
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
    PASS_SUPPORT,
    PERMUTATION,
    PHASES,
    REALS,
    RECORD,
    TARGET,
    TARGETS,
    TRANSPOSITION,
    VALUE,
)  # fmt: skip
from qsim.kernels.phases import phases, table_numbers, tabulate
from qsim.kernels.simd import BLOCK, LANES, copy_block, join_block, split_block
from qsim.kernels.tile import (
    dense,
    dense2,
    exchange,
    exchange_two,
    left_out,
    low_target,
    one_target,
    place,
    reals,
    scale,
    set_lanes,
)  # fmt: skip
from qsim.kernels.window import borrowed, keep, section, window


@kernel(apart=True)
def diagonal(
    tile: Any, block_bits: int, base: int, op: Any, bits: Any, coefficients: Any, lanes: Any, share: int, shares: int
) -> None:
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
                offset |= bit << (targets[k] - LANE_BITS)
        if here:
            if masked:
                set_lanes(lanes, op[LANE_MASK], lane_value)
            scale(tile, block_bits, fixed, offset, masked, lanes, u, share, shares)


@kernel(apart=True)
def permute(tile: Any, block_bits: int, base: int, op: Any, bits: Any, sources: Any, spare: Any) -> None:
    """Move whole blocks by an invertible affine map of their indices over GF(2): any product of X and CX.

    Block h comes from M h ^ c. The columns of M are at op[TARGET] in `bits`, then op[TARGETS] pairs of a position outside
    the tile and what it adds to c, where op[VALUE] is the rest of c. `sources` is room for a table, `spare` for a block.
    """
    columns = window(bits, op[TARGET], block_bits + 2 * op[TARGETS])
    count = 1 << block_bits
    start = op[VALUE]
    for k in range(op[TARGETS]):
        if (base >> columns[block_bits + 2 * k]) & 1:
            start ^= columns[block_bits + 2 * k + 1]
    sources[0] = start
    for j in range(block_bits):
        for h in range(1 << j):
            sources[h + (1 << j)] = sources[h] ^ columns[j]
    for first in range(count):
        h = first
        source = sources[h]
        if source < 0 or source == h:
            continue
        copy_block(spare, tile, tile, tile, 0, BLOCK * h, 0, 0)
        while source != first:
            copy_block(tile, tile, tile, tile, BLOCK * h, BLOCK * source, 0, 0)
            sources[h] = -1
            h = source
            source = sources[h]
        copy_block(tile, spare, tile, tile, BLOCK * h, 0, 0, 0)
        sources[h] = -1


@kernel(apart=True)
def dense_pair(
    tile: Any, block_bits: int, first: int, second: int, fixed: Any, offset: int, masked: bool, lanes: Any, u: Any
) -> None:
    """A 4 x 4 matrix on any two bits: a target among the lanes changes places with a free block bit meanwhile."""
    room = np.empty(len(fixed) + 2, dtype=np.int64)
    all_fixed = borrowed(room)
    used, count = 0, len(fixed)
    for k in range(count):
        all_fixed[k] = fixed[k]
        used |= 1 << fixed[k]
    moved_first, moved_second = -1, -1
    for bit in range(block_bits):
        if (used >> bit) & 1:
            continue
        if first < LANE_BITS and moved_first < 0:
            moved_first = bit
        elif second < LANE_BITS and moved_second < 0:
            moved_second = bit
        else:
            continue
        exchange(tile, block_bits, first if moved_first == bit else second, bit)
        all_fixed[count] = bit
        count += 1
    a, b = first - LANE_BITS, second - LANE_BITS
    if moved_first >= 0:
        a = moved_first
    if moved_second >= 0:
        b = moved_second
    for k in range(len(fixed), count):  # keep them ascending
        j, bit = k, all_fixed[k]
        while j > 0 and all_fixed[j - 1] > bit:
            all_fixed[j] = all_fixed[j - 1]
            j -= 1
        all_fixed[j] = bit
    dense2(tile, block_bits, a, b, window(all_fixed, 0, count), offset, masked, lanes, u)
    if moved_second >= 0:
        exchange(tile, block_bits, second, moved_second)
    if moved_first >= 0:
        exchange(tile, block_bits, first, moved_first)
    keep(room)


@kernel(inner=True)
def apply(
    tile: Any, block_bits: int, op: Any, bits: Any, coefficients: Any, lanes: Any, column: Any, share: int, shares: int
) -> None:
    """An operation with a matrix, where its controls match."""
    kind, target, offset = op[KIND], op[TARGET], op[VALUE]
    fixed = window(bits, op[FIXED_AT], op[FIXED_COUNT])
    u = window(coefficients, op[COEFFICIENT], len(coefficients) - op[COEFFICIENT])
    masked = op[LANE_MASK] != 0
    if kind == DENSE:
        set_lanes(lanes, op[LANE_MASK], op[LANE_VALUE])
        targets = window(bits, target, op[TARGETS])
        if len(targets) == 2 and min(targets[0], targets[1]) >= LANE_BITS:
            a, b = targets[0] - LANE_BITS, targets[1] - LANE_BITS
            dense2(tile, block_bits, a, b, fixed, offset, masked, lanes, u, share, shares)
        elif len(targets) == 2 and block_bits >= 2 + len(fixed) and shares == 1:
            dense_pair(tile, block_bits, targets[0], targets[1], fixed, offset, masked, lanes, u)
        else:
            dense(tile, block_bits, targets, fixed, offset, lanes, u, column, share, shares)
    elif target >= LANE_BITS:
        if masked:
            set_lanes(lanes, op[LANE_MASK], op[LANE_VALUE])
        one_target(tile, block_bits, kind, target - LANE_BITS, fixed, offset, masked, lanes, u, share, shares)
    else:
        set_lanes(lanes, op[LANE_MASK], op[LANE_VALUE])
        low_target(tile, block_bits, kind, target, fixed, offset, lanes, u, share, shares)


@kernel(apart=True)
def rescale(tile: Any, block_bits: int, factor: float, lanes: Any, column: Any, share: int, shares: int) -> None:
    """Multiply the tile, or a share of it, by a real factor."""
    column[0], column[1] = factor, 0.0
    everywhere = np.empty(0, dtype=np.int64)
    scale(tile, block_bits, everywhere, np.int64(0), False, lanes, column, share, shares)


@kernel(apart=True)
def operate(
    tile: Any, block_bits: int, base: int, op: Any, bits: Any, coefficients: Any, lanes: Any, column: Any, share: int,
    shares: int,
) -> None:  # fmt: skip
    """A share of one operation that needs no tables."""
    kind = op[KIND]
    if kind == REALS:
        fixed = window(bits, op[FIXED_AT], op[FIXED_COUNT])
        reals(tile, block_bits, fixed, window(bits, op[TARGET], 2 * len(fixed)), coefficients, share, shares)
    elif kind == DIAGONAL:
        diagonal(tile, block_bits, base, op, bits, coefficients, lanes, share, shares)
    elif kind == TRANSPOSITION:
        pairs = window(bits, op[TARGET], 4)
        a, b = pairs[1] - LANE_BITS, pairs[3] - LANE_BITS
        if op[TARGETS] == 1:
            exchange(tile, block_bits, pairs[0], a, share, shares)
        else:
            exchange_two(tile, block_bits, pairs[0], a, b, share, shares)
    else:
        apply(tile, block_bits, op, bits, coefficients, lanes, column, share, shares)


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


@kernel(inner=True)
def clear(tile: Any, start: int, stop: int) -> None:
    """Zeros for the amplitudes [start, stop) of a tile, which are whole blocks."""
    for k in range(2 * start, 2 * stop):
        tile[k] = 0


@kernel(apart=True)
def work(
    tile: Any, t: int, base: int, first: int, last: int, ops: Any, bits: Any, coefficients: Any, lanes: Any, column: Any,
    tables: Any, sources: Any,
) -> None:  # fmt: skip
    """Operations [first, last) on a tile."""
    block_bits = max(t, LANE_BITS) - LANE_BITS
    factor, share, shares = 1.0, np.int64(0), np.int64(1)
    for k in range(first, last):
        op = window(ops, RECORD * k, RECORD)
        kind = op[KIND]
        if (base & op[OUTER_MASK]) != op[OUTER_VALUE]:
            continue
        if kind == PHASES:
            mixed = tabulate(t, base, op, bits, coefficients, factor, tables)
            phases(tile, t, mixed, tables, share, shares)
        elif kind == PERMUTATION:
            permute(tile, block_bits, base, op, bits, sources, tables)
        else:
            operate(tile, block_bits, base, op, bits, coefficients, lanes, column, share, shares)
        factor = factor_after(factor, op, bits, coefficients)
        if is_tiny(factor):
            rescale(tile, block_bits, factor, lanes, column, share, shares)
            factor = 1.0
    if factor != 1.0:
        rescale(tile, block_bits, factor, lanes, column, share, shares)


@kernel(apart=True)
def deposit(table: Any, positions: Any, first: int, last: int, shift: int) -> None:
    """Entry k gets bit j of k at bit positions[first + j] - shift."""
    table[0] = 0
    for j in range(last - first):
        for k in range(1 << j):
            table[k + (1 << j)] = table[k] | (1 << (positions[first + j] - shift))


@kernel(apart=True)
def gather(
    state: Any, tile: Any, t: int, run_bits: int, base: int, addresses: Any, low: Any, high: Any, empty: int,
    interleaved: bool,
) -> None:  # fmt: skip
    """A tile's amplitudes: block (h, k), the k-th of run h, becomes block high[h] | low[k] of the tile.

    Runs whose address has a bit of `empty` set are known to be zero and are not read.
    """
    if t < LANE_BITS:
        for i in range(1 << t):
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
def scatter(state: Any, tile: Any, t: int, run_bits: int, base: int, addresses: Any, interleaved: bool) -> None:
    """Runs of a tile back to memory."""
    numbers = 2 << run_bits
    for h in range(1 << (t - run_bits)):
        at, source = 2 * (base + addresses[h]), numbers * h
        if interleaved:
            for k in range(0, numbers, BLOCK):
                join_block(state, tile, tile, tile, at + k, source + k, 0, 0)
        else:
            for k in range(0, numbers, BLOCK):
                copy_block(state, tile, tile, tile, at + k, source + k, 0, 0)


@kernel(apart=True)
def write_out(state: Any, tile: Any, t: int, sources: Any) -> None:
    """A whole state that is one tile, amplitude by amplitude, with bit j of an index from bit sources[j]."""
    for i in range(1 << t):
        index = 0
        for j in range(t):
            index |= ((i >> j) & 1) << sources[j]
        p = place(index)
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
    room = np.empty(2 * reads + writes + lows + (1 << (padded - LANE_BITS)), dtype=np.int64)
    read_at, high, write_at = window(room, 0, reads), window(room, reads, reads), window(room, 2 * reads, writes)
    low = window(room, 2 * reads + writes, lows)
    block_sources = window(room, 2 * reads + writes + lows, 1 << (padded - LANE_BITS))
    elementwise = flags & LANES_MOVE != 0 or t < LANE_BITS
    deposit(write_at, positions, run_bits, t, zero)
    if not first_run:
        deposit(read_at, positions, read_bits, t, zero)
    if not first_run and t >= LANE_BITS:
        found_at = positions if elementwise else source  # the order is changed when writing
        deposit(low, found_at, zero + LANE_BITS, read_bits, zero + LANE_BITS)
        deposit(high, found_at, read_bits, t, zero + LANE_BITS)
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
        work(tile, t, base, row[OPS_FROM], row[OPS_TO], ops, bits, coefficients, lanes, column, tables, block_sources)
        if elementwise:
            write_out(state, tile, t, source)
        else:
            scatter(state, tile, t, run_bits, base, write_at, flags & OUTPUT_INTERLEAVED != 0)
    keep(room)


@kernel(inner=True)
def tables_at(t: int, column_numbers: int) -> int:
    """Where the tables of a workspace begin: behind a tile, lanes and a column, at a line of the cache."""
    return (2 << max(t, LANE_BITS)) + LANES + (column_numbers + LANES - 1) // LANES * LANES


@kernel(inner=True)
def workspace_numbers(t: int, column_numbers: int) -> int:
    """How many numbers a workspace has: a tile, a column of a dense matrix product, and tables of phases."""
    return tables_at(t, column_numbers) + table_numbers(t)
