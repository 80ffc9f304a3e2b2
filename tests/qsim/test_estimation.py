"""Groups that commute, changes of basis that are exact, and estimates that agree with what is estimated."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsim import Circuit, Parameter, Pauli, Simulator, SparsePauliOp
from qsim.errors import QsimError
from qsim.estimation import measurements, split_shots
from qsim.grouping import commuting_groups, diagonalise, qubit_wise_groups

HAMILTONIAN = SparsePauliOp.from_string(
    "0.4*Z0*Z1 - 0.7*Z1*Z2 + 0.3*X0*X1 + 0.2*Y0*Y1 - 0.5*X2 + 0.25*Z0*X1*Y2 + 1.5*I - 0.3*Z2"
)


def ansatz():
    theta = Parameter("theta")
    return Circuit(3).ry(theta, 0).cx(0, 1).rx(0.8, 2).cx(1, 2).u(0.3, 0.9, -0.4, 1).rz(0.6, 0).ry(1.1, 0)


def product(x, z, n):
    """The matrix of the product of Paulis with these masks."""
    letters = {q: "IXZY"[(x >> q & 1) | (z >> q & 1) << 1] for q in range(n)}
    return SparsePauliOp.from_terms([({q: p for q, p in letters.items() if p != "I"}, 1.0)]).to_matrix(n)


def anticommute(x, z, a, b):
    return (int(x[a] & z[b]) ^ int(z[a] & x[b])).bit_count() & 1 == 1


@settings(max_examples=60)
@given(st.integers(1, 6), st.integers(0, 60), st.integers(0, 2**32))
def test_groups_hold_every_term_once_and_what_they_promise(n, count, seed):
    random = np.random.default_rng(seed)
    x, z = random.integers(1 << n, size=(2, count))
    weights = np.abs(random.normal(size=count))
    for groups in (qubit_wise_groups(x, z, weights), commuting_groups(x, z, weights)):
        assert sorted(k for group in groups for k in group.tolist()) == list(range(count))
        assert not any(anticommute(x, z, a, b) for group in groups for a in group for b in group)
    for group in qubit_wise_groups(x, z, weights):
        for a in group:
            for b in group:
                both = (x[a] | z[a]) & (x[b] | z[b])
                assert (x[a] ^ x[b]) & both == 0 == (z[a] ^ z[b]) & both


@settings(max_examples=60)
@given(st.integers(1, 5), st.integers(0, 2**32))
def test_a_change_of_basis_is_exact(n, seed):
    random = np.random.default_rng(seed)
    x, z = random.integers(1 << n, size=(2, 40))
    members = commuting_groups(x, z, random.random(40))[0]
    made = diagonalise(x[members], z[members], n)
    change = Simulator().unitary(made.circuit)
    for a, b, mask, sign in zip(x[members], z[members], made.masks, made.signs, strict=True):
        turned = change @ product(a, b, n) @ change.conj().T
        assert np.abs(turned - sign * product(0, mask, n)).max() < 1e-12


def test_what_does_not_commute_is_refused():
    with pytest.raises(ValueError, match="do not commute"):
        diagonalise(np.array([1, 0]), np.array([0, 1]), 1)


def test_commuting_groups_are_fewer_where_that_is_possible():
    operator = Pauli.X(0) * Pauli.X(1) + Pauli.Y(0) * Pauli.Y(1) + Pauli.Z(0) * Pauli.Z(1)
    assert len(measurements(operator, 2, "commuting").groups) == 1
    assert len(measurements(operator, 2, "qubit-wise").groups) == 3
    bell = Circuit(2).h(0).cx(0, 1)
    estimate = Simulator().estimate(bell, operator, 50, seed=3)
    assert (estimate.value, estimate.standard_error, estimate.groups) == (1.0, 0.0, 1)  # 1 - 1 + 1 in every shot


def test_ten_thousand_terms_are_grouped():
    random = np.random.default_rng(1)
    x, z = random.integers(1 << 20, size=(2, 10_000))
    assert 1 < len(qubit_wise_groups(x, z, np.ones(10_000))) <= 10_000
    assert 1 < len(commuting_groups(x, z, np.ones(10_000))) < 2000


@pytest.mark.parametrize(("total", "weights"), [(4, [1.0, 1.0]), (1000, [5, 3, 0.001]), (2048, [1 / 3] * 7), (9, [])])
def test_all_shots_are_used_and_each_group_gets_two(total, weights):
    shots = split_shots(total, weights)
    assert sum(shots) == (total if weights else 0)
    assert min(shots, default=2) >= 2


@pytest.mark.parametrize("grouping", ["commuting", "qubit-wise"])
def test_values_and_errors_agree_with_the_exact_distribution(grouping):
    circuit, shots, sets = ansatz(), 400, 400
    simulator = Simulator()
    exact = simulator.expectation(circuit, HAMILTONIAN, {"theta": 0.9})
    found = simulator.estimate(circuit, HAMILTONIAN, shots, [{"theta": 0.9}] * sets, seed=11, grouping=grouping)
    pulls = [(one.value - exact) / one.standard_error for one in found]
    assert abs(np.mean(pulls)) < 4 / math.sqrt(sets)
    assert 0.85 < np.std(pulls) < 1.15
    assert found[0].variance == pytest.approx(found[0].standard_error ** 2 * shots)


def test_nothing_but_the_seed_matters():
    circuit = ansatz()
    sets = [{"theta": 0.1}, {"theta": 0.2}]
    batch = Simulator(threads=2).estimate(circuit, HAMILTONIAN, 100, sets, seed=5)
    for threads in (1, 3):
        assert Simulator(threads=threads).estimate(circuit, HAMILTONIAN, 100, sets, seed=5) == batch
    assert Simulator().estimate(circuit, HAMILTONIAN, 100, sets[1], seed=6) == batch[1]
    assert Simulator().estimate(circuit, HAMILTONIAN, 100, sets, seed=7) != batch


def test_lists_initial_states_and_measurements_at_the_end():
    simulator = Simulator()
    circuit = Circuit(2).cx(0, 1).measure_all()
    pair = simulator.estimate(circuit, [Pauli.Z(0), Pauli.Z(1) + 1], 10, initial_state="01")
    assert [one.value for one in pair] == [-1.0, 0.0]
    start = np.array([0, 1, 0, 0], dtype=complex)
    sets = simulator.estimate(Circuit(2).rx(Parameter("a"), 0), Pauli.Z(0), 10, [{"a": 0.0}] * 2, initial_state=start)
    assert [one.value for one in sets] == [-1.0, -1.0]
    assert start[1] == 1


def test_bad_input():
    simulator, circuit = Simulator(), Circuit(1).h(0)
    with pytest.raises(QsimError, match="2 for each of the 2 groups"):
        simulator.estimate(circuit, Pauli.X(0) + Pauli.Z(0), 3)
    with pytest.raises(QsimError, match="Hermitian"):
        simulator.estimate(circuit, 1j * Pauli.X(0), 10)
    with pytest.raises(QsimError, match="it has 2, the circuit has 1"):
        simulator.estimate(circuit, Pauli.X(1), 10)
    with pytest.raises(QsimError, match="grouped 'commuting' or 'qubit-wise'"):
        simulator.estimate(circuit, Pauli.X(0), 10, grouping="all")
    with pytest.raises(QsimError, match="whole number"):
        simulator.estimate(circuit, Pauli.X(0), 0.5)
    with pytest.raises(QsimError, match="seed"):
        simulator.estimate(circuit, Pauli.X(0), 10, seed=-1)
    with pytest.raises(QsimError, match="branches"):
        simulator.estimate(Circuit(1).reset(0), Pauli.X(0), 10)
