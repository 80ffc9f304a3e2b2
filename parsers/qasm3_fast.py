"""Flat statements without the reference grammar: a gate or a measurement on registers or their elements.

Whatever is not plainly the common case (an unknown name, a wrong number of operands, a variable in a parameter) is
answered with False, and the statement goes the long way, where errors are explained.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from parsers.errors import QasmError
from parsers.qasm3_context import BitVariable, Qubits, Variable
from parsers.qasm3_control import Lowering
from parsers.qasm3_operators import CONSTANTS, FUNCTIONS
from parsers.qasm3_types import FLOAT, INT, ArrayValue, Problem, Typed
from qsim.circuit import GATE_OBJECT, MEASURE, RESET, GateDefinition
from qsim.gates import Gate, GateRow
from qsim.parameters import Value

_NUMBER = re.compile(r"\s*[-+]?\s*(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][+-]?[0-9]+)?\s*\Z")
_TOKEN = re.compile(
    r"\s*(?:([0-9]+\.[0-9]*(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+)|([0-9]+)|([^\W\d]\w*)|(\*\*|[-+*/()[\]]))"
)
_OPERAND = re.compile(r"\s*([A-Za-z_]\w*|\$[0-9]+)(?:\s*\[\s*([0-9]+)\s*\])?\s*\Z")
_STRENGTH = {"+": 1, "-": 1, "*": 2, "/": 2, "**": 4}
_MEMO_SIZE = 100_000


class _Unsure(Exception):
    """Not plainly the common case."""


class FastPath:
    """Lowers flat statements of the program's top level."""

    def __init__(self, lowering: Lowering) -> None:
        self.lowering = lowering
        self.operands_of: dict[str, tuple[list[tuple[int, ...]], int]] = {}
        self.params_of: dict[str, tuple[Value, ...]] = {}
        self.single: dict[str | None, tuple[int, ...]] = {}
        self.numbers: dict[str, tuple[Any, ...]] = {}
        self.gates_of: dict[tuple[str, tuple[Value, ...]], Gate] = {}
        self.measures_of: dict[tuple[str, str], list[tuple[int, int]]] = {}

    def run(self, flat: list[re.Match[str]], index: int, until: int) -> int:
        """Lower flat statements from `index` on that start before `until`; gives the index of the first that is left.

        Nearly all of a long program is table gates on single qubits with numbers: these are collected in lists, which
        is several times faster than appending each to the circuit.
        """
        lowering, circuit = self.lowering, self.lowering.root
        size, left = len(flat), lowering.limits.operations - lowering.count
        named: dict[str, GateRow] = {}
        rows: list[int] = []
        columns: list[int] = []
        values: list[float] = []
        at, first = len(circuit._operands), len(circuit._values)
        while index < size:
            match = flat[index]
            if match.start() >= until:
                break
            name, parameters, text = match.group(1, 2, 3)
            row = named.get(name)
            qubits = self.single.get(text)
            params: tuple[Any, ...] | None = () if parameters is None else self.numbers.get(parameters)
            if (
                row is None
                or qubits is None
                or params is None
                or len(qubits) != row.num_qubits
                or len(params) != row.num_params
                or len(rows) >= 6 * left
            ):
                self._flush(rows, columns, values)
                if not self.statement(match):
                    return index
                at, first = len(circuit._operands), len(circuit._values)
                left = lowering.limits.operations - lowering.count
                symbol = lowering.globals.get(name) if row is None else None
                if type(symbol) is GateRow and symbol.num_qubits:
                    named[name] = symbol
                self._remember(text, parameters)
            else:
                rows += (row.code, at, row.num_qubits, first, 0, 0)
                columns += qubits
                at += row.num_qubits
                if params:
                    values += params
                    first += row.num_params
            index += 1
        self._flush(rows, columns, values)
        return index

    def _flush(self, rows: list[int], columns: list[int], values: list[float]) -> None:
        if rows:
            circuit = self.lowering.root
            circuit._rows.extend(rows)
            circuit._operands.extend(columns)
            circuit._values.extend(values)
            self.lowering.count += len(rows) // 6
            rows.clear()
            columns.clear()
            values.clear()

    def _remember(self, text: str | None, parameters: str | None) -> None:
        """What `run` needs of a statement that was read."""
        known = self.operands_of.get(text or "")
        if known is not None and len(known[0]) == 1:
            self.single[text or ""] = known[0][0]
        numbers = self.params_of.get(parameters or "")
        if numbers is not None and all([type(number) is float for number in numbers]):
            self.numbers[parameters or ""] = numbers

    def statement(self, match: re.Match[str]) -> bool:
        """Lower a flat statement; False when it has to go the long way, and then nothing has been done."""
        name, parameters, operands, target, measured, measured2, target2 = match.groups()
        try:
            if name is None:
                return self.measure(measured or measured2, target or target2)
            return self.gate(name, parameters, operands)
        except (_Unsure, Problem, QasmError):
            return False

    def gate(self, name: str, parameters: str | None, text: str) -> bool:
        lowering = self.lowering
        gate = lowering.globals.get(name)
        if not isinstance(gate, (GateRow, GateDefinition)):
            return (name == "reset" or name == "barrier") and self.other(name, text)
        operands = self.operands_of.get(text)
        if operands is None:
            operands = self.operands_of[text] = self.read_operands(text)
        tuples, width = operands
        if width != gate.num_qubits:
            return False
        params: tuple[Value, ...] = ()
        if parameters is not None:
            known = self.params_of.get(parameters)
            if known is None:
                known, lasting = self.read_params(parameters)
                if lasting and len(self.params_of) < _MEMO_SIZE:
                    self.params_of[parameters] = known
            params = known
        if len(params) != gate.num_params:
            return False
        circuit = lowering.root
        if type(gate) is GateRow:
            count = lowering.count + len(tuples)
            if count > lowering.limits.operations or width == 0:
                return False
            lowering.count = count
            rows, columns, values, code = circuit._rows, circuit._operands, circuit._values, gate.code
            if not params:
                for qubits in tuples:
                    rows.extend((code, len(columns), width, len(values), 0, 0))
                    columns.extend(qubits)
                return True
            symbolic = any([type(param) is not float for param in params])
            for qubits in tuples:
                if symbolic:
                    circuit._add(gate, qubits, params)
                else:
                    rows.extend((code, len(columns), width, len(values), 0, 0))
                    columns.extend(qubits)
                    values.extend(params)  # type: ignore[arg-type]
            return True
        assert isinstance(gate, GateDefinition)
        size = max(1, gate.size) * len(tuples)
        if lowering.count + size > lowering.limits.operations:
            return False
        applied = self.gates_of.get((name, params))
        if applied is None:
            applied = Gate(gate, *params)
            if len(self.gates_of) < _MEMO_SIZE:
                self.gates_of[name, params] = applied
        lowering.count += size
        if applied.is_symbolic:
            for qubits in tuples:
                circuit._append(applied, qubits, ())
            return True
        index = len(circuit._objects)
        circuit._objects.append(applied)  # one for all
        for qubits in tuples:
            circuit._rows.extend((GATE_OBJECT, len(circuit._operands), width, index, 0, 0))
            circuit._operands.extend(qubits)
        return True

    def measure(self, source: str, target: str) -> bool:
        lowering = self.lowering
        pairs = self.measures_of.get((source, target))
        if pairs is None:
            qubits, _one = self.register(source, Qubits)
            bits, _ = self.register(target, BitVariable)
            if len(qubits) != len(bits):
                return False
            pairs = self.measures_of[source, target] = list(zip(qubits, bits, strict=True))
        if lowering.count + len(pairs) > lowering.limits.operations:
            return False
        lowering.count += len(pairs)
        circuit = lowering.root
        for pair in pairs:
            circuit._rows.extend((MEASURE, len(circuit._operands), 2, 0, 0, 0))
            circuit._operands.extend(pair)
            lowering.measured.add(pair[1])
        return True

    def other(self, word: str, text: str) -> bool:
        qubits = [q for part in text.split(",") for q in self.register(part, Qubits)[0]]
        lowering = self.lowering
        if lowering.count + len(qubits) > lowering.limits.operations or (word == "reset" and "," in text):
            return False
        lowering.count += len(qubits)
        if word == "reset":
            circuit = lowering.root
            for qubit in qubits:
                circuit._rows.extend((RESET, len(circuit._operands), 1, 0, 0, 0))
                circuit._operands.append(qubit)
        else:
            lowering.root.barrier(qubits)
        return True

    # operands -----------------------------------------------------------------------------------------------
    def register(self, text: str, wanted: type[Any]) -> tuple[Sequence[int], bool]:
        """Indices of an operand's text, and whether it is a single element."""
        match = _OPERAND.match(text)
        if match is None:
            raise _Unsure
        name, index = match.groups()
        symbol = self.lowering.globals.get(name)
        if not isinstance(symbol, wanted) or not symbol.indices:
            raise _Unsure
        if index is None:
            return symbol.indices, symbol.scalar
        if symbol.scalar or len(index) > 9 or int(index) >= len(symbol.indices):
            raise _Unsure
        return symbol.indices[int(index) : int(index) + 1], True

    def read_operands(self, text: str) -> tuple[list[tuple[int, ...]], int]:
        groups = [self.register(part, Qubits) for part in text.split(",")]
        lengths = {len(group) for group, one in groups if not one}
        if len(lengths) > 1:
            raise _Unsure
        times = lengths.pop() if lengths else 1
        tuples = [tuple(group[0] if one else group[k] for group, one in groups) for k in range(times)]
        for qubits in tuples:
            if len(set(qubits)) != len(qubits):
                raise _Unsure
        return tuples, len(groups)

    # parameters ---------------------------------------------------------------------------------------------
    def read_params(self, text: str) -> tuple[tuple[Value, ...], bool]:
        """Values of a list of parameters, and whether the text will always mean them (no variable is in it)."""
        try:
            number = float(text)
        except ValueError:
            pass
        else:
            if math.isfinite(number) and "_" not in text and text.isascii():
                return (number,), True
        result: list[Value] = []
        lasting = True
        for part in text.split(","):
            if _NUMBER.match(part) and len(part) < 300:
                number = float("".join(part.split()))
                if not math.isfinite(number):
                    raise _Unsure
                result.append(number)
                continue
            reader = _Reader(self.lowering, part)
            self.lowering.operators.truncated = False
            value = reader.read()
            if self.lowering.operators.truncated:
                raise _Unsure  # the long way warns
            lasting = lasting and reader.lasting
            result.append(self.lowering.guard(0, self.lowering.to_angle, value, 0))
        return tuple(result), lasting


