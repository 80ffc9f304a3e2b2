"""Hessian-vector products against differences of exact gradients, and the errors."""

from __future__ import annotations

import numpy as np
import pytest

from qsim import Circuit, Parameter, ParameterArray, Pauli, Simulator
from qsim.errors import QsimError

OBSERVABLE = 0.7 * Pauli.Z(0) * Pauli.X(1) - 1.3 * Pauli.Y(2) + 0.4 * Pauli.Z(1)


def circuit_of(w):
    circuit = Circuit(3).h(range(3))
    circuit.rx(w[0], 0).u(w[1], w[2], 0.3, 1).crx(2 * w[3] - w[0], 0, 2).rzz(w[1] * 0.5, 1, 2).p(w[2], 2).cx(2, 0)
    return circuit.ry(w[3] + 1, 1).rxx(w[0], 0, 2)


def hessian(circuit, values):
    """By shifts of single parameters, one by one, from exact gradients: slow, with an error of about 1e-11."""
    rows, h = [], 1e-2
    weights = {1: 4 / 5, 2: -1 / 5, 3: 4 / 105, 4: -1 / 280}
    for k in range(len(values)):
        row = np.zeros(len(values))
        for j, weight in weights.items():
            shift = np.zeros(len(values))
            shift[k] = j * h
            up = Simulator().gradient(circuit, OBSERVABLE, {"w": values + shift})["w"]
            down = Simulator().gradient(circuit, OBSERVABLE, {"w": values - shift})["w"]
            row += weight * (up - down) / h
        rows.append(row)
    return np.array(rows)


@pytest.mark.parametrize(("precision", "tolerance"), [("double", 1e-10), ("single", 2e-4)])
def test_product_is_the_hessian_times_the_vector(precision, tolerance):
    random = np.random.default_rng(3)
    circuit, values, vector = circuit_of(ParameterArray("w", 4)), random.normal(size=4), random.normal(size=4)
    matrix = hessian(circuit, values)
    assert np.abs(matrix - matrix.T).max() < 1e-9
    found = Simulator(precision).hessian_vector_product(circuit, OBSERVABLE, {"w": vector}, {"w": values})["w"]
    assert np.abs(found - matrix @ vector).max() < tolerance


def test_expressions_that_are_not_affine():
    a = Parameter("a")
    circuit = Circuit(1).rx(a * a, 0)  # E = cos(a ** 2)
    found = Simulator().hessian_vector_product(circuit, Pauli.Z(0), {"a": 2.0}, {"a": 0.8})
    expected = 2 * (-2 * np.sin(0.64) - 4 * 0.64 * np.cos(0.64))
    assert abs(found["a"] - expected) < 1e-10


def test_batches_and_vectors_that_change_nothing():
    circuit = Circuit(1).ry(Parameter("a"), 0)
    found = Simulator().hessian_vector_product(circuit, Pauli.Z(0), {"a": 1.0}, [{"a": 0.1}, {"a": 0.2}])
    assert [abs(one["a"] + np.cos(value)) < 1e-12 for one, value in zip(found, (0.1, 0.2), strict=True)] == [True] * 2
    assert Simulator().hessian_vector_product(circuit, Pauli.Z(0), {"a": 0.0}, {"a": 0.1}) == {"a": 0.0}


def test_errors():
    circuit = Circuit(1).ry(Parameter("a"), 0)
    with pytest.raises(QsimError, match="one set of numbers"):
        Simulator().hessian_vector_product(circuit, Pauli.Z(0), [{"a": 1.0}], {"a": 0.1})
    with pytest.raises(QsimError, match="Hermitian"):
        Simulator().hessian_vector_product(circuit, 1j * Pauli.Z(0), {"a": 1.0}, {"a": 0.1})
    with pytest.raises(QsimError, match="measurements"):
        Simulator().hessian_vector_product(circuit.measure_all(), Pauli.Z(0), {"a": 1.0}, {"a": 0.1})
    for what in (Simulator().expectation, Simulator().variance, Simulator().gradient):
        with pytest.raises(QsimError, match="got float"):
            what(Circuit(1), 3.0)
