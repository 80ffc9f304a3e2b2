"""The simulator against the naive oracle: states, samples, expectation values, parameters, refusals."""

from __future__ import annotations

import functools
import math

import numpy as np
import oracle
import pytest
import strategies
from hypothesis import given, settings
from hypothesis import strategies as st

from qsim import (
    Circuit,
    CircuitError,
    Gate,
    GateDefinition,
    MemoryLimitError,
    Parameter,
    ParameterArray,
    ParameterError,
    Pauli,
    QsimError,
    Simulator,
)

X, Y, Z = Pauli.X, Pauli.Y, Pauli.Z
TILES = [6, 7, 14, None]  # lanes and two or three active bits; the whole state; without a plan where it is small
TOLERANCE = {"double": 1e-12, "single": 1e-5}


def difference(first, second):
    assert np.shape(first) == np.shape(second)
    return float(np.abs(np.subtract(first, second)).max())


@functools.cache
def simulator(precision="double", threads=2, tile_bits=None):
    return Simulator(precision, threads=threads, _tile_bits=tile_bits)


engines = st.builds(simulator, st.sampled_from(sorted(TOLERANCE)), st.sampled_from([1, 2, 3]), st.sampled_from(TILES))


# States --------------------------------------------------------------------------------------------------------


@settings(max_examples=80)
@given(strategies.circuits(), engines)
def test_state_is_the_oracle_s(circuit, engine):
    state = engine.statevector(circuit)
    assert state.dtype == {"double": np.complex128, "single": np.complex64}[engine.precision]
    assert difference(state, oracle.statevector(circuit)) < TOLERANCE[engine.precision]


@settings(max_examples=60)
@given(strategies.bound_circuits(max_qubits=8), engines)
def test_state_with_symbolic_parameters(drawn, engine):
    circuit, values = drawn
    expected = oracle.statevector(circuit, values)
    assert difference(engine.statevector(circuit, values), expected) < TOLERANCE[engine.precision]
    bound = circuit.bind(values)
    assert bound.parameters == ()
    assert difference(engine.statevector(bound), expected) < TOLERANCE[engine.precision]


