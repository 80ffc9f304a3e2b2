"""A circuit and a noise model together: flat gates, and the channels between them.

A circuit is cut at its measurements, resets and feed-forward nodes. Between two of these there is a `Segment`: lowered
rows, as the compiler takes them, and places, each a channel that acts when so many of the rows have been applied.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from qsim.circuit import BARRIER, DELAY, GATE_OBJECT, MEASURE, RESET, ROW, Circuit, GateDefinition
from qsim.classical import FeedForward
from qsim.compiler.lowering import MATRIX, Lowered, lower_gate
from qsim.gates import GATES, Gate, GateRow, row_by_code

if TYPE_CHECKING:
    from qsim.channels import Channel
    from qsim.noise import NoiseModel

_PROBE = (0.734, -1.187, 2.341, 0.419)


@dataclass(frozen=True)
class Place:
    """A channel that acts on `qubits` after `at` rows of its segment."""

    at: int
    channel: Channel
    qubits: tuple[int, ...]


@dataclass
class Segment:
    """Gates and noise with nothing between them that measures, resets or decides."""

    rows: list[tuple[int, ...]] = field(default_factory=list)
    operands: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    matrices: list[Any] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)

    def lowered(self, start: int = 0, stop: int | None = None) -> Lowered:
        """Rows [start, stop), new arrays that the compiler may change."""
        return Lowered(
            np.array(self.rows[start:stop], dtype=np.int64).reshape(-1, ROW), np.array(self.operands, dtype=np.int64),
            np.array(self.values, dtype=np.float64), {}, list(self.matrices),
        )  # fmt: skip

    def targets(self, row: int) -> tuple[list[int], list[int], int, Any]:
        """A row as its controls, their targets, the controls' values, and the matrix on the targets."""
        code, first, count, value, controls, bits = self.rows[row]
        qubits = self.operands[first : first + count]
        if code == MATRIX:
            return qubits[:controls], qubits[controls:], bits, self.matrices[value]
        gate = row_by_code(code)
        own = gate.controls
        bits |= ((1 << own) - 1) << controls
        matrix = gate.base_matrix(*self.values[value : value + gate.num_params])
        return qubits[: controls + own], qubits[controls + own :], bits, matrix


@dataclass(frozen=True)
class Measurement:
    """A measurement of a qubit into a classical bit."""

    qubit: int
    clbit: int


@dataclass(frozen=True)
class ResetQubit:
    """A reset of a qubit; noise on "reset" follows as a channel."""

    qubit: int


Step = Segment | Measurement | ResetQubit | FeedForward


def noisy_steps(circuit: Circuit, model: NoiseModel) -> list[Step]:
    """The steps of a circuit without free parameters, in order; measurements that end it are steps as others are."""
    return _Expander(model).expand(circuit)


def is_static(steps: list[Step]) -> bool:
    """Whether the steps are one segment and then measurements."""
    return all(isinstance(step, Segment if k == 0 else Measurement) for k, step in enumerate(steps))


@cache
def gate_name(code: int, controls: int) -> str:
    """What a table gate with further controls is called: ``x`` with one is ``cx``; by itself if the table has no name."""
    row = row_by_code(code)
    if not controls:
        return row.name
    probe = _PROBE[: row.num_params]
    matrix = row.base_matrix(*probe)
    for other in GATES.values():
        if other.controls == row.controls + controls and other.num_params == row.num_params:
            candidate = other.base_matrix(*probe)
            if candidate.shape == matrix.shape and np.allclose(candidate, matrix, atol=1e-14):
                return other.name
    return row.name


