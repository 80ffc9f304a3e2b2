"""`ExecutionSession`: one program, run as often as needed with different parameters."""

from __future__ import annotations

import secrets
import threading
import uuid
from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any

from qsim.circuit import Circuit
from qsim.pauli import SparsePauliOp
from qsim.simulator import Simulator
from session.errors import SessionError
from session.jobs import ExecutionJob
from session.local import LocalBackend
from session.preferences import (
    BackendNames,
    ExecutionPreferences,
    checked_preferences,
    checked_shots,
)
from session.programs import Program, read_program
from session.submission import SubmitContext, submit_task
from session.tasks import MAX_SEED, Task, TaskKind, call_seed

#: One set of values by name, a list of such sets, or a 2-D array with a row for each set; None for no parameters.
ExecutionParams = Any


class ExecutionSession:
    """Runs one program; use it in a `with` block, or call `close`.

    Args:
        program: OpenQASM 2 or 3 text, or a `qsim.Circuit`. It is parsed and compiled once. A program without
            measurements is measured on all qubits, register by register.
        backend: one of `BackendNames`. The default, ``simulator_statevector``, samples shots and estimates exactly;
            ``simulator`` estimates from shots too.
        num_shots: shots of each `sample` (2048 by default).
        random_seed: makes the session repeatable: its first call uses this seed, call k one derived from the seed and
            k, and set j of a batch its call's seed + j. None draws one, which `random_seed` tells.
        execution_preferences: these and more in one object; the arguments here come before it.

    Raises:
        SessionError: an argument is wrong.
        QasmError: the text is not valid OpenQASM, with the place.

    `parameters` of the methods is a mapping from name to number (to a sequence for an array), checked at the call; a
    list of mappings gives a list of results.

    >>> from session import ExecutionSession, Pauli
    >>> program = '''
    ... OPENQASM 3.0;
    ... include "stdgates.inc";
    ... input float theta;
    ... qubit[2] q;
    ... ry(theta) q[0];
    ... cx q[0], q[1];
    ... '''
    >>> with ExecutionSession(program, num_shots=100, random_seed=7) as session:
    ...     session.sample({"theta": 0.0}).counts
    ...     [r.value for r in session.estimate(Pauli.Z(0) * Pauli.Z(1), [{"theta": 0.1}, {"theta": 0.2}])]
    {'00': 100}
    [1.0, 1.0]
    """

    def __init__(
        self,
        program: str | Circuit | Program,
        backend: str | BackendNames | None = None,
        *,
        num_shots: int | None = None,
        random_seed: int | None = None,
        execution_preferences: ExecutionPreferences | Mapping[str, Any] | None = None,
    ) -> None:
        base = checked_preferences(execution_preferences)
        self._preferences = base.updated(backend=backend, num_shots=num_shots, random_seed=random_seed)
        seed = self._preferences.random_seed
        self._random_seed = secrets.randbelow(MAX_SEED) if seed is None else seed
        self._program = read_program(program)
        self._backend = LocalBackend(self._program, self._preferences)
        self._id = str(uuid.uuid4())
        self._calls = 0
        self._closed = False
        self._guard = threading.Lock()
        self._context: SubmitContext | None = None

    # what it is ---------------------------------------------------------------------------------------------
    @property
    def program(self) -> str | Circuit:
        """The program as it was given."""
        return self._program.source

    @property
    def preferences(self) -> ExecutionPreferences:
        """The preferences, arguments of the session included."""
        return self._preferences

    @property
    def random_seed(self) -> int:
        """The seed that repeats this session's results."""
        return self._random_seed

    @property
    def circuit(self) -> Circuit:
        """The program as a circuit, a copy of the one that was given; not to be changed."""
        return self._program.circuit

    @property
    def simulator(self) -> Simulator:
        """The engine, with this session's precision, threads and memory limit."""
        return self._backend.simulator

    def get_session_id(self) -> str:
        """A random UUID, the same for the life of the session."""
        return self._id

    # operations ---------------------------------------------------------------------------------------------
    def sample(self, parameters: ExecutionParams = None, *, num_shots: int | None = None) -> Any:
        """Run the program and count outcomes.

        Args:
            parameters: one set, or a list of them.
            num_shots: for this call only.

        Returns:
            `ExecutionDetails`, or a list of them for a list of sets.

        >>> with ExecutionSession(Circuit(2).x(1)) as session:
        ...     session.sample(num_shots=5)
        ExecutionDetails(num_shots=5, counts={'10': 5})
        """
        return self._run(self._sample_task(parameters, num_shots))

    def estimate(self, hamiltonian: SparsePauliOp, parameters: ExecutionParams = None) -> Any:
        """The expectation value of a Hamiltonian in the state that the program makes.

        Args:
            hamiltonian: a Hermitian sum of Pauli products on the program's qubits.
            parameters: one set, or a list of them.

        Returns:
            `EstimationResult`, or a list of them for a list of sets.

        >>> from session import Pauli
        >>> with ExecutionSession(Circuit(1).x(0)) as session:
        ...     session.estimate(Pauli.I(0) + 2 * Pauli.Z(0))
        EstimationResult(value=-1.0, variance=0.0, standard_error=0.0)
        """
        return self._run(self._estimate_task(hamiltonian, parameters))

    def submit_sample(self, parameters: ExecutionParams = None, *, num_shots: int | None = None) -> ExecutionJob:
        """`sample` in the background; parameters are checked before this returns."""
        return self._submit(self._sample_task(parameters, num_shots))

    def submit_estimate(self, hamiltonian: SparsePauliOp, parameters: ExecutionParams = None) -> ExecutionJob:
        """`estimate` in the background; the Hamiltonian and parameters are checked before this returns."""
        return self._submit(self._estimate_task(hamiltonian, parameters))

    def observe(self, hamiltonian: SparsePauliOp, parameters: ExecutionParams = None) -> Any:
        """The newer name of `estimate`."""
        return self.estimate(hamiltonian, parameters)

    def submit_observe(self, hamiltonian: SparsePauliOp, parameters: ExecutionParams = None) -> ExecutionJob:
        """The newer name of `submit_estimate`."""
        return self.submit_estimate(hamiltonian, parameters)

    def check(self, parameters: ExecutionParams = None, hamiltonian: SparsePauliOp | None = None) -> None:
        """Raise what `sample`, or `estimate` of a Hamiltonian, would refuse; run nothing.

        >>> with ExecutionSession(Circuit(1)) as session:
        ...     session.check({"theta": 1.0})
        Traceback (most recent call last):
        ...
        qsim.errors.ParameterError: There is no parameter 'theta'. This circuit has no parameters.
        """
        kind = TaskKind.SAMPLE if hamiltonian is None else TaskKind.ESTIMATE
        self._task(kind, parameters, self._preferences.num_shots, hamiltonian)

    # life ---------------------------------------------------------------------------------------------------
    def close(self) -> None:
        """End the session. Jobs that were submitted go on and can still be asked for their results."""
        with self._guard:
            self._closed = True

    def __enter__(self) -> ExecutionSession:
        self._check_open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else self._backend.name
        return f"<ExecutionSession {self._id}: {self._program.circuit!r}, {state}>"

    # how ----------------------------------------------------------------------------------------------------
    def _sample_task(self, parameters: ExecutionParams, num_shots: int | None) -> Task:
        shots = self._preferences.num_shots if num_shots is None else checked_shots(num_shots)
        return self._numbered(self._task(TaskKind.SAMPLE, parameters, shots))

    def _estimate_task(self, hamiltonian: SparsePauliOp, parameters: ExecutionParams) -> Task:
        return self._numbered(self._task(TaskKind.ESTIMATE, parameters, self._preferences.num_shots, hamiltonian))

    def _task(self, kind: TaskKind, parameters: Any, shots: int, observable: SparsePauliOp | None = None) -> Task:
        self._check_open()
        rows, batched = self._program.bind(parameters)
        task = Task(kind, rows.copy(), batched, shots, self._random_seed, observable)
        self._backend.check(task)
        return task

    def _numbered(self, task: Task) -> Task:
        """With the next call's seed; a call that was refused uses up none."""
        with self._guard:
            seed = call_seed(self._random_seed, self._calls)
            self._calls += 1
        return replace(task, seed=seed)

    def _run(self, task: Task) -> Any:
        results = self._backend.run(task)
        return results if task.batched else results[0]

    def _submit(self, task: Task, *, start: bool = True) -> ExecutionJob:
        """A stored job, which this process runs in the background unless `start` is False."""
        self._check_open()
        return submit_task(self._stored(), self._backend, task, start=start)

    def _stored(self) -> SubmitContext:
        with self._guard:
            if self._context is None:
                self._context = SubmitContext(self._program, self._preferences, self._id)
            return self._context

    def _check_open(self) -> None:
        if self._closed:
            raise SessionError("This session is closed. Make a new ExecutionSession with the same program.")
