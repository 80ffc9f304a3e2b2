"""Which operations go into which pass over memory, and the relabelling of qubits by SWAPs.

A pass holds a tile of `t` positions. The qubits that its operations act on other than diagonally (or as controls)
are *active* and lie in the tile. "Wires" are qubits after uncontrolled SWAPs have been turned into relabelling.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qsim.kernels.jit import kernel
from qsim.kernels.opcodes import DIAGONAL, SWAP
from qsim.kernels.window import keep, popcount, window

#: Amplitudes times operations that one tile may take without a look whether the run is to stop: some ten milliseconds.
LONGEST_CALL = 1 << 27
#: A matrix on so many targets is multiplied amplitude by amplitude: each of its columns weighs as much as so many operations.
_LARGE_WEIGHT = 8
#: How many qubits a pass may add to those that may hold something. A pass takes half the time for each that is still
#: |0>, so what can be done on few is done first: 24 qubits, ansatz, 1 to 4 at a time 60 to 80 ms, any number 150.
_GROWTH = 2


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


@kernel(copied=True)
def fill(
    active: Any, passive: Any, after: Any, head: int, everything: int, chosen: int, room: int, before: int, news: int,
    support: int, grow: int, limit: int, order: Any,
) -> Any:  # fmt: skip
    """List what one pass can do, in program order; an operation may overtake one that waits where they commute.

    Two operations commute here unless they share a wire on which either is active. Wires outside `chosen` may become
    active while there is `room`, at most `news` that are not among those of the pass `before` and `grow` that
    are not among `support`. Operations are taken until together they weigh `limit`. Returns how many are written to
    `order`, the active wires, and how many operations were looked at.
    """
    count, weight, looked, waiting_on, waiting_off = 0, 0, 0, 0, 0
    k, total = head, len(active)
    size = popcount(chosen)
    while k < total and waiting_on != everything and weight < limit and (size < room or chosen & ~waiting_on):
        looked += 1
        on, off = active[k], passive[k]
        fits = on & ~chosen == 0
        if not fits and size < room and (on & (waiting_on | waiting_off)) == 0 and (off & waiting_on) == 0:
            grown = popcount(chosen | on)
            if (
                grown <= room
                and popcount((chosen | on) & ~before) <= news
                and popcount((chosen | on) & ~support) <= grow
            ):
                chosen, size, fits = chosen | on, grown, True
        if fits and (on & (waiting_on | waiting_off)) == 0 and (off & waiting_on) == 0:
            order[count] = k
            count += 1
            targets = popcount(on)
            weight += 1 if targets <= 2 else _LARGE_WEIGHT << targets
        else:
            waiting_on |= on
            waiting_off |= off
        k = after[k]
    return count, chosen, looked


@kernel(inner=True)
def room_for(wires: int, before: int, t: int, news: int) -> bool:
    """Whether a tile can hold these wires after a pass with the active wires `before`."""
    return popcount(wires) <= t and popcount(wires & ~before) <= news


@kernel(apart=True)
def group(
    active: Any, passive: Any, num_wires: int, t: int, lanes: int, room: int, home: int, support: int, grow: int, limit: int,
    search: int, order: Any, ends: Any, sets: Any,
) -> int:  # fmt: skip
    """Passes, each filled in program order and then improved by exchanging active wires while that does more.

    t: bits of a tile, of which `lanes` are lanes; limit: the most that a pass's operations weigh; order: operations by execution;
    ends[p]: where pass p ends in it; sets[p]: its active wires, at most `room`, and those that must be in the tile, too.
    What lies in lanes belongs to both of two tiles that follow each other, so large sets have wires in common, and the
    wires `home`, which end in lanes, belong to the last tile. support: wires that may be other than |0> at the beginning;
    a pass adds at most `grow` to them (after the first of all, which has the whole tile).
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
    before, common, at_home = 0, 0, False
    while head < total:
        news, now = t - common, grow if support else t
        count, chosen, _ = fill(
            active, passive, after, head, everything, head & 0, room, before, news, support, now, limit, best
        )
        budget = search
        improved = done + count < total and popcount(chosen) >= min(room, popcount(support) + now)
        while improved and budget > 0:
            improved = False
            for out in range(num_wires):
                if not (chosen >> out) & 1:
                    continue
                for new in range(num_wires):
                    if (chosen >> new) & 1 or budget <= 0:
                        continue
                    candidate = chosen & ~(1 << out) | (1 << new)
                    if popcount(candidate & ~before) > news or popcount(candidate & ~support) > now:
                        continue
                    found, _, looked = fill(
                        active,
                        passive,
                        after,
                        head,
                        everything,
                        candidate,
                        room,
                        before,
                        news,
                        support,
                        now,
                        limit,
                        trial,
                    )
                    budget -= looked + 10
                    if found > count:
                        count, chosen, improved = found, candidate, True
                        trial, best = best, trial
                        break
        if done + count == total and not room_for(chosen | home, before, t, news):
            count = 0
            if room_for(home, before, t, news):
                count, chosen, _ = fill(
                    active, passive, after, head, everything, home, t, before, news, support, t, limit, best
                )
            if count == 0:
                few = t - lanes
                count, chosen, _ = fill(
                    active,
                    passive,
                    after,
                    head,
                    everything,
                    home & 0,
                    few,
                    before,
                    min(news, few),
                    support,
                    t,
                    limit,
                    best,
                )
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
        at_home = head >= total and room_for(used | home, before, t, news)
        if at_home:
            used |= home
        for w in range(num_wires):
            if popcount(used & before) < common and (before >> w) & 1:
                used |= 1 << w
        support |= used
        for w in range(num_wires if support != everything else 0):  # the rest of the tile should make it no larger
            if popcount(used) < t and (support >> w) & 1:
                used |= 1 << w
        ends[passes], sets[passes] = done, used
        before, common = used, max(popcount(used) - t + lanes, 0)
        passes += 1
    if passes and not at_home:  # one more, to which the wires of both sides belong
        used = home
        for w in range(num_wires):
            if popcount(used & before) < common and (before >> w) & 1:
                used |= 1 << w
        ends[passes], sets[passes] = done, used
        passes += 1
    keep(owned)
    return passes


@kernel(apart=True)
def group_all(
    kinds: Any, starts: Any, counts: Any, controls: Any, operands: Any, num_wires: int, tile_bits: int, lanes: int,
    goal: Any, support: int, spare: int, search: int, order: Any, ends: Any, sets: Any,
) -> Any:  # fmt: skip
    """Passes for all operations; see `group`. Returns their number, the tile's bits and the most targets of a gate.

    A tile holds at least the lanes and all targets of any one gate, and at most the whole state, which needs no lanes.
    spare: how many wires of a tile are not active, if it is not the whole state.
    """
    total = len(kinds)
    owned = np.empty(2 * total, dtype=np.int64)
    active, passive = window(owned, 0, total), window(owned, total, total)
    most = masks(kinds, starts, counts, controls, operands, active, passive)
    t = min(num_wires, max(tile_bits, most + lanes))
    room, home = t, 0
    if t < num_wires:
        room = max(t - spare, most)
        for w in range(num_wires):
            if goal[w] < lanes:
                home |= 1 << w
    limit = max(1, LONGEST_CALL >> t)
    passes = group(
        active, passive, num_wires, t, lanes, room, home, support, max(_GROWTH, most), limit, search, order, ends, sets
    )
    keep(owned)
    return passes, t, most