class _Expander:
    """Walks through a circuit, definitions included, and notes which noise comes where."""

    def __init__(self, model: NoiseModel) -> None:
        self.model = model
        self.steps: list[Step] = []
        self.segment = Segment()

    def expand(self, circuit: Circuit) -> list[Step]:
        self.steps.append(self.segment)
        rows, operands, values = circuit._rows, circuit._operands, circuit._values
        tail: list[Measurement] = []
        touched: set[int] = set()
        for at in range(0, len(rows), ROW):
            code, start, count, first, controls, bits = rows[at : at + ROW]
            qubits = tuple(operands[start : start + count])
            if code == MEASURE:
                qubit, clbit = qubits
                if tail and (qubit in touched or any(step.clbit == clbit for step in tail)):
                    self._flush(tail, touched)
                self._noise("measure", (qubit,))
                tail.append(Measurement(qubit, clbit))
                touched.add(qubit)
                continue
            if code == BARRIER:
                continue
            # Gates on other qubits may come before a measurement that waits.
            if tail and ((code < 0 and code not in (DELAY, GATE_OBJECT)) or not touched.isdisjoint(qubits)):
                self._flush(tail, touched)
            if code >= 0:
                gate = row_by_code(code)
                self._row((code, count, controls, bits), qubits, values[first : first + gate.num_params])
                self._noise(gate_name(code, controls), qubits)
            elif code == GATE_OBJECT:
                item = circuit._objects[first]
                assert isinstance(item, Gate)
                self._gate(item, qubits)
            elif code == DELAY:
                self._noise("delay", qubits)
            elif code == RESET:
                self._event(ResetQubit(qubits[0]))
                self._noise("reset", qubits)
            else:
                self._event(cast(FeedForward, circuit._objects[first]))
        self._flush(tail, touched, last=True)
        return self.steps

    def _flush(self, tail: list[Measurement], touched: set[int], last: bool = False) -> None:
        self.steps.extend(tail)
        if tail and not last:
            self.segment = Segment()
            self.steps.append(self.segment)
        tail.clear()
        touched.clear()

    def _event(self, step: Step) -> None:
        self.steps.append(step)
        self.segment = Segment()
        self.steps.append(self.segment)

    def _row(self, row: tuple[int, int, int, int], qubits: tuple[int, ...], values: Any) -> None:
        """Append a row (code, operands, controls, control values)."""
        segment = self.segment
        code, count, controls, bits = row
        segment.rows.append((code, len(segment.operands), count, len(segment.values), controls, bits))
        segment.operands.extend(qubits)
        segment.values.extend(values)

    def _noise(self, name: str, qubits: tuple[int, ...]) -> None:
        for channel, where in self.model.channels_for(name, qubits):
            chances = channel.pauli_probabilities
            if chances is None or chances["I" * len(where)] < 1:
                self.segment.places.append(Place(len(self.segment.rows), channel, where))

    def _gate(self, gate: Gate, qubits: tuple[int, ...]) -> None:
        """A gate of any kind; those that a program defines are taken apart, unless the model knows them by name."""
        base, extra = gate.base, len(gate.controls)
        whole = all(float(power).is_integer() for power in gate.powers)
        if isinstance(base, GateDefinition) and base.name not in self.model.own_gates and whole:
            times = int(gate.powers[0]) if gate.powers else 1
            base.check_size(max(1, abs(times)), 10_000_000)
            values = {p.name: v for p, v in zip(base.parameters, gate.params, strict=True)}
            body = base.body.bind(values) if values else base.body
            body = body.inverse() if times < 0 else body
            for _ in range(abs(times)):
                for instruction in body:
                    if isinstance(inner := instruction.operation, Gate):
                        inner = inner._with(controls=gate.controls + inner.controls)
                        own = tuple(qubits[extra + q] for q in instruction.qubits)
                        self._gate(inner, qubits[:extra] + own)
                if extra and isinstance(body.global_phase, float) and body.global_phase:
                    self._block(Gate("gphase", body.global_phase)._with(controls=gate.controls), qubits[:extra])
            return
        self._block(gate, qubits)
        if isinstance(base, GateRow):
            if base.name != "gphase":
                self._noise(gate_name(base.code, extra), qubits)
        else:
            known = base.name in self.model.own_gates or isinstance(base, GateDefinition)
            self._noise(base.name if known else "unitary", qubits)

    def _block(self, gate: Gate, qubits: tuple[int, ...]) -> None:
        """The lowered rows of a gate, with nothing between them."""
        if isinstance(gate.base, GateRow) and not gate.powers:
            bits = sum(value << k for k, value in enumerate(gate.controls))
            values = [float(p) for p in gate.params]
            self._row((gate.base.code, len(qubits), len(gate.controls), bits), qubits, values)
            return
        block = lower_gate(gate)
        segment = self.segment
        for code, first, count, value, controls, bits in block.rows.tolist():
            at = len(segment.values)
            if code == MATRIX:
                at = len(segment.matrices)
                segment.matrices.append(block.matrices[value])
            else:
                segment.values.extend(block.values[value : value + row_by_code(code).num_params].tolist())
            segment.rows.append((code, len(segment.operands), count, at, controls, bits))
            segment.operands.extend(qubits[q] for q in block.operands[first : first + count].tolist())
