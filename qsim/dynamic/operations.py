"""Gates as the parts of a circuit that branches know them: what they act on, how, and with which numbers.

A gate here is a row of the gate table or a matrix, under controls. Definitions are expanded; a symbolic gate without a
flat form (a fractional power, say) is kept whole and becomes a matrix when its numbers are known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.circuit import GATE_OBJECT, ROW, Circuit
from qsim.compiler.lowering import MATRIX, Lowered, NeedsNumbers, lower_gate
from qsim.gates import Gate, Structure, row_by_code
from qsim.kernels import small
from qsim.parameters import Expression, Value

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class GateStep:
    """One gate.

    Attributes:
        code: of the gate table, or MATRIX.
        qubits: controls first.
        params: numbers or expressions.
        controls: how many of the qubits are controls, those of the gate table's row included.
        values: bits that they must have.
        matrix: of a gate that is given by one.
        late: the gate itself, where a matrix has to wait for its numbers.
    """

    code: int
    qubits: tuple[int, ...]
    params: tuple[Value, ...]
    controls: int
    values: int
    matrix: Array | None = None
    late: Gate | None = None

    @property
    def is_diagonal(self) -> bool:
        """Whether its matrix is diagonal whatever its numbers."""
        if self.late is not None:
            return False
        if self.matrix is not None:
            return not np.any(self.matrix - np.diag(np.diagonal(self.matrix)))
        return _row_facts(self.code)[0]

    @property
    def steady(self) -> tuple[int, ...]:
        """The qubits on which it commutes with a measurement: its controls, or all when it is diagonal."""
        return self.qubits if self.is_diagonal else self.qubits[: self.controls]

    @property
    def kind(self) -> int:
        """Its kind in `qsim.kernels.small`."""
        if self.is_diagonal:
            return small.PHASES
        return small.FLIP if self.code != MATRIX and _row_facts(self.code)[1] else small.MATRIX

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters that it needs."""
        given = self.params if self.late is None else self.late.params
        return tuple(p.name for value in given if isinstance(value, Expression) for p in value.parameters)

    def coefficients(self, values: Mapping[str, float]) -> Array:
        """Its matrix without controls, row by row, or its diagonal; complex128."""
        if self.late is not None:
            matrix = bound(self.late, values).matrix()
        elif self.matrix is not None:
            matrix = self.matrix
        elif not self.params:
            return _constant(self.code, self.kind == small.PHASES)
        else:
            numbers = [p.evaluate(values) if isinstance(p, Expression) else p for p in self.params]
            matrix = row_by_code(self.code).base_matrix(*numbers)
        flat: Array = np.ascontiguousarray(np.diagonal(matrix) if self.kind == small.PHASES else matrix).reshape(-1)
        return flat


def bound(gate: Gate, values: Mapping[str, float]) -> Gate:
    """A gate with numbers for its parameters."""
    return gate._with(params=tuple(p.evaluate(values) if isinstance(p, Expression) else p for p in gate.params))


@cache
def _row_facts(code: int) -> tuple[bool, bool]:
    """Whether a gate of the table is diagonal, and whether it is X without its controls."""
    row = row_by_code(code)
    return bool(row.structure & Structure.DIAGONAL), row.name in ("x", "cx", "ccx", "c3x", "c4x")


@cache
def _constant(code: int, diagonal: bool) -> Array:
    row = row_by_code(code)
    matrix = row.base_matrix(*[0.0] * row.num_params)
    return np.ascontiguousarray(np.diagonal(matrix) if diagonal else matrix).reshape(-1)


def gate_steps(circuit: Circuit, at: int) -> list[GateStep]:
    """The gates that operation `at` of a circuit, a gate, stands for; scalar factors are left out."""
    code, first, count, index, controls, bits = circuit._rows[ROW * at : ROW * at + ROW]
    operands = circuit._operands[first : first + count]
    if code == GATE_OBJECT:
        gate = circuit._objects[index]
        assert isinstance(gate, Gate)
        try:
            block = lower_gate(gate)
        except NeedsNumbers:
            return [GateStep(MATRIX, tuple(operands), (), 0, 0, late=gate)]
        return _block_steps(block, operands)
    row = row_by_code(code)
    if not count:
        return []
    params = tuple(circuit._expressions.get(k, circuit._values[k]) for k in range(index, index + row.num_params))
    return [_row_step(code, tuple(operands), params, controls, bits)]


def _row_step(code: int, qubits: tuple[int, ...], params: tuple[Value, ...], controls: int, bits: int) -> GateStep:
    own = row_by_code(code).controls
    return GateStep(code, qubits, params, controls + own, bits | ((1 << own) - 1) << controls)


def _block_steps(block: Lowered, qubits: Any) -> list[GateStep]:
    steps: list[GateStep] = []
    for code, first, count, value, controls, bits in block.rows.tolist():
        on = tuple(qubits[k] for k in block.operands[first : first + count].tolist())
        if not on:
            continue
        if code == MATRIX:
            steps.append(GateStep(MATRIX, on, (), controls, bits, matrix=block.matrices[value]))
            continue
        number = row_by_code(code).num_params
        params = tuple(block.expressions.get(k, float(block.values[k])) for k in range(value, value + number))
        steps.append(_row_step(code, on, params, controls, bits))
    return steps


def lowered(steps: list[GateStep], places: Mapping[int, int], values: Mapping[str, float]) -> Lowered:
    """Gates as rows for the compiler, with `places[q]` as qubit q; expressions stay symbolic."""
    rows: list[tuple[int, ...]] = []
    operands: list[int] = []
    numbers: list[float] = []
    expressions: dict[int, Expression] = {}
    matrices: list[Any] = []
    for step in steps:
        controls, bits = step.controls, step.values
        if step.code == MATRIX:
            matrix = step.matrix if step.late is None else bound(step.late, values).matrix()
            rows.append((MATRIX, len(operands), len(step.qubits), len(matrices), controls, bits))
            matrices.append(matrix)
        else:
            controls -= row_by_code(step.code).controls
            rows.append(
                (step.code, len(operands), len(step.qubits), len(numbers), controls, bits & ((1 << controls) - 1))
            )
            for param in step.params:
                if isinstance(param, Expression):
                    expressions[len(numbers)] = param
                    param = 0.0
                numbers.append(param)
        operands.extend(places[q] for q in step.qubits)
    return Lowered(
        np.array(rows, dtype=np.int64).reshape(-1, ROW), np.array(operands, dtype=np.int64), np.array(numbers),
        expressions, matrices,
    )  # fmt: skip
