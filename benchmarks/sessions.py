"""Sessions: what the layer above the engine costs, and batches beside Aer's estimator.

Two measurements, each `python -m benchmarks.sessions NAME`:

- ``loop``: a variational loop of 200 iterations on 8 qubits: how much of its time is inside the engine
  (`qsim.Simulator`'s methods), for a loop of `estimate`, and for `minimize` by several methods. Goal: over 80 %. The share is
  of the calling thread's processor time, which does the engine's work on so few qubits and which other processes do not
  disturb.
- ``batch``: 1,000 parameter sets of 10 qubits and a chain Hamiltonian: `ExecutionSession.estimate` beside
  `qiskit_aer.primitives.EstimatorV2` with its exact method, the same circuit in both, values compared. Goal: 20 times.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from qsim import Circuit, ParameterArray, Simulator, SparsePauliOp
from qsim.pauli import Pauli
from session import ExecutionSession

ROUNDS = 5
_ENTRANCES = ("moments", "expectation", "value_and_gradient", "sample", "estimate", "statevector")


def ansatz(qubits: int, layers: int) -> Circuit:
    """Layers of RY on every qubit and a chain of CX."""
    angles = ParameterArray("p", qubits * layers)
    circuit = Circuit(qubits)
    for layer in range(layers):
        for qubit in range(qubits):
            circuit.ry(angles[layer * qubits + qubit], qubit)
        for qubit in range(qubits - 1):
            circuit.cx(qubit, qubit + 1)
    return circuit


def chain(qubits: int) -> SparsePauliOp:
    """The transverse-field Ising chain."""
    bonds = sum(Pauli.Z(k) * Pauli.Z(k + 1) for k in range(qubits - 1))
    return -bonds - sum(Pauli.X(k) for k in range(qubits))


@contextmanager
def inside_the_engine() -> Iterator[list[float]]:
    """Seconds spent in the engine's methods, called from outside of it."""
    spent, depth = [0.0], [0]
    kept = {name: getattr(Simulator, name) for name in _ENTRANCES}

    def clocked(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            if depth[0]:
                return method(*args, **named)
            depth[0], start = 1, time.thread_time()
            try:
                return method(*args, **named)
            finally:
                spent[0] += time.thread_time() - start
                depth[0] = 0

        return call

    try:
        for name, method in kept.items():
            setattr(Simulator, name, clocked(method))
        yield spent
    finally:
        for name, method in kept.items():
            setattr(Simulator, name, method)


def molecule(qubits: int, terms: int = 185) -> SparsePauliOp:
    """As many terms as lithium hydride has on eight qubits, at random: what an energy of chemistry looks like."""
    random = np.random.default_rng(1)
    labels = ["".join(random.choice(list("IXYZ"), qubits)) for _ in range(terms)]
    return SparsePauliOp.from_labels(list(zip(labels, random.normal(size=terms).tolist(), strict=True)))


def loop(
    title: str, energy: SparsePauliOp, layers: int, qubits: int = 8, iterations: int = 200
) -> list[dict[str, Any]]:
    """Shares of the engine, the median of several rounds."""
    import scipy.optimize  # noqa: F401  (its import is no part of what is measured)

    print(f"{title}: {qubits} qubits, {layers} layers, {energy.num_terms} terms", flush=True)
    circuit = ansatz(qubits, layers)
    start = {"p": [0.3] * (qubits * layers)}
    rows = []
    with ExecutionSession(circuit, random_seed=1) as session:

        def by_hand() -> None:
            for k in range(iterations):
                session.estimate(energy, {"p": [0.3 + 0.01 * k] * (qubits * layers)})

        def by_gradients() -> None:
            for k in range(iterations):
                session.gradient(energy, {"p": [0.3 + 0.01 * k] * (qubits * layers)})

        runs: dict[str, Callable[[], Any]] = {"estimate, by hand": by_hand, "gradient, by hand": by_gradients}
        for method in ("ADAM", "SPSA", "Nelder-Mead", "L-BFGS-B", "BFGS", "COBYLA"):
            runs[f"minimize, {method}"] = lambda method=method: session.minimize(
                energy, start, iterations, method=method
            )
        for name, run in runs.items():
            run()
            found = []
            for _ in range(ROUNDS):
                with inside_the_engine() as spent:
                    began, used = time.perf_counter(), time.thread_time()
                    run()
                    wall, used = time.perf_counter() - began, time.thread_time() - used
                found.append((spent[0] / used, wall))
            share, wall = sorted(found)[ROUNDS // 2]
            rows.append(
                {"run": name, "iterations": iterations, "engine": round(share, 3), "wall_ms": round(wall * 1e3, 1)}
            )
            print(f"{name:24} {wall * 1e3:8.1f} ms   engine {share:6.1%}", flush=True)
    return rows


def batch(qubits: int = 10, layers: int = 2, sets: int = 1000) -> dict[str, Any]:
    """Seconds for a batch here and in Aer's estimator, in turns, the best of several."""
    from qiskit.quantum_info import SparsePauliOp as QiskitOperator
    from qiskit_aer.primitives import EstimatorV2

    from parsers import to_qiskit

    circuit, energy = ansatz(qubits, layers), chain(qubits)
    angles = np.random.default_rng(1).uniform(-np.pi, np.pi, (sets, qubits * layers))
    theirs = to_qiskit(circuit)
    order = [next(k for k, p in enumerate(circuit.parameters) if p.name == q.name) for q in theirs.parameters]
    operator = QiskitOperator.from_list(energy.to_list(qubits))
    estimator = EstimatorV2(options={"default_precision": 0.0})
    best: dict[str, float] = {"session": np.inf, "Aer": np.inf}
    with ExecutionSession(circuit) as session:
        ours = session.estimate(energy, angles)
        for _ in range(ROUNDS):
            began = time.perf_counter()
            ours = session.estimate(energy, angles)
            best["session"] = min(best["session"], time.perf_counter() - began)
            began = time.perf_counter()
            values = estimator.run([(theirs, operator, angles[:, order])]).result()[0].data.evs
            best["Aer"] = min(best["Aer"], time.perf_counter() - began)
    apart = float(np.abs(np.array([result.value for result in ours]) - values).max())
    ratio = best["Aer"] / best["session"]
    print(
        f"session {best['session'] * 1e3:.1f} ms   Aer {best['Aer'] * 1e3:.1f} ms   {ratio:.1f} times   apart {apart:.1e}"
    )
    return {"sets": sets, "qubits": qubits, **best, "ratio": ratio, "apart": apart}


def main() -> int:
    """Run what the command line names; 1 if Aer and ours disagreed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sessions", description=__doc__)
    parser.add_argument("name", choices=["loop", "batch"])
    parser.add_argument("--json", action="store_true", help="print one line of JSON at the end")
    options = parser.parse_args()
    if hasattr(os, "getloadavg") and os.getloadavg()[0] > 0.5:
        print(
            f"the load average is {os.getloadavg()[0]:.1f}: times are only worth keeping from an idle machine",
            file=sys.stderr,
        )
    found: Any = (
        loop("Ising chain", chain(8), 3) + loop("molecule", molecule(8), 6) if options.name == "loop" else batch()
    )
    if options.json:
        print(json.dumps(found))
    return int(options.name == "batch" and found["apart"] > 1e-8)


if __name__ == "__main__":
    sys.exit(main())
