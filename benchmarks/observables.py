"""Expectation values of many Pauli terms: ours, qulacs, Qiskit and Aer's EstimatorV2 on one random state, side by side.

    python -m benchmarks.observables [--rounds 3] [--threads 2] [--skip-above 20] [--limit 60]

The state is there already and so is the operator, in each library's own form; ours is compiled anew in the first column
and known in the second. The estimator's circuit sets the state. Peers have one run. The floor is reading the state once for
each X-mask, from wherever it lies.
"""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.measure import bandwidth, interleaved, timed
from benchmarks.report import markdown_table
from qsim import SparsePauliOp
from qsim.observable import compile_observable


@dataclass(frozen=True)
class Task:
    """A random operator: `masks` X-masks of two or four qubits each, or as many as terms if 0."""

    name: str
    qubits: int
    terms: int
    masks: int

    def operator(self, seed: int) -> SparsePauliOp:
        """The operator, coefficients normally distributed."""
        random = np.random.default_rng(seed)
        pairs = []
        masks = [set(random.choice(self.qubits, int(random.choice([2, 4])), replace=False)) for _ in range(self.masks)]
        for k in range(self.terms):
            if masks:
                flipped, phased = masks[k % len(masks)], random.random(self.qubits) < 0.3
                letters = {q: ("Y" if phased[q] else "X") if q in flipped else "Z" for q in range(self.qubits)
                           if q in flipped or phased[q]}  # fmt: skip
            else:
                drawn = random.integers(4, size=self.qubits)
                letters = {q: "IXYZ"[letter] for q, letter in enumerate(drawn) if letter}
            pairs.append((letters, float(random.normal())))
        return SparsePauliOp.from_terms(pairs, num_qubits=self.qubits).simplify()


PEERS = ("qulacs", "qiskit", "estimator")
TASKS = (
    Task("random terms", 20, 500, 0), Task("random terms", 16, 5000, 0), Task("molecule-like", 18, 10_000, 1000),
    Task("molecule-like", 20, 10_000, 1000),
)  # fmt: skip


def runs(task: Task, seed: int, threads: int) -> dict[str, Callable[[], Any]]:
    """What is timed, by name; each gives the expectation value."""
    operator, n = task.operator(seed), task.qubits
    random = np.random.default_rng(seed)
    state = random.normal(size=1 << n) + 1j * random.normal(size=1 << n)
    state /= np.linalg.norm(state)
    row = state.reshape(1, -1)
    known = compile_observable([operator], n)
    found: dict[str, Callable[[], Any]] = {
        "ours": lambda: compile_observable([operator], n).means(row, threads)[0, 0],
        "ours again": lambda: known.means(row, threads)[0, 0],
    }
    try:
        import qulacs

        theirs, observable = qulacs.QuantumState(n), qulacs.Observable(n)
        theirs.load(state)
        for term in operator.terms:
            observable.add_operator(term.coefficient.real, " ".join(f"{letter} {q}" for q, letter in term.paulis))
        found["qulacs"] = lambda: observable.get_expectation_value(theirs)
    except ImportError:
        pass
    try:
        from qiskit.quantum_info import SparsePauliOp as QiskitOperator
        from qiskit.quantum_info import Statevector

        terms = [
            ("".join(p for _, p in term.paulis), [q for q, _ in term.paulis], term.coefficient)
            for term in operator.terms
        ]
        other, vector = QiskitOperator.from_sparse_list(terms, num_qubits=n), Statevector(state)
        found["qiskit"] = lambda: vector.expectation_value(other).real
        found["estimator"] = estimator(state, other, threads)
    except ImportError:
        pass
    return found


def estimator(state: Any, operator: Any, threads: int) -> Callable[[], Any]:
    """Aer's EstimatorV2, exact by default, on a circuit that does nothing but set the state."""
    from qiskit import QuantumCircuit
    from qiskit_aer.primitives import EstimatorV2

    circuit = QuantumCircuit(operator.num_qubits)
    circuit.set_statevector(state)  # a method that Aer adds
    backend = {"method": "statevector", "max_parallel_threads": threads}
    engine = EstimatorV2(options={"backend_options": backend})
    return lambda: float(engine.run([(circuit, operator)]).result()[0].data.evs)


def measure(
    task: Task, seed: int, rounds: int, threads: int, skipped: frozenset[str]
) -> tuple[list[str], dict[str, float]]:
    """A row of the table, and the seconds of all but the `skipped`; an error if the values differ."""
    contestants = {name: run for name, run in runs(task, seed, threads).items() if name not in skipped}
    value, times = contestants["ours"](), {}
    for name, run in contestants.items():
        times[name], other = timed(run)
        if not abs(other - value) < 1e-9 * max(1.0, abs(value)):
            raise RuntimeError(f"{name} gives {other}, ours {value}")
    mine = {name: (lambda run=run: run) for name, run in contestants.items() if name.startswith("ours")}
    times |= interleaved(mine, rounds, frozenset())
    best = min((times[name] for name in times if name not in mine), default=math.nan)
    size = 16 << task.qubits
    floor = max(task.masks or task.terms, 1) * size / (2 * bandwidth(size, threads))
    shown = [task.name, str(task.qubits), str(task.terms)]
    shown += [f"{times[name] * 1e3:.1f}" for name in ("ours", "ours again")]
    shown += [f"{times[name] * 1e3:.0f}" if name in times else "" for name in PEERS]
    return [*shown, f"{best / times['ours']:.1f}" if best > 0 else "", f"{floor * 1e3:.1f}"], times


def main(arguments: list[str] | None = None) -> int:
    """Measure, and print each row as soon as it is there."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.observables", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="turns of ours, of which the best counts; peers have one")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--skip-above", type=int, default=30, metavar="QUBITS")
    parser.add_argument("--limit", type=float, default=60.0, metavar="SECONDS",
                        help="who took longer for one operator is left out afterwards")  # fmt: skip
    options = parser.parse_args(arguments)
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    heads = ["operator", "qubits", "terms", "ours", "ours again", *PEERS, "best peer ÷ ours", "floor"]
    print("Milliseconds:\n\n" + markdown_table(heads, [], left={0}), flush=True)
    skipped: frozenset[str] = frozenset()
    for task in TASKS:
        if task.qubits <= options.skip_above:
            line, times = measure(task, options.seed, options.rounds, options.threads, skipped)
            print(markdown_table(heads, [line], left={0}).splitlines()[-1], flush=True)
            skipped |= {name for name in PEERS if times.get(name, 0.0) > options.limit}
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
