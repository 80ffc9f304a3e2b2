"""Noisy circuits: density matrices against dense Kraus operators, analytic results, trajectories against both."""

import math
import re
from pathlib import Path

import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import circuits, observables

from qsim import Circuit, Gate, GateDefinition, NoiseModel, Parameter, Pauli, QsimError, Simulator
from qsim.classical import Bits
from qsim.errors import CircuitError, MemoryLimitError
from qsim.noise import (
    ReadoutError,
    amplitude_damping,
    bit_flip,
    depolarizing,
    kraus,
    pauli_channel,
    phase_damping,
    phase_flip,
    thermal_relaxation,
)

ONE = [
    depolarizing(0.1), bit_flip(0.2), phase_damping(0.3), amplitude_damping(0.2, 0.1), amplitude_damping(1.0),
    thermal_relaxation(50, 70, 10, 0.2), pauli_channel({"X": 0.1, "Y": 0.2}), phase_damping(1.0), bit_flip(1.0),
]  # fmt: skip
TWO = [
    depolarizing(0.2, 2), depolarizing(1.0, 2), pauli_channel({"XX": 0.1, "ZI": 0.2, "IY": 0.05}),
    amplitude_damping(0.1).tensor(bit_flip(0.2)), pauli_channel({"ZZ": 0.3}), pauli_channel({"XI": 0.5}),
]  # fmt: skip
ONE_NAMES = ["h", "x", "rx", "ry", "rz", "u", "s", "t", "p", "cx", "cz", "swap", "ccx", "cp"]
TWO_NAMES = ["cx", "cz", "swap", "cp", "crz", "rzz", "ecr", "iswap", "cy", "rxx"]


@st.composite
def rule_lists(draw, pauli=False):
    """Rules (gate name, channel, qubits)."""
    one = [c for c in ONE if not pauli or c.pauli_probabilities is not None]
    two = [c for c in TWO if not pauli or c.pauli_probabilities is not None]
    rules = [
        (draw(st.sampled_from(ONE_NAMES)), draw(st.sampled_from(one)), None) for _ in range(draw(st.integers(1, 4)))
    ]
    rules += [
        (draw(st.sampled_from(TWO_NAMES)), draw(st.sampled_from(two)), draw(st.sampled_from([None, ((0, 1), (1, 0))])))
        for _ in range(draw(st.integers(0, 2)))
    ]
    return rules


@st.composite
def plain_circuits(draw, num_qubits, max_gates=14):
    """Gates of the table with no modifiers, so that an oracle that goes by names is a simple one."""
    circuit = Circuit(draw(st.integers(*num_qubits)))
    names = [n for n in sorted({*ONE_NAMES, *TWO_NAMES}) if oracle.TABLE[n][0] <= circuit.num_qubits]
    for _ in range(draw(st.integers(1, max_gates))):
        name = draw(st.sampled_from(names))
        qubits, params = oracle.TABLE[name][:2]
        angles = [round(draw(st.floats(-4, 4)), 4) for _ in range(params)]
        circuit.append(Gate(name, *angles), draw(st.permutations(range(circuit.num_qubits)))[:qubits])
    return circuit


def model_of(rules):
    model = NoiseModel(20)
    for name, channel, qubits in rules:
        model.add(channel, name, qubits)
    return model


def kraus_rules(rules):
    return [(name, channel.kraus, qubits) for name, channel, qubits in rules]


# density matrices ----------------------------------------------------------------------------------------------
@settings(max_examples=40, deadline=None)
@given(plain_circuits((1, 5)), rule_lists())
def test_a_density_matrix_is_that_of_dense_kraus_operators(circuit, rules):
    found = Simulator(noise=model_of(rules)).density_matrix(circuit)
    assert np.abs(found - oracle.noisy_density(circuit, kraus_rules(rules))).max() < 1e-12
    single = Simulator("single", noise=model_of(rules)).density_matrix(circuit)
    assert single.dtype == np.complex64
    assert np.abs(single - found).max() < 1e-5


