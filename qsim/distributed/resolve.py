"""One rank's share of a local part: its global bits are known, so phases and controls on them become constants."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from qsim.circuit import ROW
from qsim.compiler.gate_table import CORE, gate_table
from qsim.compiler.lowering import MATRIX, Lowered
from qsim.distributed.blocks import is_diagonal
from qsim.gates import GATES, row_by_code
from qsim.parameters import Expression, Value

_GPHASE, _P, _CU, _U = (GATES[name].code for name in ("gphase", "p", "cu", "u"))
#: Angles of the second diagonal entry of gates without parameters; the first is 0.
_FIXED = {"id": 0.0, "z": math.pi, "s": math.pi / 2, "sdg": -math.pi / 2, "t": math.pi / 4, "tdg": -math.pi / 4}


def resolve(lowered: Lowered, rank: int, local_qubits: int) -> Lowered:
    """The rows that one rank runs on its `local_qubits` qubits; values are its own, matrices are shared.

    A control on a global position is met or leaves the gate out. A diagonal gate on global positions is a phase of what is
    left of it: of the whole part, of local controls, or of one local qubit.

    >>> from qsim import Circuit
    >>> from qsim.compiler.lowering import lower
    >>> resolve(lower(Circuit(3).cx(2, 0).rz(0.5, 2)), rank=0, local_qubits=2).phase
    -0.25
    """
    if not len(lowered.operands) or lowered.operands.max() < local_qubits:
        values = lowered.values.copy()
        return Lowered(
            lowered.rows.copy(),
            lowered.operands.copy(),
            values,
            dict(lowered.expressions),
            lowered.matrices,
            lowered.phase,
        )
    return _Resolver(lowered, rank, local_qubits).result()


class _Resolver:
    """Writes the rows of one rank."""

    def __init__(self, lowered: Lowered, rank: int, local_qubits: int) -> None:
        self.given, self.rank, self.local = lowered, rank, local_qubits
        self.rows: list[tuple[int, ...]] = []
        self.operands: list[int] = []
        self.values: list[float] = lowered.values.tolist()
        self.expressions = dict(lowered.expressions)
        self.matrices = list(lowered.matrices)
        self.phase = lowered.phase

    def result(self) -> Lowered:
        """All rows."""
        for row in self.given.rows.tolist():
            own = self.given.operands[row[1] : row[1] + row[2]].tolist()
            if max(own, default=0) < self.local:
                self._emit(row[0], own, row[3], row[4], row[5])
            else:
                self._resolve(row, own)
        return Lowered(
            np.array(self.rows, dtype=np.int64).reshape(-1, ROW), np.array(self.operands, dtype=np.int64),
            np.array(self.values), self.expressions, self.matrices, self.phase,
        )  # fmt: skip

    def _emit(self, code: int, operands: list[int], value: int, controls: int, bits: int) -> None:
        self.rows.append((code, len(self.operands), len(operands), value, controls, bits))
        self.operands += operands

    def _bit(self, position: int) -> int:
        return (self.rank >> (position - self.local)) & 1

    def _resolve(self, row: list[int], operands: list[int]) -> None:
        code, _, _, value, controls, bits = row
        if code != MATRIX:
            own = row_by_code(code).controls
            bits |= ((1 << own) - 1) << controls
            controls += own
            core = int(gate_table()[code, CORE])
        else:
            core = MATRIX
        left: list[int] = []
        left_bits = 0
        for k, position in enumerate(operands[:controls]):
            wanted = (bits >> k) & 1
            if position < self.local:
                left_bits |= wanted << len(left)
                left.append(position)
            elif self._bit(position) != wanted:
                return
        targets = operands[controls:]
        if is_diagonal(self.given, row):
            self._diagonal(core, targets, value, left, left_bits)
        elif core == _CU:  # u under a control, and a phase of that control
            self._emit(_U, left + targets, value, len(left), left_bits)
            self._add_phase(self._value(value + 3), left, left_bits)
        else:
            self._emit(core, left + targets, value, len(left), left_bits)

    def _diagonal(self, core: int, targets: list[int], value: int, controls: list[int], bits: int) -> None:
        inside = [k for k, position in enumerate(targets) if position < self.local]
        known = sum(self._bit(position) << k for k, position in enumerate(targets) if position >= self.local)
        if core == MATRIX:
            self._diagonal_matrix(targets, inside, known, value, controls, bits)
            return
        if len(inside) == len(targets) and targets:
            self._emit(core, controls + targets, value, len(controls), bits)
            return
        low = self._angle(core, known, value)
        self._add_phase(low, controls, bits)
        if inside:  # of a two-qubit rotation one qubit is left
            (k,) = inside
            high = self._angle(core, known | 1 << k, value)
            self._emit(_P, [*controls, targets[k]], self._new_value(high - low), len(controls), bits)

    def _diagonal_matrix(
        self, targets: list[int], inside: list[int], known: int, index: int, controls: list[int], bits: int
    ) -> None:
        entries = np.diagonal(self.given.matrices[index])
        kept = [
            known | sum(((number >> j) & 1) << k for j, k in enumerate(inside)) for number in range(1 << len(inside))
        ]
        if not inside:
            self._add_phase(float(np.angle(entries[known])), controls, bits)
            return
        self.matrices.append(np.diag(entries[kept]))
        self._emit(MATRIX, controls + [targets[k] for k in inside], len(self.matrices) - 1, len(controls), bits)

    def _angle(self, core: int, bits: int, value: int) -> Any:
        """The phase angle of the diagonal entry `bits` of a gate of the table, a number or an expression."""
        name = row_by_code(core).name
        if name in _FIXED:
            return _FIXED[name] * bits
        if name == "u0":
            return 0.0
        angle = self._value(value)
        if name == "gphase":
            return angle
        if name == "p":
            return angle * float(bits)
        if name == "rz":
            return angle * (bits - 0.5)
        assert name == "rzz"
        return angle * (0.5 if bits in (1, 2) else -0.5)

    def _value(self, place: int) -> Value:
        return self.expressions.get(place, self.values[place])

    def _new_value(self, value: Value) -> int:
        if isinstance(value, Expression):
            self.expressions[len(self.values)] = value
            value = 0.0
        self.values.append(float(value))
        return len(self.values) - 1

    def _add_phase(self, angle: Value, controls: list[int], bits: int) -> None:
        """A phase of the rank's part, or of where local controls are met."""
        if not isinstance(angle, Expression) and angle == 0.0:
            return
        if controls:
            self._emit(_GPHASE, controls, self._new_value(angle), len(controls), bits)
        else:
            self.phase = self.phase + angle


def phase_as_rows(lowered: Lowered) -> Lowered:
    """The same with the phase of the part as two phases, of where qubit 0 is 0 and where it is 1.

    A rank's phase is no global one: where derivatives are taken it has to be a gate.
    """
    if not isinstance(lowered.phase, Expression) and lowered.phase == 0.0:
        return lowered
    expressions, number = dict(lowered.expressions), 0.0
    if isinstance(lowered.phase, Expression):
        expressions[len(lowered.values)] = lowered.phase
    else:
        number = lowered.phase
    at = len(lowered.operands)
    rows = [[_GPHASE, at + bit, 1, len(lowered.values), 1, bit] for bit in (0, 1)]
    return Lowered(
        np.concatenate([lowered.rows, np.array(rows, dtype=np.int64)]), np.append(lowered.operands, [0, 0]),
        np.append(lowered.values, number), expressions, lowered.matrices,
    )  # fmt: skip
