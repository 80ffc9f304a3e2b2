"""Gradients by the adjoint method, against PennyLane Lightning's: ``python -m benchmarks.gradients``.

Ten layers of RY and RZ on every qubit and a chain of CX; 100 random Pauli terms. Two rows for Lightning: its C++ engine
alone, on operations that are serialised and a state that is computed outside the clock, and what its users call, from a
tape to the Jacobian. Ours starts from parameter values each time, forward run and value included; the plan is kept on
the circuit, as it is from the second call of a program on.
"""

from __future__ import annotations

import argparse
import math
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.measure import AMPLITUDE_BYTES, Run, bandwidth, interleaved
from qsim import Circuit, ParameterArray, Simulator, SparsePauliOp

Array = npt.NDArray[Any]
SIZES, LAYERS, TERMS, GOAL = (8, 10, 12, 14, 16, 18, 20), 10, 100, 4.0
TOLERANCE = 1e-9


@dataclass(frozen=True)
class GradientRow:
    """Seconds of one gradient with everyone, by name, and what reading and writing three states once takes."""

    num_qubits: int
    num_parameters: int
    seconds: dict[str, float]
    floor: float

    def ratio(self, peer: str) -> float:
        """How many times faster we are."""
        return self.seconds[peer] / self.seconds["ours"]


def ansatz(n: int, layers: int = LAYERS) -> Circuit:
    """Layers of RY and RZ on every qubit, each with an angle of its own, then CX(i, i + 1)."""
    angles = iter(ParameterArray("w", 2 * n * layers))
    circuit = Circuit(n)
    for _ in range(layers):
        for q in range(n):
            circuit.ry(next(angles), q).rz(next(angles), q)
        for q in range(n - 1):
            circuit.cx(q, q + 1)
    return circuit


def labels(n: int, seed: int) -> list[tuple[str, float]]:
    """Random Pauli strings with coefficients; the rightmost letter is qubit 0's."""
    random = np.random.default_rng(seed)
    return [("".join(random.choice(list("IXYZ"), n)), float(random.normal())) for _ in range(TERMS)]


def measure(n: int, rounds: int = 3, threads: int = 2) -> GradientRow:
    """One size: everyone side by side, after their gradients were found to agree."""
    terms, angles = labels(n, n), np.random.default_rng(n).uniform(-math.pi, math.pi, 2 * n * LAYERS)
    circuit, operator, sim = ansatz(n), SparsePauliOp.from_labels(terms), Simulator(threads=threads)

    def ours() -> Any:
        return sim.value_and_gradient(circuit, operator, {"w": angles})[1]["w"]

    runs: dict[str, Run] = {"ours": ours, **lightning(n, terms, angles)}
    expected = ours()
    for name, run in runs.items():
        error = float(np.abs(np.asarray(run()).reshape(-1) - expected).max())
        if error > TOLERANCE:
            raise AssertionError(f"{name} and ours differ by {error:.2g} at {n} qubits")
    seconds = interleaved({name: (lambda run=run: run) for name, run in runs.items()}, rounds, frozenset())  # type: ignore[misc]
    moved = 2 * 3 * AMPLITUDE_BYTES["double"] << n
    return GradientRow(n, len(angles), seconds, moved / bandwidth(moved, threads))


def lightning(n: int, terms: list[tuple[str, float]], angles: Array) -> dict[str, Run]:
    """PennyLane Lightning: its engine alone, and from a tape. A wire is a qubit, in the reverse order."""
    import pennylane as qml
    from pennylane_lightning.lightning_qubit._adjoint_jacobian import LightningAdjointJacobian
    from pennylane_lightning.lightning_qubit._state_vector import LightningStateVector

    letters = {"X": qml.PauliX, "Y": qml.PauliY, "Z": qml.PauliZ}
    wire = [n - 1 - q for q in range(n)]
    operations: list[Any] = []
    given = iter(angles.tolist())
    for _ in range(LAYERS):
        for q in range(n):
            operations += [qml.RY(next(given), wires=wire[q]), qml.RZ(next(given), wires=wire[q])]
        operations += [qml.CNOT(wires=[wire[q], wire[q + 1]]) for q in range(n - 1)]
    products = []
    for label, _ in terms:
        factors = [letters[letter](wire[q]) for q, letter in enumerate(reversed(label)) if letter != "I"]
        products.append(qml.prod(*factors) if len(factors) > 1 else factors[0])
    observable = qml.Hamiltonian([c for _, c in terms], products)
    tape = qml.tape.QuantumScript(operations, [qml.expval(observable)])
    tape.trainable_params = list(range(len(angles)))

    def forward() -> Any:
        state = LightningStateVector(n, np.complex128)
        state.apply_operations(operations)
        return state

    jacobian = LightningAdjointJacobian(forward())
    data = jacobian._process_jacobian_tape(tape, split_obs=False)

    def engine() -> Any:
        return jacobian._jacobian_lightning(
            data["state_vector"], data["obs_serialized"], data["ops_serialized"], data["tp_shift"]
        )

    return {
        "lightning engine": engine,
        "lightning tape": lambda: LightningAdjointJacobian(forward()).calculate_jacobian(tape),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--qubits", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", str(options.threads))
    print(
        f"{'qubits':>6} {'angles':>6} {'ours ms':>9} {'engine ms':>10} {'tape ms':>9} {'x engine':>9} {'x tape':>7} {'floor ms':>9}"
    )
    for n in options.qubits:
        row = measure(n, options.rounds, options.threads)
        ms = {name: 1e3 * s for name, s in row.seconds.items()}
        print(
            f"{n:6} {row.num_parameters:6} {ms['ours']:9.2f} {ms['lightning engine']:10.2f} {ms['lightning tape']:9.2f} "
            f"{row.ratio('lightning engine'):9.2f} {row.ratio('lightning tape'):7.2f} {1e3 * row.floor:9.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
