"""From a call of a session to a stored job."""

from __future__ import annotations

from session.jobs import ExecutionJob
from session.preferences import ExecutionPreferences
from session.programs import Program
from session.runner import expected_bytes, runner
from session.store import types  # noqa: F401  (makes programs and tasks storable)
from session.store.jobs import JobStore
from session.store.records import NewJob
from session.store.values import to_text
from session.tasks import Backend, Task, TaskKind


class SubmitContext:
    """What all jobs of one session have in common; the program is written as text once."""

    def __init__(self, program: Program, preferences: ExecutionPreferences, session_id: str) -> None:
        self.program = to_text(program)
        self.preferences = preferences
        self.session_id = session_id


def submit_task(context: SubmitContext, backend: Backend, task: Task, *, start: bool = True) -> ExecutionJob:
    """Store a task as a job; with `start`, this process runs it when its turn comes.

    Raises:
        StoreError: it could not be stored, so there is no job and nothing runs.
    """
    store = JobStore(create=True)
    store.check_room(expected_bytes(backend, task))
    exact = task.kind is TaskKind.ESTIMATE and backend.name == "simulator_statevector"
    job_id = store.submit(
        NewJob(
            kind=task.kind.value,
            batched=task.batched,
            program=context.program,
            spec=to_text({"task": task, "preferences": context.preferences}),
            backend=backend.name,
            provider=getattr(backend, "provider", "local"),
            num_shots=None if exact else task.num_shots,
            session=context.session_id,
        )
    )
    if start:
        runner().offer(store, job_id, (backend, task))
    return ExecutionJob(store, store.get(job_id))
