"""Rows for the compiler that act on a density matrix, which is a state of twice as many qubits.

The matrix rho of n qubits is kept as vec(rho), index row + 2**n * column: qubit q of a row is bit q, of a column bit
q + n. A gate U becomes U on the row's bits and conj(U) on the column's; a channel becomes its superoperator on both. The
compiler's kernels for 2 x 2 matrices and for diagonals of two bits take their matrices for unitary, so other matrices
are written in forms that make no such use.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.channels import Channel
from qsim.circuit import ROW
from qsim.compiler.lowering import MATRIX, Lowered
from qsim.gates import GATES, row_by_code
from qsim.noisy import Segment

ComplexMatrix = npt.NDArray[np.complex128]
#: In place of a zero on a diagonal that is divided by; with it goes an error of as much.
_TINY = 1e-15
_CX = GATES["cx"].code


class RowWriter:
    """Collects rows on `num_bits` bits, and a real factor that the result has to be multiplied by."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, ...]] = []
        self.operands: list[int] = []
        self.values: list[float] = []
        self.matrices: list[ComplexMatrix] = []
        self.factor = 1.0

    def lowered(self) -> Lowered:
        """The rows as the compiler takes them."""
        return Lowered(
            np.array(self.rows, dtype=np.int64).reshape(-1, ROW), np.array(self.operands, dtype=np.int64),
            np.array(self.values, dtype=np.float64), {}, list(self.matrices),
        )  # fmt: skip

    def table(self, code: int, qubits: list[int], values: list[float], controls: int = 0, bits: int = 0) -> None:
        """A gate of the table."""
        self.rows.append((code, len(self.operands), len(qubits), len(self.values), controls, bits))
        self.operands.extend(qubits)
        self.values.extend(values)

    def unitary(self, matrix: ComplexMatrix, controls: list[int], targets: list[int], bits: int = 0) -> None:
        """A unitary matrix under controls."""
        self.rows.append(
            (MATRIX, len(self.operands), len(controls) + len(targets), len(self.matrices), len(controls), bits)
        )
        self.operands.extend([*controls, *targets])
        self.matrices.append(matrix)

    def matrix(self, matrix: ComplexMatrix, targets: list[int], controls: tuple[int, ...] = (), bits: int = 0) -> None:
        """Any matrix on two bits or more, under controls."""
        diagonal = np.diagonal(matrix)
        if np.any(matrix - np.diag(diagonal)):
            self.unitary(matrix, list(controls), targets, bits)
            return
        diagonal = np.where(np.abs(diagonal) < _TINY, _TINY, diagonal)
        if not controls:
            self.factor *= abs(diagonal[0])
            diagonal = diagonal / abs(diagonal[0])
        if len(targets) > 2 or np.abs(np.abs(diagonal) - 1).max() < _TINY:
            self.unitary(np.diag(diagonal), list(controls), targets, bits)
            return
        for value, half in enumerate((diagonal[:2], diagonal[2:])):
            if np.abs(half - 1).max() > _TINY:
                inner = bits | value << len(controls)
                self.unitary(np.diag(half), [*controls, targets[1]], targets[:1], inner)


