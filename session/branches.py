"""Conditions on parameters alone, decided when the parameters are known: what is left branches no more.

An ``if`` or ``switch`` that reads no classical bit goes one way for a whole parameter set. A program whose branches are
all of that kind is a program of gates for each set, with exact expectation values, state vectors and gradients.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import groupby
from typing import Any

from qsim.circuit import Circuit
from qsim.classical import Bits, ClassicalExpression, ClassicalOperation, IfElse, Switch, bind_expression, bodies
from qsim.pool import part
from session.backends.protocol import Backend, Capabilities
from session.programs import Program
from session.results import Result
from session.tasks import Task

_KEPT = 64  # settled programs that are kept: one for each way through the branches


def _reads_bits(expression: ClassicalExpression) -> bool:
    if isinstance(expression, ClassicalOperation):
        return any(_reads_bits(arg) for arg in expression.args)
    return isinstance(expression, Bits)


def _is_decided(operation: Any) -> bool:
    """Whether parameters alone decide which way it goes."""
    if isinstance(operation, IfElse):
        return not _reads_bits(operation.condition)
    return isinstance(operation, Switch) and not _reads_bits(operation.target)


def branches_on_parameters(circuit: Circuit) -> bool:
    """Whether a circuit has a branch, outside loops and other branches, that parameters alone decide.

    >>> from qsim.classical import Input
    >>> from qsim.parameters import Parameter
    >>> circuit = Circuit(1)
    >>> branches_on_parameters(circuit.if_else(Input(Parameter("n") + 0), circuit.block().x(0)))
    True
    """
    return circuit.has_feed_forward and any(_is_decided(instruction.operation) for instruction in circuit)


def _way(operation: IfElse | Switch, values: Mapping[str, float]) -> tuple[int, Circuit | None]:
    """Which of its bodies an operation takes, as a number and as itself."""
    if isinstance(operation, IfElse):
        holds = bool(bind_expression(operation.condition, values).evaluate(0))
        return (0, operation.body) if holds else (1, operation.orelse)
    target = bind_expression(operation.target, values).evaluate(0)
    for number, (labels, body) in enumerate(operation.cases):
        if target in labels:
            return number, body
    return -1, operation.default


class SettledPrograms:
    """The programs that one with branches on parameters comes to, each made, and so compiled, once."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._names = [parameter.name for parameter in program.circuit.parameters]
        self._deciding: dict[int, tuple[Circuit, list[Any]]] = {}  # by the id of a circuit, which is kept beside them
        self._made: dict[tuple[int, ...], Program] = {}

    def parts(self, task: Task) -> Iterator[tuple[int, int, Program]]:
        """Runs of neighbouring sets that go the same way: first set, the set after the last, and their program."""
        values = [dict(zip(self._names, row, strict=True)) for row in task.rows.tolist()]
        ways = [tuple(self._ways(self._program.circuit, one)) for one in values]
        for way, group in groupby(range(len(ways)), key=ways.__getitem__):
            numbers = list(group)
            yield numbers[0], numbers[-1] + 1, self._settled(way, values[numbers[0]])

    def _ways(self, circuit: Circuit, values: Mapping[str, float]) -> Iterator[int]:
        """Which way each branch goes; those inside the body that is taken come after it."""
        if id(circuit) not in self._deciding:
            deciding = [i.operation for i in circuit if _is_decided(i.operation)] if circuit.has_feed_forward else []
            self._deciding[id(circuit)] = (circuit, deciding)
        for operation in self._deciding[id(circuit)][1]:
            number, body = _way(operation, values)
            yield number
            if body is not None:
                yield from self._ways(body, values)

    def _settled(self, way: tuple[int, ...], values: Mapping[str, float]) -> Program:
        if way not in self._made:
            if len(self._made) >= _KEPT:
                self._made.clear()
            circuit = self._program.circuit.block()
            for parameter in self._program.circuit.parameters:  # all of them, so that rows stay as they are
                circuit.declare_parameter(parameter)
            places: list[tuple[int, ...]] = []
            _append(circuit, self._program.circuit, values, places, ())
            made, text = self._program.with_circuit(circuit), self._program.source
            if isinstance(text, str):  # so that refusals can tell lines
                made = replace(made, written=(text, self._program.include_dirs, tuple(places)))
            self._made[way] = made
        return self._made[way]


def _append(
    circuit: Circuit, source: Circuit, values: Mapping[str, float], places: list[tuple[int, ...]], path: tuple[int, ...]
) -> None:
    """Append what a circuit comes to; `places` gets the path of each operation, and `path` leads to the circuit."""
    circuit.gphase(source.global_phase)
    for number, instruction in enumerate(source):
        operation, at = instruction.operation, (*path, number)
        if not _is_decided(operation):
            circuit._append(operation, instruction.qubits, instruction.clbits)
            places.append(at)
            continue
        body = _way(operation, values)[1]  # type: ignore[arg-type]
        if body is not None:
            which = next(k for k, one in enumerate(bodies(operation)) if one is body)  # type: ignore[arg-type]
            _append(circuit, body, values, places, (*at, which))


class SettlingBackend:
    """A backend that is given programs without the branches that parameters decide."""

    def __init__(self, backend: Backend, settled: SettledPrograms) -> None:
        self._backend, self._settled = backend, settled

    @property
    def name(self) -> str:
        """The backend's name."""
        return self._backend.name

    def capabilities(self) -> Capabilities:
        """The backend's."""
        return self._backend.capabilities()

    def check(self, program: Program, task: Task) -> None:
        """The backend's, of each way that the sets of a task go."""
        for start, stop, one in self._settled.parts(task):
            self._backend.check(one, task.part(start, stop))

    def run(self, program: Program, task: Task) -> list[Result]:
        """One result for each parameter set; set k of all has the seed that it has in a program without branches."""
        results: list[Result] = []
        for start, stop, one in self._settled.parts(task):
            with part(start, len(task.rows)):
                results += self._backend.run(one, task.part(start, stop))
        return results
