"""Cirq's circuits as ours."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from parsers.interop import refuse, under
from parsers.sympy_reader import value_of
from qsim.circuit import Circuit, GateDefinition
from qsim.classical import Bits, ClassicalOperation, Literal
from qsim.gates import MAX_MATRIX_QUBITS, Gate, UnitaryMatrix
from qsim.linalg import phase_of
from qsim.parameters import Expression, Parameter, Value

#: Class of Cirq's -> row of its power 1, with exponents that are rows too.
_NAMED: dict[str, dict[float, str]] = {
    "XPowGate": {1: "x", 0.5: "sx", -0.5: "sxdg"}, "YPowGate": {1: "y"}, "HPowGate": {1: "h"},
    "ZPowGate": {1: "z", 0.5: "s", -0.5: "sdg", 0.25: "t", -0.25: "tdg"}, "CXPowGate": {1: "cx"},
    "CZPowGate": {1: "cz", 0.5: "cs", -0.5: "csdg"}, "SwapPowGate": {1: "swap"},
    "ISwapPowGate": {1: "iswap", -1: "iswapdg"}, "CCXPowGate": {1: "ccx"}, "CCZPowGate": {1: "ccz"},
}  # fmt: skip
#: Class -> (row of a rotation by pi times the exponent, its phase in half turns). exp(i pi t / 2) rx(pi t) is X**t.
_ROTATIONS = {"XPowGate": ("rx", 0.5), "YPowGate": ("ry", 0.5), "ZPowGate": ("p", 0.0), "CZPowGate": ("cp", 0.0),
              "XXPowGate": ("rxx", 0.5), "YYPowGate": ("ryy", 0.5), "ZZPowGate": ("rzz", 0.5)}  # fmt: skip


def read(theirs: Any) -> Circuit:
    """The circuit of a cirq.Circuit."""
    import cirq

    if not isinstance(theirs, cirq.AbstractCircuit):
        refuse(f"from_cirq takes a cirq.Circuit, got {type(theirs).__name__}.", "cirq")
    return _Reader(cirq, cirq.unroll_circuit_op(theirs.unfreeze(), deep=True, tags_to_check=None)).circuit


class _Reader:
    def __init__(self, cirq: Any, theirs: Any) -> None:
        self.cirq = cirq
        qubits = sorted(theirs.all_qubits())
        for qubit in qubits:
            if qubit.dimension != 2:
                refuse(f"Qubits have two levels; {qubit} has {qubit.dimension}.", "cirq")
        self.places: Mapping[Any, int] = {qubit: k for k, qubit in enumerate(qubits)}
        self.circuit = Circuit(len(qubits))
        self.keys: dict[str, tuple[int, ...]] = {}
        for name in sorted(cirq.parameter_names(theirs)):
            self.circuit.declare_parameter(Parameter(name))
        for operation in theirs.all_operations():
            self.operation(operation, self.circuit)

    def operation(self, operation: Any, circuit: Circuit) -> None:
        """Append an operation."""
        cirq, operation = self.cirq, operation.untagged
        qubits = [self.places[qubit] for qubit in operation.qubits]
        if isinstance(operation, cirq.ClassicallyControlledOperation):
            self.conditional(operation, circuit)
            return
        gate = operation.gate
        if isinstance(gate, cirq.MeasurementGate):
            self.measure(gate, qubits, circuit)
        elif isinstance(gate, cirq.ResetChannel):
            circuit.reset(qubits)
        elif isinstance(gate, (cirq.IdentityGate, cirq.WaitGate)):
            circuit.id(qubits)
        else:
            converted = self.gate(gate) if gate is not None else None
            if converted is None and gate is None and isinstance(operation, cirq.ControlledOperation):
                values = _control_values(operation)
                inner = self.gate(operation.sub_operation.gate)
                if inner is not None and values is not None:
                    converted = under(inner, values, "cirq")
            if converted is not None:
                circuit._append(converted, tuple(qubits), ())
            else:
                self.decomposed(operation, circuit)

    def decomposed(self, operation: Any, circuit: Circuit) -> None:
        """An operation that is neither known nor a matrix, by its parts."""
        cirq = self.cirq
        if cirq.has_unitary(operation) and len(operation.qubits) <= MAX_MATRIX_QUBITS:
            qubits = [self.places[qubit] for qubit in operation.qubits]
            circuit.unitary(_little_endian(cirq.unitary(operation)), qubits)
            return
        parts = cirq.decompose_once(operation, None)
        if parts is None:
            refuse(f"The operation {operation} is not converted: it is no gate that is known here.", "cirq")
        for part in parts:
            self.operation(part, circuit)

    def measure(self, gate: Any, qubits: list[int], circuit: Circuit) -> None:
        key = str(self.cirq.measurement_key_name(gate))
        if key in self.keys:
            refuse(f"The key '{key}' is measured twice; give each measurement a key of its own.", "cirq")
        if gate.confusion_map:
            refuse(f"The measurement '{key}' has a confusion map, which is not converted.", "cirq")
        register = self.circuit.add_clbits(len(qubits), key)
        self.keys[key] = register.indices
        circuit._num_clbits = self.circuit.num_clbits
        for qubit, bit, inverted in zip(qubits, register.indices, gate.full_invert_mask(), strict=True):
            if inverted:
                circuit.x(qubit)
            circuit.measure(qubit, bit)
            if inverted:
                circuit.x(qubit)

    def conditional(self, operation: Any, circuit: Circuit) -> None:
        """An operation under conditions on earlier keys, each of which must hold."""
        conditions = []
        for condition in operation.classical_controls:
            key = str(getattr(condition, "key", ""))
            if not isinstance(condition, self.cirq.KeyCondition) or condition.index != -1 or key not in self.keys:
                refuse(f"The condition {condition} is not converted; one on a key that was measured before is.", "cirq")
            conditions.append(ClassicalOperation("!=", (Bits(self.keys[key]), Literal(0))))
        whole = conditions[0]
        for condition in conditions[1:]:
            whole = ClassicalOperation("&&", (whole, condition))
        body = circuit.block()
        self.operation(operation.without_classical_controls(), body)
        if body.num_clbits > circuit.num_clbits:
            circuit._num_clbits = body.num_clbits
        circuit.if_else(whole, body)

    # gates --------------------------------------------------------------------------------------------------
    def gate(self, gate: Any) -> Gate | None:
        """A gate; None for one that is to be decomposed."""
        cirq = self.cirq
        if isinstance(gate, cirq.ControlledGate):
            values, inner = _control_values(gate), self.gate(gate.sub_gate)
            if inner is None or values is None:
                return None
            return under(inner, values, "cirq")
        if isinstance(gate, cirq.GlobalPhaseGate) and not cirq.is_parameterized(gate):
            return Gate("gphase", phase_of(complex(gate.coefficient)))
        kind = type(gate).__name__
        if isinstance(gate, cirq.EigenGate):
            known = self._power(
                gate,
                "XPowGate" if kind == "Rx" else "YPowGate" if kind == "Ry" else "ZPowGate" if kind == "Rz" else kind,
            )
            if known is not None:
                return known
        if kind == "CSwapGate":
            return Gate("cswap")
        if not cirq.is_parameterized(gate) and cirq.num_qubits(gate) <= MAX_MATRIX_QUBITS:
            matrix = cirq.unitary(gate, None)
            if matrix is not None:
                return Gate(UnitaryMatrix(_little_endian(matrix), kind))
        return None

    def _power(self, gate: Any, kind: str) -> Gate | None:
        exponent, shift = self.value(gate.exponent), float(gate._global_shift)
        if isinstance(exponent, float) and shift == 0 and exponent in _NAMED.get(kind, {}):
            return Gate(_NAMED[kind][exponent])
        if kind == "CXPowGate":  # a phase of the whole is not one of the controlled gate
            return self._rotation("rx", exponent, 0.5, "x_power").control() if shift == 0 else None
        if kind not in _ROTATIONS:
            return None
        row, half_turns = _ROTATIONS[kind]
        return self._rotation(row, exponent, half_turns + shift, f"{kind[0].lower()}_power")

    @staticmethod
    def _rotation(row: str, exponent: Value, half_turns: float, name: str) -> Gate:
        """A rotation by pi times the exponent, with a phase of so many half turns times the exponent."""
        if half_turns == 0:
            return Gate(row, math.pi * exponent)
        t = Parameter("t")
        qubits = Gate(row, t).num_qubits
        body = Circuit(qubits).append(Gate(row, math.pi * t), range(qubits)).gphase(math.pi * half_turns * t)
        return Gate(GateDefinition(name, [t], body), exponent)

    def value(self, value: Any) -> Value:
        """A number, or a SymPy expression of symbols."""
        if not self.cirq.is_parameterized(value):
            return float(value)
        symbols: dict[str, Value] = {name: Parameter(name) for name in self.cirq.parameter_names(value)}
        result = value_of(value, symbols, "cirq")
        return result if isinstance(result, Expression) else float(result)


def _control_values(gate: Any) -> tuple[int, ...] | None:
    """The value that each control must have; None when a control has several."""
    values = list(gate.control_values)
    if not all(type(v).__name__ == "int" or (hasattr(v, "__len__") and len(v) == 1) for v in values):
        return None
    try:
        flat = tuple(int(v if isinstance(v, int) else v[0]) for v in values)
    except TypeError:
        return None
    return flat if all(v in (0, 1) for v in flat) and len(flat) == gate.num_controls() else None


def _little_endian(matrix: Any) -> Any:
    """The matrix with the first qubit as the least significant bit of its index."""
    qubits = len(matrix).bit_length() - 1
    tensor = np.asarray(matrix, dtype=np.complex128).reshape((2,) * (2 * qubits))
    order = [*reversed(range(qubits)), *reversed(range(qubits, 2 * qubits))]
    return tensor.transpose(order).reshape(1 << qubits, 1 << qubits)
