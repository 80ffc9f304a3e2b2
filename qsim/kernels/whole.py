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
    DENSE,
    DIAGONAL,
    FIXED_COUNT,
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
    PASS_APART,
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
from qsim.kernels.passes import (
    clear,
    combinations,
    deposit,
    factor_after,
    is_tiny,
    operate,
    rescale,
    run_tiles,
    shifted,
    tables_at,
    workspace_numbers,
)  # fmt: skip
from qsim.kernels.phases import LOW_BITS, phases, table_numbers, tabulate
from qsim.kernels.simd import BLOCK, LANES, copy_block, join_block, split_block
from qsim.kernels.window import keep, section, window

#: Parts of the tile, 2**SHARE_BITS of them.
SHARE_BITS = 3
SHARES = 1 << SHARE_BITS
#: Shorter walks are not shared: what is left would go by other instructions, and other rounding.
_LEAST_WALK = SHARE_BITS + 3
#: Smaller tiles are too little for more than one thread.
_SHARED_BITS = 14


@kernel(inner=True)
def room_stride(t: int, column_numbers: int) -> int:
    """How far apart the threads' workspaces begin: at lines of the cache, see `qsim.state._run_passes`."""
    return (workspace_numbers(t, column_numbers) + LANES - 1) // LANES * LANES