class DensityWriter(RowWriter):
    """Writes a segment of a noisy circuit as rows on the 2 n bits of a density matrix."""

    def __init__(self, num_qubits: int) -> None:
        super().__init__()
        self.n = num_qubits
        #: What waits to act on a single qubit: a 2 x 2 unitary, or a 4 x 4 superoperator on (row bit, column bit).
        self.waiting: dict[int, ComplexMatrix] = {}
        #: Of the Pauli channels so far, by identity.
        self.blocks: dict[int, tuple[float, list[tuple[int, ComplexMatrix]]]] = {}

    def segment(self, segment: Segment) -> None:
        """All gates and channels of a segment."""
        places = iter([*segment.places, None])
        place = next(places)
        for row in range(len(segment.rows) + 1):
            while place is not None and place.at == row:
                self.channel(place.channel, place.qubits)
                place = next(places)
            if row < len(segment.rows):
                self.gate(segment, row)
        for qubit in list(self.waiting):
            self.flush(qubit)

    def gate(self, segment: Segment, row: int) -> None:
        """U on the rows' bits and conj(U) on the columns'."""
        controls, targets, bits, matrix = segment.targets(row)
        if not targets and len(controls) == 1:  # a controlled phase
            matrix = np.diag([1, matrix[0, 0]] if bits else [matrix[0, 0], 1]).astype(np.complex128)
            controls, targets = [], controls
        if not controls and not targets:
            return  # a global phase
        if not controls and len(targets) == 1:
            self.single(targets[0], matrix)
            return
        for qubit in (*controls, *targets):
            self.flush(qubit)
        code, first, count, value, extra, values = segment.rows[row]
        qubits = segment.operands[first : first + count]
        columns = [q + self.n for q in qubits]
        if code == MATRIX:
            self.unitary(matrix, controls, targets, bits)
        else:
            params = segment.values[value : value + row_by_code(code).num_params]
            self.table(code, qubits, params, extra, values)
            if not np.any(matrix.imag):
                self.table(code, columns, params, extra, values)
                return
        shifted = [q + self.n for q in controls], [q + self.n for q in targets]
        self.unitary(np.ascontiguousarray(matrix.conj()), *shifted, bits)

    def channel(self, channel: Channel, qubits: tuple[int, ...]) -> None:
        """A channel's superoperator."""
        if len(qubits) == 1:
            self.single(qubits[0], channel.superoperator())
            return
        for qubit in qubits:
            self.flush(qubit)
        if channel.pauli_probabilities is not None:
            blocks = self.blocks.get(id(channel))
            if blocks is None:
                blocks = self.blocks[id(channel)] = _pauli_blocks(channel.pauli_probabilities, len(qubits))
            self.paulis(*blocks, list(qubits))
        else:
            self.matrix(channel.superoperator(), [*qubits, *[q + self.n for q in qubits]])

    def single(self, qubit: int, matrix: ComplexMatrix) -> None:
        """Something on one qubit, which waits for what follows on it."""
        before = self.waiting.get(qubit)
        if before is not None:
            if len(before) != len(matrix):
                matrix = _super(matrix) @ _super(before)
            else:
                matrix = matrix @ before
        self.waiting[qubit] = matrix

    def flush(self, qubit: int) -> None:
        """Write what waits to act on a qubit."""
        matrix = self.waiting.pop(qubit, None)
        if matrix is None:
            return
        if len(matrix) == 4:
            self.matrix(matrix, [qubit, qubit + self.n])
        else:
            self.unitary(matrix, [], [qubit])
            self.unitary(np.ascontiguousarray(matrix.conj()), [], [qubit + self.n])

    def paulis(self, factor: float, blocks: list[tuple[int, ComplexMatrix]], qubits: list[int]) -> None:
        """A mixture of Paulis on k > 1 qubits, by its blocks: the columns' bits are turned into s and back by CX."""
        self.factor *= factor
        columns = [q + self.n for q in qubits]
        for q, column in zip(qubits, columns, strict=True):
            self.table(_CX, [q, column], [])
        for s, block in blocks:
            self.matrix(block, qubits, tuple(columns), s)
        for q, column in zip(qubits, columns, strict=True):
            self.table(_CX, [q, column], [])


def _pauli_blocks(probabilities: dict[str, float], k: int) -> tuple[float, list[tuple[int, ComplexMatrix]]]:
    """A mixture of Paulis on k qubits as a factor and, for some s = row ^ column, a real matrix on the rows' bits.

    X**x Z**z takes the entry (row, s) to (row ^ x, s) with the sign (-1)**(z & s): for each s a circulant of the rows.
    """
    size = 1 << k
    index = np.arange(size)
    weights = np.zeros((size, size))
    for label, p in probabilities.items():
        x = sum((letter in "XY") << q for q, letter in enumerate(reversed(label)))
        z = sum((letter in "ZY") << q for q, letter in enumerate(reversed(label)))
        weights[x, z] += p
    signs = 1.0 - 2.0 * (np.bitwise_count(index[:, None] & index) & 1)
    shifts = weights @ signs  # by x and s
    # The factor that leaves most of the blocks alone: the one of s = 1...1, as depolarising noise has it.
    plain = abs(shifts[0, -1]) > _TINY and not np.any(np.abs(shifts[1:, -1]) > _TINY)
    factor = float(shifts[0, -1]) if plain else 1.0
    blocks = []
    for s in range(size):
        block = shifts[index[:, None] ^ index, s] / factor
        if np.abs(block - np.eye(size)).max() > _TINY:
            blocks.append((s, block.astype(np.complex128)))
    return factor, blocks


def _super(matrix: Any) -> Any:
    """A gate's matrix as a superoperator; one that is stays as it is."""
    return matrix if len(matrix) == 4 else np.kron(matrix.conj(), matrix)


def unvec(state: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """vec(rho) as rho, shape (2**n, 2**n): a view, transposed."""
    size = 1 << (len(state).bit_length() - 1) // 2
    return state.reshape(size, size).T
