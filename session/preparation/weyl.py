"""Two-qubit unitaries: the canonical (Cartan, "KAK") decomposition, and local gates between equivalent ones.

Every U in U(4) is exp(i p) (L0 x L1) N(a, b, c) (R0 x R1) with N(a, b, c) = exp(i (a XX + b YY + c ZZ)) and one-qubit gates
L and R. In the chamber pi/4 >= a >= b >= |c| (c >= 0 where a = pi/4) the three numbers are unique, and two unitaries with
the same numbers differ by one-qubit gates only.

Sources: N. Khaneja and S. Glaser, Chem. Phys. 267, 11 (2001); B. Kraus and J. I. Cirac, Phys. Rev. A 63, 062309 (2001),
appendix A, for the way through the magic basis; J. Zhang, J. Vala, S. Sastry and K. B. Whaley, Phys. Rev. A 67, 042313
(2003) for the chamber. Matrices have the first qubit as the least significant bit, as everywhere in this package.
"""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qsim.linalg import phase_of

Matrix = npt.NDArray[np.complex128]
#: Coordinates and angles nearer to each other than this are the same.
SAME = 5e-14

_FLIPPED = [0, 2, 1, 3]
_PAULIS: tuple[Matrix, ...] = (
    np.array([[0, 1], [1, 0]], dtype=np.complex128),
    np.array([[0, -1j], [1j, 0]], dtype=np.complex128),
    np.diag(np.array([1, -1], dtype=np.complex128)),
)
#: The magic basis, in which one-qubit gates are real and XX, YY and ZZ are diagonal.
_MAGIC: Matrix = np.array(
    [[1, 1j, 0, 0], [0, 0, 1j, 1], [0, 0, 1j, -1], [1, -1j, 0, 0]], dtype=np.complex128
) * math.sqrt(0.5)
#: The diagonals of XX, YY and ZZ there.
_SIGNS = np.array([np.diagonal(_MAGIC.conj().T @ np.kron(p, p) @ _MAGIC).real for p in _PAULIS]).round()
#: Off the diagonal by less than this is as good as it gets.
_EXACT = 1e-15
#: Generic directions, of which one tells apart what has to be told apart.
_DIRECTIONS = (0.7390851332, 2.2360679775, 1.3247179572, 0.2078795763, 2.8, 1.9)


@dataclass(frozen=True)
class Canonical:
    """exp(i phase) (left[1] x left[0]) N(coordinates) (right[1] x right[0]); right acts first."""

    phase: float
    left: tuple[Matrix, Matrix]
    coordinates: tuple[float, float, float]
    right: tuple[Matrix, Matrix]

    def matrix(self) -> Matrix:
        """The unitary that this is of."""
        left, right = side_by_side(*self.left), side_by_side(*self.right)
        result: Matrix = cmath.exp(1j * self.phase) * (left @ interaction(*self.coordinates) @ right)
        return result


def side_by_side(first: Matrix, second: Matrix) -> Matrix:
    """One-qubit gates on two qubits as a matrix of shape (4, 4); `first` is on the least significant one.

    >>> side_by_side(np.diag([1, 2]), np.eye(2)).diagonal()
    array([1., 2., 1., 2.])
    """
    result: Matrix = (second[:, None, :, None] * first[None, :, None, :]).reshape(4, 4)  # numpy's kron is slow
    return result


def flipped(matrix: Matrix) -> Matrix:
    """A two-qubit matrix with its qubits exchanged."""
    return matrix[np.ix_(_FLIPPED, _FLIPPED)]


def interaction(a: float, b: float, c: float) -> Matrix:
    """N(a, b, c) = exp(i (a XX + b YY + c ZZ)).

    >>> bool(np.allclose(interaction(0, 0, np.pi / 2), 1j * np.diag([1, -1, -1, 1])))
    True
    """
    angles = a * _SIGNS[0] + b * _SIGNS[1] + c * _SIGNS[2]
    result: Matrix = (_MAGIC * np.exp(1j * angles)) @ _MAGIC.conj().T
    return result


