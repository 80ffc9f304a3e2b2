"""Circuits to OpenQASM 3."""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence

from parsers.errors import QasmError
from parsers.writer import Names, is_identifier, registers
from parsers.writer_classical import Conditions
from parsers.writer_gates import DEFINITIONS3, ROWS3
from parsers.writer_values import number_text, value_text
from qsim.circuit import Barrier, Circuit, Delay, GateDefinition, Instruction, Measure, Reset
from qsim.classical import Assign, Break, Continue, End, FeedForward, IfElse, Switch, WhileLoop, WithValues
from qsim.gates import Gate, GateRow, UnitaryMatrix
from qsim.linalg import ComplexMatrix


def write3(circuit: Circuit, version: str) -> str:
    """The program of a circuit."""
    writer = _Writer(circuit)
    body = writer.block(circuit, 0)
    if circuit.global_phase != 0.0:
        body.insert(0, f"gphase({value_text(circuit.global_phase, writer.parameters)});")
    head = [f"OPENQASM {version};", 'include "stdgates.inc";', *writer.inputs]
    return "\n".join([*head, *writer.definitions, *writer.declarations, *body]) + "\n"


def angles_of(matrix: ComplexMatrix) -> tuple[float, float, float, float]:
    """(phase, a, b, c) with matrix = exp(i phase) p(b) ry(a) p(c)."""
    a = 2 * math.atan2(abs(matrix[1, 0]), abs(matrix[0, 0]))
    if abs(matrix[0, 0]) < 1e-12:  # only the difference of b and c shows
        phase = cmath.phase(-matrix[0, 1])
        return phase, a, cmath.phase(matrix[1, 0]) - phase, 0.0
    phase = cmath.phase(matrix[0, 0])
    if abs(matrix[1, 0]) < 1e-12:
        return phase, a, 0.0, cmath.phase(matrix[1, 1]) - phase
    return phase, a, cmath.phase(matrix[1, 0]) - phase, cmath.phase(-matrix[0, 1]) - phase


