"""The exceptions of the session layer; every one is a `QsimError`."""

from __future__ import annotations

from qsim.errors import QsimError


class SessionError(QsimError):
    """A session was used wrongly: it is closed, or was given something it cannot run."""


class ProgramTypeError(SessionError, TypeError):
    """What should be a program is neither OpenQASM text nor a circuit."""


class JobError(SessionError):
    """A job was asked for something that it does not have.

    >>> issubclass(JobTimeoutError, TimeoutError) and issubclass(JobTimeoutError, QsimError)
    True
    """


class JobTimeoutError(JobError, TimeoutError):
    """A job is not done within the time that the caller gave."""


class JobCancelledError(JobError):
    """The result of a cancelled job was asked for."""


class JobNotFoundError(JobError, LookupError):
    """There is no job with this id in the store."""


class JobFailedError(JobError):
    """The run of a job failed with an error that is not one of ours or of Python's own."""


class StoreError(SessionError):
    """The store of jobs cannot be used, or not in this way."""


class StoreAccessError(StoreError):
    """The store's folder or database cannot be read or written by this user."""


class StoreBusyError(StoreError):
    """Other processes held the store for too long."""


class StoreCorruptError(StoreError):
    """The store's database or a file of results is damaged; nothing of it was changed."""


class StoreVersionError(StoreError):
    """The store was written by a newer version of this package, or is another program's."""


class StorageFullError(StoreError):
    """There is no room for a job or its result; what was stored before is safe."""