@settings(max_examples=15, deadline=None)
@given(st.data(), circuits(max_qubits=4, max_gates=8))
def test_without_noise_it_is_the_state_s_own(data, circuit):
    state = Simulator().statevector(circuit)
    assert np.abs(Simulator().density_matrix(circuit) - np.outer(state, state.conj())).max() < 1e-12
    exact = Simulator(method="density_matrix")
    operator = data.draw(observables(circuit.num_qubits))
    assert exact.expectation(circuit, operator) == pytest.approx(Simulator().expectation(circuit, operator), abs=1e-11)
    assert exact.variance(circuit, operator) == pytest.approx(Simulator().variance(circuit, operator), abs=1e-10)


@settings(max_examples=15, deadline=None)
@given(st.data(), plain_circuits((2, 4)), rule_lists())
def test_expectation_values_are_traces(data, circuit, rules):
    operators = [data.draw(observables(circuit.num_qubits)) for _ in range(2)]
    density = oracle.noisy_density(circuit, kraus_rules(rules))
    simulator = Simulator(noise=model_of(rules))
    values, variances = simulator.moments(circuit, operators)
    for operator, value, variance in zip(operators, values, variances, strict=True):
        matrix = oracle.operator_matrix(operator, circuit.num_qubits)
        expected = np.trace(matrix @ density).real
        assert abs(value - expected) < 1e-11
        assert abs(variance - (np.trace(matrix @ matrix @ density).real - expected**2)) < 1e-10
    assert simulator.expectation(circuit, operators[0]) == pytest.approx(values[0], abs=1e-14)
    kept = list(range(circuit.num_qubits))[::-1][:2]
    probabilities = np.diagonal(density).real.reshape((2,) * circuit.num_qubits)
    assert np.allclose(
        simulator.probabilities(circuit, qubits=kept),
        oracle.marginal(np.sqrt(np.maximum(probabilities, 0)).reshape(-1), kept),
    )


def test_large_states_in_several_passes_agree_with_small_ones():
    model = NoiseModel().add(depolarizing(0.05), ["ry", "rz"]).add(depolarizing(0.1, 2), "cx")
    circuit = layers(6, 2)
    whole = Simulator(noise=model).density_matrix(circuit)
    cut = Simulator(noise=model, _tile_bits=7).density_matrix(circuit)
    assert np.abs(whole - cut).max() < 1e-13
    assert np.trace(whole) == pytest.approx(1, abs=1e-12)


def layers(num_qubits, depth, seed=1):
    random = np.random.default_rng(seed)
    circuit = Circuit(num_qubits)
    for _ in range(depth):
        for qubit in range(num_qubits):
            circuit.ry(random.uniform(0, 6), qubit).rz(random.uniform(0, 6), qubit)
        for qubit in range(num_qubits - 1):
            circuit.cx(qubit, qubit + 1)
    return circuit


# analytic results ----------------------------------------------------------------------------------------------
def test_a_depolarised_bell_pair_is_a_werner_state():
    p = 0.12
    simulator = Simulator(noise=NoiseModel().add(depolarizing(p, 2), "cx"))
    bell = Circuit(2).h(0).cx(0, 1)
    pure = np.array([1, 0, 0, 1]) / math.sqrt(2)
    expected = (1 - p) * np.outer(pure, pure) + p * np.eye(4) / 4
    assert np.abs(simulator.density_matrix(bell) - expected).max() < 1e-15
    assert simulator.expectation(bell, Pauli.X(0) * Pauli.X(1)) == pytest.approx(1 - p, abs=1e-14)
    assert simulator.fidelity(bell, bell) == pytest.approx(1, abs=1e-7)


