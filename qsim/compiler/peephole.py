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
from typing import Any

import numpy as np

from qsim.circuit import ROW
from qsim.compiler.gate_table import (
    ADDITIVE,
    AXES,
    AXIS_Z,
    CORE,
    EIGHTHS,
    FAMILY,
    FLIP,
    GLOBAL_PHASE,
    INVERSE,
    INVERSE_PARAMS,
    OWN_CONTROLS,
    PARAMS,
    PHASE,
    POWER_OF_T,
    POWER_OF_X,
    REVERSED,
    RZ,
    RZZ,
    SYMMETRIC,
    TARGETS,
    TRIVIAL,
    TURN,
    WHOLE,
    X_EIGHTHS,
    ZERO_TRIVIAL,
    gate_table,
)  # fmt: skip
from qsim.compiler.lowering import Lowered
from qsim.kernels.jit import kernel
from qsim.kernels.window import borrowed, keep

#: Rows that one row may look back over on a wire: what makes the sweep take linear time.
WINDOW = 16
DROPPED = -100  # in place of a row's code
NOTHING, CANCEL, MERGE = 0, 1, 2
MAX_COUNT = 62  # the control values of a row are bits of one integer

#: Columns of a node: an operand of a row that is left, in the list of its wire. A node for each wire ends its list.
BEFORE, AFTER, OWNER, AXIS, KEY = range(5)

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
    halves = np.empty(len(slots), dtype=np.int64)
    count, phase, num_halves = sweep(
        lowered.rows, lowered.operands, lowered.values, slots, halves, gate_table(), num_qubits
    )
    if phase != 0.0:
        lowered.phase = lowered.phase + phase
    for slot in halves[:num_halves].tolist():
        lowered.phase = lowered.phase + expressions[slot] * 0.5
    lowered.rows = lowered.rows[:count]


# The sweep -----------------------------------------------------------------------------------------------------
@kernel()
def sweep(rows: Any, operands: Any, values: Any, slots: Any, halves: Any, table: Any, num_wires: int) -> Any:
    """Simplify `rows` and `values` in place; returns how many rows are left and the angle of the global factor.

    values[slots] are not known yet, and what has such a parameter stays as it is, but for the phase of a parity, which may
    add half of one to the global phase: those are listed in `halves`, whose number is the last result. Rows share no
    operands or values.
    """
    rows, operands, values, table = borrowed(rows), borrowed(operands), borrowed(values), borrowed(table)
    for p in range(len(slots)):
        values[slots[p]] = math.nan
    room = np.empty((len(operands) + num_wires, 5), dtype=np.int64)
    nodes = borrowed(room)
    for end in range(len(operands), len(nodes)):
        nodes[end, BEFORE] = -1
    phase, num_halves = 0.0, 0
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
                turned = phase_between(k, rows, operands, table, nodes)
                if turned < 0:
                    link(k, key, rows, operands, table, nodes)
                    break
                if rows[turned, 0] == PHASE:
                    slot = rows[turned, 3]
                    if math.isnan(values[slot]):
                        halves[num_halves] = slot
                        num_halves += 1
                    else:
                        phase += values[slot] / 2
                search = True
                join_parity(k, turned, rows, operands, table, nodes, num_wires)
                if rows[k, 0] == DROPPED:
                    break
                continue
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
    return count, phase, num_halves


@kernel(copied=True)
def is_known(k: int, rows: Any, values: Any, table: Any) -> bool:
    """Whether all parameters of row k are numbers."""
    unknown = 0
    for p in range(rows[k, 3], rows[k, 3] + table[rows[k, 0], PARAMS]):
        unknown += math.isnan(values[p])
    return unknown == 0


@kernel(copied=True)
def num_controls(k: int, rows: Any, table: Any) -> Any:
    """The controls of row k, the gate's own included; a given matrix has none of its own."""
    code = rows[k, 0]
    return rows[k, 4] + (table[code, OWN_CONTROLS] if code >= 0 else 0)


@kernel(copied=True)
def control_bits(k: int, rows: Any, table: Any) -> Any:
    """The values of all controls, the gate's own included."""
    return rows[k, 5] | (((1 << table[rows[k, 0], OWN_CONTROLS]) - 1) << rows[k, 4])


@kernel(copied=True)
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


@kernel(copied=True)
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


