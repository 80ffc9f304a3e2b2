"""A Clifford circuit as steps that go through all shots side by side.

Gates, measurements, resets and noise become rows of integers for `qsim.kernels.frames`. Feed-forward whose bodies hold
Paulis and assignments stays in bulk too: a Pauli that only some shots get multiplies their frames. Everything else
(other gates under a condition, measurements inside a body, loops) needs a history at a time: `qsim.branching`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Union

import numpy as np
import numpy.typing as npt

from qsim.circuit import BARRIER, DELAY, FEED_FORWARD, GATE_OBJECT, MEASURE, RESET, ROW, Circuit
from qsim.classical import Assign, ClassicalExpression, FeedForward, IfElse, Switch, WithValues, bodies
from qsim.errors import QsimError
from qsim.kernels import frames as codes
from qsim.stabilizer.clifford import PAULIS, STIM_NAMES, NotClifford, Ops, Recognizer, X, Z, describe_gate
from qsim.stabilizer.noise import NoiseTables, noise_names

if TYPE_CHECKING:
    from qsim.noise import NoiseModel

Ints = npt.NDArray[np.int64]
NOTHING: list[int] = []


@dataclass(frozen=True)
class Segment:
    """Operations that all shots go through; `place` is the number of the first."""

    ops: Ints
    place: int


@dataclass(frozen=True)
class Paulis:
    """Paulis under a condition: (qubit, has an X part, has a Z part), and rows of noise that follow them."""

    factors: tuple[tuple[int, bool, bool], ...]
    noise: Ints
    place: int


@dataclass(frozen=True)
class Choose:
    """Evaluate an expression and run the steps of the first case whose test it passes."""

    value: ClassicalExpression
    cases: tuple[tuple[Callable[[Any], bool], tuple[Step, ...]], ...]


@dataclass(frozen=True)
class Store:
    """Store the value of an expression into classical bits."""

    clbits: tuple[int, ...]
    value: ClassicalExpression


Step = Union[Segment, Paulis, Choose, Store]


@dataclass(frozen=True)
class Program:
    """Steps on the qubits that a circuit uses, numbered from 0 on."""

    steps: tuple[Step, ...]
    qubits: dict[int, int]  # of the circuit -> here
    num_clbits: int
    num_measurements: int
    noise: tuple[Any, Any, Any] = field(repr=False)

    @property
    def is_static(self) -> bool:
        """Whether nothing depends on classical bits, so that stim can make the reference in one call."""
        return all(isinstance(step, Segment) for step in self.steps)

    def text(self) -> str:
        """The segments without noise as a stim circuit."""
        return "\n".join(segment_text(step.ops) for step in self.steps if isinstance(step, Segment))


def segment_text(ops: Ints) -> str:
    """Rows of operations as a stim circuit, without noise.

    >>> segment_text(np.array([[0, 2, 2, 0], [8, 2, 3, 0], [11, 3, 0, -1]])).split("\\n")
    ['H 2', 'CX 2 3', 'M 3']
    """
    lines = []
    for code, a, b, _ in ops.tolist():
        if code < 8:
            lines.append(f"{STIM_NAMES[code]} {a}")
        elif code < 11:
            lines.append(f"{STIM_NAMES[code]} {a} {b}")
        elif code < codes.RESET:
            lines.append(f"M {a}")
        elif code == codes.RESET:
            lines.append(f"R {a}")
    return "\n".join(lines)


class NeedsBranches(Exception):
    """A circuit has feed-forward that cannot go through all shots side by side."""


def check_clifford(circuit: Circuit, recognizer: Recognizer | None = None) -> None:
    """Raise `NotClifford`, with the gate and its place, unless all gates of a circuit are Clifford, in bodies too."""
    recognizer = recognizer or Recognizer()
    rows = circuit._rows
    for index, code in enumerate(rows[::ROW]):
        if code >= 0 or code == GATE_OBJECT:
            if recognizer.operations(circuit, index) is None:
                raise NotClifford(f"{describe_gate(circuit, index)}, is no Clifford gate")
        elif code == FEED_FORWARD:
            node: Any = circuit._objects[rows[index * ROW + 3]]
            if isinstance(node, WithValues):
                raise NotClifford(f"operation {index} has angles that depend on classical bits")
            for body in bodies(node):
                try:
                    check_clifford(body, recognizer)
                except NotClifford as error:
                    raise NotClifford(f"in the body of operation {index}, {error}") from None


def build(circuit: Circuit, noise: NoiseModel | None = None, recognizer: Recognizer | None = None) -> Program:
    """The steps of a circuit without open parameters.

    Raises:
        NotClifford: for a gate that is not.
        NeedsBranches: its feed-forward cannot be done in bulk.
        QsimError: noise that is no mixture of Paulis.
    """
    return _Builder(recognizer or Recognizer(), noise).program(circuit)


class _Builder:
    def __init__(self, recognizer: Recognizer, noise: NoiseModel | None) -> None:
        self.recognizer = recognizer
        self.tables = NoiseTables(noise)
        self.noisy = noise is not None and not noise.is_ideal
        self.place = 0
        self.qubits: dict[int, int] = {}
        self.last: dict[int, list[int]] = {}  # the last operation on each qubit
        self.measured = 0

    def program(self, circuit: Circuit) -> Program:
        steps = self.steps(circuit)
        for record in self.last.values():
            if record and record[0] == codes.MEASURE:
                record[0] = codes.MEASURE_LAST
        start = np.array([(codes.START, k, 0, 0) for k in range(len(self.qubits))], np.int64).reshape(-1, 4)
        finished = (Segment(start, self.place), *(_finished(step) for step in steps))
        return Program(finished, self.qubits, circuit.num_clbits, self.measured, self.tables.arrays())

    def steps(self, circuit: Circuit) -> list[Any]:
        """Top-level steps: segments as (records, place) until all is known about them."""
        steps: list[Any] = []
        records: list[list[int]] = []
        rows, operands, qubits, last = circuit._rows.tolist(), circuit._operands.tolist(), self.qubits, self.last
        operations, plain = self.recognizer.operations, {} if self.noisy else self.recognizer.plain
        columns = (rows[k::ROW] for k in range(ROW))
        for index, (code, first, count, item, controls, _) in enumerate(zip(*columns, strict=True)):
            if not controls and (known := plain.get(code)) is not None:  # most gates are as simple as that
                used = [qubits.setdefault(q, len(qubits)) for q in operands[first : first + count]]
                for op, a, b in known:
                    records.append([op, used[a], used[b], 0])
                for at in used:
                    last[at] = NOTHING
                continue
            if code == BARRIER or (code == DELAY and not self.noisy):
                continue
            if code == FEED_FORWARD:
                if records:
                    steps.append((records, self.place))
                    self.place += len(records)
                    records = []
                steps.extend(self.node(circuit._objects[item], index))
                continue
            if code == MEASURE:
                at = qubits.setdefault(operands[first], len(qubits))
                if self.noisy:
                    records.extend(self.noise("measure", operands[first : first + 1]))
                record = [codes.MEASURE, at, operands[first + 1], self.tables.readout(operands[first])]
                last[at] = record
                records.append(record)
                self.measured += 1
                continue
            used = [qubits.setdefault(q, len(qubits)) for q in operands[first : first + count]]
            if code == RESET:
                for at in used:
                    records.append([codes.RESET, at, 0, 0])
                    last[at] = records[-1]
            elif code != DELAY:
                ops = operations(circuit, index)
                if ops is None:
                    raise NotClifford(f"{describe_gate(circuit, index)}, is no Clifford gate")
                if not self.noisy:
                    for op, a, b in ops:
                        records.append([op, used[a], used[b], 0])
                    for at in used:
                        last[at] = NOTHING
                    continue
            if self.noisy:
                records.extend(self.noisy_records(circuit, index, used))
                for at in used:
                    last[at] = NOTHING
        if records:
            steps.append((records, self.place))
            self.place += len(records)
        return steps

    def noisy_records(self, circuit: Circuit, index: int, used: list[int]) -> list[list[int]]:
        """A gate, a delay, or what follows a reset, with its channels."""
        result: list[list[int]] = []
        places = circuit[index].qubits
        for ops, name, local in noise_names(circuit, index, self.recognizer, self.tables.model):
            result.extend([op, used[a], used[b], 0] for op, a, b in ops)
            result.extend(self.noise(name, [places[k] for k in local]))
        return result

    def noise(self, name: str, qubits: Sequence[int]) -> list[list[int]]:
        """Rows of noise for the channels of an operation on qubits of the circuit."""
        return [
            [codes.NOISE, *self.tables.add(channel, [self.qubits.setdefault(q, len(self.qubits)) for q in on])]
            for channel, on in self.tables.channels(name, qubits)
        ]

    # feed-forward -------------------------------------------------------------------------------------------
    def node(self, node: FeedForward | Any, index: int) -> list[Any]:
        try:
            if isinstance(node, Assign):
                return [Store(node.clbits, node.value)]
            if isinstance(node, IfElse):
                cases: list[tuple[Callable[[Any], bool], tuple[Step, ...]]] = [(bool, self.body(node.body))]
                if node.orelse is not None:
                    cases.append((lambda value: not value, self.body(node.orelse)))
                return [Choose(node.condition, tuple(cases))]
            if isinstance(node, Switch):
                listed = [(_one_of(labels), self.body(body)) for labels, body in node.cases]
                if node.default is not None:
                    listed.append((lambda value: True, self.body(node.default)))
                return [Choose(node.target, tuple(listed))]
        except NotClifford as error:
            raise NotClifford(f"in the body of operation {index}, {error}") from None
        raise NeedsBranches

    def body(self, circuit: Circuit) -> tuple[Step, ...]:
        """The steps of a body, which may hold Paulis, assignments and further choices."""
        steps: list[Step] = []
        rows = circuit._rows
        for index in range(len(circuit)):
            code, _, _, item = rows[index * ROW : index * ROW + 4]
            if code == BARRIER or (code == DELAY and not self.noisy):
                continue
            if code in (MEASURE, RESET):
                raise NeedsBranches
            if code == FEED_FORWARD:
                steps.extend(self.node(circuit._objects[item], index))
                continue
            places = circuit[index].qubits
            used = [self.qubits.setdefault(q, len(self.qubits)) for q in places]
            for at in used:
                self.last[at] = NOTHING
            if code == DELAY:
                parts: list[tuple[Ops, str, tuple[int, ...]]] = [((), "delay", tuple(range(len(used))))]
            else:
                ops = self.recognizer.operations(circuit, index)
                if ops is None:
                    raise NotClifford(f"{describe_gate(circuit, index)}, is no Clifford gate")
                parts = [(ops, "", ())]
                if self.noisy:
                    parts = noise_names(circuit, index, self.recognizer, self.tables.model)
            for some, name, local in parts:
                factors = _as_paulis(some, used)
                if factors is None:
                    raise NeedsBranches
                rows_of_noise = self.noise(name, [places[k] for k in local]) if self.noisy else []
                steps.append(Paulis(factors, np.array(rows_of_noise, np.int64).reshape(-1, 4), self.place))
                self.place += len(rows_of_noise)
        return tuple(steps)


def _finished(step: Any) -> Step:
    if isinstance(step, tuple):
        records, place = step
        return Segment(np.array(records, np.int64).reshape(-1, 4), place)
    return step  # type: ignore[no-any-return]


def _one_of(labels: tuple[int, ...]) -> Callable[[Any], bool]:
    return lambda value: value in labels


def _as_paulis(ops: Ops, used: Sequence[int]) -> tuple[tuple[int, bool, bool], ...] | None:
    """Simple gates as a product of Paulis, or None if they are not one gate by gate."""
    if not all(op in PAULIS for op, _, _ in ops):
        return None
    return tuple((used[a], op != Z, op != X) for op, a, _ in ops)


def check_pauli(noise: NoiseModel | None) -> None:
    """Raise unless a model's channels are mixtures of Paulis."""
    for rule in noise.rules if noise is not None else ():
        if rule.channel.pauli_probabilities is None:
            raise QsimError(
                f"A stabiliser engine takes noise that is a mixture of Paulis; {rule.channel!r} on "
                f'{", ".join(rule.gates)} is not. Use method="statevector" or "density_matrix".'
            )
