"""States of which few amplitudes are not zero, times qubits that nothing has entangled: gates on them, and writing them out.

A state is a sum of *entries* (a basis state of some qubits, with an amplitude), times a vector of two amplitudes for each
qubit that is *loose*. A gate on one loose qubit changes its vector. Controls on loose qubits that are |0> or |1> decide by
themselves whether a gate is done; a controlled gate whose target is an eigenvector of it is a phase of its controls. Else
the loose qubits of a gate join the entries, of which there are twice as many then for each that is neither |0> nor |1>.

The arrays that all functions here share:
    keys, amplitudes: of each entry its basis state, bit q that of qubit q, and (re, im).
    loose: four numbers a qubit, (re, im) of |0> and of |1>; `joined`: whether a qubit is in the entries instead.
    counters: COUNT, how many entries there are; LIMIT, how many there may be; WORK, entries worked on so far.
    factor: (re, im) of what everything is multiplied by.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qsim.kernels.jit import kernel
from qsim.kernels.opcodes import DIAGONAL, FLIP, SWAP
from qsim.kernels.window import borrowed, keep, up_to_line, window

COUNT, LIMIT, WORK, COUNTERS = 0, 1, 2, 3
#: Amplitudes of a vector, or of an entry, that rounding leaves where there should be none.
_NEGLIGIBLE, _NEGLIGIBLE_ENTRY = 1e-32, 1e-34
#: How far, squared, a unitary matrix times one of its eigenvectors may be from a multiple of it.
_SAME = 1e-31
_HASH = 0x1E3779B97F4A7C15
#: Amplitudes that are written out together, as a power of two.
ROW_BITS = 10


@kernel(copied=True)
def basis_state(loose: Any, q: int) -> int:
    """0 or 1 for a loose qubit that is |0> or |1>, else -1."""
    if loose[4 * q + 2] == 0 and loose[4 * q + 3] == 0:
        return 0
    return 1 if loose[4 * q] == 0 and loose[4 * q + 1] == 0 else -1


@kernel(copied=True)
def times(values: Any, at: int, c: float, d: float) -> None:
    """The complex number at values[at] times c + i d."""
    x, y = values[at], values[at + 1]
    values[at], values[at + 1] = x * c - y * d, x * d + y * c


@kernel(apart=True)
def join(q: int, keys: Any, amplitudes: Any, loose: Any, joined: Any, counters: Any, factor: Any) -> bool:
    """A loose qubit joins the entries; False if there would be too many."""
    if joined[q]:
        return True
    count, bit = counters[COUNT], 1 << q
    known = basis_state(loose, q)
    if known >= 0:
        times(factor, q * 0, loose[4 * q + 2 * known], loose[4 * q + 2 * known + 1])
        for e in range(count if known else 0):
            keys[e] |= bit
    else:
        if 2 * count > counters[LIMIT]:
            return False
        for e in range(count):
            other = count + e
            keys[other] = keys[e] | bit
            amplitudes[2 * other], amplitudes[2 * other + 1] = amplitudes[2 * e], amplitudes[2 * e + 1]
            times(amplitudes, 2 * other, loose[4 * q + 2], loose[4 * q + 3])
            times(amplitudes, 2 * e, loose[4 * q], loose[4 * q + 1])
        counters[COUNT] = 2 * count
    joined[q] = 1
    counters[WORK] += count
    return True


@kernel(copied=True)
def turn(loose: Any, q: int, g: Any) -> None:
    """A 2 x 2 matrix on a loose qubit."""
    v = window(loose, 4 * q, 4)
    a, b, c, d = v[0], v[1], v[2], v[3]
    v[0] = g[0] * a - g[1] * b + g[2] * c - g[3] * d
    v[1] = g[0] * b + g[1] * a + g[2] * d + g[3] * c
    v[2] = g[4] * a - g[5] * b + g[6] * c - g[7] * d
    v[3] = g[4] * b + g[5] * a + g[6] * d + g[7] * c
    for k in range(0, 4, 2):
        if v[k] * v[k] + v[k + 1] * v[k + 1] < _NEGLIGIBLE:
            v[k] = v[k + 1] = 0.0


@kernel(apart=True)
def eigenvalue(loose: Any, q: int, g: Any, value: Any) -> bool:
    """Whether a loose qubit's vector is an eigenvector of a 2 x 2 matrix; `value` is set to (re, im)."""
    room = np.empty(8)
    new = borrowed(room)
    for k in range(4):
        new[k] = new[4 + k] = loose[4 * q + k]
    turn(new, q * 0, g)
    x, y = 0.0, 0.0
    for k in range(4, 8, 2):  # <v|w>
        x += new[k] * new[k - 4] + new[k + 1] * new[k - 3]
        y += new[k] * new[k - 3] - new[k + 1] * new[k - 4]
    value[0], value[1] = x, y
    rest = 0.0
    for k in range(4, 8, 2):
        times(new, q * 0 + k, x, y)
        rest += (new[k] - new[k - 4]) ** 2 + (new[k + 1] - new[k - 3]) ** 2
    keep(room)
    return rest < _SAME


