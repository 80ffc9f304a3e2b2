"""Leaving out what does nothing to qubits that are still |0>.

From |0...0> on, a qubit stays |0> until a gate acts on it other than diagonally. A gate with a control on it that wants a 1
does nothing, nor does a phase of the state where it is 1: of a Fourier transform of |0...0> only the H are left.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qsim.compiler.gate_table import AXIS_Z, CORE, FAMILY, PHASE, TARGETS, gate_table
from qsim.compiler.lowering import Lowered
from qsim.compiler.peephole import axis, control_bits, num_controls
from qsim.gates import GATES
from qsim.kernels.jit import kernel
from qsim.kernels.window import borrowed


def drop_idle(lowered: Lowered, num_qubits: int) -> None:
    """Take such rows out of a circuit that starts from |0...0>, in place."""
    count = keep_active(lowered.rows, lowered.operands, gate_table(), num_qubits, GATES["swap"].code)
    lowered.rows = lowered.rows[:count]


@kernel()
def keep_active(rows: Any, operands: Any, table: Any, num_qubits: int, swap: int) -> int:
    """Move the rows that do something to the front, and return how many they are."""
    rows, operands, table = borrowed(rows), borrowed(operands), borrowed(table)
    zero = np.ones(max(num_qubits, 1), dtype=np.int64)
    kept = 0
    for k in range(len(rows)):
        code, at, count = rows[k, 0], rows[k, 1], rows[k, 2]
        controls = num_controls(k, rows, table)
        values = rows[k, 5] if code < 0 else control_bits(k, rows, table)
        idle = False
        for j in range(controls):
            idle = idle or (zero[operands[at + j]] == 1 and (values >> j) & 1 == 1)
        if code >= 0 and count - controls == 1 and table[code, FAMILY] == PHASE and table[code, TARGETS] == 1:
            idle = idle or zero[operands[at + controls]] == 1
        if code >= 0 and table[code, CORE] == swap:
            a, b = operands[at + count - 2], operands[at + count - 1]
            idle = idle or (zero[a] == 1 and zero[b] == 1)
            if controls == 0:
                zero[a], zero[b] = zero[b], zero[a]
            elif not idle:
                zero[a] = zero[b] = 0
        elif not idle:
            for j in range(controls, count):
                if not axis(k, j, rows, table) & AXIS_Z:
                    zero[operands[at + j]] = 0
        if not idle:
            for column in range(6):
                rows[kept, column] = rows[k, column]
            kept += 1
    return kept
