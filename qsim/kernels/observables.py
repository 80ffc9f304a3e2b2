"""Expectation values of many Pauli products at once.

Terms are X**x Z**z with X**x Z**z |k> = (-1)**|z & k| |k ^ x>. All terms with the same x share the products
f[k] = conj(psi[k ^ x]) psi[k]; a term adds up f with signs. f[k ^ x] is the conjugate of f[k], so that the sum is real where
|x & z| is even and imaginary where it is odd, and one of k and k ^ x is enough.

A state is walked block by block, 2**bits amplitudes in double precision in the cache of level 1, as groups of LANES real and
LANES imaginary parts. x takes block b to block b ^ x_high, group g to g ^ far and lane j to j ^ order. The lanes are exchanged
in a copy of the block itself, one for each order that occurs; what is left is the sign of `order` under z.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from qsim.kernels.jit import REDUCTION_MATH, kernel
from qsim.kernels.opcodes import LANE_BITS
from qsim.kernels.readout import odd
from qsim.kernels.simd import BLOCK, LANES, _declare, _Emitter
from qsim.kernels.window import borrowed, keep, up_to_line, window

#: Amplitudes of a block, as a power of two: copies of two blocks and their products fit a cache of level 1.
BLOCK_BITS = 9
#: Columns of a group of terms with the same x: see above; the highest bit of x_high; where its terms with real sums, then
#: those with imaginary sums begin, and where they end.
X_HIGH, FAR, ORDER, HALF, EVEN, ODD, END = range(7)
GROUP_COLUMNS = 7
#: Columns of a term: z in the block and above it, and to which operator it belongs.
Z_LOW, Z_HIGH, OPERATOR = range(3)
TERM_COLUMNS = 3
#: From so many terms of one x on, a Walsh-Hadamard transform gives the sums of all signs at once.
_TRANSFORM_FROM = 8


def _product(imaginary: bool) -> Any:
    """(out, other, own, -, at_other, at_own, groups, far): Re or Im of conj(other) own, with groups exchanged by `far`."""

    def generate(e: _Emitter, out: Any, other: Any, own: Any, _: Any, to: Any, at: Any, groups: Any, far: Any) -> None:
        with cgutils.for_range(e.builder, groups) as loop:
            g = loop.index
            source = e.builder.add(to, e.builder.mul(e.builder.xor(g, far), e.index(BLOCK)))
            mine = e.builder.add(at, e.builder.mul(g, e.index(BLOCK)))
            goal = e.builder.mul(g, e.index(LANES))
            for slot in e.slots():
                a, b = e.load(other, e.offset(source, slot)), e.load(other, e.offset(source, slot + LANES))
                c, d = e.load(own, e.offset(mine, slot)), e.load(own, e.offset(mine, slot + LANES))
                value = (
                    e.fma(a, d, e.builder.fneg(e.builder.fmul(b, c)))
                    if imaginary
                    else e.fma(a, c, e.builder.fmul(b, d))
                )
                e.store(value, out, e.offset(goal, slot))

    return _declare(generate)


def _signed_sum() -> Any:
    """(out, f, signs, patterns, at, z, groups, at_pattern): out[0] = sum of f under signs of groups and of lanes."""

    def generate(
        e: _Emitter, out: Any, f: Any, signs: Any, patterns: Any, at: Any, z: Any, groups: Any, at_pattern: Any
    ) -> None:
        zero = ir.Constant(ir.VectorType(e.element, e.width), None)
        sums = [cgutils.alloca_once_value(e.builder, zero) for _ in e.slots()]
        with cgutils.for_range(e.builder, groups) as loop:
            sign = e.splat(e.builder.load(e.builder.gep(signs, [e.builder.and_(z, loop.index)])))
            source = e.builder.add(at, e.builder.mul(loop.index, e.index(LANES)))
            for slot, place in zip(e.slots(), sums, strict=True):
                e.builder.store(e.fma(sign, e.load(f, e.offset(source, slot)), e.builder.load(place)), place)
        total = None
        for slot, place in zip(e.slots(), sums, strict=True):
            total = e.fma(e.builder.load(place), e.load(patterns, e.offset(at_pattern, slot)), total)
        value = None
        for k in range(e.width):
            part = e.builder.extract_element(total, ir.Constant(ir.IntType(32), k))
            value = part if value is None else e.builder.fadd(value, part)
        e.builder.store(value, out)

    return _declare(generate)


def _butterfly() -> Any:
    """(f, -, -, -, i, j, -, -): the groups at i and j become their sum and their difference."""

    def generate(e: _Emitter, f: Any, _: Any, __: Any, ___: Any, i: Any, j: Any, *____: Any) -> None:
        for slot in e.slots():
            a, b = e.load(f, e.offset(i, slot)), e.load(f, e.offset(j, slot))
            e.store(e.builder.fadd(a, b), f, e.offset(i, slot))
            e.store(e.builder.fsub(a, b), f, e.offset(j, slot))

    return _declare(generate)


@intrinsic
def load_group(typing_context: Any, out: Any, state: Any, to: Any, at: Any) -> Any:
    """LANES interleaved amplitudes from state[at] on, of either precision, as a group at out[to]."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        goal, source = _Emitter(context, builder, out), _Emitter(context, builder, state)
        target, data = goal.data_of(arguments[0]), source.data_of(arguments[1])
        w = goal.width
        for slot in goal.slots():
            first = source.load(data, source.offset(arguments[3], 2 * slot), w)
            second = source.load(data, source.offset(arguments[3], 2 * slot + w), w)
            for part in range(2):
                value = source.pick(first, second, range(part, 2 * w, 2))
                if source.size < goal.size:
                    value = builder.fpext(value, ir.VectorType(goal.element, w))
                goal.store(value, target, goal.offset(arguments[2], slot + part * LANES))
        return context.get_dummy_value()

    return types.void(out, state, types.int64, types.int64), code


