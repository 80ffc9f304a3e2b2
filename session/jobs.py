"""Jobs: calls of a session that run in the background of this process."""

from __future__ import annotations

import math
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from session.backends.bound import BoundBackend
from session.errors import JobCancelledError, JobError, JobTimeoutError
from session.results import EstimationResult, ExecutionDetails
from session.tasks import Task, TaskKind


class JobStatus(StrEnum):
    """Where a job is. The last three are final."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def is_final(self) -> bool:
        """Whether it never changes again."""
        return self in (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED)


class ExecutionJob:
    """A call that was submitted: its progress and, when it is done, its result.

    Made by `ExecutionSession.submit_sample` and `submit_estimate`, never directly. A job lives in the process that
    submitted it. It outlives its session: leaving the `with` block lets it finish.

    >>> from qsim import Circuit
    >>> from session import ExecutionSession
    >>> with ExecutionSession(Circuit(1).x(0), random_seed=1) as session:
    ...     job = session.submit_sample(num_shots=10)
    >>> job.get_sample_result().counts
    {'1': 10}
    >>> job.status
    <JobStatus.COMPLETED: 'COMPLETED'>
    """

    def __init__(self, backend: BoundBackend, task: Task) -> None:
        self._id = str(uuid.uuid4())
        self._backend_name = backend.name
        self._kind, self._batched, self._num_shots = task.kind, task.batched, task.num_shots
        self._work: Callable[[], Any] | None = lambda: backend.run(task)
        self._changed = threading.Condition()
        self._status = JobStatus.QUEUED
        self._start_time: datetime | None = None
        self._end_time: datetime | None = None
        self._results: list[Any] = []
        self._exception: BaseException | None = None

    # what it is ---------------------------------------------------------------------------------------------
    @property
    def id(self) -> str:
        """A random UUID."""
        return self._id

    @property
    def status(self) -> JobStatus:
        """Where it is now."""
        return self._status

    @property
    def start_time(self) -> datetime | None:
        """When it began to run (UTC); None before."""
        return self._start_time

    @property
    def end_time(self) -> datetime | None:
        """When it reached its final status (UTC); None before."""
        return self._end_time

    @property
    def num_shots(self) -> int | None:
        """Shots for each parameter set; None for an exact estimate."""
        exact = self._kind is TaskKind.ESTIMATE and self._backend_name == "simulator_statevector"
        return None if exact else self._num_shots

    @property
    def backend_name(self) -> str:
        """The backend that runs it."""
        return self._backend_name

    @property
    def error(self) -> str | None:
        """The message of the error that it failed with, if it did."""
        return None if self._exception is None else str(self._exception) or type(self._exception).__name__

    # waiting and results ------------------------------------------------------------------------------------
    def poll(self, timeout_sec: float | None = None) -> JobStatus:
        """Wait until it is completed, failed or cancelled, and return which.

        Raises:
            JobTimeoutError: when that takes longer than `timeout_sec` seconds.
        """
        timeout = _checked_timeout(timeout_sec)
        with self._changed:
            if not self._changed.wait_for(lambda: self._status.is_final, timeout):
                raise JobTimeoutError(
                    f"Job {self._id} is {self._status} and not done after {timeout:g} s. It goes on; ask again later."
                )
            return self._status

    def result(self, timeout_sec: float | None = None) -> Any:
        """Wait for the result: one, or a list when a list of parameter sets was submitted.

        Raises:
            JobTimeoutError: it is not done within `timeout_sec` seconds.
            JobCancelledError: it was cancelled.
            Exception: what the run raised, when it failed.
        """
        status = self.poll(timeout_sec)
        if status is JobStatus.CANCELLED:
            raise JobCancelledError(f"Job {self._id} was cancelled, so it has no result.")
        if self._exception is not None:
            raise self._exception
        return list(self._results) if self._batched else self._results[0]

    def get_sample_result(self, timeout_sec: float | None = None) -> ExecutionDetails:
        """The result of `submit_sample` with one parameter set."""
        result: ExecutionDetails = self._typed_result(TaskKind.SAMPLE, False, timeout_sec)
        return result

    def get_batch_sample_result(self, timeout_sec: float | None = None) -> list[ExecutionDetails]:
        """The results of `submit_sample` with a list of parameter sets."""
        results: list[ExecutionDetails] = self._typed_result(TaskKind.SAMPLE, True, timeout_sec)
        return results

    def get_estimate_result(self, timeout_sec: float | None = None) -> EstimationResult:
        """The result of `submit_estimate` with one parameter set."""
        result: EstimationResult = self._typed_result(TaskKind.ESTIMATE, False, timeout_sec)
        return result

    def get_batch_estimate_result(self, timeout_sec: float | None = None) -> list[EstimationResult]:
        """The results of `submit_estimate` with a list of parameter sets."""
        results: list[EstimationResult] = self._typed_result(TaskKind.ESTIMATE, True, timeout_sec)
        return results

    def _typed_result(self, kind: TaskKind, batched: bool, timeout_sec: float | None) -> Any:
        if (kind, batched) != (self._kind, self._batched):
            what = f"{'a list of parameter sets' if self._batched else 'one parameter set'}"
            raise JobError(
                f"Job {self._id} is a submit_{self._kind.value} of {what}; its result comes from "
                f"{_getter(self._kind, self._batched)}(), not {_getter(kind, batched)}()."
            )
        return self.result(timeout_sec)

    # cancelling and running ---------------------------------------------------------------------------------
    def cancel(self) -> bool:
        """Take it out of the queue.

        Returns:
            True when it is cancelled now. False when it is done already, or runs: a run that has begun is not
            interrupted, it finishes and keeps its result.
        """
        with self._changed:
            if self._status is JobStatus.QUEUED:
                self._finish(JobStatus.CANCELLED)
            return self._status is JobStatus.CANCELLED

    def _run(self) -> None:
        """Called by the session's worker thread, once."""
        with self._changed:
            work = self._work
            if self._status is not JobStatus.QUEUED or work is None:
                return
            self._status, self._start_time = JobStatus.RUNNING, _now()
        try:
            results = work()
        except BaseException as error:  # whatever it is, those who wait must hear of it
            with self._changed:
                self._exception = error
                self._finish(JobStatus.FAILED)
        else:
            with self._changed:
                self._results = results
                self._finish(JobStatus.COMPLETED)

    def _finish(self, status: JobStatus) -> None:
        self._status, self._end_time = status, _now()
        self._work = None  # a kept job does not keep its program's compiled form
        self._changed.notify_all()

    def __repr__(self) -> str:
        return f"<ExecutionJob {self._id}: {self._kind.value}, {self._status}>"


def _getter(kind: TaskKind, batched: bool) -> str:
    return f"get_{'batch_' if batched else ''}{kind.value}_result"


def _checked_timeout(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        raise JobError(f"timeout_sec is a number of seconds of at least 0, or None to wait; got {value!r}.")
    return min(float(value), threading.TIMEOUT_MAX) if math.isfinite(value) else None


def _now() -> datetime:
    return datetime.now(UTC)
