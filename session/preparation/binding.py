"""A task's circuits: parameters bound, branches that parameters decide taken, definitions replaced by what they stand for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from qsim.circuit import Circuit
from qsim.classical import Bits, ClassicalExpression, ClassicalOperation, IfElse, Switch, WhileLoop, rebuilt
from qsim.gates import Gate
from session.backends.protocol import Capabilities
from session.preparation.flat import inlined
from session.preparation.rebase import rebase
from session.preparation.target import check_target
from session.programs import Program
from session.tasks import Task


def bind_rows(program: Program, task: Task) -> Iterator[Circuit]:
    """The measured circuit of a program for each parameter set of a task, with numbers alone, made one by one.

    Branches that parameters decide are taken; what depends on measurements stays.

    >>> import numpy as np
    >>> from qsim import Parameter
    >>> from session.programs import read_program
    >>> from session.tasks import TaskKind
    >>> program = read_program(Circuit(1).rx(Parameter("a"), 0))
    >>> task = Task(TaskKind.SAMPLE, np.array([[0.5], [1.0]]), True, 100, 7)
    >>> [circuit[0].operation.params for circuit in bind_rows(program, task)]
    [(0.5,), (1.0,)]
    """
    names = [parameter.name for parameter in program.circuit.parameters]
    for row in task.rows.tolist():
        values = dict(zip(names, row, strict=True))
        circuit = program.measured.bind(values) if values else program.measured
        yield settled(circuit) if circuit.has_feed_forward else circuit


def settled(circuit: Circuit) -> Circuit:
    """The circuit without branches that no measurement decides: the body that is taken stands in their place.

    >>> from qsim.classical import Literal
    >>> circuit = Circuit(1)
    >>> settled(circuit.if_else(Literal(1), circuit.block().x(0))).count_ops()
    {'x': 1}
    """
    result = circuit.block()
    for parameter in circuit.parameters:
        result.declare_parameter(parameter)
    _settle(result, circuit)
    return result


def _settle(result: Circuit, circuit: Circuit) -> None:
    result.gphase(circuit.global_phase)
    for instruction in circuit:
        operation = instruction.operation
        if isinstance(operation, IfElse) and not _reads_bits(operation.condition):
            body = operation.body if operation.condition.evaluate(0) else operation.orelse
        elif isinstance(operation, Switch) and not _reads_bits(operation.target):
            value = operation.target.evaluate(0)
            body = next((case for labels, case in operation.cases if value in labels), operation.default)
        elif (
            isinstance(operation, WhileLoop)
            and not _reads_bits(operation.condition)
            and not operation.condition.evaluate(0)
        ):
            continue
        else:
            if isinstance(operation, (IfElse, Switch, WhileLoop)):
                operation = rebuilt(operation, settled)
            result._append(operation, instruction.qubits, instruction.clbits)
            continue
        if body is not None:
            _settle(result, body)


def _reads_bits(expression: ClassicalExpression) -> bool:
    if isinstance(expression, ClassicalOperation):
        return any(_reads_bits(arg) for arg in expression.args)
    return isinstance(expression, Bits)


def prepare_circuit(
    circuit: Circuit,
    gates: Iterable[str] | None,
    *,
    small_angles: bool = False,
    merge: bool = True,
) -> Circuit:
    """A circuit with numbers as a target takes it: in its gates, or (None) in plain gates of the table.

    Without a gate set definitions are expanded, and matrices and modifiers stay.
    """
    return inlined(circuit) if gates is None else rebase(circuit, gates, small_angles=small_angles, merge=merge)


def check_task(program: Program, task: Task, can: Capabilities, name: str, **options: bool) -> None:
    """Raise for a task that a target cannot run, by the names and lines of its program.

    A program whose branches parameters decide is checked as each set leaves it. `options` are those of `check_target`.

    Raises:
        TargetError: with all problems.
    """
    circuit = program.circuit
    if circuit.has_feed_forward and not can.feed_forward and _is_decided(program.circuit):
        for bound in bind_rows(program, task):
            check_target(bound, can, name=name, shots=task.num_shots, **options)
        return
    check_target(circuit, can, name=name, source=program, shots=task.num_shots, **options)


def _is_decided(circuit: Circuit) -> bool:
    """Whether there are branches that parameters decide, so that the operations of a set are not those of the text."""
    return any(
        (isinstance(i.operation, IfElse) and not _reads_bits(i.operation.condition))
        or (isinstance(i.operation, Switch) and not _reads_bits(i.operation.target))
        for i in circuit
        if not isinstance(i.operation, Gate)
    )
