"""Matrix elements, fidelities and reduced density matrices against dense linear algebra."""

import threading

import numpy as np
import oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsim import Circuit, Parameter, Pauli, QsimError, Simulator, SparsePauliOp
from qsim.errors import RunCancelled
from qsim.pool import controlled
from qsim.readout import fidelity, matrix_element, reduced_density_matrix


def random_state(num_qubits, seed, dtype=np.complex128):
    rng = np.random.default_rng(seed)
    state = rng.normal(size=1 << num_qubits) + 1j * rng.normal(size=1 << num_qubits)
    return (state / np.linalg.norm(state)).astype(dtype)


def random_operator(num_qubits, num_terms, seed):
    rng = np.random.default_rng(seed)
    labels = ["".join(rng.choice(list("IXYZ"), num_qubits)) for _ in range(num_terms)]
    return SparsePauliOp.from_labels([(label, complex(*rng.normal(size=2))) for label in labels])


@given(st.integers(1, 7), st.integers(1, 40), st.integers(0, 2**32), st.sampled_from([np.complex64, np.complex128]))
def test_a_matrix_element_is_the_dense_one(num_qubits, num_terms, seed, dtype):
    bra, ket = random_state(num_qubits, seed, dtype), random_state(num_qubits, seed + 1, dtype)
    operator = random_operator(num_qubits, num_terms, seed)
    expected = bra.conj() @ oracle.operator_matrix(operator, num_qubits) @ ket
    tolerance = (1e-12 if dtype == np.complex128 else 1e-5) * sum(abs(operator.coefficients))
    assert abs(matrix_element(bra, operator, ket) - expected) <= tolerance


def test_a_matrix_element_over_several_blocks():
    num_qubits = 18
    bra, ket = random_state(num_qubits, 1), random_state(num_qubits, 2)
    index = np.arange(1 << num_qubits)
    for x_qubit, z_qubit in [(17, 16), (16, 17), (3, 17), (17, 5)]:
        operator = 0.5 * Pauli.X(x_qubit) * Pauli.Z(z_qubit) + 2j * Pauli.Z(z_qubit)
        signed = ket * (1 - 2 * (index >> z_qubit & 1))
        expected = 0.5 * np.vdot(bra[index ^ 1 << x_qubit], signed) + 2j * np.vdot(bra, signed)
        assert abs(matrix_element(bra, operator, ket) - expected) < 1e-12


@given(st.integers(1, 8), st.integers(0, 2**32))
def test_a_fidelity_is_the_squared_overlap(num_qubits, seed):
    first, second = random_state(num_qubits, seed), random_state(num_qubits, seed + 1)
    assert abs(fidelity(first, second) - abs(first.conj() @ second) ** 2) < 1e-12
    assert abs(fidelity(first, 1j * first) - 1) < 1e-12


@given(st.data(), st.integers(1, 7), st.integers(0, 2**32))
def test_a_reduced_density_matrix_is_the_partial_trace(data, num_qubits, seed):
    state = random_state(num_qubits, seed)
    qubits = data.draw(st.lists(st.integers(0, num_qubits - 1), unique=True))
    expected = np.zeros((1 << len(qubits),) * 2, dtype=complex)
    kept = sum(1 << q for q in qubits)
    for i in range(len(state)):
        for j in range(len(state)):
            if i & ~kept == j & ~kept:
                row, column = (sum((v >> q & 1) << k for k, q in enumerate(qubits)) for v in (i, j))
                expected[row, column] += state[i] * state[j].conjugate()
    assert np.abs(reduced_density_matrix(state, qubits) - expected).max() < 1e-12


GOOD = np.array([1, 0, 0, 0j])


@pytest.mark.parametrize("bad, rule", [
    ([1, 0], "NumPy array"), (np.array([1.0, 0.0]), "complex64 or complex128"), (np.zeros(3, complex), r"\(2\*\*n,\)"),
    (np.zeros(0, complex), r"\(2\*\*n,\)"), (np.zeros((2, 2, 2), complex), r"\(2\*\*n,\)"),
    (np.array([np.nan, 0j, 0, 0]), "finite"), (np.array([1, 0j]), "one size"),
])  # fmt: skip
def test_what_is_no_statevector_is_refused(bad, rule):
    for call in (lambda: fidelity(GOOD, bad), lambda: matrix_element(bad, Pauli.X(0), GOOD)):
        with pytest.raises(QsimError, match=rule):
            call()


