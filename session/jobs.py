"""Jobs: calls of a session that are stored, run in the background, and found again by their id."""

from __future__ import annotations

import builtins
import contextlib
import json
import math
import threading
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from qsim import errors as engine_errors
from session import errors as session_errors
from session.backends.bound import BoundBackend
from session.backends.protocol import Backend, RawResult, RemoteRef
from session.errors import (
    JobCancelledError,
    JobError,
    JobFailedError,
    JobTimeoutError,
    ServiceRefused,
    SessionError,
)
from session.remote_runs import RemoteRun
from session.results import ExecutionDetails, MinimizationResult, StateVectorResult
from session.runner import runner
from session.store.jobs import JobStore, checked_id
from session.store.records import Claim, JobRecord, JobStatus, moment, nanoseconds_of
from session.store.spec import read_work
from session.store.submissions import Submission, Submissions
from session.tasks import Task, TaskKind

_UNKNOWN_ID = (400, 404, 410, 422)  # what services answer to an id that is none of theirs
_FIRST_WAIT, _LONGEST_WAIT = 0.002, 0.25  # seconds between two looks into the store


class ExecutionJob:
    """A call that was submitted: where it is and, when it is done, its result.

    Made by the ``submit_`` methods of `ExecutionSession`, by `from_id` and by `get_execution_jobs`. A job is stored
    before its id is known, with its seed. It outlives its session and its process: whoever asks for the result of a
    job that nobody runs, runs it, and the result is the same.

    >>> from qsim import Circuit
    >>> from session import ExecutionSession
    >>> with ExecutionSession(Circuit(1).x(0), random_seed=1) as session:
    ...     job = session.submit_sample(num_shots=10)
    >>> ExecutionJob.from_id(job.id).get_sample_result().counts
    {'1': 10}
    >>> job.status
    <JobStatus.COMPLETED: 'COMPLETED'>
    """

    def __init__(self, store: JobStore, record: JobRecord) -> None:
        self._store = store
        self._last = record
        self._work: tuple[BoundBackend, Task] | None = None
        self._result: Any = None
        self._has_result = False

    @classmethod
    def from_id(cls, id: str, *, backend: Backend | None = None) -> ExecutionJob:
        """A job that was submitted earlier, here or in another process.

        Args:
            id: of the job.
            backend: what to run it with, for a job that was submitted with a backend object of its own; None makes the
                backend again from its name and profile, with the credentials that there are now.

        Raises:
            JobNotFoundError: there is no such job in the store.
            JobError: the id is not the text of a UUID.

        >>> ExecutionJob.from_id("../../etc/passwd")
        Traceback (most recent call last):
        ...
        session.errors.JobError: A job id is the text of a UUID, such as '123e4567-e89b-42d3-a456-426614174000' (ExecutionJob.id); got '../../etc/passwd'.
        """  # noqa: E501
        checked_id(id)
        store = JobStore()
        job = cls(store, store.get(id))
        if backend is not None:
            job._work = read_work(*store.spec(id), backend)
        return job

    # what it is ---------------------------------------------------------------------------------------------
    @property
    def id(self) -> str:
        """A random UUID."""
        return self._last.id

    @property
    def status(self) -> JobStatus:
        """Where it is now."""
        return self._look().status

    @property
    def start_time(self) -> datetime | None:
        """When it began to run, the last time if more than once (UTC); None before."""
        return moment(self._look().started_ns)

    @property
    def end_time(self) -> datetime | None:
        """When it reached its final status (UTC); None before."""
        return moment(self._look().ended_ns)

    @property
    def submit_time(self) -> datetime:
        """When it was stored (UTC)."""
        time = moment(self._last.created_ns)
        assert time is not None
        return time

    @property
    def num_shots(self) -> int | None:
        """Shots for each parameter set; None for an exact estimate."""
        return self._last.num_shots

    @property
    def backend_name(self) -> str:
        """The backend that runs it."""
        return self._last.backend

    @property
    def provider(self) -> str:
        """Whose backend that is: "local" for the simulators of this package."""
        return self._last.provider

    @property
    def is_batch(self) -> bool:
        """Whether a list of parameter sets was submitted, so that the result is a list."""
        return self._last.batched

    @property
    def kind(self) -> str:
        """What was submitted: "sample", "estimate" and so on."""
        return self._last.kind

    @property
    def progress(self) -> float:
        """How much of it is done, from 0 to 1, as far as that is known."""
        here = runner().progress_of(self.id)
        return here if here is not None else self._look().progress

    @property
    def error(self) -> str | None:
        """The message of the error that it failed with, if it did."""
        error = self._look().error
        return None if error is None else about_error(error)[1]

    # waiting and results ------------------------------------------------------------------------------------
    def poll(self, timeout_sec: float | None = None) -> JobStatus:
        """Wait until it is completed, failed or cancelled, and return which. If nobody runs it, this process does.

        A job that is SUBMIT_UNKNOWN is not waited for; `error` says what to do about it.

        Raises:
            JobTimeoutError: when that takes longer than `timeout_sec` seconds.
            StoreError: the store cannot be used, or has no room for the result.
        """
        timeout = _checked_timeout(timeout_sec)
        deadline, wait = _deadline(timeout), _FIRST_WAIT
        while not self._advance():
            left = deadline - time.monotonic()
            if left <= 0:
                raise self._too_late(timeout)
            with runner().changed:
                runner().changed.wait(min(wait, left))
            wait = min(wait * 1.5, _LONGEST_WAIT)
        return self._last.status

    async def poll_async(self, timeout_sec: float | None = None) -> JobStatus:
        """`poll` without blocking asyncio's event loop.

        >>> import asyncio
        >>> from qsim import Circuit
        >>> from session import ExecutionSession
        >>> with ExecutionSession(Circuit(1)) as session:
        ...     asyncio.run(session.submit_sample().poll_async())
        <JobStatus.COMPLETED: 'COMPLETED'>
        """
        import asyncio

        timeout = _checked_timeout(timeout_sec)
        deadline, wait = _deadline(timeout), _FIRST_WAIT
        while not await asyncio.to_thread(self._advance):
            left = deadline - time.monotonic()
            if left <= 0:
                raise self._too_late(timeout)
            await asyncio.sleep(min(wait, left))
            wait = min(wait * 1.5, _LONGEST_WAIT)
        return self._last.status

    def result(self, timeout_sec: float | None = None) -> Any:
        """Wait for the result: one, or a list when a list of parameter sets was submitted.

        Raises:
            JobTimeoutError: it is not done within `timeout_sec` seconds.
            JobCancelledError: it was cancelled.
            Exception: what the run raised, when it failed.
            StoreError: the store cannot be used, has no room, or the stored result is damaged.
        """
        self.poll(timeout_sec)
        return self._fetch()

    async def result_async(self, timeout_sec: float | None = None) -> Any:
        """`result` without blocking asyncio's event loop.

        >>> import asyncio
        >>> from qsim import Circuit
        >>> from session import ExecutionSession
        >>> async def main():
        ...     with ExecutionSession(Circuit(1), num_shots=5) as session:
        ...         jobs = [session.submit_sample() for _ in range(2)]
        ...     return await asyncio.gather(*[job.result_async() for job in jobs])
        >>> [result.counts for result in asyncio.run(main())]
        [{'0': 5}, {'0': 5}]
        """
        import asyncio

        await self.poll_async(timeout_sec)
        return await asyncio.to_thread(self._fetch)

    def get_sample_result(self, timeout_sec: float | None = None) -> ExecutionDetails:
        """The result of `submit_sample` with one parameter set."""
        result: ExecutionDetails = self._typed_result(TaskKind.SAMPLE, False, timeout_sec)
        return result

    def get_batch_sample_result(self, timeout_sec: float | None = None) -> list[ExecutionDetails]:
        """The results of `submit_sample` with a list of parameter sets."""
        results: list[ExecutionDetails] = self._typed_result(TaskKind.SAMPLE, True, timeout_sec)
        return results

    def get_estimate_result(self, timeout_sec: float | None = None) -> Any:
        """The `EstimationResult` of `submit_estimate` with one parameter set; a list for a list of Hamiltonians."""
        return self._typed_result(TaskKind.ESTIMATE, False, timeout_sec)

    def get_batch_estimate_result(self, timeout_sec: float | None = None) -> list[Any]:
        """The results of `submit_estimate` with a list of parameter sets."""
        results: list[Any] = self._typed_result(TaskKind.ESTIMATE, True, timeout_sec)
        return results

    def get_state_vector_result(self, timeout_sec: float | None = None) -> StateVectorResult:
        """The result of `submit_calculate_state_vector` with one parameter set."""
        result: StateVectorResult = self._typed_result(TaskKind.STATE_VECTOR, False, timeout_sec)
        return result

    def get_batch_state_vector_result(self, timeout_sec: float | None = None) -> list[StateVectorResult]:
        """The results of `submit_calculate_state_vector` with a list of parameter sets."""
        results: list[StateVectorResult] = self._typed_result(TaskKind.STATE_VECTOR, True, timeout_sec)
        return results

    def get_gradient_result(self, timeout_sec: float | None = None) -> Any:
        """The `GradientResult` of `submit_gradient` with one parameter set; a list for a list of Hamiltonians."""
        return self._typed_result(TaskKind.GRADIENT, False, timeout_sec)

    def get_batch_gradient_result(self, timeout_sec: float | None = None) -> list[Any]:
        """The results of `submit_gradient` with a list of parameter sets."""
        results: list[Any] = self._typed_result(TaskKind.GRADIENT, True, timeout_sec)
        return results

    def get_cost_result(self, timeout_sec: float | None = None) -> float:
        """The result of `submit_estimate_cost` with one parameter set."""
        result: float = self._typed_result(TaskKind.ESTIMATE_COST, False, timeout_sec)
        return result

    def get_batch_cost_result(self, timeout_sec: float | None = None) -> list[float]:
        """The results of `submit_estimate_cost` with a list of parameter sets."""
        results: list[float] = self._typed_result(TaskKind.ESTIMATE_COST, True, timeout_sec)
        return results

    def get_minimization_result(self, timeout_sec: float | None = None) -> MinimizationResult:
        """The result of `submit_minimize` with one set of parameters to begin at."""
        result: MinimizationResult = self._typed_result(TaskKind.MINIMIZE, False, timeout_sec)
        return result

    def get_batch_minimization_result(self, timeout_sec: float | None = None) -> list[MinimizationResult]:
        """The results of `submit_minimize` with a list of sets to begin at."""
        results: list[MinimizationResult] = self._typed_result(TaskKind.MINIMIZE, True, timeout_sec)
        return results

    def _typed_result(self, kind: TaskKind, batched: bool, timeout_sec: float | None) -> Any:
        own = (self._last.kind, self._last.batched)
        if own != (kind.value, batched):
            what = "a list of parameter sets" if self._last.batched else "one parameter set"
            raise JobError(
                f"Job {self.id} is a submit_{self._last.kind} of {what}; its result comes from {_getter(*own)}(), not "
                f"{_getter(kind.value, batched)}()."
            )
        return self.result(timeout_sec)

    # elsewhere ----------------------------------------------------------------------------------------------
    @property
    def remote_tasks(self) -> list[Submission]:
        """What this job sent to a service: its id there, and where it is in the service's own words; empty for others."""
        return Submissions(self._store, self._last).all() if self._last.remote else []

    @property
    def queue_position(self) -> int | None:
        """The place in the service's queue, when it last said one."""
        waiting = [one.queue_position for one in self.remote_tasks if one.is_open]
        return waiting[-1] if waiting else None

    def raw_replies(self) -> list[RawResult]:
        """The service's answers as they came, those that are stored."""
        submissions = Submissions(self._store, self._last)
        return [submissions.reply(one.part) for one in self.remote_tasks if one.has_reply]

    def decode_again(self) -> list[Any]:
        """The results out of the replies that are stored, one for each parameter set; nothing is sent or stored.

        Raises:
            JobError: a reply is missing.
        """
        backend, task = self._work or read_work(*self._store.spec(self.id))
        if not self._last.remote or not self.remote_tasks or not all(one.has_reply for one in self.remote_tasks):
            raise JobError(f"Job {self.id} has no replies of a service to decode, or not all of them.")
        run = RemoteRun(backend.backend, self._store, Claim(self._last, "", 0), lambda: True)  # type: ignore[arg-type]
        return BoundBackend(run, backend.program).run(task)

    def resolve(self, remote_id: str | None = None, *, send_again: bool = False) -> None:
        """Say what became of a job that is SUBMIT_UNKNOWN, so that it goes on.

        Args:
            remote_id: the service's id of the task, if you found it there.
            send_again: the task is not there, you looked: send it as a new one.
            neither: have it looked for again, or sent again with the same token, where the service allows that.

        Raises:
            JobError: the job is not SUBMIT_UNKNOWN, there is no way to look for it, or the service knows no such id.
        """
        if remote_id is not None and (send_again or not isinstance(remote_id, str) or not remote_id.strip()):
            raise JobError("Give the id that the service has for the task, or send_again=True, not both.")
        unknown = [one for one in self.remote_tasks if one.is_open and one.ref is None]
        if self._look().status is not JobStatus.SUBMIT_UNKNOWN or not unknown:
            raise JobError(f"Job {self.id} is {self._last.status}; only one that is SUBMIT_UNKNOWN is resolved.")
        one, submissions = unknown[0], Submissions(self._store, self._last)
        if remote_id is not None:
            ref = RemoteRef(remote_id.strip(), one.endpoint, one.target)
            self._check_known(ref)
            submissions.decide(f"its task is {ref.remote_id}, it was said", ref=ref)
        elif send_again:
            submissions.decide(f"its task {one.client_ref} is not there, it was said", forget=True)
        elif one.idempotency == "none":
            raise JobError(f"{self.backend_name} has no way to look for a task: give remote_id, or send_again=True.")
        else:
            submissions.decide("looked for again")
        runner().notify()

    def _check_known(self, ref: RemoteRef) -> None:
        """Raise for an id that the service does not know: with it the job would end as expired. Unasked, it is believed."""
        try:
            backend: Any = (self._work or read_work(*self._store.spec(self.id)))[0].backend
            if getattr(backend, "endpoint", "") == ref.endpoint:  # else nothing of ours is sent there
                backend.status(ref)
        except ServiceRefused as error:
            if error.status in _UNKNOWN_ID:
                raise JobError(
                    f"{self.backend_name} knows no task {ref.remote_id!r} ({error}). Give its id as the service shows it; job "
                    f"{self.id} stays SUBMIT_UNKNOWN."
                ) from None
        except SessionError:
            pass

    # cancelling ---------------------------------------------------------------------------------------------
    def cancel(self) -> bool:
        """Take it out of the queue, or tell the process that runs it to stop.

        Returns:
            True when it is cancelled, or will be as soon as its run notices, which takes less than a second as a
            rule; no result of it will appear. False when it had ended before, and keeps its result.
        """
        cancelled = self._store.cancel(self.id)
        runner().notify()
        if self._last.remote and self._look().status is JobStatus.CANCELLING and self._store.is_claimable(self._last):
            with contextlib.suppress(JobError):  # no thread to tell the service in: whoever comes next does
                runner().offer(self._store, self.id, self._work, remote=True)
        return cancelled

    # how ----------------------------------------------------------------------------------------------------
    def _look(self) -> JobRecord:
        if not self._last.status.is_final:
            self._last = self._store.get(self.id)
        return self._last

    def _advance(self) -> bool:
        """Whether it has ended; if nobody runs it, it is queued here."""
        record = self._look()
        if record.status.is_final or record.status is JobStatus.SUBMIT_UNKNOWN:
            return True
        failure = runner().failure_of(self.id)
        if failure is not None:
            raise failure
        if not runner().has(self.id) and self._store.is_claimable(record):
            runner().offer(self._store, self.id, self._work, remote=record.remote)
        return False

    def _fetch(self) -> Any:
        record = self._last
        if record.status is JobStatus.CANCELLED:
            raise JobCancelledError(f"Job {self.id} was cancelled, so it has no result.")
        if record.error is not None:
            raise rebuilt_error(record.error)
        if not self._has_result:
            self._result = self._store.result(self.id)
            self._has_result = True
        return list(self._result) if record.batched else self._result[0]

    def _too_late(self, timeout: float | None) -> JobTimeoutError:
        return JobTimeoutError(
            f"Job {self.id} is {self._last.status} and not done after {timeout:g} s. It goes on; ask again later."
        )

    def __repr__(self) -> str:
        try:
            status = str(self._look().status)
        except SessionError as error:
            status = type(error).__name__
        return f"<ExecutionJob {self.id}: {self._last.kind}, {status}>"


