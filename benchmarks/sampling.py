"""Samples of random circuits, ours and the peers', interleaved in one process: python -m benchmarks.sampling

`state`: the state is there, and only shots are drawn: ours against qulacs' `sampling`. `run`: circuit, shots and counts by
bitstring, ours from a circuit that it has not seen: against Aer's `get_counts` and qulacs. Every contestant's shots are
checked: the share of ones in each bit has to be the exact one within six standard deviations.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.circuits import FAMILIES
from benchmarks.measure import AMPLITUDE_BYTES, bandwidth, interleaved, timed
from benchmarks.report import markdown_table
from qsim import Circuit, Simulator
from qsim.pool import available_cores
from qsim.sampling import sample_state
from qsim.warmup import warm_up

Array = npt.NDArray[Any]
Run = Callable[[], Any]
FAMILY = "random_cz"


@dataclass(frozen=True)
class Contestant:
    """What gives a run outside the clock, and the outcomes and how often each came, of what the run gives."""

    ready: Callable[[], Run]
    outcomes: Callable[[Any], tuple[Array, Array]]


@dataclass(frozen=True)
class SamplingRow:
    """One comparison: seconds of ours and of each peer, and the least that reading the state twice takes."""

    task: str
    num_qubits: int
    shots: int
    ours: float
    peers: dict[str, float]
    floor: float


def contestants(task: str, n: int, shots: int, seed: int, threads: int) -> dict[str, Contestant]:
    """Ours and the installed peers for `state` or `run`."""
    make = peers_with_a_state if task == "state" else peers_that_run
    return make(n, shots, seed, threads)


def peers_with_a_state(n: int, shots: int, seed: int, threads: int) -> dict[str, Contestant]:
    """Those that draw shots from a state that they hold."""
    state = Simulator(threads=threads).statevector(FAMILIES[FAMILY](n, seed))
    found = {"ours": Contestant(lambda: lambda: sample_state(state, shots, seed, threads), lambda result: result)}
    try:
        from qulacs import QuantumState
    except ImportError as error:
        print(f"without qulacs: {error}", file=sys.stderr)
        return found
    theirs = QuantumState(n)
    theirs.load(state)
    found["qulacs"] = Contestant(lambda: lambda: theirs.sampling(shots, seed), _counted)
    return found


def peers_that_run(n: int, shots: int, seed: int, threads: int) -> dict[str, Contestant]:
    """Those that run a circuit and count."""

    def measured() -> Circuit:
        return FAMILIES[FAMILY](n, seed).measure_all()

    def ours(counted: bool) -> Callable[[], Run]:
        simulator = Simulator(threads=threads)

        def ready() -> Run:
            circuit = measured()
            if counted:
                return lambda: dict(simulator.sample(circuit, shots, seed=seed))
            return lambda: simulator.sample(circuit, shots, seed=seed)

        return ready

    found = {
        "ours": Contestant(ours(False), lambda counts: (np.array(counts.outcomes), counts.frequencies)),
        "ours as dict": Contestant(ours(True), _from_strings),
    }
    for name, peer in (("aer", _aer), ("qulacs", _qulacs)):
        try:
            found[name] = peer(measured(), n, shots, seed, threads)
        except ImportError as error:
            print(f"without {name}: {error}", file=sys.stderr)
    return found


def _aer(circuit: Circuit, n: int, shots: int, seed: int, threads: int) -> Contestant:
    from qiskit import QuantumCircuit, transpile
    from qiskit_aer import AerSimulator

    from parsers import dumps

    backend = AerSimulator(method="statevector", max_parallel_threads=threads)
    other = transpile(QuantumCircuit.from_qasm_str(dumps(circuit, version="2.0")), backend, optimization_level=0)
    return Contestant(
        lambda: lambda: backend.run(other, shots=shots, seed_simulator=seed).result().get_counts(), _from_strings
    )


def _qulacs(circuit: Circuit, n: int, shots: int, seed: int, threads: int) -> Contestant:
    from qulacs import QuantumState

    from benchmarks.peers import qulacs

    run = next(engine for engine in qulacs("double", threads) if engine.name == "qulacs").ready(circuit)

    def sample() -> Any:
        state = run()
        assert isinstance(state, QuantumState)
        return np.unique(state.sampling(shots, seed), return_counts=True)

    return Contestant(lambda: sample, lambda result: result)


def _counted(shots: Any) -> tuple[Array, Array]:
    return np.unique(np.array(shots), return_counts=True)


def _from_strings(counts: dict[str, int]) -> tuple[Array, Array]:
    return np.array([int(key, 2) for key in counts]), np.array(list(counts.values()))


def shares_of_ones(values: Array, frequencies: Array, n: int) -> Array:
    """For each bit, the share of shots in which it is 1."""
    return np.array([frequencies[(values >> bit) & 1 == 1].sum() for bit in range(n)]) / frequencies.sum()


def check(name: str, outcomes: tuple[Array, Array], n: int, shots: int, expected: Array) -> None:
    """Raise unless there are as many shots as asked for, and each bit is as often 1 as it should be."""
    values, frequencies = outcomes
    if frequencies.sum() != shots:
        raise ValueError(f"{name} gave {frequencies.sum()} shots instead of {shots}")
    bound = 6 * np.sqrt(expected * (1 - expected) / shots) + 1e-9
    wrong = np.flatnonzero(np.abs(shares_of_ones(values, frequencies, n) - expected) > bound)
    if wrong.size:
        raise ValueError(f"{name} gives qubit {wrong[0]} another distribution")


def expected_ones(n: int, seed: int, threads: int) -> Array:
    """For each qubit, the exact probability of a 1 in the circuit that is sampled."""
    weights = np.abs(Simulator(threads=threads).statevector(FAMILIES[FAMILY](n, seed))) ** 2
    return np.array([weights.reshape(-1, 2, 1 << q)[:, 1].sum() for q in range(n)])


def rows(
    qubits: list[int],
    shots: int = 10**6,
    threads: int = 1,
    rounds: int = 3,
    seed: int = 1,
    names: set[str] | None = None,
    limit: float = math.inf,
) -> Iterator[SamplingRow]:
    """Times of both tasks for each number of qubits, of the named contestants or of all, as soon as they are there.

    limit: seconds; a contestant whose first run, which is checked, takes longer has no other one. One that would take four
    times as long, going by its time for fewer qubits, has none.
    """
    last: dict[tuple[str, str], tuple[int, float]] = {}
    for n in qubits:
        expected = expected_ones(n, seed, threads)
        size = AMPLITUDE_BYTES["double"] << n
        floor = size / bandwidth(size, threads)  # two reads; the rate counts a read and a write
        for task in ("state", "run"):
            ready, seconds = {}, {}
            for name, one in contestants(task, n, shots, seed, threads).items():
                before, took = last.get((task, name), (n, 0.0))
                if (names is not None and name not in names) or took * 2.0 ** (n - before) > 4 * limit:
                    continue
                first, result = timed(one.ready())
                check(name, one.outcomes(result), n, shots, expected)
                last[task, name] = n, first
                if first > limit:
                    seconds[name] = first
                else:
                    ready[name] = one.ready
            seconds |= interleaved(ready, rounds, frozenset())
            peers = {name: value for name, value in seconds.items() if name != "ours"}
            yield SamplingRow(task, n, shots, seconds["ours"], peers, floor)


def table(found: Iterable[SamplingRow]) -> str:
    """Milliseconds, and how many times longer than ours a peer takes."""
    lines = []
    for row in found:
        peers = "; ".join(f"{name} {1e3 * value:.1f} ({value / row.ours:.1f}x)" for name, value in row.peers.items())
        lines.append(
            [row.task, str(row.num_qubits), f"{row.shots:,}", f"{1e3 * row.ours:.1f}", f"{1e3 * row.floor:.1f}", peers]
        )
    heads = ["task", "qubits", "shots", "ours, ms", "two reads, ms", "others, ms (ratio)"]
    return markdown_table(heads, lines, {0, 5})


def main(arguments: list[str] | None = None) -> int:
    """Time and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sampling", description=__doc__)
    parser.add_argument("--qubits", type=int, nargs="+", default=[20, 24])
    parser.add_argument("--shots", type=int, default=10**6)
    parser.add_argument("--threads", type=int, default=available_cores())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=float, default=5.0, metavar="SECONDS",
                        help="who takes longer has one run, who would take four times as long none")  # fmt: skip
    options = parser.parse_args(arguments)
    os.environ["OMP_NUM_THREADS"] = str(options.threads)  # read when a peer's library is loaded
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else math.nan
    warm_up()
    print(f"load average at the start: {load:.1f}; {options.threads} threads; {FAMILY}, double precision\n")
    found = rows(options.qubits, options.shots, options.threads, options.rounds, limit=options.limit)
    for k, row in enumerate(found):
        print("\n".join(table([row]).splitlines()[0 if k == 0 else 2 :]), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
