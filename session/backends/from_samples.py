"""Estimates on what can only sample, and estimates with readout errors taken out, by the backend's own `sample`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from session.backends.protocol import Backend, Capabilities
from session.programs import Program, read_program
from session.results import Result
from session.tasks import Task, TaskKind

if TYPE_CHECKING:
    from session.backends.experiments import Part

_KEPT = 64  # programs of groups that stay compiled


class SampledEstimates:
    """A backend with estimates: its own, or made of circuits that it samples.

    They are made of samples where the backend has no estimates, and where a task asks for readout-error mitigation of a
    backend that runs in this process. A remote backend that estimates makes its own circuits of a task, calibrations
    included, so that they are one submission.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._made: dict[int, tuple[Any, Program]] = {}  # by the id of a circuit, which is kept beside it
        self._parts: tuple[Any, list[Part]] = (None, [])

    @property
    def name(self) -> str:
        """The backend's name."""
        return self._backend.name

    def capabilities(self) -> Capabilities:
        """The backend's, and estimates where it samples."""
        can = self._backend.capabilities()
        if TaskKind.ESTIMATE in can.operations or TaskKind.SAMPLE not in can.operations:
            return can
        return replace(can, operations=can.operations | {TaskKind.ESTIMATE}, precision="shots")

    def check(self, program: Program, task: Task) -> None:
        """The backend's, of the samples that it will be asked for."""
        if not self._is_sampled(task):
            self._backend.check(program, task)
            return
        estimate = replace(task, kind=TaskKind.ESTIMATE)
        for part in self._parts_of(program, estimate):
            self._backend.check(self._program(part), self._sampling(task, part))

    def run(self, program: Program, task: Task) -> list[Result]:
        """One result for each parameter set; a list of results where there are several observables."""
        if not self._is_sampled(task):
            return self._backend.run(program, task)
        from session.backends.experiments import calibrations_of, results_of

        estimate = replace(task, kind=TaskKind.ESTIMATE)
        first = [self._calibrated(one.circuit, one.shots, one.seed) for one in calibrations_of(program, estimate)]
        columns = [
            self._backend.run(self._program(part), self._sampling(task, part))
            for part in self._parts_of(program, estimate)
        ]
        by_row = [_outcomes(column[k]) for k in range(len(task.rows)) for column in columns]
        results = results_of(program, estimate, [*first, *by_row], {"backend": self.name, "seed": task.seed})
        if task.kind is TaskKind.ESTIMATE_COST:
            return [one.value for one in results]  # type: ignore[union-attr]
        return results

    def _is_sampled(self, task: Task) -> bool:
        can = self._backend.capabilities()
        if not task.observables or task.quantile != 1 or task.filters:
            return False
        if task.kind not in (TaskKind.ESTIMATE, TaskKind.ESTIMATE_COST, TaskKind.MINIMIZE):
            return False
        return TaskKind.ESTIMATE not in can.operations or (bool(task.mitigation_shots) and not can.is_remote)

    def _parts_of(self, program: Program, task: Task) -> list[Part]:
        """Kept for the next call with the same program and observables, whose circuits are compiled then."""
        from session.backends.experiments import parts_of

        key = (program, task.observables, task.num_shots, task.grouping)
        known = self._parts[0]
        same = known is not None and known[0] is program and known[1:] == key[1:]
        if not same:
            self._parts = (key, parts_of(program, task))
        return self._parts[1]

    def _program(self, part: Part) -> Program:
        known = self._made.get(id(part.circuit))
        if known is None:
            if len(self._made) >= _KEPT:
                self._made.clear()
            known = self._made[id(part.circuit)] = (part.circuit, read_program(part.circuit))
        return known[1]

    def _sampling(self, task: Task, part: Part) -> Task:
        return Task(TaskKind.SAMPLE, task.rows, True, part.shots, task.seed + part.step)

    def _calibrated(self, circuit: Any, shots: int, seed: int) -> Mapping[int, int]:
        task = Task(TaskKind.SAMPLE, np.zeros((1, 0)), True, shots, seed)
        return _outcomes(self._backend.run(read_program(circuit), task)[0])


def _outcomes(result: Any) -> dict[int, int]:
    """Shots by outcome as an integer whose bit k is classical bit k."""
    return {int(key or "0", 2): shots for key, shots in result.counts.items()}
