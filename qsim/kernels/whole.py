"""A tile that is the whole state, worked on by several threads at once: each takes shares of every operation.

An operation is cut into SHARES. One that acts below the highest bits of the tile changes each of as many parts of it by
itself, so operations of that kind follow each other on a part without waiting: together they are one step. Any other
operation is a step of its own. A thread first takes what belongs to its own region of the tile, which lies in its core's
cache, then what others have not begun; nobody begins a step before the one before it is done, and who comes late, or
never, is not waited for.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qsim.kernels.atomic import fetch_add, load_acquire, wait_for
from qsim.kernels.jit import kernel
from qsim.kernels.opcodes import (
    FIXED_AT,
    FIXED_COUNT,
    GROWTH,
    IN_BITS,
    IN_OPS,
    IN_PASSES,
    IN_SOURCES,
    INPUT_INTERLEAVED,
    KIND,
    LANE_BITS,
    OPS_FROM,
    OPS_TO,
    OUTER_VALUE,
    OUTPUT_INTERLEAVED,
    PASS_FLAGS,
    PASS_RECORD,
    PASS_SUPPORT,
    PERMUTATION,
    PHASES,
    RECORD,
    TARGET,
    TARGETS,
    TRANSPOSITION,
    VALUE,
)  # fmt: skip
from qsim.kernels.passes import (
    clear,
    deposit,
    factor_after,
    is_tiny,
    operate,
    permute,
    rescale,
    tables_at,
    work,
    workspace_numbers,
)  # fmt: skip
from qsim.kernels.phases import phases, table_numbers, tabulate
from qsim.kernels.simd import BLOCK, LANES, copy_block, join_block, split_block
from qsim.kernels.tile import share_of
from qsim.kernels.window import keep, section, window

#: Parts of the tile, 2**SHARE_BITS of them.
SHARE_BITS = 3
SHARES = 1 << SHARE_BITS


@kernel(inner=True)
def room_stride(t: int, column_numbers: int) -> int:
    """How far apart the threads' workspaces begin: at lines of the cache, see `qsim.workspace.rooms`."""
    return (workspace_numbers(t, column_numbers) + 15) // 16 * 16


@kernel(apart=True)
def next_share(shared: Any, step: int, thread: int, threads: int) -> int:
    """A share of a step that nobody has taken yet, of the thread's own region first; -1 if there is none.

    shared[step * (threads + 1) + k] counts the shares that have been taken of region k, the last of them those done.
    """
    for k in range(threads):
        region = (thread + k) % threads
        first, last = SHARES * region // threads, SHARES * (region + 1) // threads
        at = step * (threads + 1) + region
        if first + load_acquire(shared, at) < last:
            share = first + fetch_add(shared, at, np.int64(1))
            if share < last:
                return share
    return -1


@kernel(inner=True)
def finish(shared: Any, step: int, threads: int, done: int) -> int:
    """Tell that so many shares of a step are done and wait for the others; returns the next step."""
    at = step * (threads + 1) + threads
    if done:
        fetch_add(shared, at, np.int64(done))
    wait_for(shared, at, SHARES)
    return step + 1


@kernel(inner=True)
def highest_bit(op: Any, bits: Any) -> int:
    """The highest block bit that an operation fixes or moves, or -1; a product of phases fixes none."""
    if op[KIND] == TRANSPOSITION:
        last = bits[op[TARGET] + 1] - LANE_BITS
        return max(last, bits[op[TARGET] + 3] - LANE_BITS) if op[TARGETS] == 2 else last
    if op[KIND] == PHASES or op[FIXED_COUNT] == 0:
        return -1
    return bits[op[FIXED_AT] + op[FIXED_COUNT] - 1]


@kernel(apart=True)
def stretch(ops: Any, bits: Any, first: int, last: int, t: int, factor: float, coefficients: Any) -> Any:
    """The operations from `first` on that are one step.

    Returns where they end, which of them is a product of phases (or -1) and what it is to be multiplied by, and what the
    tile has yet to be multiplied by after them.
    """
    k, phases_at, phases_factor = first, -1, factor
    while k < last:
        op = window(ops, RECORD * k, RECORD)
        kind = op[KIND]
        apart = kind == PERMUTATION or highest_bit(op, bits) >= t - LANE_BITS - SHARE_BITS
        if kind == GROWTH or (kind == PHASES and phases_at >= 0) or (apart and k > first):
            break
        if kind == PHASES:
            phases_at, phases_factor = k, factor
        k += 1
        if op[OUTER_VALUE] == 0:
            factor = factor_after(factor, op, bits, coefficients)
        if apart or is_tiny(factor):
            break
    return k, phases_at, phases_factor, factor


@kernel(apart=True)
def work_on_share(
    tile: Any, t: int, first: int, last: int, mixed: int, ops: Any, bits: Any, coefficients: Any, lanes: Any, column: Any,
    tables: Any, share: int,
) -> None:  # fmt: skip
    """One share of operations [first, last); `mixed` is what `tabulate` returned for the product of phases among them."""
    block_bits, zero, shares = t - LANE_BITS, np.int64(0), np.int64(SHARES)
    for k in range(first, last):
        op = window(ops, RECORD * k, RECORD)
        if op[OUTER_VALUE] != 0:  # controlled by a qubit that is still |0>
            continue
        if op[KIND] == PHASES:
            phases(tile, t, mixed, tables, share, shares)
        elif op[KIND] != PERMUTATION:
            operate(tile, block_bits, zero, op, bits, coefficients, lanes, column, share, shares)
        elif share == 0:
            sources = np.empty(1 << block_bits, dtype=np.int64)
            permute(tile, block_bits, zero, op, bits, sources, tables)


