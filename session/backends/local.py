"""The backend of this package: its own simulator, exact or from shots."""

from __future__ import annotations

import inspect
import threading
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.circuit import Circuit
from qsim.engines import wants_other
from qsim.errors import QsimError
from qsim.memory import check_memory
from qsim.methods import choose
from qsim.pool import part
from qsim.simulator import Simulator
from session.backends.limits import needed_operation
from session.backends.protocol import Capabilities
from session.errors import SessionError
from session.estimates import EstimationResult, GradientResult
from session.preferences import BackendNames, ExecutionPreferences
from session.programs import Program, without_measurements
from session.results import ExecutionDetails, Result
from session.statevectors import StateVectorResult
from session.tasks import Task, TaskKind, set_seed

_FEW_QUBITS = 14
_SMALL = 1 << 20  # bytes that are not worth asking the system about before a run; the engine does ask
_SHOTS = frozenset((TaskKind.SAMPLE, TaskKind.ESTIMATE, TaskKind.GRADIENT, TaskKind.ESTIMATE_COST))
_SMALL_QUBITS = 16  # and circuits that need not be looked at to find a method
_PURPOSES = {
    TaskKind.SAMPLE: "sample", TaskKind.ESTIMATE: "expectation", TaskKind.STATE_VECTOR: "statevector",
    TaskKind.GRADIENT: "gradient",
}  # fmt: skip


