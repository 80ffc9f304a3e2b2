"""Values of OpenQASM 3 expressions."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from parsers import qasm3_runtime as runtime
from parsers.errors import QasmError, QasmWarning
from parsers.qasm3_context import BitVariable, Context, Qubits, Variable, kind_of
from parsers.qasm3_durations import DURATION, Duration
from parsers.qasm3_operators import CONSTANTS, FUNCTIONS
from parsers.qasm3_types import BIT, BOOL, COMPLEX, FLOAT, INT, INTEGERS, ArrayValue, Type, Typed, cast, zero
from qsim.classical import Bits, ClassicalExpression
from qsim.errors import suggestion
from qsim.parameters import Expression, Parameter, Value

_PICKED = 4096  # elements among which an index that is known only while the circuit runs may choose


class NotKnown(QasmError):
    """An integer that must be known while the program is read, and is not."""

    def __init__(self, error: QasmError, value: Typed, node: Any = None) -> None:
        super().__init__(error.message, error.filename, error.line, error.column, error.source_line)
        self.value = value
        #: The syntax tree of the integer, and how many elements it picks from when it is an index.
        self.node = node
        self.length = 0


class Expressions(Context):
    """Evaluates expressions of the syntax tree."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.warned: set[tuple[str, int]] = set()
        #: The values that indices of qubits, by their syntax trees, are taken to have; see `Branches.choose`.
        self.assumed: dict[int, int] = {}
        #: Parameters of the gate that is being read which are known only while the circuit runs, with their values.
        self.angles: list[tuple[Parameter, ClassicalExpression]] = []

    def evaluate(self, node: Any) -> Typed:
        """The value of an expression."""
        kind = type(node).__name__
        method: Callable[[Any], Typed] | None = getattr(self, f"_{kind}", None)
        if method is None:
            raise self.error(f"A {kind} cannot be used as a value here.", node)
        return method(node)

    def constant_int(self, node: Any, what: str) -> int:
        """An integer known while the program is read."""
        value = self.evaluate(node)
        if value.is_runtime or value.is_symbolic:
            why = (
                f"depends on the input '{value.value}'" if value.is_symbolic else "depends on a measurement or an input"
            )
            raise NotKnown(self.error(f"{what} must be known when the program is read; this {why}.", node), value, node)
        if value.type.kind in (*INTEGERS, "bool", "bit"):
            return int(value.value)
        raise self.error(f"{what} is an integer, got a value of type {value.type}.", node)

    def angle(self, node: Any) -> Value:
        """The value of a gate's parameter."""
        self.operators.truncated = False
        value = self.to_angle(self.evaluate(node), node)
        if self.operators.truncated:
            self.warn_of_division(node)
        return value

    def warn_of_division(self, node: Any) -> None:
        """Say once for each place that integers are divided as integers."""
        self.warn(
            "Integers are divided as integers in OpenQASM 3, so this division of integers loses its fraction (1/2 is 0). "
            "Write 1/2.0 if the fraction is meant.", node
        )  # fmt: skip

    def warn(self, message: str, node: Any) -> None:
        """Warn once for each place."""
        place = getattr(node, "span", None)
        offset = place.start_column if place is not None else 0
        if (self.source.filename, offset) in self.warned:
            return
        self.warned.add((self.source.filename, offset))
        warnings.warn(str(self.source.error(message, offset)), QasmWarning, stacklevel=2)

    def to_angle(self, value: Typed, node: Any) -> Value:
        """A value as a gate's parameter: a number or an expression of inputs."""
        if value.is_runtime:
            parameter = Parameter(f"%{len(self.angles)}")
            self.angles.append((parameter, self.guard(node, cast, value, FLOAT).value))
            return parameter
        if isinstance(value.value, Expression):
            return value.value
        if value.type.kind in ("float", "angle"):
            number: float = value.value
            return number
        if value.type.kind in (*INTEGERS, "bool"):
            result: float = self.guard(node, cast, value, FLOAT).value
            return result
        raise self.error(f"A gate's parameter is a real number, got a value of type {value.type}.", node)

    def truth(self, node: Any) -> Typed:
        """The value of a condition, as a bool."""
        value = self.evaluate(node)
        return self.guard(node, cast, value, BOOL)

    def type_of(self, node: Any) -> Type:
        """A classical type that is not an array."""
        name = type(node).__name__
        if name == "ComplexType":
            return COMPLEX
        if name == "BoolType":
            return BOOL
        if name in ("DurationType", "StretchType"):
            return DURATION
        kinds = {"IntType": "int", "UintType": "uint", "FloatType": "float", "AngleType": "angle", "BitType": "bit"}
        if name not in kinds:
            what = {"ArrayType": "array"}.get(name, name)
            raise self.error(f"The type {what} is not supported here.", node)
        if node.size is None:
            return Type(kinds[name])
        width = self.constant_int(node.size, "A width")
        most = self.limits.clbits if name == "BitType" else self.limits.integer_bits
        if not 1 <= width <= most:
            shown = width if abs(width) < 10**30 else "this number"
            raise self.error(f"The width of {kinds[name]} is 1 to {most:,}, got {shown}.", node.size)
        return Type(kinds[name], width)

    # literals and names -------------------------------------------------------------------------------------
    def _IntegerLiteral(self, node: Any) -> Typed:
        if node.value.bit_length() > self.limits.integer_bits:
            raise self.error(f"Integers have at most {self.limits.integer_bits} bits.", node)
        return Typed(INT, node.value)

    def _FloatLiteral(self, node: Any) -> Typed:
        if not abs(node.value) < float("inf"):
            raise self.error("A number must be finite; this one is too large.", node)
        return Typed(FLOAT, node.value)

    def _ImaginaryLiteral(self, node: Any) -> Typed:
        return Typed(COMPLEX, complex(0, node.value))

    def _BooleanLiteral(self, node: Any) -> Typed:
        return Typed(BOOL, node.value)

    def _BitstringLiteral(self, node: Any) -> Typed:
        return Typed(Type("bit", node.width), node.value)

    def _DurationLiteral(self, node: Any) -> Typed:
        return Typed(DURATION, self.guard(node, Duration.of, node.value, node.unit.name))

    def _DurationOf(self, node: Any) -> Typed:
        """How long the delays of a block take on the qubit that waits longest: gates take no time here."""
        times: dict[int, Duration] = {}
        self.add_delays(node.target, times)
        return Typed(DURATION, max(times.values(), key=lambda time: (time.seconds, time.dt), default=Duration()))

    def add_delays(self, statements: list[Any], times: dict[int, Duration]) -> None:
        """Add up the delays of statements by qubit; statements know how."""
        raise NotImplementedError

    def _Identifier(self, node: Any) -> Typed:
        symbol = self.find(node.name)
        if symbol is None and node.name in CONSTANTS:
            return Typed(FLOAT, CONSTANTS[node.name])
        symbol = self.lookup(node.name, node)
        if isinstance(symbol, Variable):
            if symbol.value is None:
                self.warn(f"'{node.name}' is used before it has a value; 0 is taken.", node)
                return Typed(symbol.type, zero(symbol.type))
            return Typed(symbol.type, symbol.value)
        if isinstance(symbol, BitVariable):
            return self.read_bits(symbol.indices, symbol.scalar)
        hint = " Measure it into a bit first." if isinstance(symbol, Qubits) else ""
        raise self.error(f"A value is needed here; '{node.name}' is a {kind_of(symbol)}.{hint}", node)

    # operators ----------------------------------------------------------------------------------------------
    def _UnaryExpression(self, node: Any) -> Typed:
        return self.guard(node, self.operators.unary, node.op.name, self.evaluate(node.expression))

    def _BinaryExpression(self, node: Any) -> Typed:
        op = node.op.name
        # A long chain a + b + c leans to the left; it is walked without recursion.
        chain = [node]
        while type(chain[-1].lhs) is type(node):
            chain.append(chain[-1].lhs)
        left = self.evaluate(chain[-1].lhs)
        for part in reversed(chain):
            op = part.op.name
            decided = op in ("&&", "||") and not left.is_runtime and not left.is_symbolic and left.type.kind != "array"
            if decided and bool(left.value) == (op == "||"):
                left = Typed(BOOL, op == "||")
                continue
            left = self.guard(part, self.operators.binary, op, left, self.evaluate(part.rhs))
        return left

    def _Cast(self, node: Any) -> Typed:
        return self.guard(node, cast, self.evaluate(node.argument), self.type_of(node.type))

    def _FunctionCall(self, node: Any) -> Typed:
        name = node.name.name
        symbol = self.find(name)
        if symbol is None and name in FUNCTIONS:
            args = [self.evaluate(argument) for argument in node.arguments]
            return self.guard(node, self.operators.function, name, args)
        if symbol is None:
            self.unknown_gate_hint(name, node)
            hint = {"ln": " Did you mean 'log'?", "acos": " Did you mean 'arccos'?", "asin": " Did you mean 'arcsin'?",
                    "atan": " Did you mean 'arctan'?"}.get(name) or suggestion(name, [*self.names(), *FUNCTIONS])  # fmt: skip
            raise self.error(f"There is no function called '{name}'.{hint}", node)
        return self.call(node)

    def call(self, node: Any) -> Typed:
        """The result of a subroutine call; statements know how."""
        raise NotImplementedError

    def _SizeOf(self, node: Any) -> Typed:
        dimension = 0 if node.index is None else self.constant_int(node.index, "A dimension")
        if type(node.target).__name__ == "Identifier":
            symbol = self.lookup(node.target.name, node)
            if isinstance(symbol, (Qubits, BitVariable)) and not symbol.scalar and dimension == 0:
                return Typed(Type("uint"), len(symbol.indices))
        value = self.evaluate(node.target).value
        if not isinstance(value, ArrayValue):
            raise self.error("sizeof gives the size of an array or register.", node)
        if not 0 <= dimension < value.data.ndim:
            raise self.error(f"This array has dimensions 0 to {value.data.ndim - 1}, got {dimension}.", node)
        return Typed(Type("uint"), value.data.shape[dimension])

    def _Concatenation(self, node: Any) -> Typed:
        left, right = self.evaluate(node.lhs), self.evaluate(node.rhs)
        a, b = left.value, right.value
        if isinstance(a, ArrayValue) and isinstance(b, ArrayValue) and a.base == b.base:
            size = a.data.size + b.data.size
            if a.data.shape[1:] != b.data.shape[1:] or size > self.limits.array_elements:
                raise self.error(
                    f"'++' joins arrays of one shape to at most {self.limits.array_elements:,} elements.", node
                )
            self.work(size // 200, node)
            return Typed(left.type, ArrayValue(a.base, np.concatenate([a.data, b.data])))
        raise self.error("'++' joins registers in let, or arrays of one type.", node)

    # indices ------------------------------------------------------------------------------------------------
    def positions(self, index: Any, length: int, name: str, node: Any) -> tuple[list[int], bool]:
        """The positions that an index of a register picks, and whether it is a single one."""
        if type(index).__name__ == "DiscreteSet":
            return [self._position(entry, length, name) for entry in index.values], False
        if len(index) != 1:
            raise self.error(f"'{name}' has one index, got {len(index)}.", node)
        entry = index[0]
        if type(entry).__name__ == "RangeDefinition":
            start, stop, step = self._range(entry, length, name)
            return list(range(length))[as_slice(start, stop, step)], False
        return [self._position(entry, length, name)], True

    def _position(self, node: Any, length: int, name: str) -> int:
        number = self.assumed.get(id(node))
        if number is None:
            try:
                number = self.constant_int(node, "An index")
            except NotKnown as unknown:
                unknown.length = length
                raise
        if not -length <= number < length:
            shown = number if abs(number) < 10**30 else "this number"
            raise self.error(f"'{name}' has elements 0 to {length - 1}; there is no {name}[{shown}].", node)
        return number % length

    def _range(self, node: Any, length: int, name: str) -> tuple[int, int, int]:
        step = 1 if node.step is None else self.constant_int(node.step, "A step")
        if step == 0:
            raise self.error("The step of a range is not 0.", node)
        ends = (0, length - 1) if step > 0 else (length - 1, 0)
        try:
            start = ends[0] if node.start is None else self._position(node.start, length, name)
            stop = ends[1] if node.end is None else self._position(node.end, length, name)
        except NotKnown as unknown:
            unknown.length = 0  # the number of elements would depend on it
            raise
        return start, stop, step

    def _IndexExpression(self, node: Any) -> Typed:
        collection = node.collection
        name = "this value"
        if type(collection).__name__ == "Identifier":
            name = collection.name
            symbol = self.lookup(name, collection)
            if isinstance(symbol, BitVariable) and not symbol.scalar:
                try:
                    positions, single = self.positions(node.index, len(symbol.indices), name, node)
                except NotKnown as index:
                    return self._picked([self.read_bits([bit], True) for bit in symbol.indices], index)
                return self.read_bits([symbol.indices[k] for k in positions], single)
        return self.pick_or_choose(self.evaluate(collection), node.index, name, node)

    def pick_or_choose(self, value: Typed, indices: Any, name: str, node: Any) -> Typed:
        """Elements of a value, also by an index that is known only while the circuit runs."""
        try:
            return self.pick(value, indices, name, node)
        except NotKnown as index:
            if isinstance(value.value, ArrayValue) and len(indices) == 1:
                elements = [Typed(value.value.base, item) for item in value.value.data.flat]
                if value.value.data.ndim == 1:
                    return self._picked(elements, index)
            if value.type.kind in ("bit", *INTEGERS) and len(indices) == 1:
                content = runtime.expression(value)
                width = value.type.width or (1 if value.type.kind == "bit" else 64)
                bits = [
                    Typed(BIT, runtime.operation("&", runtime.operation(">>", content, k), 1)) for k in range(width)
                ]
                return self._picked(bits, index)
            raise

    @staticmethod
    def _picked(elements: list[Typed], index: NotKnown) -> Typed:
        """One of some values, by an index that is known only while the circuit runs."""
        if index.value.type.kind not in (*INTEGERS, "bit", "bool") or len(elements) > _PICKED:
            raise index
        return Typed(elements[0].type, runtime.choice(runtime.expression(index.value), elements))

    def array_index(self, index: Any, array: ArrayValue, name: str, node: Any) -> tuple[int | slice, ...]:
        """The numpy index of an array element or slice; arrays know how."""
        raise NotImplementedError

    def pick(self, value: Typed, index: Any, name: str, node: Any) -> Typed:
        """Elements of an array, or bits of an integer, angle or bit value."""
        if isinstance(value.value, ArrayValue):
            at = self.array_index(index, value.value, name, node)
            data = value.value.data[at]
            if isinstance(data, np.ndarray):
                return Typed(value.type, value.value.part(at))
            return Typed(value.value.base, data)
        width = value.type.width
        if isinstance(value.value, Bits):
            chosen, single = self.positions(index, len(value.value.clbits), name, node)
            return Typed(
                BIT if single else Type("bit", len(chosen)), Bits(tuple(value.value.clbits[k] for k in chosen))
            )
        if value.type.kind not in ("bit", "angle", *INTEGERS):
            raise self.error(f"'{name}' has no elements: it is a value of type {value.type}.", node)
        if width is None:
            if value.type.kind not in INTEGERS:
                raise self.error(f"'{name}' has no elements: it is a value of type {value.type}.", node)
            width = 64
        if value.type.kind == "angle":
            value = self.guard(node, cast, value, Type("bit", width))
        positions, single = self.positions(index, width, name, node)
        if value.is_runtime or value.is_symbolic:
            return Typed(BIT if single else Type("bit", len(positions)), _spread(runtime.expression(value), positions))
        number = value.value
        bits = sum(((number >> bit) & 1) << k for k, bit in enumerate(positions))
        return Typed(BIT if single else Type("bit", len(positions)), bits)


def _spread(content: ClassicalExpression, positions: list[int]) -> ClassicalExpression:
    """Some bits of a value, the first as the least significant one."""
    result: ClassicalExpression | None = None
    for k, bit in enumerate(positions):
        part = runtime.operation("&", runtime.operation(">>", content, bit), 1)
        part = runtime.operation("<<", part, k) if k else part
        result = part if result is None else runtime.operation("|", result, part)
    return runtime.operation("&", content, 0) if result is None else result


def as_slice(start: int, stop: int, step: int) -> slice:
    """An inclusive range of non-negative ends as a Python slice."""
    if step > 0:
        return slice(start, stop + 1, step)
    return slice(start, stop - 1 if stop > 0 else None, step)
