"""The circuit: an append-only list of operations on qubits and classical bits.

Plain gates are kept as rows of integers and floats, six integers an operation, because compiling and parsing
hundreds of thousands of gates must not make as many objects; everything else (definitions, matrices, feed-forward)
is an object that a row points to. Iterating over a circuit gives readable `Instruction`s either way.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, Union

import numpy as np

from qsim.classical import (
    Assign,
    Break,
    ClassicalExpression,
    Continue,
    End,
    FeedForward,
    IfElse,
    Switch,
    WhileLoop,
    WithValues,
    bind_expression,
    bodies,
    clbits_of,
    expressions,
    parameters_of,
    rebuilt,
)  # fmt: skip
from qsim.errors import CircuitError
from qsim.gate_methods import GateMethods, QubitArgument
from qsim.gates import MAX_MATRIX_QUBITS, ComplexMatrix, Gate, GateRow, UnitaryMatrix, row_by_code
from qsim.linalg import apply_matrix
from qsim.parameters import Expression, Parameter, Value, to_value

#: Row layout: (code, first operand, operands, first parameter or object, extra controls, their values as bits).
ROW = 6
#: Codes of rows that are no table gate. A MEASURE's operands are its qubit and its bit. A BARRIER whose fourth entry is
#: not 0 is a snapshot: one more than the number of its object.
MEASURE, RESET, BARRIER, GATE_OBJECT, FEED_FORWARD, DELAY = -1, -2, -3, -4, -5, -6
MAX_QUBITS = 1_000_000
MAX_CLBITS = 10_000_000


@dataclass(frozen=True)
class Register:
    """A named group of qubits or of classical bits; `indices` are their numbers in the circuit, first first."""

    name: str
    indices: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> int:
        return self.indices[index]


@dataclass(frozen=True)
class Measure:
    """Measure a qubit in the computational basis into a classical bit."""


@dataclass(frozen=True)
class Reset:
    """Put a qubit back to |0>."""


@dataclass(frozen=True)
class Barrier:
    """Keeps operations on its two sides apart; no effect on a state."""


@dataclass(frozen=True, eq=False)
class Snapshot(Barrier):
    """Marks a place at which `Simulator.snapshots` reads the state; a barrier to everything else."""

    label: str
    #: "statevector", "probabilities" or "expectation".
    kind: str
    #: Whose probabilities; the first is the least significant bit.
    qubits: tuple[int, ...] = ()
    #: Whose expectation value, a `SparsePauliOp`.
    observable: Any = None


@dataclass(frozen=True)
class Delay:
    """Idle time, as written (``"100ns"``); no effect on a noiseless state."""

    duration: str


Operation = Union[Gate, Measure, Reset, Barrier, Delay, FeedForward]


@dataclass(frozen=True)
class Instruction:
    """An operation and what it is applied to."""

    operation: Operation
    qubits: tuple[int, ...]
    clbits: tuple[int, ...] = ()


class Circuit(GateMethods):
    """A quantum circuit on `num_qubits` qubits and `num_clbits` classical bits, all starting at 0.

    Every gate of the gate table is a method; methods return the circuit, so that they chain. A method given a
    sequence of qubits where one is expected applies the gate to each.

    Args:
        num_qubits: how many qubits there are at first; `add_qubits` adds named registers of more.
        num_clbits: how many classical bits.
        name: for people; no meaning.

    Raises:
        CircuitError: at once, for a qubit out of range, used twice, a wrong parameter and so on.

    >>> circuit = Circuit(2)
    >>> circuit.h(0).cx(0, 1).measure_all()
    <Circuit: 2 qubits, 2 bits, 4 operations>
    >>> print(circuit.draw())
    q_0: ─H─●─M───
            │ ║
    q_1: ───X─╫─M─
              ║ ║
      c: ═════0═1═
    """

    def __init__(self, num_qubits: int = 0, num_clbits: int = 0, *, name: str = "circuit") -> None:
        self.name = name
        self._num_qubits = 0
        self._num_clbits = 0
        self._qubit_registers: dict[str, Register] = {}
        self._clbit_registers: dict[str, Register] = {}
        self._rows = array("q")
        self._operands = array("q")
        self._values = array("d")
        self._expressions: dict[int, Expression] = {}  # index into _values -> expression
        self._objects: list[Gate | Delay | FeedForward | Snapshot] = []
        self._parameters: dict[str, Parameter] = {}
        self._global_phase: Value = 0.0
        self._compiled: dict[Any, Any] = {}
        if num_qubits:
            self.add_qubits(num_qubits)
        if num_clbits:
            self.add_clbits(num_clbits)

    # registers ----------------------------------------------------------------------------------------------
    def add_qubits(self, size: int, name: str | None = None) -> Register:
        """Add a register of `size` qubits, numbered after the ones there are.

        >>> Circuit(1).add_qubits(2, "anc").indices
        (1, 2)
        """
        total = self._num_qubits + _size(size, "qubits", MAX_QUBITS - self._num_qubits, MAX_QUBITS)
        register = Register(self._register_name(name, "q"), tuple(range(self._num_qubits, total)))
        self._qubit_registers[register.name] = register
        self._num_qubits = total
        self._compiled = {}
        return register

    def add_clbits(self, size: int, name: str | None = None) -> Register:
        """Add a register of `size` classical bits, numbered after the ones there are."""
        total = self._num_clbits + _size(size, "classical bits", MAX_CLBITS - self._num_clbits, MAX_CLBITS)
        register = Register(self._register_name(name, "c"), tuple(range(self._num_clbits, total)))
        self._clbit_registers[register.name] = register
        self._num_clbits = total
        return register

    def _register_name(self, name: str | None, prefix: str) -> str:
        if name is None:
            taken = self._qubit_registers.keys() | self._clbit_registers.keys()
            name = next(n for n in (prefix, *(f"{prefix}{k}" for k in range(len(taken) + 1))) if n not in taken)
        if name in self._qubit_registers or name in self._clbit_registers:
            raise CircuitError(f"Register names are unique; '{name}' is taken.")
        return name

    @property
    def num_qubits(self) -> int:
        """How many qubits there are."""
        return self._num_qubits

    @property
    def num_clbits(self) -> int:
        """How many classical bits there are."""
        return self._num_clbits

    @property
    def qubit_registers(self) -> tuple[Register, ...]:
        """The registers of qubits, in order of declaration."""
        return tuple(self._qubit_registers.values())

    @property
    def clbit_registers(self) -> tuple[Register, ...]:
        """The registers of classical bits, in order of declaration."""
        return tuple(self._clbit_registers.values())

    # parameters ---------------------------------------------------------------------------------------------
    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Its parameters in order of declaration or first use; an array's elements come together, in order."""
        return tuple(self._parameters.values())

    def declare_parameter(self, parameter: Parameter) -> None:
        """Make `parameter` (and all of its array) one of the circuit's, used or not."""
        known = self._parameters.get(parameter.name)
        if known is not None:
            return
        group = tuple(parameter.array) if parameter.array is not None else (parameter,)
        for element in group:
            self._parameters[element.name] = element

    @property
    def global_phase(self) -> Value:
        """The angle of the scalar factor in front, in radians; add to it with `gphase`."""
        return self._global_phase

    @global_phase.setter
    def global_phase(self, angle: Value) -> None:
        self._global_phase = to_value(angle, "A global phase")
        self._compiled = {}
        if isinstance(self._global_phase, Expression):
            for parameter in self._global_phase.parameters:
                self.declare_parameter(parameter)

    def bind(self, values: Mapping[str, Any]) -> Circuit:
        """A copy with the named parameters replaced by numbers (or by other expressions).

        >>> theta = Parameter("theta")
        >>> Circuit(1).rx(theta, 0).bind({"theta": 0.5}).parameters
        ()
        """
        flat: dict[str, Value] = {}
        for name, value in values.items():
            elements = [p for p in self.parameters if p.array is not None and p.array.name == name]
            if elements:
                for element, entry in zip(elements, value, strict=True):
                    flat[element.name] = to_value(entry, f"Parameter '{element.name}'")
            else:
                flat[name] = to_value(value, f"Parameter '{name}'")
        copy = self._empty_like()
        for parameter in self.parameters:
            if parameter.name not in flat:
                copy.declare_parameter(parameter)
        copy.global_phase = _substitute(self._global_phase, flat)
        for instruction in self:
            copy._append(_bind_operation(instruction.operation, flat), instruction.qubits, instruction.clbits)
        return copy

    # operations ---------------------------------------------------------------------------------------------
    def _add(self, row: GateRow, qubits: tuple[QubitArgument, ...], params: tuple[Any, ...] = ()) -> Circuit:
        """The fast path of every gate method."""
        count = self._num_qubits
        for qubit in qubits:
            if type(qubit) is not int or not 0 <= qubit < count:
                return self._broadcast(row, qubits, params)
        if len(qubits) > 1 and len(set(qubits)) != len(qubits):
            self._duplicate(row.name, qubits)
        first = len(self._values)
        for param in params:
            if type(param) is float and param - param == 0.0:
                self._values.append(param)
            else:
                self._add_value(param, row.name)
        self._rows.extend((row.code, len(self._operands), len(qubits), first, 0, 0))
        self._operands.extend(qubits)  # type: ignore[arg-type]
        return self

    def _add_value(self, param: Any, name: str) -> None:
        value = to_value(param, f"A parameter of gate '{name}'")
        if isinstance(value, Expression):
            self._expressions[len(self._values)] = value
            for parameter in value.parameters:
                self.declare_parameter(parameter)
            value = 0.0
        self._values.append(value)

    def _broadcast(self, row: GateRow, qubits: tuple[QubitArgument, ...], params: tuple[Any, ...]) -> Circuit:
        """Sequences of qubits of one length go together; single qubits are repeated."""
        groups = [
            q if isinstance(q, (Sequence, range, np.ndarray)) and not isinstance(q, str) else None for q in qubits
        ]
        lengths = {len(group) for group in groups if group is not None}
        if not lengths:
            return self._add(row, tuple(self._qubit(q) for q in qubits), params)
        if len(lengths) > 1:
            raise CircuitError(
                f"Groups of qubits given to one gate must have one length; '{row.name}' got lengths "
                f"{', '.join(map(str, sorted(lengths)))}."
            )
        for k in range(lengths.pop()):
            self._add(
                row, tuple(self._qubit(q if g is None else g[k]) for q, g in zip(qubits, groups, strict=True)), params
            )
        return self

    def append(self, operation: Gate | str, qubits: Sequence[int], *params: Any) -> Circuit:
        """Apply a `Gate`, or the table gate of this name with `params`, to `qubits` (controls first).

        >>> Circuit(3).append(Gate("h").control(2), [0, 1, 2])
        <Circuit: 3 qubits, 0 bits, 1 operation>
        """
        if isinstance(operation, str):
            operation = Gate(operation, *params)
        elif params:
            raise CircuitError("Parameters go with a gate's name; a Gate has its own already.")
        if not isinstance(operation, Gate):
            raise CircuitError(f"append takes a Gate or the name of one, got {operation!r}.")
        return self._append(operation, tuple(self._qubit(q) for q in qubits), ())

    def _append(self, operation: Operation, qubits: tuple[int, ...], clbits: tuple[int, ...]) -> Circuit:
        """Any operation; qubits and bits are in range already."""
        if not isinstance(operation, Gate):
            return self._append_other(operation, qubits, clbits)
        operation = operation.as_phase()
        if len(qubits) != operation.num_qubits:
            raise CircuitError(
                f"Gate '{operation.name}'{' with its controls' if operation.controls else ''} acts on "
                f"{operation.num_qubits} qubit{'s' * (operation.num_qubits != 1)}, got {len(qubits)}."
            )
        if len(set(qubits)) != len(qubits):
            self._duplicate(operation.name, qubits)
        start, base = len(self._operands), operation.base
        controls = operation.controls
        if isinstance(base, GateRow) and not operation.powers:
            if base.name == "gphase" and not controls:
                self.global_phase = self._global_phase + operation.params[0]
                return self
            first = len(self._values)
            for param in operation.params:
                self._add_value(param, base.name)
            bits = sum(value << k for k, value in enumerate(controls))
            self._rows.extend((base.code, start, len(qubits), first, len(controls), bits))
        else:
            if not isinstance(base, (GateRow, UnitaryMatrix)):
                base.check_size(1)
            self._add_object(operation, GATE_OBJECT, len(qubits))
            for param in operation.params:
                if isinstance(param, Expression):
                    for parameter in param.parameters:
                        self.declare_parameter(parameter)
        self._operands.extend(qubits)
        return self

    def _add_object(self, item: Gate | Delay | FeedForward, code: int, count: int) -> None:
        self._rows.extend((code, len(self._operands), count, len(self._objects), 0, 0))
        self._objects.append(item)

    def _append_other(self, operation: Operation, qubits: tuple[int, ...], clbits: tuple[int, ...]) -> Circuit:
        if isinstance(operation, Measure):
            self._rows.extend((MEASURE, len(self._operands), 2, 0, 0, 0))
            self._operands.extend((*qubits, *clbits))
            return self
        if isinstance(operation, Snapshot):
            if any(isinstance(item, Snapshot) and item.label == operation.label for item in self._objects):
                raise CircuitError(f"Labels of snapshots are unique; '{operation.label}' is taken.")
            self._objects.append(operation)
            self._rows.extend((BARRIER, len(self._operands), len(qubits), len(self._objects), 0, 0))
        elif isinstance(operation, (Reset, Barrier)):
            self._rows.extend(
                (RESET if isinstance(operation, Reset) else BARRIER, len(self._operands), len(qubits), 0, 0, 0)
            )
        elif isinstance(operation, Delay):
            self._add_object(operation, DELAY, len(qubits))
        else:
            assert not isinstance(operation, Gate)
            self._add_object(operation, FEED_FORWARD, 0)
            local = operation.parameters if isinstance(operation, WithValues) else ()
            for needed in (*map(parameters_of, expressions(operation)), *(b.parameters for b in bodies(operation))):
                for parameter in needed:
                    if parameter not in local:
                        self.declare_parameter(parameter)
        self._operands.extend(qubits)
        return self

    def unitary(self, matrix: Any, qubits: int | Sequence[int], *, name: str = "unitary") -> Circuit:
        """Apply a unitary matrix of shape ``(2**k, 2**k)``; the first of its k qubits is the least significant bit.

        >>> Circuit(1).unitary([[0, 1], [1, 0]], 0)
        <Circuit: 1 qubit, 0 bits, 1 operation>
        """
        targets = [qubits] if isinstance(qubits, (int, np.integer)) else list(qubits)
        return self.append(Gate(UnitaryMatrix(matrix, name)), targets)

    def gphase(self, angle: Any) -> Circuit:
        """Multiply by the scalar ``exp(1j * angle)``."""
        self.global_phase = self._global_phase + to_value(angle, "A global phase")
        return self

    def measure(self, qubit: QubitArgument, clbit: QubitArgument) -> Circuit:
        """Measure a qubit into a classical bit, or qubits into as many bits.

        >>> Circuit(2, 2).measure([0, 1], [0, 1])
        <Circuit: 2 qubits, 2 bits, 2 operations>
        """
        qubits = self._list(qubit)
        clbits = self._list(clbit)
        if len(qubits) != len(clbits):
            raise CircuitError(f"As many bits as qubits are measured; got {len(qubits)} qubits and {len(clbits)} bits.")
        for q, c in zip([self._qubit(q) for q in qubits], [self._clbit(c) for c in clbits], strict=True):
            self._rows.extend((MEASURE, len(self._operands), 2, 0, 0, 0))
            self._operands.extend((q, c))
        return self

    def measure_all(self) -> Circuit:
        """Measure every qubit k into bit k of a new register of as many bits."""
        register = self.add_clbits(self._num_qubits)
        return self.measure(range(self._num_qubits), register.indices)

    def reset(self, qubit: QubitArgument) -> Circuit:
        """Put a qubit (or each of several) back to |0>."""
        for q in self._list(qubit):
            self._append_other(Reset(), (self._qubit(q),), ())
        return self

    def barrier(self, *qubits: QubitArgument) -> Circuit:
        """Keep what comes before and after apart, on these qubits or on all."""
        targets = [self._qubit(q) for group in qubits for q in self._list(group)] or range(self._num_qubits)
        return self._append_other(Barrier(), tuple(dict.fromkeys(targets)), ())

    def save_statevector(self, label: str = "statevector") -> Circuit:
        """Mark this place: `Simulator.snapshots` gives the statevector here under `label`.

        The mark is no gate, changes no result and is a barrier to whatever else reads the circuit.

        Raises:
            CircuitError: for a label that is no text, is empty, or is another snapshot's.

        >>> from qsim import Simulator
        >>> Simulator().snapshots(Circuit(1).h(0).save_statevector("middle").h(0))["middle"].real.round(3)
        array([0.707, 0.707])
        """
        return self._snapshot(label, "statevector")

    def save_probabilities(self, label: str = "probabilities", qubits: Sequence[int] | None = None) -> Circuit:
        """Mark this place: `Simulator.snapshots` gives the outcome probabilities of `qubits`, or of all, here.

        >>> from qsim import Simulator
        >>> Simulator().snapshots(Circuit(2).x(1).save_probabilities("p", [1]).h(1))["p"]
        array([0., 1.])
        """
        wanted = tuple(range(self._num_qubits) if qubits is None else [self._qubit(q) for q in self._list(qubits)])
        if len(set(wanted)) != len(wanted):
            raise CircuitError(f"Each qubit is asked for once, got {list(wanted)}.")
        return self._snapshot(label, "probabilities", wanted)

    def save_expectation(self, label: str, observable: Any) -> Circuit:
        """Mark this place: `Simulator.snapshots` gives the expectation value of a Hermitian `SparsePauliOp` here.

        >>> from qsim import Pauli, Simulator
        >>> Simulator().snapshots(Circuit(1).save_expectation("z", Pauli.Z(0)).x(0))
        {'z': 1.0}
        """
        from qsim.pauli import check_observable

        check_observable(observable, self._num_qubits)
        return self._snapshot(label, "expectation", (), observable)

    def _snapshot(self, label: str, kind: str, qubits: tuple[int, ...] = (), observable: Any = None) -> Circuit:
        if not isinstance(label, str) or not label:
            raise CircuitError(f"A snapshot's label is a text that is not empty, got {label!r}.")
        return self._append_other(Snapshot(label, kind, qubits, observable), tuple(range(self._num_qubits)), ())

    def delay(self, duration: str, qubit: QubitArgument) -> Circuit:
        """Idle time as written, such as ``"100ns"``; no effect without noise."""
        return self._append_other(Delay(str(duration)), tuple(self._qubit(q) for q in self._list(qubit)), ())

    # feed-forward -------------------------------------------------------------------------------------------
    def block(self) -> Circuit:
        """An empty circuit over the same qubits and bits, for the body of a feed-forward node."""
        return self._empty_like()

    def if_else(self, condition: ClassicalExpression, body: Circuit, orelse: Circuit | None = None) -> Circuit:
        """Run `body` (made by `block`) when the condition on classical bits holds, else `orelse`.

        >>> from qsim.classical import Bits
        >>> circuit = Circuit(2, 1).h(0).measure(0, 0)
        >>> circuit.if_else(Bits((0,)), circuit.block().x(1))
        <Circuit: 2 qubits, 1 bit, 3 operations>
        """
        return self.feed_forward(IfElse(condition, body, orelse))

    def while_loop(self, condition: ClassicalExpression, body: Circuit) -> Circuit:
        """Run `body` as long as the condition on classical bits holds."""
        return self.feed_forward(WhileLoop(condition, body))

    def switch(
        self,
        target: ClassicalExpression,
        cases: Sequence[tuple[Sequence[int], Circuit]],
        default: Circuit | None = None,
    ) -> Circuit:
        """Run the body of the case that lists the target's value, else `default`."""
        return self.feed_forward(Switch(target, tuple((tuple(labels), body) for labels, body in cases), default))

    def assign(self, clbit: QubitArgument, value: ClassicalExpression) -> Circuit:
        """Store a value into classical bits, least significant first."""
        return self.feed_forward(Assign(tuple(self._clbit(c) for c in self._list(clbit)), value))

    def with_values(
        self, parameters: Sequence[Parameter], values: Sequence[ClassicalExpression], body: Circuit
    ) -> Circuit:
        """Run `body` with its `parameters` set to what the expressions on classical bits give then.

        >>> from qsim.classical import Bits, ClassicalOperation, Literal
        >>> angle, circuit = Parameter("angle"), Circuit(1, 2)
        >>> value = ClassicalOperation("*", (Bits((0, 1)), Literal(0.5)))
        >>> circuit.with_values([angle], [value], circuit.block().rx(angle, 0)).parameters
        ()
        """
        return self.feed_forward(WithValues(tuple(parameters), tuple(values), body))

    def break_loop(self, levels: int = 1) -> Circuit:
        """Leave the innermost loop, or as many as `levels` says."""
        return self.feed_forward(Break(levels))

    def continue_loop(self, levels: int = 1) -> Circuit:
        """Start the next round of the innermost loop, or of the one `levels` out."""
        return self.feed_forward(Continue(levels))

    def end(self) -> Circuit:
        """End the program here, in a branch of it."""
        return self.feed_forward(End())

    def feed_forward(self, node: FeedForward) -> Circuit:
        """Append a feed-forward node; its bodies are copied and must be over these qubits and bits."""
        for clbit in sorted(set().union(*map(clbits_of, expressions(node)))):
            self._clbit(clbit)
        for body in bodies(node):
            if body.num_qubits > self._num_qubits or body.num_clbits > self._num_clbits:
                raise CircuitError(
                    f"A block has the qubits and bits of its circuit ({self._num_qubits} and {self._num_clbits}); "
                    f"this one has {body.num_qubits} and {body.num_clbits}. Make it with circuit.block()."
                )
        return self._append_other(_copy_bodies(node), (), ())

    # reading ------------------------------------------------------------------------------------------------
    def __len__(self) -> int:
        return len(self._rows) // ROW

    def __getitem__(self, index: int) -> Instruction:
        size = len(self)
        if not -size <= index < size:
            raise IndexError(f"Operation {index} of a circuit of {size}.")
        code, start, count, first, controls, bits = self._rows[(index % size) * ROW : (index % size) * ROW + ROW]
        operands = tuple(self._operands[start : start + count])
        if code == MEASURE:
            return Instruction(Measure(), operands[:1], operands[1:])
        if code == RESET:
            return Instruction(Reset(), operands)
        if code == BARRIER:
            return Instruction(self._objects[first - 1] if first else Barrier(), operands)
        if code < 0:
            return Instruction(self._objects[first], operands)
        row = row_by_code(code)
        gate = Gate(row, *[self._expressions.get(k, self._values[k]) for k in range(first, first + row.num_params)])
        if controls:
            gate = gate._with(controls=tuple((bits >> k) & 1 for k in range(controls)))
        return Instruction(gate, operands)

    def __iter__(self) -> Iterator[Instruction]:
        return (self[k] for k in range(len(self)))

    @property
    def has_feed_forward(self) -> bool:
        """Whether any operation depends on classical bits."""
        return any(code == FEED_FORWARD for code in self._rows[::ROW])

    @property
    def is_dynamic(self) -> bool:
        """Whether it is more than gates and then measurements: feed-forward, resets, qubits used after measuring,
        or a bit written twice."""
        rows, operands = self._rows, self._operands
        codes = rows[::ROW]
        if MEASURE not in codes and RESET not in codes and FEED_FORWARD not in codes:
            return False
        measured: set[int] = set()
        written: set[int] = set()
        for at in range(0, len(rows), ROW):
            code, start, count = rows[at], rows[at + 1], rows[at + 2]
            if code == MEASURE:
                qubit, clbit = operands[start], operands[start + 1]
                if qubit in measured or clbit in written:
                    return True
                measured.add(qubit)
                written.add(clbit)
            elif code in (FEED_FORWARD, RESET) or (
                measured and code not in (BARRIER, DELAY) and not measured.isdisjoint(operands[start : start + count])
            ):
                return True
        return False

    def depth(self) -> int:
        """The number of layers when operations on different qubits go side by side; barriers are no layer.

        >>> Circuit(2).h(0).h(1).cx(0, 1).depth()
        2
        """
        level: dict[tuple[str, int], int] = {}
        for instruction in self:
            if isinstance(instruction.operation, (Barrier, Delay)):
                continue
            wires = [("q", q) for q in instruction.qubits] + [("c", c) for c in instruction.clbits]
            if not wires or not isinstance(instruction.operation, (Gate, Measure, Reset)):
                wires = [("q", q) for q in range(self._num_qubits)] + [("c", c) for c in range(self._num_clbits)]
            top = 1 + max((level.get(wire, 0) for wire in wires), default=0)
            level.update(dict.fromkeys(wires, top))
        return max(level.values(), default=0)

    def count_ops(self) -> dict[str, int]:
        """How often each operation occurs, most frequent first.

        >>> Circuit(2).h([0, 1]).cx(0, 1).count_ops()
        {'h': 2, 'cx': 1}
        """
        counts: dict[str, int] = {}
        names = {MEASURE: "measure", RESET: "reset", BARRIER: "barrier", DELAY: "delay"}
        rows = self._rows
        for at in range(0, len(rows), ROW):
            code = rows[at]
            if code >= 0:
                name = row_by_code(code).name if not rows[at + 4] else "c" * rows[at + 4] + "-" + row_by_code(code).name
            elif code in names:
                name = names[code] if code != BARRIER or not rows[at + 3] else "snapshot"
            else:
                item = self._objects[rows[at + 3]]
                name = item.name if isinstance(item, Gate) else type(item).__name__.lower()
            counts[name] = counts.get(name, 0) + 1
        return dict(sorted(counts.items(), key=lambda entry: -entry[1]))

    def draw(self, max_width: int | None = None) -> str:
        """A text drawing, for small circuits; wrapped at `max_width` columns when given."""
        from qsim.drawing import draw

        return draw(self, max_width)

    def __repr__(self) -> str:
        parts = [(self._num_qubits, "qubit"), (self._num_clbits, "bit"), (len(self), "operation")]
        return "<Circuit: " + ", ".join(f"{n} {word}{'s' * (n != 1)}" for n, word in parts) + ">"

    def copy(self) -> Circuit:
        """A copy that can be appended to without changing this one."""
        copy = self._empty_like()
        copy._rows, copy._operands, copy._values = self._rows[:], self._operands[:], self._values[:]
        copy._expressions, copy._objects = dict(self._expressions), list(self._objects)
        copy._parameters, copy._global_phase = dict(self._parameters), self._global_phase
        return copy

    def inverse(self) -> Circuit:
        """The circuit that undoes this one; an error when it measures, resets or branches."""
        result = self._empty_like()
        result.global_phase = -self._global_phase
        for instruction in reversed(list(self)):
            operation = instruction.operation
            if isinstance(operation, Gate):
                result.append(operation.inverse(), instruction.qubits)
            elif isinstance(operation, (Barrier, Delay)):
                if not isinstance(operation, Snapshot):  # there is no such place in the inverse
                    result._append(operation, instruction.qubits, ())
            else:
                raise CircuitError(f"Only gates can be undone; the circuit has a {type(operation).__name__.lower()}.")
        return result

    def to_gate(self, name: str | None = None) -> GateDefinition:
        """This circuit as a gate of its own, with its parameters as the gate's."""
        return GateDefinition(name or self.name, self.parameters, self)

    # checks -------------------------------------------------------------------------------------------------
    def _empty_like(self) -> Circuit:
        circuit = Circuit(name=self.name)
        circuit._num_qubits, circuit._num_clbits = self._num_qubits, self._num_clbits
        circuit._qubit_registers = dict(self._qubit_registers)
        circuit._clbit_registers = dict(self._clbit_registers)
        return circuit

    @staticmethod
    def _list(argument: QubitArgument) -> Sequence[int]:
        return [argument] if isinstance(argument, (int, np.integer)) else list(argument)

    def _qubit(self, qubit: Any) -> int:
        return _index(qubit, self._num_qubits, "qubit")

    def _clbit(self, clbit: Any) -> int:
        return _index(clbit, self._num_clbits, "classical bit")

    def _duplicate(self, name: str, qubits: Iterable[Any]) -> NoReturn:
        seen = list(qubits)
        twice = next(q for k, q in enumerate(seen) if q in seen[:k])
        raise CircuitError(f"A gate acts on different qubits; '{name}' got qubit {twice} twice in {tuple(seen)}.")


