"""Unitary matrices on three qubits and more, and under controls, by the quantum Shannon decomposition.

A matrix on n qubits is, by its cosine-sine decomposition, two matrices that the last qubit chooses between, a rotation of
that qubit that the others choose, and two such matrices again; each chosen pair is a rotation between two plain matrices on
n - 1 qubits. Down to two qubits it takes 9/16 4**n - 3/2 2**n CX: V. V. Shende, S. S. Bullock and I. L. Markov, IEEE Trans.
CAD 25, 1000 (2006), section 5; rotations that others choose by a Gray code: M. Mottonen et al., Phys. Rev. Lett. 93, 130502
(2004). A matrix under controls is diagonal under controls in the basis of its eigenvectors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from qsim.gates import GATES
from session.preparation import controls as many
from session.preparation.euler import ZERO, Matrix

#: Qubits of a diagonal matrix up to which a Gray code over all parities is used.
_DENSE = 8


class Sink(many.Sink, Protocol):
    """Where elementary gates go, those on two qubits as matrices."""

    def two(self, matrix: Matrix, qubits: Sequence[int]) -> None:
        """A two-qubit unitary; the first qubit is the least significant bit."""


def unitary(sink: Sink, matrix: Matrix, qubits: Sequence[int]) -> None:
    """A matrix of shape (2**n, 2**n) on n qubits, the first as the least significant bit."""
    from scipy.linalg import cossin

    count = len(qubits)
    if count == 0:
        sink.phase(float(np.angle(matrix[0, 0])))
    elif count == 1:
        sink.one(matrix, qubits[0])
    elif count == 2:
        sink.two(matrix, qubits)
    else:
        half = len(matrix) // 2
        left, angles, right = cossin(matrix, p=half, q=half, separate=True)
        _chosen(sink, right[0], right[1], qubits)
        chosen_rotation(sink, "ry", 2 * angles, qubits[:-1], qubits[-1])
        _chosen(sink, left[0], left[1], qubits)


def _chosen(sink: Sink, zero: Matrix, one: Matrix, qubits: Sequence[int]) -> None:
    """`zero` on all qubits but the last where that is 0, `one` where it is 1: = (V, V) (D, D**-1) (W, W)."""
    vectors, phases = _eigen(zero @ one.conj().T)
    root = np.exp(0.5j * phases)
    unitary(sink, root[:, None] * (vectors.conj().T @ one), qubits[:-1])
    chosen_rotation(sink, "rz", -phases, qubits[:-1], qubits[-1])
    unitary(sink, vectors, qubits[:-1])


def _eigen(matrix: Matrix) -> tuple[Matrix, npt.NDArray[np.float64]]:
    """Orthonormal eigenvectors of a unitary, and the phases of its eigenvalues: its Schur form is diagonal."""
    from scipy.linalg import schur

    triangle, vectors = schur(matrix, output="complex")
    return vectors, np.angle(np.diagonal(triangle))


def controlled(sink: Sink, matrix: Matrix, controls: Sequence[int], qubits: Sequence[int]) -> None:
    """A matrix on `qubits` where all controls are 1."""
    vectors, phases = _eigen(matrix)
    unitary(sink, vectors.conj().T, qubits)
    size, count = len(matrix), len(controls)
    if count + len(qubits) <= _DENSE:
        every = np.zeros((size, 1 << count))
        every[:, -1] = phases
        diagonal(sink, every.reshape(-1), (*controls, *qubits))
    else:
        for state, phase in enumerate(phases.tolist()):
            zeros = [qubit for k, qubit in enumerate(qubits) if not state >> k & 1]
            for qubit in zeros:
                sink.named("x", (qubit,))
            many.controlled_phase(sink, phase, (*controls, *qubits))
            for qubit in zeros:
                sink.named("x", (qubit,))
    unitary(sink, vectors, qubits)


def diagonal(sink: Sink, phases: npt.NDArray[np.float64], qubits: Sequence[int]) -> None:
    """exp(i phases[x]) for each basis state x: a rotation of the last qubit that the others choose, and so on down."""
    while qubits:
        zero, one = np.split(phases, 2)
        chosen_rotation(sink, "rz", one - zero, qubits[:-1], qubits[-1])
        phases, qubits = (zero + one) / 2, qubits[:-1]
    sink.phase(float(phases[0]))


def chosen_rotation(
    sink: Sink, name: str, angles: npt.NDArray[np.float64], controls: Sequence[int], target: int
) -> None:
    """rz or ry of the target by the angle that the state of the controls chooses: 2**controls CX."""
    count = len(controls)
    shares = _walsh(angles) / len(angles)
    if np.abs(shares[1:]).max(initial=0.0) < ZERO:  # the same for all
        sink.one(GATES[name].matrix(float(shares[0])), target)
        return
    for step in range(1 << count):
        subset = step ^ (step >> 1)
        if abs(shares[subset]) > ZERO:
            sink.one(GATES[name].matrix(float(shares[subset])), target)
        following = (step + 1) % (1 << count)
        changed = subset ^ following ^ (following >> 1)
        sink.named("cx", (controls[changed.bit_length() - 1], target))


def _walsh(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The sums of values with signs (-1)**popcount(x & s), for each s.

    >>> _walsh(np.array([1.0, 2.0])).tolist()
    [3.0, -1.0]
    """
    result = np.array(values, dtype=np.float64)
    width = 1
    while width < len(result):
        pairs = result.reshape(-1, 2, width)
        result = np.stack([pairs[:, 0] + pairs[:, 1], pairs[:, 0] - pairs[:, 1]], axis=1).reshape(-1)
        width *= 2
    return result


def cx_count(num_qubits: int) -> int:
    """CX of a matrix on so many qubits, at most.

    >>> [cx_count(n) for n in (1, 2, 3, 4)]
    [0, 3, 24, 120]
    """
    return 0 if num_qubits < 2 else 3 if num_qubits == 2 else math.ceil(9 / 16 * 4**num_qubits - 1.5 * 2**num_qubits)
