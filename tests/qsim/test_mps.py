"""Matrix-product states against dense matrices to 1e-10 without truncation, and what they report with it."""

from __future__ import annotations

import math

import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import circuits, observables

from qsim import Circuit, Gate, MemoryLimitError, Pauli, QsimError, Simulator, UnitaryMatrix
from qsim.classical import Bits
from qsim.mps.gates import apply_circuit
from qsim.mps.state import LEFT, RIGHT, MatrixProductState, Settings, product_vectors
from qsim.noise import NoiseModel, amplitude_damping, bit_flip


def simulator(**options):
    return Simulator(**{"threads": 2, "method": "mps", "truncation": 0, **options})


@settings(max_examples=80)
@given(circuits(max_qubits=7, max_gates=16), st.data())
def test_against_dense_matrices(circuit, data):
    state = oracle.statevector(circuit)
    assert np.allclose(simulator().statevector(circuit), state, atol=1e-10)
    qubits = data.draw(st.permutations(range(circuit.num_qubits)))[: data.draw(st.integers(0, circuit.num_qubits))]
    assert np.allclose(simulator().probabilities(circuit, qubits=qubits), oracle.marginal(state, qubits), atol=1e-10)
    operators = [data.draw(observables(circuit.num_qubits)), Pauli.Z(0)]
    values, variances = simulator().moments(circuit, operators)
    for operator, value, variance in zip(operators, values, variances, strict=True):
        assert math.isclose(value, oracle.expectation(circuit, operator), abs_tol=1e-10)
        assert math.isclose(variance, oracle.variance(circuit, operator), abs_tol=1e-9)


@settings(max_examples=20)
@given(circuits(max_qubits=6, max_gates=10))
def test_single_precision(circuit):
    found = Simulator("single", method="mps", truncation=0).statevector(circuit)
    assert found.dtype == np.complex64 and np.allclose(found, oracle.statevector(circuit), atol=3e-5)


@settings(max_examples=20)
@given(circuits(max_qubits=6, max_gates=10))
def test_samples(circuit):
    measured = circuit.copy().measure_all()
    counts = simulator().sample(measured, 4000, seed=3)
    oracle.assert_sampled(
        dict(zip(counts.outcomes, counts.frequencies.tolist(), strict=True)), oracle.distribution(measured)
    )


@settings(max_examples=30)
@given(circuits(max_qubits=6, max_gates=14))
def test_tensors_stay_isometries(circuit):
    state = MatrixProductState(product_vectors(circuit.num_qubits), Settings(truncation=0))
    apply_circuit(state, circuit)
    state.flush()
    for tensor, form in zip(state.tensors, state.form, strict=True):
        rows = tensor.reshape(tensor.shape[0], -1)
        columns = tensor.reshape(-1, tensor.shape[2])
        if form == RIGHT:
            assert np.allclose(rows @ rows.conj().T, np.eye(len(rows)), atol=1e-11)
        elif form == LEFT:
            assert np.allclose(columns.conj().T @ columns, np.eye(columns.shape[1]), atol=1e-11)
        else:
            assert math.isclose(np.linalg.norm(tensor), 1, abs_tol=1e-11)


def test_measured_bits_go_where_they_are_measured_to():
    circuit = Circuit(5, 4).x(3).ry(0.8, 1).cx(1, 4).measure([3, 4], [2, 0])
    counts = simulator().sample(circuit, 2000, seed=1)
    assert set(counts) == {"0100", "0101"}


def test_gates_on_many_qubits_far_apart():
    rng = np.random.default_rng(4)
    matrix = np.linalg.qr(rng.normal(size=(8, 8)) + 1j * rng.normal(size=(8, 8)))[0]
    circuit = Circuit(9)
    for qubit in range(9):
        circuit.u(*rng.uniform(0, 3, 3), qubit)
    circuit.append(Gate(UnitaryMatrix(matrix)).control(2), [8, 1, 4, 0, 6]).append(
        Gate("x").control(6), range(7, 0, -1)
    )
    circuit.append(Gate("gphase", 0.7).control(3, value=0), [2, 8, 5]).ccx(0, 8, 4).cswap(7, 0, 3)
    assert np.allclose(simulator().statevector(circuit), oracle.statevector(circuit), atol=1e-10)


def test_control_over_thirty_qubits_is_narrow():
    circuit = Circuit(40).h(range(39)).append(Gate("x").control(39), range(40))
    simulator_ = simulator()
    assert math.isclose(simulator_.expectation(circuit, Pauli.Z(39)), 1 - 2.0**-38, abs_tol=1e-12)
    assert simulator_.last_run["max_bond"] <= 4


