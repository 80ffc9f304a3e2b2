"""Exact runs of noisy circuits: density matrices of few qubits, through the same compiler and kernels as statevectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.compiler.program import compile_lowered
from qsim.noisy import Segment
from qsim.pauli import SparsePauliOp
from qsim.state import evolve
from qsim.superops import DensityWriter

Array = npt.NDArray[Any]


class CompiledSegment:
    """A segment as a program on the 2 n bits of vec(rho), from |0...0> or, with `natural_start`, from any matrix."""

    def __init__(
        self, segment: Segment, num_qubits: int, dtype: Any, tile_bits: int | None = None, natural_start: bool = False
    ) -> None:
        writer = DensityWriter(num_qubits)
        writer.segment(segment)
        self.factor, self.dtype = writer.factor, dtype
        self.program = compile_lowered(
            writer.lowered(), 2 * num_qubits, (), dtype=dtype, tile_bits=tile_bits, natural_start=natural_start
        )

    def run(self, threads: int, start: Array | None = None) -> Array:
        """vec(rho), shape (4**n,); `start` is overwritten."""
        state: Array = evolve(self.program, np.zeros(0), self.dtype, threads, start)
        if self.factor != 1.0:
            np.multiply(state, state.dtype.type(self.factor), out=state)
        return state


def run_segment(
    segment: Segment,
    num_qubits: int,
    dtype: Any,
    threads: int,
    start: Array | None = None,
    tile_bits: int | None = None,
) -> Array:
    """vec(rho) after a segment, shape (4**n,), from |0...0> or from `start`, which is overwritten."""
    return CompiledSegment(segment, num_qubits, dtype, tile_bits, start is not None).run(threads, start)


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
    return np.asarray(1.0 - 2.0 * (np.bitwise_count(rows & z) & 1))


def partial_trace(matrix: Array, qubits: Sequence[int]) -> Array:
    """rho of `qubits` alone, the first as the least significant bit of an index; `matrix` has shape (2**n, 2**n)."""
    n = len(matrix).bit_length() - 1
    kept = [n - 1 - q for q in reversed(qubits)]
    rest = [axis for axis in range(n) if axis not in kept]
    tensor = matrix.reshape((2,) * (2 * n)).transpose([*kept, *rest, *[n + a for a in kept], *[n + a for a in rest]])
    shape = (1 << len(kept), 1 << len(rest))
    return np.asarray(np.einsum("arbr->ab", tensor.reshape(shape + shape)))
