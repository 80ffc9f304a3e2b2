"""Batches through an executor: threads, processes, or the workers of a cluster; and with a file that keeps the results.

What is sent is a program and a task as bytes with a block of parameter rows, and what comes back is text and arrays, so
that any executor will do, also one that shares no memory with this process. Each set has a seed of its own, so that the
results do not depend on how a batch is cut.
"""

from __future__ import annotations

import functools
import json
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qsim.batches.checkpoint import identity, seed_of
from qsim.batches.pools import open_pool
from qsim.errors import CheckpointError, ExecutorError
from session.backends.bound import BoundBackend
from session.backends.protocol import Backend, is_remote
from session.errors import SessionError
from session.preferences import ExecutionPreferences
from session.programs import Program
from session.results import Result
from session.tasks import Task, TaskKind
from session.work import encoded, read_encoded, run_rows, with_room

if TYPE_CHECKING:
    from session.backends.protocol import Capabilities

#: Bytes that a task's result of one set takes, besides a state vector's.
_RESULT_BYTES = 1 << 10


class SpreadBackend(BoundBackend):
    """A program on a backend whose batches go to an executor; a single set is run here.

    Args:
        backend: what runs single sets.
        program: the program.
        preferences: from which the workers make the same backend.
        executor: a `concurrent.futures.Executor` or a `dask.distributed.Client`; None for this process.

    Raises:
        SessionError: it is no executor, or the backend's batches cannot be sent to one.
    """

    def __init__(self, backend: Backend, program: Program, preferences: ExecutionPreferences, executor: Any) -> None:
        super().__init__(backend, program)
        self._preferences, self._executor = preferences, executor
        if executor is not None:
            try:
                open_pool(executor)
            except ExecutorError as error:
                raise SessionError(str(error)) from None
            if is_remote(backend):
                raise SessionError(f"Backend '{backend.name}' runs batches in its service, so it takes no executor.")

    def run(self, task: Task) -> list[Result]:
        """One result for each row of the task."""
        if self._executor is None or len(task.rows) < 2:
            return super().run(task)
        return self._sent(task, None)

    def run_kept(self, task: Task, checkpoint: Any, own_seed: bool) -> list[Result]:
        """`run`, with a file that keeps the results as they come.

        Args:
            task: a batch.
            checkpoint: the path of the file.
            own_seed: whether the task's seed is the caller's; else the file's is taken, if there is a file.

        Raises:
            CheckpointError: the file is of another call, or cannot be used.
            ExecutorError: the executor, or a worker, cannot run it.
        """
        if is_remote(self.backend):
            raise CheckpointError(
                f"Backend '{self.name}' runs a batch as a job, which is kept as it is. Leave the checkpoint out."
            )
        if not task.batched:
            raise CheckpointError("A checkpoint keeps the results of a batch: give a list of parameter sets.")
        seed = None if own_seed else seed_of(checkpoint)
        return self._sent(task if seed is None else replace(task, seed=seed), checkpoint)

    def _sent(self, task: Task, checkpoint: Any) -> list[Result]:
        if task.cost is None:
            return self._spread(task, checkpoint)
        # A function runs where it is; the counts that it is given may come from elsewhere.
        if task.kind is TaskKind.ESTIMATE_COST:
            from session.costs import costs_of

            return list(costs_of(_Samples(self, checkpoint), self.program, task))
        return super().run(task)

    def _spread(self, task: Task, checkpoint: Any) -> list[Result]:
        from qsim.batches.calls import most_sets, run_batch
        from qsim.batches.driver import Work
        from qsim.batches.ledger import Ledger

        plain = replace(task, rows=task.rows[:0], seed=0, batched=True)
        preferences = self._preferences.to_dict() | {"random_seed": None, "num_shots": 1, "threads": None}
        about = {"task": plain.to_dict(), "preferences": preferences, "backend": self.name}
        if self._executor is None:
            work = Work(functools.partial(self._run_here, plain), b"", task.rows, task.seed, None)
        else:
            sent = {"program": self.program.data, **about}
            program = zlib.compress(with_room(lambda: json.dumps(sent)).encode(), 1)
            work = Work(run_rows, program, task.rows, task.seed, self._preferences.threads)
        ledger = Ledger(len(task.rows), most_sets(task.rows, self._result_bytes(task)))
        batch: dict[str, Any] = {}
        if checkpoint is not None:
            batch = with_room(lambda: identity(task.kind.value, self.program.data, task.rows, task.seed, about))
        run_batch(open_pool(self._executor), work, ledger, checkpoint, batch)
        return [result for _, _, text, arrays in ledger.in_order() for result in read_encoded(text, arrays)]

    def _run_here(self, plain: Task, program: bytes, rows: Any, seed: int, threads: int | None) -> Any:
        return encoded(super().run(replace(plain, rows=rows, seed=seed)))

    def _result_bytes(self, task: Task) -> int:
        qubits = self.program.circuit.num_qubits
        if task.kind is TaskKind.STATE_VECTOR:
            return _RESULT_BYTES + (16 << min(qubits, 60))
        if task.kind is TaskKind.SAMPLE:
            return _RESULT_BYTES + (qubits + 12) * min(task.num_shots, 1 << min(qubits, 40))
        return _RESULT_BYTES * max(1, len(task.observables))


class _Samples:
    """The backend that a cost function is given counts from."""

    def __init__(self, spread: SpreadBackend, checkpoint: Any) -> None:
        self._spread, self._checkpoint = spread, checkpoint
        self.name = spread.name

    def capabilities(self) -> Capabilities:
        return self._spread.backend.capabilities()

    def check(self, program: Program, task: Task) -> None:
        """Checked already."""

    def run(self, program: Program, task: Task) -> list[Result]:
        # the costs leave out themselves what filters do not let through
        return self._spread._spread(replace(task, filters=()), self._checkpoint)