class GateDefinition:
    """A gate that a user defines: a name, parameters, and a body of gates on as many qubits as it takes.

    >>> theta = Parameter("theta")
    >>> bell = GateDefinition("bell", [theta], Circuit(2).ry(theta, 0).cx(0, 1))
    >>> Circuit(3).append(Gate(bell, 0.5).control(), [2, 0, 1])
    <Circuit: 3 qubits, 0 bits, 1 operation>
    """

    def __init__(self, name: str, parameters: Sequence[Parameter], body: Circuit) -> None:
        self.name = name
        self.parameters = tuple(parameters)
        self.num_params = len(self.parameters)
        self.num_qubits = body.num_qubits
        self.body = body.copy()
        known = {p.name for p in self.parameters}
        for parameter in self.body.parameters:
            if parameter.name not in known:
                raise CircuitError(f"The body of gate '{name}' uses '{parameter.name}', which is no parameter of it.")
        #: How many table gates it stands for when everything is expanded (counted, not expanded).
        self.size = 0
        #: The definitions that its body uses directly.
        self.uses: tuple[GateDefinition, ...] = ()
        uses: dict[int, GateDefinition] = {}
        for at in range(0, len(self.body._rows), ROW):
            code = self.body._rows[at]
            if code == GATE_OBJECT:
                gate = self.body._objects[self.body._rows[at + 3]]
                assert isinstance(gate, Gate)
                self.size += expanded_size(gate)
                if isinstance(gate.base, GateDefinition):
                    uses[id(gate.base)] = gate.base
            elif code >= 0:
                self.size += 1
            elif code not in (BARRIER, DELAY) or (code == BARRIER and self.body._rows[at + 3]):
                raise CircuitError(
                    f"The body of gate '{name}' may hold gates only, no measurement, reset, branch or snapshot."
                )
        self.uses = tuple(uses.values())
        self.lowered: Any = None  # the compiler's own form of it, made once

    def check_size(self, times: int, limit: int = 50_000_000) -> None:
        """Refuse a definition that stands for more gates than `limit`, before anything is expanded."""
        if self.size * times > limit:
            raise CircuitError(
                f"Gate '{self.name}' stands for {self.size * times:,} gates when its definitions are expanded; the "
                f"limit is {limit:,}."
            )

    def matrix(self, *params: float) -> ComplexMatrix:
        """Its matrix, shape ``(2**num_qubits,) * 2``, for at most 10 qubits and numbers as parameters."""
        if self.num_qubits > MAX_MATRIX_QUBITS:
            raise CircuitError(
                f"A gate's matrix is made for at most {MAX_MATRIX_QUBITS} qubits; '{self.name}' has {self.num_qubits}."
            )
        self.check_size(1, 100_000)
        values = {p.name: float(v) for p, v in zip(self.parameters, params, strict=True)}
        body = self.body.bind(values) if values else self.body
        phase = body.global_phase
        assert isinstance(phase, float)
        result: ComplexMatrix = np.exp(1j * phase) * np.eye(1 << self.num_qubits, dtype=np.complex128)
        for instruction in body:
            if isinstance(instruction.operation, Gate):
                result = apply_matrix(result, instruction.operation.matrix(), instruction.qubits, self.num_qubits)
        return result

    def __repr__(self) -> str:
        return f"<GateDefinition '{self.name}': {self.num_params} parameters, {self.num_qubits} qubits>"


