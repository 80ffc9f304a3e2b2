"""``mpiexec -n 4 qsim run FILE``: a command on several ranks, of which the first prints."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import click

from qsim.distributed.mpi import MPITransport, launched_ranks
from qsim.errors import QsimError
from qsim.pauli import SparsePauliOp
from qsim.warmup import kernels_ready, warm_up
from session.cli_input import read_values
from session.errors import SessionError
from session.estimates import EstimationResult
from session.execution import ExecutionSession
from session.preferences import BackendNames
from session.results import ExecutionDetails

#: Where launchers tell a process its number.
_RANKS = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK", "PMIX_RANK", "SLURM_PROCID")
_LOCAL = (None, *BackendNames)
_METHODS = ("automatic", "statevector")


def several_ranks() -> bool:
    """Whether a launcher of MPI started this process as one of several."""
    return launched_ranks() > 1


class RankedCommand:
    """A command on the ranks of one run.

    Args:
        transport: between them.
        options: the command's; every rank has the same.
    """

    def __init__(self, transport: Any, options: dict[str, Any]) -> None:
        from qsim.distributed.simulator import DistributedSimulator

        self.options = options
        method = options.get("method") or "automatic"
        if method not in _METHODS:
            method = "automatic"  # refused by `open`, on all ranks
        self.simulator = DistributedSimulator(transport, options["precision"], options["threads"], method=method)

    @property
    def prints(self) -> bool:
        """Whether this rank is the one that prints."""
        return self.simulator.rank == 0

    @contextmanager
    def together(self) -> Iterator[None]:
        """What each rank does by itself; an error of one is raised by all."""
        from qsim.distributed.run import together

        with together(self.simulator.ranks):
            yield

    def read(self, file: str, reader: Callable[[str], str]) -> str:
        """A program's text: of its own copy of the file on every rank; standard input is read by the first."""
        if file != "-":
            with self.together():
                return reader(file)
        text = ""
        with self.together():
            if self.prints:
                text = reader(file)
        return str(self.simulator.ranks.from_first(text))

    def open(self, make: Callable[[], ExecutionSession], settings: Sequence[str]) -> tuple[ExecutionSession, Any]:
        """The session and the parameter values of a run."""
        with self.together():
            self._check_options()
            session = make()
            values = read_values(settings, session.circuit)
            session._sample_task(values, None)  # parameters are checked
        self._compile()
        return session, values

    def sample(self, session: ExecutionSession, values: Any) -> ExecutionDetails:
        """As `ExecutionSession.sample` gives it for the first call."""
        program, preferences = session._program, session.preferences
        with self.together():
            task = session._sample_task(values, None)
        counts = self.simulator.sample(program.measured, task.num_shots, task.rows, preferences.random_seed)[0]
        if program.kept is not None:
            counts = counts.of_register(program.kept)
        return ExecutionDetails.from_counts(counts, program.outputs, program.types, program.measured_qubits)

    def estimate(self, session: ExecutionSession, values: Any, operator: SparsePauliOp) -> EstimationResult:
        """The exact expectation value and variance."""
        program = session._program
        with self.together():
            task = session._sample_task(values, None)
        means, variances = self.simulator.moments(program.circuit, operator, task.rows)
        metadata = {"backend": BackendNames.SIMULATOR_STATEVECTOR.value, "method": "statevector"}
        return EstimationResult(float(means[0]), float(variances[0]), 0.0, metadata)

    def _check_options(self) -> None:
        if self.options.get("backend") not in _LOCAL:
            raise SessionError(f"Several ranks run the local simulator, got --backend {self.options['backend']}.")
        if self.options.get("method") not in (None, *_METHODS):
            raise SessionError(f"Several ranks hold one statevector, got --method {self.options['method']}.")
        if self.options.get("shots") is not None and "submit" not in self.options:
            raise SessionError("Several ranks compute exact expectation values. Leave out --shots.")
        for name in ("noise", "submit"):
            if self.options.get(name):
                raise SessionError(f"Several ranks take no --{name}. Run it in one process, without mpiexec.")

    def _compile(self) -> None:
        """Compile the kernels where this machine never did: one rank does, the others on its machine wait for it."""
        with self.together():
            if not kernels_ready(self.options["precision"]):
                if self.prints:
                    print("compiling the engine (one time, half a minute) ...", file=sys.stderr, flush=True)
                warm_up(self.options["precision"])


def run_ranked(options: dict[str, Any], body: Callable[[RankedCommand], None]) -> None:
    """Run a command's body on this rank, as one of those that mpiexec started; the first rank prints errors.

    Raises:
        QsimError: on the first rank. The others leave with exit code 1.
    """
    try:
        transport = MPITransport()
    except QsimError as error:
        if next((os.environ[name] for name in _RANKS if name in os.environ), "0") == "0":
            raise
        raise click.exceptions.Exit(1) from error
    try:
        body(RankedCommand(transport, options))
    except QsimError as error:  # all ranks have it
        if transport.rank == 0:
            raise
        raise click.exceptions.Exit(1) from error
    except click.exceptions.Exit:
        raise
    except BaseException as error:
        _abort(transport, error)


def _abort(transport: MPITransport, error: BaseException) -> NoReturn:
    transport.abort("interrupted" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}")