@kernel(apart=True)
def phase_entries(keys: Any, amplitudes: Any, counters: Any, mask: int, value: int, on: Any, g: Any) -> None:
    """Multiply entries whose bits in `mask` are `value` by g[k], where bit j of k is that of qubit on[j]."""
    for e in range(counters[COUNT]):
        if keys[e] & mask == value:
            k = 0
            for j in range(len(on)):
                k |= ((keys[e] >> on[j]) & 1) << j
            times(amplitudes, 2 * e, g[2 * k], g[2 * k + 1])
    counters[WORK] += counters[COUNT]


@kernel(apart=True)
def mix_entries(keys: Any, amplitudes: Any, counters: Any, mask: int, value: int, q: int, g: Any) -> bool:
    """A 2 x 2 matrix on qubit q of the entries whose bits in `mask` are `value`; False if there are too many then."""
    count, bit = counters[COUNT], 1 << q
    slots = 4
    while slots < 4 * count:
        slots *= 2
    integers, numbers = np.empty(slots + count, dtype=np.int64), np.zeros(4 * count)
    table, found = window(integers, 0, slots), window(integers, slots, count)
    pairs = borrowed(numbers)
    for k in range(slots):
        table[k] = -1
    kept, num_pairs = 0, 0
    for e in range(count):
        key, x, y = keys[e], amplitudes[2 * e], amplitudes[2 * e + 1]
        if key & mask != value:
            keys[kept], amplitudes[2 * kept], amplitudes[2 * kept + 1] = key, x, y
            kept += 1
            continue
        low = key & ~bit
        at = ((low * _HASH) >> 24) & (slots - 1)
        while table[at] >= 0 and found[table[at]] != low:
            at = (at + 1) & (slots - 1)
        if table[at] < 0:
            table[at], found[num_pairs] = num_pairs, low
            num_pairs += 1
        place = 4 * table[at] + (2 if key & bit else 0)
        pairs[place], pairs[place + 1] = x, y
    for p in range(num_pairs):
        turn(pairs, p, g)
    fits = True
    for p in range(num_pairs):
        for k in range(2):
            x, y = pairs[4 * p + 2 * k], pairs[4 * p + 2 * k + 1]
            if x * x + y * y < _NEGLIGIBLE_ENTRY:
                continue
            if kept >= counters[LIMIT]:
                fits = False
                continue
            keys[kept], amplitudes[2 * kept], amplitudes[2 * kept + 1] = found[p] | (bit if k else 0), x, y
            kept += 1
    counters[COUNT] = kept
    counters[WORK] += 8 * count
    keep(integers)
    keep(numbers)
    return fits


