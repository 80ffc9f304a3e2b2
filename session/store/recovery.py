"""Saving what can be read out of a damaged store, into a new one; the damaged one is kept as it is."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from session.store.database import Database, connect
from session.store.place import DATABASE, explained, sync_folder
from session.store.result_files import read_header
from session.store.upkeep import is_job_id

_MOST_PROBES = 200_000
_TABLES = ("program", "job", "event", "submission")


@dataclass(frozen=True)
class Recovery:
    """What came of it. `aside` is the folder with the damaged files, None when nothing was wrong."""

    aside: Path | None
    jobs: int = 0  # that are in the new store
    indexed: int = 0  # of these, found by their files of results alone
    lost: int = 0  # rows that could be read in part only


def recover(folder: Path) -> Recovery:
    """Put a damaged database aside, and make a new one of its readable rows and of the files of results.

    Raises:
        StoreVersionError: the database is a newer version's, or another program's: it is not damaged.
        StoreError: the folder cannot be used.
    """
    database = Database(folder, create=False)
    with database.changing():
        if database.path.exists() and not database.check():
            return Recovery(None)
        aside = _put_aside(folder)
        salvage = _Salvage(aside / DATABASE)
        database.build(database.path, lambda connection: salvage.fill(connection, folder / "results"))
    return Recovery(aside, salvage.jobs, salvage.indexed, salvage.lost)


def _put_aside(folder: Path) -> Path:
    """A copy of the damaged files; the journal is moved, or it would be played back into the new database."""
    aside = folder / f"damaged-{time.strftime('%Y%m%d-%H%M%S')}-{time.time_ns() % 1000:03d}"
    with explained(folder):
        aside.mkdir(mode=0o700)
        for path in folder.glob(f"{DATABASE}*"):
            copy = aside / path.name
            os.close(os.open(copy, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            shutil.copyfile(path, copy)
        sync_folder(aside)
        for path in folder.glob(f"{DATABASE}-*"):
            path.unlink()
    return aside


class _Salvage:
    def __init__(self, path: Path) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {table: [] for table in _TABLES}
        self.jobs = self.indexed = self.lost = 0
        if not path.exists():
            return
        # A second copy is read: SQLite rolls back what was not committed, which changes the file.
        with tempfile.TemporaryDirectory(dir=path.parent) as folder, contextlib.suppress(sqlite3.Error):
            for part in path.parent.glob(f"{DATABASE}*"):
                shutil.copyfile(part, Path(folder) / part.name)
            connection = connect(Path(folder) / DATABASE, write=True)
            connection.text_factory = lambda data: data.decode("utf-8", errors="replace")
            try:
                for table in _TABLES:
                    self.rows[table] = list(_readable(connection, table))
            finally:
                connection.close()

    def fill(self, connection: sqlite3.Connection, results: Path) -> None:
        """Insert what was read, row by row, and jobs that only their results tell of."""
        programs = {row["sha256"]: row["text"] for row in self.rows["program"]}
        whole = {sha for sha, text in programs.items() if hashlib.sha256(str(text).encode()).hexdigest() == sha}
        for row in self.rows["program"]:
            if row["sha256"] in whole:
                self._insert(connection, "program", row)
        numbers = set()
        sent = {row["job"] for row in self.rows["submission"]}
        for row in self.rows["job"]:
            if not is_job_id(str(row.get("id"))):
                self.lost += 1
                continue
            self._check(row, whole)
            self._check_sent(row, sent)
            if row["program"] not in whole:
                _no_program(connection, row)
            if self._insert(connection, "job", row):
                numbers.add(row["number"])
                self.jobs += 1
        for row in self.rows["event"]:
            if row["job"] in numbers:
                self._insert(connection, "event", row)
        for row in self.rows["submission"]:
            if row["job"] in numbers:
                self._insert(connection, "submission", row)
        self._index(connection, results)

    def _check(self, row: dict[str, Any], programs: set[str]) -> None:
        """A job that waits but whose program or task is damaged can no longer run, and says so."""
        spec = hashlib.sha256(str(row["spec"]).encode()).hexdigest()
        if row["status"] in ("QUEUED", "RUNNING", "CANCELLING") and (
            spec != row["spec_sha256"] or row["program"] not in programs
        ):
            message = "What the job runs was damaged on the disk. Submit it again."
            error = json.dumps({"type": "session.errors.JobFailedError", "message": message})
            row.update(status="FAILED", owner=None, error=error, ended_ns=time.time_ns())
            self.lost += 1

    def _check_sent(self, row: dict[str, Any], sent: set[Any]) -> None:
        """A job whose record of what it sent elsewhere may be lost is not run again: it could send it twice."""
        is_begun = (
            row.get("remote")
            and row["status"] in ("QUEUED", "RUNNING", "CANCELLING", "SUBMIT_UNKNOWN")
            and row["fence"]
        )
        if is_begun and (row["number"] not in sent or row["kind"] in ("minimize", "estimate_cost")):
            message = (
                "The record of what this job sent to its service may be lost. Look there before you submit it again."
            )
            error = json.dumps({"type": "session.errors.SubmitUnknown", "message": message})
            row.update(status="FAILED", owner=None, error=error, ended_ns=time.time_ns())

    def _insert(self, connection: sqlite3.Connection, table: str, row: dict[str, Any]) -> bool:
        known = {column[1] for column in connection.execute(f"PRAGMA table_info({table})")}
        names = [name for name in row if name in known]
        try:
            connection.execute(
                f"INSERT INTO {table}({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",
                [row[name] for name in names],
            )
        except (sqlite3.IntegrityError, sqlite3.InterfaceError, OverflowError):  # what the schema does not allow
            self.lost += 1
            return False
        return True

    def _index(self, connection: sqlite3.Connection, results: Path) -> None:
        """Jobs that are in no row, but whose file of results is whole and names them."""
        for path in sorted(results.glob("*.zip")) if results.exists() else []:
            header = read_header(path)
            if header is None or not is_job_id(str(header.get("job"))):
                continue
            if path.name != f"{header['job']}.{header.get('fence')}.zip":
                continue
            if connection.execute("SELECT 1 FROM job WHERE id = ?", (header["job"],)).fetchone():
                continue
            with open(path, "rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            now = time.time_ns()
            row = {
                **{name: header.get(name) for name in ("kind", "batched", "backend", "provider", "num_shots", "session")},
                "id": header["job"], "fence": header["fence"], "created_ns": header.get("created_ns", now), "ended_ns": now,
                "status": "COMPLETED", "progress": 1.0, "program": "", "spec": "", "spec_sha256": _sha256(""),
                "result_file": path.name, "result_size": path.stat().st_size, "result_sha256": sha256,
                "engine": header.get("engine", ""),
            }  # fmt: skip
            _no_program(connection, row)
            if self._insert(connection, "job", row):
                self.jobs += 1
                self.indexed += 1


def _no_program(connection: sqlite3.Connection, row: dict[str, Any]) -> None:
    """An empty program in the place of one that was lost."""
    row["program"] = _sha256("")
    connection.execute("INSERT OR IGNORE INTO program(sha256, text) VALUES (?, '')", (row["program"],))


def _readable(connection: sqlite3.Connection, table: str) -> Iterator[dict[str, Any]]:
    """The rows of a table that can be read: from the front and from the back up to the damage, then one by one."""
    found: dict[int, dict[str, Any]] = {}
    for order in ("ASC", "DESC"):
        with contextlib.suppress(sqlite3.Error):
            for row in connection.execute(f"SELECT rowid AS _rowid, * FROM {table} ORDER BY rowid {order}"):
                found[row["_rowid"]] = dict(row)
    if found:
        gaps = (number for number in range(min(found), max(found)) if number not in found)
        for number, _ in zip(gaps, range(_MOST_PROBES), strict=False):
            with contextlib.suppress(sqlite3.Error):
                row = connection.execute(
                    f"SELECT rowid AS _rowid, * FROM {table} WHERE rowid = ?", (number,)
                ).fetchone()
                if row is not None:
                    found[number] = dict(row)
    yield from (found[number] for number in sorted(found))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
