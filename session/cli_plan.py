"""Runs larger than memory: ``qsim plan`` says what they cost, and ``qsim run --state-file`` runs one in a file."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from qsim.circuit import Circuit
from qsim.errors import QsimError
from qsim.memory import readable
from qsim.pauli import SparsePauliOp, check_observable
from session.cli_input import read_text, read_values
from session.cli_programs import checked_values
from session.cli_ranks import several_ranks
from session.errors import SessionError
from session.programs import Program, read_program, writes_bits
from session.quantum_program import QuantumProgram
from session.results import EstimationResult, ExecutionDetails
from session.terminal import aligned

if TYPE_CHECKING:
    from qsim.distributed.cost import Cost
    from qsim.distributed.file_simulator import FileSimulator
    from qsim.distributed.rates import Rates

Function = TypeVar("Function", bound=Callable[..., Any])
_UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5, "e": 6}
#: Below so many qubits a run in a file is over before its time is estimated.
_ESTIMATED_FROM = 24


def read_size(text: str) -> int:
    """A number of bytes: 2GB and 2G are 2 * 10**9, 2GiB is 2 * 2**30.

    >>> read_size("2GB"), read_size("1.5 GiB"), read_size("4096")
    (2000000000, 1610612736, 4096)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgtpe]?)(i?)b?\s*", text, re.IGNORECASE)
    if match is None or (match[3] and not match[2]):
        raise SessionError(f"A size is a number of bytes such as 2GB, 512MiB or 4096, got '{text}'.")
    base = 1024 if match[3] else 1000
    size = int(float(match[1]) * base ** _UNITS[match[2].lower()])
    if size < 1:
        raise SessionError(f"A size is at least one byte, got '{text}'.")
    return size


def _size(context: Any, parameter: Any, value: str | None) -> int | None:
    return None if value is None else read_size(value)


def _size_option(name: str, what: str) -> Callable[[Function], Function]:
    return click.option(name, callback=_size, metavar="BYTES", help=what)


@click.command()
@click.argument("file")
@click.option("--include", metavar="DIR", multiple=True, help="A folder whose files the program may include.")
@click.option("--set", "settings", metavar="NAME=VALUE", multiple=True, help="Give a parameter its value: theta=pi/2.")
@click.option("--nodes", "nodes", metavar="N", default="1", show_default=True,
              help="How many nodes: 4, or 1,2,4 or 1..64 for a table.")  # fmt: skip
@click.option("--ranks-per-node", type=int, metavar="R", default=1, show_default=True, help="Processes on a node.")
@_size_option("--memory", "Memory of a node, or of the process with --state-file: 64GB.")
@click.option("--precision", type=click.Choice(["double", "single"]), default="double")
@click.option("--cores", type=click.IntRange(min=1), metavar="C", help="Cores of a node; those here when left out.")
@click.option("--state-file", metavar="PATH", help="Plan a state in a file there, on one node.")
@_size_option("--memory-bandwidth", "What passes load and store on a node, bytes a second: 12.5GB.")
@_size_option("--exchange-bandwidth", "What the ranks of one node send each other, bytes a second: 12.5GB.")
@_size_option("--network-bandwidth", "What a node sends to others, bytes a second: 12.5GB.")
@_size_option("--disk-bandwidth", "What is read from and written to the disk, bytes a second: 12.5GB.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def plan(
    file: str, include: tuple[str, ...], settings: tuple[str, ...], nodes: str, ranks_per_node: int,
    memory: int | None, precision: str, cores: int | None, state_file: str | None, as_json: bool, **given: int | None,
) -> None:  # fmt: skip
    """Say what a program costs on several nodes, or in a file, without running it.

    Bandwidths that are not given are measured here, in a few seconds, but for the network, which is assumed; the output says
    which is which. Parameters may be open.
    """
    from qsim.distributed.cost import cost_on_nodes, node_counts

    counts = node_counts(nodes)
    circuit = _program(file, include).circuit
    values = read_values(settings, circuit)
    if values:
        circuit = circuit.bind(checked_values(values, circuit))
    if state_file is not None:
        if counts != [1] or ranks_per_node != 1:
            raise SessionError(
                "A state in a file is planned for one node and one rank. Leave out --nodes or --state-file."
            )
        if memory is None and cores is not None:
            raise SessionError("--cores is of a node; a state in a file is planned for this machine.")
        _show_one(_file_cost(circuit, state_file, memory, precision, given), memory, as_json)
        return
    # Errors of the program and the numbers come before anything is measured.
    cost_on_nodes(circuit, counts[0], _rates_given({}), ranks_per_node=ranks_per_node, precision=precision)
    rates = _node_rates(precision, cores, ranks_per_node > 1, given)
    if len(counts) == 1:
        cost = cost_on_nodes(
            circuit, counts[0], rates, ranks_per_node=ranks_per_node, precision=precision, memory=memory
        )
        _show_one(cost, memory, as_json)
        return
    rows: list[Any] = []
    for count in counts:
        try:
            rows.append(cost_on_nodes(circuit, count, rates, ranks_per_node=ranks_per_node, precision=precision))
        except QsimError as error:
            rows.append((count, str(error)))
    _show_table(rows, memory, as_json)


