"""A task with all that it takes to run it, as text: for processes that share nothing with the one that asked."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from session.backends.bound import BoundBackend, open_backend
from session.backends.protocol import is_remote
from session.errors import SessionError
from session.preferences import ExecutionPreferences
from session.programs import Program
from session.results import Result, result_from_dict, result_to_dict
from session.tasks import Task

_KEPT = 4  # programs that a process keeps compiled
_bound: OrderedDict[str, BoundBackend] = OrderedDict()
_guard = threading.Lock()


@dataclass(frozen=True)
class Work:
    """A program, the preferences that name its backend, and a task."""

    program: Program
    preferences: ExecutionPreferences
    task: Task

    def to_dict(self) -> dict[str, Any]:
        """What JSON can hold; `from_dict` takes it back.

        Raises:
            SessionError: the task's cost is a Python function.
        """
        return {
            "program": self.program.data,
            "preferences": self.preferences.to_dict(),
            "task": self.task.to_dict(),
        }

    def to_json(self) -> str:
        """`to_dict` as one line of JSON."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Work:
        """What `to_dict` gave."""
        try:
            program, preferences = Program.from_data(data["program"]), data["preferences"]
            return cls(program, ExecutionPreferences.from_dict(preferences), Task.from_dict(data["task"]))
        except (KeyError, TypeError) as error:
            raise SessionError(f"This is no work of this package's JSON form: {error!r}.") from None

    def run(self) -> list[Result]:
        """One result for each row of the task."""
        return open_backend(self.program, self.preferences).run(self.task)


def run_text(where: str, task: str) -> str:
    """Run a task in whatever process this is called; text in, text out.

    Args:
        where: JSON of the program and the preferences; what was compiled for it is kept for the next call.
        task: JSON of the task.

    Returns:
        JSON of a list of results.
    """
    bound = opened(where)
    return json.dumps([result_to_dict(one) for one in bound.run(Task.from_dict(json.loads(task)))])


def read_results(text: str) -> list[Result]:
    """What `run_text` gave."""
    return [result_from_dict(one) for one in json.loads(text)]


def opened(where: str) -> BoundBackend:
    """The backend for a program and preferences, as JSON; those for the last few texts are kept, compiled."""
    key = hashlib.sha256(where.encode()).hexdigest()
    with _guard:
        if key in _bound:
            _bound.move_to_end(key)
            return _bound[key]
    data = json.loads(where)
    bound = open_backend(Program.from_data(data["program"]), ExecutionPreferences.from_dict(data["preferences"]))
    if is_remote(bound.backend):  # its profile may change, and with it where requests go
        return bound
    with _guard:
        _bound[key] = bound
        while len(_bound) > _KEPT:
            _bound.popitem(last=False)
    return bound
