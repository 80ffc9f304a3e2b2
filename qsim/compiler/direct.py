"""Small circuits of plain gates, run row by row as they stand: planning would take longer than running.

One compiled call takes a circuit's columns to its state. There is no program, and nothing is kept.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qsim.compiler.blocks import put_operation
from qsim.compiler.plan import CONSTANTS_OF, CONTROLS_OF, FORMULA_OF, GATE_COLUMNS, KIND_OF
from qsim.compiler.sequence import record
from qsim.kernels.bind import put_gate
from qsim.kernels.jit import kernel
from qsim.kernels.opcodes import DENSE, DIAGONAL, FIXED_COUNT, FLIP, LANE_BITS, RECORD, VALUE, WALK_AT
from qsim.kernels.passes import apply, diagonal
from qsim.kernels.simd import BLOCK, LANES
from qsim.kernels.window import borrowed, keep, memory_at, section, window
from qsim.kernels.wires import (
    CONTROLLED,
    EXTRA_NUMBERS,
    EXTRA_PLACES,
    FLIPPED,
    FOUR,
    PAIRS_FROM,
    PHASES,
    ROOM_NUMBERS,
    WIRE_INTS,
    WIRE_NUMBERS,
    WORK,
    block_bits_of,
    clear_wire,
    finish,
    gate_on_two,
    multiply_global,
    place_of,
    push,
    start,
)

#: The most targets and controls of a gate, and with them the room for a matrix and a column of it.
_MOST_WIRES, _COLUMN, _COEFFICIENTS = 14, 32, 512
#: Room besides the state.
DIRECT_NUMBERS = ROOM_NUMBERS + LANES + _COLUMN + _COEFFICIENTS
#: Columns of a circuit's rows.
_ROW = 6
#: Sections of the integers that all circuits share: codes of rows that are treated apart, in the order below; the table
#: of gates; shapes of formulas.
CODES, GATE_TABLE, SHAPES_AT = range(3)
MEASURE_AT, BARRIER_AT, DELAY_AT, SWAP_AT, CSWAP_AT = range(5)
#: Most bits of a block's index here, more than any direct run has.
_MOST_BITS = 32
#: Offsets in the integers for operations on three and more wires: a record, its bits, the gate's wires, its columns, the
#: strides of block bits, what the record points to in the end, and room.
_BITS = RECORD
_WIRES = _BITS + 3 * _MOST_WIRES
_COLUMNS = _WIRES + _MOST_WIRES
_STRIDES = _COLUMNS + 5
_PLACED = _STRIDES + _MOST_BITS
_ROOM = _PLACED + _MOST_WIRES + _MOST_BITS + 1
_INTS = _ROOM + _MOST_BITS + 64


@kernel(apart=True)
def is_plain(rows: Any, operands: Any, codes: Any, clbits: Any) -> bool:
    """Whether there are but gates of the table, on few wires, and measurements that nothing comes after."""
    measured, num_measured = 0, 0
    for at in range(0, len(rows), _ROW):
        code, first, count = rows[at], rows[at + 1], rows[at + 2]
        if code == codes[MEASURE_AT]:
            qubit, clbit = operands[first], operands[first + 1]
            for j in range(num_measured):
                if clbits[j] == clbit:
                    return False
            if (measured >> qubit) & 1:
                return False
            measured |= 1 << qubit
            clbits[num_measured] = clbit
            num_measured += 1
        elif code < 0:
            if code != codes[BARRIER_AT] and code != codes[DELAY_AT]:
                return False
        elif count > _MOST_WIRES:
            return False
        elif measured:
            for j in range(first, first + count):
                if (measured >> operands[j]) & 1:
                    return False
    return True


@kernel(apart=True)
def gate_on_many(
    tile: Any, places: Any, wires: Any, numbers: Any, n: int, kind: int, count: int, controls: int, value: int, ints: Any,
    given: Any, room: Any, spare: Any,
) -> None:  # fmt: skip
    """A gate on any number of wires, ints[_WIRES:], controls first; `given` holds its coefficients."""
    on = window(ints, _WIRES, _MOST_WIRES)
    for j in range(count):
        clear_wire(tile, places, wires, numbers, n, on[j], j < controls or kind == DIAGONAL, room)
    for j in range(count):
        if j < controls and places[on[j]] < 0 and (value >> j) & 1:  # |0>, and never 1
            return
    for j in range(count):
        place_of(places, n, on[j])
    op, bits = window(ints, 0, RECORD), window(ints, _BITS, 3 * _MOST_WIRES)
    zero = count * 0
    columns = window(ints, _COLUMNS, 5)
    columns[0], columns[1], columns[2], columns[3], columns[4] = kind, zero, count, controls, value
    record(
        op, zero, window(columns, 0, 1), window(columns, 1, 1), window(columns, 2, 1), window(columns, 3, 1),
        window(columns, 4, 1), on, zero, places, places, bits, zero,
    )  # fmt: skip
    block_bits = block_bits_of(places, n)
    places[2 * n + WORK] += 1 << block_bits
    strides, placed = window(ints, _STRIDES, block_bits), window(ints, _PLACED, _ROOM - _PLACED)
    for j in range(block_bits):
        strides[j] = BLOCK << j
    put_operation(op, bits, strides, zero, window(ints, _ROOM, _INTS - _ROOM), placed, zero)
    walk = window(placed, op[WALK_AT], block_bits - op[FIXED_COUNT] + 1)
    lanes, column = window(spare, 0, LANES), window(spare, LANES, _COLUMN)
    if kind == DIAGONAL:
        diagonal(tile, zero, op[VALUE], op, placed, walk, given, lanes)
    else:
        apply(tile, op[VALUE], op, placed, walk, given, lanes, column)


@kernel(apart=True)
def controlled_swap(
    tile: Any, places: Any, wires: Any, numbers: Any, n: int, count: int, value: int, ints: Any, given: Any, room: Any,
    spare: Any, g: Any,
) -> None:  # fmt: skip
    """A SWAP of the last two wires under controls: an X by the second on the first, under all controls back, and again."""
    a, b, zero = ints[_WIRES + count - 2], ints[_WIRES + count - 1], count * 0
    for k in range(8):
        given[k] = 1.0 if k in (2, 4) else 0.0
    for step in range(3):
        if step == 1:
            gate_on_many(
                tile, places, wires, numbers, n, zero + FLIP, count, count - 1, value | (1 << (count - 2)), ints, given, room,
                spare,
            )  # fmt: skip
        else:
            gate_on_two(tile, places, wires, numbers, n, b, a, zero + FLIPPED, zero, zero + 1, g, room)


@kernel(inner=True)
def phases_of_two(controls: int, value: int, g: Any) -> None:
    """A diagonal gate on two wires of which some are controls, as four phases."""
    if controls == 0:
        return
    at = 2 * value
    p, q, r, s = g[0], g[1], g[2], g[3]
    for j in range(8):
        g[j] = 1.0 - (j & 1)
    g[at], g[at + 1] = p, q
    if controls == 1:  # bit 0 has the value; without and with bit 1
        g[at + 4], g[at + 5] = r, s


@kernel()
def run_rows(
    rows_at: int, num_rows: int, operands_at: int, num_operands: int, values_at: int, num_values: int, integers: Any,
    factors: Any, constants: Any, n: int, phase: float, budget: int, workspace: Any, state: Any,
) -> bool:  # fmt: skip
    """The state of a circuit whose rows are all of plain gates, or measurements at the end.

    rows, operands, values: addresses and lengths of a circuit's columns, without symbolic values; making arrays of them
    would take longer than running some circuits. integers: see CODES; constants: of gates, see `qsim.compiler.plan`;
    factors: see `qsim.compiler.formulas`; phase: the circuit's own, an angle; budget: how many blocks may be worked on;
    workspace: DIRECT_NUMBERS more than 2 * 2**n numbers, for at least LANE_BITS qubits; state: the parts of 2**n
    amplitudes. Returns False, with nothing of use in `state`, where a row is of another kind, or the budget too small.
    """
    rows, operands = memory_at(rows_at, num_rows, integers), memory_at(operands_at, num_operands, integers)
    values = memory_at(values_at, num_values, constants)
    codes, table, shapes = section(integers, CODES), section(integers, GATE_TABLE), section(integers, SHAPES_AT)
    tables_at = 3 * n + EXTRA_PLACES + WIRE_INTS * n + _INTS
    owned_ints = np.empty(tables_at + (2 << (n - n // 2)), dtype=np.int64)
    owned_numbers = np.empty(WIRE_NUMBERS * n + EXTRA_NUMBERS + 36)
    done: bool = run_plain(
        rows, operands, values, codes, table, shapes, borrowed(constants), borrowed(factors), n, phase, budget,
        borrowed(workspace), borrowed(state), borrowed(owned_ints), borrowed(owned_numbers), tables_at,
    )  # fmt: skip
    keep(owned_ints)
    keep(owned_numbers)
    return done


@kernel(apart=True)
def run_plain(
    rows: Any, operands: Any, values: Any, codes: Any, table: Any, shapes: Any, constants: Any, factors: Any, n: int,
    phase: float, budget: int, workspace: Any, state: Any, all_ints: Any, numbers: Any, tables_at: int,
) -> bool:  # fmt: skip
    """`run_rows` with room for its integers and numbers."""
    num_rows, num_values = len(rows), len(values)
    if not is_plain(rows, operands, codes, all_ints):
        return False
    size = 2 << max(n, LANE_BITS)
    tile, room = window(workspace, 0, size), window(workspace, size, ROOM_NUMBERS)
    spare = window(workspace, size + ROOM_NUMBERS, DIRECT_NUMBERS - ROOM_NUMBERS)
    given = window(spare, LANES + _COLUMN, len(spare) - LANES - _COLUMN)
    g_at = WIRE_NUMBERS * n + EXTRA_NUMBERS
    g, padded = window(numbers, g_at, 36), window(numbers, g_at + 32, 4)
    wires_at = 3 * n + EXTRA_PLACES
    ints_at = wires_at + WIRE_INTS * n
    places, wire_of = window(all_ints, 0, 2 * n + EXTRA_PLACES), window(all_ints, 2 * n + EXTRA_PLACES, n)
    wires = window(all_ints, wires_at, WIRE_INTS * n)
    ints = window(all_ints, ints_at, tables_at - ints_at)
    tables = window(all_ints, tables_at, len(all_ints) - tables_at)
    on = window(ints, _WIRES, _COLUMNS - _WIRES)
    start(tile, places, wires, numbers, n)
    for q in range(n):
        wire_of[q] = q
    for row in range(0, num_rows, _ROW):
        code, at, count, first, extra = rows[row], rows[row + 1], rows[row + 2], rows[row + 3], rows[row + 4]
        if code < 0:
            continue
        if places[2 * n + WORK] > budget:
            return False
        if code == codes[SWAP_AT] and extra == 0:
            a, b = operands[at], operands[at + 1]
            wire_of[a], wire_of[b] = wire_of[b], wire_of[a]
            continue
        gate = GATE_COLUMNS * code
        own, formula, kind = table[gate + CONTROLS_OF], table[gate + FORMULA_OF], table[gate + KIND_OF]
        controls, value = extra + own, rows[row + 5] | (((1 << own) - 1) << extra)
        for j in range(count):
            on[j] = wire_of[operands[at + j]]
        if code == codes[CSWAP_AT] or code == codes[SWAP_AT]:
            controlled_swap(tile, places, wires, numbers, n, count, value, ints, given, room, spare, g)
            continue
        entries = 1 << (count - controls)
        length = 2 * entries if kind == DIAGONAL else 2 * entries * entries
        if formula:
            for j in range(4):
                padded[j] = values[first + j] if first + j < num_values else 0.0
            put_gate(
                g,
                shapes[3 * formula],
                shapes[3 * formula + 1],
                shapes[3 * formula + 2],
                factors[formula],
                padded,
                entries,
            )
        else:
            constant = table[gate + CONSTANTS_OF]
            for j in range(min(length, 32)):
                g[j] = constants[constant + j]
        if count == 1:
            if controls == 1:  # a phase under a control
                p, q = g[0], g[1]
                g[0], g[1], g[2], g[3] = (1.0, 0.0, p, q) if value else (p, q, 1.0, 0.0)
            push(wires, numbers, on[0], g, kind == DIAGONAL)
        elif count == 0:
            multiply_global(numbers, n, g[0], g[1])
        elif count == 2 and (kind != DENSE or n >= PAIRS_FROM):
            form = PHASES if kind == DIAGONAL else FLIPPED if kind == FLIP else FOUR if kind == DENSE else CONTROLLED
            if kind == DIAGONAL:
                phases_of_two(controls, value, g)
            gate_on_two(tile, places, wires, numbers, n, on[0], on[1], count * 0 + form, count * 0, value & 1, g, room)
        else:
            for j in range(min(length, _COEFFICIENTS)):
                given[j] = g[j] if formula else constants[constant + j]
            gate_on_many(tile, places, wires, numbers, n, kind, count, controls, value, ints, given, room, spare)
    finish(tile, places, wires, numbers, n, wire_of, phase, room, tables, state)
    return True
