"""What adapters of services with plain HTTP share: who they are, what is known of the target, and how a task is prepared."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

from session.backends.experiments import Experiment, experiments, results_of
from session.backends.profiles import Profile
from session.backends.protocol import Capabilities, Prepared, RemoteBackend
from session.backends.remote import run_remotely
from session.errors import CredentialError, ServiceError, SessionError
from session.preparation import check_task
from session.programs import Program
from session.results import Result
from session.tasks import Task, TaskKind

#: Seconds: what asking for a target's details may take, and how long the answer is good for.
QUICK, FRESH = 4.0, 300.0


class HttpBackend:
    """The part of a `RemoteBackend` that is the same for each service; a subclass has `_look`, `_can` and `_payload`."""

    provider: ClassVar[str]
    name: str
    _profile: Profile
    _details: tuple[float, dict[str, Any]] | None = None  # of the target, and when they were had

    @property
    def profile(self) -> str:
        """The name of the profile."""
        return self._profile.name

    @property
    def endpoint(self) -> str:
        """The origin that this speaks to."""
        return self._profile.origin

    @property
    def target(self) -> str:
        """What runs the tasks, in the service's words."""
        return self._profile.target

    def capabilities(self) -> Capabilities:
        """What the target can do; the number of its qubits is asked for, and unknown when the service is not there."""
        return self._can(self._ask())

    def check(self, program: Program, task: Task) -> None:
        """Raise when the task cannot be run: a gate or statement by name and line, or a limit."""
        self._ask()
        self.prepare(program, task.part(0, 1) if task.kind is TaskKind.MINIMIZE else task)

    def run(self, program: Program, task: Task) -> list[Result]:
        """One result for each parameter set, when they are there."""
        if not experiments(program, task):
            return results_of(program, task, [], {"backend": self.name})
        return run_remotely(cast(RemoteBackend, self), program, task)

    def prepare(self, program: Program, task: Task) -> Prepared:
        """The body of the job; offline.

        Raises:
            TargetError: the program has what the target cannot do, by name and line.
            SessionError: it is beyond a limit of the service.
        """
        details = self._details[1] if self._details is not None else {}
        check_task(program, task, self._can(details), f"{self.provider}'s target '{self.target}'", delays=False)
        made = experiments(program, task)
        if not made:
            raise SessionError(f"There is nothing to measure in this task, so nothing is sent to {self.provider}.")
        return self._payload(made)

    def _ask(self) -> dict[str, Any]:
        """The service's details of the target, at most five minutes old; empty when they cannot be had."""
        now = time.monotonic()
        if self._details is None or now - self._details[0] > FRESH:
            found = self._details[1] if self._details is not None else {}
            with contextlib.suppress(ServiceError, CredentialError, AttributeError, TypeError):  # sending will tell
                found = self._look()
            self._details = (now, found)
        return self._details[1]

    def _look(self) -> dict[str, Any]:
        raise NotImplementedError

    def _can(self, details: Mapping[str, Any]) -> Capabilities:
        raise NotImplementedError

    def _payload(self, made: Sequence[Experiment]) -> Prepared:
        raise NotImplementedError


def qubits_of(told: Any) -> int | None:
    """A number of qubits that a service told; None for what is none."""
    return told if isinstance(told, int) and not isinstance(told, bool) and told > 0 else None
