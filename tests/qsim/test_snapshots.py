"""Snapshots: what the state is at marked places, and that marks change nothing else."""

from __future__ import annotations

import numpy as np
import oracle
import pytest
import strategies
from hypothesis import given, settings
from hypothesis import strategies as st

from parsers import QasmWarning, dumps, loads
from qsim import Circuit, Gate, Parameter, Pauli, Simulator
from qsim.classical import Bits
from qsim.errors import CircuitError, MemoryLimitError, QsimError


@settings(max_examples=50)
@given(strategies.bound_circuits(max_qubits=6), st.data(), st.sampled_from([("double", 1e-12), ("single", 1e-5)]))
def test_snapshots_are_the_states_at_their_places(drawn, data, precision):
    (circuit, values), (name, tolerance) = drawn, precision
    n, operator = circuit.num_qubits, data.draw(strategies.observables(circuit.num_qubits))
    places = sorted(data.draw(st.lists(st.integers(0, len(circuit)), min_size=1, max_size=4)))
    qubits = data.draw(st.lists(st.integers(0, n - 1), unique=True))
    marked, prefix, expected = circuit._empty_like(), circuit._empty_like(), {}
    for parameter in circuit.parameters:
        marked.declare_parameter(parameter)
    marked.global_phase = prefix.global_phase = circuit.global_phase
    instructions = list(circuit)
    for k in range(len(instructions) + 1):
        for label in (f"{k}.{j}" for j in range(places.count(k))):
            expected[label] = oracle.statevector(prefix, values)
            marked.save_statevector("s" + label).save_probabilities("p" + label, qubits).save_expectation(
                "e" + label, operator
            )
        if k < len(instructions):
            for copy in (marked, prefix):
                copy._append(instructions[k].operation, instructions[k].qubits, instructions[k].clbits)
    simulator = Simulator(name, threads=2)
    start = np.eye(1 << n)[0]
    matrix = oracle.operator_matrix(operator, n)
    scale = 1 + np.abs(matrix).sum(axis=1).max()
    for initial in (None, start):
        got = simulator.snapshots(marked, values, initial_state=initial)
        assert list(got) == [kind + label for label in expected for kind in "spe"]
        for label, state in expected.items():
            assert np.abs(got["s" + label] - state).max() < tolerance
            assert np.abs(got["p" + label] - oracle.marginal(state, qubits)).max() < tolerance
            assert abs(got["e" + label] - np.vdot(state, matrix @ state).real) < tolerance * scale
    assert np.abs(simulator.statevector(marked, values) - simulator.statevector(circuit, values)).max() < tolerance


def marked_bell():
    return (
        Circuit(2)
        .h(0)
        .save_statevector("half")
        .cx(0, 1)
        .save_probabilities("p", [1])
        .save_expectation("zz", Pauli.Z(0) * Pauli.Z(1))
    )


def test_from_an_initial_state_that_is_left_as_it_is():
    start = np.array([0, 0.6, 0.8j, 0])
    kept = start.copy()
    got = Simulator().snapshots(marked_bell(), initial_state=start)
    half = oracle.circuit_unitary(Circuit(2).h(0)) @ kept
    assert np.abs(got["half"] - half).max() < 1e-12 and np.array_equal(start, kept)
    got["half"][:] = 0
    assert np.abs(Simulator().snapshots(marked_bell(), initial_state=start)["half"] - half).max() < 1e-12


def test_larger_states_and_a_phase():
    circuit = Circuit(15).gphase(0.4).h(range(15))
    for qubit in range(15):
        circuit.rz(0.2 * qubit, qubit).cx(qubit, (qubit + 7) % 15)
    expected = circuit.copy()
    circuit.save_statevector("a").ry(0.3, range(15)).save_statevector("b")
    got = Simulator(threads=2).snapshots(circuit)
    assert np.abs(got["a"] - Simulator().statevector(expected)).max() < 1e-12
    assert np.abs(got["b"] - Simulator().statevector(expected.ry(0.3, range(15)))).max() < 1e-12


