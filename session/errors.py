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


# services elsewhere ---------------------------------------------------------------------------------------------
class ServiceError(SessionError):
    """A service elsewhere did not do what it was asked for; the message holds no credential.

    Args:
        message: what happened and what to do.
        method: of the request, such as "GET".
        path: of the request, without its query.
        status: of the reply, None when there was none.
        request_id: the service's own, to quote to its support.
        retry_after_sec: when the service said to try again.

    >>> ServiceError("The service is away.", status=503, retry_after_sec=20.0).retry_after_sec
    20.0
    """

    def __init__(
        self,
        message: str,
        *,
        method: str = "",
        path: str = "",
        status: int | None = None,
        request_id: str = "",
        retry_after_sec: float | None = None,
    ) -> None:
        super().__init__(message)
        self.method, self.path, self.status = method, path, status
        self.request_id, self.retry_after_sec = request_id, retry_after_sec


class ServiceRefused(ServiceError):
    """A service said no (a status from 400 to 499): what was asked for was not done, and will not be."""


class ServiceUnavailable(ServiceError):
    """A service was not reached, or is too busy: nothing was done, and the same request may do later."""


class BadReply(ServiceError):
    """A service replied with something that is no reply: cut off, too large, not JSON, without what it must hold."""


class SubmitUnknown(ServiceError):
    """A request that changes something was sent and not answered: it may or may not have been done."""


class BatchTooLarge(SessionError):
    """A task has more circuits, gates or bytes than a service takes at once; nothing was sent.

    `prepare` of an adapter raises it. A task of several parameter sets is then sent as several, with fewer of them each.
    """


class CredentialError(SessionError):
    """A credential is missing, or is none; nothing was sent."""


class ProfileError(SessionError):
    """A profile of a remote backend is unknown, malformed, or no longer what it was."""
