"""Qiskit's circuits as ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, count
from typing import Any

import numpy as np

from parsers.interop import refuse, under
from parsers.qiskit_gates import ROWS
from parsers.qiskit_values import Parameters, Variables, input_value, operation
from qsim.circuit import Circuit, GateDefinition
from qsim.classical import Break, Continue, Literal
from qsim.gates import MAX_MATRIX_QUBITS, Gate, UnitaryMatrix
from qsim.parameters import Parameter, Value

_STANDARD = "qiskit.circuit.library.standard_gates"
#: Operations that unrolled loops may become, and definitions inside one another.
MOST_UNROLLED, DEEPEST = 5_000_000, 200


def read(theirs: Any) -> Circuit:
    """The circuit of a QuantumCircuit."""
    from qiskit import QuantumCircuit

    if not isinstance(theirs, QuantumCircuit):
        refuse(f"from_qiskit takes a qiskit.QuantumCircuit, got {type(theirs).__name__}.")
    return _Reader(theirs).circuit


@dataclass
class _Place:
    """Where operations go, and what names mean there."""

    circuit: Circuit
    qubits: Mapping[Any, int]
    variables: Variables
    #: Values of loop parameters by name.
    loops: Mapping[str, float] = field(default_factory=dict)
    #: How break and continue of the innermost loop of Qiskit's are said here, outermost first.
    jumps: tuple[tuple[Any, Any], ...] = ()
    depth: int = 0


class _Reader:
    def __init__(self, theirs: Any) -> None:
        self.circuit = Circuit(name=str(theirs.name))
        self.parameters = Parameters()
        self.definitions: dict[int, tuple[Any, GateDefinition, tuple[Value, ...]]] = {}
        self.unrolled = 0
        taken = {register.name for register in (*theirs.qregs, *theirs.cregs)}
        qubits = _registers(theirs.qubits, theirs.qregs, self.circuit.add_qubits, _free("q", taken))
        bits = _registers(theirs.clbits, theirs.cregs, self.circuit.add_clbits, _free("c", taken))
        place = _Place(self.circuit, qubits, Variables(bits))
        for parameter in theirs.parameters:
            self.circuit.declare_parameter(self.parameters.one(parameter))
        self._declare(theirs, place)
        self.circuit.gphase(self.parameters.value(theirs.global_phase, {}))
        self.block(theirs, place)

    def _declare(self, theirs: Any, place: _Place) -> None:
        """Standalone classical variables."""
        for var in getattr(theirs, "iter_input_vars", tuple)():
            place.variables.known[var.var] = input_value(var.name, type(var.type).__name__)
            self.circuit.declare_parameter(Parameter(var.name))
        for var in getattr(theirs, "iter_declared_vars", tuple)():
            kind = type(var.type).__name__
            width = {"Bool": 1, "Float": 64}.get(kind) or getattr(var.type, "width", 0)
            if not width:
                refuse(f"The variable '{var.name}' is of type {kind}, which is not converted.")
            first = self.circuit.num_clbits
            self.circuit._num_clbits += width  # in no register, so that no result shows them
            place.variables.stored[var.var] = tuple(range(first, first + width))

    # blocks -------------------------------------------------------------------------------------------------
    def block(self, theirs: Any, place: _Place) -> None:
        """All operations of a circuit of Qiskit's, appended."""
        if place.depth > DEEPEST:
            refuse(f"Definitions and branches are more than {DEEPEST} deep inside one another.")
        for instruction in theirs.data:
            self.operation(instruction, place)

    def operation(self, instruction: Any, place: _Place) -> None:
        operation, circuit = instruction.operation, place.circuit
        qubits = [place.qubits[qubit] for qubit in instruction.qubits]
        condition = getattr(operation, "condition", None)
        handler = getattr(self, f"on_{operation.name}", None) if _is_built_in(operation) else None
        if condition is not None and handler is None:  # Instruction.c_if of Qiskit 1
            body = self._inner(place)
            self._plain(instruction, qubits, replace(place, circuit=body))
            circuit.if_else(place.variables.condition(condition), body)
        elif handler is not None:
            handler(operation, instruction, place)
        else:
            self._plain(instruction, qubits, place)

    def _plain(self, instruction: Any, qubits: Sequence[int], place: _Place) -> None:
        operation, circuit = instruction.operation, place.circuit
        if operation.name == "measure" and _is_built_in(operation):
            circuit.measure(qubits[0], place.variables.places(instruction.clbits[0])[0])
        elif operation.name == "reset" and _is_built_in(operation):
            circuit.reset(qubits)
        else:
            gate = self.gate(operation, place)
            if gate is not None:
                circuit._append(gate, tuple(qubits), ())
            else:
                self._inline(operation, operation.definition, instruction, place)

    def _inline(self, operation: Any, definition: Any, instruction: Any, place: _Place) -> None:
        """The operations of an instruction's definition in its place."""
        if definition is None:
            refuse(f"The instruction '{operation.name}' has no definition and no matrix, so it is not converted.")
        inner = self._mapped(definition, instruction, place)
        place.circuit.gphase(self.parameters.value(definition.global_phase, place.loops))
        self.block(definition, inner)

    def _mapped(self, block: Any, instruction: Any, place: _Place, circuit: Circuit | None = None) -> _Place:
        """The place of a block: its k-th qubit and bit are those that its instruction is applied to."""
        qubits = {q: place.qubits[outer] for q, outer in zip(block.qubits, instruction.qubits, strict=True)}
        bits = dict(place.variables.bits)
        bits.update({c: place.variables.bits[outer] for c, outer in zip(block.clbits, instruction.clbits, strict=True)})
        variables = Variables(bits)
        variables.stored, variables.known = dict(place.variables.stored), dict(place.variables.known)
        inner = replace(
            place,
            circuit=place.circuit if circuit is None else circuit,
            qubits=qubits,
            variables=variables,
            depth=place.depth + 1,
        )
        self._declare(block, inner)
        return inner

    def _inner(self, place: _Place) -> Circuit:
        return place.circuit.block()

    def _body(self, block: Any, instruction: Any, place: _Place, circuit: Circuit | None = None) -> Circuit:
        """A block of a control-flow operation as a circuit."""
        body = circuit if circuit is not None else self._inner(place)
        body.gphase(self.parameters.value(block.global_phase, place.loops))
        self.block(block, self._mapped(block, instruction, place, body))
        return body

    # operations that are not gates ----------------------------------------------------------------------------
    def on_barrier(self, operation: Any, instruction: Any, place: _Place) -> None:
        qubits = [place.qubits[qubit] for qubit in instruction.qubits]
        if qubits:
            place.circuit.barrier(qubits)

    def on_delay(self, operation: Any, instruction: Any, place: _Place) -> None:
        duration, unit = operation.duration, operation.unit
        if unit == "expr" or hasattr(duration, "parameters") or hasattr(duration, "type"):
            refuse(f"A delay whose duration is an expression ({duration}) is not converted. Assign a number first.")
        qubits = [place.qubits[qubit] for qubit in instruction.qubits]
        place.circuit.delay(f"{duration}{'us' if unit == 'µs' else unit}", qubits)

    def on_store(self, operation: Any, instruction: Any, place: _Place) -> None:
        variables = place.variables
        bits, is_float = variables.target(operation.lvalue)
        value = variables.expression(operation.rvalue)
        place.circuit.assign(list(bits), _float_bits(value) if is_float else value)

    def on_if_else(self, operation: Any, instruction: Any, place: _Place) -> None:
        bodies = [self._body(block, instruction, place) for block in operation.blocks]
        self._grown(place)
        place.circuit.if_else(place.variables.condition(operation.condition), *bodies)

    def on_while_loop(self, operation: Any, instruction: Any, place: _Place) -> None:
        inner = replace(place, jumps=(*place.jumps, (Break(), Continue())))
        body = self._body(operation.blocks[0], instruction, inner)
        self._grown(place)
        place.circuit.while_loop(place.variables.condition(operation.condition), body)

    def on_for_loop(self, operation: Any, instruction: Any, place: _Place) -> None:
        """Unrolled. One that is left or continued runs each round in a loop of its own, all of them in one more."""
        values, parameter, block = operation.params
        values = list(values) if hasattr(values, "__iter__") else _range(values)
        self.unrolled += len(values) * max(1, len(block.data))
        if self.unrolled > MOST_UNROLLED:
            refuse(f"Loops are unrolled into at most {MOST_UNROLLED:,} operations; these have {self.unrolled:,}.")
        jumps = _jumps(block)
        outer = self._inner(place) if jumps else place.circuit
        at = replace(place, circuit=outer, jumps=(*place.jumps, (Break(2), Break(1))))
        for value in values:
            here = self._in_round(at, parameter, value)
            if jumps:
                body = self._body(block, instruction, here).break_loop()
                self._grown(place, outer)
                outer.while_loop(Literal(1), body)
            else:
                self._body(block, instruction, here, outer)
        if jumps:
            self._grown(place)
            place.circuit.while_loop(Literal(1), outer.break_loop())

    @staticmethod
    def _in_round(place: _Place, parameter: Any, value: int) -> _Place:
        if parameter is None:
            return place
        if not hasattr(parameter, "type"):
            return replace(place, loops={**place.loops, parameter.name: float(value)})
        variables = Variables(place.variables.bits)
        variables.stored = dict(place.variables.stored)
        variables.known = {**place.variables.known, parameter.var: Literal(int(value))}
        return replace(place, variables=variables)

    def on_switch_case(self, operation: Any, instruction: Any, place: _Place) -> None:
        from qiskit.circuit import CASE_DEFAULT

        cases, default = [], None
        for labels, block in operation.cases_specifier():
            body = self._body(block, instruction, place)
            if CASE_DEFAULT in labels:
                default = body
            numbers = [int(label) for label in labels if label is not CASE_DEFAULT]
            if numbers:
                cases.append((numbers, body))
        self._grown(place)
        place.circuit.switch(place.variables.expression(operation.target), cases, default)

    def on_break_loop(self, operation: Any, instruction: Any, place: _Place) -> None:
        place.circuit.feed_forward(place.jumps[-1][0])

    def on_continue_loop(self, operation: Any, instruction: Any, place: _Place) -> None:
        place.circuit.feed_forward(place.jumps[-1][1])

    def on_box(self, operation: Any, instruction: Any, place: _Place) -> None:
        self._inline(operation, operation.blocks[0], instruction, place)

    def _grown(self, place: _Place, other: Circuit | None = None) -> None:
        """Every block has the bits of the whole circuit, also those that inner variables added."""
        for circuit in (place.circuit, other):
            if circuit is not None:
                circuit._num_clbits = max(circuit._num_clbits, self.circuit._num_clbits)

    # gates --------------------------------------------------------------------------------------------------
    def gate(self, operation: Any, place: _Place) -> Gate | None:
        """A gate of Qiskit's as ours; None for an instruction that is to be inlined."""
        from qiskit.circuit import AnnotatedOperation, ControlledGate
        from qiskit.circuit import Gate as QiskitGate

        if isinstance(operation, AnnotatedOperation):
            return self._annotated(operation, place)
        if not isinstance(operation, QiskitGate):
            return None
        standard = _is_standard(operation)
        params = [] if operation.name == "unitary" else operation.params
        if isinstance(operation, ControlledGate):
            gate = self._controlled(operation, place, standard)
            if gate is not None:
                return gate
        elif standard and operation.name == "u" and len(params) == 4:  # what a `cu` controls
            return _phased(self.parameters, params, place.loops)
        elif standard and operation.name in ROWS:
            return Gate(ROWS[operation.name], *[self.parameters.value(p, place.loops) for p in params])
        if operation.name == "unitary" or operation.definition is None:
            return self._matrix(operation)
        return self._defined(operation, place)

    def _controlled(self, operation: Any, place: _Place, standard: bool) -> Gate | None:
        controls, state = operation.num_ctrl_qubits, operation.ctrl_state
        values = tuple(state >> k & 1 for k in range(controls))
        if standard and operation.name in ROWS and all(values):
            return Gate(ROWS[operation.name], *[self.parameters.value(p, place.loops) for p in operation.params])
        base = operation.base_gate
        if operation.num_qubits != controls + base.num_qubits:
            return None  # with ancillas
        if not _is_standard(base) and _is_stale(base):
            return None
        if operation.name.startswith("cu") and len(operation.params) == 4:
            return _phased(self.parameters, operation.params, place.loops)._with(controls=values)
        inner = self.gate(base, place)
        return None if inner is None else under(inner, values)

    def _annotated(self, operation: Any, place: _Place) -> Gate:
        gate = self.gate(operation.base_op, place)
        if gate is None:
            refuse(f"'{operation.base_op.name}' is no gate, so it cannot be controlled, inverted or raised to a power.")
        for modifier in operation.modifiers:
            kind = type(modifier).__name__
            if kind == "InverseModifier":
                gate = gate.inverse()
            elif kind == "PowerModifier":
                gate = gate.power(float(modifier.power))
            elif kind == "ControlModifier":
                state = modifier.ctrl_state
                values = tuple(state >> k & 1 for k in range(modifier.num_ctrl_qubits))
                gate = under(gate, values)
            else:
                refuse(f"The modifier {kind} is not converted.")
        return gate

    def _matrix(self, operation: Any) -> Gate:
        if operation.num_qubits > MAX_MATRIX_QUBITS:
            refuse(f"A matrix has at most {MAX_MATRIX_QUBITS} qubits; '{operation.name}' has {operation.num_qubits}.")
        try:
            matrix = np.asarray(operation.to_matrix(), dtype=np.complex128)
        except Exception as error:
            refuse(f"The gate '{operation.name}' has no definition and no matrix, so it is not converted ({error}).")
        return Gate(UnitaryMatrix(matrix, operation.label or operation.name))

    def _defined(self, operation: Any, place: _Place) -> Gate:
        """A gate by its definition, which is converted once."""
        definition = operation.definition
        known = None if place.loops else self.definitions.get(id(definition))
        if known is None:
            body = Circuit(definition.num_qubits)
            body.gphase(self.parameters.value(definition.global_phase, place.loops))
            qubits = {qubit: k for k, qubit in enumerate(definition.qubits)}
            inner = _Place(body, qubits, Variables({}), place.loops, (), place.depth + 1)
            self.block(definition, inner)
            made = GateDefinition(operation.name, body.parameters, body)
            known = definition, made, tuple(body.parameters)
            if not place.loops:
                self.definitions[id(definition)] = known  # the definition is kept, so that its id stays its own
        return Gate(known[1], *known[2])


