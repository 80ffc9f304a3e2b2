"""Which operations go into which pass over memory, and where each qubit lies in memory meanwhile.

A pass holds a tile of `t` positions. The qubits that its operations act on other than diagonally (or as controls)
are *active* and lie in the tile above its `l` lowest positions; those lowest belong to spectators, so that inner loops
are contiguous. Scattering a tile may permute its qubits, which puts the next pass's spectators in place at no cost.
"Wires" are qubits after uncontrolled SWAPs have been turned into relabelling.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qsim.kernels.jit import kernel
from qsim.kernels.opcodes import (
    COEFFICIENT,
    DIAGONAL,
    FIXED_AT,
    FIXED_COUNT,
    KIND,
    LANE_BITS,
    LANE_MASK,
    LANE_VALUE,
    OUTER_MASK,
    OUTER_VALUE,
    RECORD,
    SWAP,
    TARGET,
    TARGETS,
    VALUE,
)  # fmt: skip


@kernel()
def relabel(kinds: Any, starts: Any, counts: Any, operands: Any, wires: Any) -> None:
    """Turn operands from qubits into wires, in place; `wires`, qubit -> wire, ends as the map after every SWAP."""
    for k in range(len(kinds)):
        at = starts[k]
        for j in range(at, at + counts[k]):
            operands[j] = wires[operands[j]]
        if kinds[k] == SWAP:
            a, b = operands[at], operands[at + 1]
            for q in range(len(wires)):
                if wires[q] == a:
                    wires[q] = b
                elif wires[q] == b:
                    wires[q] = a


@kernel(inner=True)
def masks(kinds: Any, starts: Any, counts: Any, controls: Any, operands: Any, active: Any, passive: Any) -> int:
    """Bit masks of each operation's wires: acted on non-diagonally, and the others. Returns the most active wires."""
    most = 0
    for k in range(len(kinds)):
        on, off = 0, 0
        for j in range(counts[k]):
            bit = 1 << operands[starts[k] + j]
            if kinds[k] == DIAGONAL or j < controls[k]:
                off |= bit
            else:
                on |= bit
        active[k], passive[k] = on, off
        if kinds[k] != DIAGONAL:
            most = max(most, counts[k] - controls[k])
    return most


@kernel(inner=True)
def popcount(mask: int) -> int:
    """The number of bits that are set."""
    count = 0
    while mask:
        mask &= mask - 1
        count += 1
    return count


@kernel(inner=True)
def fill(active: Any, passive: Any, after: Any, head: int, everything: int, chosen: int, room: int, order: Any) -> Any:
    """List what one pass can do, in program order; an operation may overtake one that waits where they commute.

    Two operations commute here unless they share a wire on which either is active. Wires outside `chosen` may become
    active while there is `room`. Returns the number of operations, written to `order`, and the active wires.
    """
    count, waiting_on, waiting_off = 0, 0, 0
    k, total = head, len(active)
    size = popcount(chosen)
    while k < total and waiting_on != everything:
        on, off = active[k], passive[k]
        fits = on & ~chosen == 0
        if not fits and size < room and (on & (waiting_on | waiting_off)) == 0 and (off & waiting_on) == 0:
            grown = popcount(chosen | on)
            if grown <= room:
                chosen, size, fits = chosen | on, grown, True
        if fits and (on & (waiting_on | waiting_off)) == 0 and (off & waiting_on) == 0:
            order[count] = k
            count += 1
        else:
            waiting_on |= on
            waiting_off |= off
        k = after[k]
    return count, chosen