def _program(file: str, include: Sequence[str]) -> Program:
    text = read_text(file)
    if text.lstrip().startswith("{"):
        return read_program(QuantumProgram.from_json(text))
    return read_program(text, "<stdin>" if file == "-" else file, tuple(include))


# rates -----------------------------------------------------------------------------------------------------------
def _rates_given(given: dict[str, int | None]) -> Rates:
    from qsim.distributed.rates import Rates

    disk = given.get("disk_bandwidth")
    names = {name: given.get(f"{name}_bandwidth") for name in ("memory", "exchange", "network")}
    return Rates.assumed().given({**names, "disk_read": disk, "disk_write": disk, "disk_first": disk})


def _node_rates(precision: str, cores: int | None, several: bool, given: dict[str, int | None]) -> Rates:
    """Rates of a node: measured, with those that are given in their place."""
    from qsim.distributed.rates import Rate, measured
    from qsim.pool import thread_count

    threads = thread_count(None)
    exchange = several and given.get("exchange_bandwidth") is None
    found = measured(precision, threads, exchange=exchange)
    chosen = _rates_given(given)
    made = replace(found, **{name: rate for name, rate in vars(chosen).items() if rate.source == "given"})
    if cores is not None:
        note = f", for {cores} cores in place of {threads}"
        scaled = {
            name: Rate(rate.value * threads / cores, rate.source + note)
            for name, rate in (("sweeps", made.sweeps), ("products", made.products))
        }
        made = replace(made, **scaled)
    return made


def _file_cost(
    circuit: Circuit, state_file: str, memory: int | None, precision: str, given: dict[str, int | None]
) -> Cost:
    from qsim.distributed.file_simulator import FileSimulator

    simulator = FileSimulator(state_file, precision, memory_limit=memory)
    return file_cost(circuit, simulator, given)


def file_cost(circuit: Circuit, simulator: FileSimulator, given: dict[str, int | None]) -> Cost:
    """What a run in a file costs, at rates measured here or given."""
    cost = simulator.cost(circuit)
    chosen = {name: rate for name, rate in vars(_rates_given(given)).items() if rate.source == "given"}
    return replace(cost, rates=replace(cost.rates, **chosen))


