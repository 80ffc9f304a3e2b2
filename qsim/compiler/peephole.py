"""Peephole steps on lowered rows: drop identities, cancel inverses, merge rotations.

One sweep in program order. Each row looks back along its wires, over rows that it commutes with, for a row on the same
qubits that it cancels or merges with. Rows that are left form a linked list on every wire; one that is taken out shows
what came before it, so nested inverses vanish in the same sweep.

Rows commute here when, on every wire that they share, both are functions of one and the same Pauli matrix: of Z for a
control or a diagonal gate, of X for the target of a CX. A row of the gate table and one with a modifier that mean the
same (cx, a controlled x) are the same; phases (z, t, cp, ccz, a controlled gphase) have no target among their qubits.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from qsim.circuit import ROW
from qsim.compiler.lowering import Ints, Lowered
from qsim.gates import GATES, ComplexMatrix, GateRow
from qsim.kernels.jit import kernel
from qsim.kernels.window import borrowed, keep

#: Rows that one row may look back over on a wire: what makes the sweep take linear time.
WINDOW = 16
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

DROPPED = -100  # in place of a row's code
NOTHING, CANCEL, MERGE = 0, 1, 2
PHASE, FLIP, GLOBAL_PHASE = GATES["p"].code, GATES["x"].code, GATES["gphase"].code
MAX_COUNT = 62  # the control values of a row are bits of one integer

#: Columns of a node: an operand of a row that is left, in the list of its wire. A node for each wire ends its list.
BEFORE, AFTER, OWNER, AXIS, KEY = range(5)

TURN = 2 * math.pi
TWO_TURNS, TWO_TURNS_LOW = 4 * math.pi, 4 * 1.2246467991473532e-16  # the second: what a double lacks of 4 pi
#: Angles beyond this are not added up: the sum would round off what their sines are computed to.
MAX_ANGLE = 16.0
#: So near to whole turns an angle is whole turns, if they are few; the other number: what 2 pi as a double is off by.
EXACT, MAX_TURNS, TURN_ERROR = 1e-15, 2, 2.45e-16

_NO_SLOTS = np.zeros(0, dtype=np.int64)


def simplify(lowered: Lowered, num_qubits: int) -> None:
    """Turn `lowered` into the same unitary in fewer rows, in place: its `rows`, `values` and `phase` change.

    No length changes but that of `rows`, and `expressions` keep their places.
    """
    expressions = lowered.expressions
    slots = np.fromiter(expressions, np.int64, len(expressions)) if expressions else _NO_SLOTS
    count, phase = sweep(lowered.rows, lowered.operands, lowered.values, slots, gate_table(), num_qubits)
    if phase != 0.0:
        lowered.phase = lowered.phase + phase
    lowered.rows = lowered.rows[:count]


# The gate table ------------------------------------------------------------------------------------------------
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


# The sweep -----------------------------------------------------------------------------------------------------
@kernel()
def sweep(rows: Any, operands: Any, values: Any, slots: Any, table: Any, num_wires: int) -> Any:
    """Simplify `rows` and `values` in place; returns how many rows are left and the angle of the global factor.

    values[slots] are not known yet, and what has such a parameter stays as it is. Rows share no operands or values.
    """
    rows, operands, values, table = borrowed(rows), borrowed(operands), borrowed(values), borrowed(table)
    for p in range(len(slots)):
        values[slots[p]] = math.nan
    room = np.empty((len(operands) + num_wires, 5), dtype=np.int64)
    nodes = borrowed(room)
    for end in range(len(operands), len(nodes)):
        nodes[end, BEFORE] = -1
    phase = 0.0
    for k in range(len(rows)):
        search = True
        while True:  # again after each merge
            key = 0
            if rows[k, 0] >= 0:
                known = is_known(k, rows, values, table)
                phase += drop_identity(k, known, rows, values, table)
                if rows[k, 0] == DROPPED:
                    break
                if known and 0 < rows[k, 2] <= MAX_COUNT:
                    key = key_of(k, rows, operands, table, num_wires)
            other, related = np.int64(-1), NOTHING
            if key and search:
                other, related = find(k, key, rows, operands, values, table, nodes)
            if related == NOTHING:
                link(k, key, rows, operands, table, nodes)
                break
            unlink(other, rows, nodes)
            if related == CANCEL:
                rows[k, 0] = DROPPED
                rows[other, 0] = DROPPED
                break
            # One with an angle has met all that comes before it; a power of T has not merged with every other one.
            search = table[rows[other, 0], PARAMS] == 0
            merge(k, other, rows, values, table)
            rows[other, 0] = DROPPED
    count = 0
    for k in range(len(rows)):
        if rows[k, 0] != DROPPED:
            if count < k:
                for c in range(ROW):
                    rows[count, c] = rows[k, c]
            count += 1
    for p in range(len(slots)):
        values[slots[p]] = 0.0
    keep(room)
    return count, phase


@kernel(inner=True)
def is_known(k: int, rows: Any, values: Any, table: Any) -> bool:
    """Whether all parameters of row k are numbers."""
    unknown = 0
    for p in range(rows[k, 3], rows[k, 3] + table[rows[k, 0], PARAMS]):
        unknown += math.isnan(values[p])
    return unknown == 0


@kernel(inner=True)
def num_controls(k: int, rows: Any, table: Any) -> Any:
    """The controls of row k, the gate's own included; a given matrix has none of its own."""
    code = rows[k, 0]
    return rows[k, 4] + (table[code, OWN_CONTROLS] if code >= 0 else 0)


