"""Where the blocks of a tile lie: X and CX that only change which block is which, and records that follow them.

Within a pass, the block with index h (the bits of a tile index above the lanes) begins at M h ^ c, where M is a matrix over
GF(2) and c a vector that may depend on positions outside the tile. At first M is the identity. An X or CX on block bits
permutes indices by an affine map, so it multiplies M and adds to c, and no amplitude moves; the pass's scatter reads each block
from where it is. Every other operation finds its blocks through its own record: M turns a block bit into a *stride*, a
number to XOR to where a block begins, and the bits that an operation neither acts on nor has controls on into a *walk* over
a subspace, in an order that is near to that of memory: a basis in echelon form.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qsim.kernels.jit import kernel
from qsim.kernels.opcodes import (
    DENSE,
    DIAGONAL,
    FIXED_AT,
    FIXED_COUNT,
    FLIP,
    KIND,
    LANE_BITS,
    LANE_MASK,
    NO_BIT,
    OPS_FROM,
    OPS_TO,
    OUTER_MASK,
    OUTER_VALUE,
    PASS_BITS,
    PASS_RECORD,
    PASS_SHIFT,
    PASS_SHIFTS,
    PASS_SHIFTS_AT,
    PASS_STRIDES,
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
from qsim.kernels.phases import LOW_BITS
from qsim.kernels.simd import BLOCK
from qsim.kernels.window import highest_bit, keep, trailing_zeros, window

#: The most shifts that depend on positions outside the tile; a flip that would bring one more is done as it stands.
MOST_SHIFTS = 24
#: Blocks whose begins differ in these bits lie in different sets of the cache of level 1, in either precision.
_SETS = 15 * BLOCK


@kernel(inner=True)
def seen_through(strides: Any, index: int) -> int:
    """The XOR of the strides of the bits of an index that are set."""
    result = 0
    for j in range(len(strides)):
        if (index >> j) & 1:
            result ^= strides[j]
    return result


@kernel(copied=True)
def put_walk(strides: Any, fixed: int, ascending: bool, rows: Any, bits: Any, used: int) -> int:
    """Write a walk over the span of the strides of all bits not in the mask `fixed`; returns how much of `bits` is used.

    Either each step changes one vector of the basis (a Gray code), or the vectors are counted up.
    """
    total = 0
    for j in range(len(strides)):
        vector = np.int64(0) if (fixed >> j) & 1 else strides[j]
        while vector:
            lead = highest_bit(vector)
            if (total >> lead) & 1 == 0:
                total |= 1 << lead
                rows[lead] = vector
                break
            vector ^= rows[lead]
    before = np.int64(0)
    while total:
        bits[used] = rows[trailing_zeros(total)] ^ before
        if ascending:
            before = bits[used]
        used += 1
        total &= total - 1
    bits[used] = 0
    return used + 1


@kernel(copied=True)
def absorb(op: Any, bits: Any, strides: Any, shifts: Any, state: Any) -> bool:
    """Let an X or CX on a block bit change what lies where; False if this one must be done as it stands.

    shifts: three numbers each, see `qsim.kernels.passes.shifted`; state: the shift without them, and how many they are.
    """
    if op[LANE_MASK] != 0 or op[TARGET] < LANE_BITS or op[FIXED_COUNT] > (2 if op[OUTER_MASK] == 0 else 1):
        return False
    target = op[TARGET] - LANE_BITS
    if op[FIXED_COUNT] == 2:
        control = bits[op[FIXED_AT]] if bits[op[FIXED_AT]] != target else bits[op[FIXED_AT] + 1]
        strides[control] ^= strides[target]
        if op[VALUE] == 0:
            state[0] ^= strides[target]
        return True
    if op[OUTER_MASK] == 0:
        state[0] ^= strides[target]
        return True
    at = 0
    while at < 3 * state[1] and (shifts[at] != op[OUTER_MASK] or shifts[at + 1] != op[OUTER_VALUE]):
        at += 3
    if at == 3 * MOST_SHIFTS:
        return False
    if at == 3 * state[1]:
        shifts[at], shifts[at + 1], shifts[at + 2] = op[OUTER_MASK], op[OUTER_VALUE], 0
        state[1] += 1
    shifts[at + 2] ^= strides[target]
    return True


@kernel(apart=True)
def put_phases(op: Any, bits: Any, strides: Any, order: Any, out: Any, used: int) -> int:
    """The terms and strides of a product of phases. Its low tables' blocks shall not lie in one set of the cache."""
    low, chosen, basis = min(len(strides), LOW_BITS - LANE_BITS), 0, 0
    rows = window(order, len(strides), 64)
    for j in range(len(strides)):
        vector = strides[j] & _SETS
        while vector:
            lead = highest_bit(vector)
            if (basis >> lead) & 1 == 0:
                break
            vector ^= rows[lead]
        if vector and chosen < low:
            basis |= 1 << highest_bit(vector)
            rows[highest_bit(vector)] = vector
            order[j] = chosen
            chosen += 1
        else:
            order[j] = -1
    for j in range(len(strides)):  # in a tile with few blocks, all are low
        if order[j] < 0:
            order[j] = chosen
            chosen += 1
    op[WALK_AT] = used
    for j in range(len(strides)):
        out[used + order[j]] = strides[j]
    used += len(strides)
    terms = op[TARGET]
    op[TARGET] = used
    for k in range(terms, terms + 3 * op[TARGETS]):
        place = bits[k]
        if (k - terms) % 3 != 2 and place != NO_BIT and place >= LANE_BITS:
            place = LANE_BITS + order[place - LANE_BITS]
        out[used] = place
        used += 1
    return used


