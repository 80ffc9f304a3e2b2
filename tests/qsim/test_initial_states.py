"""Runs that begin in a given state: against the oracle's matrices, and every bad input."""

from __future__ import annotations

import numpy as np
import oracle
import pytest
import strategies
from hypothesis import given, settings
from hypothesis import strategies as st

from qsim import Circuit, Parameter, Pauli, Simulator, first_runs
from qsim.classical import Bits
from qsim.errors import MemoryLimitError, QsimError

LABELS = {
    "0": [1, 0], "1": [0, 1], "+": [0.5**0.5, 0.5**0.5], "-": [0.5**0.5, -(0.5**0.5)],
    "r": [0.5**0.5, 0.5**0.5 * 1j], "l": [0.5**0.5, -(0.5**0.5) * 1j],
}  # fmt: skip


def product(vectors):
    """The product state of single-qubit vectors, qubit 0 first."""
    state = np.ones(1)
    for vector in vectors:
        state = np.kron(vector, state)
    return state


def random_unit(shape, seed):
    random = np.random.default_rng(seed)
    vector = random.normal(size=shape) + 1j * random.normal(size=shape)
    return vector / np.linalg.norm(vector, axis=-1, keepdims=True)


@st.composite
def initial_states(draw, num_qubits):
    """What a user may give, and its amplitudes."""
    seed, size = draw(st.integers(0, 1000)), 1 << num_qubits
    form = draw(st.sampled_from(["vector", "index", "bits", "labels", "product"]))
    if form == "vector":
        vector = random_unit(size, seed)
        return draw(st.sampled_from([vector, vector.tolist(), tuple(vector)])), vector
    if form == "index":
        index = draw(st.integers(0, size - 1))
        return draw(st.sampled_from([index, np.int64(index)])), np.eye(size)[index]
    if form == "product":
        vectors = random_unit((num_qubits, 2), seed)
        return draw(st.sampled_from([vectors, vectors.tolist(), list(vectors)])), product(vectors)
    text = draw(st.text("01" if form == "bits" else "01+-rl", min_size=num_qubits, max_size=num_qubits))
    return text, product([LABELS[letter] for letter in reversed(text)])


@settings(max_examples=60)
@given(strategies.bound_circuits(max_qubits=6), st.data(), st.sampled_from([("double", 1e-12), ("single", 1e-5)]))
def test_all_results_from_any_state(drawn, data, precision):
    (circuit, values), (name, tolerance) = drawn, precision
    n = circuit.num_qubits
    given_state, amplitudes = data.draw(initial_states(n))
    expected = oracle.circuit_unitary(circuit, values) @ amplitudes
    simulator = Simulator(name, threads=2)
    state = simulator.statevector(circuit, values, initial_state=given_state)
    assert state.dtype == (np.complex128 if name == "double" else np.complex64)
    assert np.abs(state - expected).max() < tolerance
    qubits = data.draw(st.lists(st.integers(0, n - 1), unique=True))
    weights = simulator.probabilities(circuit, values, qubits, initial_state=given_state)
    assert np.abs(weights - oracle.marginal(expected, qubits)).max() < tolerance
    operator = data.draw(strategies.observables(n))
    matrix = oracle.operator_matrix(operator, n)
    scale = 1 + np.abs(matrix).sum(axis=1).max() ** 2
    mean = np.vdot(expected, matrix @ expected).real
    spread = np.linalg.norm(matrix @ expected) ** 2 - mean**2
    assert abs(simulator.expectation(circuit, operator, values, initial_state=given_state) - mean) < tolerance * scale
    assert (
        abs(simulator.variance(circuit, operator, values, initial_state=given_state) - spread) < 4 * tolerance * scale
    )
    got = simulator.moments(circuit, [operator], values, initial_state=given_state)
    assert abs(got[0][0] - mean) < tolerance * scale


@pytest.mark.parametrize("num_qubits", [14, 17])
def test_larger_circuits(num_qubits):
    circuit = Circuit(num_qubits)
    for qubit in range(num_qubits):
        circuit.ry(0.1 + qubit, qubit).cx(qubit, (qubit + 5) % num_qubits).rz(0.3 * qubit, qubit)
    prepare = Circuit(num_qubits)
    for qubit in range(num_qubits):
        prepare.ry(0.7 * qubit, qubit)
    whole = prepare.copy()
    for instruction in circuit:
        whole.append(instruction.operation, instruction.qubits)
    start = Simulator().statevector(prepare)
    kept = start.copy()
    got = Simulator(threads=2).statevector(circuit, initial_state=start)
    assert np.abs(got - Simulator().statevector(whole)).max() < 1e-12
    assert np.array_equal(start, kept)


def test_samples():
    circuit = Circuit(2).cx(0, 1).measure_all()
    assert dict(Simulator().sample(circuit, 10, initial_state="01")) == {"11": 10}
    assert dict(Simulator().sample(circuit, 10, initial_state=2)) == {"10": 10}
    counts = Simulator().sample(circuit, 5000, seed=2, initial_state="0+")
    oracle.assert_sampled({int(key, 2): n for key, n in counts.items()}, {0: 0.5, 3: 0.5})