def test_dynamic_circuits():
    circuit = Circuit(3, 3).u(0.9, 0.4, -1.2, 0)
    circuit.h(1).cx(1, 2).cx(0, 1).h(0).measure(0, 0).measure(1, 1)
    circuit.if_else(Bits((1,)), circuit.block().x(2)).if_else(Bits((0,)), circuit.block().z(2))
    circuit.append(Gate("u", 0.9, 0.4, -1.2).inverse(), [2]).measure(2, 2)
    counts = simulator().sample(circuit, 4000, seed=1)
    found = dict(zip(counts.outcomes, counts.frequencies.tolist(), strict=True))
    oracle.assert_sampled(found, {k: 0.25 for k in range(4)})


@settings(max_examples=25)
@given(st.data())
def test_measuring_and_resetting_midway(data):
    circuit = Circuit(4, 4)
    for _ in range(data.draw(st.integers(2, 10))):
        kind = data.draw(st.sampled_from(["ry", "cx", "cx", "crx", "measure", "reset"]))
        a, b = data.draw(st.permutations(range(4)))[:2]
        angle = data.draw(st.sampled_from([0.7, 2.1, math.pi / 2]))
        arguments = {"ry": (angle, a), "cx": (a, b), "crx": (angle, a, b), "measure": (a, b), "reset": (a,)}[kind]
        getattr(circuit, kind)(*arguments)
    circuit.reset(0).h(0).measure(0, 0)
    counts = simulator().sample(circuit, 2000, seed=7)
    found = dict(zip(counts.outcomes, counts.frequencies.tolist(), strict=True))
    oracle.assert_sampled(found, oracle.distribution(circuit))


def test_a_measured_ghz_state_falls_apart():
    circuit = Circuit(60, 60).h(0)
    for k in range(59):
        circuit.cx(k, k + 1)
    circuit.measure(30, 30).reset(30).measure(range(60), range(60))
    counts = simulator().sample(circuit, 500, seed=2)
    assert set(counts) == {"0" * 60, "1" * 29 + "0" + "1" * 30}


def test_pairs_that_are_far_apart_stand_side_by_side():
    circuit = Circuit(40)
    for k in range(20):
        circuit.ry(0.1 + 0.05 * k, k).cx(k, k + 20)
    cut = simulator()
    value = cut.expectation(circuit, Pauli.Z(3) * Pauli.Z(23) + Pauli.Z(39))
    assert math.isclose(value, 1 + math.cos(0.1 + 0.05 * 19), abs_tol=1e-12)
    assert cut.last_run["max_bond"] == 2
    counts = cut.sample(circuit.measure_all(), 200, seed=1)
    assert all(key[:20] == key[20:] for key in counts)


# truncation ------------------------------------------------------------------------------------------------------
def brickwork(count, layers, seed=1):
    rng = np.random.default_rng(seed)
    circuit = Circuit(count)
    for layer in range(layers):
        for qubit in range(count):
            circuit.u(*rng.uniform(0, 6, 3), qubit)
        for qubit in range(layer % 2, count - 1, 2):
            circuit.cx(qubit, qubit + 1)
    return circuit


def test_the_reported_error_is_one_minus_the_fidelity():
    circuit = brickwork(10, 8)
    exact = oracle.statevector(circuit)
    for bond in (6, 8, 12):
        cut = simulator(max_bond=bond)
        state = cut.statevector(circuit)
        facts = cut.last_run
        assert facts["max_bond"] <= bond
        assert math.isclose(np.linalg.norm(state), 1, abs_tol=1e-10)
        lost = 1 - abs(np.vdot(exact, state)) ** 2
        assert 0.5 * lost < facts["truncation_error"] + 1e-9 < 2 * lost + 1e-9
    loose = simulator(truncation=1e-3)
    loose.expectation(circuit, Pauli.Z(0))
    assert 0 < loose.last_run["truncation_error"] < 0.2
    full = simulator()
    full.expectation(circuit, Pauli.Z(0))
    assert full.last_run["truncation_error"] < 1e-12 and full.last_run["max_bond"] <= 32


def test_counts_carry_the_error_and_repeat_with_the_seed():
    circuit = brickwork(30, 10).measure_all()
    runs = [Simulator(threads=t, method="mps", max_bond=8).sample(circuit, 300, seed=5) for t in (1, 2)]
    assert runs[0] == runs[1]
    assert runs[0].metadata["truncation_error"] > 0.01 and runs[0].metadata["max_bond"] == 8


