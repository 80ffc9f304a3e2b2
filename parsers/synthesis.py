"""Matrices and many controls as gates, exactly (to rounding): what has no name of its own is written by its parts.

A matrix becomes two-level steps, each a one-qubit gate under controls (Reck, Zeilinger, Bernstein and Bertani, Phys. Rev.
Lett. 73, 58 (1994); Nielsen and Chuang, section 4.5.1). States that a step mixes differ in one bit, so no Gray code is
needed. Many controls become gates with at most two (Barenco et al., Phys. Rev. A 52, 3457 (1995), lemmas 7.2, 7.3, 7.5).
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Sequence

import numpy as np

from qsim.circuit import Circuit, GateDefinition
from qsim.gates import Gate, GateRow
from qsim.linalg import ComplexMatrix, phase_of, principal_power
from qsim.parameters import Parameter, Value

#: Entries of a unitary below this are rounding.
_ZERO = 1e-15


def angles_of(matrix: ComplexMatrix) -> tuple[float, float, float, float]:
    """(phase, a, b, c) with matrix = exp(i phase) p(b) ry(a) p(c), a unitary of shape (2, 2).

    >>> angles_of(np.eye(2) * 1j)
    (1.5707963267948966, 0.0, 0.0, 0.0)
    """
    a = 2 * math.atan2(abs(matrix[1, 0]), abs(matrix[0, 0]))
    if abs(matrix[0, 0]) < _ZERO:  # only the difference of b and c shows
        phase = phase_of(-matrix[0, 1])
        return phase, a, phase_of(matrix[1, 0]) - phase, 0.0
    phase = phase_of(matrix[0, 0])
    if abs(matrix[1, 0]) < _ZERO:
        return phase, a, 0.0, phase_of(matrix[1, 1]) - phase
    return phase, a, phase_of(matrix[1, 0]) - phase, phase_of(-matrix[0, 1]) - phase


def as_table_phase(gate: Gate) -> Gate:
    """A gate whose base acts on no qubits as the `gphase` that it is; any other gate as it is.

    >>> as_table_phase(Gate(GateDefinition("minus", [], Circuit(0).gphase(math.pi))).control())
    Gate('gphase', 3.141592653589793).control()
    """
    base = gate.base
    if base.num_qubits or isinstance(base, GateRow):
        return gate
    if not gate.is_symbolic:
        angle: Value = phase_of(gate.base_matrix()[0, 0])
    else:
        assert isinstance(base, GateDefinition)
        values = {p.name: value for p, value in zip(base.parameters, gate.params, strict=True)}
        angle = base.body.bind(values).global_phase
        for instruction in base.body.bind(values):
            assert isinstance(instruction.operation, Gate)
            angle = angle + as_table_phase(instruction.operation).params[0]
        for power in gate.powers:
            angle = angle * power
    return Gate("gphase", angle)._with(controls=gate.controls)


def definitions_first(base: GateDefinition, known: Container[object]) -> Iterator[GateDefinition]:
    """The definitions that one uses, each after those that it uses itself, and the definition last; not the known ones."""
    stack, done = [base], set[int]()
    while stack:
        top = stack[-1]
        missing = [u for u in top.uses if u.num_qubits and id(u) not in done and u not in known]
        if missing:
            stack.extend(missing)
            continue
        stack.pop()
        if id(top) not in done:
            done.add(id(top))
            yield top


def _phased_u() -> GateDefinition:
    a, b, c, d = (Parameter(name) for name in "abcd")
    return GateDefinition("phased_u", [a, b, c, d], Circuit(1).u(a, b, c, 0).gphase(d))


def matrix_circuit(matrix: ComplexMatrix) -> Circuit:
    """A circuit with exactly this unitary, of shape ``(2**n, 2**n)``: gates on one qubit, controlled by all others.

    >>> swap = np.eye(4)[[0, 2, 1, 3]]
    >>> bool(np.allclose(matrix_circuit(swap).to_gate().matrix(), swap))
    True
    """
    num_qubits = len(matrix).bit_length() - 1
    circuit, phased_u = Circuit(num_qubits), _phased_u()
    if num_qubits == 0:
        return circuit.gphase(phase_of(matrix[0, 0]))
    for bit, low, step in _two_level_steps(np.array(matrix, dtype=np.complex128)):
        phase, *angles = angles_of(step)
        others = [k for k in range(num_qubits) if k != bit]
        gate = Gate(phased_u, *angles, phase)
        if abs(step[0, 1]) < _ZERO and abs(step[0, 0] - 1) < _ZERO:
            gate = Gate("p", phase + angles[2])
        for k in reversed(others):
            gate = gate.control(1, low >> k & 1)
        circuit.append(gate, [*others, bit])
    return circuit


def _two_level_steps(rest: ComplexMatrix) -> list[tuple[int, int, ComplexMatrix]]:
    """Steps whose product is the matrix, first applied first: (bit, the state with that bit 0, matrix on the two states).

    Columns are cleared one after the other, below the diagonal; what is left is a phase of the last state.
    """
    size = len(rest)
    undone: list[tuple[int, int, ComplexMatrix]] = []
    for column in range(size - 1):
        steps = list(_eliminations(column, size))
        for row, kept in steps:
            a, b = rest[kept, column], rest[row, column]
            turned = (row, kept) == steps[-1] and abs(a - abs(a)) > _ZERO  # the diagonal ends as 1, its phase too
            if abs(b) < _ZERO and not turned:
                continue
            turn = np.array([[a.conjugate(), b.conjugate()], [-b, a]], dtype=np.complex128) / math.hypot(abs(a), abs(b))
            rest[[kept, row]] = turn @ rest[[kept, row]]
            rest[row, column] = 0
            undo = turn.conj().T if kept < row else turn.conj().T[::-1, ::-1]
            undone.append(((kept ^ row).bit_length() - 1, min(kept, row), undo))
    phase = rest[size - 1, size - 1]
    if abs(phase - 1) > _ZERO:
        bit = max(size.bit_length() - 2, 0)
        undone.append((bit, (size - 1) ^ (1 << bit), np.diag(np.array([1, phase / abs(phase)], dtype=np.complex128))))
    return undone[::-1]


def _eliminations(column: int, size: int) -> Iterator[tuple[int, int]]:
    """(row to clear, row that takes it), rows above `column`; the two differ in one bit, and neither is below `column`."""
    for row in sorted(range(column + 1, size), key=lambda r: -(r ^ column).bit_count()):
        differs = row ^ column
        yield row, row ^ (differs & -differs if differs.bit_count() > 1 else differs)


# many controls -------------------------------------------------------------------------------------------------
class ManyControls:
    """Definitions of gates with many controls that use x, cx, ccx and cu alone; each is made once."""

    def __init__(self) -> None:
        self._made: dict[object, GateDefinition] = {}

    def controlled(self, matrix: ComplexMatrix, controls: int) -> GateDefinition:
        """A one-qubit matrix with `controls` controls in front that must be 1, phase included.

        >>> gate = ManyControls().controlled(Gate("t").matrix(), 3)
        >>> bool(np.allclose(gate.matrix(), Gate("t").control(3).matrix()))
        True
        """
        key = (matrix.tobytes(), controls)
        known = self._made.get(key)
        if known is not None:
            return known
        body, target = Circuit(controls + 1), controls
        if controls == 1:
            phase, a, b, c = angles_of(matrix)
            body.cu(a, b, c, phase, 0, 1)
        else:
            root = principal_power(matrix, 0.5)
            last, rest = controls - 1, list(range(controls - 1))
            body.append(Gate(self.controlled(root, 1)), [last, target])
            self._add_x(body, rest, last, target)
            body.append(Gate(self.controlled(root.conj().T, 1)), [last, target])
            self._add_x(body, rest, last, target)
            body.append(Gate(self.controlled(root, controls - 1)), [*rest, target])
        made = self._made[key] = GateDefinition(f"c{controls}_gate", [], body)
        return made

    def _add_x(self, body: Circuit, controls: Sequence[int], target: int, borrowed: int) -> None:
        """x on the target where all controls are 1; a borrowed qubit in any state comes back as it was."""
        if len(controls) <= 2:
            body.append(("x", "cx", "ccx")[len(controls)], [*controls, target])
        else:
            body.append(Gate(self._x(len(controls))), [*controls, target, borrowed])

    def _x(self, controls: int) -> GateDefinition:
        """Lemma 7.3: controls, target, one borrowed qubit."""
        known = self._made.get(controls)
        if known is None:
            body, target, borrowed = Circuit(controls + 2), controls, controls + 1
            half = (controls + 1) // 2
            first, second = list(range(half)), list(range(half, controls))
            for _ in range(2):
                _chain(body, first, borrowed, [*second, target])
                _chain(body, [*second, borrowed], target, first)
            known = self._made[controls] = GateDefinition(f"c{controls}x_borrowing", [], body)
        return known


def _chain(body: Circuit, controls: list[int], target: int, borrowed: Sequence[int]) -> None:
    """Lemma 7.2: x under m controls with m - 2 borrowed qubits."""
    count = len(controls)
    if count <= 2:
        body.append(("x", "cx", "ccx")[count], [*controls, target])
        return
    places = [*borrowed[: count - 2], target]
    down = [(controls[k + 2], places[k], places[k + 1]) for k in reversed(range(count - 2))]
    turn = (controls[0], controls[1], places[0])
    for step in (*down, turn, *reversed(down), *down[1:], turn, *reversed(down[1:])):
        body.ccx(*step)