def get_execution_jobs(
    *,
    status: JobStatus | str | Sequence[JobStatus | str] | None = None,
    kind: str | None = None,
    backend_name: str | None = None,
    session_id: str | None = None,
    since: datetime | None = None,
    limit: int | None = None,
) -> list[ExecutionJob]:
    """The jobs in the store that fit all that is given, newest first.

    Args:
        status: one of `JobStatus`, or several.
        kind: what was submitted, "sample" or "estimate" and so on.
        backend_name: whose backend has this name.
        session_id: submitted by the session with this `get_session_id`.
        since: submitted at this time or later; a time without a zone is local.
        limit: at most so many.

    >>> from qsim import Circuit
    >>> from session import ExecutionSession
    >>> with ExecutionSession(Circuit(1)) as session:
    ...     job = session.submit_sample()
    ...     [found.id == job.id for found in get_execution_jobs(session_id=session.get_session_id())]
    [True]
    """
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise SessionError(f"limit is a whole number of at least 1, or None; got {limit!r}.")
    if since is not None and not isinstance(since, datetime):
        raise SessionError(f"since is a datetime, got {type(since).__name__}.")
    wanted = [] if status is None else [status] if isinstance(status, str) else list(status)
    store = JobStore()
    records = store.find(
        statuses=[_checked_status(one) for one in wanted], kind=kind, backend=backend_name, session=session_id,
        since_ns=None if since is None else nanoseconds_of(since), limit=limit,
    )  # fmt: skip
    return [ExecutionJob(store, record) for record in records]