# output ------------------------------------------------------------------------------------------------------------
def _show_one(cost: Cost, memory: int | None, as_json: bool) -> None:
    if as_json:
        print(json.dumps(cost.to_dict()))
        return
    inside, between = cost.bytes_exchanged()
    plan = cost.plan
    rows = [["precision", f"{'double' if cost.itemsize == 16 else 'single'}, {cost.itemsize} bytes an amplitude"]]
    if cost.in_file:
        read, written = cost.bytes_on_disk()
        rows += [
            ["file", readable(cost.itemsize << plan.num_qubits)],
            ["parts", f"{plan.num_ranks:,} of {readable(cost.itemsize << plan.local_qubits)}, one in memory at a time"],
            ["read and written", f"{readable(read)} and {readable(written)}"],
        ]
    else:
        rows += [
            ["ranks", f"{plan.num_ranks:,}, {plan.local_qubits} qubits local"],
            ["exchanges", f"{plan.num_exchanges:,}, {plan.messages():,} messages"],
            ["exchanged within nodes", readable(inside)],
            ["exchanged between nodes", readable(between)],
        ]
    rows += [
        ["memory a node", readable(cost.memory_per_node)],
        ["passes", f"{cost.work.passes:,}"],
        ["moved in memory", readable(cost.bytes_in_memory)],
        ["time computing", seconds_text(cost.compute_seconds)],
        ["time on the disk" if cost.in_file else "time exchanging",
         seconds_text(cost.disk_seconds if cost.in_file else cost.exchange_seconds)],
        ["time in all", seconds_text(cost.seconds)],
    ]  # fmt: skip
    nodes = "1 node" if cost.nodes == 1 else f"{cost.nodes:,} nodes"
    print(aligned([f"{plan.num_qubits} qubits", nodes], rows, right=()))
    _print_rates(cost)


def _show_table(rows: Sequence[Any], memory: int | None, as_json: bool) -> None:
    if as_json:
        print(
            json.dumps(
                [{"nodes": row[0], "error": row[1]} if isinstance(row, tuple) else row.to_dict() for row in rows]
            )
        )
        return
    header = ["nodes", "ranks", "local", "memory a node", "passes", "exchanges", "moved", "exchanged", "computing",
              "exchanging", "in all", ""]  # fmt: skip
    lines, last = [], None
    for row in rows:
        if isinstance(row, tuple):
            lines.append([f"{row[0]:,}", *[""] * 10, row[1].split(". ")[0]])
            continue
        last = row
        inside, between = row.bytes_exchanged()
        fits = memory is None or row.memory_per_node <= memory
        lines.append([
            f"{row.nodes:,}", f"{row.plan.num_ranks:,}", str(row.plan.local_qubits), readable(row.memory_per_node),
            f"{row.work.passes:,}", f"{row.plan.num_exchanges:,}", readable(row.bytes_in_memory),
            readable(inside + between), seconds_text(row.compute_seconds), seconds_text(row.exchange_seconds),
            seconds_text(row.seconds), "" if fits else "does not fit",
        ])  # fmt: skip
    if last is not None:
        print(f"{last.plan.num_qubits} qubits, {'double' if last.itemsize == 16 else 'single'} precision")
    print(aligned(header, lines, right=range(11)))
    if last is not None:
        _print_rates(last)


def _print_rates(cost: Cost) -> None:
    names = {"memory": "memory", "exchange": "exchange within a node", "network": "network"}
    if cost.in_file:
        names = {"memory": "memory", "disk_read": "reading", "disk_write": "writing", "disk_first": "writing first"}
    else:
        if cost.ranks_per_node == 1:
            del names["exchange"]
        if cost.nodes == 1:
            del names["network"]
    for name, text in names.items():
        rate = getattr(cost.rates, name)
        print(f"{text}: {rate.value / 1e9:.3g} GB/s, {rate.source}")
    print(f"arithmetic: {cost.rates.sweeps.source}")


def seconds_text(seconds: float) -> str:
    """A time for people.

    >>> seconds_text(0.0123), seconds_text(75), seconds_text(7200), seconds_text(3e5)
    ('12 ms', '75 s', '120 min', '83 h')
    """
    for limit, factor, unit in ((0.9995, 1e-3, "ms"), (600, 1, "s"), (36_000, 60, "min"), (3.6e6, 3600, "h")):
        if seconds < limit:
            return (
                f"{seconds / factor:.3g} {unit}"
                if unit == "s"
                else f"{seconds / factor:.2g} {unit}"
                if (seconds / factor < 100)
                else f"{seconds / factor:,.0f} {unit}"
            )
    return f"{seconds / 86_400:,.0f} days"


# running -------------------------------------------------------------------------------------------------------------
def in_file_options(function: Function) -> Function:
    """Options of ``qsim run`` and ``qsim estimate`` for a state in a file."""
    place = click.option(
        "--state-file", metavar="PATH", help="Hold the state in a file: a folder, or the name of a new file."
    )
    memory = _size_option("--memory", "With --state-file: memory of the process, 2GB.")
    keep = click.option("--keep-state", is_flag=True, help="With --state-file: leave the file behind, for numpy.load.")
    return place(memory(keep(function)))


