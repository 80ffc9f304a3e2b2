"""Small runs while the engine is not compiled: NumPy does them, so that nobody waits for a compiler to see a Bell pair.

A process may have a few runs in this way; then compiling pays. Results are the engine's, up to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.circuit import BARRIER, DELAY, GATE_OBJECT, MEASURE, ROW, Circuit, GateDefinition
from qsim.gates import Gate
from qsim.measured import as_clbits, qubits_to_sample
from qsim.pauli import SparsePauliOp

Array = npt.NDArray[Any]

#: Estimated seconds: of one gate, of each amplitude of it, and that one run may take.
_PER_GATE, _PER_AMPLITUDE, _MOST_A_RUN = 5e-5, 3e-8, 0.5
_MOST_RUNS, _MOST_QUBITS, _MOST_SHOTS, _MOST_TERMS = 2, 12, 1_000_000, 1000
_runs = 0
#: The precisions that this process knows the engine to be compiled in.
compiled: set[str] = set()


def engine_is_compiled(precision: str) -> bool:
    """Whether this process has run the engine in this precision, or a cache has what an earlier one compiled."""
    if precision in compiled:
        return True
    from qsim.kernels.jit import cache_folder

    folder = cache_folder()
    if folder is not None and any((folder / f"{word}-{precision}").exists() for word in ("ready", "used")):
        compiled.add(precision)
    return precision in compiled


def remember_compiled(precision: str) -> None:
    """Note, for later processes too, that the engine is there in this precision."""
    from qsim.kernels.jit import cache_folder

    compiled.add(precision)
    folder = cache_folder()
    if folder is not None:
        try:
            (folder / f"used-{precision}").touch(mode=0o600)
        except OSError:
            return  # a read-only cache: the next process asks again


def worth_it(circuit: Circuit, precision: str, sets: int = 1, shots: int = 1, terms: int = 1) -> bool:
    """Whether a circuit of gates and final measurements should run here.

    Not those of a batch: its results have the engine's bits wherever, and in how many parts, it is run.
    """
    if sets > 1:
        return False
    if _runs >= _MOST_RUNS or precision in compiled:
        return False
    if circuit.num_qubits > _MOST_QUBITS or shots > _MOST_SHOTS or terms > _MOST_TERMS:
        return False
    operations = len(circuit) + terms
    if operations * (_PER_GATE + _PER_AMPLITUDE * (1 << circuit.num_qubits)) > _MOST_A_RUN:
        return False
    return not engine_is_compiled(precision) and all(_quick(circuit, at) for at in range(0, len(circuit._rows), ROW))


def _quick(circuit: Circuit, at: int) -> bool:
    """Whether the matrix of the operation at this place is small and soon made."""
    code, _, qubits, index = circuit._rows[at : at + 4]
    if code == GATE_OBJECT:
        base = circuit._objects[index].base  # type: ignore[union-attr]
        if isinstance(base, GateDefinition) and (base.uses or len(base.body) > 50):
            return False
    return code in (MEASURE, BARRIER, DELAY) or qubits <= 6


def state(circuit: Circuit, row: Array, dtype: Any, initial: Array | None = None) -> Array:
    """The final state for one row of parameter values, from |0...0> or from `initial`, which is left as it is."""
    global _runs
    _runs += 1
    if circuit.parameters:
        circuit = circuit.bind({p.name: float(v) for p, v in zip(circuit.parameters, row, strict=True)})
    n = circuit.num_qubits
    tensor: Array = np.zeros((2,) * n, dtype=np.complex128)  # axis a is qubit n - 1 - a
    tensor[(0,) * n] = 1
    if initial is not None:
        tensor = initial.astype(np.complex128).reshape((2,) * n)
    tensor *= np.exp(1j * float(circuit.global_phase))  # a number, once bound
    for code, instruction in zip(circuit._rows[::ROW], circuit, strict=True):
        if code in (MEASURE, BARRIER, DELAY):
            continue
        gate = instruction.operation
        assert isinstance(gate, Gate)
        matrix, qubits = gate.matrix(), instruction.qubits
        if not qubits:
            tensor *= matrix[0, 0]
            continue
        axes = [n - 1 - q for q in reversed(qubits)]
        size = len(qubits)
        tensor = np.tensordot(matrix.reshape((2,) * 2 * size), tensor, axes=(range(size, 2 * size), axes))
        tensor = np.moveaxis(tensor, range(size), axes)
    return np.ascontiguousarray(tensor).reshape(-1).astype(dtype)


def marginal(amplitudes: Array, qubits: Any) -> Array:
    """Outcome probabilities of `qubits`, the first as least significant bit."""
    weights = np.abs(amplitudes.astype(np.complex128)) ** 2
    index = np.arange(len(weights))
    value = np.zeros(len(weights), dtype=np.int64)
    for k, q in enumerate(qubits):
        value |= ((index >> q) & 1) << k
    return np.bincount(value, weights, minlength=1 << len(qubits))


def sample_bits(amplitudes: Array, pairs: Sequence[tuple[int, int]], shots: int, seed: int) -> tuple[Array, Array]:
    """Outcomes of the classical bits that qubits are measured into, as `qsim.sampling.sample_bits` gives them."""
    sampled = qubits_to_sample(pairs, len(amplitudes).bit_length() - 1, shots)
    if sampled is not None:
        amplitudes = np.sqrt(marginal(amplitudes, sampled))
    return as_clbits(*sample(amplitudes, shots, seed), pairs, sampled)


def sample(amplitudes: Array, shots: int, seed: int) -> tuple[Array, Array]:
    """Distinct outcomes, ascending, and how often each came: the numbers that `qsim.kernels.sampling` draws."""
    weights = np.abs(amplitudes.astype(np.complex128)) ** 2
    below = np.concatenate([[0.0], np.cumsum(weights)])
    outcomes = np.searchsorted(below, _uniform(seed, shots) * below[-1], side="right") - 1
    # Where rounding leads to an outcome that cannot be, the one before it that can.
    possible = np.flatnonzero(weights)
    outcomes = possible[np.maximum(np.searchsorted(possible, outcomes, side="right") - 1, 0)]
    values, frequencies = np.unique(outcomes, return_counts=True)
    return values.astype(np.int64), frequencies.astype(np.int64)


def _uniform(seed: int, count: int) -> Array:
    """Philox 4x32 with 10 rounds, as `qsim.kernels.sampling.two_uniforms`: the numbers of shots 0 to count - 1."""
    mask, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    counter = np.arange((count + 1) // 2, dtype=np.uint64)
    c0, c1 = counter & mask, counter >> shift
    c2, c3 = np.zeros_like(c0), np.zeros_like(c0)
    k0, k1 = np.uint64(seed & 0xFFFFFFFF), np.uint64(seed >> 32)
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c0, np.uint64(0xCD9E8D57) * c2
        c0, c1, c2, c3 = (p1 >> shift) ^ c1 ^ k0, p1 & mask, (p0 >> shift) ^ c3 ^ k1, p0 & mask
        k0 = np.uint64((int(k0) + 0x9E3779B9) & 0xFFFFFFFF)
        k1 = np.uint64((int(k1) + 0xBB67AE85) & 0xFFFFFFFF)
    bits = np.stack([(c0 << shift) | c1, (c2 << shift) | c3], axis=1).reshape(-1)[:count] >> np.uint64(12)
    numbers: Array = (bits.astype(np.float64) + 0.5) * 2.0**-52
    return numbers


def moments(amplitudes: Array, operator: SparsePauliOp) -> tuple[float, float]:
    """<psi|O|psi> and the square of O|psi>."""
    simplified = operator.simplify()
    psi, index = amplitudes.astype(np.complex128), np.arange(len(amplitudes))
    image = np.zeros_like(psi)
    for x, z, coefficient in zip(
        simplified.x_masks.tolist(), simplified.z_masks.tolist(), simplified.coefficients.tolist(), strict=True
    ):
        parity = index & z
        for shift in (8, 4, 2, 1):
            parity = parity ^ (parity >> shift)
        signs = 1 - 2 * (parity & 1)
        image[index ^ x] += coefficient * 1j ** ((x & z).bit_count() % 4) * signs * psi
    return float(np.vdot(psi, image).real), float(np.vdot(image, image).real)