def test_operators_and_norms_that_do_not_fit_are_refused():
    with pytest.raises(QsimError, match="it has 3, the state has 2"):
        matrix_element(GOOD, Pauli.X(2), GOOD)
    with pytest.raises(QsimError, match="is a SparsePauliOp, got str"):
        matrix_element(GOOD, "X0", GOOD)
    with pytest.raises(QsimError, match="squared norm of 4"):
        fidelity(GOOD, 2 * GOOD)


@pytest.mark.parametrize("qubits, rule", [
    ([2], "from 0 to 1"), ([-1], "from 0 to 1"), ([True], "from 0 to 1"), ([0.0], "from 0 to 1"), ([0, 0], "given once"),
])  # fmt: skip
def test_qubits_that_cannot_be_kept_are_refused(qubits, rule):
    with pytest.raises(QsimError, match=rule):
        reduced_density_matrix(GOOD, qubits)


def test_too_many_kept_qubits_are_refused():
    with pytest.raises(QsimError, match="at most 12 qubits, got 13"):
        reduced_density_matrix(np.zeros(1 << 13, complex), range(13))


def test_circuits_are_compared_and_reduced():
    a = Parameter("a")
    first, second = Circuit(2).ry(a, 0).cx(0, 1), Circuit(2).h(0)
    simulator = Simulator()
    one, two = simulator.statevector(first, {"a": 0.4}), simulator.statevector(second)
    operator = Pauli.X(0) * Pauli.Y(1) + 0.5j
    assert simulator.fidelity(first, second, {"a": 0.4}) == pytest.approx(abs(np.vdot(one, two)) ** 2, abs=1e-14)
    expected = np.vdot(one, operator.to_matrix(2) @ two)
    assert simulator.matrix_element(first, operator, second, {"a": 0.4}) == pytest.approx(expected, abs=1e-14)
    batch = simulator.reduced_density_matrix(first, [1], [{"a": 0.4}, {"a": 1.0}])
    assert batch.shape == (2, 2, 2)
    assert np.abs(batch[0] - np.diag([np.cos(0.2) ** 2, np.sin(0.2) ** 2])).max() < 1e-14


def test_circuits_that_cannot_be_compared():
    simulator = Simulator()
    with pytest.raises(QsimError, match="have 1 and 2"):
        simulator.fidelity(Circuit(1), Circuit(2))
    with pytest.raises(QsimError, match="'b'"):
        simulator.fidelity(Circuit(1), Circuit(1), {"b": 1.0})
    with pytest.raises(QsimError, match="missing"):
        simulator.fidelity(Circuit(1).rx(Parameter("a"), 0), Circuit(1))
    with pytest.raises(QsimError):
        simulator.reduced_density_matrix(Circuit(1), [1])


def test_reduced_density_matrix_of_a_state_that_takes_several_pieces():
    random = np.random.default_rng(5)
    state = random.normal(size=1 << 20) + 1j * random.normal(size=1 << 20)
    state /= np.linalg.norm(state)
    tensor = state.reshape(2, 2, 1 << 9, 2, 1 << 8)  # qubit 19, 18, 17 to 9, 8, 7 to 0
    expected = np.einsum("aibjc,akblc->jilk", tensor, tensor.conj(), optimize=True).reshape(4, 4)
    found = reduced_density_matrix(state, [18, 8])  # index: qubit 18 low, qubit 8 high
    assert np.abs(found - expected).max() < 1e-12


def test_matrix_elements_and_reduced_states_can_be_cancelled():
    state, stop = np.array([1, 0j]), threading.Event()
    stop.set()
    for call in (
        lambda: matrix_element(state, Pauli.Z(0), state),
        lambda: reduced_density_matrix(state, [0]),
    ):
        with controlled(cancel=stop), pytest.raises(RunCancelled):
            call()