def _direct_sum(imaginary: bool) -> Any:
    """As `_product` and `_signed_sum` in one, for a single term, with the other block read from the state as it lies.

    (out, state, own, signs, patterns, at_state, at_own, z, groups, far, at_pattern); there are two groups at least.
    """

    @intrinsic
    def emit(
        typing_context: Any, out: Any, state: Any, own: Any, signs: Any, patterns: Any, at_state: Any, at_own: Any, z: Any,
        groups: Any, far: Any, at_pattern: Any,
    ) -> Any:  # fmt: skip
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            e, source = _Emitter(context, builder, out), _Emitter(context, builder, state)
            goal, mine, sign_of, pattern = (e.data_of(arguments[k]) for k in (0, 2, 3, 4))
            data = source.data_of(arguments[1])
            start, own_start, mask, count, across, at = arguments[5:]
            w, zero = e.width, ir.Constant(ir.VectorType(e.element, e.width), None)
            half = builder.lshr(count, e.index(1))
            # Two groups at a time, so that their sums do not wait for each other.
            sums = [[cgutils.alloca_once_value(builder, zero) for _ in e.slots()] for _ in range(2)]
            with cgutils.for_range(builder, half) as loop:
                for part in range(2):
                    g = builder.add(loop.index, half) if part else loop.index
                    sign = e.splat(builder.load(builder.gep(sign_of, [builder.and_(mask, g)])))
                    there = builder.add(start, builder.mul(builder.xor(g, across), e.index(BLOCK)))
                    here = builder.add(own_start, builder.mul(g, e.index(BLOCK)))
                    for slot, total in zip(e.slots(), sums[part], strict=True):
                        first = source.load(data, e.offset(there, 2 * slot), w)
                        second = source.load(data, e.offset(there, 2 * slot + w), w)
                        a, b = (e.pick(first, second, range(k, 2 * w, 2)) for k in range(2))
                        if source.size < e.size:
                            a, b = (builder.fpext(value, ir.VectorType(e.element, w)) for value in (a, b))
                        c, d = e.load(mine, e.offset(here, slot)), e.load(mine, e.offset(here, slot + LANES))
                        value = (
                            e.fma(a, d, builder.fneg(builder.fmul(b, c)))
                            if imaginary
                            else e.fma(a, c, builder.fmul(b, d))
                        )
                        builder.store(e.fma(sign, value, builder.load(total)), total)
            result = None
            for k, slot in enumerate(e.slots()):
                both = builder.fadd(builder.load(sums[0][k]), builder.load(sums[1][k]))
                result = e.fma(both, e.load(pattern, e.offset(at, slot)), result)
            while w > 1:
                w //= 2
                result = builder.fadd(e.pick(result, result, range(w)), e.pick(result, result, range(w, 2 * w)))
            builder.store(builder.extract_element(result, ir.Constant(ir.IntType(32), 0)), goal)
            return context.get_dummy_value()

        return types.void(out, state, own, signs, patterns, *[types.int64] * 6), code

    return emit


