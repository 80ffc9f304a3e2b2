"""Memory kept from one run to the next: the room that kernels work in, and that of states which are gone.

The system takes back what a program frees and hands it out page by page again, which for a state of 16 qubits took as long
as a third of the run. Each Python thread keeps one array of each type of number; it is borrowed for the time of a run, so
that a run in the middle of another one (from a signal handler, say) gets another.
"""

from __future__ import annotations

import mmap
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.errors import QsimError

#: Larger ones are not kept.
_MOST_BYTES = 1 << 24
#: Bytes of a line of the cache: a vector that lies across two of them takes two reads, and NumPy's arrays begin in the middle.
_LINE = 64
#: Rooms of so many bytes lie in huge pages of this size, where the system has them: pages of 4 KiB lie anywhere in memory, and
#: where many of them share sets of the cache of level 2, a tile does not fit there.
_HUGE_FROM, _HUGE = 1 << 18, 1 << 21


class _Kept(threading.local):
    def __init__(self) -> None:
        self.arrays: dict[Any, npt.NDArray[Any]] = {}


_kept = _Kept()


def borrow(real: Any, count: int) -> npt.NDArray[Any]:
    """An array of at least `count` numbers with anything in it, which begins at a line of the cache; to be given back.

    >>> room = borrow(np.float64, 100)
    >>> len(room) >= 100, room.ctypes.data % 64
    (True, 0)
    >>> give_back(room)
    """
    array = _kept.arrays.pop(real, None)
    if array is None or len(array) < count:
        length = count * np.dtype(real).itemsize
        if length >= _HUGE_FROM and hasattr(mmap, "MADV_HUGEPAGE"):
            room = np.frombuffer(_pages(length), np.uint8)
        else:
            room = np.empty(length + _LINE, np.uint8)
        start = -room.ctypes.data % _LINE
        array = room[start : start + length].view(real)
    return array


def give_back(array: npt.NDArray[Any]) -> None:
    """Keep an array for the next run of this thread."""
    if array.nbytes <= _MOST_BYTES:
        _kept.arrays[array.dtype.type] = array


@contextmanager
def rooms(real: Any, count: int, number: int) -> Iterator[list[npt.NDArray[Any]]]:
    """So many rooms of `count` numbers each, which begin at lines of the cache."""
    stride = -(-count // 16) * 16
    array = borrow(real, stride * number)
    try:
        yield [array[stride * k : stride * k + count] for k in range(number)]
    finally:
        give_back(array)


# States. Fresh memory costs a fault for each page, which the system clears: half of a short run on 20 qubits. On a virtual
# machine that lets go of what it does not use it costs far more, since the host has to find each page again: half a second
# for 256 MiB. So the memory of a state which is gone is kept for the next one, and the system is told that it may take it:
# then it counts as available, and is taken, page by page, as soon as anything else wants it.

#: States of so many bytes are worth it; so many are kept where the system cannot be told that it may take them.
_LEAST_STATE, _KEPT_ANYWAY = 1 << 20, 1 << 27
#: A kept room serves a state of no less than this part of it.
_SMALLEST_PART = 4
_LAZY = getattr(mmap, "MADV_FREE", None)
_freed: list[mmap.mmap] = []  # appending and removing are atomic


@cache
def most_kept() -> int:
    """Bytes of the largest room that is kept: a quarter of the machine's memory, or what `QSIM_KEPT_MEMORY` says.

    >>> most_kept() >= 0
    True

    Raises:
        QsimError: if that is no number of bytes.
    """
    text = os.environ.get("QSIM_KEPT_MEMORY", "").strip()
    if text:
        if not text.isascii() or not text.isdigit():
            raise QsimError(
                f"QSIM_KEPT_MEMORY is a whole number of bytes, got {text!r}. 0 keeps no memory between runs; unset it to "
                "keep up to a quarter of the machine's."
            )
        return int(text)
    if _LAZY is None:
        return _KEPT_ANYWAY
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 4
    except (AttributeError, ValueError, OSError):
        return _KEPT_ANYWAY


def _pages(size: int) -> mmap.mmap:
    """At least so many bytes of this process alone, in whole huge pages where the system has them."""
    huge = hasattr(mmap, "MADV_HUGEPAGE")
    size = -(-size // _HUGE) * _HUGE if huge else size
    pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)  # not shared with a child
    if huge:
        with suppress(OSError):  # a system without them
            pages.madvise(mmap.MADV_HUGEPAGE)
    return pages


def state_room(size: int, clear: bool) -> npt.NDArray[np.uint8]:
    """`size` bytes, zeros if `clear` and else anything, in huge pages where the system has them.

    When the last array that lies there is gone, the memory of one state is kept for the next one.

    >>> room = state_room(1 << 20, clear=False)
    >>> room[:4] = 1
    >>> del room
    >>> int(state_room(1 << 20, clear=False)[:4].sum()) in (0, 4)
    True
    """
    if clear or not _LEAST_STATE <= size <= most_kept() or not hasattr(mmap, "MAP_ANONYMOUS"):
        if size > _LEAST_STATE:  # a large state is not to find another one beside it
            _freed.clear()
        return np.zeros(size, np.uint8) if clear else np.empty(size, np.uint8)
    try:
        pages = _freed.pop()
    except IndexError:
        pages = None
    if pages is None or not size <= len(pages) <= _SMALLEST_PART * size:
        del pages  # before more is taken
        pages = _pages(size)
    room = np.frombuffer(pages, np.uint8, count=size)
    weakref.finalize(room, _keep_one, pages).atexit = False
    return room


def zeros_unwritten(size: int, write: Callable[[npt.NDArray[np.uint8]], None]) -> npt.NDArray[np.uint8]:
    """`size` bytes, of which `write` sets a few; the rest are zeros that the system gives when they are first read.

    >>> int(zeros_unwritten(1 << 21, lambda room: room.__setitem__(5, 7)).sum())
    7
    """
    if not hasattr(mmap, "MAP_ANONYMOUS"):
        room = np.zeros(size, np.uint8)
        write(room)
        return room
    pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    room = np.frombuffer(pages, np.uint8)
    write(room)
    if hasattr(mmap, "MADV_HUGEPAGE"):  # not before, or each number written would clear a huge page
        with suppress(OSError):
            pages.madvise(mmap.MADV_HUGEPAGE)
    return room


def let_go() -> None:
    """Give the memory of a state that is gone back to the system, as a run that is held to a limit does first.

    >>> room = state_room(1 << 20, clear=False)
    >>> del room
    >>> let_go()
    >>> _freed
    []
    """
    _freed.clear()


def _keep_one(pages: mmap.mmap) -> None:
    if _freed:
        return
    if _LAZY is not None and len(pages) > _KEPT_ANYWAY:
        try:
            pages.madvise(_LAZY)
        except OSError:  # an older system
            return
    _freed.append(pages)
