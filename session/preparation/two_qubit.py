"""Two-qubit unitaries in a target's gates: at most three CX, or as many rotations as canonical coordinates are not zero.

The canonical coordinates (see `weyl`) decide: (0, 0, 0) takes no entangling gate, (pi/4, 0, 0) one CX, (a, b, 0) two and
anything else three, which is the least there is (V. V. Shende, I. L. Markov and S. S. Bullock, Phys. Rev. A 69, 062321
(2004)); the circuit of three is that of F. Vatan and C. Williams, Phys. Rev. A 69, 032315 (2004), figure 6. One-qubit gates
around a template follow from the decompositions of the template and of what is wanted, so that no table of them is needed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from qsim.gates import GATES
from session.preparation.euler import Matrix
from session.preparation.gate_sets import ROTATIONS, GateSet, canonical_of, make_gate
from session.preparation.weyl import (
    SAME,
    Canonical,
    canonical,
    flipped,
    interaction,
    is_same_class,
    locals_between,
    phase_between,
    side_by_side,
)

_QUARTER = math.pi / 4
_CX_CLASS = (_QUARTER, 0.0, 0.0)
_EYE: Matrix = np.eye(2, dtype=np.complex128)


@dataclass(frozen=True)
class Step:
    """A one-qubit matrix on qubit `places[0]`, or a target's gate on two qubits; places are 0 and 1."""

    places: tuple[int, ...]
    matrix: Matrix | None = None
    name: str = ""
    angles: tuple[float, ...] = ()


@dataclass(frozen=True)
class Piece:
    """Steps in order of time; their product is exp(-i phase) times what was wanted."""

    steps: tuple[Step, ...]
    phase: float = 0.0

    @property
    def cost(self) -> int:
        """How many two-qubit gates there are."""
        return sum(step.matrix is None for step in self.steps)


@lru_cache(maxsize=256)
def _matrix_of(name: str, angles: tuple[float, ...]) -> Matrix:
    return make_gate(name, angles).matrix()


def product(steps: tuple[Step, ...]) -> Matrix:
    """The unitary of steps, shape (4, 4)."""
    result: Matrix = np.eye(4, dtype=np.complex128)
    for step in steps:
        if step.matrix is not None:
            pair = (step.matrix, _EYE) if step.places == (0,) else (_EYE, step.matrix)
            full = side_by_side(*pair)
        else:
            full = _matrix_of(step.name, step.angles)
            full = full if step.places == (0, 1) else flipped(full)
        result = full @ result
    return result


def _on(place: int, matrix: Matrix) -> Step:
    return Step((place,), matrix)


def _gate(name: str, *angles: float, flipped: bool = False) -> Step:
    return Step((1, 0) if flipped else (0, 1), None, name, angles)


def _dressed(wanted: Canonical, steps: tuple[Step, ...], given: Canonical) -> tuple[Step, ...]:
    """Steps of the class of `wanted`, with the one-qubit gates around them that make them equal to it."""
    left, right = locals_between(wanted, given)
    return (*[_on(k, right[k]) for k in (0, 1)], *steps, *[_on(k, left[k]) for k in (0, 1)])


