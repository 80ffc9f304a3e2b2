"""A process that does nothing but run stored jobs, for jobs that were submitted and left: ``qsim worker``.

Jobs of this machine run one after the other, jobs of services elsewhere all at once.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from session.errors import StoreCorruptError, StoreError, StoreVersionError
from session.runner import run_claimed
from session.store.jobs import JobStore
from session.store.liveness import Identity
from session.store.records import Claim, JobRecord
from session.store.upkeep import check_after_crash

_LOOK_SECONDS = 0.5
_JOIN_SECONDS = 10.0


def work(
    store: JobStore,
    stop: threading.Event,
    *,
    once: bool = False,
    idle_exit: float | None = None,
    began: Callable[[Claim], Any] = lambda claim: None,
    ended: Callable[[JobRecord], Any] = lambda record: None,
    skipped: Callable[[str, Exception], Any] = lambda job_id, error: None,
) -> int:
    """Run jobs that wait, oldest first, one after the other, until `stop` is set; how many were run.

    Args:
        store: where they are.
        stop: gives the job that runs back and ends.
        once: end as soon as no job waits.
        idle_exit: end after so many seconds without a job.
        began: called with each job that is begun.
        ended: called with each job after that, whatever came of it.
        skipped: called with each job that cannot be read or gone on with: it is damaged, or a newer version's, or a service
            has it that cannot be asked now.

    Raises:
        StoreError: the store cannot be used, or has no room for a result; the job waits on.
    """
    check_after_crash(store)
    identity = Identity(store.folder)
    count, since = 0, time.monotonic()
    waiting: deque[str] = deque()
    unreadable: set[str] = set()

    def run(claim: Claim) -> None:
        try:
            run_claimed(store, claim, None, stop)
            ended(store.get(claim.id))
        except (StoreCorruptError, StoreVersionError) as error:
            unreadable.add(claim.id)
            skipped(claim.id, error)
        except StoreError:
            raise
        except Exception as error:  # of a job that a service has, and that cannot be gone on with here
            unreadable.add(claim.id)
            skipped(claim.id, error)

    elsewhere = _Elsewhere(run)
    try:
        while not stop.is_set():
            claim = _next(store, identity, waiting, unreadable)
            if claim is not None:
                began(claim)
                if claim.record.remote:
                    elsewhere.start(claim)
                else:
                    run(claim)
                count, since = count + 1, time.monotonic()
            elif elsewhere.is_busy():
                since = time.monotonic()
                stop.wait(_LOOK_SECONDS)
            elif once or (idle_exit is not None and time.monotonic() - since >= idle_exit):
                break
            else:
                stop.wait(_LOOK_SECONDS if idle_exit is None else min(_LOOK_SECONDS, max(idle_exit / 4, 0.01)))
            elsewhere.raise_failure()
    finally:
        elsewhere.join()
        identity.release()
    elsewhere.raise_failure()
    return count


class _Elsewhere:
    """The threads of jobs that services run: each is sent at once, and then waits most of the time."""

    def __init__(self, run: Callable[[Claim], None]) -> None:
        self._run, self._threads, self._failures = run, list[threading.Thread](), list[BaseException]()

    def start(self, claim: Claim) -> None:
        """Run a job in a thread of its own."""

        def run() -> None:
            try:
                self._run(claim)
            except BaseException as error:  # the store's, which end the worker
                self._failures.append(error)

        self._threads = [one for one in self._threads if one.is_alive()]
        self._threads.append(threading.Thread(target=run, name=f"qsim-remote-{claim.id[:8]}", daemon=True))
        self._threads[-1].start()

    def is_busy(self) -> bool:
        """Whether any of them runs."""
        return any(one.is_alive() for one in self._threads)

    def raise_failure(self) -> None:
        """Raise the first error of the store that one of them met."""
        if self._failures:
            raise self._failures[0]

    def join(self) -> None:
        """Wait for them for a while: they look several times a second whether to stop."""
        end = time.monotonic() + _JOIN_SECONDS
        for one in self._threads:
            one.join(max(0.0, end - time.monotonic()))


def _next(store: JobStore, identity: Identity, waiting: deque[str], unreadable: set[str]) -> Claim | None:
    """The next job that can be had; the store is asked for a new list when the last one is used up."""
    if not waiting:
        waiting.extend(job_id for job_id in store.claimable() if job_id not in unreadable)
    while waiting:
        claim = store.claim(waiting.popleft(), identity.id)
        if claim is not None:
            return claim
    return None


@contextlib.contextmanager
def stopping_on_signals() -> Iterator[tuple[threading.Event, list[int]]]:
    """An event that SIGINT and SIGTERM set, and which of them came; a second SIGINT interrupts at once."""
    stop, came = threading.Event(), list[int]()

    def handle(number: int, frame: Any) -> None:
        if number == signal.SIGINT and came:
            raise KeyboardInterrupt
        came.append(number)
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop, came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