@kernel(apart=True)
def exchange_qubits(keys: Any, counters: Any, mask: int, value: int, a: int, b: int) -> None:
    """Exchange two bits of the entries whose bits in `mask` are `value`."""
    both = (1 << a) | (1 << b)
    for e in range(counters[COUNT]):
        if keys[e] & mask == value and (keys[e] >> a) & 1 != (keys[e] >> b) & 1:
            keys[e] ^= both
    counters[WORK] += counters[COUNT]


@kernel(copied=True)
def matrix_gate(
    q: int, kind: int, mask: int, value: int, waiting: Any, g: Any, keys: Any, amplitudes: Any, loose: Any, joined: Any,
    counters: Any, factor: Any, spare: Any,
) -> bool:  # fmt: skip
    """A 2 x 2 matrix on qubit q under controls: joined ones in `mask`, loose ones `waiting`, whose values `mask` has too."""
    if mask == 0 and not joined[q]:
        turn(loose, q, g)
        return True
    if not joined[q] and eigenvalue(loose, q, g, spare):
        # A phase where all controls have their values.
        if len(waiting) == 1 and mask == 1 << waiting[0]:
            times(loose, 4 * waiting[0] + (2 if value else 0), spare[0], spare[1])
            return True
        for j in range(len(waiting)):
            if not join(waiting[j], keys, amplitudes, loose, joined, counters, factor):
                return False
        phase_entries(keys, amplitudes, counters, mask, value, window(waiting, 0, 0), spare)
        return True
    for j in range(len(waiting)):
        if not join(waiting[j], keys, amplitudes, loose, joined, counters, factor):
            return False
    if not join(q, keys, amplitudes, loose, joined, counters, factor):
        return False
    if g[0] == 0 and g[1] == 0 and g[6] == 0 and g[7] == 0:  # it takes basis states to basis states
        bit = 1 << q
        for e in range(counters[COUNT]):
            if keys[e] & mask == value:
                k = 2 if keys[e] & bit else 4
                times(amplitudes, 2 * e, g[k], g[k + 1])
                keys[e] ^= bit
        counters[WORK] += counters[COUNT]
        return True
    return mix_entries(keys, amplitudes, counters, mask, value, q, g)


@kernel(copied=True)
def diagonal_gate(
    targets: Any, mask: int, value: int, waiting: Any, g: Any, keys: Any, amplitudes: Any, loose: Any, joined: Any,
    counters: Any, factor: Any,
) -> bool:  # fmt: skip
    """A diagonal gate in the same way."""
    open_targets, last, known = 0, -1, 0
    for j in range(len(targets)):
        b = -1 if joined[targets[j]] else basis_state(loose, targets[j])
        if b < 0:
            open_targets += 1
            last = j
        else:
            known |= b << j
    if open_targets == 0 and mask == 0:
        times(factor, known * 0, g[2 * known], g[2 * known + 1])
        return True
    if open_targets == 0 and len(waiting) == 1 and mask == 1 << waiting[0]:
        times(loose, 4 * waiting[0] + (2 if value else 0), g[2 * known], g[2 * known + 1])
        return True
    if open_targets == 1 and mask == 0 and not joined[targets[last]]:
        one = known | (1 << last)
        times(loose, 4 * targets[last], g[2 * known], g[2 * known + 1])
        times(loose, 4 * targets[last] + 2, g[2 * one], g[2 * one + 1])
        return True
    for j in range(len(waiting)):
        if not join(waiting[j], keys, amplitudes, loose, joined, counters, factor):
            return False
    for j in range(len(targets)):
        if not join(targets[j], keys, amplitudes, loose, joined, counters, factor):
            return False
    phase_entries(keys, amplitudes, counters, mask, value, targets, g)
    return True


