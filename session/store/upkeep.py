"""Keeping the store tidy: removing jobs that are no longer wanted, and what crashed processes left behind."""

from __future__ import annotations

import contextlib
import sqlite3
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from session.errors import StoreCorruptError
from session.store.database import connect
from session.store.jobs import JobStore
from session.store.liveness import remove_dead
from session.store.records import COLUMNS, JobRecord, JobStatus
from session.store.submissions import reply_files

ENDED = (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED)


@dataclass(frozen=True)
class Pruned:
    """What was removed: ids of jobs, names of files, and the bytes of those files."""

    jobs: list[str]
    files: list[str]
    bytes: int


def prune(
    store: JobStore, older_than_sec: float, statuses: Sequence[JobStatus] = ENDED, *, dry_run: bool = False
) -> Pruned:
    """Remove jobs that ended longer ago than this, with their results, and files that no job has.

    Jobs that have not ended are never removed. Nothing is ever removed unless somebody calls this.
    """
    if not store.exists:
        return Pruned([], [], 0)
    limit = time.time_ns() - int(older_than_sec * 1e9)
    with store.database.reading() if dry_run else store.database.writing() as connection:
        marks = ", ".join("?" * len(statuses))
        rows = connection.execute(
            f"SELECT {COLUMNS} FROM job WHERE status IN ({marks}) AND ended_ns <= ?", (*statuses, limit)
        ).fetchall()
        gone = [JobRecord.from_row(row) for row in rows if row["status"] in ENDED]
        if not dry_run:
            connection.executemany("DELETE FROM job WHERE number = ?", [(record.number,) for record in gone])
            connection.execute("DELETE FROM program WHERE sha256 NOT IN (SELECT program FROM job)")
    files = _leftovers(store, {record.id for record in gone})
    size = sum(_size(path) for path in files)
    if not dry_run:
        for path in files:
            with contextlib.suppress(OSError):
                path.unlink()
        remove_dead(store.folder)
        with store.database.changing():  # while nobody makes a database, what is left of making one is of no use
            for path in store.folder.glob("new-*.db*"):
                path.unlink(missing_ok=True)
        _compact(store)
    return Pruned([record.id for record in gone], [path.name for path in files], size)


def _leftovers(store: JobStore, removed: set[str]) -> list[Path]:
    """Files of results that are of removed jobs, or of starts that came to nothing.

    A file of a job that the database does not know is kept: if the database was lost, `recover` needs it.
    """
    with store.database.reading() as connection:
        rows = connection.execute(f"SELECT {COLUMNS} FROM job").fetchall()
        kept = set(reply_files(connection))
    known = {record.id: record for record in map(JobRecord.from_row, rows)}
    found: list[Path] = []
    for path in sorted((store.folder / "results").iterdir()):
        job_id, _, fence = path.stem.partition(".")
        record = known.get(job_id)
        if job_id in removed:
            found.append(path)
        elif record is not None and fence.isdecimal():
            may_come = not record.status.is_final and int(fence) >= record.fence
            if not may_come and path.name != record.result_file:
                found.append(path)
    replies = store.folder / "replies"
    for path in sorted(replies.iterdir()) if replies.exists() else []:
        job_id = path.stem.partition(".")[0]
        is_left = job_id in known and known[job_id].status.is_final and path.name not in kept
        if job_id in removed or is_left:
            found.append(path)
    return found


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _compact(store: JobStore) -> None:
    """Give free pages of the database back to the disk; where there is no room to do so, they are used again later."""
    with contextlib.suppress(sqlite3.Error):
        connection = connect(store.database.path, write=True)
        try:
            (free,) = connection.execute("PRAGMA freelist_count").fetchone()
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            if free * 4 > pages:
                connection.execute("VACUUM")
        finally:
            connection.close()


def check_after_crash(store: JobStore) -> None:
    """If a process that ran jobs died here, look whether the database is whole, once.

    Raises:
        StoreCorruptError: it is not.
    """
    if remove_dead(store.folder) and (found := store.database.check(quick=True)):
        raise StoreCorruptError(
            f"The store of jobs '{store.database.path}' is damaged: {found[0]}. Nothing in it was changed. 'qsim jobs "
            "recover' puts it aside and saves what can be read."
        )


def is_job_id(text: str) -> bool:
    """Whether a text is a job id in its canonical form."""
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
