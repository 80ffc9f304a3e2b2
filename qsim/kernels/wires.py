"""A small state on which gates are done as they come: what a planner would save is less than what it costs.

Each wire has a *pending* matrix, the product of the gates on it that are not done yet. What is pending is done when a
gate arrives that does not commute with it; a diagonal one waits for gates that are diagonal or controlled there. On
larger states a gate on two wires waits as well, in a *pair*, and further gates on the same two are multiplied into one
4 x 4 matrix. A wire gets a place in the state when something is first done to it: until then it is |0>, the state is half
the size, and a control on it decides by itself whether the gate is done.

The arrays that all functions here share:
    tile: the state, blocks of LANES real and imaginary parts; see `qsim.kernels.tile`.
    places: of each wire, its bit of a tile index, or -1; then the wire at each place, or -1; then the number of places
        in use and room for EXTRA_PLACES integers more.
    wires: WIRE_INTS integers a wire, named below.
    numbers: WIRE_NUMBERS numbers a wire: pending matrix, what is to be done before the pair's gate, and the pair's
        gate; behind the last wire GLOBAL, the global factor, and room.
    room: of the tile's number type, for a matrix, marked lanes, and tables.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qsim.kernels.jit import kernel
from qsim.kernels.opcodes import DENSE1, FLIP, LANE_BITS, REAL1
from qsim.kernels.simd import BLOCK, LANES, join_block, times_table
from qsim.kernels.tile import (
    dense2,
    exchange,
    first_step,
    low_target,
    one_target,
    place,
    plain_walk,
    scale,
    set_lanes,
    steps,
)
from qsim.kernels.window import trailing_zeros, window

#: Integers of a wire: what is pending on it and what comes before its pair's gate; the other wire of its pair, or -1;
#: and on the pair's first wire the form of its gate, which of the two is the control (0 or 1), and the value it takes.
PENDING, BEFORE, PARTNER, FORM, CONTROL, VALUE = range(6)
WIRE_INTS = 6
NOTHING, PHASE, MATRIX = range(3)
#: Forms of a gate on two wires: X under a control, four phases, a matrix under a control, a 4 x 4 matrix. Bit 0 of an
#: index is the first wire. A wire that is not the first of a pair has none.
FLIPPED, PHASES, CONTROLLED, FOUR = range(4)
NO_FORM = -1
_BEFORE_AT, _PAIR_AT, WIRE_NUMBERS = 8, 16, 48
#: Behind the last wire's numbers: the global factor, and two rooms for a 4 x 4 matrix.
_GLOBAL, _ROOM, _OTHER_ROOM, EXTRA_NUMBERS = 0, 2, 34, 66
#: In `room`: where marked lanes, and tables of a block each, begin.
_LANES_AT, _TABLES_AT = 32, 32 + LANES
ROOM_NUMBERS = _TABLES_AT + 2 * BLOCK
#: In `places`, behind the number of places: the blocks that have been worked on so far, and room for a walk.
WORK, _WALK, EXTRA_PLACES = 1, 2, 34
#: From so many qubits on, the gates on two wires are multiplied.
PAIRS_FROM = 8


@kernel(inner=True)
def start(tile: Any, places: Any, wires: Any, numbers: Any, n: int) -> None:
    """The state |0...0>."""
    for k in range(len(tile)):
        tile[k] = 0
    tile[0] = 1
    for k in range(2 * n):
        places[k] = -1
    places[2 * n] = places[2 * n + WORK] = 0
    for w in range(n):
        for k in range(WIRE_INTS):
            wires[WIRE_INTS * w + k] = 0
        wires[WIRE_INTS * w + PARTNER] = -1
        wires[WIRE_INTS * w + FORM] = NO_FORM
    at = WIRE_NUMBERS * n + _GLOBAL
    numbers[at], numbers[at + 1] = 1.0, 0.0


@kernel(inner=True)
def place_of(places: Any, n: int, w: int) -> int:
    """The place of a wire, which gets one now if it has none."""
    p = places[w]
    if p < 0:
        p = places[2 * n]
        places[2 * n] = p + 1
        places[w], places[n + p] = p, w
    return p


@kernel(inner=True)
def walk_of(places: Any, n: int, block_bits: int, fixed: int) -> Any:
    """A walk over the blocks whose bits in the mask `fixed` are 0, until the next one is asked for."""
    return plain_walk(block_bits, fixed, window(places, 2 * n + _WALK, block_bits + 1))


@kernel(inner=True)
def block_bits_of(places: Any, n: int) -> int:
    """The size of the part of the state that is in use."""
    return max(places[2 * n], LANE_BITS) - LANE_BITS


# Small matrices, in double precision --------------------------------------------------------------------------------


@kernel(inner=True)
def mix(m: Any, low: int, high: int, columns: int, g: Any) -> None:
    """Rows `low` and `high` of a matrix with so many columns, times the 2 x 2 matrix `g` from the left."""
    for c in range(columns):
        i, j = 2 * (low * columns + c), 2 * (high * columns + c)
        p, q, r, s = m[i], m[i + 1], m[j], m[j + 1]
        m[i] = g[0] * p - g[1] * q + g[2] * r - g[3] * s
        m[i + 1] = g[0] * q + g[1] * p + g[2] * s + g[3] * r
        m[j] = g[4] * p - g[5] * q + g[6] * r - g[7] * s
        m[j + 1] = g[4] * q + g[5] * p + g[6] * s + g[7] * r


@kernel(inner=True)
def scale_row(m: Any, row: int, columns: int, c: float, d: float) -> None:
    """A row of a matrix times c + i d."""
    for k in range(columns * row, columns * (row + 1)):
        p, q = m[2 * k], m[2 * k + 1]
        m[2 * k], m[2 * k + 1] = c * p - d * q, c * q + d * p


@kernel(inner=True)
def multiply_global(numbers: Any, n: int, c: float, d: float) -> None:
    """The global factor times c + i d."""
    scale_row(window(numbers, WIRE_NUMBERS * n + _GLOBAL, 2), 0, 1, c, d)


@kernel(inner=True)
def push(wires: Any, numbers: Any, w: int, g: Any, diagonal: bool) -> None:
    """A gate on one wire: a 2 x 2 matrix, or two phases."""
    m = window(numbers, WIRE_NUMBERS * w, 8)
    if wires[WIRE_INTS * w + PENDING] == NOTHING:
        if diagonal:
            m[0], m[1], m[2], m[3], m[4], m[5], m[6], m[7] = g[0], g[1], 0.0, 0.0, 0.0, 0.0, g[2], g[3]
        else:
            for k in range(8):
                m[k] = g[k]
    elif diagonal:
        scale_row(m, 0, 2, g[0], g[1])
        scale_row(m, 1, 2, g[2], g[3])
        return
    else:
        mix(m, 0, 1, 2, g)
    wires[WIRE_INTS * w + PENDING] = PHASE if diagonal else MATRIX


@kernel(inner=True)
def times_one(m: Any, bit: int, g: Any) -> None:
    """A 4 x 4 matrix times a 2 x 2 matrix on one of its wires, from the left."""
    for r in range(4):
        if not (r >> bit) & 1:
            mix(m, r, r | (1 << bit), 4, g)


@kernel(apart=True)
def times_gate(m: Any, form: int, control: int, value: int, g: Any, spare: Any) -> None:
    """A 4 x 4 matrix times a gate on its two wires, from the left."""
    if form == PHASES:
        for r in range(4):
            scale_row(m, r, 4, g[2 * r], g[2 * r + 1])
    elif form == FOUR:
        for k in range(32):
            spare[k] = m[k]
        for r in range(4):
            for c in range(4):
                x, y = 0.0, 0.0
                for k in range(4):
                    i, j = 2 * (4 * r + k), 2 * (4 * k + c)
                    x += g[i] * spare[j] - g[i + 1] * spare[j + 1]
                    y += g[i] * spare[j + 1] + g[i + 1] * spare[j]
                m[2 * (4 * r + c)], m[2 * (4 * r + c) + 1] = x, y
    else:
        low = value << control
        high = low | (2 >> control)
        if form == CONTROLLED:
            mix(m, low, high, 4, g)
        else:
            for k in range(8):
                m[8 * low + k], m[8 * high + k] = m[8 * high + k], m[8 * low + k]


@kernel(inner=True)
def turn_round(form: int, g: Any) -> None:
    """A gate's numbers with its two wires exchanged; the control is the caller's."""
    if form == PHASES:
        g[2], g[3], g[4], g[5] = g[4], g[5], g[2], g[3]
    elif form == FOUR:
        for k in range(8):  # rows, then columns, 1 and 2
            g[8 + k], g[16 + k] = g[16 + k], g[8 + k]
        for r in range(0, 32, 8):
            g[r + 2], g[r + 3], g[r + 4], g[r + 5] = g[r + 4], g[r + 5], g[r + 2], g[r + 3]


# On the state -------------------------------------------------------------------------------------------------------


@kernel(inner=True)
def kind_of(g: Any) -> int:
    """The cheapest kernel for a 2 x 2 matrix."""
    if g[1] != 0 or g[3] != 0 or g[5] != 0 or g[7] != 0:
        return DENSE1
    if g[0] == 0 and g[6] == 0 and g[2] == 1 and g[4] == 1:
        return FLIP
    return REAL1


@kernel(inner=True)
def put_table(room: Any, at: int, bits: int, first: int, second: int, g: Any, fixed: int) -> bool:
    """A block of factors at `at`: phases of lanes `first` and `second` (or -1), where g's index has `fixed` besides.

    Returns whether any is not 1.
    """
    any_other = False
    for j in range(LANES):
        index = fixed
        if first >= 0:
            index |= (j >> first) & 1
        if second >= 0:
            index |= ((j >> second) & 1) << 1
        c, d = g[2 * index], g[2 * index + 1]
        room[at + j], room[at + LANES + j] = c, d
        any_other = any_other or c != 1 or d != 0
    return any_other


@kernel(apart=True)
def apply_phases(tile: Any, places: Any, numbers: Any, n: int, count: int, a: int, b: int, g: Any, room: Any) -> None:
    """Phases g[0], g[1], ... (as pairs) by the bits of one or two wires, the first as the low bit; all have places."""
    c, d = g[0], g[1]
    if c != 1 or d != 0:  # what all have in common is for the end
        multiply_global(numbers, n, c, d)
        g[0], g[1] = 1.0, 0.0
        for e in range(1, 1 << count):
            p, q = g[2 * e], g[2 * e + 1]
            # Exactly 1 for a second one like the first: half of the amplitudes need not be touched for RZZ.
            same = p == c and q == d
            g[2 * e], g[2 * e + 1] = 1.0 if same else p * c + q * d, 0.0 if same else q * c - p * d
    block_bits = block_bits_of(places, n)
    p, q = places[a], places[b] if count == 2 else -1
    fixed, masked = 0, p < LANE_BITS or (count == 2 and q < LANE_BITS)
    if p >= LANE_BITS:
        fixed |= 1 << (p - LANE_BITS)
    if q >= LANE_BITS:
        fixed |= 1 << (q - LANE_BITS)
    walk = walk_of(places, n, block_bits, fixed)
    places[2 * n + WORK] += 1 << block_bits
    for e in range(1 << count):
        x, y = e & 1, e >> 1
        # Bits among the lanes are in the table, so that these entries come once, as 0.
        if (x and p < LANE_BITS) or (y and q < LANE_BITS):
            continue
        at = (BLOCK << (p - LANE_BITS) if x else 0) ^ (BLOCK << (q - LANE_BITS) if y else 0)
        if not masked:
            u = window(room, 0, 2)
            u[0], u[1] = g[2 * e], g[2 * e + 1]
            if u[0] != 1 or u[1] != 0:
                scale(tile, walk, at, False, u, u)
        elif put_table(room, _TABLES_AT, block_bits, p if p < LANE_BITS else -1, q if 0 <= q < LANE_BITS else -1, g, e):
            following, step = at, walk[0]
            for i in range(first_step(walk), steps(walk)):
                at = following
                following, step = at ^ step, walk[trailing_zeros(i)]
                times_table(tile, tile, room, tile, at, at, _TABLES_AT, 0)


@kernel(apart=True)
def apply_matrix(
    tile: Any, places: Any, n: int, w: int, control: int, value: int, kind: int, g: Any, room: Any
) -> None:
    """A 2 x 2 matrix on a wire, where another (if `control` is not -1) has a value; that one has a place."""
    p, c = place_of(places, n, w), places[control] if control >= 0 else -1
    block_bits = block_bits_of(places, n)
    u, lanes = window(room, 0, 8), window(room, _LANES_AT, LANES)
    for k in range(8):
        u[k] = g[k]
    fixed, at, masked = block_bits * 0, block_bits * 0, 0 <= c < LANE_BITS
    if p >= LANE_BITS:
        fixed = 1 << (p - LANE_BITS)
    if c >= LANE_BITS:
        fixed |= 1 << (c - LANE_BITS)
        at = value * (BLOCK << (c - LANE_BITS))
    walk = walk_of(places, n, block_bits, fixed)
    places[2 * n + WORK] += 1 << block_bits
    if masked:
        set_lanes(lanes, 1 << c, value << c)
    elif p < LANE_BITS:
        set_lanes(lanes, block_bits * 0, block_bits * 0)
    if p >= LANE_BITS:
        one_target(tile, kind, BLOCK << (p - LANE_BITS), walk, at, masked, lanes, u)
    else:
        low_target(tile, REAL1 if kind == FLIP else kind, p, walk, at, lanes, u)


@kernel(apart=True)
def apply_four(tile: Any, places: Any, n: int, a: int, b: int, g: Any, room: Any) -> None:
    """A 4 x 4 matrix. A wire among the lanes changes places for good with one that is not; there are PAIRS_FROM or more."""
    place_of(places, n, a)
    place_of(places, n, b)
    for w in range(n):
        if places[2 * n] < LANE_BITS + 4:
            place_of(places, n, w)
    block_bits = block_bits_of(places, n)
    for w in (a, b):
        p = places[w]
        if p >= LANE_BITS:
            continue
        q = block_bits * 0 + LANE_BITS
        while q in (places[a], places[b]):
            q += 1
        bit = q - LANE_BITS
        walk = walk_of(places, n, block_bits, 1 << bit)
        exchange(tile, p, BLOCK << bit, walk, block_bits * 0)
        other = places[n + q]
        places[w], places[other], places[n + p], places[n + q] = q, p, other, w
    places[2 * n + WORK] += 2 << block_bits
    for k in range(32):
        room[k] = g[k]
    p, q = places[a] - LANE_BITS, places[b] - LANE_BITS
    walk = walk_of(places, n, block_bits, (1 << p) | (1 << q))
    dense2(tile, BLOCK << p, BLOCK << q, walk, block_bits * 0, False, room, room)


@kernel(apart=True)
def flush(tile: Any, places: Any, wires: Any, numbers: Any, n: int, w: int, before: bool, room: Any) -> None:
    """Do what is pending on a wire, or what is to be done before its pair's gate."""
    column = BEFORE if before else PENDING
    kind = wires[WIRE_INTS * w + column]
    if kind == NOTHING:
        return
    wires[WIRE_INTS * w + column] = NOTHING
    g = window(numbers, WIRE_NUMBERS * w + (_BEFORE_AT if before else 0), 8)
    if kind == MATRIX:
        apply_matrix(tile, places, n, w, w * 0 - 1, w * 0, kind_of(g), g, room)
    elif places[w] < 0:  # still |0>
        multiply_global(numbers, n, g[0], g[1])
    else:
        g[2], g[3] = g[6], g[7]
        apply_phases(tile, places, numbers, n, w * 0 + 1, w, w, g, room)


