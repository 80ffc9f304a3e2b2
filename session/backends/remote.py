"""Running a task on a remote backend from beginning to end, in one process."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Callable

from session.backends.in_parts import in_parts
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
    """Prepare, submit, wait, fetch and decode; in several tasks of the service where one is too large for it.

    Args:
        backend: where.
        program: what.
        task: how.
        client_ref: of an earlier try, which is looked for before anything is sent again; a new one when None.
        sleep: how to wait, for tests.

    Raises:
        SessionError: the service failed or cancelled the task.
    """
    if client_ref is not None:
        return _run_one(backend, program, task, client_ref, backend.find(client_ref), sleep)
    return in_parts(lambda part: _run_one(backend, program, part, str(uuid.uuid4()), None, sleep), task)


def _run_one(
    backend: RemoteBackend,
    program: Program,
    task: Task,
    client_ref: str,
    ref: RemoteRef | None,
    sleep: Callable[[float], None],
) -> list[Result]:
    prepared = backend.prepare(program, task)
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
    found: list[Cost | None] = (
        [None] if ask is None else in_parts(lambda part: [ask(remote.prepare(program, part))], task)
    )
    costs = [cost for cost in found if cost is not None]
    if not costs or len(costs) < len(found) or len({cost.currency for cost in costs}) > 1:
        raise SessionError(f"The service of backend '{backend.name}' publishes no prices through its interface.")
    if len(costs) == 1:
        return costs[0]
    basis = f"{len(costs)} tasks of the service; the first: {costs[0].basis}"
    details = {"tasks": [cost.details for cost in costs]}
    return Cost(math.fsum(cost.amount for cost in costs), costs[0].currency, basis, details)
