"""The history of a job: one row for each change of its status."""

from __future__ import annotations

import sqlite3
import time

from session.store.records import JobStatus


def log_step(
    connection: sqlite3.Connection,
    number: int,
    before: JobStatus | None,
    after: JobStatus,
    actor: str | None,
    note: str | None,
) -> None:
    """Note a change of the job with this number, in the transaction that makes it."""
    connection.execute(
        "INSERT INTO event(job, at_ns, before, after, actor, note) VALUES (?, ?, ?, ?, ?, ?)",
        (number, time.time_ns(), before, after, actor, note),
    )
