"""Branches that parameters alone decide: exact results, as of the program that each parameter set comes to."""

import math

import numpy as np
import pytest

from qsim import Circuit
from session import (
    RX,
    RY,
    SIGNED,
    CInt,
    CReal,
    ExecutionJob,
    ExecutionSession,
    H,
    Output,
    Pauli,
    QBit,
    QNum,
    X,
    Z,
    allocate,
    apply_to_all,
    control,
    if_,
    qfunc,
    synthesize,
)  # fmt: skip
from session.errors import SessionError

TEXT = """OPENQASM 3.0;
include "stdgates.inc";
input int[8] n;
input float t;
qubit[2] q;
h q[0];
switch (n) {
  case 1 { rx(t) q[0]; }
  case 2, 3 { if (t < 0.0) { ry(t) q[1]; } else { cx q[0], q[1]; gphase(t); } }
  default { }
}
"""


@qfunc
def main(a: Output[QBit], x: Output[QNum[3, SIGNED, 1]], n: CInt, t: CReal):
    allocate(a)
    allocate(x)
    H(a)
    if_(n == 2, lambda: control(a, lambda: apply_to_all(X, x)), lambda: RY(t, x[0]))
    if_(t > 0.5, lambda: Z(a))
    RX(t, x[1])


def by_hand(n: int, t: float) -> Circuit:
    circuit = Circuit(4).h(0)
    if n == 2:
        for k in (1, 2, 3):
            circuit.cx(0, k)
    else:
        circuit.ry(t, 1)
    if t > 0.5:
        circuit.z(0)
    return circuit.rx(t, 2)


SETS = [{"n": n, "t": t} for n, t in ((2, 0.3), (2, 0.7), (1, 0.7), (0, 0.2), (2, 0.3))]
ENERGY = Pauli.X(0) * Pauli.X(1) * Pauli.X(2) * Pauli.X(3) + 0.5 * Pauli.Z(1) - 0.25 * Pauli.X(0)


def test_estimates_and_state_vectors_are_those_of_the_branch_that_is_taken():
    with ExecutionSession(synthesize(main), random_seed=1) as session:
        found = session.estimate([ENERGY, Pauli.Z(2)], SETS)
        states = session.calculate_state_vector(SETS)
        kept = session.calculate_state_vector(SETS[0], filters={"x": lambda x: x < 0})
    assert {state.state["x"] for state in kept.states} <= {-0.5, -1.5}
    for one, state, values in zip(found, states, SETS, strict=True):
        with ExecutionSession(by_hand(**values)) as plain:
            assert one[0].value == pytest.approx(plain.estimate(ENERGY).value, abs=1e-12)
            assert one[1].value == pytest.approx(plain.estimate(Pauli.Z(2)).value, abs=1e-12)
            np.testing.assert_allclose(state.amplitudes, plain.calculate_state_vector().amplitudes, atol=1e-12)


def test_gradients_minimisation_and_batches():
    with ExecutionSession(synthesize(main), random_seed=5, num_shots=100) as session:
        batch = session.sample(SETS)
        slope = session.gradient(Pauli.Z(2), {"n": 2, "t": 0.3})
        assert slope["t"] == pytest.approx(0, abs=1e-9)  # <Z2> is 0 after the controlled flip
        assert session.gradient(Pauli.Z(2), {"n": 1, "t": 0.3})["t"] == pytest.approx(-math.sin(0.3), abs=1e-12)
        found = session.minimize(Pauli.Z(2), {"n": 0, "t": 1.0}, 60)
        assert found.optimal_cost == pytest.approx(-1, abs=1e-4)
    for k, one in enumerate(batch):
        with ExecutionSession(synthesize(main), random_seed=5 + k, num_shots=100) as session:
            assert session.sample(SETS[k]).counts == one.counts


def test_switch_and_nested_if_of_openqasm_3():
    state = [[0.5**0.5, 0, 0, 0.5**0.5], [0.5**0.5, 0.5**0.5, 0, 0]]
    with ExecutionSession(TEXT) as session:
        job = session.submit_estimate(Pauli.Z(0) * Pauli.Z(1), {"n": 3, "t": 0.25})
        assert ExecutionJob.from_id(job.id).get_estimate_result().value == pytest.approx(1, abs=1e-12)
        found = session.calculate_state_vector([{"n": 3, "t": 0.25}, {"n": 7, "t": 0.25}])
    np.testing.assert_allclose(found[0].amplitudes, np.exp(0.25j) * np.array(state[0]), atol=1e-12)
    np.testing.assert_allclose(found[1].amplitudes, state[1], atol=1e-12)


def test_a_branch_that_measures_keeps_the_bits_of_the_program():
    text = 'OPENQASM 3.0; include "stdgates.inc"; input int[4] n; qubit q; bit c; x q; if (n == 1) { c = measure q; }'
    with ExecutionSession(text, num_shots=10) as session:
        assert [one.counts for one in session.sample([{"n": 1}, {"n": 0}])] == [{"1": 10}, {"0": 10}]


def test_branches_on_measured_bits_stay_as_they_are():
    circuit = 'OPENQASM 3.0; include "stdgates.inc"; input float t; qubit[2] q; bit c; h q[0]; c = measure q[0]; if (c) x q[1]; rx(t) q[1];'
    with ExecutionSession(circuit) as session, pytest.raises(SessionError, match="Use sample"):
        session.estimate(Pauli.Z(1), {"t": 0.1})