def canonical(unitary: Matrix) -> Canonical:
    """The canonical decomposition of a unitary of shape (4, 4), exact to rounding.

    >>> cx = np.eye(4, dtype=complex)[[0, 3, 2, 1]]
    >>> found = canonical(cx)
    >>> [round(4 * x / np.pi, 9) + 0.0 for x in found.coordinates], bool(np.allclose(found.matrix(), cx))
    ([1.0, 0.0, 0.0], True)
    """
    phase = phase_of(complex(np.linalg.det(unitary))) / 4
    magic = _MAGIC.conj().T @ (unitary * cmath.exp(-1j * phase)) @ _MAGIC
    symmetric = magic.T @ magic
    basis = _real_eigenvectors(symmetric)
    if np.linalg.det(basis) < 0:
        basis[:, 0] *= -1
    angles = np.angle(np.diagonal(basis.T @ symmetric @ basis)) / 2
    other = (magic @ basis * np.exp(-1j * angles)).real
    if np.linalg.det(other) < 0:
        angles[0] += math.pi
        other[:, 0] *= -1
    left = _factors(_MAGIC @ other @ _MAGIC.conj().T)
    right = _factors(_MAGIC @ basis.T @ _MAGIC.conj().T)
    walk = _Walk(left, [float(angles @ sign) / 4 for sign in _SIGNS], right)
    walk.into_chamber()
    walk.straighten()
    made = Canonical(0.0, (walk.left[0], walk.left[1]), (walk.at[0], walk.at[1], walk.at[2]),
                     (walk.right[0], walk.right[1]))  # fmt: skip
    return Canonical(phase_between(unitary, made.matrix()), made.left, made.coordinates, made.right)


def phase_between(wanted: Matrix, made: Matrix) -> float:
    """The angle p with wanted = exp(i p) made, for unitaries that differ by a phase.

    >>> phase_between(1j * np.eye(2), np.eye(2)) / np.pi
    0.5
    """
    return phase_of(complex(np.vdot(made, wanted)))


def is_same_class(first: tuple[float, float, float], second: tuple[float, float, float]) -> bool:
    """Whether coordinates are equal to rounding."""
    return max(abs(a - b) for a, b in zip(first, second, strict=True)) < SAME


def _real_eigenvectors(symmetric: Matrix) -> npt.NDArray[np.float64]:
    """An orthogonal matrix that diagonalises a symmetric unitary, whose real and imaginary parts commute."""
    best = np.inf
    found: npt.NDArray[np.float64] = np.eye(4)
    for angle in _DIRECTIONS:
        mixed: npt.NDArray[np.float64] = math.cos(angle) * symmetric.real + math.sin(angle) * symmetric.imag
        vectors: npt.NDArray[np.float64] = np.linalg.eigh(mixed)[1]
        turned = vectors.T @ symmetric @ vectors
        off = float(np.abs(turned - np.diag(np.diagonal(turned))).max())
        if off < best:
            best, found = off, vectors
        if best < _EXACT:
            break
    return found


def _factors(product: Matrix) -> list[Matrix]:
    """[A0, A1] in SU(2) with product = +-(A1 x A0), of a product of one-qubit gates."""
    blocks = product.reshape(2, 2, 2, 2)  # row bit 1, row bit 0, column bit 1, column bit 0
    at = np.unravel_index(int(np.abs(product).argmax()), (4, 4))
    first = blocks[at[0] >> 1, :, at[1] >> 1, :]
    second = blocks[:, at[0] & 1, :, at[1] & 1]
    return [_special(part / cmath.sqrt(complex(np.linalg.det(part)))) for part in (first, second)]


def _special(matrix: Matrix) -> Matrix:
    """The SU(2) matrix nearest to one that is that but for rounding, which would add up otherwise."""
    (a, b), (c, d) = matrix.tolist()
    first, second = (a + d.conjugate()) / 2, (c - b.conjugate()) / 2
    size = math.hypot(abs(first), abs(second))
    return np.array([[first / size, -second.conjugate() / size], [second / size, first.conjugate() / size]])


