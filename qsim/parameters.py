"""Symbolic parameters and the arithmetic on them.

An angle of a gate is a number or an `Expression` of `Parameter`s. Expressions are immutable, fold constants as
they are built, and turn into a flat postfix program, so that a compiled circuit binds them without Python.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, SupportsFloat, Union, overload

import numpy as np

from qsim.errors import MissingParameterError, ParameterError

MAX_EXPRESSION_NODES = 10_000

_BINARY: dict[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "**": lambda a, b: a**b,
    "mod": lambda a, b: a % b,
}
_UNARY: dict[str, Callable[[float], float]] = {
    "neg": lambda a: -a,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "arcsin": math.asin,
    "arccos": math.acos,
    "arctan": math.atan,
    "exp": math.exp,
    "log": math.log,
    "sqrt": math.sqrt,
    "floor": lambda a: float(math.floor(a)),
    "ceiling": lambda a: float(math.ceil(a)),
    "abs": abs,
}
#: Operation codes of the postfix program, shared with the kernels: 0 pushes a constant, 1 pushes a parameter.
OPCODES: dict[str, int] = {name: code for code, name in enumerate(["const", "param", *_BINARY, *_UNARY])}

Value = Union[float, "Expression"]


class Expression:
    """A real-valued expression of parameters.

    Built by arithmetic on `Parameter`s, never directly. Supports ``+ - * / ** %``, negation, and the methods
    ``sin cos tan arcsin arccos arctan exp log sqrt``. The remainder has the sign of the divisor, as in Python.

    >>> theta = Parameter("theta")
    >>> (2 * theta + 1).evaluate({"theta": 0.5})
    2.0
    >>> str(2 * theta + 1)
    '2*theta + 1'
    """

    __slots__ = ("_names", "args", "op", "size")
    __array_priority__ = 1000.0
    __array_ufunc__ = None

    op: str
    args: tuple[Any, ...]
    size: int

    def __init__(self, op: str, args: tuple[Any, ...]) -> None:
        self.op = op
        self.args = args
        self.size = 1 + sum(arg.size if isinstance(arg, Expression) else 1 for arg in args)
        self._names: tuple[Parameter, ...] | None = None
        if self.size > MAX_EXPRESSION_NODES:
            raise ParameterError(
                f"A parameter expression may have at most {MAX_EXPRESSION_NODES} terms, this one has {self.size}. "
                "Bind parts of it to numbers first."
            )

    def _postorder(self) -> Iterator[Any]:
        """Children before parents, without recursion: numbers, parameters and expressions."""
        stack: list[tuple[Any, bool]] = [(self, False)]
        while stack:
            node, visited = stack.pop()
            if visited or isinstance(node, (float, Parameter)):
                yield node
                continue
            stack.append((node, True))
            stack.extend((arg, False) for arg in reversed(node.args))

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters in it, in order of first appearance."""
        if self._names is None:
            self._names = tuple(dict.fromkeys(node for node in self._postorder() if isinstance(node, Parameter)))
        return self._names

    def evaluate(self, values: Mapping[str, float]) -> float:
        """Its value, with `values` by parameter name.

        >>> (Parameter("a") / 4).evaluate({"a": 2})
        0.5
        """
        result = self.substitute(values)
        if isinstance(result, Expression):
            names = ", ".join(parameter.name for parameter in result.parameters)
            raise MissingParameterError(f"Every parameter needs a value; missing: {names}.")
        return result

    def substitute(self, values: Mapping[str, Value]) -> Value:
        """The same expression with some parameters replaced by numbers or other expressions."""
        stack: list[Value] = []
        for node in self._postorder():
            if isinstance(node, Parameter):
                value = values.get(node.name, node)
                stack.append(value if isinstance(value, Expression) else float(value))
            elif isinstance(node, float):
                stack.append(node)
            elif len(node.args) == 1:
                stack.append(_apply(node.op, stack.pop()))
            else:
                right = stack.pop()
                stack.append(_apply(node.op, stack.pop(), right))
        return stack[0]

    def postfix(self, columns: Mapping[str, int]) -> list[tuple[int, float]]:
        """The program that kernels run: pairs (operation code, constant or parameter column)."""
        program: list[tuple[int, float]] = []
        for node in self._postorder():
            if isinstance(node, float):
                program.append((OPCODES["const"], node))
            elif isinstance(node, Parameter):
                program.append((OPCODES["param"], float(columns[node.name])))
            else:
                program.append((OPCODES[node.op], 0.0))
        return program

    # arithmetic -------------------------------------------------------------------------------------------
    def __add__(self, other: Value) -> Value:
        return _apply("+", self, other)

    def __radd__(self, other: Value) -> Value:
        return _apply("+", other, self)

    def __sub__(self, other: Value) -> Value:
        return _apply("-", self, other)

    def __rsub__(self, other: Value) -> Value:
        return _apply("-", other, self)

    def __mul__(self, other: Value) -> Value:
        return _apply("*", self, other)

    def __rmul__(self, other: Value) -> Value:
        return _apply("*", other, self)

    def __truediv__(self, other: Value) -> Value:
        return _apply("/", self, other)

    def __rtruediv__(self, other: Value) -> Value:
        return _apply("/", other, self)

    def __pow__(self, other: Value) -> Value:
        return _apply("**", self, other)

    def __rpow__(self, other: Value) -> Value:
        return _apply("**", other, self)

    def __mod__(self, other: Value) -> Value:
        return _apply("mod", self, other)

    def __rmod__(self, other: Value) -> Value:
        return _apply("mod", other, self)

    def __neg__(self) -> Value:
        return _apply("neg", self)

    def __pos__(self) -> Value:
        return self

    def __abs__(self) -> Value:
        return _apply("abs", self)

    def sin(self) -> Value:
        """Its sine."""
        return _apply("sin", self)

    def cos(self) -> Value:
        """Its cosine."""
        return _apply("cos", self)

    def tan(self) -> Value:
        """Its tangent."""
        return _apply("tan", self)

    def arcsin(self) -> Value:
        """Its inverse sine, in radians."""
        return _apply("arcsin", self)

    def arccos(self) -> Value:
        """Its inverse cosine, in radians."""
        return _apply("arccos", self)

    def arctan(self) -> Value:
        """Its inverse tangent, in radians."""
        return _apply("arctan", self)

    def exp(self) -> Value:
        """The exponential function of it."""
        return _apply("exp", self)

    def log(self) -> Value:
        """Its natural logarithm."""
        return _apply("log", self)

    def sqrt(self) -> Value:
        """Its square root."""
        return _apply("sqrt", self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Expression):
            return NotImplemented
        return self is other or (self.size == other.size and list(self._key()) == list(other._key()))

    def __hash__(self) -> int:
        return hash(tuple(self._key()))

    def _key(self) -> Iterator[object]:
        for node in self._postorder():
            yield node if isinstance(node, float) else (node.name if isinstance(node, Parameter) else (node.op,))

    def __str__(self) -> str:
        return _format(self)

    def __repr__(self) -> str:
        return f"<Expression {self}>"

    def __float__(self) -> float:
        names = ", ".join(parameter.name for parameter in self.parameters)
        raise TypeError(f"An expression of parameters has no number until they are bound; give values for {names}.")