def test_a_qubit_decays_with_t1():
    t1, t2, step = 50.0, 60.0, 2.0
    simulator = Simulator(noise=NoiseModel().add(thermal_relaxation(t1, t2, step), "delay"))
    for count in (0, 1, 10):
        circuit, ramsey = Circuit(1).x(0), Circuit(1).h(0)
        for _ in range(count):
            circuit.delay("2us", 0)
            ramsey.delay("2us", 0)
        assert simulator.probabilities(circuit)[1] == pytest.approx(math.exp(-count * step / t1), abs=1e-13)
        assert simulator.expectation(ramsey, Pauli.X(0)) == pytest.approx(math.exp(-count * step / t2), abs=1e-13)


def test_readout_follows_the_confusion_matrix():
    errors = [ReadoutError(0.02, 0.1), ReadoutError(0.0, 0.3), ReadoutError(0.25, 0.0)]
    model = NoiseModel()
    for qubit, error in enumerate(errors):
        model.add_readout_error(error, [qubit])
    circuit = Circuit(3).ry(0.7, 0).cx(0, 1).ry(1.9, 2).cx(2, 0)
    confusion = np.kron(errors[2].matrix, np.kron(errors[1].matrix, errors[0].matrix)).T
    expected = confusion @ Simulator().probabilities(circuit)
    simulator = Simulator(noise=model)
    assert np.abs(simulator.probabilities(circuit) - expected).max() < 1e-14
    for operator in (Pauli.Z(0), Pauli.Z(0) * Pauli.Z(2), Pauli.Z(1) + 0.5 * Pauli.Z(1) * Pauli.Z(2) + 2):
        diagonal = np.diagonal(oracle.operator_matrix(operator, 3)).real
        assert simulator.expectation(circuit, operator) == pytest.approx(diagonal @ expected, abs=1e-13)
        spread = diagonal**2 @ expected - (diagonal @ expected) ** 2
        assert simulator.variance(circuit, operator) == pytest.approx(spread, abs=1e-12)
    counts = simulator.sample(circuit.copy().measure_all(), 20_000, seed=3)
    oracle.assert_sampled(dict(zip(counts.outcomes, counts.frequencies, strict=True)), dict(enumerate(expected)))


def test_outcome_probabilities_are_of_the_measured_bits():
    noise = NoiseModel().add_readout_error(ReadoutError(0.0, 0.25), [0]).add(bit_flip(0.1), "measure", [1])
    circuit = Circuit(2, 3).x(0).measure(1, 0).measure(0, 2)
    found = Simulator(noise=noise).outcome_probabilities(circuit)
    assert found == pytest.approx({"000": 0.25 * 0.9, "001": 0.25 * 0.1, "100": 0.75 * 0.9, "101": 0.75 * 0.1})


# which noise acts where ----------------------------------------------------------------------------------------
def test_modifiers_definitions_and_own_gates_get_the_noise_of_their_names():
    flip = NoiseModel(own_gates=["mine"]).add(bit_flip(1.0), "cx", [(0, 1)])
    controlled = Circuit(2).append(Gate("x").control(), [0, 1])
    assert Simulator(noise=flip).probabilities(controlled)[3] == pytest.approx(1)
    theta = Parameter("theta")
    body = Circuit(2).ry(theta, 0).cx(0, 1)
    inside = Circuit(2).append(Gate(GateDefinition("other", [theta], body), 0.0), [0, 1])
    assert Simulator(noise=flip).probabilities(inside)[3] == pytest.approx(1)
    whole = Circuit(2).append(Gate(GateDefinition("mine", [theta], body), 0.0), [0, 1])
    assert Simulator(noise=flip).probabilities(whole)[0] == pytest.approx(1)
    named = NoiseModel(own_gates=["mine"]).add(bit_flip(1.0), "mine", [(0, 1)])
    assert Simulator(noise=named).probabilities(whole)[3] == pytest.approx(1)
    matrix = Circuit(1).unitary(np.eye(2), 0)
    assert Simulator(noise=NoiseModel().add(bit_flip(1.0), "unitary")).probabilities(matrix)[1] == pytest.approx(1)