@dataclass(frozen=True)
class Place:
    """Where a command holds a state that memory does not."""

    path: str
    memory: int | None
    keep: bool

    @classmethod
    def of(cls, options: dict[str, Any], submit: bool = False) -> Place | None:
        """Taken out of a command's options; None without --state-file.

        Raises:
            SessionError: options that do not go together.
        """
        path, memory, keep = (options.pop(name) for name in ("state_file", "memory", "keep_state"))
        if path is None:
            if memory is not None or keep:
                raise SessionError("--memory and --keep-state are about a state in a file. Add --state-file PATH.")
            return None
        for name in ("backend", "backend_options", "method", "noise"):
            if options.get(name) and options[name] != "statevector":
                option = "backend-option" if name == "backend_options" else name
                raise SessionError(
                    f"--state-file runs the statevector engine without noise, so --{option} does not go with it."
                )
        if several_ranks():
            raise SessionError("A state is in a file or on several ranks. Leave out --state-file, or mpiexec.")
        if submit:
            raise SessionError("A job does not hold its state in a file. Leave out --submit or --state-file.")
        return cls(path, memory, keep)

    def sample(self, program: Program, values: dict[str, Any], options: dict[str, Any]) -> ExecutionDetails:
        """Counts of a program; what it takes is said before it starts."""
        from qsim.distributed.file_simulator import FileSimulator

        simulator = FileSimulator(self.path, options["precision"], options["threads"], self.memory, keep=self.keep)
        rows, _ = program.bind(values or None)
        circuit = program.measured
        if not writes_bits(program.circuit) and not isinstance(program.source, QuantumProgram):
            print("note: the program has no measurement, so all its qubits are measured", file=sys.stderr)
        self._announce(simulator, circuit, rows)
        (counts,) = simulator.sample(circuit, options["shots"], rows, options["seed"])
        if simulator.last_file is not None:
            print(f"note: the state is kept in '{simulator.last_file}'", file=sys.stderr)
        if program.kept is not None:
            counts = counts.of_register(program.kept)
        return ExecutionDetails.from_counts(counts, program.outputs, program.types, program.measured_qubits)

    def estimate(
        self, program: Program, values: dict[str, Any], operator: SparsePauliOp, options: dict[str, Any]
    ) -> EstimationResult:
        """The exact expectation value and variance of an operator."""
        from qsim.distributed.file_simulator import FileSimulator

        if options["shots"] is not None:
            raise SessionError("--state-file estimates exactly. Leave out --shots.")
        simulator = FileSimulator(self.path, options["precision"], options["threads"], self.memory, keep=self.keep)
        rows, _ = program.bind(values or None)
        check_observable(operator, program.circuit.num_qubits)
        self._announce(simulator, program.circuit, rows)
        mean, variance = simulator.moments(program.circuit, operator, rows)
        if simulator.last_file is not None:
            print(f"note: the state is kept in '{simulator.last_file}'", file=sys.stderr)
        return EstimationResult(float(mean[0]), float(variance[0]), 0.0, {"method": "statevector"})

    def _announce(self, simulator: FileSimulator, circuit: Circuit, rows: Any) -> None:
        """What a run takes, if that is more than a moment: the run and one more reading of the file."""
        if circuit.num_qubits < _ESTIMATED_FROM:
            return
        if circuit.parameters:
            circuit = circuit.bind({p.name: float(v) for p, v in zip(circuit.parameters, rows[0], strict=True)})
        cost = file_cost(circuit, simulator, {})
        size = cost.itemsize << circuit.num_qubits
        read, written = cost.bytes_on_disk()
        print(
            f"note: {circuit.num_qubits} qubits in a file of {readable(size)}, in {cost.plan.num_ranks:,} parts; "
            f"{readable(read + size)} to read and {readable(written)} to write; about "
            f"{seconds_text(cost.seconds + size / cost.rates.disk_read.value)}",
            file=sys.stderr, flush=True,
        )  # fmt: skip
