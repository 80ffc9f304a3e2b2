"""Noisy circuits against Qiskit Aer and qsim's trajectories: ``python -m benchmarks.noise``.

Ten layers of RY and RZ on every qubit and a chain of CX, with depolarising noise after every gate: a tenth on one qubit of
what there is on two. Everyone samples all qubits of the same circuit under the same noise, Aer in its two ways of using
threads. Density matrices: Aer's ``density_matrix`` against ours, ready for the probabilities of all outcomes.

    python -m benchmarks.noise --qubits 12 --strengths 0.001 0.01 0.05 --shots 10000
    python -m benchmarks.noise --density 10 11 12
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.measure import Run, interleaved, timed
from qsim import Circuit, NoiseModel, Simulator
from qsim.noise import depolarizing

Array = npt.NDArray[Any]
LAYERS, GOAL = 10, 3.0


def angles(n: int, layers: int = LAYERS) -> Array:
    """An angle for each rotation, shape (layers, n, 2)."""
    return np.random.default_rng(n).uniform(-np.pi, np.pi, (layers, n, 2))


def ansatz(n: int, layers: int = LAYERS) -> Circuit:
    """Layers of RY and RZ on every qubit, then CX(i, i + 1)."""
    circuit = Circuit(n)
    for layer in angles(n, layers):
        for q, (first, second) in enumerate(layer.tolist()):
            circuit.ry(first, q).rz(second, q)
        for q in range(n - 1):
            circuit.cx(q, q + 1)
    return circuit


def model(strength: float) -> NoiseModel:
    """Depolarising noise of this strength after CX, and a tenth of it after rotations."""
    return NoiseModel().add(depolarizing(strength / 10), ["ry", "rz"]).add(depolarizing(strength, 2), "cx")


def ours(n: int, strength: float, shots: int, method: str, threads: int) -> Run:
    """Our counts, as excitations of each qubit."""
    circuit, simulator = ansatz(n).measure_all(), Simulator(noise=model(strength), method=method, threads=threads)

    def run() -> Any:
        counts = simulator.sample(circuit, shots, seed=1)
        return counts.frequencies @ counts.array / shots

    return run


def aer(n: int, strength: float, shots: int, threads: int, **options: Any) -> Run:
    """Aer's, the circuit and the noise model being its own objects."""
    from qiskit import QuantumCircuit
    from qiskit_aer import AerSimulator
    from qiskit_aer.noise import NoiseModel as AerNoise
    from qiskit_aer.noise import depolarizing_error

    noise = AerNoise()
    noise.add_all_qubit_quantum_error(depolarizing_error(strength / 10, 1), ["ry", "rz"])
    noise.add_all_qubit_quantum_error(depolarizing_error(strength, 2), ["cx"])
    circuit = QuantumCircuit(n)
    for layer in angles(n):
        for q, (first, second) in enumerate(layer.tolist()):
            circuit.ry(first, q)
            circuit.rz(second, q)
        for q in range(n - 1):
            circuit.cx(q, q + 1)
    circuit.measure_all()
    simulator = AerSimulator(noise_model=noise, max_parallel_threads=threads, **options)

    def run() -> Any:
        counts = simulator.run(circuit, shots=shots, seed_simulator=1).result().get_counts()
        bits = np.array([[letter == "1" for letter in key[::-1]] for key in counts])
        return np.array(list(counts.values())) @ bits / shots

    return run


def qsim_trajectories(n: int, strength: float, shots: int, threads: int) -> Run:
    """qsim's trajectories through qsimcirq; Cirq's depolarising channel is given by the probability of any error."""
    import cirq
    import qsimcirq

    qubits = cirq.LineQubit.range(n)
    one, two = cirq.depolarize(strength / 10 * 3 / 4), cirq.depolarize(strength * 15 / 16, n_qubits=2)
    circuit = cirq.Circuit()
    for layer in angles(n):
        for q, (first, second) in enumerate(layer.tolist()):
            circuit.append([cirq.ry(first)(qubits[q]), one(qubits[q]), cirq.rz(second)(qubits[q]), one(qubits[q])])
        for q in range(n - 1):
            circuit.append([cirq.CNOT(qubits[q], qubits[q + 1]), two(qubits[q], qubits[q + 1])])
    circuit.append(cirq.measure(*qubits, key="m"))
    options = qsimcirq.QSimOptions(cpu_threads=threads, max_fused_gate_size=4)
    simulator = qsimcirq.QSimSimulator(qsim_options=options, seed=1)
    return lambda: simulator.run(circuit, repetitions=shots).measurements["m"].mean(axis=0)


def compare(title: str, runs: dict[str, Callable[[], Run]], rounds: int, shots: int) -> dict[str, float]:
    """Measure contestants side by side, the first one being ours, and print a line; check that they agree."""
    ready = {name: make() for name, make in runs.items()}
    expected, first_runs = None, {}
    for name, run in ready.items():
        first_runs[name], found = timed(run)
        expected = found if expected is None else expected
        error = float(np.abs(found - expected).max())
        if error > 6 / (2 * shots**0.5) * 2**0.5:
            raise AssertionError(f"{name} and ours differ by {error:.2g}: {title}")
    again = interleaved({name: (lambda run=run: run) for name, run in ready.items()}, rounds, frozenset())  # type: ignore[misc]
    seconds = {name: min(first_runs[name], again[name]) for name in ready}
    first = next(iter(seconds))
    others = ", ".join(f"{name} {s:.3f} s ({s / seconds[first]:.1f} x)" for name, s in seconds.items() if name != first)
    print(f"{title}: {first} {seconds[first]:.3f} s, {others}", flush=True)
    return seconds


def main() -> None:
    """Measure, and print a line for each case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--qubits", type=int, nargs="*", default=[])
    parser.add_argument("--strengths", type=float, nargs="*", default=[0.001, 0.01])
    parser.add_argument("--shots", type=int, default=10_000)
    parser.add_argument("--density", type=int, nargs="*", default=[])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    given = parser.parse_args()
    t, shots = given.threads, given.shots
    for n in given.qubits or ([] if given.density else [12]):
        for p in given.strengths:
            runs: dict[str, Callable[[], Run]] = {
                "ours": lambda n=n, p=p: ours(n, p, shots, "statevector", t),
                "Aer": lambda n=n, p=p: aer(n, p, shots, t, method="statevector"),
                "Aer, shots side by side": lambda n=n, p=p: aer(
                    n, p, shots, t, method="statevector", max_parallel_shots=t
                ),
                "qsim": lambda n=n, p=p: qsim_trajectories(n, p, shots, t),
            }
            compare(f"{n} qubits, strength {p:g}, {shots:,} shots", runs, given.rounds, shots)
    for n in given.density:
        runs = {
            "ours": lambda n=n: ours(n, 0.01, 10_000, "density_matrix", t),
            "Aer": lambda n=n: aer(n, 0.01, 10_000, t, method="density_matrix"),
        }
        compare(f"density matrix of {n} qubits, 10,000 shots", runs, given.rounds, 10_000)


if __name__ == "__main__":
    main()
