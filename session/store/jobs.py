"""The store of jobs: every step of a job's life, each one transaction.

At most one process may store the result of a job. Who starts to run it gets a *fence*, a number that rises with each
start, and a result is stored only while that fence, that owner and the status RUNNING still stand. So a job may be
run more than once, when a process dies, but one result becomes visible, once.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import time
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from qsim.version import __version__
from session.backends.credentials import redact
from session.backends.protocol import storable_text
from session.errors import JobError, JobNotFoundError, StorageFullError, StoreCorruptError
from session.store.database import Database
from session.store.faults import fault
from session.store.liveness import is_alive
from session.store.place import DATABASE, state_folder
from session.store.records import COLUMNS, Claim, Event, JobRecord, JobStatus, NewJob
from session.store.result_files import StoredResult, read_result, write_result
from session.store.steps import log_step
from session.store.submissions import has_submission

MAX_ATTEMPTS = 3
_SPARE_BYTES = 4 << 20  # what the database may need beside a result


class JobStore:
    """The jobs in one folder.

    Args:
        folder: None for the one that QSIM_STATE_DIR or the platform says.
        create: make the store if there is none.

    Raises:
        StoreError: the store cannot be used; the message says why and what to do.
    """

    def __init__(self, folder: Path | None = None, *, create: bool = False) -> None:
        self.folder = state_folder() if folder is None else folder
        self.database = Database(self.folder, create=create)

    @property
    def exists(self) -> bool:
        """Whether there is a database; before the first job there is none."""
        return (self.folder / DATABASE).exists()

    # submitting and reading ---------------------------------------------------------------------------------
    def submit(self, job: NewJob) -> str:
        """Store a job that waits to be run; its id. When this returns, the job is on disk."""
        job_id = str(uuid.uuid4())
        program_sha, now = _sha256(job.program), time.time_ns()
        with self.database.writing() as connection:
            if not connection.execute("SELECT 1 FROM program WHERE sha256 = ?", (program_sha,)).fetchone():
                connection.execute("INSERT INTO program(sha256, text) VALUES (?, ?)", (program_sha, job.program))
            cursor = connection.execute(
                "INSERT INTO job(id, kind, batched, status, program, spec, spec_sha256, created_ns, backend, provider, "
                "num_shots, session, owner, engine, remote) VALUES (?, ?, ?, 'QUEUED', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    job_id, job.kind, job.batched, program_sha, job.spec, _sha256(job.spec), now, job.backend,
                    job.provider, job.num_shots, job.session, job.owner, __version__, job.remote,
                ),
            )  # fmt: skip
            log_step(connection, int(cursor.lastrowid or 0), None, JobStatus.QUEUED, None, None)
            fault("submit-before-commit")
        fault("submit-after-commit")
        return job_id

    def get(self, job_id: str) -> JobRecord:
        """A job by its id.

        Raises:
            JobNotFoundError: there is none.
        """
        checked_id(job_id)
        if not self.exists:
            raise JobNotFoundError(f"There is no job {job_id}: nothing was ever submitted in '{self.folder}'.")
        with self.database.reading() as connection:
            row = connection.execute(f"SELECT {COLUMNS} FROM job WHERE id = ?", (job_id,)).fetchone()
        if row is None:
            if wrong := self.database.check(quick=True):  # a damaged index hides jobs that are there
                raise StoreCorruptError(self.database.damage(wrong[0].splitlines()[0]))
            raise JobNotFoundError(
                f"There is no job {job_id} in '{self.database.path}'. It may have been pruned, or QSIM_STATE_DIR was "
                "another when it was submitted; 'qsim jobs list' shows what there is."
            )
        return self._record(row)

    def find(
        self,
        *,
        statuses: Sequence[JobStatus] = (),
        kind: str | None = None,
        backend: str | None = None,
        session: str | None = None,
        since_ns: int | None = None,
        limit: int | None = None,
    ) -> list[JobRecord]:
        """Jobs that fit all that is given, newest first."""
        if not self.exists:
            return []
        wanted = {"kind = ?": kind, "backend = ?": backend, "session = ?": session, "created_ns >= ?": since_ns}
        given = {clause: value for clause, value in wanted.items() if value is not None}
        where = " AND ".join(["1", *given])
        with self.database.reading() as connection:
            rows = connection.execute(
                f"SELECT {COLUMNS} FROM job WHERE {where} ORDER BY created_ns DESC, number DESC", tuple(given.values())
            )
            found: list[JobRecord] = []
            for row in rows:  # a status depends on who is alive, so it is no part of the query
                record = self._record(row)
                if not statuses or record.status in statuses:
                    found.append(record)
                if len(found) == limit:
                    break
        return found

    def events(self, job_id: str) -> list[Event]:
        """What happened to a job, first first."""
        with self.database.reading() as connection:
            rows = connection.execute(
                "SELECT at_ns, before, after, actor, note FROM event WHERE job = (SELECT number FROM job WHERE id = ?) "
                "ORDER BY seq", (checked_id(job_id),)
            ).fetchall()  # fmt: skip
        return [
            Event(r["at_ns"], r["before"] and JobStatus(r["before"]), JobStatus(r["after"]), r["actor"], r["note"])
            for r in rows
        ]

    def spec(self, job_id: str) -> tuple[str, str]:
        """The texts of a job's program and of what it does with it, checked against their SHA-256."""
        with self.database.reading() as connection:
            row = connection.execute(
                "SELECT text, sha256, spec, spec_sha256 FROM job JOIN program ON program.sha256 = job.program "
                "WHERE id = ?", (checked_id(job_id),)
            ).fetchone()  # fmt: skip
        if row is None or _sha256(row["text"]) != row["sha256"] or _sha256(row["spec"]) != row["spec_sha256"]:
            raise StoreCorruptError(
                f"What job {job_id} runs is damaged in '{self.database.path}': its SHA-256 is wrong. 'qsim jobs recover' "
                "saves what is whole."
            )
        return row["text"], row["spec"]

    def result(self, job_id: str) -> list[Any]:
        """The stored results of a completed job, one for each parameter set, checked against their SHA-256."""
        with self.database.reading() as connection:
            row = connection.execute(
                "SELECT result, result_file, result_size, result_sha256 FROM job WHERE id = ?", (checked_id(job_id),)
            ).fetchone()
        if row is None or row["result_sha256"] is None:
            raise JobError(f"Job {job_id} has no result.")
        stored = StoredResult(row["result"], row["result_file"], row["result_size"], row["result_sha256"])
        return read_result(self.folder, stored)

    # running ------------------------------------------------------------------------------------------------
    def is_claimable(self, record: JobRecord) -> bool:
        """Whether whoever wants to may run a job, or finish the cancelling of one whose process died."""
        if record.status.is_final or record.status is JobStatus.SUBMIT_UNKNOWN:
            return False
        return record.owner is None or not is_alive(self.folder, record.owner)

    def claimable(self) -> list[str]:
        """Ids of all such jobs, oldest first."""
        with self.database.reading() as connection:
            rows = connection.execute(
                f"SELECT {COLUMNS} FROM job WHERE status IN ('QUEUED', 'RUNNING', 'CANCELLING') ORDER BY number"
            ).fetchall()
        return [record.id for record in map(JobRecord.from_row, rows) if self.is_claimable(record)]

    def claim(self, job_id: str, owner: str) -> Claim | None:
        """Become the one that runs a job; None when it is done, or somebody who lives runs it."""
        with self.database.writing() as connection:
            row = connection.execute(f"SELECT {COLUMNS} FROM job WHERE id = ?", (job_id,)).fetchone()
            if row is None:
                return None
            record = JobRecord.from_row(row)
            own = record.status is JobStatus.QUEUED and record.owner == owner
            if not own and not self.is_claimable(record):
                return None
            sent = record.remote and has_submission(connection, record.number)
            if record.status is JobStatus.CANCELLING:
                if sent and has_submission(connection, record.number, is_open=True):
                    return _take_over_cancelling(connection, record, owner)
                _end(connection, record, JobStatus.CANCELLED, record.owner, "its process died")
                return None
            if record.attempts >= max_attempts() and not sent:
                times = f"{record.attempts} time{'s' * (record.attempts != 1)}"
                error = {"type": "session.errors.JobFailedError", "message": f"The job crashed its process {times}."}
                _end(connection, record, JobStatus.FAILED, record.owner, "too many crashes", json.dumps(error))
                return None
            fence = record.fence + 1
            connection.execute(
                "UPDATE job SET status = 'RUNNING', owner = ?, fence = ?, attempts = attempts + 1, progress = 0, "
                "started_ns = ? WHERE number = ?", (owner, fence, time.time_ns(), record.number)
            )  # fmt: skip
            note = None if own or record.owner is None else f"taken over from {record.owner}, which died"
            log_step(connection, record.number, record.status, JobStatus.RUNNING, owner, note)
            fault("claim-before-commit")
        fault("claim-after-commit")
        return Claim(record, owner, fence)

    def holds(self, claim: Claim) -> bool:
        """Whether a claim still stands and nobody asked to cancel the job."""
        with self.database.reading() as connection:
            row = connection.execute(
                "SELECT status FROM job WHERE number = ? AND fence = ? AND owner = ?",
                (claim.number, claim.fence, claim.owner),
            ).fetchone()
        return row is not None and row["status"] == JobStatus.RUNNING

    def set_progress(self, claim: Claim, fraction: float) -> None:
        """Note how far a run is, from 0 to 1."""
        with self.database.writing() as connection:
            connection.execute(
                "UPDATE job SET progress = ? WHERE number = ? AND fence = ? AND owner = ? AND status = 'RUNNING'",
                (fraction, claim.number, claim.fence, claim.owner),
            )

    def complete(self, claim: Claim, results: Sequence[Any]) -> bool:
        """Store the results of a run, if the claim still stands; False when it does not and nothing was stored."""
        if not self.holds(claim):  # before a file is written, which must never be written over one that counts
            return self._finish(claim, JobStatus.COMPLETED, None)
        stored = write_result(self.folder, claim.header(), results)
        try:
            done = self._finish(claim, JobStatus.COMPLETED, stored)
        except BaseException:
            self._discard(stored, claim)
            raise
        if not done:
            self._discard(stored, claim)
        return done

    def fail(self, claim: Claim, error: BaseException) -> None:
        """Store the error that a run ended with, if the claim still stands."""
        kind, message = type(error), str(error)
        if claim.record.remote:  # adapters of others, and libraries, may say what was in a request
            message = redact(message)
        message = message.encode("utf-8", "replace").decode()  # lone surrogates cannot be printed
        about = {"type": f"{kind.__module__}.{kind.__qualname__}", "message": message or kind.__name__}
        self._finish(claim, JobStatus.FAILED, None, json.dumps(about))

    def is_cancelling(self, claim: Claim) -> bool:
        """Whether somebody asked to cancel the job of a claim."""
        with self.database.reading() as connection:
            record = self._claimed(connection, claim)
        return record is not None and record.status is JobStatus.CANCELLING

    def release(self, claim: Claim, note: str | None = None) -> None:
        """Give a job back unfinished: it waits again, and this start does not count as a crash.

        One that was told to stop is CANCELLED instead; `note` says in its history what became of it elsewhere.
        """
        note = None if note is None else storable_text(note)
        with self.database.writing() as connection:
            record = self._claimed(connection, claim)
            if record is None:
                return
            if record.status is JobStatus.CANCELLING:
                _end(connection, record, JobStatus.CANCELLED, claim.owner, note)
                return
            connection.execute(
                "UPDATE job SET status = 'QUEUED', owner = NULL, progress = 0, started_ns = NULL, attempts = attempts - 1 "
                "WHERE number = ?",
                (claim.number,),
            )
            log_step(connection, claim.number, record.status, JobStatus.QUEUED, claim.owner, "given back")

    def cancel(self, job_id: str) -> bool:
        """Cancel a job, or tell the process that runs it to stop; False when it has ended already."""
        with self.database.writing() as connection:
            row = connection.execute(f"SELECT {COLUMNS} FROM job WHERE id = ?", (checked_id(job_id),)).fetchone()
            if row is None:
                raise JobNotFoundError(f"There is no job {job_id} in '{self.database.path}'.")
            record = JobRecord.from_row(row)
            if record.status.is_final:
                return record.status is JobStatus.CANCELLED
            if record.remote and has_submission(connection, record.number, is_open=True):
                # A service has it, or may have it: whoever claims the job next tells it.
                if record.status is not JobStatus.CANCELLING:
                    lives = record.status is JobStatus.RUNNING and not self.is_claimable(record)
                    connection.execute(
                        "UPDATE job SET status = 'CANCELLING', error = NULL, owner = ? WHERE number = ?",
                        (record.owner if lives else None, record.number),
                    )
                    log_step(connection, record.number, record.status, JobStatus.CANCELLING, None, None)
            elif record.status in (JobStatus.QUEUED, JobStatus.SUBMIT_UNKNOWN) or self.is_claimable(record):
                _end(connection, record, JobStatus.CANCELLED, None, None)
            elif record.status is not JobStatus.CANCELLING:
                connection.execute("UPDATE job SET status = 'CANCELLING' WHERE number = ?", (record.number,))
                log_step(connection, record.number, record.status, JobStatus.CANCELLING, None, None)
            return True

    def check_room(self, size: int) -> None:
        """Refuse a run whose result of about `size` bytes would not fit on the disk."""
        free = shutil.disk_usage(self.folder).free
        if free < size + _SPARE_BYTES:
            result = f"and the result takes about {size >> 20:,} MiB, " if size >> 20 else ""
            raise StorageFullError(
                f"A job needs {_SPARE_BYTES >> 20} MiB of free disk, {result}but '{self.folder}' has {free >> 20:,} MiB left. "
                "Free some space or set QSIM_STATE_DIR to a larger disk."
            )

    # how ----------------------------------------------------------------------------------------------------
    def _record(self, row: sqlite3.Row) -> JobRecord:
        """With the status that the job has when the process that ran it is dead."""
        record = JobRecord.from_row(row)
        if record.status in (JobStatus.RUNNING, JobStatus.CANCELLING) and self.is_claimable(record):
            if record.status is JobStatus.RUNNING:
                return replace(record, status=JobStatus.QUEUED, owner=None, started_ns=None, progress=0.0)
            return replace(record, owner=None)
        return record

    @staticmethod
    def _claimed(connection: sqlite3.Connection, claim: Claim) -> JobRecord | None:
        row = connection.execute(
            f"SELECT {COLUMNS} FROM job WHERE number = ? AND id = ? AND fence = ? AND owner = ? "
            "AND status IN ('RUNNING', 'CANCELLING')", (claim.number, claim.id, claim.fence, claim.owner)
        ).fetchone()  # fmt: skip
        return None if row is None else JobRecord.from_row(row)

    def _finish(self, claim: Claim, status: JobStatus, stored: StoredResult | None, error: str | None = None) -> bool:
        """End a job whose claim still stands; one that was told to stop is CANCELLED whatever came of it."""
        with self.database.writing() as connection:
            record = self._claimed(connection, claim)
            if record is None:
                return False
            if record.status is JobStatus.CANCELLING:
                _end(connection, record, JobStatus.CANCELLED, claim.owner, None)
                return False
            _end(connection, record, status, claim.owner, None, error, stored)
            fault("finish-before-commit")
        fault("finish-after-commit")
        self._remove_stale(claim)
        return True

    def _discard(self, stored: StoredResult, claim: Claim) -> None:
        """Remove a file that did not become the result; never one that did, though its commit gave an error."""
        if stored.file is None:
            return
        try:
            if self.get(claim.id).result_file != stored.file:
                (self.folder / "results" / stored.file).unlink(missing_ok=True)
        except Exception:  # what cannot be decided now is swept later
            return

    def _remove_stale(self, claim: Claim) -> None:
        """Files of earlier starts of this job, whose processes died."""
        if claim.fence == 1:
            return
        for path in (self.folder / "results").glob(f"{claim.id}.*"):
            if path.stem != f"{claim.id}.{claim.fence}":
                path.unlink(missing_ok=True)


