"""Exact runs of noisy circuits: density matrices of few qubits, through the same compiler and kernels as statevectors."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.compiler.program import compile_lowered
from qsim.noisy import Segment
from qsim.pauli import SparsePauliOp
from qsim.state import evolve
from qsim.superops import DensityWriter

Array = npt.NDArray[Any]


def run_segment(
    segment: Segment,
    num_qubits: int,
    dtype: Any,
    threads: int,
    start: Array | None = None,
    tile_bits: int | None = None,
) -> Array:
    """vec(rho) after a segment, shape (4**n,), from |0...0> or from `start`, which is overwritten."""
    writer = DensityWriter(num_qubits)
    writer.segment(segment)
    program = compile_lowered(
        writer.lowered(), 2 * num_qubits, (), dtype=dtype, tile_bits=tile_bits, natural_start=start is not None
    )
    state = evolve(program, np.zeros(0), dtype, threads, start)
    if writer.factor != 1.0:
        state *= state.dtype.type(writer.factor)
    return state


def populations(state: Array) -> Array:
    """The diagonal of rho: the probabilities of all outcomes, shape (2**n,), at least 0 and with sum 1."""
    size = 1 << (len(state).bit_length() - 1) // 2
    diagonal = np.maximum(state[:: size + 1].real.astype(np.float64), 0.0)
    return np.asarray(diagonal / diagonal.sum())


def trace_with(state: Array, operator: SparsePauliOp) -> float:
    """tr(O rho) of a Hermitian operator, summed in double precision."""
    size = 1 << (len(state).bit_length() - 1) // 2
    rows = np.arange(size)
    found: dict[int, Array] = {}
    total = 0.0
    for x, z, coefficient in zip(
        operator.x_masks.tolist(), operator.z_masks.tolist(), operator.coefficients.tolist(), strict=True
    ):
        if x not in found:
            # P = i**|x & z| X**x Z**z has the entry (r ^ x, r), so the trace takes rho[r, r ^ x].
            found[x] = state[rows + size * (rows ^ x)].astype(np.complex128)
        phase = (1, 1j, -1, -1j)[(x & z).bit_count() & 3]
        total += float((coefficient * phase * (found[x] * _signs(rows, z)).sum()).real)
    return total


def _signs(rows: Array, z: int) -> Array:
    return 1.0 - 2.0 * (np.bitwise_count(rows & z) & 1)
