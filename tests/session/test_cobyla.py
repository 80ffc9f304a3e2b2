"""COBYLA on functions of a known minimum, and beside scipy's."""

import numpy as np
import pytest
from scipy import optimize

from qsim import Circuit, ParameterArray
from session import ExecutionSession, Pauli
from session.cobyla import cobyla

RANDOM = np.random.default_rng(3)
SKEW = RANDOM.normal(size=(8, 8))
MATRIX = SKEW @ SKEW.T + np.eye(8)
FUNCTIONS = {
    "sphere": (lambda x: np.sum((x - 1) ** 2), np.zeros(5), 0.0),
    "quadratic": (lambda x: x @ MATRIX @ x - x.sum(), np.ones(8), -0.25 * np.linalg.inv(MATRIX).sum()),
    "one variable": (lambda x: np.cos(x[0]), np.array([0.3]), -1.0),
    "cosines": (lambda x: np.sum(np.cos(x) * np.arange(1, 5)), np.linspace(0.1, 2, 4), -10.0),
    "constant": (lambda x: 1.0, np.zeros(3), 1.0),
    "offset": (lambda x: 1e6 + np.sum(x**2), np.full(3, 40.0), 1e6),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_minimum_is_found_as_scipy_finds_it(name: str) -> None:
    function, start, least = FUNCTIONS[name]
    calls = []

    def counted(x: np.ndarray) -> float:
        calls.append(x)
        return float(function(x))

    before = start.copy()
    found = cobyla(counted, start, tolerance=1e-6)
    assert function(found) == pytest.approx(least, abs=1e-6)
    np.testing.assert_array_equal(start, before)
    theirs = optimize.minimize(
        lambda x: float(function(x)), start, method="COBYLA", tol=1e-6, options={"maxiter": 5000}
    )
    assert function(found) <= theirs.fun + 1e-6
    assert len(calls) < 3 * theirs.nfev + 50


def test_a_cost_with_noise_ends() -> None:
    found = cobyla(lambda x: float(np.sum(x**2) + 0.01 * np.sin(1e5 * x.sum())), np.ones(6))
    assert np.sum(found**2) < 0.3


@pytest.mark.parametrize("limit", [1, 2, 5, 30])
def test_the_limit_counts_evaluations(limit: int) -> None:
    p = ParameterArray("p", 4)
    circuit = Circuit(2).ry(p[0], 0).ry(p[1], 1).cx(0, 1).ry(p[2], 0).ry(p[3], 1)
    with ExecutionSession(circuit) as session:
        found = session.minimize(Pauli.Z(0) * Pauli.Z(1), {"p": [0.3, 0.2, 0.1, 0.4]}, limit)
    assert found.metadata["evaluations"] == limit and not found.converged