@kernel(inner=True)
def group(active: Any, passive: Any, num_wires: int, room: int, search: int, order: Any, ends: Any, sets: Any) -> int:
    """Passes, each filled in program order and then improved by exchanging active wires while that does more.

    order: operations by execution; ends[p]: where pass p ends in it; sets[p]: its active wires, at most `room`.
    search: how many operations may be looked at in the search of one pass; 0 takes the first filling.
    Returns the number of passes.
    """
    total = len(active)
    after = np.empty(total + 1, dtype=np.int64)  # linked list of what remains; index `total` ends it
    for k in range(total + 1):
        after[k] = k + 1
    trial = np.empty(total, dtype=np.int64)
    best = np.empty(total, dtype=np.int64)
    everything = (1 << num_wires) - 1
    done, passes, head = 0, 0, 0
    while head < total:
        count, chosen = fill(active, passive, after, head, everything, 0, room, best)
        budget = search
        improved = done + count < total and popcount(chosen) == room
        while improved and budget > 0:
            improved = False
            for out in range(num_wires):
                if not (chosen >> out) & 1:
                    continue
                for new in range(num_wires):
                    if (chosen >> new) & 1 or budget <= 0:
                        continue
                    candidate = chosen & ~(1 << out) | (1 << new)
                    found, _ = fill(active, passive, after, head, everything, candidate, room, trial)
                    budget -= found + 10
                    if found > count:
                        count, chosen, improved = found, candidate, True
                        trial, best = best, trial
                        break
        for j in range(count):
            order[done + j] = best[j]
        done += count
        # Take what was done out of the list.
        previous, k, j = -1, head, 0
        last = best[count - 1]
        while k < total and k <= last:
            if j < count and best[j] == k:
                j += 1
                if previous < 0:
                    head = after[k]
                else:
                    after[previous] = after[k]
            else:
                previous = k
            k = after[k]
        used = 0
        for j in range(count):
            used |= active[best[j]]
        ends[passes], sets[passes] = done, used
        passes += 1
    return passes


@kernel(inner=True)
def next_uses(sets: Any, passes: int, num_wires: int) -> Any:
    """Entry [p, w]: the first pass from p on in which wire w is active, or `passes`."""
    table = np.empty((passes + 1, num_wires), dtype=np.int64)
    table[passes] = passes
    for p in range(passes - 1, -1, -1):
        for w in range(num_wires):
            table[p, w] = p if (sets[p] >> w) & 1 else table[p + 1, w]
    return table


@kernel(inner=True)
def sort_by(items: Any, keys: Any) -> None:
    """Stable insertion sort of `items` by ascending keys[item]."""
    for k in range(1, len(items)):
        item = items[k]
        j = k - 1
        while j >= 0 and keys[items[j]] > keys[item]:
            items[j + 1] = items[j]
            j -= 1
        items[j + 1] = item


@kernel(inner=True)
def arrange(wires: Any, slots: Any, following: int, uses: Any, lanes: int, positions: Any) -> None:
    """Place `wires` on as many memory positions `slots` (ascending) for a pass whose active wires are `following`.

    The lanes go to the wires that are needed last; then come the wires that the pass acts on, then the rest by need.
    """
    keys = np.zeros(len(positions), dtype=np.int64)
    for k in range(len(wires)):
        w = wires[k]
        keys[w] = (1 << 40) if (following >> w) & 1 else -uses[w]
    sort_by(wires, keys)
    for k in range(lanes):
        positions[wires[k]] = slots[k]
    rest = wires[lanes:]
    for k in range(len(rest)):
        keys[rest[k]] = -1 if (following >> rest[k]) & 1 else uses[rest[k]]
    sort_by(rest, keys)
    for k in range(len(rest)):
        positions[rest[k]] = slots[lanes + k]


@kernel(inner=True)
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


@kernel(inner=True)
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


@kernel(inner=True)
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


@kernel(inner=True)
def ascending(values: Any, first: int, last: int) -> None:
    """Insertion sort of values[first:last]: a handful of bits."""
    for k in range(first + 1, last):
        value, j = values[k], k - 1
        while j >= first and values[j] > value:
            values[j + 1] = values[j]
            j -= 1
        values[j + 1] = value


@kernel(inner=True)
def emit(
    first: int, last: int, order: Any, kinds: Any, starts: Any, counts: Any, controls: Any, control_values: Any,
    operands: Any, offsets: Any, positions: Any, tile: Any, records: Any, bits: Any, bits_used: int,
) -> int:  # fmt: skip
    """Operation records of one pass, `order[first:last]`, in the coordinates of its tile."""
    t = len(tile)
    place = np.empty(len(positions), dtype=np.int64)
    place[:] = -1
    for j in range(t):
        place[tile[j]] = j
    for n in range(first, last):
        k, op = order[n], records[n]
        at, count, num_controls = starts[k], counts[k], controls[k]
        targets = count - num_controls
        op[KIND], op[TARGETS], op[COEFFICIENT] = kinds[k], targets, offsets[k]
        op[TARGET] = bits_used
        if kinds[k] != DIAGONAL and targets == 1:
            op[TARGET] = place[positions[operands[at + num_controls]]]
        else:
            for j in range(num_controls, count):
                position = positions[operands[at + j]]
                bits[bits_used] = place[position] if place[position] >= 0 else -1 - position
                bits_used += 1
        op[FIXED_AT] = bits_used
        for j in range(count):
            position = positions[operands[at + j]]
            bit = place[position]
            is_control = j < num_controls
            value = (control_values[k] >> j) & 1 if is_control else 0
            if bit < 0:
                if is_control:
                    op[OUTER_MASK] |= 1 << position
                    op[OUTER_VALUE] |= value << position
            elif bit < LANE_BITS:
                if is_control or kinds[k] == DIAGONAL:
                    op[LANE_MASK] |= 1 << bit
                    op[LANE_VALUE] |= value << bit
            else:
                op[VALUE] |= value << bit
                bits[bits_used] = bit
                bits_used += 1
        op[FIXED_COUNT] = bits_used - op[FIXED_AT]
        ascending(bits, op[FIXED_AT], bits_used)
    assert records.shape[1] == RECORD
    return bits_used


