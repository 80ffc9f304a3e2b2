"""What a job runs and what it gave, as text: the program, the task with its preferences, and the results.

All of it is JSON of plain data with floats that come back exactly; arrays of a state vector may lie beside the text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from session.backends.bound import BoundBackend
from session.backends.profiles import CREDENTIAL_NAME
from session.backends.protocol import Backend
from session.errors import JobError, SessionError, StoreCorruptError, StoreError, StoreVersionError
from session.preferences import ExecutionPreferences
from session.programs import Program
from session.results import result_from_dict, result_to_dict
from session.tasks import Task
from session.work import opened, with_room

FORMAT = 1


def program_text(program: Program) -> str:
    """A program as it is stored: its own text, or its circuit exactly.

    Raises:
        StoreError: its blocks are nested hundreds of levels deep.
    """
    try:
        return with_room(lambda: _line(program.data))
    except RecursionError:
        raise StoreError(
            "A program that is stored has blocks inside blocks some 200 deep at most; this one has more. Use the call "
            "without submit_, which runs here."
        ) from None


def spec_text(task: Task, preferences: ExecutionPreferences, anywhere: bool = True) -> str:
    """A task with its preferences as it is stored.

    Args:
        task: what to do.
        preferences: name the backend.
        anywhere: whether another process could run it too; not with a backend that has no name.

    Raises:
        StoreError: an option of the backend is called like a credential.
    """
    _refuse_credentials(preferences)
    stored = task if task.is_storable else replace(task, cost=None)
    about = {"task": stored.to_dict(), "preferences": preferences.to_dict(), "anywhere": anywhere and task.is_storable}
    return _line({"format": FORMAT, **about})


def _refuse_credentials(preferences: ExecutionPreferences) -> None:
    stack: list[Any] = [preferences.to_dict().get("backend_options")]
    while stack:
        item = stack.pop()
        if isinstance(item, Mapping):
            for name in item:
                if CREDENTIAL_NAME.search(str(name)):
                    raise StoreError(
                        f"Credentials are never stored, and a job stores the options of its backend; {name!r} is called like "
                        "one. Give it by the environment or the provider's own configuration."
                    )
            stack.extend(item.values())
        elif isinstance(item, (list, tuple)):
            stack.extend(item)


def read_work(program: str, spec: str, backend: Backend | None = None) -> tuple[BoundBackend, Task]:
    """What runs a stored job, and the task; `backend` is one to run it with instead of the one that it names.

    Raises:
        JobError: only the process that submitted it could run it.
        StoreVersionError: it was stored by a newer version.
        StoreCorruptError: the texts are no program and no task.
    """
    try:
        data = json.loads(spec)
        if data["format"] != FORMAT:
            raise StoreVersionError("This job was stored by a newer version of qsim-session. Update to run it.")
        if backend is None and not data["anywhere"]:
            raise JobError(
                "Only the process that submitted this job could run it, because a Python function or a backend object was "
                "part of it, and that process has ended. Submit it again."
            )
        task = Task.from_dict(data["task"])
        preferences = data["preferences"]
        if backend is not None:
            own = with_room(lambda: Program.from_data(json.loads(program)))
            return BoundBackend(backend, own), task
        where = with_room(lambda: _line({"program": json.loads(program), "preferences": preferences}))
        return with_room(lambda: opened(where)), task
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, SessionError):
            raise
        raise StoreCorruptError(f"What a job runs is damaged: {error!r}. Submit it again.") from error


def results_text(results: Sequence[Any], keep: Callable[[Any], Any] | None = None) -> str:
    """Results as text; `keep` is given the arrays that are to lie elsewhere, and returns their names."""
    return _line({"format": FORMAT, "results": [result_to_dict(result, keep) for result in results]})


def read_results(text: str, find: Callable[[Any], Any] | None = None) -> list[Any]:
    """What `results_text` gave.

    >>> read_results(results_text([0.1]))
    [0.1]
    """
    try:
        data = json.loads(text)
        if data["format"] != FORMAT:
            raise StoreVersionError("This result was stored by a newer version of qsim-session. Update to read it.")
        return [result_from_dict(one, find) for one in data["results"]]
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, StoreVersionError):
            raise
        raise StoreCorruptError(f"A stored result is damaged: {error!r}. Submit the job again.") from error


def _line(data: Any) -> str:
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False)
