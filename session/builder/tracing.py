"""What happens while a quantum function runs: its statements are noted down, and at the end become a circuit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Union

from qsim.circuit import MAX_QUBITS, Circuit
from qsim.classical import ClassicalExpression
from qsim.gates import Gate
from session.builder.errors import BuilderError


@dataclass(frozen=True)
class GateStep:
    """A gate on qubits."""

    gate: Gate
    qubits: tuple[int, ...]


@dataclass(frozen=True)
class BranchStep:
    """Steps that are done when a condition on parameters holds, and others when it does not."""

    condition: ClassicalExpression
    then: tuple[Step, ...]
    otherwise: tuple[Step, ...]


Step = Union[GateStep, BranchStep]


@dataclass
class Tracer:
    """The steps so far, and how many qubits there are. `depth` counts blocks that are not done exactly once."""

    steps: list[Step] = field(default_factory=list)
    num_qubits: int = 0
    depth: int = 0

    def new_qubits(self, count: int) -> list[int]:
        """Fresh qubits in |0>."""
        if self.num_qubits + count > MAX_QUBITS:
            raise BuilderError(f"A program has at most {MAX_QUBITS:,} qubits; this one would have more.")
        self.num_qubits += count
        return list(range(self.num_qubits - count, self.num_qubits))

    def add(self, gate: Gate, qubits: Sequence[int]) -> None:
        """Note down a gate."""
        self.steps.append(GateStep(gate, tuple(qubits)))

    def block(self, body: Any, what: str, *, once: bool = False) -> list[Step]:
        """The steps of a block, taken out of the program for whoever asked to do with them what it does.

        Args:
            body: a function without arguments.
            what: the statement, for messages.
            once: whether the block is done exactly once, so that it may allocate for variables outside.
        """
        if not callable(body):
            raise BuilderError(f"{what} takes a block as a function without arguments, lambda: X(q); got {body!r}.")
        outer, self.steps = self.steps, []
        self.depth += not once
        try:
            body()
            return self.steps
        finally:
            self.steps = outer
            self.depth -= not once


current: ContextVar[Tracer | None] = ContextVar("qsim_builder", default=None)


def tracer(what: str) -> Tracer:
    """The tracer of the function that is being read.

    Raises:
        BuilderError: none is: statements stand inside quantum functions.
    """
    found = current.get()
    if found is None:
        raise BuilderError(f"{what} stands inside a @qfunc, which synthesize reads; it does nothing by itself.")
    return found


@contextmanager
def tracing() -> Iterator[Tracer]:
    """A new program, while it is being read."""
    made = Tracer()
    token = current.set(made)
    try:
        yield made
    finally:
        current.reset(token)


# changing blocks ------------------------------------------------------------------------------------------------
def inverted(steps: Sequence[Step]) -> list[Step]:
    """The steps that undo these."""
    return [
        GateStep(step.gate.inverse(), step.qubits)
        if isinstance(step, GateStep)
        else BranchStep(step.condition, tuple(inverted(step.then)), tuple(inverted(step.otherwise)))
        for step in reversed(steps)
    ]


def controlled(steps: Sequence[Step], qubits: Sequence[int], value: int) -> list[Step]:
    """The steps, done where control qubits hold the bits of `value`, the first the least significant."""
    made: list[Step] = []
    for step in steps:
        if isinstance(step, BranchStep):
            then, otherwise = controlled(step.then, qubits, value), controlled(step.otherwise, qubits, value)
            made.append(BranchStep(step.condition, tuple(then), tuple(otherwise)))
            continue
        used = set(step.qubits) & set(qubits)
        if used:
            raise BuilderError(
                f"A block changes no qubit that controls it; '{step.gate.name}' acts on qubit {min(used)}."
            )
        gate = step.gate
        for k in reversed(range(len(qubits))):  # control() puts its qubit in front
            gate = gate.control(1, (value >> k) & 1)
        made.append(GateStep(gate, (*qubits, *step.qubits)))
    return made


def append_steps(circuit: Circuit, steps: Sequence[Step]) -> Circuit:
    """Append steps to a circuit."""
    for step in steps:
        if isinstance(step, GateStep):
            circuit.append(step.gate, step.qubits)
        else:
            orelse = append_steps(circuit.block(), step.otherwise) if step.otherwise else None
            circuit.if_else(step.condition, append_steps(circuit.block(), step.then), orelse)
    return circuit


Block = Callable[[], Any]