def test_many_shots_of_wide_states_are_taken_in_parts(monkeypatch):
    from qsim.mps import readout

    circuit = brickwork(10, 6).measure_all()
    monkeypatch.setattr(readout, "_ROOM", 1 << 14)
    counts = simulator().sample(circuit, 20_000, seed=5)
    found = dict(zip(counts.outcomes, counts.frequencies.tolist(), strict=True))
    exact = np.abs(Simulator(method="statevector").statevector(circuit)) ** 2
    oracle.assert_sampled(found, dict(enumerate(exact.tolist())))


# noise, initial states, refusals ---------------------------------------------------------------------------------
def test_pauli_noise_pattern_by_pattern():
    circuit = Circuit(2).x(0).cx(0, 1).measure_all()
    counts = simulator(noise=NoiseModel().add(bit_flip(0.1), "x")).sample(circuit, 20_000, seed=1)
    found = dict(zip(counts.outcomes, counts.frequencies.tolist(), strict=True))
    oracle.assert_sampled(found, {0: 0.1, 3: 0.9})
    with pytest.raises(QsimError, match="mixture of Paulis"):
        simulator(noise=NoiseModel().add(amplitude_damping(0.1), "x")).sample(circuit, 10)


def test_initial_states():
    vectors = np.array([[0.6, 0.8j], [1, 0], [math.sqrt(0.5)] * 2])
    circuit = Circuit(3).cx(0, 1).crz(0.4, 2, 0)
    for given_ in ("+0r", 5, vectors):
        expected = Simulator(method="statevector").statevector(circuit, initial_state=given_)
        assert np.allclose(simulator().statevector(circuit, initial_state=given_), expected, atol=1e-12)
    with pytest.raises(QsimError, match="starts from a product state"):
        simulator().statevector(Circuit(3), initial_state=np.eye(8)[0])


def test_refusals():
    with pytest.raises(MemoryLimitError, match="The amplitudes of 60 qubits"):
        simulator().statevector(Circuit(60).h(0))
    with pytest.raises(MemoryLimitError, match="Give max_bond"):
        simulator(memory_limit=1 << 17).expectation(brickwork(14, 14), Pauli.Z(0))
    for options, message in (
        ({"max_bond": 0}, "max_bond is a whole number of at least 1, or None"),
        ({"max_bond": 2.5}, "max_bond is a whole number"),
        ({"truncation": 1.0}, "truncation is a share of the squared norm"),
        ({"truncation": -1e-3}, "truncation is a share"),
        ({"truncation": "small"}, "truncation is a share"),
    ):
        with pytest.raises(QsimError, match=message):
            simulator(**options)
    with pytest.raises(
        QsimError, match=r'method="mps" gives expectation, probabilities, sample, statevector; a gradient'
    ):
        simulator().gradient(Circuit(1), Pauli.Z(0))


def test_blas_has_one_thread_meanwhile_and_its_own_number_again_afterwards(monkeypatch):
    threadpoolctl = pytest.importorskip("threadpoolctl")
    from qsim.mps.blas import one_thread

    def threads():
        return [one["num_threads"] for one in threadpoolctl.threadpool_info() if one["user_api"] == "blas"]

    before = threads()
    with one_thread, one_thread:
        assert set(threads()) <= {1}
    assert threads() == before


def test_without_threadpoolctl_blas_is_left_as_it_is(monkeypatch):
    import sys

    from qsim.mps.blas import OneThread

    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    with OneThread():
        pass


@pytest.mark.parametrize("wide", [Gate("ccx"), Gate("cswap"), Gate("x").control(3), Gate("rxx", 0.7).control(1)])
def test_swaps_that_wait_move_the_qubits_of_wide_gates(wide):
    rng = np.random.default_rng(5)
    for _ in range(25):
        circuit = Circuit(6)
        for qubit in range(6):
            circuit.ry(rng.uniform(0.2, 3), qubit)
        for qubit in range(6):  # what turned qubits waits no more, and a SWAP is held alone
            circuit.cx(qubit, (qubit + 1) % 6)
        for _ in range(3):
            circuit.swap(*rng.permutation(6)[:2].tolist())
        circuit.append(wide, rng.permutation(6)[: wide.num_qubits].tolist())
        expected = Simulator(method="statevector").statevector(circuit)
        found = Simulator(method="mps", truncation=0).statevector(circuit)
        assert np.allclose(found, expected, atol=1e-12)
