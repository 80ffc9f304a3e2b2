"""The stabiliser engine against dense matrices, and what only it can do: a thousand qubits, noise on surface codes."""

from __future__ import annotations

import math

import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import observables

from qsim import Circuit, Gate, MemoryLimitError, Pauli, QsimError, Simulator
from qsim.classical import Bits, ClassicalOperation, End, Literal
from qsim.noise import NoiseModel, ReadoutError, amplitude_damping, bit_flip, depolarizing, pauli_channel

pytest.importorskip("stim", reason="the stabiliser engine is the extra clifford: pip install qsim-session[clifford]")

GATES = ["h", "s", "sdg", "x", "y", "z", "sx", "cx", "cz", "cy", "swap", "iswap", "ecr", "dcx"]


def simulator(**options):
    return Simulator(threads=2, method="stabilizer", **options)


def is_(clbits, value):
    return ClassicalOperation("==", (Bits(tuple(clbits)), Literal(value)))


@st.composite
def clifford_circuits(draw, max_qubits=6, max_gates=20):
    count = draw(st.integers(2, max_qubits))
    circuit = Circuit(count)
    for _ in range(draw(st.integers(1, max_gates))):
        gate = Gate(draw(st.sampled_from(GATES)))
        qubits = draw(st.permutations(range(count)))[: gate.num_qubits]
        circuit.append(gate, qubits)
    return circuit


def sampled(circuit, shots=4000, seed=5, **options):
    counts = simulator(**options).sample(circuit, shots, seed=seed)
    assert counts.metadata["method"] == "stabilizer"
    return dict(zip(counts.outcomes, counts.frequencies.tolist(), strict=True))


@given(clifford_circuits(), st.data())
def test_probabilities_and_expectation_values(circuit, data):
    state = oracle.statevector(circuit)
    qubits = data.draw(st.permutations(range(circuit.num_qubits)))[: data.draw(st.integers(0, circuit.num_qubits - 1))]
    assert np.allclose(simulator().probabilities(circuit, qubits=qubits), oracle.marginal(state, qubits), atol=1e-12)
    operator = data.draw(observables(circuit.num_qubits))
    value, variance = simulator().moments(circuit, operator)
    assert math.isclose(value, oracle.expectation(circuit, operator), abs_tol=1e-9)
    assert math.isclose(variance, oracle.variance(circuit, operator), abs_tol=1e-9)


@settings(max_examples=25)
@given(clifford_circuits())
def test_samples(circuit):
    measured = circuit.copy().measure_all()
    oracle.assert_sampled(sampled(measured), oracle.distribution(measured))


@st.composite
def dynamic_circuits(draw):
    """Clifford gates, measurements, resets, and bodies of Paulis or of any Clifford gates."""
    count = 3
    circuit = Circuit(count, 3)
    for _ in range(draw(st.integers(2, 10))):
        kind = draw(st.sampled_from(["gate", "gate", "measure", "reset", "if", "switch", "assign", "any"]))
        if kind == "gate":
            gate = Gate(draw(st.sampled_from(GATES)))
            circuit.append(gate, draw(st.permutations(range(count)))[: gate.num_qubits])
        elif kind == "measure":
            circuit.measure(draw(st.integers(0, 2)), draw(st.integers(0, 2)))
        elif kind == "reset":
            circuit.reset(draw(st.integers(0, 2)))
        elif kind == "assign":
            value = ClassicalOperation("+", (Bits((0, 1)), Literal(draw(st.integers(0, 3)))), width=2)
            circuit.assign(draw(st.sampled_from([(1, 2), (0, 1)])), value)
        else:
            names = ["x", "y", "z"] if kind != "any" else ["h", "s", "x"]
            body, other = circuit.block(), circuit.block()
            body.append(draw(st.sampled_from(names)), [draw(st.integers(0, 2))])
            other.append(draw(st.sampled_from(names)), [draw(st.integers(0, 2))])
            if kind == "switch":
                circuit.switch(Bits((0, 1, 2)), [((1, 2), body), ((5,), other)], draw(st.sampled_from([None, other])))
            else:
                condition = draw(st.sampled_from([Bits((1,)), is_((0, 2), 3), is_((0, 1, 2), 5)]))
                circuit.if_else(condition, body, draw(st.sampled_from([None, other])))
    return circuit.measure(0, 0)


