"""Lanes inside a pass: which wires lie in the four lowest bits of a tile, and when they change places with others.

An operation acts on bits above the lanes. Where nothing else can go on, wires in lanes that are wanted change places with
those above that are wanted last, as pages in a cache do, but one record (`TRANSPOSITION`) brings two of them at once.
Passes are written from their end to their beginning, and "next" is meant so here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qsim.kernels.jit import kernel
from qsim.kernels.opcodes import KIND, LANE_BITS, RECORD, TARGET, TARGETS, TRANSPOSITION
from qsim.kernels.window import keep, window

#: Of a wire that is not used any more in this pass.
_LATE = 1 << 40


@kernel(copied=True)
def lanes_of(places: Any) -> int:
    """A mask of the wires that lie in lanes."""
    mask = 0
    for w in range(len(places)):
        if 0 <= places[w] < LANE_BITS:
            mask |= 1 << w
    return mask


@kernel(copied=True)
def held_back(on: Any, off: Any, needs: Any, after: Any, head: int, everything: int, lanes: int) -> Any:
    """Wires in lanes that operations wait for and nothing else, and all wires that the first such operation needs."""
    total, k = len(after), head
    waiting_on, waiting_off, wanted, first = 0, 0, 0, 0
    while k < total and waiting_on != everything:
        if needs[k] & lanes and (on[k] & (waiting_on | waiting_off)) == 0 and (off[k] & waiting_on) == 0:
            wanted |= needs[k] & lanes
            if first == 0:
                first = needs[k]
        waiting_on |= on[k]
        waiting_off |= off[k]
        k = after[k]
    return wanted, first


@kernel(copied=True)
def next_uses_here(needs: Any, after: Any, head: int, later: Any, uses: Any) -> None:
    """When each wire is needed next: by which of the operations in the list, or in a pass `later`."""
    for w in range(len(uses)):
        uses[w] = _LATE + later[w]
    total, k, left = len(after), head, (1 << len(uses)) - 1
    while k < total and left:
        found = needs[k] & left
        if found:
            left &= ~found
            for w in range(len(uses)):
                if (found >> w) & 1:
                    uses[w] = k
        k = after[k]


@kernel(copied=True)
def last_needed(places: Any, uses: Any, barred: int) -> int:
    """The wire above the lanes that is needed last, or -1 if all are barred."""
    found = -1
    for w in range(len(places)):
        if places[w] >= LANE_BITS and not (barred >> w) & 1 and (found < 0 or uses[w] > uses[found]):
            found = w
    return found


@kernel(copied=True)
def put_exchange(op: Any, bits: Any, used: int, places: Any, lane_wire: int, wire: int, count: int) -> None:
    """Add the exchange of a wire in a lane with one above to a record that has `count` such exchanges."""
    if count == 0:
        for column in range(RECORD):
            op[column] = 0
        op[KIND], op[TARGET] = TRANSPOSITION, used
    op[TARGETS] = count + 1
    bits[used + 2 * count], bits[used + 2 * count + 1] = places[lane_wire], places[wire]
    places[lane_wire], places[wire] = places[wire], places[lane_wire]


@kernel(apart=True)
def exchange_lanes(
    wanted: int, first: int, uses: Any, places: Any, ops: Any, num_ops: int, bits: Any, used: int
) -> Any:  # fmt: skip
    """Records that bring the `wanted` wires out of the lanes, those of `first` in any case, the others if there is room.

    In their place come wires that are used last. A record takes neighbours, lanes 0 and 1 or 2 and 3. Returns how many
    records there are then, and the use of `bits`.
    """
    barred, free = first, 0
    at = np.empty(LANE_BITS, dtype=np.int64)
    for w in range(len(places)):
        if 0 <= places[w] < LANE_BITS:
            at[places[w]] = w
        elif places[w] >= LANE_BITS and not (first >> w) & 1:
            free += 1
    needed = 0
    for lane in range(LANE_BITS):
        needed += (first >> at[lane]) & 1
    for lane in range(0, LANE_BITS, 2):
        count = 0
        for step in range(2):
            w = at[lane + step]
            must = (first >> w) & 1 == 1
            other = at[lane + 1 - step]
            paired = (wanted >> other) & 1 == 1  # the record is there anyhow
            if not must and (free <= needed or not ((wanted >> w) & 1 or paired)):
                continue
            victim = last_needed(places, uses, barred)
            if victim < 0 or (not must and uses[victim] <= uses[w]):
                continue
            put_exchange(window(ops, RECORD * num_ops, RECORD), bits, used, places, w, victim, count)
            barred |= (1 << w) | (1 << victim)
            count += 1
            free -= 1
            needed -= must
        if count:
            num_ops += 1
            used += 4
    return num_ops, used


@kernel(apart=True)
def keep_lanes_for(
    following: int, room: int, later: Any, places: Any, ops: Any, num_ops: int, bits: Any, used: int
) -> Any:  # fmt: skip
    """Records after which at most `room` of the wires in lanes are not among the active ones of the pass that follows."""
    owned = np.empty(len(places), dtype=np.int64)
    uses = window(owned, 0, len(places))
    strange = 0
    for w in range(len(places)):
        inside = (following >> w) & 1
        # Of its wires take those that it uses last; none of the others.
        uses[w] = later[w] if inside else -1
        if 0 <= places[w] < LANE_BITS and not inside:
            strange += 1
    for lane in range(0, LANE_BITS, 2):
        count = 0
        for step in range(2):
            if strange <= room:
                continue
            for w in range(len(places)):
                if places[w] == lane + step and uses[w] < 0:
                    victim = last_needed(places, uses, 0)
                    if victim >= 0 and uses[victim] >= 0:
                        put_exchange(window(ops, RECORD * num_ops, RECORD), bits, used, places, w, victim, count)
                        uses[victim] = -1  # stays
                        count, strange = count + 1, strange - 1
                    break
        if count:
            num_ops += 1
            used += 4
    keep(owned)
    return num_ops, used
