"""Neighbouring gates on the same two qubits, put together where that takes fewer entangling gates.

However many there are, their product takes at most three CX: Vidal and Dawson, Phys. Rev. A 69, 010301 (2004).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import numpy as np

from qsim.circuit import Circuit, Instruction
from qsim.gates import Gate
from session.preparation.euler import Matrix
from session.preparation.weyl import flipped, side_by_side

_EYE: Matrix = np.eye(2, dtype=np.complex128)


class Writer(Protocol):
    """Where gates go."""

    def instruction(self, instruction: Instruction) -> None:
        """An operation as it is."""

    def in_fewer(self, matrix: Matrix, qubits: Sequence[int], entangling: int) -> bool:
        """A two-qubit unitary, if it takes fewer entangling gates than that; else nothing, and False."""


class _Block:
    """Gates on two qubits with nothing between them, and their product."""

    def __init__(self, qubits: tuple[int, ...]) -> None:
        self.qubits = qubits
        self.gates: list[Instruction] = []
        self.entangling = 0
        self.matrix: Any = np.eye(4, dtype=np.complex128)

    def add(self, instruction: Instruction, own: Matrix) -> None:
        self.gates.append(instruction)
        if len(instruction.qubits) == 2:
            self.entangling += 1
            full = own if instruction.qubits == self.qubits else flipped(own)
        else:
            first = instruction.qubits[0] == self.qubits[0]
            full = side_by_side(own, _EYE) if first else side_by_side(_EYE, own)
        self.matrix = full @ self.matrix


def gather(circuit: Circuit, writer: Writer, matrix_of: Callable[[Gate], Matrix]) -> None:
    """Write a circuit of gates on one and two qubits (and whatever else), blocks as one unitary where that is shorter."""
    open_blocks: dict[int, _Block] = {}

    def close(qubits: Iterable[int]) -> None:
        for qubit in qubits:
            block = open_blocks.get(qubit)
            if block is None:
                continue
            for other in block.qubits:
                del open_blocks[other]
            if block.entangling > 1 and writer.in_fewer(block.matrix, block.qubits, block.entangling):
                continue
            for one in block.gates:
                writer.instruction(one)

    for instruction in circuit:
        operation, qubits = instruction.operation, instruction.qubits
        if not isinstance(operation, Gate) or len(qubits) > 2:
            close(qubits or range(circuit.num_qubits))
            writer.instruction(instruction)
            continue
        block = open_blocks.get(qubits[0])
        if len(qubits) == 2 and (block is None or block is not open_blocks.get(qubits[1])):
            close(qubits)
            block = open_blocks[qubits[0]] = open_blocks[qubits[1]] = _Block(qubits)
        if block is None:
            writer.instruction(instruction)
        else:
            block.add(instruction, matrix_of(operation))
    close(range(circuit.num_qubits))
