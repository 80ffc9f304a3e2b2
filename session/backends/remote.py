"""Running a task on a remote backend from beginning to end, in one process."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

from session.backends.protocol import Backend, Cost, RemoteBackend, RemoteRef, RemoteState, is_remote
from session.errors import SessionError
from session.programs import Program
from session.results import Result
from session.tasks import Task

#: Seconds between two questions about a task: the first, the longest, and by what they grow.
FIRST_WAIT, LONGEST_WAIT, GROWTH = 1.0, 60.0, 1.5


def run_remotely(
    backend: RemoteBackend,
    program: Program,
    task: Task,
    *,
    client_ref: str | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Result]:
    """Prepare, submit, wait, fetch and decode.

    Args:
        backend: where.
        program: what.
        task: how.
        client_ref: of an earlier try, which is looked for before anything is sent again; a new one when None.
        sleep: how to wait, for tests.

    Raises:
        SessionError: the service failed or cancelled the task.
    """
    prepared = backend.prepare(program, task)
    ref: RemoteRef | None = None
    if client_ref is None:
        client_ref = str(uuid.uuid4())
    else:
        ref = backend.find(client_ref)
    if ref is None:
        ref = backend.submit(prepared, client_ref)
    wait = FIRST_WAIT
    while not (status := backend.status(ref)).state.is_final:
        sleep(max(wait, status.retry_after_sec or 0.0))
        wait = min(wait * GROWTH, LONGEST_WAIT)
    if status.state is not RemoteState.COMPLETED:
        said = status.message or status.raw or "it gave no reason"
        raise SessionError(f"{backend.name} ended task {ref.remote_id} as {status.state}: {said}.")
    return backend.decode(backend.fetch(ref), prepared, program, task)


def cost_of(backend: Backend, program: Program, task: Task) -> Cost:
    """What a task would cost on a backend, by its service's own word.

    Raises:
        SessionError: it costs nothing, or nobody says what.

    >>> from qsim import Circuit
    >>> from session import ExecutionSession
    >>> ExecutionSession(Circuit(1)).estimate_run_cost()
    Traceback (most recent call last):
    ...
    session.errors.SessionError: Backend 'simulator_statevector' runs on this machine, which charges nothing.
    """
    if not is_remote(backend):
        raise SessionError(f"Backend '{backend.name}' runs on this machine, which charges nothing.")
    remote: RemoteBackend = backend  # type: ignore[assignment]
    ask = getattr(remote, "cost", None)
    found: Cost | None = None if ask is None else ask(remote.prepare(program, task))
    if found is None:
        raise SessionError(f"The service of backend '{backend.name}' publishes no prices through its interface.")
    return found
