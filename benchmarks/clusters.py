"""A sweep of 10,000 points here and on worker processes of a Dask cluster: seconds, and what a block costs besides its work.

Workers have one thread each, so the sweep here has one too. Each is run once to compile, and then `--rounds` times, of which
the best counts. The results have to be the same to the bit.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.measure import timed
from benchmarks.sweeps import task
from qsim import Circuit, Parameter, Simulator, SparsePauliOp
from qsim.batches.driver import Work, spread
from qsim.batches.ledger import Ledger
from qsim.batches.pools import open_pool

POINTS, ANGLES = 10_000, 64
Sweep = Callable[[Any], Any]


def sweeps(qubits: int, precision: str) -> dict[str, Sweep]:
    """Expectation values of 30 terms, and samples of 100 shots, by what runs them."""
    todo = task(qubits, 1)
    simulator, operator = Simulator(precision, 1), SparsePauliOp.from_labels(todo.terms)
    circuit, angles = Circuit(qubits), iter(Parameter(f"t{k}") for k in range(ANGLES))
    for name, wires in todo.gates:
        circuit.append(name, wires, *([] if name == "cx" else [next(angles)]))
    measured = circuit.copy().measure_all()
    points = np.random.default_rng(1).uniform(-np.pi, np.pi, (POINTS, ANGLES))
    return {
        "expectation of 30 terms": lambda executor: simulator.expectation(circuit, operator, points, executor=executor),
        "100 shots": lambda executor: simulator.sample(measured, 100, points, seed=1, executor=executor),
    }


def nothing(program: bytes, rows: Any, seed: int, threads: int | None) -> tuple[str, dict[str, Any]]:
    """A block without work, of which only the way is left."""
    return "", {"values": rows[:, 0]}


def block_seconds(client: Any, blocks: int) -> float:
    """Seconds that one block takes on its way there and back, one after the other on each worker."""
    ledger = Ledger(blocks, most=1)
    work = Work(nothing, b"x" * 4096, np.zeros((blocks, ANGLES)), 0, None)
    seconds, _ = timed(lambda: spread(open_pool(client), work, ledger))
    return seconds / blocks


def main() -> None:
    """Print a table."""
    from distributed import Client, LocalCluster

    parser = argparse.ArgumentParser(prog="python -m benchmarks.clusters", description=__doc__)
    parser.add_argument("--qubits", type=int, nargs="+", default=[8, 12])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--precision", choices=["double", "single"], default="double")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    expected: dict[tuple[int, str], Any] = {}
    print(f"{'qubits':>6}  {'sweep of 10,000 points':<26}{'workers':>8}{'seconds':>10}{'points/s':>10}")
    for workers in [0, *given.workers]:
        cluster = (
            LocalCluster(n_workers=workers, threads_per_worker=1, host="127.0.0.1", dashboard_address=None)
            if workers
            else None
        )
        client = None if cluster is None else Client(cluster)
        for qubits in given.qubits:
            for name, sweep in sweeps(qubits, given.precision).items():
                runs = [timed(partial(sweep, client)) for _ in range(1 + given.rounds)]
                seconds, result = min(seconds for seconds, _ in runs[1:]), runs[0][1]
                first = expected.setdefault((qubits, name), result)
                same = result.tobytes() == first.tobytes() if isinstance(result, np.ndarray) else result == first
                note = "" if same else "  DIFFERENT RESULTS"
                print(f"{qubits:>6}  {name:<26}{workers or 'here':>8}{seconds:>10.3f}{POINTS / seconds:>10.0f}{note}")
        if client is not None and cluster is not None:
            block_seconds(client, 20)
            print(f"        a block without work, {workers} workers: {1e3 * block_seconds(client, 300):.1f} ms")
            client.close()
            cluster.close()


if __name__ == "__main__":
    main()