@pytest.mark.parametrize("tile_bits", TILES)
@pytest.mark.parametrize("name", sorted(oracle.TABLE))
def test_every_gate_at_every_kind_of_position(name, tile_bits):
    """Low, middle and high qubits in rising and falling order, plain and controlled, from a random state."""
    qubits, count = oracle.TABLE[name][:2]
    num_qubits = 8
    random = np.random.default_rng(len(name) * 100 + qubits)
    for trial in range(6):
        circuit = Circuit(num_qubits)
        for q in range(num_qubits):
            circuit.u(*random.uniform(-3, 3, 3), q)
        for q in range(num_qubits - 1):
            circuit.cx(q, q + 1)
        gate = Gate(name, *random.uniform(-3, 3, count))
        if trial % 2 and qubits < 5:
            gate = gate.control(1 + trial // 3, value=trial % 3 % 2)
        places = random.permutation(num_qubits)[: gate.num_qubits].tolist()
        circuit.append(gate, sorted(places, reverse=trial % 4 < 2) if trial < 4 else places)
        assert difference(simulator(tile_bits=tile_bits).statevector(circuit), oracle.statevector(circuit)) < 1e-12


def tensordot_state(circuit):
    """A simple state simulation for circuits too wide for the oracle's loops."""
    n = circuit.num_qubits
    state = np.zeros((2,) * n, dtype=complex)
    state[(0,) * n] = 1
    for instruction in circuit:
        qubits = instruction.qubits
        matrix = oracle.operation_matrix(instruction.operation, {})
        k = len(qubits)
        axes = [n - 1 - q for q in reversed(qubits)]
        state = np.tensordot(matrix.reshape((2,) * (2 * k)), state, (range(k, 2 * k), axes))
        state = np.moveaxis(state, range(k), axes)
    return np.exp(1j * circuit.global_phase) * state.reshape(-1)


def random_circuit(num_qubits, gates, seed):
    random = np.random.default_rng(seed)
    names = [name for name in sorted(oracle.TABLE) if 1 <= oracle.TABLE[name][0] <= num_qubits]
    circuit = Circuit(num_qubits)
    circuit.h(range(num_qubits))
    for _ in range(gates):
        name = names[random.integers(len(names))]
        gate = Gate(name, *random.uniform(-3, 3, oracle.TABLE[name][1]))
        if random.random() < 0.15 and gate.num_qubits < num_qubits:
            gate = gate.control(value=int(random.integers(2)))
        circuit.append(gate, random.permutation(num_qubits)[: gate.num_qubits].tolist())
    return circuit


@pytest.mark.parametrize(("num_qubits", "seed"), [(15, 1), (15, 2), (16, 3), (17, 4)])
def test_wide_circuits(num_qubits, seed):
    circuit = random_circuit(num_qubits, 120, seed)
    expected = tensordot_state(circuit)
    for threads, tile_bits in [(1, None), (2, None), (3, 10)]:
        assert difference(simulator("double", threads, tile_bits).statevector(circuit), expected) < 1e-12
    assert difference(simulator("single").statevector(circuit), expected) < 1e-5


def test_threads_do_not_change_a_single_bit():
    circuit = random_circuit(16, 80, 7)
    first = simulator(threads=1).statevector(circuit)
    assert np.array_equal(first, simulator(threads=2).statevector(circuit))
    assert np.array_equal(first, simulator(threads=3).statevector(circuit))


def test_a_circuit_may_grow_after_it_has_run():
    circuit, engine = Circuit(2).h(0), simulator()
    engine.statevector(circuit)
    circuit.cx(0, 1)
    assert difference(engine.statevector(circuit), [math.sqrt(0.5), 0, 0, math.sqrt(0.5)]) < 1e-15
    circuit.gphase(math.pi)
    assert difference(engine.statevector(circuit), [-math.sqrt(0.5), 0, 0, -math.sqrt(0.5)]) < 1e-15
    circuit.add_qubits(1)
    assert engine.statevector(circuit).shape == (8,)


def test_small_and_empty_circuits():
    engine = simulator()
    assert engine.statevector(Circuit(0)).tolist() == [1]
    assert engine.statevector(Circuit(1)).tolist() == [1, 0]
    assert difference(engine.statevector(Circuit(0).gphase(0.5)), [np.exp(0.5j)]) < 1e-15
    assert engine.unitary(Circuit(0).gphase(math.pi)).round(12).tolist() == [[-1]]


def test_measurements_at_the_end_do_not_change_the_state():
    circuit = Circuit(2, 2).h(0).measure(0, 0).x(1).measure(1, 1)
    assert not circuit.is_dynamic
    assert difference(simulator().statevector(circuit), oracle.statevector(Circuit(2).h(0).x(1))) < 1e-15


def test_barriers_and_delays_do_nothing():
    circuit = Circuit(2).h(0).barrier().delay("10ns", 0).cx(0, 1).barrier(1)
    assert difference(simulator().statevector(circuit), [math.sqrt(0.5), 0, 0, math.sqrt(0.5)]) < 1e-15


def test_fractional_power_of_a_definition_with_parameters():
    a, b = Parameter("a"), Parameter("b")
    turn = GateDefinition("turn", [a], Circuit(2).rx(a, 0).cx(0, 1).rz(a / 2, 1))
    circuit = Circuit(3).h([0, 1, 2]).append(Gate(turn, 2 * b).power(0.5).control(), [1, 2, 0])
    expected = oracle.statevector(circuit, {"b": 0.4})
    assert difference(simulator().statevector(circuit, {"b": 0.4}), expected) < 1e-12


# Unitaries -----------------------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(strategies.circuits(max_qubits=5), engines)
def test_unitary(circuit, engine):
    assert difference(engine.unitary(circuit), oracle.circuit_unitary(circuit)) < TOLERANCE[engine.precision]


def test_unitary_of_a_batch_and_of_a_measured_circuit():
    theta = Parameter("theta")
    circuit = Circuit(2).rx(theta, 0).cx(0, 1)
    batch = simulator().unitary(circuit, [{"theta": 0.2}, {"theta": 1.4}])
    assert batch.shape == (2, 4, 4)
    for matrix, value in zip(batch, [0.2, 1.4], strict=True):
        assert difference(matrix, oracle.circuit_unitary(circuit, {"theta": value})) < 1e-14
    with pytest.raises(CircuitError, match="A circuit with measurements has no unitary matrix"):
        simulator().unitary(Circuit(1).h(0).measure_all())
    with pytest.raises(CircuitError, match="no single unitary matrix"):
        simulator().unitary(Circuit(1).reset(0))


# Probabilities -------------------------------------------------------------------------------------------------


@given(strategies.circuits(max_qubits=7), engines, st.data())
def test_probabilities_of_subsets(circuit, engine, data):
    qubits = data.draw(st.permutations(range(circuit.num_qubits)))
    qubits = qubits[: data.draw(st.integers(0, circuit.num_qubits))]
    state = oracle.statevector(circuit)
    found = engine.probabilities(circuit, qubits=qubits)
    assert difference(found, oracle.marginal(state, qubits)) < TOLERANCE[engine.precision]
    assert difference(engine.probabilities(circuit), abs(state) ** 2) < TOLERANCE[engine.precision]


def test_probabilities_of_a_wide_state():
    circuit = random_circuit(15, 40, 11)
    weights = abs(tensordot_state(circuit)) ** 2
    tensor = weights.reshape((2,) * 15)
    expected = tensor.sum(axis=tuple(14 - q for q in range(15) if q not in (3, 14))).reshape(-1)
    assert difference(simulator().probabilities(circuit, qubits=[3, 14]), expected) < 1e-12
    assert difference(simulator(threads=3).probabilities(circuit), weights) < 1e-12


def test_probabilities_errors():
    with pytest.raises(CircuitError, match="Each qubit is asked for once"):
        simulator().probabilities(Circuit(2), qubits=[1, 1])
    with pytest.raises(CircuitError, match="There is no qubit 2: this circuit has qubits 0 to 1"):
        simulator().probabilities(Circuit(2), qubits=[2])


# Batches -------------------------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(strategies.bound_circuits(max_qubits=6), st.integers(0, 2**32 - 1))
def test_a_batch_is_its_sets_one_by_one(drawn, seed):
    circuit, _ = drawn
    count = len(circuit.parameters)
    rows = np.random.default_rng(seed).uniform(-1.5, 1.5, (3, count))
    sets = [{p.name: float(v) for p, v in zip(circuit.parameters, row, strict=True)} for row in rows]
    engine, operator = simulator(tile_bits=6), Z(0) + 0.5 * X(circuit.num_qubits - 1)
    for batch in (rows, sets):
        states = engine.statevector(circuit, batch)
        assert np.array_equal(states, np.array([engine.statevector(circuit, one) for one in sets]))
        assert np.array_equal(
            engine.probabilities(circuit, batch, [0]),
            np.array([engine.probabilities(circuit, one, [0]) for one in sets]),
        )
        means = engine.expectation(circuit, [operator, Z(0)], batch)
        assert means.shape == (3, 2)
        assert np.array_equal(means, np.array([engine.expectation(circuit, [operator, Z(0)], one) for one in sets]))
    assert difference(states, np.array([oracle.statevector(circuit, one) for one in sets])) < 1e-12
    measured = circuit.copy().measure_all()
    together = engine.sample(measured, 50, rows, seed=5)
    assert together == [engine.sample(measured, 50, one, seed=5 + k) for k, one in enumerate(sets)]


def test_shapes_of_batches():
    theta = Parameter("theta")
    circuit, engine = Circuit(2).ry(theta, 0), simulator()
    assert engine.statevector(circuit, np.zeros((3, 1))).shape == (3, 4)
    assert engine.statevector(circuit, np.zeros((0, 1))).shape == (0, 4)
    assert engine.statevector(circuit, [[0.1], [0.2]]).shape == (2, 4)
    assert engine.probabilities(circuit, np.zeros((3, 1)), [1]).shape == (3, 2)
    assert engine.expectation(circuit, Z(0), np.zeros((3, 1))).tolist() == [1, 1, 1]
    assert engine.expectation(circuit, [], {"theta": 0.2}).shape == (0,)
    assert isinstance(engine.expectation(circuit, Z(0), {"theta": 0}), float)


# Expectation values --------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(strategies.circuits(max_qubits=7), engines, st.data())
def test_expectation_and_variance(circuit, engine, data):
    operator = data.draw(strategies.observables(circuit.num_qubits))
    bound = 50 * TOLERANCE[engine.precision]
    assert abs(engine.expectation(circuit, operator) - oracle.expectation(circuit, operator)) < bound
    assert abs(engine.variance(circuit, operator) - oracle.variance(circuit, operator)) < bound
    several = engine.expectation(circuit, [operator, operator + 1])
    assert abs(several[1] - several[0] - 1) < bound


def test_expectation_of_a_wide_state():
    circuit = random_circuit(15, 40, 5)
    state = tensordot_state(circuit)
    signs = (-1.0) ** ((np.arange(1 << 15) >> 14) + (np.arange(1 << 15) & 1))
    expected = float((abs(state) ** 2 * signs).sum())
    assert abs(simulator(threads=3).expectation(circuit, Z(0) * Z(14)) - expected) < 1e-12
    flipped = float((state.conj() * state[np.arange(1 << 15) ^ (1 << 13)]).sum().real)
    assert abs(simulator().expectation(circuit, X(13)) - flipped) < 1e-12
    square = 4 + 9 + 2 * 2 * 3 * float((state.conj() * signs * state[np.arange(1 << 15) ^ (1 << 13)]).sum().real)
    operator = 2 * Z(0) * Z(14) + 3 * X(13)
    mean = 2 * expected + 3 * flipped
    assert abs(simulator().variance(circuit, operator) - (square - mean**2)) < 1e-10


@pytest.mark.parametrize(
    ("observable", "message"),
    [
        (1j * Z(0), "Hermitian"),
        (Z(5), "An observable acts on the circuit's qubits; it has 6, the circuit has 2"),
        (["Z0"], "An observable is a SparsePauliOp"),
    ],
)
def test_observables_that_are_none(observable, message):
    with pytest.raises(QsimError, match=message):
        simulator().expectation(Circuit(2), observable)


# Samples -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", sorted(TOLERANCE))
@pytest.mark.parametrize(("num_qubits", "shots"), [(1, 1000), (3, 20_000), (6, 200), (10, 50_000), (12, 1_000_000)])
def test_samples_follow_the_probabilities(num_qubits, shots, precision):
    circuit = random_circuit(num_qubits, 4 * num_qubits, num_qubits + 50)
    weights = abs(tensordot_state(circuit)) ** 2
    counts = simulator(precision).sample(circuit.measure_all(), shots, seed=20 + num_qubits)
    assert counts.shots == shots
    frequencies = dict(zip(counts.outcomes, counts.frequencies.tolist(), strict=True))
    oracle.assert_sampled(frequencies, dict(enumerate(weights.tolist())))


def test_the_seed_decides_and_threads_do_not():
    circuit = random_circuit(15, 60, 3).measure_all()
    first = simulator(threads=1).sample(circuit, 5000, seed=42)
    for threads in (1, 2, 3):
        assert simulator(threads=threads).sample(circuit, 5000, seed=42) == first
    assert simulator().sample(circuit, 5000, seed=43) != first
    assert first.seed == 42
    drawn = simulator().sample(circuit, 5000)
    assert simulator().sample(circuit, 5000, seed=drawn.seed) == drawn
    assert simulator().sample(circuit, 5000, seed=2**64 - 1).shots == 5000


def test_measurements_go_to_their_bits():
    circuit = Circuit(3, 5).x(0).x(2).measure([0, 1, 2], [4, 3, 1])
    counts = simulator().sample(circuit, 10, seed=1)
    assert dict(counts) == {"10010": 10}
    wide = Circuit(2, 70).x(1).measure(1, 69)
    assert dict(simulator().sample(wide, 3, seed=1)) == {"1" + "0" * 69: 3}


def test_registers_of_counts():
    circuit = Circuit(3)
    a, b = circuit.add_clbits(1, "a"), circuit.add_clbits(2, "b")
    circuit.h(0).x(2).measure(0, a[0]).measure([1, 2], b.indices)
    counts = simulator().sample(circuit, 400, seed=3)
    assert set(counts) == {"100", "101"}
    assert dict(counts.of_register("b")) == {"10": 400}
    assert sum(counts.of_register("a").values()) == 400 == counts.shots
    assert counts.array.tolist() == [[0, 0, 1], [1, 0, 1]]
    assert math.isclose(sum(counts.probabilities().values()), 1)
    assert counts.most_common(1)[0][1] == max(counts.values())
    with pytest.raises(QsimError, match=r"There is no classical register 'bb'\. Did you mean 'b'"):
        counts.of_register("bb")


def test_partial_measurement_sums_over_the_rest():
    circuit = Circuit(4, 1).h(range(4)).cx(0, 3).ry(0.9, 3).measure(3, 0)
    counts = simulator().sample(circuit, 10_000, seed=8)
    probabilities = oracle.distribution(circuit)
    oracle.assert_sampled({int(key, 2): value for key, value in counts.items()}, probabilities)


@pytest.mark.parametrize("shots", [0, -1, 1.5, 10.0, "10", None, True, math.nan, 2**41])
def test_shots_that_are_none(shots):
    with pytest.raises(QsimError, match="The number of shots is a whole number"):
        simulator().sample(Circuit(1).measure_all(), shots)


@pytest.mark.parametrize("seed", [-1, 1.5, "1", True, 2**64])
def test_seeds_that_are_none(seed):
    with pytest.raises(QsimError, match="A seed is a whole number"):
        simulator().sample(Circuit(1).measure_all(), 10, seed=seed)


def test_sampling_needs_a_measurement():
    with pytest.raises(CircuitError, match=r"Sampling needs a measurement.*measure_all"):
        simulator().sample(Circuit(2).h(0), 10)


# Parameters ----------------------------------------------------------------------------------------------------

THETA, PHI, W = Parameter("theta"), Parameter("phi"), ParameterArray("w", 3)


def ansatz():
    return Circuit(2).rx(THETA, 0).ry(2 * W[1] + PHI, 1).cx(0, 1)


def test_parameters_by_name_object_and_array():
    expected = oracle.statevector(ansatz(), {"theta": 0.1, "phi": 0.3, "w[0]": 1, "w[1]": 2, "w[2]": 3})
    for values in (
        {"theta": 0.1, "w": [1, 2, 3], "phi": 0.3},
        {THETA: 0.1, "w": np.array([1.0, 2.0, 3.0]), PHI: np.float32(0.3)},
        {"theta": 0.1, "w[0]": 1, "w[1]": 2, "w[2]": 3, "phi": 0.3},
    ):
        assert difference(simulator().statevector(ansatz(), values), expected) < 1e-7


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (None, "Every parameter needs a value; missing: 'theta', 'w' (3 numbers), 'phi'."),
        ({"theta": 0.1, "phi": 0.1}, "missing: 'w' (3 numbers)"),
        ({"theta": 0, "phi": 0, "w": [0] * 3, "thet": 0}, "There is no parameter 'thet'. Did you mean 'theta'?"),
        ({"theta": 0, "phi": 0, "w": [0] * 2}, "Parameter 'w' is an array of 3 numbers; got 2."),
        ({"theta": 0, "phi": 0, "w": 1.0}, "Parameter 'w' is an array of 3 numbers; got 1.0."),
        ({"theta": math.nan, "phi": 0, "w": [0] * 3}, "Parameter 'theta' must be finite; got nan."),
        ({"theta": 0, "phi": 0, "w": [0, math.inf, 0]}, "Parameter 'w[1]' must be finite; got inf."),
        ({"theta": "1", "phi": 0, "w": [0] * 3}, "Parameter 'theta' is given a real number; got '1'."),
        ({"theta": 1j, "phi": 0, "w": [0] * 3}, "Parameter 'theta' is given a real number; got 1j."),
        ({"theta": 10**400, "phi": 0, "w": [0] * 3}, "Parameter 'theta' must be finite"),
        ({"theta": PHI, "phi": 0, "w": [0] * 3}, "is given a number; got the expression phi. Use circuit.bind"),
        (np.zeros((2, 4)), "An array of parameter sets has shape (sets, 5)"),
        (np.zeros(5), "got shape (5,)"),
        (np.zeros((2, 5), complex), "the array has dtype complex128"),
        (np.full((2, 5), np.nan), "Parameter 'theta' must be finite; set 0 gives nan."),
        ([[1, 2], [3]], "Parameters are a mapping"),
        (3.0, "Parameters are a mapping"),
        ("theta", "Parameters are a mapping"),
    ],
)
def test_parameter_errors(values, message):
    with pytest.raises(ParameterError) as caught:
        simulator().statevector(ansatz(), values)
    assert message in str(caught.value)


