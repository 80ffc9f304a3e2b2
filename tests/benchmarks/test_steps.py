"""Steps give the circuit back: gates split into controls and plain gates have the same effect."""

import numpy as np
import oracle
import pytest
import strategies
from hypothesis import given

from benchmarks.steps import plain_name, steps
from qsim import Circuit, Gate
from qsim.gates import GATES

VALUES = (0.37, -1.21, 2.05, 0.66)


def run(circuit):
    state = np.zeros(1 << circuit.num_qubits, dtype=complex)
    state[0] = 1
    for step in steps(circuit):
        state = oracle.embed(step.full_matrix, step.qubits, state)
    return state


@given(strategies.circuits(max_qubits=5))
def test_a_circuit_and_its_steps_make_the_same_state_but_for_the_global_phase(circuit):
    assert abs(np.vdot(oracle.statevector(circuit), run(circuit))) == pytest.approx(1)


@pytest.mark.parametrize("name", sorted(GATES))
def test_a_plain_name_has_the_matrix_without_controls(name):
    row, params = GATES[name], VALUES[: GATES[name].num_params]
    if plain_name(row):
        assert np.allclose(GATES[plain_name(row)].base_matrix(*params), row.base_matrix(*params))


def test_controls_of_all_kinds_become_one():
    circuit = Circuit(4).cx(0, 1).ccx(0, 1, 2).append(Gate("cx").control(2), [0, 1, 2, 3]).cu(0.1, 0.2, 0.3, 0.4, 0, 1)
    assert [(step.name, step.controls, step.targets) for step in steps(circuit)] == [
        ("x", (0,), (1,)),
        ("x", (0, 1), (2,)),
        ("x", (0, 1, 2), (3,)),
        ("", (0,), (1,)),
    ]


def test_definitions_are_expanded_and_measurements_left_out():
    bell = Circuit(2).h(0).cx(0, 1)
    circuit = Circuit(3).append(Gate(bell.to_gate("bell")), [2, 1]).barrier().measure_all()
    assert [(step.name, step.qubits) for step in steps(circuit)] == [("h", (2,)), ("x", (2, 1))]
