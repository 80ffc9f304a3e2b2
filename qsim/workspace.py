"""Room that kernels work in, kept from one run to the next.

The system takes back what a program frees and hands it out page by page again, which for a state of 16 qubits took as long
as a third of the run. Each Python thread keeps one array of each type of number; it is borrowed for the time of a run, so
that a run in the middle of another one (from a signal handler, say) gets another.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

#: Larger ones are not kept.
_MOST_BYTES = 1 << 24


class _Kept(threading.local):
    def __init__(self) -> None:
        self.arrays: dict[Any, npt.NDArray[Any]] = {}


_kept = _Kept()


def borrow(real: Any, count: int) -> npt.NDArray[Any]:
    """An array of at least `count` numbers with anything in it; to be given back.

    >>> room = borrow(np.float64, 100)
    >>> len(room) >= 100
    True
    >>> give_back(room)
    """
    array = _kept.arrays.pop(real, None)
    if array is None or len(array) < count:
        return np.empty(count, real)
    return array


def give_back(array: npt.NDArray[Any]) -> None:
    """Keep an array for the next run of this thread."""
    if array.nbytes <= _MOST_BYTES:
        _kept.arrays[array.dtype.type] = array


@contextmanager
def rooms(real: Any, count: int, number: int) -> Iterator[list[npt.NDArray[Any]]]:
    """So many rooms of `count` numbers each, which begin at lines of the cache if the first one does."""
    stride = -(-count // 16) * 16
    array = borrow(real, stride * number)
    try:
        yield [array[stride * k : stride * k + count] for k in range(number)]
    finally:
        give_back(array)