@settings(max_examples=60)
@given(dynamic_circuits())
def test_dynamic_circuits(circuit):
    oracle.assert_sampled(sampled(circuit, 2000), oracle.distribution(circuit))


def test_loops_and_measurements_in_bodies_go_branch_by_branch():
    circuit = Circuit(2, 2).h(0).measure(0, 0)
    body = circuit.block().reset(0).h(0).cx(0, 1).measure(0, 0)
    circuit.while_loop(is_([0], 0), body).measure(1, 1)
    counts = simulator().sample(circuit, 3000, seed=2)
    assert counts.metadata["engine"] == "tableaus, branch by branch"
    exact = Simulator(method="statevector").sample(circuit, 3000, seed=2)
    assert set(counts) == set(exact) and all(abs(counts[key] - exact[key]) < 200 for key in counts)
    early = Circuit(1, 2).h(0).measure(0, 0)
    early.if_else(Bits((0,)), early.block().feed_forward(End())).x(0).measure(0, 1)
    assert set(simulator().sample(early, 100, seed=1)) == {"01", "10"}
    endless = Circuit(1, 1)
    endless.while_loop(is_([0], 0), endless.block().x(0))
    with pytest.raises(QsimError, match="while loop goes on for ever"):
        simulator().sample(endless, 10)


def test_a_thousand_qubits_of_ghz():
    circuit = Circuit(1000).h(0)
    for k in range(999):
        circuit.cx(k, k + 1)
    circuit.measure_all()
    counts = Simulator().sample(circuit, 2000, seed=1, memory=True)
    assert counts.metadata["method"] == "stabilizer" and counts.num_bits == 1000
    assert set(counts) == {"0" * 1000, "1" * 1000} and counts.shots == 2000
    assert abs(counts["0" * 1000] - 1000) < 150
    assert counts.array.shape == (2, 1000) and counts.bit_array.shape == (2000, 1000)
    assert dict(counts.marginal([0, 999])) == {"00": counts["0" * 1000], "11": counts["1" * 1000]}
    everywhere = Pauli.X(0)
    for k in range(1, 1000):
        everywhere = everywhere * Pauli.X(k)
    assert Simulator().expectation(circuit, [Pauli.Z(0) * Pauli.Z(999), Pauli.Z(7), everywhere]).tolist() == [1, 0, 1]
    assert Simulator().probabilities(circuit, qubits=[999, 3]).tolist() == [0.5, 0, 0, 0.5]


def test_counts_do_not_depend_on_threads_and_repeat_with_the_seed():
    circuit = Circuit(70).h(range(70))
    for k in range(69):
        circuit.cz(k, k + 1)
    circuit.h(range(0, 70, 2)).measure_all()
    model = NoiseModel().add(depolarizing(0.1), "h").add_readout_error(ReadoutError(0.1, 0.2))
    from qsim.stabilizer.engine import StabilizerEngine

    runs = [StabilizerEngine(threads, None, model).sample(circuit, range(70), 9000, 3) for threads in (1, 2, 3)]
    for rows, frequencies, _ in runs[1:]:
        assert np.array_equal(rows, runs[0][0]) and np.array_equal(frequencies, runs[0][1])
    counts = [Simulator(threads=t).sample(circuit, 9000, seed=3) for t in (1, 2)]
    assert counts[0] == counts[1] != Simulator().sample(circuit, 9000, seed=4)
    batch = [c.measure_all() for c in (Circuit(30).h(range(30)), Circuit(30).h(range(30)))]
    assert simulator().sample(batch[0], 50, [{}, {}], seed=8)[1] == simulator().sample(batch[1], 50, seed=9)


def test_the_first_shots_of_more_are_the_same_shots():
    """Shot s depends on the seed and s alone: it is in the counts of any larger number of shots."""
    circuit = Circuit(20).h(range(20)).measure_all()
    few, many = simulator().sample(circuit, 700, seed=4), simulator().sample(circuit, 9000, seed=4)
    assert all(many[key] >= count for key, count in few.items())


# noise -----------------------------------------------------------------------------------------------------------
def noisy(circuit, model, shots=40_000, seed=3):
    counts = simulator(noise=model).sample(circuit, shots, seed=seed)
    return dict(zip(counts.outcomes, counts.frequencies.tolist(), strict=True))


