"""Rows of packed bits: outcomes of any width, where integers of 64 bits are too narrow.

A row holds the bits of one outcome, eight to a byte; bit k is bit k % 8 of byte k // 8.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.pool import check_cancelled

Rows = npt.NDArray[np.uint8]
#: Outcomes of up to so many bits are kept as integers of 64 bits.
NARROW = 62


def row_bytes(num_bits: int) -> int:
    """Bytes of a row.

    >>> row_bytes(9)
    2
    """
    return (num_bits + 7) // 8


def pack(columns: npt.NDArray[Any]) -> Rows:
    """Rows out of bits of shape (outcomes, bits).

    >>> pack(np.array([[1, 0, 1]]))
    array([[5]], dtype=uint8)
    """
    return np.packbits(columns.astype(np.uint8, copy=False), axis=1, bitorder="little")


def unpack(rows: Rows, num_bits: int) -> npt.NDArray[np.uint8]:
    """Bits of shape (outcomes, bits) out of rows."""
    return np.unpackbits(rows, axis=1, count=num_bits, bitorder="little")


def as_integers(rows: Rows) -> list[int]:
    """Each row as an integer.

    >>> as_integers(np.array([[5, 1]], np.uint8))
    [261]
    """
    data, width = rows.tobytes(), rows.shape[1]
    return [int.from_bytes(data[k * width : (k + 1) * width], "little") for k in range(len(rows))]


def as_narrow_integers(rows: Rows) -> npt.NDArray[np.int64]:
    """The same for rows of at most 62 bits, as an array.

    >>> as_narrow_integers(np.array([[5, 1]], np.uint8))
    array([261])
    """
    padded = np.zeros((len(rows), 8), np.uint8)
    padded[:, : rows.shape[1]] = rows
    return padded.view("<i8")[:, 0].astype(np.int64, copy=False)


def from_integers(values: Sequence[int], num_bits: int) -> Rows:
    """Rows out of integers."""
    width = row_bytes(num_bits)
    data = b"".join(int(value).to_bytes(width, "little") for value in values)
    return np.frombuffer(data, np.uint8).reshape(len(values), width)


def distinct(rows: Rows, frequencies: npt.NDArray[Any] | None = None) -> tuple[Rows, npt.NDArray[np.int64]]:
    """The distinct rows in ascending order of their integers, and how often each occurs.

    >>> distinct(np.array([[2], [1], [2]], np.uint8))
    (array([[1],
           [2]], dtype=uint8), array([1, 2]))
    """
    count, width = rows.shape
    if not count:
        return rows, np.zeros(0, np.int64)
    if not width:
        total = count if frequencies is None else int(frequencies.sum())
        return rows[:1], np.array([total], np.int64)
    # Most significant first, in words whose order as numbers is that of the bits.
    words = -(-width // 8)
    padded: npt.NDArray[Any] = np.zeros((count, 8 * words), np.uint8)
    padded[:, :width] = rows
    columns = padded.view("<u8")
    check_cancelled()
    order = np.lexsort(columns.T) if words > 1 else np.argsort(columns[:, 0], kind="stable")
    check_cancelled()
    ordered = columns[order]
    new = np.ones(count, bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    check_cancelled()
    starts = np.flatnonzero(new)
    weights = np.ones(count, np.int64) if frequencies is None else np.asarray(frequencies, np.int64)[order]
    return rows[order[starts]], np.add.reduceat(weights, starts)
