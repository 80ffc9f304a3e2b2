"""Small circuits of plain gates, run row by row as they stand: planning would take longer than running.

One compiled call takes a circuit's columns to its state. There is no program, and nothing is kept.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qsim.compiler.plan import CONSTANTS_OF, CONTROLS_OF, FORMULA_OF, KIND_OF
from qsim.compiler.sequence import record
from qsim.kernels.bind import put_gate
from qsim.kernels.jit import kernel
from qsim.kernels.opcodes import DIAGONAL, LANE_BITS, RECORD
from qsim.kernels.passes import apply, diagonal, write_out
from qsim.kernels.simd import LANES

#: The most targets of a gate of the table, as the size of a column of its matrix, and of its coefficients.
_COLUMN, _COEFFICIENTS = 32, 512


@kernel()
def run_rows(
    rows: Any, operands: Any, values: Any, table: Any, constants: Any, shapes: Any, factors: Any, skipped: Any,
    cswap: int, swap: int, x: int, n: int, phase: float, out: Any,
) -> bool:  # fmt: skip
    """The state of a circuit whose rows are all of plain gates or have one of the codes `skipped`.

    rows, operands, values: a circuit's columns, without symbolic values; table, constants: of gates, see
    `qsim.compiler.plan`; phase: the circuit's own, an angle; out: 2 * 2**n numbers, the parts of the amplitudes.
    Returns False, with nothing of use in `out`, where a row is of another kind.
    """
    block_bits = max(n, LANE_BITS) - LANE_BITS
    size = 2 << max(n, LANE_BITS)
    room = np.empty(size + LANES + _COLUMN + _COEFFICIENTS, dtype=out.dtype)
    tile, lanes = room[:size], room[size : size + LANES]
    column, coefficients = room[size + LANES : size + LANES + _COLUMN], room[size + LANES + _COLUMN :]
    for k in range(size):
        tile[k] = 0
    tile[0] = 1
    ints = np.empty(RECORD + 200 + 8 * n, dtype=np.int64)
    op, bits = ints[:RECORD], ints[RECORD : RECORD + 184]
    # Qubit q is bit places[q]: a SWAP without controls only exchanges two of these.
    places, kinds, starts = ints[RECORD + 184 : RECORD + 184 + n], np.empty(3, np.int64), np.empty(3, np.int64)
    counts, controls, control_values = np.empty(3, np.int64), np.empty(3, np.int64), np.empty(3, np.int64)
    swapped = np.empty(80, dtype=np.int64)
    exact, padded = np.empty(32), np.zeros(4)
    for q in range(n):
        places[q] = q
    for k in range(len(rows)):
        code, start, count, first = rows[k, 0], rows[k, 1], rows[k, 2], rows[k, 3]
        if code < 0:
            passed = False
            for j in range(len(skipped)):
                passed = passed or code == skipped[j]
            if not passed:
                return False
            continue
        extra, own, formula = rows[k, 4], table[code, CONTROLS_OF], table[code, FORMULA_OF]
        value = rows[k, 5] | (((1 << own) - 1) << extra)
        if code == swap and extra == 0:
            a, b = operands[start], operands[start + 1]
            places[a], places[b] = places[b], places[a]
            continue
        if count > 16:
            return False
        steps = 1
        kinds[0], starts[0], counts[0], controls[0], control_values[0] = (
            table[code, KIND_OF],
            0,
            count,
            extra + own,
            value,
        )
        for j in range(count):
            swapped[j] = operands[start + j]
        if code in (cswap, swap):  # under controls: three X
            steps = 3
            a, b = swapped[count - 2], swapped[count - 1]
            swapped[count], swapped[count + 1] = b, a
            for step in range(3):
                kinds[step], starts[step] = table[x, KIND_OF], count
                counts[step], controls[step], control_values[step] = 2, 1, 1
            starts[1], counts[1], controls[1], control_values[1] = 0, count, count - 1, value | (1 << (count - 2))
            code, formula = x, formula * 0
        if formula:
            entries = 1 << (count - extra - own)
            for j in range(4):
                padded[j] = values[first + j] if first + j < len(values) else 0.0
            put_gate(
                exact, shapes[formula, 0], shapes[formula, 1], shapes[formula, 2], factors[formula], padded, entries
            )
            for j in range(32):
                coefficients[j] = exact[j]
        for step in range(steps):
            record(
                op, step, kinds, starts, counts, controls, control_values, swapped,
                starts[step] * 0 if formula else table[code, CONSTANTS_OF], places, places, bits, starts[step] * 0,
            )  # fmt: skip
            given = coefficients if formula else constants
            if kinds[step] == DIAGONAL:
                diagonal(tile, block_bits, op[RECORD - 1] * 0, op, bits, given, lanes)
            else:
                apply(tile, block_bits, op[RECORD - 1] * 0, op, bits, given, lanes, column)
    c, s = np.cos(phase), np.sin(phase)
    write_out(out, tile, n, places)
    if phase != 0.0:
        for k in range(0, 2 << n, 2):
            p, q = out[k], out[k + 1]
            out[k], out[k + 1] = p * c - q * s, p * s + q * c
    return True
