"""Classical expressions of ours as those of `qiskit.circuit.classical`, which has truth values and unsigned integers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from parsers.interop import refuse
from parsers.writer_spans import TRUTH, is_real, span
from qsim.classical import Assign, Bits, ClassicalExpression, ClassicalOperation, Input, Literal

_COMPARE = {"==": "equal", "!=": "not_equal", "<": "less", "<=": "less_equal", ">": "greater", ">=": "greater_equal"}
_BITWISE = {"&": "bit_and", "|": "bit_or", "^": "bit_xor"}
_ARITHMETIC = {"+": "add", "-": "sub", "*": "mul", "/": "div"}


class Classical:
    """Writes expressions over the bits of a circuit of Qiskit's."""

    def __init__(
        self,
        bits: Mapping[int, Any],
        registers: Mapping[tuple[int, ...], Any],
        variables: Mapping[tuple[int, ...], Any],
    ) -> None:
        self.bits = bits
        self.registers = registers
        self.variables = variables

    def element(self, bit: int) -> Any:
        """A bit: one of Qiskit's, or that of a variable."""
        from qiskit.circuit.classical import expr

        if bit in self.bits:
            return expr.lift(self.bits[bit])
        bits, variable = next((bits, variable) for bits, variable in self.variables.items() if bit in bits)
        return variable if len(bits) == 1 else expr.index(variable, bits.index(bit))

    def _whole(self, bits: tuple[int, ...]) -> Any:
        """The register or variable that these bits are, or None."""
        return self.registers[bits] if bits in self.registers else self.variables.get(bits)

    def condition(self, node: ClassicalExpression) -> Any:
        """A condition; a bit or a register that is compared with a number is a pair, as older readers want it."""
        if isinstance(node, Bits) and len(node.clbits) == 1 and node.clbits[0] in self.bits:
            return self.bits[node.clbits[0]], True
        if isinstance(node, ClassicalOperation) and node.op == "==" and node.width is None:
            left, right = node.args
            if isinstance(left, Bits) and isinstance(right, Literal) and right.value in range(1 << len(left.clbits)):
                if len(left.clbits) == 1 and left.clbits[0] in self.bits:
                    return self.bits[left.clbits[0]], bool(right.value)
                if left.clbits in self.registers:
                    return self.registers[left.clbits], int(right.value)
        return self._truth(node)

    def _truth(self, node: ClassicalExpression) -> Any:
        from qiskit.circuit.classical import expr

        if isinstance(node, Literal):
            return expr.lift(bool(node.value))
        if isinstance(node, Bits) and len(node.clbits) == 1:
            return self.element(node.clbits[0])
        if isinstance(node, ClassicalOperation) and node.width is None:
            if node.op == "!":
                return expr.logic_not(self._truth(node.args[0]))
            if node.op in ("&&", "||"):
                join = expr.logic_and if node.op == "&&" else expr.logic_or
                return join(*map(self._truth, node.args))
            if node.op in _COMPARE:
                return self._comparison(node)
        value = self.number(node)
        return expr.not_equal(value, expr.lift(0, value.type))

    def _comparison(self, node: ClassicalOperation) -> Any:
        from qiskit.circuit.classical import expr

        for side, (low, high) in zip(node.args, map(span, node.args), strict=True):
            if is_real(side) or isinstance(side, Input):
                refuse("A condition on real numbers or on parameters is not converted: Qiskit's are on integers.")
            if low < 0 and (low != high or not isinstance(side, Literal)):
                refuse("A condition on integers that can be negative is not converted: Qiskit's have no sign.")
        literal = [k for k, side in enumerate(node.args) if isinstance(side, Literal) and side.value < 0]
        if literal:  # against a number below all others the answer is known
            a, b = (-1, 0) if literal == [0] else (0, -1) if literal == [1] else [int(x.evaluate(0)) for x in node.args]
            return expr.lift(bool(ClassicalOperation(node.op, (Literal(a), Literal(b))).evaluate(0)))
        width = max(span(side)[1].bit_length() for side in node.args) or 1
        return getattr(expr, _COMPARE[node.op])(*(self.number(side, width) for side in node.args))

    def number(self, node: ClassicalExpression, width: int = 1) -> Any:
        """An expression as an unsigned integer of at least so many bits."""
        if is_real(node) or isinstance(node, Input):
            refuse("A classical value that is a real number or depends on a parameter is not converted to Qiskit.")
        low, high = span(node)
        if low < 0:
            refuse("A classical value that can be negative is not converted: Qiskit's integers have no sign.")
        return self._modulo(node, max(width, high.bit_length(), 1))

    def _modulo(self, node: ClassicalExpression, width: int) -> Any:
        """The value as an unsigned integer of `width` bits, wrapped to them."""
        from qiskit.circuit.classical import expr, types

        kind = types.Uint(width)
        if isinstance(node, Literal):
            return expr.lift(int(node.value) & ((1 << width) - 1), kind)
        if isinstance(node, Bits):
            return self._bits(node, width)
        assert isinstance(node, ClassicalOperation)
        if node.width is not None:
            return self._wrapped(ClassicalOperation(node.op, node.args), node.width, width)
        if node.op in TRUTH:
            return expr.cast(self._truth(node), kind)
        if node.op == "uint":
            return self._wrapped(node.args[0], int(node.args[1].evaluate(0)), width)
        if node.op in _BITWISE:
            return getattr(expr, _BITWISE[node.op])(*(self._modulo(arg, width) for arg in node.args))
        if node.op == "neg":
            return expr.sub(expr.lift(0, kind), self._modulo(node.args[0], width))
        if node.op in ("+", "-", "*"):
            return getattr(expr, _ARITHMETIC[node.op])(*(self._modulo(arg, width) for arg in node.args))
        if node.op in ("/", "<<", ">>"):
            inside = max(width, *(span(arg)[1].bit_length() for arg in node.args))
            left, right = (self.number(arg, inside) for arg in node.args)
            function = {"/": expr.div, "<<": expr.shift_left, ">>": expr.shift_right}[node.op]
            return _cast(function(left, right), width)
        if node.op == "%":
            inside = max(width, *(span(arg)[1].bit_length() for arg in node.args))
            left, right = (self.number(arg, inside) for arg in node.args)
            return _cast(expr.sub(left, expr.mul(expr.div(left, right), right)), width)
        refuse(f"The classical operation '{node.op}' has no word in Qiskit.")

    def _wrapped(self, node: ClassicalExpression, inner: int, width: int) -> Any:
        from qiskit.circuit.classical import expr, types

        wide = max(inner, width)
        value = self._modulo(node, wide)
        if inner < wide:
            value = expr.bit_and(value, expr.lift((1 << inner) - 1, types.Uint(wide)))
        return _cast(value, width)

    def _bits(self, node: Bits, width: int) -> Any:
        from qiskit.circuit.classical import expr, types

        whole = self._whole(node.clbits) if len(node.clbits) > 1 or node.clbits in self.registers else None
        if whole is not None:
            return _cast(expr.lift(whole), width)
        wide = types.Uint(max(width, len(node.clbits)))
        total = expr.lift(0, wide)
        for k, bit in enumerate(node.clbits):
            part = expr.cast(self.element(bit), wide)
            total = expr.bit_or(total, expr.shift_left(part, k) if k else part)
        return _cast(total, width)

    def assign(self, node: Assign, theirs: Any) -> None:
        """Store a value into bits."""
        from qiskit.circuit.classical import expr

        bits, value = node.clbits, node.value
        if not bits:
            return
        if isinstance(value, ClassicalOperation) and value.op == "float_bits":
            refuse("A real number that is kept while the circuit runs is not converted to Qiskit.")
        if isinstance(value, Literal):
            for k, bit in enumerate(bits):
                theirs.store(self.element(bit), bool(int(value.value) >> k & 1))
            return
        if is_real(value):
            refuse("A classical value that is a real number is not converted to Qiskit.")
        if len(bits) == 1 and (
            (isinstance(value, ClassicalOperation) and value.op in TRUTH)
            or (isinstance(value, Bits) and len(value.clbits) == 1)
        ):
            theirs.store(self.element(bits[0]), self._truth(value))
            return
        number = self._modulo(value, len(bits))
        whole = self._whole(bits)
        if whole is not None and (len(bits) > 1 or bits in self.registers):
            theirs.store(whole, number)
            return
        if len(bits) > 1 and not set(bits).isdisjoint(_read(value)):
            refuse("A value of scattered bits that is stored into some of them is not converted to Qiskit.")
        for k, bit in enumerate(bits):
            one = expr.lift(1 << k, number.type)
            theirs.store(self.element(bit), expr.not_equal(expr.bit_and(number, one), expr.lift(0, number.type)))


def expr_zero(kind: Any) -> Any:
    """The value 0 or false of a type."""
    from qiskit.circuit.classical import expr

    return expr.lift(False if type(kind).__name__ == "Bool" else 0, kind)


def _cast(value: Any, width: int) -> Any:
    from qiskit.circuit.classical import expr, types

    return value if value.type == types.Uint(width) else expr.cast(value, types.Uint(width))


def _read(node: ClassicalExpression) -> set[int]:
    from qsim.classical import clbits_of

    return clbits_of(node)
