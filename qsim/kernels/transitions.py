"""Transition matrices of single qubits between two states, many at a time.

Tiles of both states are held in double precision, in groups of LANES real and LANES imaginary parts. Products are added up
in registers: for a bit above the lanes over pairs of groups, for a bit of the lanes over groups and their own exchange.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils

from qsim.kernels.jit import REDUCTION_MATH, kernel
from qsim.kernels.observables import load_block, load_group
from qsim.kernels.opcodes import LANE_BITS
from qsim.kernels.simd import BLOCK, LANES, _declare, _Emitter
from qsim.kernels.window import up_to_line, window

#: Bits of a tile: two states of so many amplitudes stay in a cache of level 1.
TILE_BITS = 10


def _sums(e: _Emitter, out: Any, total: Any, body: Any) -> None:
    """Write four sums that `body(index, places)` adds to, vectors in memory that LLVM keeps in registers."""
    zero = ir.Constant(ir.VectorType(e.element, e.width), None)
    places = [[cgutils.alloca_once_value(e.builder, zero) for _ in range(4)] for _ in e.slots()]
    with cgutils.for_range(e.builder, total) as loop:
        body(loop.index, places)
    for k in range(4 * len(places)):
        e.store(e.builder.load(places[k // 4][k % 4]), out, e.index(LANES * (k % 4) + e.width * (k // 4)))


def _add(e: _Emitter, place: Any, a: Any, b: Any, sign: int = 1) -> None:
    e.builder.store(e.fma(a if sign > 0 else e.builder.fneg(a), b, e.builder.load(place)), place)


def _pairs() -> Any:
    """(out, psi, other, -, pairs, bit, -, -): lane by lane the real and imaginary parts of T01, then of T10.

    Over pairs of groups that differ in group bit `bit`.
    """

    def generate(e: _Emitter, out: Any, psi: Any, other: Any, _: Any, pairs: Any, bit: Any, *__: Any) -> None:
        low = e.builder.sub(e.builder.shl(e.index(1), bit), e.index(1))

        def body(index: Any, places: Any) -> None:
            rest = e.builder.and_(index, low)
            group = e.builder.or_(e.builder.shl(e.builder.sub(index, rest), e.index(1)), rest)
            at = e.builder.mul(group, e.index(BLOCK))
            to = e.builder.add(at, e.builder.shl(e.index(BLOCK), bit))
            for slot, (re, im, back_re, back_im) in zip(e.slots(), places, strict=True):
                a, b = e.load(psi, e.offset(at, slot)), e.load(psi, e.offset(at, slot + LANES))
                c, d = e.load(psi, e.offset(to, slot)), e.load(psi, e.offset(to, slot + LANES))
                p, q = e.load(other, e.offset(at, slot)), e.load(other, e.offset(at, slot + LANES))
                r, s = e.load(other, e.offset(to, slot)), e.load(other, e.offset(to, slot + LANES))
                _conjugate(e, re, im, p, q, c, d)
                _conjugate(e, back_re, back_im, r, s, a, b)

        _sums(e, out, pairs, body)

    return _declare(generate)


def _conjugate(e: _Emitter, re: Any, im: Any, p: Any, q: Any, c: Any, d: Any) -> None:
    """Add conj(p + i q) (c + i d)."""
    _add(e, re, p, c)
    _add(e, re, q, d)
    _add(e, im, p, d)
    _add(e, im, q, c, -1)


def _lanes(bit: int) -> Any:
    """(out, psi, other, -, groups, -, -, -): sums of conj(other[j]) psi[j ^ 2**bit] for each lane j, in the first two."""

    def generate(e: _Emitter, out: Any, psi: Any, other: Any, _: Any, groups: Any, *__: Any) -> None:
        def body(index: Any, places: Any) -> None:
            at = e.builder.mul(index, e.index(BLOCK))
            crossed = [k ^ (1 << bit) for k in range(LANES)]
            parts = [e.load(psi, e.offset(at, part), LANES) for part in (0, LANES)]
            c, d = (e.pick(part, part, crossed) for part in parts)
            for slot, (re, im, _, __) in zip(e.slots(), places, strict=True):
                p, q = e.load(other, e.offset(at, slot)), e.load(other, e.offset(at, slot + LANES))
                own = range(slot, slot + e.width)
                _conjugate(e, re, im, p, q, e.pick(c, c, own), e.pick(d, d, own))

        _sums(e, out, groups, body)

    return _declare(generate)


pair_sums = _pairs()
lane_sums0, lane_sums1, lane_sums2, lane_sums3 = (_lanes(bit) for bit in range(LANE_BITS))


@kernel(apart=True)
def off_diagonal(psi: Any, other: Any, groups: int, bit: int, sums: Any, out: Any) -> None:
    """out[2:6] = T01 and T10 (re, im) of one bit of the tile; `sums` is room for four groups of lanes."""
    zero = groups * 0
    if bit >= LANE_BITS:
        pair_sums(sums, psi, other, sums, groups >> 1, bit - LANE_BITS, zero, zero)
        for k in range(4):
            total = 0.0
            for j in range(LANES):
                total += sums[LANES * k + j]
            out[2 + k] = total
        return
    if bit == 0:
        lane_sums0(sums, psi, other, sums, groups, zero, zero, zero)
    elif bit == 1:
        lane_sums1(sums, psi, other, sums, groups, zero, zero, zero)
    elif bit == 2:
        lane_sums2(sums, psi, other, sums, groups, zero, zero, zero)
    else:
        lane_sums3(sums, psi, other, sums, groups, zero, zero, zero)
    for k in range(4):
        total = 0.0
        for j in range(LANES):
            if (j >> bit) & 1 == k >> 1:
                total += sums[LANES * (k & 1) + j]
        out[2 + k] = total


@kernel(fastmath=REDUCTION_MATH)
def qubit_sums(both: Any, bra: int, positions: Any, others: Any, wanted: Any, start: int, stop: int, out: Any) -> None:
    """Transition matrices of single qubits: those at the bits `wanted` of tiles, which are ascending.

    positions: of a tile's bits in the state, ascending from 0, 1, 2, 3 on; others: the positions that number tiles.
    out[tile, k] is (0, Im T00, Re T01, Im T01, Re T10, Im T10, 0, Im T11): the real parts of the diagonal never matter.
    """
    t = len(positions)
    padded = max(t, LANE_BITS)
    groups, numbers = 1 << (padded - LANE_BITS), 2 << padded
    offsets = np.empty(groups, dtype=np.int64)
    offsets[0] = 0
    for bit in range(padded - LANE_BITS):
        for j in range(1 << bit):
            offsets[j + (1 << bit)] = offsets[j] + (2 << positions[LANE_BITS + bit])
    room = np.empty(2 * numbers + (numbers >> 1) + 5 * LANES)
    room = room[up_to_line(room) :]
    psi, other = room[:numbers], room[numbers : 2 * numbers]
    z, sums = room[2 * numbers :][: numbers >> 1], room[2 * numbers + (numbers >> 1) :]
    for tile in range(start, stop):
        base = tile * 0
        for k in range(len(others)):
            base |= ((tile >> k) & 1) << others[k]
        if t < LANE_BITS:
            load_block(psi, base, window(both, base, 2 << t), base, t)
            load_block(other, base, window(both, bra, 2 << t), base, t)
        else:
            for g in range(groups):
                load_group(psi, both, BLOCK * g, 2 * base + offsets[g])
                load_group(other, both, BLOCK * g, bra + 2 * base + offsets[g])
        for g in range(groups):
            for j in range(LANES):
                k = BLOCK * g + j
                z[LANES * g + j] = other[k] * psi[k + LANES] - other[k + LANES] * psi[k]
        for index in range(len(wanted)):
            off_diagonal(psi, other, base * 0 + groups, wanted[index], sums, out[tile, index])
        index = len(wanted) - 1
        for bit in range(t - 1, -1, -1):  # halves are folded onto each other: all bits take two sweeps together
            half = 1 << bit
            lower, upper = z[:half], z[half : 2 * half]
            if index >= 0 and wanted[index] == bit:
                zero, one = 0.0, 0.0
                for j in range(half):
                    zero += lower[j]
                    one += upper[j]
                out[tile, index, 0], out[tile, index, 1] = 0.0, zero
                out[tile, index, 6], out[tile, index, 7] = 0.0, one
                index -= 1
            for j in range(half):
                lower[j] += upper[j]