def _phased(parameters: Parameters, params: Sequence[Any], loops: Mapping[str, float]) -> Gate:
    """exp(i d) u(a, b, c), for a `cu` with a control that must be 0."""
    a, b, c, d = (Parameter(name) for name in "abcd")
    definition = GateDefinition("phased_u", [a, b, c, d], Circuit(1).u(a, b, c, 0).gphase(d))
    return Gate(definition, *[parameters.value(p, loops) for p in params])


def _is_built_in(operation: Any) -> bool:
    """Whether Qiskit made the operation's class, so that its name says what it is."""
    base = getattr(operation, "base_class", type(operation))
    return str(base.__module__).startswith("qiskit.circuit") and base.__name__ not in ("Instruction", "Gate")


def _is_standard(operation: Any) -> bool:
    return str(getattr(operation, "base_class", type(operation)).__module__).startswith(_STANDARD)


def _free(prefix: str, taken: set[str]) -> Iterator[str]:
    """Names for bits that are in no register."""
    return (name for name in chain([prefix], (f"{prefix}{k}" for k in count())) if name not in taken)


def _is_stale(gate: Any) -> bool:
    """Whether a gate's definition has parameters that the gate has not: Qiskit forgets to assign them under controls."""
    own = {p for param in gate.params for p in getattr(param, "parameters", ())}
    return gate.definition is not None and not own.issuperset(gate.definition.parameters)


