"""`ExecutionSession`: one program, run as often as needed with different parameters."""

from __future__ import annotations

import secrets
import threading
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from types import TracebackType
from typing import Any

from qsim.circuit import Circuit
from qsim.pauli import SparsePauliOp
from qsim.simulator import Simulator
from session.backends.executor import SpreadBackend
from session.backends.protocol import Backend, Cost, is_remote
from session.backends.registry import load_backend, own_backend
from session.backends.remote import cost_of
from session.costs import read_cost, read_quantile
from session.errors import SessionError
from session.filters import StateFilter, read_filter
from session.jobs import ExecutionJob
from session.optimizers import read_options
from session.preferences import (
    BackendNames,
    ExecutionPreferences,
    checked_preferences,
    checked_shots,
)
from session.programs import Program, Source, read_program
from session.submission import SubmitContext, submit_task
from session.tasks import MAX_SEED, MinimizeOptions, Task, TaskKind, call_seed

#: One set of values by name, a list of such sets, or a 2-D array with a row for each set; None for no parameters.
ExecutionParams = Any


class ExecutionSession:
    """Runs one program; use it in a `with` block, or call `close`.

    Args:
        program: OpenQASM 2 or 3 text, a `qsim.Circuit`, or a `QuantumProgram`. It is parsed and compiled once. A circuit
            without measurements is measured on all qubits, register by register; a quantum program on its outputs.
        backend: one of `BackendNames`, the name of another (``qsim backends``), a backend of this package's protocol, or a
            Qiskit `BackendV2` or `SamplerV2`. The default, ``simulator_statevector``,
            samples shots and estimates exactly; ``simulator`` estimates from shots too.
        num_shots: shots of each `sample` (2048 by default).
        random_seed: makes the session repeatable: its first call uses this seed, call k one derived from the seed and
            k, and set j of a batch its call's seed + j. None draws one, which `random_seed` tells.
        execution_preferences: these and more in one object; the arguments here come before it.
        executor: a `concurrent.futures.Executor`, or a `dask.distributed.Client`, that batches are sent to; results do not
            depend on it, to the bit (docs/clusters.md).

    Raises:
        SessionError: an argument is wrong.
        QasmError: the text is not valid OpenQASM, with the place.

    `parameters` of the methods is a mapping from name to number (to a sequence for an array), checked at the call; a
    list of mappings gives a list of results. `checkpoint` is the path of a file that keeps the results of such a list as
    they come: the same call goes on where it was cut short. Without a `random_seed` it goes on with the file's seed.

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
        program: Source | Program,
        backend: str | BackendNames | Backend | None = None,
        *,
        num_shots: int | None = None,
        random_seed: int | None = None,
        execution_preferences: ExecutionPreferences | Mapping[str, Any] | None = None,
        executor: Executor | Any | None = None,
    ) -> None:
        own = own_backend(backend)
        named: Any = None if own is not None else backend
        base = checked_preferences(execution_preferences)
        self._preferences = base.updated(backend=named, num_shots=num_shots, random_seed=random_seed)
        seed = self._preferences.random_seed
        self._random_seed = secrets.randbelow(MAX_SEED) if seed is None else seed
        self._program = read_program(program)
        self._own_backend: Any = own
        if own is not None and executor is not None:
            raise SessionError(
                "An executor's workers make a backend by its name, so give the name and not the backend."
            )
        self._executor = executor
        self._backend = self._bound()
        self._filters: dict[str, StateFilter] = {}
        self._id = str(uuid.uuid4())
        self._calls = 0
        self._closed = False
        self._guard = threading.Lock()
        self._context: SubmitContext | None = None  # of the jobs submitted so far

    def _bound(self) -> SpreadBackend:
        backend: Backend = self._own_backend or load_backend(self._preferences)
        self._engine, self._is_remote = getattr(backend, "simulator", None), is_remote(backend)
        return SpreadBackend(backend, self._program, self._preferences, self._executor)

    # what it is ---------------------------------------------------------------------------------------------
    @property
    def program(self) -> Source:
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
        """The engine, with this session's precision, threads and memory limit; of the local backends only."""
        if not isinstance(self._engine, Simulator):
            raise SessionError(f"Backend '{self._backend.name}' does not run on this package's engine.")
        return self._engine

    def get_session_id(self) -> str:
        """A random UUID, the same for the life of the session."""
        return self._id

    def update_execution_preferences(
        self, execution_preferences: ExecutionPreferences | Mapping[str, Any] | None = None, **changes: Any
    ) -> None:
        """Change preferences from the next call on; the program stays compiled.

        Args:
            execution_preferences: new ones as a whole; what a mapping leaves out stays as it is.
            changes: single ones by name.

        >>> with ExecutionSession(Circuit(1)) as session:
        ...     session.update_execution_preferences(num_shots=3)
        ...     session.sample().num_shots
        3
        """
        self._check_open()
        base = self._preferences
        if isinstance(execution_preferences, Mapping):
            base = base.updated(**execution_preferences)
        elif execution_preferences is not None:
            base = checked_preferences(execution_preferences)
        before = (self._preferences, self._random_seed, self._calls, self._backend)
        try:
            self._preferences = base.updated(**changes)
            seed = self._preferences.random_seed
            if seed is not None and seed != before[0].random_seed:
                self._random_seed, self._calls = seed, 0
            self._backend = self._bound()
        except BaseException:
            self._preferences, self._random_seed, self._calls, self._backend = before
            raise

    def set_measured_state_filter(self, output: str, condition: Any) -> None:
        """From now on keep only what is measured with this output so; None takes the filter away.

        `sample` drops the other shots, `calculate_state_vector` the other amplitudes, and `estimate` is of the state that
        is left, normalised.

        Args:
            output: its name.
            condition: a value, a list of values, or a function of the value that says whether it may be.

        >>> with ExecutionSession(Circuit(2).h(0).cx(0, 1), num_shots=100, random_seed=1) as session:
        ...     session.set_measured_state_filter("q", lambda q: q != 0)
        ...     set(session.sample().counts)
        {'11'}
        """
        self._check_open()
        if condition is None:
            self._filters.pop(output, None)
            return
        self._filters[output] = read_filter(output, condition, self._program.outputs, self._program.types)

    # operations ---------------------------------------------------------------------------------------------
    def sample(
        self, parameters: ExecutionParams = None, *, num_shots: int | None = None, checkpoint: Any = None
    ) -> Any:
        """Run the program and count outcomes.

        Args:
            parameters: one set, or a list of them.
            num_shots: for this call only.
            checkpoint: the path of a file that keeps results.

        Returns:
            `ExecutionDetails`, or a list of them for a list of sets.

        >>> with ExecutionSession(Circuit(2).x(1)) as session:
        ...     session.sample(num_shots=5)
        ExecutionDetails(num_shots=5, counts={'10': 5})
        """
        return self._run(self._sample_task(parameters, num_shots), checkpoint)

    def estimate(
        self, hamiltonian: SparsePauliOp | Sequence[SparsePauliOp], parameters: ExecutionParams = None, *,
        checkpoint: Any = None,
    ) -> Any:  # fmt: skip
        """The expectation value of a Hamiltonian in the state that the program makes.

        Args:
            hamiltonian: a Hermitian sum of Pauli products on the program's qubits, or a list of them.
            parameters: one set, or a list of them.

        Returns:
            `EstimationResult`; a list for a list of Hamiltonians; for a list of sets a list of what one gives.

        >>> from session import Pauli
        >>> with ExecutionSession(Circuit(1).x(0)) as session:
        ...     session.estimate(Pauli.I(0) + 2 * Pauli.Z(0))
        EstimationResult(value=-1.0, variance=0.0, standard_error=0.0)
        """
        return self._run(self._operator_task(TaskKind.ESTIMATE, hamiltonian, parameters), checkpoint)

    def calculate_state_vector(
        self, parameters: ExecutionParams = None, filters: Mapping[str, Any] | None = None, *, checkpoint: Any = None,
    ) -> Any:  # fmt: skip
        """The amplitudes before final measurements.

        Args:
            parameters: one set, or a list of them.
            filters: from name of an output to the values, or a function of the value, that amplitudes are kept of.

        Returns:
            `StateVectorResult`, or a list of them for a list of sets.

        >>> with ExecutionSession(Circuit(2).h(0).cx(0, 1)) as session:
        ...     session.calculate_state_vector(filters={"q": 3}).states[0].bitstring
        '11'
        """
        return self._run(self._state_task(parameters, filters), checkpoint)

    def gradient(
        self, hamiltonian: SparsePauliOp | Sequence[SparsePauliOp], parameters: ExecutionParams = None, *,
        checkpoint: Any = None,
    ) -> Any:  # fmt: skip
        """The derivatives of an expectation value by all parameters: exact, or by parameter shifts from shots.

        Returns:
            `GradientResult`, a mapping from name to derivative; lists as `estimate` gives them.

        >>> from qsim import Parameter
        >>> from session import Pauli
        >>> with ExecutionSession(Circuit(1).ry(Parameter("a"), 0)) as session:
        ...     session.gradient(Pauli.X(0), {"a": 0.0})
        GradientResult({'a': 1.0}, value=0.0)
        """
        return self._run(self._operator_task(TaskKind.GRADIENT, hamiltonian, parameters), checkpoint)

    def estimate_cost(
        self, cost_function: Any, parameters: ExecutionParams = None, quantile: float = 1.0, *, checkpoint: Any = None,
    ) -> Any:  # fmt: skip
        """The mean cost of the measured states, or of the lowest share `quantile` of the shots (CVaR).

        Args:
            cost_function: of a parsed state (a dict of a value for each output), or a Hamiltonian.
            parameters: one set, or a list of them.
            quantile: above 0, at most 1.

        Returns:
            A float, or a list of them for a list of sets.

        >>> with ExecutionSession(Circuit(2).x(1)) as session:
        ...     session.estimate_cost(lambda state: state["q"] ** 2)
        4.0
        """
        return self._run(self._cost_task(TaskKind.ESTIMATE_COST, cost_function, parameters, quantile), checkpoint)

    def minimize(
        self,
        cost: Any,
        initial_params: ExecutionParams,
        max_iteration: int,
        quantile: float = 1.0,
        tolerance: float | None = None,
        method: str = "COBYLA",
    ) -> Any:
        """Minimise a cost over the program's parameters.

        Args:
            cost: a Hamiltonian, or a function of a parsed state as `estimate_cost` takes it.
            initial_params: where to begin, one set, or a list of them for as many minimisations.
            max_iteration: at most so many iterations (of COBYLA: evaluations).
            quantile: of the shots; see `estimate_cost`.
            tolerance: the method's own; None for its default.
            method: COBYLA, COBYQA, Nelder-Mead, Powell or SPSA; for a Hamiltonian on a backend with gradients also
                L-BFGS-B, BFGS, CG, SLSQP, TNC, Newton-CG or ADAM, which are given them.

        Returns:
            `MinimizationResult`: a list of (cost, parameters) by iteration, the best at the end.

        >>> from qsim import Parameter
        >>> from session import Pauli
        >>> with ExecutionSession(Circuit(1).ry(Parameter("a"), 0)) as session:
        ...     found = session.minimize(Pauli.Z(0), {"a": 1.0}, 50, method="L-BFGS-B")
        >>> round(found.optimal_cost, 9), found.converged
        (-1.0, True)
        """
        options = read_options(max_iteration, method, tolerance)
        return self._run(self._cost_task(TaskKind.MINIMIZE, cost, initial_params, quantile, options))

    def observe(self, hamiltonian: Any, parameters: ExecutionParams = None, *, checkpoint: Any = None) -> Any:
        """The newer name of `estimate`."""
        return self.estimate(hamiltonian, parameters, checkpoint=checkpoint)

    # in the background --------------------------------------------------------------------------------------
    def submit_sample(self, parameters: ExecutionParams = None, *, num_shots: int | None = None) -> ExecutionJob:
        """`sample` in the background; parameters are checked before this returns."""
        return self._submit(self._sample_task(parameters, num_shots))

    def submit_estimate(self, hamiltonian: Any, parameters: ExecutionParams = None) -> ExecutionJob:
        """`estimate` in the background; the Hamiltonian and parameters are checked before this returns."""
        return self._submit(self._operator_task(TaskKind.ESTIMATE, hamiltonian, parameters))

    def submit_observe(self, hamiltonian: Any, parameters: ExecutionParams = None) -> ExecutionJob:
        """The newer name of `submit_estimate`."""
        return self.submit_estimate(hamiltonian, parameters)

    def submit_calculate_state_vector(
        self, parameters: ExecutionParams = None, filters: Mapping[str, Any] | None = None
    ) -> ExecutionJob:
        """`calculate_state_vector` in the background."""
        return self._submit(self._state_task(parameters, filters))

    def submit_gradient(self, hamiltonian: Any, parameters: ExecutionParams = None) -> ExecutionJob:
        """`gradient` in the background."""
        return self._submit(self._operator_task(TaskKind.GRADIENT, hamiltonian, parameters))

    def submit_estimate_cost(
        self, cost_function: Any, parameters: ExecutionParams = None, quantile: float = 1.0
    ) -> ExecutionJob:
        """`estimate_cost` in the background; with a cost that is a function, the job lives in this process only."""
        return self._submit(self._cost_task(TaskKind.ESTIMATE_COST, cost_function, parameters, quantile))

    def submit_minimize(
        self,
        cost: Any,
        initial_params: ExecutionParams,
        max_iteration: int,
        quantile: float = 1.0,
        tolerance: float | None = None,
        method: str = "COBYLA",
    ) -> ExecutionJob:
        """`minimize` in the background; with a cost that is a function, the job lives in this process only."""
        options = read_options(max_iteration, method, tolerance)
        return self._submit(self._cost_task(TaskKind.MINIMIZE, cost, initial_params, quantile, options))

    def check(self, parameters: ExecutionParams = None, hamiltonian: SparsePauliOp | None = None) -> None:
        """Raise what `sample`, or `estimate` of a Hamiltonian, would refuse; run nothing.

        >>> with ExecutionSession(Circuit(1)) as session:
        ...     session.check({"theta": 1.0})
        Traceback (most recent call last):
        ...
        qsim.errors.ParameterError: There is no parameter 'theta'. This circuit has no parameters.
        """
        kind = TaskKind.SAMPLE if hamiltonian is None else TaskKind.ESTIMATE
        observables = () if hamiltonian is None else (hamiltonian,)
        self._task(kind, parameters, observables=observables)

    def estimate_run_cost(
        self,
        parameters: ExecutionParams = None,
        hamiltonian: SparsePauliOp | Sequence[SparsePauliOp] | None = None,
        *,
        num_shots: int | None = None,
    ) -> Cost:
        """What `sample`, or `estimate` of a Hamiltonian, would cost by the word of the service; nothing is run.

        Raises:
            SessionError: the backend runs here, where nothing is charged, or its service publishes no prices.
        """
        kind = TaskKind.SAMPLE if hamiltonian is None else TaskKind.ESTIMATE
        several = hamiltonian is not None and not isinstance(hamiltonian, SparsePauliOp)
        observables = () if hamiltonian is None else tuple(hamiltonian) if several else (hamiltonian,)
        shots = None if num_shots is None else checked_shots(num_shots)
        task = self._task(kind, parameters, num_shots=shots, observables=observables, several=several)
        return cost_of(self._backend.backend, self._program, task)

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
        shots = None if num_shots is None else checked_shots(num_shots)
        return self._numbered(self._task(TaskKind.SAMPLE, parameters, num_shots=shots))

    def _operator_task(self, kind: TaskKind, hamiltonian: Any, parameters: ExecutionParams) -> Task:
        one = isinstance(hamiltonian, (SparsePauliOp, str, bytes))  # the first is the usual case, told apart fastest
        several = not one and isinstance(hamiltonian, Sequence)
        observables = tuple(hamiltonian) if several else (hamiltonian,)
        if not observables:
            raise SessionError("A list of hamiltonians has at least one.")
        return self._numbered(self._task(kind, parameters, observables=observables, several=several))

    def _state_task(self, parameters: ExecutionParams, filters: Mapping[str, Any] | None) -> Task:
        if filters is not None and not isinstance(filters, Mapping):
            raise SessionError(f"filters map names of outputs to conditions, got {type(filters).__name__}.")
        read = [
            read_filter(name, condition, self._program.outputs, self._program.types)
            for name, condition in (filters or {}).items()
        ]
        task = self._task(TaskKind.STATE_VECTOR, parameters)
        return self._numbered(replace(task, filters=(*task.filters, *read)))

    def _cost_task(
        self, kind: TaskKind, cost: Any, parameters: Any, quantile: float, options: MinimizeOptions | None = None
    ) -> Task:
        observables, function = read_cost(cost)
        share = read_quantile(quantile)
        return self._numbered(
            self._task(kind, parameters, observables=observables, quantile=share, options=options, cost=function)
        )

    def _task(self, kind: TaskKind, parameters: Any, num_shots: int | None = None, **more: Any) -> Task:
        self._check_open()
        rows, batched = self._program.bind(parameters)
        shots = self._preferences.num_shots if num_shots is None else num_shots
        if more.get("observables"):
            more |= {
                "grouping": self._preferences.grouping,
                "mitigation_shots": self._preferences.mitigation_shots(shots) if kind is not TaskKind.GRADIENT else 0,
            }
        task = Task(kind, rows.copy(), batched, shots, self._random_seed, filters=self._kept_filters(kind), **more)
        self._backend.check(task)
        return task

    def _kept_filters(self, kind: TaskKind) -> tuple[StateFilter, ...]:
        if self._filters and kind is TaskKind.GRADIENT:
            raise SessionError(
                "A gradient is of the whole state, and filters on measured outputs are set. Take them away with "
                "set_measured_state_filter(output, None)."
            )
        return tuple(self._filters.values())

    def _numbered(self, task: Task) -> Task:
        """With the next call's seed; a call that was refused uses up none."""
        with self._guard:
            seed = call_seed(self._random_seed, self._calls)
            self._calls += 1
        object.__setattr__(
            task, "seed", seed
        )  # nobody else has this task yet, and `replace` takes longer than all of this
        return task

    def _run(self, task: Task, checkpoint: Any = None) -> Any:
        if checkpoint is not None:
            results = self._backend.run_kept(task, checkpoint, own_seed=self._preferences.random_seed is not None)
        elif self._is_remote:  # as a job, so that what is paid for is found again whatever happens to this process
            return self._submit(task).result()
        else:
            results = self._backend.run(task)
        return results if task.batched else results[0]

    def _submit(self, task: Task, *, start: bool = True) -> ExecutionJob:
        """A stored job, which this process runs in the background unless `start` is False."""
        self._check_open()
        return submit_task(self._stored(), self._backend, task, start=start)

    def _stored(self) -> SubmitContext:
        with self._guard:
            if self._context is None or self._context.preferences is not self._preferences:
                self._context = SubmitContext(self._program, self._preferences, self._id, self._own_backend is None)
            return self._context

    def _check_open(self) -> None:
        if self._closed:
            raise SessionError("This session is closed. Make a new ExecutionSession with the same program.")
