"""From parameter values to the coefficients of operations."""

from __future__ import annotations

import math
from typing import Any

from qsim.kernels.jit import kernel
from qsim.kernels.opcodes import (
    CU, GPHASE, PHASE, RX, RXX, RY, RYY, RZ, RZX, RZZ, U2, U2_SU2, U3_SU2, U_BUILTIN, XX_MINUS_YY, XX_PLUS_YY, R, U,
)  # fmt: skip
from qsim.kernels.window import window


@kernel(inner=True)
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
                stack[top] = a - b * math.floor(a / b)
        else:
            stack[top] = unary(code, stack[top])
    return stack[0]


@kernel(inner=True)
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
    """The complex number modulus * exp(i angle) at pair `index`."""
    out[2 * index] = modulus * math.cos(angle)
    out[2 * index + 1] = modulus * math.sin(angle)


@kernel(inner=True)
def put_u(out: Any, theta: float, phi: float, lam: float, phase: float) -> None:
    """exp(i phase) u(theta, phi, lam), row by row."""
    c, s = math.cos(theta / 2), math.sin(theta / 2)
    put(out, 0, c, phase)
    put(out, 1, -s, lam + phase)
    put(out, 2, s, phi + phase)
    put(out, 3, c, phi + lam + phase)


@kernel(inner=True)
def put_rotation2(out: Any, formula: int, a: float) -> None:
    """exp(-i a P / 2) for P = XX, YY or ZX (X on the second qubit), 4 x 4."""
    c, s = math.cos(a / 2), math.sin(a / 2)
    for k in range(32):
        out[k] = 0
    for row in range(4):
        out[2 * (4 * row + row)] = c
        column = row ^ 2 if formula == RZX else row ^ 3
        sign = -1.0
        if formula == RYY:
            sign = 1.0 if row == 0 or row == 3 else -1.0  # <00|YY|11> = -1
        elif formula == RZX and row & 1:
            sign = 1.0
        out[2 * (4 * row + column) + 1] = sign * s


@kernel(inner=True)
def put_exchange(out: Any, formula: int, theta: float, beta: float) -> None:
    """xx_plus_yy on |01>, |10>, or xx_minus_yy on |00>, |11>, 4 x 4."""
    c, s = math.cos(theta / 2), math.sin(theta / 2)
    low, high = (1, 2) if formula == XX_PLUS_YY else (0, 3)
    for k in range(32):
        out[k] = 0
    for row in range(4):
        out[2 * (4 * row + row)] = c if row == low or row == high else 1.0
    put(out, 4 * low + high, s, -math.pi / 2 - beta)
    put(out, 4 * high + low, s, -math.pi / 2 + beta)


@kernel(inner=True)
def put_gate(out: Any, formula: int, p: Any) -> None:
    """The coefficients of one parametric gate from its parameters `p`."""
    if formula == GPHASE:
        put(out, 0, 1.0, p[0])
    elif formula == PHASE:
        put(out, 0, 1.0, 0.0)
        put(out, 1, 1.0, p[0])
    elif formula == RZ:
        put(out, 0, 1.0, -p[0] / 2)
        put(out, 1, 1.0, p[0] / 2)
    elif formula == RZZ:
        for k in range(4):
            put(out, k, 1.0, -p[0] / 2 if k == 0 or k == 3 else p[0] / 2)
    elif formula == RX:
        put_u(out, p[0], -math.pi / 2, math.pi / 2, 0.0)
    elif formula == RY:
        put_u(out, p[0], 0.0, 0.0, 0.0)
    elif formula == R:
        put_u(out, p[0], p[1] - math.pi / 2, math.pi / 2 - p[1], 0.0)
    elif formula == U:
        put_u(out, p[0], p[1], p[2], 0.0)
    elif formula == U_BUILTIN:
        put_u(out, p[0], p[1], p[2], p[0] / 2)
    elif formula == U2:
        put_u(out, math.pi / 2, p[0], p[1], 0.0)
    elif formula == U2_SU2:
        put_u(out, math.pi / 2, p[0], p[1], -(p[0] + p[1]) / 2)
    elif formula == U3_SU2:
        put_u(out, p[0], p[1], p[2], -(p[1] + p[2]) / 2)
    elif formula == CU:
        put_u(out, p[0], p[1], p[2], p[3])
    elif formula in (RXX, RYY, RZX):
        put_rotation2(out, formula, p[0])
    elif formula in (XX_PLUS_YY, XX_MINUS_YY):
        put_exchange(out, formula, p[0], p[1])


@kernel()
def bind(
    values: Any, slots: Any, codes_at: Any, codes: Any, arguments: Any, parameters: Any, stack: Any,
    formulas: Any, first_value: Any, offsets: Any, phase_entries: Any, out: Any,
) -> complex:  # fmt: skip
    """Evaluate symbolic values, write the coefficients of parametric operations, return the global factor.

    Value slots[k] is the postfix program codes[codes_at[k]:codes_at[k + 1]]. Operation k has formula formulas[k],
    parameters values[first_value[k]:] and coefficients out[offsets[k]:]. A diagonal operation without controls, of
    phase_entries[k] > 0 entries, is divided by its first entry, which goes to the global factor: half of its work.
    """
    for k in range(len(slots)):
        at, length = codes_at[k], codes_at[k + 1] - codes_at[k]
        values[slots[k]] = evaluate(window(codes, at, length), window(arguments, at, length), parameters, stack)
    factor_re, factor_im = 1.0, 0.0
    for k in range(len(formulas)):
        u = window(out, offsets[k], len(out) - offsets[k])
        put_gate(u, formulas[k], window(values, first_value[k], len(values) - first_value[k]))
        if phase_entries[k] > 0:
            c, d = u[0], u[1]
            u[0], u[1] = 1.0, 0.0
            for e in range(1, phase_entries[k]):
                x, y = u[2 * e], u[2 * e + 1]
                u[2 * e] = c * x + d * y
                u[2 * e + 1] = c * y - d * x
            factor_re, factor_im = factor_re * c - factor_im * d, factor_re * d + factor_im * c
    return complex(factor_re, factor_im)