def test_parameters_of_a_circuit_without_any():
    assert simulator().statevector(Circuit(1), {}).tolist() == [1, 0]
    with pytest.raises(ParameterError, match=r"There is no parameter 'x'\. This circuit has no parameters"):
        simulator().statevector(Circuit(1).h(0), {"x": 1})


@pytest.mark.parametrize(
    ("angle", "value"), [(1 / THETA, 0.0), (THETA.log(), -1.0), (THETA.sqrt(), -0.5), (THETA.arcsin(), 2.0)]
)
def test_expressions_without_a_value_are_refused(angle, value):
    with pytest.raises(ParameterError):
        simulator().statevector(Circuit(1).rx(angle, 0), {"theta": value})


# Refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("num_qubits", [49, 60, 64, 100, 1000])
def test_too_many_qubits_for_any_memory(num_qubits):
    circuit = Circuit(num_qubits).h(range(num_qubits))
    for q in range(1, num_qubits):  # qubit 0 depends on all others
        circuit.cx(q, 0).ry(0.3, 0)
    circuit.measure_all()
    exact = Simulator(threads=2, method="statevector")
    for call in (
        lambda: simulator().statevector(circuit),
        lambda: exact.sample(circuit, 10),
        lambda: simulator().probabilities(circuit),
        lambda: exact.expectation(circuit, Z(0)),
        lambda: simulator().unitary(Circuit(num_qubits).h(0)),
    ):
        with pytest.raises(MemoryLimitError) as caught:
            call()
        assert "qubits needs" in str(caught.value) and len(str(caught.value)) < 300


