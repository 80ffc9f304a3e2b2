"""Ours and every installed peer on the same circuits, interleaved in one process, best of several.

Each timed run of ours gets a circuit that the engine has not seen (planning included, parsing excluded) and ends with the
full state. The floor is the passes over memory at the bandwidth measured in the same run.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable

import numpy as np

from benchmarks.circuits import FAMILIES, program
from parsers import loads
from qsim import Simulator
from qsim.compiler import compile_circuit
from qsim.pool import available_cores

Run = Callable[[], object]


def ours(text: str, precision: str, threads: int) -> Run:
    """A run of ours; a fresh circuit each time, built outside the clock."""
    simulator = Simulator(precision, threads)
    fresh = [loads(text) for _ in range(12)]
    return lambda: simulator.statevector(fresh.pop())


def peers(text: str, precision: str, threads: int) -> dict[str, Run]:
    """The installed peers that have this precision."""
    found: dict[str, Run] = {}
    try:
        from qiskit import qasm2
        from qiskit_aer import AerSimulator
    except ImportError:
        return found
    circuit = qasm2.loads(text, custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS)
    measured = circuit.copy()
    measured.measure_all()
    backend = AerSimulator(method="statevector", precision=precision, max_parallel_threads=threads)
    found["aer"] = lambda: backend.run(measured, shots=1).result()
    if precision == "double":
        run = _qulacs(circuit)
        if run is not None:
            found["qulacs"] = run
    else:
        found.update(_qsim(circuit, threads))
    return found


def _qulacs(circuit: object) -> Run | None:
    try:
        import qulacs
        from qiskit.circuit import QuantumCircuit
        from qulacs.gate import DenseMatrix
    except ImportError:
        return None
    assert isinstance(circuit, QuantumCircuit)
    named = {"h": "H", "cx": "CNOT", "cz": "CZ", "swap": "SWAP"}
    other = qulacs.QuantumCircuit(circuit.num_qubits)
    for instruction in circuit.data:
        qubits = [circuit.find_bit(q).index for q in instruction.qubits]
        if instruction.operation.name in named:
            getattr(other, f"add_{named[instruction.operation.name]}_gate")(*qubits)
        else:
            other.add_gate(DenseMatrix(qubits, instruction.operation.to_matrix()))
    qulacs.circuit.QuantumCircuitOptimizer().optimize_light(other)

    def run() -> object:
        state = qulacs.QuantumState(circuit.num_qubits)
        other.update_quantum_state(state)
        return state

    return run


def _qsim(circuit: object, threads: int) -> dict[str, Run]:
    try:
        import cirq
        import qsimcirq
        from qiskit.circuit import QuantumCircuit
    except ImportError:
        return {}
    assert isinstance(circuit, QuantumCircuit)
    line = cirq.LineQubit.range(circuit.num_qubits)
    moments = []
    for instruction in circuit.data:
        qubits = [line[circuit.find_bit(q).index] for q in instruction.qubits]
        matrix = instruction.operation.to_matrix()  # first qubit least significant: cirq has it the other way round
        moments.append(cirq.MatrixGate(matrix)(*reversed(qubits)))
    other = cirq.Circuit(moments)

    def run(fused: int) -> Run:
        simulator = qsimcirq.QSimSimulator(qsimcirq.QSimOptions(max_fused_gate_size=fused, cpu_threads=threads))
        return lambda: simulator.simulate(other, qubit_order=line)

    return {f"qsim f{fused}": run(fused) for fused in (2, 3, 4)}


def bandwidth(threads: int) -> float:
    """Bytes read and written a second by a pass over 256 MiB."""
    from qsim.pool import run_shares

    data = np.ones(1 << 25)

    def scale(_: int, start: int, stop: int) -> None:
        np.multiply(data[start:stop], 1.0, out=data[start:stop])

    best = min(_timed(lambda: run_shares(scale, len(data), threads)) for _ in range(5))
    return 2 * data.nbytes / best


def _timed(run: Run) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main() -> None:
    """Print a Markdown table: a row for each family, size and precision."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--qubits", type=int, nargs="+", default=[12, 16, 20])
    parser.add_argument("--families", nargs="+", choices=list(FAMILIES), default=list(FAMILIES))
    parser.add_argument("--precision", nargs="+", choices=["double", "single"], default=["double", "single"])
    parser.add_argument("--threads", type=int, default=available_cores())
    parser.add_argument("--repeat", type=int, default=3, help="runs of each, the best counts (at most 10)")
    options = parser.parse_args()
    rate = bandwidth(options.threads)
    print(f"{options.threads} threads, {rate / 1e9:.1f} GB/s; milliseconds, best of {options.repeat}\n")
    print("| circuit | qubits | precision | best peer | peer | ours | ratio | passes | floor |")
    print("|---|---:|---|---|---:|---:|---:|---:|---:|")
    ratios: list[float] = []
    for n in options.qubits:
        for precision in options.precision:
            for family in options.families:
                text = program(family, n)
                runs = {"ours": ours(text, precision, options.threads), **peers(text, precision, options.threads)}
                times = {name: math.inf for name in runs}
                for run in runs.values():
                    run()  # warm
                for _ in range(min(options.repeat, 10)):
                    for name, run in runs.items():
                        times[name] = min(times[name], _timed(run))
                mine = times.pop("ours")
                passes = len(compile_circuit(loads(text)).passes)
                floor = passes * 2 * (16 if precision == "double" else 8) * 2**n / rate
                best = min(times, key=lambda name: times[name], default="none installed")
                peer = times.get(best, math.nan)
                if best in times:
                    ratios.append(peer / mine)
                print(
                    f"| {family} | {n} | {precision} | {best} | {peer * 1e3:.2f} | {mine * 1e3:.2f} | {peer / mine:.2f} | "
                    f"{passes} | {floor * 1e3:.2f} |",
                    flush=True,
                )
    if ratios:
        print(f"\nGeometric mean of the ratios: {math.exp(sum(map(math.log, ratios)) / len(ratios)):.2f}")


if __name__ == "__main__":
    main()
