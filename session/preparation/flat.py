"""Circuits without definitions: every gate is a row of the table, or a matrix, under controls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from qsim.circuit import Circuit
from qsim.compiler.lowering import MATRIX, lower_gate
from qsim.gates import Gate, GateRow, UnitaryMatrix, row_by_code
from qsim.parameters import Expression
from session.errors import SessionError
from session.preparation.euler import Matrix


@dataclass(frozen=True)
class FlatGate:
    """A base under controls: `controls` are the values that the first qubits must have, the base's own come after them.

    `row` is None for a matrix, which then is `matrix`, of the qubits behind all controls.
    """

    row: GateRow | None
    params: tuple[float, ...]
    controls: tuple[int, ...]
    qubits: tuple[int, ...]
    matrix: Matrix | None = None


def flat_gates(gate: Gate, qubits: tuple[int, ...]) -> Iterator[FlatGate]:
    """The gates that a gate stands for, definitions and powers expanded, in order of time.

    A global phase inside comes as ``gphase`` on no qubits.

    Raises:
        SessionError: a parameter has no value yet.
    """
    base = gate.base
    if gate.is_symbolic:
        names = sorted({p.name for v in gate.params if isinstance(v, Expression) for p in v.parameters})
        raise SessionError(
            f"Gate '{gate.name}' has no numbers yet for {', '.join(names)}. Bind the circuit first: circuit.bind({{...}})."
        )
    if isinstance(base, GateRow) and not gate.powers:
        yield FlatGate(base, tuple(float(p) for p in gate.params), gate.controls, qubits)
        return
    block = lower_gate(gate)
    operands, values = block.operands.tolist(), block.values.tolist()
    for code, start, count, first, controls, bits in block.rows.tolist():
        on = tuple(qubits[k] for k in operands[start : start + count])
        under = tuple(bits >> k & 1 for k in range(controls))
        if code == MATRIX:
            yield FlatGate(None, (), under, on, block.matrices[first])
        else:
            row = row_by_code(code)
            yield FlatGate(row, tuple(values[first : first + row.num_params]), under, on)
    phase = block.phase
    assert not isinstance(phase, Expression)
    if phase:
        yield FlatGate(row_by_code(0), (phase,), (), ())


def inlined(circuit: Circuit) -> Circuit:
    """A copy of a circuit in which every definition is replaced by what it stands for.

    Args:
        circuit: with numbers for all parameters.

    Raises:
        SessionError: a parameter has no value yet.

    >>> from qsim import GateDefinition
    >>> pair = GateDefinition("pair", [], Circuit(2).h(0).cx(0, 1))
    >>> inlined(Circuit(2).append(Gate(pair), [1, 0])).count_ops()
    {'h': 1, 'cx': 1}
    """
    from qsim.classical import bodies, rebuilt

    result = circuit.block()
    result.global_phase = circuit.global_phase
    for parameter in circuit.parameters:
        result.declare_parameter(parameter)
    for instruction in circuit:
        operation = instruction.operation
        if not isinstance(operation, Gate):
            if not instruction.qubits and bodies(operation):  # type: ignore[arg-type]
                operation = rebuilt(operation, inlined)  # type: ignore[arg-type]
            result._append(operation, instruction.qubits, instruction.clbits)
        elif isinstance(operation.base, GateRow) and not operation.powers:
            result._append(operation, instruction.qubits, ())
        else:
            for flat in flat_gates(operation, instruction.qubits):
                made = Gate(flat.row, *flat.params) if flat.row is not None else _matrix_gate(flat)
                result._append(made._with(controls=flat.controls + made.controls), flat.qubits, ())
    return result


def _matrix_gate(flat: FlatGate) -> Gate:
    assert flat.matrix is not None
    own = len(flat.qubits) - (len(flat.matrix).bit_length() - 1) - len(flat.controls)
    return Gate(UnitaryMatrix(flat.matrix))._with(controls=(1,) * own)
