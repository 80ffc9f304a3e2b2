"""Threads of our own for kernels, which run without the interpreter lock; cancelling, and telling how far a run is.

Work is cut into chunks of bounded time, which the caller and its helpers take one after the other. Between two chunks
the caller is ordinary Python, so Ctrl-C arrives and `controlled` is asked. Helpers are an offer: a caller that finds
them busy does all of its work itself, so nobody ever waits for a thread that does not run, and a process has at most
one helper fewer than cores, however many of its threads call. A child after a fork makes new ones.
"""

from __future__ import annotations

import _thread
import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from queue import SimpleQueue
from time import perf_counter
from typing import Any, Protocol

from qsim.errors import QsimError, RunCancelled

Share = Callable[[int, int, int], Any]
Progress = Callable[[int, int], Any]

#: Seconds that a call takes at least, if it can: some times what waking a thread takes.
WORTH_A_CALL = 1e-4
#: Seconds that a call takes at most, if it can, going by the one before. Far less than Ctrl-C may take, since a call that
#: is the first to write to its memory waits for the system to give it: up to a hundred times as long.
LONGEST_CALL = 1e-3


def available_cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def thread_count(threads: int | None) -> int:
    """How many threads to use: `threads`, or QSIM_NUM_THREADS, or all cores; never more than there are cores.

    >>> thread_count(1_000) == available_cores()
    True
    """
    source = "threads"
    if threads is None:
        text = os.environ.get("QSIM_NUM_THREADS", "").strip()
        if not text:
            return available_cores()
        source = "QSIM_NUM_THREADS"
        try:
            threads = int(text)
        except ValueError:
            raise QsimError(
                f"QSIM_NUM_THREADS is a whole number of threads, got {text!r}. Unset it to use all cores."
            ) from None
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise QsimError(f"{source} is a whole number of at least 1, got {threads!r}. Leave it out to use all cores.")
    return min(threads, available_cores())


# cancelling and progress --------------------------------------------------------------------------------------
class Cancel(Protocol):
    """Anything that says whether to stop, such as a `threading.Event`."""

    def is_set(self) -> bool: ...


class _Control:
    """What `controlled` was given; an outer one's cancel goes on to count."""

    __slots__ = ("cancel", "outer", "progress")

    def __init__(self, cancel: Cancel | None, progress: Progress | None, outer: _Control | None) -> None:
        self.cancel, self.progress, self.outer = cancel, progress, outer

    def check(self) -> None:
        control: _Control | None = self
        while control is not None:
            if control.cancel is not None and control.cancel.is_set():
                raise RunCancelled("The run was cancelled, so it has no result.")
            control = control.outer


# Of the calling thread alone: two sessions in one process do not cancel each other.
_control: ContextVar[_Control | None] = ContextVar("qsim_control", default=None)


@contextlib.contextmanager
def controlled(cancel: Cancel | None = None, progress: Progress | None = None) -> Iterator[None]:
    """Runs inside can be cancelled from another thread, and tell how far they are.

    Args:
        cancel: asked several times a second; once ``cancel.is_set()``, the run raises `RunCancelled`.
        progress: called as ``progress(done, total)`` in the thread that runs, `done` rising to `total`. An exception
            that it raises ends the run.

    >>> from qsim import Circuit, Simulator
    >>> stop = threading.Event()
    >>> with controlled(cancel=stop):
    ...     Simulator().statevector(Circuit(1).x(0)).real
    array([0., 1.])
    >>> stop.set()
    >>> with controlled(cancel=stop):
    ...     Simulator().statevector(Circuit(1).x(0))
    Traceback (most recent call last):
    qsim.errors.RunCancelled: The run was cancelled, so it has no result.
    """
    outer = _control.get()
    if progress is None and outer is not None:
        progress = outer.progress
    token = _control.set(_Control(cancel, progress, outer))
    try:
        yield
    finally:
        _control.reset(token)


def check_cancelled() -> None:
    """Raise `RunCancelled` when `controlled` says so: for work that asks between steps of its own."""
    control = _control.get()
    if control is not None:
        control.check()


def report(done: int, total: int) -> None:
    """Between two passes: stop if the run was cancelled, and tell that `done` steps of `total` are done.

    >>> with controlled(progress=lambda done, total: print(f"{done} of {total}")):
    ...     report(1, 2)
    ...     report(2, 2)
    1 of 2
    2 of 2
    """
    control = _control.get()
    if control is not None:
        control.check()
        if control.progress is not None:
            control.progress(done, total)


@contextlib.contextmanager
def part(index: int, count: int) -> Iterator[None]:
    """What is reported inside belongs to one of `count` equal parts of a larger run.

    >>> with controlled(progress=lambda done, total: print(f"{done} of {total}")):
    ...     for k in range(2):
    ...         with part(k, 2):
    ...             report(5, 5)
    5 of 10
    10 of 10
    """
    control = _control.get()
    if control is None or control.progress is None or count == 1:
        yield
        return
    tell = control.progress
    with controlled(progress=lambda done, total: tell(index * total + done, count * total)):
        yield


