"""Passes of a program whose tile is the whole state: stages, the first of which see only the qubits in use.

A state that begins as |0...0> is as large as the qubits that something has been done to. What can be done among a few of
them is done first, on a tile of their bits: with four qubits less it takes a sixteenth of the time.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qsim.compiler.schedule import LONGEST_CALL, fill, group_all, masks
from qsim.kernels.jit import kernel
from qsim.kernels.opcodes import LANE_BITS
from qsim.kernels.window import keep, popcount, window

#: How many qubits less the first stages have.
_FEWER = (4, 2)
#: Smaller tiles, and fewer operations, are not worth a stage.
_LEAST_BITS, _LEAST_OPERATIONS = 8, 4


@kernel(apart=True)
def take_out(after: Any, head: int, taken: Any, count: int) -> int:
    """Remove operations taken[:count], ascending, from the linked list; returns its new head."""
    previous, k, j = -1, head, 0
    while j < count:
        if taken[j] == k:
            j += 1
            if previous < 0:
                head = after[k]
            else:
                after[previous] = after[k]
        else:
            previous = k
        k = after[k]
    return head


@kernel(apart=True)
def best_wires(
    active: Any, passive: Any, after: Any, head: int, everything: int, support: int, size: int, limit: int, budget: int,
    best: Any, trial: Any,
) -> Any:  # fmt: skip
    """Up to `size` wires, those of `support` among them, on which many operations can be done; these go to `best`.

    Wires are exchanged as long as that does more, while `budget` lasts. Returns the number of operations and the wires.
    """
    zero = np.int64(0)
    count, chosen, _ = fill(
        active, passive, after, head, everything, support, size, zero, size, zero, size, limit, best
    )
    improved = popcount(chosen) == size and chosen != everything
    while improved and budget > 0:
        improved = False
        for out in range(64):
            if not ((chosen & ~support) >> out) & 1:
                continue
            for new in range(64):
                if not ((everything & ~chosen) >> new) & 1 or budget <= 0:
                    continue
                candidate = chosen & ~(1 << out) | (1 << new)
                found, _, looked = fill(
                    active, passive, after, head, everything, candidate, size, zero, size, zero, size, limit, trial
                )
                budget -= looked + 10
                if found > count:
                    count, chosen, improved = found, candidate, True
                    for k in range(count):
                        best[k] = trial[k]
                    break
    return count, chosen


@kernel(apart=True)
def group_stages(
    active: Any, passive: Any, num_wires: int, most: int, start: int, limit: int, search: int, order: Any,
    ends: Any, sets: Any, sizes: Any,
) -> int:  # fmt: skip
    """Passes as by `qsim.compiler.schedule.group`; sizes[p]: the bits of the tile of pass p. Returns their number.

    start: the positions in whose amplitudes there may be something at the start.
    """
    total, everything = len(active), (1 << num_wires) - 1
    owned = np.empty(3 * total + 1, dtype=np.int64)
    after = window(owned, 0, total + 1)
    for k in range(total + 1):
        after[k] = k + 1
    best, trial = window(owned, total + 1, total), window(owned, 2 * total + 1, total)
    done, passes, head, support = 0, 0, np.int64(0), np.int64(0)
    for stage in range(len(_FEWER) + 1):
        size = num_wires - (_FEWER[stage] if stage < len(_FEWER) else 0)
        early = size < num_wires
        if early and (start or size < _LEAST_BITS or most > size - LANE_BITS):
            continue
        while head < total or (not early and passes and sizes[passes - 1] < size):
            count, chosen = best_wires(
                active, passive, after, head, everything, support, size, limit, search, best, trial
            )
            if early and (count < _LEAST_OPERATIONS or done + count == total):
                break
            for w in range(num_wires):
                if popcount(chosen) < size and not (chosen >> w) & 1:
                    chosen |= 1 << w
            for j in range(count):
                order[done + j] = best[j]
            head = take_out(after, head, best, count)
            done, support = done + count, chosen
            ends[passes], sets[passes], sizes[passes] = done, chosen, size
            passes += 1
            if early:
                break
    keep(owned)
    return passes


@kernel(apart=True)
def group_passes(
    kinds: Any, starts: Any, counts: Any, controls: Any, operands: Any, num_wires: int, tile_bits: int, lanes: int,
    goal: Any, support: int, spare: int, search: int, order: Any, ends: Any, sets: Any, sizes: Any,
) -> Any:  # fmt: skip
    """Passes for all operations, in stages where the tile shall be the whole state and leaves room for lanes.

    Returns their number, the tile's bits, the most targets of a gate, and whether there are stages.
    """
    total = len(kinds)
    if tile_bits == num_wires:
        owned = np.empty(2 * total, dtype=np.int64)
        active, passive = window(owned, 0, total), window(owned, total, total)
        most = masks(kinds, starts, counts, controls, operands, active, passive)
        if most <= num_wires - lanes:
            limit = max(1, LONGEST_CALL >> num_wires)
            passes = group_stages(active, passive, num_wires, most, support, limit, search, order, ends, sets, sizes)
            keep(owned)
            return passes, num_wires, most, True
        keep(owned)
    passes, t, most = group_all(
        kinds, starts, counts, controls, operands, num_wires, tile_bits, lanes, goal, support, spare, search, order, ends,
        sets,
    )  # fmt: skip
    for p in range(passes):
        sizes[p] = t
    return passes, t, most, False