@kernel(copied=True)
def swap_gate(
    a: int, b: int, mask: int, value: int, waiting: Any, keys: Any, amplitudes: Any, loose: Any, joined: Any, counters: Any,
    factor: Any,
) -> bool:  # fmt: skip
    """An exchange of two qubits in the same way."""
    if mask == 0 and not (joined[a] and joined[b]):
        if joined[a] or joined[b]:
            exchange_qubits(keys, counters, mask, value, a, b)
        joined[a], joined[b] = joined[b], joined[a]
        for k in range(4):
            loose[4 * a + k], loose[4 * b + k] = loose[4 * b + k], loose[4 * a + k]
        return True
    for j in range(len(waiting)):
        if not join(waiting[j], keys, amplitudes, loose, joined, counters, factor):
            return False
    if not join(a, keys, amplitudes, loose, joined, counters, factor):
        return False
    if not join(b, keys, amplitudes, loose, joined, counters, factor):
        return False
    exchange_qubits(keys, counters, mask, value, a, b)
    return True


@kernel(copied=True)
def thin_gate(
    kind: int, on: Any, controls: int, values: int, g: Any, keys: Any, amplitudes: Any, loose: Any, joined: Any,
    counters: Any, factor: Any, waiting: Any, spare: Any,
) -> bool:  # fmt: skip
    """A gate on qubits `on`, `controls` controls first, whose wanted bits are `values`. False if it cannot be done here.

    g: coefficients, for a kind that has some; waiting: room for as many qubits as there are; spare: for two numbers.
    """
    mask, value, num_waiting = 0, 0, 0
    for j in range(controls):
        q, wanted = on[j], (values >> j) & 1
        if not joined[q]:
            known = basis_state(loose, q)
            if known == wanted:
                continue
            if known >= 0:
                return True
            waiting[num_waiting] = q
            num_waiting += 1
        mask |= 1 << q
        value |= wanted << q
    held = window(waiting, 0, num_waiting)
    if kind == DIAGONAL:
        targets = window(on, controls, len(on) - controls)
        return diagonal_gate(
            targets, mask, value, held, g, keys, amplitudes, loose, joined, counters, factor
        )  # fmt: skip
    if kind == SWAP:
        a, b = on[len(on) - 2], on[len(on) - 1]
        return swap_gate(a, b, mask, value, held, keys, amplitudes, loose, joined, counters, factor)
    if len(on) - controls != 1:
        return False
    if kind == FLIP:
        for k in range(8):
            g[k] = 1.0 if k in (2, 4) else 0.0
    return matrix_gate(
        on[controls], kind, mask, value, held, g, keys, amplitudes, loose, joined, counters, factor, spare
    )  # fmt: skip


# Writing out --------------------------------------------------------------------------------------------------------


@kernel(apart=True)
def product_table(vectors: Any, qubits: Any, first: int, last: int, table: Any, places: Any) -> None:
    """2**(last - first) products of amplitudes of loose qubits [first, last), (re, im), and the basis states they are of."""
    table[0], table[1], places[0] = 1.0, 0.0, 0
    for j in range(first, last):
        size = 1 << (j - first)
        for k in range(size):
            table[2 * (size + k)], table[2 * (size + k) + 1] = table[2 * k], table[2 * k + 1]
            times(table, 2 * (size + k), vectors[4 * j + 2], vectors[4 * j + 3])
            times(table, 2 * k, vectors[4 * j], vectors[4 * j + 1])
            places[size + k] = places[k] | (1 << qubits[j])


@kernel(apart=True)
def sort_entries(keys: Any, amplitudes: Any, count: int) -> None:
    """Order entries by ascending keys, all different: Shell's method, with gaps that halve."""
    gap = count >> 1
    while gap:
        for k in range(gap, count):
            key, x, y = keys[k], amplitudes[2 * k], amplitudes[2 * k + 1]
            at = k
            while at >= gap and keys[at - gap] > key:
                keys[at] = keys[at - gap]
                amplitudes[2 * at], amplitudes[2 * at + 1] = amplitudes[2 * (at - gap)], amplitudes[2 * (at - gap) + 1]
                at -= gap
            keys[at], amplitudes[2 * at], amplitudes[2 * at + 1] = key, x, y
        gap >>= 1