def checked_id(job_id: Any) -> str:
    """A job id in its canonical form, or an error; nothing else ever gets near a path or a query."""
    try:
        if isinstance(job_id, str) and str(uuid.UUID(job_id)) == job_id and uuid.UUID(job_id).version == 4:
            return job_id
    except ValueError:
        pass
    shown = repr(job_id) if len(repr(job_id)) <= 60 else repr(job_id)[:57] + "..."
    raise JobError(
        f"A job id is the text of a UUID, such as '123e4567-e89b-42d3-a456-426614174000' (ExecutionJob.id); got {shown}."
    )


def max_attempts() -> int:
    """How often a job may crash its process before it is given up: 3, or QSIM_JOB_ATTEMPTS."""
    text = os.environ.get("QSIM_JOB_ATTEMPTS", "").strip()
    if not text:
        return MAX_ATTEMPTS
    if not text.isdecimal() or not 1 <= int(text) <= 1_000_000:
        raise JobError(f"QSIM_JOB_ATTEMPTS is a whole number of at least 1, got {text!r}.")
    return int(text)


def _end(
    connection: sqlite3.Connection,
    record: JobRecord,
    status: JobStatus,
    actor: str | None,
    note: str | None,
    error: str | None = None,
    stored: StoredResult | None = None,
) -> None:
    text, file, size, sha256 = (None,) * 4 if stored is None else (stored.text, stored.file, stored.size, stored.sha256)
    progress = 1.0 if status is JobStatus.COMPLETED else record.progress
    connection.execute(
        "UPDATE job SET status = ?, owner = NULL, ended_ns = ?, error = ?, result = ?, result_file = ?, "
        "result_size = ?, result_sha256 = ?, progress = ? WHERE number = ?",
        (status, time.time_ns(), error, text, file, size, sha256, progress, record.number),
    )
    log_step(connection, record.number, record.status, status, actor, note)


def _take_over_cancelling(connection: sqlite3.Connection, record: JobRecord, owner: str) -> Claim:
    """The right to tell a service that its task is not wanted any more."""
    fence = record.fence + 1
    connection.execute("UPDATE job SET owner = ?, fence = ? WHERE number = ?", (owner, fence, record.number))
    return Claim(record, owner, fence)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
