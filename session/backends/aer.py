"""Qiskit Aer behind the same protocol (extra ``qiskit``): a second engine to run on, and to compare with.

Bits are passed by their number, never by their place in a text: Aer's counts are integers whose bit k is classical bit k
of the circuit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from qsim.circuit import Circuit
from qsim.pauli import SparsePauliOp
from session.backends.measuring import MeasurementPlan, plan
from session.backends.protocol import Capabilities
from session.errors import SessionError
from session.estimates import EstimationResult
from session.preferences import ExecutionPreferences
from session.programs import Program, without_measurements
from session.results import ExecutionDetails, Result
from session.statevectors import StateVectorResult
from session.tasks import Task, TaskKind, set_seed

#: Methods that this package has another name for; Aer's own names go into `backend_options`.
_METHODS = {"mps": "matrix_product_state"}
_SEEDS = 1 << 31  # Aer's seeds are smaller than this
#: Below this a sum of squares is rounding, and the variance of an eigenstate 0.
_ROUNDING = 1e-14


class AerBackend:
    """Runs tasks on `qiskit_aer.AerSimulator`; circuits are converted once and bound there.

    ``aer_statevector`` estimates exactly, ``aer`` from shots with terms measured together that agree qubit by qubit.
    """

    def __init__(self, preferences: ExecutionPreferences) -> None:
        from qiskit_aer import AerSimulator

        self._name = str(preferences.backend)
        self._from_shots = self._name == "aer"
        if preferences.noise is not None:
            raise SessionError(f"Backend '{self._name}' takes no noise model of this package. Use backend 'simulator'.")
        options: dict[str, Any] = {
            "method": _METHODS.get(preferences.method, preferences.method),
            "precision": preferences.precision,
        }
        if preferences.threads is not None:
            options["max_parallel_threads"] = preferences.threads
        if preferences.memory_limit is not None:
            options["max_memory_mb"] = max(1, preferences.memory_limit >> 20)
        self._precision = preferences.precision
        self._simulator = AerSimulator(**options)
        self._refuse_unknown(preferences.backend_options)
        self._simulator.set_options(**preferences.backend_options)
        self._converted: dict[tuple[int, str], tuple[Any, Any, Program]] = {}

    def _refuse_unknown(self, options: dict[str, Any]) -> None:
        for name in options:
            if not hasattr(self._simulator.options, name):
                raise SessionError(f"Backend '{self._name}' has no option '{name}'; its options are AerSimulator's.")

    @property
    def name(self) -> str:
        """``aer`` or ``aer_statevector``."""
        return self._name

    def capabilities(self) -> Capabilities:
        """What it can do."""
        operations = [TaskKind.SAMPLE, TaskKind.ESTIMATE]
        return Capabilities(
            operations=frozenset(operations if self._from_shots else [*operations, TaskKind.STATE_VECTOR]),
            accepts=frozenset(("qiskit",)),
            max_shots=(1 << 31) - 1,
            precision="shots" if self._from_shots else self._precision,
            tested_against="this engine, where Aer is installed (pytest -m peer)",
        )

    def check(self, program: Program, task: Task) -> None:
        """Raise when the task cannot be run here, or the circuit has no equal in Qiskit."""
        if self._from_shots and task.kind is TaskKind.ESTIMATE:
            for operator in task.observables:
                plan(program, operator, task.num_shots)

    def run(self, program: Program, task: Task) -> list[Result]:
        """One result for each parameter set."""
        if task.kind is TaskKind.SAMPLE:
            return [self._sample(program, task, k) for k in range(len(task.rows))]
        if task.kind is TaskKind.STATE_VECTOR:
            return [self._state(program, task, k) for k in range(len(task.rows))]
        one = self._estimate_from_shots if self._from_shots else self._estimate_exactly
        made = [plan(program, operator, task.num_shots) for operator in task.observables] if self._from_shots else []
        results: list[Result] = []
        for k in range(len(task.rows)):
            found: list[Any] = one(program, task, k, made)
            results.append(found if task.several else found[0])
        return results

    # operations ---------------------------------------------------------------------------------------------
    def _sample(self, program: Program, task: Task, index: int) -> ExecutionDetails:
        seed = set_seed(task.seed, index)
        if not program.has_measurements:
            return ExecutionDetails({"": task.num_shots}, {}, seed, {}, ())
        circuit = program.measured
        bound = self._bound(program, "measured", lambda: circuit, task.rows[index])
        outcomes = self._counts(bound, task.num_shots, seed)
        registers = [r for r in circuit.clbit_registers if program.kept in (None, r.name)]
        visible = [bit for register in registers for bit in register.indices]
        counts: dict[str, int] = {}
        for outcome, shots in outcomes.items():
            key = "".join(str(outcome >> bit & 1) for bit in reversed(visible))
            counts[key] = counts.get(key, 0) + shots
        return ExecutionDetails.from_counts(counts, program.outputs, program.types, program.measured_qubits, seed)

    def _state(self, program: Program, task: Task, index: int) -> StateVectorResult:
        num_qubits = program.circuit.num_qubits
        bound = self._bound(program, "gates", lambda: without_measurements(program.circuit), task.rows[index]).copy()
        bound.save_statevector()
        state = np.asarray(self._run(bound, 1, 0).data(0)["statevector"])
        indices = None
        if task.filters:
            indices = np.arange(len(state), dtype=np.int64)
            for one in task.filters:
                indices = indices[one.passes(indices, program.output_qubits[one.output])]
        kept = state if indices is None else state[indices]
        metadata = {"backend": self.name, "method": "statevector"}
        return StateVectorResult(kept, num_qubits, program.output_qubits, program.types, indices, metadata)

    def _estimate_exactly(self, program: Program, task: Task, index: int, made: list[Any]) -> list[EstimationResult]:
        num_qubits = program.circuit.num_qubits
        bound = self._bound(program, "gates", lambda: without_measurements(program.circuit), task.rows[index]).copy()
        for k, operator in enumerate(task.observables):
            own = _qiskit_operator(operator, num_qubits)
            bound.save_expectation_value_variance(own, list(range(num_qubits)), label=f"observable{k}")
        data = self._run(bound, 1, 0).data(0)
        metadata = {"backend": self.name, "method": "statevector"}
        results = []
        for k, operator in enumerate(task.observables):
            value, variance = (float(entry) for entry in data[f"observable{k}"])
            scale = float(np.abs(operator.coefficients).sum()) ** 2
            variance = variance if variance > _ROUNDING * scale else 0.0
            results.append(EstimationResult(value, variance, 0.0, dict(metadata)))
        return results

    def _estimate_from_shots(
        self, program: Program, task: Task, index: int, made: list[MeasurementPlan]
    ) -> list[EstimationResult]:
        seed, results = set_seed(task.seed, index), []
        for number, one in enumerate(made):
            counts = []
            for k, group in enumerate(one.groups):
                part = f"group {k} of {task.observables[number]}"
                bound = self._bound(program, part, lambda made=group.circuit: made, task.rows[index])  # type: ignore[misc]
                counts.append(self._counts(bound, group.shots, seed + 7919 * k))
            value, error = one.estimate(counts)
            metadata = {
                "backend": self.name,
                "method": "shots",
                "num_shots": task.num_shots,
                "groups": len(one.groups),
                "seed": seed,
            }
            results.append(EstimationResult(value, error * error * task.num_shots, error, metadata))
        return results

    # Qiskit -------------------------------------------------------------------------------------------------
    def _bound(self, program: Program, part: str, make: Callable[[], Circuit], row: Any) -> Any:
        """Qiskit's circuit of a part of a program, with numbers for its parameters; converted once."""
        from parsers import to_qiskit

        known = self._converted.get((id(program), part))
        if known is None:
            made = to_qiskit(make())
            by_name = {parameter.name: parameter for parameter in made.parameters}
            own = [by_name.get(parameter.name) for parameter in program.circuit.parameters]
            known = (made, own, program)  # the program is kept, so that its id is not another's
            self._converted = {**dict(list(self._converted.items())[-63:]), (id(program), part): known}
        values = {p: float(value) for p, value in zip(known[1], row, strict=True) if p is not None}
        return known[0].assign_parameters(values) if values else known[0]

    def _run(self, circuit: Any, shots: int, seed: int) -> Any:
        from qiskit import transpile

        ready = transpile(circuit, self._simulator, optimization_level=0)
        result = self._simulator.run(ready, shots=shots, seed_simulator=seed % _SEEDS).result()
        if not result.success:
            said = result.results[0].status if result.results else result.status
            raise SessionError(f"Qiskit Aer could not run this circuit: {said}")
        return result

    def _counts(self, circuit: Any, shots: int, seed: int) -> dict[int, int]:
        """Shots by outcome, an integer whose bit k is classical bit k."""
        counts = self._run(circuit, shots, seed).data(0)["counts"]
        return {int(outcome, 16) if isinstance(outcome, str) else int(outcome): int(n) for outcome, n in counts.items()}


def _qiskit_operator(operator: SparsePauliOp, num_qubits: int) -> Any:
    from qiskit.quantum_info import SparsePauliOp as QiskitOperator

    labels = operator.to_list(num_qubits) or [("I" * num_qubits, 0j)]
    if not num_qubits:
        labels = [("", coefficient) for _, coefficient in labels]
    return QiskitOperator.from_list(labels)