@kernel(inner=True)
def control_bits(k: int, rows: Any, table: Any) -> Any:
    """The values of all controls, the gate's own included."""
    return rows[k, 5] | (((1 << table[rows[k, 0], OWN_CONTROLS]) - 1) << rows[k, 4])


@kernel(inner=True)
def drop_identity(k: int, known: bool, rows: Any, values: Any, table: Any) -> Any:
    """Drop row k if it is the identity times a factor, whose angle is returned; a controlled -1 becomes a gphase."""
    code, first = rows[k, 0], rows[k, 3]
    params = table[code, PARAMS]
    if table[code, TRIVIAL]:
        rows[k, 0] = DROPPED
    elif known and table[code, ADDITIVE]:
        controls, angle = num_controls(k, rows, table), values[first]
        turns = math.floor(angle / TURN + 0.5) if abs(angle) <= MAX_TURNS * TURN else MAX_TURNS + 1
        if abs(turns) <= MAX_TURNS and abs(angle - turns * TURN) + abs(turns) * TURN_ERROR <= EXACT:
            whole = table[code, WHOLE]
            if turns % 2 == 0 or whole == 1:
                rows[k, 0] = DROPPED
            elif whole == -1 and controls == 0:
                rows[k, 0] = DROPPED
                return math.pi
            elif whole == -1 and controls <= MAX_COUNT:
                rows[k, 5] = control_bits(k, rows, table)
                rows[k, 0], rows[k, 2], rows[k, 4] = GLOBAL_PHASE, controls, controls
                values[first] = math.pi
        elif code == GLOBAL_PHASE and controls == 0:
            rows[k, 0] = DROPPED
            return angle
    elif known and params > 0 and table[code, ZERO_TRIVIAL]:
        for p in range(first, first + params):
            if values[p] != 0.0:
                return 0.0
        rows[k, 0] = DROPPED
    return 0.0


@kernel(inner=True)
def scrambled(x: int) -> int:
    """A hash of 45 bits, so that a sum of 64 has room in an integer."""
    x = (x * 0x9E3779B1) & 0x7FFFFFFF
    return ((x ^ (x >> 15)) * 0x5851F42D) & 0x1FFFFFFFFFFF


@kernel(inner=True)
def key_of(k: int, rows: Any, operands: Any, table: Any, num_wires: int) -> Any:
    """A positive hash, the same for all rows that row k might cancel or merge with."""
    code, at = rows[k, 0], rows[k, 1]
    controls, bits = num_controls(k, rows, table), control_bits(k, rows, table)
    phases = table[code, FAMILY] == PHASE
    ordered = table[code, SYMMETRIC] == 0 and table[code, REVERSED] == 0
    key = np.int64(0)
    for i in range(rows[k, 2]):
        w = operands[at + i]
        if i < controls:
            key += scrambled(2 * w + ((bits >> i) & 1))
        elif phases:
            key += scrambled(2 * w + 1)
        else:
            key += scrambled(2 * (w + num_wires * (1 + (i - controls if ordered else 0))))
    return (key << 9) + table[code, FAMILY] + 1