class Parameter(Expression):
    """A named real number that is given a value when the circuit runs.

    >>> theta = Parameter("theta")
    >>> theta
    Parameter('theta')
    """

    __slots__ = ("array", "index", "name")

    def __init__(self, name: str, *, array: ParameterArray | None = None, index: int = 0) -> None:
        if not isinstance(name, str) or not name:
            raise ParameterError(f"A parameter's name is a non-empty string, got {name!r}.")
        super().__init__("param", ())
        self.name = name
        self.array = array
        self.index = index
        self._names = (self,)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Parameter):
            return self.name == other.name
        return super().__eq__(other)

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"Parameter({self.name!r})"

    def __str__(self) -> str:
        return self.name


class ParameterArray(Sequence[Parameter]):
    """Parameters that are bound together, by one sequence: element k is named ``name[k]``.

    >>> p = ParameterArray("p", 2)
    >>> p[1]
    Parameter('p[1]')
    >>> len(p)
    2
    """

    def __init__(self, name: str, length: int) -> None:
        if not isinstance(length, int) or length < 1:
            raise ParameterError(f"An array parameter has at least one element, got length {length!r}.")
        self.name = name
        self._elements = tuple(Parameter(f"{name}[{k}]", array=self, index=k) for k in range(length))

    @overload
    def __getitem__(self, index: int) -> Parameter: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Parameter, ...]: ...
    def __getitem__(self, index: int | slice) -> Parameter | tuple[Parameter, ...]:
        return self._elements[index]

    def __len__(self) -> int:
        return len(self._elements)

    def __repr__(self) -> str:
        return f"ParameterArray({self.name!r}, {len(self)})"