@kernel(apart=True)
def apply_two(
    tile: Any, places: Any, numbers: Any, n: int, a: int, b: int, form: int, control: int, value: int, g: Any, room: Any
) -> None:
    """A gate on two wires on which nothing is pending that it would not commute with."""
    if form == PHASES:
        if places[a] >= 0 and places[b] >= 0:
            apply_phases(tile, places, numbers, n, n * 0 + 2, a, b, g, room)
            return
        # A wire without a place is |0>.
        if places[a] < 0:
            g[2], g[3] = g[4], g[5]
            a = b
        if places[a] < 0:
            multiply_global(numbers, n, g[0], g[1])
        else:
            apply_phases(tile, places, numbers, n, n * 0 + 1, a, a, g, room)
    elif form == FOUR:
        apply_four(tile, places, n, a, b, g, room)
    else:
        c, t = (a, b) if control == 0 else (b, a)
        if places[c] < 0:
            if value == 1:
                return
            c = n * 0 - 1
        kind = n * 0 + FLIP
        if form == CONTROLLED:
            kind = kind_of(g)
        else:
            g[0], g[1], g[2], g[3], g[4], g[5], g[6], g[7] = 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0
        apply_matrix(tile, places, n, t, c, value, kind, g, room)


@kernel(apart=True)
def close(tile: Any, places: Any, wires: Any, numbers: Any, n: int, w: int, room: Any) -> None:
    """Do the gate of the pair that a wire is in, if any."""
    other = wires[WIRE_INTS * w + PARTNER]
    if other < 0:
        return
    a, b = (w, other) if wires[WIRE_INTS * w + FORM] != NO_FORM else (other, w)
    at = WIRE_INTS * a
    flush(tile, places, wires, numbers, n, a, True, room)
    flush(tile, places, wires, numbers, n, b, True, room)
    apply_two(
        tile, places, numbers, n, a, b, wires[at + FORM], wires[at + CONTROL], wires[at + VALUE],
        window(numbers, WIRE_NUMBERS * a + _PAIR_AT, 32), room,
    )  # fmt: skip
    wires[WIRE_INTS * a + PARTNER] = wires[WIRE_INTS * b + PARTNER] = -1
    wires[at + FORM] = NO_FORM