class TwoQubit:
    """Writes two-qubit unitaries in the gates of one set."""

    def __init__(self, gates: GateSet) -> None:
        self.gates = gates
        self._cx = self._make_cx()
        self._rotations = gates.rotations[:1]

    @property
    def has_cx(self) -> bool:
        """Whether the gates make a CX."""
        return self._cx is not None

    @property
    def cx_cost(self) -> int:
        """How many of the target's gates a CX takes; 0 where it has none."""
        return 0 if self._cx is None else Piece(self._cx).cost

    def cost(self, unitary: Matrix) -> int:
        """How many of the target's two-qubit gates a unitary takes; -1 where it has none that entangle."""
        wanted = canonical(unitary).coordinates
        size = sum(abs(x) > SAME for x in wanted)
        choices = [size] if self._rotations or not size else []
        if self._cx is not None and size:
            least = 1 if is_same_class(wanted, _CX_CLASS) else 2 if abs(wanted[2]) < SAME else 3
            choices.append(least * self.cx_cost)
        if any(is_same_class(canonical_of(name, _fixed_angles(name)).coordinates, wanted) for name in self.gates.fixed):
            choices.append(1)
        return min(choices, default=-1)

    def synthesize(self, unitary: Matrix, what: str) -> Piece:
        """The piece with the fewest two-qubit gates; `what` is for the message when there is none."""
        wanted = canonical(unitary)
        size = sum(abs(x) > SAME for x in wanted.coordinates)
        if not size:
            steps: tuple[Step, ...] = tuple(_on(k, wanted.left[k] @ wanted.right[k]) for k in (0, 1))
            return Piece(steps, phase_between(unitary, product(steps)))
        choices = []
        for name in self.gates.fixed:
            given = canonical_of(name, _fixed_angles(name))
            if is_same_class(given.coordinates, wanted.coordinates):
                choices.append(_dressed(wanted, (_gate(name, *_fixed_angles(name)),), given))
        if not choices:
            if self._rotations:
                choices.append(self._by_rotations(wanted))
            if self._cx is not None and not (choices and size == 1):
                choices.append(self._by_cx(wanted))
        if not choices:
            raise self.gates.no_two_qubit(what)
        found = min((Piece(steps) for steps in choices), key=lambda piece: piece.cost)
        return Piece(found.steps, phase_between(unitary, product(found.steps)))

    # out of rotations ---------------------------------------------------------------------------------------
    def _by_rotations(self, wanted: Canonical) -> tuple[Step, ...]:
        """exp(i a XX) exp(i b YY) exp(i c ZZ), each a rotation between one-qubit gates."""
        inner: list[Step] = []
        for axis, coordinate in enumerate(wanted.coordinates):
            if abs(coordinate) > SAME:
                inner += self._rotation(axis, coordinate)
        return _dressed(wanted, tuple(inner), _plain(wanted.coordinates))

    def _rotation(self, axis: int, coordinate: float) -> tuple[Step, ...]:
        at = [0.0, 0.0, 0.0]
        at[axis] = coordinate
        name = self._rotations[0]
        angle = ROTATIONS[name] * abs(coordinate)
        angles = (0.0, 0.0, angle) if name == "ms" else (angle,)
        return _dressed(canonical(interaction(*at)), (_gate(name, *angles),), canonical_of(name, angles))

    # out of CX ----------------------------------------------------------------------------------------------
    def _by_cx(self, wanted: Canonical) -> tuple[Step, ...]:
        a, b, c = wanted.coordinates
        turn_x, turn_y, turn_z = (GATES[name].matrix for name in ("rx", "ry", "rz"))
        if is_same_class(wanted.coordinates, _CX_CLASS):
            steps = self._cx_steps()
        elif abs(c) < SAME:
            middle = (_on(0, turn_x(-2 * a)), _on(1, turn_z(-2 * b)))
            steps = (*self._cx_steps(), *middle, *self._cx_steps())
        else:
            first = (_on(0, turn_z(math.pi / 2 - 2 * c)), _on(1, turn_y(2 * a - math.pi / 2)))
            second = (_on(1, turn_y(math.pi / 2 - 2 * b)),)
            outer = self._cx_steps(flipped=True)
            steps = (*outer, *first, *self._cx_steps(), *second, *outer)
        return _dressed(wanted, steps, canonical(product(steps)))

    def _cx_steps(self, flipped: bool = False) -> tuple[Step, ...]:
        assert self._cx is not None
        if not flipped:
            return self._cx
        return tuple(Step(tuple(1 - k for k in s.places), s.matrix, s.name, s.angles) for s in self._cx)

    def _make_cx(self) -> tuple[Step, ...] | None:
        """CX in these gates up to a phase: the gate itself, one of its class, or two of another between them."""
        if "cx" in self.gates.names:
            return (_gate("cx"),)
        best: tuple[Step, ...] | None = None
        wanted = canonical(GATES["cx"].matrix())
        for name in self.gates.fixed:
            gate = _gate(name, *_fixed_angles(name))
            turns = [_on(0, GATES[turn].matrix(math.pi / 2)) for turn in ("rx", "ry")]
            for steps in ((gate,), (gate, gate), *[(gate, turn, gate) for turn in turns]):
                given = canonical(product(steps))
                shorter = best is None or Piece(steps).cost < Piece(best).cost
                if shorter and is_same_class(given.coordinates, _CX_CLASS):
                    best = _dressed(wanted, steps, given)
        if best is None and self.gates.rotations:
            name = self.gates.rotations[0]
            angle = ROTATIONS[name] * _QUARTER
            angles = (0.0, 0.0, angle) if name == "ms" else (angle,)
            best = _dressed(wanted, (_gate(name, *angles),), canonical_of(name, angles))
        return best


def _fixed_angles(name: str) -> tuple[float, ...]:
    return (math.pi, 0.0) if name == "xx_plus_yy" else ()


def _plain(coordinates: tuple[float, float, float]) -> Canonical:
    eyes = (_EYE, _EYE)
    return Canonical(0.0, eyes, coordinates, eyes)
