"""The backend of this package: its own simulator, exact or from shots."""

from __future__ import annotations

import threading
from typing import Any

from qsim.errors import QsimError
from qsim.memory import check_memory
from qsim.pauli import SparsePauliOp
from qsim.simulator import Simulator
from session.errors import SessionError
from session.preferences import BackendNames, ExecutionPreferences
from session.programs import Program
from session.results import EstimationResult, ExecutionDetails
from session.tasks import Result, Task, TaskKind

_SMALL = 1 << 20  # bytes that are not worth asking the system about before a run; the engine does ask


class LocalBackend:
    """Runs the tasks of one program; compiled circuits are kept from call to call.

    Tasks run one at a time, whatever thread asks, because each uses all of the engine's threads.
    """

    def __init__(self, program: Program, preferences: ExecutionPreferences) -> None:
        self._program = program
        self._backend = preferences.backend
        self._simulator = Simulator(preferences.precision, preferences.threads, preferences.memory_limit)
        self._running = threading.Lock()

    @property
    def name(self) -> str:
        """One of `BackendNames`."""
        return self._backend.value

    @property
    def simulator(self) -> Simulator:
        """The engine, with the session's precision, threads and memory limit."""
        return self._simulator

    def check(self, task: Task) -> None:
        """Raise when the state does not fit into memory, or an observable does not fit the program."""
        circuit = self._program.circuit
        needed = self._simulator.estimate_memory(circuit)
        if needed > _SMALL:
            amplitude = 16 if self._simulator.precision == "double" else 8
            check_memory(needed, circuit.num_qubits, amplitude, self._simulator.memory_limit)
        if task.kind is not TaskKind.ESTIMATE:
            return
        operator = task.observable
        if not isinstance(operator, SparsePauliOp):
            raise SessionError(f"A hamiltonian is a SparsePauliOp, got {type(operator).__name__}.")
        if circuit.is_dynamic:
            raise SessionError(
                "An expectation value needs a program of gates, with measurements at its end at most; this one resets, "
                "branches or uses qubits after measuring them. Use sample."
            )
        if operator.num_qubits > circuit.num_qubits:
            raise SessionError(
                f"A hamiltonian acts on the program's qubits; it has {operator.num_qubits}, the program "
                f"{circuit.num_qubits}."
            )
        if not operator.is_hermitian:
            raise SessionError(
                "A hamiltonian is Hermitian, so its coefficients are real numbers; this one has complex ones."
            )
        if self._backend is BackendNames.SIMULATOR:
            try:
                self._simulator.check_estimate(circuit, operator, task.num_shots)
            except QsimError as error:
                raise SessionError(f"{error} Raise num_shots.") from None

    def run(self, task: Task) -> list[Result]:
        """One result for each parameter set."""
        with self._running:
            if not len(task.rows):
                return []
            if task.kind is TaskKind.SAMPLE:
                return list(self._sample(task))
            assert task.observable is not None
            if self._backend is BackendNames.SIMULATOR:
                return list(self._estimate_from_shots(task, task.observable))
            return list(self._estimate_exactly(task, task.observable))

    def _sample(self, task: Task) -> list[ExecutionDetails]:
        program = self._program
        batch = self._simulator.sample(program.measured, task.num_shots, task.rows, task.seed)
        if program.kept is not None:
            batch = [counts.of_register(program.kept) for counts in batch]
        return [ExecutionDetails.from_counts(counts, program.outputs) for counts in batch]

    def _estimate_exactly(self, task: Task, operator: SparsePauliOp) -> list[EstimationResult]:
        values, variances = self._simulator.moments(self._program.circuit, operator, task.rows)
        metadata = {"backend": self.name, "method": "statevector"}
        return [
            EstimationResult(float(value), float(variance), 0.0, dict(metadata))
            for value, variance in zip(values, variances, strict=True)
        ]

    def _estimate_from_shots(self, task: Task, operator: SparsePauliOp) -> list[EstimationResult]:
        found = self._simulator.estimate(self._program.circuit, operator, task.num_shots, task.rows, task.seed)
        return [
            EstimationResult(one.value, one.variance, one.standard_error, self._metadata(task, row, one.groups))
            for row, one in enumerate(found)
        ]

    def _metadata(self, task: Task, row: int, groups: int) -> dict[str, Any]:
        return {
            "backend": self.name,
            "method": "shots",
            "num_shots": task.num_shots,
            "groups": groups,
            "seed": task.seed + row,
        }
