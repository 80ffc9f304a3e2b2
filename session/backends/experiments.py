"""A task as circuits to be measured, and its results out of what was measured: for backends that have counts alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qsim.circuit import Circuit
from session.backends.limits import needed_operation
from session.backends.measuring import MeasurementPlan, plan
from session.backends.mitigation import ReadoutCalibration, calibration_circuits
from session.errors import SessionError
from session.estimates import EstimationResult
from session.programs import Program
from session.results import ExecutionDetails, Result
from session.tasks import Task, TaskKind, set_seed


@dataclass(frozen=True)
class Experiment:
    """A circuit without parameters that is run so many times."""

    circuit: Circuit
    shots: int
    seed: int


@dataclass(frozen=True)
class Part:
    """A circuit, perhaps with parameters, that is run so many times for each parameter set; `step` goes onto its seed."""

    circuit: Circuit
    shots: int
    step: int


def parts_of(program: Program, task: Task) -> list[Part]:
    """What is run for each parameter set of a task: its program, or a circuit for each group of terms of each observable.

    Raises:
        SessionError: the task is none that counts answer, or has too few shots for its groups.
    """
    kind = needed_operation(task)  # costs and minimisations are made of samples and estimates
    if kind is TaskKind.SAMPLE:
        return [Part(program.measured, task.num_shots, 0)] if program.has_measurements else []
    if kind is not TaskKind.ESTIMATE:
        raise SessionError(f"Counts do not answer '{task.kind.value}'.")
    groups = [group for made in _plans(program, task) for group in made.groups]
    return [Part(group.circuit, group.shots, 7919 * k) for k, group in enumerate(groups)]


def calibrations_of(program: Program, task: Task) -> list[Experiment]:
    """The two circuits that readout errors are measured with, where a task asks for that; they come before all others."""
    if needed_operation(task) is not TaskKind.ESTIMATE or not task.mitigation_shots:
        return []
    circuits = calibration_circuits(program.circuit.num_qubits)
    return [
        Experiment(circuit, task.mitigation_shots, set_seed(task.seed, 104729 + k))
        for k, circuit in enumerate(circuits)
    ]


def experiments(program: Program, task: Task) -> list[Experiment]:
    """The circuits of a task: calibrations, then for each parameter set its own, or one for each group of terms.

    They have no parameters, and no branches that parameters decide.

    Raises:
        SessionError: the task is none that counts answer, or has too few shots for its groups.
    """
    from session.preparation.binding import settled

    found, parts = calibrations_of(program, task), parts_of(program, task)
    for k, row in enumerate(task.rows):
        values = program.named(row)
        for part in parts:
            bound = part.circuit.bind(values) if part.circuit.parameters else part.circuit
            if bound.has_feed_forward:
                bound = settled(bound)  # branches that parameters decide
            found.append(Experiment(bound, part.shots, set_seed(task.seed, k) + part.step))
    return found


def results_of(
    program: Program, task: Task, outcomes: Sequence[Mapping[int, int]], metadata: Mapping[str, Any]
) -> list[Result]:
    """The results of a task, one for each parameter set.

    Args:
        program: the program.
        task: the task.
        outcomes: of each experiment, shots by outcome as an integer whose bit k is classical bit k of its circuit.
        metadata: of every result.
    """
    if task.kind is TaskKind.SAMPLE:
        if not program.has_measurements:
            return [ExecutionDetails({"": task.num_shots}, {}, None, {}, (), dict(metadata)) for _ in task.rows]
        return [_details(program, found, metadata) for found in outcomes]
    plans = _plans(program, task)
    results: list[Result] = []
    rest = iter(outcomes)
    calibration = _calibration(program, task, rest)
    for _ in task.rows:
        found: list[Any] = [
            _estimated(made, [next(rest) for _ in made.groups], metadata, calibration) for made in plans
        ]
        results.append(found if task.several else found[0])
    return results


def _plans(program: Program, task: Task) -> list[MeasurementPlan]:
    return [plan(program, operator, task.num_shots, task.grouping or "qubit-wise") for operator in task.observables]


def _calibration(program: Program, task: Task, outcomes: Iterator[Mapping[int, int]]) -> ReadoutCalibration | None:
    if not task.mitigation_shots:
        return None
    zeros, ones = next(outcomes), next(outcomes)
    return ReadoutCalibration.from_counts(zeros, ones, program.circuit.num_qubits)


def _details(program: Program, outcomes: Mapping[int, int], metadata: Mapping[str, Any]) -> ExecutionDetails:
    registers = [r for r in program.measured.clbit_registers if program.kept in (None, r.name)]
    visible = [bit for register in registers for bit in register.indices]
    counts: dict[str, int] = {}
    for outcome, shots in outcomes.items():
        key = "".join(str(outcome >> bit & 1) for bit in reversed(visible))
        counts[key] = counts.get(key, 0) + shots
    ordered = dict(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])))
    return ExecutionDetails(
        ordered, dict(program.outputs), None, dict(program.types), program.measured_qubits, dict(metadata)
    )


def _estimated(
    made: MeasurementPlan,
    outcomes: Sequence[Mapping[int, int]],
    metadata: Mapping[str, Any],
    calibration: ReadoutCalibration | None,
) -> EstimationResult:
    value, error = made.estimate(outcomes, calibration)
    shots = sum(sum(found.values()) for found in outcomes)
    own = {**metadata, "method": "shots", "num_shots": shots, "groups": len(made.groups)}
    if calibration is not None:
        own["readout_mitigation"] = calibration.metadata()
    return EstimationResult(value, error * error * shots, error, own)
