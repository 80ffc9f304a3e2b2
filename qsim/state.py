"""Driving the kernels: a program over a state, and what is read from a state, on several threads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.compiler.program import Program
from qsim.kernels import passes, readout
from qsim.kernels.opcodes import LANE_BITS, RECORD
from qsim.pauli import SparsePauliOp
from qsim.pool import run_shares

Array = npt.NDArray[Any]
#: A share of a pass below this many amplitudes is not worth a thread.
MIN_SHARE = 1 << 13


def evolve(program: Program, parameters: Array, dtype: Any, threads: int, initial: Array | None = None) -> Array:
    """Run a program on |0...0> or on `initial` (overwritten); the result has shape (2**n,) and natural order."""
    real = np.float64 if dtype == np.complex128 else np.float32
    coefficients, phase = program.bind(parameters)
    coefficients = coefficients.astype(real, copy=False)
    size = 1 << program.num_qubits
    threads = max(1, min(threads, size // MIN_SHARE))
    if initial is None:
        state = np.empty(size, dtype=dtype)
        flat = state.view(real)
        run_shares(lambda _, start, stop: passes.clear(flat, start, stop), len(flat), threads)
        state[0] = phase
    else:
        state = initial
        flat = state.view(real)
        if phase != 1:
            state *= dtype(phase)
    most = max((part.tile_bits for part in program.passes), default=0)
    workspaces = [_workspace(most, program.dense_rows, real) for _ in range(threads)]
    for part in program.passes:

        def share(thread: int, start: int, stop: int, part: Any = part) -> None:
            passes.run_pass(
                flat, start, stop, part.tile_bits, part.run_bits, part.addresses, part.outer, part.permuted,
                part.source_low, part.source_high, part.ops, part.bits, coefficients, *workspaces[thread],
            )  # fmt: skip

        run_shares(share, part.num_tiles, threads)
    return state


def compile_kernels(dtype: Any) -> None:
    """Compile what `evolve` runs for this dtype, without running it."""
    real = np.float64 if dtype == np.complex128 else np.float32
    ints, none = np.zeros(1, np.int64), np.zeros(0, np.int64)
    passes.clear(np.zeros(2, real), 0, 0)
    passes.deposit_table(0, none)
    passes.run_pass(
        np.zeros(2, real), 0, 0, 1, 0, ints, none, False, none.astype(np.uint64), none, np.zeros((0, RECORD), np.int64),
        none, np.zeros(2, real), *_workspace(1, 2, real),
    )  # fmt: skip


def _workspace(tile_bits: int, rows: int, real: Any) -> tuple[Array, ...]:
    """A thread's tile (zeros: small states are padded), its lane weights, and a column of a dense matrix product."""
    size = max(1 << tile_bits, 1 << LANE_BITS)
    return (
        np.zeros(size, real),
        np.zeros(size, real),
        np.ones(1 << LANE_BITS, real),
        np.empty(rows, real),
        np.empty(rows, real),
    )


def _flat(state: Array) -> Array:
    return state.view(np.float64 if state.dtype == np.complex128 else np.float32)


def marginal_probabilities(state: Array, qubits: Sequence[int], threads: int) -> Array:
    """Outcome probabilities of `qubits`, the first as least significant bit, shape (2**k,)."""
    flat, size = _flat(state), len(state)
    if list(qubits) == list(range(size.bit_length() - 1)):
        out = np.empty(size)
        run_shares(
            lambda _, start, stop: readout.probabilities(flat, start, stop, out),
            size,
            threads if size >= MIN_SHARE else 1,
        )
        return out
    out = np.zeros(1 << len(qubits))
    readout.marginal(flat, size, np.array(qubits, dtype=np.int64), out)
    return out


def block_norms(state: Array, threads: int) -> tuple[Array, int]:
    """The weight of each block of amplitudes, and the size of a block."""
    flat, size = _flat(state), min(len(state), 1 << readout.BLOCK_BITS)
    norms = np.empty(len(state) // size)
    run_shares(lambda _, start, stop: readout.block_norms(flat, start, stop, size, norms), len(norms), threads)
    return norms, size


def sample_state(state: Array, shots: int, seed: int, threads: int) -> tuple[Array, Array]:
    """Outcomes of measuring all qubits: distinct ones, ascending, and how often each came."""
    norms, size = block_norms(state, threads)
    capacity = min(shots, len(state))
    values, frequencies = np.empty(capacity, np.int64), np.empty(capacity, np.int64)
    found = readout.sample(_flat(state), norms, size, shots, seed & 0xFFFFFFFF, seed >> 32, values, frequencies)
    return values[:found][::-1].copy(), frequencies[:found][::-1].copy()


def operator_moments(state: Array, operator: SparsePauliOp, threads: int) -> tuple[float, float]:
    """<psi|O|psi> (real part) and |O psi|**2, for a normalised or any state."""
    simplified = operator.simplify()
    x, z = simplified.x_masks.astype(np.int64), simplified.z_masks.astype(np.int64)
    ys = np.array([int(v).bit_count() for v in (x & z)], dtype=np.int64)
    coefficients = simplified.coefficients * np.array([1, 1j, -1, -1j])[ys % 4]  # Y = i X Z
    bits = min(len(state).bit_length() - 1, readout.BLOCK_BITS)
    out = np.empty((len(state) >> bits, 2))
    signs = readout.parity_signs(bits)
    re, im = np.ascontiguousarray(coefficients.real), np.ascontiguousarray(coefficients.imag)
    run_shares(
        lambda _, start, stop: readout.operator_moments(_flat(state), bits, start, stop, x, z, re, im, signs, out),
        len(out), threads,
    )  # fmt: skip
    mean, square = out.sum(axis=0)
    return float(mean), float(square)
