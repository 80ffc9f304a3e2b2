"""Which operations go into which pass over memory, and where each qubit lies in memory meanwhile.

A pass holds a tile of `t` positions. The qubits that its operations act on other than diagonally (or as controls)
are *active* and lie in the tile above its `l` lowest positions; those lowest belong to spectators, so that inner loops
are contiguous. Scattering a tile may permute its qubits, which puts the next pass's spectators in place at no cost.
"Wires" are qubits after uncontrolled SWAPs have been turned into relabelling.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qsim.compiler.sequence import emit
from qsim.kernels.jit import kernel
from qsim.kernels.opcodes import (
    DIAGONAL,
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
    RECORD,
    SWAP,
    TARGET,
    TARGETS,
    TRANSPOSITION,
)  # fmt: skip
from qsim.kernels.window import keep, popcount, window

#: Amplitudes times operations that one tile may take without a look whether the run is to stop: some ten milliseconds.
LONGEST_CALL = 1 << 27


@kernel(apart=True)
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


@kernel(apart=True)
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


@kernel(apart=True)
def fill(
    active: Any, passive: Any, after: Any, head: int, everything: int, chosen: int, room: int, limit: int, order: Any
) -> Any:  # fmt: skip
    """List what one pass can do, in program order; an operation may overtake one that waits where they commute.

    Two operations commute here unless they share a wire on which either is active. Wires outside `chosen` may become
    active while there is `room`. Returns the number of operations, at most `limit`, written to `order`, and the active wires.
    """
    count, waiting_on, waiting_off = 0, 0, 0
    k, total = head, len(active)
    size = popcount(chosen)
    while k < total and waiting_on != everything and count < limit:
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


@kernel(apart=True)
def group(
    active: Any, passive: Any, num_wires: int, room: int, limit: int, search: int, order: Any, ends: Any, sets: Any
) -> int:  # fmt: skip
    """Passes, each filled in program order and then improved by exchanging active wires while that does more.

    limit: the most operations of a pass; order: operations by execution; ends[p]: where pass p ends in it; sets[p]: its
    active wires, at most `room`.
    search: how many operations may be looked at in the search of one pass; 0 takes the first filling.
    Returns the number of passes.
    """
    total = len(active)
    owned = np.empty(3 * total + 1, dtype=np.int64)
    after = window(owned, 0, total + 1)  # linked list of what remains; index `total` ends it
    for k in range(total + 1):
        after[k] = k + 1
    trial, best = window(owned, total + 1, total), window(owned, 2 * total + 1, total)
    everything = (1 << num_wires) - 1
    done, passes, head = 0, 0, 0
    while head < total:
        count, chosen = fill(active, passive, after, head, everything, head & 0, room, limit, best)
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
                    found, _ = fill(active, passive, after, head, everything, candidate, room, limit, trial)
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
    keep(owned)
    return passes


@kernel(apart=True)
def next_uses(sets: Any, passes: int, num_wires: int) -> Any:
    """Entry [p, w]: the first pass from p on in which wire w is active, or `passes`."""
    table = np.empty((passes + 1, num_wires), dtype=np.int64)
    table[passes] = passes
    for p in range(passes - 1, -1, -1):
        for w in range(num_wires):
            table[p, w] = p if (sets[p] >> w) & 1 else table[p + 1, w]
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
def arrange(wires: Any, slots: Any, following: int, uses: Any, lanes: int, positions: Any) -> None:
    """Place `wires` on as many memory positions `slots` (ascending) for a pass whose active wires are `following`.

    A wire stays in its lane unless the pass acts on it, since changing lanes takes a transposition; free lanes go to the
    wires that are needed last. Above them come the wires that the pass acts on, then the rest by need.
    """
    keys = np.zeros(len(positions), dtype=np.int64)
    for k in range(len(wires)):
        w = wires[k]
        stays = positions[w] < lanes
        keys[w] = (1 << 40) if (following >> w) & 1 else -(1 << 40) if stays else -uses[w]
    sort_by(wires, keys)
    taken = 0
    for k in range(lanes):
        if positions[wires[k]] < lanes and keys[wires[k]] < 0:
            taken |= 1 << positions[wires[k]]
    lane = 0
    for k in range(lanes):
        if positions[wires[k]] >= lanes or keys[wires[k]] > 0:
            while (taken >> lane) & 1:
                lane += 1
            positions[wires[k]] = slots[lane]
            taken |= 1 << lane
    rest = window(wires, lanes, len(wires) - lanes)
    for k in range(len(rest)):
        keys[rest[k]] = -1 if (following >> rest[k]) & 1 else uses[rest[k]]
    sort_by(rest, keys)
    for k in range(len(rest)):
        positions[rest[k]] = slots[lanes + k]


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
def group_all(
    kinds: Any, starts: Any, counts: Any, controls: Any, operands: Any, num_wires: int, tile_bits: int, lanes: int,
    search: int, order: Any, ends: Any, sets: Any,
) -> Any:  # fmt: skip
    """Passes for all operations; see `group`. Returns their number and the tile's bits.

    A tile holds at least the lanes and all targets of any one gate, and at most the whole state, which needs no lanes.
    """
    total = len(kinds)
    owned = np.empty(2 * total, dtype=np.int64)
    active, passive = window(owned, 0, total), window(owned, total, total)
    most = masks(kinds, starts, counts, controls, operands, active, passive)
    t = min(num_wires, max(tile_bits, most + lanes))
    room = num_wires if t == num_wires else t - lanes
    limit = max(1, LONGEST_CALL >> t)
    passes = group(active, passive, num_wires, room, limit, search, order, ends, sets)
    keep(owned)
    return passes, t


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
def lay_out(
    kinds: Any, starts: Any, counts: Any, controls: Any, control_values: Any, operands: Any, offsets: Any, parts_at: Any,
    order: Any, ends: Any, sets: Any, passes: int, natural_start: bool, lanes: int, goal: Any, t: int, records: Any,
    tiles: Any, sources: Any, ops: Any, bits: Any,
) -> Any:  # fmt: skip
    """The passes' records, tiles, exchanges of tile bits, and the operations in coordinates of the tiles.

    Passes without operations are added where a layout must change first (a given initial state) and at the end, until
    wire w lies at goal[w]. Returns the number of all passes, of operation records and of entries of `bits`.
    """
    num_wires = len(goal)
    everything = (1 << num_wires) - 1
    owned = np.empty(3 * num_wires, dtype=np.int64)
    positions, before = window(owned, 0, num_wires), window(owned, num_wires, num_wires)
    wires = window(owned, 2 * num_wires, num_wires)
    for w in range(num_wires):
        positions[w], wires[w], before[w] = w, w, w
    uses = next_uses(sets, passes, num_wires)
    done, num_ops, used, p = 0, np.int64(0), np.int64(0), 0  # a literal 0 would compile `emit` twice
    if t == num_wires:
        p = 0  # one tile: the natural order is as good as any, and takes no change at the end
    elif passes and not natural_start:
        arrange(wires, before, sets[0], uses[0], lanes, positions)
    elif passes:
        for w in range(lanes):
            if (sets[0] >> w) & 1:
                p = -1  # the first pass needs other spectators than lie in the lanes
    support = everything if natural_start else 0
    while True:
        required = 0
        if p >= passes:
            required = misplaced(positions, goal, t, lanes)
            if required == 0:
                break
        elif p >= 0:
            required = sets[p]
        for w in range(num_wires):
            before[w] = positions[w]
        tile, source = window(tiles, t * done, t), window(sources, t * done, t)
        choose_tile(positions, required, t, lanes, tile)
        if p + 1 < passes and t == num_wires:
            pass  # a tile that is the whole state stays as it is until the end
        elif p + 1 < passes:
            for w in range(num_wires):
                wires[positions[w]] = w
            inside = np.empty(t, dtype=np.int64)
            for j in range(t):
                inside[j] = wires[tile[j]]
            arrange(inside, tile, sets[p + 1], uses[p + 1], lanes, positions)
        else:
            settle(positions, goal, tile)
        row = window(records, PASS_RECORD * done, PASS_RECORD)
        row[OPS_FROM], row[PASS_SUPPORT], row[PASS_FLAGS] = num_ops, support, 0
        if 0 <= p < passes:
            first = ends[p - 1] if p else 0
            num_ops, used = emit(
                first, ends[p], order, kinds, starts, counts, controls, control_values, operands, offsets, parts_at,
                before, tile, ops, num_ops, bits, used,
            )  # fmt: skip
        for w in range(num_wires):
            wires[positions[w]] = w
        lanes_move = False
        for j in range(t):
            old = before[wires[tile[j]]]
            for k in range(t):
                if tile[k] == old:
                    source[j] = k
            support |= 1 << tile[j]
        for j in range(min(LANE_BITS, t)):
            lanes_move = lanes_move or source[j] != j
        if lanes_move and t == num_wires:
            row[PASS_FLAGS] |= LANES_MOVE
        elif lanes_move:
            end = transpose(source, window(ops, RECORD * num_ops, RECORD), bits, used)
            while end >= 0:
                num_ops, used = num_ops + 1, end
                end = transpose(source, window(ops, RECORD * num_ops, RECORD), bits, used)
        row[OPS_TO] = num_ops
        done += 1
        p += 1
    if done:
        if natural_start:
            records[PASS_FLAGS] |= INPUT_INTERLEAVED
        records[PASS_RECORD * (done - 1) + PASS_FLAGS] |= OUTPUT_INTERLEAVED
    keep(owned)
    return done, num_ops, used