def to_value(value: Any, what: str = "An angle") -> Value:
    """A finite float or an expression out of what a user gave.

    >>> to_value(1)
    1.0
    """
    if type(value) is float and math.isfinite(value):  # nearly always; SupportsFloat is slow
        return value
    if isinstance(value, Expression):
        return value
    if isinstance(value, (bool, np.bool_, str, bytes, complex)) or not isinstance(value, SupportsFloat):
        raise ParameterError(f"{what} is a real number or an expression of parameters, got {value!r}.")
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise ParameterError(f"{what} is a real number or an expression of parameters, got {value!r}.") from None
    if not math.isfinite(number):
        raise ParameterError(f"{what} must be finite, got {number}.")
    return number


def _apply(op: str, *args: Any) -> Value:
    """One operation, folded when every argument is a number."""
    values: list[Value] = []
    for arg in args:
        if isinstance(arg, Expression):
            values.append(arg)
        elif isinstance(arg, (int, float, np.integer, np.floating)) and not isinstance(arg, bool):
            values.append(float(arg))
        else:
            return NotImplemented  # type: ignore[no-any-return]  # Python then tries the other operand
    numbers = [value for value in values if isinstance(value, float)]
    if len(numbers) == len(values):
        return _fold(op, numbers)
    if len(values) == 2:
        left, right = values
        if op in ("+", "-") and right == 0.0:
            return left
        if op == "+" and left == 0.0:
            return right
        if op in ("*", "/") and right == 1.0:
            return left
        if op == "*" and left == 1.0:
            return right
    elif op == "neg" and isinstance(values[0], Expression) and values[0].op == "neg":
        inner: Value = values[0].args[0]
        return inner
    return Expression(op, tuple(values))


def _fold(op: str, numbers: list[float]) -> float:
    try:
        result = _UNARY[op](numbers[0]) if len(numbers) == 1 else _BINARY[op](numbers[0], numbers[1])
        if not isinstance(result, complex) and math.isfinite(result):
            return float(result)
    except (ValueError, ZeroDivisionError, OverflowError):
        pass
    text = f"{op}({numbers[0]!r})" if len(numbers) == 1 else f"{numbers[0]!r} {op} {numbers[1]!r}"
    raise ParameterError(f"The value of an expression must be a finite real number; {text} is not.")


_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "mod": 2, "neg": 3, "**": 4}


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def _format(expression: Expression) -> str:
    """Infix text with as few brackets as needed; iterative, like every walk here."""
    stack: list[tuple[str, int]] = []
    for node in expression._postorder():
        if isinstance(node, float):
            stack.append((_number(node), 5 if node >= 0 else 3))
        elif isinstance(node, Parameter):
            stack.append((node.name, 5))
        elif node.op in _PRECEDENCE:
            level = _PRECEDENCE[node.op]
            right, right_level = stack.pop()
            if node.op == "neg":
                stack.append((f"-{right}" if right_level > level else f"-({right})", level))
                continue
            left, left_level = stack.pop()
            # The right operand of - / ** and every negative one is bracketed on a tie.
            left = left if (left_level >= level and node.op != "**") or left_level == 5 else f"({left})"
            right = right if right_level > level or (right_level == level and node.op in "+*") else f"({right})"
            sign = {"+": " + ", "-": " - ", "mod": " % "}.get(node.op, node.op)
            stack.append((f"{left}{sign}{right}", level))
        else:
            inner, _ = stack.pop()
            stack.append((f"{node.op}({inner})", 5))
    return stack[0][0]