class _Walk:
    """Moves coordinates into the chamber by steps that one-qubit gates make up for."""

    def __init__(self, left: list[Matrix], at: list[float], right: list[Matrix]) -> None:
        self.left, self.at, self.right = left, at, right

    def into_chamber(self) -> None:
        for k in range(3):
            self._shift(k, round(self.at[k] / (math.pi / 2)))
        for j, k in ((0, 1), (1, 2), (0, 1)):  # falling absolute values
            if abs(self.at[j]) < abs(self.at[k]) - SAME:
                self._swap(j, k)
        first, second, _ = (x < 0 for x in self.at)
        if first or second:
            self._flip(*((0, 1) if first and second else (0, 2) if first else (1, 2)))
        if self.at[2] < -SAME and abs(self.at[0] - math.pi / 4) < SAME:
            self._shift(0, 1)
            self._flip(0, 2)

    def straighten(self) -> None:
        """Use what is free where coordinates are 0 or all equal, so that gates alike get one-qubit gates alike."""
        a, b, c = self.at
        if a > SAME and b < SAME and abs(c) < SAME:
            self._straighten_one()
        elif is_same_class((a, b, c), (math.pi / 4,) * 3):  # a swap, past which gates change qubits
            first, second = self.right
            self.left = [self.left[0] @ second, self.left[1] @ first]
            self.right = [np.eye(2, dtype=np.complex128)] * 2

    def _straighten_one(self) -> None:
        """exp(i a XX) commutes with turns about X: the right gates become the shortest turns of their axes to X."""
        axes = [_bloch(gate.conj().T @ _PAULIS[0] @ gate) for gate in self.right]
        leading = axes[0][int(np.argmax(np.abs(axes[0]) > 0.1))]
        if leading < 0:  # both axes turned around give the same
            axes = [-axis for axis in axes]
        for k in (0, 1):
            turn = _onto_x(axes[k])
            self.left[k] = self.left[k] @ (self.right[k] @ turn.conj().T)
            self.right[k] = turn

    def _shift(self, k: int, times: int) -> None:
        """exp(i pi/2 PP) is PP up to a phase."""
        self.at[k] -= times * math.pi / 2
        if times % 2:
            self.right = [1j * _PAULIS[k] @ gate for gate in self.right]

    def _flip(self, j: int, k: int) -> None:
        """The third Pauli on one qubit turns the sign of these two."""
        third = 1j * _PAULIS[3 - j - k]
        self.left[0], self.right[0] = self.left[0] @ third, third.conj().T @ self.right[0]
        self.at[j], self.at[k] = -self.at[j], -self.at[k]

    def _swap(self, j: int, k: int) -> None:
        """(P + Q) / sqrt(2) exchanges P and Q."""
        turn = 1j * (_PAULIS[j] + _PAULIS[k]) * math.sqrt(0.5)
        self.left = [gate @ turn for gate in self.left]
        self.right = [turn.conj().T @ gate for gate in self.right]
        self.at[j], self.at[k] = self.at[k], self.at[j]


def _bloch(operator: Matrix) -> npt.NDArray[np.float64]:
    """The components of a traceless Hermitian operator of one qubit."""
    return np.array([np.trace(pauli @ operator).real / 2 for pauli in _PAULIS])


def _onto_x(axis: npt.NDArray[np.float64]) -> Matrix:
    """The shortest turn V of a unit vector onto x: V (axis . sigma) V**-1 = X."""
    across = np.cross(axis, (1.0, 0.0, 0.0))
    size = float(np.linalg.norm(across))
    if size < 1e-15 and axis[0] < 0:
        across, size = np.array([0.0, 0.0, 1.0]), 1.0
        angle = math.pi
    elif size < 1e-15:
        return np.eye(2, dtype=np.complex128)
    else:
        angle = math.atan2(size, float(axis[0]))
    turn = sum((across[k] / size * _PAULIS[k] for k in range(3)), np.zeros((2, 2), dtype=np.complex128))
    result: Matrix = math.cos(angle / 2) * np.eye(2) - 1j * math.sin(angle / 2) * turn
    return result


def locals_between(wanted: Canonical, given: Canonical) -> tuple[tuple[Matrix, Matrix], tuple[Matrix, Matrix]]:
    """One-qubit gates (left, right) with wanted = (left) given (right) up to a phase; both have the same coordinates."""
    left = tuple(_special(w @ g.conj().T) for w, g in zip(wanted.left, given.left, strict=True))
    right = tuple(_special(g.conj().T @ w) for w, g in zip(wanted.right, given.right, strict=True))
    return (left[0], left[1]), (right[0], right[1])