@kernel(copied=True)
def put_operation(op: Any, bits: Any, strides: Any, shift: int, room: Any, out: Any, used: int) -> int:
    """Turn a record from bits of the tile into strides and a walk, in place; what `bits` held for it goes to `out`.

    Returns how much of `out` is used. room: 64 numbers and one for each block bit.
    """
    kind, targets = op[KIND], op[TARGET]
    op[VALUE] = shift ^ seen_through(strides, op[VALUE])
    if kind == PHASES:
        end: int = put_phases(op, bits, strides, room, out, used)
        return end
    fixed = 0
    if kind == TRANSPOSITION:
        op[FIXED_COUNT] = op[TARGETS]
        for k in range(op[TARGETS]):
            fixed |= 1 << (bits[targets + 2 * k + 1] - LANE_BITS)
    else:
        for k in range(op[FIXED_AT], op[FIXED_AT] + op[FIXED_COUNT]):
            fixed |= 1 << bits[k]
    op[WALK_AT] = used
    used = put_walk(strides, fixed, kind == REALS and op[FIXED_COUNT] == 3, window(room, 0, 64), out, used)
    if kind in (REALS, TRANSPOSITION):
        op[TARGET] = used
        count, first = (op[FIXED_COUNT], 0) if kind == REALS else (op[TARGETS], LANE_BITS)
        for k in range(count):
            a, b = bits[targets + 2 * k], bits[targets + 2 * k + 1]
            out[used], out[used + 1] = (strides[a], b) if kind == REALS else (a, strides[b - first])
            used += 2
    elif kind in (DIAGONAL, DENSE):
        op[TARGET] = used
        for k in range(targets, targets + op[TARGETS]):
            out[used] = strides[bits[k] - LANE_BITS] if bits[k] >= LANE_BITS else bits[k]
            used += 1
    elif targets >= LANE_BITS:
        op[TARGET] = strides[targets - LANE_BITS]
    return used


@kernel(apart=True)
def put_blocks(most_bits: int, records: Any, passes: int, ops: Any, bits: Any, out: Any) -> Any:
    """Turn the operations of all passes into those that run, in place; `out` takes what `bits` holds for them.

    most_bits: block bits of the largest tile. Returns how many operations there are then, and how much of `out` is used.
    """
    owned = np.empty(2 * most_bits + 64 + 3 * MOST_SHIFTS + 2, dtype=np.int64)
    room = window(owned, most_bits, most_bits + 64)
    shifts = window(owned, 2 * most_bits + 64, 3 * MOST_SHIFTS)
    state = window(owned, 2 * most_bits + 64 + 3 * MOST_SHIFTS, 2)
    num_ops, used = 0, 0
    for p in range(passes):
        row = window(records, PASS_RECORD * p, PASS_RECORD)
        first, last, block_bits = row[OPS_FROM], row[OPS_TO], max(row[PASS_BITS] - LANE_BITS, 0)
        strides = window(owned, 0, block_bits)
        row[OPS_FROM] = num_ops
        for j in range(block_bits):
            strides[j] = BLOCK << j
        state[0], state[1] = 0, 0
        written = used  # where the shifts are
        fresh = True
        for k in range(first, last):
            op = window(ops, RECORD * k, RECORD)
            if op[KIND] == FLIP and absorb(op, bits, strides, shifts, state):
                fresh = False
                continue
            if not fresh:
                written, fresh = used, True
                used = put_shifts(shifts, state[1], out, used)
            to = window(ops, RECORD * num_ops, RECORD)
            for column in range(RECORD):
                to[column] = op[column]
            to[SHIFTS_AT], to[SHIFTS] = written, state[1]
            used = put_operation(to, bits, strides, state[0], room, out, used)
            num_ops += 1
        row[OPS_TO] = num_ops
        row[PASS_SHIFT], row[PASS_SHIFTS_AT], row[PASS_SHIFTS] = state[0], used, state[1]
        used = put_shifts(shifts, state[1], out, used)
        row[PASS_STRIDES] = used
        for j in range(block_bits):
            out[used] = strides[j]
            used += 1
    keep(owned)
    return num_ops, used


@kernel(inner=True)
def put_shifts(shifts: Any, count: int, out: Any, used: int) -> int:
    """Copy so many shifts."""
    for k in range(3 * count):
        out[used + k] = shifts[k]
    return used + 3 * count
