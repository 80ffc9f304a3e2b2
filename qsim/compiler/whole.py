"""Programs whose tile is the whole state: one pass, in which wires change places between the lanes and the bits above.

The operations are grouped as for passes, by what acts on few enough wires. What the first group does, among wires that
leave out the last few, is done while the tile has only their bits: 2**LANE_BITS times less work.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qsim.compiler.schedule import group, masks, next_uses, transpose
from qsim.compiler.sequence import emit
from qsim.kernels.jit import kernel
from qsim.kernels.opcodes import (
    GROWTH,
    INPUT_INTERLEAVED,
    KIND,
    LANE_BITS,
    OPS_FROM,
    OPS_TO,
    OUTPUT_INTERLEAVED,
    PASS_FLAGS,
    PASS_RECORD,
    PASS_SUPPORT,
    RECORD,
    TARGET,
    TARGETS,
    TRANSPOSITION,
    VALUE,
)  # fmt: skip
from qsim.kernels.window import keep, popcount, window

#: A first group on fewer wires is not done apart.
_LEAST_BITS = 8


@kernel(apart=True)
def group_whole(
    kinds: Any, starts: Any, counts: Any, controls: Any, operands: Any, n: int, natural_start: bool, limit: int,
    search: int, order: Any, ends: Any, sets: Any,
) -> Any:  # fmt: skip
    """Groups of operations, see `qsim.compiler.schedule.group`.

    Returns how many there are, how many of them are done while the tile has fewer bits, and those wires.
    """
    total, lanes = len(kinds), LANE_BITS
    owned = np.empty(7 * total + 3, dtype=np.int64)
    active, passive = window(owned, 0, total), window(owned, total, total)
    most = masks(kinds, starts, counts, controls, operands, active, passive)
    groups = group(active, passive, n, n - lanes, limit, search, order, ends, sets)
    early = sets[0] if groups else 0
    bits, count = popcount(early), ends[0] if groups else 0
    if groups < 2 or natural_start or bits < _LEAST_BITS or bits > n - 2 or most > bits - lanes:
        keep(owned)
        return groups, 0, early
    on, off = window(owned, 2 * total, count), window(owned, 3 * total, count)
    new_order, new_ends = window(owned, 4 * total, count), window(owned, 5 * total, count + 1)
    new_sets = window(owned, 6 * total + 1, count + 1)
    for k in range(count):
        on[k], off[k] = active[order[k]], passive[order[k]]
    parts = group(on, off, n, bits - lanes, limit, search, new_order, new_ends, new_sets)
    for k in range(count):  # from places in the first group to operations
        new_order[k] = order[new_order[k]]
    for k in range(count):
        order[k] = new_order[k]
    for p in range(groups - 1, 0, -1):
        ends[p + parts - 1], sets[p + parts - 1] = ends[p], sets[p]
    for p in range(parts):
        ends[p], sets[p] = new_ends[p], new_sets[p]
    keep(owned)
    return groups + parts - 1, parts, early


@kernel(apart=True)
def last_needed(places: Any, bits: int, barred: int, uses: Any) -> int:
    """Of the wires in tile bits [LANE_BITS, bits) that are not in `barred`, the one that is used last."""
    found = -1
    for w in range(len(places)):
        if LANE_BITS <= places[w] < bits and not (barred >> w) & 1 and (found < 0 or uses[w] > uses[found]):
            found = w
    return found


@kernel(apart=True)
def first_places(early: int, bits: int, active: int, uses: Any, places: Any) -> None:
    """The wires `early` in the lowest tile bits, those of them in lanes that are not `active` and used last."""
    high, other = 0, bits
    for w in range(len(places)):
        if (early >> w) & 1:
            places[w] = high
            high += 1
        else:
            places[w] = other
            other += 1
    for w in range(len(places)):
        if places[w] < LANE_BITS:
            last = last_needed(places, bits, active, uses)
            if last >= 0 and ((active >> w) & 1 or uses[last] > uses[w]):
                places[w], places[last] = places[last], places[w]


@kernel(apart=True)
def free_lanes(
    places: Any, bits: int, active: int, uses: Any, ops: Any, num_ops: int, entries: Any, used: int
) -> Any:  # fmt: skip
    """Records that bring `active` wires out of the lanes, for others that are used last.

    Returns how many records there are then and how much of `entries` is used.
    """
    at = np.empty(LANE_BITS, dtype=np.int64)
    for w in range(len(places)):
        if places[w] < LANE_BITS:
            at[places[w]] = w
    for lane in range(0, LANE_BITS, 2):
        count = 0
        for step in range(2):
            w = at[lane + step]
            if not (active >> w) & 1:
                continue
            other = last_needed(places, bits, active, uses)
            entries[used + 2 * count], entries[used + 2 * count + 1] = places[w], places[other]
            places[w], places[other] = places[other], places[w]
            active |= 1 << other  # stays there
            count += 1
        if count:
            put_record(window(ops, RECORD * num_ops, RECORD), np.int64(TRANSPOSITION), count, used, count * 0)
            num_ops += 1
            used += 4
    return num_ops, used


@kernel(apart=True)
def put_record(op: Any, kind: int, targets: int, target: int, value: int) -> None:
    """A record that is zero but for these columns."""
    for column in range(RECORD):
        op[column] = 0
    op[KIND], op[TARGETS], op[TARGET], op[VALUE] = kind, targets, target, value


@kernel(apart=True)
def lay_out_whole(
    kinds: Any, starts: Any, counts: Any, controls: Any, control_values: Any, operands: Any, offsets: Any, parts_at: Any,
    order: Any, ends: Any, sets: Any, groups: int, parts: int, early: int, natural_start: bool, goal: Any, limit: int,
    records: Any, tiles: Any, sources: Any, ops: Any, bits: Any,
) -> Any:  # fmt: skip
    """The records of groups of operations, of which `parts` come first on the wires `early`; wire w ends at goal[w].

    Returns the number of passes, of records and of entries of `bits`. There is one pass for about `limit` operations.
    """
    n = len(goal)
    owned = np.empty(3 * n, dtype=np.int64)
    places, identity, source = window(owned, 0, n), window(owned, n, n), window(owned, 2 * n, n)
    uses = next_uses(sets, groups, n)
    zero = np.int64(0)
    done, num_ops, used = 0, zero, zero
    for w in range(n):
        places[w], identity[w] = w, w
    size = popcount(early) if parts else n
    if groups and not natural_start:
        everything = (1 << n) - 1
        first_places(early if parts else everything, size, sets[0], uses[0], places)
    begun = zero
    for p in range(groups):
        if p == parts:
            size = n
        if p == 0 or p == parts:
            put_record(window(ops, RECORD * num_ops, RECORD), np.int64(GROWTH), zero, zero, size)
            num_ops += 1
        num_ops, used = free_lanes(places, size, sets[p], uses[p], ops, num_ops, bits, used)
        first = ends[p - 1] if p else zero
        num_ops, used = emit(
            first, ends[p], order, kinds, starts, counts, controls, control_values, operands, offsets, parts_at, places,
            window(identity, 0, size), ops, num_ops, bits, used,
        )  # fmt: skip
        if p + 1 < groups and p + 1 > parts and num_ops - begun > limit:
            put_pass(records, tiles, sources, done, begun, num_ops, natural_start or done > 0, identity, identity)
            done, begun = done + 1, num_ops
    if groups:
        for w in range(n):
            source[goal[w]] = places[w]
        end = transpose(source, window(ops, RECORD * num_ops, RECORD), bits, used)
        while end >= 0:
            num_ops, used = num_ops + 1, end
            end = transpose(source, window(ops, RECORD * num_ops, RECORD), bits, used)
        put_pass(records, tiles, sources, done, begun, num_ops, natural_start or done > 0, identity, source)
        done += 1
        if natural_start:
            records[PASS_FLAGS] |= INPUT_INTERLEAVED
        records[PASS_RECORD * (done - 1) + PASS_FLAGS] |= OUTPUT_INTERLEAVED
    keep(owned)
    return done, num_ops, used


@kernel(apart=True)
def put_pass(
    records: Any, tiles: Any, sources: Any, number: int, first: int, last: int, full: bool, identity: Any, source: Any
) -> None:
    """The record of a pass whose tile is the whole state."""
    n = len(identity)
    row = window(records, PASS_RECORD * number, PASS_RECORD)
    row[OPS_FROM], row[OPS_TO], row[PASS_FLAGS] = first, last, 0
    row[PASS_SUPPORT] = (1 << n) - 1 if full else 0
    for j in range(n):
        tiles[n * number + j], sources[n * number + j] = j, source[j]
