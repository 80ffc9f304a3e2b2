"""Adjoint gradients: sums over two states, and the chain rule down to parameters.

Two states lie one behind the other in one flat array of interleaved parts: psi, and from number `bra` on lambda = O psi.
A *transition matrix* of some qubits is T[a, b] = sum of conj(lambda[.. a ..]) psi[.. b ..] over all other qubits. Sums
are taken over blocks of a fixed size, which the caller adds up in order.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from qsim.kernels.bind import evaluate, put_gate
from qsim.kernels.jit import REDUCTION_MATH, kernel
from qsim.kernels.opcodes import ANGLES, ROTATION
from qsim.kernels.window import window

#: Columns of an item (a transition matrix): its size (0: the diagonal alone), and its gates, [from, to).
SIZE, GATES_FROM, GATES_TO = range(3)
ITEM = 3
#: Columns of an item's gate: formula (0: a given matrix), index of its first value (or place of its matrix), number of
#: values, of targets, the item's bits that these are, and a mask and value of the item's bits that control it.
FORMULA, VALUE, VALUES, TARGETS, LOW, HIGH, MASK, ON = range(8)
GATE = 8


@kernel(fastmath=REDUCTION_MATH)
def item_sums(
    both: Any, bra: int, targets: Any, mask: int, value: int, bits: int, start: int, stop: int, out: Any
) -> None:
    """out[b] = the transition matrix of one or two qubits where the bits in `mask` spell `value`.

    For blocks [start, stop) of 2**bits choices of the other qubits.
    """
    d = 1 << len(targets)
    low, high = targets[0], targets[len(targets) - 1]
    if low > high:
        low, high = high, low
    places = np.empty(4, dtype=np.int64)
    for a in range(d):
        places[a] = ((a & 1) << targets[0]) | ((a >> 1) << targets[len(targets) - 1])
    total = np.empty(32)
    for b in range(start, stop):
        total[:] = 0.0
        for m in range(b << bits, (b + 1) << bits):
            k = ((m >> low) << (low + 1)) | (m & ((1 << low) - 1))
            if d == 4:
                k = ((k >> high) << (high + 1)) | (k & ((1 << high) - 1))
            if k & mask != value:
                continue
            for i in range(d):
                at = bra + 2 * (k + places[i])
                x, y = np.float64(both[at]), np.float64(both[at + 1])
                for j in range(d):
                    to = 2 * (k + places[j])
                    p, q = np.float64(both[to]), np.float64(both[to + 1])
                    total[2 * (d * i + j)] += x * p + y * q
                    total[2 * (d * i + j) + 1] += x * q - y * p
        for k in range(2 * d * d):
            out[b, k] = total[k]


@kernel(fastmath=REDUCTION_MATH)
def diagonal_sums(both: Any, bra: int, items: Any, bits: int, start: int, stop: int, out: Any) -> None:
    """out[b, k, e] = Im of the sum of conj(lambda) psi where item k's two bits spell e, and its controls hold.

    items[k] = (first bit, second bit, mask, value); a bit that is missing is 63.
    """
    size = 1 << bits
    z = np.empty(size)
    for b in range(start, stop):
        base = b << bits
        for j in range(size):
            k = 2 * (base + j)
            z[j] = np.float64(both[bra + k]) * np.float64(both[k + 1]) - np.float64(both[bra + k + 1]) * np.float64(
                both[k]
            )
        for item in range(len(items)):
            first, second, mask, value = items[item, 0], items[item, 1], items[item, 2], items[item, 3]
            for e in range(4):
                out[b, item, e] = 0.0
            if (base & mask & ~(size - 1)) != (value & ~(size - 1)):
                continue
            for j in range(size):
                k = base + j
                if k & mask == value:
                    out[b, item, ((k >> first) & 1) | (((k >> second) & 1) << 1)] += z[j]


@kernel(apart=True)
def put_slope(out: Any, shape: int, flip: int, rows: int, factors: Any, p: Any, index: int, entries: int) -> None:
    """The derivative of a parametric gate's matrix by its parameter `index`; see `put_gate`. All numbers are given."""
    for k in range(32):
        out[k] = 0.0
    if shape == ANGLES:
        for k in range(entries):
            angle = factors[k, 4]
            for j in range(4):
                angle += factors[k, j] * p[j]
            slope, to = factors[k, index], 2 * (entries + 1) * k
            out[to], out[to + 1] = -slope * math.sin(angle), slope * math.cos(angle)
        return
    if shape == ROTATION:
        angles, slopes = np.zeros(4), np.zeros(4)
        for k in range(4):
            angles[k], slopes[k] = factors[k, 4], factors[k, index]
            for j in range(4):
                angles[k] += factors[k, j] * p[j]
        c, s, half = math.cos(angles[0] / 2), math.sin(angles[0] / 2), slopes[0] / 2
        for k in range(4):
            row, column = float(k >> 1), float(k & 1)
            angle = angles[3] + row * angles[1] + column * angles[2]
            slope = slopes[3] + row * slopes[1] + column * slopes[2]
            modulus, change = c, -s * half
            if k == 1:
                modulus, change = -s, -c * half
            elif k == 2:
                modulus, change = s, c * half
            # The derivative of modulus exp(i angle).
            out[2 * k] = change * math.cos(angle) - modulus * slope * math.sin(angle)
            out[2 * k + 1] = change * math.sin(angle) + modulus * slope * math.cos(angle)
        return
    c, s, half = math.cos(p[0] / 2), math.sin(p[0] / 2), 0.5 if index == 0 else 0.0
    for row in range(4):
        if (rows >> row) & 1 == 0:
            continue
        angle = factors[row, 4]
        for j in range(4):
            angle += factors[row, j] * p[j]
        slope = factors[row, index]
        to = 2 * (4 * row + (row ^ flip))
        out[10 * row] = -s * half
        # p0 is the rotation's own angle: it moves the modulus, and no other angle depends on it.
        turn = s * slope if index else 0.0
        out[to] = c * half * math.cos(angle) - turn * math.sin(angle)
        out[to + 1] = c * half * math.sin(angle) + turn * math.cos(angle)


