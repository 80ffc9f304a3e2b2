"""The folder of the store: where it is, whose it is, and that nobody else can read it."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from session.errors import StorageFullError, StoreAccessError

DATABASE = "jobs.db"
#: File systems whose locks do not reach other machines or end late; the kernel's names of them.
_REMOTE = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "lustre", "gpfs", "beegfs", "pvfs2", "ncpfs"}
_REMOTE_FUSE = ("fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.rclone", "fuse.gcsfuse")


def state_folder() -> Path:
    """The folder that holds jobs: `QSIM_STATE_DIR`, or the platform's place for the state of programs.

    Raises:
        StoreAccessError: QSIM_STATE_DIR is a relative path, or there is no home folder.
    """
    named = os.environ.get("QSIM_STATE_DIR", "").strip()
    if named:
        path = Path(named).expanduser()
        if not path.is_absolute():
            raise StoreAccessError(
                f"QSIM_STATE_DIR is an absolute path, so that jobs are found from every folder; got '{named}'."
            )
        return path
    import platformdirs

    path = Path(platformdirs.user_state_dir("qsim-session", appauthor=False))
    if not path.is_absolute():
        raise StoreAccessError("There is no home folder to keep jobs in. Set QSIM_STATE_DIR to an absolute path.")
    return path


def prepare(folder: Path) -> None:
    """Make the folder, for this user alone, or check the one that there is.

    Raises:
        StoreAccessError: it is no folder, another user's, writable by others, or on a network file system.
    """
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _check_owner(folder)
        for name in ("workers", "results"):
            (folder / name).mkdir(exist_ok=True, mode=0o700)
    kind = file_system(folder)
    if kind in _REMOTE or kind.startswith(_REMOTE_FUSE):
        raise StoreAccessError(
            f"Jobs are kept on a local disk, because locks on network file systems cannot be trusted; '{folder}' is on "
            f"{kind}. Set QSIM_STATE_DIR to a local folder."
        )


def _check_owner(folder: Path) -> None:
    if not hasattr(os, "geteuid"):
        return
    for path in (folder, folder / DATABASE):
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        if status.st_uid != os.geteuid():
            raise StoreAccessError(
                f"Jobs are kept where their owner alone can write; '{path}' belongs to user {status.st_uid}, and this is "
                f"user {os.geteuid()}. Set QSIM_STATE_DIR to a folder of your own."
            )
    mode = folder.stat().st_mode
    if not mode & (stat.S_IRWXG | stat.S_IRWXO):
        return
    # Only what is the store's own may be closed to others; a folder with other things in it stays as it is.
    if (folder / DATABASE).exists() or not any(folder.iterdir()):
        folder.chmod(0o700)
    elif mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise StoreAccessError(
            f"Jobs are kept where their owner alone can write; others can write to '{folder}'. "
            "Set QSIM_STATE_DIR to a folder of its own, which is made with the right permissions."
        )


def file_system(folder: Path) -> str:
    """The kind of file system that a folder is on, as Linux names it; an empty text where it does not tell."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        resolved = str(folder.resolve())
    except OSError:
        return ""
    best, kind = "", ""
    for line in lines:
        left, _, right = line.partition(" - ")
        point = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), left.split()[4])
        inside = resolved == point or resolved.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, right.split()[0]
    return kind


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Errors of the system about a file become ours."""
    import errno

    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        where = error.filename or path
        if error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
            raise StorageFullError(
                f"There is no room to store a job or its result: {reason} ('{where}'). Free some space or set "
                "QSIM_STATE_DIR to a larger disk; what was stored before is safe."
            ) from error
        raise StoreAccessError(
            f"Jobs are kept in '{path}', which cannot be used: {reason} ('{where}'). Set QSIM_STATE_DIR to a folder "
            "that you can write to."
        ) from error


def private_file(path: Path) -> int:
    """A new file, open for writing, that its owner alone can read; its descriptor."""
    return os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_BINARY", 0), 0o600)


def sync_folder(folder: Path) -> None:
    """Make names that were given or taken in a folder last through a loss of power."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
