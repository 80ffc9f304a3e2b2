"""What NumPy gives while the engine is not compiled is what the engine gives."""

from __future__ import annotations

import numpy as np
import oracle
import pytest
import strategies
from hypothesis import given, settings
from hypothesis import strategies as st

from qsim import Circuit, Simulator, first_runs
from qsim.parameter_binding import bind_parameters


@pytest.fixture
def cold(monkeypatch):
    """As on a machine that never compiled the engine, with nothing run yet."""
    monkeypatch.setattr(first_runs, "compiled", set())
    monkeypatch.setattr(first_runs, "_runs", 0)
    monkeypatch.setattr(first_runs, "engine_is_compiled", lambda precision: False)


@settings(max_examples=40)
@given(strategies.bound_circuits(max_qubits=6))
def test_states(drawn):
    circuit, values = drawn
    rows, _ = bind_parameters(circuit, values)
    state = first_runs.state(circuit, rows[0], np.complex128)
    assert np.abs(state - oracle.statevector(circuit, values)).max() < 1e-12


@settings(max_examples=30)
@given(strategies.circuits(), st.integers(0, 2**64 - 1), st.integers(1, 5000))
def test_the_same_samples(circuit, seed, shots):
    from qsim.sampling import sample_state

    state = Simulator().statevector(circuit)
    ours, theirs = first_runs.sample(state, shots, seed), sample_state(state, shots, seed, 1)
    assert [a.tolist() for a in ours] == [a.tolist() for a in theirs]


@settings(max_examples=30)
@given(strategies.circuits(max_qubits=7), st.integers(0, 2**64 - 1), st.integers(1, 3000), st.data())
def test_the_same_samples_of_some_bits(circuit, seed, shots, data):
    from qsim.sampling import sample_bits

    state, n = Simulator().statevector(circuit), circuit.num_qubits
    qubits = data.draw(st.lists(st.integers(0, n - 1), unique=True))
    pairs = list(zip(qubits, data.draw(st.permutations(range(n + 1))), strict=False))
    ours, theirs = first_runs.sample_bits(state, pairs, shots, seed), sample_bits(state, pairs, shots, seed, 1)
    assert [a.tolist() for a in ours] == [a.tolist() for a in theirs]


@given(strategies.circuits(), st.data())
def test_the_same_moments(circuit, data):
    from qsim.state import operator_moments

    operator = data.draw(strategies.observables(circuit.num_qubits))
    state = Simulator().statevector(circuit)
    mean, square = operator_moments(state.reshape(1, -1), operator, 1)
    assert np.allclose(first_runs.moments(state, operator), (mean[0], square[0]), atol=1e-12)


def test_a_cold_simulator_takes_it(cold, monkeypatch):
    monkeypatch.setattr("qsim.simulator.Simulator._state", lambda *_: pytest.fail("the engine ran"))
    monkeypatch.setattr(first_runs, "_MOST_RUNS", 9)
    circuit = Circuit(2).h(0).cx(0, 1)
    assert np.allclose(Simulator().statevector(circuit), [0.5**0.5, 0, 0, 0.5**0.5])
    assert Simulator().probabilities(circuit, qubits=[1]).tolist() == pytest.approx([0.5, 0.5])
    assert sum(Simulator().sample(circuit.copy().measure_all(), shots=50, seed=1).values()) == 50


def test_what_is_not_small_goes_to_the_engine(cold, monkeypatch):
    assert not first_runs.worth_it(Circuit(13).h(0), "double")
    assert not first_runs.worth_it(Circuit(1).h(0), "double", shots=10**7)
    long = Circuit(1)
    for _ in range(20_000):
        long.h(0)
    assert not first_runs.worth_it(long, "double")
    assert first_runs.worth_it(Circuit(1).h(0), "double")
    monkeypatch.setattr(first_runs, "_runs", first_runs._MOST_RUNS)
    assert not first_runs.worth_it(Circuit(1).h(0), "double")
