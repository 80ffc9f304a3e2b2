"""O |psi> for sums of many Pauli products, with <psi|O|psi> and |O psi|**2.

Terms are X**x Z**z with X**x Z**z |k> = (-1)**|z & k| |k ^ x>. A state is walked block by block, in double precision, and
in a block as groups of GROUP amplitudes. x takes block b to block b ^ x_high, group g to g ^ far and amplitude j of a group
to j ^ order. That exchange comes last: terms are sorted by `order`, those of one order are added up as they lie, and the
sums of all orders meet in a binary tree, one bit of `order` a level. Terms with real and with imaginary coefficients have a
tree each.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from qsim.kernels.jit import REDUCTION_MATH, kernel
from qsim.kernels.readout import odd
from qsim.kernels.simd import _declare, _Emitter
from qsim.kernels.window import up_to_line, window

#: Amplitudes of a block, as a power of two: the sums of all levels of a tree fit a cache of level 1.
BLOCK_BITS = 9
#: Amplitudes of a group, small ones so that a tree has few levels, and their numbers.
GROUP_BITS = 2
GROUP = 1 << GROUP_BITS
NUMBERS = 2 * GROUP
#: Columns of a term: what x does to blocks and groups, and z in the block and above it.
X_HIGH, FAR, Z_LOW, Z_HIGH = range(4)
TERM_COLUMNS = 4
#: Entries of `spans`: where the terms of each order begin, first of real, then of imaginary coefficients, and the end.
SPANS = 2 * GROUP + 1


@intrinsic
def add_term(
    typing_context: Any, out: Any, source: Any, factors: Any, signs: Any, to: Any, at: Any, groups: Any, far: Any, z: Any
) -> Any:  # fmt: skip
    """out[to + g] += signs[g & z] * factors * source[at + (g ^ far)], all in groups of interleaved amplitudes."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        e, given = _Emitter(context, builder, out), _Emitter(context, builder, source)
        sums, data = e.data_of(arguments[0]), given.data_of(arguments[1])
        weights, sign_data = e.data_of(arguments[2]), e.data_of(arguments[3])
        to, at, groups, far, z = arguments[4:]
        width = min(e.width, NUMBERS)
        slots = range(0, NUMBERS, width)
        factor = [e.load(weights, e.index(slot), width) for slot in slots]
        with cgutils.for_range(builder, groups) as loop:
            sign = e.splat(builder.load(builder.gep(sign_data, [builder.and_(loop.index, z)])), width)
            goal = builder.add(to, builder.mul(loop.index, e.index(NUMBERS)))
            place = builder.add(at, builder.mul(builder.xor(loop.index, far), e.index(NUMBERS)))
            for slot, weight in zip(slots, factor, strict=True):
                value = given.load(data, e.offset(place, slot), width)
                if given.size < e.size:
                    value = builder.fpext(value, ir.VectorType(e.element, width))
                where = e.offset(goal, slot)
                e.store(e.fma(builder.fmul(sign, weight), value, e.load(sums, where, width)), sums, where)
        return context.get_dummy_value()

    integer = types.int64
    return types.void(out, source, factors, signs, *[integer] * 5), code


def _add_exchanged(bit: int) -> Any:
    """(out, source, -, -, to, at, groups, -): add groups with lane j ^ 2**bit in place of lane j; as they are for -1."""

    def generate(e: _Emitter, out: Any, source: Any, _: Any, __: Any, to: Any, at: Any, groups: Any, ___: Any) -> None:
        moved = [k ^ (2 << bit) if bit >= 0 else k for k in range(NUMBERS)]
        with cgutils.for_range(e.builder, groups) as loop:
            here = e.builder.mul(loop.index, e.index(NUMBERS))
            where = e.builder.add(to, here)
            value = e.load(source, e.builder.add(at, here), NUMBERS)
            e.store(e.builder.fadd(e.load(out, where, NUMBERS), e.pick(value, value, moved)), out, where)

    return _declare(generate)


add_plain = _add_exchanged(-1)
add_bit0, add_bit1 = (_add_exchanged(bit) for bit in range(GROUP_BITS))