def density(circuit, model):
    """The distribution of a circuit of gates with channels after them and misread bits, by dense matrices."""
    n = circuit.num_qubits
    rho = np.zeros((1 << n, 1 << n), dtype=complex)
    rho[0, 0] = 1
    for instruction in circuit:
        if not isinstance(instruction.operation, Gate):
            continue
        u = oracle.embed(oracle.operation_matrix(instruction.operation, {}), instruction.qubits, np.eye(1 << n))
        rho = u @ rho @ u.conj().T
        for channel, qubits in model.channels_for(instruction.operation.name, instruction.qubits):
            embedded = [oracle.embed(k, qubits, np.eye(1 << n, dtype=complex)) for k in channel.kraus]
            rho = sum(k @ rho @ k.conj().T for k in embedded)
    weights = rho.diagonal().real.copy()
    for qubit in range(n):
        error = model.readout_error(qubit)
        if error is not None:
            view = weights.reshape(-1, 2, 1 << qubit)
            weights = np.einsum("aib,ij->ajb", view, error.matrix).reshape(-1)
    return rho, dict(enumerate(weights.tolist()))


@settings(max_examples=20)
@given(clifford_circuits(max_qubits=3, max_gates=8), st.data())
def test_noise_against_density_matrices(circuit, data):
    model = NoiseModel()
    model.add(depolarizing(0.2), ["h", "s", "x"]).add(pauli_channel({"X": 0.1, "Y": 0.05, "Z": 0.2}), ["cx", "y"])
    model.add(depolarizing(0.3, 2), ["cx", "cz", "swap"]).add(pauli_channel({"XZ": 0.3, "IY": 0.1}), "ecr")
    model.add_readout_error(ReadoutError(0.1, 0.3), 0).add_readout_error(ReadoutError(0.02, 0.0), 1)
    rho, exact = density(circuit, model)
    oracle.assert_sampled(noisy(circuit.copy().measure_all(), model, 5000), exact)
    gates = model_of_gates(model)
    operator = data.draw(observables(circuit.num_qubits))
    dense = oracle.operator_matrix(operator, circuit.num_qubits)
    value, variance = simulator(noise=gates).moments(circuit, operator)
    exact_value = np.trace(rho @ dense).real
    assert math.isclose(value, exact_value, abs_tol=1e-9)
    assert math.isclose(variance, np.trace(rho @ dense @ dense).real - exact_value**2, abs_tol=1e-9)


def model_of_gates(model):
    """A model without its readout errors."""
    gates = NoiseModel()
    gates.rules.extend(model.rules)
    return gates


def test_a_surface_code_of_distance_nine_with_noise():
    """Rounds of Z and X checks on 81 data qubits; without noise every check repeats its first outcome."""
    circuit, checks = surface_code(9, rounds=3)
    ideal = Simulator().sample(circuit, 200, seed=1)
    assert ideal.metadata["method"] == "stabilizer"
    first, second, third = (ideal.array[:, k * checks : (k + 1) * checks] for k in range(3))
    assert np.array_equal(first, second) and np.array_equal(second, third)
    model = NoiseModel().add(depolarizing(0.001), ["h", "reset"]).add(depolarizing(0.001, 2), "cx")
    model.add_readout_error(ReadoutError(0.01, 0.01))
    counts = Simulator(noise=model).sample(circuit, 500, seed=1)
    assert counts.metadata["method"] == "stabilizer" and len(counts) == 500
    changed = (counts.array[:, :checks] ^ counts.array[:, checks : 2 * checks]).mean()
    assert 0.01 < changed < 0.06


def surface_code(distance, rounds):
    """The rotated surface code: checks on plaquettes of a square lattice, each with a qubit of its own."""
    data = {(r, c): r * distance + c for r in range(distance) for c in range(distance)}
    plaquettes = []
    for r in range(-1, distance):
        for c in range(-1, distance):
            corners = [data[p] for p in ((r, c), (r, c + 1), (r + 1, c), (r + 1, c + 1)) if p in data]
            is_x = (r + c) % 2 == 0
            edge_rows, edge_columns = r in (-1, distance - 1), c in (-1, distance - 1)
            if len(corners) == 4 or (len(corners) == 2 and ((edge_rows and is_x) or (edge_columns and not is_x))):
                plaquettes.append((corners, is_x))
    count = len(plaquettes)
    assert count == distance**2 - 1
    circuit = Circuit(distance**2 + count, rounds * count + distance**2)
    for turn in range(rounds):
        for k, (corners, is_x) in enumerate(plaquettes):
            check = distance**2 + k
            circuit.reset(check)
            if is_x:
                circuit.h(check)
            for corner in corners:
                circuit.cx(check, corner) if is_x else circuit.cx(corner, check)
            if is_x:
                circuit.h(check)
            circuit.measure(check, turn * count + k)
    return circuit.measure(range(distance**2), range(rounds * count, rounds * count + distance**2)), count


