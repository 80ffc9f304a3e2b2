"""The order of operations between two points of control flow: as few qubits at a time as it takes.

A measurement needs the gates that act on its qubit before it, and nothing else: everything that does not touch it waits.
Gates that share no qubit, directly or by others, are segments of their own, so that what is independent stays apart. Of a
segment on many qubits only the backward cone of the measured qubit is run, and the qubit has left the state before the
next ones enter (a chain of a thousand qubits then has two at a time).

Order is kept wherever it matters: two operations that share a qubit change places only if both are diagonal on it, or
control by it, or measure it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from qsim.dynamic.operations import GateStep

#: A segment on so many qubits is run as a whole.
_WHOLE_QUBITS = 10


@dataclass(frozen=True, slots=True)
class MeasureStep:
    """Measure a qubit into a classical bit."""

    qubit: int
    clbit: int


@dataclass(frozen=True, slots=True)
class ResetStep:
    """Put a qubit back to |0>."""

    qubit: int


Step = GateStep | MeasureStep | ResetStep


def ordered(steps: Sequence[Step]) -> list[list[GateStep] | MeasureStep | ResetStep]:
    """Steps in an order that has the same effect, gates in groups that are run together.

    >>> h, cx = GateStep(0, (0,), (), 0, 0), GateStep(1, (1, 2), (), 0, 0)
    >>> [len(item) if isinstance(item, list) else item for item in ordered([h, cx, MeasureStep(0, 0)])]
    [1, MeasureStep(qubit=0, clbit=0), 1]
    """
    waiting = _Waiting()
    result: list[list[GateStep] | MeasureStep | ResetStep] = []
    for step in steps:
        if isinstance(step, GateStep):
            waiting.add(step)
            continue
        needed = waiting.needed_by(step.qubit, isinstance(step, MeasureStep))
        if needed:
            result.append(needed)
        result.append(step)
    result.extend(waiting.all())
    return result


class _Waiting:
    """Gates that are not placed yet, in groups without a common qubit."""

    def __init__(self) -> None:
        self._group_of: dict[int, list[GateStep]] = {}  # by qubit
        self._qubits: dict[int, set[int]] = {}  # of a group, by its identity

    def add(self, gate: GateStep) -> None:
        groups = {id(g): g for q in gate.qubits if (g := self._group_of.get(q)) is not None}
        if not groups:
            group: list[GateStep] = []
            self._qubits[id(group)] = set()
        else:
            # The largest takes the others in; gates of different groups commute, so their order is free.
            group, *others = sorted(groups.values(), key=len, reverse=True)
            for other in others:
                group.extend(other)
                moved = self._qubits.pop(id(other))
                self._qubits[id(group)] |= moved
                for q in moved:
                    self._group_of[q] = group
        group.append(gate)
        for q in gate.qubits:
            self._qubits[id(group)].add(q)
            self._group_of[q] = group

    def needed_by(self, qubit: int, measured: bool) -> list[GateStep]:
        """The gates to be done before a qubit is measured or reset, which are taken out."""
        group = self._group_of.get(qubit)
        if group is None:
            return []
        qubits = self._qubits.pop(id(group))
        for q in qubits:
            del self._group_of[q]
        if len(qubits) <= _WHOLE_QUBITS:
            return group
        needed, rest = cone(group, qubit, measured)
        for gate in rest:
            self.add(gate)
        return needed

    def all(self) -> Iterable[list[GateStep]]:
        groups = {id(group): group for group in self._group_of.values()}
        self._group_of, self._qubits = {}, {}
        return groups.values()


def cone(gates: Sequence[GateStep], qubit: int, measured: bool = True) -> tuple[list[GateStep], list[GateStep]]:
    """The gates that have to come before a qubit is measured (or reset), and the others, each in their order."""
    # Of each qubit in the cone: whether all that the cone does there so far is diagonal.
    steady_on = {qubit: measured}
    needed, rest = [], []
    for gate in reversed(gates):
        steady = len(gate.steady)
        for j, q in enumerate(gate.qubits):
            if q in steady_on and not (steady_on[q] and j < steady):
                break
        else:
            rest.append(gate)
            continue
        needed.append(gate)
        for j, q in enumerate(gate.qubits):
            steady_on[q] = steady_on.get(q, True) and j < steady
    return needed[::-1], rest[::-1]
