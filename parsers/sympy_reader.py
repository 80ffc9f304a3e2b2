"""SymPy's expressions, in which other packages keep their parameters, as expressions of ours."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from parsers.interop import refuse
from qsim.parameters import Expression, Value

_FUNCTIONS = {
    "sin": "sin", "cos": "cos", "tan": "tan", "asin": "arcsin", "acos": "arccos", "atan": "arctan", "exp": "exp",
    "log": "log", "Abs": "abs",
}  # fmt: skip


def value_of(expression: Any, symbols: Mapping[str, Value], package: str) -> Value:
    """The value of a SymPy expression, its symbols replaced by name."""
    kind = type(expression).__name__
    if expression.is_Symbol:
        return symbols[expression.name]
    if expression.is_number:
        number = complex(expression)
        if abs(number.imag) > 1e-12 * max(1.0, abs(number.real)) or not math.isfinite(number.real):
            refuse(f"A parameter must be a finite real number; here is {expression}.", package)
        return number.real
    arguments = [value_of(argument, symbols, package) for argument in expression.args]
    if kind == "Add":
        return sum(arguments[1:], arguments[0])
    if kind == "Mul":
        return math.prod(arguments[1:], start=arguments[0])
    if kind == "Pow":
        return _power(*arguments)
    if kind in _FUNCTIONS and len(arguments) == 1:
        (argument,) = arguments
        if not isinstance(argument, Expression):  # SymPy leaves some numbers unevaluated
            return float(expression)
        result: Value = abs(argument) if kind == "Abs" else getattr(argument, _FUNCTIONS[kind])()
        return result
    if kind in ("conjugate", "re") and len(arguments) == 1:
        return arguments[0]  # parameters are real
    if kind == "Mod":
        return arguments[0] % arguments[1]
    refuse(f"An expression of parameters has '{kind}', which is not known here: {expression}.", package)


def _power(base: Value, exponent: Value) -> Value:
    if exponent == -1.0:
        return 1.0 / base
    if exponent == 0.5 and isinstance(base, Expression):
        return base.sqrt()
    return base**exponent