def test_noisy_clifford_circuits_are_sampled_by_frames_and_others_are_not():
    model = NoiseModel().add(bit_flip(0.1), "h")
    circuit = Circuit(12).h(range(12)).h(range(12)).measure_all()
    counts = Simulator(noise=model).sample(circuit, 4000, seed=1)
    assert counts.metadata["method"] == "stabilizer" and abs(counts["0" * 12] / 4000 - 0.9**12) < 0.04
    relaxing = NoiseModel().add(amplitude_damping(0.1), "h")
    assert Simulator(noise=relaxing).sample(circuit, 50, seed=1).metadata["method"] != "stabilizer"
    wide = Circuit(30).h(range(30))
    assert math.isclose(Simulator(noise=NoiseModel().add(depolarizing(0.1), "h")).expectation(wide, Pauli.X(3)), 0.9)


def test_noise_under_a_condition_acts_where_the_gate_does():
    circuit = Circuit(2, 2).h(0).measure(0, 0)
    circuit.if_else(Bits((0,)), circuit.block().x(1)).measure(1, 1)
    found = noisy(circuit, NoiseModel().add(bit_flip(0.25), "x"), 40_000)
    oracle.assert_sampled(found, {0: 0.5, 1: 0.125, 3: 0.375})


def test_noise_of_circuits_that_branch():
    circuit = Circuit(1, 2).h(0).measure(0, 0)
    circuit.if_else(Bits((0,)), circuit.block().h(0)).measure(0, 1)
    model = NoiseModel().add(bit_flip(0.25), "measure").add_readout_error(ReadoutError(0.0, 0.5))
    found = noisy(circuit, model)
    # Bit 0 is the true outcome but for half of the ones; only a bit that reads 1 is followed by H.
    after_one, after_zero = 0.25, 0.75
    exact = {0: 0, 1: 0, 2: 0, 3: 0}
    exact[1], exact[3] = after_one * 0.75, after_one * 0.25
    one = (0.25 * 0.75 + 0.5 * 0.25) / 0.75  # the qubit is 1 in a third, 0 in two thirds; flipped in a quarter
    exact[2], exact[0] = after_zero * one * 0.5, after_zero * (1 - one * 0.5)
    oracle.assert_sampled(found, exact)


def test_a_channel_that_is_no_mixture_of_paulis_is_refused():
    relaxing = NoiseModel().add(amplitude_damping(0.1), "x")
    with pytest.raises(QsimError, match="mixture of Paulis; <Channel amplitude_damping"):
        simulator(noise=relaxing).sample(Circuit(1).x(0).measure_all(), 10)


# refusals --------------------------------------------------------------------------------------------------------
def test_what_it_does_not_do():
    circuit = Circuit(3).h(0).t(1).measure_all()
    with pytest.raises(QsimError, match="operation 1, 't' on qubit 1, is no Clifford gate"):
        simulator().sample(circuit, 10)
    with pytest.raises(QsimError, match="keeps the Paulis .* and no amplitudes"):
        simulator().statevector(Circuit(2).h(0))
    for call in (
        lambda: simulator().gradient(Circuit(1), Pauli.Z(0)),
        lambda: simulator().unitary(Circuit(1)),
        lambda: simulator().estimate(Circuit(1), Pauli.Z(0), 100),
    ):
        with pytest.raises(QsimError, match=r'method="stabilizer" gives expectation, probabilities, sample'):
            call()
    with pytest.raises(MemoryLimitError, match="at most 24 qubits"):
        simulator().probabilities(Circuit(50).h(range(50)), qubits=range(40))


def test_initial_states():
    circuit = Circuit(6).cx(0, 1)
    operators = [Pauli.Z(0), Pauli.Z(1), Pauli.X(2), Pauli.X(3), Pauli.Y(4), Pauli.Y(5)]
    found = simulator().expectation(circuit, operators, initial_state="lr-+01")
    assert found.tolist() == [-1, -1, 1, -1, 1, -1]
    with pytest.raises(QsimError, match="starts from a basis state"):
        simulator().expectation(Circuit(1), Pauli.Z(0), initial_state=np.array([0.6, 0.8]))
