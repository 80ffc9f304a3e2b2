"""Merging neighbouring gates on one or two wires into one matrix, where that matrix costs less than its parts.

First, gates on one wire with nothing between them become one 2 x 2 matrix. Then what acts on one pair of wires, with
nothing else on either of them between, is weighed: a dense 4 x 4 matrix against the cost of the parts. A merged
operation names its members; their product is taken when parameters are bound.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qsim.kernels.jit import kernel
from qsim.kernels.opcodes import DENSE, DENSE1, DIAGONAL, FLIP, REAL1, SWAP
from qsim.kernels.window import window

#: Time of an operation in a tile, in hundredths of a nanosecond an amplitude and thread, by kind (DIAGONAL, FLIP,
#: REAL1, DENSE1, DENSE on two targets), as part of the groups that `sequence` makes; a control halves it. Measured in
#: single precision; double takes about twice as long for each.
COSTS = np.array([5, 12, 9, 16, 52], dtype=np.int64)


@kernel(apart=True)
def merge_all(
    kinds: Any, starts: Any, counts: Any, controls: Any, control_values: Any, offsets: Any, operands: Any, used: int,
    num_wires: int, free: int, costs: Any, pairs: bool, parts: bool, out: Any, merges: Any,
) -> Any:  # fmt: skip
    """Merge operations on one wire and, with `pairs`, on two.

    With `parts`, a run on one wire that is diagonal, real and diagonal stays apart in these parts, which are cheaper in
    groups than the complex matrix of the whole. Coefficients of merged operations are laid out from `free` on.

    An operation acts on operands[starts[k]:starts[k] + counts[k]], controls first. Rows of `out`: kinds, starts, counts,
    controls, control values, offsets. Rows of `merges`: targets, kinds, offsets, first member, members, places. Merged
    operation k is the product of members[first[k]:first[k + 1]], in order of execution. A member is an index into the
    operations before merging; its place is 0 or 1 on the first or second wire, 2 on both and 3 on both the other way
    round. Returns the numbers of operations, of merged ones, of members, and of coefficients.
    """
    total = len(kinds)
    chain, chain_kinds = np.empty(total, dtype=np.int64), np.empty(total, dtype=np.int64)
    follows, block = np.empty(total, dtype=np.int64), np.empty(total, dtype=np.int64)
    for k in range(total):
        follows[k], block[k] = -1, -1
    block_wires = np.empty((total + 1, 2), dtype=np.int64)
    merge_chains(kinds, starts, counts, operands, num_wires, chain, chain_kinds, follows)
    if pairs:
        merge_pairs(kinds, starts, counts, controls, operands, num_wires, chain, chain_kinds, block, block_wires, costs)
    if parts:
        for k in range(total):
            if chain[k] == k and chain_kinds[k] == DENSE1 and follows[k] >= 0 and block[k] < 0:
                part_chain(k, kinds, chain, chain_kinds, follows)
    width = total + 1
    return collect(
        kinds, starts, counts, controls, control_values, offsets, operands, used, chain, chain_kinds, follows, block,
        block_wires, free, window(out, 0, total), window(out, total, total), window(out, 2 * total, total),
        window(out, 3 * total, total), window(out, 4 * total, total), window(out, 5 * total, total),
        window(merges, 0, width), window(merges, width, width), window(merges, 2 * width, width),
        window(merges, 3 * width, width), window(merges, 4 * width, width), window(merges, 5 * width, width),
    )  # fmt: skip


@kernel(apart=True)
def merge_chains(
    kinds: Any, starts: Any, counts: Any, operands: Any, num_wires: int, chain: Any, chain_kinds: Any, follows: Any
) -> None:
    """chain[k]: the first operation of the run of one-wire operations that k belongs to (k itself if none).

    chain_kinds[k], for a first operation: the kind of the whole run. follows[k]: the next of the run, or -1.
    """
    last = np.empty(num_wires, dtype=np.int64)
    for w in range(num_wires):
        last[w] = -1
    for k in range(len(kinds)):
        chain[k], chain_kinds[k] = k, kinds[k]
        if kinds[k] == SWAP:  # no operation: wires are what it exchanges
            continue
        at = starts[k]
        single = counts[k] == 1
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


@kernel(apart=True)
def part_chain(head: int, kinds: Any, chain: Any, chain_kinds: Any, follows: Any) -> None:
    """Cut a run on one wire where diagonal and real operations meet, if that happens at most once each way."""
    runs, k = 0, head
    previous_real = False
    while k >= 0:
        real = kinds[k] == REAL1 or kinds[k] == FLIP
        if not real and kinds[k] != DIAGONAL:
            return
        if real and not previous_real:
            runs += 1
        previous_real = real
        k = follows[k]
    if runs > 1:
        return
    k, start = head, head
    kind = kinds[head]
    while k >= 0:
        following = follows[k]
        chain[k] = start
        if following >= 0 and (kinds[following] == DIAGONAL) != (kinds[k] == DIAGONAL):
            chain_kinds[start] = kind
            follows[k] = -1
            start = following
            kind = kinds[following]
        elif following >= 0 and kind == FLIP:
            kind = REAL1
        k = following
    chain_kinds[start] = kind


@kernel(apart=True)
def merge_pairs(
    kinds: Any, starts: Any, counts: Any, controls: Any, operands: Any, num_wires: int, chain: Any, chain_kinds: Any,
    block: Any, block_wires: Any, costs: Any,
) -> None:  # fmt: skip
    """block[k], for heads of chains and other operations: the two-wire block that k is merged into, or -1."""
    total = len(kinds)
    current = np.empty(num_wires, dtype=np.int64)  # the open block of a wire, or -1
    loose = np.empty(num_wires, dtype=np.int64)  # a chain on the wire in no block yet, or -1
    for w in range(num_wires):
        current[w], loose[w] = -1, -1
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


@kernel(apart=True)
def collect(
    kinds: Any, starts: Any, counts: Any, controls: Any, control_values: Any, offsets: Any, operands: Any, used: int,
    chain: Any, chain_kinds: Any, follows: Any, block: Any, block_wires: Any, free: int,
    out_kinds: Any, out_starts: Any, out_counts: Any, out_controls: Any, out_values: Any, out_offsets: Any,
    targets: Any, merged_kinds: Any, merged_offsets: Any, first: Any, members: Any, places: Any,
) -> Any:  # fmt: skip
    """The merged program. A block comes where its last part was: nothing on its wires lies between.

    Returns the numbers of operations, of merged ones, of members, and of coefficients.
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
    for k in range(total + 1):
        head[k] = -1
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
    return count, merged, filled, free
