"""The SQLite database of the store: made once, checked at each opening, written in transactions that last.

Every operation has a connection of its own: nothing of SQLite's is carried over a fork or between threads, and a
database that was replaced meanwhile is noticed. Writes are ``BEGIN IMMEDIATE`` with a rollback journal and
``synchronous=EXTRA``: a commit that returned survives a loss of power.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from session.errors import (
    StorageFullError,
    StoreAccessError,
    StoreBusyError,
    StoreCorruptError,
    StoreError,
    StoreVersionError,
)
from session.store.place import DATABASE, explained, prepare, private_file, sync_folder
from session.store.schema import APPLICATION_ID, MIGRATIONS, VERSION

BUSY_SECONDS = 30.0
_FULL = ("SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_FSYNC", "SQLITE_IOERR_TRUNCATE", "SQLITE_IOERR_SHMSIZE")
_ACCESS = ("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")


class Database:
    """The database in a folder; `create` makes it if there is none.

    Raises:
        StoreError: one of its kinds, which says what is wrong and what to do.
    """

    def __init__(self, folder: Path, *, create: bool) -> None:
        if sqlite3.sqlite_version_info < (3, 37):
            raise StoreError(f"Jobs need SQLite 3.37 or newer; this Python has {sqlite3.sqlite_version}.")
        self.folder = folder
        self.path = folder / DATABASE
        if create:
            prepare(folder)
            if not self.path.exists():
                self._create()

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection for SELECT statements, all of which see one state."""
        with self._connection() as connection:
            connection.execute("BEGIN")
            yield connection
            connection.execute("ROLLBACK")

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that nobody else writes during; it is on disk when the block is left without an error."""
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    with contextlib.suppress(sqlite3.Error):  # SQLite rolls back by itself on a full disk
                        connection.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with self.translated():
            connection = self._open()
            try:
                if self._version(connection) < VERSION:
                    self._migrate(connection)
                yield connection
            finally:
                connection.close()

    def _open(self) -> sqlite3.Connection:
        try:
            empty = self.path.stat().st_size == 0
        except OSError as error:
            raise StoreAccessError(f"There is no store of jobs at '{self.path}': {error.strerror}.") from None
        if empty:  # SQLite would take it for a new database; ours are made elsewhere and never empty
            raise StoreCorruptError(self.damage("the file is empty"))
        # To write even for reading: after a crash, whoever comes first rolls back what was not committed.
        connection = connect(self.path, os.access(self.path, os.W_OK) and os.access(self.folder, os.W_OK))
        try:
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute("PRAGMA synchronous=EXTRA")
            limit = os.environ.get("QSIM_STORE_MAX_PAGES")
            if limit:
                connection.execute(f"PRAGMA max_page_count={int(limit)}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _version(self, connection: sqlite3.Connection) -> int:
        """The version of the schema, if it is one of ours."""
        (owner,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if owner != APPLICATION_ID:
            raise StoreVersionError(
                f"'{self.path}' is a database of another program, so it is left alone. Set QSIM_STATE_DIR to a folder of "
                "its own."
            )
        if version > VERSION:
            raise StoreVersionError(
                f"The jobs in '{self.path}' were written by a newer version of qsim-session (schema {version}; this one "
                f"knows {VERSION}), so they are left alone. Update qsim-session, or set QSIM_STATE_DIR to another folder."
            )
        if version < 1:
            raise StoreCorruptError(self.damage(f"its schema has the version {version}"))
        return int(version)

    # making and migrating -----------------------------------------------------------------------------------
    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """One process at a time makes, migrates or replaces the database."""
        from filelock import FileLock, Timeout

        lock = FileLock(self.folder / "store.lock", mode=0o600, timeout=BUSY_SECONDS, fallback_to_soft=False)
        with explained(self.folder):
            try:
                lock.acquire()
            except Timeout:
                raise StoreBusyError(
                    f"Another process has been changing '{self.path}' for {BUSY_SECONDS:g} s."
                ) from None
            try:
                yield
            finally:
                lock.release()

    def _create(self) -> None:
        with self.changing(), self.translated():
            if self.path.exists():
                return
            for left in self.folder.glob(f"{DATABASE}-*"):
                # A journal of a database that was removed would be played back into the new one.
                left.rename(left.with_name(f"lost-{time.time_ns()}-{left.name}"))
            self.build(self.path)

    def build(self, target: Path, rows: Any = None) -> None:
        """A new database under another name, filled by `rows(connection)`, that then takes its own name at once."""
        made = target.with_name(f"new-{os.getpid()}-{time.time_ns()}.db")
        with explained(self.folder):
            os.close(private_file(made))
            try:
                connection = connect(made, write=True)
                try:
                    connection.execute("PRAGMA synchronous=EXTRA")
                    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
                    connection.execute("BEGIN IMMEDIATE")
                    for script in MIGRATIONS:
                        run_script(connection, script)
                    connection.execute(f"PRAGMA user_version={VERSION}")
                    if rows is not None:
                        rows(connection)
                    connection.execute("COMMIT")
                finally:
                    connection.close()
                os.replace(made, target)
                sync_folder(self.folder)
            finally:
                made.unlink(missing_ok=True)

    def _migrate(self, connection: sqlite3.Connection) -> None:
        """Bring an older schema up to date, after a copy of it was made."""
        with self.changing():
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version >= VERSION:
                return
            backup = self.path.with_name(f"jobs-schema-{version}-{time.time_ns()}.db")
            os.close(private_file(backup))
            connection.execute("VACUUM INTO ?", (str(backup),))
            connection.execute("BEGIN IMMEDIATE")
            try:
                for script in MIGRATIONS[version:]:
                    run_script(connection, script)
                connection.execute(f"PRAGMA user_version={VERSION}")
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def check(self, *, quick: bool = False) -> list[str]:
        """What SQLite finds wrong with the file; an empty list when it is whole."""
        try:
            with self.reading() as connection:
                found = [row[0] for row in connection.execute(f"PRAGMA {'quick' if quick else 'integrity'}_check")]
        except StoreCorruptError as error:
            return [str(error)]
        return [] if found == ["ok"] else found

    # errors -------------------------------------------------------------------------------------------------
    @contextlib.contextmanager
    def translated(self) -> Iterator[None]:
        """Errors of SQLite become ours: the rule, what happened, what to do."""
        try:
            yield
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", None) or type(error).__name__
            raise self._explain(name, error) from error
        except UnicodeDecodeError as error:  # of the name of a table, in a message of SQLite's
            raise StoreCorruptError(self.damage(f"a text in it is none ({error.reason})")) from error

    def _explain(self, name: str, error: sqlite3.Error) -> StoreError:
        if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            return StoreCorruptError(self.damage(str(error)))
        if name in _FULL:
            return StorageFullError(
                f"There is no room to store a job or its result in '{self.path}' ({name}). Free some space or set "
                "QSIM_STATE_DIR to a larger disk; what was stored before is safe."
            )
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return StoreBusyError(
                f"Other processes have been writing to '{self.path}' for {BUSY_SECONDS:g} s. Try again."
            )
        if name.startswith(_ACCESS):
            return StoreAccessError(
                f"The store of jobs '{self.path}' cannot be {'written' if 'READONLY' in name else 'opened'} ({error}). "
                "Give yourself access to it and its folder, or set QSIM_STATE_DIR to another folder."
            )
        return StoreError(f"The store of jobs '{self.path}' gave an error: {error} ({name}).")

    def damage(self, reason: str) -> str:
        """What to tell of a damaged file."""
        return (
            f"The store of jobs '{self.path}' is damaged: {reason}. Nothing in it was changed. 'qsim jobs recover' puts it "
            "aside and saves what can be read."
        )


def connect(path: Path, write: bool) -> sqlite3.Connection:
    """A connection in autocommit mode to a file that exists."""
    uri = f"{path.absolute().as_uri()}?mode={'rw' if write else 'ro'}"
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
    connection.row_factory = sqlite3.Row
    return connection


def run_script(connection: sqlite3.Connection, script: str) -> None:
    """Each statement of a script, inside the transaction that is open (`executescript` would end it)."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            connection.execute(statement)
            statement = ""
