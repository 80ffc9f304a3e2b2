"""Typed classical values of OpenQASM 3: what a type is, what a value is, and casts between them.

A value is known while the program is read (a Python number, or an array of them), symbolic (an expression of inputs),
or read from measured bits while the circuit runs (an expression of `qsim.classical`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from qsim.classical import Bits, ClassicalExpression, ClassicalOperation, Input, Literal
from qsim.parameters import Expression

#: Width of an int or uint without one: results outside are an error, not wrapped.
DEFAULT_WIDTH = 64


@dataclass(frozen=True, slots=True)
class ComplexParts:
    """A complex number that is known only while the circuit runs; `size` is how many operations it has."""

    real: ClassicalExpression
    imag: ClassicalExpression
    size: int = 1


RUNTIME = (Bits, Literal, Input, ClassicalOperation, ComplexParts)


class Problem(Exception):
    """A wrong operation on values; whoever knows the place makes it a QasmError."""


@dataclass(frozen=True, slots=True)
class Type:
    """A classical type; `width` is the number of bits where the program gives one.

    >>> str(Type("uint", 4))
    'uint[4]'
    """

    kind: str
    width: int | None = None

    def __str__(self) -> str:
        return self.kind if self.width is None else f"{self.kind}[{self.width}]"


INT, FLOAT, BOOL, BIT, COMPLEX = Type("int"), Type("float"), Type("bool"), Type("bit"), Type("complex")
INTEGERS = ("int", "uint")


@dataclass(frozen=True, slots=True)
class Typed:
    """A value and its type."""

    type: Type
    value: Any

    @property
    def is_runtime(self) -> bool:
        """Whether it is read from bits while the circuit runs."""
        return isinstance(self.value, RUNTIME)

    @property
    def is_symbolic(self) -> bool:
        """Whether it is an expression of inputs."""
        return isinstance(self.value, Expression)


@dataclass(slots=True)
class ArrayValue:
    """A classical array: the type of its elements, and their Python values in an array of objects.

    `cells` has the bits that keep each element while the circuit runs, once any element depends on it.
    """

    base: Type
    data: np.ndarray[Any, Any]
    cells: np.ndarray[Any, Any] | None = None

    def part(self, index: Any) -> ArrayValue:
        """A view of some elements."""
        return ArrayValue(self.base, self.data[index], None if self.cells is None else self.cells[index])


def cast(item: Typed, to: Type) -> Typed:
    """The value as another type; wraps integers that have a width.

    >>> cast(Typed(INT, 17), Type("uint", 4)).value
    1
    >>> cast(Typed(FLOAT, -2.7), INT).value
    -2
    """
    if item.type.kind in ("array", "void", "duration") or to.kind in ("array", "void", "duration"):
        if item.type.kind == to.kind:
            return item
        raise Problem(f"A value of type {item.type} cannot become {to}.")
    if item.is_runtime:
        from parsers.qasm3_runtime import cast_at_run_time

        return Typed(to, cast_at_run_time(item, to))
    if item.is_symbolic:
        return Typed(to, _cast_symbolic(item, to))
    return Typed(to, _cast_known(item.type, item.value, to))


def _cast_known(source: Type, value: Any, to: Type) -> Any:
    kind = to.kind
    if kind == "complex":
        return complex(value)
    if source.kind == "complex":
        raise Problem(f"A complex value cannot become {to}; take real() or imag() of it.")
    if kind == "bool":
        return bool(value)
    if kind in INTEGERS:
        if source.kind == "angle":
            raise Problem(f"An angle cannot become {to}; only bits and angles are cast to one another.")
        if source.kind == "bit" and (source.width or 1) > (to.width or DEFAULT_WIDTH):
            raise Problem(other_width(source, to))
        return wrap(int(value), to)
    if kind == "float":
        if source.kind == "bit":
            raise Problem("Bits cannot become a float; cast them to int or uint first.")
        return rounded(_to_float(value), to.width)
    if kind == "angle":
        if source.kind == "bit":
            width = source.width or 1
            if to.width is not None and to.width != width:
                raise Problem(f"{source} cannot become {to}; the widths must agree.")
            return 2 * math.pi * int(value) / (1 << width)
        return wrap_angle(_to_float(value), to.width)
    assert kind == "bit"
    return _to_bits(source, value, to)


def _to_bits(source: Type, value: Any, to: Type) -> int:
    width = to.width or 1
    if source.kind == "float":
        raise Problem(f"A float cannot become {to}.")
    if source.kind == "angle":
        if source.width != width:
            raise Problem(f"{source} cannot become {to}; only an angle of the same width can.")
        return int(round(value / (2 * math.pi) * (1 << width)) % (1 << width))
    if source.kind == "bit" and (source.width or 1) != width:
        raise Problem(f"{source} cannot become {to}; the numbers of bits must agree.")
    number = int(value)
    if source.kind in INTEGERS and source.width not in (None, width):
        raise Problem(other_width(source, to))
    if source.width is not None:
        return number & ((1 << width) - 1)
    if not -(1 << (width - 1)) <= number < (1 << width):
        raise Problem(f"The value {number} does not fit {to}.")
    return number & ((1 << width) - 1)


def other_width(source: Type, to: Type) -> str:
    """Why bits and integers of different widths are not cast to one another."""
    return f"{source} cannot become {to}; the widths must agree. Take the bits that are meant, as in x[0:3]."


def wrap(number: int, to: Type) -> int:
    """An integer reduced to its type's width, in two's complement; without a width it must fit 64 bits."""
    width = to.width or DEFAULT_WIDTH
    low, high = (0, 1 << width) if to.kind == "uint" else (-(1 << (width - 1)), 1 << (width - 1))
    if low <= number < high:
        return number
    if to.width is None:
        shown = str(number) if abs(number) < 1 << 128 else "This number"
        raise Problem(f"{shown} does not fit {to}, which has {width} bits when no width is given.")
    number &= (1 << width) - 1
    return number - (1 << width) if number >= high else number


def wrap_angle(value: float, width: int | None) -> float:
    """An angle of `width` bits is a multiple of 2 pi / 2**width below 2 pi; without a width it stays as it is."""
    if width is None:
        return value
    steps = 1 << width
    return (round(value / (2 * math.pi) * steps) % steps) * (2 * math.pi / steps)


_FLOATS: dict[int | None, Any] = {16: np.float16, 32: np.float32}


def rounded(value: float, width: int | None) -> float:
    """The nearest number of a float of `width` bits; those of other widths than 16 and 32 are kept with 64.

    >>> rounded(0.1, 32)
    0.10000000149011612
    """
    if width not in _FLOATS:
        return value
    with np.errstate(over="ignore"):
        number = float(_FLOATS[width](value))
    if not math.isfinite(number):
        raise Problem(f"The value {value} does not fit float[{width}].")
    return number


def zero(kind: Type) -> Any:
    """What a variable holds that was never set."""
    if kind.kind == "duration":
        from parsers.qasm3_durations import Duration

        return Duration()
    return {"float": 0.0, "angle": 0.0, "complex": 0j, "bool": False}.get(kind.kind, 0)


def _to_float(value: Any) -> float:
    try:
        number = float(value)
    except OverflowError:
        raise Problem("This integer is too large for a float.") from None
    if not math.isfinite(number):
        raise Problem("A number must be finite.")
    return number


def _cast_symbolic(item: Typed, to: Type) -> Any:
    same = to.kind == item.type.kind and to.width == item.type.width
    if same or (to.kind in ("float", "angle") and (to.width is None or to.kind == "float") and item.type.kind != "bit"):
        return item.value
    from parsers.qasm3_runtime import cast_at_run_time, run_time

    return cast_at_run_time(item if to.kind == "complex" else run_time(item), to)
