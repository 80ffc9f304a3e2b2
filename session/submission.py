"""From a call of a session to a stored job."""

from __future__ import annotations

import contextlib

from session.backends.bound import BoundBackend
from session.backends.protocol import is_remote
from session.errors import JobError
from session.jobs import ExecutionJob
from session.preferences import ExecutionPreferences
from session.programs import Program
from session.runner import expected_bytes, runner
from session.store.jobs import JobStore
from session.store.records import NewJob
from session.store.spec import program_text, spec_text
from session.tasks import Task, TaskKind


class SubmitContext:
    """What the jobs of one session have in common; the program is written as text once.

    `anywhere` is False for a backend object, which no other process has.
    """

    def __init__(self, program: Program, preferences: ExecutionPreferences, session_id: str, anywhere: bool) -> None:
        self.program = program_text(program)
        self.preferences = preferences
        self.session_id = session_id
        self.anywhere = anywhere


def submit_task(context: SubmitContext, backend: BoundBackend, task: Task, *, start: bool = True) -> ExecutionJob:
    """Store a task as a job; with `start`, this process runs it when its turn comes.

    Raises:
        StoreError: it could not be stored, so there is no job and nothing runs.
    """
    store = JobStore(create=True)
    store.check_room(expected_bytes(backend.program, task))
    # A job that only this process can run belongs to it from the beginning, so that nobody else tries while it lives.
    anywhere, remote = context.anywhere and task.is_storable, is_remote(backend.backend)
    exact = task.kind in (TaskKind.ESTIMATE, TaskKind.GRADIENT) and backend.name.endswith("_statevector")
    job_id = store.submit(
        NewJob(
            kind=task.kind.value,
            batched=task.batched,
            program=context.program,
            spec=spec_text(task, context.preferences, context.anywhere),
            backend=backend.name,
            provider=getattr(backend.backend, "provider", "local"),
            num_shots=None if exact or task.kind is TaskKind.STATE_VECTOR else task.num_shots,
            session=context.session_id,
            owner=None if anywhere else runner().identity(store).id,
            remote=remote,
        )
    )
    if start or not anywhere:
        with contextlib.suppress(JobError):  # there is no thread for it: it is stored, and whoever asks hears of it
            runner().offer(store, job_id, (backend, task), remote=remote)
    return ExecutionJob(store, store.get(job_id))