def test_dynamic_circuits_ask_for_memory_too():
    circuit = Circuit(60, 1).h(range(60))
    for q in range(1, 60):
        circuit.cx(q, 0).ry(0.3, 0)
    with pytest.raises(MemoryLimitError, match="60 qubits"):
        Simulator(method="statevector").sample(circuit.reset(0).measure(0, 0), 10)


def test_memory_limit():
    circuit = Circuit(12).h(range(12))
    limited = Simulator(threads=1, memory_limit=100_000)
    with pytest.raises(MemoryLimitError, match=r"12 qubits needs 128 KiB .* the memory limit is 97\.[67]\d* KiB"):
        limited.statevector(circuit)
    with pytest.raises(MemoryLimitError, match='precision="single"'):
        limited.statevector(circuit)
    assert Simulator("single", threads=1, memory_limit=100_000).statevector(circuit).shape == (4096,)
    assert issubclass(MemoryLimitError, MemoryError)
    theta = Parameter("theta")
    batch = Circuit(8).rx(theta, 0)
    assert limited.statevector(batch, np.zeros((5, 1))).shape == (5, 256)
    with pytest.raises(MemoryLimitError):
        limited.statevector(batch, np.zeros((50, 1)))
    with pytest.raises(MemoryLimitError):
        limited.unitary(Circuit(8))
    assert Simulator(threads=1).estimate_memory(circuit) == 2 * 16 * 4096


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"precision": "half"}, "The precision is 'double' or 'single', got 'half'."),
        ({"threads": 0}, "threads"),
        ({"threads": 1.5}, "threads"),
        ({"memory_limit": 0}, "memory_limit is a positive number of bytes, got 0."),
        ({"memory_limit": 1e9}, "memory_limit is a positive number of bytes"),
    ],
)
def test_simulator_settings(settings, message):
    with pytest.raises(QsimError) as caught:
        Simulator(**settings)
    assert message in str(caught.value)


@pytest.mark.parametrize("what", [None, "x", 3, [Circuit(1)]])
def test_only_circuits_run(what):
    for method in ("statevector", "probabilities", "unitary", "sample"):
        with pytest.raises(QsimError, match="A simulator runs a Circuit"):
            getattr(simulator(), method)(what)


@pytest.mark.parametrize("circuit", [Circuit(1).reset(0), Circuit(1, 1).measure(0, 0).x(0)])
def test_dynamic_circuits_have_no_single_state(circuit):
    for call in (
        lambda: simulator().statevector(circuit),
        lambda: simulator().probabilities(circuit, qubits=[0]),
        lambda: simulator().expectation(circuit, Z(0)),
    ):
        with pytest.raises(CircuitError, match="has no single"):
            call()