@kernel(copied=True)
def axis(k: int, i: int, rows: Any, table: Any) -> Any:
    """The Paulis that row k is a function of on its operand i."""
    code, controls = rows[k, 0], num_controls(k, rows, table)
    if i < controls:
        return AXIS_Z
    return (table[code, AXES] >> (3 * (i - controls))) & 7 if code >= 0 else 0


@kernel(copied=True)
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


@kernel(copied=True)
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


@kernel(copied=True)
def unlink(k: int, rows: Any, nodes: Any) -> None:
    """Take row k out of its wires."""
    for node in range(rows[k, 1], rows[k, 1] + rows[k, 2]):
        before, after = nodes[node, BEFORE], nodes[node, AFTER]
        nodes[after, BEFORE] = before
        if before >= 0:
            nodes[before, AFTER] = after


# CX, a phase of the target, CX ---------------------------------------------------------------------------------
# That is a phase of the parity of two qubits, which is diagonal. Many programs spell rzz so, since the gate is in no
# standard library of OpenQASM 3, and so do Toffoli gates out of Clifford gates and T.
@kernel(copied=True)
def is_cx(k: int, rows: Any, table: Any) -> bool:
    """Whether row k is an X under one control that is to be 1."""
    code = rows[k, 0]
    if code < 0 or rows[k, 2] != 2 or table[code, FAMILY] != FLIP or table[code, EIGHTHS] != X_EIGHTHS:
        return False
    one: bool = num_controls(k, rows, table) == 1 and control_bits(k, rows, table) == 1
    return one


@kernel(copied=True)
def phase_between(k: int, rows: Any, operands: Any, table: Any, nodes: Any) -> Any:
    """The phase of the target, if row k is a CX, stands after it, and the same CX before; else -1.

    What stands between them on the control is to be a function of Z.
    """
    if rows[k, 2] != 2:
        return -1
    at = rows[k, 1]
    node = nodes[len(operands) + operands[at + 1], BEFORE]
    before = nodes[node, BEFORE] if node >= 0 else np.int64(-1)
    if before < 0:
        return -1
    turned, first = nodes[node, OWNER], nodes[before, OWNER]
    if rows[first, 2] != 2 or not is_cx(k, rows, table):
        return -1
    code = rows[turned, 0]
    if (
        code < 0
        or rows[turned, 2] != 1
        or not (code in (RZ, PHASE) or (table[code, EIGHTHS] and table[code, FAMILY] == PHASE))
    ):
        return -1
    if not is_cx(first, rows, table) or before != rows[first, 1] + 1 or operands[rows[first, 1]] != operands[at]:
        return -1
    node = nodes[len(operands) + operands[at], BEFORE]
    for _ in range(WINDOW):
        if nodes[node, OWNER] == first:
            return turned
        if nodes[node, AXIS] & AXIS_Z == 0:
            break
        node = nodes[node, BEFORE]
    return -1


@kernel(inner=True)
def join_parity(k: int, turned: int, rows: Any, operands: Any, table: Any, nodes: Any, num_wires: int) -> None:
    """Make the phase of the target between two CX, of which row k is the second, one of both qubits.

    With an angle that is rzz in place of row k. A power of T has no place for an angle: it becomes the same power on either
    qubit, in place of the first CX and where it was, and its inverse square on both.
    """
    first = nodes[nodes[rows[turned, 1], BEFORE], OWNER]
    eighths = table[rows[turned, 0], EIGHTHS]
    if not eighths:
        rows[k, 0], rows[k, 3], rows[k, 4], rows[k, 5] = RZZ, rows[turned, 3], 0, 0
        unlink(turned, rows, nodes)
        unlink(first, rows, nodes)
        rows[turned, 0] = rows[first, 0] = DROPPED
        return
    rows[first, 1], rows[first, 2] = rows[first, 1] + 1, 1
    unlink(first, rows, nodes)
    rows[first, 0], rows[first, 1], rows[first, 4], rows[first, 5] = rows[turned, 0], rows[first, 1] - 1, 0, 0
    node = rows[first, 1]
    nodes[node, AXIS], nodes[node, KEY] = AXIS_Z, key_of(first, rows, operands, table, num_wires)
    rows[k, 0], rows[k, 4], rows[k, 5] = table[-2 * eighths & 7, POWER_OF_T], 1, 1
    if rows[k, 0] < 0:  # of Z on either qubit nothing is left on both
        rows[k, 0] = DROPPED


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
