"""Durations: sums of seconds and of a device's time steps (dt), exact.

Gates take no time in this simulator, so `durationof` counts delays only, and a stretch, which is as short as the
program allows, is 0.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from parsers.qasm3_types import BOOL, FLOAT, INTEGERS, Problem, Type, Typed

DURATION = Type("duration")
_SECONDS = {"s": Fraction(1), "ms": Fraction(1, 10**3), "us": Fraction(1, 10**6), "µs": Fraction(1, 10**6),
            "ns": Fraction(1, 10**9)}  # fmt: skip
_MOST_BITS = 2048  # of the numerator and denominator
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time.

    >>> str(Duration.of(100, "ns") + Duration.of(1.5, "us"))
    '1600ns'
    """

    seconds: Fraction = Fraction(0)
    dt: Fraction = Fraction(0)

    @classmethod
    def of(cls, value: float, unit: str) -> Duration:
        """A number of s, ms, us, ns or dt, as written."""
        if not abs(value) < float("inf"):
            raise Problem("A duration must be finite; this one is too large.")
        number = Fraction(repr(value))
        return cls(dt=number) if unit == "dt" else cls(number * _SECONDS[unit])

    def __post_init__(self) -> None:
        for part in (self.seconds, self.dt):
            if max(part.numerator.bit_length(), part.denominator.bit_length()) > _MOST_BITS:
                raise Problem("A duration is too long, or too exact, to be calculated with.")

    def __add__(self, other: Duration) -> Duration:
        return Duration(self.seconds + other.seconds, self.dt + other.dt)

    def scaled(self, factor: Fraction) -> Duration:
        """A multiple of it."""
        return Duration(self.seconds * factor, self.dt * factor)

    @property
    def is_negative(self) -> bool:
        """Whether it is surely less than nothing."""
        return self.seconds < 0 or self.dt < 0

    def __str__(self) -> str:
        try:
            parts = [f"{float(self.seconds * 10**9):.12g}ns"] if self.seconds or not self.dt else []
            return " + ".join(parts + ([f"{float(self.dt):.12g}dt"] if self.dt else []))
        except OverflowError:
            raise Problem("A duration here is less than 1e308 nanoseconds.") from None


def binary(op: str, left: Typed, right: Typed) -> Typed:
    """left op right, of which at least one is a duration."""
    if left.type == right.type == DURATION:
        a, b = left.value, right.value
        if op in ("+", "-"):
            return Typed(DURATION, a + (b if op == "+" else b.scaled(Fraction(-1))))
        if op in _COMPARE or op == "/":
            x, y = _numbers(a, b)
            if op != "/":
                return Typed(BOOL, _COMPARE[op](x, y))
            if not y:
                raise Problem("A duration cannot be divided by one of length 0.")
            try:
                return Typed(FLOAT, float(x / y))
            except OverflowError:
                raise Problem("The quotient of these durations is too large for a float.") from None
    elif op == "*" and right.type == DURATION:
        return Typed(DURATION, right.value.scaled(_factor(left)))
    elif op in ("*", "/") and left.type == DURATION:
        factor = _factor(right)
        if op == "/" and not factor:
            raise Problem("A number cannot be divided by zero.")
        return Typed(DURATION, left.value.scaled(1 / factor if op == "/" else factor))
    raise Problem(f"'{op}' is not defined for {left.type} and {right.type}.")


def negated(item: Typed) -> Typed:
    """The duration with the other sign."""
    return Typed(DURATION, item.value.scaled(Fraction(-1)))


def _numbers(a: Duration, b: Duration) -> tuple[Fraction, Fraction]:
    if not a.dt and not b.dt:
        return a.seconds, b.seconds
    if not a.seconds and not b.seconds:
        return a.dt, b.dt
    raise Problem("Durations in seconds and in dt are not compared: this simulator has no length of a dt.")


def _factor(item: Typed) -> Fraction:
    if item.is_runtime or item.is_symbolic:
        raise Problem("A duration does not depend on a measurement or an input.")
    if item.type.kind not in ("float", "angle", *INTEGERS):
        raise Problem(f"A duration is multiplied by a real number, got a value of type {item.type}.")
    return Fraction(item.value)
