"""Recursion that goes deeper than the caller's stack has room for, without changing the interpreter's limit."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

_T = TypeVar("_T")


def deep(action: Callable[..., _T], *args: Any) -> _T:
    """The result of an action that recurses, run in a thread of its own."""
    results: list[_T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(action(*args))
        except BaseException as error:  # handed to the caller, whatever it is
            errors.append(error)

    thread = threading.Thread(target=run, name="qsim-parser", daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
