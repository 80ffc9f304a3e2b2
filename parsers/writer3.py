"""Circuits to OpenQASM 3: declarations and statements."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator

from parsers.errors import QasmWarning
from parsers.library import STDGATES_NAMES
from parsers.writer import bit_registers, names3, registers
from parsers.writer3_gates import GateWriter
from parsers.writer_classical import Conditions, Places, refuse
from parsers.writer_loops import leaves_several, one_level_at_a_time
from parsers.writer_values import value_text
from parsers.writer_variables import hidden_variables, uses
from qsim.circuit import Barrier, Circuit, Delay, Instruction, Measure, Reset, Snapshot
from qsim.classical import (
    Assign,
    Break,
    ClassicalExpression,
    ClassicalOperation,
    Continue,
    End,
    FeedForward,
    IfElse,
    Input,
    Switch,
    WhileLoop,
    WithValues,
    bodies,
    expressions,
)  # fmt: skip
from qsim.gates import Gate
from qsim.parameters import Parameter

_DURATION = re.compile(r"\s*[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?\s*(?:ns|us|µs|ms|s|dt)\s*\Z")
_DEPTH = 90
_ZEROS = {"bool": "bool {} = false;", "uint": "uint[{size}] {} = 0;", "float": "float[64] {} = 0.0;"}


def write3(circuit: Circuit, version: str, standalone: bool) -> str:
    """The program of a circuit."""
    if circuit.has_feed_forward and leaves_several(circuit):
        circuit = one_level_at_a_time(circuit)
    wished = {r.name for r in (*circuit.qubit_registers, *circuit.clbit_registers)}
    wished |= {p.name if p.array is None else p.array.name for p in circuit.parameters}
    writer = _Writer(circuit, standalone or not wished.isdisjoint(STDGATES_NAMES), wished)
    body = writer.block(circuit, 0)
    head = [f"OPENQASM {version};", *['include "stdgates.inc";'] * (not writer.gates.standalone), *writer.inputs]
    return "\n".join([*head, *writer.gates.definitions, *writer.declarations, *body]) + "\n"


class _Writer:
    def __init__(self, circuit: Circuit, standalone: bool, wished: set[str]) -> None:
        self.names = names3()
        if not standalone:
            self.names.reserved |= STDGATES_NAMES.keys()
        self.gates = GateWriter(self.names, standalone, wished)
        self.places = Places()
        self.parameters = self.places.parameters
        self.inputs = list(self._inputs(circuit))
        self.declarations = self._declare(circuit)
        self.conditions = Conditions(self.places, by_bits=standalone)

    def _inputs(self, circuit: Circuit) -> Iterator[str]:
        integers = _integers(circuit) if circuit.has_feed_forward else set()
        for parameter in circuit.parameters:
            array = parameter.array
            name = parameter.name if array is None else array.name
            if (array is None or parameter.index == 0) and not self.names.is_free(name):
                refuse(
                    f"The parameter '{name}' cannot be written: its name is no identifier of OpenQASM 3, or one of its "
                    "own words. Rename it: circuit.bind({'" + name + "': Parameter('new_name')})."
                )  # fmt: skip
            self.names.taken.add(name)
            if parameter in integers:
                self.places.integers = {**self.places.integers, parameter.name: name}
                self.parameters[parameter.name] = f"float({name})"
                yield f"input int {name};"
                continue
            self.parameters[parameter.name] = name if array is None else f"{name}[{parameter.index}]"
            if array is None:
                yield f"input float[64] {name};"
            elif parameter.index == 0:
                yield f"input array[float[64], {len(array)}] {name};"

    def _declare(self, circuit: Circuit) -> list[str]:
        """Registers, and variables for the bits that are in none."""
        named = {bit for register in circuit.clbit_registers for bit in register.indices}
        hidden = _touched(circuit) - named if circuit.num_clbits > len(named) else set()
        qubits = registers(
            self.names, circuit.qubit_registers, circuit.num_qubits, "q", lambda name, size: f"qubit[{size}] {name};"
        )
        bits = bit_registers(self.names, circuit, lambda name, size: f"bit[{size}] {name};")
        self.places.whole, self.places.elements = bits.whole, bits.elements
        self.places.registers = set(bits.whole.values())
        self.qubits = qubits.elements
        lines = qubits.lines + bits.lines
        kept, self.unread = hidden_variables(circuit, hidden) if hidden else ([], set())
        for variable in kept:
            name = self.names.free("value")
            lines.append(_ZEROS[variable.kind].format(name, size=len(variable.bits)))
            if variable.kind == "float":
                self.places.floats[variable.bits] = name
                continue
            self.places.whole[variable.bits] = name
            for k, bit in enumerate(variable.bits):
                self.places.elements[bit] = name if variable.kind == "bool" else f"{name}[{k}]"
        return lines

    # statements ---------------------------------------------------------------------------------------------
    def block(self, circuit: Circuit, depth: int) -> list[str]:
        """The lines of a circuit's operations and its global phase."""
        if depth > _DEPTH:
            refuse(f"Feed-forward is nested more than {_DEPTH} deep; that is not written.")
        lines: list[str] = []
        if circuit.global_phase != 0.0:
            lines.append(f"gphase({value_text(circuit.global_phase, self.parameters)});")
        for instruction in circuit:
            operation = instruction.operation
            if isinstance(operation, Gate):
                lines.append(
                    self.gates.call(operation, [self.qubits[q] for q in instruction.qubits], self.parameters, top=True)
                )
            elif isinstance(operation, (Measure, Reset, Barrier, Delay)):
                lines += self.simple(operation, instruction)
            else:
                lines += self.feed_forward(operation, depth)
        return lines

    def inner(self, body: Circuit, depth: int) -> list[str]:
        """A block inside braces."""
        return ["  " + line for line in self.block(body, depth + 1)]

    def simple(self, operation: Measure | Reset | Barrier | Delay, instruction: Instruction) -> list[str]:
        qubits = ", ".join(self.qubits[q] for q in instruction.qubits)
        if isinstance(operation, Measure):
            bit = instruction.clbits[0]
            return [f"measure {qubits};" if bit in self.unread else f"{self.places.elements[bit]} = measure {qubits};"]
        if not qubits:
            return []
        if isinstance(operation, Reset):
            return [f"reset {qubits};"]
        if isinstance(operation, Delay):
            if not _DURATION.match(operation.duration):
                refuse(f"A delay is written in ns, us, ms, s or dt, such as '100ns'; got '{operation.duration}'.")
            return [f"delay[{operation.duration.strip()}] {qubits};"]
        if isinstance(operation, Snapshot):
            warnings.warn(f"Snapshot '{operation.label}' is written as a barrier.", QasmWarning, stacklevel=2)
        return [f"barrier {qubits};"]

    def feed_forward(self, node: FeedForward, depth: int) -> list[str]:
        if isinstance(node, IfElse):
            lines = [f"if ({self.conditions.condition(node.condition)}) {{", *self.inner(node.body, depth), "}"]
            if node.orelse is not None:
                lines[-1] = "} else {"
                lines += [*self.inner(node.orelse, depth), "}"]
            return lines
        if isinstance(node, WhileLoop):
            return [f"while ({self.conditions.condition(node.condition)}) {{", *self.inner(node.body, depth), "}"]
        if isinstance(node, Switch):
            return self.switch(node, depth)
        if isinstance(node, Assign):
            if not set(node.clbits).isdisjoint(self.unread):
                refuse("A value is assigned to bits that nothing reads and no register has.")
            scattered = node.clbits not in self.places.whole and len(node.clbits) > 1
            return self.conditions.assignment(node, self.names.free("value") if scattered else "")
        if isinstance(node, WithValues):
            return self.with_values(node, depth)
        return [{Break: "break;", Continue: "continue;", End: "end;"}[type(node)]]

    def switch(self, node: Switch, depth: int) -> list[str]:
        """The first case that lists a value counts; a text has each value once, and at least one case."""
        cases, seen = [], set[int]()
        for labels, body in node.cases:
            fresh = [label for label in dict.fromkeys(map(int, labels)) if label not in seen]
            seen.update(fresh)
            if fresh:
                cases.append((fresh, body))
        if not cases:
            return self.block(node.default, depth) if node.default is not None else []
        lines = [f"switch ({self.conditions.target(node.target)}) {{"]
        for fresh, body in cases:
            lines += [f"  case {', '.join(map(str, fresh))} {{", *["  " + x for x in self.inner(body, depth)], "  }"]
        if node.default is not None:
            lines += ["  default {", *["  " + line for line in self.inner(node.default, depth)], "  }"]
        return [*lines, "}"]

    def with_values(self, node: WithValues, depth: int) -> list[str]:
        """The body, with the texts of the values in the place of its parameters.

        A body that changes bits reads its values from variables, since they are those of its beginning.
        """
        outer = dict(self.parameters)
        changes = any(not isinstance(i.operation, (Gate, Barrier, Delay, Reset)) for i in node.body)
        lines: list[str] = []
        for parameter, value in zip(node.parameters, node.values, strict=True):
            text = self.conditions.real(value)
            if changes:
                name = self.names.free("value")
                lines.append(f"float[64] {name} = {text};")
                text = name
            self.parameters[parameter.name] = text if changes else f"({text})"
        lines += self.block(node.body, depth)
        self.parameters.clear()
        self.parameters.update(outer)
        return lines


def _integers(circuit: Circuit) -> set[Parameter]:
    """The parameters that classical values use as integers, and no array's: they are declared so."""
    found: set[Parameter] = set()

    def visit(node: ClassicalExpression) -> None:
        if isinstance(node, ClassicalOperation):
            if node.op == "whole" and isinstance(node.args[0], Input):
                found.update(p for p in node.args[0].expression.parameters if p.array is None)
            for arg in node.args:
                visit(arg)

    def walk(block: Circuit) -> None:
        for operation in (i.operation for i in block):
            if not isinstance(operation, (Gate, Measure, Reset, Barrier, Delay)):
                for expression in expressions(operation):
                    visit(expression)
                for body in bodies(operation):
                    walk(body)

    walk(circuit)
    return found & set(circuit.parameters)


def _touched(circuit: Circuit) -> set[int]:
    """All bits that are used anywhere."""
    return {bit for bits, _, _ in uses(circuit) for bit in bits}
