"""Jobs of Qiskit's providers, whose classes agree in little: running, asking, cancelling, finding again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from qsim.errors import QsimError
from session.backends.credentials import redact
from session.backends.protocol import CancelOutcome, RemoteState, RemoteStatus
from session.backends.qiskit.kinds import is_simulated
from session.errors import ServiceRefused, ServiceUnavailable, SessionError, SubmitUnknown

#: Words of `JobStatus` and of those providers that have their own -> ours. Others are not final, and kept as they are.
_STATES = {
    "INITIALIZING": RemoteState.QUEUED, "VALIDATING": RemoteState.QUEUED, "QUEUED": RemoteState.QUEUED,
    "CREATED": RemoteState.QUEUED, "RUNNING": RemoteState.RUNNING, "DONE": RemoteState.COMPLETED,
    "COMPLETED": RemoteState.COMPLETED, "CANCELLED": RemoteState.CANCELLED, "CANCELED": RemoteState.CANCELLED,
    "ERROR": RemoteState.FAILED, "FAILED": RemoteState.FAILED,
}  # fmt: skip


@contextmanager
def asking(what: str, *, submits: bool, is_local: bool) -> Iterator[None]:
    """What a provider raises, as an error of this package.

    Args:
        what: is asked, for the message.
        submits: whether the provider may have taken a job before it raised.
        is_local: whether its jobs live in this process alone, so that nothing can be on its way and a later question has
            the same answer.

    >>> with asking("The status of job 7", submits=False, is_local=False):
    ...     raise KeyError("7")
    Traceback (most recent call last):
    ...
    session.errors.ServiceRefused: The status of job 7: the provider says KeyError: '7'
    """
    try:
        yield
    except QsimError:
        raise
    except Exception as error:  # providers have no common exceptions
        said = f"{what}: the provider says {type(error).__name__}: {redact(str(error))[:500]}"
        if submits and not is_local:
            raise SubmitUnknown(said) from None
        if isinstance(error, LookupError) or "NotFound" in type(error).__name__:
            raise ServiceRefused(said, status=404) from None
        if is_local:
            raise ServiceRefused(said) from None
        raise ServiceUnavailable(said) from None


def status_of(job: Any) -> RemoteStatus:
    """Where a job is: `JobStatus`, a text, or a word of the provider's own."""
    said = job.status()
    word = str(getattr(said, "name", said))
    state = _STATES.get(word.upper())
    message = ""
    if state is RemoteState.FAILED:
        message = str(_asked(job, "error_message") or "")
    position = _asked(job, "queue_position") if state is RemoteState.QUEUED else None
    place = position if isinstance(position, int) else None
    return RemoteStatus.of(word if state is None else word.upper(), _STATES, message=message, queue_position=place)


def _asked(job: Any, name: str) -> Any:
    """What an optional method of a job says; None when there is no answer."""
    method = getattr(job, name, None)
    try:
        return method() if callable(method) else None
    except Exception:  # a detail that a provider cannot tell is no reason to lose the job
        return None


def cancel(job: Any) -> CancelOutcome:
    """Ask a job to stop."""
    if status_of(job).state.is_final:
        return CancelOutcome.ALREADY_FINAL
    method = getattr(job, "cancel", None)
    if method is None:
        return CancelOutcome.UNSUPPORTED
    try:
        said = method()
    except NotImplementedError:
        return CancelOutcome.UNSUPPORTED
    except Exception:
        if status_of(job).state.is_final:  # it ended in between, which some providers raise for
            return CancelOutcome.ALREADY_FINAL
        raise
    return CancelOutcome.UNSUPPORTED if said is False else CancelOutcome.REQUESTED


def id_of(job: Any) -> str:
    """A job's id."""
    given = job.job_id
    found = str(given() if callable(given) else given)
    if not found or "\n" in found:
        raise SessionError(f"A job's id is a text of one line, got {found!r}.")
    return found


def retriever(backend: Any) -> Callable[[str], Any] | None:
    """How a backend finds a job by its id; None when its provider has no such thing.

    There is no standard: IBM asks the service, IQM and IonQ the backend, and AQT's reads what the job left in a file.
    """
    if is_simulated(backend):
        return None
    for owner, name in (
        (backend, "retrieve_job"),
        (getattr(backend, "service", None), "job"),
        (backend, "restore_job"),
    ):
        method = getattr(owner, name, None)
        if callable(method):
            return lambda job_id, method=method: method(job_id)  # type: ignore[misc]
    return None


def started(job: Any) -> str:
    """The id of a job that was just sent; a job that can leave itself in a file for later does so."""
    persist = getattr(job, "persist", None)
    if callable(persist):
        persist()
    return id_of(job)


def batches(shots: Sequence[int], max_circuits: int | None, same_shots: bool) -> list[list[int]]:
    """Numbers of circuits that go into one job each: so many at most, and of equal shots where a job has one number.

    >>> batches([10, 20, 10, 10], 2, True)
    [[0, 2], [3], [1]]
    >>> batches([10, 20, 10], None, False)
    [[0, 1, 2]]
    """
    groups: dict[int, list[int]] = {}
    for k, own in enumerate(shots):
        groups.setdefault(own if same_shots else 0, []).append(k)
    size = max_circuits or max(len(shots), 1)
    return [group[at : at + size] for group in groups.values() for at in range(0, len(group), size)]