# running ------------------------------------------------------------------------------------------------------
def run_shares(function: Share, total: int, threads: int, *, chunk: int | None = None, steady: bool = False) -> None:
    """Call ``function(worker, start, stop)`` for pieces of range(total) until all of it is done, on several threads.

    Args:
        function: releases the interpreter lock for nearly all of its time. What it does for one index must not depend
            on which worker does it, nor on where pieces begin; calls at the same time have different workers.
        total: how many indices there are.
        threads: workers are numbered below this. The caller is worker 0.
        chunk: how many indices a call gets at first, a few milliseconds' worth or less; from then on calls are timed
            and get what takes up to 1 ms, since Ctrl-C and cancelling wait for the calls that run. None: for work that
            is short anyway; each thread's part is one call or some.
        steady: no call gets more than `chunk`: for what is first to write to its memory. How long the system takes to
            give a page says nothing about the next one.

    Raises:
        RunCancelled: by `controlled`. Whatever a call raises is raised too, and no further call begins.

    >>> squares = [0] * 10
    >>> def share(worker, start, stop):
    ...     for k in range(start, stop):
    ...         squares[k] = k * k
    >>> run_shares(share, 10, threads=2, chunk=3)
    >>> squares
    [0, 1, 4, 9, 16, 25, 36, 49, 64, 81]
    """
    control = _control.get()
    if control is not None:
        control.check()
    if chunk is None:
        chunk = -(-total // max(threads, 1))
    if total <= chunk:
        function(0, 0, total)
        return
    job, failure = _Job(_pool, function, total, max(threads, 1), max(chunk, 1), steady), None
    try:
        job.pool.offer(job, min(job.threads, -(-total // job.chunk)) - 1)
        job.work(0, control)
    except BaseException as error:
        failure = error
    while True:
        try:
            job.finish()
            break
        except BaseException as error:  # Ctrl-C while waiting; but helpers still write into the caller's arrays
            failure = error
    failure = job.close(failure)
    if failure is not None:
        try:
            raise failure
        finally:
            del failure  # it refers to this frame, and so to all that the call works on


class _Job:
    """One call of `run_shares`."""

    __slots__ = ("at", "chunk", "error", "function", "helpers", "idle", "lock", "pool", "running", "steady",
                 "stopped", "threads", "total", "waiting")  # fmt: skip

    def __init__(self, pool: _Pool, function: Share, total: int, threads: int, chunk: int, steady: bool) -> None:
        self.pool, self.function, self.steady = pool, function, steady
        self.at, self.total, self.threads, self.chunk = 0, total, threads, chunk
        self.error: BaseException | None = None
        self.lock = threading.Lock()  # for all that follows, and `at`
        self.helpers = self.running = 0
        self.stopped = self.waiting = False
        self.idle = threading.Lock()  # released by the last helper once the caller waits for that
        self.idle.acquire()

    def work(self, worker: int, control: _Control | None) -> None:
        """Take pieces until there are none left.

        They get smaller towards the end, so that all threads end together, but not so small that handing the
        interpreter lock to and fro costs more.
        """
        least, most = 1, self.chunk
        parts = 2 * self.threads if self.threads > 1 else 1  # a piece is one of so many of what is left
        while True:
            with self.lock:
                start, total = self.at, self.total
                if start >= total or self.stopped:
                    return
                self.at = stop = min(start + min(max((total - start) // parts, least), most), total)
            if control is not None:
                control.check()
            began = perf_counter()
            self.function(worker, start, stop)
            each = (perf_counter() - began) / (stop - start) + 1e-12
            least, most = 1 + int(WORTH_A_CALL / each), 1 + int(LONGEST_CALL / each)
            if self.steady:
                least, most = 1, self.chunk

    def help(self) -> None:
        """Work on it from a thread of the pool, which never gets a KeyboardInterrupt."""
        with self.lock:
            if self.at >= self.total or self.stopped:
                return
            self.helpers += 1
            self.running += 1
            worker = self.helpers
        try:
            self.work(worker, None)
        except BaseException as error:
            self.error = error
            self.stopped = True
        finally:
            with self.lock:
                self.running -= 1
                if self.waiting and not self.running:
                    self.idle.release()

    def finish(self) -> None:
        """Let no new piece begin, and wait for those that run; when interrupted, call it again."""
        with self.lock:
            self.stopped = True
            if self.pool is not _pool or not self.running:
                return
            self.waiting = True
        self.idle.acquire()

    def close(self, failure: BaseException | None) -> BaseException | None:
        """What the caller has to raise."""
        if failure is None:
            failure = self.error
        if failure is None and self.running:
            failure = RuntimeError("The process was forked in the middle of a run, which the child cannot finish.")
        # A job may be held a while yet, by the queue or by a traceback; what it works on may be large.
        self.error = None
        del self.function
        return failure


class _Pool:
    """The helpers of one process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.jobs: SimpleQueue[_Job] = SimpleQueue()
        self.size = 0

    def offer(self, job: _Job, helpers: int) -> None:
        """Ask up to so many threads for help."""
        if self.size < helpers:
            self._grow(helpers)
        for _ in range(min(helpers, self.size)):
            self.jobs.put(job)

    def _grow(self, wanted: int) -> None:
        with self.lock:
            while self.size < min(wanted, available_cores() - 1):
                self.size += 1
                try:
                    # Not `threading.Thread`, whose start can be interrupted halfway. Such threads end with the process.
                    _thread.start_new_thread(self._serve, ())
                except RuntimeError:  # a limit of the system, or the interpreter ends: the caller works alone
                    self.size -= 1
                    return

    def _serve(self) -> None:
        while True:
            job = self.jobs.get()
            job.help()
            del job  # or its arrays would live until the next one comes


_pool = _Pool()


def _after_fork() -> None:
    # A child has none of its parent's threads; a lock that another thread held would stay locked.
    global _pool
    _pool = _Pool()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
