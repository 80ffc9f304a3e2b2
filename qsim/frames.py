"""Pauli errors pushed through a circuit, so that one compiled program serves all error patterns.

An error before a Clifford gate is another Pauli after it. Before a rotation exp(-i a P / 2) it is the same error after the
rotation by -a, if it anticommutes with P. Before any other gate it is made part of the circuit: on each of the gate's
qubits there are rotations by 0 or pi that stand for it. So a pattern of errors becomes a set of angles, and a Pauli at the
end, which permutes outcomes and turns signs of observables. What is shared by patterns with the same angles is run once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.channels import pauli_matrix
from qsim.circuit import ROW
from qsim.compiler.lowering import MATRIX, Lowered
from qsim.error_patterns import Patterns
from qsim.gates import GATES, row_by_code
from qsim.linalg import controlled_matrix
from qsim.noisy import Segment
from qsim.parameters import Parameter

Array = npt.NDArray[Any]
#: Gates up to so many qubits are looked at for being Clifford.
_CLIFFORD_QUBITS = 3
#: Rotations of the table: the Pauli of each, as masks of X and Z on its qubits.
_ROTATIONS = {"rx": (1, 0), "ry": (1, 1), "rz": (0, 1), "rxx": (3, 0), "ryy": (3, 3), "rzz": (0, 3), "rzx": (2, 1)}
#: A move of a frame: what the X and the Z of each of a Clifford gate's qubits become, as (x mask, z mask).
Images = tuple[tuple[tuple[int, int], tuple[int, int]], ...]


@dataclass(frozen=True)
class Step:
    """What happens to frames at a row: `images` for a Clifford gate, else angles [first, last) that depend on them."""

    qubits: tuple[int, ...]
    images: Images | None = None
    pauli: tuple[int, int] = (0, 0)
    angle: int = -1
    slots: bool = False


@dataclass
class FramedCircuit:
    """A noisy segment whose errors are angles.

    Attributes:
        rows, operands, values, matrices: of the circuit with places for errors, as in `Segment`.
        symbols: index into values -> number of the angle.
        angles: what they are without errors.
        slot: whether an angle is a slot's (0 or pi), or a rotation's, whose sign changes.
        row_of: the row that an angle belongs to.
        program: steps and places, in order: (False, step) or (True, number of a place).
    """

    num_qubits: int
    rows: list[tuple[int, ...]] = field(default_factory=list)
    operands: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    matrices: list[Any] = field(default_factory=list)
    symbols: dict[int, int] = field(default_factory=dict)
    angles: list[float] = field(default_factory=list)
    slot: list[bool] = field(default_factory=list)
    row_of: list[int] = field(default_factory=list)
    program: list[tuple[bool, Any]] = field(default_factory=list)

    def lowered(self, start: int, stop: int, first: int, symbolic: bool) -> tuple[Lowered, list[Parameter]]:
        """Rows [start, stop) for the compiler, with the angles from number `first` on as parameters or as numbers."""
        rows = np.array(self.rows[start:stop], dtype=np.int64).reshape(-1, ROW)
        lowered = Lowered(
            rows, np.array(self.operands, dtype=np.int64), np.array(self.values, dtype=np.float64), {},
            list(self.matrices),
        )  # fmt: skip
        if not symbolic:
            return lowered, []
        parameters = [Parameter(f"a{k}") for k in range(first, len(self.angles))]
        for slot, number in self.symbols.items():
            if start <= self.row_of[number] < stop:
                lowered.expressions[slot] = parameters[number - first]
        return lowered, parameters

    def push(self, patterns: Patterns, first: int, last: int) -> tuple[Array, Array, Array]:
        """Patterns [first, last) pushed to the end.

        Returns:
            Which angles change, bools of shape (patterns, angles); the X and the Z masks at the end, shape (patterns,).
        """
        count = last - first
        changed = np.zeros((len(self.angles), count), dtype=np.bool_)
        x, z = np.zeros(count, np.int64), np.zeros(count, np.int64)
        inside = (patterns.pattern >= first) & (patterns.pattern < last)
        errors, place = patterns.pattern[inside] - first, patterns.place[inside]
        masks_x, masks_z = patterns.x[inside], patterns.z[inside]
        at = 0
        for is_place, item in self.program:
            if is_place:
                number, qubits = item
                begin = at
                while at < len(place) and place[at] == number:
                    at += 1
                for k, q in enumerate(qubits if at > begin else ()):
                    x[errors[begin:at]] ^= ((masks_x[begin:at] >> k) & 1) << q
                    z[errors[begin:at]] ^= ((masks_z[begin:at] >> k) & 1) << q
            elif at:
                self._step(item, x, z, changed)
        return changed.T, x, z

    @staticmethod
    def _step(step: Step, x: Array, z: Array, changed: Array) -> None:
        if step.images is not None:
            new_x, new_z = [np.zeros(len(x), np.int64) for _ in range(2)]
            for q, (of_x, of_z) in zip(step.qubits, step.images, strict=True):
                has_x, has_z = (x >> q) & 1, (z >> q) & 1
                new_x ^= has_x * of_x[0] ^ has_z * of_z[0]
                new_z ^= has_x * of_x[1] ^ has_z * of_z[1]
            keep = ~sum(1 << q for q in step.qubits)
            x &= keep
            z &= keep
            x |= new_x
            z |= new_z
        elif step.slots:
            for k, q in enumerate(step.qubits):
                changed[step.angle + 2 * k] = (z >> q) & 1
                changed[step.angle + 2 * k + 1] = (x >> q) & 1
                x &= ~(1 << q)
                z &= ~(1 << q)
        else:
            changed[step.angle] = np.bitwise_count((x & step.pauli[1]) ^ (z & step.pauli[0])) & 1


def framed(segment: Segment, num_qubits: int) -> FramedCircuit:
    """A segment with Pauli noise, its rows rewritten so that errors are angles."""
    return _Framer(segment, num_qubits).made


class _Framer:
    def __init__(self, segment: Segment, num_qubits: int) -> None:
        self.segment, self.made = segment, FramedCircuit(num_qubits, matrices=segment.matrices)
        #: Qubits on which an error may be: what never meets one stays as it is.
        self.dirty: set[int] = set()
        numbered = enumerate([*segment.places, None])
        number, place = next(numbered)
        for row in range(len(segment.rows) + 1):
            while place is not None and place.at == row:
                self.made.program.append((True, (number, place.qubits)))
                self.dirty.update(place.qubits)
                number, place = next(numbered)
            if row < len(segment.rows):
                self.row(row)

    def row(self, number: int) -> None:
        code, first, count, value, controls, bits = self.segment.rows[number]
        qubits = tuple(self.segment.operands[first : first + count])
        params = []
        if code != MATRIX:
            params = self.segment.values[value : value + row_by_code(code).num_params]
        if self.dirty.isdisjoint(qubits):
            self.emit(code, qubits, params, value, controls, bits)
            return
        name = row_by_code(code).name if code != MATRIX else ""
        rotations = None if controls else _as_rotations(name, params, qubits)
        if rotations is not None:
            for kind, angle, targets in rotations:
                pauli = tuple(_spread(mask, targets) for mask in _ROTATIONS[kind])
                step = Step(targets, pauli=(pauli[0], pauli[1]), angle=len(self.made.angles))
                self.made.program.append((False, step))
                self.angle(kind, angle, targets, False)
            return
        images = self.images(number, code, tuple(params), value, controls, bits, count)
        if images is not None:
            spread = tuple(
                ((_spread(a, qubits), _spread(b, qubits)), (_spread(c, qubits), _spread(d, qubits)))
                for (a, b), (c, d) in images
            )
            self.made.program.append((False, Step(qubits, images=spread)))
            if any(image != ((1 << k, 0), (0, 1 << k)) for k, image in enumerate(images)):
                self.dirty.update(qubits)
        else:
            self.made.program.append((False, Step(qubits, angle=len(self.made.angles), slots=True)))
            for q in qubits:
                self.angle("rz", 0.0, (q,), True)
                self.angle("rx", 0.0, (q,), True)
            self.dirty.difference_update(qubits)
        self.emit(code, qubits, params, value, controls, bits)

    def images(
        self, number: int, code: int, params: tuple[float, ...], value: int, controls: int, bits: int, count: int
    ) -> Images | None:
        """What a Clifford row does to Paulis; None for any other."""
        if count > _CLIFFORD_QUBITS or count == 0:
            return None
        if code != MATRIX:
            return _table_images(code, params, controls, bits)
        matrix = self.segment.matrices[value]
        return _images(controlled_matrix(matrix, [(bits >> k) & 1 for k in range(controls)]))

    def emit(self, code: int, qubits: tuple[int, ...], params: Any, value: int, controls: int, bits: int) -> None:
        made = self.made
        at = value if code == MATRIX else len(made.values)
        made.rows.append((code, len(made.operands), len(qubits), at, controls, bits))
        made.operands.extend(qubits)
        made.values.extend(params)

    def angle(self, kind: str, angle: float, qubits: tuple[int, ...], slot: bool) -> None:
        made = self.made
        made.symbols[len(made.values)] = len(made.angles)
        made.row_of.append(len(made.rows))
        made.angles.append(angle)
        made.slot.append(slot)
        self.emit(GATES[kind].code, qubits, [angle], 0, 0, 0)


def _as_rotations(
    name: str, params: list[float], qubits: tuple[int, ...]
) -> list[tuple[str, float, tuple[int, ...]]] | None:
    """A gate as Pauli rotations, up to a global phase, if it is not Clifford and has a short form as such."""
    if name in _ROTATIONS:
        return [(name, params[0], qubits)]
    if name in ("p", "t", "tdg"):
        angle = params[0] if name == "p" else math.pi / 4 if name == "t" else -math.pi / 4
        return [("rz", angle, qubits)]
    if name == "cp":
        half = params[0] / 2
        return [("rz", half, qubits[:1]), ("rz", half, qubits[1:]), ("rzz", -half, qubits)]
    if name == "crz":
        half = params[0] / 2
        return [("rz", half, qubits[1:]), ("rzz", -half, qubits)]
    return None


@lru_cache(maxsize=4096)
def _table_images(code: int, params: tuple[float, ...], controls: int, bits: int) -> Images | None:
    matrix = row_by_code(code).matrix(*params)
    return _images(controlled_matrix(matrix, [(bits >> k) & 1 for k in range(controls)]))


def _images(matrix: npt.NDArray[np.complex128]) -> Images | None:
    """Where U takes the X and the Z of each qubit, if all of these are Paulis."""
    count = len(matrix).bit_length() - 1
    found = []
    for q in range(count):
        pair = []
        for letter in "XZ":
            label = "I" * (count - 1 - q) + letter + "I" * q
            pauli = _as_pauli(matrix @ pauli_matrix(label) @ matrix.conj().T, count)
            if pauli is None:
                return None
            pair.append(pauli)
        found.append((pair[0], pair[1]))
    return tuple(found)


def _as_pauli(matrix: npt.NDArray[np.complex128], count: int) -> tuple[int, int] | None:
    """Masks of X and Z of a Pauli with any phase."""
    x = int(np.argmax(np.abs(matrix[:, 0])))
    index = np.arange(len(matrix))
    entries = matrix[index ^ x, index]
    if abs(abs(entries[0]) - 1) > 1e-9:
        return None
    ratios = entries / entries[0]
    z = sum(int(ratios[1 << q].real < 0) << q for q in range(count))
    signs = 1.0 - 2.0 * (np.bitwise_count(index & z) & 1)
    return (x, z) if np.abs(ratios - signs).max() < 1e-9 else None


def _spread(mask: int, qubits: tuple[int, ...]) -> int:
    """A mask of a gate's own qubits as one of the circuit's."""
    return sum((mask >> k & 1) << q for k, q in enumerate(qubits))
