"""What two statevectors say about each other, and what a few qubits of one say alone.

All functions take statevectors as `Simulator.statevector` returns them: qubit 0 is the least significant bit of an index.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.errors import QsimError
from qsim.memory import check_memory
from qsim.pauli import SparsePauliOp
from qsim.pool import check_cancelled

Array = npt.NDArray[Any]
MAX_REDUCED_QUBITS = 12  # 256 MiB of complex128
_BLOCK_BITS = 16
#: So many bits number the amplitudes between two looks whether the run is to stop: some milliseconds.
_PIECE_BITS = 18
_NORM_TOLERANCE = {np.dtype(np.complex64): 1e-4, np.dtype(np.complex128): 1e-8}


def matrix_element(bra: Array, observable: SparsePauliOp, ket: Array) -> complex:
    """<bra|O|ket>, for any operator O, Hermitian or not, and states of any norm.

    Terms with one X-mask share the products conj(bra[i ^ x]) ket[i]. Each is folded bit by bit, adding halves where a
    term has no Z and subtracting them where it has, and terms share the folds they begin with: a Walsh-Hadamard
    transform of which only the wanted outputs are computed.

    Args:
        bra, ket: complex64 or complex128, shape (2**n,).
        observable: on no more than n qubits.

    Returns:
        The matrix element, summed in double precision.

    Raises:
        QsimError: states that are not finite statevectors of one size, or an operator that is wider or no operator.

    >>> from qsim import Pauli
    >>> matrix_element(np.array([1, 0j]), Pauli.Y(0), np.array([0, 1 + 0j]))
    -1j
    """
    bra, ket = _same_size(bra, ket)
    if not isinstance(observable, SparsePauliOp):
        raise QsimError(f"An observable is a SparsePauliOp, got {type(observable).__name__}.")
    num_qubits = len(ket).bit_length() - 1
    if observable.num_qubits > num_qubits:
        raise QsimError(
            f"An observable acts on the state's qubits; it has {observable.num_qubits}, the state has {num_qubits}."
        )
    bits = min(num_qubits, _BLOCK_BITS)
    low_mask = (1 << bits) - 1
    low = np.arange(1 << bits)
    total = 0j
    for x, terms in _by_x_mask(observable).items():
        partners = low ^ (x & low_mask)
        low_parts = sorted({z & low_mask for z, _ in terms})
        for block in range(len(ket) >> bits):
            check_cancelled()
            other = block ^ (x >> bits)
            products = bra[other << bits : (other + 1) << bits][partners].conj().astype(np.complex128)
            products *= ket[block << bits : (block + 1) << bits]
            sums: dict[int, complex] = {}
            _signed_sums(products, low_parts, 0, sums)
            for z, coefficient in terms:
                sign = -1 if (z >> bits & block).bit_count() & 1 else 1
                total += sign * coefficient * sums[z & low_mask]
    return total


def fidelity(first: Array, second: Array) -> float:
    """The fidelity of two states: |<first|second>|**2 of two vectors, and of density matrices as Jozsa defines it.

    Args:
        first, second: complex64 or complex128, a normalised vector (2**n,) or a density matrix (2**n, 2**n).

    Raises:
        QsimError: arrays that are no finite states of one size, or not normalised.

    >>> round(fidelity(np.array([1, 0j]), np.array([0.6, 0.8j])), 12)
    0.36
    """
    from qsim.fidelities import state_fidelity

    return state_fidelity(first, second)


def reduced_density_matrix(state: Array, qubits: Sequence[int]) -> Array:
    """The density matrix of a few qubits, the others traced out.

    Args:
        state: complex64 or complex128, shape (2**n,).
        qubits: distinct, at most 12; the first is the least significant bit of a row and column index.

    Returns:
        Shape (2**k, 2**k) for k qubits, of the state's dtype.

    Raises:
        QsimError: an array that is no finite statevector, or qubits that are out of range, repeated or too many.
        MemoryLimitError: a copy of the state would not fit.

    >>> bell = np.array([1, 0, 0, 1]) / 2**0.5 + 0j
    >>> reduced_density_matrix(bell, [0]).real.round(3)
    array([[0.5, 0. ],
           [0. , 0.5]])
    """
    state = _statevector(state)
    num_qubits = len(state).bit_length() - 1
    kept = list(qubits)
    for qubit in kept:
        if isinstance(qubit, bool) or not isinstance(qubit, int | np.integer) or not 0 <= qubit < num_qubits:
            raise QsimError(f"Qubits are numbers from 0 to {num_qubits - 1}, got {qubit!r}.")
    if len(set(kept)) < len(kept):
        raise QsimError(f"Each qubit is given once, got {kept}.")
    if len(kept) > MAX_REDUCED_QUBITS:
        raise QsimError(f"A reduced density matrix has at most {MAX_REDUCED_QUBITS} qubits, got {len(kept)}.")
    size = state.dtype.itemsize
    check_memory(
        2 * state.nbytes + (2 * size << 2 * len(kept)), num_qubits, size, None, "reduced density matrix of a state"
    )
    # Axis a of the tensor is qubit n - 1 - a, so the kept qubits come in front with the last as most significant.
    front = [num_qubits - 1 - int(qubit) for qubit in reversed(kept)]
    rest = [axis for axis in range(num_qubits) if axis not in front]
    tensor = state.reshape((2,) * num_qubits).transpose(front + rest)
    outer = max(0, num_qubits - max(_PIECE_BITS, len(kept) + 4))  # the other qubits are summed over piece by piece
    result: Array = np.zeros((1 << len(kept), 1 << len(kept)), state.dtype)
    for index in np.ndindex((2,) * min(outer, len(rest))):
        check_cancelled()
        matrix = tensor[(slice(None),) * len(kept) + index].reshape(len(result), -1)
        result += matrix @ matrix.conj().T
    return result


def _by_x_mask(observable: SparsePauliOp) -> dict[int, list[tuple[int, complex]]]:
    """X-mask -> (Z-mask, coefficient of X**x Z**z): Y = i X Z."""
    simplified = observable.simplify()
    groups: dict[int, list[tuple[int, complex]]] = {}
    for x, z, c in zip(
        simplified.x_masks.tolist(), simplified.z_masks.tolist(), simplified.coefficients.tolist(), strict=True
    ):
        groups.setdefault(x, []).append((z, c * (1, 1j, -1, -1j)[(x & z).bit_count() & 3]))
    return groups


def _signed_sums(values: Array, z_masks: list[int], done: int, sums: dict[int, complex]) -> None:
    """sums[z] = sum of (-1)**|z & i| values[i], for masks that agree, as `done`, above the bits of an index."""
    if len(values) == 1:
        sums[done] = complex(values[0])
        return
    half = len(values) // 2
    without = [z for z in z_masks if not z & half]
    if without:
        _signed_sums(values[:half] + values[half:], without, done, sums)
    if len(without) < len(z_masks):
        _signed_sums(values[:half] - values[half:], [z for z in z_masks if z & half], done | half, sums)


def _same_size(first: Array, second: Array) -> tuple[Array, Array]:
    first, second = _statevector(first), _statevector(second)
    if len(first) != len(second):
        raise QsimError(f"Two states have one size; got {len(first)} and {len(second)} amplitudes.")
    return first, second


def _statevector(state: Any) -> Array:
    if not isinstance(state, np.ndarray) or state.dtype not in _NORM_TOLERANCE:
        kind = f"an array of {state.dtype}" if isinstance(state, np.ndarray) else type(state).__name__
        raise QsimError(f"A statevector is a NumPy array of complex64 or complex128, got {kind}. Use its astype.")
    if state.ndim != 1 or len(state).bit_count() != 1:
        raise QsimError(f"A statevector has the shape (2**n,), got {state.shape}.")
    if not all(_is_finite(state[k : k + (1 << _PIECE_BITS)]) for k in range(0, len(state), 1 << _PIECE_BITS)):
        raise QsimError("A statevector has finite amplitudes; this one has NaN or infinity in it.")
    return state


def _is_finite(piece: Array) -> bool:
    check_cancelled()
    return bool(np.isfinite(piece).all())
