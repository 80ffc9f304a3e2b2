"""Complex numbers that are known only while the circuit runs: two real expressions each.

The parts of a product hold those of its factors twice, so long products are bounded; a variable, which is kept in bits,
starts anew.
"""

from __future__ import annotations

from typing import Any

from parsers.qasm3_types import BOOL, COMPLEX, FLOAT, ComplexParts, Problem, Typed
from qsim.classical import ClassicalExpression, ClassicalOperation, Literal

#: Operations in one complex expression.
MAX_SIZE = 5000
_SMALL = 16  # powers that are multiplied out


def _op(op: str, *args: Any) -> ClassicalOperation:
    return ClassicalOperation(op, tuple(Literal(arg) if isinstance(arg, (int, float)) else arg for arg in args))


def _made(real: Any, imaginary: Any, size: int) -> ComplexParts:
    if size > MAX_SIZE:
        raise Problem(
            f"A complex value that depends on a measurement or an input has at most {MAX_SIZE:,} operations; assign "
            "parts of this one to variables."
        )
    return ComplexParts(real, imaginary, size)


def parts_of(item: Typed) -> ComplexParts:
    """A number or expression as its real and imaginary part."""
    from parsers.qasm3_runtime import cast_at_run_time, run_time

    if isinstance(item.value, ComplexParts):
        return item.value
    if item.type.kind == "complex":
        return ComplexParts(Literal(item.value.real), Literal(item.value.imag))
    return ComplexParts(cast_at_run_time(run_time(item), FLOAT), Literal(0.0))


def _product(a: ComplexParts, b: ComplexParts) -> ComplexParts:
    return _made(
        _op("-", _op("*", a.real, b.real), _op("*", a.imag, b.imag)),
        _op("+", _op("*", a.real, b.imag), _op("*", a.imag, b.real)),
        2 * (a.size + b.size),
    )


def _quotient(a: ComplexParts, b: ComplexParts) -> ComplexParts:
    square = _op("+", _op("*", b.real, b.real), _op("*", b.imag, b.imag))
    top = _product(a, ComplexParts(b.real, _op("neg", b.imag), b.size))
    return _made(_op("/", top.real, square), _op("/", top.imag, square), top.size + 4 * b.size)


def binary(op: str, left: Typed, right: Typed) -> Typed:
    """left op right."""
    a, b = parts_of(left), parts_of(right)
    if op in ("==", "!="):
        same: ClassicalExpression = _op("&&", _op("==", a.real, b.real), _op("==", a.imag, b.imag))
        return Typed(BOOL, same if op == "==" else _op("!", same))
    if op in ("+", "-"):
        return Typed(COMPLEX, _made(_op(op, a.real, b.real), _op(op, a.imag, b.imag), a.size + b.size))
    if op == "*":
        return Typed(COMPLEX, _product(a, b))
    if op == "/":
        return Typed(COMPLEX, _quotient(a, b))
    if (
        op == "**"
        and right.type.kind in ("int", "uint")
        and isinstance(right.value, int)
        and 0 <= right.value <= _SMALL
    ):
        result = ComplexParts(Literal(1.0), Literal(0.0))
        for _ in range(right.value):
            result = _product(result, a)
        return Typed(COMPLEX, result)
    if op == "**":
        raise Problem(
            f"A power of a complex value that depends on a measurement or an input has a known exponent of 0 to {_SMALL}."
        )
    raise Problem(f"'{op}' is not defined for complex values.")


def negated(item: Typed) -> Typed:
    """-item."""
    a = parts_of(item)
    return Typed(COMPLEX, ComplexParts(_op("neg", a.real), _op("neg", a.imag), a.size))


def function(name: str, item: Typed) -> Typed:
    """A built-in function."""
    a = parts_of(item)
    if name in ("real", "imag"):
        return Typed(FLOAT, a.real if name == "real" else a.imag)
    x, y = a.real, a.imag
    if name == "exp":
        size = _op("exp", x)
        return Typed(COMPLEX, _made(_op("*", size, _op("cos", y)), _op("*", size, _op("sin", y)), 2 * a.size))
    if name in ("sin", "cos"):
        up, down = _op("exp", y), _op("exp", _op("neg", y))
        cosh, sinh = _op("/", _op("+", up, down), 2.0), _op("/", _op("-", up, down), 2.0)
        real, imaginary = _op("*", _op(name, x), cosh), _op("*", _op("cos" if name == "sin" else "sin", x), sinh)
        return Typed(COMPLEX, _made(real, imaginary if name == "sin" else _op("neg", imaginary), 4 * a.size))
    if name == "sqrt":  # the principal root: its real part is not negative
        length = _op("sqrt", _op("+", _op("*", x, x), _op("*", y, y)))
        half = [_op("sqrt", _op("/", _op(op, length, x), 2.0)) for op in ("+", "-")]
        sign = _op("pick", _op("<", y, 0.0), 1.0, -1.0)
        return Typed(COMPLEX, _made(half[0], _op("*", sign, half[1]), 6 * a.size))
    raise Problem(f"{name} is not defined for complex values.")


def choice(index: ClassicalExpression, values: list[Typed]) -> ComplexParts:
    """One of some complex values, by an index."""
    parts = [parts_of(value) for value in values]
    return _made(
        _op("pick", index, *[p.real for p in parts]),
        _op("pick", index, *[p.imag for p in parts]),
        sum(p.size for p in parts),
    )
