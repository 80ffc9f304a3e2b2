"""Running the tasks of a job in a service elsewhere, so that a crash at any moment sends nothing twice and loses nothing.

`RemoteRun` stands in the place of a remote backend while a job runs. Each task that the job comes to is a *part*: its
intent is stored, it is sent, waited for, its reply stored and decoded. When the job is run again after a crash, each part
goes on where it stood: with the reply that is stored, with the id that is known, or by looking for what may be there.
"""

from __future__ import annotations

import hashlib
import json
import logging
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from qsim.errors import RunCancelled
from session.backends import remote as pace
from session.backends.in_parts import in_parts
from session.backends.protocol import (
    CancelOutcome,
    Capabilities,
    Prepared,
    RawResult,
    RemoteBackend,
    RemoteRef,
    RemoteState,
    RemoteStatus,
    clock_slack,
)
from session.errors import (
    BadReply,
    BatchTooLarge,
    CredentialError,
    JobFailedError,
    ProfileError,
    ServiceError,
    ServiceRefused,
    ServiceUnavailable,
    StoreError,
    SubmitUnknown,
)
from session.programs import Program
from session.results import Result
from session.store.faults import fault
from session.store.jobs import JobStore
from session.store.records import Claim
from session.store.submissions import Destination, Submission, Submissions
from session.tasks import Task

_SLICE = 0.2  # of a wait, between two looks at whether to stop
_SEND_TRIES, _CANCEL_TRIES, _BAD_REPLIES = 4, 3, 5
_SEARCH_WAIT = 5.0
#: A service may take so long before it knows a task by the id that it gave out itself, or has the result of one that is done.
_SETTLE_SECONDS = 60.0
#: So long a task waits for a service that is too busy to take it (status 429).
_BUSY_SECONDS = 3600.0
#: What is noted, instead of a service's word, of a task that is known not to have been sent.
NOT_SENT = "not sent"
_SILENT = "no answer"
_log = logging.getLogger("session.remote")

Stopped = Callable[[], bool]


