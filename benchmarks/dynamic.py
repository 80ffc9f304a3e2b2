"""Circuits that branch, ours and Aer's, interleaved in one process: python -m benchmarks.dynamic

Teleportation chains, a repetition code with feedback and iterative phase estimation, each with 10^5 shots. Aer gets the
same circuits by way of `parsers.to_qiskit`, its statevector method, and the better of its settings: with and without shot
branching. Both sides' counts are compared bit by bit: shares of ones have to agree within six standard deviations.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.measure import interleaved, timed
from benchmarks.report import markdown_table
from qsim import Circuit, Simulator
from qsim.classical import Bits, ClassicalOperation, Literal
from qsim.pool import available_cores

Array = npt.NDArray[Any]
Run = Callable[[], Any]


def teleportation(hops: int) -> Circuit:
    """A state that is teleported from qubit to qubit; all outcomes are kept."""
    circuit = Circuit(3, 2 * hops + 1).u(0.9, 0.4, -1.2, 0)
    source, middle, target = 0, 1, 2
    for k in range(hops):
        if k:
            circuit.reset([middle, target])
        circuit.h(middle).cx(middle, target).cx(source, middle).h(source)
        circuit.measure(source, 2 * k).measure(middle, 2 * k + 1)
        circuit.if_else(_is(2 * k + 1), circuit.block().x(target)).if_else(_is(2 * k), circuit.block().z(target))
        source, middle, target = target, source, middle
    return circuit.measure(source, 2 * hops)


def repetition_code(rounds: int, angle: float = 0.15) -> Circuit:
    """Three data qubits that turn a little each round, two parities, and a flip where they point to."""
    circuit = Circuit(5, 2 * rounds + 3).ry(0.6, 0).cx(0, 1).cx(0, 2)
    for k in range(rounds):
        circuit.rx(angle, [0, 1, 2])
        circuit.cx(0, 3).cx(1, 3).cx(1, 4).cx(2, 4)
        first, second = 2 * k, 2 * k + 1
        circuit.measure([3, 4], [first, second]).reset([3, 4])
        one = circuit.block()
        one.if_else(_is(second), one.block().x(1), one.block().x(0))
        other = circuit.block()
        other.if_else(_is(second), other.block().x(2))
        circuit.if_else(_is(first), one, other)
    return circuit.measure([0, 1, 2], range(2 * rounds, 2 * rounds + 3))


def phase_estimation(bits: int, phase: float = 0.3141) -> Circuit:
    """A phase of more bits than are read, so that many outcomes occur."""
    circuit = Circuit(2, bits).x(1)
    for k in range(bits):
        circuit.reset(0).h(0).cp(math.tau * phase * 2 ** (bits - 1 - k), 0, 1)
        for j in range(k):
            circuit.if_else(_is(j), circuit.block().p(-math.pi / 2 ** (k - j), 0))
        circuit.h(0).measure(0, k)
    return circuit


def _is(clbit: int) -> ClassicalOperation:
    return ClassicalOperation("==", (Bits((clbit,)), Literal(1)))


TASKS: dict[str, Callable[[], Circuit]] = {
    "teleportation, 4 hops": lambda: teleportation(4),
    "teleportation, 10 hops": lambda: teleportation(10),
    "repetition code, 5 rounds": lambda: repetition_code(5),
    "phase estimation, 8 bits": lambda: phase_estimation(8),
}


@dataclass(frozen=True)
class DynamicRow:
    """Seconds of one task, ours from a circuit that was seen and from a new one."""

    task: str
    ours: float
    fresh: float
    aer: float | None
    setting: str


def compare(task: str, shots: int, rounds: int, threads: int) -> DynamicRow:
    """Time one task."""
    circuit, make, sim = TASKS[task](), TASKS[task], Simulator(threads=threads, method="statevector")
    ours = sim.sample(circuit, shots, seed=1)
    ready: dict[str, Callable[[], Run]] = {
        "ours": lambda: lambda: sim.sample(circuit, shots, seed=1),
        "fresh": lambda: (lambda fresh: lambda: sim.sample(fresh, shots, seed=1))(make()),
    }
    setting, run = _aer(circuit, shots, threads)
    if run is not None:
        _check(task, _ones(ours.array, ours.frequencies), _theirs(run()), shots)
        ready["aer"] = lambda: run
    times = interleaved(ready, rounds, frozenset())
    return DynamicRow(task, times["ours"], times["fresh"], times.get("aer"), setting)


def _aer(circuit: Circuit, shots: int, threads: int) -> tuple[str, Run | None]:
    """Aer's better setting and what runs it, or the reason why there is none."""
    try:
        from qiskit_aer import AerSimulator

        from parsers.interop import to_qiskit
    except ImportError as error:
        return f"without Aer: {error}", None
    theirs = to_qiskit(circuit)
    best: tuple[float, str, Run | None] = (math.inf, "", None)
    for branching in (False, True):
        engine = AerSimulator(method="statevector", shot_branching_enable=branching, max_parallel_threads=threads)

        def run(count: int = shots, engine: Any = engine) -> Any:
            return engine.run(theirs, shots=count, seed_simulator=1).result().get_counts()

        def tenth(run: Any = run) -> Any:
            return run(max(shots // 10, 1))

        tenth()
        found = (timed(tenth)[0], "shot branching" if branching else "shot by shot", run)
        print(f"  Aer, {found[1]}, a tenth of the shots: {found[0]:.3f} s", file=sys.stderr)
        if found[0] < best[0]:
            best = found
    return best[1], best[2]


def _ones(bits: Array, frequencies: Array) -> Array:
    """The share of ones in each bit."""
    return np.asarray((bits * frequencies[:, None]).sum(axis=0) / frequencies.sum())


def _theirs(counts: dict[str, int]) -> Array:
    bits = np.array([[int(c) for c in reversed(key.replace(" ", ""))] for key in counts])
    return _ones(bits, np.array(list(counts.values())))


def _check(task: str, ours: Array, theirs: Array, shots: int) -> None:
    wrong = np.abs(ours - theirs) > 6 * np.sqrt(2 * np.maximum(ours * (1 - ours), 1e-9) / shots) + 1e-9
    if wrong.any():
        raise SystemExit(f"{task}: ours and Aer's shares of ones differ at bits {np.flatnonzero(wrong).tolist()}.")


def main() -> None:
    """Run and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shots", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=2, help="turns of each side")
    parser.add_argument("--threads", type=int, default=available_cores())
    parser.add_argument("--tasks", nargs="*", default=list(TASKS), choices=list(TASKS))
    given = parser.parse_args()
    rows = []
    for task in given.tasks:
        row = compare(task, given.shots, given.rounds, given.threads)
        against = (
            []
            if row.aer is None
            else [f"{1e3 * row.aer:,.0f}", f"{row.aer / row.ours:,.0f}", f"{row.aer / row.fresh:,.0f}"]
        )
        rows.append([task, f"{1e3 * row.ours:.1f}", f"{1e3 * row.fresh:.1f}", *(against or ["", "", ""]), row.setting])
        print(f"  {rows[-1]}", file=sys.stderr)
    heads = [
        "task",
        "ours, ms",
        "new circuit, ms",
        "Aer, ms",
        "times faster",
        "from a new circuit",
        "Aer's better setting",
    ]
    print(markdown_table(heads, rows, {0, len(heads) - 1}))


if __name__ == "__main__":
    main()
