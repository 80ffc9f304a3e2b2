"""Running jobs in the background: one thread a process takes them from the store one after the other.

Each run has all of the engine's threads, so jobs side by side would only get in each other's way. A job that runs in a
service elsewhere has a thread of its own, which sends it at once and then waits most of the time. All these threads are
daemons: when the interpreter ends, the jobs that run are given back to the store, and others pick them up later.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qsim import pool
from qsim.errors import RunCancelled
from session.backends.bound import BoundBackend
from session.backends.protocol import is_remote
from session.errors import JobError, JobFailedError, SessionError, StoreError, SubmitUnknown
from session.programs import Program
from session.remote_runs import RemoteRun
from session.store.faults import fault
from session.store.jobs import JobStore
from session.store.liveness import Identity
from session.store.records import Claim, JobStatus
from session.store.spec import read_work
from session.store.submissions import Submissions
from session.store.upkeep import check_after_crash
from session.tasks import Task, TaskKind

#: Seconds between two looks at whether somebody cancelled a job, and between two notes of its progress.
LOOK_SECONDS, NOTE_SECONDS = 0.2, 1.0
_IDLE_SECONDS = 5.0  # after so long without a job, this process is no runner any more
_EXIT_SECONDS = 2.0  # what the end of the interpreter waits for a run to notice; compiling, for one, does not

Work = tuple[BoundBackend, Task]


class Control:
    """What a run is told, and tells: `is_set` when it should stop, `progress` how far it is."""

    def __init__(self, store: JobStore, claim: Claim, stop: threading.Event, tell: Callable[[float], Any]) -> None:
        self._store, self._claim, self._stop, self._tell = store, claim, stop, tell
        self._looked = self._noted = time.monotonic()
        self._is_lost = False
        self._fraction = 0.0

    def is_set(self) -> bool:
        """Whether to stop: the job was cancelled, somebody else has it, or the interpreter ends."""
        now = time.monotonic()
        if now - self._looked > LOOK_SECONDS and not self._is_lost:
            self._looked = now
            with contextlib.suppress(StoreError):  # a store that cannot be read now may be well when the run is done
                self._is_lost = not self._store.holds(self._claim)
        return self._is_lost or self._stop.is_set()

    def progress(self, done: int, total: int) -> None:
        """Note how far the run is; `pool.controlled` calls it."""
        self._fraction = fraction = max(self._fraction, min(1.0, done / total) if total else 0.0)
        self._tell(fraction)
        now = time.monotonic()
        if now - self._noted > NOTE_SECONDS:
            self._noted = now
            with contextlib.suppress(StoreError):
                self._store.set_progress(self._claim, fraction)


def run_claimed(store: JobStore, claim: Claim, work: Work | None, stop: threading.Event, tell: Any = None) -> None:
    """Run a job that this process has claimed, and store what comes of it.

    Raises:
        StoreError: the result could not be stored; the job waits to be run again.
        Exception: why a job cannot be gone on with here that a service elsewhere has; it waits for somebody who can.
    """
    control = Control(store, claim, stop, tell or (lambda fraction: None))
    remote: RemoteRun | None = None
    try:
        backend, task = work or read_work(*store.spec(claim.id))
        if is_remote(backend.backend):
            remote = RemoteRun(backend.backend, store, claim, control.is_set)  # type: ignore[arg-type]
            backend = BoundBackend(remote, backend.program)
            if claim.record.status is JobStatus.CANCELLING:
                store.release(claim, remote.cancel() or None)
                return
        store.check_room(expected_bytes(backend.program, task))
        with pool.controlled(cancel=control, progress=control.progress):
            results = backend.run(task)
        fault("run-done")
        store.complete(claim, results)
    except RunCancelled as error:
        if control.is_set():
            told = remote.cancel() if remote is not None and store.is_cancelling(claim) else None
            store.release(claim, told or None)  # or CANCELLED, when that is why
        else:
            store.fail(claim, error)
    except StoreError:
        store.release(claim)
        raise
    except SubmitUnknown as error:
        if remote is None:
            store.fail(claim, error)
        else:
            Submissions(store, claim.record).mark_unknown(claim, str(error))
    except JobFailedError as error:
        store.fail(claim, error)
    except BaseException as error:  # whatever it is, those who wait must hear of it
        if claim.record.remote and any(one.is_unfinished for one in Submissions(store, claim.record).all()):
            # What was sent, and paid for, is not given up because of an error here.
            store.release(
                claim, f"the service could not be told, so what it has may run: {type(error).__name__}: {error}"
            )
            raise
        store.fail(claim, error)


def expected_bytes(program: Program, task: Task) -> int:
    """About how many bytes the results of a task take; 0 for what is small."""
    sets, qubits = len(task.rows), program.circuit.num_qubits
    if task.kind is TaskKind.STATE_VECTOR and not task.filters and qubits < 60:
        return sets * (16 << qubits)
    if task.kind is TaskKind.SAMPLE:
        # A line of text an outcome; an upper bound, so only as far as many outcomes are likely.
        return sets * min(task.num_shots, 1 << min(qubits, 22)) * (qubits + 12)
    return 0


# the thread -----------------------------------------------------------------------------------------------------
class Runner:
    """The thread of this process that runs jobs, started by the first one."""

    def __init__(self) -> None:
        # For all that follows, and re-entrant; notified whenever a job may have changed.
        self.changed = threading.Condition()
        self._waiting: deque[tuple[JobStore, str, Work | None]] = deque()
        self._known: set[str] = set()  # waiting or running here
        self._progress: dict[str, float] = {}
        self._failures: dict[str, Exception] = {}
        self._left: dict[str, Work] = {}  # of jobs that failed so: some can be run by this process only
        self._identities: dict[Path, Identity] = {}
        self._current: dict[str, tuple[JobStore, Claim]] = {}  # by the id of the job
        self._remote: set[threading.Thread] = set()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def offer(self, store: JobStore, job_id: str, work: Work | None = None, *, remote: bool = False) -> None:
        """Run a job here when its turn comes, unless somebody else does before; a remote one at once."""
        with self.changed:
            if job_id in self._known:
                return
            if self._stop.is_set():
                raise JobError(f"Job {job_id} is stored, but this interpreter is ending. Ask for it in another one.")
            self._known.add(job_id)
            self._failures.pop(job_id, None)
            one = (store, job_id, work or self._left.pop(job_id, None))
            if remote:
                self._start_remote(one)
                return
            self._waiting.append(one)
            if self._thread is None:
                thread = threading.Thread(target=self._serve, name="qsim-jobs", daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # no more threads, or the interpreter is ending: the job stays in the store
                    self._waiting.pop()
                    self._known.discard(job_id)
                    raise JobError(f"Job {job_id} is stored, but no thread can be started to run it here.") from None
                self._thread = thread
            self.changed.notify_all()

    def _start_remote(self, one: tuple[JobStore, str, Work | None]) -> None:
        def run() -> None:
            try:
                self._serve_one(*one)
            finally:
                with self.changed:
                    self._remote.discard(thread)
                    if self._stop.is_set() and self._thread is None:
                        self._release_identities()
                    self.changed.notify_all()

        thread = threading.Thread(target=run, name=f"qsim-remote-{one[1][:8]}", daemon=True)
        self._remote.add(thread)
        try:
            thread.start()
        except RuntimeError:
            self._remote.discard(thread)
            self._known.discard(one[1])
            raise JobError(f"Job {one[1]} is stored, but no thread can be started to run it here.") from None

    def has(self, job_id: str) -> bool:
        """Whether a job waits or runs here."""
        return job_id in self._known

    def progress_of(self, job_id: str) -> float | None:
        """How far a job is that runs here."""
        return self._progress.get(job_id)

    def failure_of(self, job_id: str) -> Exception | None:
        """Why a job could not be begun here, or its result not be stored; asked once."""
        with self.changed:
            return self._failures.pop(job_id, None)

    def notify(self) -> None:
        """Wake those who wait for a change of a job."""
        with self.changed:
            self.changed.notify_all()

    def _serve(self) -> None:
        while (next_one := self._next()) is not None:
            self._serve_one(*next_one)
            del next_one  # a job that is done does not keep its program's compiled form

    def _serve_one(self, store: JobStore, job_id: str, work: Work | None) -> None:
        try:
            self._run(store, job_id, work)
        except Exception as error:  # those who wait must hear of it, and the next job must get its turn
            with self.changed:
                self._failures[job_id] = error
                if work is not None:
                    self._left[job_id] = work
        finally:
            with self.changed:
                self._known.discard(job_id)
                self._progress.pop(job_id, None)
                self.changed.notify_all()

    def _next(self) -> tuple[JobStore, str, Work | None] | None:
        with self.changed:
            while not self._waiting and not self._stop.is_set():
                if not self.changed.wait(_IDLE_SECONDS) and not self._waiting and not self._left:
                    self._release_identities()
                    self.changed.wait_for(lambda: self._waiting or self._stop.is_set())
            if self._stop.is_set():
                self._release_identities()
                self._thread = None
                self.changed.notify_all()
                return None
            return self._waiting.popleft()

    def _run(self, store: JobStore, job_id: str, work: Work | None) -> None:
        claim = store.claim(job_id, self.identity(store).id)
        if claim is None:
            return
        self._progress[job_id] = 0.0
        self._current[job_id] = (store, claim)
        self.notify()
        try:
            run_claimed(store, claim, work, self._stop, lambda fraction: self._progress.update({job_id: fraction}))
        finally:
            self._current.pop(job_id, None)

    def identity(self, store: JobStore) -> Identity:
        """Who this process is in a store, until it has been idle for a while."""
        with self.changed:
            identity = self._identities.get(store.folder)
            if identity is None:
                check_after_crash(store)
                identity = self._identities[store.folder] = Identity(store.folder)
            return identity

    def _release_identities(self) -> None:
        if self._remote:  # they run jobs as this identity; the last of them comes here
            return
        for identity in self._identities.values():
            identity.release()
        self._identities.clear()

    def end(self) -> None:
        """Give back what runs and stop; for the end of the interpreter."""
        self._stop.set()
        with self.changed:
            self.changed.notify_all()
            self.changed.wait_for(lambda: self._thread is None and not self._remote, _EXIT_SECONDS)
        for store, claim in list(self._current.values()):
            left = (
                "the process ended before the service had answered, so its task may run"
                if claim.record.remote
                else None
            )
            with contextlib.suppress(SessionError):  # it does not listen, so its result will come too late to be stored
                store.release(claim, left)


_runner: Runner | None = None
_guard = threading.Lock()


def runner() -> Runner:
    """This process's runner."""
    global _runner
    with _guard:
        if _runner is None:
            _runner = Runner()
            atexit.register(_runner.end)
        return _runner


def _after_fork() -> None:
    # A child has no such thread, and is nobody in the store until it runs a job of its own.
    global _runner, _guard
    if _runner is not None:
        atexit.unregister(_runner.end)
    _runner, _guard = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
