"""Merging neighbouring gates on one or two wires into one matrix, where that matrix costs less than its parts.

First, gates on one wire with nothing between them become one 2 x 2 matrix. Then what acts on one pair of wires, with
nothing else on either of them between, is weighed: a dense 4 x 4 matrix against the cost of the parts. A merged
operation names its members; their product is taken when parameters are bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.kernels.jit import kernel
from qsim.kernels.opcodes import DENSE, DENSE1, DIAGONAL, FLIP, REAL1, SWAP

Ints = npt.NDArray[np.int64]

#: Time of an operation in a tile, in hundredths of a nanosecond an amplitude and thread, by kind (DIAGONAL, FLIP,
#: REAL1, DENSE1, DENSE on two targets). Measured on tiles of 2**14; a control halves it.
COSTS = np.array([20, 32, 36, 44, 95], dtype=np.int64)


@dataclass(frozen=True)
class Operations:
    """Operations as columns; row k acts on operands[starts[k]:starts[k] + counts[k]], controls first."""

    kinds: Ints
    starts: Ints
    counts: Ints
    controls: Ints
    control_values: Ints
    operands: Ints
    offsets: Ints


@dataclass(frozen=True)
class Merges:
    """Merged operation k is the product of members[first[k]:first[k + 1]], in order of execution, put at offsets[k].

    A member is an index into the operations before merging; place is 0 or 1 for a member on the first or second
    wire, 2 for one on both and 3 for one on both the other way round.
    """

    targets: Ints
    kinds: Ints
    offsets: Ints
    first: Ints
    members: Ints
    places: Ints


def fuse(ops: Operations, num_wires: int, free: int) -> tuple[Operations, Merges]:
    """Merge operations; coefficients of merged ones are laid out from `free` on."""
    total = len(ops.kinds)
    out = np.empty((6, total), np.int64)
    operands = np.empty(len(ops.operands) + 2 * total, np.int64)
    operands[: len(ops.operands)] = ops.operands
    merges = np.empty((6, total + 1), np.int64)
    count, merged = merge_all(
        ops.kinds, ops.starts, ops.counts, ops.controls, ops.control_values, ops.offsets, operands, len(ops.operands),
        num_wires, free, COSTS, out, merges,
    )  # fmt: skip
    k, s, c, n, v, o = out[:, :count]
    targets, kinds, offsets, first, members, places = merges
    return Operations(k, s, c, n, v, operands, o), Merges(
        targets[:merged], kinds[:merged], offsets[:merged], first[: merged + 1], members, places
    )


@kernel()
def merge_all(
    kinds: Any, starts: Any, counts: Any, controls: Any, control_values: Any, offsets: Any, operands: Any, used: int,
    num_wires: int, free: int, costs: Any, out: Any, merges: Any,
) -> Any:  # fmt: skip
    """All steps. Rows of `out` and `merges` are the columns of `Operations` and `Merges`; returns their lengths."""
    total = len(kinds)
    chain, chain_kinds = np.empty(total, dtype=np.int64), np.empty(total, dtype=np.int64)
    follows, block = np.empty(total, dtype=np.int64), np.empty(total, dtype=np.int64)
    for k in range(total):
        follows[k], block[k] = -1, -1
    block_wires = np.empty((total + 1, 2), dtype=np.int64)
    merge_chains(kinds, starts, counts, operands, num_wires, chain, chain_kinds, follows)
    merge_pairs(kinds, starts, counts, controls, operands, num_wires, chain, chain_kinds, block, block_wires, costs)
    return collect(
        kinds, starts, counts, controls, control_values, offsets, operands, used, chain, chain_kinds, follows, block,
        block_wires, free, out[0], out[1], out[2], out[3], out[4], out[5], merges[0], merges[1], merges[2], merges[3],
        merges[4], merges[5],
    )  # fmt: skip


@kernel(inner=True)
def merge_chains(
    kinds: Any, starts: Any, counts: Any, operands: Any, num_wires: int, chain: Any, chain_kinds: Any, follows: Any
) -> None:
    """chain[k]: the first operation of the run of one-wire operations that k belongs to (k itself if none).

    chain_kinds[k], for a first operation: the kind of the whole run. follows[k]: the next of the run, or -1.
    """
    last = np.empty(num_wires, dtype=np.int64)
    last[:] = -1
    for k in range(len(kinds)):
        chain[k], chain_kinds[k] = k, kinds[k]
        at = starts[k]
        single = counts[k] == 1 and kinds[k] != SWAP
        previous = last[operands[at]] if single else -1
        if previous >= 0:
            head = chain[previous]
            chain[k] = head
            follows[previous] = k
            a, b = chain_kinds[head], kinds[k]
            if a == DIAGONAL and b == DIAGONAL:
                chain_kinds[head] = DIAGONAL
            elif a in (REAL1, FLIP) and b in (REAL1, FLIP):
                chain_kinds[head] = REAL1
            else:
                chain_kinds[head] = DENSE1
        for j in range(at, at + counts[k]):
            last[operands[j]] = k if single else -1


@kernel(inner=True)
def merge_pairs(
    kinds: Any, starts: Any, counts: Any, controls: Any, operands: Any, num_wires: int, chain: Any, chain_kinds: Any,
    block: Any, block_wires: Any, costs: Any,
) -> None:  # fmt: skip
    """block[k], for heads of chains and other operations: the two-wire block that k is merged into, or -1."""
    total = len(kinds)
    current = np.empty(num_wires, dtype=np.int64)  # the open block of a wire, or -1
    loose = np.empty(num_wires, dtype=np.int64)  # a chain on the wire in no block yet, or -1
    current[:] = -1
    loose[:] = -1
    cost = np.zeros(total + 1, dtype=np.int64)
    blocks = 0
    for k in range(total):
        if chain[k] != k or kinds[k] == SWAP:
            continue
        at, count = starts[k], counts[k]
        if count == 1:
            w = operands[at]
            if current[w] >= 0:
                block[k] = current[w]
                cost[current[w]] += costs[chain_kinds[k]]
            else:
                loose[w] = k
        elif count == 2:
            a, b = operands[at], operands[at + 1]
            if current[a] < 0 or current[a] != current[b]:
                for w in (a, b):
                    if current[w] >= 0:  # the pair's other wire goes on alone
                        old = current[w]
                        for side in range(2):
                            current[block_wires[old, side]] = -1
                            loose[block_wires[old, side]] = -1
                block_wires[blocks, 0], block_wires[blocks, 1] = a, b
                for w in (a, b):
                    if loose[w] >= 0:
                        block[loose[w]] = blocks
                        cost[blocks] += costs[chain_kinds[loose[w]]]
                    current[w] = blocks
                    loose[w] = -1
                blocks += 1
            mine = current[a]
            block[k] = mine
            cost[mine] += costs[kinds[k]] >> controls[k]
        else:
            for j in range(at, at + count):
                w = operands[j]
                if current[w] >= 0:
                    old = current[w]
                    for side in range(2):
                        current[block_wires[old, side]] = -1
                        loose[block_wires[old, side]] = -1
                loose[w] = -1
    for k in range(total):
        if block[k] >= 0 and cost[block[k]] <= costs[DENSE]:
            block[k] = -1


@kernel(inner=True)
def collect(
    kinds: Any, starts: Any, counts: Any, controls: Any, control_values: Any, offsets: Any, operands: Any, used: int,
    chain: Any, chain_kinds: Any, follows: Any, block: Any, block_wires: Any, free: int,
    out_kinds: Any, out_starts: Any, out_counts: Any, out_controls: Any, out_values: Any, out_offsets: Any,
    targets: Any, merged_kinds: Any, merged_offsets: Any, first: Any, members: Any, places: Any,
) -> Any:  # fmt: skip
    """The merged program. A block comes where its last part was: nothing on its wires lies between.

    Returns how many operations and how many of them are merged.
    """
    total = len(kinds)
    left = np.zeros(total + 1, dtype=np.int64)
    for k in range(total):
        if block[k] >= 0:
            left[block[k]] += 1
    count, merged, filled = 0, 0, 0
    first[0] = 0
    # The parts of each block, in order: one list through all operations.
    head, tail = np.empty(total + 1, dtype=np.int64), np.empty(total + 1, dtype=np.int64)
    after = np.empty(total, dtype=np.int64)
    head[:] = -1
    for k in range(total):
        if chain[k] != k or kinds[k] == SWAP:
            continue
        b = block[k]
        if b >= 0:
            if head[b] < 0:
                head[b] = k
            else:
                after[tail[b]] = k
            tail[b] = k
            after[k] = -1
            left[b] -= 1
            if left[b] > 0:
                continue
            part = head[b]
            while part >= 0:
                if counts[part] == 1:
                    member = part
                    while member >= 0:
                        members[filled] = member
                        places[filled] = 0 if operands[starts[part]] == block_wires[b, 0] else 1
                        filled += 1
                        member = follows[member]
                else:
                    members[filled] = part
                    places[filled] = 2 if operands[starts[part]] == block_wires[b, 0] else 3
                    filled += 1
                part = after[part]
            targets[merged], merged_kinds[merged] = 2, DENSE
            operands[used], operands[used + 1] = block_wires[b, 0], block_wires[b, 1]
            out_kinds[count], out_starts[count], out_counts[count] = DENSE, used, 2
            out_controls[count], out_values[count] = 0, 0
            used += 2
            size = 32
        elif follows[k] >= 0:
            member = k
            while member >= 0:
                members[filled], places[filled] = member, 0
                filled += 1
                member = follows[member]
            kind = chain_kinds[k]
            targets[merged], merged_kinds[merged] = 1, kind
            out_kinds[count], out_starts[count], out_counts[count] = kind, starts[k], 1
            out_controls[count], out_values[count] = 0, 0
            size = 4 if kind == DIAGONAL else 8
        else:
            out_kinds[count], out_starts[count], out_counts[count] = kinds[k], starts[k], counts[k]
            out_controls[count], out_values[count], out_offsets[count] = controls[k], control_values[k], offsets[k]
            count += 1
            continue
        out_offsets[count], merged_offsets[merged] = free, free
        free += size
        count += 1
        merged += 1
        first[merged] = filled
    return count, merged
