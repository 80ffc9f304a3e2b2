"""Batches through a `concurrent.futures.Executor`: threads, processes, or the workers of a cluster.

What is sent is text and what comes back is text, so that any executor will do, also one that shares no memory with this
process; and each set of a batch has a seed of its own, so that the results do not depend on how it is cut.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import BrokenExecutor
from typing import Any

from session.backends.protocol import Backend, Capabilities
from session.errors import SessionError
from session.preferences import ExecutionPreferences
from session.programs import Program
from session.results import Result
from session.tasks import Task

_PARTS = 4  # of a batch for each worker, so that one that is slow does not keep the others waiting


class ExecutorBackend:
    """A backend whose batches go to an executor; a single set is run here.

    Args:
        backend: what runs single sets.
        preferences: from which the workers make the same backend.
        executor: anything with ``submit(function, *arguments)`` that gives a future.
    """

    def __init__(self, backend: Backend, preferences: ExecutionPreferences, executor: Any) -> None:
        if not callable(getattr(executor, "submit", None)):
            raise SessionError(f"An executor is a concurrent.futures.Executor, got {type(executor).__name__}.")
        self._backend, self._preferences, self._executor = backend, preferences, executor

    @property
    def name(self) -> str:
        """The name of the backend."""
        return self._backend.name

    def capabilities(self) -> Capabilities:
        """Those of the backend."""
        return self._backend.capabilities()

    def check(self, program: Program, task: Task) -> None:
        """What the backend checks."""
        self._backend.check(program, task)

    def run(self, program: Program, task: Task) -> list[Result]:
        """The results of all sets, in their order."""
        from session.work import read_results, run_text

        sets = len(task.rows)
        if sets < 2:
            return self._backend.run(program, task)
        where = json.dumps({"program": program.data, "preferences": self._preferences.to_dict()})
        size = max(1, -(-sets // (_PARTS * _workers(self._executor))))
        futures = [
            self._executor.submit(run_text, where, json.dumps(task.part(k, min(k + size, sets)).to_dict()))
            for k in range(0, sets, size)
        ]
        try:
            return [result for future in futures for result in read_results(future.result())]
        except BrokenExecutor as error:
            raise SessionError(f"A worker of the executor ended before it gave its results: {error}") from error
        finally:
            for future in futures:
                future.cancel()


def _workers(executor: Any) -> int:
    known = getattr(executor, "_max_workers", None)
    return known if isinstance(known, int) and known > 0 else os.cpu_count() or 1