@kernel()
def put_entries(state: Any, keys: Any, amplitudes: Any, qubits: Any, vectors: Any) -> None:
    """Write the amplitudes that are not zero to a state of zeros, (re, im) pairs.

    qubits, vectors: the loose qubits, ascending, and their four numbers each; keys: have 0 there.
    """
    count = 1 << len(qubits)
    owned, owned_places = np.empty(2 * count), np.empty(count, dtype=np.int64)
    table, places = borrowed(owned), borrowed(owned_places)
    product_table(borrowed(vectors), borrowed(qubits), len(qubits) * 0, len(qubits), table, places)
    for e in range(len(keys)):
        c, d = amplitudes[2 * e], amplitudes[2 * e + 1]
        for k in range(count):
            at = 2 * (keys[e] | places[k])
            state[at], state[at + 1] = c * table[2 * k] - d * table[2 * k + 1], c * table[2 * k + 1] + d * table[2 * k]
    keep(owned)
    keep(owned_places)


@kernel()
def put_rows(
    state: Any, keys: Any, amplitudes: Any, qubits: Any, vectors: Any, row_bits: int, start: int, stop: int
) -> None:
    """Write all amplitudes of rows [start, stop) of 2**row_bits; the arguments are those of `put_entries`, keys ascending."""
    zero = len(qubits) * 0
    size, num_low, high_mask = 1 << row_bits, zero, 0
    for j in range(len(qubits)):
        if qubits[j] < row_bits:
            num_low += 1
        else:
            high_mask |= 1 << qubits[j]
    count = 1 << num_low
    owned, owned_places = np.empty(2 * count), np.empty(count, dtype=np.int64)
    owned_tables = np.empty(4 * count + 16, dtype=state.dtype)
    table, places = borrowed(owned), borrowed(owned_places)
    tables = window(owned_tables, up_to_line(owned_tables), 4 * count)
    product_table(borrowed(vectors), borrowed(qubits), zero, num_low, table, places)
    plain, turned = window(tables, 0, 2 * count), window(tables, 2 * count, 2 * count)
    for k in range(count):  # so that a complex product is two real ones, number by number
        plain[2 * k], plain[2 * k + 1] = table[2 * k], table[2 * k + 1]
        turned[2 * k], turned[2 * k + 1] = -table[2 * k + 1], table[2 * k]
    real = state.dtype.type
    for row in range(start, stop):
        out = window(state, 2 * size * row, 2 * size)
        wanted = (row << row_bits) & ~high_mask
        first, last = 0, len(keys)
        while first < last:
            middle = (first + last) >> 1
            if keys[middle] < wanted:
                first = middle + 1
            else:
                last = middle
        if num_low < row_bits or first == len(keys) or keys[first] >= wanted + size:
            for k in range(2 * size):
                out[k] = 0
        if first == len(keys) or keys[first] >= wanted + size:
            continue
        c, d = 1.0, 0.0
        for j in range(num_low, len(qubits)):
            at = 4 * j + (2 if (row << row_bits) >> qubits[j] & 1 else 0)
            c, d = c * vectors[at] - d * vectors[at + 1], c * vectors[at + 1] + d * vectors[at]
        while first < len(keys) and keys[first] < wanted + size:
            x, y = amplitudes[2 * first], amplitudes[2 * first + 1]
            p, q = real(c * x - d * y), real(c * y + d * x)
            if num_low == row_bits:
                for k in range(2 * size):
                    out[k] = p * plain[k] + q * turned[k]
            else:
                low = keys[first] & (size - 1)
                for k in range(count):
                    at = 2 * (places[k] | low)
                    out[at], out[at + 1] = (
                        p * plain[2 * k] + q * turned[2 * k],
                        (p * plain[2 * k + 1] + q * turned[2 * k + 1]),
                    )
            first += 1
    keep(owned)
    keep(owned_places)
    keep(owned_tables)