@kernel(inner=True)
def axis(k: int, i: int, rows: Any, table: Any) -> Any:
    """The Paulis that row k is a function of on its operand i."""
    code, controls = rows[k, 0], num_controls(k, rows, table)
    if i < controls:
        return AXIS_Z
    return (table[code, AXES] >> (3 * (i - controls))) & 7 if code >= 0 else 0


@kernel(inner=True)
def find(k: int, key: int, rows: Any, operands: Any, values: Any, table: Any, nodes: Any) -> Any:
    """The latest row that row k can move back to and cancel or merge with, and which of the two; else NOTHING."""
    at = rows[k, 1]
    other, related = np.int64(-1), NOTHING
    for i in range(rows[k, 2]):
        mine = axis(k, i, rows, table)
        node = nodes[len(operands) + operands[at + i], BEFORE]
        reached = False
        for _ in range(WINDOW):
            if node < 0:
                break
            if i > 0:
                reached = nodes[node, OWNER] == other
            elif nodes[node, KEY] == key:
                other = nodes[node, OWNER]
                related = relation(k, other, rows, operands, values, table)
                reached = related != NOTHING
            if reached or nodes[node, AXIS] & mine == 0:
                break
            node = nodes[node, BEFORE]
        if not reached:
            return other, NOTHING  # what stands in the way of this row stands in the way of all earlier ones
    return other, related


@kernel(inner=True)
def link(k: int, key: int, rows: Any, operands: Any, table: Any, nodes: Any) -> None:
    """Put row k at the end of its wires."""
    for i in range(rows[k, 2]):
        node = rows[k, 1] + i
        end = len(operands) + operands[node]
        before = nodes[end, BEFORE]
        nodes[node, BEFORE], nodes[node, AFTER], nodes[end, BEFORE] = before, end, node
        nodes[node, OWNER], nodes[node, AXIS], nodes[node, KEY] = k, axis(k, i, rows, table), key
        if before >= 0:
            nodes[before, AFTER] = node


@kernel(inner=True)
def unlink(k: int, rows: Any, nodes: Any) -> None:
    """Take row k out of its wires."""
    for node in range(rows[k, 1], rows[k, 1] + rows[k, 2]):
        before, after = nodes[node, BEFORE], nodes[node, AFTER]
        nodes[after, BEFORE] = before
        if before >= 0:
            nodes[before, AFTER] = after


# Two rows ------------------------------------------------------------------------------------------------------
@kernel(inner=True)
def same_controls(count: int, a_at: int, a_bits: int, b_at: int, b_bits: int, operands: Any) -> bool:
    """Whether two lists of as many controls are one set of qubits and values."""
    for i in range(count):
        found = False
        for j in range(count):
            if operands[a_at + i] == operands[b_at + j]:
                found = (a_bits >> i) & 1 == (b_bits >> j) & 1
                break
        if not found:
            return False
    return True


