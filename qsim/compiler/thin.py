"""Circuits whose state stays thin from beginning to end: few amplitudes that are not zero, times unentangled qubits.

GHZ states, adders and other reversible arithmetic on basis states, Fourier transforms of basis states, Bernstein and Vazirani's
algorithm: such circuits take as long as it takes to write their state. Others are found out after a small part of the time
that they take. See `qsim.kernels.thin`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.circuit import BARRIER, DELAY, MEASURE
from qsim.compiler.formulas import FACTORS, SHAPES
from qsim.compiler.lowering import MATRIX, Lowered
from qsim.compiler.plan import CONSTANTS_OF, CONTROLS_OF, FORMULA_OF, KIND_OF
from qsim.kernels.bind import put_gate
from qsim.kernels.jit import kernel
from qsim.kernels.opcodes import DENSE, DIAGONAL
from qsim.kernels.thin import (
    COUNT,
    COUNTERS,
    LIMIT,
    ROW_BITS,
    WORK,
    basis_state,
    join,
    put_entries,
    put_rows,
    sort_entries,
    thin_gate,
    times,
)
from qsim.kernels.window import borrowed, keep, window

#: At most so many entries, and one for so many amplitudes of the state, as a power of two.
_MOST_ENTRIES, _SPARSE_BITS = 1 << 12, 6
#: Entries may be worked on as often as an eighth of the state has amplitudes, or so often: a few milliseconds.
_WORK_BITS, _MOST_WORK = 3, 1 << 20
#: Small states may have so many in any case.
_LEAST_ENTRIES, _LEAST_WORK = 4, 64
#: Up to so many parts of the state are written one by one, the rest being memory that the system gives as zeros.
_FEW_BITS = 8
_COEFFICIENTS = 32


@dataclass(slots=True)
class Thin:
    """A state: entries, sorted by key, times vectors of loose qubits; see `qsim.kernels.thin.put_entries`."""

    num_qubits: int
    keys: npt.NDArray[np.int64]
    amplitudes: npt.NDArray[np.float64]
    qubits: npt.NDArray[np.int64]
    vectors: npt.NDArray[np.float64]

    @property
    def is_sparse(self) -> bool:
        """Whether nearly all of the state is zero, so that only the rest is worth writing."""
        return len(self.keys) << len(self.qubits) << _FEW_BITS <= 1 << self.num_qubits

    @property
    def num_rows(self) -> int:
        """Rows that `put_rows` writes."""
        return 1 << (self.num_qubits - self.row_bits)

    @property
    def row_bits(self) -> int:
        """Amplitudes of a row, as a power of two."""
        return min(self.num_qubits, ROW_BITS)

    def put_entries(self, flat: npt.NDArray[Any]) -> None:
        """Write the state to zeros, (re, im) pairs."""
        put_entries(flat, self.keys, self.amplitudes, self.qubits, self.vectors)

    def put_rows(self, flat: npt.NDArray[Any], start: int, stop: int) -> None:
        """Write rows [start, stop) of the state, (re, im) pairs."""
        put_rows(flat, self.keys, self.amplitudes, self.qubits, self.vectors, self.row_bits, start, stop)


def thin_state(
    lowered: Lowered, num_qubits: int, gates: npt.NDArray[np.int64], constants: npt.NDArray[np.float64],
    matrices: npt.NDArray[np.int64], phase: float,
) -> Thin | None:  # fmt: skip
    """The final state of lowered rows without symbolic values, from |0...0>, if it is thin all the time.

    Measurements, barriers and delays among the rows are passed over. gates, constants, matrices: as
    `qsim.compiler.plan.plan` takes them; phase: of the whole circuit, in radians.
    """
    n = num_qubits
    limit = max(_LEAST_ENTRIES, min(_MOST_ENTRIES, 1 << max(n - _SPARSE_BITS, 0)))
    keys, integers = np.empty(limit, np.int64), np.zeros(COUNTERS + n, np.int64)
    numbers = np.empty(2 * limit + 4 * n)
    counters, joined, amplitudes, loose = (
        integers[:COUNTERS],
        integers[COUNTERS:],
        numbers[: 2 * limit],
        numbers[2 * limit :],
    )
    counters[LIMIT] = limit
    budget = min(_MOST_WORK, (1 << n >> _WORK_BITS) + _LEAST_WORK)
    left = run_thin(
        lowered.rows, lowered.operands, lowered.values, MATRIX, gates, matrices, constants, SHAPES, FACTORS, phase, budget,
        keys, amplitudes, loose, joined, counters,
    )  # fmt: skip
    if left < 0:
        return None
    count = int(counters[COUNT])
    return Thin(n, keys[:count], amplitudes[: 2 * count], joined[:left], loose[: 4 * left])


@kernel()
def run_thin(
    rows: Any, operands: Any, values: Any, matrix_code: int, table: Any, matrices: Any, constants: Any, shapes: Any,
    factors: Any, phase: float, budget: int, keys: Any, amplitudes: Any, loose: Any, joined: Any, counters: Any,
) -> int:  # fmt: skip
    """All rows on |0...0>; -1 where the state is not thin, or a gate of another kind.

    The last five arguments are written to; see `qsim.kernels.thin`. In the end entries ascend by their keys, and `joined` and
    `loose` begin with the qubits that are still loose, none of them a basis state, of which the number is returned.
    """
    rows, operands, values, table = borrowed(rows), borrowed(operands), borrowed(values), borrowed(table)
    matrices, constants, keys, amplitudes = (
        borrowed(matrices),
        borrowed(constants),
        borrowed(keys),
        borrowed(amplitudes),
    )
    loose, joined, counters = borrowed(loose), borrowed(joined), borrowed(counters)
    shapes, factors = borrowed(shapes), borrowed(factors)
    n = len(joined)
    for q in range(n):
        joined[q], loose[4 * q] = 0, 1.0
        loose[4 * q + 1] = loose[4 * q + 2] = loose[4 * q + 3] = 0.0
    keys[0], amplitudes[0], amplitudes[1], counters[COUNT] = 0, 1.0, 0.0, 1
    owned, owned_waiting = np.empty(_COEFFICIENTS + 8), np.empty(n, dtype=np.int64)
    g, padded = window(owned, 0, _COEFFICIENTS), window(owned, _COEFFICIENTS, 4)
    spare, factor, waiting = (
        window(owned, _COEFFICIENTS + 4, 2),
        window(owned, _COEFFICIENTS + 6, 2),
        borrowed(owned_waiting),
    )
    factor[0], factor[1] = np.cos(phase), np.sin(phase)
    thin = True
    for row in range(len(rows)):
        code, at, count, first, extra = rows[row, 0], rows[row, 1], rows[row, 2], rows[row, 3], rows[row, 4]
        own, formula = 0, 0
        if code in (MEASURE, BARRIER, DELAY):
            continue
        if code == matrix_code:
            kind, constant = matrices[first, 0], matrices[first, 1]
        else:
            kind, constant = table[code, KIND_OF], table[code, CONSTANTS_OF]
            own, formula = table[code, CONTROLS_OF], table[code, FORMULA_OF]
        controls = extra + own
        entries = 1 << (count - controls)
        if kind == DENSE or (kind == DIAGONAL and 2 * entries > _COEFFICIENTS):
            thin = False
            break
        if formula:
            for j in range(4):
                padded[j] = values[first + j] if first + j < len(values) else 0.0
            put_gate(g, shapes[formula, 0], shapes[formula, 1], shapes[formula, 2], factors[formula], padded, entries)
        else:
            for j in range(min(2 * entries if kind == DIAGONAL else 8, len(constants) - constant)):
                g[j] = constants[constant + j]
        thin = thin_gate(
            kind, window(operands, at, count), controls, rows[row, 5] | (((1 << own) - 1) << extra), g, keys, amplitudes,
            loose, joined, counters, factor, waiting, spare,
        )  # fmt: skip
        if not thin or counters[WORK] > budget:
            thin = False
            break
    for q in range(n if thin else 0):
        if basis_state(loose, q) >= 0:
            join(q, keys, amplitudes, loose, joined, counters, factor)
    for e in range(counters[COUNT] if thin else 0):
        times(amplitudes, 2 * e, factor[0], factor[1])
    keep(owned)
    keep(owned_waiting)
    if not thin:
        return -1
    sort_entries(keys, amplitudes, counters[COUNT])
    left = 0
    for q in range(n):
        if joined[q] == 0:
            joined[left] = q
            for k in range(4):
                loose[4 * left + k] = loose[4 * q + k]
            left += 1
    return left
