"""Estimates from shots: groups, the split of shots, and agreement with exact values within their own errors."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from qsim import Circuit, Parameter, Simulator, SparsePauliOp
from session import BackendNames, ExecutionSession, Pauli, SessionError

HAMILTONIAN = SparsePauliOp.from_string(
    "0.4*Z0*Z1 - 0.7*Z1*Z2 + 0.3*X0*X1 + 0.2*Y0*Y1 - 0.5*X2 + 0.25*Z0*X1*Y2 + 1.5*I - 0.3*Z2"
)


def ansatz() -> Circuit:
    theta = Parameter("theta")
    return Circuit(3).ry(theta, 0).cx(0, 1).rx(0.8, 2).cx(1, 2).u(0.3, 0.9, -0.4, 1).rz(0.6, 0).ry(1.1, 0)


def test_too_few_shots_are_refused_when_the_call_is_made() -> None:
    with (
        ExecutionSession(Circuit(1), BackendNames.SIMULATOR, num_shots=3) as session,
        pytest.raises(SessionError, match=r"2 groups .* 4 in all; got 3 shots. Raise num_shots"),
    ):
        session.submit_estimate(Pauli.Z(0) + Pauli.X(0))


def test_values_and_errors_agree_with_the_exact_distribution() -> None:
    circuit, shots = ansatz(), 400
    exact = Simulator().expectation(circuit, HAMILTONIAN, {"theta": 0.9})
    with ExecutionSession(circuit, "simulator", num_shots=shots, random_seed=11) as session:
        results = session.estimate(HAMILTONIAN, [{"theta": 0.9}] * 400)
    pulls = [(result.value - exact) / result.standard_error for result in results]
    assert abs(np.mean(pulls)) < 4 / math.sqrt(len(pulls))
    assert 0.85 < np.std(pulls) < 1.15
    assert results[0].variance == pytest.approx(results[0].standard_error ** 2 * shots)
    assert results[0].metadata["num_shots"] == shots
    assert results[0].metadata["groups"] > 1


def test_deterministic_outcomes_have_no_error() -> None:
    for letters in itertools.product("XYZ", repeat=2):
        circuit = Circuit(2)
        operator = 1.0 * Pauli.I(0)
        for qubit, letter in enumerate(letters):
            if letter in "XY":
                circuit.h(qubit)
            if letter == "Y":
                circuit.s(qubit)
            operator = operator * getattr(Pauli, letter)(qubit)
        with ExecutionSession(circuit.measure_all(), "simulator", num_shots=20) as session:
            result = session.estimate(operator)
        assert (result.value, result.variance, result.standard_error) == (1.0, 0.0, 0.0)


def test_seeds_repeat_and_sets_of_a_batch_are_as_alone() -> None:
    def run(seed: int, sets: list[float]) -> list[float]:
        with ExecutionSession(ansatz(), "simulator", random_seed=seed) as session:
            return [result.value for result in session.estimate(HAMILTONIAN, [{"theta": t} for t in sets])]

    batch = run(3, [0.1, 0.2])
    assert batch == run(3, [0.1, 0.2])
    assert batch[1:] == run(4, [0.2])
    assert batch != run(5, [0.1, 0.2])


def test_a_constant_needs_no_shots() -> None:
    with ExecutionSession(Circuit(1), "simulator", num_shots=1) as session:
        result = session.estimate(3 * Pauli.I(0))
    assert (result.value, result.standard_error, result.metadata["groups"]) == (3.0, 0.0, 0)