class LocalBackend:
    """Runs tasks on this machine; compiled circuits are kept from call to call.

    Tasks run one at a time, whatever thread asks, because each uses all of the engine's threads.

    >>> backend = LocalBackend(ExecutionPreferences())
    >>> backend.name, backend.capabilities().precision
    ('simulator_statevector', 'double')
    """

    def __init__(self, preferences: ExecutionPreferences) -> None:
        self._name = BackendNames(preferences.backend)
        self._text = str(self._name.value)  # an enumeration's value takes a microsecond, several times a call
        if preferences.backend_options:
            raise SessionError(
                f"Backend '{self.name}' takes no backend_options, got {', '.join(map(repr, preferences.backend_options))}."
            )
        self._simulator = make_simulator(preferences)
        self._from_shots = self._name is BackendNames.SIMULATOR
        self._mixed = preferences.noise is not None or preferences.method == "density_matrix"
        noisy = preferences.noise is not None and not preferences.noise.is_ideal
        self._trajectories = noisy and preferences.method == "statevector"
        self._running = threading.Lock()
        self._capabilities = self._can()
        self._unmeasured: tuple[Circuit | None, Circuit | None] = (None, None)

    @property
    def name(self) -> str:
        """One of `BackendNames`."""
        return self._text

    @property
    def simulator(self) -> Simulator:
        """The engine, with the session's precision, threads and memory limit."""
        return self._simulator

    def capabilities(self) -> Capabilities:
        """What it can do: everything, but from shots there is no state vector to look at."""
        return self._capabilities

    def _can(self) -> Capabilities:
        operations = _SHOTS if self._from_shots else _SHOTS | {TaskKind.STATE_VECTOR}
        if self._mixed:  # a density matrix is no vector
            operations -= {TaskKind.STATE_VECTOR}
        if self._mixed or self._simulator.method not in ("automatic", "statevector"):
            operations -= {TaskKind.GRADIENT}
        return Capabilities(
            operations=operations,
            accepts=frozenset(("circuit", "openqasm2", "openqasm3")),
            estimate_filters=not self._mixed,
            precision="shots" if self._from_shots else self._simulator.precision,
            tested_against="dense matrices of random circuits, and other simulators where they are installed (pytest -m peer)",
        )

    def check(self, program: Program, task: Task) -> None:
        """Raise when the state does not fit into memory, or the shots do not go round."""
        circuit = program.circuit
        self._check_method(circuit, task)
        if task.observables and self._from_shots and task.kind is not TaskKind.GRADIENT and task.quantile == 1:
            try:
                for operator in task.observables:
                    self._simulator.check_estimate(circuit, operator, task.num_shots, task.grouping or "commuting")
            except QsimError as error:
                raise SessionError(f"{error} Raise num_shots.") from None

    def _check_method(self, circuit: Circuit, task: Task) -> None:
        """Raise when no method can do this, or the one that was asked for cannot; quick for what is small."""
        if self._simulator.method == "automatic" and not self._mixed and self._simulator.memory_limit is None:
            if circuit.num_qubits <= _FEW_QUBITS:
                return
            if circuit.num_qubits <= _SMALL_QUBITS and self._simulator.estimate_memory(circuit) <= _SMALL:
                return
        purpose = _PURPOSES[needed_operation(task)]
        if purpose == "expectation" and (self._from_shots or task.filters or task.quantile != 1):
            purpose = "estimate from shots" if self._from_shots else "filtered estimate"
        if self._trajectories and purpose == "expectation":
            raise SessionError(
                "With noise, method='statevector' runs trajectories, which give counts and estimates from shots. An exact "
                "estimate takes method='automatic' or 'density_matrix', one from shots backend 'simulator'."
            )
        if circuit.parameters and len(task.rows):
            values = zip(circuit.parameters, task.rows[0], strict=True)
            circuit = circuit.bind({parameter.name: float(value) for parameter, value in values})
        choice = choose(circuit, self._simulator, purpose)
        if choice.method == "statevector":
            amplitude = 16 if self._simulator.precision == "double" else 8
            needed = self._simulator.estimate_memory(circuit)
            check_memory(needed, circuit.num_qubits, amplitude, self._simulator.memory_limit)

    def run(self, program: Program, task: Task) -> list[Result]:
        """One result for each parameter set."""
        with self._running:
            if not len(task.rows):
                return []
            if task.kind is TaskKind.SAMPLE:
                return list(self._sample(program, task))
            if task.kind is TaskKind.STATE_VECTOR:
                return list(self._state_vectors(program, task))
            if task.kind is TaskKind.GRADIENT:
                return list(self._gradients(program, task))
            if task.kind is TaskKind.ESTIMATE_COST and not self._from_shots and not task.filters:
                values: list[Result] = self._simulator.expectation(
                    program.circuit, task.observables[0], task.rows
                ).tolist()
                return values
            if task.filters:
                return [self._estimate_filtered(program, task, row) for row in range(len(task.rows))]
            if self._from_shots:
                return list(self._estimate_from_shots(program, task))
            return list(self._estimate_exactly(program, task))

    # operations ---------------------------------------------------------------------------------------------
    def _sample(self, program: Program, task: Task) -> list[ExecutionDetails]:
        if not program.has_measurements:
            return [
                ExecutionDetails({"": task.num_shots}, {}, set_seed(task.seed, k), {}, ())
                for k in range(len(task.rows))
            ]
        batch = self._simulator.sample(program.measured, task.num_shots, task.rows, task.seed)
        if program.kept is not None:
            batch = [counts.of_register(program.kept) for counts in batch]
        qubits = program.measured_qubits
        return [ExecutionDetails.from_counts(counts, program.outputs, program.types, qubits) for counts in batch]

    def _estimate_exactly(self, program: Program, task: Task) -> list[Result]:
        operators: Any = list(task.observables) if task.several else task.observables[0]
        if len(task.rows) > 1 and wants_other(self._simulator, program.circuit):  # each set may take another method
            found: list[Result] = []
            for k in range(len(task.rows)):
                with part(k, len(task.rows)):
                    found += self._estimate_exactly(program, task.part(k, k + 1))
            return found
        values, variances = self._simulator.moments(program.circuit, operators, task.rows)
        return self._estimates(task, values, variances)

    def _estimates(self, task: Task, values: Any, variances: Any) -> list[Result]:
        metadata = {"backend": self.name, **self._simulator.last_run}
        if len(values) == 1 and not task.several:
            return [EstimationResult(float(values[0]), float(variances[0]), 0.0, metadata)]
        if not task.several:
            return [
                EstimationResult(value, variance, 0.0, dict(metadata))
                for value, variance in zip(values.tolist(), variances.tolist(), strict=True)
            ]
        return [
            [EstimationResult(value, variance, 0.0, dict(metadata)) for value, variance in zip(*pair, strict=True)]
            for pair in zip(values.tolist(), variances.tolist(), strict=True)
        ]

    def _estimate_from_shots(self, program: Program, task: Task) -> list[Result]:
        operators: Any = list(task.observables) if task.several else task.observables[0]
        grouping = task.grouping or "commuting"
        found = self._simulator.estimate(
            program.circuit, operators, task.num_shots, task.rows, task.seed, grouping=grouping
        )
        return [self._from_estimates(task, row, one) for row, one in enumerate(found)]

    def _from_estimates(self, task: Task, row: int, found: Any) -> Result:
        if isinstance(found, list):
            return [self._from_estimates(task, row, one) for one in found]  # type: ignore[misc]
        metadata = {
            "backend": self.name,
            "method": "shots" if self._simulator.noise is None else "trajectories",
            "num_shots": task.num_shots,
            "groups": found.groups,
            "seed": set_seed(task.seed, row),
        }
        return EstimationResult(found.value, found.variance, found.standard_error, metadata)

    def _state_vectors(self, program: Program, task: Task) -> list[StateVectorResult]:
        outputs, metadata = program.output_qubits, {"backend": self.name, "method": "statevector"}
        results = []
        for k in range(len(task.rows)):
            with part(k, len(task.rows)):
                state = self._simulator.statevector(program.circuit, task.rows[k : k + 1])[0]
            indices = _passing(program, task, program.circuit.num_qubits) if task.filters else None
            kept = state if indices is None else state[indices]
            n = program.circuit.num_qubits
            results.append(StateVectorResult(kept, n, outputs, program.types, indices, metadata))
        return results

    def _gradients(self, program: Program, task: Task) -> list[Result]:
        circuit = self._without_measurements(program)
        operators: Any = list(task.observables) if task.several else task.observables[0]
        if self._from_shots:
            return self._shifted_gradients(circuit, task)
        values, slopes = self._simulator.value_and_gradient(circuit, operators, task.rows)
        metadata = {"backend": self.name, "method": "adjoint"}
        if not task.several:
            return [
                GradientResult(slope, value, metadata) for slope, value in zip(slopes, values.tolist(), strict=True)
            ]
        return [
            [GradientResult(slope, value, metadata) for slope, value in zip(*pair, strict=True)]
            for pair in zip(slopes, values.tolist(), strict=True)
        ]

    def _shifted_gradients(self, circuit: Circuit, task: Task) -> list[Result]:
        metadata = {"backend": self.name, "method": "parameter shift", "num_shots": task.num_shots}
        results: list[Result] = []
        for k in range(len(task.rows)):
            row, seed = task.rows[k : k + 1], set_seed(task.seed, k)
            found: list[Any] = []
            for operator in task.observables:
                slope = self._simulator.parameter_shift_gradient(
                    circuit, operator, row, shots=task.num_shots, seed=seed
                )[0]
                value = self._simulator.estimate(circuit, operator, task.num_shots, row, seed)[0].value
                found.append(GradientResult(slope, value, {**metadata, "seed": seed}))
            results.append(found if task.several else found[0])
        return results

    def _estimate_filtered(self, program: Program, task: Task, row: int) -> Result:
        """Of the state that is left when the basis states that do not pass are taken out, normalised again."""
        n = program.circuit.num_qubits
        state = self._simulator.statevector(program.circuit, task.rows[row : row + 1])[0]
        kept = np.zeros(1 << n, dtype=bool)
        kept[_passing(program, task, n)] = True
        state[~kept] = 0
        norm = float(np.linalg.norm(state))
        if not norm > 1e-9:
            raise SessionError("The filters on measured outputs let nothing of this state through.")
        state /= norm
        idle, seed = Circuit(n), set_seed(task.seed, row)
        found: list[Any] = []
        for operator in task.observables:
            if self._from_shots:
                shots = self._simulator.estimate(idle, operator, task.num_shots, None, seed, initial_state=state)
                found.append(self._from_estimates(task, row, shots))
            else:
                value, variance = self._simulator.moments(idle, operator, initial_state=state)
                metadata = {"backend": self.name, "method": "statevector", "probability": norm * norm}
                found.append(EstimationResult(value, variance, 0.0, metadata))
        return found if task.several else found[0]

    def _without_measurements(self, program: Program) -> Circuit:
        """The circuit for gradients; kept, so that it is compiled once."""
        known, made = self._unmeasured
        if known is not program.circuit or made is None:
            made = without_measurements(program.circuit)
            self._unmeasured = (program.circuit, made)
        return made


def make_simulator(preferences: ExecutionPreferences) -> Simulator:
    """The engine as preferences ask for it.

    Raises:
        SessionError: the engine has no such option.
    """
    options: dict[str, Any] = {}
    if preferences.method != "automatic":
        options["method"] = preferences.method
    if preferences.noise is not None:
        options["noise"] = preferences.noise
    known = inspect.signature(Simulator).parameters if options else {}
    for name in options:
        if name not in known:
            raise SessionError(f"The engine of this version takes no '{name}'. Leave it out.")
    return Simulator(preferences.precision, preferences.threads, preferences.memory_limit, **options)


def _passing(program: Program, task: Task, num_qubits: int) -> npt.NDArray[np.int64]:
    """The basis states that pass all filters, ascending."""
    basis = np.arange(1 << num_qubits, dtype=np.int64)
    outputs = program.output_qubits
    for one in task.filters:
        basis = basis[one.passes(basis, outputs[one.output])]
    return basis
