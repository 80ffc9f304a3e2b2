"""Ranks that are threads of one process: for tests, and to see a plan at work without MPI."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, NoReturn, TypeVar

import numpy.typing as npt

from qsim.errors import RankError

Array = npt.NDArray[Any]
Result = TypeVar("Result")
#: Seconds between two looks whether another rank has ended the run.
_LOOK = 0.05


class _Shared:
    """What the ranks of one run share."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.boxes = {(a, b): SimpleQueue[Array]() for a in range(size) for b in range(size)}
        self.barrier = threading.Barrier(size)
        self.gathered: list[bytes | None] = [b""] * size  # None from a rank that has ended
        self.ended = threading.Event()
        self.reason = ""


class ThreadTransport:
    """Messages between threads; see `run_in_threads`."""

    def __init__(self, rank: int, shared: _Shared) -> None:
        self.rank, self._shared = rank, shared

    @property
    def size(self) -> int:
        """How many ranks there are."""
        return self._shared.size

    def exchange(self, peer: int, send: Array, receive: Array) -> None:
        """As `qsim.distributed.transport.Transport` says."""
        self._shared.boxes[self.rank, peer].put(send.copy())
        while True:
            try:
                receive[:] = self._shared.boxes[peer, self.rank].get(timeout=_LOOK)
                return
            except Empty:
                if self._shared.ended.is_set():
                    raise RankError(self._shared.reason) from None

    def gather(self, data: bytes) -> list[bytes]:
        """As `qsim.distributed.transport.Transport` says."""
        found = self._told(data)
        if None in found:
            raise RankError(
                f"Every rank makes the same calls: rank {found.index(None)} has ended, and rank {self.rank} goes on."
            )
        return [text for text in found if text is not None]

    def leave(self) -> None:
        """Tell those that go on that this rank has ended; they would wait for it."""
        with suppress(RankError):  # of one that has failed since
            self._told(None)

    def _told(self, data: bytes | None) -> list[bytes | None]:
        self._shared.gathered[self.rank] = data
        self._meet()
        found = list(self._shared.gathered)
        self._meet()  # nobody writes again before all have read
        return found

    def _meet(self) -> None:
        try:
            self._shared.barrier.wait()
        except threading.BrokenBarrierError:
            raise RankError(self._shared.reason or "Another rank has ended the run.") from None

    def abort(self, message: str) -> NoReturn:
        """As `qsim.distributed.transport.Transport` says."""
        self._shared.reason = self._shared.reason or message
        self._shared.ended.set()
        self._shared.barrier.abort()
        raise RankError(self._shared.reason)


def run_in_threads(size: int, function: Callable[[ThreadTransport], Result]) -> list[Result]:
    """Call a function on as many threads as there are ranks, each with its transport.

    Returns:
        What each rank returned.

    Raises:
        BaseException: the error of the rank that left first; those that wait for it get a `RankError`.

    >>> run_in_threads(2, lambda transport: [int(text) for text in transport.gather(str(transport.rank).encode())])
    [[0, 1], [0, 1]]
    """
    shared = _Shared(size)
    results: list[Any] = [None] * size
    errors: list[BaseException | None] = [None] * size
    left: list[BaseException] = []  # the error of the first rank that the others did not wait for

    def body(rank: int) -> None:
        transport = ThreadTransport(rank, shared)
        try:
            results[rank] = function(transport)
            transport.leave()
        except BaseException as error:
            errors[rank] = error
            if not shared.ended.is_set():
                left.append(error)
                shared.reason = shared.reason or f"Rank {rank} of {size} has ended: {type(error).__name__}: {error}"
                shared.ended.set()
                shared.barrier.abort()

    threads = [threading.Thread(target=body, args=(rank,), name=f"rank {rank}") for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in [*left, *errors]:
        if error is not None:
            raise error
    return results
