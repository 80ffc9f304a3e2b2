"""A circuit's gates as blocks for planning: what must be local for each, and what only has to wait its turn.

A wire is *active* in a gate that acts on it other than diagonally or as a control. Only active wires must be local: a
rank knows the bits of its global wires, so there a diagonal gate is a phase and a control is met or not. Gates that it
never pays to run in different segments become one block, which leaves a search fewer things to look at.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from qsim.compiler.lowering import MATRIX, Lowered
from qsim.gates import GATES, Structure, row_by_code

SWAP = GATES["swap"].code


@dataclass
class Block:
    """Rows that run together, in order; `active` and `passive` are masks of wires, apart from each other."""

    rows: list[int]
    active: int
    passive: int

    @property
    def wires(self) -> int:
        """All its wires."""
        return self.active | self.passive


def untangle(lowered: Lowered, num_qubits: int) -> list[int]:
    """Take uncontrolled SWAPs out of a circuit, in place, by renaming the wires of what follows.

    Returns:
        The wire that holds each qubit at the end.
    """
    wires = list(range(num_qubits))
    operands = lowered.operands.copy()
    kept = []
    for at, (code, start, count, _, controls, _) in enumerate(lowered.rows.tolist()):
        own = lowered.operands[start : start + count].tolist()
        if code == SWAP and not controls:
            wires[own[0]], wires[own[1]] = wires[own[1]], wires[own[0]]
            continue
        operands[start : start + count] = [wires[q] for q in own]
        kept.append(at)
    lowered.operands, lowered.rows = operands, lowered.rows[kept]
    return wires


def is_diagonal(lowered: Lowered, row: list[int]) -> bool:
    """Whether a row's gate is diagonal."""
    if row[0] == MATRIX:
        matrix = lowered.matrices[row[3]]
        return not np.any(matrix - np.diag(np.diagonal(matrix)))
    return Structure.DIAGONAL in row_by_code(row[0]).structure


def masks(lowered: Lowered) -> list[tuple[int, int]]:
    """Active and passive wires of every row."""
    result = []
    for row in lowered.rows.tolist():
        code, start, count, _, controls, _ = row
        own = lowered.operands[start : start + count].tolist()
        if is_diagonal(lowered, row):
            result.append((0, mask_of(own)))
            continue
        if code != MATRIX:
            controls += row_by_code(code).controls
        result.append((mask_of(own[controls:]), mask_of(own[:controls])))
    return result


def mask_of(wires: Iterable[int]) -> int:
    """Wires as bits of one integer."""
    result = 0
    for wire in wires:
        result |= 1 << wire
    return result


def bits_of(mask: int) -> list[int]:
    """The bits that are set, ascending.

    >>> bits_of(mask_of([4, 1]))
    [1, 4]
    """
    result = []
    while mask:
        low = mask & -mask
        result.append(low.bit_length() - 1)
        mask ^= low
    return result


def blocks_of(lowered: Lowered, keep_first: bool) -> list[Block]:
    """Blocks in an order in which they may run.

    A gate joins the block right before it when that has all of its wires and makes at least as many active; a block joins
    the gate right after it in the same case the other way round.

    Args:
        keep_first: leave alone what comes first on all of its wires, since on global wires that may take no exchange.
    """
    blocks: list[Block | None] = []
    last: dict[int, int] = {}  # wire -> the last block on it
    first: set[int] = set()
    for at, (active, passive) in enumerate(masks(lowered)):
        wires = bits_of(active | passive)
        before = {last[w] for w in wires if w in last}
        if wires and len(before) == 1 and all(w in last for w in wires):
            (k,) = before
            block = blocks[k]
            assert block is not None
            if active & ~block.active == 0 and not (k in first and active | passive != block.wires):
                block.rows.append(at)
                continue
        new = Block([at], active, passive)
        for k in sorted(before, reverse=True):
            block = blocks[k]
            assert block is not None
            inside = block.wires & ~new.wires == 0 and block.active & ~active == 0
            if inside and k not in first and all(last[w] == k for w in bits_of(block.wires)):
                new.rows = block.rows + new.rows
                blocks[k] = None
        if keep_first and not before:
            first.add(len(blocks))
        for w in wires:
            last[w] = len(blocks)
        blocks.append(new)
    return [block for block in blocks if block is not None]
