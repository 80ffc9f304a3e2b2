"""Circuits to OpenQASM 2, with the first qelib1.inc and definitions of every other gate."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Sequence

import numpy as np

from parsers.errors import QasmWarning
from parsers.library import QELIB1_EXTRAS, QELIB1_NAMES
from parsers.synthesis import ManyControls, angles_of, as_table_phase, definitions_first, matrix_circuit
from parsers.writer import bit_registers, names2, registers
from parsers.writer3_gates import MATRIX_QUBITS
from parsers.writer_classical import refuse
from parsers.writer_gates import DEFINITIONS2, MORE_CONTROLS, ROWS2
from parsers.writer_values import NeedsNumbers, number_text, value_text2
from qsim.circuit import Barrier, Circuit, Delay, GateDefinition, Instruction, Measure, Reset, Snapshot
from qsim.classical import Bits, ClassicalExpression, ClassicalOperation, IfElse, Literal, clbits_of, parameters_of
from qsim.errors import QsimError
from qsim.gates import GATES, ComplexMatrix, Gate, GateRow, UnitaryMatrix
from qsim.linalg import principal_power

#: Bits of a register whose values a condition is written for one by one, and times that a gate is written for its power.
MOST_BITS, MOST_REPEATED = 6, 64


def write2(circuit: Circuit) -> str:
    """The program of a circuit; its global phase has no meaning in OpenQASM 2."""
    if circuit.parameters:
        names = ", ".join(p.name for p in circuit.parameters[:5])
        refuse(f"OpenQASM 2 has no parameters; this circuit has {names}. Bind them, or write version 3.0.")
    writer = _Writer(circuit)
    body = [line for instruction in circuit for line in writer.instruction(instruction)]
    head = ["OPENQASM 2.0;", 'include "qelib1.inc";']
    return "\n".join([*head, *writer.definitions, *writer.declarations, *body]) + "\n"


class _Writer:
    def __init__(self, circuit: Circuit) -> None:
        self.names = names2({*DEFINITIONS2, *ROWS2.values(), *QELIB1_NAMES, *QELIB1_EXTRAS})
        self.definitions: list[str] = []
        self.written: dict[object, str] = {}
        #: Definitions made out of others: with so many controls (0: the inverse), or with numbers as parameters.
        self.derived: dict[object, GateDefinition] = {}
        self.many = ManyControls()
        qubits = registers(
            self.names, circuit.qubit_registers, circuit.num_qubits, "q", lambda name, size: f"qreg {name}[{size}];"
        )
        bits = bit_registers(self.names, circuit, lambda name, size: f"creg {name}[{size}];")
        self.declarations = qubits.lines + bits.lines
        self.qubits, self.clbits, self.whole = qubits.elements, bits.elements, bits.whole

    # statements ---------------------------------------------------------------------------------------------
    def instruction(self, instruction: Instruction) -> list[str]:
        """The lines of one operation."""
        operation = instruction.operation
        qubits = [self.qubits[q] for q in instruction.qubits]
        if isinstance(operation, Gate):
            return self.calls(operation, qubits, {})
        if isinstance(operation, Measure):
            if instruction.clbits[0] not in self.clbits:
                refuse(
                    "OpenQASM 2 measures into registers, which are results; here is a measurement without one. Write "
                    "version 3.0."
                )
            return [f"measure {qubits[0]} -> {self.clbits[instruction.clbits[0]]};"]
        if isinstance(operation, Reset):
            return [f"reset {qubits[0]};"]
        if isinstance(operation, Barrier):
            if isinstance(operation, Snapshot):
                warnings.warn(f"Snapshot '{operation.label}' is written as a barrier.", QasmWarning, stacklevel=2)
            return [f"barrier {','.join(qubits)};"] if qubits else []
        if isinstance(operation, Delay):
            warnings.warn("OpenQASM 2 has no delay; delays are left out.", QasmWarning, stacklevel=2)
            return []
        if isinstance(operation, IfElse):
            return self.condition(operation)
        refuse(f"OpenQASM 2 has no {type(operation).__name__}. Write version 3.0.")

    def condition(self, node: IfElse) -> list[str]:
        """`if (register == number)` before every operation, for every number for which the condition holds."""
        used = clbits_of(node.condition)
        bits = next((bits for bits in self.whole if used and used.issubset(bits)), None)
        if bits is None or parameters_of(node.condition):
            refuse("OpenQASM 2 has only conditions 'register == number'. Write version 3.0.")
        lines: list[str] = []
        values = self._values(node.condition, bits)
        if node.orelse is None and len(values) <= 1:
            return self._conditional(node.body, bits, values[0], changes=True) if values else []
        if len(bits) > MOST_BITS:
            refuse(
                f"OpenQASM 2 has only conditions 'register == number'; one with more values is written for registers of up "
                f"to {MOST_BITS} bits. Write version 3.0."
            )
        for value in range(1 << len(bits)):
            body = node.body if value in values else node.orelse
            if body is not None:
                lines += self._conditional(body, bits, value, changes=False)
        return lines

    @staticmethod
    def _values(condition: ClassicalExpression, bits: tuple[int, ...]) -> list[int]:
        """The values of a register for which a condition holds."""
        if isinstance(condition, ClassicalOperation) and condition.op == "==" and condition.width is None:
            left, right = condition.args
            if isinstance(left, Bits) and left.clbits == bits and isinstance(right, Literal):
                return [int(right.value)] if right.value in range(1 << len(bits)) else []
        if len(bits) > MOST_BITS:
            refuse(
                f"A condition is written as OpenQASM 2 by the values of its register, of up to {MOST_BITS} bits; this one "
                f"has {len(bits)}. Write version 3.0."
            )
        memories = [
            (value, sum((value >> k & 1) << bit for k, bit in enumerate(bits))) for value in range(1 << len(bits))
        ]
        return [value for value, memory in memories if condition.evaluate(memory)]

    def _conditional(self, block: Circuit, bits: tuple[int, ...], value: int, *, changes: bool) -> list[str]:
        """Every operation of a block with its condition; only the last may change the register, if any."""
        lines: list[str] = []
        body = list(block)
        for k, instruction in enumerate(body):
            if not isinstance(instruction.operation, (Gate, Measure, Reset)):
                refuse("In OpenQASM 2 only gates, measurements and resets have a condition. Write version 3.0.")
            if (k < len(body) - 1 or not changes) and not set(instruction.clbits).isdisjoint(bits):
                refuse(
                    "In OpenQASM 2 a conditional block cannot change the bits of its own condition. Write version 3.0."
                )
            lines += [f"if ({self.whole[bits]} == {value}) {line}" for line in self.instruction(instruction)]
        return lines

    # gates --------------------------------------------------------------------------------------------------
    def calls(self, gate: Gate, qubits: Sequence[str], parameters: dict[str, str]) -> list[str]:
        """The gate calls that a gate with modifiers stands for."""
        try:
            return self._calls(gate, qubits, parameters)
        except NeedsNumbers:
            base = gate.base
            if gate.is_symbolic or not isinstance(base, GateDefinition) or not gate.params:
                raise
        bound = self.derived.get((base, gate.params))
        if bound is None:
            values = {p.name: value for p, value in zip(base.parameters, gate.params, strict=True)}
            bound = self.derived[base, gate.params] = GateDefinition(base.name, [], base.body.bind(values))
        return self._calls(gate._with(base=bound, params=()), qubits, parameters)

    def _calls(self, gate: Gate, qubits: Sequence[str], parameters: dict[str, str]) -> list[str]:
        gate = as_table_phase(gate)
        base, controls = gate.base, gate.controls
        if 0 in controls:
            flips = [f"x {q};" for q, value in zip(qubits, controls, strict=False) if value == 0]
            return [*flips, *self.calls(gate._with(controls=(1,) * len(controls)), qubits, parameters), *flips]
        if gate.powers:
            return self.powers(gate, qubits, parameters)
        if controls:
            return self.controlled(gate, qubits, parameters)
        if base.num_qubits == 0:
            return []  # a global phase
        params = [value_text2(p, parameters) for p in gate.params]
        if isinstance(base, UnitaryMatrix) and base.num_qubits == 1:
            _, *angles = angles_of(base.matrix)
            return [f"u3({','.join(map(number_text, angles))}) {qubits[0]};"]
        name = self.base(base)
        bracket = f"({','.join(params)})" if params else ""
        return [f"{name}{bracket} {','.join(qubits)};"]

    def controlled(self, gate: Gate, qubits: Sequence[str], parameters: dict[str, str]) -> list[str]:
        base, number = gate.base, len(gate.controls)
        if isinstance(base, GateRow):
            row = "p" if base.name == "gphase" and number == 1 else MORE_CONTROLS.get((base.name, number))
            if row is not None:
                return self.calls(Gate(GATES[row], *gate.params), qubits, parameters)
            number += base.controls
        one_qubit = base.num_qubits - (base.controls if isinstance(base, GateRow) else 0) == 1
        if isinstance(base, GateDefinition) and (not one_qubit or gate.is_symbolic):
            definition = self._controlled_definition(base, number)
        elif gate.is_symbolic:
            raise NeedsNumbers
        else:
            matrix = _matrix_of(gate)
            if len(matrix) == 1:
                definition = self.many.controlled(np.diag([1, matrix[0, 0]]), number - 1)
            elif one_qubit:
                definition = self.many.controlled(matrix, number)
            else:
                definition = self._controlled_definition(self._matrix(matrix, base), number)
        params = gate.params if definition.num_params else ()
        return self.calls(Gate(definition, *params), qubits, parameters)

    def _matrix(self, matrix: ComplexMatrix, base: GateRow | GateDefinition | UnitaryMatrix) -> GateDefinition:
        """A matrix as a definition."""
        known = self.derived.get((base.name, matrix.tobytes()))
        if known is None:
            qubits = len(matrix).bit_length() - 1
            if qubits > MATRIX_QUBITS:
                refuse(
                    f"A matrix on at most {MATRIX_QUBITS} qubits is written as gates; '{base.name}' has {qubits}. Write it "
                    "as gates yourself."
                )
            known = GateDefinition(base.name, [], matrix_circuit(matrix))
            self.derived[base.name, matrix.tobytes()] = known
        return known

    def _controlled_definition(self, base: GateDefinition, number: int) -> GateDefinition:
        """A definition whose every gate has the controls, and its global phase."""
        known = self.derived.get((base, number))
        if known is not None:
            return known
        controls = list(range(number))
        body = Circuit(base.num_qubits + number)
        for parameter in base.parameters:
            body.declare_parameter(parameter)
        for instruction in base.body:
            if isinstance(instruction.operation, Gate):
                body.append(instruction.operation.control(number), controls + [q + number for q in instruction.qubits])
        if base.body.global_phase != 0.0:
            body.append(Gate("gphase", base.body.global_phase).control(number), controls)
        result = GateDefinition("c" * number + base.name, base.parameters, body)
        self.derived[base, number] = result
        return result

    def powers(self, gate: Gate, qubits: Sequence[str], parameters: dict[str, str]) -> list[str]:
        exponent = math.prod(gate.powers)
        if not all(power.is_integer() for power in gate.powers) or abs(exponent) > MOST_REPEATED:
            if gate.is_symbolic:
                raise NeedsNumbers
            if gate.base.num_qubits > MATRIX_QUBITS:
                refuse(
                    f"A power {exponent:g} is written as OpenQASM 2 by its matrix, on at most {MATRIX_QUBITS} qubits; "
                    f"'{gate.name}' has {gate.base.num_qubits}. Write version 3.0."
                )
            own = (1,) * gate.base.controls if isinstance(gate.base, GateRow) else ()
            matrix = Gate(UnitaryMatrix(_matrix_of(gate), gate.name + "_power"))
            return self.calls(matrix._with(controls=gate.controls + own), qubits, parameters)
        plain = gate._with(powers=())
        if exponent < 0:
            if isinstance(gate.base, GateDefinition):
                plain = plain._with(base=self._inverse(gate.base))
            elif isinstance(gate.base, UnitaryMatrix):
                plain = plain._with(base=UnitaryMatrix(gate.base.matrix.conj().T, gate.base.name + "_inv"))
            else:
                plain = plain.inverse()
                if plain.powers:  # its inverse is itself on qubits in another order
                    order = gate.base.inverse_order
                    assert order is not None
                    lead = len(gate.controls)
                    qubits = [*qubits[:lead], *[qubits[lead + k] for k in order]]
                    plain = plain._with(powers=())
        return self.calls(plain, qubits, parameters) * abs(int(exponent))

    def _inverse(self, base: GateDefinition) -> GateDefinition:
        known = self.derived.get((base, 0))
        if known is None:
            try:
                known = self.derived[base, 0] = GateDefinition(base.name + "_inv", base.parameters, base.body.inverse())
            except QsimError as error:
                refuse(str(error))
        return known

    def base(self, base: GateRow | GateDefinition | UnitaryMatrix) -> str:
        """The name of a gate without modifiers, after it has been defined where it has to be."""
        if isinstance(base, GateRow):
            name = ROWS2.get(base.name)
            if name is None:
                name = base.name
                self._define_row(name)
            return name
        if isinstance(base, UnitaryMatrix):
            base = self._matrix(base.matrix, base)
        known = self.written.get(base)
        if known is None:
            for definition in definitions_first(base, self.written):
                try:
                    known = self.written[definition] = self._define(definition)
                except NeedsNumbers:
                    if definition is base:
                        raise  # others are written where they are used, with numbers
        assert known is not None
        return known

    def _define_row(self, name: str) -> None:
        if name in self.written:
            return
        text, uses = DEFINITIONS2[name]
        for used in uses:
            self._define_row(used)
        self.written[name] = name
        self.definitions.append(text)

    def _define(self, base: GateDefinition) -> str:
        wires = [f"q{k}" for k in range(base.num_qubits)]
        formals = {p.name: f"a{k}" for k, p in enumerate(base.parameters)}
        lines: list[str] = []
        for instruction in base.body:
            operands = [wires[q] for q in instruction.qubits]
            if isinstance(instruction.operation, Gate):
                lines += ["  " + line for line in self.calls(instruction.operation, operands, formals)]
            elif isinstance(instruction.operation, Barrier) and operands:
                lines.append(f"  barrier {','.join(operands)};")
        name = self.names.free(f"gate_{base.name}" if re.fullmatch(r"[aq][0-9]*", base.name) else base.name, "gate_")
        bracket = f"({','.join(formals.values())})" if formals else ""
        self.definitions += [f"gate {name}{bracket} {','.join(wires)} {{", *lines, "}"]
        return name


def _matrix_of(gate: Gate) -> ComplexMatrix:
    """The matrix of a gate with its powers and without controls, those of its row left out too."""
    if not isinstance(gate.base, GateRow):
        return gate.base_matrix()
    matrix = gate.base.base_matrix(*map(float, gate.params))
    for power in gate.powers:
        matrix = principal_power(matrix, power)
    return matrix
