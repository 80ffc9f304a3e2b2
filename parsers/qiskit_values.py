"""Parameters and classical expressions of Qiskit's circuits as ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from parsers.interop import refuse
from parsers.sympy_reader import value_of
from qsim.classical import Bits, ClassicalExpression, ClassicalOperation, Input, Literal
from qsim.parameters import Expression, Parameter, ParameterArray, Value

_BINARY = {
    "BIT_AND": "&", "BIT_OR": "|", "BIT_XOR": "^", "LOGIC_AND": "&&", "LOGIC_OR": "||", "EQUAL": "==",
    "NOT_EQUAL": "!=", "LESS": "<", "LESS_EQUAL": "<=", "GREATER": ">", "GREATER_EQUAL": ">=", "SHIFT_LEFT": "<<",
    "SHIFT_RIGHT": ">>", "ADD": "+", "SUB": "-", "MUL": "*", "DIV": "/",
}  # fmt: skip


def operation(op: str, *args: Any) -> ClassicalOperation:
    """An operation on expressions and numbers."""
    return ClassicalOperation(op, tuple(Literal(arg) if isinstance(arg, (int, float)) else arg for arg in args))


class Parameters:
    """Qiskit's parameters as ours, by name; loop parameters as numbers."""

    def __init__(self) -> None:
        self.arrays: dict[str, ParameterArray] = {}

    def one(self, parameter: Any) -> Parameter:
        """A parameter, or the element of an array."""
        vector = getattr(parameter, "vector", None)
        if vector is None:
            return Parameter(parameter.name)
        array = self.arrays.get(vector.name)
        if array is None or len(array) < len(vector):
            array = self.arrays[vector.name] = ParameterArray(vector.name, len(vector))
        element: Parameter = array[int(parameter.index)]
        return element

    def value(self, value: Any, loops: Mapping[str, float]) -> Value:
        """A number or an expression; `loops` has the values of loop parameters by name."""
        if not hasattr(value, "parameters"):
            return _number(value)
        symbols: dict[str, Value] = {}
        for parameter in value.parameters:
            symbols[parameter.name] = loops[parameter.name] if parameter.name in loops else self.one(parameter)
        if not symbols:
            return _number(value.numeric())
        if len(symbols) == 1 and str(value) == next(iter(symbols)):
            return next(iter(symbols.values()))
        try:
            symbolic = value.sympify()
        except TypeError:
            symbolic = NotImplemented
        except ImportError:
            refuse("Expressions of Qiskit's parameters are read through SymPy: pip install sympy.")
        if symbolic is NotImplemented:  # as Qiskit 2 says of a number to the power of a parameter
            refuse(f"Qiskit has no SymPy form of the parameter {value}. Write a**x as exp(x * log(a)).")
        return value_of(symbolic, symbols, "qiskit")


def _number(value: Any) -> float:
    number = complex(value)
    if number.imag:
        refuse(f"A gate's parameter is a real number, got {value}.")
    return number.real


class Variables:
    """What classical names in Qiskit's expressions are here: bits, inputs, numbers."""

    def __init__(self, bits: Mapping[Any, int]) -> None:
        self.bits = bits  # Clbit -> number, in the current block
        self.stored: dict[Any, tuple[int, ...]] = {}  # standalone variable -> its bits
        self.known: dict[Any, ClassicalExpression] = {}  # inputs and loop variables

    def condition(self, condition: Any) -> ClassicalExpression:
        """A condition: a pair of bit or register and value, or an expression."""
        if isinstance(condition, tuple):
            target, value = condition
            return operation("==", Bits(self.places(target)), int(value))
        return self.expression(condition)

    def places(self, target: Any) -> tuple[int, ...]:
        """The bits of a bit or register, least significant first."""
        members = target if hasattr(target, "__len__") else [target]
        try:
            return tuple(self.bits[bit] for bit in members)
        except KeyError:
            refuse(f"A condition is on {target}, whose bits the circuit does not have.")

    def target(self, node: Any) -> tuple[tuple[int, ...], bool]:
        """The bits that an assignment writes, and whether they hold a float."""
        kind = type(node).__name__
        if kind == "Index" and type(node.target).__name__ == "Var" and type(node.index).__name__ == "Value":
            bits, _ = self.target(node.target)
            return (bits[int(node.index.value)],), False
        if kind != "Var":
            refuse(f"An assignment to {node} is not converted.")
        if node.var in self.stored:
            return self.stored[node.var], _is_float(node)
        return self.places(node.var), False

    def expression(self, node: Any) -> ClassicalExpression:
        """An expression of `qiskit.circuit.classical.expr`, or a bit, a register or a number."""
        kind = type(node).__name__
        if kind in ("int", "bool", "float"):
            return Literal(node if kind == "float" else int(node))
        if kind in ("Clbit", "ClassicalRegister", "AncillaRegister") or not hasattr(node, "type"):
            return Bits(self.places(node))
        handler = getattr(self, f"_{kind}", None)
        if handler is None or type(node.type).__name__ not in ("Bool", "Uint", "Float"):
            refuse(
                f"A classical expression of kind {kind} and type {type(node.type).__name__} is not converted: {node}."
            )
        result: ClassicalExpression = handler(node)
        return result

    def _Value(self, node: Any) -> ClassicalExpression:
        return Literal(float(node.value) if _is_float(node) else int(node.value))

    def _Var(self, node: Any) -> ClassicalExpression:
        if node.var in self.known:
            return self.known[node.var]
        if node.var in self.stored:
            bits = Bits(self.stored[node.var])
            return operation("bits_float", bits) if _is_float(node) else bits
        return Bits(self.places(node.var))

    def _Cast(self, node: Any) -> ClassicalExpression:
        value, to = self.expression(node.operand), type(node.type).__name__
        if to == "Bool":
            return value if type(node.operand.type).__name__ == "Bool" else operation("!=", value, 0)
        return operation("float", value) if to == "Float" else operation("uint", value, node.type.width)

    def _Index(self, node: Any) -> ClassicalExpression:
        shifted = operation(">>", self.expression(node.target), self.expression(node.index))
        return operation("&", shifted, 1)

    def _Unary(self, node: Any) -> ClassicalExpression:
        value, op = self.expression(node.operand), node.op.name
        if op == "LOGIC_NOT" or (op == "BIT_NOT" and type(node.type).__name__ == "Bool"):
            return operation("!", value)
        if op == "BIT_NOT":
            return operation("^", value, (1 << node.type.width) - 1)
        negated = operation("neg", value)
        return negated if _is_float(node) else operation("uint", negated, node.type.width)

    def _Binary(self, node: Any) -> ClassicalExpression:
        op = _BINARY.get(node.op.name)
        if op is None:
            refuse(f"The classical operation {node.op.name} is not converted.")
        left, right = self.expression(node.left), self.expression(node.right)
        if _is_float(node) and op == "/":
            left = operation("float", left)
        if type(node.type).__name__ == "Uint" and op in ("+", "-", "*", "<<"):
            if op == "<<":  # shifted further, nothing is left: keep the number small
                left = operation("*", left, operation("<", right, node.type.width))
                right = operation("%", right, node.type.width)
            return operation("uint", operation(op, left, right), node.type.width)
        return operation(op, left, right)


def input_value(name: str, kind: str) -> ClassicalExpression:
    """An input variable of a circuit, as a parameter of ours."""
    parameter: Expression = Parameter(name)
    return operation("float" if kind == "Float" else "whole", Input(parameter))


def _is_float(node: Any) -> bool:
    return type(node.type).__name__ == "Float"
