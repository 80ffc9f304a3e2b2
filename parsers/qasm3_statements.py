"""Statements of OpenQASM 3: declarations, assignments, measurement, and what has no effect here."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from parsers import qasm3_runtime as runtime
from parsers.errors import QasmWarning
from parsers.qasm3_arrays import split_groups
from parsers.qasm3_context import BitVariable, Qubits, Subroutine, Symbol, Variable, kind_of
from parsers.qasm3_durations import DURATION, Duration
from parsers.qasm3_expressions import NotKnown
from parsers.qasm3_types import BIT, FLOAT, INT, INTEGERS, ArrayValue, Type, Typed, cast, wrap, zero
from parsers.qasm3_variables import Variables
from parsers.threads import deep
from qsim.circuit import DELAY, RESET, Delay, GateDefinition
from qsim.classical import Assign, Literal
from qsim.gates import GateRow
from qsim.parameters import Parameter, ParameterArray

_REFUSED = {
    "ExternDeclaration": "'extern {0}' is not supported: there is no function outside the program to call.",
    "CalibrationGrammarDeclaration": "defcalgrammar is not supported: pulses are not simulated.",
    "CalibrationStatement": "cal is not supported: pulses are not simulated.",
    "CalibrationDefinition": "'defcal {0}' is not supported: pulses are not simulated.",
}


#: Statements whose indices may be known only while the circuit runs.
_CHOOSING = {"QuantumGate", "QuantumReset", "QuantumBarrier", "DelayInstruction", "ExpressionStatement",
             "ClassicalAssignment", "QuantumMeasurementStatement"}  # fmt: skip


@dataclass
class Measuring:
    """A measurement whose qubit is picked while the circuit runs."""

    span: Any
    measurement: Any
    target: tuple[tuple[int, ...], bool]


_COSTS = {"QuantumGate": 1, "QuantumPhase": 1, "ClassicalAssignment": 12}

#: Blocks, or calls, inside one another after which a thread of its own goes on, whose stack is empty.
_DEEP = 12


class Statements(Variables):
    """Lowers statements without control flow."""

    skip_unsupported = False  # leave out pulse statements and extern, with a warning

    def execute(self, node: Any) -> None:
        """Lower one statement."""
        kind = type(node).__name__
        method: Callable[[Any], None] | None = getattr(self, f"_{kind}", None)
        if method is None and self.skip_unsupported and kind in _REFUSED:
            name = getattr(getattr(node, "name", None), "name", "")
            warnings.warn(str(self.error(f"Skipped: {_REFUSED[kind].format(name)}", node)), QasmWarning, stacklevel=2)
            return
        if method is None:
            text = _REFUSED.get(kind, f"{kind} is not supported.")
            raise self.error(text.format(getattr(getattr(node, "name", None), "name", "")), node)
        before = len(self.circuit)
        try:
            method(node)
        except NotKnown as unknown:  # an index: one block for each value that it may have
            if kind not in _CHOOSING or not unknown.length or len(self.circuit) != before:
                raise
            self.choose(node, unknown)

    def choose(self, statement: Any, unknown: NotKnown) -> None:
        """Lower a statement for each value of an index; branches know how."""
        raise NotImplementedError

    def execute_all(self, nodes: Iterable[Any]) -> None:
        """Lower statements in a scope of their own."""
        scopes = self.frame.scopes
        scopes.append({})
        self.nested += 1
        try:
            if self.nested % _DEEP:
                self._each(nodes)
            else:
                deep(self._each, nodes)
        finally:
            self.nested -= 1
            scopes.pop()

    nested = 0

    def _each(self, nodes: Iterable[Any]) -> None:
        repeated = self.depth or self.frame.loops
        for node in nodes:
            if repeated:
                self.work(_COSTS.get(type(node).__name__, 20), node)
            self.execute(node)

    # no effect ----------------------------------------------------------------------------------------------
    def _Pragma(self, node: Any) -> None:
        """Pragmas mean nothing here."""

    def _ExpressionStatement(self, node: Any) -> None:
        expression = node.expression
        if type(expression).__name__ == "Identifier" and expression.name == "nop" and self.find("nop") is None:
            return
        if type(expression).__name__ == "Identifier" and isinstance(
            self.find(expression.name), (GateRow, GateDefinition)
        ):
            raise self.error(f"A gate is applied to qubits: '{expression.name} q;'.", node)
        if type(expression).__name__ == "FunctionCall":
            symbol = self.find(expression.name.name)
            if symbol is not None and not isinstance(symbol, Subroutine):
                what = kind_of(symbol)
                hint = (
                    " The qubits of a gate stand after its parameters, without brackets: 'rx(pi) q;'."
                    if what == "gate"
                    else ""
                )
                raise self.error(f"'{expression.name.name}' is a {what}, not a subroutine.{hint}", node)
        self.evaluate(expression)

    def _CompoundStatement(self, node: Any) -> None:
        self.execute_all(node.statements)

    def _Box(self, node: Any) -> None:
        if node.duration is not None:
            self._duration(node.duration)
        self.execute_all(node.body)

    def add_delays(self, statements: list[Any], times: dict[int, Duration]) -> None:
        """Add up the delays of statements by qubit."""
        for node in statements:
            kind = type(node).__name__
            if kind == "DelayInstruction":
                duration = self._duration(node.duration)
                for operand in node.qubits:
                    for qubit in self.register(operand, Qubits)[0]:
                        times[qubit] = times.get(qubit, Duration()) + duration
            elif kind in ("Box", "CompoundStatement"):
                self.add_delays(node.body if kind == "Box" else node.statements, times)
            elif kind == "QuantumGate":
                self.gate_named(node.name.name, node)
            elif kind not in ("QuantumPhase", "QuantumBarrier"):
                raise self.error("durationof takes a block of gates, delays, barriers and boxes.", node)

    def _duration(self, node: Any) -> Duration:
        duration = self.evaluate(node)
        if duration.type.kind != "duration":
            raise self.error(
                f"The time of a delay is a duration, like 100ns; got a value of type {duration.type}.", node
            )
        value: Duration = duration.value
        if value.is_negative:
            raise self.error(f"A duration here is not negative, got {self.guard(node, str, value)}.", node)
        self.guard(node, str, value)  # a text that can be written
        return value

    def _DelayInstruction(self, node: Any) -> None:
        duration = self._duration(node.duration)
        operands = [self.register(operand, Qubits)[0] for operand in node.qubits]
        qubits = [q for group in operands for q in group] if node.qubits else list(range(self.circuit.num_qubits))
        self.add_count(len(qubits), node)
        circuit, index = self.circuit, len(self.circuit._objects)
        circuit._objects.append(Delay(str(duration)))  # one for all
        for qubit in qubits:
            circuit._rows.extend((DELAY, len(circuit._operands), 1, index, 0, 0))
            circuit._operands.append(qubit)

    # quantum ------------------------------------------------------------------------------------------------
    def _QubitDeclaration(self, node: Any) -> None:
        if len(self.frame.scopes) > 1 or self.frame.inside or self.level:
            raise self.error("Qubits are declared at the top level of a program.", node)
        size = 1 if node.size is None else self.constant_int(node.size, "The number of qubits")
        name = node.qubit.name
        if name[0] == "$":
            raise self.error(f"Physical qubits such as {name} are there already; they are not declared.", node)
        self.declare(name, Qubits((), False), node)
        self.globals[name] = Qubits(self.add_qubits(size, name, node), node.size is None)

    def _QuantumReset(self, node: Any) -> None:
        indices, _ = self.register(node.qubits, Qubits)
        self.add_count(len(indices), node)
        circuit = self.circuit
        for qubit in indices:
            circuit._rows.extend((RESET, len(circuit._operands), 1, 0, 0, 0))
            circuit._operands.append(qubit)

    def _QuantumBarrier(self, node: Any) -> None:
        qubits = [q for operand in node.qubits for q in self.register(operand, Qubits)[0]]
        self.add_count(1, node)
        if not node.qubits:
            self.circuit.barrier()
        else:
            self.circuit.barrier(qubits)

    def measure(
        self, measurement: Any, target: tuple[tuple[int, ...], bool] | None, node: Any
    ) -> tuple[tuple[int, ...], bool]:
        """Measure into the target, or into new bits; gives the bits."""
        try:
            qubits, scalar = self.register(measurement.qubit, Qubits)
        except NotKnown as unknown:
            if not unknown.length:
                raise
            target = target or (self.add_bits(1, "", node), True)
            self.choose(Measuring(node.span, measurement, target), unknown)
            return target
        self.add_count(len(qubits), node)
        if target is None:
            target = self.add_bits(len(qubits), "", node), scalar
        bits, _ = target
        if len(bits) != len(qubits):
            raise self.error(
                f"A register is measured into one of the same size; here {len(qubits)} "
                f"qubit{'s go' if len(qubits) != 1 else ' goes'} into {len(bits)} bit{'s' * (len(bits) != 1)}.", node
            )  # fmt: skip
        self.measured.update(bits)
        self.circuit.measure(list(qubits), list(bits))
        return target

    def _Measuring(self, node: Measuring) -> None:
        self.measure(node.measurement, node.target, node)

    def _QuantumMeasurementStatement(self, node: Any) -> None:
        root = node.target
        while type(root).__name__ == "IndexedIdentifier":
            root = root.name
        if root is not None and isinstance(self.find(root.name), Variable):
            self.assign(node, node.target, self.measured_value(node.measure, node), "=")
            return
        target = None if node.target is None else self.register(node.target, BitVariable)
        self.measure(node.measure, target, node)

    def measured_value(self, measurement: Any, node: Any) -> Typed:
        """Measure into new bits; gives their value."""
        bits, scalar = self.measure(measurement, None, node)
        return self.read_bits(bits, scalar)

    def value_of(self, node: Any, statement: Any) -> Typed:
        """The value of an expression or of a measurement."""
        if type(node).__name__ == "QuantumMeasurement":
            return self.measured_value(node, statement)
        return self.evaluate(node)

    def _AliasStatement(self, node: Any) -> None:
        first = node.value
        while type(first).__name__ in ("Concatenation", "IndexExpression"):
            first = first.lhs if type(first).__name__ == "Concatenation" else first.collection
        name = getattr(first, "name", None)
        wanted = BitVariable if isinstance(name, str) and isinstance(self.find(name), BitVariable) else Qubits
        indices, scalar = self.register(node.value, wanted)
        symbol: Symbol = BitVariable(indices, scalar) if wanted is BitVariable else Qubits(indices, scalar)
        self.declare(node.target.name, symbol, node)

    # classical declarations ---------------------------------------------------------------------------------
    def _ClassicalDeclaration(self, node: Any) -> None:
        self.declare_classical(node, node.init_expression)

    def _IODeclaration(self, node: Any) -> None:
        if node.io_identifier.name == "output":
            self.declare_classical(node, None)
            return
        if len(self.frame.scopes) > 1 or self.frame.inside:
            raise self.error("Inputs are declared at the top level of a program.", node)
        name = node.identifier.name
        if type(node.type).__name__ == "ArrayType":
            base, shape = self.array_type(node.type)
            if len(shape) != 1 or base.kind not in ("float", "angle", *INTEGERS):
                raise self.error(f"The input '{name}' must be an array of one dimension of numbers.", node)
            array = self.guard(node, ParameterArray, name, shape[0])
            data: np.ndarray[Any, Any] = np.empty(shape, dtype=object)
            for k, element in enumerate(array):
                data[k] = element
            self.declare(name, Variable(Type("array"), ArrayValue(_unsized(base), data), "an input"), node)
            self.root.declare_parameter(array[0])
            return
        kind = self.type_of(node.type)
        if kind.kind == "complex":
            raise self.error(f"The input '{name}' is complex; inputs are real numbers.", node)
        parameter = Parameter(name)
        self.declare(name, Variable(_unsized(kind), parameter, "an input"), node)
        self.root.declare_parameter(parameter)

    def _ConstantDeclaration(self, node: Any) -> None:
        name = node.identifier.name
        if type(node.init_expression).__name__ == "QuantumMeasurement":
            raise self.error(f"The constant '{name}' must be known when the program is read.", node)
        self._only_constants(node.init_expression, name)
        if type(node.type).__name__ == "ArrayType":
            base, shape = self.array_type(node.type)
            array = self.array_value(node.init_expression, base, shape)
            self.declare(name, Variable(Type("array"), array, "const"), node)
            return
        value = self.evaluate(node.init_expression)
        if value.is_runtime or value.is_symbolic:
            why = f"the input '{value.value}'" if value.is_symbolic else "a measurement"
            raise self.error(
                f"The constant '{name}' must be known when the program is read; it depends on {why}.", node
            )
        kind = self.type_of(node.type)
        self.declare(name, Variable(kind, self.guard(node, cast, value, kind).value, "const"), node)

    def _only_constants(self, expression: Any, name: str) -> None:
        """A constant is made of constants, not of variables that happen to be known."""
        stack = [expression]
        while stack:
            node = stack.pop()
            if isinstance(node, (list, tuple)):
                stack.extend(node)
            elif type(node).__name__ == "Identifier":
                symbol = self.find(node.name)
                if isinstance(symbol, BitVariable) or (isinstance(symbol, Variable) and not symbol.constant):
                    raise self.error(
                        f"The constant '{name}' is made of constants only; '{node.name}' is a {kind_of(symbol)}. "
                        "Leave out 'const', or declare what it is made of as const.",
                        node,
                    )
            elif hasattr(node, "span") and type(node).__name__ not in ("SizeOf", "DurationOf"):
                stack.extend(v for k, v in vars(node).items() if k != "span" and not isinstance(v, (str, int, float)))

    def declare_classical(self, node: Any, initial: Any) -> None:
        """A classical variable or bit register."""
        name = node.identifier.name
        measured = type(initial).__name__ == "QuantumMeasurement"
        kind_name = type(node.type).__name__
        if kind_name == "ArrayType":
            base, shape = self.array_type(node.type)
            if initial is None:
                array = ArrayValue(base, np.full(shape, zero(base), dtype=object))
            else:
                array = self.array_value(initial, base, shape)
            if initial is not None and self._depends(array, initial):
                self.hold_array(array, node)
                self.forget([Variable(Type("array"), array)])
            self.declare(name, Variable(Type("array"), array, level=self.level), node)
            return
        if kind_name == "StretchType" and initial is None:  # as short as the program allows
            self.declare(name, Variable(DURATION, Duration(), "a stretch", level=self.level), node)
            return
        if kind_name == "BitType" and initial is None and self._is_empty(node.type.size):
            self.declare(name, BitVariable((), False), node)
            self.add_bits(0, name, node)
            return
        kind = self.type_of(node.type)
        if kind.kind == "bit":
            self._declare_bits(name, kind, node, initial, measured)
            return
        value = None if initial is None else self.guard(node, cast, self.value_of(initial, node), kind).value
        self.declare(name, self.new_variable(kind, value, node), node)

    def _is_empty(self, size: Any) -> bool:
        """Whether a register of this size has no elements; exporters declare such ones."""
        if size is None or self.frame.scopes[-1] is not self.globals:
            return False
        return self.constant_int(size, "A width") == 0

    def _declare_bits(self, name: str, kind: Type, node: Any, initial: Any, measured: bool) -> None:
        value = None if initial is None or measured else self.guard(node, cast, self.evaluate(initial), kind)
        self.declare(name, BitVariable((), False), node)
        bits = self.add_bits(kind.width or 1, name, node)
        self.frame.scopes[-1][name] = BitVariable(bits, kind.width is None)
        if measured:
            self.measure(initial, (bits, kind.width is None), node)
        elif value is not None:
            self.write_bits(bits, _content(value))
        elif self.runtime_loops:  # its value of the last round is gone
            self.emit(Assign(bits, Literal(0)))

    runtime_loops = 0

    # assignment ---------------------------------------------------------------------------------------------
    def _ClassicalAssignment(self, node: Any) -> None:
        target, measured = node.lvalue, type(node.rvalue).__name__ == "QuantumMeasurement"
        name = target.name if type(target).__name__ == "Identifier" else target.name.name
        symbol = self.lookup(name, target)
        operator = node.op.name
        if isinstance(symbol, BitVariable):
            if measured and operator == "=":
                self.measure(node.rvalue, self.register(target, BitVariable), node)
                return
            self._assign_bits(symbol, node, name, operator)
            return
        if not isinstance(symbol, Variable):
            raise self.error(f"Only variables are assigned; '{name}' is a {kind_of(symbol)}.", node)
        if isinstance(symbol.value, ArrayValue) and not measured:
            self._assignable(symbol, name, node)
            shape = symbol.value.data.shape
            index, inner = self._array_place(target, len(shape))
            if inner:
                self._assign_bits_of_element(symbol.value, index or [], inner, node, name)
                return
            if index is None or len(index) < len(shape) or any(type(e).__name__ == "RangeDefinition" for e in index):
                if operator != "=":
                    raise self.error("An array, or a part of one, is assigned with '='.", node)
                self._assign_part(symbol.value, index, node, name)
                return
        self.assign(node, target, self.value_of(node.rvalue, node), operator)

    def _assign_bits(self, register: BitVariable, node: Any, name: str, operator: str) -> None:
        try:
            bits, scalar = self.register(node.lvalue, BitVariable)
        except NotKnown as index:
            self._assign_unknown_bit(register, index, node, operator)
            return
        kind = Type("bit", None if scalar else len(bits))
        value = self.value_of(node.rvalue, node)
        if operator != "=":
            value = self.guard(node, self.operators.binary, operator[:-1], self.read_bits(bits, scalar), value)
        value = self.guard(node, cast, value, kind)
        self.write_bits(bits, _content(value))

    def _assign_unknown_bit(self, register: BitVariable, index: NotKnown, node: Any, operator: str) -> None:
        """c[i] = value, where i is known only while the circuit runs: every bit is written, with its old value but one."""
        if index.value.type.kind not in INTEGERS:
            raise index
        place = self._place(index, len(register.indices), node)
        value = self.value_of(node.rvalue, node)
        for k, bit in enumerate(register.indices):
            old = self.read_bits([bit], True)
            new = value
            if operator != "=":
                new = self.guard(node, self.operators.binary, operator[:-1], old, value)
            chosen = self._chosen(place, k, old, self.guard(node, cast, new, BIT))
            self.write_bits([bit], chosen)

    def _place(self, index: NotKnown, size: int, node: Any) -> tuple[int, ...]:
        """Bits that keep an index from 0 on; a wrong index fails while the circuit runs, as in reading."""
        self.work(12 * size, node)
        place = runtime.operation("pick", runtime.expression(index.value), *range(size))
        return self.hold(INT, place, node)

    @staticmethod
    def _chosen(place: tuple[int, ...], k: int, old: Typed, new: Typed) -> Any:
        """The element k after an assignment to the one at a place."""
        return runtime.choice(runtime.operation("==", runtime.reading(INT, place), k), [old, new])

    def _assignable(self, symbol: Variable, name: str, node: Any) -> None:
        if symbol.constant:
            why = "a constant" if symbol.constant == "const" else symbol.constant
            raise self.error(f"'{name}' is {why} and cannot be assigned.", node)

    def assign(self, node: Any, target: Any, value: Typed, operator: str) -> None:
        """Assign a value to a variable or to one element of it."""
        element = type(target).__name__ == "IndexedIdentifier"
        name = target.name.name if element else target.name
        symbol = self.lookup(name, target)
        assert isinstance(symbol, Variable)
        self._assignable(symbol, name, node)
        if isinstance(symbol.value, ArrayValue):
            index, _ = self._array_place(target, symbol.value.data.ndim)
            self._assign_element(symbol.value, index or [], value, operator, node, name)
        elif element:
            self._assign_part_of_integer(symbol, target, value, operator, node, name)
        else:
            old = None if operator == "=" else self._Identifier(target)
            self.put(symbol, self._new_value(symbol.type, old, value, operator, node), node)

    def _new_value(self, kind: Type, old: Typed | None, value: Typed, operator: str, node: Any) -> Any:
        if old is not None:
            value = self.guard(node, self.operators.binary, operator[:-1], old, value)
        return self.guard(node, cast, value, kind).value

    # arrays -------------------------------------------------------------------------------------------------
    @staticmethod
    def _array_place(target: Any, dimensions: int) -> tuple[list[Any] | None, list[Any]]:
        """The indices of an assignment to an array, None for all of it, and brackets after them: bits of an element."""
        if type(target).__name__ != "IndexedIdentifier":
            return None, []
        return split_groups(target.indices, dimensions)

    def _assign_bits_of_element(
        self, array: ArrayValue, index: list[Any], inner: list[Any], node: Any, name: str
    ) -> None:
        value = self.value_of(node.rvalue, node)
        at = self.array_index(index, array, name, node)
        if len(inner) != 1 or isinstance(array.data[at], np.ndarray):
            raise self.error(f"An element of '{name}' has one more index, for its bits.", node)
        current = Typed(array.base, array.data[at])
        self.put_element(array, at, self._with_part(current, inner[0], value, node.op.name, node, name), node)

    def _depends(self, array: ArrayValue, node: Any) -> bool:
        """Whether an element of an array's new value is known only while the circuit runs."""
        if type(node).__name__ == "Identifier":
            symbol = self.find(node.name)
            if (
                isinstance(symbol, Variable)
                and isinstance(symbol.value, ArrayValue)
                and symbol.value.base == array.base
            ):
                return symbol.value.cells is not None
        self.work(array.data.size // 10, node)
        return any(Typed(array.base, value).is_runtime for value in array.data.flat)

    def _assign_part(self, array: ArrayValue, index: list[Any] | None, node: Any, name: str) -> None:
        at: Any = ... if index is None else self.array_index(index, array, name, node)
        shape = array.data[at].shape
        new = self.array_value(node.rvalue, array.base, shape)
        part = array.part(at)
        if part.cells is None and self._depends(new, node.rvalue):
            self.hold_array(array, node)
            part = array.part(at)
        if part.cells is None:
            part.data[...] = new.data
            return
        self.work(20 * new.data.size, node)
        for place, value in np.ndenumerate(new.data):
            self.put_element(part, place, value, node)

    def _assign_element(
        self, array: ArrayValue, index: list[Any], value: Typed, operator: str, node: Any, name: str
    ) -> None:
        try:
            at = self.array_index(index, array, name, node)
        except NotKnown as unknown:
            self._assign_unknown_element(array, unknown, value, operator, node, len(index))
            return
        old = None if operator == "=" else self.pick(Typed(Type("array"), array), index, name, node)
        self.put_element(array, at, self._new_value(array.base, old, value, operator, node), node)

    def _assign_unknown_element(
        self, array: ArrayValue, index: NotKnown, value: Typed, operator: str, node: Any, indices: int
    ) -> None:
        if index.value.type.kind not in INTEGERS or array.data.ndim != 1 or indices != 1:
            raise index
        place = self._place(index, array.data.size, node)
        for k, item in enumerate(array.data):
            old = Typed(array.base, item)
            new = Typed(
                array.base, self._new_value(array.base, None if operator == "=" else old, value, operator, node)
            )
            self.put_element(array, k, self._chosen(place, k, old, new), node)

    def _assign_part_of_integer(
        self, symbol: Variable, target: Any, value: Typed, operator: str, node: Any, name: str
    ) -> None:
        """Assign bits of an integer."""
        if len(target.indices) != 1:
            raise self.error(f"'{name}' is of type {symbol.type}; its bits have one index.", node)
        if symbol.value is None:  # bits of a value that was never set are 0
            symbol.value = zero(symbol.type)
        current = self._Identifier(target.name)
        self.put(symbol, self._with_part(current, target.indices[0], value, operator, node, name), node)

    def _with_part(self, current: Typed, index: Any, value: Typed, operator: str, node: Any, name: str) -> Any:
        """A value with some of its bits assigned."""
        whole = current.type
        angle = whole.kind == "angle" and whole.width is not None
        if not (angle or whole.kind in ("bit", *INTEGERS)):
            raise self.error(f"'{name}' is of type {whole} and has no elements to assign.", node)
        width = whole.width or (1 if whole.kind == "bit" else 64)
        positions, single = self.positions(index, width, name, node)
        kind = BIT if single else Type("bit", len(positions))
        if angle:
            current = self.guard(node, cast, current, Type("bit", width))
        old = None if operator == "=" else self.pick(current, index, name, node)
        bits = Typed(kind, self._new_value(kind, old, value, operator, node))
        if current.is_runtime or bits.is_runtime or current.is_symbolic:
            changed = Typed(current.type, self._with_bits(current.type, current, bits, positions, width))
            return self.guard(node, cast, changed, whole).value
        number = int(current.value)
        for k, bit in enumerate(positions):
            number = (number & ~(1 << bit)) | (((int(bits.value) >> k) & 1) << bit)
        changed = Typed(current.type, number if current.type.kind == "bit" else wrap(number, whole))
        return self.guard(node, cast, changed, whole).value

    @staticmethod
    def _with_bits(kind: Type, current: Typed, bits: Typed, positions: list[int], width: int) -> Any:
        mask = sum(1 << bit for bit in positions)
        result: Any = runtime.operation("&", runtime.expression(current), ((1 << width) - 1) & ~mask)
        content = runtime.expression(bits)
        for k, bit in enumerate(positions):
            part = runtime.operation("&", runtime.operation(">>", content, k), 1)
            result = runtime.operation("|", result, runtime.operation("<<", part, bit))
        return runtime.operation("int", result, width) if kind.kind == "int" else result


def _content(value: Typed) -> Any:
    """What bits are assigned: an integer when it is known."""
    return runtime.expression(value) if value.is_runtime or value.is_symbolic else int(value.value)


def _unsized(kind: Type) -> Type:
    """The type of an input: its width cannot be applied to a value that comes later."""
    return Type(kind.kind, kind.width if kind.kind == "bit" else None)


__all__ = ["FLOAT", "INT", "Statements"]
