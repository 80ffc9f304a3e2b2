"""From lowered rows to a program's integers, in one compiled call: no Python per gate, and little per circuit."""

from __future__ import annotations

from typing import Any

import numpy as np

from qsim.compiler.blocks import MOST_SHIFTS, put_blocks
from qsim.compiler.fusion import merge_all
from qsim.compiler.layout import estimate, lay_out
from qsim.compiler.schedule import group_all, relabel
from qsim.kernels.jit import kernel
from qsim.kernels.opcodes import (
    DENSE1,
    DIAGONAL,
    FLIP,
    KIND,
    LANE_BITS,
    PASS_RECORD,
    REAL1,
    RECORD,
    SECTIONS,
)  # fmt: skip
from qsim.kernels.passes import workspace_numbers
from qsim.kernels.window import borrowed, keep

#: Columns of the table of gates: kind, formula, own controls, numbers of coefficients, place of constant ones, and the
#: code of the same gate under one control, or -1.
KIND_OF, FORMULA_OF, CONTROLS_OF, SIZE_OF, CONSTANTS_OF, CONTROLLED_OF = range(6)
GATE_COLUMNS = 6
#: States below these sizes pay more for preparing merged or split matrices than those save.
_MERGE_PAIRS_FROM, _SPLIT_FROM = 9, 10
#: From so many qubits on, it is weighed whether 0, 1, 2 or 3 of a tile's qubits should not be active: fewer exchanges of
#: lanes, more passes. The four plans take 1 to 3 ms, as
#: much as 1 % of the run.
_WEIGH_FROM, _MOST_SPARE = 24, 3


@kernel(apart=True)
def count_controlled_swaps(rows: Any, table: Any, cswap: int, swap: int) -> Any:
    """How many SWAPs have controls, and how many operands those have in all."""
    count, operands = 0, 0
    for k in range(len(rows)):
        if rows[k, 0] == cswap or (rows[k, 0] == swap and rows[k, 4] > 0):
            count += 1
            operands += rows[k, 2]
    return count, operands


@kernel(apart=True)
def classify(
    rows: Any, operands: Any, given: int, table: Any, matrices: Any, matrix_code: int, cswap: int, swap: int, x: int,
    free: int, kinds: Any, starts: Any, counts: Any, controls: Any, values: Any, offsets: Any, formulas: Any,
    first_values: Any,
) -> Any:  # fmt: skip
    """Columns of operations (kinds, starts, counts, controls, control values, offsets) out of rows.

    A SWAP under controls is three X: on the second by the first, back under all controls, and again; their operands come
    after the `given` ones. Returns how many operations, operands and coefficients there are then.
    """
    total, used = 0, given
    for k in range(len(rows)):
        code, start, count, extra, extra_values = rows[k, 0], rows[k, 1], rows[k, 2], rows[k, 4], rows[k, 5]
        first_values[total], formulas[total] = rows[k, 3], 0
        if code == matrix_code:
            kinds[total], offsets[total] = matrices[rows[k, 3], 0], matrices[rows[k, 3], 1]
            starts[total], counts[total], controls[total], values[total] = start, count, extra, extra_values
            total += 1
            continue
        if extra == 1 and extra_values == 1 and table[code, CONTROLLED_OF] >= 0:
            code, extra, extra_values = table[code, CONTROLLED_OF], 0, 0
        own = table[code, CONTROLS_OF]
        if code == cswap or (code == swap and extra > 0):
            a, b = operands[start + count - 2], operands[start + count - 1]
            for step in range(3):
                kinds[total], starts[total], offsets[total], formulas[total] = FLIP, used, table[x, CONSTANTS_OF], 0
                if step == 1:
                    for j in range(count):
                        operands[used + j] = operands[start + j]
                    values[total] = extra_values | (((1 << own) - 1) << extra) | (1 << (count - 2))
                    counts[total], controls[total] = count, count - 1
                    used += count
                else:
                    operands[used], operands[used + 1] = b, a
                    counts[total], controls[total], values[total] = 2, 1, 1
                    used += 2
                total += 1
            continue
        kinds[total], formulas[total] = table[code, KIND_OF], table[code, FORMULA_OF]
        starts[total], counts[total], controls[total] = start, count, extra + own
        values[total] = extra_values | (((1 << own) - 1) << extra)
        if formulas[total]:
            offsets[total] = free
            free += table[code, SIZE_OF]
        else:
            offsets[total] = table[code, CONSTANTS_OF]
        total += 1
    return total, used, free


@kernel(apart=True)
def put(out: Any, section: int, at: int, values: Any, count: int) -> Any:
    """Copy values[:count] to out[at:] as one of its sections; returns where the next begins, and its number."""
    out[2 * section], out[2 * section + 1] = at, count
    for k in range(count):
        out[at + k] = values[k]
    return at + count, section + 1


