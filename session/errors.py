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
