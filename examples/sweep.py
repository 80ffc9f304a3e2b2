"""A sweep of 10,000 points on two worker processes that can be killed at any moment and goes on where it was.

Run it, press Ctrl-C (or kill a worker), run it again. Needs ``pip install "qsim-session[dask]"``; with an address as second
argument it uses that scheduler's cluster.
"""

import sys
import time

import numpy as np
from distributed import Client, LocalCluster

from qsim import Circuit, ParameterArray, Pauli, Simulator
from qsim.pool import controlled

QUBITS, LAYERS, POINTS = 12, 3, 10_000


def ansatz() -> Circuit:
    """Layers of rotations and a chain of CX."""
    angles = ParameterArray("p", QUBITS * LAYERS)
    circuit = Circuit(QUBITS)
    for layer in range(LAYERS):
        for q in range(QUBITS):
            circuit.ry(angles[layer * QUBITS + q], q)
        for q in range(QUBITS - 1):
            circuit.cx(q, q + 1)
    return circuit


def show(done: int, total: int) -> None:
    """How far the sweep is."""
    print(f"{done:,} of {total:,} points", file=sys.stderr)


def main(checkpoint: str, client: Client) -> None:
    """Run what is left of the sweep, and compare some points with a run here."""
    energy = sum((Pauli.Z(q) * Pauli.Z(q + 1) for q in range(QUBITS - 1)), 0.5 * Pauli.X(0))
    points = np.random.default_rng(1).uniform(-np.pi, np.pi, (POINTS, QUBITS * LAYERS))
    simulator, began = Simulator(), time.perf_counter()
    with controlled(progress=show):
        energies = simulator.expectation(ansatz(), energy, points, executor=client, checkpoint=checkpoint)
    print(f"{time.perf_counter() - began:.1f} s in {simulator.last_run['blocks']} blocks", file=sys.stderr)
    same = np.array_equal(energies[:100], simulator.expectation(ansatz(), energy, points[:100]))
    print(f"lowest energy {energies.min():.6f} at point {energies.argmin()}; the bits of a run here: {same}")


if __name__ == "__main__":
    checkpoint = sys.argv[1] if len(sys.argv) > 1 else "sweep.checkpoint"
    if len(sys.argv) > 2:
        with Client(sys.argv[2]) as client:
            main(checkpoint, client)
    else:
        with (
            LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as cluster,
            Client(cluster) as client,
        ):
            main(checkpoint, client)