@kernel(inner=True)
def share_of(count: int, share: int, shares: int) -> Any:
    """The range of `share` when `count` things are divided into so many shares."""
    return range(count * share // shares, count * (share + 1) // shares)


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
def basis_vector(walk: Any, op: Any, j: int) -> int:
    """Vector j of the basis of a walk; see `qsim.compiler.blocks.put_walk`."""
    if j and op[KIND] == REALS and op[FIXED_COUNT] == 3:
        return walk[j] ^ walk[j - 1]
    return walk[j]


@kernel(apart=True)
def stays_in_part(op: Any, bits: Any, t: int) -> bool:
    """Whether each share of an operation is its work on one of the parts of the tile, SHARES of them, one behind the other."""
    top = (SHARES - 1) << (t + 1 - SHARE_BITS)  # of where a block begins
    kind, target = op[KIND], op[TARGET]
    if kind == PHASES:
        strides = window(bits, op[WALK_AT], t - LANE_BITS)
        first, moved = len(strides) - SHARE_BITS, 0
        for j in range(first):
            moved |= strides[j]
        a, b, c = strides[first] & top, strides[first + 1] & top, strides[first + 2] & top
        independent = a and b and c and (a ^ b) and (b ^ c) and (c ^ a) and (a ^ b ^ c)
        return independent != 0 and moved & top == 0
    walk = window(bits, op[WALK_AT], t - LANE_BITS - op[FIXED_COUNT] + 1)
    last = len(walk) - 1
    if len(walk) < _LEAST_WALK:
        return False
    for j in range(SHARE_BITS):
        if basis_vector(walk, op, last - 1 - j) >> (t - j) != 1:
            return False
    moved = 0
    if kind in (REALS, TRANSPOSITION):
        count, first = (op[FIXED_COUNT], 0) if kind == REALS else (op[TARGETS], 1)
        for k in range(count):
            moved |= bits[target + 2 * k + first]
    elif kind in (DIAGONAL, DENSE):
        for k in range(op[TARGETS]):
            moved |= max(bits[target + k], 0)
    else:
        moved = target
    return moved & top == 0


@kernel(apart=True)
def count_apart(records: Any, passes: int, ops: Any, bits: Any) -> None:
    """Count for each pass how many of its operations are steps of their own; see `qsim.compiler.program.worth_sharing`."""
    for number in range(passes):
        row = window(records, PASS_RECORD * number, PASS_RECORD)
        row[PASS_APART] = 0
        for k in range(row[OPS_FROM], row[OPS_TO]):
            op = window(ops, RECORD * k, RECORD)
            row[PASS_APART] += row[PASS_BITS] >= _SHARED_BITS and not stays_in_part(op, bits, row[PASS_BITS])


@kernel(inner=True)
def first_row(op: Any, bits: Any, t: int, at: int, inside: bool, share: int) -> int:
    """The first number of high bits of a share of a product of phases; see `stays_in_part`."""
    each = (1 << (t - LOW_BITS)) // SHARES
    if not inside:
        return share * each
    strides = window(bits, op[WALK_AT], t - LANE_BITS)
    for number in range(SHARES):
        there = at
        for j in range(SHARE_BITS):
            if (number >> j) & 1:
                there ^= strides[len(strides) - SHARE_BITS + j]
        if there >> (t + 1 - SHARE_BITS) == share:
            return number * each
    return 0


@kernel(inner=True)
def start_of_share(op: Any, walk: Any, t: int, at: int, inside: bool, share: int) -> int:
    """Where the part of a walk begins that a share does; see `stays_in_part`."""
    last = len(walk) - 1
    wanted = share << (t + 1 - SHARE_BITS)
    for j in range(SHARE_BITS - 1, -1, -1):
        vector = basis_vector(walk, op, last - SHARE_BITS + j)
        if (((at ^ wanted) >> (t + 1 - SHARE_BITS + j)) & 1) if inside else ((share >> j) & 1):
            at ^= vector
    return at


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
        apart = op[OUTER_VALUE] == 0 and not stays_in_part(op, bits, t)
        if (kind == PHASES and phases_at >= 0) or (apart and k > first):
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
    zero = np.int64(0)
    for k in range(first, last):
        op = window(ops, RECORD * k, RECORD)
        if op[OUTER_VALUE] != 0:  # controlled by a qubit that is still |0>
            continue
        at, inside = shifted(op[VALUE], zero, window(bits, op[SHIFTS_AT], 3 * op[SHIFTS])), stays_in_part(op, bits, t)
        if op[KIND] == PHASES:
            row = first_row(op, bits, t, at, inside, share)
            phases(tile, t, at, op, bits, mixed, tables, row, row + (1 << (t - LOW_BITS)) // SHARES)
            continue
        walk = window(bits, op[WALK_AT], t - LANE_BITS - op[FIXED_COUNT] + 1)
        if len(walk) >= _LEAST_WALK:
            at = start_of_share(op, walk, t, at, inside, share)
            walk = window(walk, 0, len(walk) - SHARE_BITS)
        elif share:
            continue
        operate(tile, zero, op, bits, walk, at, coefficients, lanes, column)


@kernel(apart=True)
def read_share(
    state: Any, tile: Any, t: int, source: Any, support: int, phase: complex, interleaved: bool, share: int
) -> None:
    """A share of the tile, where bit j of a position is bit source[j] of the tile; zero where no `support` is.

    Without any support the state is `phase` times |0...0>.
    """
    if support == 0:
        clear(tile, share << (t + 1 - SHARE_BITS), (share + 1) << (t + 1 - SHARE_BITS))
        if share == 0:
            tile[0], tile[LANES] = phase.real, phase.imag
        return
    block_bits = t - LANE_BITS
    room = np.empty(t + (1 << block_bits), dtype=np.int64)
    inverse, found_at = window(room, 0, t), window(room, t, 1 << block_bits)
    for j in range(t):
        inverse[source[j]] = j
    lane_bits = np.int64(LANE_BITS)
    deposit(found_at, inverse, lane_bits, t, lane_bits)
    empty = ~support >> LANE_BITS
    for k in share_of(1 << block_bits, share, SHARES):
        of = found_at[k]
        if of & empty:
            clear(tile, BLOCK * k, BLOCK * (k + 1))
        elif interleaved:
            split_block(tile, state, tile, tile, BLOCK * k, BLOCK * of, 0, 0)
        else:
            copy_block(tile, state, tile, tile, BLOCK * k, BLOCK * of, 0, 0)
    keep(room)


@kernel(apart=True)
def write_share(state: Any, tile: Any, t: int, strides: Any, start: int, interleaved: bool, share: int) -> None:
    """A share of the tile to the state: bit j of a block's place there stands for strides[j], and block 0 is at `start`."""
    half = len(strides) // 2
    room = np.empty((1 << half) + (1 << (len(strides) - half)), dtype=np.int64)
    low, high = window(room, 0, 1 << half), window(room, 1 << half, 1 << (len(strides) - half))
    combinations(low, window(strides, 0, half), np.int64(0))
    combinations(high, window(strides, half, len(strides) - half), start)
    for k in share_of(1 << (t - LANE_BITS), share, SHARES):
        of = low[k & ((1 << half) - 1)] ^ high[k >> half]
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
    stride = room_stride(t, column_numbers)
    own = window(workspaces, stride * thread, stride)
    step = 0
    for number in range(first_pass, last_pass):
        bits = section(ints, IN_PASSES)[PASS_RECORD * number + PASS_BITS]
        if bits >= _SHARED_BITS:
            step = share_pass(
                state, ints, shared, step, thread, threads, number, t, coefficients, phase, workspaces, own,
                column_numbers,
            )  # fmt: skip
            continue
        done, share = 0, next_share(shared, step, thread, threads)
        while share >= 0:
            if share == 0:
                run_tiles(state, ints, number, share, share + 1, t, t, coefficients, phase, own, column_numbers)
            done, share = done + 1, next_share(shared, step, thread, threads)
        step = finish(shared, step, threads, done)


@kernel(apart=True)
def share_pass(
    state: Any, ints: Any, shared: Any, step: int, thread: int, threads: int, number: int, t: int, coefficients: Any,
    phase: complex, workspaces: Any, own: Any, column_numbers: int,
) -> int:  # fmt: skip
    """One pass; returns the number of the step that follows."""
    ops, bits = section(ints, IN_OPS), section(ints, IN_BITS)
    row = window(section(ints, IN_PASSES), PASS_RECORD * number, PASS_RECORD)
    source = window(section(ints, IN_SOURCES), t * number, t)
    column_at = (2 << t) + LANES
    lanes, column = window(own, column_at - LANES, LANES), window(own, column_at, column_numbers)
    tables = window(own, tables_at(t, column_numbers), table_numbers(t))
    support, flags, k, last = row[PASS_SUPPORT], row[PASS_FLAGS], row[OPS_FROM], row[OPS_TO]
    t = row[PASS_BITS]
    tile, zero, part, factor = window(workspaces, 0, 2 << t), np.int64(0), (2 << t) // SHARES, 1.0
    done, share = 0, next_share(shared, step, thread, threads)
    while share >= 0:
        read_share(state, tile, t, source, support, phase, flags & INPUT_INTERLEAVED != 0, share)
        done, share = done + 1, next_share(shared, step, thread, threads)
    step = finish(shared, step, threads, done)
    while k < last or factor != 1.0:
        end, phases_at, before, after = (
            k,
            np.int64(-1),
            factor,
            1.0,
        )  # a sweep for what was left out, or some operations
        if not is_tiny(factor):
            end, phases_at, before, after = stretch(ops, bits, k, last, t, factor, coefficients)
        if end == k:
            after = 1.0
        done, share, mixed = 0, next_share(shared, step, thread, threads), zero
        if share >= 0 and phases_at >= 0:
            op = window(ops, RECORD * phases_at, RECORD)
            mixed = tabulate(t, zero, op, bits, coefficients, before, tables)
        while share >= 0:
            if end == k:
                rescale(tile, share * part, (share + 1) * part, factor, lanes, column)
            else:
                work_on_share(tile, t, k, end, mixed, ops, bits, coefficients, lanes, column, tables, share)
            done, share = done + 1, next_share(shared, step, thread, threads)
        step = finish(shared, step, threads, done)
        k, factor = end, after
    strides = window(bits, row[PASS_STRIDES], t - LANE_BITS)
    start = shifted(row[PASS_SHIFT], zero, window(bits, row[PASS_SHIFTS_AT], 3 * row[PASS_SHIFTS]))
    done, share = 0, next_share(shared, step, thread, threads)
    while share >= 0:
        write_share(state, tile, t, strides, start, flags & OUTPUT_INTERLEAVED != 0, share)
        done, share = done + 1, next_share(shared, step, thread, threads)
    return finish(shared, step, threads, done)
