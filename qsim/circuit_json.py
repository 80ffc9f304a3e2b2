"""Circuits as JSON, exactly: every operation of the IR, every bit of every number, and no text to parse again.

OpenQASM is for people and for hardware; it has no matrices of several qubits, no parameter called ``p``, and no gate
table of ours. What a job needs is the same circuit again, so this form says what the IR says. Reading builds the circuit
through the checks of `Circuit`, so that a file that somebody changed gives an error and never a wrong memory access.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from qsim.circuit import Barrier, Circuit, Delay, GateDefinition, Measure, Register, Reset, Snapshot
from qsim.classical import (
    Assign,
    Bits,
    Break,
    ClassicalExpression,
    ClassicalOperation,
    Continue,
    End,
    IfElse,
    Input,
    Literal,
    Switch,
    WhileLoop,
    WithValues,
)
from qsim.errors import CircuitError, QsimError
from qsim.gates import Gate, GateRow, UnitaryMatrix
from qsim.operator_json import operator_from_json, operator_to_json
from qsim.parameters import OPCODES, Expression, Parameter, ParameterArray, Value

_BINARY = frozenset(("+", "-", "*", "/", "**", "mod"))
_SIMPLE = {"measure": Measure, "reset": Reset, "barrier": Barrier}
_LEAVING: dict[str, type[Break] | type[Continue]] = {"break": Break, "continue": Continue}


def circuit_to_json(circuit: Circuit) -> dict[str, Any]:
    """A circuit as plain data.

    >>> data = circuit_to_json(Circuit(2).rx(Parameter("p") / 2, 0).cx(0, 1))
    >>> data["operations"]
    [['rx', [0], [['p', 2.0, '/']]], ['cx', [0, 1]]]
    >>> circuit_from_json(data).parameters
    (Parameter('p'),)
    """
    writer = _Writer()
    data = writer.body(circuit)
    data["name"] = circuit.name
    data["qubits"], data["clbits"] = circuit.num_qubits, circuit.num_clbits
    data["qubit_registers"] = [[r.name, list(r.indices)] for r in circuit.qubit_registers]
    data["clbit_registers"] = [[r.name, list(r.indices)] for r in circuit.clbit_registers]
    data["definitions"], data["matrices"] = writer.definitions, writer.matrices
    return data


def circuit_from_json(data: Mapping[str, Any]) -> Circuit:
    """What `circuit_to_json` gave.

    Raises:
        CircuitError: the data is no circuit.
    """
    try:
        circuit = Circuit(int(data["qubits"]), int(data["clbits"]), name=str(data["name"]))
        circuit._qubit_registers = _registers(data["qubit_registers"], circuit.num_qubits)
        circuit._clbit_registers = _registers(data["clbit_registers"], circuit.num_clbits)
        _Reader(data).fill(circuit, data)
    except (KeyError, TypeError, IndexError, AttributeError, AssertionError) as error:
        raise CircuitError(f"This is no circuit of this package's JSON form: {error!r}.") from None
    except (QsimError, ValueError) as error:
        raise CircuitError(f"This is no circuit of this package's JSON form: {error}") from None
    return circuit


def _registers(pairs: Any, total: int) -> dict[str, Register]:
    registers = {str(name): Register(str(name), tuple(int(k) for k in indices)) for name, indices in pairs}
    if any(not 0 <= k < total for register in registers.values() for k in register.indices):
        raise ValueError("a register has an element that is not there.")
    return registers


class _Writer:
    """Definitions and matrices are written once, however often they are used."""

    def __init__(self) -> None:
        self.definitions: list[Any] = []
        self.matrices: list[Any] = []
        self._known: dict[int, int] = {}
        self._kept: list[Any] = []  # so that an id stays taken

    def body(self, circuit: Circuit) -> dict[str, Any]:
        names: dict[str, list[Any]] = {}
        for parameter in circuit.parameters:
            array = parameter.array
            names.setdefault(
                parameter.name if array is None else array.name,
                [parameter.name] if array is None else [array.name, len(array)],
            )
        operations = [self.operation(instruction) for instruction in circuit]
        return {"parameters": list(names.values()), "phase": _value(circuit.global_phase), "operations": operations}

    def operation(self, instruction: Any) -> list[Any]:
        operation, qubits = instruction.operation, list(instruction.qubits)
        if isinstance(operation, Gate):
            return self.gate(operation, qubits)
        if isinstance(operation, Snapshot):
            observable = None if operation.observable is None else operator_to_json(operation.observable)
            return ["@snapshot", qubits, operation.label, operation.kind, list(operation.qubits), observable]
        if isinstance(operation, Delay):
            return ["@delay", qubits, operation.duration]
        for name, kind in _SIMPLE.items():
            if isinstance(operation, kind):
                return [f"@{name}", qubits, list(instruction.clbits)]
        return self.node(operation)

    def gate(self, gate: Gate, qubits: list[int]) -> list[Any]:
        base: Any = gate.base.name
        if not isinstance(gate.base, GateRow):
            base = self.shared(gate.base)
        entry = [base, qubits, [_value(param) for param in gate.params], list(gate.controls), list(gate.powers)]
        while len(entry) > 2 and not entry[-1]:
            entry.pop()
        return entry

    def shared(self, base: GateDefinition | UnitaryMatrix) -> dict[str, int]:
        kind = "matrix" if isinstance(base, UnitaryMatrix) else "definition"
        if id(base) not in self._known:
            self._kept.append(base)
            if isinstance(base, UnitaryMatrix):
                entries = [[entry.real, entry.imag] for entry in base.matrix.ravel().tolist()]
                self.matrices.append([base.name, entries])
                self._known[id(base)] = len(self.matrices) - 1
            else:
                made = [base.name, [p.name for p in base.parameters], base.num_qubits, self.body(base.body)]
                self.definitions.append(made)  # after those that it uses
                self._known[id(base)] = len(self.definitions) - 1
        return {kind: self._known[id(base)]}

    def node(self, node: Any) -> list[Any]:
        if isinstance(node, IfElse):
            orelse = None if node.orelse is None else self.body(node.orelse)
            return ["@if", _classical(node.condition), self.body(node.body), orelse]
        if isinstance(node, WhileLoop):
            return ["@while", _classical(node.condition), self.body(node.body)]
        if isinstance(node, Switch):
            cases = [[list(labels), self.body(body)] for labels, body in node.cases]
            return ["@switch", _classical(node.target), cases, node.default and self.body(node.default)]
        if isinstance(node, Assign):
            return ["@assign", list(node.clbits), _classical(node.value)]
        if isinstance(node, WithValues):
            values = [_classical(value) for value in node.values]
            return ["@with", [parameter.name for parameter in node.parameters], values, self.body(node.body)]
        if isinstance(node, (Break, Continue)):
            return ["@break" if isinstance(node, Break) else "@continue", node.levels]
        if isinstance(node, End):
            return ["@end"]
        raise CircuitError(f"A circuit with {type(node).__name__} cannot be kept as JSON.")


def _value(value: Value) -> Any:
    """A number as it is, an expression as its tokens in postfix order: numbers, names of parameters, operations."""
    if not isinstance(value, Expression):
        return value
    plain = not any(parameter.name in OPCODES for parameter in value.parameters)  # a name that no operation has
    return [
        node if isinstance(node, float)
        else node.op if not isinstance(node, Parameter)
        else node.name if plain else {"p": node.name}
        for node in value._postorder()
    ]  # fmt: skip


def _classical(expression: ClassicalExpression) -> Any:
    if isinstance(expression, Bits):
        return {"bits": list(expression.clbits)}
    if isinstance(expression, Literal):
        return {"literal": expression.value}
    if isinstance(expression, Input):
        return {"input": _value(expression.expression)}
    return {"op": expression.op, "args": [_classical(arg) for arg in expression.args], "width": expression.width}


class _Reader:
    def __init__(self, data: Mapping[str, Any]) -> None:
        self._matrices = []
        for name, entries in data["matrices"]:
            flat = np.array([complex(*entry) for entry in entries], dtype=np.complex128)
            size = round(len(flat) ** 0.5)
            self._matrices.append(UnitaryMatrix(flat.reshape(size, size), str(name)))
        self._definitions: list[GateDefinition] = []
        for name, parameters, num_qubits, body in data["definitions"]:
            circuit = self.fill(Circuit(int(num_qubits)), body)
            known = {parameter.name: parameter for parameter in circuit.parameters}
            own = [known.get(p) or Parameter(str(p)) for p in parameters]
            self._definitions.append(GateDefinition(str(name), own, circuit))

    def fill(self, circuit: Circuit, data: Mapping[str, Any]) -> Circuit:
        """Append the operations of a body to an empty circuit."""
        names: dict[str, Parameter] = {}
        for entry in data["parameters"]:
            group = ParameterArray(entry[0], int(entry[1])) if len(entry) == 2 else [Parameter(entry[0])]
            for parameter in group:
                circuit.declare_parameter(parameter)
                names[parameter.name] = parameter
        circuit.global_phase = _read_value(data["phase"], names)
        for operation in data["operations"]:
            self.append(circuit, operation, names)
        return circuit

    def append(self, circuit: Circuit, entry: Sequence[Any], names: Mapping[str, Parameter]) -> None:
        head = entry[0]
        if not isinstance(head, str) or not head.startswith("@"):
            circuit.append(self.gate(entry, names), entry[1])
        elif head == "@measure":
            circuit.measure(entry[1], entry[2])
        elif head == "@snapshot":
            observable = None if entry[5] is None else operator_from_json(entry[5])
            mark = Snapshot(str(entry[2]), str(entry[3]), tuple(map(circuit._qubit, entry[4])), observable)
            circuit._append(mark, tuple(map(circuit._qubit, entry[1])), ())
        elif head in ("@reset", "@barrier", "@delay"):
            kind: Any = Delay(str(entry[2])) if head == "@delay" else _SIMPLE[head[1:]]()
            circuit._append(kind, tuple(map(circuit._qubit, entry[1])), ())
        else:
            circuit.feed_forward(self.node(circuit, head[1:], entry[1:], names))

    def gate(self, entry: Sequence[Any], names: Mapping[str, Parameter]) -> Gate:
        base, _, params, controls, powers = [*entry, *([], [], [])][:5] if len(entry) < 5 else entry
        if isinstance(base, Mapping):
            base = self._matrices[base["matrix"]] if "matrix" in base else self._definitions[base["definition"]]
        gate = Gate(base, *[_read_value(param, names) for param in params])
        if any(value not in (0, 1) for value in controls):
            raise ValueError(f"a control's value is 0 or 1, got {controls}.")
        return gate._with(controls=tuple(map(int, controls)), powers=tuple(map(float, powers)))

    def node(self, circuit: Circuit, head: str, entry: Sequence[Any], names: Mapping[str, Parameter]) -> Any:
        def body(data: Any) -> Circuit:
            return self.fill(circuit.block(), data)

        def optional(data: Any) -> Circuit | None:
            return None if data is None else body(data)

        if head == "if":
            return IfElse(_read_classical(entry[0], names), body(entry[1]), optional(entry[2]))
        if head == "while":
            return WhileLoop(_read_classical(entry[0], names), body(entry[1]))
        if head == "switch":
            cases = tuple((tuple(map(int, labels)), body(case)) for labels, case in entry[1])
            return Switch(_read_classical(entry[0], names), cases, optional(entry[2]))
        if head == "assign":
            return Assign(tuple(map(circuit._clbit, entry[0])), _read_classical(entry[1], names))
        if head == "with":
            inner = body(entry[2])
            known = {parameter.name: parameter for parameter in inner.parameters}
            own = tuple(known.get(name) or Parameter(name) for name in entry[0])
            return WithValues(own, tuple(_read_classical(value, names) for value in entry[1]), inner)
        if head in _LEAVING:
            return _LEAVING[head](int(entry[0]))
        if head == "end":
            return End()
        raise ValueError(f"there is no operation '@{head}'.")


def _read_value(data: Any, names: Mapping[str, Parameter]) -> Value:
    if not isinstance(data, list):
        return float(data)
    stack: list[Value] = []
    for token in data:
        if isinstance(token, dict):
            stack.append(names[token["p"]])
        elif not isinstance(token, str):
            stack.append(float(token))
        elif token not in OPCODES or token in ("const", "param"):
            stack.append(names[token])
        else:
            count = 2 if token in _BINARY else 1
            args = tuple(stack[-count:])
            if len(args) < count:
                raise ValueError("an expression of parameters ends too early.")
            stack[-count:] = [Expression(token, args)]
    if len(stack) != 1:
        raise ValueError("an expression of parameters has parts left over.")
    return stack[0]


def _read_classical(data: Mapping[str, Any], names: Mapping[str, Parameter]) -> ClassicalExpression:
    if "bits" in data:
        return Bits(tuple(map(int, data["bits"])))
    if "literal" in data:
        value = data["literal"]
        return Literal(value if isinstance(value, (int, float)) else float(value))
    if "input" in data:
        value = _read_value(data["input"], names)
        assert isinstance(value, Expression)
        return Input(value)
    width = None if data["width"] is None else int(data["width"])
    return ClassicalOperation(data["op"], tuple(_read_classical(arg, names) for arg in data["args"]), width)