def rebuilt_error(text: str) -> Exception:
    """The error that a run ended with, as an exception of its own type when that is one of ours or of Python's.

    >>> rebuilt_error('{"type": "builtins.ZeroDivisionError", "message": "by zero"}')
    ZeroDivisionError('by zero')
    """
    kind, message = about_error(text)
    module, _, name = kind.rpartition(".")
    modules = {"builtins": builtins, "qsim.errors": engine_errors, "session.errors": session_errors}
    found = getattr(modules.get(module), name, None)
    if isinstance(found, type) and issubclass(found, Exception):
        try:
            return found(message)
        except TypeError:  # one that takes more than a message
            pass
    short = "" if found is JobFailedError or module == "builtins" else f"{name}: "
    return JobFailedError(short + message)


def about_error(text: str) -> tuple[str, str]:
    """The type and the message of a stored error."""
    try:
        about = json.loads(text)
        return str(about["type"]), str(about["message"])
    except (ValueError, KeyError, TypeError):
        return "session.errors.JobFailedError", "It failed, and the stored message of its error is damaged."


def _checked_status(value: Any) -> JobStatus:
    try:
        return JobStatus(value)
    except ValueError:
        names = [status.value for status in JobStatus]
        hint = engine_errors.suggestion(str(value).upper(), names)
        raise SessionError(f"There is no status {value!r}.{hint} There are {', '.join(names)}.") from None


def _getter(kind: str, batched: bool) -> str:
    names = {TaskKind.STATE_VECTOR: "state_vector", TaskKind.ESTIMATE_COST: "cost", TaskKind.MINIMIZE: "minimization"}
    return f"get_{'batch_' if batched else ''}{names.get(TaskKind(kind), kind)}_result"


def _deadline(timeout: float | None) -> float:
    return math.inf if timeout is None else time.monotonic() + timeout


def _checked_timeout(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        raise JobError(f"timeout_sec is a number of seconds of at least 0, or None to wait; got {value!r}.")
    return min(float(value), threading.TIMEOUT_MAX) if math.isfinite(value) else None