direct_real, direct_imaginary = _direct_sum(False), _direct_sum(True)
real_products, imaginary_products = _product(False), _product(True)
signed_sum, butterfly = _signed_sum(), _butterfly()


@kernel(inner=True)
def load_block(out: Any, to: int, state: Any, block: int, bits: int) -> None:
    """A block of a state in groups of real and imaginary parts; the lanes that small states leave are zero."""
    at = 2 * (block << bits)
    if bits >= LANE_BITS:
        for g in range(1 << (bits - LANE_BITS)):
            load_group(out, state, to + BLOCK * g, at + BLOCK * g)
        return
    for j in range(BLOCK):
        out[to + j] = 0.0
    for j in range(1 << bits):
        out[to + j], out[to + LANES + j] = state[at + 2 * j], state[at + 2 * j + 1]


@kernel(inner=True)
def exchange_lanes(out: Any, to: int, at: int, groups: int, order: int) -> None:
    """A copy of a block with lane j ^ order in place of lane j."""
    for k in range(0, 2 * groups * LANES, LANES):
        for j in range(LANES):
            out[to + k + j] = out[at + k + (j ^ order)]


@kernel(inner=True)
def transform(f: Any, groups: int) -> None:
    """The Walsh-Hadamard transform over the groups."""
    step = 1
    while step < groups:
        for g in range(groups):
            if not g & step:
                butterfly(f, f, f, f, LANES * g, LANES * (g | step), 0, 0)
        step *= 2


@kernel(apart=True)
def add_terms(
    f: Any, first: int, last: int, terms: Any, weights: Any, block: int, order: int, groups: int, signs: Any, patterns: Any,
    one: Any, out: Any,
) -> None:  # fmt: skip
    """The sums of `f` for terms [first, last) of one group, times their weights, to their operators."""
    zero = block * 0
    transformed = last - first >= _TRANSFORM_FROM
    if transformed:
        transform(f, groups)
    for t in range(first, last):
        z, high = terms[TERM_COLUMNS * t + Z_LOW], terms[TERM_COLUMNS * t + Z_HIGH]
        pattern = LANES * (z & (LANES - 1))
        if transformed:
            signed_sum(one, f, signs, patterns, LANES * (z >> LANE_BITS), zero, zero + 1, pattern)
        else:
            signed_sum(one, f, signs, patterns, zero, z >> LANE_BITS, groups, pattern)
        value = weights[t] * one[0]
        out[terms[TERM_COLUMNS * t + OPERATOR]] += -value if odd(high & block) != odd(z & order) else value


@kernel(inner=True)
def is_last(groups: Any, k: int) -> bool:
    """Whether the next group after `k` has another x_high."""
    after = k + GROUP_COLUMNS
    return after == len(groups) or groups[after + X_HIGH] != groups[k + X_HIGH]


