"""From parameter values to the coefficients of operations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from qsim.kernels.jit import kernel
from qsim.kernels.merge import merge, put_parts, put_real
from qsim.kernels.opcodes import (
    ANGLES,
    IN_CODES,
    IN_CODES_AT,
    IN_CONTROL_VALUES,
    IN_CONTROLS,
    IN_COUNTS,
    IN_ENTRIES,
    IN_FIRST_MEMBER,
    IN_FIRST_VALUE,
    IN_FORMULAS,
    IN_FREE,
    IN_KINDS,
    IN_MEMBERS,
    IN_MERGED_KINDS,
    IN_MERGED_OFFSETS,
    IN_MERGED_TARGETS,
    IN_OFFSETS,
    IN_PARTS,
    IN_PLACES,
    IN_PLAIN_OFFSETS,
    IN_REALS,
    IN_SLOTS,
    ROTATION,
)  # fmt: skip
from qsim.kernels.window import borrowed, keep, section, window


@kernel(apart=True)
def evaluate(codes: Any, arguments: Any, parameters: Any, stack: Any) -> float:
    """One postfix program; codes as in `qsim.parameters.OPCODES`."""
    top = -1
    for k in range(len(codes)):
        code, argument = codes[k], arguments[k]
        if code == 0:
            top += 1
            stack[top] = argument
        elif code == 1:
            top += 1
            stack[top] = parameters[int(argument)]
        elif code <= 7:
            b, a = stack[top], stack[top - 1]
            top -= 1
            if code == 2:
                stack[top] = a + b
            elif code == 3:
                stack[top] = a - b
            elif code == 4:
                stack[top] = a * b
            elif code == 5:
                stack[top] = a / b
            elif code == 6:
                stack[top] = a**b
            else:
                stack[top] = a % b
        else:
            stack[top] = unary(code, stack[top])
    return stack[0]


@kernel(apart=True)
def unary(code: int, a: float) -> float:
    """A function of one argument by its operation code."""
    if code == 8:
        return -a
    if code == 9:
        return math.sin(a)
    if code == 10:
        return math.cos(a)
    if code == 11:
        return math.tan(a)
    if code == 12:
        return math.asin(a)
    if code == 13:
        return math.acos(a)
    if code == 14:
        return math.atan(a)
    if code == 15:
        return math.exp(a)
    if code == 16:
        return math.log(a)
    if code == 17:
        return math.sqrt(a)
    if code == 18:
        return math.floor(a)
    if code == 19:
        return math.ceil(a)
    return abs(a)


@kernel(inner=True)
def put(out: Any, index: int, modulus: float, angle: float) -> None:
    """The complex number modulus * exp(i angle) at pair `index`; exactly so for the angles 0 and +-pi / 2."""
    if angle == 0.0:
        out[2 * index], out[2 * index + 1] = modulus, 0.0
    elif abs(angle) == math.pi / 2:
        out[2 * index], out[2 * index + 1] = 0.0, modulus if angle > 0 else -modulus
    else:
        out[2 * index], out[2 * index + 1] = modulus * math.cos(angle), modulus * math.sin(angle)


@kernel(inner=True)
def affine(factors: Any, row: int, p: Any) -> float:
    """An angle that is affine in the parameters."""
    return (
        factors[row, 0] * p[0]
        + factors[row, 1] * p[1]
        + factors[row, 2] * p[2]
        + factors[row, 3] * p[3]
        + factors[row, 4]
    )


@kernel(apart=True)
def put_gate(out: Any, shape: int, flip: int, rows: int, factors: Any, p: Any, entries: int) -> None:
    """The coefficients of one parametric gate from its parameters `p`; see `qsim.compiler.formulas`."""
    if shape == ANGLES:
        for k in range(entries):
            angle = affine(factors, k, p)
            if k and angle == -affine(factors, 0, p):  # RZ and its like: one angle, and its opposite
                out[2 * k], out[2 * k + 1] = out[0], -out[1]
            else:
                put(out, k, 1.0, angle)
        return
    if shape == ROTATION:
        half, common = affine(factors, 0, p) / 2, affine(factors, 3, p)
        row, column = affine(factors, 1, p), affine(factors, 2, p)
        c, s = math.cos(half), math.sin(half)
        put(out, 0, c, common)
        put(out, 1, -s, common + column)
        put(out, 2, s, common + row)
        put(out, 3, c, common + row + column)
        return
    c, s = math.cos(p[0] / 2), math.sin(p[0] / 2)
    for k in range(32):
        out[k] = 0.0
    for row in range(4):
        on = (rows >> row) & 1 == 1
        out[10 * row] = c if on else 1.0
        if on:
            put(out, 4 * row + (row ^ flip), s, affine(factors, row, p))


@kernel(apart=True)
def bind(
    values: Any, slots: Any, codes_at: Any, codes: Any, arguments: Any, parameters: Any, stack: Any,
    shapes: Any, factors: Any, formulas: Any, first_value: Any, offsets: Any, entries: Any, free: Any, out: Any,
) -> complex:  # fmt: skip
    """Evaluate symbolic values, write the coefficients of parametric operations, return the global factor.

    Value slots[k] is the postfix program codes[codes_at[k]:codes_at[k + 1]]. Operation k has formula formulas[k],
    parameters values[first_value[k]:] (padded to four) and coefficients out[offsets[k]:], entries[k] of them when it is
    diagonal. A diagonal one without controls (free[k]) is divided by its first entry, which goes to the global
    factor: half of its work.
    """
    for k in range(len(slots)):
        at, length = codes_at[k], codes_at[k + 1] - codes_at[k]
        if length == 1 and codes[at] == 1:  # a parameter as it stands
            values[slots[k]] = parameters[int(arguments[at])]
            continue
        values[slots[k]] = evaluate(window(codes, at, length), window(arguments, at, length), parameters, stack)
    factor_re, factor_im = 1.0, 0.0
    for k in range(len(formulas)):
        u = window(out, offsets[k], len(out) - offsets[k])
        f = formulas[k]
        p = window(values, first_value[k], 4)
        put_gate(u, shapes[f, 0], shapes[f, 1], shapes[f, 2], factors[f], p, entries[k])
        if free[k]:
            c, d = u[0], u[1]
            u[0], u[1] = 1.0, 0.0
            for e in range(1, entries[k]):
                x, y = u[2 * e], u[2 * e + 1]
                u[2 * e] = c * x + d * y
                u[2 * e + 1] = c * y - d * x
            factor_re, factor_im = factor_re * c - factor_im * d, factor_re * d + factor_im * c
    return complex(factor_re, factor_im)


@kernel(apart=True)
def coefficients_of(
    ints: Any, values: Any, arguments: Any, shapes: Any, factors: Any, parameters: Any, out: Any
) -> Any:
    """Write all coefficients for one set of parameter values to `out`, which begins as the program's template.

    Returns the global factor and whether all angles are finite numbers.
    """
    copy, room = values.copy(), np.empty(64 + len(section(ints, IN_CODES)))
    own = borrowed(copy)
    slots, codes = section(ints, IN_SLOTS), section(ints, IN_CODES)
    factor = bind(
        own, slots, section(ints, IN_CODES_AT), codes, arguments, parameters, borrowed(room), shapes, factors,
        section(ints, IN_FORMULAS), section(ints, IN_FIRST_VALUE), section(ints, IN_OFFSETS), section(ints, IN_ENTRIES),
        section(ints, IN_FREE), out,
    )  # fmt: skip
    finite = True
    for k in range(len(slots)):
        finite = finite and math.isfinite(own[slots[k]])
    keep(copy)
    keep(room)
    targets = section(ints, IN_MERGED_TARGETS)
    if len(targets):
        factor *= merge(
            section(ints, IN_KINDS), section(ints, IN_COUNTS), section(ints, IN_CONTROLS),
            section(ints, IN_CONTROL_VALUES), section(ints, IN_PLAIN_OFFSETS), targets, section(ints, IN_MERGED_KINDS),
            section(ints, IN_MERGED_OFFSETS), section(ints, IN_FIRST_MEMBER), section(ints, IN_MEMBERS),
            section(ints, IN_PLACES), out,
        )  # fmt: skip
    parts, reals = section(ints, IN_PARTS), section(ints, IN_REALS)
    for k in range(0, len(parts), 2):
        factor *= put_parts(window(out, parts[k], 8), window(out, parts[k + 1], 16))
    for k in range(len(reals)):
        put_real(window(out, reals[k], 8))
    return factor, finite
