"""Values that are known only while a circuit runs: operations, functions, casts, and how they are kept in bits.

Such a value is an expression of `qsim.classical`: of measured bits, of inputs that decide something, and of variables,
which are kept in bits of their own: integers in two's complement, floats and angles as the 64 bits of a float.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from parsers import qasm3_complex as complex_numbers
from parsers.qasm3_complex import parts_of
from parsers.qasm3_types import (
    BOOL,
    DEFAULT_WIDTH,
    FLOAT,
    INT,
    INTEGERS,
    ComplexParts,
    Problem,
    Type,
    Typed,
    other_width,
)
from qsim.classical import Bits, ClassicalExpression, ClassicalOperation, Input, Literal
from qsim.parameters import Expression

_COMPARE = ("==", "!=", "<", "<=", ">", ">=")
_REAL = ("float", "angle")
_STORED = ("bool", "bit", "complex", *INTEGERS, *_REAL)


def operation(op: str, *args: Any) -> ClassicalOperation:
    """An operation on expressions and numbers."""
    numbers = (int, float)
    return ClassicalOperation(op, tuple(Literal(arg) if isinstance(arg, numbers) else arg for arg in args))


def expression(item: Typed) -> Any:
    """A value as an expression: a number, one of inputs, or one that is read from bits already."""
    if item.type.kind == "complex":
        return parts_of(item)
    if item.is_runtime:
        return item.value
    if isinstance(item.value, Expression):
        return operation("float" if item.type.kind in _REAL else "whole", Input(item.value))
    return Literal(item.value if item.type.kind in _REAL else int(item.value))


def choice(index: ClassicalExpression, values: list[Typed]) -> Any:
    """One of some values of a type, by an index."""
    if values[0].type.kind == "complex":
        return complex_numbers.choice(index, values)
    return operation("pick", index, *map(expression, values))


def run_time(item: Typed) -> Typed:
    """The same value, as one that is known when the circuit runs."""
    return Typed(item.type, expression(item))


# casts ----------------------------------------------------------------------------------------------------------
def cast_at_run_time(item: Typed, to: Type) -> Any:
    """The value as another type, wrapped to its width."""
    source, value, kind = item.type, item.value, to.kind
    if kind == "complex":
        return parts_of(item)
    if isinstance(value, ComplexParts):
        if kind == "bool":
            return operation("||", operation("!=", value.real, 0), operation("!=", value.imag, 0))
        raise Problem(f"A complex value cannot become {to}; take real() or imag() of it.")
    if kind == "bool":
        plain = source.kind == "bool" or (source.kind == "bit" and source.width is None)
        return value if plain else operation("!=", value, 0)
    if kind == "bit":
        return _bits(source, value, to)
    if kind in INTEGERS:
        if source.kind == "angle":
            raise Problem(f"An angle cannot become {to}; only bits and angles are cast to one another.")
        return _integer(source, value, to)
    if kind == "float":
        if source.kind == "bit":
            raise Problem("Bits cannot become a float; cast them to int or uint first.")
        number = value if source.kind in _REAL else operation("float", value)
        exact = to.width not in (16, 32) or (source.kind == "float" and source.width in (16, to.width))
        return number if exact else operation("rounded", number, to.width)
    if kind == "angle":
        if source.kind == "bit":
            width = source.width or 1
            if to.width is not None and to.width != width:
                raise Problem(f"{source} cannot become {to}; the widths must agree.")
            return operation("*", value, math.tau / (1 << width))
        number = value if source.kind in _REAL else operation("float", value)
        return number if to.width is None or to == source else operation("angle", number, to.width)
    raise Problem(f"A value that is known only while the circuit runs cannot become {to}.")


def _bits(source: Type, value: Any, to: Type) -> ClassicalExpression:
    width = to.width or 1
    if source.kind == "float":
        raise Problem(f"A float cannot become {to}.")
    if source.kind == "angle":
        if source.width != width:
            raise Problem(f"{source} cannot become {to}; only an angle of the same width can.")
        return operation("angle_bits", value, width)
    if source.kind == "bit" and (source.width or 1) != width:
        raise Problem(f"{source} cannot become {to}; the numbers of bits must agree.")
    if source.kind in ("bit", "bool"):
        result: ClassicalExpression = value
        return result
    if source.width not in (None, width):
        raise Problem(other_width(source, to))
    return operation("uint", value, width)


def _integer(source: Type, value: Any, to: Type) -> ClassicalExpression:
    width = to.width or DEFAULT_WIDTH
    if source.kind in _REAL:
        return operation(to.kind, value, width)
    if source.kind == "bit" and (source.width or 1) > width:
        raise Problem(other_width(source, to))
    have = (source.width or 1) if source.kind in ("bit", "bool") else (source.width or DEFAULT_WIDTH)
    unsigned = source.kind != "int"
    fits = have < width or (have == width and (to.kind == "uint" or not unsigned))
    if fits and (unsigned or to.kind == "int") and (source.width is not None or source.kind in ("bit", "bool")):
        result: ClassicalExpression = value
        return result
    return operation(to.kind, value, width)


# operators ------------------------------------------------------------------------------------------------------
def binary(op: str, left: Typed, right: Typed, kind: Type) -> Typed:
    """left op right, of which at least one is known only while the circuit runs; `kind` is the type of the result."""
    if op in ("&&", "||"):
        return _logical(op, left, right)
    if "complex" in (left.type.kind, right.type.kind):
        return complex_numbers.binary(op, left, right)
    a, b = expression(left), expression(right)
    if op in _COMPARE:
        return Typed(BOOL, operation(op, a, b))
    if op == "<<":
        width = left.type.width or (1 if left.type.kind == "bit" else DEFAULT_WIDTH)
        return Typed(left.type, operation("int" if left.type.kind == "int" else "uint", operation(op, a, b), width))
    if op in ("&", "|", "^", ">>"):
        return Typed(kind, operation(op, a, b))
    if "bit" in (left.type.kind, right.type.kind):
        raise Problem(f"'{op}' is not defined for bits; cast them to int or uint first.")
    if kind.kind in _REAL:
        a, b = (
            value if side.type.kind in _REAL else operation("float", value) for side, value in ((left, a), (right, b))
        )
    value: ClassicalExpression = operation(op, a, b)
    if kind.kind == "angle" and kind.width is not None:
        value = operation("angle", value, kind.width)
    elif kind.kind in INTEGERS and (kind.width is not None or op == "**"):
        value = operation(kind.kind, value, kind.width or DEFAULT_WIDTH)
    return Typed(kind, value)


def _logical(op: str, left: Typed, right: Typed) -> Typed:
    for known, other in ((left, right), (right, left)):
        if not known.is_runtime and not known.is_symbolic:
            if bool(known.value) == (op == "||"):
                return Typed(BOOL, op == "||")
            return Typed(BOOL, cast_at_run_time(run_time(other), BOOL))
    return Typed(BOOL, operation(op, *(cast_at_run_time(run_time(side), BOOL) for side in (left, right))))


def unary(op: str, item: Typed) -> Typed:
    """op item, for - ! and ~."""
    if op == "!":
        return Typed(BOOL, operation("!", cast_at_run_time(run_time(item), BOOL)))
    if item.type.kind == "complex" and op == "-":
        return complex_numbers.negated(item)
    value = expression(item)
    kind, width = item.type, item.type.width
    if op == "~":
        if kind.kind not in ("bit", *INTEGERS):
            raise Problem(f"'~' works on bits and integers, not on a value of type {kind}.")
        if kind.kind == "int":
            return Typed(kind, operation("-", -1, value))
        mask = (1 << (width or (1 if kind.kind == "bit" else DEFAULT_WIDTH))) - 1
        return Typed(kind, operation("^", value, mask))
    if kind.kind == "bit":
        raise Problem("'-' is not defined for bits; cast them to int first.")
    if kind.kind == "bool":
        return Typed(INT, operation("neg", value))
    negated = operation("neg", value)
    if kind.kind in INTEGERS and (width is not None or kind.kind == "uint"):
        negated = operation(kind.kind, negated, width or DEFAULT_WIDTH)
    elif kind.kind == "angle" and width is not None:
        negated = operation("angle", negated, width)
    return Typed(kind, negated)


# functions ------------------------------------------------------------------------------------------------------
def function(name: str, args: Sequence[Typed]) -> Typed:
    """A built-in function of one real number, or one on bits."""
    if args[0].type.kind == "complex":
        return complex_numbers.function(name, args[0])
    first = run_time(args[0])
    if name == "popcount":
        return Typed(Type("uint"), operation("popcount", first.value))
    if name in ("rotl", "rotr"):
        width = first.type.width or (1 if first.type.kind == "bit" else DEFAULT_WIDTH)
        places = expression(args[1])
        return Typed(
            first.type, operation("rotl", first.value, places if name == "rotl" else operation("neg", places), width)
        )
    if first.type.kind == "bit":
        raise Problem(f"{name} is not defined for bits; cast them to int first.")
    if name == "real":
        return Typed(FLOAT, cast_at_run_time(first, FLOAT))
    if name == "imag":
        return Typed(FLOAT, 0.0)
    return Typed(FLOAT, operation(name, cast_at_run_time(first, FLOAT)))


# bits of a variable ---------------------------------------------------------------------------------------------
def stored_width(kind: Type) -> int:
    """How many bits keep a variable of a type."""
    if kind.kind not in _STORED:
        raise Problem(f"A value of type {kind} cannot depend on a measurement or an input: it is not kept in bits.")
    if kind.kind in _REAL:
        return 64
    if kind.kind == "complex":
        return 128
    return kind.width or (DEFAULT_WIDTH if kind.kind in INTEGERS else 1)


def encoded(kind: Type, content: Any) -> ClassicalExpression:
    """A value of a type as what is assigned to its bits."""
    if isinstance(content, ComplexParts):
        imaginary = operation("<<", operation("float_bits", content.imag), 64)
        return operation("|", operation("float_bits", content.real), imaginary)
    if kind.kind in _REAL:
        return operation("float_bits", content)
    return Literal(int(content.value) & ((1 << stored_width(kind)) - 1)) if isinstance(content, Literal) else content


def reading(kind: Type, bits: tuple[int, ...]) -> Any:
    """The value of a type that bits keep."""
    if kind.kind == "complex":
        real, imaginary = (operation("bits_float", Bits(part)) for part in (bits[:64], bits[64:]))
        return ComplexParts(real, imaginary)
    if kind.kind in _REAL:
        return operation("bits_float", Bits(bits))
    return operation("int", Bits(bits), len(bits)) if kind.kind == "int" else Bits(bits)
