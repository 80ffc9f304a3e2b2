"""Stabiliser and matrix-product-state runs beside Qiskit Aer's (and quimb's), and which programs run by which method.

    python -m benchmarks.methods clifford [--corpus FOLDER] [--shots 10000] [--rounds 3] [--threads 2]
    python -m benchmarks.methods mps [--rounds 2]
    python -m benchmarks.methods survey [--corpus FOLDER] [--seconds 60]

`clifford` takes the Clifford programs of QASMBench's large folder and a few circuits of its own. All start from a circuit in
each library's own form and end with counts. `survey` runs every program of QASMBench's folders (small, medium, large) with a
limit of time, each in a process of its own, and prints what ran by which method and what was refused, with the reason.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import interleaved
from benchmarks.report import markdown_table
from parsers import load
from qsim import Circuit, Simulator
from qsim.errors import QsimError
from qsim.mps.gates import apply_circuit
from qsim.mps.order import chain_order
from qsim.mps.state import MatrixProductState, Settings, product_vectors
from qsim.stabilizer.engine import check_circuit

FOLDERS = ("small", "medium", "large")


def corpus(given: str | None) -> Path:
    """The folder of QASMBench."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "corpus"
    for place in (given, os.environ.get("QSIM_CORPUS"), str(beside)):
        if place and (Path(place) / "QASMBench").is_dir():
            return Path(place) / "QASMBench"
    raise SystemExit("There is no QASMBench: set QSIM_CORPUS to a folder that has it, or give --corpus.")


def programs(root: Path, folder: str) -> Iterator[Path]:
    """The programs of a folder, smallest name first."""
    yield from sorted(path for path in (root / folder).rglob("*.qasm") if path.name != "qelib1.inc")


# circuits of our own -----------------------------------------------------------------------------------------------
def ghz(count: int) -> Circuit:
    """A chain of CX."""
    circuit = Circuit(count).h(0)
    for k in range(count - 1):
        circuit.cx(k, k + 1)
    return circuit


def brickwork(count: int, layers: int, seed: int = 1) -> Circuit:
    """Random rotations, and CX between neighbours in turn: entanglement of up to one bit a layer and cut."""
    random = np.random.default_rng(seed)
    circuit = Circuit(count)
    for layer in range(layers):
        for qubit in range(count):
            circuit.u(*random.uniform(0, 6, 3).tolist(), qubit)
        for qubit in range(layer % 2, count - 1, 2):
            circuit.cx(qubit, qubit + 1)
    return circuit


def fourier(count: int) -> Circuit:
    """A Fourier transform of a product state, without the exchange of qubits at its end."""
    circuit = Circuit(count)
    for k in range(count):
        circuit.ry(0.3 + 0.1 * k, k)
    for i in reversed(range(count)):
        circuit.h(i)
        for j in reversed(range(i)):
            circuit.cp(np.pi / 2 ** (i - j), j, i)
    return circuit


def random_clifford(count: int, gates: int, seed: int = 1) -> Circuit:
    """H, S and CX at random places."""
    random = np.random.default_rng(seed)
    circuit = Circuit(count)
    for kind in random.integers(3, size=gates).tolist():
        a, b = random.choice(count, 2, replace=False).tolist()
        if kind == 2:
            circuit.cx(a, b)
        else:
            circuit.append("hs"[kind], [a])
    return circuit


# measurements ------------------------------------------------------------------------------------------------------
def as_qiskit(circuit: Circuit, method: str, threads: int) -> tuple[Any, Any]:
    """A circuit for Aer and the backend."""
    from qiskit import transpile
    from qiskit_aer import AerSimulator

    from parsers import to_qiskit

    backend = AerSimulator(method=method, max_parallel_threads=threads)
    made = to_qiskit(circuit)
    if (
        method == "stabilizer"
    ):  # the other states its width as what fits into memory, and knows the gates here as they are
        made = transpile(made, backend, optimization_level=0)
    return made, backend


def sampled(circuit: Circuit, method: str, shots: int, threads: int) -> dict[str, Callable[[], Any]]:
    """Runs of ours and of Aer's, by name."""
    simulator = Simulator(threads=threads, method="stabilizer" if method == "stabilizer" else "mps")
    theirs, backend = as_qiskit(circuit, method, threads)
    return {
        "ours": lambda: simulator.sample(circuit, shots, seed=1),
        "ours again": lambda: simulator.sample(circuit, shots, seed=1),
        "aer": lambda: backend.run(theirs, shots=shots, seed_simulator=1).result().get_counts(),
    }


def clifford(options: argparse.Namespace) -> None:
    """The table of Clifford circuits."""
    cases: list[tuple[str, Circuit]] = []
    for path in programs(corpus(options.corpus), "large"):
        circuit = load(path, include_dirs=[path.parent])
        try:
            check_circuit(circuit)
        except QsimError:
            continue
        cases.append((path.stem, circuit))
    cases.append(("ghz", ghz(300).measure_all()))
    cases.append(("random, 100 qubits, 10,000 gates", random_clifford(100, 10_000).measure_all()))
    lines = []
    for name, circuit in cases:
        ready = sampled(circuit, "stabilizer", options.shots, options.threads)
        ready["ours"]()  # what is compiled at first use
        once = frozenset(["aer"])
        times = interleaved({key: (lambda run=run: run) for key, run in ready.items()}, options.rounds, once)
        lines.append([
            name, str(circuit.num_qubits), f"{len(circuit):,}", *(f"{times[key] * 1e3:.1f}" for key in ready),
            f"{times['aer'] / times['ours']:.1f}",
        ])  # fmt: skip
        print("  ".join(lines[-1]), file=sys.stderr, flush=True)
    heads = ["circuit", "qubits", "operations", "ours", "ours again", "Aer stabilizer", "Aer ÷ ours"]
    print(f"{options.shots:,} shots, milliseconds:\n\n" + markdown_table(heads, lines, left={0}))


