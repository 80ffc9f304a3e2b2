"""Operators and built-in functions of OpenQASM 3 on typed values: known, symbolic and read from measured bits."""

from __future__ import annotations

import cmath
import math
import operator
from collections.abc import Callable
from typing import Any

from parsers import qasm3_durations as durations
from parsers import qasm3_runtime as runtime
from parsers.qasm3_types import BOOL, COMPLEX, FLOAT, INT, INTEGERS, Problem, Type, Typed, cast, wrap, wrap_angle
from qsim.errors import ParameterError
from qsim.parameters import Expression

CONSTANTS: dict[str, float] = {
    "pi": math.pi, "π": math.pi, "tau": math.tau, "τ": math.tau, "euler": math.e, "ℇ": math.e,
}  # fmt: skip
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_BITWISE: dict[str, Callable[[int, int], int]] = {"&": operator.and_, "|": operator.or_, "^": operator.xor}
_REAL: dict[str, Callable[[float], float]] = {
    "sin": math.sin, "cos": math.cos, "tan": math.tan, "arcsin": math.asin, "arccos": math.acos, "arctan": math.atan,
    "exp": math.exp, "log": math.log, "sqrt": math.sqrt,
}  # fmt: skip
_COMPLEX: dict[str, Callable[[complex], complex]] = {
    "exp": cmath.exp,
    "sin": cmath.sin,
    "cos": cmath.cos,
    "sqrt": cmath.sqrt,
}
FUNCTIONS = (*_REAL, "ceiling", "floor", "mod", "popcount", "rotl", "rotr", "real", "imag")


