"""Tasks of more circuits than a service takes at once: they are sent as several, each with some of the parameter sets."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from session.errors import BatchTooLarge
from session.tasks import Task

Found = TypeVar("Found")


def in_parts(run: Callable[[Task], list[Found]], task: Task) -> list[Found]:
    """What `run` gives for each parameter set; a task that is too large for it is halved until it is not.

    Args:
        run: raises `BatchTooLarge` before it has any effect.
        task: what to run.

    Raises:
        BatchTooLarge: one parameter set alone is too much.

    >>> import numpy as np
    >>> from session.tasks import TaskKind
    >>> def run(task):
    ...     if len(task.rows) > 2:
    ...         raise BatchTooLarge("Two at a time.")
    ...     return [(len(task.rows), task.seed)] * len(task.rows)
    >>> in_parts(run, Task(TaskKind.SAMPLE, np.zeros((5, 0)), True, 10, 7))
    [(2, 7), (2, 7), (1, 9), (2, 10), (2, 10)]
    """
    try:
        return run(task)
    except BatchTooLarge:
        if len(task.rows) < 2:
            raise
    middle = (len(task.rows) + 1) // 2
    return [*in_parts(run, task.part(0, middle)), *in_parts(run, task.part(middle, len(task.rows)))]