@kernel(inner=True)
def embed(small: Any, d: int, gate: Any, outside: float, out: Any) -> None:
    """A gate's matrix as one on all of an item's bits; `outside` stands on the diagonal where its controls do not hold."""
    for k in range(2 * d * d):
        out[k] = 0.0
    width = 1 << gate[TARGETS]
    bits = 0
    if gate[TARGETS] >= 1:
        bits |= 1 << gate[LOW]
    if gate[TARGETS] == 2:
        bits |= 1 << gate[HIGH]
    for a in range(d):
        if a & gate[MASK] != gate[ON]:
            out[2 * (d * a + a)] = outside
            continue
        row = 0
        if gate[TARGETS] >= 1:
            row = (a >> gate[LOW]) & 1
        if gate[TARGETS] == 2:
            row |= ((a >> gate[HIGH]) & 1) << 1
        for column in range(width):
            b = a & ~bits
            if gate[TARGETS] >= 1:
                b |= (column & 1) << gate[LOW]
            if gate[TARGETS] == 2:
                b |= (column >> 1) << gate[HIGH]
            out[2 * (d * a + b)] = small[2 * (width * row + column)]
            out[2 * (d * a + b) + 1] = small[2 * (width * row + column) + 1]


@kernel(apart=True)
def through_gates(
    item: Any, gates: Any, values: Any, matrices: Any, shapes: Any, factors: Any, t: Any, slopes: Any
) -> None:
    """Add to slopes[v] the derivatives by the values of an item's gates, the last gate first; `t` is overwritten.

    With M = T conj(U), the transition matrix of lambda and of psi before the gate, the derivative is
    2 Re sum of dU[a, b] M[a, b], and U^T M is the transition matrix before the gate.
    """
    d = item[SIZE]
    small, u, m = np.empty(32), np.empty(32), np.empty(32)
    for g in range(item[GATES_TO] - 1, item[GATES_FROM] - 1, -1):
        gate = gates[g]
        f = gate[FORMULA]
        if f == 0:
            for k in range(2 * d * d):
                u[k] = matrices[gate[VALUE] + k]
        else:
            p = window(values, gate[VALUE], 4)
            width = 1 << gate[TARGETS]
            put_gate(small, shapes[f, 0], shapes[f, 1], shapes[f, 2], factors[f], p, width)
            if shapes[f, 0] == ANGLES:
                spread(small, width)
            embed(small, d, gate, 1.0, u)
        for a in range(d):
            for b in range(d):
                x, y = 0.0, 0.0
                for c in range(d):
                    p0, q0 = t[2 * (d * a + c)], t[2 * (d * a + c) + 1]
                    p1, q1 = u[2 * (d * c + b)], -u[2 * (d * c + b) + 1]
                    x += p0 * p1 - q0 * q1
                    y += p0 * q1 + q0 * p1
                m[2 * (d * a + b)], m[2 * (d * a + b) + 1] = x, y
        for a in range(d):
            for b in range(d):
                x, y = 0.0, 0.0
                for c in range(d):
                    p0, q0 = u[2 * (d * c + a)], u[2 * (d * c + a) + 1]
                    p1, q1 = m[2 * (d * c + b)], m[2 * (d * c + b) + 1]
                    x += p0 * p1 - q0 * q1
                    y += p0 * q1 + q0 * p1
                t[2 * (d * a + b)], t[2 * (d * a + b) + 1] = x, y
        for index in range(gate[VALUES]):
            p = window(values, gate[VALUE], 4)
            put_slope(small, shapes[f, 0], shapes[f, 1], shapes[f, 2], factors[f], p, index, 1 << gate[TARGETS])
            embed(small, d, gate, 0.0, u)
            total = 0.0
            for k in range(0, 2 * d * d, 2):
                total += u[k] * m[k] - u[k + 1] * m[k + 1]
            slopes[gate[VALUE] + index] += 2 * total