def _registers(bits: Sequence[Any], registers: Sequence[Any], add: Any, names: Iterator[str]) -> dict[Any, int]:
    """Number the bits in their order; registers whose bits follow one another are registers here too."""
    numbers = {bit: k for k, bit in enumerate(bits)}
    starts: dict[int, tuple[int, str | None]] = {}
    for register in registers:
        places = [numbers[bit] for bit in register]
        if places and places == list(range(places[0], places[0] + len(places))):
            starts.setdefault(places[0], (len(places), register.name))
    ends = sorted((*starts, len(bits)))
    at = 0
    while at < len(bits):
        size, name = starts.get(at, (0, None))
        following = next(end for end in ends if end > at)
        if not size or at + size > following:  # in no register, or in one that overlaps the next
            size, name = following - at, None
        add(size, next(names) if name is None else name)
        at += size
    return numbers


def _range(values: Any) -> list[int]:
    """The values of a `Range` of expressions."""
    numbers = [getattr(getattr(values, part, None), "value", None) for part in ("start", "stop", "step")]
    if numbers[0] is None or numbers[1] is None:
        refuse("A for loop over a range that is known only while the circuit runs is not converted.")
    return list(range(int(numbers[0]), int(numbers[1]), int(numbers[2]) if numbers[2] is not None else 1))


def _jumps(block: Any) -> bool:
    """Whether a block leaves or continues the loop around it."""
    for instruction in block.data:
        name = instruction.operation.name
        if name in ("break_loop", "continue_loop"):
            return True
        if name in ("if_else", "switch_case", "box") and any(map(_jumps, instruction.operation.blocks)):
            return True
    return False


def _float_bits(value: Any) -> Any:
    return operation("float_bits", value)
