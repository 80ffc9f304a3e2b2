"""Checking a task against what a backend says it can do."""

from __future__ import annotations

from qsim.pauli import SparsePauliOp
from session.backends.protocol import Capabilities
from session.errors import SessionError
from session.programs import Program
from session.tasks import Task, TaskKind

#: What the operations that a session makes of others need of a backend.
MADE_OF = {TaskKind.ESTIMATE_COST: TaskKind.SAMPLE, TaskKind.MINIMIZE: TaskKind.SAMPLE}


def needed_operation(task: Task) -> TaskKind:
    """The operation that a backend has to have for a task."""
    if task.kind in MADE_OF and task.observables and task.quantile == 1:
        return TaskKind.ESTIMATE
    return MADE_OF.get(task.kind, task.kind)


def check_capabilities(name: str, can: Capabilities, program: Program, task: Task) -> None:
    """Raise a `SessionError` for a task that a backend with these capabilities does not run."""
    needed = needed_operation(task)
    if needed not in can.operations:
        there = ", ".join(sorted(kind.value for kind in can.operations))
        exact = needed in (TaskKind.STATE_VECTOR, TaskKind.GRADIENT) and name != "simulator_statevector"
        advice = " Use backend 'simulator_statevector'." if exact else ""
        if name == "simulator_statevector":  # which has every operation unless there is noise
            advice = " Under noise, and by methods other than the statevector, there are no gradients (and may be no state vector)."
        raise SessionError(f"Backend '{name}' has no operation {needed.value}; it has {there}.{advice}")
    circuit = program.circuit
    if can.num_qubits is not None and circuit.num_qubits > can.num_qubits:
        raise SessionError(f"Backend '{name}' has {can.num_qubits} qubits; the program needs {circuit.num_qubits}.")
    if task.num_shots > can.max_shots:
        raise SessionError(f"Backend '{name}' takes at most {can.max_shots:,} shots, got {task.num_shots:,}.")
    if task.mitigation_shots > can.max_shots:
        raise SessionError(
            f"Backend '{name}' takes at most {can.max_shots:,} shots of one circuit, got readout_mitigation="
            f"{task.mitigation_shots:,}."
        )
    if can.max_sets is not None and len(task.rows) > can.max_sets:
        raise SessionError(
            f"Backend '{name}' takes at most {can.max_sets:,} parameter sets a call, got {len(task.rows):,}."
        )
    if program.is_dynamic and not can.feed_forward and (not can.measures_midway or program.circuit.has_feed_forward):
        from session.preparation import check_task

        check_task(program, task, can, f"Backend '{name}'")  # by name and line
        what = "branches" if can.measures_midway else "resets, branches or measures midway"
        raise SessionError(f"Backend '{name}' runs no program that {what}.")
    if task.filters and needed is TaskKind.ESTIMATE and not can.estimate_filters:
        raise SessionError(
            f"Backend '{name}' estimates the state as it is, without filters on measured outputs. Use sample, or backend "
            "'simulator_statevector'."
        )
    if needed is TaskKind.STATE_VECTOR or (task.filters and needed is TaskKind.ESTIMATE):
        _ = program.output_qubits  # which says why a program has none
    for operator in task.observables:
        check_hamiltonian(program, operator)


def check_hamiltonian(program: Program, operator: object) -> None:
    """Raise for an observable that has no expectation value in the state of a program."""
    if not isinstance(operator, SparsePauliOp):
        raise SessionError(f"A hamiltonian is a SparsePauliOp, got {type(operator).__name__}.")
    if program.is_dynamic:
        raise SessionError(
            "An expectation value needs a program of gates, with measurements at its end at most; this one resets, "
            "branches or uses qubits after measuring them. Use sample."
        )
    if operator.num_qubits > program.circuit.num_qubits:
        raise SessionError(
            f"A hamiltonian acts on the program's qubits; it has {operator.num_qubits}, the program {program.circuit.num_qubits}."
        )
    if not operator.is_hermitian:
        raise SessionError(
            "A hamiltonian is Hermitian, so its coefficients are real numbers; this one has complex ones."
        )
