"""Find the ground state of a small Ising chain: a circuit with parameters, exact estimates, and jobs in the background.

Run it with ``python examples/variational.py``.
"""

from __future__ import annotations

import math

import numpy as np

from qsim import Circuit, ParameterArray
from session import ExecutionSession, Pauli

SITES = 4
LAYERS = 3

angles = ParameterArray("angles", SITES * LAYERS)
circuit = Circuit(SITES, name="ansatz")
for layer in range(LAYERS):
    for site in range(SITES):
        circuit.ry(angles[layer * SITES + site], site)
    if layer < LAYERS - 1:
        for site in range(SITES - 1):
            circuit.cx(site, site + 1)

# -sum Z Z - sum X, the transverse-field Ising chain at its critical point.
hamiltonian = -sum(Pauli.Z(k) * Pauli.Z(k + 1) for k in range(SITES - 1)) - sum(Pauli.X(k) for k in range(SITES))


def minimize(session: ExecutionSession, sweeps: int = 60) -> tuple[float, list[float]]:
    """Turn one angle at a time to its minimum: the energy is a sinusoid of each, so three points give it exactly."""
    values = [0.5 * (k + 1) for k in range(len(angles))]
    energy = math.inf
    for _ in range(sweeps):
        for k in range(len(angles)):
            points = [[*values[:k], values[k] + shift, *values[k + 1 :]] for shift in (0, math.pi / 2, -math.pi / 2)]
            here, right, left = (
                result.value for result in session.estimate(hamiltonian, [{"angles": p} for p in points])
            )
            values[k] -= math.pi / 2 + math.atan2(2 * here - right - left, right - left)
        energy = session.estimate(hamiltonian, {"angles": values}).value
    return energy, values


if __name__ == "__main__":
    print(circuit.draw(max_width=100), end="\n\n")
    with ExecutionSession(circuit, num_shots=1000, random_seed=1) as session:
        energy, values = minimize(session)
        print(f"lowest energy found  {energy:.6f}")
        print(f"exact ground state   {np.linalg.eigvalsh(hamiltonian.to_matrix())[0]:.6f}")
        job = session.submit_sample({"angles": values})
    print(job.get_sample_result().dataframe.head())
