"""CX, a phase of the target, CX: a phase of the parity of two qubits, which is diagonal and takes no exchange.

Many programs spell rzz so, since the gate is in no standard library of OpenQASM 3.
"""

from __future__ import annotations

from typing import Any

from qsim.compiler.lowering import Lowered
from qsim.distributed.blocks import bits_of, masks
from qsim.gates import GATES

_CX, _RZ, _P, _RZZ = (GATES[name].code for name in ("cx", "rz", "p", "rzz"))


def join_parities(lowered: Lowered) -> None:
    """Put one rzz in place of each such three rows, in place; p(a) is rz(a) and a global phase of a / 2.

    Rows between the two CX may use the control as long as they leave it as it is.

    >>> from qsim import Circuit
    >>> from qsim.compiler.lowering import lower
    >>> lowered = lower(Circuit(3).cx(0, 1).rz(0.5, 1).cz(0, 2).cx(0, 1))
    >>> join_parities(lowered)
    >>> lowered.rows[:, 0].tolist() == [GATES["cz"].code, GATES["rzz"].code]
    True
    """
    rows = lowered.rows.tolist()
    last: dict[int, int] = {}  # wire -> the last row on it
    last_active: dict[int, int] = {}
    before: dict[int, int] = {}  # row on one wire -> the row before it there
    dropped: set[int] = set()
    for at, (row, (active, passive)) in enumerate(zip(rows, masks(lowered), strict=True)):
        wires = bits_of(active | passive)
        if row[0] == _CX and not row[4]:
            control, target = _operands(lowered, row)
            phase = last.get(target, -1)
            first = before.get(phase, -1)
            if first >= 0 and _is_cx(lowered, rows[first], control, target) and last_active.get(control, -1) < first:
                _join(lowered, at, rows[phase])
                row[0] = _RZZ
                dropped |= {first, phase}
                last[control] = last[target] = at
                continue
        elif row[0] in (_RZ, _P) and not row[4] and wires[0] in last:
            before[at] = last[wires[0]]
        for wire in wires:
            last[wire] = at
        for wire in bits_of(active):
            last_active[wire] = at
    if dropped:
        lowered.rows = lowered.rows[[at for at in range(len(rows)) if at not in dropped]]


def _operands(lowered: Lowered, row: list[int]) -> list[int]:
    return [int(wire) for wire in lowered.operands[row[1] : row[1] + row[2]]]


def _is_cx(lowered: Lowered, row: list[int], control: int, target: int) -> bool:
    return row[0] == _CX and not row[4] and _operands(lowered, row) == [control, target]


def _join(lowered: Lowered, at: int, phase: list[int]) -> None:
    """Make row `at`, the second CX, the phase of both wires."""
    if phase[0] == _P:
        angle: Any = lowered.expressions.get(phase[3], float(lowered.values[phase[3]]))
        lowered.phase = lowered.phase + angle * 0.5
    lowered.rows[at, 0], lowered.rows[at, 3] = _RZZ, phase[3]
