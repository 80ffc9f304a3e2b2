"""Which bits of a basis state are measured, and how outcomes are sampled for them: decided before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
#: Shots that are drawn at a time are an eighth as many as amplitudes, and between these numbers.
FEWEST_SHOTS, MOST_SHOTS = 1 << 20, 1 << 23


def qubits_to_sample(pairs: Sequence[tuple[int, int]], num_qubits: int, shots: int) -> list[int] | None:
    """The qubits whose joint distribution is worth making first, or None to sample all qubits.

    Args:
        pairs: each measured qubit and its classical bit.

    Returns:
        The measured qubits in ascending order of their bits. None where all are measured into the bit of their number,
        or where the distribution would take more memory than an eighth of the state or than the shots themselves.
    """
    if list(pairs) == [(q, q) for q in range(num_qubits)]:
        return None
    room = max((16 << num_qubits) // 8, 16 * shots, 1 << 20)
    return [qubit for qubit, _ in sorted(pairs, key=lambda pair: pair[1])] if 8 << len(pairs) <= room else None


def shots_at_a_time(num_qubits: int) -> int:
    """How many shots are drawn together."""
    return min(max((1 << num_qubits) // 8, FEWEST_SHOTS), MOST_SHOTS)


def sampling_bytes(pairs: Sequence[tuple[int, int]], num_qubits: int, shots: int) -> int:
    """Bytes that sampling takes beside the state: for the shots that are drawn at a time, the outcomes, and partial sums."""
    made = qubits_to_sample(pairs, num_qubits, shots)
    width = num_qubits if made is None else len(made)
    at_a_time = shots_at_a_time(width)
    totals = 8 << width if shots > at_a_time else 0
    return 36 * min(shots, at_a_time) + totals + 16 * min(shots, 1 << width) + (0 if made is None else 24 << width)


def as_clbits(
    values: Array, frequencies: Array, pairs: Sequence[tuple[int, int]], sampled: list[int] | None
) -> tuple[Array, Array]:
    """Outcomes of `sampled` qubits, or of all, as outcomes of classical bits, ascending."""
    if sampled is None:
        return move_bits(values, frequencies, pairs)
    clbits = sorted(clbit for _, clbit in pairs)
    if clbits == list(range(len(clbits))):
        return values, frequencies
    return _moved(values, list(enumerate(clbits))), frequencies  # still distinct and ascending


def move_bits(values: Array, frequencies: Array, pairs: Sequence[tuple[int, int]]) -> tuple[Array, Array]:
    """Outcomes with bit `a` moved to `b` for each pair (a, b) and all others left out; equal ones added up, ascending.

    >>> move_bits(np.array([0, 1, 3]), np.array([1, 2, 3]), [(1, 0)])
    (array([0, 1]), array([3, 3]))
    """
    distinct, inverse = np.unique(_moved(values, pairs), return_inverse=True)
    totals = np.zeros(len(distinct), dtype=frequencies.dtype)
    np.add.at(totals, inverse, frequencies)
    return distinct, totals


def _moved(values: Array, pairs: Sequence[tuple[int, int]]) -> Array:
    wide = max((place for _, place in pairs), default=0) > 61
    result: Array = np.zeros(len(values), dtype=object if wide else np.int64)
    for bit, place in pairs:
        bits = (values >> bit) & 1
        result |= (bits.astype(object) if wide else bits.astype(np.int64)) << place
    return result
