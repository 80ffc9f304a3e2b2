"""Drawing outcomes of measurements, and the probabilities of some qubits. States are interleaved, in natural order.

A shot is a uniform number that depends on the seed and the shot's number alone; its outcome is where the number falls in
the cumulative distribution. Shots are sorted by block of amplitudes first, so that each block is summed up once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qsim.kernels.jit import kernel
from qsim.kernels.window import window


@kernel(inner=True)
def two_uniforms(seed_low: int, seed_high: int, counter: int) -> Any:
    """Two numbers in (0, 1) that depend on the seed and the counter alone.

    Philox 4x32 with 10 rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
    """
    mask = np.uint64(0xFFFFFFFF)
    shift = np.uint64(32)
    c0, c1 = np.uint64(counter) & mask, np.uint64(counter) >> shift
    c2, c3 = np.uint64(0), np.uint64(0)
    k0, k1 = np.uint64(seed_low), np.uint64(seed_high)
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c0, np.uint64(0xCD9E8D57) * c2
        c0, c1, c2, c3 = (p1 >> shift) ^ c1 ^ k0, p1 & mask, (p0 >> shift) ^ c3 ^ k1, p0 & mask
        k0, k1 = (k0 + np.uint64(0x9E3779B9)) & mask, (k1 + np.uint64(0xBB67AE85)) & mask
    first, second = ((c0 << shift) | c1) >> np.uint64(12), ((c2 << shift) | c3) >> np.uint64(12)
    return (np.float64(first) + 0.5) * 2.0**-52, (np.float64(second) + 0.5) * 2.0**-52


@kernel(inner=True)
def fill_guide(cumulative: Any, length: int, scale: float, guide: Any, cells: int) -> None:
    """guide[g] = the first entry that a number x with int(x * scale) == g can fall on.

    The method of guide tables (Chen and Asau, "On generating random variates from an empirical distribution", AIIE
    Transactions 1974): from there a search takes one or two steps on average.
    """
    entry = 0
    for g in range(cells):
        while entry < length - 1 and int(cumulative[entry + 1] * scale) < g:
            entry += 1
        guide[g] = entry


@kernel()
def guide_to_blocks(cumulative: Any, guide: Any) -> None:
    """The guide table of the blocks' cumulative weights, which begin with 0."""
    last = len(cumulative) - 1
    fill_guide(cumulative, last, len(guide) / cumulative[last], guide, len(guide))


@kernel()
def draw(
    cumulative: Any, guide: Any, seed_low: int, seed_high: int, first: int, size: int, start: int, stop: int,
    targets: Any, blocks: Any, histogram: Any,
) -> None:  # fmt: skip
    """For groups [start, stop) of `size` shots: each shot's block and how far into the block's weight it falls.

    `first` is the number of shot 0 here, an even one; histogram[g, b] counts the shots of group g in block b.
    """
    last, cells = len(cumulative) - 1, len(guide)
    total = cumulative[last]
    scale = cells / total
    for group in range(start, stop):
        counts = histogram[group]
        end = min((group + 1) * size, len(targets))
        for even in range(group * size, end, 2):
            pair = two_uniforms(seed_low, seed_high, (first + even) >> 1)
            for half in range(min(2, end - even)):
                target = (pair[0] if half == 0 else pair[1]) * total
                block = guide[min(int(target * scale), cells - 1)]
                while block < last - 1 and cumulative[block + 1] <= target:
                    block += 1
                targets[even + half] = target - cumulative[block]
                blocks[even + half] = block
                counts[block] += 1


@kernel()
def sort_by_block(targets: Any, blocks: Any, size: int, start: int, stop: int, cursors: Any, result: Any) -> None:
    """Copy the targets of groups [start, stop) to their blocks' places; cursors[g, b] is the next one of a group."""
    for group in range(start, stop):
        cursor = cursors[group]
        for shot in range(group * size, min((group + 1) * size, len(targets))):
            block = blocks[shot]
            result[cursor[block]] = targets[shot]
            cursor[block] += 1


@kernel()
def count_outcomes(
    state: Any, size: int, start: int, stop: int, offsets: Any, targets: Any, values: Any, frequencies: Any, found: Any
) -> None:
    """Distinct outcomes, ascending, and how often each came, for the shots of blocks [start, stop).

    Those of block b are put from offsets[b] on, where its shots' targets begin too; there are found[b] of them.
    """
    cumulative, counts = np.empty(size + 1), np.zeros(size, np.int64)
    guide, distinct = np.empty(size, np.int32), np.empty(size, np.int32)
    for b in range(start, stop):
        at, end = offsets[b], offsets[b + 1]
        if at == end:
            continue
        part = window(state, 2 * size * b, 2 * size)
        total, last = 0.0, 0
        cumulative[0] = 0.0
        for k in range(size):
            x, y = np.float64(part[2 * k]), np.float64(part[2 * k + 1])
            total += x * x + y * y
            cumulative[k + 1] = total
            if total > cumulative[k]:
                last = k  # where rounding leads past the end, this one is possible
        cells = 1
        while cells < min(end - at, size):
            cells *= 2
        scale = cells / total
        fill_guide(cumulative, size, scale, guide, cells)
        for shot in range(at, end):
            target = targets[shot]
            k = guide[min(int(target * scale), cells - 1)]
            while k < last and cumulative[k + 1] <= target:
                k += 1
            counts[k] += 1
        different = 0
        for k in range(size):  # without a branch, which nobody could predict
            distinct[different] = k
            different += counts[k] > 0
        for k in range(different):
            values[at + k], frequencies[at + k] = size * b + distinct[k], counts[distinct[k]]
            counts[distinct[k]] = 0
        found[b] = different


@kernel()
def close_gaps(offsets: Any, found: Any, values: Any, frequencies: Any) -> int:
    """Move the blocks' outcomes together; returns how many there are."""
    place = 0
    for b in range(len(found)):
        at = offsets[b]
        for k in range(at, at + found[b]):
            values[place], frequencies[place] = values[k], frequencies[k]
            place += 1
    return place


@kernel()
def marginal(
    state: Any, bits: int, start: int, stop: int, low: Any, held: Any, places: Any, summed: Any, part_bits: int,
    width: int, out: Any,
) -> None:  # fmt: skip
    """Probabilities of some qubits, in 2**part_bits parts of 2**width values that are yet to be added up.

    A block is 2**bits amplitudes; amplitude j of one belongs to value low[j]. The other measured qubits are bits `held`
    of a block's number and `places` of the value; bits `summed` of the number are summed over. Item i of [start, stop)
    is one setting of the held bits (its high bits) and one part of the sums (its low ones), and owns what it writes.
    """
    size, rest = 1 << bits, len(summed) - part_bits
    for item in range(start, stop):
        setting, part = item >> part_bits, item & ((1 << part_bits) - 1)
        base, place = 0, part << width
        for k in range(len(held)):
            base |= ((setting >> k) & 1) << held[k]
            place |= ((setting >> k) & 1) << places[k]
        for number in range(part << rest, (part + 1) << rest):
            block = base
            for k in range(len(summed)):
                block |= ((number >> k) & 1) << summed[k]
            amplitudes = window(state, 2 * size * block, 2 * size)
            for j in range(size):
                x, y = np.float64(amplitudes[2 * j]), np.float64(amplitudes[2 * j + 1])
                out[place | low[j]] += x * x + y * y
