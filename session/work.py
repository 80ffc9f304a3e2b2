"""A task with all that it takes to run it, as text: for processes that share nothing with the one that asked."""

from __future__ import annotations

import hashlib
import json
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from parsers.threads import deep
from session.backends.bound import BoundBackend, open_backend
from session.backends.protocol import is_remote
from session.errors import SessionError
from session.preferences import ExecutionPreferences
from session.programs import Program
from session.results import Result, result_from_dict, result_to_dict
from session.tasks import Task

_T = TypeVar("_T")
_KEPT = 4  # programs that a process keeps compiled
_bound: OrderedDict[str, BoundBackend] = OrderedDict()
_tasks: OrderedDict[str, tuple[BoundBackend, Task]] = OrderedDict()
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


def run_rows(
    work: bytes, rows: npt.NDArray[np.float64], seed: int, threads: int | None
) -> tuple[str, dict[str, npt.NDArray[Any]]]:
    """Some sets of a task, in whatever process this is called; for `qsim.batches`.

    Args:
        work: JSON of program, preferences and task, compressed by zlib.
        rows: parameter values, shape (sets, parameters).
        seed: of the first.
        threads: at most so many; None for all.
    """
    key = hashlib.sha256(work + repr(threads).encode()).hexdigest()
    with _guard:
        found = _tasks.get(key)
    if found is None:
        found = _read_work(work, threads)
    with _guard:
        _tasks[key] = found
        _tasks.move_to_end(key)
        while len(_tasks) > _KEPT:
            _tasks.popitem(last=False)
    bound, task = found
    return encoded(bound.run(replace(task, rows=rows, seed=seed)))


def _read_work(work: bytes, threads: int | None) -> tuple[BoundBackend, Task]:
    data = with_room(lambda: json.loads(zlib.decompress(work)))
    preferences = {**data["preferences"], "threads": threads}
    where = with_room(lambda: json.dumps({"program": data["program"], "preferences": preferences}))
    return with_room(lambda: opened(where)), Task.from_dict(data["task"])


def encoded(results: Sequence[Result]) -> tuple[str, dict[str, npt.NDArray[Any]]]:
    """Results as text, and the arrays that belong to it."""
    arrays: dict[str, npt.NDArray[Any]] = {}

    def keep(array: npt.NDArray[Any]) -> str:
        name = f"array {len(arrays)}"
        arrays[name] = array
        return name

    return json.dumps([result_to_dict(one, keep) for one in results]), arrays


def read_encoded(text: str, arrays: Mapping[str, npt.NDArray[Any]]) -> list[Result]:
    """What `encoded` gave.

    >>> read_encoded(*encoded([0.1, 1 / 3]))
    [0.1, 0.3333333333333333]
    """
    return [result_from_dict(one, arrays.__getitem__) for one in json.loads(text)]


def with_room(action: Callable[[], _T]) -> _T:
    """The result of an action that may recurse deeper than is left of the caller's stack."""
    try:
        return action()
    except RecursionError:
        return deep(action)


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
