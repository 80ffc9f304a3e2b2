"""Gates with many controls, out of one-qubit gates, CX and (where a target has it) CCX.

A controlled phase on n qubits is a phase polynomial: the product of n bits is a sum of 2**n - 1 parities, which a Gray
code visits with 2**n - 2 CX (A. Barenco et al., Phys. Rev. A 52, 3457 (1995), section 7.1; V. V. Shende and I. L. Markov,
Quantum Inf. Comput. 9, 461 (2009), for the counts). Past a few controls, rotations alternate with x gates under half
of the controls each, which borrow the other half (Barenco et al., lemmas 7.2 and 7.9; R. Vale et al., IEEE Trans. CAD 43,
802 (2024)). Toffoli gates that do not touch the target may have relative phases, which cancel (D. Maslov, Phys. Rev. A 93,
022311 (2016)).
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from qsim.linalg import phase_of
from session.preparation.euler import ZERO, Matrix

#: Controls of a rotation up to which the Gray code takes fewer CX than halves of the controls do.
_GRAY = 6
_H: Matrix = np.array([[1, 1], [1, -1]], dtype=np.complex128) * math.sqrt(0.5)


class Sink(Protocol):
    """Where elementary gates go."""

    num_qubits: int

    def one(self, matrix: Matrix, qubit: int) -> None:
        """A one-qubit unitary."""

    def named(self, name: str, qubits: Sequence[int]) -> None:
        """A table gate without parameters."""

    def takes(self, name: str) -> bool:
        """Whether a table gate goes out as it is."""

    def phase(self, angle: float) -> None:
        """A global phase."""


def z_turn(angle: float) -> Matrix:
    """rz(angle)."""
    return np.diag(np.array([cmath.exp(-0.5j * angle), cmath.exp(0.5j * angle)]))


def controlled_unitary(sink: Sink, matrix: Matrix, controls: Sequence[int], target: int) -> None:
    """A one-qubit unitary where all controls are 1."""
    phase = phase_of(complex(np.linalg.det(matrix))) / 2
    phase = phase if abs(phase) > ZERO else 0.0
    basis, angle = _about_z(matrix * cmath.exp(-1j * phase))
    if abs(angle) > ZERO:
        if _is_x(matrix):
            controlled_x(sink, controls, target)
            return
        if basis is not None:
            sink.one(basis.conj().T, target)
        controlled_rz(sink, angle, controls, target)
        if basis is not None:
            sink.one(basis, target)
    if phase:
        controlled_phase(sink, phase, controls)


def _is_x(matrix: Matrix) -> bool:
    return bool(np.abs(matrix - np.array([[0, 1], [1, 0]])).max() < ZERO)


def _about_z(special: Matrix) -> tuple[Matrix | None, float]:
    """(Q, angle) with the SU(2) matrix = Q rz(angle) Q**-1; Q is None where it is diagonal."""
    a, bz = special[0, 0].real, -special[0, 0].imag
    bx, by = -special[1, 0].imag, special[1, 0].real
    plane = math.hypot(bx, by)
    angle = 2 * math.atan2(math.hypot(plane, bz), a)
    if plane < ZERO:
        return None, math.copysign(angle, bz)
    tilt, turn = math.atan2(plane, bz), math.atan2(by, bx)
    c, s = math.cos(tilt / 2), math.sin(tilt / 2)
    return z_turn(turn) @ np.array([[c, -s], [s, c]], dtype=np.complex128), angle


def controlled_phase(sink: Sink, angle: float, qubits: Sequence[int]) -> None:
    """exp(i angle) where all qubits are 1; a global phase for none."""
    if not qubits:
        sink.phase(angle)
        return
    *controls, target = qubits
    controlled_rz(sink, angle, controls, target)
    controlled_phase(sink, angle / 2, controls)


def controlled_rz(sink: Sink, angle: float, controls: Sequence[int], target: int) -> None:
    """rz(angle) where all controls are 1."""
    count = len(controls)
    if count > _GRAY:
        half = (count + 1) // 2
        parts = (controls[:half], controls[half:])
        for number in range(4):
            controlled_x(sink, parts[number % 2], target)
            sink.one(z_turn(angle / 4 if number % 2 else -angle / 4), target)
        return
    # The product of the controls, times the sign of the target, is a sum over subsets S of (-1)**|S| parities / 2**count.
    share = angle / 2**count
    for step in range(2**count):
        subset = step ^ (step >> 1)
        sink.one(z_turn(-share if subset.bit_count() & 1 else share), target)
        if count:
            following = (step + 1) % 2**count
            changed = subset ^ following ^ (following >> 1)
            sink.named("cx", (controls[changed.bit_length() - 1], target))


def controlled_x(sink: Sink, controls: Sequence[int], target: int) -> None:
    """x where all controls are 1; other qubits are borrowed, in any state, where that saves gates."""
    count = len(controls)
    if count <= 1 or (count == 2 and sink.takes("ccx")):
        sink.named(("x", "cx", "ccx")[count], (*controls, target))
        return
    used = {*controls, target}
    free = [q for q in range(sink.num_qubits) if q not in used] if count > 3 else []
    if count > 3 and len(free) >= count - 2:
        _ladder(sink, controls, target, free)
    elif count > 4 and free:
        _split(sink, controls, target, free[0])
    else:
        sink.one(_H, target)
        controlled_phase(sink, math.pi, (*controls, target))
        sink.one(_H, target)


def _split(sink: Sink, controls: Sequence[int], target: int, borrowed: int) -> None:
    """One borrowed qubit: Barenco et al., lemma 7.3."""
    half = (len(controls) + 1) // 2
    first, second = list(controls[:half]), [*controls[half:], borrowed]
    for _ in range(2):
        controlled_x(sink, first, borrowed)
        controlled_x(sink, second, target)


def _ladder(sink: Sink, controls: Sequence[int], target: int, borrowed: Sequence[int]) -> None:
    """As many borrowed qubits as controls but two: Barenco et al., lemma 7.2.

    What computes into the borrowed qubits is its own inverse and comes twice, around the first of the two gates on the
    target and after the second, so that its relative phases cancel.
    """
    count = len(controls)
    places = [*borrowed[: count - 2], target]
    down = [(controls[k + 2], places[k], places[k + 1]) for k in reversed(range(count - 2))]
    turn = (controls[0], controls[1], places[0])
    inner = [*down[1:], turn, *reversed(down[1:])]
    for _ in range(2):
        controlled_x(sink, down[0][:2], target)
        for step in inner:
            sink.named("rccx", step)
