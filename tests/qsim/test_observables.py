"""Compiled observables against dense matrices: every number of qubits around a block, batches, lists, threads."""

import numpy as np
import oracle
import pytest
import strategies
from hypothesis import given, settings
from hypothesis import strategies as st

from qsim import Circuit, Pauli, Simulator, SparsePauliOp
from qsim.errors import QsimError
from qsim.kernels.observables import BLOCK_BITS
from qsim.observable import compile_observable, compiled
from qsim.readout import matrix_element

PRECISIONS = [(np.complex128, 1e-12), (np.complex64, 1e-5)]


def random_states(n, count, dtype, random):
    states = random.normal(size=(count, 1 << n)) + 1j * random.normal(size=(count, 1 << n))
    return (states / np.linalg.norm(states, axis=1)[:, None]).astype(dtype)


def random_operator(n, terms, random, letters="IXYZ"):
    labels = ["".join(random.choice(list(letters), n)) for _ in range(terms)]
    return SparsePauliOp.from_labels(
        [(label, float(c)) for label, c in zip(labels, random.normal(size=terms), strict=True)]
    )


def scale(operator):
    return max(1.0, float(np.abs(operator.coefficients).sum()))


@settings(max_examples=60)
@given(st.integers(1, 9), st.integers(0, 2**32), st.integers(0, 40), st.sampled_from(["IXYZ", "IZ", "XY", "IX"]))
def test_means_of_small_states(n, seed, terms, letters):
    random = np.random.default_rng(seed)
    operator = random_operator(n, terms, random, letters)
    dense = operator.to_matrix(n)
    for dtype, tolerance in PRECISIONS:
        states = random_states(n, 3, dtype, random)
        expected = [np.vdot(state, dense @ state).real for state in states.astype(complex)]
        means = compiled(operator, n).means(states, 2)
        assert means.shape == (3, 1)
        assert np.abs(means[:, 0] - expected).max() < tolerance * scale(operator)


@pytest.mark.parametrize("n", range(BLOCK_BITS - 1, BLOCK_BITS + 6))
@pytest.mark.parametrize("letters", ["IXYZ", "IIIIIZ", "IIIIIX", "IIIIXY"])
def test_means_of_larger_states(n, letters):
    random = np.random.default_rng(n)
    operator = random_operator(n, 30, random, letters) + 0.5 * Pauli.Y(n - 1) * Pauli.Y(0) - Pauli.X(n - 1)
    for dtype, tolerance in PRECISIONS:
        states = random_states(n, 2, dtype, random)
        expected = [matrix_element(state, operator, state).real for state in states.astype(complex)]
        assert np.abs(compiled(operator, n).means(states, 2)[:, 0] - expected).max() < tolerance * scale(operator)


@pytest.mark.parametrize("letters", ["IZ", "XY"])
def test_many_signs_of_one_mask(letters):
    """Sums by Walsh-Hadamard transforms, real ones and imaginary ones."""
    random = np.random.default_rng(5)
    n = 11
    operator = SparsePauliOp.from_terms(
        [({q: random.choice(list(letters)) for q in range(n)}, float(random.normal())) for _ in range(200)]
    )
    state = random_states(n, 1, np.complex128, random)
    expected = matrix_element(state[0], operator, state[0]).real
    assert abs(compiled(operator, n).means(state, 1)[0, 0] - expected) < 1e-12 * scale(operator)


def test_a_list_is_each_of_them():
    random = np.random.default_rng(7)
    operators = [random_operator(10, 8, random), Pauli.Z(0) + 2, SparsePauliOp(), random_operator(3, 5, random)]
    states = random_states(10, 4, np.complex128, random)
    together = compile_observable(operators, 10).means(states, 2)
    for k, operator in enumerate(operators):
        assert np.abs(together[:, k] - compiled(operator, 10).means(states, 1)[:, 0]).max() < 1e-13 * scale(operator)


def test_nothing_depends_on_threads_or_on_the_batch():
    random = np.random.default_rng(8)
    operator = random_operator(15, 40, random)
    states = random_states(15, 3, np.complex128, random)
    first = compiled(operator, 15).means(states, 1)
    for threads in (2, 3):
        assert np.array_equal(compiled(operator, 15).means(states, threads), first)
    for k in range(3):
        assert np.array_equal(compiled(operator, 15).means(states[k : k + 1], 2), first[k : k + 1])


@given(st.data())
@settings(max_examples=40)
def test_expectation_values_of_circuits(data):
    circuit = data.draw(strategies.circuits(max_qubits=6))
    operators = [data.draw(strategies.observables(circuit.num_qubits)) for _ in range(2)]
    state = oracle.statevector(circuit)
    values = Simulator().expectation(circuit, operators)
    for value, operator in zip(values, operators, strict=True):
        dense = operator.to_matrix(circuit.num_qubits)
        assert abs(value - np.vdot(state, dense @ state).real) < 1e-12 * scale(operator)


def test_the_compiled_form_is_kept_for_one_size():
    operator = Pauli.X(0) * Pauli.Z(2)
    first = compiled(operator, 3)
    assert compiled(operator, 3) is first
    assert compiled(operator, 4) is not first
    assert (operator + Pauli.Z(0))._compiled is None


def test_what_is_refused():
    circuit = Circuit(2).h(0)
    with pytest.raises(QsimError, match="Hermitian"):
        Simulator().expectation(circuit, 1j * Pauli.X(0))
    with pytest.raises(QsimError, match="it has 3, the circuit has 2"):
        Simulator().expectation(circuit, Pauli.X(2))
    with pytest.raises(QsimError, match="SparsePauliOp"):
        Simulator().expectation(circuit, ["X"])