@kernel(apart=True)
def add_term(
    state: Any, own: Any, group: Any, terms: Any, weights: Any, b: int, block: int, bits: int, groups: int, signs: Any,
    patterns: Any, one: Any, out: Any,
) -> None:  # fmt: skip
    """The only term of a group, with a block that no other group needs now."""
    t, order = group[EVEN], group[ORDER]
    z, high = terms[TERM_COLUMNS * t + Z_LOW], terms[TERM_COLUMNS * t + Z_HIGH]
    at, mine, far = 2 * ((b ^ group[X_HIGH]) << bits), (2 * order) << bits, group[FAR]
    pattern, over_groups = LANES * (z & (LANES - 1)), z >> LANE_BITS
    if group[ODD] > t:
        direct_real(one, state, own, signs, patterns, at, mine, over_groups, groups, far, pattern)
    else:
        direct_imaginary(one, state, own, signs, patterns, at, mine, over_groups, groups, far, pattern)
    value = weights[t] * one[0]
    out[terms[TERM_COLUMNS * t + OPERATOR]] += -value if odd(high & block) != odd(z & order) else value


@kernel(fastmath=REDUCTION_MATH)
def means(
    state: Any, bits: int, blocks: int, span: int, start: int, stop: int, groups: Any, terms: Any, weights: Any,
    num_operators: int, out: Any,
) -> None:  # fmt: skip
    """The parts of expectation values that stretches [start, stop) of `span` blocks contribute.

    state: (re, im) pairs of states of 2**bits * blocks amplitudes, one behind the other; groups, terms: rows of the columns
    above, flat; weights: of the sums, twice the coefficient where half of the products stand for all;
    out: num_operators numbers for each stretch.
    """
    state, groups, terms, weights, out = (
        borrowed(state), borrowed(groups), borrowed(terms), borrowed(weights), borrowed(out)
    )  # fmt: skip
    padded = max(bits, LANE_BITS)
    num_groups, numbers = 1 << (padded - LANE_BITS), 2 << padded
    owned = np.empty((LANES + 1) * numbers + numbers // 2 + num_groups + LANES * LANES + 1 + LANES)
    room = borrowed(owned)[up_to_line(owned) :]
    own, other_at = room[: (LANES + 1) * numbers], LANES * numbers
    rest = room[(LANES + 1) * numbers :]
    f, patterns = rest[: numbers // 2], rest[numbers // 2 : numbers // 2 + LANES * LANES]
    signs = rest[numbers // 2 + LANES * LANES : numbers // 2 + LANES * LANES + num_groups]
    one = rest[numbers // 2 + LANES * LANES + num_groups :]
    for k in range(num_groups):
        signs[k] = -1.0 if odd(k) else 1.0
    for z in range(LANES):
        for j in range(LANES):
            patterns[LANES * z + j] = -1.0 if odd(z & j) else 1.0
    for item in range(start, stop):
        values = window(out, num_operators * item, num_operators)
        for k in range(num_operators):
            values[k] = 0.0
        for b in range(item * span, (item + 1) * span):
            block = b & (blocks - 1)
            load_block(own, 0 * b, state, b, bits)
            have, loaded, source = 1, 0 * b, 0 * b
            for k in range(0, len(groups), GROUP_COLUMNS):
                group = window(groups, k, GROUP_COLUMNS)
                if block & group[HALF]:
                    continue
                order = group[ORDER]
                if not (have >> order) & 1:
                    have |= 1 << order
                    exchange_lanes(own, numbers * order, 0 * b, num_groups, order)
                if group[X_HIGH] != loaded:
                    if group[END] - group[EVEN] == 1 and num_groups > 1 and is_last(groups, k):
                        add_term(
                            state, own, group, terms, weights, b, block, bits, num_groups, signs, patterns, one, values
                        )
                        continue
                    loaded, source = group[X_HIGH], other_at
                    load_block(own, source, state, b ^ loaded, bits)
                if group[ODD] > group[EVEN]:
                    real_products(f, own, own, own, source, numbers * order, num_groups, group[FAR])
                    add_terms(
                        f,
                        group[EVEN],
                        group[ODD],
                        terms,
                        weights,
                        block,
                        order,
                        num_groups,
                        signs,
                        patterns,
                        one,
                        values,
                    )
                if group[END] > group[ODD]:
                    imaginary_products(f, own, own, own, source, numbers * order, num_groups, group[FAR])
                    add_terms(
                        f,
                        group[ODD],
                        group[END],
                        terms,
                        weights,
                        block,
                        order,
                        num_groups,
                        signs,
                        patterns,
                        one,
                        values,
                    )
    keep(owned)