@kernel(inner=True)
def is_diagonal_on(form: int, control: int, second: bool) -> bool:
    """Whether a gate commutes with phases on its first or second wire."""
    return form == PHASES or (form != FOUR and (control == 1) == second)


@kernel(apart=True)
def gate_on_two(
    tile: Any, places: Any, wires: Any, numbers: Any, n: int, a: int, b: int, form: int, control: int, value: int, g: Any,
    room: Any,
) -> None:  # fmt: skip
    """A gate on two wires, at once or in a pair; 4 x 4 matrices from PAIRS_FROM qubits on only."""
    if n < PAIRS_FROM:
        for second in range(2):
            w = b if second else a
            kind = wires[WIRE_INTS * w + PENDING]
            if kind == MATRIX or (kind == PHASE and not is_diagonal_on(form, control, second == 1)):
                flush(tile, places, wires, numbers, n, w, False, room)
        apply_two(tile, places, numbers, n, a, b, form, control, value, g, room)
        return
    if wires[WIRE_INTS * a + PARTNER] == b:
        multiply_pair(wires, numbers, n, a, b, form, control, value, g)
        return
    if wires[WIRE_INTS * a + PARTNER] >= 0:
        close(tile, places, wires, numbers, n, a, room)
    if wires[WIRE_INTS * b + PARTNER] >= 0:
        close(tile, places, wires, numbers, n, b, room)
    at = WIRE_INTS * a
    wires[at + PARTNER], wires[WIRE_INTS * b + PARTNER] = b, a
    wires[at + FORM], wires[at + CONTROL], wires[at + VALUE] = form, control, value
    pair = window(numbers, WIRE_NUMBERS * a + _PAIR_AT, 32)
    if form == FOUR:
        for k in range(32):
            pair[k] = 1.0 if k % 10 == 0 else 0.0
        multiply_pair(wires, numbers, n, a, b, form, control, value, g)
        return
    if form != FLIPPED:
        for k in range(8):  # two rows of two, or four phases
            pair[k] = g[k]
    for second in range(2):
        w = b if second else a
        kind = wires[WIRE_INTS * w + PENDING]
        if kind == MATRIX or (kind == PHASE and not is_diagonal_on(form, control, second == 1)):
            wires[WIRE_INTS * w + BEFORE], wires[WIRE_INTS * w + PENDING] = kind, NOTHING
            from_at = WIRE_NUMBERS * w
            for k in range(8):
                numbers[from_at + _BEFORE_AT + k] = numbers[from_at + k]