class _Writer:
    def __init__(self, circuit: Circuit) -> None:
        self.inputs: list[str] = []
        self.definitions: list[str] = []
        self.written: dict[object, str] = {}  # row names and definitions -> their names in the text
        self.parameters: dict[str, str] = {}
        self.names = Names(3)
        self._inputs(circuit)
        qubits, self.qubits, _ = registers(
            self.names, circuit.qubit_registers, circuit.num_qubits, "q", lambda name, size: f"qubit[{size}] {name};"
        )
        bits, self.clbits, whole = registers(
            self.names, circuit.clbit_registers, circuit.num_clbits, "c", lambda name, size: f"bit[{size}] {name};"
        )
        self.declarations = qubits + bits
        self.conditions = Conditions(self.clbits, whole, self.parameters)

    def _inputs(self, circuit: Circuit) -> None:
        for parameter in circuit.parameters:
            array = parameter.array
            name = parameter.name if array is None else array.name
            if not is_identifier(name) or name in self.names.reserved:
                raise QasmError(
                    f"The parameter '{name}' cannot be written: its name is no identifier, or one that OpenQASM 3 or "
                    "stdgates.inc uses. Rename it.", "<circuit>"
                )  # fmt: skip
            self.parameters[parameter.name] = parameter.name
            if array is None:
                self.inputs.append(f"input float[64] {name};")
            elif parameter.index == 0:
                self.inputs.append(f"input array[float[64], {len(array)}] {name};")
            self.names.taken.add(name)

    # statements ---------------------------------------------------------------------------------------------
    def block(self, circuit: Circuit, depth: int) -> list[str]:
        """The lines of a circuit's operations."""
        if depth > 90:
            raise QasmError("Feed-forward is nested too deeply to be written.", "<circuit>")
        pad = "  " * depth
        lines: list[str] = []
        for instruction in circuit:
            operation = instruction.operation
            if isinstance(operation, Gate):
                lines.append(pad + self.call(operation, [self.qubits[q] for q in instruction.qubits], self.parameters))
            elif isinstance(operation, (Measure, Reset, Barrier, Delay)):
                lines.append(pad + self.simple(operation, instruction))
            else:
                lines += [pad + line for line in self.feed_forward(operation, depth)]
        return lines

    def simple(self, operation: Measure | Reset | Barrier | Delay, instruction: Instruction) -> str:
        qubits = ", ".join(self.qubits[q] for q in instruction.qubits)
        if isinstance(operation, Measure):
            return f"{self.clbits[instruction.clbits[0]]} = measure {qubits};"
        if isinstance(operation, Reset):
            return f"reset {qubits};"
        if isinstance(operation, Barrier):
            return f"barrier {qubits};" if qubits else "barrier;"
        return f"delay[{operation.duration}] {qubits};"

    def feed_forward(self, node: FeedForward, depth: int) -> list[str]:
        inner = self._inner
        if isinstance(node, IfElse):
            lines = [f"if ({self.conditions.truth(node.condition)}) {{", *inner(node.body, depth), "}"]
            if node.orelse is not None:
                lines[-1] = "} else {"
                lines += [*inner(node.orelse, depth), "}"]
            return lines
        if isinstance(node, WhileLoop):
            return [f"while ({self.conditions.truth(node.condition)}) {{", *inner(node.body, depth), "}"]
        if isinstance(node, Switch):
            lines = [f"switch ({self.conditions.number(node.target)}) {{"]
            for labels, body in node.cases:
                lines += [
                    f"  case {', '.join(map(str, labels))} {{",
                    *["  " + line for line in inner(body, depth)],
                    "  }",
                ]
            if node.default is not None:
                lines += ["  default {", *["  " + line for line in inner(node.default, depth)], "  }"]
            return [*lines, "}"]
        if isinstance(node, Assign):
            return self.conditions.assignment(node)
        if isinstance(node, WithValues):
            return self._with_values(node)
        if getattr(node, "levels", 1) > 1:
            raise QasmError("Leaving several loops at once is not written as OpenQASM.", "<circuit>")
        return [{Break: "break;", Continue: "continue;", End: "end;"}[type(node)]]

    def _with_values(self, node: WithValues) -> list[str]:
        """The body, with the texts of the values in the place of its parameters."""
        outer = dict(self.parameters)
        for parameter, value in zip(node.parameters, node.values, strict=True):
            self.parameters[parameter.name] = f"({self.conditions.number(value)})"
        lines = self.block(node.body, 0)
        if node.body.global_phase != 0.0:
            lines.append(f"gphase({value_text(node.body.global_phase, self.parameters)});")
        self.parameters = outer
        return lines

    def _inner(self, body: Circuit, depth: int) -> list[str]:
        return ["  " + line for line in self.block(body, 0)] if depth < 90 else self.block(body, depth + 1)

    # gates --------------------------------------------------------------------------------------------------
    def call(self, gate: Gate, qubits: Sequence[str], parameters: dict[str, str]) -> str:
        """One gate call, modifiers included."""
        modifiers = ""
        for value, count in _runs(gate.controls):
            word = "ctrl" if value else "negctrl"
            modifiers += f"{word} @ " if count == 1 else f"{word}({count}) @ "
        for power in reversed(gate.powers):
            modifiers += (
                "inv @ " if power == -1 else f"pow({int(power) if power.is_integer() else number_text(power)}) @ "
            )
        name = self.base(gate.base)
        params = ", ".join(value_text(p, parameters) for p in gate.params)
        operands = (" " + ", ".join(qubits)) if qubits else ""
        return f"{modifiers}{name}{f'({params})' if params else ''}{operands};"

    def base(self, base: GateRow | GateDefinition | UnitaryMatrix) -> str:
        """The name of a gate without modifiers, after it has been defined where it has to be."""
        if isinstance(base, GateRow):
            name = ROWS3.get(base.name, base.name)
            self._define_row(name.split()[-1])
            return name
        known = self.written.get(base)
        if known is None:
            known = self.written[base] = self._define(base)
        return known

    def _define_row(self, name: str) -> None:
        if name in self.written or name not in DEFINITIONS3:
            return
        text, uses = DEFINITIONS3[name]
        for used in uses:
            self._define_row(used)
        self.written[name] = name
        self.definitions.append(text)

    def _define(self, base: GateDefinition | UnitaryMatrix) -> str:
        if isinstance(base, UnitaryMatrix):
            if base.num_qubits != 1:
                raise QasmError(
                    f"The matrix '{base.name}' on {base.num_qubits} qubits has no OpenQASM text; matrices of one "
                    "qubit have. Write it as gates.", "<circuit>"
                )  # fmt: skip
            self._define_row("u")
            phase, *angles = angles_of(base.matrix)
            name = self.names.free(base.name)
            self.definitions.append(
                f"gate {name} q {{ gphase({number_text(phase)}); u({', '.join(map(number_text, angles))}) q; }}"
            )
            return name
        wires = [f"q{k}" for k in range(base.num_qubits)]
        formals = {p.name: f"a{k}" for k, p in enumerate(base.parameters)}
        lines = []
        if base.body.global_phase != 0.0:
            lines.append(f"  gphase({value_text(base.body.global_phase, formals)});")
        for instruction in base.body:
            operation = instruction.operation
            if isinstance(operation, Gate):
                lines.append("  " + self.call(operation, [wires[q] for q in instruction.qubits], formals))
        name = self.names.free(base.name)
        bracket = f"({', '.join(formals.values())})" if formals else ""
        self.definitions += [f"gate {name}{bracket} {', '.join(wires)} {{", *lines, "}"]
        return name


def _runs(controls: Sequence[int]) -> list[tuple[int, int]]:
    """Equal neighbours with how many there are."""
    runs: list[tuple[int, int]] = []
    for value in controls:
        if runs and runs[-1][0] == value:
            runs[-1] = (value, runs[-1][1] + 1)
        else:
            runs.append((value, 1))
    return runs