class _Reader:
    """One expression of numbers, names, elements of arrays, + - * / **, brackets and functions of one argument.

    Integers stay integers, as in the long way.
    """

    def __init__(self, lowering: Lowering, text: str) -> None:
        self.lowering = lowering
        self.lasting = True
        self.tokens: list[re.Match[str]] = []
        at = 0
        text = text.rstrip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None or len(self.tokens) > 200:
                raise _Unsure
            self.tokens.append(match)
            at = match.end()
        self.at = 0

    def read(self) -> Typed:
        value = self.expression(0)
        if self.at != len(self.tokens):
            raise _Unsure
        return value

    def operator(self) -> str:
        return self.tokens[self.at][4] or "" if self.at < len(self.tokens) else ""

    def expression(self, strength: int) -> Typed:
        left = self.operand()
        while True:
            op = self.operator()
            power = _STRENGTH.get(op, 0)
            if power <= strength:
                return left
            self.at += 1
            right = self.expression(power - 1 if op == "**" else power)
            left = self.lowering.operators.binary(op, left, right)

    def operand(self) -> Typed:
        if self.at >= len(self.tokens):
            raise _Unsure
        real, whole, name, op = self.tokens[self.at].groups()
        self.at += 1
        if real is not None:
            number = float(real)
            if not math.isfinite(number):
                raise _Unsure
            return Typed(FLOAT, number)
        if whole is not None:
            if len(whole) > 300:
                raise _Unsure
            return Typed(INT, int(whole))
        if op == "-":
            return self.lowering.operators.unary("-", self.expression(3))
        if op == "(":
            return self.closed(")")
        if name is None:
            raise _Unsure
        symbol = self.lowering.globals.get(name)
        if symbol is None and name in CONSTANTS:
            return Typed(FLOAT, CONSTANTS[name])
        if symbol is None and name in FUNCTIONS and self.operator() == "(":
            self.at += 1
            return self.lowering.operators.function(name, [self.closed(")")])
        if not isinstance(symbol, Variable) or symbol.value is None:
            raise _Unsure
        if not symbol.constant:
            self.lasting = False
        if isinstance(symbol.value, ArrayValue):
            return self.element(symbol.value)
        if symbol.type.kind not in ("int", "uint", "float", "angle"):
            raise _Unsure
        return self.known(Typed(symbol.type, symbol.value))

    @staticmethod
    def known(value: Typed) -> Typed:
        """The value, unless it is known only while the circuit runs."""
        if value.is_runtime:
            raise _Unsure
        return value

    def closed(self, bracket: str) -> Typed:
        """An expression and the bracket that closes it."""
        value = self.expression(0)
        if self.operator() != bracket:
            raise _Unsure
        self.at += 1
        return value

    def element(self, array: ArrayValue) -> Typed:
        if self.operator() != "[" or array.data.ndim != 1:
            raise _Unsure
        self.at += 1
        index = self.closed("]")
        if (
            index.type.kind not in ("int", "uint")
            or not isinstance(index.value, int)
            or not 0 <= index.value < array.data.size
        ):
            raise _Unsure
        return self.known(Typed(array.base, array.data[index.value]))
