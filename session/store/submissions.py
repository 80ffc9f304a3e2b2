"""What jobs sent to services elsewhere: the intent before it leaves, their id for it, and their answer as it came.

The order is what makes it safe. The intent (our reference, the payload and where it goes) is durable before the request
leaves; so after a crash at any moment it is known that a task may be there, and by which name to look for it. Their id is
noted as soon as it is known, whoever owns the job by then. Their answer is stored before anybody decodes it.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from session.backends.protocol import Prepared, RawResult, RemoteRef, RemoteState, RemoteStatus, storable_text
from session.errors import JobError, StoreCorruptError
from session.store.faults import fault
from session.store.place import explained, private_file, sync_folder
from session.store.records import Claim, JobRecord, JobStatus, moment
from session.store.steps import log_step

if TYPE_CHECKING:
    from session.store.jobs import JobStore

INLINE_BYTES = 64 * 1024
_OPEN = "(reply_sha256 IS NULL AND (state IS NULL OR state IN ('QUEUED', 'RUNNING', 'CANCELLING')))"


@dataclass(frozen=True)
class Submission:
    """A task that a job sent, or was about to send.

    Args:
        job: the number of the job.
        part: which of its tasks.
        task_sha256: of the task, to notice when a job that is run again comes to another one.
        client_ref: what we call it there.
        idempotency: what makes sending it again safe; see `Capabilities`.
        endpoint: the origin that it is sent to.
        target: the device.
        profile: the name of the access that was used.
        intended_ns: when the intent was stored.
        ref: where it is, once that is known.
        state: where they said it was; None before they said anything.
        word: what they called that.
        message: what they said besides.
        queue_position: in their queue.
        eta_sec: how long it still takes, as they expected when they were asked last.
        has_reply: whether their answer is stored.
    """

    job: int
    part: int
    task_sha256: str
    client_ref: str
    idempotency: str
    endpoint: str
    target: str
    profile: str
    intended_ns: int
    ref: RemoteRef | None
    state: RemoteState | None
    word: str
    message: str
    queue_position: int | None
    eta_sec: float | None
    has_reply: bool

    @property
    def since(self) -> datetime:
        """When the intent was stored, in UTC."""
        time_of = moment(self.intended_ns)
        assert time_of is not None
        return time_of

    @property
    def is_open(self) -> bool:
        """Whether the service has it, or may have it, and has not ended it."""
        return not self.has_reply and (self.state is None or not self.state.is_final)

    @property
    def is_unfinished(self) -> bool:
        """Whether a result may still be had: nobody ended it without one, and there is no reply yet."""
        return self.is_open or (self.state is RemoteState.COMPLETED and not self.has_reply)


@dataclass(frozen=True, kw_only=True)
class Destination:
    """Where tasks of a backend go, and what makes sending one again safe."""

    idempotency: str
    endpoint: str = ""
    target: str = ""
    profile: str = ""


def has_submission(connection: sqlite3.Connection, number: int, *, is_open: bool = False) -> bool:
    """Whether a job sent anything; with `is_open`, anything that a service may still have."""
    more = f" AND {_OPEN}" if is_open else ""
    return connection.execute(f"SELECT 1 FROM submission WHERE job = ?{more}", (number,)).fetchone() is not None


class Submissions:
    """The submissions of one job."""

    def __init__(self, store: JobStore, job: JobRecord) -> None:
        self._store, self._job, self._database = store, job, store.database

    def all(self) -> list[Submission]:
        """All of them, in their order."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT * FROM submission WHERE job = ? ORDER BY part", (self._job.number,)
            ).fetchall()
        return [_submission(row) for row in rows]

    def get(self, part: int) -> Submission | None:
        """One of them, if it was ever intended."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT * FROM submission WHERE job = ? AND part = ?", (self._job.number, part)
            ).fetchone()
        return None if row is None else _submission(row)

    def intend(
        self, claim: Claim, part: int, task_sha256: str, prepared: Prepared, to: Destination
    ) -> Submission | None:
        """Store the intent to send a task, durably; None when the claim does not stand any more: then nothing is sent."""
        client_ref = str(uuid.uuid4())
        about = json.dumps(prepared.about(), separators=(",", ":"))
        with self._database.writing() as connection:
            held = connection.execute(
                "SELECT 1 FROM job WHERE number = ? AND fence = ? AND owner = ? AND status = 'RUNNING'",
                (claim.number, claim.fence, claim.owner),
            ).fetchone()
            if held is None:
                return None
            connection.execute(
                "INSERT INTO submission(job, part, task_sha256, client_ref, idempotency, endpoint, target, profile, payload, "
                "payload_sha256, about, intended_ns) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    claim.number, part, task_sha256, client_ref, to.idempotency, to.endpoint, to.target, to.profile,
                    prepared.payload, prepared.sha256, about, time.time_ns(),
                ),
            )  # fmt: skip
            fault("intent-before-commit")
        fault("intent-after-commit")
        return self.get(part)

    def prepared(self, part: int) -> Prepared:
        """What was sent, exactly.

        Raises:
            StoreCorruptError: its SHA-256 is wrong.
        """
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT payload, payload_sha256, about FROM submission WHERE job = ? AND part = ?",
                (self._job.number, part),
            ).fetchone()
        if row is None or hashlib.sha256(row["payload"]).hexdigest() != row["payload_sha256"]:
            raise StoreCorruptError(f"What job {self._job.id} sent is damaged in the store: its SHA-256 is wrong.")
        try:
            return Prepared.from_about(row["payload"], json.loads(row["about"]))
        except (ValueError, KeyError, TypeError) as error:
            raise StoreCorruptError(f"What job {self._job.id} sent is damaged in the store: {error!r}.") from None

    def sent(self, part: int, ref: RemoteRef) -> None:
        """Note their id, whoever owns the job by now: a task that exists must be known."""
        text = json.dumps(ref.to_dict(), separators=(",", ":"))
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE submission SET remote_ref = ? WHERE job = ? AND part = ? AND remote_ref IS NULL",
                (text, self._job.number, part),
            )
            fault("ref-before-commit")
        fault("ref-after-commit")

    def note(self, part: int, status: RemoteStatus) -> None:
        """Note where they said it was."""
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE submission SET state = ?, word = ?, message = ?, queue_position = ?, eta_sec = ?, asked_ns = ? "
                "WHERE job = ? AND part = ?",
                (
                    status.state, status.raw[:200], status.message[:2000], status.queue_position, status.eta_sec,
                    time.time_ns(), self._job.number, part,
                ),
            )  # fmt: skip

    def sending(self, part: int) -> None:
        """From now on it may be there: for a task that was known not to have been sent, before it is sent again."""
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE submission SET state = NULL, word = NULL, message = NULL WHERE job = ? AND part = ? "
                "AND remote_ref IS NULL", (self._job.number, part)
            )  # fmt: skip

    def keep_reply(self, part: int, raw: RawResult) -> None:
        """Store their answer as it came, durably; the first one counts."""
        digest, size = hashlib.sha256(raw.body).hexdigest(), len(raw.body)
        body, name = (raw.body, None) if size <= INLINE_BYTES else (None, f"{self._job.id}.{part}.{digest[:16]}.reply")
        if name is not None:
            self._write(name, raw.body)
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE submission SET reply = ?, reply_file = ?, reply_type = ?, reply_size = ?, reply_sha256 = ? "
                "WHERE job = ? AND part = ? AND reply_sha256 IS NULL",
                (body, name, raw.media_type, size, digest, self._job.number, part),
            )
            fault("reply-before-commit")
        fault("reply-after-commit")

    def _write(self, name: str, body: bytes) -> None:
        folder = self._store.folder / "replies"
        partial = folder / f"{name}.{uuid.uuid4().hex[:8]}.tmp"
        with explained(folder):
            folder.mkdir(exist_ok=True, mode=0o700)
            try:
                with os.fdopen(private_file(partial), "wb") as file:
                    file.write(body)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(partial, folder / name)
                sync_folder(folder)
            finally:
                partial.unlink(missing_ok=True)

    def reply(self, part: int) -> RawResult:
        """Their answer as it came.

        Raises:
            JobError: there is none yet.
            StoreCorruptError: its SHA-256 is wrong.
        """
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT reply, reply_file, reply_type, reply_sha256 FROM submission WHERE job = ? AND part = ?",
                (self._job.number, part),
            ).fetchone()
        if row is None or row["reply_sha256"] is None:
            raise JobError(f"Job {self._job.id} has no reply of the service yet.")
        try:
            body = row["reply"]
            if row["reply_file"] is not None:
                body = (self._store.folder / "replies" / str(row["reply_file"])).read_bytes()
        except OSError as error:
            raise StoreCorruptError(f"A reply to job {self._job.id} cannot be read: {error}.") from None
        if hashlib.sha256(body).hexdigest() != row["reply_sha256"]:
            raise StoreCorruptError(f"A reply to job {self._job.id} is damaged in the store: its SHA-256 is wrong.")
        return RawResult(body, str(row["reply_type"]))

    # unknown ------------------------------------------------------------------------------------------------
    def mark_unknown(self, claim: Claim, message: str) -> None:
        """The job is SUBMIT_UNKNOWN: nobody runs it until somebody decides."""
        error = json.dumps({"type": "session.errors.SubmitUnknown", "message": storable_text(message)})
        with self._database.writing() as connection:
            cursor = connection.execute(
                "UPDATE job SET status = 'SUBMIT_UNKNOWN', owner = NULL, error = ? "
                "WHERE number = ? AND fence = ? AND owner = ? AND status = 'RUNNING'",
                (error, claim.number, claim.fence, claim.owner),
            )
            if cursor.rowcount:
                log_step(connection, claim.number, JobStatus.RUNNING, JobStatus.SUBMIT_UNKNOWN, claim.owner, None)

    def decide(self, note: str, *, ref: RemoteRef | None = None, forget: bool = False) -> None:
        """What became of a task that was SUBMIT_UNKNOWN: it is `ref`, or (`forget`) never arrived, or is looked for again.

        Raises:
            JobError: the job is not SUBMIT_UNKNOWN.
        """
        with self._database.writing() as connection:
            row = connection.execute("SELECT status FROM job WHERE number = ?", (self._job.number,)).fetchone()
            if row is None or row["status"] != JobStatus.SUBMIT_UNKNOWN:
                raise JobError(f"Job {self._job.id} is {row['status'] if row else 'gone'}, not SUBMIT_UNKNOWN.")
            lost = "job = ? AND remote_ref IS NULL AND " + _OPEN
            if ref is not None:
                text = json.dumps(ref.to_dict(), separators=(",", ":"))
                connection.execute(f"UPDATE submission SET remote_ref = ? WHERE {lost}", (text, self._job.number))
            elif forget:
                connection.execute(f"DELETE FROM submission WHERE {lost}", (self._job.number,))
            connection.execute("UPDATE job SET status = 'QUEUED', error = NULL WHERE number = ?", (self._job.number,))
            log_step(connection, self._job.number, JobStatus.SUBMIT_UNKNOWN, JobStatus.QUEUED, None, note)


def reply_files(connection: sqlite3.Connection) -> Iterator[str]:
    """The names of all files of replies that some job has."""
    for row in connection.execute("SELECT reply_file FROM submission WHERE reply_file IS NOT NULL"):
        yield str(row["reply_file"])


def _submission(row: sqlite3.Row) -> Submission:
    try:
        ref = None if row["remote_ref"] is None else RemoteRef(**json.loads(row["remote_ref"]))
        return Submission(
            job=row["job"],
            part=row["part"],
            task_sha256=row["task_sha256"],
            client_ref=row["client_ref"],
            idempotency=row["idempotency"],
            endpoint=row["endpoint"],
            target=row["target"],
            profile=row["profile"],
            intended_ns=row["intended_ns"],
            ref=ref,
            state=None if row["state"] is None else RemoteState(row["state"]),
            word=row["word"] or "",
            message=row["message"] or "",
            queue_position=row["queue_position"],
            eta_sec=row["eta_sec"],
            has_reply=row["reply_sha256"] is not None,
        )
    except (ValueError, TypeError) as error:
        raise StoreCorruptError(
            f"The store of jobs is damaged: a submission has {error}. 'qsim jobs recover' saves what is whole."
        ) from None


def about_submission(one: Submission) -> dict[str, Any]:
    """What is shown of a submission, as JSON can hold it."""
    return {
        "part": one.part,
        "client_ref": one.client_ref,
        "remote_id": one.ref.remote_id if one.ref else None,
        "endpoint": one.endpoint,
        "target": one.target,
        "profile": one.profile,
        "idempotency": one.idempotency,
        "intended": one.since.isoformat(),
        "state": one.state,
        "word": one.word,
        "message": one.message,
        "queue_position": one.queue_position,
        "eta_sec": one.eta_sec,
        "reply_is_stored": one.has_reply,
    }
