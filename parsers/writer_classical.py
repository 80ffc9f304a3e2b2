"""Classical expressions on bits as OpenQASM 3 text."""

from __future__ import annotations

from collections.abc import Mapping

from parsers.errors import QasmError
from parsers.writer_values import value_text
from qsim.classical import Assign, Bits, ClassicalExpression, ClassicalOperation, Input, Literal

_COMPARE = ("==", "!=", "<", "<=", ">", ">=")
_INFIX = ("+", "-", "*", "/", "%", "**", "&", "|", "^", "<<", ">>")
_FUNCTIONS = ("float", "floor", "ceiling", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "exp", "log", "sqrt")
_TRUTH = (*_COMPARE, "&&", "||", "!")


class Conditions:
    """Writes expressions, given the texts of bits and of whole registers."""

    def __init__(
        self, elements: Mapping[int, str], whole: Mapping[tuple[int, ...], str], parameters: Mapping[str, str]
    ) -> None:
        self.elements = elements
        self.whole = whole
        self.parameters = dict(parameters)

    def truth(self, node: ClassicalExpression) -> str:
        """An expression as a condition."""
        if isinstance(node, Bits):
            return self.elements[node.clbits[0]] if len(node.clbits) == 1 else f"{self.number(node)} != 0"
        if isinstance(node, Literal):
            return "true" if node.value else "false"
        if isinstance(node, Input):
            return f"{self.number(node)} != 0"
        if node.op == "!":
            return f"!({self.truth(node.args[0])})" if not _is_bit(node.args[0]) else f"!{self.truth(node.args[0])}"
        if node.op in ("&&", "||"):
            return f" {node.op} ".join(
                f"({self.truth(arg)})" if not _is_bit(arg) else self.truth(arg) for arg in node.args
            )
        if node.op in _COMPARE:
            left, right = node.args
            whole = self.whole.get(left.clbits) if isinstance(left, Bits) else None
            if whole is not None and isinstance(right, Literal) and isinstance(right.value, int) and right.value >= 0:
                return f"{whole} {node.op} {right.value}"
            return f"{self.number(left)} {node.op} {self.number(right)}"
        return f"{self.number(node)} != 0"

    def number(self, node: ClassicalExpression) -> str:
        """An expression as an integer of 64 bits, bracketed where needed."""
        if isinstance(node, Bits):
            return self._bits(node)
        if isinstance(node, Literal):
            number = repr(node.value) if isinstance(node.value, float) else str(int(node.value))
            return number if node.value >= 0 else f"({number})"
        if isinstance(node, Input):
            return f"({value_text(node.expression, self.parameters)})"
        if node.op in _TRUTH:
            return f"int({self.truth(node)})"
        text = self._operation(node)
        return text if node.width is None else f"int(uint[{node.width}]({text}))"

    def _operation(self, node: ClassicalOperation) -> str:
        args = [self.number(arg) for arg in node.args]
        if node.op == "popcount":
            return f"popcount(uint[64]({args[0]}))"
        if node.op == "neg":
            return f"(-{args[0]})"
        if node.op in ("int", "uint"):
            inner = f"uint[{args[1]}]({'int(' * (node.op == 'int')}{args[0]}{')' * (node.op == 'int')})"
            return f"int(int[{args[1]}]({inner}))" if node.op == "int" else f"int({inner})"
        if node.op == "whole":
            return f"int({args[0]})"
        if node.op in _FUNCTIONS:
            return f"{node.op}({args[0]})"
        if node.op in _INFIX:
            return "(" + f" {node.op} ".join(args) + ")"
        raise QasmError(
            f"A value is kept or chosen while the circuit runs in a way that is not written as OpenQASM ('{node.op}'). "
            "Keep the program's own text.", "<circuit>"
        )  # fmt: skip

    def _bits(self, node: Bits) -> str:
        whole = self.whole.get(node.clbits)
        if whole is not None:
            return f"int({whole})"
        parts = [
            f"(int({self.elements[bit]}) << {k})" if k else f"int({self.elements[bit]})"
            for k, bit in enumerate(node.clbits)
        ]
        return parts[0] if len(parts) == 1 else "(" + " | ".join(parts) + ")"

    def assignment(self, node: Assign) -> list[str]:
        """The statements that store a value into bits."""
        value, bits = node.value, node.clbits
        if isinstance(value, Literal):
            return [f"{self.elements[bit]} = {(int(value.value) >> k) & 1};" for k, bit in enumerate(bits)]
        if len(bits) == 1:
            text = self.truth(value) if _is_truth(value) else f"bool({self.number(value)} & 1)"
            return [f"{self.elements[bits[0]]} = {text};"]
        if isinstance(value, Bits) and not set(bits) & set(value.clbits):
            sources = [self.elements[bit] for bit in value.clbits[: len(bits)]] + ["0"] * (
                len(bits) - len(value.clbits)
            )
            return [f"{self.elements[bit]} = {source};" for bit, source in zip(bits, sources, strict=True)]
        whole = self.whole.get(bits)
        cast = f"bit[{len(bits)}](uint[{len(bits)}]({self.number(value)}))"
        if whole is not None:
            return [f"{whole} = {cast};"]
        name, first = self.elements[bits[0]].split("[")
        indices = [int(self.elements[bit].split("[")[1][:-1]) for bit in bits]
        return [f"{name}[{{{', '.join(map(str, indices))}}}] = {cast};"] if first else []


def _is_bit(node: ClassicalExpression) -> bool:
    return isinstance(node, Bits) and len(node.clbits) == 1


def _is_truth(node: ClassicalExpression) -> bool:
    return _is_bit(node) or (isinstance(node, ClassicalOperation) and node.op in _TRUTH)
