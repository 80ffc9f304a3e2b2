"""Classical expressions on bits as OpenQASM 3 text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from parsers.errors import QasmError
from parsers.writer_spans import TRUTH, WIDEST, integer_width, is_real, span
from parsers.writer_values import value_text
from qsim.classical import Assign, Bits, ClassicalExpression, ClassicalOperation, Input, Literal

_COMPARE = ("==", "!=", "<", "<=", ">", ">=")
_INFIX = ("+", "-", "*", "/", "%", "**", "&", "|", "^", "<<", ">>")
_FUNCTIONS = ("floor", "ceiling", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "exp", "log", "sqrt")
_INTEGERS_ONLY = ("&", "|", "^", "<<", ">>", "popcount", "int", "uint", "rotl")


def refuse(message: str) -> NoReturn:
    """What a circuit holds cannot be written."""
    raise QasmError(message, "<circuit>")


@dataclass
class Places:
    """How bits and parameters are called in the text."""

    #: Bit -> an element of a register or of a variable, or a variable of one bit.
    elements: dict[int, str] = field(default_factory=dict)
    #: Bits -> the register or integer variable that they are.
    whole: dict[tuple[int, ...], str] = field(default_factory=dict)
    #: Bits -> the float variable that they are.
    floats: dict[tuple[int, ...], str] = field(default_factory=dict)
    #: Registers are of type bit, not uint.
    registers: set[str] = field(default_factory=set)
    #: Parameter -> its text, a float.
    parameters: dict[str, str] = field(default_factory=dict)
    #: Parameters that are declared as int.
    integers: Mapping[str, str] = field(default_factory=dict)


class Conditions:
    """Writes expressions; `by_bits`, registers element by element.

    Braket's reader takes the first bit of a register as the most significant one, and knows neither a bit as a condition
    nor `!` of one nor shifts of integers.
    """

    def __init__(self, places: Places, *, by_bits: bool = False) -> None:
        self.places = places
        self.by_bits = by_bits
        self._integer = "int"  # the type in which the current expression is computed

    # entry points: each chooses the width of integers --------------------------------------------------------
    def condition(self, node: ClassicalExpression) -> str:
        """An expression as a condition."""
        self._choose(node)
        return self._truth(node)

    def value(self, node: ClassicalExpression) -> str:
        """An expression as a number."""
        self._choose(node)
        return self._number(node)

    def real(self, node: ClassicalExpression) -> str:
        """An expression as a float."""
        text = self.value(node)
        return text if is_real(node) and not isinstance(node, Literal) else f"float({text})"

    def target(self, node: ClassicalExpression) -> str:
        """What a switch looks at."""
        if is_real(node) and not isinstance(node, Input):
            refuse("A switch on a real number is not written as OpenQASM. Compare it with if.")
        self._choose(node)
        return self._whole_number(node)

    def _choose(self, node: ClassicalExpression) -> None:
        width = integer_width(node)
        if width > WIDEST:
            refuse(f"Integers of more than {WIDEST:,} bits are not written; an expression here can need {width:,}.")
        self._integer = "int" if width <= 64 else f"int[{width + 1}]"

    # expressions --------------------------------------------------------------------------------------------
    def _truth(self, node: ClassicalExpression) -> str:
        if isinstance(node, Bits):
            if len(node.clbits) == 1:
                return self.places.elements[node.clbits[0]] + " == true" * self.by_bits
            if self.by_bits:
                return self._equal(node, 0, "!=")
            whole = self.places.whole.get(node.clbits)
            return f"{whole or self._number(node)} != 0"
        if isinstance(node, Literal):
            return "true" if node.value else "false"
        if isinstance(node, ClassicalOperation) and node.width is None:
            if node.op == "!":
                if self.by_bits and _is_bit(node.args[0]):
                    return f"{self._element(node.args[0])} == false"
                return f"!{self._bracketed(node.args[0])}"
            if node.op in ("&&", "||"):
                return f" {node.op} ".join(map(self._bracketed, node.args))
            if node.op in _COMPARE:
                return self._comparison(node)
        return f"{self._number(node)} != 0"

    def _bracketed(self, node: ClassicalExpression) -> str:
        return self._truth(node) if _is_bit(node) and not self.by_bits else f"({self._truth(node)})"

    def _element(self, node: ClassicalExpression) -> str:
        assert isinstance(node, Bits)
        return self.places.elements[node.clbits[0]]

    def _equal(self, node: Bits, value: int, op: str) -> str:
        """Bits that are, or are not, a number, one by one."""
        sign, join = ("==", " && ") if op == "==" else ("!=", " || ")
        words = ["true" if value >> k & 1 else "false" for k in range(len(node.clbits))]
        parts = [f"({self.places.elements[bit]} {sign} {word})" for bit, word in zip(node.clbits, words, strict=True)]
        return _joined(join, parts) if len(parts) > 1 else parts[0][1:-1]

    def _comparison(self, node: ClassicalOperation) -> str:
        left, right = node.args
        if isinstance(left, Bits) and isinstance(right, Literal) and isinstance(right.value, int):
            fits = 0 <= right.value < 1 << len(left.clbits)
            if self.by_bits and node.op in ("==", "!=") and fits and left.clbits:
                return self._equal(left, right.value, node.op)
            if _is_bit(left) and node.op in ("==", "!=") and fits:
                return ("" if (node.op == "==") == bool(right.value) else "!") + self._truth(left)
            whole = self.places.whole.get(left.clbits)
            if whole is not None and fits and not self.by_bits:
                return f"{whole} {node.op} {right.value}"
        return f"{self._number(left)} {node.op} {self._number(right)}"

    def _number(self, node: ClassicalExpression) -> str:
        """An expression as an integer of the chosen type or a float, bracketed where needed."""
        if isinstance(node, Bits):
            return self._bits(node)
        if isinstance(node, Literal):
            number = repr(node.value) if isinstance(node.value, float) else str(int(node.value))
            return number if node.value >= 0 else f"({number})"
        if isinstance(node, Input):
            return f"({value_text(node.expression, self.places.parameters)})"
        if node.op in TRUTH and node.width is None:
            return f"{self._integer}({self._truth(node)})"
        if node.width is not None:
            inner = ClassicalOperation(node.op, node.args)
            return f"{self._integer}(uint[{node.width}]({self._whole_number(inner)}))"
        return self._operation(node)

    def _whole_number(self, node: ClassicalExpression) -> str:
        """An integer: of a real number its whole part; of parameters only if they are whole."""
        if isinstance(node, Input):
            return self._whole(node)
        return f"{self._integer}({self._number(node)})" if is_real(node) else self._number(node)

    def _whole(self, node: ClassicalExpression) -> str:
        if isinstance(node, Input):
            text = integer_text(node, self.places.integers)
            if text is not None:
                return f"{self._integer}({text})"
        number = self._number(node)
        # A number with a fraction has no value here, as the circuit itself would say: 0 / 0 is an error.
        return f"(int({number}) + 0 / int(floor({number}) == {number}))" if is_real(node) else number

    def _operation(self, node: ClassicalOperation) -> str:
        op, args = node.op, node.args
        if op in _FUNCTIONS:
            return f"{op}({self._number(args[0])})"
        if op == "float":
            return f"float({self._number(args[0])})"
        if op == "whole":
            return self._whole(args[0])
        if op == "bits_float":
            name = self.places.floats.get(args[0].clbits) if isinstance(args[0], Bits) else None
            if name is not None:
                return name
            refuse("Bits that are both a float and something else are not written as OpenQASM.")
        if op == "angle":
            return f"float(angle[{_width(node)}]({self._number(args[0])}))"
        if op == "angle_bits":
            width = _width(node)
            return f"{self._integer}(bit[{width}](angle[{width}]({self._number(args[0])})))"
        if op == "pick":
            return self._pick(node)
        if op in ("/", "%", "**") and any(isinstance(arg, Input) for arg in args) and not any(
            is_real(arg) and not isinstance(arg, Input) for arg in args
        ):  # fmt: skip
            refuse(
                f"'{op}' of a parameter means one thing for whole numbers and another for others, so it is not written. "
                "Use float(...)."
            )
        if op == "neg":
            return f"(-{self._number(args[0])})"
        if op in _INTEGERS_ONLY:
            return self._on_integers(node)
        if op in _INFIX:
            if op == "**" and not is_real(node) and span(args[1])[0] < 0:
                refuse("A power of integers whose exponent can be negative is not written as OpenQASM.")
            return "(" + f" {op} ".join(map(self._number, args)) + ")"
        refuse(f"'{op}' is not written as OpenQASM in this place.")

    def _on_integers(self, node: ClassicalOperation) -> str:
        op = node.op
        first = self._whole_number(node.args[0])
        if op == "popcount":
            low, high = span(node.args[0])
            if low < 0:
                refuse("popcount of a number that can be negative is not written as OpenQASM.")
            return f"{self._integer}(popcount(uint[{max(high.bit_length(), 1)}]({first})))"
        if op == "rotl":
            width = _width(node)
            return f"{self._integer}(rotl(uint[{width}]({first}), {self._whole_number(node.args[1])}))"
        if op in ("int", "uint"):
            return f"{self._integer}({op}[{_width(node)}]({first}))"
        return f"({first} {op} {self._whole_number(node.args[1])})"

    def _pick(self, node: ClassicalOperation) -> str:
        """The value at an index: a sum in which all others are times 0; an index out of range is an error, as 0 / 0."""
        index, values = node.args[0], node.args[1:]
        size, at = len(values), self._whole_number(index)
        low, high = span(index)
        negative = low < 0
        if values == tuple(map(Literal, range(size))):
            total = f"({at} + {size} * int({at} < 0))" if negative else at
        else:
            terms = []
            for k, value in enumerate(values):
                chosen = f"{at} == {k}" + (f" || {at} == {k - size}" if negative else "")
                terms.append(f"int({chosen}) * {self._number(value)}")
            total = _joined(" + ", terms)
        if low >= -size and high < size:
            return total
        return f"({total} + 0 / int({at} >= {-size} && {at} < {size}))"

    def _bits(self, node: Bits) -> str:
        whole = self.places.whole.get(node.clbits)
        if whole is not None and not (self.by_bits and whole in self.places.registers and len(node.clbits) > 1):
            return f"{self._integer}({whole})"
        elements = self.places.elements
        if not node.clbits:
            return "0"
        if self.by_bits:
            return _joined(" + ", [f"{self._integer}({elements[b]}) * {1 << k}" for k, b in enumerate(node.clbits)])
        parts = [
            f"({self._integer}({elements[bit]}) << {k})" if k else f"{self._integer}({elements[bit]})"
            for k, bit in enumerate(node.clbits)
        ]
        return _joined(" | ", parts)

    # assignments --------------------------------------------------------------------------------------------
    def assignment(self, node: Assign, temporary: str) -> list[str]:
        """The statements that store a value into bits; `temporary` is a free name, used where elements are scattered."""
        value, bits, places = node.value, node.clbits, self.places
        if bits in places.floats:
            assert isinstance(value, ClassicalOperation) and value.op == "float_bits"
            return [f"{places.floats[bits]} = {self.real(value.args[0])};"]
        if not bits:
            return []
        self._choose(value)
        whole = places.whole.get(bits)
        if isinstance(value, Literal):
            number = int(value.value) & ((1 << len(bits)) - 1)
            if whole is not None and len(bits) > 1 and not (self.by_bits and whole in places.registers):
                return [f'{whole} = "{number:0{len(bits)}b}";' if whole in places.registers else f"{whole} = {number};"]
            return [f"{places.elements[bit]} = {(number >> k) & 1};" for k, bit in enumerate(bits)]
        if len(bits) == 1:
            low, high = span(value)
            if (isinstance(value, ClassicalOperation) and value.op in TRUTH) or _is_bit(value):
                return [f"{places.elements[bits[0]]} = {self._truth(value)};"]
            number_text = self._whole_part(value)
            odd = number_text if low >= 0 and high <= 1 else f"({number_text} & 1)"
            return [f"{places.elements[bits[0]]} = {odd} != 0;"]
        if isinstance(value, Bits) and not set(bits) & set(value.clbits):
            sources = [places.elements[bit] for bit in value.clbits[: len(bits)]]
            sources += ["0"] * (len(bits) - len(sources))
            if whole is None or len(value.clbits) < len(bits):
                return [f"{places.elements[bit]} = {source};" for bit, source in zip(bits, sources, strict=True)]
        cast = f"uint[{len(bits)}]({self._whole_part(value)})"
        if whole is not None:
            return [f"{whole} = bit[{len(bits)}]({cast});" if whole in places.registers else f"{whole} = {cast};"]
        lines = [f"uint[{len(bits)}] {temporary} = {cast};"]
        return lines + [f"{places.elements[bit]} = {temporary}[{k}];" for k, bit in enumerate(bits)]

    def _whole_part(self, node: ClassicalExpression) -> str:
        """What an assignment stores: real numbers without their fraction."""
        if isinstance(node, ClassicalOperation) and node.op == "float_bits":
            refuse("Bits that are both a float and something else are not written as OpenQASM.")
        return f"{self._integer}({self._number(node)})" if is_real(node) else self._number(node)


def integer_text(node: Input, integers: Mapping[str, str]) -> str | None:
    """An expression of parameters in integers, if it has only sums, differences and products of int parameters."""
    expression = node.expression
    if not all(parameter.name in integers for parameter in expression.parameters):
        return None
    stack: list[str] = []
    for part in expression._postorder():
        if isinstance(part, float):
            if not part.is_integer():
                return None
            stack.append(str(int(part)) if part >= 0 else f"({int(part)})")
        elif part.op == "param":
            stack.append(integers[part.name])
        elif part.op == "neg":
            stack.append(f"(-{stack.pop()})")
        elif part.op in ("+", "-", "*"):
            right = stack.pop()
            stack.append(f"({stack.pop()} {part.op} {right})")
        else:
            return None
    return stack[0]


def _joined(sign: str, parts: Sequence[str]) -> str:
    """Parts with a sign between, bracketed by halves, so that long ones nest little."""
    if len(parts) == 1:
        return parts[0]
    half = len(parts) // 2
    return f"({_joined(sign, parts[:half])}{sign}{_joined(sign, parts[half:])})"


def _width(node: ClassicalOperation) -> int:
    last = node.args[-1]
    if not isinstance(last, Literal) or not 1 <= last.value <= WIDEST or last.value != int(last.value):
        refuse(f"The width of '{node.op}' is a whole number of 1 to {WIDEST:,} bits; here it is {last}.")
    return int(last.value)


def _is_bit(node: ClassicalExpression) -> bool:
    return isinstance(node, Bits) and len(node.clbits) == 1