@kernel(apart=True)
def multiply_pair(
    wires: Any, numbers: Any, n: int, a: int, b: int, form: int, control: int, value: int, g: Any
) -> None:
    """A further gate on the two wires of a pair, and what is pending on them, into the pair's matrix."""
    if wires[WIRE_INTS * a + FORM] == NO_FORM:
        a, b, control = b, a, 1 - control
        turn_round(form, g)
    at = WIRE_INTS * a
    pair = window(numbers, WIRE_NUMBERS * a + _PAIR_AT, 32)
    own, spare = window(numbers, WIRE_NUMBERS * n + _ROOM, 32), window(numbers, WIRE_NUMBERS * n + _OTHER_ROOM, 32)
    if wires[at + FORM] != FOUR:
        for k in range(32):
            own[k], pair[k] = pair[k], 0.0
        for k in range(0, 32, 10):
            pair[k] = 1.0
        for second in range(2):
            w = b if second else a
            if wires[WIRE_INTS * w + BEFORE] != NOTHING:
                times_one(pair, second, window(numbers, WIRE_NUMBERS * w + _BEFORE_AT, 8))
                wires[WIRE_INTS * w + BEFORE] = NOTHING
        times_gate(pair, wires[at + FORM], wires[at + CONTROL], wires[at + VALUE], own, spare)
        wires[at + FORM] = FOUR
    for second in range(2):
        w = b if second else a
        if wires[WIRE_INTS * w + PENDING] != NOTHING:
            times_one(pair, second, window(numbers, WIRE_NUMBERS * w, 8))
            wires[WIRE_INTS * w + PENDING] = NOTHING
    times_gate(pair, form, control, value, g, spare)


