"""Classical values that are known only when a program runs: arithmetic and comparisons on parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from qsim.classical import ClassicalExpression, ClassicalOperation, Input, Literal
from qsim.parameters import Expression, Value
from session.builder.errors import BuilderError

_UFUNCS: dict[str, Callable[..., Any]] = {
    "add": lambda a, b: a + b, "subtract": lambda a, b: a - b, "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b, "power": lambda a, b: a**b, "remainder": lambda a, b: a % b,
    "negative": lambda a: -a, "absolute": lambda a: abs(a),
    **{name: (lambda a, name=name: getattr(a, name)())
       for name in ("sin", "cos", "tan", "arcsin", "arccos", "arctan", "exp", "log", "sqrt")},
}  # fmt: skip


class Symbol:
    """A parameter of the program, or arithmetic on some; numpy's functions of one number work on it too.

    >>> from qsim.parameters import Parameter
    >>> t = Symbol(Parameter("t"))
    >>> np.sin(2 * t) + 1
    <sin(2*t) + 1>
    """

    __slots__ = ("expression", "is_integer")

    def __init__(self, expression: Expression, is_integer: bool = False) -> None:
        self.expression = expression
        self.is_integer = is_integer

    def _with(self, other: Any, make: Callable[[Value, Value], Value]) -> Any:
        if isinstance(other, (bool, np.bool_)) or not isinstance(other, (Symbol, int, float, np.integer, np.floating)):
            return NotImplemented
        whole = self.is_integer and (isinstance(other, (int, np.integer)) or getattr(other, "is_integer", None) is True)
        return wrapped(make(self.expression, other.expression if isinstance(other, Symbol) else float(other)), whole)

    def __add__(self, other: Any) -> Any:
        return self._with(other, lambda a, b: a + b)

    def __radd__(self, other: Any) -> Any:
        return self._with(other, lambda a, b: b + a)

    def __sub__(self, other: Any) -> Any:
        return self._with(other, lambda a, b: a - b)

    def __rsub__(self, other: Any) -> Any:
        return self._with(other, lambda a, b: b - a)

    def __mul__(self, other: Any) -> Any:
        return self._with(other, lambda a, b: a * b)

    def __rmul__(self, other: Any) -> Any:
        return self._with(other, lambda a, b: b * a)

    def __truediv__(self, other: Any) -> Any:
        return _real(self._with(other, lambda a, b: a / b))

    def __rtruediv__(self, other: Any) -> Any:
        return _real(self._with(other, lambda a, b: b / a))

    def __pow__(self, other: Any) -> Any:
        return _real(self._with(other, lambda a, b: a**b))

    def __rpow__(self, other: Any) -> Any:
        return _real(self._with(other, lambda a, b: b**a))

    def __mod__(self, other: Any) -> Any:
        return self._with(other, lambda a, b: a % b)

    def __neg__(self) -> Any:
        return wrapped(-self.expression, self.is_integer)

    def __pos__(self) -> Symbol:
        return self

    def __abs__(self) -> Any:
        return wrapped(abs(self.expression), self.is_integer)

    def sin(self) -> Any:
        """Its sine."""
        return wrapped(self.expression.sin())

    def cos(self) -> Any:
        """Its cosine."""
        return wrapped(self.expression.cos())

    def tan(self) -> Any:
        """Its tangent."""
        return wrapped(self.expression.tan())

    def arcsin(self) -> Any:
        """Its inverse sine, in radians."""
        return wrapped(self.expression.arcsin())

    def arccos(self) -> Any:
        """Its inverse cosine, in radians."""
        return wrapped(self.expression.arccos())

    def arctan(self) -> Any:
        """Its inverse tangent, in radians."""
        return wrapped(self.expression.arctan())

    def exp(self) -> Any:
        """The exponential function of it."""
        return wrapped(self.expression.exp())

    def log(self) -> Any:
        """Its natural logarithm."""
        return wrapped(self.expression.log())

    def sqrt(self) -> Any:
        """Its square root."""
        return wrapped(self.expression.sqrt())

    # comparisons are conditions for `if_`
    def __lt__(self, other: Any) -> Condition:
        return _compared("<", self, other)

    def __le__(self, other: Any) -> Condition:
        return _compared("<=", self, other)

    def __gt__(self, other: Any) -> Condition:
        return _compared(">", self, other)

    def __ge__(self, other: Any) -> Condition:
        return _compared(">=", self, other)

    def __eq__(self, other: object) -> Any:
        return _compared("==", self, other)

    def __ne__(self, other: object) -> Any:
        return _compared("!=", self, other)

    __hash__ = None  # type: ignore[assignment]

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if method != "__call__" or options or ufunc.__name__ not in _UFUNCS:
            return NotImplemented
        plain = [
            entry.item() if isinstance(entry, (np.number, np.ndarray)) and np.ndim(entry) == 0 else entry
            for entry in inputs
        ]
        arrays = [entry for entry in plain if isinstance(entry, np.ndarray)]
        if arrays:
            return [
                ufunc(*[entry[k] if entry is arrays[0] else entry for entry in plain]) for k in range(len(arrays[0]))
            ]
        return _UFUNCS[ufunc.__name__](*plain)

    def __float__(self) -> float:
        raise BuilderError(
            f"'{self.expression}' has its value only when the program runs, so it can be an angle, not a number that Python "
            "computes with now."
        )

    def __index__(self) -> int:
        raise BuilderError(
            f"'{self.expression}' has its value only when the program runs; a count, a size or an index has to be known when "
            "the program is made. Use a Python number."
        )

    __int__ = __index__

    def __bool__(self) -> bool:
        raise BuilderError(f"'{self.expression}' has its value only when the program runs. Use if_ with a comparison.")

    def __repr__(self) -> str:
        return f"<{self.expression}>"


class Condition:
    """A comparison of parameters, for `if_`; conditions combine with ``& | ~``."""

    __slots__ = ("expression",)

    def __init__(self, expression: ClassicalExpression) -> None:
        self.expression = expression

    def __and__(self, other: Any) -> Condition:
        return Condition(ClassicalOperation("&&", (self.expression, _condition(other))))

    def __or__(self, other: Any) -> Condition:
        return Condition(ClassicalOperation("||", (self.expression, _condition(other))))

    def __invert__(self) -> Condition:
        return Condition(ClassicalOperation("!", (self.expression,)))

    __rand__, __ror__ = __and__, __or__

    def __bool__(self) -> bool:
        raise BuilderError(
            "This condition is on parameters that have values only when the program runs. Use if_(condition, then, else_), "
            "and & | ~ in place of and, or, not."
        )


class SymbolArray(list[Any]):
    """The elements of a classical array; `len` is their number."""

    @property
    def len(self) -> int:
        """How many elements there are."""
        return len(self)

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return SymbolArray(found) if isinstance(index, slice) else found


def wrapped(value: Value, is_integer: bool = False) -> Any:
    """A symbol, or the number that an expression came down to."""
    return Symbol(value, is_integer) if isinstance(value, Expression) else value


def angle_of(value: Any, what: str) -> Value:
    """A number or an expression out of what was given as an angle."""
    if isinstance(value, Symbol):
        return value.expression
    if isinstance(value, Expression):
        return value
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise BuilderError(f"{what} is a real number or an expression of CReal parameters, got {_type(value)}.")
    if not np.isfinite(value):
        raise BuilderError(f"{what} is a finite number, got {value}.")
    return float(value)


def whole(value: Any, what: str, least: int = 0) -> int:
    """An integer that is known now."""
    if isinstance(value, Symbol):
        value.__index__()
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise BuilderError(f"{what} is a whole number, got {_type(value)}.")
    if value < least:
        raise BuilderError(f"{what} is at least {least}, got {value}.")
    return int(value)


def _real(value: Any) -> Any:
    return Symbol(value.expression) if isinstance(value, Symbol) else value


def _compared(op: str, left: Symbol, right: Any) -> Condition:
    if not isinstance(right, (Symbol, int, float, np.integer, np.floating)):
        raise BuilderError(f"A parameter is compared with a number or another parameter, got {_type(right)}.")
    other = (
        Input(right.expression)
        if isinstance(right, Symbol)
        else Literal(right if isinstance(right, int) else float(right))
    )
    return Condition(ClassicalOperation(op, (Input(left.expression), other)))


def _condition(value: Any) -> ClassicalExpression:
    if isinstance(value, Condition):
        return value.expression
    if isinstance(value, (bool, np.bool_)):
        return Literal(int(value))
    raise BuilderError(f"Conditions are combined with conditions, got {_type(value)}.")


def _type(value: Any) -> str:
    return type(value).__name__ if not isinstance(value, (int, float, str)) else repr(value)
