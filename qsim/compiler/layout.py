"""Where each qubit lies in memory before and after each pass, and the passes' records.

The layout is planned from the end, where every wire lies in its place, to the beginning: |0...0> looks the same in any order,
so no pass only restores an order. Within its tile a pass may find the wires in any order, since gathering a tile permutes
blocks at no cost; only wires in lanes are where they are. "Next" and "later" are meant backwards here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qsim.compiler.lanes import keep_lanes_for
from qsim.compiler.sequence import emit
from qsim.kernels.jit import kernel
from qsim.kernels.opcodes import (
    DENSE,
    DIAGONAL,
    FIXED_COUNT,
    FLIP,
    INPUT_INTERLEAVED,
    KIND,
    LANE_BITS,
    LANES_MOVE,
    OPS_FROM,
    OPS_TO,
    OUTPUT_INTERLEAVED,
    PASS_FLAGS,
    PASS_RECORD,
    PASS_SUPPORT,
    PHASES,
    REALS,
    RECORD,
    TARGET,
    TARGETS,
    TRANSPOSITION,
)  # fmt: skip
from qsim.kernels.window import keep, popcount, window

#: Time of moving a tile from and to memory; see `operation_cost`.
_MOVING_COST = 600


@kernel(apart=True)
def last_uses(
    kinds: Any, starts: Any, counts: Any, controls: Any, operands: Any, order: Any, ends: Any, passes: int, num_wires: int
) -> Any:  # fmt: skip
    """Entry [p, w]: how far the last operation that acts on wire w before pass p lies from the end of the program."""
    table = np.empty((passes + 1, num_wires), dtype=np.int64)
    total = ends[passes - 1] if passes else 0
    for w in range(num_wires):
        table[0, w] = total + 1
    n = 0
    for p in range(passes):
        for w in range(num_wires):
            table[p + 1, w] = table[p, w]
        while n < ends[p]:
            k = order[n]
            if kinds[k] != DIAGONAL:
                for j in range(starts[k] + controls[k], starts[k] + counts[k]):
                    table[p + 1, operands[j]] = total - n
            n += 1
    return table


@kernel(apart=True)
def sort_by(items: Any, keys: Any) -> None:
    """Stable insertion sort of `items` by ascending keys[item]."""
    for k in range(1, len(items)):
        item = items[k]
        j = k - 1
        while j >= 0 and keys[items[j]] > keys[item]:
            items[j + 1] = items[j]
            j -= 1
        items[j + 1] = item


@kernel(apart=True)
def arrange(
    places: Any, tile: Any, following: int, later: Any, going_home: int, positions: Any
) -> None:  # fmt: skip
    """Where a pass finds the wires of its tile: those in lanes as they are, above them what the pass before acts on.

    `places` has tile bits of wires, `tile` the memory positions of the tile's bits, ascending. Wires `going_home`, on which
    no pass before acts, are found at their natural position if the tile has it.
    """
    owned = np.empty(2 * len(places), dtype=np.int64)
    wires, keys = window(owned, 0, len(places)), window(owned, len(places), len(places))
    count, taken = 0, 0
    for j in range(LANE_BITS, len(tile)):
        w = tile[j]  # who is at home there
        if (going_home >> w) & 1 and places[w] >= LANE_BITS:
            positions[w] = w
            taken |= 1 << w
    for w in range(len(places)):
        if places[w] >= LANE_BITS and not (taken >> w) & 1:
            wires[count] = w
            keys[w] = -1 if (following >> w) & 1 else later[w]
            count += 1
        elif 0 <= places[w] < LANE_BITS:
            positions[w] = tile[places[w]]
    wires = window(wires, 0, count)
    sort_by(wires, keys)
    slot = LANE_BITS
    for k in range(count):
        while (taken >> tile[slot]) & 1:
            slot += 1
        positions[wires[k]] = tile[slot]
        slot += 1
    keep(owned)


@kernel(apart=True)
def choose_tile(positions: Any, required: int, t: int, lanes: int, tile: Any) -> None:
    """The tile's memory positions, ascending: the lanes, those of the `required` wires, then the lowest others."""
    num_wires = len(positions)
    chosen = np.zeros(num_wires, dtype=np.bool_)
    chosen[:lanes] = True
    for w in range(num_wires):
        if (required >> w) & 1:
            chosen[positions[w]] = True
    count = 0
    for p in range(num_wires):
        count += chosen[p]
    for p in range(num_wires):
        if count < t and not chosen[p]:
            chosen[p] = True
            count += 1
    j = 0
    for p in range(num_wires):
        if chosen[p]:
            tile[j] = p
            j += 1