@kernel()
def plan(
    rows: Any, given_operands: Any, num_qubits: int, table: Any, matrices: Any, matrix_code: int, cswap: int, swap: int,
    x: int, free: int, costs: Any, slots: Any, codes_at: Any, codes: Any, phase_formula: int, phase_value: int,
    tile_bits: int, natural_start: bool,
) -> Any:  # fmt: skip
    """A program's integers, and the numbers of its passes, tile bits, entries of a column, of a workspace, of coefficients.

    The last result is a mask of the positions that any pass writes.
    """
    rows, table, matrices = borrowed(rows), borrowed(table), borrowed(matrices)
    n = max(num_qubits, 1)
    swaps, swap_operands = count_controlled_swaps(rows, table, cswap, swap)
    room = len(rows) + 2 * swaps
    room_before, given = room, len(given_operands)
    operands = np.empty(given + swap_operands + 4 * swaps, dtype=np.int64)
    for k in range(given):
        operands[k] = given_operands[k]
    columns = np.empty(6 * room, dtype=np.int64)
    all_kinds, all_starts, all_counts = columns[:room], columns[room : 2 * room], columns[2 * room : 3 * room]
    all_controls, all_values = columns[3 * room : 4 * room], columns[4 * room : 5 * room]
    all_offsets = columns[5 * room :]
    formulas, first_values = np.empty(room, dtype=np.int64), np.empty(room, dtype=np.int64)
    total, used, free = classify(
        rows, operands, given, table, matrices, matrix_code, cswap, swap, x, free, all_kinds, all_starts, all_counts,
        all_controls, all_values, all_offsets, formulas, first_values,
    )  # fmt: skip
    all_kinds = all_kinds[:total]
    wires = np.empty(n, dtype=np.int64)
    for q in range(n):
        wires[q] = q
    relabel(all_kinds, all_starts, all_counts, operands, wires)
    # Parametric operations, and the circuit's own phase as one more.
    dynamic = 0
    bound = np.empty(5 * (total + 1), dtype=np.int64)  # columns: formula, first value, offset, entries, free
    width = total + 1
    for k in range(total):
        if formulas[k]:
            bound[dynamic], bound[width + dynamic] = formulas[k], first_values[k]
            bound[2 * width + dynamic], bound[3 * width + dynamic] = (
                all_offsets[k],
                1 << (all_counts[k] - all_controls[k]),
            )
            bound[4 * width + dynamic] = all_kinds[k] == DIAGONAL and all_controls[k] == 0
            dynamic += 1
    bound[dynamic], bound[width + dynamic], bound[2 * width + dynamic] = phase_formula, phase_value, 0
    bound[3 * width + dynamic], bound[4 * width + dynamic] = 1, 1
    dynamic += 1
    # Merging.
    merged_operands = np.empty(used + 2 * total, dtype=np.int64)
    for k in range(used):
        merged_operands[k] = operands[k]
    out, merges = np.empty(6 * total, dtype=np.int64), np.empty(6 * (total + 1), dtype=np.int64)
    count, merged, members, free = merge_all(
        all_kinds, all_starts, all_counts, all_controls, all_values, all_offsets, merged_operands, used, n, free, costs,
        n >= _MERGE_PAIRS_FROM, n >= _SPLIT_FROM, out, merges,
    )  # fmt: skip
    kinds, starts, counts = out[:count], out[total : total + count], out[2 * total : 2 * total + count]
    controls, control_values = out[3 * total : 3 * total + count], out[4 * total : 4 * total + count]
    offsets = out[5 * total : 5 * total + count]
    parts_at = np.empty(count, dtype=np.int64)
    parts, reals = np.empty(2 * count, dtype=np.int64), np.empty(count, dtype=np.int64)
    num_parts, num_reals = 0, 0
    all_operands = 0
    for k in range(count):
        parts_at[k] = -1
        all_operands += counts[k]
        if kinds[k] == DENSE1 and controls[k] == 0 and n >= _SPLIT_FROM:
            parts_at[k] = free
            free += 16
        elif kinds[k] == REAL1 and controls[k] == 0:
            reals[num_reals] = offsets[k]
            num_reals += 1
    # Passes.
    lanes = np.int64(LANE_BITS)
    order, ends = np.empty(count + 1, dtype=np.int64), np.empty(count + 1, dtype=np.int64)
    sets = np.empty(count + 1, dtype=np.int64)
    goal = np.empty(n, dtype=np.int64)
    for q in range(n):
        goal[wires[q]] = q
    # Operations that the scheduler may look at for one pass: a small part of what the pass costs to run.
    effort = min(1 << max(n - (9 if n >= _WEIGH_FROM else 7), 0), 400_000, 40_000_000 // max(count, 1))
    support = (1 << n) - 1 if natural_start else 0
    kept_parts = parts_at.copy()
    best, least, weighed = 0, -1, False
    spare = _MOST_SPARE if n >= _WEIGH_FROM else 0
    while True:
        passes, t, most = group_all(
            kinds, starts, counts, controls, merged_operands, n, max(tile_bits, 2 * lanes), lanes, borrowed(goal), support,
            spare, effort, order, ends, sets,
        )  # fmt: skip
        room = passes + n + 2  # each pass that only moves wires brings at least one home
        records = np.zeros(PASS_RECORD * room, dtype=np.int64)
        tiles, sources = np.empty(t * (room + 1), dtype=np.int64), np.empty(t * (room + 1), dtype=np.int64)
        ops = np.empty(RECORD * (10 * count + 8 * room), dtype=np.int64)
        bits = np.empty(8 * all_operands + 80 * count + 160 * room, dtype=np.int64)
        done, num_ops, num_bits = lay_out(
            borrowed(kinds), borrowed(starts), borrowed(counts), borrowed(controls), borrowed(control_values),
            borrowed(merged_operands), borrowed(offsets), borrowed(parts_at), borrowed(order), borrowed(ends),
            borrowed(sets), passes, natural_start, borrowed(goal), t, borrowed(records), borrowed(tiles),
            borrowed(sources), borrowed(ops), borrowed(bits),
        )  # fmt: skip
        cost = estimate(records, tiles, ops, done, t)
        if weighed or n < _WEIGH_FROM or t == n:
            break
        if least < 0 or cost <= least:
            best, least = spare, cost
        spare -= 1
        if spare < 0:
            if best == 0:
                break
            spare, weighed = best, True
        for k in range(count):
            parts_at[k] = kept_parts[k]
    flips = done
    for k in range(num_ops):
        flips += ops[RECORD * k + KIND] == FLIP
    placed = np.empty(num_bits + (t + 2) * (num_ops + done) + 3 * MOST_SHIFTS * flips, dtype=np.int64)
    num_ops, num_bits = put_blocks(
        max(t, LANE_BITS) - LANE_BITS, borrowed(records), done, borrowed(ops), borrowed(bits), borrowed(placed)
    )
    keep(bits)
    keep(out)
    keep(merged_operands)
    keep(order)
    keep(ends)
    keep(sets)
    keep(goal)
    for k in range(count):
        if parts_at[k] >= 0:
            parts[2 * num_parts], parts[2 * num_parts + 1] = offsets[k], parts_at[k]
            num_parts += 1
    # All of it in one array.
    size = (
        2 * SECTIONS
        + len(slots)
        + len(codes_at)
        + len(codes)
        + 5 * dynamic
        + 5 * total
        + 4 * (merged + 1)
        + 2 * members
    )
    size += 2 * num_parts + num_reals + (PASS_RECORD + 2 * t) * done + RECORD * num_ops + num_bits
    ints = np.empty(size, dtype=np.int64)
    number, at = np.int64(0), np.int64(2 * SECTIONS)  # literals would compile `put` for each number
    at, number = put(ints, number, at, slots, len(slots))
    at, number = put(ints, number, at, codes_at, len(codes_at))
    at, number = put(ints, number, at, codes, len(codes))
    for k in range(5):
        at, number = put(ints, number, at, bound[width * k : width * k + dynamic], dynamic)
    for k in range(5):
        first = room_before * (k if k == 0 else k + 1)  # without the starts
        at, number = put(ints, number, at, columns[first : first + total], total)
    for k in range(4):
        length = merged + 1 if k == 3 else merged
        at, number = put(ints, number, at, merges[width * k : width * k + length], length)
    for k in range(4, 6):
        at, number = put(ints, number, at, merges[width * k : width * k + members], members)
    at, number = put(ints, number, at, parts, 2 * num_parts)
    at, number = put(ints, number, at, reals, num_reals)
    at, number = put(ints, number, at, records, PASS_RECORD * done)
    at, number = put(ints, number, at, tiles, t * done)
    at, number = put(ints, number, at, sources, t * done)
    at, number = put(ints, number, at, ops, RECORD * num_ops)
    at, number = put(ints, number, at, placed, num_bits)
    written = 0
    for j in range(t * done):
        written |= 1 << tiles[j]
    column_numbers = 2 << max(most, 1)
    return ints[:at], done, t, column_numbers, workspace_numbers(t, column_numbers), free, written