@kernel(inner=True)
def relation(k: int, j: int, rows: Any, operands: Any, values: Any, table: Any) -> Any:
    """What becomes of rows j and k, next to each other and without symbols: NOTHING, CANCEL or MERGE."""
    a, b, count = rows[k, 0], rows[j, 0], rows[k, 2]
    family = table[a, FAMILY]
    if family != table[b, FAMILY] or count != rows[j, 2]:
        return NOTHING
    controls, k_at, j_at = num_controls(k, rows, table), rows[k, 1], rows[j, 1]
    k_bits, j_bits = control_bits(k, rows, table), control_bits(j, rows, table)
    if family == PHASE:  # its target is one more control, with the value 1
        k_bits |= table[a, TARGETS] << controls
        j_bits |= table[b, TARGETS] << num_controls(j, rows, table)
        if not same_controls(count, k_at, k_bits, j_at, j_bits, operands):
            return NOTHING
        if table[a, PARAMS] + table[b, PARAMS] > 0:
            return addition(angle_of(k, rows, values, table), angle_of(j, rows, values, table))
        power = table[(table[a, EIGHTHS] + table[b, EIGHTHS]) & 7, POWER_OF_T]
        return MERGE if power >= 0 else CANCEL if (table[a, EIGHTHS] + table[b, EIGHTHS]) & 7 == 0 else NOTHING
    if controls != num_controls(j, rows, table) or not same_controls(controls, k_at, k_bits, j_at, j_bits, operands):
        return NOTHING
    straight = True
    for i in range(controls, count):
        straight = straight and operands[k_at + i] == operands[j_at + i]
    crossed = (
        count - controls == 2
        and operands[k_at + controls] == operands[j_at + controls + 1]
        and operands[k_at + controls + 1] == operands[j_at + controls]
    )
    if table[a, SYMMETRIC]:
        straight = crossed = straight or crossed
    if table[a, EIGHTHS]:
        eighths = (table[a, EIGHTHS] + table[b, EIGHTHS]) & 7
        if not straight:
            return NOTHING
        return CANCEL if eighths == 0 else MERGE if table[eighths, POWER_OF_X] >= 0 else NOTHING
    if table[a, ADDITIVE]:
        for p in range(1, table[a, PARAMS]):
            straight = straight and values[rows[k, 3] + p] == values[rows[j, 3] + p]
        return addition(values[rows[k, 3]], values[rows[j, 3]]) if straight else NOTHING
    if not (crossed if table[a, REVERSED] else straight):
        return NOTHING
    return CANCEL if inverts(k, j, rows, values, table) or inverts(j, k, rows, values, table) else NOTHING


@kernel(inner=True)
def inverts(k: int, j: int, rows: Any, values: Any, table: Any) -> bool:
    """Whether the gate of row k with its parameters is what the gate table gives as the inverse of row j's."""
    b = rows[j, 0]
    if table[b, INVERSE] != table[rows[k, 0], CORE]:
        return False
    for p in range(table[b, PARAMS]):
        column = INVERSE_PARAMS + 3 * p
        expected = table[b, column + 1] * values[rows[j, 3] + table[b, column]] + table[b, column + 2] * math.pi
        if values[rows[k, 3] + p] != expected:
            return False
    return True


@kernel(inner=True)
def angle_of(k: int, rows: Any, values: Any, table: Any) -> Any:
    """The angle of a phase."""
    code = rows[k, 0]
    return values[rows[k, 3]] if table[code, PARAMS] else table[code, EIGHTHS] * (math.pi / 4)


@kernel(inner=True)
def addition(a: float, b: float) -> int:
    """What becomes of two angles."""
    if a + b == 0.0:
        return CANCEL
    return MERGE if abs(a) <= MAX_ANGLE and abs(b) <= MAX_ANGLE else NOTHING


@kernel(inner=True)
def merge(k: int, j: int, rows: Any, values: Any, table: Any) -> None:
    """Make row k the product of rows j and k."""
    a, b = rows[k, 0], rows[j, 0]
    if table[a, PARAMS] + table[b, PARAMS] == 0:
        eighths = (table[a, EIGHTHS] + table[b, EIGHTHS]) & 7
        rows[k, 5] = control_bits(k, rows, table)
        rows[k, 4] = num_controls(k, rows, table)
        rows[k, 0] = table[eighths, POWER_OF_T if table[a, FAMILY] == PHASE else POWER_OF_X]
        return
    angle = angle_of(k, rows, values, table) + angle_of(j, rows, values, table)
    if table[a, PARAMS] == 0:  # it has no place for an angle; the other row's operands are the same qubits
        for c in range(ROW):
            rows[k, c] = rows[j, c]
    while abs(angle) > TWO_TURNS:
        sign = 1.0 if angle > 0 else -1.0
        angle = (angle - sign * TWO_TURNS) - sign * TWO_TURNS_LOW
    values[rows[k, 3]] = angle