@kernel(apart=True)
def settle(positions: Any, goal: Any, tile: Any) -> None:
    """Within one tile, put every wire that can be there at its final position, the others anywhere."""
    here = np.empty(len(positions), dtype=np.int64)
    here[:] = -1
    for k in range(len(tile)):
        here[tile[k]] = 1  # position belongs to the tile and is free
    moved = np.zeros(len(positions), dtype=np.bool_)
    for w in range(len(positions)):
        if here[positions[w]] >= 0:
            moved[w] = True
    for w in range(len(positions)):
        if moved[w] and here[goal[w]] == 1:
            positions[w] = goal[w]
            here[goal[w]] = 0
            moved[w] = False
    slot = 0
    for w in range(len(positions)):
        if moved[w]:
            while here[tile[slot]] != 1:
                slot += 1
            positions[w] = tile[slot]
            here[tile[slot]] = 0


@kernel(apart=True)
def misplaced(positions: Any, goal: Any, t: int, lanes: int) -> int:
    """Wires to bring into one tile so that the most of them reach their goal; 0 when all are there."""
    num_wires = len(positions)
    at = np.zeros(num_wires, dtype=np.int64)
    for w in range(num_wires):
        at[positions[w]] = w
    taken = 0
    room = t - lanes
    chosen = 0
    for start in range(num_wires):
        w = start
        while positions[w] != goal[w] and not (chosen >> w) & 1:
            cost = 0 if positions[w] < lanes else 1
            if taken + cost > room:
                return chosen
            chosen |= 1 << w
            taken += cost
            w = at[goal[w]]
    return chosen


@kernel(apart=True)
def exchange_values(values: Any, first: int, second: int) -> None:
    """`first` for `second` and the other way round."""
    for j in range(len(values)):
        if values[j] == first:
            values[j] = second
        elif values[j] == second:
            values[j] = first


@kernel(apart=True)
def transpose(source: Any, op: Any, bits: Any, used: int) -> int:
    """One record that brings lanes home, where tile bit source[j] shall become tile bit j; `source` is updated.

    Returns the use of `bits`, or -1 if all lanes are home.
    """
    count, stray = 0, -1
    for lane in range(LANE_BITS):
        other = source[lane]
        if other == lane or (count and (lane % 2 == 0 or lane != bits[used] + 1 or other == bits[used + 1])):
            continue
        if other < LANE_BITS:
            stray = lane
            continue
        bits[used + 2 * count], bits[used + 2 * count + 1] = lane, other
        count += 1
        exchange_values(source, lane, other)
    if count == 0 and stray >= 0:  # lanes among themselves: one goes out of the way
        bits[used], bits[used + 1] = stray, LANE_BITS
        count = 1
        exchange_values(source, stray, np.int64(LANE_BITS))
    if count == 0:
        return -1
    for column in range(RECORD):
        op[column] = 0
    op[KIND], op[TARGET], op[TARGETS] = TRANSPOSITION, used, count
    return used + 4