def with_quimb(circuit: Circuit) -> Any:
    """A circuit on quimb's matrix-product state, gate by gate."""
    import quimb.tensor as qtn

    names = {"u": "U3", "cp": "CU1", "cx": "CX", "h": "H", "ry": "RY"}
    state = qtn.CircuitMPS(circuit.num_qubits, cutoff=1e-16)
    for instruction in circuit:
        gate: Any = instruction.operation
        base = gate.name if not gate.controls else "c" + gate.name
        state.apply_gate(names[base], *[float(p) for p in gate.params], *instruction.qubits)
    return state


def mps(options: argparse.Namespace) -> None:
    """The table of matrix-product states: the state alone, and a thousand shots."""
    cases = [
        ("ghz", ghz(30)), ("ghz", ghz(100)), ("brickwork, 6 layers", brickwork(30, 6)),
        ("brickwork, 6 layers", brickwork(100, 6)), ("Fourier transform", fourier(30)),
        ("brickwork, 12 layers", brickwork(40, 12)), ("Fourier transform", fourier(60)),
    ]  # fmt: skip
    lines = []
    for name, circuit in cases:
        measured = circuit.copy().measure_all()
        ready = sampled(measured, "matrix_product_state", 1000, options.threads)
        ready["state, ours"] = lambda circuit=circuit: _state(circuit)
        if options.quimb:
            ready["state, quimb"] = lambda circuit=circuit: with_quimb(circuit)
        facts = Simulator(method="mps").sample(measured, 10, seed=1).metadata
        times = interleaved(
            {key: (lambda run=run: run) for key, run in ready.items()},
            options.rounds,
            frozenset(["aer", "state, quimb"]),
        )
        keys = ["ours", "ours again", "aer", "state, ours", "state, quimb"]
        shown = [f"{times[key] * 1e3:.0f}" if key in times else "" for key in keys]
        lines.append([name, str(circuit.num_qubits), str(facts["max_bond"]), *shown])
        print("  ".join(lines[-1]), file=sys.stderr, flush=True)
    heads = ["circuit", "qubits", "bond", "ours", "ours again", "Aer mps", "state: ours", "state: quimb"]
    print("1,000 shots, milliseconds:\n\n" + markdown_table(heads, lines, left={0}))


def _state(circuit: Circuit) -> None:
    state = MatrixProductState(product_vectors(circuit.num_qubits), Settings(), order=chain_order(circuit)[0])
    apply_circuit(state, circuit)
    state.flush()


# the survey --------------------------------------------------------------------------------------------------------
def survey(options: argparse.Namespace) -> None:
    """Run every program and say by which method, or why not."""
    root, totals = corpus(options.corpus), []
    for folder in FOLDERS if options.folder is None else [options.folder]:
        found: dict[str, int] = {}
        for path in programs(root, folder):
            outcome, detail, seconds = _in_a_process(path, options.seconds)
            found[outcome] = found.get(outcome, 0) + 1
            print(f"{folder}/{path.stem}: {outcome} ({seconds:.1f} s) {detail}", flush=True)
        totals.append([folder, str(sum(found.values())), ", ".join(f"{key} {n}" for key, n in sorted(found.items()))])
    print("\n" + markdown_table(["folder", "programs", "outcomes"], totals, left={0, 2}))


def _in_a_process(path: Path, seconds: float) -> tuple[str, str, float]:
    """The outcome of one program, details of it, and how long it took."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.methods", "one", str(path)]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return "took too long", f"more than {seconds:g} s", seconds
    elapsed = time.perf_counter() - start
    if run.returncode:
        return (
            "failed",
            run.stderr.strip().splitlines()[-1] if run.stderr.strip() else f"exit {run.returncode}",
            elapsed,
        )
    outcome, detail = json.loads(run.stdout.splitlines()[-1])
    return outcome, detail, elapsed


def one(path: Path) -> tuple[str, str]:
    """Run one program with 1,000 shots."""
    try:
        circuit = load(path, include_dirs=[path.parent])
    except QsimError as error:
        return "not read", str(error).splitlines()[0]
    if "measure" not in circuit.count_ops():
        circuit.measure_all()
    try:
        counts = Simulator().sample(circuit, 1000, seed=1)
    except QsimError as error:
        return "refused", str(error)
    facts = counts.metadata
    if facts.get("method") == "mps":
        return "mps", f"bond {facts['max_bond']}, truncation error {facts['truncation_error']:.2g}"
    return facts.get("method", "statevector"), f"{circuit.num_qubits} qubits"


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.methods", description=__doc__)
    parser.add_argument("what", choices=["clifford", "mps", "survey", "one"])
    parser.add_argument("path", nargs="?", type=Path, help="of one program")
    parser.add_argument("--corpus")
    parser.add_argument("--shots", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--folder", choices=FOLDERS)
    parser.add_argument("--quimb", action="store_true", help="beside quimb's state too, if it is installed")
    options = parser.parse_args(arguments)
    if options.what == "one":
        print(json.dumps(one(options.path)))
        return 0
    {"clifford": clifford, "mps": mps, "survey": survey}[options.what](options)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
