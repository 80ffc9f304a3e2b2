"""Gate calls with plain operands and parameters, for the bodies of loops, definitions and subroutines.

An unrolled loop meets the same few statements many times. Where types cannot matter (integers without a width, floats,
elements of registers) they are lowered here with plain numbers; anything else is answered with None and goes the long
way, which also explains errors.
"""

from __future__ import annotations

import math
from typing import Any

from parsers.qasm3_arrays import Arrays
from parsers.qasm3_context import Qubits, Symbol, Variable
from parsers.qasm3_operators import CONSTANTS
from qsim.gates import GateRow

_LARGE = 1 << 40
_NUMBERS = ("int", "uint", "float", "angle")


class Quick(Arrays):
    """Lowers what is plain."""

    def plain_gate(self, node: Any) -> bool:
        """Lower a call of a table gate without modifiers; False when it is not plain, and nothing has been done."""
        gate = self._visible(node.name.name)
        if type(gate) is not GateRow or len(node.arguments) != gate.num_params or len(node.qubits) != gate.num_qubits:
            return False
        qubits = []
        for operand in node.qubits:
            qubit = self._plain_qubit(operand)
            if qubit is None or qubit in qubits:
                return False
            qubits.append(qubit)
        params = []
        for argument in node.arguments:
            number = self.plain_number(argument)
            if number is None or not qubits:
                return False
            params.append(float(number))
        if self.count >= self.limits.operations:
            return False
        self.count += 1
        self.circuit._add(gate, tuple(qubits), tuple(params))
        return True

    def _visible(self, name: str) -> Symbol | None:
        """What a name means, when that may be used here without more checks."""
        for scope in reversed(self.frame.scopes):
            symbol = scope.get(name)
            if symbol is not None:
                return symbol
        symbol = self.globals.get(name)
        if isinstance(symbol, GateRow) or (isinstance(symbol, Variable) and symbol.constant == "const"):
            return symbol
        return None

    def _plain_qubit(self, node: Any) -> int | None:
        kind = type(node).__name__
        if kind == "Identifier":
            symbol = self._visible(node.name)
            return symbol.indices[0] if type(symbol) is Qubits and symbol.scalar else None
        if kind != "IndexedIdentifier" or len(node.indices) != 1:
            return None
        symbol, index = self._visible(node.name.name), node.indices[0]
        if type(symbol) is not Qubits or symbol.scalar or type(index) is not list or len(index) != 1:
            return None
        number = self.plain_number(index[0])
        if type(number) is not int or not 0 <= number < len(symbol.indices):
            return None
        return symbol.indices[number]

    def plain_number(self, node: Any) -> int | float | None:
        """The value of an expression of integers without a width and floats; None when it is anything else."""
        kind = type(node).__name__
        if kind == "IntegerLiteral" or kind == "FloatLiteral":
            value: int | float = node.value
            return value if -_LARGE < value < _LARGE else None
        if kind == "Identifier":
            symbol = self._visible(node.name)
            if symbol is None and self.globals.get(node.name) is None:
                return CONSTANTS.get(node.name)
            if type(symbol) is not Variable or symbol.type.width is not None or symbol.type.kind not in _NUMBERS:
                return None
            value = symbol.value
            return value if type(value) in (int, float) and -_LARGE < value < _LARGE else None
        if kind == "UnaryExpression" and node.op.name == "-":
            number = self.plain_number(node.expression)
            return None if number is None else -number
        if kind == "BinaryExpression":
            left = self.plain_number(node.lhs)
            right = None if left is None else self.plain_number(node.rhs)
            if left is None or right is None:
                return None
            result = _plain(node.op.name, left, right)
            return result if result is not None and -_LARGE < result < _LARGE else None
        return None


def _plain(op: str, left: int | float, right: int | float) -> int | float | None:
    if op == "+":
        return left + right
    if op == "-":
        return left - right
    if op == "*":
        return left * right
    if op == "/" and right != 0:
        if type(left) is int and type(right) is int:
            quotient, lost = divmod(abs(left), abs(right))
            if lost:  # the long way warns
                return None
            return quotient if (left < 0) == (right < 0) else -quotient
        return left / right
    if op == "%" and type(left) is int and type(right) is int and left >= 0 and right > 0:
        return left % right
    if op == "**" and type(right) is int and 0 <= right <= 40 and abs(left) <= 1024:
        power: int | float = left**right
        return power if type(left) is int or math.isfinite(power) else None
    return None