@kernel(apart=True)
def reverse(array: Any, width: int, count: int) -> None:
    """`count` rows of `width` entries in the opposite order."""
    for k in range(count // 2):
        a, b = width * k, width * (count - 1 - k)
        for j in range(width):
            array[a + j], array[b + j] = array[b + j], array[a + j]


@kernel(inner=True)
def operation_cost(kind: int, fixed: int) -> int:
    """Time of an operation on a tile in picoseconds an amplitude and thread, single precision; double takes twice as long."""
    if kind == REALS:
        return 40 + 8 * fixed
    if kind == PHASES:
        return 90
    if kind == TRANSPOSITION:
        return 45
    if kind == DENSE:
        return 100
    if kind == FLIP:  # most of them move nothing; see `qsim.compiler.blocks`
        return 5
    return 30 if kind == DIAGONAL else 48


@kernel(apart=True)
def estimate(records: Any, tiles: Any, ops: Any, passes: int, t: int) -> int:
    """What a program costs, in the same unit times 2**t amplitudes."""
    total = 0
    for p in range(passes):
        row = window(records, PASS_RECORD * p, PASS_RECORD)
        cost = _MOVING_COST
        for k in range(row[OPS_FROM], row[OPS_TO]):
            cost += operation_cost(ops[RECORD * k + KIND], ops[RECORD * k + FIXED_COUNT])
        outside = row[PASS_SUPPORT]
        for j in range(t):
            outside &= ~(1 << tiles[t * p + j])
        total += cost << popcount(outside)
    return total


@kernel(apart=True)
def lay_out(
    kinds: Any, starts: Any, counts: Any, controls: Any, control_values: Any, operands: Any, offsets: Any, parts_at: Any,
    order: Any, ends: Any, sets: Any, passes: int, natural_start: bool, goal: Any, t: int, records: Any, tiles: Any,
    sources: Any, ops: Any, bits: Any,
) -> Any:  # fmt: skip
    """The passes' records, tiles, exchanges of tile bits, and the operations in coordinates of the tiles.

    Wire w ends at goal[w]. With a natural start, where it begins at w, passes without operations are added at the
    beginning. Returns the number of all passes, of operation records and of entries of `bits`.
    """
    num_wires = len(goal)
    owned = np.empty(4 * num_wires, dtype=np.int64)
    positions, places = window(owned, 0, num_wires), window(owned, num_wires, num_wires)
    natural, later = window(owned, 2 * num_wires, num_wires), window(owned, 3 * num_wires, num_wires)
    whole = t == num_wires  # one tile: no wire has to move, so none has to come out of a lane
    for w in range(num_wires):
        natural[w] = w
        positions[w] = w if whole and natural_start else goal[w]
    uses = last_uses(kinds, starts, counts, controls, operands, order, ends, passes, num_wires)
    done, num_ops, used, p = 0, np.int64(0), np.int64(0), passes - 1  # a literal 0 would compile `emit` twice
    while True:
        required = sets[p] if p >= 0 else 0
        if p < 0:
            if not natural_start or (whole and done):
                break
            required = misplaced(goal, natural, t, 0) if whole else misplaced(positions, natural, t, LANE_BITS)
            if required == 0:
                break
        tile, source = window(tiles, t * done, t), window(sources, t * done, t)
        choose_tile(positions, required, t, 0 if whole else LANE_BITS, tile)
        for w in range(num_wires):
            places[w] = -1
            for j in range(t):
                if tile[j] == positions[w]:
                    places[w] = j
        row = window(records, PASS_RECORD * done, PASS_RECORD)
        row[OPS_TO], row[PASS_FLAGS] = num_ops, 0
        for w in range(num_wires):  # what goes into a lane stays there, so it should be in the next tile
            fits = p <= 0 or (sets[p - 1] >> w) & 1 or popcount(sets[p - 1]) <= t - LANE_BITS
            later[w] = uses[max(p, 0), w] if fits else 0
        if p >= 0:
            first = ends[p - 1] if p else 0
            num_ops, used = emit(
                first, ends[p], not whole, order, kinds, starts, counts, controls, control_values, operands, offsets,
                parts_at, places, positions, later, max(t - LANE_BITS, 0), ops, num_ops, bits, used,
            )  # fmt: skip
        if whole:
            pass
        elif p > 0:
            room = t - popcount(sets[p - 1])
            num_ops, used = keep_lanes_for(sets[p - 1], room, later, places, ops, num_ops, bits, used)
            going_home = 0
            for w in range(num_wires if natural_start else 0):
                if uses[p, w] > ends[passes - 1]:
                    going_home |= 1 << w
            arrange(places, tile, sets[p - 1], later, going_home, positions)
        elif natural_start:
            settle(positions, natural, tile)
        for j in range(t):
            source[j] = j
        if not whole and (p > 0 or natural_start):
            for w in range(num_wires):
                for j in range(t):
                    if tile[j] == positions[w]:
                        source[j] = places[w]
            end = transpose(source, window(ops, RECORD * num_ops, RECORD), bits, used)
            while end >= 0:
                num_ops, used = num_ops + 1, end
                end = transpose(source, window(ops, RECORD * num_ops, RECORD), bits, used)
        row[OPS_FROM] = num_ops
        done += 1
        p -= 1
    if whole and natural_start and done:
        for w in range(num_wires):
            sources[goal[w]] = w  # of the last pass, which has been written first
            if goal[w] != w:
                records[PASS_FLAGS] = LANES_MOVE
    reverse(records, PASS_RECORD, done)
    reverse(tiles, t, done)
    reverse(sources, t, done)
    reverse(ops, RECORD, num_ops)
    support = (1 << num_wires) - 1 if natural_start else 0
    for number in range(done):
        row = window(records, PASS_RECORD * number, PASS_RECORD)
        row[OPS_FROM], row[OPS_TO] = num_ops - row[OPS_FROM], num_ops - row[OPS_TO]
        row[PASS_SUPPORT] = support
        for j in range(t):
            support |= 1 << tiles[t * number + j]
    if done:
        if natural_start:
            records[PASS_FLAGS] |= INPUT_INTERLEAVED
        records[PASS_RECORD * (done - 1) + PASS_FLAGS] |= OUTPUT_INTERLEAVED
    keep(owned)
    return done, num_ops, used