@pytest.mark.parametrize("method", ["density_matrix", "statevector"])
def test_measurements_resets_and_delays_are_noisy(method):
    def counts(name, circuit):
        noise = NoiseModel().add(bit_flip(1.0), name)
        return dict(Simulator(noise=noise, method=method).sample(circuit, 100, seed=1))

    assert counts("measure", Circuit(1).measure_all()) == {"1": 100}
    assert counts("delay", Circuit(1).delay("1ns", 0).measure_all()) == {"1": 100}
    assert counts("reset", Circuit(1).x(0).reset(0).measure_all()) == {"1": 100}
    assert counts("id", Circuit(1).id(0).measure_all()) == {"1": 100}


# trajectories --------------------------------------------------------------------------------------------------
def frequencies(counts):
    return dict(zip(counts.outcomes, counts.frequencies.tolist(), strict=True))


@pytest.mark.parametrize("pauli", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_trajectories_converge_to_density_matrices(pauli, seed):
    random = np.random.default_rng(seed)
    channels = [c for c in ONE if not pauli or c.pauli_probabilities is not None]
    pairs = [c for c in TWO if not pauli or c.pauli_probabilities is not None]
    model = NoiseModel().add(channels[seed % len(channels)], ["ry", "ccx"]).add(pairs[seed % len(pairs)], ["cx", "cp"])
    model.add(channels[(seed + 3) % len(channels)], ["rz", "u"]).add_readout_error(ReadoutError(0.03, 0.1), [0])
    circuit = layers(3, 1, seed)
    circuit.ccx(0, 1, 2).u(*random.uniform(0, 3, 3), 1).cp(0.7, 0, 2).h(2).cx(2, 1)
    exact, many = Simulator(noise=model), Simulator(noise=model, method="statevector")
    counts = many.sample(circuit.copy().measure_all(), 3000 if pauli else 1200, seed=seed)
    oracle.assert_sampled(frequencies(counts), dict(enumerate(exact.probabilities(circuit))))
    for operator in (Pauli.Z(0), Pauli.X(0) * Pauli.Y(2) + 0.3 * Pauli.Z(1)):
        found = many.estimate(circuit, operator, 2000 if pauli else 600, seed=seed)
        assert abs(found.value - exact.expectation(circuit, operator)) < 5 * found.standard_error + 1e-9
        assert found.standard_error < 0.1


@pytest.mark.parametrize("channel", [depolarizing(0.03), amplitude_damping(0.05)])
def test_counts_depend_on_the_seed_alone(channel):
    model = NoiseModel().add(channel, ["ry", "cx"]).add_readout_error(ReadoutError(0.01, 0.02))
    circuit = layers(5, 2).measure_all()
    one, two = [Simulator(noise=model, threads=t, method="statevector") for t in (1, 2)]
    assert one.sample(circuit, 700, seed=5) == two.sample(circuit, 700, seed=5)
    assert one.sample(circuit, 700, seed=5) != one.sample(circuit, 700, seed=6)
    theta = Parameter("theta")
    varied = Circuit(2).ry(theta, 0).cx(0, 1).measure_all()
    batch = two.sample(varied, 300, [{"theta": 0.3}, {"theta": 1.1}], seed=7)
    assert batch[1] == one.sample(varied, 300, {"theta": 1.1}, seed=8)
    state = layers(5, 1)
    found = [s.estimate(state, Pauli.Z(0) + Pauli.X(1), 400, seed=2) for s in (one, two)]
    assert found[0].value == pytest.approx(found[1].value, abs=1e-12)


def test_a_noisy_clifford_circuit_of_many_shots_is_one_run():
    noise = NoiseModel().add(depolarizing(0.01), ["h", "s"]).add(depolarizing(0.02, 2), "cx")
    circuit = Circuit(4)
    for _ in range(3):
        circuit.h(0).s(1).cx(0, 1).cx(1, 2).h(3).cx(3, 0)
    exact = Simulator(noise=noise)
    counts = Simulator(noise=noise, method="statevector").sample(circuit.copy().measure_all(), 200_000, seed=1)
    oracle.assert_sampled(frequencies(counts), dict(enumerate(exact.probabilities(circuit))))


def test_wider_circuits_go_to_trajectories_and_say_so():
    noise = NoiseModel().add(depolarizing(0.001), "ry")
    circuit = layers(14, 1)
    with pytest.raises(QsimError, match="at most 13 qubits"):
        Simulator(noise=noise).expectation(circuit, Pauli.Z(0))
    found = Simulator(noise=noise).estimate(circuit, Pauli.Z(0), 200, seed=1)
    assert (
        abs(found.value - (1 - 0.001) * Simulator().expectation(circuit, Pauli.Z(0))) < 5 * found.standard_error + 1e-3
    )
    assert Simulator(noise=noise).sample(circuit.copy().measure_all(), 50, seed=1).shots == 50


def test_an_initial_state_may_be_given():
    noise = NoiseModel().add(amplitude_damping(0.5), "id")
    circuit = Circuit(1).id(0)
    assert Simulator(noise=noise).probabilities(circuit, initial_state="1") == pytest.approx([0.5, 0.5])
    for method in ("density_matrix", "statevector"):
        counts = Simulator(noise=noise, method=method).sample(
            circuit.copy().measure_all(), 2000, seed=1, initial_state=1
        )
        oracle.assert_sampled(frequencies(counts), {0: 0.5, 1: 0.5})


# dynamic circuits ----------------------------------------------------------------------------------------------
def teleport():
    circuit = Circuit(3, 3).ry(0.8, 0).h(1).cx(1, 2).cx(0, 1).h(0).measure(0, 0).measure(1, 1)
    circuit.if_else(Bits((1,)), circuit.block().x(2))
    circuit.if_else(Bits((0,)), circuit.block().z(2))
    return circuit.ry(-0.8, 2).measure(2, 2)


def retry():
    circuit = Circuit(1, 1).h(0).measure(0, 0)
    body = circuit.block().reset(0).h(0).measure(0, 0)
    return circuit.while_loop(Bits((0,)), body)


@pytest.mark.parametrize("make", [teleport, retry])
@pytest.mark.parametrize("channel", [depolarizing(0.1), amplitude_damping(0.2)])
def test_dynamic_circuits_by_both_methods(make, channel):
    noise = NoiseModel(5).add(channel, ["h", "x", "z", "reset"]).add(depolarizing(0.1, 2), "cx")
    noise.add_readout_error(ReadoutError(0.05, 0.1))
    results = [
        frequencies(Simulator(noise=noise, method=method).sample(make(), 6000, seed=2))
        for method in ("density_matrix", "statevector")
    ]
    from qsim.noisy_simulation import NoisyCircuit

    exact = NoisyCircuit.of(Simulator(noise=noise), make(), np.zeros(0)).distribution()
    expected = dict(zip(*[list(part) for part in exact], strict=True))
    named = Simulator(noise=noise).outcome_probabilities(make())
    assert {int(key, 2): value for key, value in named.items()} == pytest.approx(expected)
    table = Simulator(noise=noise).probabilities(make())
    assert table.sum() == pytest.approx(1) and table[list(expected)] == pytest.approx(list(expected.values()))
    for result in results:
        oracle.assert_sampled(result, {k: float(v) for k, v in expected.items()})


def test_dynamic_circuits_without_noise_agree_with_exact_enumeration():
    from qsim.noisy_simulation import NoisyCircuit

    for make in (teleport, retry):
        circuit = make()
        values, chances = NoisyCircuit.of(Simulator(method="density_matrix"), circuit, np.zeros(0)).distribution()
        expected = {k: v for k, v in oracle.distribution(circuit).items() if v > 1e-9}
        assert dict(zip(values, chances, strict=True)) == pytest.approx(expected, abs=1e-10)


def test_density_matrices_average_over_measurements_and_resets():
    circuit = Circuit(2, 1).h(0).cx(0, 1).measure(0, 0).h(0).reset(1).cx(0, 1)
    found = Simulator().density_matrix(circuit)
    # After the measurement and H, qubit 0 is |+> or |-> with equal chances: completely mixed; CX copies its value.
    assert np.abs(found - np.diag([0.5, 0, 0, 0.5])).max() < 1e-14


def test_a_loop_without_end_is_stopped():
    circuit = Circuit(1, 1).x(0).measure(0, 0)
    circuit.while_loop(Bits((0,)), circuit.block().measure(0, 0))
    for method in ("density_matrix", "statevector"):
        noise = NoiseModel().add(phase_flip(0.1), "x")
        with pytest.raises(CircuitError, match="ever become false"):
            Simulator(noise=noise, method=method).sample(circuit, 10, seed=1)


# channels of circuits ------------------------------------------------------------------------------------------
@settings(max_examples=10, deadline=None)
@given(plain_circuits((1, 2), max_gates=6), rule_lists())
def test_a_superoperator_takes_density_matrices_to_what_the_circuit_makes(circuit, rules):
    simulator = Simulator(noise=model_of(rules))
    matrix = simulator.superoperator(circuit)
    size = 1 << circuit.num_qubits
    random = np.random.default_rng(0)
    tall = random.normal(size=(size, size)) + 1j * random.normal(size=(size, size))
    density = tall @ tall.conj().T / np.trace(tall @ tall.conj().T)
    expected = oracle.noisy_density(circuit, kraus_rules(rules), density=density)
    assert np.abs((matrix @ density.T.reshape(-1)).reshape(size, size).T - expected).max() < 1e-12


def test_a_superoperator_of_a_gate_is_conj_u_kron_u():
    circuit = Circuit(2).u(0.3, 0.4, 0.5, 0).cx(0, 1)
    unitary = Simulator().unitary(circuit)
    assert np.abs(Simulator().superoperator(circuit) - np.kron(unitary.conj(), unitary)).max() < 1e-13


def test_samples_come_from_what_takes_less():
    noise = NoiseModel().add(depolarizing(0.01, 2), "cx")
    small, large = layers(5, 2).measure_all(), layers(12, 2).measure_all()
    simulator = Simulator(noise=noise)
    assert simulator.sample(small, 1000, seed=1).metadata["method"] == "density_matrix"
    assert simulator.sample(large, 50, seed=1).metadata["method"] == "trajectories"
    assert simulator.last_run["method"] == "trajectories"


def test_the_page_s_programs_run():
    page = (Path(__file__).parents[2] / "docs" / "noise.md").read_text(encoding="utf-8")
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(compile(block, "noise.md", "exec"), names)
    assert isinstance(names["sim"], Simulator)


# what is refused -----------------------------------------------------------------------------------------------
BAD = [
    (lambda s: s.statevector(Circuit(1).x(0)), "no statevector. Use density_matrix"),
    (lambda s: s.unitary(Circuit(1).x(0)), "Use superoperator"),
    (lambda s: s.gradient(Circuit(1).rx(Parameter("a"), 0), Pauli.Z(0), {"a": 1}), "no gradient"),
    (lambda s: s.estimate(Circuit(1).x(0), Pauli.Z(0), 1), "at least two shots"),
    (lambda s: s.sample(Circuit(1).x(0)), "needs a measurement"),
    (lambda s: s.density_matrix("x"), "runs a Circuit"),
    (lambda s: s.expectation(Circuit(1).x(0), 1j * Pauli.Z(0)), "Hermitian"),
    (lambda s: s.superoperator(retry()), "no superoperator"),
    (lambda s: Simulator(noise=s.noise, method="statevector").probabilities(Circuit(1)), "samples and estimates"),
    (lambda s: Simulator(noise=bit_flip(0.1)), "noise is a NoiseModel"),
    (lambda s: Simulator(noise=s.noise, method="density"), "Did you mean 'density_matrix'"),
    (lambda s: Simulator(noise=NoiseModel().add(bit_flip(0.1), "x", [3])).probabilities(Circuit(2)), r"num_qubits=4"),
    (lambda s: Simulator(noise=NoiseModel(2).add(bit_flip(0.1), "x")).probabilities(Circuit(3)), "device with 2 qubits"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), BAD)
def test_what_cannot_be_is_refused_with_advice(call, message):
    with pytest.raises(QsimError, match=message):
        call(Simulator(noise=NoiseModel().add(bit_flip(0.1), "x")))


def test_memory_is_checked_before_it_is_taken():
    noise = NoiseModel().add(bit_flip(0.1), "x")
    with pytest.raises(MemoryLimitError, match="density matrix of 40 qubits"):
        Simulator(noise=noise, method="density_matrix").probabilities(Circuit(40).x(0))
    with pytest.raises(MemoryLimitError, match="density matrix of 10 qubits"):
        Simulator(noise=noise, memory_limit=1 << 20).density_matrix(Circuit(10).x(0))
    assert kraus([np.eye(2)]).num_qubits == 1


@pytest.mark.parametrize("channel", [depolarizing(0.02), amplitude_damping(0.02)])
def test_trajectories_report_progress_and_can_be_cancelled(channel):
    from qsim.errors import RunCancelled
    from qsim.pool import controlled

    class Soon:
        asked = 0

        def is_set(self):
            self.asked += 1
            return self.asked > 3

    simulator = Simulator(noise=NoiseModel().add(channel, ["ry", "cx"]), method="statevector", threads=1)
    circuit, told = layers(5, 2).measure_all(), []
    with controlled(progress=lambda done, total: told.append(done / total)):
        simulator.sample(circuit, 300, seed=1)
    assert told == sorted(told) and told[-1] == 1
    with controlled(cancel=Soon()), pytest.raises(RunCancelled):
        simulator.sample(circuit, 300, seed=1)


def test_counts_do_not_depend_on_how_much_memory_there_is():
    noise = NoiseModel().add(depolarizing(0.02), ["ry", "cx"])
    circuit = layers(8, 2).measure_all()
    plenty = Simulator(noise=noise, method="statevector").sample(circuit, 200, seed=1)
    little = Simulator(noise=noise, method="statevector", memory_limit=1 << 20).sample(circuit, 200, seed=1)
    assert plenty == little


def test_an_error_correcting_program_by_trajectories_and_exactly():
    from parsers import loads

    program = loads("""OPENQASM 3.0; include "stdgates.inc"; qubit[5] q; bit[2] s; bit[3] d;
        h q[0]; cx q[0], q[1]; cx q[0], q[2];
        for int i in [0:1] {
            cx q[0], q[3]; cx q[1], q[3]; cx q[1], q[4]; cx q[2], q[4];
            s[0] = measure q[3]; s[1] = measure q[4]; reset q[3]; reset q[4];
            if (s == 1) { x q[0]; } else { if (s == 3) { x q[1]; } else { if (s == 2) { x q[2]; } } }
        }
        d = measure q[0:2];""")
    noise = NoiseModel().add(depolarizing(0.02, 2), "cx").add(depolarizing(0.01), ["h", "x"])
    noise.add_readout_error(ReadoutError(0.02, 0.05))
    exact = Simulator(noise=noise).outcome_probabilities(program)
    counts = Simulator(noise=noise, method="statevector").sample(program, 2000, seed=2)
    oracle.assert_sampled(dict(counts), exact)
