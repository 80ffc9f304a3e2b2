"""Threads of our own for kernels, which run without the interpreter lock.

One pool a process, grown to the largest number asked for, made again after a fork. The caller works on the first
share itself; an exception of any share is raised.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from qsim.errors import QsimError

_lock = threading.Lock()
_pool: tuple[int, int, ThreadPoolExecutor] | None = None  # process, size, executor


def available_cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def thread_count(threads: int | None) -> int:
    """How many threads to use: `threads`, or QSIM_NUM_THREADS, or all cores; never more than there are cores."""
    source = "threads"
    if threads is None:
        text = os.environ.get("QSIM_NUM_THREADS", "")
        if not text:
            return available_cores()
        source = "QSIM_NUM_THREADS"
        try:
            threads = int(text)
        except ValueError:
            raise QsimError(f"QSIM_NUM_THREADS is a whole number of threads, got {text!r}.") from None
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise QsimError(f"{source} is a whole number of at least 1, got {threads!r}. Leave it out to use all cores.")
    return min(threads, available_cores()) if source == "QSIM_NUM_THREADS" else threads


def _executor(size: int) -> ThreadPoolExecutor:
    global _pool
    with _lock:
        if _pool is None or _pool[0] != os.getpid() or _pool[1] < size:
            _pool = (os.getpid(), size, ThreadPoolExecutor(size, thread_name_prefix="qsim"))
        return _pool[2]


def run_shares(function: Callable[[int, int, int], Any], total: int, threads: int) -> list[Any]:
    """Call ``function(share, start, stop)`` for `threads` contiguous shares of range(total); results in order."""
    threads = max(1, min(threads, total))
    bounds = [total * k // threads for k in range(threads + 1)]
    if threads == 1:
        return [function(0, 0, total)]
    executor = _executor(threads - 1)
    futures: list[Future[Any]] = [executor.submit(function, k, bounds[k], bounds[k + 1]) for k in range(1, threads)]
    try:
        first = function(0, bounds[0], bounds[1])
    finally:
        errors = [future.exception() for future in futures]
    for error in errors:
        if error is not None:
            raise error
    return [first, *[future.result() for future in futures]]


if hasattr(os, "register_at_fork"):
    # A child has none of its parent's threads; a lock that another thread held would stay locked.
    def _after_fork() -> None:
        global _lock, _pool
        _lock, _pool = threading.Lock(), None

    os.register_at_fork(after_in_child=_after_fork)
