"""A program on a backend: what a session, a job or a worker runs tasks with."""

from __future__ import annotations

from typing import Any

from qsim.pool import part
from session.backends.from_samples import SampledEstimates
from session.backends.in_parts import in_parts
from session.backends.limits import check_capabilities
from session.backends.protocol import Backend
from session.backends.registry import load_backend
from session.branches import SettledPrograms, SettlingBackend, branches_on_parameters
from session.costs import check_cost, costs_of
from session.optimizers import check_minimize, minimize
from session.preferences import ExecutionPreferences
from session.programs import Program
from session.results import Result
from session.tasks import Task, TaskKind


class BoundBackend:
    """Runs tasks of one program on one backend: the backend's own operations, and those that are made of them."""

    def __init__(self, backend: Backend, program: Program) -> None:
        self._given = backend
        self._backend: Backend = SampledEstimates(backend)
        self._program = program
        self._settled = SettledPrograms(program) if branches_on_parameters(program.circuit) else None
        if self._settled is not None:
            self._backend = SettlingBackend(self._backend, self._settled)

    @property
    def name(self) -> str:
        """The backend's name."""
        return self._backend.name

    @property
    def backend(self) -> Backend:
        """The backend itself."""
        return self._given

    @property
    def program(self) -> Program:
        """The program."""
        return self._program

    def check(self, task: Task) -> None:
        """Raise when the task cannot be run here; called before a job is made of it."""
        can = self._backend.capabilities()
        if task.kind in (TaskKind.ESTIMATE_COST, TaskKind.MINIMIZE):
            check_cost(self._program, task)
        if task.kind is TaskKind.MINIMIZE:
            check_minimize(self._program, task, can)
        programs = [self._program] if self._settled is None else [one for _, _, one in self._settled.parts(task)]
        for program in programs:
            check_capabilities(self.name, can, program, task)
        in_parts(self._checked, task)

    def _checked(self, task: Task) -> list[None]:
        self._backend.check(self._program, task)
        return []

    def run(self, task: Task) -> list[Result]:
        """One result for each row of the task; a list of results for each where there are several observables."""
        if not len(task.rows):
            return []
        if task.kind is TaskKind.ESTIMATE_COST:
            return list(costs_of(self._backend, self._program, task))
        if task.kind is TaskKind.MINIMIZE:
            return [self._minimized(task, k) for k in range(len(task.rows))]
        results = self._backend.run(self._program, task)
        if task.kind is TaskKind.SAMPLE and task.filters:
            return [details.filtered(task.filters) for details in _details(results)]
        return results

    def _minimized(self, task: Task, k: int) -> Result:
        with part(k, len(task.rows)):
            return minimize(self._backend, self._program, task.part(k, k + 1))


def _details(results: list[Result]) -> list[Any]:
    return list(results)


def open_backend(program: Program, preferences: ExecutionPreferences) -> BoundBackend:
    """The backend that preferences name, for tasks of one program.

    >>> from session.programs import read_program
    >>> from qsim import Circuit
    >>> open_backend(read_program(Circuit(1)), ExecutionPreferences()).name
    'simulator_statevector'
    """
    return BoundBackend(load_backend(preferences), program)
