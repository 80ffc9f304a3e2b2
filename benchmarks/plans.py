"""`python -m benchmarks.plans`: the cost model against runs on ranks and in files here, and plans for 34 to 45 qubits.

A run under mpiexec times the state alone, from a plan made before, on every rank together; the best of three. Predictions use
rates that are measured in the same minute, as `qsim plan` measures them. Bytes exchanged are counted by the run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from benchmarks.circuits import FAMILIES
from benchmarks.report import markdown_table
from qsim.circuit import Circuit
from qsim.distributed.cost import Cost, cost_in_file, cost_on_nodes
from qsim.distributed.file_simulator import FileSimulator
from qsim.distributed.rates import Rates, measured
from qsim.memory import readable, resident_memory
from qsim.pool import available_cores

_REPEATS = 3
_TYPES = {"double": np.complex128, "single": np.complex64}


@dataclass(frozen=True)
class Checked:
    """One run and what was said of it beforehand."""

    family: str
    qubits: int
    where: str
    exchanged: int
    predicted_exchanged: int
    seconds: float
    predicted: float

    @property
    def error(self) -> float:
        """Of the predicted time, relative to the measured one."""
        return self.predicted / self.seconds - 1


def unmeasured(family: str, qubits: int) -> Circuit:
    """A seeded circuit without measurements."""
    return FAMILIES[family](qubits, 1)


def run_rank(family: str, qubits: int, precision: str) -> None:
    """What each process under mpiexec does; rank 0 prints the seconds and the bytes that all ranks sent."""
    from mpi4py import MPI

    from qsim.distributed.mpi import MPITransport
    from qsim.distributed.plan import CHUNK
    from qsim.distributed.run import RankProgram
    from qsim.distributed.transport import Ranks

    ranks = Ranks(MPITransport(), CHUNK)
    circuit = unmeasured(family, qubits)
    cost = cost_on_nodes(circuit, 1, Rates.assumed(), ranks_per_node=ranks.size, precision=precision)
    program = RankProgram.of(circuit, cost.plan, ranks.rank, _TYPES[precision])
    threads, times = max(1, available_cores() // ranks.size), []
    for _ in range(1 + _REPEATS):
        ranks.bytes_sent = 0
        MPI.COMM_WORLD.Barrier()
        begun = time.perf_counter()
        part = program.run(ranks, np.zeros(0), threads)
        MPI.COMM_WORLD.Barrier()
        times.append(time.perf_counter() - begun)
        del part
    sent = MPI.COMM_WORLD.allreduce(ranks.bytes_sent)
    if ranks.rank == 0:
        print(json.dumps([min(times[1:]), sent]), flush=True)


def on_ranks(family: str, qubits: int, ranks: int, precision: str, rates: Rates) -> Checked:
    """One run on so many processes of this machine."""
    command = [
        "mpiexec", "-n", str(ranks), sys.executable, "-m", "benchmarks.plans", "--rank", family, str(qubits), precision,
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    made = subprocess.run(command, capture_output=True, text=True, env=environment, check=True, timeout=600)
    seconds, sent = json.loads(made.stdout.splitlines()[-1])
    cost = cost_on_nodes(unmeasured(family, qubits), 1, rates, ranks_per_node=ranks, precision=precision)
    return Checked(
        family, qubits, f"{ranks} rank{'s' * (ranks > 1)}", sent, sum(cost.bytes_exchanged()), seconds, cost.seconds
    )


def in_file(family: str, qubits: int, precision: str, folder: str, bits: int) -> Checked:
    """One run in a file, with parts of 2**(qubits - bits) amplitudes."""
    circuit = unmeasured(family, qubits)
    size = (16 if precision == "double" else 8) << (qubits - bits)
    simulator = FileSimulator(folder, precision, memory_limit=resident_memory() + size + (1 << 27))
    made = simulator.plan(circuit)
    rates = measured(precision, simulator.threads, folder=folder, size=made.file_bytes)
    cost = cost_in_file(made.ranks, made.itemsize, rates)
    begun = time.perf_counter()
    with simulator.state(circuit) as state:
        seconds = time.perf_counter() - begun
        moved = state.file.bytes_read + state.file.bytes_written
    return Checked(
        family,
        qubits,
        f"{made.num_parts} parts in a file",
        moved,
        made.bytes_read + made.bytes_written,
        seconds,
        cost.seconds,
    )


def checked_table(rows: Sequence[Checked]) -> str:
    """Measured beside predicted."""
    header = ["circuit", "qubits", "where", "moved between parts", "as planned", "seconds", "predicted", "error"]
    return markdown_table(header, [
        [row.family, str(row.qubits), row.where, readable(row.exchanged),
         "yes" if row.exchanged == row.predicted_exchanged else readable(row.predicted_exchanged),
         f"{row.seconds:.3f}", f"{row.predicted:.3f}", f"{100 * row.error:+.0f} %"] for row in rows
    ], {0, 2, 4})  # fmt: skip


def large(families: Sequence[str], memory: int, rates: Rates) -> Iterator[Cost]:
    """34 to 45 qubits in double precision on as few nodes as hold them."""
    for family in families:
        for qubits in (34, 36, 38, 40, 42, 45):
            nodes = max(1, (16 << qubits) // memory)
            yield cost_on_nodes(unmeasured(family, qubits), nodes, rates, memory=2 * memory)


def large_table(families: Sequence[str], memory: int, rates: Rates) -> str:
    """Plans of `large`, and how long each took to make."""
    rows, begun = [], time.perf_counter()
    costs = large(families, memory, rates)
    for family, cost in zip((f for f in families for _ in range(6)), costs, strict=True):
        taken, begun = time.perf_counter() - begun, time.perf_counter()
        inside, between = cost.bytes_exchanged()
        rows.append([
            family, str(cost.plan.num_qubits), f"{cost.nodes:,}", readable(cost.memory_per_node), str(cost.work.passes),
            str(cost.plan.num_exchanges), f"{cost.plan.volume:.3g}", readable(cost.bytes_in_memory),
            readable(inside + between), f"{cost.compute_seconds:.0f}", f"{cost.exchange_seconds:.0f}", f"{taken:.1f}",
        ])  # fmt: skip
    header = ["circuit", "qubits", "nodes", "memory a node", "passes", "exchanges", "times its part a rank sends",
              "moved in memory", "exchanged", "s computing", "s exchanging", "s to plan"]  # fmt: skip
    return markdown_table(header, rows, {0})


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plans", description=__doc__)
    parser.add_argument("--rank", nargs=3, metavar=("FAMILY", "QUBITS", "PRECISION"), help=argparse.SUPPRESS)
    parser.add_argument("--families", nargs="+", default=["qft", "ansatz", "ising", "quantum_volume"])
    parser.add_argument("--qubits", type=int, default=24)
    parser.add_argument("--ranks", type=int, nargs="*", default=[1, 2, 4, 8])
    parser.add_argument("--precision", choices=list(_TYPES), default="double")
    parser.add_argument("--folder", default=tempfile.gettempdir(), help="for states in files")
    parser.add_argument("--large", action="store_true", help="plans for 34 to 45 qubits too")
    parser.add_argument("--json", metavar="FILE", help="write the runs there as well")
    chosen = parser.parse_args(arguments)
    if chosen.rank:
        run_rank(chosen.rank[0], int(chosen.rank[1]), chosen.rank[2])
        return
    rates = measured(chosen.precision, available_cores(), exchange=True)
    rows: list[Checked] = []
    for family in chosen.families:
        for ranks in chosen.ranks:
            rows.append(on_ranks(family, chosen.qubits, ranks, chosen.precision, rates))
            print(rows[-1], file=sys.stderr, flush=True)
        rows.append(in_file(family, chosen.qubits, chosen.precision, chosen.folder, 2))
    print(checked_table(rows))
    print(
        f"memory {rates.memory.value / 1e9:.3g} GB/s, exchange {rates.exchange.value / 1e9:.3g} GB/s ({rates.exchange.source})"
    )
    if chosen.json:
        with open(chosen.json, "w", encoding="utf-8") as file:
            json.dump([asdict(row) | {"error": row.error} for row in rows], file)
    if chosen.large:
        print(large_table(chosen.families, 1 << 38, rates))


if __name__ == "__main__":
    main()
