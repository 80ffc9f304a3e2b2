"""Small dense matrices of gates: controls, powers, embedding. Never used for states."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

ComplexMatrix = npt.NDArray[np.complex128]


def unitary_error(matrix: ComplexMatrix) -> float:
    """The largest entry of ``|U U^dagger - 1|``; not a number when the matrix holds one."""
    return float(np.abs(matrix @ matrix.conj().T - np.eye(len(matrix))).max())


def controlled_matrix(matrix: ComplexMatrix, controls: Sequence[int]) -> ComplexMatrix:
    """`matrix` under controls that must have the given values; control j is bit j, the matrix's own bits follow.

    >>> controlled_matrix(np.array([[-1 + 0j]]), (0,)).real
    array([[-1.,  0.],
           [ 0.,  1.]])
    """
    if not controls:
        return matrix
    size, step = len(matrix), 1 << len(controls)
    offset = sum(value << bit for bit, value in enumerate(controls))
    result = np.eye(size * step, dtype=np.complex128)
    rows = offset + step * np.arange(size)
    result[np.ix_(rows, rows)] = matrix
    return result


def apply_matrix(tensor: ComplexMatrix, matrix: ComplexMatrix, qubits: Sequence[int], num_qubits: int) -> ComplexMatrix:
    """`matrix` on `qubits` of every column of `tensor`, shape ``(2**num_qubits, columns)``."""
    k, columns = len(qubits), tensor.shape[1]
    # Axis a of the reshaped array is qubit num_qubits - 1 - a; the matrix's first index bit is its last qubit.
    axes = [num_qubits - 1 - q for q in reversed(qubits)]
    array = np.moveaxis(tensor.reshape((2,) * num_qubits + (columns,)), axes, range(k))
    shape = array.shape
    array = (matrix @ array.reshape(1 << k, -1)).reshape(shape)
    return np.ascontiguousarray(np.moveaxis(array, range(k), axes)).reshape(1 << num_qubits, columns)


def principal_power(matrix: ComplexMatrix, exponent: float) -> ComplexMatrix:
    """The power of a unitary: an integer exactly, else with eigenvalue phases taken in (-pi, pi].

    A unitary U = A + iB has commuting Hermitian parts; the eigenvectors of cos(t) A + sin(t) B for a generic t
    diagonalise both (Horn and Johnson, Matrix Analysis, section 2.5). The best of a few t is taken.
    """
    if float(exponent).is_integer() and abs(exponent) <= 64:
        return np.linalg.matrix_power(matrix if exponent >= 0 else matrix.conj().T, abs(int(exponent)))
    real, imag = (matrix + matrix.conj().T) / 2, (matrix - matrix.conj().T) / 2j
    best, vectors, values = np.inf, matrix, np.diagonal(matrix)
    for angle in (0.7390851332, 2.2360679775, 1.3247179572, 0.2078795763):
        candidate = np.linalg.eigh(np.cos(angle) * real + np.sin(angle) * imag)[1]
        diagonalised = candidate.conj().T @ matrix @ candidate
        off = float(np.abs(diagonalised - np.diag(np.diagonal(diagonalised))).max())
        if off < best:
            best, vectors, values = off, candidate, np.diagonal(diagonalised)
    phases = np.angle(values)
    phases[phases < -np.pi + 1e-9] = np.pi  # an eigenvalue -1 that rounding put just below the cut
    result: ComplexMatrix = (vectors * np.exp(1j * exponent * phases)) @ vectors.conj().T
    return result


def phase_of(value: complex) -> float:
    """The angle of a complex number; 0 for one that differs from a real number by less than floats can tell.

    `cmath.phase` raises an OverflowError for such numbers.

    >>> phase_of(1j), phase_of(complex(4, 5e-324))
    (1.5707963267948966, 0.0)
    """
    return math.atan2(value.imag, value.real)