@kernel(inner=True)
def spread(small: Any, width: int) -> None:
    """The entries of a diagonal matrix, moved to where they stand in the whole matrix."""
    for k in range(width - 1, 0, -1):
        p, q = small[2 * k], small[2 * k + 1]
        small[2 * k], small[2 * k + 1] = 0.0, 0.0
        small[2 * (width + 1) * k], small[2 * (width + 1) * k + 1] = p, q
    for row in range(width):
        for column in range(width):
            if row != column:
                small[2 * (width * row + column)], small[2 * (width * row + column) + 1] = 0.0, 0.0


@kernel(apart=True)
def through_expression(codes: Any, arguments: Any, parameters: Any, weight: float, room: Any, gradient: Any) -> None:
    """Add weight times the derivatives of a postfix program to `gradient`, by reverse accumulation.

    room: int64 numbers are not needed; it has 4 * len(codes) floats: values, slopes, and each node's two operands.
    """
    n = len(codes)
    value, slope = room[:n], room[n : 2 * n]
    left, stack = room[2 * n : 3 * n], room[3 * n : 4 * n]
    top = -1
    for k in range(n):
        code = codes[k]
        slope[k] = 0.0
        if code == 0:
            value[k] = arguments[k]
        elif code == 1:
            value[k] = parameters[int(arguments[k])]
        elif code <= 7:
            left[k] = stack[top - 1]  # the right operand is always node k - 1
            top -= 2
            value[k] = binary(code, value[int(left[k])], value[k - 1])
        else:
            top -= 1
            value[k] = single(code, value[k - 1])
        top += 1
        stack[top] = k
    slope[n - 1] = weight
    for k in range(n - 1, -1, -1):
        code, w = codes[k], slope[k]
        if code == 1:
            gradient[int(arguments[k])] += w
        if code <= 1 or w == 0.0:
            continue
        b = value[k - 1]
        if code > 7:
            slope[k - 1] += w * single_slope(code, b, value[k])
            continue
        at = int(left[k])
        a = value[at]
        if code == 2 or code == 3:
            slope[at] += w
            slope[k - 1] += w if code == 2 else -w
        elif code == 4:
            slope[at] += w * b
            slope[k - 1] += w * a
        elif code == 5:
            slope[at] += w / b
            slope[k - 1] -= w * a / (b * b)
        elif code == 6:
            if codes[at] != 0 and b != 0.0:
                slope[at] += w * b * a ** (b - 1)
            if codes[k - 1] != 0:
                slope[k - 1] += w * value[k] * math.log(a) if value[k] != 0.0 else 0.0
        else:
            slope[at] += w
            slope[k - 1] -= w * math.floor(a / b)