@kernel(apart=True)
def climb(sums: Any, numbers: int, groups: int, order: int, filled: int) -> int:
    """Add the sum of one order to those of the levels above it, as far as they wait for nothing else.

    Level k is at sums[k * numbers:]; bit k of `filled` tells whether anything is there. Orders come from the highest down.
    """
    zero = groups * 0
    for k in range(GROUP_BITS):
        at, to = k * numbers, (k + 1) * numbers
        first = (order >> k) & 1 == 1
        if (filled >> k) & 1:
            if not (filled >> (k + 1)) & 1:
                filled |= 2 << k
                for j in range(to, to + numbers):
                    sums[j] = 0.0
            if not first:
                add_plain(sums, sums, sums, sums, to, at, groups, zero)
            elif k == 0:
                add_bit0(sums, sums, sums, sums, to, at, groups, zero)
            else:
                add_bit1(sums, sums, sums, sums, to, at, groups, zero)
            filled &= ~(1 << k)
        if first:
            break
    return filled


@kernel(fastmath=REDUCTION_MATH)
def apply_operator(
    states: Any, goal: int, bits: int, start: int, stop: int, terms: Any, weights: Any, spans: Any, out: Any
) -> None:  # fmt: skip
    """O psi for blocks [start, stop) of 2**bits amplitudes, written from number `goal` of `states` on unless that is 0.

    states: (re, im) pairs; terms: rows of the columns above, flat; weights: their coefficients, of which only the real or
    only the imaginary part is not zero; spans: see SPANS. out[b] = the block's parts of <psi|O|psi>, real, and |O psi|**2.
    """
    padded = max(bits, GROUP_BITS)
    groups, numbers = 1 << (padded - GROUP_BITS), 2 << padded
    room = np.empty((GROUP_BITS + 2) * numbers + GROUP * NUMBERS + NUMBERS + groups + NUMBERS)
    room = room[up_to_line(room) :]
    sums, other = room[: (GROUP_BITS + 1) * numbers], room[(GROUP_BITS + 1) * numbers : (GROUP_BITS + 2) * numbers]
    rest = room[(GROUP_BITS + 2) * numbers :]
    patterns, factors, signs = (
        rest[: GROUP * NUMBERS],
        rest[GROUP * NUMBERS :][:NUMBERS],
        rest[GROUP * NUMBERS + NUMBERS :],
    )
    for k in range(groups):
        signs[k] = -1.0 if odd(k) else 1.0
    for z in range(GROUP):
        for j in range(NUMBERS):
            patterns[NUMBERS * z + j] = -1.0 if odd(z & (j >> 1)) else 1.0
    small = np.zeros(NUMBERS, states.dtype)  # a state of fewer amplitudes than a group
    top = GROUP_BITS * numbers
    for b in range(start, stop):
        zero = b * 0
        if bits < GROUP_BITS:
            for k in range(2 << bits):
                small[k] = states[(b << (bits + 1)) + k]
        for imaginary in range(2):
            filled = zero
            for order in range(GROUP - 1, -1, -1):
                first, last = spans[GROUP * imaginary + order], spans[GROUP * imaginary + order + 1]
                if first < last:
                    filled |= 1
                    for k in range(numbers):
                        sums[k] = 0.0
                for t in range(first, last):
                    term = window(terms, TERM_COLUMNS * t, TERM_COLUMNS)
                    source, z = b ^ term[X_HIGH], term[Z_LOW]
                    # (-1)**|z & k| for the amplitude k that is read; g & z below is of the group that is written.
                    turned = odd(term[Z_HIGH] & source) != odd(term[FAR] & (z >> GROUP_BITS))
                    weight = -weights[t] if turned else weights[t]
                    for j in range(NUMBERS):
                        factors[j] = weight * patterns[NUMBERS * (z & (GROUP - 1)) + j]
                    if bits < GROUP_BITS:
                        add_term(sums, small, factors, signs, zero, zero, zero + 1, zero, zero)
                    else:
                        add_term(
                            sums, states, factors, signs, zero, source << (bits + 1), zero + groups, term[FAR],
                            z >> GROUP_BITS,
                        )  # fmt: skip
                filled = climb(sums, numbers, zero + groups, zero + order, filled)
            if not (filled >> GROUP_BITS) & 1:
                for k in range(top, top + numbers):
                    sums[k] = 0.0
            if imaginary == 0:
                for k in range(numbers):
                    other[k] = sums[top + k]
        value, square = 0.0, 0.0
        at = b << (bits + 1)
        for k in range(0, 2 << bits, 2):
            x, y = other[k] - sums[top + k + 1], other[k + 1] + sums[top + k]
            value += np.float64(states[at + k]) * x + np.float64(states[at + k + 1]) * y
            square += x * x + y * y
            if goal:
                states[goal + at + k], states[goal + at + k + 1] = x, y
        out[b, 0], out[b, 1] = value, square
