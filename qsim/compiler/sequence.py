"""The operations of one pass, reordered where they commute so that several become one operation of the tile.

Real 2 x 2 matrices on different bits are done two or three at a time between one load and one store; all diagonal gates
that can stand together are one product of phases. A complex 2 x 2 matrix is
a phase, a real matrix and a phase where that comes out cheaper for the pass as a whole.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qsim.compiler.lanes import exchange_lanes, held_back, lanes_of, next_uses_here
from qsim.kernels.jit import kernel
from qsim.kernels.opcodes import (
    COEFFICIENT,
    DENSE1,
    DIAGONAL,
    FIXED_AT,
    FIXED_COUNT,
    FLIP,
    KIND,
    LANE_BITS,
    LANE_MASK,
    LANE_VALUE,
    NO_BIT,
    OUTER_MASK,
    OUTER_VALUE,
    PHASES,
    REAL1,
    REALS,
    RECORD,
    TARGET,
    TARGETS,
    VALUE,
)  # fmt: skip
from qsim.kernels.window import keep, window

#: Classes of operations that are gathered; the rest stay as they are.
_REAL, _FLIP, _PHASE, _OTHER = range(4)
#: How far to look ahead for operations of a class.
_LOOK_AHEAD = 400
#: Costs in hundredths of a nanosecond an amplitude and thread, single precision: one to three real matrices at once, a
#: complex one, a product of phases, one phase, an exchange of lanes. X and CX on block bits cost nothing: see
#: `qsim.compiler.blocks`.
_REAL_COSTS = (0, 9, 10, 12)
_DENSE1_COST, _PHASES_COST, _PHASE_COST, _EXCHANGE_COST = 9, 17, 6, 9


@kernel(copied=True)
def ascending(values: Any, first: int, last: int) -> None:
    """Insertion sort of values[first:last]: a handful of bits."""
    for k in range(first + 1, last):
        value, j = values[k], k - 1
        while j >= first and values[j] > value:
            values[j + 1] = values[j]
            j -= 1
        values[j + 1] = value


@kernel(copied=True)
def sweep(
    wanted: int, classes: Any, on: Any, off: Any, needs: Any, after: Any, head: int, everything: int, targets: int,
    lanes: int, picked: Any,
) -> Any:  # fmt: skip
    """Take operations of a class out of the list that starts at `head`, as far as they commute with what they pass.

    None needs the wires `lanes`. Returns how many, written to `picked`, and the new head.
    """
    total, count, looked = len(classes), 0, 0
    waiting_on, waiting_off = 0, 0
    previous, k = -1, head
    acts = wanted in (_REAL, _FLIP)
    while k < total and waiting_on != everything and looked < _LOOK_AHEAD:
        if acts and (targets & ~(waiting_on | waiting_off | lanes)) == 0:
            break
        free = (on[k] & (waiting_on | waiting_off)) == 0 and (off[k] & waiting_on) == 0
        if classes[k] == wanted and free and (needs[k] & lanes) == 0:
            picked[count] = k
            count += 1
            if previous < 0:
                head = after[k]
            else:
                after[previous] = after[k]
        else:
            waiting_on |= on[k]
            waiting_off |= off[k]
            previous = k
        k = after[k]
        looked += 1
    return count, head


@kernel(copied=True)
def record(
    op: Any, k: int, kinds: Any, starts: Any, counts: Any, controls: Any, control_values: Any, operands: Any,
    coefficient: int, places: Any, positions: Any, bits: Any, used: int,
) -> int:  # fmt: skip
    """Write operation k in the coordinates of the tile; returns how much of `bits` is used."""
    at, count, num_controls, kind = starts[k], counts[k], controls[k], kinds[k]
    targets = count - num_controls
    for column in range(RECORD):
        op[column] = 0
    op[KIND], op[TARGETS], op[COEFFICIENT], op[TARGET] = kind, targets, coefficient, used
    if kind != DIAGONAL and targets == 1:
        op[TARGET] = places[operands[at + num_controls]]
    else:
        for j in range(num_controls, count):
            w = operands[at + j]
            bits[used] = places[w] if places[w] >= 0 else -1 - positions[w]
            used += 1
    op[FIXED_AT] = used
    for j in range(count):
        w = operands[at + j]
        bit, position = places[w], positions[w]
        is_control = j < num_controls
        value = (control_values[k] >> j) & 1 if is_control else 0
        if bit < 0:
            if is_control:
                op[OUTER_MASK] |= 1 << position
                op[OUTER_VALUE] |= value << position
        elif bit < LANE_BITS:
            if is_control or kind == DIAGONAL:
                op[LANE_MASK] |= 1 << bit
                op[LANE_VALUE] |= value << bit
        else:
            op[VALUE] |= value << (bit - LANE_BITS)
            bits[used] = bit - LANE_BITS
            used += 1
    op[FIXED_COUNT] = used - op[FIXED_AT]
    ascending(bits, op[FIXED_AT], used)
    return used


@kernel(copied=True)
def emit_reals(picked: Any, count: int, wires: Any, at: Any, places: Any, op: Any, bits: Any, used: int) -> int:
    """One record for `count` real matrices, at most three, on different bits."""
    for column in range(RECORD):
        op[column] = 0
    op[KIND], op[TARGET] = REALS, used
    for j in range(count):
        bits[used] = places[wires[picked[j]]] - LANE_BITS
        bits[used + 1] = at[picked[j]]
        used += 2
    op[FIXED_AT], op[FIXED_COUNT] = used, count
    for j in range(count):
        bits[used + j] = places[wires[picked[j]]] - LANE_BITS
    ascending(bits, used, used + count)
    return used + count


@kernel(apart=True)
def emit_phases(
    picked: Any, count: int, sources: Any, wires: Any, at: Any, starts: Any, counts: Any, operands: Any, places: Any,
    positions: Any, op: Any, bits: Any, used: int,
) -> int:  # fmt: skip
    """One record for the product of diagonal operations on one or two wires; see `qsim.kernels.phases.phases`."""
    for column in range(RECORD):
        op[column] = 0
    op[KIND], op[TARGET], op[TARGETS] = PHASES, used, count
    for n in range(count):
        k = sources[picked[n]]
        if wires[picked[n]] >= 0:
            first, second = wires[picked[n]], -1
        else:
            first, second = operands[starts[k]], operands[starts[k] + 1]
        bits[used] = places[first] if places[first] >= 0 else -1 - positions[first]
        bits[used + 1] = NO_BIT
        if second >= 0:
            bits[used + 1] = places[second] if places[second] >= 0 else -1 - positions[second]
        bits[used + 2] = at[picked[n]]
        used += 3
    return used


@kernel(apart=True)
def emit_all(
    first: int, last: int, split: bool, moving: bool, order: Any, kinds: Any, starts: Any, counts: Any, controls: Any,
    control_values: Any, operands: Any, offsets: Any, parts_at: Any, places: Any, positions: Any, later: Any,
    block_bits: int, ops: Any, num_ops: int, bits: Any, used: int,
) -> Any:  # fmt: skip
    """Records for operations order[first:last] of a pass, from the last one to the first.

    Returns how many records there are then, the use of `bits`, the cost. parts_at[k]: where the coefficients of the parts
    of a complex matrix are, or -1; they are used if `split`. `places` has the tile bit of each wire, or -1. With `moving`
    nothing is done to a wire while it lies in a lane: wires change places (see `qsim.compiler.lanes`), and `places` with them.
    """
    room = 3 * (last - first)
    owned = np.empty(9 * room + len(places), dtype=np.int64)
    classes, sources, wires = window(owned, 0, room), window(owned, room, room), window(owned, 2 * room, room)
    at, on, off = window(owned, 3 * room, room), window(owned, 4 * room, room), window(owned, 5 * room, room)
    # What may not lie in a lane: wires that are acted on, and the control of an X, which costs nothing then.
    needs, uses = window(owned, 8 * room, room), window(owned, 9 * room, len(places))
    total, everything, targets = 0, 0, 0
    lanes = lanes_of(places) if moving else 0
    for n in range(last - 1, first - 1, -1):
        k = order[n]
        kind, count, begin = kinds[k], counts[k], starts[k]
        active, passive = 0, 0
        for j in range(count):
            bit = 1 << operands[begin + j]
            if kind == DIAGONAL or j < controls[k]:
                passive |= bit
            else:
                active |= bit
        everything |= active | passive
        targets |= active
        w = operands[begin + count - 1] if count else -1
        high = w >= 0 and (moving or places[w] >= LANE_BITS)
        if kind == DENSE1 and count == 1 and split and high and parts_at[k] >= 0:
            for part in range(2, -1, -1):
                classes[total] = _REAL if part == 1 else _PHASE
                sources[total], wires[total] = k, w
                at[total] = parts_at[k] + (0 if part == 0 else 4 if part == 1 else 12)
                on[total], off[total] = (active, 0) if part == 1 else (0, active)
                needs[total] = on[total]
                total += 1
            continue
        kept = _OTHER
        if kind == REAL1 and count == 1 and high:
            kept = _REAL
        elif kind == DIAGONAL and controls[k] == 0 and 1 <= count <= 2:
            kept = _PHASE
        elif kind == FLIP and high and count <= 2:
            control = places[operands[begin]]
            if count == 1 or moving or control < 0 or control >= LANE_BITS:
                kept = _FLIP
        classes[total], sources[total], wires[total], at[total] = kept, k, w if count == 1 else -1, offsets[k]
        on[total], off[total], needs[total] = active, passive, active | passive if kept == _FLIP else active
        total += 1
    everything = max(everything, 1)  # never reached by operations without wires
    classes, after = window(classes, 0, total), window(owned, 6 * room, total)
    for n in range(total):
        after[n] = n + 1
    picked = window(owned, 7 * room, total)
    head, cost = np.int64(0), 0
    real, flip, phase = np.int64(_REAL), np.int64(_FLIP), np.int64(_PHASE)  # literals would compile `sweep` four times
    other = np.int64(_OTHER)
    hold = moving
    while head < total:
        before = num_ops
        count, head = sweep(flip, classes, on, off, needs, after, head, everything, targets, lanes, picked)
        for n in range(count):
            op, k = window(ops, RECORD * num_ops, RECORD), sources[picked[n]]
            used = record(
                op, k, kinds, starts, counts, controls, control_values, operands, at[picked[n]], places, positions,
                bits, used,
            )  # fmt: skip
            num_ops += 1
        count, head = sweep(real, classes, on, off, needs, after, head, everything, targets, lanes, picked)
        done, back = 0, count % 3 if hold else 0
        count -= back
        for n in range(back):  # three at a time are cheapest: these wait for those that are in lanes
            after[picked[count + n]], head = head, picked[count + n]
        while done < count:
            # Four are two and two rather than three and one.
            take = min(3, count - done) if count - done != 4 else 2
            used = emit_reals(
                window(picked, done, take), take, wires, at, places, window(ops, RECORD * num_ops, RECORD), bits, used
            )
            cost += _REAL_COSTS[take]
            num_ops += 1
            done += take
        count, head = sweep(other, classes, on, off, needs, after, head, everything, targets, lanes, picked)
        for n in range(count):
            op, k = window(ops, RECORD * num_ops, RECORD), sources[picked[n]]
            used = record(
                op, k, kinds, starts, counts, controls, control_values, operands, at[picked[n]], places, positions,
                bits, used,
            )  # fmt: skip
            cost += _DENSE1_COST
            num_ops += 1
        if num_ops > before:
            hold = moving
            continue
        if moving:
            wanted, needed = held_back(on, off, needs, after, head, everything, lanes)
            if wanted:
                hold = False
                next_uses_here(needs, after, head, later, uses)
                num_ops, used = exchange_lanes(wanted, needed, uses, places, ops, num_ops, bits, used)
                cost += _EXCHANGE_COST * (num_ops - before)
                lanes = lanes_of(places)
                continue
        if back:
            hold = False
            continue
        hold = moving
        count, head = sweep(phase, classes, on, off, needs, after, head, everything, targets, lanes & 0, picked)
        if count * _PHASE_COST > _PHASES_COST:
            op = window(ops, RECORD * num_ops, RECORD)
            used = emit_phases(
                picked, count, sources, wires, at, starts, counts, operands, places, positions, op, bits, used
            )
            cost += _PHASES_COST
            num_ops += 1
            continue
        for n in range(count):
            op, k = window(ops, RECORD * num_ops, RECORD), sources[picked[n]]
            if kinds[k] == DIAGONAL:
                used = record(
                    op, k, kinds, starts, counts, controls, control_values, operands, at[picked[n]], places, positions,
                    bits, used,
                )  # fmt: skip
            else:  # a part of a complex matrix
                used = record_phase(op, wires[picked[n]], at[picked[n]], places, bits, used)
            cost += _PHASE_COST
            num_ops += 1
    keep(owned)
    return num_ops, used, cost


@kernel(copied=True)
def record_phase(op: Any, wire: int, coefficient: int, places: Any, bits: Any, used: int) -> int:
    """A diagonal operation on one wire of the tile."""
    for column in range(RECORD):
        op[column] = 0
    op[KIND], op[TARGETS], op[COEFFICIENT], op[TARGET] = DIAGONAL, 1, coefficient, used
    bits[used] = places[wire]
    op[FIXED_AT] = used + 1
    if places[wire] < LANE_BITS:
        op[LANE_MASK] = 1 << places[wire]
        return used + 1
    op[FIXED_COUNT] = 1
    bits[used + 1] = places[wire] - LANE_BITS
    return used + 2


@kernel(apart=True)
def emit(
    first: int, last: int, moving: bool, order: Any, kinds: Any, starts: Any, counts: Any, controls: Any,
    control_values: Any, operands: Any, offsets: Any, parts_at: Any, places: Any, positions: Any, later: Any,
    block_bits: int, ops: Any, num_ops: int, bits: Any, used: int,
) -> Any:  # fmt: skip
    """Records of one pass, last one first, by whichever way is cheaper; parts_at[k] becomes -1 for matrices not split.

    `places`, tile bits of wires after the pass, becomes those before it. Returns how many records there are then, and
    the use of `bits`.
    """
    splittable = False
    for n in range(first, last):
        splittable = splittable or parts_at[order[n]] >= 0
    split = splittable
    owned = np.empty(len(places), dtype=np.int64)
    places_apart, done, after, apart = window(owned, 0, len(places)), num_ops, used, -1
    if splittable:
        for w in range(len(places)):
            places_apart[w] = places[w]
        done, after, apart = emit_all(
            first, last, split, moving, order, kinds, starts, counts, controls, control_values, operands, offsets,
            parts_at, places_apart, positions, later, block_bits, ops, num_ops, bits, used,
        )  # fmt: skip
    whole_done, whole_after, whole = emit_all(
        first, last, not split and splittable, moving, order, kinds, starts, counts, controls, control_values, operands,
        offsets, parts_at, places, positions, later, block_bits, ops, done, bits, after,
    )  # fmt: skip
    if splittable and apart < whole:
        for w in range(len(places)):
            places[w] = places_apart[w]
        for n in range(first, last):
            k = order[n]
            if not moving and parts_at[k] >= 0 and places[operands[starts[k]]] < LANE_BITS:
                parts_at[k] = -1
    else:
        for n in range(first, last):
            parts_at[order[n]] = -1
        for k in range(RECORD * (whole_done - done)):  # over those of the other way
            ops[RECORD * num_ops + k] = ops[RECORD * done + k]
        done, after = num_ops + whole_done - done, whole_after
    keep(owned)
    return done, after