def test_circuits_that_branch():
    circuit = Circuit(2, 2).measure(0, 0)
    circuit.if_else(Bits((0,)), circuit.block().x(1))
    circuit.measure(1, 1)
    assert dict(Simulator().sample(circuit, 10, initial_state="11")) == {"01": 10}
    start = np.array([0.6, 0.8j, 0, 0])
    kept = start.copy()
    counts = Simulator().sample(circuit, 5000, seed=2, initial_state=start)
    oracle.assert_sampled({int(key, 2): n for key, n in counts.items()}, {0: 0.36, 3: 0.64})
    assert np.array_equal(start, kept)


def test_batches_begin_in_the_same_state():
    theta = Parameter("theta")
    circuit, sets = Circuit(3).rx(theta, 0).cx(0, 1), [{"theta": 0.3}, {"theta": 1.1}, {"theta": 2.0}]
    start = random_unit(8, 3)
    kept, simulator = start.copy(), Simulator(threads=2)
    states = simulator.statevector(circuit, sets, initial_state=start)
    for k, values in enumerate(sets):
        assert np.abs(states[k] - oracle.circuit_unitary(circuit, values) @ start).max() < 1e-12
    one = simulator.expectation(circuit, Pauli.Z(1), sets[2], initial_state=start)
    assert abs(simulator.expectation(circuit, Pauli.Z(1), sets, initial_state=start)[2] - one) < 1e-12
    assert simulator.probabilities(circuit, sets, [1], initial_state=start).shape == (3, 2)
    measured = circuit.copy().measure_all()
    batch = simulator.sample(measured, 500, sets, seed=4, initial_state=start)
    for k, values in enumerate(sets):
        assert batch[k] == simulator.sample(measured, 500, values, seed=4 + k, initial_state=start)
    branching = circuit.copy()
    branching.add_clbits(1)
    branching.measure(0, 0).reset(0)
    batch = simulator.sample(branching, 500, sets, seed=4, initial_state=start)
    assert batch[1] == simulator.sample(branching, 500, sets[1], seed=5, initial_state=start)
    assert np.array_equal(start, kept)


def test_the_first_small_runs(monkeypatch):
    monkeypatch.setattr(first_runs, "worth_it", lambda *_, **__: True)
    circuit, start = Circuit(2).h(0).cx(0, 1).gphase(0.3), random_unit(4, 1)
    cold = Simulator().statevector(circuit, initial_state=start)
    counts = Simulator().sample(circuit.copy().measure_all(), 2000, seed=1, initial_state=start)
    monkeypatch.undo()
    assert np.abs(cold - Simulator().statevector(circuit, initial_state=start)).max() < 1e-12
    assert counts == Simulator().sample(circuit.copy().measure_all(), 2000, seed=1, initial_state=start)


BAD = [
    ([1, 1, 0, 0], r"norm 1\.414213562.*np\.linalg\.norm"),
    ([0, 0, 0, 0], "norm 0.*no direction"),
    (np.array([1 + 1e-7, 0, 0, 0]), "norm 1.0000001"),
    ([[1, 0], [1, 1]], "qubit 1 has norm"),
    ([np.nan, 0, 0, 0], "not finite"),
    ([np.inf, 0, 0, 0], "not finite"),
    ([1, 0], r"got \(2,\)"),
    ([1, 0, 0, 0, 0, 0, 0, 0], r"got \(8,\)"),
    (np.eye(4), r"got \(4, 4\)"),
    ([[1, 0], [1, 0], [1, 0]], r"got \(3, 2\)"),
    ([[1, 0], [1]], "different lengths"),
    (["0", "1"], "entries of type"),
    ([True, False, False, False], "entries of type bool"),
    ([None, 1, 0, 0], "entries of type object"),
    ("012", "got '2' in '012'"),
    ("000", "'000' has 3"),
    ("", "'' has 0"),
    (4, r"index from 0 to 2\*\*2 - 1, got 4"),
    (-1, "got -1"),
    (True, "got bool"),
    (1.0, "got float"),
    ({0: 1}, "got dict"),
    (iter([1, 0, 0, 0]), "got list_iterator"),
]


@pytest.mark.parametrize("given_state, message", BAD)
def test_bad_states(given_state, message):
    for call in (Simulator().statevector, Simulator().probabilities, Simulator().sample):
        circuit = Circuit(2).h(0)
        with pytest.raises(QsimError, match=message):
            call(circuit.measure_all() if call.__name__ == "sample" else circuit, initial_state=given_state)


def test_tolerance_follows_the_precision():
    close = np.array([1 + 3e-6, 0])
    assert Simulator("single").statevector(Circuit(1), initial_state=close).dtype == np.complex64
    assert Simulator().statevector(Circuit(1), initial_state=close.astype(np.complex64)).dtype == np.complex128
    with pytest.raises(QsimError, match="norm 1.000003"):
        Simulator().statevector(Circuit(1), initial_state=close)
    with pytest.raises(QsimError, match="norm 1.0001"):
        Simulator("single").statevector(Circuit(1), initial_state=np.array([1.0001, 0]))


def test_memory_is_checked_first():
    with pytest.raises(MemoryLimitError, match="statevector of 60 qubits"):
        Simulator().statevector(Circuit(60), initial_state=0)