@kernel(inner=True)
def binary(code: int, a: float, b: float) -> float:
    """A function of two arguments by its operation code."""
    if code == 2:
        return a + b
    if code == 3:
        return a - b
    if code == 4:
        return a * b
    if code == 5:
        return a / b
    if code == 6:
        return a**b
    return a - b * math.floor(a / b)


@kernel(inner=True)
def single(code: int, a: float) -> float:
    """A function of one argument by its operation code."""
    codes, arguments, stack = np.empty(2, np.int64), np.empty(2), np.empty(2)
    codes[0], codes[1] = 0, code
    arguments[0], arguments[1] = a, 0.0
    return evaluate(codes, arguments, arguments, stack)


@kernel(inner=True)
def single_slope(code: int, a: float, value: float) -> float:
    """Its derivative at `a`, where it is `value`; 0 where it jumps, the sign for the modulus."""
    if code == 8:
        return -1.0
    if code == 9:
        return math.cos(a)
    if code == 10:
        return -math.sin(a)
    if code == 11:
        return 1.0 + value * value
    if code == 12:
        return 1.0 / math.sqrt(1.0 - a * a)
    if code == 13:
        return -1.0 / math.sqrt(1.0 - a * a)
    if code == 14:
        return 1.0 / (1.0 + a * a)
    if code == 15:
        return value
    if code == 16:
        return 1.0 / a
    if code == 17:
        return 0.5 / value
    if code == 18 or code == 19:
        return 0.0
    return 1.0 if a > 0 else (-1.0 if a < 0 else 0.0)


@kernel()
def slopes_of_values(
    items: Any, gates: Any, diagonals: Any, given: Any, slots: Any, codes_at: Any, codes: Any, arguments: Any,
    parameters: Any, matrices: Any, shapes: Any, factors: Any, sums: Any, diagonal: Any, gradient: Any,
) -> None:  # fmt: skip
    """The derivatives by all parameters from the sums of all items.

    items, gates: see the columns above; diagonals[k] = (formula, first value, number of values, entries) of an item whose
    sums are diagonal[k]; given: values, of which `slots` follow from parameters by postfix programs.
    """
    values, slopes = given.copy(), np.zeros(len(given))
    stack = np.empty(64 + 4 * len(codes))
    for k in range(len(slots)):
        at, length = codes_at[k], codes_at[k + 1] - codes_at[k]
        values[slots[k]] = evaluate(window(codes, at, length), window(arguments, at, length), parameters, stack)
    for k in range(len(items)):
        through_gates(items[k], gates, values, matrices, shapes, factors, sums[k], slopes)
    for k in range(len(diagonals)):
        f, first = diagonals[k, 0], diagonals[k, 1]
        for index in range(diagonals[k, 2]):
            total = 0.0
            for e in range(diagonals[k, 3]):
                total += factors[f, e, index] * diagonal[k, e]
            slopes[first + index] -= 2 * total
    for k in range(len(slots)):
        at, length = codes_at[k], codes_at[k + 1] - codes_at[k]
        through_expression(
            window(codes, at, length), window(arguments, at, length), parameters, slopes[slots[k]], stack, gradient
        )


@kernel()
def through_expressions(
    codes_at: Any, codes: Any, arguments: Any, parameters: Any, weights: Any, gradient: Any
) -> None:
    """Add the weighted derivatives of postfix programs, one a weight, to `gradient`."""
    room = np.empty(64 + 4 * len(codes))
    for k in range(len(weights)):
        at, length = codes_at[k], codes_at[k + 1] - codes_at[k]
        through_expression(
            window(codes, at, length), window(arguments, at, length), parameters, weights[k], room, gradient
        )
