"""The operations of classical expressions on Python numbers: what each is called, and what it gives.

Integers are whole numbers of any size until ``int`` or ``uint`` wraps them; division truncates towards zero, as in C.
A float is kept in classical bits as the 64 bits of its IEEE 754 form.
"""

from __future__ import annotations

import math
import operator
import struct
from collections.abc import Callable
from typing import Any

from qsim.errors import CircuitError

MAX_BITS = 1 << 16  # of a number, while a circuit runs


def truncated(a: int, b: int) -> int:
    """The quotient without its fraction.

    >>> truncated(-7, 2)
    -3
    """
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def _divide(a: Any, b: Any) -> Any:
    if not b:
        raise CircuitError("A number was divided by zero while the circuit ran. Test the divisor with if first.")
    return a / b if isinstance(a, float) or isinstance(b, float) else truncated(int(a), int(b))


def _remainder(a: Any, b: Any) -> Any:
    if not b:
        raise CircuitError("A remainder by zero was taken while the circuit ran. Test the divisor with if first.")
    if isinstance(a, float) or isinstance(b, float):
        return a - b * math.floor(a / b)
    return int(a) - int(b) * truncated(int(a), int(b))


def _power(a: Any, b: Any) -> Any:
    if isinstance(a, int) and isinstance(b, int) and b > 0 and abs(a) > 1 and abs(a).bit_length() * b > MAX_BITS:
        raise CircuitError(f"A power had more than {MAX_BITS:,} bits while the circuit ran.")
    if isinstance(a, int) and isinstance(b, int) and b < 0:
        a = float(a)
    result = _real(operator.pow, "a power")(a, b)
    if isinstance(result, complex):
        raise CircuitError("A power of a negative number with a fraction was taken while the circuit ran.")
    return result


def _shift(a: Any, b: Any) -> int:
    if not 0 <= b <= MAX_BITS:
        raise CircuitError(f"A shift goes by 0 to {MAX_BITS:,} places; while the circuit ran it was by {b}.")
    return int(a) << int(b)


def _shift_right(a: Any, b: Any) -> int:
    if b < 0:
        raise CircuitError(f"A shift goes by at least 0 places; while the circuit ran it was by {b}.")
    return int(a) >> int(b)


def _pick(index: Any, *values: Any) -> Any:
    size = len(values)
    if not -size <= index < size:
        raise CircuitError(f"There are elements 0 to {size - 1}; while the circuit ran the index was {index}.")
    return values[int(index)]


def _repeated(index: Any) -> int:
    raise CircuitError(f"A gate acts on different qubits; while the circuit ran the index {index} gave it one twice.")


def _whole(value: Any) -> int:
    if value != int(value):
        raise CircuitError(f"A parameter that stands for an integer, bits or a bool has a whole number, got {value}.")
    return int(value)


def _signed(value: Any, width: int) -> int:
    number = int(value) & ((1 << width) - 1)
    return number - (1 << width) if number >> (width - 1) else number


def _rounded(value: Any, width: int) -> float:
    form = "<e" if width == 16 else "<f"
    try:
        return float(struct.unpack(form, struct.pack(form, value))[0])
    except OverflowError:
        raise CircuitError(f"While the circuit ran {value} did not fit a float of {width} bits.") from None


def _angle(value: Any, width: int) -> float:
    steps = 1 << width
    return float((round(value / math.tau * steps) % steps) * (math.tau / steps))


def _angle_bits(value: Any, width: int) -> int:
    return int(round(value / math.tau * (1 << width)) % (1 << width))


def _rotated(value: Any, places: Any, width: int) -> int:
    places = int(places) % width
    return int((int(value) << places) | (int(value) >> (width - places))) & ((1 << width) - 1)


def _real(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    def checked(*args: Any) -> Any:
        try:
            return function(*args)
        except (ValueError, OverflowError, ZeroDivisionError):
            shown = ", ".join(map(str, args))
            raise CircuitError(f"While the circuit ran {name} of {shown} had no finite real value.") from None

    return checked


OPERATIONS: dict[str, Callable[..., Any]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": _divide, "%": _remainder, "**": _power,
    "&": operator.and_, "|": operator.or_, "^": operator.xor, "<<": _shift, ">>": _shift_right,
    "&&": lambda a, b: bool(a) and bool(b), "||": lambda a, b: bool(a) or bool(b), "!": operator.not_,
    "neg": operator.neg, "popcount": lambda a: int(a).bit_count(),
    #: index, values: the value at the index.
    "pick": _pick,
    #: value, width: wrapped to that many bits, with and without a sign; truncated first.
    "int": _signed, "uint": lambda a, width: int(a) & ((1 << width) - 1),
    "float": float, "whole": _whole,
    #: index: a wrong one, which gives a gate one qubit twice.
    "repeated": _repeated,
    #: value, width: the nearest float of 16 or 32 bits.
    "rounded": _rounded,
    #: value, width: rounded to a multiple of 2 pi / 2**width, and which multiple that is.
    "angle": _angle, "angle_bits": _angle_bits,
    #: bits, places, width: bits moved to the left, those that leave come in at the right.
    "rotl": _rotated,
    "float_bits": lambda a: struct.unpack("<Q", struct.pack("<d", a))[0],
    "bits_float": lambda a: struct.unpack("<d", struct.pack("<Q", a))[0],
    "floor": lambda a: float(math.floor(a)), "ceiling": lambda a: float(math.ceil(a)),
    **{name: _real(function, name) for name, function in {
        "sin": math.sin, "cos": math.cos, "tan": math.tan, "arcsin": math.asin, "arccos": math.acos,
        "arctan": math.atan, "exp": math.exp, "log": math.log, "sqrt": math.sqrt,
    }.items()},
}  # fmt: skip

#: Operations whose last operand is a width.
WIDTH_LAST = frozenset(["int", "uint", "rounded", "angle", "angle_bits", "rotl"])

_UNARY = frozenset("! neg popcount float whole repeated float_bits bits_float floor ceiling sin cos tan arcsin arccos "
                   "arctan exp log sqrt".split())  # fmt: skip


def operands_of(op: str) -> tuple[int, int]:
    """The least and the largest number of operands of an operation.

    >>> operands_of("+"), operands_of("neg")
    ((2, 2), (1, 1))
    """
    if op == "pick":
        return 2, 1 << 30
    number = 1 if op in _UNARY else 3 if op == "rotl" else 2
    return number, number
