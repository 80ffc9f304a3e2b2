"""Circuits, operators, tasks and programs as JSON: everything comes back, and what was tampered with is refused."""

from __future__ import annotations

import json
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import circuits, observables

from qsim import Circuit, Parameter, Pauli, Simulator
from qsim.classical import Bits, ClassicalOperation, Input, Literal
from session import ExecutionPreferences, SessionError
from session.circuit_json import circuit_from_json, circuit_to_json
from session.filters import StateFilter
from session.operator_json import operator_from_json, operator_to_json
from session.programs import Program, read_program
from session.tasks import MinimizeOptions, Task, TaskKind
from session.work import Work, read_encoded, run_rows


def again(circuit: Circuit) -> Circuit:
    data = circuit_to_json(circuit)
    made = circuit_from_json(json.loads(json.dumps(data)))
    assert circuit_to_json(made) == data
    return made


@given(circuits(symbolic=True, max_qubits=5), st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_circuits_of_gates_come_back(circuit: Circuit, random: Any) -> None:
    made = again(circuit)
    assert made.parameters == circuit.parameters
    values = {p.name: random.uniform(-2, 2) for p in circuit.parameters}
    try:
        bound, other = circuit.bind(values), made.bind(values)
    except ValueError:
        return  # an expression without a value there
    np.testing.assert_array_equal(Simulator().statevector(bound), Simulator().statevector(other))


def test_feed_forward_marks_delays_and_registers_come_back() -> None:
    t = Parameter("t")
    circuit = Circuit(name="everything")
    circuit.add_qubits(2, "a")
    circuit.add_qubits(1, "b")
    circuit.add_clbits(2, "c")
    circuit.add_clbits(3, "d")
    circuit.h(0).barrier(0, 1).delay("100ns", 2).save_expectation("mark", Pauli.Z(0) / 3).measure(0, 0).reset(1)
    circuit.if_else(
        ClassicalOperation(">", (Input(t * 2), Literal(0.5))), circuit.block().x(1), circuit.block().rx(t, 2)
    )
    loop = circuit.block().measure(1, 1)
    loop.break_loop()
    circuit.while_loop(ClassicalOperation("==", (Bits((1,)), Literal(0)), width=1), loop)
    circuit.switch(Bits((0, 1)), [((0, 1), circuit.block().z(0)), ((2,), circuit.block().y(0))], circuit.block().x(0))
    circuit.assign([2, 3], ClassicalOperation("+", (Bits((0, 1)), Literal(1)), width=2))
    angle = Parameter("angle")
    circuit.with_values([angle], [ClassicalOperation("*", (Bits((2, 3)), Literal(0.25)))], circuit.block().rx(angle, 0))
    circuit.measure([0, 2], [4, 0])
    made = again(circuit)
    assert made.name == "everything"
    assert made.qubit_registers == circuit.qubit_registers
    assert made.clbit_registers == circuit.clbit_registers
    for value in (0.1, 0.4):
        assert Simulator().sample(made, 50, {"t": value}, seed=1) == Simulator().sample(
            circuit, 50, {"t": value}, seed=1
        )


def test_parameters_called_like_operations() -> None:
    circuit = Circuit(1).rx(Parameter("sin") * Parameter("log").sin(), 0)
    made = again(circuit)
    values = {"sin": 0.3, "log": 0.4}
    np.testing.assert_array_equal(Simulator().statevector(circuit, values), Simulator().statevector(made, values))


@given(observables(6))
@settings(max_examples=50)
def test_operators_come_back_bit_for_bit(operator: Any) -> None:
    made = operator_from_json(json.loads(json.dumps(operator_to_json(operator))))
    assert made.terms == operator.terms
    assert made.num_qubits == operator.num_qubits


def test_tasks_come_back() -> None:
    task = Task(
        TaskKind.MINIMIZE, np.array([[1 / 3, 1e-300]]), True, 7, (1 << 53) - 1, (Pauli.X(0) / 7, Pauli.Z(3)), True,
        (StateFilter("x", (1, 2), True),), 0.1, MinimizeOptions(3, "SPSA", 1e-9),
    )  # fmt: skip
    made = Task.from_dict(json.loads(json.dumps(task.to_dict())))
    assert made.to_dict() == task.to_dict()
    assert made.rows.tobytes() == task.rows.tobytes()
    assert made.options == task.options and made.filters == task.filters
    none = Task(TaskKind.SAMPLE, np.empty((0, 2)), True, 7, 1)
    assert Task.from_dict(json.loads(json.dumps(none.to_dict()))).rows.shape == (0, 2)
    for damaged in ({}, {**task.to_dict(), "kind": "eval"}, {**task.to_dict(), "rows": [[1, 2, 3]]}):
        with pytest.raises(SessionError, match="This is no task"):
            Task.from_dict(damaged)
    own = Task(TaskKind.ESTIMATE_COST, np.empty((1, 0)), False, 1, 1, cost=lambda state: 0.0)
    assert not own.is_storable
    with pytest.raises(SessionError, match="Python function cannot be stored"):
        own.to_dict()


@pytest.mark.parametrize(
    "change",
    [
        {"qubits": -1},
        {"qubits": "x"},
        {"operations": [["h", [9]]]},
        {"operations": [["nothing", [0]]]},
        {"operations": [["cx", [0, 0]]]},
        {"operations": [["rx", [0], [["t", "/"]]]]},
        {"operations": [["rx", [0], [["unknown"]]]]},
        {"operations": [["@measure", [0], [5]]]},
        {"operations": [["@exec", "import os"]]},
        {"operations": [[{"matrix": 3}, [0]]]},
        {"operations": [["x", [0, 1], [], [7]]]},
        {"matrices": [["m", [[1, 0], [1, 0], [1, 0], [1, 0]]]]},
        {"qubit_registers": [["q", [0, 7]]]},
        {"parameters": 3},
    ],
)
def test_what_was_tampered_with_is_refused(change: dict[str, Any]) -> None:
    data = {**circuit_to_json(Circuit(2).rx(Parameter("t"), 0)), **change}
    with pytest.raises(SessionError, match="This is no circuit of this package's JSON form"):
        circuit_from_json(data)


@pytest.mark.parametrize(
    "source",
    ["OPENQASM 3.0;\ninput float t;\nqubit[2] q;\nctrl @ U(t, 0, 0) q[0], q[1];\n", Circuit(2).ry(Parameter("p"), 0)],
)
def test_work_is_text_that_any_process_can_do(source: Any) -> None:
    program = read_program(source)
    rows, _ = program.bind([[0.1], [0.2], [0.3]])
    work = Work(program, ExecutionPreferences(num_shots=50, random_seed=1), Task(TaskKind.SAMPLE, rows, True, 50, 1))
    text = work.to_json()
    assert Work.from_dict(json.loads(text)).to_json() == text
    assert Work.from_dict(json.loads(text)).run() == work.run()
    data = json.loads(text)
    data["task"] |= {"rows": [], "seed": 0}
    sent = zlib.compress(json.dumps(data).encode())
    assert read_encoded(*run_rows(sent, rows, 1, 1)) == work.run()
    assert read_encoded(*run_rows(sent, rows[1:], 2, None)) == work.run()[1:]
    assert Program.from_data(program.data).outputs == program.outputs
    with pytest.raises(SessionError, match="This is no work"):
        Work.from_dict({})
