"""A job as the database has it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from session.errors import StoreCorruptError


class JobStatus(StrEnum):
    """Where a job is.

    QUEUED until some process runs it, RUNNING, and in the end COMPLETED, FAILED or CANCELLED, which never change.
    CANCELLING: it was told to stop and will be CANCELLED. SUBMIT_UNKNOWN: a device may or may not have received it.
    """

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLING = "CANCELLING"
    CANCELLED = "CANCELLED"
    SUBMIT_UNKNOWN = "SUBMIT_UNKNOWN"

    @property
    def is_final(self) -> bool:
        """Whether it never changes again."""
        return self in (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED)


@dataclass(frozen=True)
class NewJob:
    """What is stored when a job is submitted. `program` and `spec` are texts of `session.store.spec`.

    `owner` is the process that alone can run it, if only one can; `remote` whether it runs in a service elsewhere.
    """

    kind: str
    batched: bool
    program: str
    spec: str
    backend: str
    provider: str
    num_shots: int | None = None
    session: str | None = None
    owner: str | None = None
    remote: bool = False


@dataclass(frozen=True)
class JobRecord:
    """A job without what it runs and what it gave. Times are in nanoseconds since 1970, UTC."""

    number: int
    id: str
    kind: str
    batched: bool
    status: JobStatus
    created_ns: int
    started_ns: int | None
    ended_ns: int | None
    backend: str
    provider: str
    num_shots: int | None
    session: str | None
    owner: str | None
    fence: int
    attempts: int
    progress: float
    error: str | None
    result_size: int | None
    result_file: str | None
    engine: str
    remote: bool

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> JobRecord:
        """From a row with `COLUMNS`.

        Raises:
            StoreCorruptError: a value is not what the schema lets in.
        """
        values: dict[str, Any] = dict(zip(cls.__dataclass_fields__, row, strict=True))
        wrong = [name for name, value in values.items() if not isinstance(value, _TYPES[name])]
        if not wrong and values["status"] in set(JobStatus):
            told = {name: bool(values[name]) for name in ("batched", "remote")}
            return cls(**{**values, **told, "status": JobStatus(values["status"])})
        raise StoreCorruptError(
            f"The store of jobs is damaged: a job has the {wrong[0] if wrong else 'status'} "
            f"{values[wrong[0] if wrong else 'status']!r}. Nothing in it was changed. 'qsim jobs recover' puts it aside and "
            "saves what can be read."
        )


#: The columns of a `JobRecord`, and the types that each may have.
COLUMNS = ", ".join(JobRecord.__dataclass_fields__)
_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("number", "batched", "created_ns", "fence", "attempts", "remote"), (int,)),
    **dict.fromkeys(("started_ns", "ended_ns", "num_shots", "result_size"), (int, type(None))),
    **dict.fromkeys(("id", "kind", "status", "backend", "provider", "engine"), (str,)),
    **dict.fromkeys(("session", "owner", "error", "result_file"), (str, type(None))),
    "progress": (float, int),
}


@dataclass(frozen=True)
class Claim:
    """The right to run a job and to store its result, until somebody else gets it: then the fence has moved on."""

    record: JobRecord  # as it was before
    owner: str
    fence: int

    @property
    def id(self) -> str:
        """The id of the job."""
        return self.record.id

    @property
    def number(self) -> int:
        """The number of the job in the database."""
        return self.record.number

    def header(self) -> dict[str, Any]:
        """What a file of results says of its job: enough to find it again without the database."""
        names = ("kind", "batched", "backend", "provider", "num_shots", "session", "created_ns", "engine")
        return {"job": self.id, "fence": self.fence, **{name: getattr(self.record, name) for name in names}}


@dataclass(frozen=True)
class Event:
    """A step in the life of a job."""

    at_ns: int
    before: JobStatus | None
    after: JobStatus
    actor: str | None
    note: str | None


def moment(nanoseconds: int | None) -> datetime | None:
    """A time of the database as a datetime in UTC, rounded down to a microsecond.

    >>> moment(1_500_000_000).isoformat()
    '1970-01-01T00:00:01.500000+00:00'
    """
    return None if nanoseconds is None else _EPOCH + timedelta(microseconds=nanoseconds // 1000)


def nanoseconds_of(time: datetime) -> int:
    """The other way round; a time without a zone is local."""
    return (time.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1) * 1000


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