class Operators:
    """The operators; integers have at most `integer_bits` bits on the way."""

    def __init__(self, integer_bits: int) -> None:
        self.integer_bits = integer_bits
        #: Whether a division of integers has lost a fraction; set back by whoever asks.
        self.truncated = False

    def binary(self, op: str, left: Typed, right: Typed) -> Typed:
        """left op right.

        >>> Operators(64).binary("/", Typed(INT, -7), Typed(INT, 2)).value
        -3
        """
        if "duration" in (left.type.kind, right.type.kind):
            return durations.binary(op, left, right)
        if op in ("<<", ">>", *_BITWISE) and "angle" in (left.type.kind, right.type.kind):
            return self._angle_bits(op, left, right)
        for side in (left, right):
            if side.type.kind in ("array", "void"):
                raise Problem(f"'{op}' is not defined for a value of type {side.type}.")
        width = self._angle_width(op, left, right)
        if width is not None:
            return self._angle_steps(op, left, right, width)
        try:
            if left.is_runtime or right.is_runtime:
                return self._runtime(op, left, right)
            if left.is_symbolic or right.is_symbolic:
                return self._symbolic(op, left, right)
            return self._known(op, left, right)
        except ZeroDivisionError:
            raise Problem("A number cannot be divided by zero.") from None
        except (OverflowError, ParameterError) as error:
            raise Problem(f"This has no finite value: {error}") from None

    def unary(self, op: str, item: Typed) -> Typed:
        """op item, for - ! and ~."""
        if item.type.kind == "duration" and op == "-":
            return durations.negated(item)
        if op == "~" and item.type.kind == "angle" and item.type.width is not None:
            return cast(self.unary(op, cast(item, Type("bit", item.type.width))), item.type)
        if item.type.kind in ("array", "void", "duration"):
            raise Problem(f"'{op}' is not defined for a value of type {item.type}.")
        if item.is_runtime or (item.is_symbolic and op != "-"):
            return runtime.unary(op, item)
        if op == "!":
            return Typed(BOOL, not cast(item, BOOL).value)
        if op == "~":
            if item.type.kind not in ("bit", *INTEGERS):
                raise Problem(f"'~' works on bits and integers, not on a value of type {item.type}.")
            width = 1 if item.type.kind == "bit" and item.type.width is None else item.type.width
            if item.type.kind == "int" or width is None:
                return self._integer(~item.value, item.type)
            return Typed(item.type, item.value ^ ((1 << width) - 1))
        if item.type.kind in ("bit", "array", "void", "duration"):
            raise Problem(f"'-' is not defined for a value of type {item.type}.")
        if item.is_symbolic:
            return Typed(item.type if item.type.kind != "uint" else INT, -item.value)
        if item.type.kind == "angle":
            return Typed(item.type, wrap_angle(-item.value, item.type.width))
        if item.type.kind == "bool":
            return Typed(INT, -int(item.value))
        if item.type.kind in INTEGERS:
            return self._integer(-item.value, item.type)
        return Typed(item.type, -item.value)

    def _angle_bits(self, op: str, left: Typed, right: Typed) -> Typed:
        """Bit operations on angles of some width go by their bits."""
        for side in (left, right) if op in _BITWISE else (left,):
            if side.type.kind == "angle" and side.type.width is None:
                raise Problem(f"'{op}' works on bits, integers and angles with a width, not on {side.type}.")
        sides = [cast(s, Type("bit", s.type.width)) if s.type.kind == "angle" else s for s in (left, right)]
        if op in _BITWISE and left.type != right.type:
            raise Problem(f"'{op}' takes angles of one width; got {left.type} and {right.type}.")
        return cast(self.binary(op, *sides), left.type)

    @staticmethod
    def _angle_width(op: str, left: Typed, right: Typed) -> int | None:
        """The width of angles that are calculated with as unsigned integers of that width, if that is so."""
        a, b = left.type, right.type
        if op not in ("+", "-", "*", "/") or "angle" not in (a.kind, b.kind) or (op == "*" and a.kind == b.kind):
            return None
        if op == "/" and b.kind == "angle" and a.kind in INTEGERS:
            raise Problem("An integer cannot be divided by an angle.")
        if any(t.kind not in ("angle", *INTEGERS) or (t.kind == "angle" and t.width is None) for t in (a, b)):
            return None
        if op in ("+", "-") and a.kind != b.kind:
            return None
        widths = [t.width or 0 for t in (a, b) if t.kind == "angle"]
        return max(widths)

    def _angle_steps(self, op: str, left: Typed, right: Typed, width: int) -> Typed:
        """An operation on the bits of angles: two angles of one width, or an angle and an integer."""
        angle, steps = Type("angle", width), Type("uint", width)
        sides = [
            cast(cast(cast(side, angle), Type("bit", width)), steps) if side.type.kind == "angle" else side
            for side in (left, right)
        ]
        truncated = self.truncated
        result = self.binary(op, *[Typed(INT, side.value) for side in sides])
        self.truncated = truncated  # the angle is rounded down, as the specification says
        if op == "/" and right.type.kind == "angle":
            return Typed(steps, result.value)
        return cast(cast(cast(result, steps), Type("bit", width)), angle)

    # known values -------------------------------------------------------------------------------------------
    def _known(self, op: str, left: Typed, right: Typed) -> Typed:
        if op in ("&&", "||"):
            a, b = bool(left.value), bool(right.value)
            return Typed(BOOL, (a and b) if op == "&&" else (a or b))
        if op in _COMPARE:
            if "complex" in (left.type.kind, right.type.kind) and op not in ("==", "!="):
                raise Problem(f"'{op}' is not defined for complex values.")
            self._same_width(op, left, right)
            return Typed(BOOL, _COMPARE[op](left.value, right.value))
        if op in _BITWISE:
            if {left.type.kind, right.type.kind} & {"angle", "float", "complex"}:
                raise Problem(f"'{op}' works on bits and integers, not on {left.type} and {right.type}.")
            self._same_width(op, left, right)
            if left.type.kind == right.type.kind == "bool":
                return Typed(BOOL, bool(_BITWISE[op](left.value, right.value)))
            return self._integer(_BITWISE[op](int(left.value), int(right.value)), self._bit_type(left, right))
        if op in ("<<", ">>"):
            return self._shift(op, left, right)
        kinds = {left.type.kind, right.type.kind}
        if "complex" in kinds:
            return self._finite(COMPLEX, self._real(op, complex(left.value), complex(right.value)))
        if kinds & {"float", "angle"} or (op == "**" and int(right.value) < 0):
            result = self._real(op, float(left.value), float(right.value))
            if isinstance(result, complex):
                raise Problem("A power of a negative number with a fraction as exponent is not real.")
            kind = self._real_type(op, left.type, right.type)
            self._finite(kind, result)
            return Typed(kind, wrap_angle(result, kind.width) if kind.kind == "angle" else result)
        return self._integer(self._whole(op, int(left.value), int(right.value)), self._integer_type(left, right))

    def _whole(self, op: str, a: int, b: int) -> int:
        if op == "+":
            return a + b
        if op == "-":
            return a - b
        if op == "*":
            return a * b
        if op == "**":
            if abs(a) > 1 and abs(a).bit_length() * b > 2 * self.integer_bits:
                raise Problem(
                    f"Integers have at most {self.integer_bits} bits while a program is read; this power has more."
                )
            return int(a ** (b if abs(a) > 1 or b == 0 else 2 - b % 2))
        quotient = abs(a) // abs(b)
        if (a < 0) != (b < 0):
            quotient = -quotient
        if op == "/":
            self.truncated = self.truncated or a != b * quotient
            return quotient
        if op == "%":
            return a - b * quotient
        raise Problem(f"The operator '{op}' is not defined here.")

    @staticmethod
    def _real(op: str, a: Any, b: Any) -> Any:
        if op == "+":
            return a + b
        if op == "-":
            return a - b
        if op == "*":
            return a * b
        if op == "/":
            return a / b
        if op == "**":
            return a**b
        if op == "%" and not isinstance(a, complex):
            return a - b * math.floor(a / b)
        raise Problem(f"The operator '{op}' is not defined for these values.")

    def _shift(self, op: str, left: Typed, right: Typed) -> Typed:
        if left.type.kind not in ("bit", *INTEGERS) or right.type.kind not in ("bit", *INTEGERS):
            raise Problem(f"'{op}' works on bits and integers, not on {left.type} and {right.type}.")
        amount = int(right.value)
        if amount < 0:
            raise Problem(f"A shift goes by at least 0, got {amount}.")
        if op == ">>":
            return Typed(left.type, left.value >> min(amount, 2 * self.integer_bits))
        width = left.type.width or (1 if left.type.kind == "bit" else None)
        if width is not None and amount >= width:
            return Typed(left.type, 0)
        if amount > self.integer_bits:
            raise Problem(
                f"Integers have at most {self.integer_bits} bits while a program is read; this shift makes more."
            )
        return self._integer(left.value << amount, left.type)

    def _integer(self, value: int, kind: Type) -> Typed:
        if value.bit_length() > self.integer_bits:
            raise Problem(f"Integers have at most {self.integer_bits} bits while a program is read; this one has more.")
        if kind.kind == "bit":
            return Typed(kind, value & ((1 << (kind.width or 1)) - 1))
        return Typed(kind, wrap(value, kind) if kind.width is not None else value)

    @staticmethod
    def _finite(kind: Type, value: Any) -> Typed:
        if not cmath.isfinite(value):
            raise Problem("The value of an expression must be finite.")
        return Typed(kind, value)

    @staticmethod
    def _integer_type(left: Typed, right: Typed) -> Type:
        a, b = left.type, right.type
        if a.kind == b.kind and a.kind in INTEGERS and a.width is not None and b.width is not None:
            return a if a.width >= b.width else b
        return INT

    @staticmethod
    def _bit_type(left: Typed, right: Typed) -> Type:
        a, b = left.type, right.type
        if "bit" in (a.kind, b.kind):
            return a if a.kind == "bit" else b
        if a.kind in INTEGERS and b.kind in INTEGERS:
            if a.width is None or b.width is None:
                return b if a.width is None and b.width is not None else a
            return a if a.width >= b.width else b
        return a if a.kind in INTEGERS else b

    @staticmethod
    def _real_type(op: str, a: Type, b: Type) -> Type:
        if "angle" not in (a.kind, b.kind) or (op == "/" and b.kind == "angle"):
            return FLOAT
        widths = [t.width for t in (a, b) if t.kind == "angle" and t.width is not None]
        return Type("angle", max(widths)) if widths else Type("angle")

    @staticmethod
    def _same_width(op: str, left: Typed, right: Typed) -> None:
        if left.type.kind == right.type.kind == "bit" and (left.type.width or 1) != (right.type.width or 1):
            raise Problem(f"'{op}' takes bits of one width; got {left.type} and {right.type}.")

    # inputs and measured values -----------------------------------------------------------------------------
    def _symbolic(self, op: str, left: Typed, right: Typed) -> Typed:
        integers = all(side.type.kind in (*INTEGERS, "bool", "bit") for side in (left, right))
        bits = "bit" in (left.type.kind, right.type.kind)
        if (
            bits
            or "complex" in (left.type.kind, right.type.kind)
            or op not in ("+", "-", "*", "/", "**", "%")
            or (integers and op in ("/", "%", "**"))
        ):
            return self._runtime(op, left, right)
        a, b = (side.value if side.is_symbolic else float(side.value) for side in (left, right))
        kind = INT if integers else self._real_type(op, left.type, right.type)
        if kind.kind == "angle" and kind.width is not None:
            return self._runtime(op, left, right)
        if not isinstance(b, Expression) and b == 0.0 and op in ("/", "%"):
            raise ZeroDivisionError
        value = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "**": operator.pow,
                 "%": operator.mod}[op](a, b)  # fmt: skip
        return Typed(kind, value)

    def _runtime(self, op: str, left: Typed, right: Typed) -> Typed:
        kinds = {left.type.kind, right.type.kind}
        if op not in ("&&", "||"):
            self._same_width(op, left, right)
        if op in _BITWISE or op in ("<<", ">>"):
            if kinds & {"float", "angle", "complex"} or (op in ("<<", ">>") and "bool" in kinds):
                raise Problem(f"'{op}' works on bits and integers, not on {left.type} and {right.type}.")
            kind = left.type if op in ("<<", ">>") else self._bit_type(left, right)
            return runtime.binary(op, left, right, BOOL if kinds == {"bool"} else kind)
        real = self._real_type(op, left.type, right.type) if kinds & {"float", "angle"} else None
        return runtime.binary(op, left, right, real or self._integer_type(left, right))

    # functions ----------------------------------------------------------------------------------------------
    def function(self, name: str, args: list[Typed]) -> Typed:
        """A built-in function of its arguments."""
        expected = 2 if name in ("mod", "rotl", "rotr") else 1
        if len(args) != expected:
            raise Problem(f"{name} takes {expected} argument{'s' * (expected != 1)}, got {len(args)}.")
        first = args[0]
        for item in args:
            if item.type.kind in ("array", "void", "duration"):
                raise Problem(f"{name} is not defined for a value of type {item.type}.")
        if name == "mod":
            return self.binary("%", *args)
        if name in ("popcount", "rotl", "rotr"):
            return self._bits_function(name, args)
        if first.is_runtime or (first.is_symbolic and first.type.kind == "complex"):
            return runtime.function(name, args)
        if first.type.kind == "bit":
            raise Problem(f"{name} is not defined for bits; cast them to int first.")
        if name in ("real", "imag"):
            if first.is_symbolic:
                return first if name == "real" else Typed(FLOAT, 0.0)
            number = complex(first.value)
            return Typed(FLOAT, number.real if name == "real" else number.imag)
        if first.is_symbolic:
            if not hasattr(first.value, name):
                return runtime.function(name, args)
            return Typed(FLOAT, getattr(first.value, name)())
        try:
            if name in ("ceiling", "floor"):
                return Typed(FLOAT, float(math.ceil(first.value) if name == "ceiling" else math.floor(first.value)))
            if first.type.kind == "complex":
                if name not in _COMPLEX:
                    raise Problem(f"{name} is not defined for complex values.")
                return self._finite(COMPLEX, _COMPLEX[name](first.value))
            return self._finite(FLOAT, _REAL[name](float(first.value)))
        except (ValueError, OverflowError):
            raise Problem(f"{name}({first.value}) has no finite real value.") from None

    def _bits_function(self, name: str, args: list[Typed]) -> Typed:
        first = args[0]
        if first.type.kind not in ("bit", "uint"):
            raise Problem(f"{name} works on bits and uint, not on a value of type {first.type}.")
        for amount in args[1:]:
            if amount.type.kind not in INTEGERS:
                raise Problem(f"{name} goes by an integer number of places, got a value of type {amount.type}.")
        if any(item.is_runtime or item.is_symbolic for item in args):
            return runtime.function(name, args)
        if name == "popcount":
            return Typed(Type("uint"), int(first.value).bit_count())
        width = first.type.width or (1 if first.type.kind == "bit" else 64)
        places = int(args[1].value) % width
        left = Typed(Type("int"), places if name == "rotl" else (width - places) % width)
        right = Typed(Type("int"), (width - left.value) % width)
        if not left.value:
            return first
        return self.binary("|", self.binary("<<", first, left), self.binary(">>", first, right))