def test_batches():
    theta = Parameter("theta")
    circuit = (
        Circuit(2).gphase(theta).rx(theta, 0).save_statevector("a").ry(2 * theta, 1).save_expectation("b", Pauli.Z(1))
    )
    sets = [{"theta": 0.3}, {"theta": 1.1}]
    batch = Simulator().snapshots(circuit, sets)
    for values, got in zip(sets, batch, strict=True):
        prefix = Circuit(2).gphase(theta).rx(theta, 0)
        assert np.abs(got["a"] - oracle.statevector(prefix, values)).max() < 1e-12
        assert abs(got["b"] - np.cos(2 * values["theta"])) < 1e-12
    assert np.array_equal(Simulator().snapshots(circuit, sets[1])["a"], batch[1]["a"])
    assert Simulator().snapshots(circuit, []) == []


def test_marks_change_nothing_else():
    circuit, plain = marked_bell(), Circuit(2).h(0).cx(0, 1)
    simulator = Simulator()
    assert np.array_equal(simulator.statevector(circuit), simulator.statevector(plain))
    assert np.array_equal(simulator.unitary(circuit), simulator.unitary(plain))
    assert simulator.sample(circuit.copy().measure_all(), 100, seed=1) == simulator.sample(
        plain.copy().measure_all(), 100, seed=1
    )
    assert circuit.depth() == plain.depth() == 2
    assert circuit.count_ops() == {"snapshot": 3, "h": 1, "cx": 1}
    assert circuit.inverse().count_ops() == {"cx": 1, "h": 1}
    assert np.array_equal(simulator.snapshots(circuit.copy())["half"], simulator.snapshots(circuit)["half"])
    assert circuit.draw().count("░") >= 2
    branching = circuit.copy()
    branching.add_clbits(2)
    branching.measure(0, 0).if_else(Bits((0,)), branching.block().x(1)).measure(1, 1)
    assert set(simulator.sample(branching, 50, seed=1)) == {"00", "01"}
    for version in ("2.0", "3.0"):
        with pytest.warns(QasmWarning, match="written as a barrier"):
            text = dumps(circuit, version=version)
        assert loads(text).count_ops() == {"barrier": 3, "h": 1, "cx": 1}


def test_measurements_come_after():
    circuit = marked_bell().measure_all()
    assert Simulator().snapshots(circuit)["zz"] == pytest.approx(1)
    with pytest.raises(CircuitError, match="'late' comes after a measurement"):
        Simulator().snapshots(circuit.save_statevector("late"))


def test_what_has_no_snapshots():
    with pytest.raises(CircuitError, match="no snapshot.*save_statevector"):
        Simulator().snapshots(Circuit(2).h(0).barrier())
    with pytest.raises(CircuitError, match="no single state at a place"):
        Simulator().snapshots(marked_bell().reset(0))
    with pytest.raises(CircuitError, match="runs a Circuit"):
        Simulator().snapshots("h")
    with pytest.raises(CircuitError, match="or snapshot"):
        marked_bell().to_gate("bell")


@pytest.mark.parametrize("label", ["", None, 3, "half"])
def test_bad_labels(label):
    with pytest.raises(CircuitError, match="[Ll]abel"):
        marked_bell().save_statevector(label)


def test_bad_qubits_and_observables():
    circuit = Circuit(2)
    with pytest.raises(CircuitError, match="no qubit 2"):
        circuit.save_probabilities("p", [0, 2])
    with pytest.raises(CircuitError, match="once"):
        circuit.save_probabilities("p", [0, 0])
    with pytest.raises(QsimError, match="has 3, the circuit has 2"):
        circuit.save_expectation("e", Pauli.Z(2))
    with pytest.raises(QsimError, match="Hermitian"):
        circuit.save_expectation("e", 1j * Pauli.Z(0))
    with pytest.raises(QsimError, match="SparsePauliOp"):
        circuit.save_expectation("e", "Z")
    assert len(circuit) == 0
    assert circuit.append(Gate("x"), [0]).count_ops() == {"x": 1}


def test_memory_is_checked_first():
    circuit = Circuit(20).h(0).save_statevector("a").h(1).save_statevector("b")
    with pytest.raises(MemoryLimitError):
        Simulator(memory_limit=40 << 20).snapshots(circuit)
    assert set(Simulator(memory_limit=60 << 20).snapshots(circuit)) == {"a", "b"}
