"""What the peephole steps know of each gate, read off its matrix: a row of integers for every gate code."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from qsim.compiler.lowering import Ints
from qsim.gates import GATES, ComplexMatrix, GateRow

#: Paulis, as bits: what a gate is a function of on one wire. None of them stops everything.
AXIS_X, AXIS_Y, AXIS_Z = 1, 2, 4

#: Columns of the gate table as the kernel sees it. The core is the row of the same matrix without controls of its own;
#: rows of one FAMILY can cancel or merge. EIGHTHS: a power of T, or of its like about X, if not 0. WHOLE: the matrix
#: after a turn by 2 pi is 1 or -1 times the identity (0: neither). SYMMETRIC: in its two targets; REVERSED: the
#: inverse has them the other way round.
(
    OWN_CONTROLS, TARGETS, PARAMS, CORE, INVERSE, FAMILY, EIGHTHS, ADDITIVE, WHOLE, TRIVIAL, ZERO_TRIVIAL, SYMMETRIC,
    REVERSED, AXES, POWER_OF_T, POWER_OF_X, INVERSE_PARAMS,
) = range(17)  # fmt: skip
#: Parameter k of the inverse is sign * parameter[source] + pis * pi: three columns for each k from INVERSE_PARAMS on.
MAX_PARAMS = 4
COLUMNS = INVERSE_PARAMS + 3 * MAX_PARAMS

PHASE, FLIP, GLOBAL_PHASE, RZ, RZZ = (GATES[name].code for name in ("p", "x", "gphase", "rz", "rzz"))
X_EIGHTHS = 4  # X is the fourth power of the root that plays T's part about X
TURN = 2 * math.pi

_PROBE = (0.734, -1.187, 2.341, 0.419)  # what holds for these parameters holds for all


@cache
def gate_table() -> Ints:
    """Column values of every gate code, read off the gates' matrices at generic parameters."""
    table = np.zeros((max(len(GATES), 8), COLUMNS), dtype=np.int64)
    table[:8, POWER_OF_T : POWER_OF_X + 1] = -1
    cores: dict[tuple[int, int, bytes], int] = {}
    matrices = {row.code: row.base_matrix(*_PROBE[: row.num_params]) for row in GATES.values()}
    for row in sorted(GATES.values(), key=lambda row: row.controls):
        matrix, entry, targets = matrices[row.code], table[row.code], row.num_qubits - row.controls
        entry[[OWN_CONTROLS, TARGETS, PARAMS]] = row.controls, targets, row.num_params
        entry[CORE] = cores.setdefault((targets, row.num_params, matrix.tobytes()), row.code)
        entry[ADDITIVE] = row.scales == (0,)
        eye = np.eye(len(matrix))
        entry[TRIVIAL] = _equal(matrix, eye)
        entry[ZERO_TRIVIAL] = _equal(row.base_matrix(*[0.0] * row.num_params), eye)
        if row.scales == (0,):
            turned = row.base_matrix(TURN, *_PROBE[1 : row.num_params])
            entry[WHOLE] = int(_equal(turned, eye)) - int(_equal(turned, -eye))
        if targets == 2:
            entry[SYMMETRIC] = _equal(matrix[np.ix_([0, 2, 1, 3], [0, 2, 1, 3])], matrix)
        entry[REVERSED] = row.inverse_order is not None
        entry[AXES] = sum(_axes(matrix, k) << 3 * k for k in range(targets))
        if targets == 1 and not row.num_params:
            entry[EIGHTHS], entry[FAMILY] = _power(matrix)
    for row in GATES.values():
        entry = table[row.code]
        entry[INVERSE] = table[GATES[row.inverse].code, CORE]
        if entry[EIGHTHS]:
            if not row.controls:
                table[entry[EIGHTHS], POWER_OF_T if entry[FAMILY] == PHASE else POWER_OF_X] = row.code
        elif entry[CORE] in (PHASE, GLOBAL_PHASE):
            entry[FAMILY] = PHASE
        else:
            entry[FAMILY] = min(entry[CORE], entry[INVERSE])
        if not _set_inverse_params(row, entry[INVERSE_PARAMS:]) or row.inverse_order not in (None, (1, 0)):
            entry[INVERSE] = -1
    return table


def _equal(a: Any, b: Any) -> bool:
    return bool(abs(a - b).max() < 1e-14)


def _axes(matrix: ComplexMatrix, target: int) -> int:
    """The Paulis on one target that the matrix commutes with."""
    index = np.arange(len(matrix))
    flipped = index ^ (1 << target)
    signs = 1 - 2 * ((index >> target) & 1)
    by_z = signs[:, None] * matrix * signs
    by_x, by_y = matrix[np.ix_(flipped, flipped)], by_z[np.ix_(flipped, flipped)]
    return AXIS_X * _equal(by_x, matrix) | AXIS_Y * _equal(by_y, matrix) | AXIS_Z * _equal(by_z, matrix)


def _power(matrix: ComplexMatrix) -> tuple[int, int]:
    """Which power of T, or of H T H, the matrix is, from 1 to 7, and the family; else (0, 0)."""
    about_x = matrix[0, 1] != 0
    phase = matrix[0, 0] - matrix[0, 1] if about_x else matrix[1, 1]
    eighths = round(np.angle(phase) * 4 / math.pi) % 8
    turn = np.exp(0.25j * math.pi * eighths)
    plus, minus = (1 + turn) / 2, (1 - turn) / 2
    expected = np.array([[plus, minus], [minus, plus]]) if about_x else np.diag([1, turn])
    return (eighths, FLIP if about_x else PHASE) if _equal(matrix, expected) else (0, 0)


def _set_inverse_params(row: GateRow, columns: Ints) -> bool:
    """Write how the inverse's parameters follow from the gate's; False if they do not follow in that form."""
    count = row.num_params
    if count > MAX_PARAMS:
        return False
    zero = row.inverse_params(*[0.0] * count)
    for k in range(count):
        columns[3 * k + 2] = round(zero[k] / math.pi)
        for source in range(count):
            unit = row.inverse_params(*[float(p == source) for p in range(count)])
            if unit[k] != zero[k]:
                columns[3 * k], columns[3 * k + 1] = source, round(unit[k] - zero[k])
    got = [_PROBE[columns[3 * k]] * columns[3 * k + 1] + columns[3 * k + 2] * math.pi for k in range(count)]
    return got == list(row.inverse_params(*_PROBE[:count]))