def expanded_size(gate: Gate) -> int:
    """How many table gates a gate stands for once definitions and integer powers are expanded."""
    if not isinstance(gate.base, GateDefinition):
        return 1
    size = gate.base.size
    for power in gate.powers:
        size = size * max(1, abs(int(power))) if float(power).is_integer() else 1
    return size


def _index(value: Any, size: int, what: str) -> int:
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise CircuitError(f"A {what} is given by its number, an integer from 0 to {size - 1}; got {value!r}.")
    if not 0 <= value < size:
        there = f"this circuit has {what}s 0 to {size - 1}" if size else f"this circuit has no {what}s"
        raise CircuitError(f"There is no {what} {value}: {there}.")
    return int(value)


def _size(size: Any, what: str, left: int, limit: int) -> int:
    if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 0:
        raise CircuitError(f"The number of {what} is an integer of at least 0, got {size!r}.")
    if size > left:
        raise CircuitError(f"A circuit has at most {limit:,} {what}; got {size:,} more.")
    return int(size)


def _substitute(value: Value, values: Mapping[str, Value]) -> Value:
    return value.substitute(values) if isinstance(value, Expression) else value


def _bind_operation(operation: Operation, values: Mapping[str, Value]) -> Operation:
    if isinstance(operation, Gate):
        return operation._with(params=tuple(_substitute(p, values) for p in operation.params))
    if isinstance(operation, (Measure, Reset, Barrier, Delay)):
        return operation
    if isinstance(operation, WithValues):
        own = {parameter.name for parameter in operation.parameters}
        inner = {name: value for name, value in values.items() if name not in own}
    else:
        inner = dict(values)
    return rebuilt(operation, lambda body: body.bind(inner), lambda value: bind_expression(value, values))


def _copy_bodies(node: FeedForward) -> FeedForward:
    return rebuilt(node, lambda body: body.copy())