@kernel()
def group_all(
    kinds: Any, starts: Any, counts: Any, controls: Any, operands: Any, num_wires: int, tile_bits: int, lanes: int,
    search: int, order: Any, ends: Any, sets: Any,
) -> Any:  # fmt: skip
    """Passes for all operations; see `group`. Returns their number, the tile's bits and the most targets of a gate.

    A tile holds at least the lanes and all targets of any one gate, and at most the whole state, which needs no lanes.
    """
    active, passive = np.empty(len(kinds), dtype=np.int64), np.empty(len(kinds), dtype=np.int64)
    most = masks(kinds, starts, counts, controls, operands, active, passive)
    t = min(num_wires, max(tile_bits, most + lanes))
    room = num_wires if t == num_wires else t - lanes
    return group(active, passive, num_wires, room, search, order, ends, sets), t, most


@kernel()
def lay_out(
    kinds: Any, starts: Any, counts: Any, controls: Any, control_values: Any, operands: Any, offsets: Any, order: Any,
    ends: Any, sets: Any, passes: int, natural_start: bool, lanes: int, goal: Any, layouts: Any, tiles: Any,
    last_ops: Any, records: Any, bits: Any,
) -> int:  # fmt: skip
    """Where each wire lies before and after each pass, each pass's tile, and the operations in its coordinates.

    layouts[p] and layouts[p + 1] are the memory positions of the wires around pass p, tiles[p] its tile, and
    records[last_ops[p - 1]:last_ops[p]] its operations. Passes without operations are added where a layout must change
    first (a given initial state) and at the end, until wire w lies at goal[w]. Returns the number of all passes.
    """
    num_wires, t = len(goal), tiles.shape[1]
    positions = np.empty(num_wires, dtype=np.int64)
    wires = np.empty(num_wires, dtype=np.int64)
    for w in range(num_wires):
        positions[w], wires[w] = w, w
    uses = next_uses(sets, passes, num_wires)
    done, bits_used, p = 0, np.int64(0), -1  # a literal 0 would compile `emit` twice
    if passes and not natural_start:
        arrange(wires, wires.copy(), sets[0], uses[0], lanes, positions)
        p = 0
    elif passes:
        p = 0
        for w in range(lanes):
            if (sets[0] >> w) & 1:
                p = -1  # the first pass needs other spectators than lie in the lanes
    elif passes == 0:
        p = 0
    while True:
        required = 0
        if p >= passes:
            required = misplaced(positions, goal, t, lanes)
            if required == 0:
                return done
        elif p >= 0:
            required = sets[p]
        for w in range(num_wires):
            layouts[done, w] = positions[w]
        tile = tiles[done]
        choose_tile(positions, required, t, lanes, tile)
        if p + 1 < passes:
            for w in range(num_wires):
                wires[positions[w]] = w
            inside = np.empty(t, dtype=np.int64)
            for j in range(t):
                inside[j] = wires[tile[j]]
            arrange(inside, tile, sets[p + 1], uses[p + 1], lanes, positions)
        else:
            settle(positions, goal, tile)
        first = last_ops[done - 1] if done else 0
        last = ends[p] if 0 <= p < passes else first
        bits_used = emit(
            first, last, order, kinds, starts, counts, controls, control_values, operands, offsets, layouts[done], tile,
            records, bits, bits_used,
        )  # fmt: skip
        last_ops[done] = last
        done += 1
        for w in range(num_wires):
            layouts[done, w] = positions[w]
        p += 1