@kernel(apart=True)
def clear_wire(tile: Any, places: Any, wires: Any, numbers: Any, n: int, w: int, diagonal: bool, room: Any) -> None:
    """Do all that has to come before another gate on a wire, one that is diagonal (or a control) there or not."""
    close(tile, places, wires, numbers, n, w, room)
    if wires[WIRE_INTS * w + PENDING] == MATRIX or not diagonal:
        flush(tile, places, wires, numbers, n, w, False, room)


@kernel(apart=True)
def finish(
    tile: Any,
    places: Any,
    wires: Any,
    numbers: Any,
    n: int,
    wire_of: Any,
    phase: float,
    room: Any,
    tables: Any,
    out: Any,
) -> None:
    """Do what is left, and write the amplitudes, (re, im) pairs with bit q of the index from wire wire_of[q], to `out`.

    tables: room for 2 * 2**(n - n // 2) integers.
    """
    for w in range(n):
        if wires[WIRE_INTS * w + PARTNER] >= 0:
            close(tile, places, wires, numbers, n, w, room)
    for w in range(n):
        if wires[WIRE_INTS * w + PENDING] != NOTHING:
            flush(tile, places, wires, numbers, n, w, False, room)
    sources = window(wires, 0, n)  # the wires' integers are done with
    natural, lanes_natural = True, True
    for w in range(n):
        place_of(places, n, w)
    for q in range(n):
        sources[q] = places[wire_of[q]]
        natural = natural and sources[q] == q
        lanes_natural = lanes_natural and (q >= LANE_BITS or sources[q] == q)
    if phase != 0.0:
        multiply_global(numbers, n, np.cos(phase), np.sin(phase))
    at = WIRE_NUMBERS * n + _GLOBAL
    c, d = numbers[at], numbers[at + 1]
    if c != 1.0 or d != 0.0:
        u = window(room, 0, 2)
        u[0], u[1] = c, d
        block_bits = max(n, LANE_BITS) - LANE_BITS
        scale(tile, walk_of(places, n, block_bits, n * 0), n * 0, False, u, u)
    if n >= LANE_BITS and natural:
        for h in range(1 << (n - LANE_BITS)):
            join_block(out, tile, tile, tile, BLOCK * h, BLOCK * h, 0, 0)
        return
    half = n // 2
    low, high = window(tables, 0, 1 << half), window(tables, 1 << half, 1 << (n - half))
    spread_bits(low, sources, n * 0, half)
    spread_bits(high, sources, half, n - half)
    if n >= LANE_BITS and lanes_natural:
        for h in range(1 << (n - LANE_BITS)):
            k = h << LANE_BITS
            index = low[k & ((1 << half) - 1)] | high[k >> half]
            join_block(out, tile, tile, tile, BLOCK * h, 2 * index, 0, 0)
        return
    at = 0
    for h in range(1 << (n - half)):
        for k in range(1 << half):
            p = place(low[k] | high[h])
            out[at], out[at + 1] = tile[p], tile[p + LANES]
            at += 2


@kernel(inner=True)
def spread_bits(table: Any, sources: Any, first: int, count: int) -> None:
    """Entry k has bit j of k at bit sources[first + j]."""
    table[0] = 0
    for j in range(count):
        for k in range(1 << j):
            table[k + (1 << j)] = table[k] | (1 << sources[first + j])
