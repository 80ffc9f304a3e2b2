"""How near states are to each other, and channels to gates.

States are vectors (2**n,) or density matrices (2**n, 2**n); channels are superoperators (4**n, 4**n) in the form that
`Simulator.superoperator` and `Channel.superoperator` give: on rho's columns, one under the other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.channels import Channel
from qsim.errors import QsimError
from qsim.linalg import unitary_error

Array = npt.NDArray[Any]
_TOLERANCE = {np.dtype(np.complex64): 1e-4, np.dtype(np.complex128): 1e-8}
#: How far a superoperator may be from a channel, entry by entry: circuits of many gates in single precision are nearer.
_CHANNEL_TOLERANCE = 1e-4


def state_fidelity(first: Array, second: Array) -> float:
    """The fidelity of two states, (tr sqrt(sqrt(rho) sigma sqrt(rho)))**2: |<a|b>|**2 of two vectors.

    Args:
        first, second: a normalised vector (2**n,) or a density matrix (2**n, 2**n) each, complex.

    Raises:
        QsimError: other shapes, numbers that are not finite, or what is no state: not normalised, not Hermitian, or with
            negative eigenvalues.

    Source: Jozsa, Journal of Modern Optics 41, 2315 (1994).

    >>> mixed = np.eye(2) / 2 + 0j
    >>> round(state_fidelity(np.array([1, 0j]), mixed), 12), round(state_fidelity(mixed, mixed), 12)
    (0.5, 1.0)
    """
    first, second = _state(first), _state(second)
    if len(first) != len(second):
        raise QsimError(f"Two states have one size; got {len(first)} and {len(second)}.")
    if first.ndim == second.ndim == 1:
        return float(abs(complex(np.vdot(first, second))) ** 2)
    if first.ndim == 1 or second.ndim == 1:
        vector, matrix = (first, second) if first.ndim == 1 else (second, first)
        return max(complex(np.vdot(vector, matrix @ vector)).real, 0.0)
    # tr sqrt(sqrt(rho) sigma sqrt(rho)) is the sum of the singular values of sqrt(rho) sqrt(sigma).
    total = float(np.linalg.svd(_root(first) @ _root(second), compute_uv=False).sum())
    return total * total


def process_fidelity(channel: Any, target: Any = None) -> float:
    """The fidelity of the two channels' Choi states: tr(S_target^dagger S) / 4**n for a unitary target.

    Args:
        channel: a superoperator (4**n, 4**n) or a `Channel`.
        target: a unitary (2**n, 2**n), a superoperator, a `Channel`, or None for the identity.

    Raises:
        QsimError: other shapes, numbers that are not finite, a superoperator that is no channel, or no unitary target.

    Source: Gilchrist, Langford and Nielsen, Physical Review A 71, 062310 (2005).

    >>> from qsim.noise import depolarizing
    >>> round(process_fidelity(depolarizing(0.04)), 12)
    0.97
    """
    given = _superoperator(channel)
    dimension = round(len(given) ** 0.5)
    if target is None:
        target = np.eye(dimension)
    if isinstance(target, np.ndarray) and target.shape == (dimension, dimension):
        deviation = unitary_error(target.astype(np.complex128))
        if not deviation < 1e-4:
            raise QsimError(f"A gate to compare with is unitary; this one is off by {deviation:.3g}.")
        wanted = np.kron(target.conj(), target)
        return complex(np.vdot(wanted, given)).real / float(dimension**2)
    wanted = _superoperator(target)
    if wanted.shape != given.shape:
        raise QsimError(f"Two channels act on as many qubits; got the shapes {given.shape} and {wanted.shape}.")
    return state_fidelity(_choi(given, dimension), _choi(wanted, dimension))


def average_gate_fidelity(channel: Any, target: Any = None) -> float:
    """The fidelity of the output with what `target` would give, averaged over all pure inputs: (d F + 1) / (d + 1).

    F is the process fidelity; `target` is unitary, or None for the identity.

    Source: Nielsen, Physics Letters A 303, 249 (2002).

    >>> from qsim.noise import depolarizing
    >>> round(average_gate_fidelity(depolarizing(0.04)), 12)
    0.98
    """
    dimension = round(len(_superoperator(channel)) ** 0.5)
    if target is not None and not (isinstance(target, np.ndarray) and target.shape == (dimension, dimension)):
        raise QsimError(f"An average gate fidelity is with a unitary, shape {(dimension, dimension)}, or None.")
    found: float = process_fidelity(channel, target)
    average: float = (dimension * found + 1) / (dimension + 1)
    return average


def _root(matrix: Array) -> Array:
    """The square root of a density matrix, without what rounding has put in place of zeros."""
    values, vectors = np.linalg.eigh(matrix)
    values = np.where(values > 16 * np.finfo(values.dtype).eps, values, 0.0)
    return np.asarray((vectors * np.sqrt(values)) @ vectors.conj().T)


def _is_positive(matrix: Array, tolerance: float) -> bool:
    """Whether no eigenvalue of a Hermitian matrix is below -tolerance: then, and only then, it has a Cholesky factor."""
    try:
        np.linalg.cholesky(matrix + tolerance * np.eye(len(matrix), dtype=matrix.dtype))
    except np.linalg.LinAlgError:
        return False
    return True


def _choi(superoperator: Array, dimension: int) -> Array:
    """The Choi matrix over d, a density matrix: entries (row, column) of E(|i><j|) in block (i, j)."""
    # An index of vec is row + d * column: axes (out column, out row, in column, in row).
    tensor = superoperator.reshape((dimension,) * 4)
    size = dimension**2
    return np.ascontiguousarray(tensor.transpose(3, 1, 2, 0).reshape(size, size) / dimension)


def _superoperator(given: Any) -> Array:
    if isinstance(given, Channel):
        return given.superoperator()
    if not isinstance(given, np.ndarray) or given.dtype.kind not in "fc":
        raise QsimError(f"A channel is a superoperator array or a Channel, got {type(given).__name__}.")
    size = given.shape[0] if given.ndim == 2 else 0
    if given.ndim != 2 or given.shape[1] != size or size < 4 or size.bit_count() != 1 or size.bit_length() % 2 == 0:
        raise QsimError(f"A superoperator has the shape (4**n, 4**n), got {given.shape}.")
    if not np.isfinite(given).all():
        raise QsimError("A superoperator has finite entries; this one has NaN or infinity in it.")
    dimension = round(size**0.5)
    # The trace of a matrix is a row vector on its vec; a channel leaves it what it is.
    trace = np.eye(dimension).reshape(-1)
    deviation = float(np.abs(trace @ given - trace).max())
    if deviation > _CHANNEL_TOLERANCE:
        raise QsimError(f"A channel preserves the trace; this superoperator is off by {deviation:.3g}.")
    choi = _choi(given, dimension)
    if float(np.abs(choi - choi.conj().T).max()) > _CHANNEL_TOLERANCE or not _is_positive(choi, _CHANNEL_TOLERANCE):
        raise QsimError("A channel is completely positive; this superoperator's Choi matrix is not positive.")
    return given


def _state(given: Any) -> Array:
    if not isinstance(given, np.ndarray) or given.dtype not in _TOLERANCE:
        kind = f"an array of {given.dtype}" if isinstance(given, np.ndarray) else type(given).__name__
        raise QsimError(f"A state is a NumPy array of complex64 or complex128, got {kind}. Use its astype.")
    size, square = len(given) if given.ndim else 0, given.ndim == 2 and given.shape[0] == given.shape[1]
    if size < 1 or size.bit_count() != 1 or not (given.ndim == 1 or square):
        raise QsimError(f"A state has the shape (2**n,) or, as a density matrix, (2**n, 2**n); got {given.shape}.")
    if not np.isfinite(given).all():
        raise QsimError("A state has finite entries; this one has NaN or infinity in it.")
    tolerance = _TOLERANCE[given.dtype]
    if given.ndim == 1:
        norm = float(np.vdot(given, given).real)
        if abs(norm - 1) > tolerance:
            raise QsimError(
                f"A fidelity is of normalised states; this one has a squared norm of {norm:.6g}. Divide it."
            )
    else:
        trace = complex(np.trace(given))
        if abs(trace - 1) > tolerance or np.abs(given - given.conj().T).max() > tolerance:
            raise QsimError(f"A density matrix is Hermitian and has trace 1; this one's trace is {trace:.6g}.")
        if not _is_positive(given, tolerance):
            raise QsimError("A density matrix has no negative eigenvalues; this one has.")
    return given
