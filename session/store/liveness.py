"""Who is alive: a process that runs jobs holds a file lock meanwhile, which the system frees when the process dies.

There is no heartbeat and no clock, so a process that is stopped or swapped out for an hour is alive all the while, and
one that is killed is dead at once. A lock is never inherited: after a fork the child closes its copy (`filelock` does).
"""

from __future__ import annotations

import contextlib
import uuid
from pathlib import Path
from typing import Any

from session.errors import StoreCorruptError
from session.store.place import explained


class Identity:
    """This process as a runner of jobs in one store: a random id, and the lock that says it is alive."""

    def __init__(self, folder: Path) -> None:
        self.id = str(uuid.uuid4())
        self._path = _lock_path(folder, self.id)
        self._lock: Any = _lock(self._path)
        with explained(folder):
            self._lock.acquire(timeout=0)

    def release(self) -> None:
        """Be nobody again, when no job runs any more."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
            self._lock.release()


def is_alive(folder: Path, owner: str) -> bool:
    """Whether the process that has this id still lives."""
    path = _lock_path(folder, owner)
    if not path.exists():
        return False
    lock = _lock(path)
    from filelock import Timeout

    with explained(folder):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return True
        with contextlib.suppress(FileNotFoundError):  # its process is dead, and so the file has no more use
            path.unlink()
        lock.release()
    return False


def remove_dead(folder: Path) -> list[str]:
    """Remove the lock files of processes that ended without a word; their ids."""
    ids = [path.stem for path in (folder / "workers").glob("*.lock")]
    return [owner for owner in ids if _is_id(owner) and not is_alive(folder, owner)]


def _lock(path: Path) -> Any:
    from filelock import FileLock

    return FileLock(path, mode=0o600, thread_local=False, fallback_to_soft=False)


def _lock_path(folder: Path, owner: str) -> Path:
    if not _is_id(owner):
        raise StoreCorruptError(f"The store in '{folder}' names {owner!r} as the runner of a job, which is no id.")
    return folder / "workers" / f"{owner}.lock"


def _is_id(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except (ValueError, AttributeError, TypeError):
        return False
