"""Circuits, operators and what they are made of as fields, and back without loss: every row, name and double."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np

from qsim.circuit import ROW, Circuit, Delay, GateDefinition, Register, Snapshot
from qsim.classical import (
    Assign,
    Bits,
    Break,
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
from qsim.gates import Gate, GateRow, UnitaryMatrix, find_gate, row_by_code
from qsim.parameters import Expression, Parameter, ParameterArray
from qsim.pauli import SparsePauliOp
from session.store.values import Fields, register, register_dataclass


def _take_circuit(circuit: Circuit) -> Fields:
    rows = np.array(circuit._rows, dtype=np.int64).reshape(-1, ROW)
    codes = [int(code) for code in np.unique(rows[:, 0]) if code >= 0]
    return {
        "name": circuit.name,
        "qubits": circuit.num_qubits,
        "clbits": circuit.num_clbits,
        "qubit_registers": list(circuit.qubit_registers),
        "clbit_registers": list(circuit.clbit_registers),
        # Numbers of table gates change from version to version; names do not.
        "gates": [[code, row_by_code(code).name] for code in codes],
        "rows": rows,
        "operands": np.array(circuit._operands, dtype=np.int64),
        "values": np.array(circuit._values, dtype=np.float64),
        "expressions": [[index, value] for index, value in circuit._expressions.items()],
        "objects": list(circuit._objects),
        "parameters": list(circuit.parameters),
        "phase": circuit.global_phase,
    }


def _make_circuit(fields: Fields) -> Circuit:
    circuit = Circuit(name=fields["name"])
    circuit._num_qubits, circuit._num_clbits = fields["qubits"], fields["clbits"]
    circuit._qubit_registers = {register.name: register for register in fields["qubit_registers"]}
    circuit._clbit_registers = {register.name: register for register in fields["clbit_registers"]}
    rows = fields["rows"]
    codes = rows[:, 0].copy()
    for code, name in fields["gates"]:
        rows[codes == code, 0] = find_gate(name).code
    circuit._rows = array("q", rows.tobytes())
    circuit._operands = array("q", fields["operands"].tobytes())
    circuit._values = array("d", fields["values"].tobytes())
    circuit._expressions = dict(fields["expressions"])
    circuit._objects = fields["objects"]
    circuit._parameters = {parameter.name: parameter for parameter in fields["parameters"]}
    circuit._global_phase = fields["phase"]
    return circuit


def _take_gate(gate: Gate) -> Fields:
    base = gate.base.name if isinstance(gate.base, GateRow) else gate.base
    return {"base": base, "params": gate.params, "controls": gate.controls, "powers": gate.powers}


def _make_gate(fields: Fields) -> Gate:
    base = fields["base"]
    gate: Gate = object.__new__(Gate)
    gate.base = find_gate(base) if isinstance(base, str) else base
    gate.params, gate.controls, gate.powers = fields["params"], fields["controls"], fields["powers"]
    return gate


def _take_expression(expression: Expression) -> Fields:
    """Postfix: numbers, parameters, and texts of operations with one operand or two."""
    words = [node.op if _is_operation(node) else node for node in expression._postorder()]
    return {"postfix": words, "operands": [len(node.args) for node in expression._postorder() if _is_operation(node)]}


def _is_operation(node: Any) -> bool:
    return isinstance(node, Expression) and not isinstance(node, Parameter)


def _make_expression(fields: Fields) -> Expression:
    stack: list[Any] = []
    counts = iter(fields["operands"])
    for word in fields["postfix"]:
        if not isinstance(word, str):
            stack.append(word)
            continue
        count = next(counts)
        args = tuple(stack[-count:])
        del stack[-count:]
        stack.append(Expression(word, args))
    (expression,) = stack
    return expression  # type: ignore[no-any-return]


def _make_parameter(fields: Fields) -> Parameter:
    group: ParameterArray | None = fields["array"]
    return Parameter(fields["name"]) if group is None else group[fields["index"]]


def _make_matrix(fields: Fields) -> UnitaryMatrix:
    return UnitaryMatrix(fields["matrix"], fields["name"])


def _take_definition(definition: GateDefinition) -> Fields:
    return {"name": definition.name, "parameters": list(definition.parameters), "body": definition.body}


def _take_operator(operator: SparsePauliOp) -> Fields:
    terms = operator.terms
    return {
        "paulis": [" ".join(f"{letter}{qubit}" for qubit, letter in term.paulis) for term in terms],
        "coefficients": np.array([term.coefficient for term in terms], dtype=np.complex128),
        "qubits": operator.num_qubits,
    }


def _make_operator(fields: Fields) -> SparsePauliOp:
    terms = [
        ([(int(word[1:]), word[0]) for word in text.split()], complex(coefficient))
        for text, coefficient in zip(fields["paulis"], fields["coefficients"], strict=True)
    ]
    return SparsePauliOp.from_terms(terms, fields["qubits"])


register("circuit", Circuit, _take_circuit, _make_circuit)
register("gate", Gate, _take_gate, _make_gate)
register("expression", Expression, _take_expression, _make_expression)
register(
    "parameter", Parameter, lambda p: {"name": p.name, "array": p.array, "index": p.index}, _make_parameter
)  # an array makes its own elements
register(
    "parameters",
    ParameterArray,
    lambda group: {"name": group.name, "length": len(group)},
    lambda fields: ParameterArray(fields["name"], fields["length"]),
)
register("matrix", UnitaryMatrix, lambda gate: {"matrix": gate.matrix, "name": gate.name}, _make_matrix)
register("definition", GateDefinition, _take_definition, lambda fields: GateDefinition(**fields))
register("operator", SparsePauliOp, _take_operator, _make_operator)
for _tag, _class in {
    "register": Register, "snapshot": Snapshot, "delay": Delay, "bits": Bits, "literal": Literal, "input": Input,
    "classical": ClassicalOperation, "if": IfElse, "while": WhileLoop, "switch": Switch, "assign": Assign,
    "with_values": WithValues, "break": Break, "continue": Continue, "end": End,
}.items():  # fmt: skip
    register_dataclass(_tag, _class)
