"""The ground state of molecular hydrogen on four qubits, found by minimising the energy of a one-parameter ansatz.

The coefficients are those of H2 at 1.401 bohr in a minimal basis under the Jordan-Wigner transformation, as J. T. Seeley,
M. J. Richard and P. J. Love print them in J. Chem. Phys. 137, 224109 (2012), equation (80); the repulsion of the nuclei is
added. The ground state has an energy of -1.137 hartree.

Run it with ``python examples/hydrogen.py``.
"""

from __future__ import annotations

import numpy as np

from qsim import Circuit, Parameter
from session import ExecutionSession, SparsePauliOp

#: hartree; qubits 0 and 1 are the occupied spin orbitals, 2 and 3 the empty ones.
COEFFICIENTS = {
    "": -0.81261 + 1 / 1.401,
    "Z0": 0.171201, "Z1": 0.171201, "Z2": -0.2227965, "Z3": -0.2227965,
    "Z1 Z0": 0.16862325, "Z2 Z0": 0.12054625, "Z2 Z1": 0.165868, "Z3 Z0": 0.165868, "Z3 Z1": 0.12054625,
    "Z3 Z2": 0.17434925,
    "X3 X2 Y1 Y0": -0.04532175, "X3 Y2 Y1 X0": 0.04532175, "Y3 X2 X1 Y0": 0.04532175, "Y3 Y2 X1 X0": -0.04532175,
}  # fmt: skip


def hamiltonian() -> SparsePauliOp:
    """The energy of the molecule, in hartree."""
    terms = [({int(p[1:]): p[0] for p in paulis.split()}, weight) for paulis, weight in COEFFICIENTS.items()]
    return SparsePauliOp.from_terms(terms)


def ansatz() -> Circuit:
    """exp(-i t X3 X2 X1 Y0 / 2) on the Hartree-Fock state: the double excitation, the only one that symmetry allows."""
    circuit = Circuit(4, name="double excitation").x([0, 1])
    circuit.sdg(0).h([0, 1, 2, 3])
    circuit.cx(0, 1).cx(1, 2).cx(2, 3)
    circuit.rz(Parameter("t"), 3)
    return circuit.cx(2, 3).cx(1, 2).cx(0, 1).h([0, 1, 2, 3]).s(0)


if __name__ == "__main__":
    energy = hamiltonian()
    with ExecutionSession(ansatz()) as session:
        start = session.estimate(energy, {"t": 0.0}).value
        found = session.minimize(energy, {"t": 0.0}, max_iteration=50, method="L-BFGS-B")
        spread = session.estimate(energy, found.optimal_parameters).variance
    print(f"Hartree-Fock        {start:.6f} hartree")
    print(
        f"minimised           {found.optimal_cost:.6f} at t = {found.optimal_parameters['t']:.6f} ({found.metadata['message']})"
    )
    print(f"exact ground state  {np.linalg.eigvalsh(energy.to_matrix())[0]:.6f}")
    print(f"variance            {spread:.1e}")
