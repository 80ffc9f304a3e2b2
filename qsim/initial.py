"""Initial states: what a user gives, checked, as amplitudes of our own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.errors import QsimError
from qsim.pool import run_shares

Array = npt.NDArray[Any]
_H = math.sqrt(0.5)
_LABELS = {
    "0": (1, 0), "1": (0, 1), "+": (_H, _H), "-": (_H, -_H), "r": (_H, 1j * _H), "l": (_H, -1j * _H),
}  # fmt: skip
#: How far a norm may be from 1 for numbers of this precision.
_TOLERANCE = {"double": 1e-8, "single": 1e-5}
_PIECE = 1 << 17
#: Amplitudes that are copied at a time: what fits in a cache, and too few for BLAS to wake threads of its own.
_ROOM = 1 << 13
_FORMS = (
    "An initial state is a vector of 2**n amplitudes, a basis state (an index, or a bitstring whose rightmost character "
    "is qubit 0), or a product state (n single-qubit vectors, qubit 0 first, or a string of 0 1 + - r l)"
)


def initial_amplitudes(given: Any, num_qubits: int, dtype: Any) -> Array:
    """The amplitudes of an initial state, a new array of shape (2**n,).

    Args:
        given: amplitudes, shape (2**n,); a basis state's index; a string of a character a qubit, rightmost qubit 0, out of
            ``0 1 + - r l`` (r and l are the eigenstates of Y to 1 and -1); or n single-qubit vectors, shape (n, 2).
        num_qubits: n.
        dtype: np.complex128 or np.complex64.

    Raises:
        QsimError: for another length or form, numbers that are not finite, and a vector that is not normalised (to 1e-8,
            to 1e-5 in single precision).

    >>> initial_amplitudes("1+", 2, np.complex128).real.round(3)
    array([0.   , 0.   , 0.707, 0.707])
    """
    if isinstance(given, str):
        return _product(_from_labels(given, num_qubits), dtype)
    if isinstance(given, (int, np.integer)) and not isinstance(given, (bool, np.bool_)):
        if not 0 <= given < 1 << num_qubits:
            raise QsimError(
                f"A basis state of {num_qubits} qubits has an index from 0 to 2**{num_qubits} - 1, got {given}."
            )
        basis: Array = np.zeros(1 << num_qubits, dtype=dtype)
        basis[int(given)] = 1
        return basis
    array = _numbers(given)
    single = dtype == np.complex64 or array.dtype in (np.complex64, np.float32, np.float16)
    if array.shape == (1 << num_qubits,):
        return _copied(array, dtype, single)
    if array.shape == (num_qubits, 2):
        for qubit, vector in enumerate(array):
            _check_norm(float(np.linalg.norm(vector)), single, f"The initial state of qubit {qubit}")
        return _product(array, dtype)
    raise QsimError(
        f"{_FORMS}; of {num_qubits} qubits, the shape is ({1 << num_qubits},) or ({num_qubits}, 2), got {array.shape}."
    )


def product_vectors(given: Any, num_qubits: int) -> Array:
    """The single-qubit vectors of an initial state that is a product, shape (n, 2), qubit 0 first.

    Raises:
        QsimError: as `initial_amplitudes`, and for a vector of amplitudes, which need not be a product.

    >>> product_vectors("1+", 2).real.round(3)
    array([[0.707, 0.707],
           [0.   , 1.   ]])
    """
    if isinstance(given, (str, int, np.integer)) and not isinstance(given, (bool, np.bool_)):
        labels = given if isinstance(given, str) else product_labels(given, num_qubits)
        return np.array(_from_labels(labels, num_qubits), dtype=np.complex128).reshape(num_qubits, 2)
    array = _numbers(given)
    if array.shape != (num_qubits, 2):
        raise QsimError(
            f"This method starts from a product state: a basis state, a string of 0 1 + - r l, or an array of shape "
            f'({num_qubits}, 2); got shape {array.shape}. method="statevector" takes any amplitudes.'
        )
    for qubit, vector in enumerate(array):
        _check_norm(float(np.linalg.norm(vector)), array.dtype == np.complex64, f"The initial state of qubit {qubit}")
    return array


def product_labels(given: Any, num_qubits: int) -> str:
    """An initial state that is a product of eigenstates of Paulis, as a string of 0 1 + - r l, the rightmost qubit 0.

    >>> product_labels(2, 3)
    '010'
    """
    if isinstance(given, str):
        _from_labels(given, num_qubits)
        return given
    if isinstance(given, (int, np.integer)) and not isinstance(given, (bool, np.bool_)):
        if not 0 <= given < 1 << num_qubits:
            raise QsimError(
                f"A basis state of {num_qubits} qubits has an index from 0 to 2**{num_qubits} - 1, got {given}."
            )
        return format(int(given), f"0{num_qubits}b") if num_qubits else ""
    raise QsimError(
        "A stabiliser engine starts from a basis state, or from a string of the labels 0 1 + - r l; got "
        f'{type(given).__name__}. method="statevector" takes any amplitudes.'
    )


def initial_vectors(given: Any, num_qubits: int) -> Array | None:
    """The vectors of `product_vectors`, or None for a vector of amplitudes, which need not be a product.

    >>> initial_vectors([1, 0, 0, 0], 2) is None
    True
    """
    if not isinstance(given, (str, int, np.integer)) and _numbers(given).shape != (num_qubits, 2):
        return None
    return product_vectors(given, num_qubits)


def _from_labels(text: str, num_qubits: int) -> list[tuple[complex, complex]]:
    unknown = next((letter for letter in text if letter not in _LABELS), None)
    if unknown is not None:
        raise QsimError(f"A string for an initial state is made of 0 1 + - r l, got {unknown!r} in {text!r}.")
    if len(text) != num_qubits:
        raise QsimError(
            f"A string for an initial state has a character for each qubit, here {num_qubits}; {text!r} has {len(text)}."
        )
    return [_LABELS[letter] for letter in reversed(text)]


def _numbers(given: Any) -> Array:
    """An array of numbers, or an error."""
    if not isinstance(given, (np.ndarray, Sequence)):
        raise QsimError(f"{_FORMS}; got {type(given).__name__}.")
    try:
        array = np.asarray(given)
    except ValueError:
        raise QsimError(f"{_FORMS}; got sequences of different lengths.") from None
    if array.dtype.kind not in "fciu":
        raise QsimError(f"{_FORMS}; got entries of type {array.dtype}.")
    return array


def _copied(array: Array, dtype: Any, single: bool) -> Array:
    """A copy of amplitudes that are normalised, made in pieces between which a run can be stopped."""
    state, weights = np.empty(array.shape, dtype=dtype), []

    def share(_: int, start: int, stop: int) -> None:
        for first in range(start, stop, _ROOM):
            piece = array[first : min(first + _ROOM, stop)].astype(np.complex128)
            weights.append(float(np.vdot(piece, piece).real))
            state[first : first + len(piece)] = piece

    run_shares(share, len(array), 1, chunk=_PIECE, steady=True)
    _check_norm(math.sqrt(sum(weights)), single, "The initial state")
    return state


def _check_norm(norm: float, single: bool, what: str) -> None:
    if not math.isfinite(norm):
        raise QsimError(f"{what} has an amplitude that is not finite (NaN or infinity), or too large to be normalised.")
    tolerance = _TOLERANCE["single" if single else "double"]
    if not abs(norm - 1) <= tolerance:
        advice = "Divide it by np.linalg.norm(state)." if norm > 0 else "It has no direction that could be normalised."
        raise QsimError(f"{what} has norm {norm:.10g}, and a state has norm 1 (to {tolerance:g}). {advice}")


def _product(vectors: Any, dtype: Any) -> Array:
    """The product state of single-qubit vectors, qubit 0 first, built up in place."""
    state: Array = np.empty(1 << len(vectors), dtype=dtype)
    state[0] = 1
    size = 1
    for first, second in vectors:

        def share(_: int, start: int, stop: int, size: int = size, a: Any = first, b: Any = second) -> None:
            np.multiply(state[start:stop], dtype(b), out=state[size + start : size + stop])
            state[start:stop] *= dtype(a)

        run_shares(share, size, 1, chunk=_PIECE, steady=True)
        size *= 2
    return state