class RemoteRun:
    """A remote backend for one run of one job, with every step in the store.

    Args:
        backend: what speaks to the service.
        store: where the job is.
        claim: the right to run it.
        stopped: whether to stop: the job was cancelled, or this process ends.
        sleep: how to wait, for tests.
    """

    def __init__(
        self,
        backend: RemoteBackend,
        store: JobStore,
        claim: Claim,
        stopped: Stopped,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._backend, self._claim, self._stopped, self._sleep = backend, claim, stopped, sleep
        self._submissions = Submissions(store, claim.record)
        self._part = 0

    # a backend ----------------------------------------------------------------------------------------------
    @property
    def name(self) -> str:
        """The backend's name."""
        return self._backend.name

    def capabilities(self) -> Capabilities:
        """The backend's."""
        return self._backend.capabilities()

    def check(self, program: Program, task: Task) -> None:
        """What the backend checks."""
        self._backend.check(program, task)

    def run(self, program: Program, task: Task) -> list[Result]:
        """The results of the job's next task, which is sent in several where one is too large for the service.

        Raises:
            SubmitUnknown: it may or may not be with the service; it was not, and will not be, sent again.
            ServiceRefused, ServiceUnavailable, CredentialError: it was not sent.
            JobFailedError: the service ended it without a result.
            ServiceError, ProfileError: the service cannot be asked now; the task is there, and a later run goes on.
        """
        return in_parts(lambda some: self._run_part(program, some), task)

    def _run_part(self, program: Program, task: Task) -> list[Result]:
        part = self._part
        digest = hashlib.sha256(json.dumps(task.to_dict(), sort_keys=True).encode()).hexdigest()
        one, ref = self._submissions.get(part), None
        if one is None:
            made = self._backend.prepare(program, task)
            self._part = part + 1
            one, prepared = self._intend(part, digest, made)
            ref = self._send_first(one, prepared)
        else:
            self._check_same(one, digest, task)
            self._part = part + 1
            prepared = self._submissions.prepared(part)
            if one.ref is not None or one.has_reply:
                ref = one.ref
            elif one.state is RemoteState.FAILED and one.word == NOT_SENT:
                self._check_origin(one)
                self._submissions.sending(part)
                ref = self._send_first(one, prepared)
            else:
                ref = self._send_again(one, prepared)
        if not one.has_reply:
            assert ref is not None
            self._wait(one, ref)
            self._fetch(one, ref)
        return list(self._backend.decode(self._submissions.reply(part), prepared, program, task))

    # sending ------------------------------------------------------------------------------------------------
    def _intend(self, part: int, digest: str, prepared: Prepared) -> tuple[Submission, Prepared]:
        to = Destination(
            idempotency=self._backend.capabilities().idempotency,
            **{name: str(getattr(self._backend, name, "") or "") for name in ("endpoint", "target", "profile")},
        )
        one = self._submissions.intend(self._claim, part, digest, prepared, to)
        if one is None:
            raise RunCancelled("The job was cancelled before its task was sent.")
        return one, prepared

    def _send_first(self, one: Submission, prepared: Prepared) -> RemoteRef:
        """Send what is known not to be there: an error that says so means that it still is not."""
        end, wait = time.monotonic() + _BUSY_SECONDS, pace.FIRST_WAIT
        while True:
            try:
                ref = self._backend.submit(prepared, one.client_ref)
                break
            except (ServiceRefused, ServiceUnavailable, CredentialError) as error:
                word = "refused" if isinstance(error, ServiceRefused) else NOT_SENT
                self._submissions.note(one.part, RemoteStatus(RemoteState.FAILED, word, str(error)))
                if getattr(error, "status", None) != 429 or time.monotonic() > end:
                    raise
                asked = getattr(error, "retry_after_sec", None)
            except Exception as error:  # whatever it is, the task may be there
                _log.warning(
                    "Job %s: it is not known whether its task arrived (%s).", self._claim.id, type(error).__name__
                )
                return self._send_again(one, prepared, str(error))
            self._pause(max(wait, asked or 0.0))  # the service takes only so many at a time
            wait = min(wait * pace.GROWTH, pace.LONGEST_WAIT)
            self._submissions.sending(one.part)
        return self._sent(one, ref)

    def _send_again(self, one: Submission, prepared: Prepared, why: str = "") -> RemoteRef:
        """Find out about what may have been sent, by what the service offers."""
        self._check_origin(one)
        if one.idempotency in ("token", "client_id"):
            wait = pace.FIRST_WAIT
            for last in (False,) * (_SEND_TRIES - 1) + (True,):
                try:
                    return self._sent(one, self._backend.submit(prepared, one.client_ref))
                except (CredentialError, StoreError):
                    raise
                except Exception as error:
                    why = str(error)
                    if last or isinstance(error, ServiceRefused):
                        break
                    self._pause(max(wait, getattr(error, "retry_after_sec", None) or 0.0))
                    wait *= 2
        elif one.idempotency == "search":
            ref = self._search(one)
            if ref is not None:
                return self._sent(one, ref)
        raise SubmitUnknown(_unknown(self._claim.id, self.name, one, why))

    def _sent(self, one: Submission, ref: RemoteRef) -> RemoteRef:
        fault("sent")
        self._submissions.sent(one.part, ref)
        return ref

    def _search(self, one: Submission) -> RemoteRef | None:
        """Look for a task by our reference, until the time is over in which it must have appeared."""
        end = one.intended_ns / 1e9 + self._backend.capabilities().grace_sec
        while True:
            is_late = time.time() >= end  # asked before the question, so that the last one comes after the end
            try:
                ref = self._backend.find(one.client_ref, clock_slack(one.since))
            except (CredentialError, ProfileError):
                raise
            except ServiceError as error:
                if isinstance(error, ServiceRefused) or is_late:
                    raise  # it is not known to be missing: the next run looks again
                ref = None
            if ref is not None or is_late:
                return ref
            self._pause(min(_SEARCH_WAIT, max(0.1, end - time.time())))

    # waiting ------------------------------------------------------------------------------------------------
    def _wait(self, one: Submission, ref: RemoteRef) -> None:
        """Until the service has ended the task; raises when that was without a result."""
        self._check_origin(one)
        wait, wrong, since = pace.FIRST_WAIT, 0, time.monotonic()
        seen: RemoteStatus | None = None
        while True:
            asked: float | None = None
            try:
                status = self._backend.status(ref)
            except (ServiceUnavailable, BadReply) as error:
                wrong = wrong + 1 if isinstance(error, BadReply) else 0
                if wrong > _BAD_REPLIES:
                    raise
                asked = error.retry_after_sec
                seen = self._noted_silence(one, seen, str(error))
            except ServiceRefused as error:
                if error.status not in (404, 410):
                    raise
                if time.monotonic() - since > _SETTLE_SECONDS:
                    raise self._ended(
                        one, RemoteStatus(RemoteState.EXPIRED, "unknown to the service", str(error))
                    ) from None
            else:
                wrong, asked = 0, status.retry_after_sec
                if status != seen:
                    self._submissions.note(one.part, status)
                    wait = pace.FIRST_WAIT if seen is not None and status.state != seen.state else wait
                    seen = status
                if status.state is RemoteState.COMPLETED:
                    return
                if status.state.is_final:
                    raise self._ended(one, status)
            self._pause(max(wait * random.uniform(0.8, 1.2), min(asked or 0.0, 3600.0)))
            wait = min(wait * pace.GROWTH, pace.LONGEST_WAIT)

    def _noted_silence(self, one: Submission, seen: RemoteStatus | None, why: str) -> RemoteStatus:
        """Tell those who look that the service does not answer; its next answer takes the place of this."""
        if seen is not None and seen.message.startswith(_SILENT):
            return seen
        _log.warning("Job %s: its service does not answer, and is asked again: %s", self._claim.id, why)
        before = seen or RemoteStatus(RemoteState.QUEUED)
        told = replace(before, message=f"{_SILENT} since {time.strftime('%Y-%m-%d %H:%M:%S')}: {why}")
        self._submissions.note(one.part, told)
        return told

    def _ended(self, one: Submission, status: RemoteStatus) -> JobFailedError:
        self._submissions.note(one.part, status)
        said = status.message or status.raw or "it gave no reason"
        task = one.ref.remote_id if one.ref else one.client_ref
        return JobFailedError(f"{self.name} ended the task {task} as {status.state}: {said}")

    def _fetch(self, one: Submission, ref: RemoteRef) -> None:
        """Get the reply and store it before anybody looks into it."""
        wait, wrong, since = pace.FIRST_WAIT, 0, time.monotonic()
        while True:
            try:
                raw: RawResult = self._backend.fetch(ref)
                break
            except (ServiceUnavailable, BadReply) as error:
                wrong += isinstance(error, BadReply)
                if wrong > _BAD_REPLIES:
                    raise
                asked = error.retry_after_sec
            except ServiceRefused as error:
                if error.status not in (404, 410):
                    raise
                # A result may come a while after the word that the task is done; what is gone (410) does not.
                if error.status == 410 or time.monotonic() - since > _SETTLE_SECONDS:
                    raise self._ended(
                        one, RemoteStatus(RemoteState.EXPIRED, "its result is gone", str(error))
                    ) from None
                asked = error.retry_after_sec
            self._pause(max(wait, min(asked or 0.0, 3600.0)))
            wait = min(wait * pace.GROWTH, pace.LONGEST_WAIT)
        fault("fetched")
        self._submissions.keep_reply(one.part, raw)

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self._stopped():
                raise RunCancelled("The job was told to stop.")
            self._sleep(min(left, _SLICE))
        if self._stopped():
            raise RunCancelled("The job was told to stop.")

    # the same as before -------------------------------------------------------------------------------------
    def _check_same(self, one: Submission, digest: str, task: Task) -> None:
        if one.task_sha256 != digest:
            if len(task.rows) > 1:
                raise BatchTooLarge("What was sent before is not this task; it may be a part of it.")
            raise JobFailedError(
                f"Job {self._claim.id} was run again and came to another task than the one that it sent as number "
                f"{one.part + 1}, so it is not gone on with; nothing was sent twice. 'qsim jobs raw' has the replies."
            )

    def _check_origin(self, one: Submission) -> None:
        here = str(getattr(self._backend, "endpoint", "") or "")
        if here != one.endpoint:
            raise ProfileError(
                f"Job {self._claim.id} was sent to {one.endpoint or 'a backend without an address'} by profile "
                f"'{one.profile}', which now speaks to {here or 'none'}. Credentials are not sent there for this job: set "
                "the profile back, or cancel the job."
            )

    # cancelling ---------------------------------------------------------------------------------------------
    def cancel(self) -> str:
        """Tell the service that what it has of this job is not wanted; what came of it, for the history."""
        return "; ".join(self._cancelled(one) for one in self._submissions.all() if one.is_open)

    def _cancelled(self, one: Submission) -> str:
        what = f"task {one.ref.remote_id}" if one.ref else f"a task {one.client_ref}"
        try:
            self._check_origin(one)
            ref = one.ref or self._backend.find(one.client_ref, clock_slack(one.since))
            if ref is None:
                return f"{what} may have reached {self.name}, which cannot find it; look there"
            if one.ref is None:
                self._submissions.sent(one.part, ref)
            outcome = next(self._cancel_tries(ref))
        except Exception as error:  # the job is cancelled here in any case, and its history says what is left to do
            return f"{self.name} could not be told, so {what} may run: {type(error).__name__}: {error}"
        if outcome is CancelOutcome.UNSUPPORTED:
            return f"{self.name} cancels nothing, so {what} runs and its result is not fetched"
        if outcome is CancelOutcome.ALREADY_FINAL:
            return f"{self.name} had ended {what} before"
        self._submissions.note(one.part, RemoteStatus(RemoteState.CANCELLED, "cancel requested"))
        return f"{self.name} was told to cancel {what}"

    def _cancel_tries(self, ref: RemoteRef) -> Iterator[CancelOutcome]:
        for left in reversed(range(_CANCEL_TRIES)):
            try:
                yield self._backend.cancel(ref)
            except (ServiceUnavailable, SubmitUnknown, BadReply):
                if not left:
                    raise
                self._sleep(pace.FIRST_WAIT)


def _unknown(job_id: str, backend: str, one: Submission, why: str) -> str:
    """What happened, and what to do about it."""
    where = f"{backend} ({', '.join(filter(None, [one.endpoint, one.target]))})" if one.endpoint else backend
    found = {
        "none": f"The service offers no way to find out (our reference {one.client_ref} went with it)",
        "search": f"The service was searched for {one.client_ref} and did not have it",
        "token": "Sending it again with the same token gave no answer",
        "client_id": "Sending it again with the same id gave no answer",
    }[one.idempotency]
    reason = f" ({why.rstrip('.')})" if why else ""
    return (
        f"Job {job_id} was sent to {where} at {one.since:%Y-%m-%d %H:%M:%S} UTC and the answer was lost{reason}. {found}; it "
        f"is not sent again by itself. Look at the service for a task of that time: if it is there, 'qsim jobs resolve "
        f"{job_id} --remote-id ID'; if it is not, 'qsim jobs resolve {job_id} --send-again'; to give up, 'qsim jobs cancel "
        f"{job_id}'."
    )


def remote_details(value: Any) -> str:
    """A vendor's word, message and place in its queue as one text.

    >>> from types import SimpleNamespace as S
    >>> remote_details(S(state="QUEUED", word="ready", message="", queue_position=3, eta_sec=90.0))
    'QUEUED (ready), number 3 in the queue, about 90 s'
    """
    if value.state is None:
        return "not asked yet"
    word = f" ({value.word})" if value.word else ""
    place = "" if value.queue_position is None else f", number {value.queue_position} in the queue"
    place += f", about {value.eta_sec:,.0f} s" if value.eta_sec and not RemoteState(value.state).is_final else ""
    return f"{value.state}{word}{place}" + (f": {value.message}" if value.message else "")
