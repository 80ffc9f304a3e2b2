"""Circuits to OpenQASM 2, with the first qelib1.inc and definitions of every other gate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from parsers.errors import QasmError
from parsers.writer import Names, registers
from parsers.writer3 import angles_of
from parsers.writer_gates import DEFINITIONS2, MORE_CONTROLS, ROWS2
from parsers.writer_values import number_text, value_text2
from qsim.circuit import Barrier, Circuit, Delay, GateDefinition, Instruction, Measure, Reset
from qsim.classical import Bits, ClassicalOperation, IfElse, Literal
from qsim.errors import QsimError
from qsim.gates import GATES, Gate, GateRow, UnitaryMatrix


def write2(circuit: Circuit) -> str:
    """The program of a circuit; its global phase has no meaning in OpenQASM 2."""
    if circuit.parameters:
        names = ", ".join(p.name for p in circuit.parameters[:5])
        _refuse(f"OpenQASM 2 has no parameters; this circuit has {names}. Bind them, or write version 3.0.")
    writer = _Writer(circuit)
    body = [line for instruction in circuit for line in writer.instruction(instruction)]
    head = ["OPENQASM 2.0;", 'include "qelib1.inc";']
    return "\n".join([*head, *writer.definitions, *writer.declarations, *body]) + "\n"


def _refuse(message: str) -> NoReturn:
    raise QasmError(message, "<circuit>")


class _Writer:
    def __init__(self, circuit: Circuit) -> None:
        self.names = Names(2, DEFINITIONS2)
        self.definitions: list[str] = []
        self.written: dict[object, str] = {}
        self.derived: dict[tuple[GateDefinition, int], GateDefinition] = {}  # with so many controls; 0: the inverse
        qubits, self.qubits, _ = registers(
            self.names, circuit.qubit_registers, circuit.num_qubits, "q", lambda name, size: f"qreg {name}[{size}];"
        )
        bits, self.clbits, self.whole = registers(
            self.names, circuit.clbit_registers, circuit.num_clbits, "c", lambda name, size: f"creg {name}[{size}];"
        )
        self.declarations = qubits + bits

    # statements ---------------------------------------------------------------------------------------------
    def instruction(self, instruction: Instruction) -> list[str]:
        """The lines of one operation."""
        operation = instruction.operation
        qubits = [self.qubits[q] for q in instruction.qubits]
        if isinstance(operation, Gate):
            return self.calls(operation, qubits, {})
        if isinstance(operation, Measure):
            return [f"measure {qubits[0]} -> {self.clbits[instruction.clbits[0]]};"]
        if isinstance(operation, Reset):
            return [f"reset {qubits[0]};"]
        if isinstance(operation, Barrier):
            return [f"barrier {','.join(qubits)};"] if qubits else []
        if isinstance(operation, Delay):
            return [f"// delay[{operation.duration}] {','.join(qubits)}"]
        if isinstance(operation, IfElse):
            return self.condition(operation)
        _refuse(f"OpenQASM 2 has no {type(operation).__name__}. Write version 3.0.")

    def condition(self, node: IfElse) -> list[str]:
        """`if (register == number)` before every operation of the body."""
        condition = node.condition
        if isinstance(condition, Bits):
            condition = ClassicalOperation("==", (condition, Literal(1)))
        left, right = (
            condition.args if isinstance(condition, ClassicalOperation) and condition.op == "==" else (None, None)
        )
        register = self.whole.get(left.clbits) if isinstance(left, Bits) else None
        if node.orelse is not None or register is None or not isinstance(right, Literal) or int(right.value) < 0:
            _refuse("OpenQASM 2 has only conditions 'register == number' without else. Write version 3.0.")
        assert isinstance(left, Bits)
        lines: list[str] = []
        body = list(node.body)
        for k, instruction in enumerate(body):
            if not isinstance(instruction.operation, (Gate, Measure, Reset)):
                _refuse("In OpenQASM 2 only gates, measurements and resets have a condition. Write version 3.0.")
            if k < len(body) - 1 and not set(instruction.clbits).isdisjoint(left.clbits):
                _refuse(
                    "In OpenQASM 2 a conditional block cannot change the bits of its own condition. Write version 3.0."
                )
            lines += [f"if ({register} == {int(right.value)}) {line}" for line in self.instruction(instruction)]
        return lines

    # gates --------------------------------------------------------------------------------------------------
    def calls(self, gate: Gate, qubits: Sequence[str], parameters: dict[str, str]) -> list[str]:
        """The gate calls that a gate with modifiers stands for."""
        base, controls = gate.base, gate.controls
        if 0 in controls:
            flips = [f"x {q};" for q, value in zip(qubits, controls, strict=False) if value == 0]
            return [*flips, *self.calls(gate._with(controls=(1,) * len(controls)), qubits, parameters), *flips]
        if gate.powers:
            return self.powers(gate, qubits, parameters)
        if controls:
            return self.controlled(gate, qubits, parameters)
        if isinstance(base, GateRow) and base.name == "gphase":
            return []
        params = [value_text2(p, parameters) for p in gate.params]
        if isinstance(base, UnitaryMatrix) and base.num_qubits == 1:
            _, *angles = angles_of(base.matrix)
            return [f"u3({','.join(map(number_text, angles))}) {qubits[0]};"]
        name = self.base(base)
        bracket = f"({','.join(params)})" if params else ""
        return [f"{name}{bracket} {','.join(qubits)};"]

    def controlled(self, gate: Gate, qubits: Sequence[str], parameters: dict[str, str]) -> list[str]:
        base, number = gate.base, len(gate.controls)
        if isinstance(base, GateRow) and base.name == "gphase":
            phase = Gate("p" if number == 1 else "cp", *gate.params)
            if number <= 2:
                return self.calls(phase, qubits, parameters)
        elif isinstance(base, GateRow):
            row = MORE_CONTROLS.get((base.name, number))
            if row is not None:
                return self.calls(Gate(GATES[row], *gate.params), qubits, parameters)
        elif isinstance(base, UnitaryMatrix) and base.num_qubits == 1 and number == 1:
            phase_angle, a, b, c = angles_of(base.matrix)
            return self.calls(Gate("cu", a, b, c, phase_angle), qubits, parameters)
        elif isinstance(base, GateDefinition):
            return self.calls(Gate(self._controlled_definition(base, number), *gate.params), qubits, parameters)
        _refuse(f"OpenQASM 2 has no gate '{gate.name}' with {number} controls. Write version 3.0.")

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
        exponent = 1.0
        for power in gate.powers:
            exponent *= power
        if not all(power.is_integer() for power in gate.powers) or abs(exponent) > 64:
            _refuse(f"OpenQASM 2 has no power {exponent:g} of gate '{gate.name}'. Write version 3.0.")
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
                _refuse(str(error))
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
            _refuse(f"The matrix '{base.name}' on {base.num_qubits} qubits has no OpenQASM text. Write it as gates.")
        known = self.written.get(base)
        if known is None:
            known = self.written[base] = self._define(base)
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
        name = self.names.free(base.name)
        bracket = f"({','.join(formals.values())})" if formals else ""
        self.definitions += [f"gate {name}{bracket} {','.join(wires)} {{", *lines, "}"]
        return name
