"""A product of many one- and two-qubit phases on a tile, at the cost of about two complex products an amplitude.

All diagonal gates of a layer (RZ, RZZ, CZ, controlled phases, the diagonal parts of U3) are one polynomial in the bits:
exp(i (sum a_j b_j + sum a_jk b_j b_k)). The tile's bits are split in low and high ones. Phases among low bits make one
table, those among high bits another; a phase between high bit L and low bits multiplies the low table by a third, V_L.
The high bits are counted up: when bit L becomes 1, the low table for it is that of the bits above L times V_L.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qsim.kernels.jit import kernel
from qsim.kernels.opcodes import LANE_BITS, NO_BIT, TARGET, TARGETS, WALK_AT
from qsim.kernels.simd import BLOCK, LANES, times_scaled_table, times_table
from qsim.kernels.tile import place
from qsim.kernels.window import keep, trailing_zeros, window

#: Low bits of a tile: a table of 2**LOW_BITS complex numbers and its copies stay in the cache of level 1.
LOW_BITS = 8
MAX_TILE_BITS = 20


@kernel(apart=True)
def extend(table: Any, start: int, bits: int, c: Any, s: Any) -> None:
    """table[start + k + 2**bits] = table[start + k] * (c + i s) for k < 2**bits, where the table is of blocks."""
    size = 1 << bits
    if bits < LANE_BITS:
        for k in range(start, start + size):
            x, y = table[place(k)], table[place(k) + LANES]
            to = place(k + size)
            table[to], table[to + LANES] = x * c - y * s, x * s + y * c
        return
    for k in range(2 * start, 2 * (start + size), BLOCK):
        to = k + 2 * size
        for j in range(LANES):
            x, y = table[k + j], table[k + LANES + j]
            table[to + j], table[to + LANES + j] = x * c - y * s, x * s + y * c


@kernel(apart=True)
def linear_table(table: Any, start: int, bits: int, c: Any, s: Any) -> None:
    """2**bits products of the phases c[j] + i s[j] of the bits that are set."""
    table[place(start)], table[place(start) + LANES] = 1.0, 0.0
    for j in range(bits):
        extend(table, start, j, table.dtype.type(c[j]), table.dtype.type(s[j]))


@kernel(apart=True)
def full_table(
    table: Any, start: int, first: int, bits: int, c: Any, s: Any, pair_c: Any, pair_s: Any, coupled: Any, work: Any
) -> None:
    """The same for bits [first, first + bits) of a tile, with the phases of pairs among them."""
    table[place(start)], table[place(start) + LANES] = 1.0, 0.0
    for j in range(bits):
        b = first + j
        extend(table, start, j, table.dtype.type(c[b]), table.dtype.type(s[b]))
        if (coupled[b] >> first) & ((1 << j) - 1) == 0:
            continue
        row = MAX_TILE_BITS * b + first
        linear_table(work, start & 0, j, window(pair_c, row, j), window(pair_s, row, j))
        if j < LANE_BITS:
            for k in range(1 << j):
                p, q = place(start + (1 << j) + k), place(k)
                x, y = table[p], table[p + LANES]
                table[p] = x * work[q] - y * work[q + LANES]
                table[p + LANES] = x * work[q + LANES] + y * work[q]
        else:
            for k in range(0, 2 << j, BLOCK):
                to = 2 * (start + (1 << j)) + k
                times_table(table, table, work, work, to, to, k, 0)


@kernel(apart=True)
def phases(
    tile: Any, t: int, base: int, start: int, op: Any, bits: Any, coefficients: Any, factor: float, tables: Any
) -> None:  # fmt: skip
    """Multiply the tile by `factor` and the phases of one operation.

    Bits are numbered as the operation's strides are; block 0 begins at `start`. A term is three numbers: two places (a bit
    of the tile, or -1 - position for a bit of `base`; NO_BIT for a phase of one qubit) and where its diagonal is in
    `coefficients`: entries for 0, 1 or for 00, 01, 10, 11 (the first bit low), of which the first is 1. `tables` is room
    for the tables: see `table_numbers`.
    """
    numbers = np.empty(2 * MAX_TILE_BITS + 2 * MAX_TILE_BITS * MAX_TILE_BITS)
    integers = np.empty(3 * MAX_TILE_BITS + (1 << (LOW_BITS - LANE_BITS)), dtype=np.int64)
    c, s = window(numbers, 0, MAX_TILE_BITS), window(numbers, MAX_TILE_BITS, MAX_TILE_BITS)
    coupled, used = window(integers, 0, MAX_TILE_BITS), window(integers, MAX_TILE_BITS, MAX_TILE_BITS)
    for j in range(MAX_TILE_BITS):
        c[j], s[j], coupled[j] = 1.0, 0.0, 0
    square = MAX_TILE_BITS * MAX_TILE_BITS
    pair_c, pair_s = (
        window(numbers, 2 * MAX_TILE_BITS, square),
        window(numbers, 2 * MAX_TILE_BITS + square, square),
    )
    whole_c, whole_s = factor, 0.0
    for n in range(op[TARGETS]):
        a, b, at = bits[op[TARGET] + 3 * n], bits[op[TARGET] + 3 * n + 1], bits[op[TARGET] + 3 * n + 2]
        u = window(coefficients, at, 8)
        if a < 0:  # outside the tile: a constant
            one = (base >> (-1 - a)) & 1 == 1
            a = -1 if one else -2
        if b == NO_BIT:
            if a >= 0:
                c[a], s[a] = c[a] * u[2] - s[a] * u[3], c[a] * u[3] + s[a] * u[2]
            elif a == -1:
                whole_c, whole_s = whole_c * u[2] - whole_s * u[3], whole_c * u[3] + whole_s * u[2]
            continue
        if b < 0:
            one = (base >> (-1 - b)) & 1 == 1
            b = -1 if one else -2
        # The diagonal is the product of a phase of either bit and one of both.
        x, y = np.float64(u[2]), np.float64(u[3])
        p, q = np.float64(u[4]), np.float64(u[5])
        r, m = x * p - y * q, x * q + y * p
        v, w = u[6] * r + u[7] * m, u[7] * r - u[6] * m
        if a >= 0:
            c[a], s[a] = c[a] * x - s[a] * y, c[a] * y + s[a] * x
        elif a == -1:
            whole_c, whole_s = whole_c * x - whole_s * y, whole_c * y + whole_s * x
        if b >= 0:
            c[b], s[b] = c[b] * p - s[b] * q, c[b] * q + s[b] * p
        elif b == -1:
            whole_c, whole_s = whole_c * p - whole_s * q, whole_c * q + whole_s * p
        if a >= 0 and b >= 0:
            high, low = max(a, b), min(a, b)
            k = MAX_TILE_BITS * high + low
            if coupled[high] == 0:
                for j in range(high):
                    pair_c[MAX_TILE_BITS * high + j], pair_s[MAX_TILE_BITS * high + j] = 1.0, 0.0
            coupled[high] |= 1 << low
            pair_c[k], pair_s[k] = pair_c[k] * v - pair_s[k] * w, pair_c[k] * w + pair_s[k] * v
        elif a >= 0 and b == -1:
            c[a], s[a] = c[a] * v - s[a] * w, c[a] * w + s[a] * v
        elif b >= 0 and a == -1:
            c[b], s[b] = c[b] * v - s[b] * w, c[b] * w + s[b] * v
        elif a == -1 and b == -1:
            whole_c, whole_s = whole_c * v - whole_s * w, whole_c * w + whole_s * v
    low_bits = min(t, LOW_BITS)
    high_bits = t - low_bits
    size, count = 1 << low_bits, 1 << high_bits
    # Tables of blocks, by their first entry: the high one, the low one for each number of trailing zeros, and V.
    zero = np.int64(0)  # a literal would compile the tables' code once more
    high_at, low_at = zero, max(count, LANES)
    room = max(size, LANES)
    v_at = low_at + room * (high_bits + 1)
    work = window(tables, 2 * (v_at + room * high_bits), 2 * max(room, count))
    full_table(tables, high_at, low_bits, high_bits, c, s, pair_c, pair_s, coupled, work)
    full_table(tables, low_at, zero, low_bits, c, s, pair_c, pair_s, coupled, work)
    for k in range(count):
        p = place(high_at + k)
        x, y = tables[p], tables[p + LANES]
        tables[p], tables[p + LANES] = x * whole_c - y * whole_s, x * whole_s + y * whole_c
    mixed = 0  # the high bits that are coupled to low ones
    for j in range(high_bits):
        b = low_bits + j
        if coupled[b] & (size - 1):
            mixed |= 1 << j
            row = MAX_TILE_BITS * b
            linear_table(
                tables, v_at + room * j, low_bits, window(pair_c, row, low_bits), window(pair_s, row, low_bits)
            )
    low_blocks = max(low_bits, LANE_BITS) - LANE_BITS
    high = window(bits, op[WALK_AT] + low_blocks, high_bits)
    low = window(integers, 3 * MAX_TILE_BITS, 1 << (LOW_BITS - LANE_BITS))
    low[0] = 0
    for j in range(low_blocks):
        for k in range(1 << j):
            low[k + (1 << j)] = low[k] ^ bits[op[WALK_AT] + j]
    stride0, stride1, stride2, stride3 = low[1], low[2], low[4], low[8]
    walk = window(integers, 2 * MAX_TILE_BITS, MAX_TILE_BITS)  # what changes where bit j becomes 1 and those below it 0
    before = start & 0
    for j in range(high_bits):
        before ^= high[j]
        walk[j] = before
    # used[j] tells where the low table is for a number whose lowest bit is high bit j.
    at = start
    for h in range(count):
        table = low_at
        if h:
            level = trailing_zeros(h)
            at ^= walk[level]
            if mixed:
                rest = h & (h - 1)
                if rest:
                    table = used[trailing_zeros(rest)]
                if (mixed >> level) & 1:
                    to, v = low_at + room * (level + 1), v_at + room * level
                    for k in range(0, 2 * size, BLOCK):
                        times_table(tables, tables, tables, tables, 2 * to + k, 2 * table + k, 2 * v + k, 0)
                    table = to
                used[level] = table
        entry, where = 2 * table, place(high_at + h)
        if low_blocks < LOW_BITS - LANE_BITS:
            for k in range(1 << low_blocks):
                here = at ^ low[k]
                times_scaled_table(tile, tile, tables, tables, here, here, entry + BLOCK * k, where)
            continue
        # Four strides in registers: to load where each block begins takes a fifth of the time.
        for _ in range(2):
            for _ in range(2):
                for _ in range(2):
                    for _ in range(2):
                        times_scaled_table(tile, tile, tables, tables, at, at, entry, where)
                        entry += BLOCK
                        at ^= stride0
                    at ^= stride1
                at ^= stride2
            at ^= stride3
    keep(numbers)
    keep(integers)


@kernel(inner=True)
def table_numbers(t: int) -> int:
    """How many numbers `phases` needs in `tables`."""
    low_bits = min(t, LOW_BITS)
    room, count = max(1 << low_bits, LANES), 1 << (t - low_bits)
    return 2 * (max(count, LANES) + room * (2 * (t - low_bits) + 1) + max(room, count))