@kernel(apart=True)
def grow(tile: Any, t: int, used: int, grown: int, phase: complex, share: int) -> None:
    """A share of the zeros between 2**used and 2**grown; with nothing in use yet the state begins as `phase` |0...0>."""
    first, last = (share << t) // SHARES, ((share + 1) << t) // SHARES
    if grown < t:
        first, last = 0, (1 << grown) if share == 0 else 0
    clear(tile, max(first, (1 << used) if used else 0), last)
    if used == 0 and share == 0:
        tile[0], tile[LANES] = phase.real, phase.imag


@kernel(apart=True)
def read_share(state: Any, tile: Any, t: int, interleaved: bool, share: int) -> None:
    """A share of a tile that is the whole state, which is in natural order."""
    for k in share_of(1 << (t - LANE_BITS), share, SHARES):
        if interleaved:
            split_block(tile, state, tile, tile, BLOCK * k, BLOCK * k, 0, 0)
        else:
            copy_block(tile, state, tile, tile, BLOCK * k, BLOCK * k, 0, 0)


@kernel(apart=True)
def write_share(state: Any, tile: Any, t: int, source: Any, interleaved: bool, share: int) -> None:
    """A share of the whole state out of its tile, where bit j of a position is bit source[j] of the tile."""
    block_bits = t - LANE_BITS
    half = block_bits // 2
    room = np.empty((1 << half) + (1 << (block_bits - half)), dtype=np.int64)
    low, high = window(room, 0, 1 << half), window(room, 1 << half, 1 << (block_bits - half))
    lane_bits = np.int64(LANE_BITS)
    deposit(low, source, lane_bits, lane_bits + half, lane_bits)
    deposit(high, source, lane_bits + half, t, lane_bits)
    for k in share_of(1 << block_bits, share, SHARES):
        of = BLOCK * (low[k & ((1 << half) - 1)] | high[k >> half])
        if interleaved:
            join_block(state, tile, tile, tile, BLOCK * k, of, 0, 0)
        else:
            copy_block(state, tile, tile, tile, BLOCK * k, of, 0, 0)
    keep(room)


@kernel(apart=True)
def run_whole(
    state: Any, ints: Any, shared: Any, thread: int, threads: int, first_pass: int, last_pass: int, t: int,
    coefficients: Any, phase: complex, workspaces: Any, column_numbers: int,
) -> None:  # fmt: skip
    """Passes [first_pass, last_pass) of a program with one tile, as one of `threads`; the tile is that of thread 0."""
    ops, bits, sources = section(ints, IN_OPS), section(ints, IN_BITS), section(ints, IN_SOURCES)
    size = 2 << t
    stride = room_stride(t, column_numbers)
    tile = window(workspaces, 0, size)
    own = window(workspaces, stride * thread, stride)
    lanes, column = window(own, size, LANES), window(own, size + LANES, column_numbers)
    tables = window(own, tables_at(t, column_numbers), table_numbers(t))
    step, zero = 0, np.int64(0)
    for number in range(first_pass, last_pass):
        row = window(section(ints, IN_PASSES), PASS_RECORD * number, PASS_RECORD)
        support, flags, k, last = row[PASS_SUPPORT], row[PASS_FLAGS], row[OPS_FROM], row[OPS_TO]
        used = t if support else 0  # how many bits of the tile are in use
        if support:
            done, share = 0, next_share(shared, step, thread, threads)
            while share >= 0:
                read_share(state, tile, t, flags & INPUT_INTERLEAVED != 0, share)
                done, share = done + 1, next_share(shared, step, thread, threads)
            step = finish(shared, step, threads, done)
        factor = 1.0
        while k < last or factor != 1.0:
            end, phases_at, before, after, grown = k, -1, factor, factor, used
            if k < last and ops[RECORD * k + KIND] == GROWTH:
                grown, end = ops[RECORD * k + VALUE], k + 1
                if grown == used:
                    k = end
                    continue
                while grown < t and end < last and ops[RECORD * end + KIND] != GROWTH:
                    end += 1
            elif not is_tiny(factor):
                end, phases_at, before, after = stretch(ops, bits, k, last, t, factor, coefficients)
            rescaled = grown == used and end == k  # either that, or some operations
            done, share, mixed = 0, next_share(shared, step, thread, threads), zero
            if share >= 0 and phases_at >= 0:
                op = window(ops, RECORD * phases_at, RECORD)
                mixed = tabulate(t, zero, op, bits, coefficients, before, tables)
            while share >= 0:
                if grown > used:
                    grow(tile, t, used, grown, phase, share)
                    if grown < t and share == 0:  # too little for more than one thread
                        room = np.empty(1 << (t - LANE_BITS), dtype=np.int64)
                        work(tile, grown, zero, k + 1, end, ops, bits, coefficients, lanes, column, tables, room)
                        keep(room)
                elif rescaled:
                    rescale(tile, t - LANE_BITS, factor, lanes, column, share, np.int64(SHARES))
                else:
                    work_on_share(tile, t, k, end, mixed, ops, bits, coefficients, lanes, column, tables, share)
                done, share = done + 1, next_share(shared, step, thread, threads)
            step = finish(shared, step, threads, done)
            k, factor, used = end, 1.0 if rescaled else after, grown
        done, share = 0, next_share(shared, step, thread, threads)
        while share >= 0:
            write_share(state, tile, t, window(sources, t * number, t), flags & OUTPUT_INTERLEAVED != 0, share)
            done, share = done + 1, next_share(shared, step, thread, threads)
        step = finish(shared, step, threads, done)
