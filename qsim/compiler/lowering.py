"""Lowering: definitions, powers and matrices of a circuit become one flat list of controlled table gates.

A lowered row has the circuit's own layout, (code, first operand, operands, first value, controls, control values),
with one code more: MATRIX, whose fourth column is an index into `matrices`. A plain circuit's columns are taken as
they are. A definition is lowered once, with its formal parameters symbolic, and then copied into place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.circuit import BARRIER, DELAY, FEED_FORWARD, GATE_OBJECT, MEASURE, RESET, ROW, Circuit, GateDefinition
from qsim.errors import CircuitError, QsimError
from qsim.gates import GATES, ComplexMatrix, Gate, GateRow, UnitaryMatrix, row_by_code
from qsim.linalg import principal_power
from qsim.parameters import Expression, Value

Ints = npt.NDArray[np.int64]
MATRIX = -10


class NeedsNumbers(QsimError):
    """A fractional power of a gate whose parameters are symbolic has no flat form: bind the circuit first."""


@dataclass
class Lowered:
    """Flat operations on local qubits; `expressions` maps an index of `values` to its expression."""

    rows: Ints
    operands: Ints
    values: npt.NDArray[np.float64]
    expressions: dict[int, Expression] = field(default_factory=dict)
    matrices: list[ComplexMatrix] = field(default_factory=list)
    phase: Value = 0.0


def lower(circuit: Circuit, start: int = 0, stop: int | None = None) -> Lowered:
    """The gates among operations [start, stop) of a circuit, flat; measurements and barriers are left out."""
    rows = np.array(circuit._rows, dtype=np.int64).reshape(-1, ROW)[start:stop]
    operands = np.array(circuit._operands, dtype=np.int64)
    values = np.array(circuit._values, dtype=np.float64)
    codes = rows[:, 0]
    if codes.size and codes.min() >= 0:
        return Lowered(rows, operands, values, dict(circuit._expressions), [], circuit.global_phase)
    if ((codes == RESET) | (codes == FEED_FORWARD)).any():
        raise CircuitError("Only gates can be compiled; a reset or a feed-forward operation was left in.")
    rows = rows[(codes != MEASURE) & (codes != BARRIER) & (codes != DELAY)]
    plain = Lowered(rows, operands, values, dict(circuit._expressions), [], circuit.global_phase)
    if not (rows[:, 0] == GATE_OBJECT).any():
        return plain
    joined = _Joiner(plain)
    objects = np.flatnonzero(rows[:, 0] == GATE_OBJECT)
    begin = 0
    memo: dict[int, Lowered] = {}
    for at in objects.tolist():
        joined.rows.append(rows[begin:at])
        begin = at + 1
        _, first, count, index, _, _ = rows[at].tolist()
        gate = circuit._objects[index]
        assert isinstance(gate, Gate)
        block = memo.get(id(gate))
        if block is None:
            block = memo[id(gate)] = lower_gate(gate)
        joined.add(block, operands[first : first + count])
    joined.rows.append(rows[begin:])
    return joined.result()


class _Joiner:
    """Concatenates blocks, shifting what their rows point to."""

    def __init__(self, first: Lowered | None = None) -> None:
        empty = Lowered(np.zeros((0, ROW), np.int64), np.zeros(0, np.int64), np.zeros(0))
        first = first or empty
        self.rows: list[Ints] = []
        self.operands, self.values = [first.operands], [first.values]
        self.num_operands, self.num_values = len(first.operands), len(first.values)
        self.expressions = dict(first.expressions)
        self.matrices = list(first.matrices)
        self.phase = first.phase

    def add(self, block: Lowered, qubits: Ints) -> None:
        """Append `block` with its local qubit k as qubits[k]."""
        rows = block.rows.copy()
        rows[:, 1] += self.num_operands
        rows[:, 3] += np.where(rows[:, 0] == MATRIX, len(self.matrices), self.num_values)
        self.rows.append(rows)
        self.operands.append(qubits[block.operands])
        self.values.append(block.values)
        for slot, expression in block.expressions.items():
            self.expressions[slot + self.num_values] = expression
        self.num_operands += len(block.operands)
        self.num_values += len(block.values)
        self.matrices.extend(block.matrices)
        self.phase = self.phase + block.phase

    def result(self) -> Lowered:
        rows = np.concatenate(self.rows) if self.rows else np.zeros((0, ROW), np.int64)
        return Lowered(
            rows,
            np.concatenate(self.operands),
            np.concatenate(self.values),
            self.expressions,
            self.matrices,
            self.phase,
        )


def lower_gate(gate: Gate) -> Lowered:
    """A gate that is no plain table row, on qubits 0 to ``num_qubits - 1``."""
    base = gate.base
    if isinstance(base, GateDefinition):
        block = _definition(base, gate)
    elif gate.is_symbolic:
        block = _row_power(gate)
    else:
        own = base.controls if isinstance(base, GateRow) else 0
        operands = np.arange(base.num_qubits, dtype=np.int64)
        row = np.array([[MATRIX, 0, base.num_qubits, 0, own, (1 << own) - 1]], dtype=np.int64)
        if isinstance(base, GateRow):
            matrix = base.base_matrix(*[float(p) for p in gate.params])
            for power in gate.powers:
                matrix = principal_power(matrix, power)
        else:
            matrix = gate.base_matrix()
        block = Lowered(row, operands, np.zeros(0), {}, [matrix])
    return _controlled(block, gate.controls)


def _definition(base: GateDefinition, gate: Gate) -> Lowered:
    if any(not float(power).is_integer() for power in gate.powers):
        if gate.is_symbolic:
            raise NeedsNumbers(f"A fractional power of '{base.name}' needs numbers for its parameters.")
        if base.num_qubits > 8:
            raise CircuitError(
                f"A fractional power is taken of gates on at most 8 qubits; '{base.name}' has {base.num_qubits}."
            )
        return lower_gate(Gate(UnitaryMatrix(gate.base_matrix(), base.name)))
    times = int(gate.powers[0]) if gate.powers else 1
    base.check_size(max(1, abs(times)))
    block = _substituted(_lowered_definition(base, gate), base, gate)
    return _repeated(inverse(block) if times < 0 else block, abs(times), base.num_qubits)


def _lowered_definition(base: GateDefinition, gate: Gate) -> Lowered:
    """The body of a definition with symbolic formal parameters, inner definitions first, without recursion."""
    if base.lowered is None:
        stack = [(base, False)]
        while stack:
            definition, inner_done = stack.pop()
            if definition.lowered is not None:
                continue
            if not inner_done:
                stack.append((definition, True))
                stack.extend((inner, False) for inner in definition.uses)
                continue
            try:
                definition.lowered = lower(definition.body)
            except NeedsNumbers:
                definition.lowered = NeedsNumbers
    if base.lowered is NeedsNumbers:
        if gate.is_symbolic:
            raise NeedsNumbers(f"Gate '{base.name}' takes a fractional power, which needs numbers for its parameters.")
        bound = base.body.bind({p.name: v for p, v in zip(base.parameters, gate.params, strict=True)})
        return lower(bound)
    assert isinstance(base.lowered, Lowered)
    return base.lowered


def _substituted(block: Lowered, base: GateDefinition, gate: Gate) -> Lowered:
    """The block with the definition's formal parameters replaced by the gate's."""
    if not block.expressions and not isinstance(block.phase, Expression):
        return block
    given: dict[str, Value] = {p.name: v for p, v in zip(base.parameters, gate.params, strict=True)}
    values, expressions = block.values.copy(), {}
    for slot, expression in block.expressions.items():
        value = expression.substitute(given)
        if isinstance(value, Expression):
            expressions[slot] = value
        else:
            values[slot] = value
    phase = block.phase.substitute(given) if isinstance(block.phase, Expression) else block.phase
    return Lowered(block.rows, block.operands, values, expressions, block.matrices, phase)


def _row_power(gate: Gate) -> Lowered:
    """An integer power of a table gate with symbolic parameters: the gate, or its inverse, repeated."""
    base, (power, *more) = gate.base, gate.powers
    assert isinstance(base, GateRow)
    if more or not float(power).is_integer() or abs(power) > 1000:
        raise NeedsNumbers(f"The power {power:g} of '{base.name}' needs numbers for its parameters.")
    circuit = Circuit(base.num_qubits)
    plain = Gate(base, *gate.params)
    circuit.append(plain.inverse() if power < 0 else plain, range(base.num_qubits))
    return _repeated(lower(circuit), abs(int(power)), base.num_qubits)


def _repeated(block: Lowered, times: int, num_qubits: int) -> Lowered:
    if times == 1:
        return block
    joined, qubits = _Joiner(), np.arange(num_qubits, dtype=np.int64)
    for _ in range(times):
        joined.add(block, qubits)
    return joined.result()


def inverse(block: Lowered) -> Lowered:
    """The rows of the inverse, with values and matrices of its own."""
    values: list[float] = []
    expressions: dict[int, Expression] = {}
    rows: list[tuple[int, ...]] = []
    operands: list[int] = []
    matrices: list[ComplexMatrix] = []
    for code, first, count, value, controls, bits in block.rows[::-1].tolist():
        qubits = block.operands[first : first + count].tolist()
        if code == MATRIX:
            rows.append((MATRIX, len(operands), count, len(matrices), controls, bits))
            matrices.append(block.matrices[value].conj().T.copy())
        else:
            row = row_by_code(code)
            params: list[Any] = [
                block.expressions.get(k, float(block.values[k])) for k in range(value, value + row.num_params)
            ]
            if row.inverse_order is not None:
                plain = qubits[controls:]
                qubits = qubits[:controls] + [plain[k] for k in row.inverse_order]
            rows.append((GATES[row.inverse].code, len(operands), count, len(values), controls, bits))
            for param in row.inverse_params(*params):
                if isinstance(param, Expression):
                    expressions[len(values)] = param
                    param = 0.0
                values.append(param)
        operands.extend(qubits)
    return Lowered(
        np.array(rows, dtype=np.int64).reshape(-1, ROW), np.array(operands, dtype=np.int64), np.array(values),
        expressions, matrices, -block.phase,
    )  # fmt: skip


def _controlled(block: Lowered, controls: tuple[int, ...]) -> Lowered:
    """Every row under `controls`, which become qubits 0, 1, ...; the block's phase becomes a controlled one."""
    extra = len(controls)
    if not extra:
        return block
    bits = sum(value << k for k, value in enumerate(controls))
    if isinstance(block.phase, Expression) or block.phase != 0.0:
        phase_row = np.array([[GATES["gphase"].code, len(block.operands), 0, len(block.values), 0, 0]], dtype=np.int64)
        expressions = dict(block.expressions)
        number = 0.0
        if isinstance(block.phase, Expression):
            expressions[len(block.values)] = block.phase
        else:
            number = block.phase
        rows = np.concatenate([block.rows, phase_row])
        block = Lowered(rows, block.operands, np.append(block.values, number), expressions, block.matrices)
    rows = block.rows.copy()
    counts = rows[:, 2]
    # Each row's operands get the control qubits in front: one copy of every operand list, in row order.
    starts = np.concatenate([[0], np.cumsum(counts + extra)])
    operands = np.zeros(int(starts[-1]), dtype=np.int64)
    for k in range(extra):
        operands[starts[:-1] + k] = k
    if counts.sum():
        within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
        operands[np.repeat(starts[:-1] + extra, counts) + within] = (
            block.operands[np.repeat(rows[:, 1], counts) + within] + extra
        )
    rows[:, 1] = starts[:-1]
    rows[:, 2] += extra
    rows[:, 4] += extra
    rows[:, 5] = (rows[:, 5] << extra) | bits
    return Lowered(rows, operands, block.values, block.expressions, block.matrices)
